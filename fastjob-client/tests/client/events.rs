//! Streams of events.

use fastjob_client::{Client, ClientError, EventsQuery, PageEvent};

use super::server::{Reply, Server};

const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n\
    retry: 2000\nevent: counts\ndata: {\"at\": \"2026-11-23T00:00:00Z\", \"queued\": 3, \
    \"running\": null, \"ended\": 9, \"failed\": 1, \"executors\": 2, \"alarms\": 0}\n\n\
    :\n\nevent: newer\ndata: {}\n\nevent: changed\ndata: {\"jobs\": true}\n\n\
    event: bye\ndata: {}\n\n";

#[tokio::test]
async fn events_are_read_until_the_coordinator_stops_and_unknown_ones_are_passed_over() {
    let server = Server::replying([Reply::Raw(STREAM)]).await;
    let client = Client::builder(&server.url).build().unwrap();
    let query = EventsQuery { tasks: vec![7, 8], service: Some("billing".to_owned()) };
    let mut events = client.events(&query).await.unwrap();
    let path = "GET /api/v1/events?tasks=7%2C8&service=billing";
    assert!(server.asked()[0].starts_with(path), "{:?}", server.asked());
    let Some(PageEvent::Counts(counts)) = events.next().await.unwrap() else { panic!("no counts") };
    assert_eq!((counts.queued, counts.running, counts.ended), (Some(3), None, 9));
    let Some(PageEvent::Changed(of)) = events.next().await.unwrap() else { panic!("not changed") };
    assert!(of.jobs && !of.tasks);
    assert_eq!(events.next().await.unwrap(), None);
    assert_eq!(events.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error_and_so_is_a_rejection() {
    let cut = &STREAM[..STREAM.len() - "event: bye".len()];
    let server = Server::replying([Reply::Raw(cut)]).await;
    let client = Client::builder(&server.url).build().unwrap();
    let mut events = client.events(&EventsQuery::default()).await.unwrap();
    let (_, _) = (events.next().await.unwrap(), events.next().await.unwrap());
    let error = events.next().await.unwrap_err();
    assert!(matches!(error, ClientError::Interrupted { .. }), "{error}");

    let full = Reply::problem(503, "unavailable", "too many live pages");
    let server = Server::replying([full]).await;
    let client = Client::builder(&server.url).build().unwrap();
    let error = client.events(&EventsQuery::default()).await.unwrap_err();
    assert!(error.to_string().contains("too many live pages"), "{error}");
}
