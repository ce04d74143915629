//! Which connections are kept.

use std::time::Duration;

use super::*;

fn admission(connections: usize, unauthenticated: usize, per_address: usize) -> Admission {
    Admission::new(Limits {
        connections,
        unauthenticated,
        unauthenticated_per_address: per_address,
        ..Limits::default()
    })
}

fn from(address: &str, admission: &Admission) -> Place {
    admission.enter(address.parse().unwrap())
}

fn is_closed(place: &Place) -> bool {
    place.hangup().0.is_cancelled()
}

#[test]
fn an_address_with_too_many_connections_loses_its_oldest() {
    let admission = admission(10, 10, 2);
    let other = from("192.0.2.9", &admission);
    let [first, second, third] = [(); 3].map(|()| from("192.0.2.1", &admission));
    assert!(is_closed(&first) && !is_closed(&second) && !is_closed(&third));
    assert_eq!(first.pass().authenticate(Peer::Executor), Err(NoRoom::Closing));
    second.pass().authenticate(Peer::Executor).unwrap();
    let _fourth = from("::ffff:192.0.2.1", &admission);
    assert!(![&other, &second, &third].iter().any(|place| is_closed(place)), "below the limit");
    let _fifth = from("192.0.2.1", &admission);
    assert!(is_closed(&third) && !is_closed(&second), "authenticated connections stay");
}

#[test]
fn at_the_total_limit_the_address_with_the_most_connections_loses_one() {
    let admission = admission(10, 4, 4);
    let honest = from("192.0.2.9", &admission);
    let strangers: Vec<_> = (0..20).map(|_| from("192.0.2.1", &admission)).collect();
    assert!(!is_closed(&honest), "it is the oldest, but alone at its address");
    assert_eq!(strangers.iter().filter(|place| !is_closed(place)).count(), 3);
    let latest = from("192.0.2.8", &admission);
    assert!(!is_closed(&latest) && !is_closed(&honest) && is_closed(&strangers[17]));
    honest.pass().authenticate(Peer::Executor).unwrap();
    latest.pass().authenticate(Peer::Executor).unwrap();
}

#[test]
fn of_many_addresses_with_one_connection_each_the_oldest_is_closed() {
    let admission = admission(10, 3, 2);
    let places: Vec<_> = (1..=9).map(|n| from(&format!("192.0.2.{n}"), &admission)).collect();
    let open: Vec<_> = places.iter().map(|place| !is_closed(place)).collect();
    assert_eq!(open, [false, false, false, false, false, false, true, true, true]);
}

#[test]
fn a_client_is_counted_by_its_ipv6_network() {
    let admission = admission(10, 10, 1);
    let first = from("2001:db8::1", &admission);
    let other = from("2001:db8:0:1::1", &admission);
    let _second = from("2001:db8::2", &admission);
    assert!(is_closed(&first) && !is_closed(&other));
}

#[test]
fn authenticated_connections_have_a_separate_limit() {
    let admission = admission(2, 3, 3);
    let places: Vec<_> = (0..3).map(|_| from("192.0.2.1", &admission)).collect();
    places[0].pass().authenticate(Peer::Executor).unwrap();
    places[1].pass().authenticate(Peer::Executor).unwrap();
    places[1].pass().authenticate(Peer::Executor).expect("it is already authenticated");
    assert_eq!(places[2].pass().authenticate(Peer::Executor), Err(NoRoom::Full(2)));
    let strangers: Vec<_> = (0..9).map(|_| from("192.0.2.1", &admission)).collect();
    assert!(!is_closed(&places[0]) && !is_closed(&places[1]));
    drop(places);
    strangers[8].pass().authenticate(Peer::Executor).expect("the limit is no longer reached");
    drop(strangers);
    let open = admission.0.lock();
    assert_eq!((open.authenticated, open.unauthenticated), (0, 0));
    assert!(open.by_address.is_empty() && open.ranks.is_empty());
}

#[test]
fn a_connection_has_one_handshake_call_at_a_time() {
    let admission = admission(9, 9, 9);
    let place = from("192.0.2.1", &admission);
    let turn = place.pass().handshake();
    assert!(turn.is_some() && place.pass().handshake().is_none());
    assert!(from("192.0.2.1", &admission).pass().handshake().is_some(), "another one");
    drop(turn);
    assert!(place.pass().handshake().is_some());
}

#[test]
fn callers_leave_capacity_for_executors_and_both_for_nodes() {
    let admission = admission(20, 99, 99);
    let places: Vec<_> = (0..30).map(|_| from("192.0.2.1", &admission)).collect();
    let enter = |n: usize, peer| places[n].pass().authenticate(peer);
    (0..10).for_each(|n| enter(n, Peer::Caller).unwrap());
    assert_eq!(enter(10, Peer::Caller), Err(NoRoom::FullOfCallers(10)));
    (10..18).for_each(|n| enter(n, Peer::Executor).unwrap());
    assert_eq!(enter(18, Peer::Executor), Err(NoRoom::Full(18)));
    enter(18, Peer::Node).unwrap();
    enter(0, Peer::Executor).expect("it is registered, and no longer counts as a caller's");
    enter(0, Peer::Caller).expect("it is registered");
    assert_eq!(admission.0.lock().callers, 9);
    assert_eq!(enter(19, Peer::Caller), Err(NoRoom::Full(18)));
    enter(19, Peer::Node).unwrap();
    assert_eq!(enter(20, Peer::Node), Err(NoRoom::Full(20)));
    drop(places);
    let open = admission.0.lock();
    assert_eq!((open.authenticated, open.callers), (0, 0));
}

#[test]
fn only_unauthenticated_connections_are_closed_to_make_room() {
    let admission = admission(9, 9, 9);
    let places: Vec<_> = (0..3).map(|_| from("192.0.2.1", &admission)).collect();
    places[0].pass().authenticate(Peer::Executor).unwrap();
    assert!(admission.make_room(1) && is_closed(&places[1]) && !is_closed(&places[2]));
    assert!(admission.make_room(9) && is_closed(&places[2]));
    assert!(!admission.make_room(9) && !is_closed(&places[0]));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_when_the_connection_authenticates() {
    let admission = admission(9, 9, 9);
    let (stranger, honest) = (from("192.0.2.1", &admission), from("192.0.2.1", &admission));
    let limit = Limits::default().authenticate;
    let wait = async {
        tokio::join!(stranger.overdue(), async {
            tokio::time::sleep(limit / 2).await;
            honest.pass().authenticate(Peer::Executor).unwrap();
        })
    };
    let begun = Instant::now();
    tokio::select! {
        () = honest.overdue() => panic!("it has authenticated"),
        _ = wait => assert_eq!(begun.elapsed(), limit),
    }
    let later = tokio::time::timeout(Duration::from_secs(60), honest.overdue()).await;
    assert!(later.is_err());
}
