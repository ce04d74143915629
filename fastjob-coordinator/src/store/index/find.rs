//! Finds tasks of the history, in the order of a list.
//!
//! A list reads the tasks under the keys of its [`Plan`], or all tasks, in the order of their ids, and
//! keeps those that match. So it ends when its page is full. One that has looked at many tasks ends
//! its page earlier, and says where.

use std::{
    cmp::{Ordering, Reverse},
    collections::{HashMap, HashSet},
};

use fastjob_core::{Cause, ExecutorName, JobId, ServiceName, TaskId, TaskState};
use jiff::Timestamp;

use super::{
    Block, Entry, Key, Segment,
    block::entries,
    plan::{Created, Plan, Range},
    sample::sample,
};
use crate::store::{
    JobEnd, LifeId, Partition, Result, TaskFilter,
    filter::{Listed, OpenFound, Order, Place, Stopped},
    journal::{Candidate, Candidates},
};

/// Segments that are searched at once at first; later four times as many.
const PAGE: usize = 16;
const LARGEST_PAGE: usize = 256;
/// Tasks that are looked at for a list at first; later twice as many.
const TASKS: usize = 200;
const MOST_TASKS: usize = 12_800;
/// How many entries of removed tasks a search passes, for each task that it may look at. They stay in a
/// segment of 100,000 tasks until it is removed.
const REMOVED: usize = 10;

/// A task of the history, as far as filters ask.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Found {
    pub(in crate::store) task: TaskId,
    pub(in crate::store) job: JobId,
    pub(in crate::store) state: TaskState,
    pub(in crate::store) cause: Cause,
    pub(in crate::store) created_at: Timestamp,
    /// Milliseconds from start to end, if it has run and the filter asks.
    pub(in crate::store) run_time: Option<i64>,
    /// Whether it is of the service, if the filter asks.
    pub(in crate::store) has_service: bool,
    /// Whether an attempt was on the executor, if the filter asks.
    pub(in crate::store) has_executor: bool,
    /// Whether an attempt has the text, a reason and the lateness, as far as the filter asks.
    pub(in crate::store) has_attempt: bool,
}

impl Found {
    fn matches(&self, filter: &TaskFilter) -> bool {
        let is_long = || {
            let least = filter.min_run_time.unwrap_or_default().as_millis();
            self.run_time.is_some_and(|run_time| run_time.max(0).unsigned_abs() as u128 >= least)
        };
        filter.has_job(self.job)
            && filter.has_state(self.state)
            && filter.has_cause(self.cause)
            && filter.has_created(self.created_at)
            && (filter.service.is_none() || self.has_service)
            && (filter.executor.is_none() || self.has_executor)
            && (!filter.asks_of_attempts() || self.has_attempt)
            && (!filter.needs_run_time() || is_long())
    }

    fn place(&self) -> Place {
        Place { run_time: self.run_time.unwrap_or_default(), task: self.task }
    }
}

/// Reads the index and the history as of one instant.
#[async_trait::async_trait]
pub(in crate::store) trait IndexReader: Send {
    /// The segments with the tasks of a job, or all.
    async fn segments(&mut self, of: Option<JobId>) -> Result<Vec<Segment>>;
    /// The segments of a partition that have tasks to remove which ended before the instant.
    async fn segments_before(
        &mut self,
        partition: Partition,
        before: Timestamp,
    ) -> Result<Vec<Segment>>;
    /// Of each segment the last block that begins at or before the entry, with the place of the
    /// segment in the slice. Segments without such a block are left out.
    async fn blocks(&mut self, of: &[(Segment, Entry)]) -> Result<Vec<(usize, Block)>>;
    /// Of each segment the next blocks after the one that begins with its entry, in their order, with
    /// the place of the segment in the slice: those that begin at or before `last`, at most `limit`
    /// of a segment.
    async fn blocks_after(
        &mut self,
        of: &[(Segment, Entry)],
        last: Entry,
        limit: u32,
    ) -> Result<Vec<(usize, Block)>>;
    /// How the tasks ended that are in the history, with their jobs, in any order.
    async fn ends(&mut self, tasks: &[i64]) -> Result<Vec<(JobId, JobEnd)>>;
    /// The first tasks of the blocks by end of each segment, in any order, with the place of the
    /// segment in the slice.
    async fn firsts(&mut self, of: &[Segment]) -> Result<Vec<(usize, i64)>>;
    /// When the tasks were created, in any order, of those that are in the history.
    async fn created(&mut self, tasks: &[i64]) -> Result<Vec<(i64, i64)>>;
    /// Those of the tasks that are in the history, in any order, with what the filter asks of them.
    async fn found(&mut self, tasks: &[i64], filter: &TaskFilter) -> Result<Vec<Found>>;
    /// The first tasks of the history in the order of the filter, at most `limit`, with ids in the
    /// range and created when the filter says.
    async fn history(
        &mut self,
        range: Range,
        filter: &TaskFilter,
        limit: usize,
    ) -> Result<Vec<Found>>;
    /// Those of the jobs that are of the service.
    async fn jobs_of(&mut self, jobs: &[JobId], service: &ServiceName) -> Result<HashSet<JobId>>;
    /// The lives of an executor.
    async fn lives_of(&mut self, executor: &ExecutorName) -> Result<HashSet<LifeId>>;
    /// Those of the tasks that have attempts with rows of their own, with whether one of them was on
    /// the executor and whether one has the text and a reason, as far as the filter asks.
    async fn attempted(
        &mut self,
        tasks: &[TaskId],
        filter: &TaskFilter,
    ) -> Result<Vec<(TaskId, bool, bool)>>;
}

