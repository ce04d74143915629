//! `fastjob executor drain` and `resume`.

use std::time::Duration;

use fastjob_client::{Call, Client, Polling, types::ExecutorView};

use crate::cli::{
    error::Error,
    out::{Out, remark},
    wait::answered,
};

pub(super) async fn drain(name: &str, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.answer(Call::drain_executor(name)).await?;
    let executor = answer.read()?;
    remark_unanswered(&executor);
    match out.is_json() {
        true => out.line(answer.text()),
        false => out.line(format_args!(
            "{}.{} is drained: it gets no new attempts, and holds {}",
            executor.service,
            executor.name,
            held(&executor)
        )),
    }
}

/// Drains it, and waits until nothing runs on it any more.
pub(super) async fn drain_and_wait(
    name: &str,
    client: &Client,
    out: &mut Out<'_>,
) -> Result<(), Error> {
    let executor = client.drain_executor(name).await?;
    remark_unanswered(&executor);
    // Another executor of this name may connect meanwhile.
    let name = format!("{}.{}", executor.service, executor.name);
    let mut polling = Polling::new(Duration::from_millis(200), Duration::from_secs(1));
    loop {
        let answer = client.answer(Call::executor(&name)).await;
        if let Some(answer) = answered(&mut polling, answer)? {
            let executor = answer.read()?;
            if !executor.drained {
                return Err(Error::failed(format!("{name} was resumed in the meantime")));
            }
            if is_idle(&executor) {
                return match out.is_json() {
                    true => out.line(answer.text()),
                    false => out.line(format_args!("{name} is drained and holds nothing")),
                };
            }
        }
        polling.pause().await;
    }
}

pub(super) async fn resume(name: &str, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.answer(Call::resume_executor(name)).await?;
    let executor = answer.read()?;
    remark_unanswered(&executor);
    match out.is_json() {
        true => out.line(answer.text()),
        false => {
            let ExecutorView { service, name, .. } = &executor;
            let when = if executor.connected { "" } else { " when it connects" };
            out.line(format_args!("{service}.{name} gets new attempts again{when}"))
        }
    }
}

/// Whether every coordinator says that it holds nothing, and it says so itself: while a partition
/// moves to another coordinator, only the executor knows.
fn is_idle(executor: &ExecutorView) -> bool {
    let reports_none = executor.running == 0 && executor.waiting == 0;
    executor.attempts == 0
        && (reports_none || !executor.connected)
        && executor.unanswered.is_empty()
}

fn held(executor: &ExecutorView) -> String {
    match executor.attempts {
        0 => "nothing".to_owned(),
        1 => "1 attempt".to_owned(),
        n => format!("{n} attempts"),
    }
}

fn remark_unanswered(executor: &ExecutorView) {
    if !executor.unanswered.is_empty() {
        remark(format_args!(
            "no answer from {}: it is in effect there within 10 seconds, or when another coordinator \
             takes over",
            executor.unanswered.join(", ")
        ));
    }
}
