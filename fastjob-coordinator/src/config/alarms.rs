//! Alarm channels: `[alarms.NAME]`, one table per channel. Secrets are never shown.

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr, time::Duration};

use fastjob_core::{ChannelName, ServiceName, job::NO_ALARMS};
use reqwest::Url;

use super::template::Template;
use super::{Problem, coordinator::readable, read::Section};

/// A text that `Debug` does not show: a password, or a URL that contains a key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A channel, and how messages to it are grouped.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AlarmConfig {
    /// How long a message waits for more alarms of its kind. Default: 5 s.
    pub group_wait: Duration,
    /// Shortest time between two messages of the same job and kind. Default: 1 min.
    pub group_interval: Duration,
    /// The services of which jobs without channels of their own use this one. Default: none.
    pub default_for: Vec<ServiceName>,
    /// The destination.
    pub to: AlarmTo,
}

/// The destination of a channel.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AlarmTo {
    /// `type = "email"`.
    Email(EmailConfig),
    /// `type = "webhook"`.
    Webhook(WebhookConfig),
    /// `type = "dingtalk"`, `"feishu"`, `"lark"`, `"wecom"` or `"slack"`.
    Chat(ChatConfig),
}

/// A mail server, a sender and receivers.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct EmailConfig {
    /// The host name of the mail server.
    pub server: String,
    /// Its port. Default: 587 with STARTTLS, 465 with TLS, 25 without.
    pub port: Option<u16>,
    /// Encryption of the connection. Default: STARTTLS.
    pub tls: EmailTls,
    /// The user to log in as. Default: no login.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// Certificates to trust in addition to the machine's, in PEM, such as for a mail server with a
    /// private CA. Default: none.
    pub ca_cert: Option<PathBuf>,
    /// The sender.
    pub from: String,
    /// The receivers; at least one.
    pub to: Vec<String>,
}

/// Encryption of the connection to a mail server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmailTls {
    /// Upgraded by STARTTLS; fails if the server does not offer it.
    #[default]
    StartTls,
    /// TLS from the first byte on.
    Tls,
    /// None: for a server on the same machine.
    None,
}

impl FromStr for EmailTls {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "starttls" => Ok(Self::StartTls),
            "tls" => Ok(Self::Tls),
            "none" => Ok(Self::None),
            other => Err(format!("`{other}` is not one of starttls, tls, none")),
        }
    }
}

/// A URL that accepts POST requests.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct WebhookConfig {
    /// The URL.
    pub url: Secret,
    /// Headers to send.
    pub headers: BTreeMap<String, Secret>,
    /// The body, with `{{placeholders}}`. Default: JSON with all fields of the message.
    pub body: Option<String>,
}

/// A chat robot.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ChatConfig {
    /// The chat service.
    pub kind: ChatKind,
    /// The URL of the robot.
    pub url: Secret,
    /// The secret that signs messages, for DingTalk and Feishu. Default: messages are not signed.
    pub secret: Option<Secret>,
}

/// The chat services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChatKind {
    /// DingTalk.
    DingTalk,
    /// Feishu, named Lark outside China.
    Feishu,
    /// WeCom, the WeChat for companies.
    WeCom,
    /// Slack.
    Slack,
}

impl AlarmTo {
    /// The name, as in `type`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Webhook(_) => "webhook",
            Self::Chat(chat) => match chat.kind {
                ChatKind::DingTalk => "dingtalk",
                ChatKind::Feishu => "feishu",
                ChatKind::WeCom => "wecom",
                ChatKind::Slack => "slack",
            },
        }
    }
}

impl AlarmConfig {
    /// The default wait and interval.
    pub(crate) const GROUPING: (Duration, Duration) =
        (Duration::from_secs(5), Duration::from_secs(60));