/// The tasks that match the filter, in its order, at most its limit. `open` are the open ones that
/// may match; they were read first, so that a task which ends meanwhile is found.
pub(in crate::store) async fn list(
    reader: &mut impl IndexReader,
    filter: &TaskFilter,
    open: Candidates,
) -> Result<Listed> {
    if filter.limit == 0 {
        return Ok(Listed::default());
    }
    let open =
        OpenFound { tasks: matching(reader, open.tasks, filter).await?, stopped: open.stopped };
    let mut listed = Listed::default();
    if filter.has_ended() {
        let plan = Plan::of(filter);
        let segments = match plan.needs_segments(filter) {
            true => reader.segments(filter.job).await?,
            false => Vec::new(),
        };
        listed = search(reader, segments, plan, filter).await?;
    }
    Ok(match filter.order {
        Order::RunTime => listed,
        Order::Newest | Order::Oldest => listed.with_open(open, filter),
    })
}

/// Those of the open tasks that match, by what the journal does not say.
async fn matching(
    reader: &mut impl IndexReader,
    mut open: Vec<Candidate>,
    filter: &TaskFilter,
) -> Result<Vec<TaskId>> {
    if let Some(service) = &filter.service {
        let jobs: HashSet<_> = open.iter().map(|task| task.job).collect();
        let jobs: Vec<_> = jobs.into_iter().collect();
        let of_service = reader.jobs_of(&jobs, service).await?;
        open.retain(|task| of_service.contains(&task.job));
    }
    // Of late tasks, the attempts that are open decide, which only the engines know.
    let asks = filter.asks_of_attempts() && filter.late.is_none();
    if (filter.executor.is_some() || asks) && !open.is_empty() {
        let lives = match &filter.executor {
            Some(executor) => reader.lives_of(executor).await?,
            None => HashSet::new(),
        };
        let rows: Vec<_> = open.iter().filter(|task| task.has_rows).map(|task| task.task).collect();
        let mut ended: HashMap<TaskId, (bool, bool)> = HashMap::new();
        for (task, on_executor, has_attempt) in reader.attempted(&rows, filter).await? {
            ended.insert(task, (on_executor, has_attempt));
        }
        open.retain(|task| {
            let (was_there, has_attempt) = ended.get(&task.task).copied().unwrap_or_default();
            let is_there = || task.lives.iter().any(|life| lives.contains(life));
            (filter.executor.is_none() || was_there || is_there()) && (!asks || has_attempt)
        });
    }
    Ok(open.into_iter().map(|task| task.task).collect())
}

