//! `fastjob task log`: the log of a handler, also while it runs.
//!
//! A task with several shards has one log per shard. Unless one is selected, they are printed one
//! after the other, each with a heading.

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

/// How long the coordinator waits for new log text before it answers: less than the request
/// timeout.
const WAIT: &str = "20s";

#[derive(Args)]
pub(in crate::cli) struct Log {
    /// The task's number, as `fastjob task list` shows it
    #[arg(value_parser = task_id)]
    task: i64,
    /// The shard, from 0 [default: all, one after the other]
    #[arg(long, value_name = "I")]
    shard: Option<u32>,
    /// The attempt by its number within the shard, from 1 [default: the last]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
    /// Print new text until the attempt has ended
    #[arg(long, short)]
    follow: bool,
}

impl Log {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        let shards = self.print(self.shard, client, out).await?;
        if self.shard.is_some() {
            return Ok(());
        }
        for shard in 1..shards {
            self.print(Some(shard), client, out).await?;
        }
        Ok(())
    }

    /// Prints the log of one shard, and returns how many shards there are.
    async fn print(
        &self,
        shard: Option<u32>,
        client: &Client,
        out: &mut Out<'_>,
    ) -> Result<u32, Error> {
        let task = self.task.to_string();
        let (mut offset, mut attempt) = (0, None);
        let (mut pauses, mut is_headed) = (pauses(), false);
        loop {
            let mut query = vec![("offset", offset.to_string())];
            query.extend(shard.map(|index| ("shard", index.to_string())));
            query.extend(self.attempt.map(|number| ("attempt", number.to_string())));
            query.extend(self.follow.then(|| ("wait", WAIT.to_owned())));
            let answer = client.get(&["tasks", &task, "log"], &query).await;
            let answer = if self.follow { pauses.answer(answer)? } else { Some(answer?) };
            let Some(answer) = answer else {
                pauses.pause().await;
                continue;
            };
            let piece: LogView = answer.read()?;
            // Headings as in `tail` with several files; a selected shard is printed without one.
            if self.shard.is_none() && piece.shards > 1 && !is_headed && !out.is_json() {
                let gap = if piece.shard > 0 { "\n" } else { "" };
                out.line(format_args!("{gap}==> shard {} of {} <==", piece.shard, piece.shards))?;
                is_headed = true;
            }
            if attempt.replace(piece.attempt).is_some_and(|before| before != piece.attempt) {
                // A retry has started, which has its own log.
                remark(format_args!("-- attempt {}", piece.attempt));
                if offset > 0 {
                    offset = 0;
                    continue;
                }
            }
            // After a non-empty last piece, one more request is made.
            let is_empty = piece.text.is_empty();
            if out.is_json() && !(is_empty && offset > 0) {
                out.line(&answer.body)?;
            } else if !out.is_json() {
                out.raw(&piece.text)?;
            }
            offset = piece.next_offset;
            match is_empty {
                true if piece.ended || !self.follow => return Ok(piece.shards),
                true => pauses.pause().await,
                false => pauses = self::pauses(),
            }
        }
    }
}

fn pauses() -> Pauses {
    Pauses::new(Duration::from_millis(100), Duration::from_secs(1))
}
