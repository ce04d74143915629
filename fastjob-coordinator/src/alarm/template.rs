//! Webhook bodies: JSON with `{{placeholders}}`, parsed once at the start.

use super::Message;

/// A body with placeholders.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Place(&'static str),
}

const PLACES: [&str; 11] = [
    "title", "text", "html", "kind", "job", "count", "first_at", "last_at", "reason", "message",
    "task",
];

impl Template {
    /// The default body.
    pub(crate) const DEFAULT: &str = r#"{"title":"{{title}}","text":"{{text}}","kind":"{{kind}}","job":"{{job}}","count":{{count}},"first_at":"{{first_at}}","last_at":"{{last_at}}"}"#;

    /// Parses a body; fails with what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, behind) =
                after.split_once("}}").ok_or("a {{ has no matching }}".to_owned())?;
            let name = name.trim();
            let place = PLACES.iter().find(|place| **place == name).ok_or_else(|| {
                format!("there is no placeholder `{name}`; there are {}", PLACES.join(", "))
            })?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Place(place));
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// The body for a message. Values are escaped for a JSON string.
    pub(crate) fn fill(&self, message: &Message) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Place(place) => json(&value(place, message)),
        };
        self.0.iter().map(part).collect()
    }
}

fn value(place: &str, message: &Message) -> String {
    let first = message.items.first();
    match place {
        "title" => message.title(),
        "text" => message.text(),
        "html" => message.html(),
        "kind" => message.kind.map_or("several", super::AlarmKind::as_str).to_owned(),
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

/// Escapes a text for a JSON string, without the quotes.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
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
        let body: serde_json::Value = serde_json::from_str(&body.fill(&message)).unwrap();
        assert_eq!((&body["m"], &body["n"]), (&"\"}\n\\ {{job}}".into(), &1.into()));
        let default = Template::parse(Template::DEFAULT).unwrap().fill(&message);
        serde_json::from_str::<serde_json::Value>(&default).unwrap();
    }

    #[test]
    fn unknown_placeholders_are_rejected() {
        assert!(Template::parse("{{jbo}}").unwrap_err().contains("`jbo`; there are title"));
        assert!(Template::parse("{{job").unwrap_err().contains("no matching }}"));
    }
}
