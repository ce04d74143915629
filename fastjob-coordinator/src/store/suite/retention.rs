//! What ended long ago is removed, whole, in pieces, and nothing else.

use fastjob_core::{AttemptId, TaskId, TaskState};

use super::{
    Home,
    rows::*,
    view::{task, view},
    write,
};
use crate::store::{Commit, EndedAttempt, LifeId, LifeRow, NewAttempt};

async fn remove(home: &impl Home, before: i64, limit: u32) -> u64 {
    home.store().remove_ended(at(before), limit).await.unwrap()
}

/// The ids of the tasks that are there, the oldest first.
async fn left(home: &impl Home) -> Vec<i64> {
    view(home).await.tasks.iter().rev().map(|task| task.task.0).collect()
}

pub(crate) async fn old_tasks_go_whole(home: &mut impl Home) {
    let said = |ended| EndedAttempt { log_tail: "said\n".to_owned(), ..ended };
    let tasks = [
        NewAttempt { key: Some("k".into()), ..head(10) },
        shard(20, 20, 0, 2),
        shard(20, 21, 1, 2),
    ];
    let points = [checkpoint(10, 0, "half"), checkpoint(20, 1, "half")];
    let again = Commit {
        planned: vec![retry(10, 11, 2)],
        checkpoints: points.into(),
        ..end([said(failed_once(10, 10))])
    };
    let part = part(20, 21, fastjob_core::AttemptState::Succeeded);
    let ends = end([said(succeeded(10, 11)), said(part), said(succeeded(20, 20))]);
    write(home, [base()]).await;
    let before = view(home).await;
    write(home, [plan(tasks), again, ends]).await;
    assert_eq!(remove(home, 1_000, 10).await, 2);
    assert_eq!(view(home).await, before, "no attempt and no log is left");
    assert_eq!(home.store().task_of_key(JOB, "k").await.unwrap(), None);
    // Nobody can ask for checkpoints but with their task.
    write(home, [plan([head(10), shard(20, 20, 0, 2), shard(20, 21, 1, 2)])]).await;
    let open = view(home).await.loaded.open;
    assert!(open.iter().all(|open| open.checkpoint.is_none()), "{open:?}");
}

pub(crate) async fn what_is_open_or_young_stays(home: &mut impl Home) {
    let tried = Commit { planned: vec![retry(12, 15, 2)], ..end([failed_once(12, 12)]) };
    let stop = Commit { moved: vec![moved(13, TaskState::Stopping)], ..Commit::default() };
    let young = EndedAttempt { ended_at: at(500), ..succeeded(14, 14) };
    let ends = end([succeeded(10, 10), young]);
    write(home, [base(), plan((10..15).map(head)), tried, stop, ends]).await;
    let kept = left(home).await;
    assert_eq!(remove(home, 20, 10).await, 0, "before, not at");
    assert_eq!(left(home).await, kept);
    assert_eq!(remove(home, 21, 10).await, 1);
    assert_eq!(left(home).await, [11, 12, 13, 14]);
    assert_eq!(remove(home, 500, 10).await, 0);
    assert_eq!(remove(home, 501, 10).await, 1);
    assert_eq!(left(home).await, [11, 12, 13]);
    assert_eq!(task(home, 12).await.attempts.len(), 2);
}

pub(crate) async fn a_task_is_as_old_as_its_last_attempt(home: &mut impl Home) {
    let again = Commit { planned: vec![retry(10, 11, 2)], ..end([failed_once(10, 10)]) };
    let ended = EndedAttempt { ended_at: at(500), ..failed(10, 11) };
    write(home, [base(), plan([head(10)]), again, end([ended])]).await;
    assert_eq!(remove(home, 500, 10).await, 0);
    assert_eq!(remove(home, 501, 10).await, 1);
    assert_eq!(home.store().task(TaskId(10)).await.unwrap(), None);
}

pub(crate) async fn removal_goes_in_pieces(home: &mut impl Home) {
    let ids = 10..60;
    let said = |id| EndedAttempt { log_tail: "said\n".to_owned(), ..succeeded(id, id) };
    write(home, [base(), plan(ids.clone().map(head)), end(ids.clone().map(said))]).await;
    for (kept, gone) in [(33, 17), (16, 17), (0, 16)] {
        assert_eq!(remove(home, 1_000, 17).await, gone);
        assert_eq!(left(home).await, (60 - kept..60).collect::<Vec<_>>(), "the oldest go first");
    }
    assert_eq!(remove(home, 1_000, 17).await, 0);
    assert_eq!(home.store().log_tail(AttemptId(10)).await.unwrap(), None);
}

pub(crate) async fn open_tasks_do_not_keep_old_ones(home: &mut impl Home) {
    write(home, [base(), plan((10..120).map(head)), end([succeeded(110, 110)])]).await;
    assert_eq!(remove(home, 1_000, 2).await, 1, "a hundred older ones are open");
    assert_eq!(home.store().task(TaskId(110)).await.unwrap(), None);
}

pub(crate) async fn what_is_removed_frees_its_key(home: &mut impl Home) {
    let keyed = |id, key: &str| NewAttempt { key: Some(key.into()), ..head(id) };
    write(home, [base(), plan([keyed(10, "a"), keyed(11, "b")]), end([succeeded(10, 10)])]).await;
    remove(home, 1_000, 10).await;
    write(home, [plan([keyed(12, "a"), keyed(13, "b")])]).await;
    for (key, task) in [("a", 12), ("b", 11)] {
        let found = home.store().task_of_key(JOB, key).await.unwrap();
        assert_eq!(found, Some(TaskId(task)), "{key}");
    }
}

pub(crate) async fn lives_that_are_over_go_with_what_ran_on_them(home: &mut impl Home) {
    // All of one partition and seat, each a second after the one before.
    let id = |nth: i64| 32 * nth + 1;
    let lives = |executor| {
        let one = move |nth| LifeRow { since: at(1_000 * nth), ..life(id(nth), executor) };
        Commit { lives: (1..=700).map(one).collect(), ..Commit::default() }
    };
    let on = |task, nth| NewAttempt { life: Some(LifeId(id(nth))), ..head(task) };
    let young = EndedAttempt { ended_at: at(900_000), ..succeeded(11, 11) };
    let ends = end([young, succeeded(12, 12)]);
    write(home, [base(), lives("e9"), plan([on(10, 5), on(11, 6), on(12, 7)]), ends]).await;
    assert_eq!(remove(home, 650_000, 10).await, 1);
    assert_eq!(remove(home, 650_000, 10).await, 0);

    // A life that is there is left as it is.
    let asked = [5, 6, 7, 8, 648, 649, 699, 700];
    let tasks = asked.map(|nth| on(1_000 + nth, nth));
    write(home, [lives("another"), plan(tasks)]).await;
    let lives = view(home).await.loaded.lives;
    let kept: Vec<_> = asked
        .into_iter()
        .filter(|nth| {
            lives.iter().any(|life| life.id.0 == id(*nth) && life.executor.as_str() == "e9")
        })
        .collect();
    // 649 had its seat until the instant before which what is over goes.
    assert_eq!(kept, [5, 6, 649, 699, 700], "in use, in the history, or not over for long");
    let executor = task(home, 11).await.attempts[0].executor.clone();
    assert_eq!(executor.unwrap().as_str(), "e9");
}
