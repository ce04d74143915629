//! The journal: the commit that is being gathered, the ids that it assigns, and what happens when
//! a commit is durable.

use fastjob_core::AttemptId;
use jiff::Timestamp;

use super::checkpoints::Checkpoints;
use crate::{
    Config,
    effect::Answer,
    event::{CommitId, Held, Now},
    maps::{IdMap, IdSet},
    record::{Commit, Lease, LifeId},
    trace::Span,
};

/// The number of ids that are reserved at a time.
const IDS: i64 = 1_000_000;
/// The number with several partitions, whose ids should not drift apart.
const IDS_OF_SEVERAL: i64 = 20_000;
/// The maximum number of inserts in one commit.
const COMMIT_ROWS: usize = 2_000;
/// While more rows than this wait for the store, no fires are planned. This is backpressure for a
/// slow store: fires that are delayed too long become misfires.
const UNWRITTEN_MOST: usize = 100_000;
/// The highest id up to which executors may raise the ids of a partition. Seven eighths of the ids
/// that JSON clients read exactly always remain.
const RAISE_MOST: i64 = 1 << 50;

/// What happens when a commit is durable.
#[derive(Debug)]
pub(crate) enum Follow {
    /// These attempts may be sent when they are due.
    Recorded(Vec<AttemptId>),
    /// These attempts can be sent where they were placed.
    Placed(Vec<AttemptId>),
    /// The outcomes of these attempts can be acknowledged.
    Settled(Option<LifeId>, Vec<Held>),
    /// This answer can be given.
    Answer(Answer),
    /// These spans can be exported.
    Spans(Vec<Span>),
}

/// The commit that is being gathered, and those that are not durable yet.
pub(crate) struct Journal {
    config: Config,
    next_id: i64,
    /// Ids below this are reserved.
    ids_until: i64,
    next_commit: u64,
    commit: Commit,
    follow: Vec<Follow>,
    /// What the commit ends of recorded traces.
    spans: Vec<Span>,
    in_flight: IdMap<CommitId, InFlight>,
    /// Rows of the commits in flight.
    unwritten: usize,
    /// Attempts that have ended, and whose outcome is not durable yet.
    settling: IdSet<AttemptId>,
    checkpoints: Checkpoints,
}

/// A commit that was handed over.
struct InFlight {
    rows: usize,
    follow: Vec<Follow>,
    spans: Vec<Span>,
    checkpoints: Vec<super::checkpoints::Part>,
}

impl Journal {
    /// A journal whose new ids are at least `ids_from`.
    pub(crate) fn new(config: Config, ids_from: i64) -> Self {
        Self {
            config,
            next_id: config.id_from(ids_from),
            ids_until: ids_from.max(1),
            next_commit: 1,
            commit: Commit::default(),
            follow: Vec::new(),
            spans: Vec::new(),
            in_flight: IdMap::default(),
            unwritten: 0,
            settling: IdSet::default(),
            checkpoints: Checkpoints::default(),
        }
    }

    /// The commit that is being gathered.
    pub(crate) fn commit(&mut self) -> &mut Commit {
        &mut self.commit
    }

    pub(crate) fn checkpoints(&mut self) -> &mut Checkpoints {
        &mut self.checkpoints
    }

    /// Whether the commit has reached the maximum number of inserts.
    pub(crate) fn is_full(&self) -> bool {
        self.commit.planned.len() + self.commit.ended.len() >= COMMIT_ROWS
    }

    /// How many attempts the commit inserts.
    pub(crate) fn planned(&self) -> usize {
        self.commit.planned.len()
    }

    /// Whether the store keeps up, so that more fires can be planned.
    pub(crate) fn store_keeps_up(&self) -> bool {
        self.unwritten <= UNWRITTEN_MOST
    }

