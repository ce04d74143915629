//! `fastjob overview`: what happens at the moment, and what needs attention.

use clap::Args;
use fastjob_client::{
    Call, Client,
    types::{Attention, Overview as View},
};

use super::{
    error::Error,
    out::{Out, remark},
    table::{Table, shortened},
};

/// The longest message in a table, in characters.
const MESSAGE: usize = 100;

#[derive(Args)]
pub(super) struct Overview {
    /// Only this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

impl Overview {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let answer = client.answer(Call::overview(self.service.as_deref())).await?;
        if out.is_json() {
            return out.line(answer.text());
        }
        let view = answer.read()?;
        for line in lines(&view) {
            out.line(line)?;
        }
        out.line("")?;
        if view.attention.is_empty() {
            out.line("nothing needs attention")?;
        } else {
            let times = out.times();
            let mut table =
                Table::new(&["ATTENTION", "WHAT", ">COUNT", "SINCE", ">TASK", "MESSAGE"]);
            for item in &view.attention {
                table.row([
                    item.kind.to_string(),
                    what(item),
                    item.count.to_string(),
                    times.seconds(item.since),
                    item.task.map(|task| task.to_string()).unwrap_or_default(),
                    shortened(&item.message, MESSAGE),
                ]);
            }
            out.table(&table)?;
        }
        if view.attention_more {
            remark("there is more that needs attention: look at one service with --service");
        }
        if !view.unanswered.is_empty() {
            let nodes = view.unanswered.join(", ");
            remark(format_args!("no answer from {nodes}: its tasks and jobs are not counted"));
        }
        Ok(())
    }
}

/// The totals in words.
fn lines(view: &View) -> [String; 3] {
    let count = |count: Option<u64>| count.map_or("?".to_owned(), |count| count.to_string());
    let View { tasks, jobs, executors, .. } = view;
    let others = [
        (executors.draining, "draining"),
        (executors.drained, "drained"),
        (executors.disconnected, "disconnected"),
        (executors.lost, "lost"),
    ];
    let others: String = others
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, state)| format!(", {count} {state}"))
        .collect();
    [
        format!("tasks      {} queued, {} running", count(tasks.queued), count(tasks.running)),
        format!("jobs       {}, {} enabled, {} failing", jobs.total, jobs.enabled, jobs.failing),
        format!(
            "executors  {} connected{others}; they hold {} attempts of at most {}",
            executors.connected, executors.attempts, executors.capacity
        ),
    ]
}

/// What an item is about.
fn what(item: &Attention) -> String {
    let of = [&item.job, &item.executor, &item.service];
    of.into_iter().flatten().next().cloned().unwrap_or_default()
}
