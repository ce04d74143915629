//! The sweep against a fake store, in paused time.

use std::sync::Mutex;

use super::*;

/// Rows that the store removes in a second.
const SPEED: f64 = 100_000.0;

/// The rows left to remove in each partition, and the calls that were made.
#[derive(Default)]
struct Fake {
    rows: Mutex<Vec<u64>>,
    /// Rows per second that become old in partition 0.
    growth: f64,
    began: Option<Instant>,
    removed: Mutex<u64>,
    longest: Mutex<Duration>,
    asked: Mutex<Vec<u32>>,
    deleted: Mutex<Vec<JobId>>,
    dated: Mutex<Vec<(ServiceName, JobName)>>,
    /// The `before` arguments of the removals of history and of deleted jobs.
    before: Mutex<Vec<Timestamp>>,
    jobs_before: Mutex<Vec<Timestamp>>,
    lives: Mutex<Vec<(Vec<Partition>, Vec<LifeId>)>>,
}

impl Fake {
    /// Rows of partition 0 that are old and not yet removed.
    fn behind(&self) -> u64 {
        let grown = self.began.map_or(0.0, |began| began.elapsed().as_secs_f64() * self.growth);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a test")]
        let grown = grown as u64;
        (self.rows.lock().unwrap()[0] + grown).saturating_sub(*self.removed.lock().unwrap())
    }
}

#[async_trait::async_trait]
impl RetentionStore for Fake {
    async fn remove_ended(
        &self,
        partition: Partition,
        before: Timestamp,
        rows: u32,
    ) -> Result<u64> {
        self.before.lock().unwrap().push(before);
        self.asked.lock().unwrap().push(partition.0);
        let there = match partition.0 {
            0 => self.behind(),
            other => self.rows.lock().unwrap()[other as usize],
        };
        let gone = there.min(u64::from(rows));
        let took = Duration::from_secs_f64(f64::from(u32::try_from(gone).unwrap()) / SPEED);
        tokio::time::sleep(took).await;
        let mut longest = self.longest.lock().unwrap();
        *longest = longest.max(took);
        match partition.0 {
            0 => *self.removed.lock().unwrap() += gone,
            other => self.rows.lock().unwrap()[other as usize] -= gone,
        }
        Ok(gone)
    }

    async fn date_deleted_jobs(
        &self,
        partition: Partition,
        declared: &[(ServiceName, JobName)],
        since: Timestamp,
        now: Timestamp,
    ) -> Result<u64> {
        assert!(since < now);
        assert_eq!(partition, Partition(2), "each partition has its own jobs");
        self.dated.lock().unwrap().extend_from_slice(declared);
        Ok(0)
    }

    async fn remove_deleted_jobs(
        &self,
        _: Partition,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<JobId>> {
        self.jobs_before.lock().unwrap().push(before);
        let mut deleted = self.deleted.lock().unwrap();
        let gone = deleted.len().min(limit as usize);
        Ok(deleted.drain(..gone).collect())
    }

    async fn remove_lives(
        &self,
        partitions: &[Partition],
        current: &[LifeId],
        _: Timestamp,
    ) -> Result<u64> {
        self.lives.lock().unwrap().push((partitions.to_vec(), current.to_vec()));
        Ok(0)
    }
}

/// A node that holds these partitions; the engine of the last one does not answer.
#[derive(Clone, Default)]
struct Holds {
    partitions: Vec<u32>,
    removed: Arc<Mutex<Vec<JobId>>>,
}

#[async_trait::async_trait]
impl Holder for Holds {
    fn held(&self) -> Vec<Partition> {
        self.partitions.iter().copied().map(Partition).collect()
    }

    fn declared(&self) -> HashMap<Partition, Vec<(ServiceName, JobName)>> {
        let job = ("s".parse().unwrap(), "j".parse().unwrap());
        [(Partition(2), vec![job])].into()
    }

    async fn current_lives(&self, partitions: &[Partition]) -> (Vec<Partition>, Vec<LifeId>) {
        let answered = partitions.iter().copied().filter(|partition| partition.0 != 2).collect();
        (answered, vec![LifeId(7)])
    }

