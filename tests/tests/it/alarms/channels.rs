//! Every kind of webhook has the format of its service: fields, signature, limits, markup.

use base64::{Engine, prelude::BASE64_STANDARD};
use fastjob_tests::now;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::{
    EXECUTOR, coordinator, fails,
    hook::{Hook, Request},
    shown,
};

const CHANNELS: &str = r#"
[alarms.dingtalk]
type = "dingtalk"
url = "URL/dingtalk?access_token=KEY"
secret = "SECding"
group_wait = "100ms"

[alarms.dingtalk-wrong]
type = "dingtalk"
url = "URL/dingtalk?access_token=KEY"
secret = "SECother"

[alarms.feishu]
type = "feishu"
url = "URL/feishu/KEY"
secret = "SECfei"
group_wait = "100ms"

[alarms.wecom]
type = "wecom"
url = "URL/wecom?key=KEY"
group_wait = "100ms"

[alarms.slack]
type = "slack"
url = "URL/slack/KEY"
group_wait = "100ms"

[alarms.slack-wrong]
type = "slack"
url = "URL/closed/KEY"

[alarms.own]
type = "webhook"
url = "URL/own?team=ops"
headers = { authorization = "Bearer TOKEN", content-type = "application/vnd.own+json" }
body = '{"summary":"{{title}}","job":"{{job}}","why":"{{reason}}: {{message}}","n":{{count}},"task":"{{task}}","at":"{{first_at}}"}'
group_wait = "100ms"
"#;

