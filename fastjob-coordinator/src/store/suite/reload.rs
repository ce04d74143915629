//! A coordinator that starts finds what the previous one committed.

use std::sync::Arc;

use fastjob_core::{AttemptState, Cause, Shard, TaskId, TaskState};
use fastjob_engine::record::NOT_SPREAD;

use super::{
    Home,
    rows::*,
    view::{load, view},
    write,
};
use crate::store::{
    AlarmKind, Attempt, ChildStart, Commit, EndedShard, LifeId, Lineage, Loaded, NewAttempt,
    OpenAttempt, Partition, RerunOf, TaskTrace,
};

pub(crate) async fn a_new_store_is_empty(home: &mut impl Home) {
    let facts = home.store().facts().await.unwrap();
    assert_eq!(facts.cluster.len(), 36, "it has a unique name: {}", facts.cluster);
    let empty = Loaded { next_life: 1, ..Loaded::default() };
    assert_eq!(load(&*home.store()).await, empty);
    home.reopen().await;
    assert_eq!(load(&*home.store()).await, empty);
    assert_eq!(home.store().facts().await.unwrap(), facts, "and keeps the name");
}

pub(crate) async fn committed_data_is_loaded(home: &mut impl Home) {
    let mut deleted = saved(&job(OTHER, "b"), "gone");
    deleted.deleted_at = Some(at(77));
    let commit = Commit {
        jobs: vec![deleted.clone()],
        planned: vec![NewAttempt { life: Some(LifeId(2)), ..head(10) }, head(11)],
        alarms: vec![alarm(1, Some(11), AlarmKind::Failed)],
        watermark: Some(at(5)),
        clock: Some(at(6)),
        ..Commit::default()
    };
    write(home, [base(), commit, end([failed(11, 11)])]).await;
    let before = view(home).await;
    home.reopen().await;
    let after = view(home).await;
    assert_eq!(after, before);
    let loaded = after.loaded;
    assert_eq!((loaded.ids_until, loaded.next_life), (1_000, 3));
    assert_eq!((loaded.watermark, loaded.clock), (Some(at(5)), Some(at(6))));
    assert_eq!(loaded.jobs, [job(JOB, "a"), deleted].into_iter().collect());
    assert_eq!(loaded.lives, [life(2, "e2")]);
    assert_eq!(loaded.failing, [JOB]);
    write(home, [end([succeeded(10, 10)])]).await;
    assert_eq!(view(home).await.loaded.open, [], "it accepts writes as before");
}

pub(crate) async fn open_attempts_are_loaded_with_their_data(home: &mut impl Home) {
    let tried = NewAttempt {
        row: Attempt { cause: Cause::Api, fire_at: None, ..head(10).row },
        param: Some("own".into()),
        life: Some(LifeId(1)),
        wanted: Some(name("e2")),
        key: Some("k".into()),
        parent: Some(TaskId(3)),
        note: Some("by hand".to_owned()),
        ..head(10)
    };
    let waiting = NewAttempt { row: Attempt { shard: NOT_SPREAD, ..head(12).row }, ..head(12) };
    let second = NewAttempt {
        row: Attempt { due_at: at(600), ..retry(10, 13, 2).row },
        life: Some(LifeId(1)),
        ..retry(10, 13, 2)
    };
    let again = Commit {
        planned: vec![second.clone()],
        checkpoints: vec![checkpoint(10, 0, "half")],
        ..end([failed_once(10, 10)])
    };
    let stop = Commit { moved: vec![moved(12, TaskState::Stopping)], ..Commit::default() };
    write(home, [base(), plan([tried.clone(), waiting.clone()]), again, stop]).await;
    home.reopen().await;
    let open = view(home).await.loaded.open;
    // Columns of heads that a coordinator does not need are not loaded.
    assert_eq!(
        open,
        [
            OpenAttempt {
                planned: NewAttempt { task_state: TaskState::Stopping, ..waiting },
                task_state: TaskState::Stopping,
                task_param: None,
                checkpoint: None,
                failed_on: None,
            },
            OpenAttempt {
                planned: NewAttempt {
                    task_state: TaskState::Running,
                    wanted: tried.wanted.clone(),
                    ..second
                },
                task_state: TaskState::Running,
                task_param: Some("own".into()),
                checkpoint: Some("half".into()),
                failed_on: Some(name("e1")),
            },
        ]
    );
}

