//! `fastjob about`: the coordinator that answers, and how it is set up.

use fastjob_client::{Call, Client};

use super::{error::Error, out::Out, table::Table};

pub(super) async fn run(client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.answer(Call::about()).await?;
    if out.is_json() {
        return out.line(answer.text());
    }
    let (about, times) = (answer.read()?, out.times());
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let problems = match about.problems.is_empty() {
        true => "none".to_owned(),
        false => about.problems.join("; "),
    };
    let mut table = Table::new(&["COORDINATOR", ""]);
    for (name, value) in [
        ("version", about.version),
        ("node", about.node),
        ("started", times.seconds(Some(about.started_at))),
        ("its clock", times.seconds(Some(about.now))),
        ("store", about.store),
        ("cluster", yes(about.cluster)),
        ("needs a token", yes(about.token)),
        ("keeps whole logs", yes(about.logs)),
        ("problems", problems),
    ] {
        table.row([name.to_owned(), value]);
    }
    out.table(&table)
}
