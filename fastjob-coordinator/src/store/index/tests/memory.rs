//! An index in memory, beside the history that it is of.

use super::*;

/// Segments and a history in memory.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) segments: Vec<NewSegment>,
    pub(super) history: BTreeMap<i64, Found>,
    pub(super) ends: BTreeMap<i64, Timestamp>,
}

#[async_trait::async_trait]
impl IndexReader for Memory {
    async fn segments(&mut self, _of: Option<JobId>) -> Result<Vec<Segment>> {
        Ok(self.segments.iter().map(|new| new.segment).collect())
    }

    async fn segments_before(
        &mut self,
        partition: Partition,
        before: Timestamp,
    ) -> Result<Vec<Segment>> {
        let all = self.segments.iter().map(|new| new.segment);
        let is_before = |segment: &Segment| {
            segment.partition == partition && segment.end_at < before.as_millisecond()
        };
        Ok(all.filter(is_before).collect())
    }

    async fn blocks(&mut self, of: &[(Segment, Entry)]) -> Result<Vec<(usize, Block)>> {
        let find = |(place, (segment, at)): (usize, &(Segment, Entry))| {
            let blocks = &self.of(segment).blocks;
            Some((place, blocks.iter().rfind(|block| block.first <= *at)?.clone()))
        };
        Ok(of.iter().enumerate().filter_map(find).collect())
    }

    async fn blocks_after(
        &mut self,
        of: &[(Segment, Entry)],
        last: Entry,
        limit: u32,
    ) -> Result<Vec<(usize, Block)>> {
        let mut found = Vec::new();
        for (place, (segment, first)) in of.iter().enumerate() {
            let blocks = self.of(segment).blocks.iter();
            let blocks = blocks.filter(|block| *first < block.first && block.first <= last);
            found.extend(blocks.take(limit as usize).map(|block| (place, block.clone())));
        }
        Ok(found)
    }

    async fn ends(&mut self, tasks: &[i64]) -> Result<Vec<(JobId, JobEnd)>> {
        let found = tasks.iter().filter_map(|task| self.history.get(task));
        let end = |found: &Found| {
            let Found { task, job, state, .. } = *found;
            (job, JobEnd { task, state, started_at: None, ended_at: self.ends[&task.0] })
        };
        Ok(found.map(end).collect())
    }

    async fn firsts(&mut self, of: &[Segment]) -> Result<Vec<(usize, i64)>> {
        let firsts = of.iter().enumerate().flat_map(|(place, segment)| {
            let blocks = self.of(segment).blocks.iter();
            let by_end = blocks.filter(|block| block.first.key.kind == END);
            by_end.map(move |block| (place, block.first.task))
        });
        Ok(firsts.collect())
    }

    async fn created(&mut self, tasks: &[i64]) -> Result<Vec<(i64, i64)>> {
        let found = tasks.iter().filter_map(|task| self.history.get(task));
        Ok(found.map(|found| (found.task.0, found.created_at.as_millisecond())).collect())
    }

    async fn found(&mut self, tasks: &[i64], _: &TaskFilter) -> Result<Vec<Found>> {
        Ok(tasks.iter().filter_map(|task| self.history.get(task)).copied().collect())
    }

    async fn history(
        &mut self,
        range: Range,
        filter: &TaskFilter,
        limit: usize,
    ) -> Result<Vec<Found>> {
        let found = self.history.range(range.first..=range.last).map(|(_, found)| *found);
        let mut found: Vec<_> =
            found.filter(|found| filter.has_created(found.created_at)).collect();
        found.sort_unstable_by(|a, b| filter.order.compare(a.task, b.task));
        found.truncate(limit);
        Ok(found)
    }

    async fn jobs_of(&mut self, _: &[JobId], _: &ServiceName) -> Result<HashSet<JobId>> {
        Ok(HashSet::new())
    }

    async fn lives_of(&mut self, _: &ExecutorName) -> Result<HashSet<LifeId>> {
        Ok(HashSet::new())
    }

    async fn attempted(
        &mut self,
        _: &[TaskId],
        _: &TaskFilter,
    ) -> Result<Vec<(TaskId, bool, bool)>> {
        Ok(Vec::new())
    }
}

