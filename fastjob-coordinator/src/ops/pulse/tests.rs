use std::sync::atomic::AtomicU64;

use fastjob_client::types::Changed;
use jiff::Timestamp;

use super::*;

/// Tasks, and how often they were read.
#[derive(Clone, Default)]
struct Fake(Arc<FakeInner>);

#[derive(Default)]
struct FakeInner {
    queued: AtomicU64,
    ended: AtomicU64,
    saves: AtomicU64,
    /// The state of each task; what has ended has none.
    tasks: Mutex<HashMap<TaskId, (u64, bool)>>,
    counts_read: AtomicU64,
    shots_read: AtomicU64,
}

impl Source for Fake {
    async fn counts(&self, _: &mut read::Totals) -> Reading {
        self.0.counts_read.fetch_add(1, Ordering::Relaxed);
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let (queued, ended) = (get(&self.0.queued), get(&self.0.ended));
        let counts = Counts {
            at: Timestamp::UNIX_EPOCH,
            queued: Some(queued),
            running: Some(0),
            ended,
            failed: 0,
            executors: 1,
            alarms: 0,
        };
        let marks = Marks { jobs: get(&self.0.saves), tasks: queued + ended, ..Marks::default() };
        Reading { counts, marks }
    }

    async fn prints(&self, tasks: &[TaskId]) -> Result<HashMap<TaskId, Print>, Error> {
        let known = self.0.tasks.lock().unwrap();
        let print = |task: &TaskId| match known.get(task) {
            Some((state, false)) => (*task, Print::Open(*state)),
            Some((_, true)) | None => (*task, Print::NotOpen),
        };
        Ok(tasks.iter().map(print).collect())
    }

    async fn shots(&self, tasks: &[TaskId]) -> Result<Vec<Shot>, Error> {
        self.0.shots_read.fetch_add(tasks.len() as u64, Ordering::Relaxed);
        let known = self.0.tasks.lock().unwrap();
        let shot = |task: &TaskId| {
            let (state, has_ended) = *known.get(task)?;
            Some(Shot { task: *task, has_ended, json: format!("{task} {state}").into() })
        };
        Ok(tasks.iter().filter_map(shot).collect())
    }

    async fn services(&self) -> Result<OfServices, Error> {
        Ok([("billing".parse().unwrap(), (Some(7), None))].into())
    }
}

impl Fake {
    fn set(&self, task: i64, state: u64, has_ended: bool) {
        self.0.tasks.lock().unwrap().insert(TaskId(task), (state, has_ended));
    }

    fn watch(&self, pulse: &Pulse, tasks: &[i64]) -> Watcher {
        let tasks = tasks.iter().copied().map(TaskId).collect();
        pulse.watch(self.clone(), tasks, None).unwrap()
    }
}

fn queued(event: Option<PageEvent>) -> u64 {
    match event {
        Some(PageEvent::Counts(counts)) => counts.queued.unwrap(),
        other => panic!("not counts: {other:?}"),
    }
}

/// The events until nothing happens for a while.
async fn all(watcher: &mut Watcher) -> Vec<PageEvent> {
    let mut events = Vec::new();
    while let Ok(event) = tokio::time::timeout(Duration::from_secs(5), watcher.next()).await {
        events.push(event.unwrap());
    }
    events
}