    fn removed(&self, _: Partition, jobs: Vec<JobId>, _: Timestamp) {
        self.removed.lock().unwrap().extend(jobs);
    }
}

async fn sweep(fake: &Arc<Fake>, holds: &Holds, span: Duration) {
    let stop = CancellationToken::new();
    let history = Duration::from_secs(3600);
    let (clock, _machine) = Clock::manual();
    let running = run(Arc::clone(fake), holds.clone(), history, Arc::clone(&clock), stop.clone());
    let running = tokio::spawn(running);
    tokio::time::sleep(span).await;
    stop.cancel();
    running.await.unwrap();
    let kept = clock.now().wall - SignedDuration::from_hours(7 * 24);
    let jobs_before = fake.jobs_before.lock().unwrap();
    assert!(jobs_before.iter().all(|before| *before <= kept), "deleted jobs are kept for a week");
}

fn holds(partitions: &[u32]) -> Holds {
    Holds { partitions: partitions.to_vec(), ..Holds::default() }
}

#[tokio::test(start_paused = true)]
async fn removal_keeps_up_with_history_that_grows_fast() {
    // 500 rows per 200 ms would be 2,500 per second.
    let began = Some(Instant::now());
    let fake = Fake { rows: vec![1_000_000].into(), growth: 30_000.0, began, ..Fake::default() };
    let fake = Arc::new(fake);
    sweep(&fake, &holds(&[0]), Duration::from_secs(120)).await;
    assert!(fake.behind() < 500_000, "{} rows are left", fake.behind());
    assert!(*fake.removed.lock().unwrap() > 4_000_000);
    let longest = *fake.longest.lock().unwrap();
    assert!(longest <= Duration::from_millis(100), "a piece took {longest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_removes_the_history_of_the_partitions_that_it_holds() {
    let fake = Arc::new(Fake { rows: vec![10; 4].into(), ..Fake::default() });
    sweep(&fake, &holds(&[1, 3]), Duration::from_secs(60)).await;
    assert_eq!(*fake.rows.lock().unwrap(), [10, 0, 10, 0]);
    assert!(fake.asked.lock().unwrap().iter().all(|partition| [1, 3].contains(partition)));
}

#[tokio::test(start_paused = true)]
async fn one_partition_with_much_history_does_not_keep_others_waiting() {
    let fake = Arc::new(Fake { rows: vec![10_000_000, 10].into(), ..Fake::default() });
    sweep(&fake, &holds(&[0, 1]), Duration::from_secs(1)).await;
    assert_eq!(fake.rows.lock().unwrap()[1], 0);
    assert!(fake.behind() > 0);
}

#[tokio::test(start_paused = true)]
async fn engines_drop_the_deleted_jobs_that_are_removed() {
    let deleted: Vec<_> = (0..1_200).map(JobId).collect();
    let fake = Fake { rows: vec![0; 3].into(), deleted: deleted.clone().into(), ..Fake::default() };
    let (fake, holds) = (Arc::new(fake), holds(&[0, 2]));
    sweep(&fake, &holds, Duration::from_secs(60)).await;
    assert_eq!(*holds.removed.lock().unwrap(), deleted);
    assert!(!fake.dated.lock().unwrap().is_empty(), "declared jobs are dated first");
}

#[tokio::test(start_paused = true)]
async fn lives_of_a_partition_whose_engine_does_not_answer_are_kept() {
    let fake = Arc::new(Fake { rows: vec![0; 3].into(), ..Fake::default() });
    sweep(&fake, &holds(&[0, 2]), Duration::from_secs(60)).await;
    assert_eq!(*fake.lives.lock().unwrap(), [(vec![Partition(0)], vec![LifeId(7)])]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_removed_by_a_clock_that_jumped() {
    let (rows, deleted) = (vec![1_000, 0, 0].into(), vec![JobId(1)].into());
    let fake = Arc::new(Fake { rows, deleted, ..Fake::default() });
    let holds = holds(&[0, 2]);
    let (clock, machine) = Clock::manual();
    let start = clock.now().wall;
    let (year, day) = (365 * 24 * 3_600_000, Duration::from_secs(24 * 3_600));
    machine.step(year);
    assert_eq!(clock.now().wall.duration_since(start).as_hours(), 0);
    let stop = CancellationToken::new();
    let running = run(Arc::clone(&fake), holds.clone(), day, Arc::clone(&clock), stop.clone());
    let running = tokio::spawn(running);
    tokio::time::sleep(3 * REST).await;
    assert_eq!(*fake.before.lock().unwrap(), []);
    assert!(fake.dated.lock().unwrap().is_empty() && fake.lives.lock().unwrap().is_empty());
    machine.step(-year);
    tokio::time::sleep(REST).await;
    stop.cancel();
    running.await.unwrap();
    assert_eq!(fake.behind(), 0);
    assert_eq!(*holds.removed.lock().unwrap(), [JobId(1)], "at once, not after the next hour");
    assert!(!fake.dated.lock().unwrap().is_empty());
    let latest = fake.before.lock().unwrap().iter().max().copied().unwrap();
    assert!(latest < start, "by the correct clock");
}