pub(crate) async fn a_child_is_loaded_with_its_lineage(home: &mut impl Home) {
    let lineage = Some(Lineage { depth: 99, budget: 2_000_000_000 });
    let child = NewAttempt { parent: Some(TaskId(3)), lineage, ..head(10) };
    let one = Some(Lineage { depth: 1, budget: 0 });
    let first = NewAttempt { lineage: one, ..shard(12, 12, 0, 2) };
    let (second, again) = (shard(12, 13, 1, 2), retry(10, 20, 2));
    let to_start = child_start(5, lineage);
    let child_starts = vec![to_start, child_start(6, None)];
    write(home, [base(), plan([child, head(11), first, second])]).await;
    let ends = Commit { planned: vec![again], ..end([failed_once(10, 10)]) };
    write(home, [ends, Commit { child_starts: child_starts.clone(), ..Commit::default() }]).await;
    home.reopen().await;
    let loaded = view(home).await.loaded;
    let lineages =
        loaded.open.iter().map(|open| (open.planned.row.attempt.0, open.planned.lineage));
    assert_eq!(
        lineages.collect::<Vec<_>>(),
        [(11, None), (12, one), (13, one), (20, lineage)],
        "retries and shards have that of their task"
    );
    assert_eq!(loaded.child_starts, child_starts);
}

pub(crate) async fn a_rerun_is_loaded_with_its_shards_and_shows_its_task(home: &mut impl Home) {
    let rerun = |shards: &[u32]| Some(Arc::new(RerunOf { task: TaskId(3), shards: shards.into() }));
    let some = rerun(&[1, 300]);
    let whole = NewAttempt { rerun: rerun(&[]), ..head(10) };
    let first = NewAttempt { rerun: some.clone(), ..shard(12, 12, 1, 400) };
    let second = shard(12, 13, 300, 400);
    write(home, [base(), plan([whole, head(11), first, second])]).await;
    write(home, [end([part(12, 12, AttemptState::Failed)])]).await;
    home.reopen().await;
    let loaded = view(home).await.loaded;
    let reruns: Vec<_> =
        loaded.open.iter().map(|open| (open.planned.row.attempt.0, &open.planned.rerun)).collect();
    assert_eq!(reruns, [(10, &rerun(&[])), (11, &None), (13, &some)]);

    let shown = async |home: &_| {
        let tasks = [10, 11, 12].map(TaskId);
        let rows = Home::store(home).tasks_by_id(&tasks).await.unwrap();
        rows.into_iter().map(|row| (row.task.0, row.reruns)).collect::<Vec<_>>()
    };
    let expected = [(12, Some(TaskId(3))), (11, None), (10, Some(TaskId(3)))];
    assert_eq!(shown(&*home).await, expected, "while it is open");
    write(home, [end([succeeded(10, 10), succeeded(11, 11), succeeded(12, 13)])]).await;
    assert_eq!(view(home).await.loaded.open, []);
    assert_eq!(shown(&*home).await, expected, "when it has ended");
}