#[tokio::test(start_paused = true)]
async fn a_page_gets_the_counts_first_and_nothing_while_nothing_happens() {
    let (fake, pulse) = (Fake::default(), Pulse::default());
    fake.0.queued.store(3, Ordering::Relaxed);
    let mut watcher = fake.watch(&pulse, &[]);
    assert_eq!(queued(watcher.next().await), 3);
    assert_eq!(all(&mut watcher).await, []);
    fake.0.queued.store(4, Ordering::Relaxed);
    assert_eq!(queued(watcher.next().await), 4);
    let tasks = Changed { tasks: true, ..Changed::default() };
    assert_eq!(all(&mut watcher).await, [PageEvent::Changed(tasks)]);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_tasks_in_a_second_are_a_few_events() {
    let (fake, pulse) = (Fake::default(), Pulse::default());
    let mut watcher = fake.watch(&pulse, &[]);
    assert_eq!(queued(watcher.next().await), 0);
    let busy = fake.clone();
    let work = tokio::spawn(async move {
        for _ in 0..1_000 {
            busy.0.ended.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let events = all(&mut watcher).await;
    work.await.unwrap();
    let last = events.iter().rev().find_map(|event| match event {
        PageEvent::Counts(counts) => Some(counts.ended),
        PageEvent::Changed(_) | PageEvent::Task(_) => None,
    });
    assert_eq!(last, Some(1_000));
    assert!((2..=8).contains(&events.len()), "{} events", events.len());
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_pages_share_one_reading_which_ends_with_the_last_of_them() {
    let (fake, pulse) = (Fake::default(), Pulse::default());
    let mut watchers: Vec<_> = (0..500).map(|_| fake.watch(&pulse, &[])).collect();
    for watcher in &mut watchers {
        queued(watcher.next().await);
    }
    let read = || fake.0.counts_read.load(Ordering::Relaxed);
    let before = read();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!((19..=21).contains(&(read() - before)), "{} readings in 10 s", read() - before);
    drop(watchers);
    tokio::time::sleep(BEAT).await;
    let before = read();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(read(), before);
    assert!(pulse.lock().feed.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_watched_task_is_sent_at_once_and_when_it_changes_until_it_has_ended() {
    let (fake, pulse) = (Fake::default(), Pulse::default());
    fake.set(7, 1, false);
    let mut watcher = fake.watch(&pulse, &[7, 8]);
    queued(watcher.next().await);
    let task = |text: &str| PageEvent::Task(text.into());
    assert_eq!(all(&mut watcher).await, [task("7 1")]);
    fake.set(7, 2, false);
    assert_eq!(watcher.next().await, Some(task("7 2")));
    fake.set(7, 3, true);
    assert_eq!(watcher.next().await, Some(task("7 3")));
    assert_eq!(all(&mut watcher).await, []);
    let read = fake.0.shots_read.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(fake.0.shots_read.load(Ordering::Relaxed), read, "it is not read any more");
    // Another page gets the last state of it.
    let mut other = fake.watch(&pulse, &[7]);
    queued(other.next().await);
    assert_eq!(other.next().await, Some(task("7 3")));
    drop((watcher, other));
    assert!(pulse.lock().watched.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_page_that_reads_slowly_gets_the_latest_and_not_everything_in_between() {
    let (fake, pulse) = (Fake::default(), Pulse::default());
    fake.set(7, 0, false);
    let mut slow = fake.watch(&pulse, &[7]);
    queued(slow.next().await);
    for n in 1..=60 {
        fake.0.queued.store(n, Ordering::Relaxed);
        fake.0.saves.store(n, Ordering::Relaxed);
        fake.set(7, n, false);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let events = all(&mut slow).await;
    assert_eq!(queued(events.first().cloned()), 60);
    let changed = Changed { jobs: true, tasks: true, ..Changed::default() };
    let rest = [PageEvent::Changed(changed), PageEvent::Task("7 60".into())];
    assert_eq!(events[1..], rest);
}

#[tokio::test(start_paused = true)]
async fn a_page_of_one_service_counts_its_tasks() {
    let (fake, pulse) = (Fake::default(), Pulse::default());
    let of = |service: &str| pulse.watch(fake.clone(), Vec::new(), service.parse().ok()).unwrap();
    let (mut billing, mut other) = (of("billing"), of("other"));
    let counts = |event: Option<PageEvent>| match event {
        Some(PageEvent::Counts(counts)) => (counts.queued, counts.running),
        other => panic!("not counts: {other:?}"),
    };
    assert_eq!(counts(billing.next().await), (Some(7), None));
    assert_eq!(counts(other.next().await), (Some(0), Some(0)));
}

#[tokio::test(start_paused = true)]
async fn all_pages_together_watch_a_bounded_number_of_tasks() {
    let (fake, pulse) = (Fake::default(), Pulse::default());
    let page = |from: usize| (from..from + TASKS_OF_PAGE).map(|id| TaskId(id as i64)).collect();
    let watchers: Vec<_> = (0..TASKS_OF_NODE / TASKS_OF_PAGE)
        .map(|n| pulse.watch(fake.clone(), page(n * TASKS_OF_PAGE), None).unwrap())
        .collect();
    assert!(pulse.watch(fake.clone(), page(TASKS_OF_NODE), None).is_err());
    assert!(pulse.watch(fake.clone(), page(0), None).is_ok(), "these are watched already");
    drop(watchers);
    assert!(pulse.watch(fake, page(TASKS_OF_NODE), None).is_ok());
}
