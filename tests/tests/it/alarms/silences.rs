//! Silenced alarms are not sent, and are shown as silenced.

use serde_json::{Value, json};

use super::{EXECUTOR, coordinator, fails, hook::Hook};

#[tokio::test(flavor = "multi_thread")]
async fn silenced_alarms_are_not_sent_and_later_ones_are() {
    let hook = Hook::listen().await;
    let coordinator = coordinator(&format!(
        "[alarms.hook]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{}/\"\n\
         group_wait = \"100ms\"\ngroup_interval = \"100ms\"\n",
        hook.port
    ))
    .await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    for job in ["quiet", "loud"] {
        rest.save(json!({"name": job, "handler": "fatal", "alarms": ["hook"]})).await;
    }
    let said = |words: &[&str]| {
        let output = coordinator.cli(words);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let sent = |job: &str| hook.of("failed").iter().filter(|message| message["job"] == job).count();

    said(&["alarm", "silence", "--job", "quiet", "--for", "2h", "--reason", "being fixed"]);
    let silenced = fails(&rest, "quiet", "silenced").await;
    assert_eq!((&silenced["kind"], &silenced["channel"]), (&json!("failed"), &json!("hook")));
    assert!(silenced["done_at"].is_string() && silenced["tries"] == 0, "{silenced}");
    fails(&rest, "loud", "sent").await;
    assert_eq!((sent("default.quiet"), sent("default.loud")), (0, 1));

    let silences = said(&["alarm", "silences"]);
    assert!(silences.contains("default.quiet") && silences.contains("being fixed"), "{silences}");
    let (_, page) = rest.get("/api/v1/alarms/silences").await.unwrap();
    let id = page["items"][0]["id"].as_i64().unwrap();
    said(&["alarm", "unsilence", &id.to_string()]);
    assert_eq!(said(&["alarm", "silences"]), "nothing is silenced\n");
    fails(&rest, "quiet", "sent").await;
    // The silenced alarm is not sent later.
    assert_eq!(sent("default.quiet"), 1);
    assert_eq!(hook.of("failed").iter().filter(|message| message["count"] != 1).count(), 0);

    said(&["alarm", "silence", "--channel", "hook", "--for", "30d"]);
    fails(&rest, "loud", "silenced").await;
    assert_eq!(sent("default.loud"), 1);

    let list = said(&["alarm", "list", "--job", "quiet", "--channel", "hook"]);
    let states: Vec<_> = list.lines().map(|line| line.split_whitespace().nth(5).unwrap()).collect();
    assert_eq!(states, ["STATE", "sent", "silenced"], "{list}");
    let (_, first) = rest.get("/api/v1/alarms?limit=3").await.unwrap();
    let next = format!("/api/v1/alarms?cursor={}", first["next_cursor"].as_str().unwrap());
    let (_, second) = rest.get(&next).await.unwrap();
    let ids = |page: &Value| -> Vec<i64> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|alarm| alarm["id"].as_i64().unwrap())
            .collect()
    };
    let ids = [ids(&first), ids(&second)].concat();
    assert!(ids.len() == 4 && ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
    assert_eq!(second["next_cursor"], Value::Null);

    for (ask, status, why) in [
        (json!({"job": "missing", "for": "1h"}), 422, "no job is named `missing`"),
        (json!({"channel": "x", "for": "1h"}), 422, "there are hook"),
        (json!({"for": "1h"}), 422, "a job, a channel or both"),
        (json!({"job": "loud"}), 422, "for: it is missing"),
        (json!({"job": "loud", "until": "2020-01-01T00:00:00Z"}), 422, "not in the future"),
        (json!({"job": "loud", "for": "31d"}), 422, "30 days"),
        (json!({"job": "loud", "for": "1h", "reason": "x".repeat(201)}), 422, "at most 200"),
        (json!({"job": "loud", "for": "1h", "why": "x"}), 422, "why"),
    ] {
        let path = "/api/v1/alarms/silences";
        let answer = rest.ask("POST", path, Some(ask.to_string())).await.unwrap();
        assert_eq!(answer.0, status, "{ask}: {}", answer.1);
        assert!(answer.1["detail"].as_str().unwrap().contains(why), "{ask}: {}", answer.1);
    }
    let gone = rest.ask("DELETE", &format!("/api/v1/alarms/silences/{id}"), None).await.unwrap();
    assert_eq!(gone.0, 404, "{}", gone.1);
}
