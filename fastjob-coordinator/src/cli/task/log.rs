//! `fastjob task log`: what the handler logged, also while it runs.

use std::time::Duration;

use clap::Args;

use crate::{
    LogView,
    cli::{
        client::Client,
        error::Error,
        options::task_id,
        out::{Out, remark},
        wait::Pauses,
    },
};

#[derive(Args)]
pub(in crate::cli) struct Log {
    /// The task's number
    #[arg(value_parser = task_id)]
    task: i64,
    /// The attempt by its number within the task, from 1 [default: the last]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
    /// Print what is added, until the attempt has ended
    #[arg(long, short)]
    follow: bool,
}

impl Log {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let task = self.task.to_string();
        let (mut offset, mut attempt) = (0, None);
        let mut pauses = pauses();
        loop {
            let mut query = vec![("offset", offset.to_string())];
            query.extend(self.attempt.map(|number| ("attempt", number.to_string())));
            let answer = client.get(&["tasks", &task, "log"], &query).await;
            let answer = if self.follow { pauses.answer(answer)? } else { Some(answer?) };
            let Some(answer) = answer else {
                pauses.pause().await;
                continue;
            };
            let piece: LogView = answer.read()?;
            if attempt.replace(piece.attempt).is_some_and(|before| before != piece.attempt) {
                // A retry has begun, and the log that it writes is another.
                remark(format_args!("-- attempt {}", piece.attempt));
                if offset > 0 {
                    offset = 0;
                    continue;
                }
            }
            // What follows an end that is not empty is asked for once more.
            let is_empty = piece.text.is_empty();
            if out.is_json() && !(is_empty && offset > 0) {
                out.line(&answer.body)?;
            } else if !out.is_json() {
                out.raw(&piece.text)?;
            }
            offset = piece.next_offset;
            match is_empty {
                true if piece.ended || !self.follow => return Ok(()),
                true => pauses.pause().await,
                false => pauses = self::pauses(),
            }
        }
    }
}

fn pauses() -> Pauses {
    Pauses::new(Duration::from_millis(100), Duration::from_secs(1))
}
