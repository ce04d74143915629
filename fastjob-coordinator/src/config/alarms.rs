//! Alarm channels: `[alarms.NAME]`, one table per channel. Secrets are never shown.

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr, time::Duration};

use fastjob_core::{ChannelName, ServiceName, job::NO_ALARMS};
use reqwest::Url;
use toml::{Table, Value as Toml};

use super::{
    Problem, Template,
    coordinator::readable,
    read::Section,
    setting::{Group, at_most, settings},
    show::shown,
    visit::check_bounds,
};

/// Longest wait for more alarms of a kind.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// Longest time between two messages.
const INTERVAL_MAX: Duration = Duration::from_secs(24 * 3600);
/// The values of `type`.
pub(super) const TYPES: &str = "email, webhook, dingtalk, feishu, lark, wecom, slack";

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

settings! {
    /// An alarm channel, and how messages to it are grouped. `NAME` is the name that jobs use.
    pub struct AlarmConfig {
        /// How long a message waits for more alarms of its kind.
        pub group_wait: Duration = Duration::from_secs(5), at_most(WAIT_MAX);
        /// The shortest time between two messages of the same job and kind.
        pub group_interval: Duration = Duration::from_secs(60), at_most(INTERVAL_MAX);
        /// The services whose jobs use this channel if they have no channels of their own.
        pub default_for: Vec<ServiceName> = Vec::new();
    besides:
        /// The destination.
        pub to: AlarmTo = AlarmTo::Email(EmailConfig::default());
    }
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

settings! {
    /// A mail server, a sender and receivers.
    pub struct EmailConfig {
        /// The host name of the mail server. Required.
        pub server: String = String::new();
        /// The port of the mail server. If it is not set, 587 with `tls = "starttls"`, 465 with
        /// `"tls"`, and 25 with `"none"`.
        pub port: Option<u16> = None;
        /// How the connection to the mail server is encrypted: `starttls` upgrades it and fails if
        /// the server does not offer that, `tls` encrypts it from the first byte on, and `none` is
        /// for a server on the same machine.
        pub tls: EmailTls = EmailTls::StartTls;
        /// The user to log in as. Without it, there is no login.
        pub user: Option<String> = None;
        /// The password of the user.
        pub password: Option<Secret> = None;
        /// A PEM file with certificates to trust in addition to those of the machine, such as for a
        /// mail server with a private CA.
        pub ca_cert: Option<PathBuf> = None;
        /// The address of the sender. Required.
        pub from: String = String::new();
        /// The addresses of the receivers. At least one.
        pub to: Vec<String> = Vec::new();
    }
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

impl fmt::Display for EmailTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartTls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        })
    }
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

settings! {
    /// A URL that accepts POST requests.
    pub struct WebhookConfig {
        /// The URL. Required. It may contain a key, so it counts as a secret.
        pub url: Secret = Secret::default();
        /// Headers to send, such as `{ authorization = "Bearer …" }`.
        pub headers: BTreeMap<String, Secret> = BTreeMap::new();
        /// The body, with placeholders: `{{title}}`, `{{text}}`, `{{html}}`, `{{kind}}`, `{{job}}`,
        /// `{{count}}`, `{{first_at}}`, `{{last_at}}`, `{{reason}}`, `{{message}}` and `{{task}}`. If
        /// it is not set, JSON with `title`, `text`, `kind`, `job`, `count`, `first_at` and `last_at`.
        pub body: Option<String> = None;
    }
}

settings! {
    /// A chat robot.
    pub struct ChatConfig {
        /// The URL of the robot. Required. It contains a key, so it counts as a secret.
        pub url: Secret = Secret::default();
        /// The secret that signs messages. DingTalk and Feishu (Lark) only; without it, messages are
        /// not signed.
        pub secret: Option<Secret> = None;
    besides:
        /// The chat service.
        pub kind: ChatKind = ChatKind::Slack;
    }
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
    /// Reads one channel; `None` if its destination is unknown.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let kind = section.value::<String>("type");
        let mut alarm = Self::default();
        alarm.settings(section);
        let chat = |kind, section: &mut Section<'_>| {
            let mut chat = ChatConfig { kind, ..ChatConfig::default() };
            chat.settings(section);
            if chat.secret.is_some() && !matches!(kind, ChatKind::DingTalk | ChatKind::Feishu) {
                section.problem("secret", "only messages to dingtalk, feishu and lark are signed");
            }
            AlarmTo::Chat(chat)
        };
        alarm.to = match kind.as_deref() {
            Some("email") => {
                let mut email = EmailConfig::default();
                email.settings(section);
                AlarmTo::Email(email)
            }
            Some("webhook") => {
                let mut webhook = WebhookConfig::default();
                webhook.settings(section);
                AlarmTo::Webhook(webhook)
            }
            Some("dingtalk") => chat(ChatKind::DingTalk, section),
            Some("feishu" | "lark") => chat(ChatKind::Feishu, section),
            Some("wecom") => chat(ChatKind::WeCom, section),
            Some("slack") => chat(ChatKind::Slack, section),
            Some(other) => {
                section.problem("type", format_args!("`{other}` is not one of {TYPES}"));
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
        Some(alarm)
    }

    /// The table of the channel; secrets are not shown.
    pub(super) fn shown(&self) -> Table {
        let mut table = shown(self);
        table.insert("type".to_owned(), Toml::String(self.to.name().to_owned()));
        table.extend(match &self.to {
            AlarmTo::Email(email) => shown(email),
            AlarmTo::Webhook(webhook) => shown(webhook),
            AlarmTo::Chat(chat) => shown(chat),
        });
        table
    }

    /// Whether it contains secrets. The URL of a chat or webhook is enough to send messages there.
    pub(super) fn has_secrets(&self) -> bool {
        match &self.to {
            AlarmTo::Email(email) => email.password.is_some(),
            AlarmTo::Webhook(_) | AlarmTo::Chat(_) => true,
        }
    }

    pub(super) fn check(&self, name: &ChannelName, problems: &mut Vec<Problem>) {
        check_bounds(self, &format!("alarms.{name}"), problems);
        let mut problem = |key: &str, message: String| {
            problems.push(Problem::new(format!("alarms.{name}.{key}"), message));
        };
        if name.as_str() == NO_ALARMS {
            problem(
                "type",
                format!("a channel cannot be named `{NO_ALARMS}`: jobs use it for none"),
            );
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
        if self.port == Some(0) {
            problem("port", "it is 0".to_owned());
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
