//! Which alarms form one message, and when it is sent: a pure rule without clock, store or network.
//!
//! Alarms of the same job and kind form a group. A group waits briefly for more alarms, and after a
//! message it waits for the interval. If there are too many groups, or were within the interval,
//! they become one group for the whole channel: many alarms at once are one message, however many
//! jobs are affected.

use std::{collections::BTreeMap, time::Duration};

use fastjob_core::JobId;

use crate::store::{AlarmKind, WaitingAlarm};

/// Most groups of a channel at the same time.
const GROUPS: usize = 20;
/// Examples in one message.
pub(crate) const EXAMPLES: usize = 10;
/// Alarms held in memory at the same time; the rest waits in the store.
pub(crate) const HELD: usize = 50_000;
/// Wait after the first failed attempt.
const RETRY_FIRST: Duration = Duration::from_secs(5);
/// Longest wait between two attempts.
const RETRY_MOST: Duration = Duration::from_secs(300);

/// What the alarms of a group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Job(JobId, AlarmKind),
    Channel,
}

/// Alarms that are sent as one message; never empty.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) key: Key,
    pub(crate) numbers: Vec<i64>,
    pub(crate) first: WaitingAlarm,
    pub(crate) last: WaitingAlarm,
    pub(crate) examples: Vec<WaitingAlarm>,
    /// Whether all alarms have the same job and kind.
    pub(crate) alike: bool,
    /// Failed attempts to send it.
    pub(crate) tries: u32,
    opened: Duration,
    not_before: Duration,
}

impl Group {
    fn new(key: Key, alarm: WaitingAlarm, now: Duration) -> Self {
        Self {
            key,
            numbers: vec![alarm.number],
            first: alarm.clone(),
            last: alarm.clone(),
            examples: vec![alarm],
            alike: true,
            tries: 0,
            opened: now,
            not_before: Duration::ZERO,
        }
    }

    /// The same group with only these alarms; `None` if there are none.
    pub(crate) fn with_only(&self, alarms: Vec<WaitingAlarm>) -> Option<Self> {
        let mut alarms = alarms.into_iter();
        let mut group = Self::new(self.key, alarms.next()?, self.opened);
        (group.tries, group.not_before) = (self.tries, self.not_before);
        alarms.for_each(|alarm| group.add(alarm));
        Some(group)
    }

    fn add(&mut self, alarm: WaitingAlarm) {
        self.numbers.push(alarm.number);
        self.alike &= alike(&self.first, &alarm);
        if alarm.at < self.first.at {
            self.first = alarm.clone();
        }
        if alarm.at > self.last.at {
            self.last = alarm.clone();
        }
        if self.examples.len() < EXAMPLES {
            self.examples.push(alarm);
        }
    }

    fn merge(&mut self, other: Self) {
        self.numbers.extend(other.numbers);
        self.alike &= other.alike && alike(&self.first, &other.first);
        if other.first.at < self.first.at {
            self.first = other.first;
        }
        if other.last.at > self.last.at {
            self.last = other.last;
        }
        let room = EXAMPLES - self.examples.len();
        self.examples.extend(other.examples.into_iter().take(room));
        self.tries = self.tries.max(other.tries);
        self.opened = self.opened.min(other.opened);
        self.not_before = self.not_before.max(other.not_before);
    }
}

fn alike(one: &WaitingAlarm, other: &WaitingAlarm) -> bool {
    (one.job, one.kind) == (other.job, other.kind)
}

/// The groups of one channel.
#[derive(Debug)]
pub(crate) struct Groups {
    wait: Duration,
    interval: Duration,
    open: BTreeMap<Key, Group>,
    sent: BTreeMap<Key, Duration>,
}

impl Groups {
    pub(crate) fn new(wait: Duration, interval: Duration) -> Self {
        Self { wait, interval, open: BTreeMap::new(), sent: BTreeMap::new() }
    }

    /// Alarms in all groups.
    pub(crate) fn held(&self) -> usize {
        self.open.values().map(|group| group.numbers.len()).sum()
    }

    pub(crate) fn add(&mut self, alarm: WaitingAlarm, now: Duration) {
        let storm = self.open.contains_key(&Key::Channel) || self.earliest(Key::Channel) > now;
        let key = if storm { Key::Channel } else { Key::Job(alarm.job, alarm.kind) };
        match self.open.get_mut(&key) {
            Some(group) => group.add(alarm),
            None => {
                self.open.insert(key, Group::new(key, alarm, now));
            }
        }
        self.gather();
    }

    /// Takes a group whose message is due.
    pub(crate) fn due(&mut self, now: Duration) -> Option<Group> {
        let interval = self.interval;
        self.sent.retain(|_, at| *at + interval > now);
        let key = self
            .open
            .values()
            .map(|group| (self.due_at(group), group.key))
            .filter(|(at, _)| *at <= now)
            .min()?
            .1;
        self.open.remove(&key)
    }