/// The tasks of the history that match, among those of some segments.
pub(super) async fn search(
    reader: &mut impl IndexReader,
    mut segments: Vec<Segment>,
    plan: Plan,
    filter: &TaskFilter,
) -> Result<Listed> {
    let is_by_run_time = filter.order == Order::RunTime;
    let limit = if is_by_run_time { usize::MAX } else { filter.limit as usize };
    let mut created: Vec<_> = segments.iter().flat_map(Created::ends).collect();
    created.extend(sample(reader, &segments, &plan, filter).await?);
    let mut range = Range::of(&created, filter);
    segments.retain(|segment| {
        let may_have = |at: Timestamp| segment.first_created < at.as_millisecond();
        plan.uses(segment)
            && filter.since.is_none_or(|at| segment.last_created >= at.as_millisecond())
            && filter.until.is_none_or(may_have)
    });
    match filter.order {
        Order::Newest | Order::RunTime => segments.sort_unstable_by_key(|s| Reverse(s.last_task)),
        Order::Oldest => segments.sort_unstable_by_key(|s| s.first_task),
    }
    let (mut places, mut looked_at, mut removed) = (Vec::new(), 0, 0);
    // One more than are allowed shows that there are more.
    let most = filter.most() + usize::from(is_by_run_time);
    let needs_no_more = limit == 1 || plan.leaves_only_matches(filter);
    let mut wanted = if needs_no_more { limit } else { limit.clamp(TASKS, MOST_TASKS) };
    while !range.is_empty() {
        let wants = wanted.min(most - looked_at);
        let (last, count, mut found) = match &plan {
            Plan::Keys(keys) => {
                let ids = next(reader, &segments, keys, (range, filter.order), wants).await?;
                (ids.last().copied(), ids.len(), reader.found(&ids, filter).await?)
            }
            Plan::History => {
                let found = reader.history(range, filter, wants).await?;
                (found.last().map(|found| found.task.0), found.len(), found)
            }
        };
        let Some(last) = last else { break };
        range = range.after(last, filter.order);
        looked_at += found.len();
        removed += count.saturating_sub(found.len());
        found.sort_unstable_by(|a, b| filter.order.compare(a.task, b.task));
        places.extend(found.iter().filter(|found| found.matches(filter)).map(Found::place));
        if places.len() >= limit || count < wants {
            break;
        }
        if looked_at >= most || removed >= REMOVED * most {
            let found = found.last().map(|found| found.created_at);
            let created_at = found.or_else(|| created_about(&segments, last, filter.order));
            let stopped = Some(Stopped { task: TaskId(last), created_at });
            return Ok(Listed { places, stopped });
        }
        // As many as fill the page if the next ones match as often, and a quarter more.
        let missing = limit.saturating_sub(places.len());
        let expected = missing.saturating_mul(looked_at).checked_div(places.len());
        let expected = expected.map_or(usize::MAX, |count| count.saturating_add(count / 4));
        wanted = expected.clamp(TASKS, MOST_TASKS);
    }
    if is_by_run_time {
        places.sort_unstable_by_key(|place| Reverse(*place));
        places.retain(|place| filter.after.is_none_or(|after| *place < after));
    }
    places.truncate(filter.limit as usize);
    Ok(Listed { places, stopped: None })
}

/// When a task that was removed was created, as far as its segment says: not before what a list in
/// this order has searched.
fn created_about(segments: &[Segment], task: i64, order: Order) -> Option<Timestamp> {
    let of_task = segments.iter().filter(|it| it.first_task <= task && task <= it.last_task);
    let millis = match order {
        Order::Newest | Order::RunTime => of_task.map(|it| it.last_created).max(),
        Order::Oldest => of_task.map(|it| it.first_created).min(),
    };
    Timestamp::from_millisecond(millis?).ok()
}

/// The first tasks in the order under the keys with ids in the range, at most `wanted`: fewer only if
/// there are no more. The segments are in the order, by their first or newest task.
async fn next(
    reader: &mut impl IndexReader,
    segments: &[Segment],
    keys: &[Key],
    (range, order): (Range, Order),
    wanted: usize,
) -> Result<Vec<i64>> {
    let mut found: Vec<i64> = Vec::new();
    let (mut rest, mut page) = (segments, PAGE);
    while let Some(next) = rest.first() {
        let is_enough = keep(&mut found, wanted, order);
        let begin = if order == Order::Oldest { next.first_task } else { next.last_task };
        let follows = |last: i64| compare(order, last, begin).is_lt();
        if is_enough.is_some_and(follows) {
            break;
        }
        let (these, later) = rest.split_at(page.min(rest.len()));
        (rest, page) = (later, (4 * page).min(LARGEST_PAGE));
        let in_range = |segment: &&Segment| {
            segment.first_task <= range.last && segment.last_task >= range.first
        };
        for key in keys {
            let these = these.iter().filter(in_range).filter(|segment| segment.may_have(*key));
            let these: Vec<_> = these.copied().collect();
            match order {
                Order::Oldest => upwards(reader, these, *key, range, (wanted, &mut found)).await?,
                Order::Newest | Order::RunTime => {
                    downwards(reader, these, *key, range, (wanted, &mut found)).await?;
                }
            }
        }
    }
    keep(&mut found, wanted, order);
    Ok(found)
}

