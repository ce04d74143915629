//! Changes of a job that expect a version, and actions on many.

use fastjob_client::{
    ClientError,
    types::{JobAction, JobsRequest, TaskAction, TasksRequest},
};
use serde_json::json;

use crate::{
    client, job,
    server::{Reply, Server},
};

#[tokio::test]
async fn a_change_that_expects_a_version_is_sent_once_and_says_which_version_there_is() {
    let mut stale = json!({
        "type": "urn:fastjob:problem:precondition-failed", "title": "Changed meanwhile",
        "status": 412, "detail": "it is at revision 3", "problems": [],
    });
    stale["revision"] = json!(3);
    let replies = [Reply::json(&job("a")), Reply::Answer(412, stale.to_string()), Reply::Cut];
    let server = Server::replying(replies).await;
    let a = client(&server).job("a");
    let seen = a.get().await.unwrap();
    assert_eq!(seen.etag(), "\"7-2\"");
    let error = a.only_if(&seen).disable().await.unwrap_err();
    assert!(!error.is_transient() && !error.may_have_had_effect());
    let ClientError::Changed(problem) = error else { panic!("{error:?}") };
    assert_eq!(problem.extensions["revision"], 3);
    // Sent again, it would fail although it was made.
    let lost = a.only_if(&seen).enable().await.unwrap_err();
    assert!(matches!(lost, ClientError::Interrupted { .. }), "{lost:?}");
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn the_filter_of_a_list_is_that_of_an_action() {
    let bulk = json!({ "matched": 0, "done": 0, "failed": 0, "not_done": 0, "items": [],
        "dry_run": true });
    let server = Server::replying([Reply::json(&bulk)]).await;
    let client = client(&server);
    let filter = client.jobs().service("s").label("x=1").label("y").ends(1).filter();
    let mut request = JobsRequest::matching(JobAction::Enable, filter);
    (request.dry_run, request.expect) = (true, Some(3));
    client.bulk_jobs(&request).await.unwrap();
    let mut request = TasksRequest::named(TaskAction::Stop, vec![7]);
    request.reason = Some("why".to_owned());
    client.bulk_tasks(&request).await.unwrap();
    let token = "Bearer 0123456789abcdef";
    assert_eq!(
        server.asked(),
        [
            format!(
                r#"POST /api/v1/jobs/bulk {token} {{"action":"enable","filter":{{"label":["x=1","y"],"service":["s"]}},"dry_run":true,"expect":3}}"#
            ),
            format!(
                r#"POST /api/v1/tasks/bulk {token} {{"action":"stop","tasks":[7],"reason":"why"}}"#
            ),
        ]
    );
}
