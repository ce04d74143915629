//! Webhook bodies: JSON with `{{placeholders}}`, parsed once at the start.

/// A body with placeholders.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Place(&'static str),
}

impl Template {
    /// The names of the placeholders.
    pub(super) const PLACES: [&str; 11] = [
        "title", "text", "html", "kind", "job", "count", "first_at", "last_at", "reason",
        "message", "task",
    ];

    /// The default body.
    pub(crate) const DEFAULT: &str = r#"{"title":"{{title}}","text":"{{text}}","kind":"{{kind}}","job":"{{job}}","count":{{count}},"first_at":"{{first_at}}","last_at":"{{last_at}}"}"#;

    /// Parses a body; fails with what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, behind) =
                after.split_once("}}").ok_or("a {{ has no matching }}".to_owned())?;
            let name = name.trim();
            let place = Self::PLACES.iter().find(|place| **place == name).ok_or_else(|| {
                format!("there is no placeholder `{name}`; there are {}", Self::PLACES.join(", "))
            })?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Place(place));
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// The body with these values, which are escaped for a JSON string.
    pub(crate) fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Place(place) => json(&value(place)),
        };
        self.0.iter().map(part).collect()
    }
}

/// Escapes a text for a JSON string, without the quotes.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_placeholders_are_rejected() {
        assert!(Template::parse("{{jbo}}").unwrap_err().contains("`jbo`; there are title"));
        assert!(Template::parse("{{job").unwrap_err().contains("no matching }}"));
    }
}
