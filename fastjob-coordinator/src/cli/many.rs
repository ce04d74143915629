//! Commands on many jobs or tasks: they are found first, counted and confirmed, and then changed in
//! parts, each of which is one request with a deadline.

use std::{
    fmt::Display,
    io::{self, BufRead, IsTerminal, Write},
};

use fastjob_client::{
    ClientError,
    types::{Bulk, BulkJob, BulkTask},
};
use serde::Serialize;

use super::{
    error::{Error, Failure},
    out::{Out, remark},
    progress::Progress,
    text::one_line,
};

/// How many are named in one request.
const PART: usize = 500;
/// Most that are listed.
const SHOWN: usize = 20;

/// The words for what a command does: `disable`, `disabled`, and `job`.
#[derive(Clone, Copy)]
pub(super) struct Words {
    pub(super) verb: &'static str,
    pub(super) past: &'static str,
    pub(super) noun: &'static str,
    /// Whether the command may be repeated: what was done before is not done twice.
    pub(super) repeats: bool,
}

/// What became of a job or a task.
pub(super) trait Item: Serialize {
    /// The item of a dry run.
    type Name: Clone + Display;

    fn found(name: &Self::Name) -> Self;
    fn name(&self) -> String;
    fn error(&self) -> Option<&str>;
}

impl Item for BulkJob {
    type Name = String;

    fn found(name: &String) -> Self {
        Self { job: name.clone(), task: None, error: None }
    }

    fn name(&self) -> String {
        self.job.clone()
    }

    fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

impl Item for BulkTask {
    type Name = i64;

    fn found(task: &i64) -> Self {
        Self { task: *task, new_task: None, error: None }
    }

    fn name(&self) -> String {
        format!("task {}", self.task)
    }

    fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

impl Words {
    fn count(self, count: u64) -> String {
        let s = if count == 1 { "" } else { "s" };
        format!("{count} {}{s}", self.noun)
    }

    /// Changes those that were found, unless this `is_dry` or the user does not confirm it.
    pub(super) async fn run<T: Item>(
        self,
        found: Vec<T::Name>,
        (is_dry, is_clear): (bool, bool),
        call: impl AsyncFnMut(Vec<T::Name>) -> Result<Bulk<T>, ClientError>,
        out: &mut Out<'_>,
    ) -> Result<(), Error> {
        let matched = found.len() as u64;
        if is_dry || found.is_empty() {
            if out.is_json() {
                let items = found.iter().map(T::found).collect();
                return out.json(&Bulk { items, dry_run: is_dry, ..nothing(matched) });
            }
            if found.is_empty() {
                return out.line(format_args!("no {}s", self.noun));
            }
            out.line(format_args!("would {} {}:", self.verb, self.count(matched)))?;
            for name in &found {
                out.line(format_args!("  {name}"))?;
            }
            return Ok(());
        }
        self.confirm(&found, is_clear)?;
        let (sum, failed) = self.in_parts(found, call, out).await;
        match out.is_json() {
            true => out.json(&sum)?,
            false => self.show(&sum, out)?,
        }
        match failed {
            Some(mut failure) => {
                let left = self.count(sum.matched - sum.done - sum.failed);
                let past = self.past;
                failure.hint(match self.repeats {
                    true => format!(
                        "because of this error, {left} may not have been {past}: repeat the command"
                    ),
                    false => {
                        let done = self.count(sum.done);
                        format!(
                            "{past} {done} before this error, and {left} may not have been {past}: \
                             a repeated command would {} them all once more. A command that had \
                             --key from the beginning is safe to repeat",
                            self.verb
                        )
                    }
                });
                Err(failure.into())
            }
            None if sum.failed + sum.not_done > 0 => Err(Error::Reported),
            None => Ok(()),
        }
    }

    /// Shows what was found, and asks, unless that `is_clear`.
    fn confirm<N: Display>(self, found: &[N], is_clear: bool) -> Result<(), Error> {
        if is_clear {
            return Ok(());
        }
        let count = self.count(found.len() as u64);
        remark(format_args!("to {}: {count}", self.verb));
        for name in found.iter().take(SHOWN) {
            remark(format_args!("  {name}"));
        }
        if let Some(rest @ 1..) = found.len().checked_sub(SHOWN) {
            remark(format_args!("  and {rest} more"));
        }
        let nothing = format!("nothing was {}", self.past);
        if !io::stdin().is_terminal() {
            return Err(Failure {
                title: format!("{nothing}: there is no terminal to confirm it"),
                hints: vec![format!("add --yes to {} these {}s", self.verb, self.noun)],
                ..Failure::default()
            }
            .into());
        }
        let mut answer = String::new();
        write!(io::stderr(), "{} {count}? [y/N] ", self.verb).ok();
        // Without an answer, nothing is changed.
        io::stdin().lock().read_line(&mut answer).ok();
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Error::failed(nothing)),
        }
    }

    /// Changes all of them, until a request fails. Returns what was done by then.
    async fn in_parts<T: Item>(
        self,
        found: Vec<T::Name>,
        mut call: impl AsyncFnMut(Vec<T::Name>) -> Result<Bulk<T>, ClientError>,
        out: &Out<'_>,
    ) -> (Bulk<T>, Option<Failure>) {
        let all = found.len();
        let mut sum = nothing(all as u64);
        let what = format!("{} {}", self.verb, self.count(all as u64));
        let mut progress = Progress::begin(out.progress(), what.clone());
        for (at, part) in found.chunks(PART).enumerate() {
            if at > 0 {
                progress.say(&what, &format!("{} of {all}", at * PART));
            }
            let done = match call(part.to_vec()).await {
                Ok(done) => done,
                Err(err) => return (sum, Some(err.into())),
            };
            sum.done += done.done;
            sum.failed += done.failed;
            sum.not_done += done.not_done;
            sum.items.extend(done.items);
        }
        (sum, None)
    }

    fn show<T: Item>(self, sum: &Bulk<T>, out: &mut Out<'_>) -> Result<(), Error> {
        out.line(format_args!("{} {}", self.past, self.count(sum.done)))?;
        if sum.failed + sum.not_done > 0 {
            let count = self.count(sum.failed + sum.not_done);
            out.line(format_args!("{count} not {}:", self.past))?;
        }
        let failed: Vec<_> =
            sum.items.iter().filter_map(|item| Some((item.name(), item.error()?))).collect();
        for (name, why) in failed.iter().take(SHOWN) {
            out.line(format_args!("  {}: {}", one_line(name), one_line(why)))?;
        }
        match failed.len().checked_sub(SHOWN) {
            Some(rest @ 1..) => out.line(format_args!("  and {rest} more")),
            _ => Ok(()),
        }
    }
}

/// What a command has done before it begins.
fn nothing<T>(matched: u64) -> Bulk<T> {
    let (items, unanswered) = (Vec::new(), Vec::new());
    Bulk { matched, done: 0, failed: 0, not_done: 0, items, dry_run: false, unanswered }
}