pub(crate) async fn a_task_is_loaded_with_its_trace_and_shows_its_id(home: &mut impl Home) {
    let of = |new: NewAttempt| NewAttempt { trace: Some(trace(new.row.created_at)), ..new };
    let unsampled = |new: NewAttempt| {
        let mut task = TaskTrace::clone(&trace(new.row.created_at));
        task.trace.context.is_sampled = false;
        task.trace.state = None;
        NewAttempt { trace: Some(Arc::new(task)), ..new }
    };
    let (retried, other, first) = (of(head(10)), unsampled(head(11)), of(shard(12, 12, 0, 2)));
    let traces = [&retried, &other, &first].map(|new| new.trace.clone());
    let [of_retried, of_other, of_shards] = traces;
    let skipped =
        NewAttempt { state: AttemptState::Skipped, task_state: TaskState::Skipped, ..of(head(14)) };
    let child = ChildStart {
        trace: of_retried.as_ref().map(|trace| trace.trace.clone()),
        ..child_start(5, None)
    };
    let children = Commit { child_starts: vec![child.clone()], ..Commit::default() };
    let planned = [retried, other, first, shard(12, 13, 1, 2), skipped, head(15)];
    write(home, [base(), plan(planned), children]).await;
    write(home, [Commit { planned: vec![retry(10, 20, 2)], ..end([failed_once(10, 10)]) }]).await;
    home.reopen().await;
    let loaded = view(home).await.loaded;
    let open = loaded.open.iter().map(|open| (open.planned.row.attempt.0, &open.planned.trace));
    assert_eq!(
        open.collect::<Vec<_>>(),
        [(11, &of_other), (12, &of_shards), (13, &of_shards), (15, &None), (20, &of_retried)],
        "retries and shards have that of their task"
    );
    assert_eq!(loaded.child_starts, [child]);

    let id = Some("4bf92f3577b34da6a3ce929d0e0e4736");
    let check = async |home: &_, when: &str| {
        let rows = Home::store(home).tasks_by_id(&[10, 11, 14, 15].map(TaskId)).await.unwrap();
        let shown: Vec<_> = rows.iter().map(|row| (row.task.0, row.trace.as_deref())).collect();
        assert_eq!(shown, [(15, None), (14, id), (11, id), (10, id)], "{when}");
    };
    check(&*home, "while they are open").await;
    write(home, [end([succeeded(10, 20), succeeded(11, 11), succeeded(15, 15)])]).await;
    check(&*home, "when they have ended").await;
}

fn child_start(id: i64, lineage: Option<Lineage>) -> ChildStart {
    let (partition, job, parent) = (Partition(0), JOB, TaskId(3));
    ChildStart { id, partition, job, parent, param: None, lineage, trace: None }
}

pub(crate) async fn no_more_child_starts_are_loaded_than_requested(home: &mut impl Home) {
    let child_starts = (1..=10).map(|id| child_start(id, None)).collect();
    write(home, [base(), Commit { child_starts, ..Commit::default() }]).await;
    let first = home.store().child_starts(&[Partition(0)], 3).await.unwrap();
    assert_eq!(first, [1, 2, 3].map(|id| child_start(id, None)));
}

pub(crate) async fn ended_shards_are_loaded_while_their_task_is_open(home: &mut impl Home) {
    let three = (0..3).map(|i| shard(10, 10 + i, u32::try_from(i).unwrap(), 3));
    let retried = NewAttempt {
        row: Attempt { shard: Shard { index: 1, total: 3 }, ..retry(10, 20, 2).row },
        ..retry(10, 20, 2)
    };
    let first = end([part(10, 10, AttemptState::Succeeded), part(10, 11, AttemptState::Failed)]);
    let second = Commit { planned: vec![retried], ..Commit::default() };
    let third = end([part(10, 20, AttemptState::Succeeded)]);
    write(home, [base(), plan(three), first, second, third]).await;
    home.reopen().await;
    let ended = |index, number, state, result: Option<&str>| EndedShard {
        task: TaskId(10),
        shard: Shard { index, total: 3 },
        number,
        state,
        result: result.map(str::to_owned),
    };
    assert_eq!(
        view(home).await.loaded.ended_shards,
        [
            ended(0, 1, AttemptState::Succeeded, Some("result 10")),
            ended(1, 2, AttemptState::Succeeded, Some("result 20")),
        ]
    );
    let again = NewAttempt {
        row: Attempt { shard: Shard { index: 2, total: 3 }, ..retry(10, 21, 2).row },
        ..retry(10, 21, 2)
    };
    write(home, [Commit { planned: vec![again], ..end([failed_once(10, 12)]) }]).await;
    let shards = view(home).await.loaded.ended_shards;
    assert_eq!(shards.len(), 2, "a shard that is retried has not ended: {shards:?}");
    write(home, [end([succeeded(10, 21)])]).await;
    assert_eq!(view(home).await.loaded.ended_shards, [], "the task has ended");
}

pub(crate) async fn lives_without_attempts_are_not_loaded(home: &mut impl Home) {
    let on = |id, life| NewAttempt { life: Some(LifeId(life)), ..head(id) };
    let more = Commit { lives: vec![life(7, "e1")], ..plan([on(10, 1), on(11, 7), on(12, 7)]) };
    write(home, [base(), more, end([succeeded(10, 10)])]).await;
    let loaded = view(home).await.loaded;
    assert_eq!(loaded.lives, [life(7, "e1")]);
    assert_eq!(loaded.next_life, 8, "ids of lives are not reused");
}