    /// An id that was never used before.
    pub(crate) fn new_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id += self.config.step();
        if id >= self.ids_until {
            // The reservation is in the same commit as the first row that uses it, or an earlier
            // one.
            let many = if self.config.partitions > 1 { IDS_OF_SEVERAL } else { IDS };
            self.ids_until = id + many * self.config.step();
            self.commit.ids_until = Some(self.ids_until);
        }
        id
    }

    /// A counter that grows by one with each id.
    pub(crate) fn ids(&self) -> usize {
        usize::try_from(self.next_id / self.config.step()).unwrap_or_default()
    }

    /// Keeps the ids of several partitions roughly in the order of time: at least one id per
    /// millisecond since the store was created.
    pub(crate) fn raise_ids(&mut self, now: Now) {
        if self.config.partitions > 1 {
            let age = now.wall.duration_since(self.config.since).as_millis();
            let age = i64::try_from(age).unwrap_or_default().max(0);
            let least = self.config.id_from(age.saturating_mul(self.config.step()));
            self.next_id = self.next_id.max(least);
        }
    }

    /// Raises the ids above one that an executor was sent. If this store has not assigned that
    /// id, it was restored from a backup: the ids that were assigned since the backup must not be
    /// used again.
    pub(crate) fn raise_ids_above(&mut self, highest: AttemptId) {
        if highest.0 < self.next_id {
            return;
        }
        if highest.0 > RAISE_MOST {
            tracing::warn!(
                attempt.id = highest.0,
                "an executor reported an implausibly high attempt id, ignored"
            );
            return;
        }
        self.next_id = self.config.id_from(highest.0 + 1);
        tracing::warn!(
            attempt.id = highest.0,
            "an executor reported an attempt that the store never had: the store was restored from \
             a backup, new ids continue above the reported one"
        );
    }

    /// The attempt may be sent when the commit is durable.
    pub(crate) fn follow_recorded(&mut self, attempt: AttemptId) {
        match self.follow.last_mut() {
            Some(Follow::Recorded(attempts)) => attempts.push(attempt),
            _ => self.follow.push(Follow::Recorded(vec![attempt])),
        }
    }

    /// The attempt can be sent to its new executor when the commit is durable.
    pub(crate) fn follow_placed(&mut self, attempt: AttemptId) {
        match self.follow.last_mut() {
            Some(Follow::Placed(attempts)) => attempts.push(attempt),
            _ => self.follow.push(Follow::Placed(vec![attempt])),
        }
    }

    /// An executor's outcome is acknowledged when the commit is durable.
    pub(crate) fn follow_settled(&mut self, life: LifeId, held: Held) {
        self.settling.insert(held.attempt);
        match self.follow.last_mut() {
            Some(Follow::Settled(of, attempts)) if *of == Some(life) => attempts.push(held),
            _ => self.follow.push(Follow::Settled(Some(life), vec![held])),
        }
    }

    /// Late outcomes are acknowledged when the commit is durable. The end that made them late may
    /// not be durable yet: if the executor forgot the attempt and the coordinator crashed, it would
    /// stay open.
    pub(crate) fn follow_late(&mut self, life: LifeId, late: Vec<Held>) {
        self.follow.push(Follow::Settled(Some(life), late));
    }

    /// Answers when everything that was handed over so far is durable.
    pub(crate) fn answer_when_durable(&mut self, answer: Answer) {
        self.follow.push(Follow::Answer(answer));
    }

    /// Spans are exported when the ends that they report are durable.
    pub(crate) fn follow_spans(&mut self, new: impl IntoIterator<Item = Span>) {
        self.spans.extend(new);
    }

    /// Whether the outcome of an attempt is not durable yet.
    pub(crate) fn is_settling(&self, attempt: AttemptId) -> bool {
        self.settling.contains(&attempt)
    }

    /// The id of the commit that is being gathered.
    pub(crate) fn commit_id(&self) -> CommitId {
        CommitId(self.next_commit)
    }

    /// Whether a commit is durable.
    pub(crate) fn is_durable(&self, commit: CommitId) -> bool {
        commit.0 < self.next_commit && !self.in_flight.contains_key(&commit)
    }

    /// Whether everything that was handed over is durable.
    pub(crate) fn is_written(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Takes the current commit, to hand it over; `None` if there is nothing to write or to follow.
    pub(crate) fn take_commit(&mut self, clock: Timestamp) -> Option<(CommitId, Commit)> {
        let checkpoints = self.checkpoints.hand_over(&mut self.commit);
        if self.commit == Commit::default() && self.follow.is_empty() {
            return None;
        }
        let id = self.commit_id();
        self.next_commit += 1;
        let lease: Lease = self.config.lease;
        let commit = std::mem::take(&mut self.commit);
        let commit = Commit { lease, clock: Some(clock), ..commit };
        let rows = commit.rows();
        self.unwritten += rows;
        let (follow, spans) = (std::mem::take(&mut self.follow), std::mem::take(&mut self.spans));
        self.in_flight.insert(id, InFlight { rows, follow, spans, checkpoints });
        Some((id, commit))
    }

    /// The rows of the commits that are handed over and not durable.
    pub(crate) fn rows_in_flight(&self) -> usize {
        self.unwritten
    }

    /// Marks a commit as durable, and returns what follows from it.
    pub(crate) fn durable(&mut self, id: CommitId) -> Vec<Follow> {
        let Some(mut done) = self.in_flight.remove(&id) else { return Vec::new() };
        self.unwritten -= done.rows;
        self.checkpoints.written(&done.checkpoints);
        for follow in &done.follow {
            if let Follow::Settled(_, attempts) = follow {
                attempts.iter().for_each(|held| _ = self.settling.remove(&held.attempt));
            }
        }
        if !done.spans.is_empty() {
            done.follow.push(Follow::Spans(done.spans));
        }
        done.follow
    }
}

/// Figures for the limits that the simulation checks.
#[cfg(any(test, feature = "simulation"))]
impl Journal {
    /// The rows that are not durable, and the commits in flight.
    pub(crate) fn unwritten(&self) -> usize {
        self.unwritten + self.in_flight.len() + self.commit.rows()
    }

    /// The rows of the commit that is being gathered.
    pub(crate) fn gathered(&self) -> usize {
        self.commit.rows()
    }

    /// The collections of non-durable data, with their sizes.
    pub(crate) fn sizes(&self) -> [(&'static str, usize); 4] {
        let follow = self.in_flight.values().map(|commit| commit.follow.len());
        let spans = self.in_flight.values().map(|commit| commit.spans.len());
        [
            ("settling attempts", self.settling.len()),
            ("checkpoints", self.checkpoints.len()),
            ("spans", self.spans.len() + spans.sum::<usize>()),
            ("steps after commits", self.follow.len() + follow.sum::<usize>()),
        ]
    }
}
