//! Redirects.

use super::*;

fn moved(status: &str, to: &str) -> String {
    format!(
        "HTTP/1.1 {status} Moved\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

fn following(url: &str) -> serde_json::Value {
    json!({
        "url": url,
        "redirects": 3,
        "headers": {"X-Api-Key": "the-key", "Authorization": "Bearer the-token"},
    })
}

#[tokio::test]
async fn a_redirect_is_not_followed_unless_the_param_allows_it() {
    let (inner, mut asked) = server(answer("200 OK", "there")).await;
    let (outer, _asked) = server(moved("302", &format!("http://{inner}/"))).await;
    let url = format!("http://{outer}/");
    check_error(run(&url).await.0, false, "answered 302 Found; set `redirects` in the param");
    assert!(asked.try_recv().is_err());
    let expected = json!({"url": url, "expect": 302, "redirects": 3}).to_string();
    assert_eq!(run(&expected).await.0.unwrap().as_str(), Some(""));
    assert!(asked.try_recv().is_err());
    let (result, lines) = run(&following(&url).to_string()).await;
    assert_eq!(result.unwrap().as_str(), Some("there"));
    assert!(lines.has(&format!("redirected to http://{inner}/")), "{:?}", lines.all());
}

#[tokio::test]
async fn redirects_are_bounded() {
    let (round, mut asked) = server(moved("302", "/again")).await;
    let (result, _) = run(&following(&format!("http://{round}/")).to_string()).await;
    check_error(result, false, "more than 3 redirects");
    asked.close();
    let mut times = 0;
    while asked.recv().await.is_some() {
        times += 1;
    }
    assert_eq!(times, 4);
    let (out, _asked) = server(moved("302", "ftp://elsewhere/")).await;
    let (result, _) = run(&following(&format!("http://{out}/")).to_string()).await;
    check_error(result, false, "has the scheme ftp:");
}

#[tokio::test]
async fn a_redirect_to_a_host_that_is_not_listed_is_rejected() {
    let (inner, mut asked) = server(answer("200 OK", "secret")).await;
    let port = inner.rsplit_once(':').unwrap().1;
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0.0.0.0"] {
        let (outer, _asked) = server(moved("302", &format!("http://{host}:{port}/"))).await;
        let param = following(&format!("http://{outer}/")).to_string();
        let (result, _) = run_with(calling(&["any", &outer]), &param).await;
        check_error(result, false, "which this executor does not call");
        assert!(asked.try_recv().is_err(), "{host} was called");
    }
}

#[tokio::test]
async fn nothing_that_the_job_supplied_goes_to_another_origin() {
    let (inner, mut asked) = server(answer("200 OK", "there")).await;
    let (outer, mut first) = server(moved("302", &format!("http://ann:own@{inner}/"))).await;
    let param = following(&format!("http://bob:the-password@{outer}/?token=the-query"));
    assert!(run(&param.to_string()).await.0.is_ok());
    assert!(first.recv().await.unwrap().contains("the-key"));
    let asked = asked.recv().await.unwrap().to_ascii_lowercase();
    for secret in ["the-key", "the-token", "the-query", "referer", "authorization", "cookie"] {
        assert!(!asked.contains(secret), "{asked}");
    }
}

#[tokio::test]
async fn headers_stay_with_their_origin_and_no_referer_is_sent() {
    let (round, mut asked) = server(moved("302", "/again")).await;
    let mut param = following(&format!("http://bob:pass@{round}/"));
    param["headers"] = json!({"X-Api-Key": "the-key"});
    check_error(run(&param.to_string()).await.0, false, "more than");
    for _ in 0..4 {
        let asked = asked.recv().await.unwrap();
        assert!(asked.contains("x-api-key: the-key"), "{asked}");
        assert!(asked.contains("authorization: Basic"), "{asked}");
        assert!(!asked.to_ascii_lowercase().contains("referer"), "{asked}");
    }
}

#[tokio::test]
async fn a_body_is_dropped_or_stays_with_its_origin() {
    let (inner, mut asked) = server(answer("200 OK", "there")).await;
    let to = format!("http://{inner}/");
    let post = |url: String| {
        json!({"url": url, "method": "POST", "body": {"n": 1}, "redirects": 1}).to_string()
    };
    let (seen, _asked) = server(moved("303", &to)).await;
    assert!(run(&post(format!("http://{seen}/"))).await.0.is_ok());
    let got = asked.recv().await.unwrap();
    assert!(got.starts_with("GET / ") && !got.contains("content-type"), "{got}");
    let (kept, _asked) = server(moved("307", &to)).await;
    let (result, _) = run(&post(format!("http://{kept}/"))).await;
    check_error(result, false, "would send the body to another origin");
    assert!(asked.try_recv().is_err());
    let (same, mut asked) = server(moved("308", "/again")).await;
    check_error(run(&post(format!("http://{same}/"))).await.0, false, "more than 1 redirects");
    for _ in 0..2 {
        assert!(asked.recv().await.unwrap().ends_with("\r\n\r\n{\"n\":1}"));
    }
}
