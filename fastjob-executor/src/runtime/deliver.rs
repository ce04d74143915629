//! What a link has to send, and what is repeated to a new owner of a partition.

use std::sync::Arc;

use fastjob_core::{AttemptId, Lease, Partition};
use tokio::time::Instant;

use super::{
    Delivery,
    links::LinkId,
    message::{Holding, Message},
    name::Name,
    outbox, reports,
    state::State,
};

/// Approximate number of messages per batch. A single message may have several megabytes.
const MESSAGES_MOST: usize = 8;

impl State {
    /// Reports that an attempt's handler was entered, unless that was already reported.
    pub(super) fn tell_started(&mut self, id: AttemptId) {
        let partition = self.owners.partition(id);
        let Some(running) = self.running_mut(id).filter(|running| !running.reported) else {
            return;
        };
        let name = running.control.name;
        if let Some(at) = running.control.entered().map(|entered| entered.started_at) {
            running.reported = true;
            self.outbox.started(partition, name, at);
            self.wake(partition);
        }
    }

    /// The link has a new session. Requests of an earlier session are not answered in it.
    pub(super) fn session_began(&mut self, link: LinkId, says_farewell: bool) {
        self.session_ended(link);
        self.links.begin(link, says_farewell);
        // While the executor drains, it announces that first.
        self.links.wake(link);
    }

    /// The link's session has ended. Attempts that were to be returned over it are no longer held;
    /// the next owner learns that from Holding.
    pub(super) fn session_ended(&mut self, link: LinkId) {
        let leaving = self.leaving;
        if self.links.session(link).is_some_and(|session| session.owes(leaving)) {
            self.unconfirmed.extend(self.owners.partitions(link));
        }
        self.owners.leave(link);
        self.links.end(link);
    }

    /// A node now acts on these partitions: everything in them is reported to it again.
    pub(super) fn take(&mut self, link: LinkId, leases: Vec<Lease>) {
        // A new owner ends the silence, but attempts that were due to end must still end.
        self.cut_off(self.clock.elapsed());
        for lease in leases {
            if let Err(known) = self.owners.take(link, lease) {
                if let Some(session) = self.links.session(link) {
                    session.refused.push(known);
                }
                continue;
            }
            if let Some(session) = self.links.session(link) {
                session.taken.push(lease);
                if let Some((at, limit)) = session.heard {
                    self.silence.heard(lease.partition, at, limit);
                }
            }
            self.tell_again(lease.partition);
        }
        self.links.wake(link);
    }

    /// Repeats all reports of the partition, because its new owner knows none of them.
    fn tell_again(&mut self, partition: Partition) {
        self.outbox.resend(partition);
        let running: Vec<_> = self
            .running_of(partition)
            .map(|(id, running)| (id, Arc::clone(&running.control.said)))
            .collect();
        for (id, _) in &running {
            if let Some(running) = self.running_mut(*id) {
                running.reported = false;
                self.tell_started(*id);
            }
        }
        self.reports.again(partition, running.iter().map(|(_, said)| said));
    }

    /// The names of everything that is held: attempts that wait, run, or are not acknowledged.
    pub(super) fn names(&self) -> impl Iterator<Item = Name> {
        self.held.values().map(|held| held.name()).chain(self.outbox.attempts())
    }

    /// What is held of the partitions that a node has taken, if an answer is due.
    fn holding(&mut self, link: LinkId) -> Option<Holding> {
        let session = self.links.session(link)?;
        let leases = std::mem::take(&mut session.taken);
        let refused = std::mem::take(&mut session.refused);
        if leases.is_empty() && refused.is_empty() {
            return None;
        }
        let of = |name: &Name| {
            let partition = self.owners.partition(name.id);
            leases.iter().any(|lease| lease.partition == partition)
        };
        for lease in &leases {
            self.unconfirmed.remove(&lease.partition);
        }
        let attempts = self.names().filter(of).collect();
        let highest = leases.iter().filter_map(|lease| self.owners.highest(lease.partition));
        let (highest, leaving) = (highest.collect(), self.leaving);
        Some(Holding { leases, attempts, leaving, highest, refused })
    }

    /// What a link has to send next. An attempt's outcome comes after all its other reports.
    pub(super) fn deliver(&mut self, link: LinkId, now: Instant) -> Delivery {
        let leaving = self.leaving;
        // Before Holding: what was returned in an earlier term must not be mistaken for what is
        // sent in the term that Holding answers.
        let partings = self.links.session(link).map(|session| session.partings(leaving));
        let mut messages = partings.unwrap_or_default();
        if let Some(holding) = self.holding(link) {
            messages.push(Message::Holding(holding));
            if let Some(session) = self.links.session(link).filter(|_| leaving) {
                messages.push(session.confirms());
            }
        }
        let (mut next_at, mut is_cut) = (None, false);
        let mut partitions = self.owners.partitions(link);
        if let Some(session) = self.links.session(link) {
            session.turn(&mut partitions);
        }
        for partition in partitions {
            if messages.len() >= MESSAGES_MOST {
                is_cut = true; // the rest follows once these are sent
                break;
            }
            self.deliver_of(partition, now, &mut messages);
            let at = self.reports.due_at(partition, now);
            next_at = [next_at, at].into_iter().flatten().min();
        }
        Delivery { messages, is_cut, next_at }
    }

    fn deliver_of(&mut self, partition: Partition, now: Instant, messages: &mut Vec<Message>) {
        let reports::Batch { checkpoints, progress } = self.reports.next(partition, now);
        let outbox::Batch { started, finished } = self.outbox.next(partition).unwrap_or_default();
        if !started.is_empty() {
            messages.push(Message::Started(started));
        }
        if !checkpoints.is_empty() {
            messages.push(Message::Checkpoints(checkpoints));
        }
        if !progress.is_empty() {
            messages.push(Message::Progress(progress));
        }
        if !finished.is_empty() {
            messages.push(Message::Finished(finished));
        }
    }
}
