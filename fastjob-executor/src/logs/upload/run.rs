//! The loop that sends pieces, a few logs at a time.
//!
//! If a coordinator does not take them, the loop backs off, tries another coordinator, and logs one
//! warning per outage. It never ends because of that, and no attempt notices.

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use fastjob_core::AttemptId;
use tokio::{
    task::{Id, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Kept, NotKept, Piece, Shelf, Uploads,
    notes::{self, NOTES_MAX},
    piece::Next,
    queue::{Step, Work},
};
use crate::{
    failure::panic_text,
    logs::{Logs, disk::NoteOrder},
};

/// Number of logs of which a piece is on its way at the same time. Pieces that a coordinator has not
/// read yet must leave room in the connection's window for the messages of the session.
const AT_ONCE: usize = 2;
/// Shortest pause after the coordinator was busy. The longest is three times as long.
const BUSY: Duration = Duration::from_secs(1);
/// First and longest pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What became of a piece.
enum Sent {
    /// Nothing was written, so this does not say whether the coordinator can.
    Step(Step),
    /// The coordinator has written it.
    Kept(Step),
    /// The coordinator is busy with pieces of others.
    Busy,
    /// The coordinator did not take it now, for this reason.
    Later(String),
}

/// Failures in a row.
#[derive(Default)]
struct Outage {
    failures: u32,
    until: Option<Instant>,
    /// When a busy coordinator is asked again.
    busy_until: Option<Instant>,
}

impl Logs {
    /// Uploads logs until `stop` fires.
    pub(crate) async fn upload_loop(&self, stop: CancellationToken) {
        let uploads = self.uploads();
        let (mut sending, mut names) = (JoinSet::new(), HashMap::<Id, AttemptId>::new());
        let (mut outage, mut is_restored) = (Outage::default(), false);
        loop {
            if uploads.are_wanted() && !is_restored {
                is_restored = true;
                tokio::select! {
                    logs = self.noted() => uploads.restore(logs),
                    // A hanging disk must not delay the shutdown.
                    () = stop.cancelled() => return,
                }
            }
            if let Some(logs) = uploads.take_warning() {
                tracing::warn!(
                    logs,
                    "too many attempt logs wait to be uploaded: these stay on this machine only"
                );
            }
            let most = if outage.failures > 0 { 1 } else { AT_ONCE };
            while sending.len() < most && outage.is_over() {
                let Some((work, shelf)) = uploads.take(Instant::now()) else { break };
                let task = sending.spawn(self.clone().send(work, shelf));
                names.insert(task.id(), work.log.attempt);
            }
            let room = sending.len() < most;
            let next_at = if room { uploads.next_at() } else { None };
            let wait = async {
                match (next_at, outage.pause()) {
                    (Some(at), until) => {
                        tokio::time::sleep_until(until.map_or(at, |until| until.max(at))).await;
                    }
                    (None, _) => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = uploads.0.changed.notified() => {}
                Some(ended) = sending.join_next_with_id() => outage.note(&uploads, &mut names, ended),
                () = wait => {}
            }
        }
    }

    /// Logs that an earlier process with this folder has begun to upload.
    async fn noted(&self) -> Vec<super::Log> {
        let inner = Arc::clone(&self.0);
        let read = move || inner.disk.read_notes(NOTES_MAX, NoteOrder::LatestFirst);
        let found = tokio::task::spawn_blocking(read).await.map_err(io::Error::other);
        match found.and_then(|found| found) {
            Ok(found) => {
                found.into_iter().filter_map(|(id, text)| notes::read(id, &text)).collect()
            }
            Err(error) => {
                tracing::warn!(
                    %error,
                    "could not read which attempt logs an earlier process has not uploaded"
                );
                Vec::new()
            }
        }
    }

    /// Sends the next piece of a log.
    async fn send(self, work: Work, shelf: Arc<dyn Shelf>) -> Sent {
        let log = work.log;
        let Some(offset) = work.offset else {
            let ask = Piece {
                attempt: log.attempt,
                origin: log.origin,
                offset: 0,
                length: 0,
                gzip: Vec::new(),
                last: false,
            };
            return match shelf.keep(ask).await {
                Ok(Kept { is_full: true, .. }) => Sent::Step(self.over(work).await),
                Ok(kept) => Sent::Step(Step::To { offset: kept.next_offset, has_more: true }),
                Err(why) => self.not_kept(work, why).await,
            };
        };
        let inner = Arc::clone(&self.0);
        let read = tokio::task::spawn_blocking(move || inner.next_piece(&work, offset)).await;
        let next = match read.map_err(io::Error::other).and_then(|read| read) {
            Ok(next) => next,
            // Removed by the retention of this executor.
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                return Sent::Step(self.over(work).await);
            }
            Err(error) => {
                tracing::warn!(
                    attempt.id = log.attempt.0,
                    %error,
                    "could not read an attempt log, the rest of it is not uploaded"
                );
                self.close(work);
                return Sent::Step(Step::Over);
            }
        };
        let Next { piece, has_more, is_end, is_left } = next;
        let Some(piece) = piece else {
            return Sent::Step(match (is_end, is_left) {
                (true, false) => self.over(work).await,
                (true, true) => self.leave(work),
                (false, _) => Step::Nothing,
            });
        };
        let end = offset + u64::from(piece.length);
        match shelf.keep(piece).await {
            Ok(Kept { next_offset, is_full: true }) if next_offset == end => {
                Sent::Kept(self.over(work).await)
            }
            Ok(Kept { is_full: true, .. }) => Sent::Step(self.over(work).await),
            Ok(Kept { next_offset, .. }) if next_offset == end && is_end => {
                Sent::Kept(if is_left { self.leave(work) } else { self.over(work).await })
            }
            Ok(Kept { next_offset, .. }) if next_offset == end => {
                Sent::Kept(Step::To { offset: end, has_more })
            }
            Ok(Kept { next_offset, .. }) => Sent::Step(Step::From(next_offset)),
            Err(why) => self.not_kept(work, why).await,
        }
    }

    async fn not_kept(&self, work: Work, why: NotKept) -> Sent {
        let attempt = work.log.attempt.0;
        match why {
            NotKept::Unknown(why) => {
                tracing::debug!(attempt.id = attempt, why, "the coordinator keeps no such log");
                Sent::Step(self.over(work).await)
            }
            // The note stays: another executor that uses this folder may be the one that may.
            NotKept::Refused(why) => {
                tracing::debug!(attempt.id = attempt, why, "the coordinator does not take a log");
                self.close(work);
                Sent::Step(Step::Over)
            }
            NotKept::NotYet(why) => {
                tracing::debug!(attempt.id = attempt, why, "the coordinator takes a log later");
                Sent::Step(Step::Waits)
            }
            NotKept::Busy => Sent::Busy,
            NotKept::Later(why) => Sent::Later(why),
        }
    }

    /// The log is uploaded, or will never be: a later process has nothing to do.
    async fn over(&self, work: Work) -> Step {
        self.close(work);
        let inner = Arc::clone(&self.0);
        let forget = move || inner.disk.remove_note(work.log.attempt);
        let forgotten = tokio::task::spawn_blocking(forget).await.map_err(io::Error::other);
        if let Err(error) = forgotten.and_then(|forgotten| forgotten) {
            // A later process asks the coordinator, and has nothing to send.
            tracing::debug!(%error, "could not remove the note of an upload");
        }
        Step::Over
    }

    /// Like [`over`](Self::over), but a later process sends what the attempt logs from now on.
    fn leave(&self, work: Work) -> Step {
        self.close(work);
        Step::Over
    }

    /// Later lines of this log are not announced.
    fn close(&self, work: Work) {
        if let Some(live) = self.0.live(work.log.attempt) {
            live.close_upload();
        }
    }
}

impl Outage {
    /// Until when nothing is sent.
    fn pause(&self) -> Option<Instant> {
        self.until.max(self.busy_until)
    }

    fn is_over(&self) -> bool {
        self.pause().is_none_or(|until| until <= Instant::now())
    }

    fn note(
        &mut self,
        uploads: &Uploads,
        names: &mut HashMap<Id, AttemptId>,
        ended: Result<(Id, Sent), JoinError>,
    ) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(err) => err.id(),
        };
        let Some(attempt) = names.remove(&id) else { return };
        match ended {
            Ok((_, Sent::Step(step))) => uploads.done(attempt, step),
            Ok((_, Sent::Kept(step))) => {
                self.ends();
                uploads.done(attempt, step);
            }
            Ok((_, Sent::Busy)) => {
                // Jitter, so that a fleet does not try again all at once.
                let jitter = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 128.0;
                let again = Instant::now() + BUSY.mul_f64(1.0 + jitter);
                self.busy_until = Some(again);
                uploads.done(attempt, Step::Failed(again));
            }
            Ok((_, Sent::Later(why))) => {
                let again = self.fails(&why);
                uploads.turn();
                uploads.done(attempt, Step::Failed(again));
            }
            Err(err) => {
                if let Ok(panic) = err.try_into_panic() {
                    let why = panic_text(&*panic);
                    tracing::error!(
                        attempt.id = attempt.0,
                        why,
                        "uploading an attempt log panicked"
                    );
                }
                uploads.done(attempt, Step::Over);
            }
        }
    }

    /// Returns when to try again.
    fn fails(&mut self, why: &str) -> Instant {
        self.failures = self.failures.saturating_add(1);
        // The first failure is often the end of a session.
        if self.failures == 2 {
            tracing::warn!(
                why,
                "could not upload attempt logs, retrying: they stay in the files of this executor"
            );
        }
        let pause = (PAUSE * (1 << (self.failures - 1).min(6))).min(PAUSE_MAX);
        let until = Instant::now() + pause;
        self.until = Some(until);
        until
    }

    fn ends(&mut self) {
        if self.failures > 1 {
            tracing::info!("attempt logs are uploaded again");
        }
        (self.failures, self.until) = (0, None);
    }
}
