//! Orders on standard input, and the lines that answer them.

use std::io::Write as _;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::stage::Stage;

/// Prints one line.
pub(crate) fn say(line: &Value) {
    let mut out = std::io::stdout().lock();
    // Without a reader there is no one to serve, and standard input ends as well.
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// Follows the orders until standard input ends; if it is to `stay`, for ever.
pub(crate) async fn follow(stage: &mut Stage, stay: bool) {
    let (sender, mut lines) = mpsc::channel(1);
    // A thread of its own: reading cannot be cancelled, and the process ends all the same.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = lines.recv().await {
        let mut words = line.split_whitespace();
        let (order, about) = (words.next().unwrap_or_default(), words.next());
        match (order, about) {
            ("", None) => continue,
            ("kill", None) => stage.coordinator.kill(),
            ("up", None) => stage.coordinator.up().await,
            ("restart", None) => {
                if stage.coordinator.is_up() {
                    stage.coordinator.stop();
                }
                stage.coordinator.up().await;
            }
            ("leave", Some(service)) => stage.leave(service).await,
            ("join", Some(service)) => stage.join(service),
            _ => {
                say(&json!({"error": format!("unknown order: {line}")}));
                continue;
            }
        }
        say(&json!({"done": line.trim()}));
    }
    if stay {
        std::future::pending::<()>().await;
    }
}
