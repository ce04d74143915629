//! Executors that users drain.

use super::{Home, rows::*};
use crate::store::{AddedDrain, DrainRow};

fn drain(service: &str, executor: &str, since: i64) -> DrainRow {
    DrainRow { service: name(service), executor: name(executor), since: at(since) }
}

pub(crate) async fn executors_are_drained_until_they_are_resumed(home: &mut impl Home) {
    let store = home.store();
    let (later, first) = (drain("a", "b.c", 20), drain("a.b", "c", 10));
    assert_eq!(store.add_drain(&later, 9).await.unwrap(), AddedDrain::Added);
    assert_eq!(store.add_drain(&first, 9).await.unwrap(), AddedDrain::Added);
    let again = drain("a", "b.c", 99);
    assert_eq!(store.add_drain(&again, 9).await.unwrap(), AddedDrain::Existed);
    assert_eq!(store.drains().await.unwrap(), [first.clone(), later.clone()]);
    assert!(store.remove_drain(&later.service, &later.executor).await.unwrap());
    assert!(!store.remove_drain(&later.service, &later.executor).await.unwrap());
    assert_eq!(store.drains().await.unwrap(), [first]);
}

pub(crate) async fn no_more_executors_are_drained_than_allowed(home: &mut impl Home) {
    let store = home.store();
    let one = drain("a", "1", 1);
    assert_eq!(store.add_drain(&one, 1).await.unwrap(), AddedDrain::Added);
    assert_eq!(store.add_drain(&drain("a", "2", 2), 1).await.unwrap(), AddedDrain::Full);
    assert_eq!(store.add_drain(&one, 1).await.unwrap(), AddedDrain::Existed);
    assert_eq!(store.drains().await.unwrap(), [one]);
}
