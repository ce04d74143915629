//! Chat robots: DingTalk, Feishu (Lark), WeCom and Slack. Their answers are checked.

use reqwest::Client;
use serde_json::{Value, json};

use super::{Alarm, Error, Message, async_trait, http, sign};
use crate::{
    clock::wall_now,
    config::{ChatConfig, ChatKind},
};

/// Bytes that all of them accept; WeCom has the lowest limit.
const TEXT: usize = 4_000;

pub(super) struct Chat {
    http: Client,
    config: ChatConfig,
}

impl Chat {
    pub(super) fn new(config: ChatConfig) -> Result<Self, Error> {
        Ok(Self { http: http::client()?, config })
    }
}

#[async_trait]
impl Alarm for Chat {
    async fn send(&self, message: &Message) -> Result<(), Error> {
        let now = wall_now();
        let text = cut(message.text());
        let mut request = self.http.post(self.config.url.expose());
        let secret = self.config.secret.as_ref().map(|secret| secret.expose());
        let body = match self.config.kind {
            ChatKind::DingTalk => {
                if let Some(secret) = secret {
                    let millis = now.as_millisecond();
                    let sign = sign::dingtalk(secret, millis)?;
                    request = request.query(&[("timestamp", millis.to_string()), ("sign", sign)]);
                }
                let text = markdown(&text);
                json!({"msgtype": "markdown", "markdown": {"title": message.title(), "text": text}})
            }
            ChatKind::Feishu => {
                // The only markup in a text message: it mentions people, or everyone.
                let text = text.replace("<at", "< at");
                let mut body = json!({"msg_type": "text", "content": {"text": text}});
                if let Some(secret) = secret {
                    let seconds = now.as_second();
                    body["timestamp"] = seconds.to_string().into();
                    body["sign"] = sign::feishu(secret, seconds)?.into();
                }
                body
            }
            ChatKind::WeCom => {
                json!({"msgtype": "markdown", "markdown": {"content": cut(markdown(&text))}})
            }
            ChatKind::Slack => slack(message, &text),
        };
        let answer = http::send(request.json(&body)).await?;
        match self.config.kind {
            ChatKind::DingTalk | ChatKind::WeCom => http::wants_zero(&answer, "errcode"),
            ChatKind::Feishu => http::wants_zero(&answer, "code"),
            ChatKind::Slack if answer.trim_ascii() == b"ok" => Ok(()),
            ChatKind::Slack => {
                Err(format!("the answer was not ok: {}", http::shown(&answer)).into())
            }
        }
    }
}

fn slack(message: &Message, text: &str) -> Value {
    // A section is limited to 3,000 characters, and three characters are markup.
    let text: String = text.chars().take(2_500).collect();
    let safe = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text: String = safe(&text).chars().take(3_000).collect();
    json!({
        "text": safe(&message.title()),
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}],
    })
}

/// Escapes plain text for Markdown and keeps its line breaks.
fn markdown(text: &str) -> String {
    let mut to = String::with_capacity(text.len());
    for (n, line) in text.lines().enumerate() {
        if n > 0 {
            to.push_str("\n\n");
        }
        let (dash, line) = line.strip_prefix("- ").map_or(("", line), |line| ("- ", line));
        to.push_str(dash);
        for c in line.chars() {
            if "\\`*_[]<>#".contains(c) {
                to.push('\\');
            }
            to.push(c);
        }
    }
    to
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT {
        text.truncate(text.floor_char_boundary(TEXT - 4));
        text.push('…');
    }
    text
}
