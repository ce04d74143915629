//! `fastjob node`: the coordinators of the cluster.

use clap::Subcommand;
use fastjob_client::{Client, types::NodeView};

use super::{client::items, error::Error, out::Out, table::Table};

#[derive(Subcommand)]
pub(super) enum Node {
    /// List the coordinators that share the store, with the number of partitions of each
    List,
}

impl Node {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let Self::List = self;
        let times = out.times();
        let list = items(client.nodes(), None).await?;
        if out.is_json() {
            return out.json(&list);
        }
        let nodes: Vec<NodeView> = list.read()?;
        if nodes.is_empty() {
            return out.line("no nodes: this node cannot renew its lease");
        }
        let mut table = Table::new(&["ADDRESS", ">PARTITIONS", "VERSION", "SINCE", "NODE"]);
        for node in nodes {
            let address =
                if node.answers { format!("{} (answers)", node.address) } else { node.address };
            let partitions = node.partitions.to_string();
            table.row([
                address,
                partitions,
                node.version,
                times.seconds(Some(node.since)),
                node.id,
            ]);
        }
        out.table(&table)
    }
}