impl Memory {
    pub(super) fn of(&self, segment: &Segment) -> &NewSegment {
        let is_it = |new: &&NewSegment| {
            (new.segment.level, new.segment.number) == (segment.level, segment.number)
        };
        self.segments.iter().find(is_it).unwrap()
    }

    /// Writes a transaction that ends these tasks.
    pub(super) fn end(&mut self, ended: &[Ended]) {
        let number = self.segments.iter().map(|new| new.segment.number).max().unwrap_or(0) + 1;
        self.segments.extend(NewSegment::new(Partition(0), number, ended));
        for end in ended {
            let Ended { task, job, state, created_at, ended_at, service, .. } = *end;
            let found = Found {
                task,
                job,
                state,
                cause: Cause::Api,
                created_at,
                run_time: Some(ended_at.as_millisecond() - created_at.as_millisecond()),
                has_service: service == Some(name::<ServiceName>("b").key()),
                has_executor: true,
                has_attempt: true,
            };
            self.history.insert(task.0, found);
            self.ends.insert(task.0, ended_at);
        }
    }

    /// Merges once; returns whether there was something to merge.
    pub(super) fn merge(&mut self) -> bool {
        self.merge_to(None)
    }

    /// Merges once, to this level if one is given.
    pub(super) fn merge_to(&mut self, level: Option<i16>) -> bool {
        let segments: Vec<_> = self.segments.iter().map(|new| new.segment).collect();
        let below: Vec<_> = segments.into_iter().filter(|s| s.level < MERGED).collect();
        let Some(mut chosen) = choose(&below) else { return false };
        chosen.level = level.unwrap_or(chosen.level);
        let blocks = chosen
            .sources
            .iter()
            .map(|source| self.of(source).blocks.iter().map(|block| block.bytes.clone()).collect());
        let merged = merge(&chosen, blocks.collect()).unwrap();
        self.segments.retain(|new| !chosen.sources.contains(&new.segment));
        self.segments.push(merged);
        true
    }

    /// The ids of a list, found in the whole history.
    pub(super) fn naive(&self, filter: &TaskFilter) -> Vec<TaskId> {
        let matches = |found: &&Found| {
            filter.job.is_none_or(|job| found.job == job)
                && (filter.service.is_none() || found.has_service)
                && (filter.states.is_empty() || filter.states.contains(&found.state))
                && filter.since.is_none_or(|since| found.created_at >= since)
                && filter.until.is_none_or(|until| found.created_at < until)
        };
        let mut all: Vec<_> = self.history.values().filter(matches).collect();
        match filter.order {
            Order::Newest => all.reverse(),
            Order::Oldest => {}
            Order::RunTime => all.sort_by_key(|found| Reverse((found.run_time, found.task))),
        }
        all.into_iter().map(|found| found.task).collect()
    }

    /// All pages of a list.
    pub(super) async fn pages(&mut self, filter: &TaskFilter) -> Vec<TaskId> {
        let (mut all, mut filter) = (Vec::new(), filter.clone());
        loop {
            let page = list(self, &filter, Candidates::default()).await.unwrap();
            all.extend(page.ids());
            filter.after = match (page.stopped, page.places.last()) {
                (Some(stopped), _) => {
                    assert!(page.places.len() < filter.limit as usize, "a full page has no mark");
                    Some(stopped.task.into())
                }
                (None, Some(last)) if page.places.len() == filter.limit as usize => Some(*last),
                (None, _) => return all,
            };
        }
    }

    /// Removes what a removal of old tasks removes.
    pub(super) fn apply(&mut self, removals: &[Removal]) {
        for removal in removals {
            let same = |new: &NewSegment, of: &Segment| {
                (new.segment.level, new.segment.number) == (of.level, of.number)
            };
            match removal {
                Removal::Whole(segment) => self.segments.retain(|new| !same(new, segment)),
                Removal::Upto(segment, end, task) => {
                    let new = self.segments.iter_mut().find(|new| same(new, segment)).unwrap();
                    (new.segment.end_at, new.segment.end_task) = (*end, *task);
                }
            }
        }
    }
}
