//! `fastjob handler`: what executors can run.

mod fields;

use clap::Subcommand;
use fastjob_client::{Call, Client, types::HandlerView};

use self::fields::{fields, form};
use super::{
    client::items,
    error::Error,
    options::{job_name, limit},
    out::Out,
    table::{Facts, Table, shortened},
};

/// Maximum number of characters of a description in the list.
const DESCRIPTION: usize = 60;

#[derive(Subcommand)]
pub(super) enum Handler {
    /// List the handlers of connected executors, and those that jobs use
    List {
        /// Only handlers of this service
        #[arg(long)]
        service: Option<String>,
        /// Only handlers with this text in their name or description
        #[arg(long)]
        text: Option<String>,
        /// Show at most this many, up to 10000 [default: all]
        #[arg(long, value_name = "N", value_parser = limit)]
        limit: Option<usize>,
    },
    /// Show a handler, what its param is like, and who has and uses it
    Show {
        /// The handler, as name or service.name
        #[arg(value_parser = job_name)]
        name: String,
        /// Print only the JSON schema of its param
        #[arg(long, conflicts_with = "json")]
        schema: bool,
    },
}

impl Handler {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        match self {
            Self::List { service, text, limit } => {
                let mut handlers = client.handlers();
                if let Some(service) = service {
                    handlers = handlers.service(service);
                }
                if let Some(text) = text {
                    handlers = handlers.text(text);
                }
                let handlers = items(handlers, limit).await?;
                if out.is_json() {
                    return out.json(&handlers);
                }
                match handlers.read::<HandlerView>()? {
                    none if none.is_empty() => out.line("no handlers"),
                    handlers => out.table(&table(handlers)),
                }
            }
            Self::Show { name, schema } => {
                let answer = client.answer(Call::handler(&name)).await?;
                if out.is_json() {
                    return out.line(answer.text());
                }
                let view = answer.read()?;
                if schema { show_schema(view, out) } else { show(view, out) }
            }
        }
    }
}

fn table(handlers: Vec<HandlerView>) -> Table {
    let mut table = Table::new(&["HANDLER", ">EXECUTORS", ">JOBS", "PARAM", "DESCRIPTION"]);
    for view in handlers {
        table.row([
            format!("{}.{}", view.service, view.handler),
            view.executors_total.to_string(),
            view.jobs_total.to_string(),
            view.schema.as_ref().map(form).unwrap_or_default(),
            shortened(&view.description, DESCRIPTION),
        ]);
    }
    table
}

fn show(view: HandlerView, out: &mut Out<'_>) -> Result<(), Error> {
    let mut facts = Facts::default();
    facts.add("handler", format!("{}.{}", view.service, view.handler));
    facts.add("description", view.description);
    facts.add("executors", named(&view.executors, view.executors_total));
    facts.add("jobs", named(&view.jobs, view.jobs_total));
    let param = view.schema.as_ref().map(form);
    facts.add("param", param.unwrap_or_else(|| "not known, and not checked".to_owned()));
    out.facts(&facts)?;
    match view.schema.as_ref().and_then(fields) {
        Some(fields) => {
            out.line("")?;
            out.table(&fields)
        }
        None => Ok(()),
    }
}

fn show_schema(view: HandlerView, out: &mut Out<'_>) -> Result<(), Error> {
    let Some(schema) = view.schema else {
        let HandlerView { service, handler, .. } = view;
        return Err(Error::failed(format!("no schema of {service}.{handler} is known")));
    };
    let text = serde_json::to_string_pretty(&schema);
    out.line(text.map_err(|err| Error::failed(err.to_string()))?)
}

/// Names, and how many are left out.
fn named(names: &[String], total: u32) -> String {
    let more = (total as usize).saturating_sub(names.len());
    match (names.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => names.join(", "),
        (false, more) => format!("{} and {more} more", names.join(", ")),
    }
}
