//! Webhooks: a POST with a configurable body; any 2xx counts as success.

use reqwest::Client;

use super::{Alarm, AlarmKind, Error, Message, async_trait, http};
use crate::config::{Template, WebhookConfig};

pub(super) struct Webhook {
    http: Client,
    config: WebhookConfig,
    body: Template,
}

impl Webhook {
    pub(super) fn new(config: WebhookConfig) -> Result<Self, Error> {
        let body = Template::parse(config.body.as_deref().unwrap_or(Template::DEFAULT))?;
        Ok(Self { http: http::client()?, config, body })
    }
}

#[async_trait]
impl Alarm for Webhook {
    async fn send(&self, message: &Message) -> Result<(), Error> {
        let own = |name: &str| self.config.headers.keys().any(|key| key.eq_ignore_ascii_case(name));
        let mut request = self.http.post(self.config.url.expose()).body(fill(&self.body, message));
        if !own("content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in &self.config.headers {
            request = request.header(name, value.expose());
        }
        http::send(request).await.map(drop)
    }
}

fn fill(body: &Template, message: &Message) -> String {
    body.fill(|place| value(place, message))
}

fn value(place: &str, message: &Message) -> String {
    let first = message.items.first();
    match place {
        "title" => message.title(),
        "text" => message.text(),
        "html" => message.html(),
        "kind" => message.kind.map_or("several", AlarmKind::as_str).to_owned(),
        "job" => message.job.clone().unwrap_or_default(),
        "count" => message.count.to_string(),
        "first_at" => message.first_at.to_string(),
        "last_at" => message.last_at.to_string(),
        "reason" => first.map(|item| item.reason.clone()).unwrap_or_default(),
        "message" => first.map(|item| item.message.clone()).unwrap_or_default(),
        // The last placeholder: `parse` accepts no others.
        _ => first.and_then(|item| item.task).map(|task| task.to_string()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn values_cannot_break_out_of_the_json() {
        let mut message = Message::test("ops", Timestamp::UNIX_EPOCH);
        message.items[0].message = "\"}\n\\ {{job}}".to_owned();
        let body = Template::parse(r#"{"m":"{{message}}","n":{{ count }}}"#).unwrap();
        let body: serde_json::Value = serde_json::from_str(&fill(&body, &message)).unwrap();
        assert_eq!((&body["m"], &body["n"]), (&"\"}\n\\ {{job}}".into(), &1.into()));
        let default = fill(&Template::parse(Template::DEFAULT).unwrap(), &message);
        serde_json::from_str::<serde_json::Value>(&default).unwrap();
    }
}
