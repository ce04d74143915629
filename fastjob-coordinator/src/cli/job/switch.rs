//! `fastjob job enable`, `disable`, `release` and `delete`.

use crate::cli::{error::Error, out::Out};
use fastjob_client::{Call, Client};

pub(super) async fn enable(name: &str, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.answer(Call::enable_job(name)).await?;
    report(out, answer.text(), "enabled", name)
}

pub(super) async fn disable(name: &str, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.answer(Call::disable_job(name)).await?;
    report(out, answer.text(), "disabled", name)
}

pub(super) async fn release(name: &str, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.answer(Call::release_job(name)).await?;
    report(out, answer.text(), "released", name)
}

pub(super) async fn delete(name: &str, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.answer(Call::delete_job(name)).await?;
    report(out, answer.text(), "deleted", name)
}

fn report(out: &mut Out<'_>, body: &str, done: &str, name: &str) -> Result<(), Error> {
    match (out.is_json(), body) {
        (true, "") => out.json(&serde_json::json!({ "job": name, "saved": done })),
        (true, body) => out.line(body),
        (false, _) => out.line(format_args!("{done} {name}")),
    }
}
