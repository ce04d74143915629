//! Manual repairs.

use super::{
    Home,
    rows::*,
    view::{load, task},
    write,
};
use crate::store::{
    Attempt, Commit, Error, JobRow, LifeId, Marks, NewAttempt, Partition, Survey, repair::IDS_MOST,
};

/// What is recorded under a clock that is `clock` ahead.
fn recorded(clock: i64) -> Commit {
    let (clock, watermark) = (Some(at(clock)), Some(at(clock + 1)));
    Commit { clock, watermark, ..Commit::default() }
}

fn marks(clock: i64) -> Marks {
    let (clock, watermark) = (Some(at(clock)), Some(at(clock + 1)));
    Marks { partition: Partition(0), clock, watermark, ids_until: 1_000 }
}

async fn survey(home: &impl Home, now: i64) -> Survey {
    let survey = home.store().survey(at(now)).await.unwrap();
    // Partitions without a clock are left out: nothing was written to them.
    let marks = survey.marks.into_iter().filter(|marks| marks.clock.is_some()).collect();
    Survey { marks, clock: None, ..survey }
}

pub(crate) async fn a_survey_reports_later_times_and_changes_nothing(home: &mut impl Home) {
    let ahead = |id| NewAttempt {
        row: Attempt { created_at: at(9_000), due_at: at(9_500), ..head(id).row },
        ..head(id)
    };
    write(home, [base(), recorded(9_000), plan([head(10), ahead(11), ahead(12)])]).await;
    let moved = Commit { anchors: vec![(OTHER, at(9_001))], ..Commit::default() };
    write(home, [moved, end([succeeded(12, 12)])]).await;
    let before = load(&*home.store()).await;
    let expected = Survey { marks: vec![marks(9_000)], anchors: 1, attempts: 1, clock: None };
    assert_eq!(survey(home, 1_000).await, expected);
    assert_eq!(load(&*home.store()).await, before);
    let nothing = Survey { anchors: 0, attempts: 0, ..expected };
    assert_eq!(survey(home, 9_001).await, nothing);
}

pub(crate) async fn clocks_that_are_ahead_are_set_back(home: &mut impl Home) {
    write(home, [base(), recorded(9_000)]).await;
    let moved = Commit { anchors: vec![(OTHER, at(9_001))], ..Commit::default() };
    write(home, [moved]).await;
    let found = home.store().set_back(at(1_000)).await.unwrap();
    assert!(found.marks.contains(&marks(9_000)), "{found:?}");
    assert_eq!(found.anchors, 1);
    home.reopen().await;
    let loaded = load(&*home.store()).await;
    assert_eq!((loaded.clock, loaded.watermark), (Some(at(1_000)), Some(at(1_000))));
    let moved = JobRow { anchor: at(1_000), ..job(OTHER, "b") };
    assert_eq!(loaded.jobs, [job(JOB, "a"), moved].into_iter().collect());
    assert_eq!(survey(home, 1_000).await.anchors, 0);
}

pub(crate) async fn clocks_that_are_behind_are_not_changed(home: &mut impl Home) {
    write(home, [base(), recorded(500), plan([head(10)])]).await;
    let before = load(&*home.store()).await;
    home.store().set_back(at(1_000)).await.unwrap();
    assert_eq!(load(&*home.store()).await, before, "no fire since then is skipped");
}

pub(crate) async fn open_attempts_of_a_wrong_clock_keep_their_delay(home: &mut impl Home) {
    let made = |id| NewAttempt {
        row: Attempt { created_at: at(9_000), due_at: at(9_300), ..head(id).row },
        ..head(id)
    };
    let sent = NewAttempt { life: Some(LifeId(1)), ..made(12) };
    let later = NewAttempt { row: Attempt { due_at: at(99_000), ..head(10).row }, ..head(10) };
    write(home, [base(), plan([later, made(11), sent])]).await;
    assert_eq!(home.store().set_back(at(1_000)).await.unwrap().attempts, 2);
    let open = load(&*home.store()).await.open;
    let times: Vec<_> =
        open.iter().map(|o| (o.planned.row.created_at, o.planned.row.due_at)).collect();
    // The first was created with a right clock; the last has an executor, so it may have been sent.
    let expected = [(at(10), at(99_000)), (at(9_000), at(1_300)), (at(9_000), at(1_000))];
    assert_eq!(times, expected);
    assert_eq!(survey(home, 1_000).await.attempts, 0);
}

pub(crate) async fn ids_are_raised_and_the_previous_ones_are_reported(home: &mut impl Home) {
    write(home, [base(), recorded(5)]).await;
    let before = home.store().lift_ids(1_000_000_000).await.unwrap();
    assert!(before.contains(&marks(5)), "{before:?}");
    home.reopen().await;
    assert_eq!(load(&*home.store()).await.ids_until, 1_000_001_000);
    let most = IDS_MOST - 1_000_001_000;
    let refused = home.store().lift_ids(most + 1).await;
    assert!(matches!(refused, Err(Error::NoMoreIds { until: 1_000_001_000, .. })), "{refused:?}");
    assert_eq!(load(&*home.store()).await.ids_until, 1_000_001_000);
}

pub(crate) async fn lists_show_what_a_repair_changed(home: &mut impl Home) {
    let ahead = |id| NewAttempt {
        row: Attempt { created_at: at(9_000), due_at: at(9_300), ..head(id).row },
        ..head(id)
    };
    write(home, [base(), plan([ahead(10)]), plan([ahead(11)])]).await;
    assert_eq!(task(home, 11).await.attempts[0].due_at, at(9_300));
    home.store().set_back(at(1_000)).await.unwrap();
    for id in [10, 11] {
        assert_eq!(task(home, id).await.attempts[0].due_at, at(1_300));
    }
}