fn hmac(key: &str, over: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(over.as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// Whether seconds since the epoch are close enough to now for the chat services.
fn is_now(seconds: i64) -> bool {
    (now().as_second() - seconds).abs() < 3600
}

/// Answers like the chat services: they reject a message with status 200 and an error code.
fn answer(request: &Request) -> String {
    let (query, body) = (&request.query, &request.body);
    let get = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let is_json = request.headers.get("content-type").is_some_and(|it| it == "application/json");
    match request.path.as_str() {
        "/dingtalk" => {
            let millis = get("timestamp").parse().unwrap_or(0);
            let signed = hmac("SECding", &format!("{millis}\nSECding")) == get("sign");
            let right = get("access_token") == "KEY" && signed && is_now(millis / 1000) && is_json;
            json!({"errcode": if right { 0 } else { 310_000 }, "errmsg": "sign not match"})
        }
        "/feishu/KEY" => {
            let seconds = body["timestamp"].as_str().unwrap_or_default();
            let signed = body["sign"] == hmac(&format!("{seconds}\nSECfei"), "");
            let right = signed && is_now(seconds.parse().unwrap_or(0)) && is_json;
            json!({"code": if right { 0 } else { 19_021 }, "msg": "sign match fail"})
        }
        "/wecom" => {
            let right = get("key") == "KEY" && body["msgtype"] == "markdown" && is_json;
            json!({"errcode": if right { 0 } else { 93_000 }, "errmsg": "invalid webhook url"})
        }
        "/slack/KEY" if is_json => return "ok".to_owned(),
        "/closed/KEY" => return "channel_is_archived".to_owned(),
        _ => return String::new(),
    }
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_webhook_has_the_format_of_its_service() {
    let hook = Hook::answering(answer).await;
    let url = format!("http://127.0.0.1:{}", hook.port);
    let coordinator = coordinator(&CHANNELS.replace("URL", &url)).await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let channels = ["dingtalk", "feishu", "wecom", "slack", "own"];
    rest.save(json!({"name": "bad", "handler": "fatal", "alarms": channels})).await;
    let task = fails(&rest, "bad", "sent").await["task"].clone();
    fastjob_tests::eventually("all are sent", std::time::Duration::from_secs(20), || async {
        shown(&rest, "bad").await.iter().all(|alarm| alarm["state"] == "sent").then_some(())
    })
    .await;
    assert_eq!(shown(&rest, "bad").await.len(), channels.len());

    let requests = hook.requests();
    assert_eq!(requests.len(), channels.len(), "{requests:?}");
    assert!(requests.iter().all(|request| request.method == "POST"));
    let at = |path: &str| requests.iter().find(|request| request.path == path).unwrap();
    let says = |text: &serde_json::Value| {
        let text = text.as_str().unwrap();
        for part in ["default.bad failed", "no use", &format!("task {task}"), "on e1"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(text.len() <= 4_096, "{}", text.len());
    };
    let dingtalk = &at("/dingtalk").body;
    assert_eq!(dingtalk["msgtype"], "markdown");
    assert_eq!(dingtalk["markdown"]["title"], "default.bad failed");
    says(&dingtalk["markdown"]["text"]);
    let feishu = &at("/feishu/KEY").body;
    assert_eq!(feishu["msg_type"], "text");
    says(&feishu["content"]["text"]);
    says(&at("/wecom").body["markdown"]["content"]);
    let slack = &at("/slack/KEY").body;
    assert_eq!(
        (&slack["text"], &slack["blocks"][0]["type"]),
        (&json!("default.bad failed"), &json!("section"))
    );
    assert_eq!(slack["blocks"][0]["text"]["type"], "mrkdwn");
    says(&slack["blocks"][0]["text"]["text"]);
    let own = at("/own");
    assert_eq!(own.query["team"], "ops");
    assert_eq!(own.headers["authorization"], "Bearer TOKEN");
    assert_eq!(own.headers["content-type"], "application/vnd.own+json");
    let at: jiff::Timestamp = own.body["at"].as_str().unwrap().parse().unwrap();
    assert!(is_now(at.as_second()));
    assert_eq!(
        own.body,
        json!({"summary": "default.bad failed", "job": "default.bad", "why": "fatal error: no use",
            "n": 1, "task": task.to_string(), "at": own.body["at"]})
    );

    // A rejection shows the service's reason, and never the secrets in the URL.
    for (channel, why) in [("dingtalk-wrong", "errcode 310000"), ("slack-wrong", "archived")] {
        let tested = coordinator.cli(&["alarm", "test", channel]);
        let said = String::from_utf8_lossy(&tested.stderr);
        assert!(!tested.status.success() && said.contains(why), "{said}");
        assert!(!said.contains("KEY"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_message_is_truncated_and_its_markup_is_escaped() {
    let hook = Hook::answering(answer).await;
    let url = format!("http://127.0.0.1:{}", hook.port);
    let channels =
        CHANNELS.replace("URL", &url).replace("\"100ms\"", "\"3s\"\ngroup_interval = \"1s\"");
    let coordinator = coordinator(&channels).await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let channels = ["wecom", "slack", "dingtalk", "feishu"];
    rest.save(json!({"name": "loud", "handler": "complains", "alarms": channels,
        "block": {"max_waiting": 100}}))
        .await;
    let complaint = "<!channel> <at user_id=\"all\"></at> & [here](http://x) *坏了* ".repeat(20);
    for _ in 0..12 {
        rest.start("loud", json!({"param": complaint})).await;
    }
    fastjob_tests::eventually("all are sent", std::time::Duration::from_secs(30), || async {
        let all = shown(&rest, "loud").await;
        let wrong = all.iter().find(|alarm| alarm["last_error"].is_string());
        assert!(wrong.is_none(), "{wrong:?}");
        (all.len() == 48 && all.iter().all(|alarm| alarm["state"] == "sent")).then_some(())
    })
    .await;
    for request in hook.requests() {
        let (body, path) = (&request.body, request.path.as_str());
        let text = match path {
            "/wecom" => &body["markdown"]["content"],
            "/dingtalk" => &body["markdown"]["text"],
            "/feishu/KEY" => &body["content"]["text"],
            _ => &body["blocks"][0]["text"]["text"],
        };
        let text = text.as_str().unwrap();
        match path {
            "/wecom" => assert!(text.len() <= 4_096, "{}", text.len()),
            "/slack/KEY" => assert!(text.chars().count() <= 3_000 && !text.contains("<!channel>")),
            "/feishu/KEY" => assert!(!text.contains("<at"), "{text}"),
            _ => {}
        }
        if matches!(path, "/wecom" | "/dingtalk") {
            assert!(!text.contains("[here]") && !text.contains(" *"), "{text}");
        }
        assert!(text.contains("坏了"), "{text}");
    }
}
