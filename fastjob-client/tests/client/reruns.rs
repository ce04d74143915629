//! Reruns: what they send, and when they are repeated.

use fastjob_client::ClientError;

use crate::{
    client,
    server::{Reply, Server},
    started,
};

const PATH: &str = "POST /api/v1/tasks/7/rerun Bearer 0123456789abcdef";

#[tokio::test]
async fn a_rerun_sends_what_it_was_given() {
    let server = Server::replying([started()]).await;
    let task = client(&server).task(7);
    assert_eq!(task.rerun().send().await.unwrap().id(), 42);
    task.rerun().param("x").executor("e1").manual().key("k").send().await.unwrap();
    task.rerun().failed_shards().key("k").again().send().await.unwrap();
    task.rerun().shards([0, 3]).again().key("k").send().await.unwrap();
    assert_eq!(
        server.asked(),
        [
            format!("{PATH} {{}}"),
            format!(r#"{PATH} {{"param":"x","executor":"e1","key":"k","cause":"manual"}}"#),
            format!(r#"{PATH} {{"shards":"failed","again":true}}"#),
            format!(r#"{PATH} {{"shards":"0,3","key":"k"}}"#),
        ]
    );
}

#[tokio::test]
async fn a_rerun_is_repeated_after_transient_errors_unless_it_is_another_one() {
    let unavailable = Reply::problem(503, "unavailable", "starting");
    let server = Server::replying([Reply::Cut, unavailable, started()]).await;
    assert_eq!(client(&server).task(7).rerun().send().await.unwrap().id(), 42);
    assert_eq!(server.asked().len(), 3);

    let server = Server::replying([Reply::Cut, started()]).await;
    let error = client(&server).task(7).rerun().again().send().await.unwrap_err();
    assert!(matches!(error, ClientError::Interrupted { .. }), "{error:?}");
    assert_eq!(server.asked().len(), 1);
}
