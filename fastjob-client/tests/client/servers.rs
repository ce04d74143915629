//! A client with the addresses of several coordinators.

use std::{net::TcpListener, time::Duration};

use fastjob_client::{
    Call, Client, ClientError,
    types::{RerunRequest, TaskState},
};
use serde_json::json;

use super::{
    LONG, TOKEN, piece,
    server::{Reply, Server},
    started, task,
};

/// An address at which nothing listens.
fn nothing() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", free.local_addr().unwrap())
}

fn client(servers: &[&str]) -> Client {
    Client::builder(servers.join(",")).token(TOKEN).build().unwrap()
}

#[tokio::test]
async fn a_call_goes_to_the_next_coordinator_and_stays_there() {
    let second = Server::replying([Reply::json(&task("running"))]).await;
    let (first, third) = (nothing(), Server::replying([Reply::Cut]).await);
    let client = client(&[&first, &second.url, &third.url]);
    assert_eq!(client.server().as_str(), first);
    for calls in 1..4 {
        assert_eq!(client.task(42).get().await.unwrap().state, TaskState::Running);
        assert_eq!((second.asked().len(), third.asked().len()), (calls, 0));
        assert_eq!(client.server().as_str(), second.url);
    }
    assert_eq!(second.asked()[0], "GET /api/v1/tasks/42 Bearer 0123456789abcdef");
}

#[tokio::test]
async fn calls_that_are_safe_to_repeat_go_on_after_a_lost_answer() {
    for lost in [Reply::Cut, Reply::problem(503, "unavailable", "it is starting")] {
        let first = Server::replying([lost]).await;
        let answer = json!({ "stopped": true, "state": "stopping" });
        let second = Server::replying([Reply::json(&answer), started()]).await;
        let client = client(&[&first.url, &second.url]);
        assert!(client.task(42).stop().await.unwrap().stopped);
        assert_eq!(client.job("a").start().key("k").send().await.unwrap().id(), 42);
        assert_eq!((first.asked().len(), second.asked().len()), (1, 2));
    }
}

#[tokio::test]
async fn an_answer_says_whether_the_call_may_have_had_an_effect_before() {
    let rerun = || Call::rerun(7, &RerunRequest::default());
    let (lost, unavailable) = (Reply::Cut, Reply::problem(503, "unavailable", "it is starting"));
    for first in [lost, unavailable] {
        let (first, second) =
            (Server::replying([first]).await, Server::replying([started()]).await);
        let client = client(&[&first.url, &second.url]);
        assert!(client.answer(rerun()).await.unwrap().was_sent_before());
        // The second coordinator is called first from now on.
        assert!(!client.answer(rerun()).await.unwrap().was_sent_before());
    }
    let second = Server::replying([Reply::Cut, started()]).await;
    let client = client(&[&nothing(), &second.url]);
    let answer = client.answer(rerun()).await.unwrap();
    assert!(answer.was_sent_before(), "it is repeated after a while");
    let client = self::client(&[&nothing(), &second.url]);
    let answer = client.answer(rerun()).await.unwrap();
    assert!(!answer.was_sent_before(), "nothing was sent to the first one");
}

#[tokio::test]
async fn a_start_without_a_key_is_sent_again_only_if_it_was_not_sent() {
    let second = Server::replying([started()]).await;
    let start = |client: Client| async move { client.job("a").start().send().await };
    let unsent = start(client(&[&nothing(), &second.url])).await;
    assert_eq!((unsent.unwrap().id(), second.asked().len()), (42, 1));

    for lost in [Reply::Cut, Reply::problem(503, "unavailable", "no answer of its owner")] {
        let first = Server::replying([lost]).await;
        let error = start(client(&[&first.url, &second.url])).await.unwrap_err();
        assert!(
            matches!(error, ClientError::Interrupted { .. } | ClientError::Unavailable(_)),
            "{error:?}"
        );
        assert_eq!((first.asked().len(), second.asked().len()), (1, 1));
    }
}

#[tokio::test]
async fn a_rejection_is_an_answer_and_is_not_sent_elsewhere() {
    for (status, kind) in [(404, "not-found"), (401, "wrong-token"), (429, "over-quota")] {
        let first = Server::replying([Reply::problem(status, kind, "no")]).await;
        let second = Server::replying([Reply::json(&task("running"))]).await;
        assert!(client(&[&first.url, &second.url]).task(42).get().await.is_err());
        assert_eq!((first.asked().len(), second.asked().len()), (1, 0), "{kind}");
    }
}

#[tokio::test]
async fn an_error_names_all_coordinators_that_could_not_be_reached() {
    let (first, second) = (nothing(), nothing());
    let error = client(&[&first, &second]).task(42).get().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }) && error.is_refused(), "{error:?}");
    assert!(error.to_string().contains(&format!("{first} or {second}")), "{error}");

    // What may have had an effect is reported first.
    let lost = Server::replying([Reply::Cut]).await;
    let stop = client(&[&first, &lost.url]).task(42).stop().await.unwrap_err();
    assert!(matches!(stop, ClientError::Interrupted { .. }), "{stop:?}");
}

#[tokio::test]
async fn a_wait_and_a_log_continue_at_another_coordinator() {
    let first = Server::replying([started(), Reply::json(&task("running")), Reply::Cut]).await;
    let second = Server::replying([Reply::json(&task("succeeded"))]).await;
    let start = client(&[&first.url, &second.url]).job("report").start();
    let task = start.send_and_wait(LONG).await.unwrap();
    assert_eq!((task.state, second.asked().len()), (TaskState::Succeeded.into(), 1));

    let first = Server::replying([piece(42, 0, "one\n", false), Reply::Cut]).await;
    let second = Server::replying([
        piece(42, 4, "two\n", true),
        piece(42, 8, "", true),
        Reply::problem(404, "not-found", "task 42 has no attempt 2"),
    ])
    .await;
    let mut log = client(&[&first.url, &second.url]).task(42).log().follow();
    let mut text = String::new();
    while let Some(piece) = log.next().await.unwrap() {
        text.push_str(&piece.text);
    }
    assert_eq!(text, "one\ntwo\n");
    assert!(second.asked()[0].contains("offset=4"), "{:?}", second.asked());
}

#[tokio::test]
async fn a_coordinator_that_does_not_answer_is_passed_over() {
    let first = Server::replying([Reply::Silence]).await;
    let second = Server::replying([Reply::json(&task("running"))]).await;
    let client = Client::builder(&first.url).server(&second.url);
    let client = client.timeout(Duration::from_millis(200)).build().unwrap();
    assert_eq!(client.task(42).get().await.unwrap().id, 42);
    assert_eq!(client.server().as_str(), second.url);
}

#[test]
fn every_address_is_checked() {
    let far = "http://jobs.example.org";
    let builder = Client::builder("https://jobs-1.example.org,http://[::1]:1").token(TOKEN);
    assert!(builder.clone().build().is_ok());
    let error = builder.clone().server(far).build().unwrap_err();
    assert!(matches!(&error, ClientError::InsecureTransport { server } if server == far));
    assert!(builder.clone().server(far).insecure_plaintext(true).build().is_ok());
    let error = builder.server("jobs").build().unwrap_err().to_string();
    assert!(error.starts_with("server: address 3: it is not an address"), "{error}");
}
