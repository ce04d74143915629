//! What a channel sends: one or many alarms in one message.

use std::fmt::Write;

use jiff::Timestamp;

use super::{AlarmKind, group::Group};
use crate::store::WaitingAlarm;

/// One message, about one alarm or many.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// What happened; `None` if the alarms are of several kinds.
    pub kind: Option<AlarmKind>,
    /// The job as `service.name`; `None` if the alarms are of several jobs.
    pub job: Option<String>,
    /// The number of alarms.
    pub count: usize,
    /// When the first alarm was raised.
    pub first_at: Timestamp,
    /// When the last alarm was raised.
    pub last_at: Timestamp,
    /// The first alarms; at least one, at most ten.
    pub items: Vec<Item>,
}

/// One alarm.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Item {
    /// What happened.
    pub kind: AlarmKind,
    /// The job as `service.name`.
    pub job: String,
    /// The task, if there is one.
    pub task: Option<i64>,
    /// When it was raised.
    pub at: Timestamp,
    /// The reason, in a word or two.
    pub reason: String,
    /// The message of the handler or the coordinator.
    pub message: String,
    /// Where it ran, if anywhere.
    pub executor: Option<String>,
    /// How many attempts were made.
    pub attempts: u32,
}

impl Message {
    pub(super) fn of(group: &Group) -> Self {
        Self {
            kind: group.alike.then_some(group.first.kind),
            job: group.alike.then(|| group.first.job_name.clone()),
            count: group.numbers.len(),
            first_at: group.first.at,
            last_at: group.last.at,
            items: group.examples.iter().map(Item::of).collect(),
        }
    }

    /// A message to test a channel.
    pub(super) fn test(channel: &str, at: Timestamp) -> Self {
        let item = Item {
            kind: AlarmKind::Failed,
            job: "fastjob.test".to_owned(),
            task: None,
            at,
            reason: "test".to_owned(),
            message: format!("this is a test of the channel {channel}; nothing has failed"),
            executor: None,
            attempts: 0,
        };
        let (kind, job) = (Some(item.kind), Some(item.job.clone()));
        Self { kind, job, count: 1, first_at: at, last_at: at, items: vec![item] }
    }

    /// One line: for a subject or a short message.
    pub fn title(&self) -> String {
        let times = if self.count > 1 { format!(" ({} times)", self.count) } else { String::new() };
        match (&self.job, self.kind) {
            (Some(job), Some(kind)) => format!("{job} {}{times}", kind.words()),
            _ => format!("{} alarms of several jobs", self.count),
        }
    }

    /// The whole message as plain text.
    pub fn text(&self) -> String {
        let mut text = self.title();
        text.push('\n');
        text.push_str(&self.span());
        for item in &self.items {
            text.push_str("\n- ");
            text.push_str(&item.line());
        }
        if let Some(rest) = self.rest() {
            text.push('\n');
            text.push_str(&rest);
        }
        text
    }

    /// The whole message as HTML; external text is escaped.
    pub fn html(&self) -> String {
        let mut html = format!(
            "<!doctype html><html><body><h2>{}</h2><p>{}</p><ul>",
            escaped(&self.title()),
            escaped(&self.span())
        );
        for item in &self.items {
            html.push_str("<li>");
            html.push_str(&escaped(&item.line()));
            html.push_str("</li>");
        }
        html.push_str("</ul>");
        if let Some(rest) = self.rest() {
            html.push_str("<p>");
            html.push_str(&rest);
            html.push_str("</p>");
        }
        html.push_str("</body></html>");
        html
    }

    fn span(&self) -> String {
        if self.count == 1 {
            return format!("at {:.0}", self.first_at);
        }
        format!("{} alarms from {:.0} to {:.0}", self.count, self.first_at, self.last_at)
    }

    fn rest(&self) -> Option<String> {
        let rest = self.count.saturating_sub(self.items.len());
        (rest > 0).then(|| format!("… and {rest} more"))
    }
}

impl Item {
    fn of(alarm: &WaitingAlarm) -> Self {
        Self {
            kind: alarm.kind,
            job: alarm.job_name.clone(),
            task: alarm.task.map(|task| task.0),
            at: alarm.at,
            reason: alarm.reason.clone(),
            message: alarm.message.clone(),
            executor: alarm.executor.clone(),
            attempts: alarm.attempts,
        }
    }

    fn line(&self) -> String {
        let mut line = format!("{:.0} {} {}", self.at, self.job, self.kind.words());
        // Writing to a String cannot fail.
        if !self.reason.is_empty() {
            let _ = write!(line, ": {}", self.reason);
        }
        if !self.message.is_empty() {
            let _ = write!(line, ": {}", self.message);
        }
        if let Some(task) = self.task {
            let _ = write!(line, " (task {task}, attempts {}", self.attempts);
            if let Some(executor) = &self.executor {
                let _ = write!(line, ", on {executor}");
            }
            line.push(')');
        }
        line
    }
}

fn escaped(text: &str) -> String {
    let mut to = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            '\'' => to.push_str("&#39;"),
            other => to.push(other),
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_text_cannot_be_html() {
        let mut message = Message::test("ops", Timestamp::UNIX_EPOCH);
        message.items[0].message = "<script>".to_owned();
        assert!(message.html().contains("&lt;script&gt;"), "{}", message.html());
        assert!(message.text().contains("<script>"), "{}", message.text());
    }

    #[test]
    fn a_storm_says_how_many_and_when() {
        let mut message = Message::test("ops", Timestamp::UNIX_EPOCH);
        message.count = 10_000;
        assert_eq!(message.title(), "fastjob.test failed (10000 times)");
        assert!(message.text().contains("… and 9999 more"), "{}", message.text());
        assert!(message.text().contains("from 1970-01-01T00:00:00Z"), "{}", message.text());
    }
}