    /// When the next message is due, if there is any.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.open.values().map(|group| self.due_at(group)).min()
    }

    /// Records that the message of the group was sent.
    pub(crate) fn sent(&mut self, key: Key, now: Duration) {
        self.sent.insert(key, now);
    }

    /// Puts back a group whose message was not sent.
    pub(crate) fn failed(&mut self, mut group: Group, now: Duration) {
        let doubled = RETRY_FIRST * 2_u32.saturating_pow(group.tries.min(10));
        group.not_before = now + doubled.min(RETRY_MOST);
        group.tries += 1;
        self.put_back(group);
    }

    /// Puts back a group that was not tried.
    pub(crate) fn put_back(&mut self, mut group: Group) {
        if let Some(newer) = self.open.remove(&group.key) {
            group.merge(newer);
        }
        self.open.insert(group.key, group);
        self.gather();
    }

    /// Merges all groups into one if there are too many.
    fn gather(&mut self) {
        if self.open.len() <= GROUPS {
            return;
        }
        let mut all = std::mem::take(&mut self.open).into_values();
        if let Some(mut whole) = all.next() {
            whole.key = Key::Channel;
            all.for_each(|group| whole.merge(group));
            self.open.insert(Key::Channel, whole);
        }
    }

    fn due_at(&self, group: &Group) -> Duration {
        (group.opened + self.wait).max(self.earliest(group.key)).max(group.not_before)
    }

    fn earliest(&self, key: Key) -> Duration {
        self.sent.get(&key).map_or(Duration::ZERO, |at| *at + self.interval)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn groups() -> Groups {
        Groups::new(S * 5, S * 60)
    }

    fn alarm(number: i64, job: i64) -> WaitingAlarm {
        WaitingAlarm {
            number,
            job: JobId(job),
            task: None,
            kind: AlarmKind::Failed,
            at: Timestamp::from_millisecond(number).unwrap(),
            job_name: format!("billing.job{job}"),
            reason: "error".to_owned(),
            message: "no".to_owned(),
            executor: None,
            attempts: 1,
        }
    }

    #[test]
    fn a_storm_of_one_job_is_one_message_with_ten_examples() {
        let mut groups = groups();
        (1..=10_000).for_each(|n| groups.add(alarm(n, 1), S));
        assert!(groups.due(S * 5).is_none(), "it has to wait for more alarms");
        let group = groups.due(S * 6).unwrap();
        assert_eq!((group.numbers.len(), group.examples.len()), (10_000, EXAMPLES));
        assert_eq!((group.first.number, group.last.number), (1, 10_000));
        assert!(groups.next().is_none());
    }

    #[test]
    fn a_storm_over_many_jobs_is_one_message_and_stays_one() {
        let mut groups = groups();
        (1..=10_000).for_each(|n| groups.add(alarm(n, n), S));
        let group = groups.due(S * 6).unwrap();
        assert_eq!((group.key, group.numbers.len()), (Key::Channel, 10_000));
        groups.sent(group.key, S * 6);
        groups.add(alarm(10_001, 1), S * 7);
        groups.add(alarm(10_002, 2), S * 8);
        assert_eq!(groups.next(), Some(S * 66));
        assert_eq!(groups.due(S * 66).unwrap().numbers, [10_001, 10_002]);
    }

    #[test]
    fn a_group_has_one_message_per_interval_and_does_not_delay_others() {
        let mut groups = groups();
        groups.add(alarm(1, 1), S);
        groups.due(S * 6).unwrap();
        groups.sent(Key::Job(JobId(1), AlarmKind::Failed), S * 6);
        groups.add(alarm(2, 1), S * 7);
        groups.add(alarm(3, 2), S * 7);
        assert_eq!(groups.due(S * 12).unwrap().numbers, [3]);
        assert!(groups.due(S * 65).is_none());
        assert_eq!(groups.due(S * 66).unwrap().numbers, [2]);
    }

    #[test]
    fn failed_attempts_wait_longer_each_time_and_lose_nothing() {
        let mut groups = groups();
        groups.add(alarm(1, 1), Duration::ZERO);
        let mut now = S * 5;
        for wait in [5, 10, 20, 40, 80, 160, 300, 300] {
            let group = groups.due(now).unwrap();
            groups.failed(group, now);
            assert_eq!(groups.next(), Some(now + S * wait));
            now += S * wait;
        }
        groups.add(alarm(2, 1), now);
        assert_eq!(groups.due(now).unwrap().numbers, [1, 2]);
    }

    proptest::proptest! {
        #[test]
        fn every_alarm_is_in_exactly_one_message(
            jobs in proptest::collection::vec((0_i64..40, 0_u64..3), 1..200),
        ) {
            let (mut groups, mut now, mut seen) = (groups(), Duration::ZERO, Vec::new());
            for (n, (job, step)) in (1..).zip(&jobs) {
                now += S * u32::try_from(*step).unwrap();
                groups.add(alarm(n, *job), now);
                while let Some(group) = groups.due(now) {
                    groups.sent(group.key, now);
                    seen.extend(group.numbers);
                }
            }
            while let Some(next) = groups.next() {
                let group = groups.due(next).unwrap();
                groups.sent(group.key, next);
                seen.extend(group.numbers);
            }
            seen.sort_unstable();
            let all: Vec<i64> = (1..).take(jobs.len()).collect();
            proptest::prop_assert_eq!(seen, all);
        }
    }
}