    /// Reads one channel; `None` if its destination is unknown.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let (mut group_wait, mut group_interval) = Self::GROUPING;
        section.duration("group_wait", &mut group_wait);
        section.duration("group_interval", &mut group_interval);
        let mut default_for = Vec::new();
        for name in section.texts("default_for") {
            match name.parse() {
                Ok(service) => default_for.push(service),
                Err(err) => section.problem("default_for", format_args!("`{name}`: {err}")),
            }
        }
        let kind = section.text("type");
        let chat = |kind, section: &mut Section<'_>| {
            let url = section.text("url").unwrap_or_default().into();
            let signs = matches!(kind, ChatKind::DingTalk | ChatKind::Feishu);
            let secret = if signs { section.text("secret").map(Secret) } else { None };
            AlarmTo::Chat(ChatConfig { kind, url, secret })
        };
        let to = match kind.as_deref() {
            Some("email") => AlarmTo::Email(EmailConfig::read(section)),
            Some("webhook") => AlarmTo::Webhook(WebhookConfig {
                url: section.text("url").unwrap_or_default().into(),
                headers: section.texts_by_key("headers"),
                body: section.text("body"),
            }),
            Some("dingtalk") => chat(ChatKind::DingTalk, section),
            Some("feishu" | "lark") => chat(ChatKind::Feishu, section),
            Some("wecom") => chat(ChatKind::WeCom, section),
            Some("slack") => chat(ChatKind::Slack, section),
            Some(other) => {
                let there = "email, webhook, dingtalk, feishu, lark, wecom, slack";
                section.problem("type", format_args!("`{other}` is not one of {there}"));
                section.ignore_rest();
                return None;
            }
            None => {
                section
                    .problem("type", "it is missing: set email, webhook, dingtalk or another type");
                section.ignore_rest();
                return None;
            }
        };
        Some(Self { group_wait, group_interval, default_for, to })
    }

    /// Whether it contains secrets. The URL of a chat or webhook is enough to send messages there.
    pub(super) fn has_secrets(&self) -> bool {
        match &self.to {
            AlarmTo::Email(email) => email.password.is_some(),
            AlarmTo::Webhook(_) | AlarmTo::Chat(_) => true,
        }
    }

    pub(super) fn check(&self, name: &ChannelName, problems: &mut Vec<Problem>) {
        let mut problem = |key: &str, message: String| {
            problems.push(Problem::new(format!("alarms.{name}.{key}"), message));
        };
        if name.as_str() == NO_ALARMS {
            problem(
                "type",
                format!("a channel cannot be named `{NO_ALARMS}`: jobs use it for none"),
            );
        }
        if self.group_wait > Duration::from_secs(3600) {
            problem("group_wait", "it is longer than 1h".to_owned());
        }
        if self.group_interval > Duration::from_secs(24 * 3600) {
            problem("group_interval", "it is longer than 24h".to_owned());
        }
        match &self.to {
            AlarmTo::Email(email) => email.check(&mut problem),
            AlarmTo::Webhook(webhook) => {
                check_url(&webhook.url, &mut problem);
                for (name, value) in &webhook.headers {
                    if name.parse::<http::HeaderName>().is_err()
                        || value.expose().parse::<http::HeaderValue>().is_err()
                    {
                        problem("headers", format!("`{name}` is not a valid header name"));
                    }
                }
                if let Some(Err(why)) = webhook.body.as_deref().map(Template::parse) {
                    problem("body", why);
                }
            }
            AlarmTo::Chat(chat) => {
                check_url(&chat.url, &mut problem);
                if chat.secret.as_ref().is_some_and(|secret| secret.expose().is_empty()) {
                    problem("secret", "it is empty".to_owned());
                }
            }
        }
    }
}

/// Never shows the URL.
fn check_url(url: &Secret, problem: &mut impl FnMut(&str, String)) {
    if url.expose().is_empty() {
        return problem("url", "it is missing".to_owned());
    }
    match Url::parse(url.expose()) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {}
        Ok(_) => problem("url", "it is not an http or https URL".to_owned()),
        Err(err) => problem("url", format!("it is not a URL: {err}")),
    }
}

#[cfg(feature = "email")]
fn mailbox(address: &str) -> Result<(), lettre::address::AddressError> {
    address.parse::<lettre::message::Mailbox>().map(drop)
}

/// Addresses do not matter where nothing is sent to them.
#[cfg(not(feature = "email"))]
fn mailbox(_: &str) -> Result<(), std::convert::Infallible> {
    Ok(())
}

impl EmailConfig {
    fn read(section: &mut Section<'_>) -> Self {
        let mut port = 0;
        section.number("port", &mut port);
        let mut email = Self {
            server: section.text("server").unwrap_or_default(),
            user: section.text("user"),
            password: section.text("password").map(Secret),
            ca_cert: section.path("ca_cert"),
            from: section.text("from").unwrap_or_default(),
            to: section.texts("to"),
            ..Self::default()
        };
        section.parse("tls", &mut email.tls);
        match u16::try_from(port) {
            Ok(0) => {}
            Ok(port) => email.port = Some(port),
            Err(_) => section.problem("port", "it is above 65535"),
        }
        email
    }

    fn check(&self, problem: &mut impl FnMut(&str, String)) {
        if cfg!(not(feature = "email")) {
            problem(
                "type",
                "this build sends no e-mail: build it with the feature `email`".to_owned(),
            );
        }
        if self.server.is_empty() {
            problem("server", "it is missing".to_owned());
        }
        if self.user.is_some() != self.password.is_some() {
            problem("password", "set both user and password, or neither".to_owned());
        }
        if self.to.is_empty() {
            problem("to", "it has no receivers".to_owned());
        }
        let from = [("from", &self.from)];
        for (key, address) in from.into_iter().chain(self.to.iter().map(|to| ("to", to))) {
            if let Err(err) = mailbox(address) {
                problem(key, format!("`{address}` is not an e-mail address: {err}"));
            }
        }
        if let Some(Err(message)) = self.ca_cert.as_deref().map(readable) {
            problem("ca_cert", message);
        }
        if self.tls == EmailTls::None && self.ca_cert.is_some() {
            problem("ca_cert", "it requires tls = starttls or tls".to_owned());
        }
        let local = matches!(self.server.as_str(), "localhost" | "127.0.0.1" | "::1");
        if self.tls == EmailTls::None && self.password.is_some() && !local {
            problem("tls", "the password would be sent in plain text: use starttls or tls".into());
        }
    }
}
