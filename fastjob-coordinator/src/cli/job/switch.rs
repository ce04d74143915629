//! `fastjob job enable`, `disable` and `delete`.

use crate::cli::{client::Client, error::Error, out::Out};

pub(super) async fn enable(name: &str, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.post(&["jobs", name, "enable"], &serde_json::json!({})).await?;
    told(out, &answer.body, "enabled", name)
}

pub(super) async fn disable(name: &str, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.post(&["jobs", name, "disable"], &serde_json::json!({})).await?;
    told(out, &answer.body, "disabled", name)
}

pub(super) async fn delete(name: &str, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.delete(&["jobs", name]).await?;
    told(out, &answer.body, "deleted", name)
}

fn told(out: &mut Out<'_>, body: &str, done: &str, name: &str) -> Result<(), Error> {
    match (out.is_json(), body) {
        (true, "") => Ok(()),
        (true, body) => out.line(body),
        (false, _) => out.line(format_args!("{done} {name}")),
    }
}