fn compare(order: Order, a: i64, b: i64) -> Ordering {
    order.compare(TaskId(a), TaskId(b))
}

/// Adds the newest tasks of the segments, and keeps the newest of all that were found, `wanted` if
/// there are as many.
async fn downwards(
    reader: &mut impl IndexReader,
    segments: Vec<Segment>,
    key: Key,
    range: Range,
    (wanted, found): (usize, &mut Vec<i64>),
) -> Result<()> {
    let upto = Entry { key, task: range.last };
    let mut open: Vec<_> = segments.into_iter().map(|segment| (segment, upto)).collect();
    while !open.is_empty() {
        let mut before = Vec::new();
        for (place, block) in reader.blocks(&open).await? {
            let Some((segment, _)) = open.get(place) else { continue };
            take(&block, key, range, found)?;
            if block.first.key == key && block.first.task > range.first {
                before.push((*segment, block.first.task));
            }
        }
        let oldest = keep(found, wanted, Order::Newest);
        // What is before such a block is older than all that are kept, too.
        before.retain(|(_, first)| oldest.is_none_or(|oldest| *first > oldest));
        let upto = |first: i64| Entry { key, task: first.saturating_sub(1) };
        open = before.into_iter().map(|(segment, first)| (segment, upto(first))).collect();
    }
    Ok(())
}

/// Adds the oldest tasks of the segments, and keeps the oldest of all that were found, `wanted` if
/// there are as many.
async fn upwards(
    reader: &mut impl IndexReader,
    segments: Vec<Segment>,
    key: Key,
    range: Range,
    (wanted, found): (usize, &mut Vec<i64>),
) -> Result<()> {
    let from = Entry { key, task: range.first };
    let end = Entry { key, task: range.last };
    let mut at: Vec<_> = segments.into_iter().map(|segment| (segment, from)).collect();
    let mut blocks = reader.blocks(&at).await?;
    // Where a segment is searched next. The first block of one without a block begins later.
    let before = Entry { key, task: range.first.saturating_sub(1) };
    let mut next: HashMap<usize, Entry> = (0..at.len()).map(|place| (place, before)).collect();
    loop {
        // The last entry of the last block of a segment: what follows is newer.
        let mut lasts = HashMap::new();
        for (place, block) in blocks {
            let last = take(&block, key, range, found)?;
            next.insert(place, block.first);
            lasts.insert(place, last);
        }
        let newest = keep(found, wanted, Order::Oldest).map(|task| Entry { key, task });
        next.retain(|place, _| {
            let last = lasts.get(place).copied().flatten();
            last.is_none_or(|last| last < end && newest.is_none_or(|newest| last < newest))
        });
        let open = at.iter().enumerate();
        let open = open.filter_map(|(place, (segment, _))| Some((*segment, *next.get(&place)?)));
        at = open.collect();
        if at.is_empty() {
            return Ok(());
        }
        blocks = reader.blocks_after(&at, end, 1).await?;
        // Those without another block are complete.
        next.clear();
    }
}

/// Adds the tasks of a block under the key with ids in the range. Returns the last entry of the block.
fn take(block: &Block, key: Key, range: Range, found: &mut Vec<i64>) -> Result<Option<Entry>> {
    let entries = entries(&block.bytes)?;
    let start = entries.partition_point(|entry| entry.key < key);
    let of_key = entries.iter().skip(start).take_while(|entry| entry.key == key);
    found.extend(of_key.map(|entry| entry.task).filter(|task| range.has(*task)));
    Ok(entries.last().copied())
}

/// Keeps the first tasks in the order, each once. Returns the last one that is kept if there are
/// `wanted`.
fn keep(found: &mut Vec<i64>, wanted: usize, order: Order) -> Option<i64> {
    found.sort_unstable_by(|a, b| compare(order, *a, *b));
    found.dedup();
    found.truncate(wanted);
    wanted.checked_sub(1).and_then(|last| found.get(last)).copied()
}
