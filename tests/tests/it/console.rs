//! The session of a browser, over real coordinators.

use fastjob_tests::process::Coordinator;
use serde_json::json;

use crate::{
    FASTJOB,
    cluster::{Cluster, LEASE},
};

const TOKEN: &str = "a-token-of-the-tests-1234";

/// A browser without pages.
struct Browser {
    client: reqwest::Client,
    cookie: String,
}

impl Browser {
    /// One that signs in.
    async fn sign_in(url: &str, token: &str) -> Option<Self> {
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let ask = client.post(format!("{url}/console/session")).header("origin", url);
        let answer = ask.json(&json!({ "token": token })).send().await.unwrap();
        let set = answer.headers().get("set-cookie")?.to_str().unwrap();
        let cookie = set.split(';').next().unwrap().to_owned();
        Some(Self { client, cookie })
    }

    /// Saves a job from a page of this origin; the error is the status.
    async fn save(&self, url: &str, origin: &str) -> Result<(), u16> {
        let ask = self.client.put(format!("{url}/api/v1/jobs/default.a")).header("origin", origin);
        let ask =
            ask.header("cookie", &self.cookie).json(&json!({"name": "a", "service": "default"}));
        let status = ask.send().await.unwrap().status();
        if status.is_success() { Ok(()) } else { Err(status.as_u16()) }
    }
}

#[tokio::test]
async fn a_session_survives_a_restart_and_ends_with_its_token() {
    let mut coordinator = Coordinator::prepare(FASTJOB).token(TOKEN);
    coordinator.up().await;
    let url = coordinator.url();
    assert!(Browser::sign_in(&url, "a-token-of-the-tests-1235").await.is_none());
    let browser = Browser::sign_in(&url, TOKEN).await.unwrap();
    assert_eq!(browser.save(&url, &url).await, Ok(()));
    assert_eq!(browser.save(&url, "http://127.0.0.1:1").await, Err(403));
    coordinator.kill();
    coordinator.up().await;
    assert_eq!(browser.save(&url, &url).await, Ok(()));
    coordinator.kill();
    let mut coordinator = coordinator.token("another-token-of-the-tests");
    coordinator.up().await;
    assert_eq!(browser.save(&url, &url).await, Err(401));
    let log = coordinator.said("coordinator");
    assert!(!log.contains(TOKEN) && !log.contains(&browser.cookie), "{log}");
}

#[tokio::test]
async fn the_page_is_served_without_a_token_and_finds_its_files() {
    let mut coordinator = Coordinator::prepare(FASTJOB).token(TOKEN);
    coordinator.up().await;
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let page = client.get(coordinator.url()).send().await.unwrap();
    assert!(page.url().path().ends_with("/console/"), "{}", page.url());
    let (at, html) = (page.url().clone(), page.text().await.unwrap());
    let script = html.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let script = client.get(at.join(script).unwrap()).send().await.unwrap();
    assert_eq!(script.status(), 200);
    assert!(script.headers()["cache-control"].to_str().unwrap().contains("immutable"));
}

#[tokio::test]
async fn a_session_is_valid_on_every_node_of_a_cluster() {
    let cluster = Cluster::with(2, LEASE, |node| node.token(TOKEN)).await;
    let browser = Browser::sign_in(&cluster.nodes[0].url(), TOKEN).await.unwrap();
    for node in &cluster.nodes {
        let url = node.url();
        assert_eq!(browser.save(&url, &url).await, Ok(()), "{url}");
    }
}
