//! Alarms: one row per channel, sent once, and whether a job is failing.

use fastjob_core::{ChannelName, TaskId};
use fastjob_engine::record::AlarmRow;

use super::{Home, rows::*, view::view, write};
use crate::store::{AlarmKind, Commit, WaitingAlarm};

fn tell(alarms: impl IntoIterator<Item = AlarmRow>) -> Commit {
    Commit { alarms: alarms.into_iter().collect(), ..Commit::default() }
}

fn channels(names: &[&str]) -> Vec<ChannelName> {
    names.iter().map(|text| name(text)).collect()
}

/// The alarms that are waiting for the channel, in order.
async fn waiting(home: &impl Home, channel: &str) -> Vec<WaitingAlarm> {
    home.store().waiting_alarms(&name(channel), 0, 100).await.unwrap()
}

async fn messages(home: &impl Home, channel: &str) -> Vec<String> {
    waiting(home, channel).await.into_iter().map(|alarm| alarm.message).collect()
}

pub(crate) async fn one_row_per_channel_in_the_order_of_the_commits(home: &mut impl Home) {
    let first = AlarmRow {
        channels: channels(&["mail", "chat"]),
        ..alarm(7, Some(10), AlarmKind::RunsLong)
    };
    let second = AlarmRow { executor: None, attempts: 0, ..alarm(3, None, AlarmKind::Failed) };
    write(home, [tell([first.clone()]), tell([second])]).await;
    assert_eq!(messages(home, "mail").await, ["alarm 7", "alarm 3"]);
    assert_eq!(messages(home, "unused").await, [""; 0]);
    let chat = waiting(home, "chat").await;
    let expected = WaitingAlarm {
        number: chat[0].number,
        job: JOB,
        task: Some(TaskId(10)),
        kind: AlarmKind::RunsLong,
        at: first.at,
        job_name: first.job_name,
        reason: first.reason,
        message: first.message,
        executor: first.executor,
        attempts: 1,
    };
    assert_eq!(chat, [expected]);

    let mail = waiting(home, "mail").await;
    let after = home.store().waiting_alarms(&name("mail"), mail[0].number, 100).await.unwrap();
    assert_eq!(after, mail[1..], "above a number");
    let piece = home.store().waiting_alarms(&name("mail"), 0, 1).await.unwrap();
    assert_eq!(piece, mail[..1], "at most the limit");
}

pub(crate) async fn an_alarm_that_is_done_stays_done(home: &mut impl Home) {
    write(home, [tell((1..=4).map(|id| alarm(id, None, AlarmKind::Failed)))]).await;
    let numbers: Vec<_> = waiting(home, "mail").await.iter().map(|alarm| alarm.number).collect();
    let store = home.store();
    store.alarms_failed(&numbers[..2], None, "no answer").await.unwrap();
    assert_eq!(waiting(home, "mail").await.len(), 4, "a failed attempt leaves it waiting");
    assert_eq!(store.alarms_sent(&numbers[..1], at(50)).await.unwrap(), 1);
    assert_eq!(store.alarms_sent(&numbers[..2], at(51)).await.unwrap(), 1, "one was sent");
    store.alarms_failed(&numbers[2..3], Some(at(60)), "too many attempts").await.unwrap();
    // Nothing restores them: no late result, no repeated commit, no restart.
    store.alarms_failed(&numbers[..3], None, "late").await.unwrap();
    assert_eq!(store.alarms_sent(&numbers[2..3], at(61)).await.unwrap(), 0);
    drop(store);
    home.reopen().await;
    write(home, [tell((1..=4).map(|id| alarm(id, None, AlarmKind::Failed)))]).await;
    assert_eq!(messages(home, "mail").await, ["alarm 4"]);
}

pub(crate) async fn a_job_fails_until_it_recovers(home: &mut impl Home) {
    use AlarmKind::{Failed, Recovered, RunsLong, StartsLate};
    let of_other = |id, kind| AlarmRow { job: OTHER, ..alarm(id, None, kind) };
    write(home, [base()]).await;
    for (raised, failing) in [
        (alarm(1, Some(10), StartsLate), &[][..]),
        (alarm(2, Some(10), Failed), &[JOB]),
        (of_other(3, Failed), &[JOB, OTHER]),
        (alarm(4, Some(11), RunsLong), &[JOB, OTHER]),
        (alarm(5, Some(11), Recovered), &[OTHER]),
        (alarm(6, Some(12), Failed), &[JOB, OTHER]),
        (of_other(7, Recovered), &[JOB]),
    ] {
        write(home, [tell([raised])]).await;
        assert_eq!(view(home).await.loaded.failing, failing);
    }
    let numbers: Vec<_> = waiting(home, "mail").await.iter().map(|alarm| alarm.number).collect();
    home.store().alarms_sent(&numbers, at(50)).await.unwrap();
    assert_eq!(
        view(home).await.loaded.failing,
        [JOB],
        "it is failing even after the alarm was sent"
    );
}

pub(crate) async fn a_task_raises_each_kind_of_alarm_once(home: &mut impl Home) {
    use AlarmKind::{Failed, RunsLong};
    let chat_too =
        AlarmRow { channels: channels(&["mail", "chat"]), ..alarm(3, Some(10), RunsLong) };
    let story = [
        alarm(1, Some(10), RunsLong),
        alarm(2, Some(10), RunsLong),
        chat_too,
        alarm(4, Some(10), Failed),
        alarm(5, Some(11), RunsLong),
        alarm(6, None, RunsLong),
        alarm(7, None, RunsLong),
    ];
    write(home, story.map(|row| tell([row]))).await;
    let mail = ["alarm 1", "alarm 4", "alarm 5", "alarm 6", "alarm 7"];
    assert_eq!(messages(home, "mail").await, mail, "without a task, each one is kept");
    assert_eq!(messages(home, "chat").await, ["alarm 3"]);
}

pub(crate) async fn only_what_is_done_is_removed(home: &mut impl Home) {
    write(home, [tell((1..=6).map(|id| alarm(id, None, AlarmKind::RunsLong)))]).await;
    let numbers: Vec<_> = waiting(home, "mail").await.iter().map(|alarm| alarm.number).collect();
    let store = home.store();
    store.alarms_sent(&numbers[..3], at(50)).await.unwrap();
    store.alarms_failed(&numbers[3..4], Some(at(60)), "no").await.unwrap();
    store.alarms_failed(&numbers[4..5], None, "no").await.unwrap();
    assert_eq!(store.remove_alarms(at(50), 100).await.unwrap(), 0, "before, not at");
    assert_eq!(store.remove_alarms(at(51), 2).await.unwrap(), 2, "in pieces");
    assert_eq!(store.remove_alarms(at(51), 2).await.unwrap(), 1);
    assert_eq!(store.remove_alarms(at(1_000), 100).await.unwrap(), 1, "the abandoned one");
    assert_eq!(store.remove_alarms(at(1_000), 100).await.unwrap(), 0);
    assert_eq!(messages(home, "mail").await, ["alarm 5", "alarm 6"]);
    write(home, [tell([alarm(7, None, AlarmKind::RunsLong)])]).await;
    let newest = waiting(home, "mail").await.last().map(|alarm| alarm.number);
    assert!(newest > numbers.last().copied(), "numbers are not reused");
}
