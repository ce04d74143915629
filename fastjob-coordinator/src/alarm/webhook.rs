//! Webhooks: a POST with a configurable body; any 2xx counts as success.

use reqwest::Client;

use super::{Alarm, Error, Message, Template, async_trait, http};
use crate::config::WebhookConfig;

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
        let mut request = self.http.post(self.config.url.expose()).body(self.body.fill(message));
        if !own("content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in &self.config.headers {
            request = request.header(name, value.expose());
        }
        http::send(request).await.map(drop)
    }
}
