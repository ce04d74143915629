//! Reads definitions as they are stored. Most jobs of a large store have the same settings, and the
//! same labels, as many others: these are parsed and checked once, and shared.

use std::{
    borrow::Cow,
    cell::Cell,
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    About, InvalidJob, Job, JobDraft, Settings,
    check::{Problems, check_about, check_param},
    param_text,
};
use crate::id::JobName;

/// How many different values are remembered of each kind, which limits the memory of a long read.
const KNOWN_MOST: usize = 131_072;
/// Most bytes of their texts.
const KNOWN_BYTES: usize = 48 * 1024 * 1024;
/// Most bytes that a thread keeps for its next definition.
const KEPT: usize = 16 * 1024;

/// Reads definitions, and remembers the settings and labels in them. Several threads may use it.
#[derive(Debug, Default)]
pub struct Definitions {
    /// By their text, as [`Outline`] collects it.
    settings: Known<Settings>,
    /// By the texts of the description and the labels.
    abouts: Known<About>,
}

/// Values that were read before.
#[derive(Debug)]
struct Known<T>(RwLock<Texts<T>>);

#[derive(Debug)]
struct Texts<T> {
    values: HashMap<Box<str>, Arc<T>>,
    /// The size of the texts in bytes.
    bytes: usize,
}

impl<T> Default for Texts<T> {
    fn default() -> Self {
        Self { values: HashMap::new(), bytes: 0 }
    }
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T> Known<T> {
    fn get(&self, text: &str) -> Option<Arc<T>> {
        // A panic while it was locked leaves nothing half done.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.values.get(text).map(Arc::clone)
    }

    /// Remembers a value, and returns it, or an equal one that is known. All others are forgotten
    /// when there are too many.
    fn add(&self, text: &str, value: &Arc<T>) -> Arc<T> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = known.values.get(text) {
            return Arc::clone(other);
        }
        let mut forgotten = None;
        if known.values.len() >= KNOWN_MOST || known.bytes + text.len() > KNOWN_BYTES {
            forgotten = Some(std::mem::take(&mut *known));
        }
        known.bytes += text.len();
        known.values.insert(text.into(), Arc::clone(value));
        // Freeing them takes a while, and others wait for the lock.
        drop(known);
        drop(forgotten);
        Arc::clone(value)
    }
}

/// Why a stored definition cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDefinition {
    /// It is not a draft.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The draft is not valid.
    #[error(transparent)]
    Job(#[from] InvalidJob),
}

impl Definitions {
    /// Reads a definition, a [`JobDraft`] in JSON.
    ///
    /// # Errors
    ///
    /// Fails if the text is not a valid draft.
    pub fn read(&self, text: &str) -> Result<Job, InvalidDefinition> {
        thread_local! {
            /// For the settings of one definition after another.
            static SETTINGS: Cell<String> = const { Cell::new(String::new()) };
        }
        let mut settings = SETTINGS.take();
        settings.clear();
        let read = self.read_with(text, &mut settings);
        if settings.capacity() <= KEPT {
            SETTINGS.set(settings);
        }
        read
    }

    fn read_with(&self, text: &str, settings: &mut String) -> Result<Job, InvalidDefinition> {
        let outline = Outline::of(text, settings);
        if let Some(outline) = &outline
            && let Some(settings) = self.settings.get(outline.settings)
            && let Some(job) = outline.job(settings, &self.abouts)
        {
            return Ok(job);
        }
        // Also reads what the outline cannot, and finds what is wrong.
        let mut job = Job::try_from(serde_json::from_str::<JobDraft>(text)?)?;
        if let Some(outline) = outline {
            job.settings = self.settings.add(outline.settings, &job.settings);
        }
        Ok(job)
    }
}

/// A definition of which only the fields are parsed that are a job's own.
struct Outline<'a, 's> {
    name: Option<&'a str>,
    param: Option<&'a RawValue>,
    enabled: Option<bool>,
    description: Option<&'a RawValue>,
    labels: Option<&'a RawValue>,
    /// The names and texts of all other fields.
    settings: &'s mut String,
    /// Whether there is a handler: without one, the settings depend on the name.
    has_handler: bool,
    /// Whether there are children: a check compares them with the name.
    has_children: bool,
}

impl<'a, 's> Outline<'a, 's> {
    /// `None` for a text of which each field has to be parsed and checked.
    fn of(text: &'a str, settings: &'s mut String) -> Option<Self> {
        let mut outline = Self {
            name: None,
            param: None,
            enabled: None,
            description: None,
            labels: None,
            settings,
            has_handler: false,
            has_children: false,
        };
        let mut json = serde_json::Deserializer::from_str(text);
        (&mut outline).deserialize(&mut json).ok()?;
        json.end().ok()?;
        (outline.has_handler && !outline.has_children).then_some(outline)
    }

    /// The job with these settings; `None` if one of its own fields is not valid.
    fn job(&self, settings: Arc<Settings>, abouts: &Known<About>) -> Option<Job> {
        let name: JobName = self.name?.parse().ok()?;
        let param = match self.param.map(RawValue::get) {
            None => None,
            Some(text) if text.starts_with('"') => Some(borrowed(text)?),
            Some(text) => param_text(&serde_json::from_str(text).ok()?).map(Cow::from),
        };
        let mut problems = Problems::default();
        check_param(param.as_deref(), &mut problems);
        problems.0.is_empty().then_some(())?;
        Some(Job {
            name,
            param: param.map(|param| Arc::from(&*param)),
            enabled: self.enabled.unwrap_or(true),
            about: self.about(abouts)?,
            settings,
        })
    }

    /// The description and the labels, shared with other jobs; `None` if one is not valid.
    fn about(&self, abouts: &Known<About>) -> Option<Option<Arc<About>>> {
        let texts = [self.description, self.labels].map(|text| text.map_or("", RawValue::get));
        if texts == ["", ""] {
            return Some(None);
        }
        // JSON does not contain this character.
        let key = texts.join("\0");
        if let Some(known) = abouts.get(&key) {
            return Some(Some(known));
        }
        let description: Option<String> = self.description.map_or(Some(None), parsed)?;
        let labels: BTreeMap<_, _> = self.labels.map_or(Some(BTreeMap::new()), parsed)?;
        let mut problems = Problems::default();
        check_about(description.as_deref(), &labels, &mut problems);
        problems.0.is_empty().then_some(())?;
        Some(About::new(description, labels).map(|about| abouts.add(&key, &about)))
    }
}

fn parsed<T: serde::de::DeserializeOwned>(value: &RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}

/// A JSON text without its quotes, not copied if it has no escapes.
fn borrowed(text: &str) -> Option<Cow<'_, str>> {
    // Trying to borrow a text with escapes would format an error.
    match text.contains('\\') {
        false => serde_json::from_str::<&str>(text).ok().map(Cow::from),
        true => serde_json::from_str::<String>(text).ok().map(Cow::from),
    }
}

impl<'de> DeserializeSeed<'de> for &mut Outline<'de, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Outline<'de, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a definition")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let twice = |name| Err(serde::de::Error::duplicate_field(name));
        while let Some(field) = map.next_key::<&'de str>()? {
            match field {
                "name" if self.name.is_none() => self.name = Some(map.next_value()?),
                "param" if self.param.is_none() => self.param = Some(map.next_value()?),
                "enabled" if self.enabled.is_none() => self.enabled = Some(map.next_value()?),
                "description" if self.description.is_none() => {
                    self.description = Some(map.next_value()?);
                }
                "labels" if self.labels.is_none() => self.labels = Some(map.next_value()?),
                "name" | "param" | "enabled" | "description" | "labels" => {
                    return twice("one of the job's own");
                }
                "children" => {
                    self.has_children = true;
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    let value: &'de RawValue = map.next_value()?;
                    self.has_handler |= field == "handler" && value.get() != "null";
                    // Neither a name nor a value contains this character, so the text of different
                    // fields is different.
                    for part in [field, value.get()] {
                        self.settings.push_str(part);
                        self.settings.push('\0');
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads it as a definition, several times, and compares that with the draft.
    #[track_caller]
    fn check(definitions: &Definitions, text: &str) -> Option<Job> {
        let draft = serde_json::from_str::<JobDraft>(text).map_err(|err| err.to_string());
        let job = draft.and_then(|draft| Job::try_from(draft).map_err(|err| err.to_string()));
        for _ in 0..2 {
            let read = definitions.read(text).map_err(|err| err.to_string());
            assert_eq!(read, job, "{text}");
        }
        definitions.read(text).ok()
    }

    const SETTINGS: &str = r#""handler":"h","schedule":{"cron":"0 0 * * *"}"#;

    #[test]
    fn jobs_that_differ_in_what_is_their_own_share_their_settings() {
        let definitions = Definitions::default();
        let first = check(&definitions, &format!(r#"{{"name":"a",{SETTINGS}}}"#)).unwrap();
        for own in [
            r#""name":"报表""#,
            r#""name":"b","param":"text \"with\" escapes","enabled":false"#,
            r#""name":"c","param":{"tenant": 7 , "of":[1.50, null]},"description":"é\n""#,
            r#""name":"d","param":null,"labels":{"team":"a","k\"":"ü"}"#,
            r#""name":"e","param":"""#,
        ] {
            let job = check(&definitions, &format!("{{{own},{SETTINGS}}}")).unwrap();
            assert!(Arc::ptr_eq(&first.settings, &job.settings), "{own}");
        }
        let other = r#"{"name":"a","handler":"h","schedule":{"cron":"0 1 * * *"}}"#;
        let other = check(&definitions, other).unwrap();
        assert!(!Arc::ptr_eq(&first.settings, &other.settings));
        // The texts of its fields are the same, the fields are not.
        let moved = r#"{"name":"a","handler":"h","timeout":"5s","grace":"1s"}"#;
        let moved = [moved, r#"{"name":"a","handler":"h","timeout":"1s","grace":"5s"}"#];
        let [one, two] = moved.map(|text| check(&definitions, text).unwrap());
        assert_ne!(one.timeout, two.timeout);
    }

    #[test]
    fn what_is_wrong_in_a_jobs_own_fields_is_found_although_its_settings_are_known() {
        let definitions = Definitions::default();
        let with = |own: &str| format!("{{{own},{SETTINGS}}}");
        assert!(check(&definitions, &with(r#""name":"a""#)).is_some());
        let long = format!(r#""name":"a","description":"{}""#, "x".repeat(5_000));
        for own in [
            r#""name":"not a name""#,
            r#""name":"a","name":"b""#,
            r#""name":"a","enabled":"yes""#,
            r#""name":"a","labels":{"":"no key"}"#,
            r#""name":"a","labels":["x"]"#,
            r#""name":"a","param":{"x"}"#,
            r#""name":"a","handler":"twice""#,
            r#""name":"a","newer":1"#,
            r#""description":"without a name""#,
            &long,
        ] {
            assert_eq!(check(&definitions, &with(own)), None, "{own}");
        }
        assert_eq!(check(&definitions, &(with(r#""name":"a""#) + "}")), None);
    }

    #[test]
    fn settings_that_depend_on_the_name_are_not_shared() {
        let definitions = Definitions::default();
        let [a, b] = ["a", "b"].map(|name| {
            check(&definitions, &format!(r#"{{"name":"{name}"}}"#)).unwrap().handler.to_string()
        });
        assert_eq!((a.as_str(), b.as_str()), ("a", "b"));
        let [a, b] = ["a", "b"].map(|name| {
            let text = format!(r#"{{"name":"{name}","handler":null}}"#);
            check(&definitions, &text).unwrap().handler.to_string()
        });
        assert_eq!((a.as_str(), b.as_str()), ("a", "b"));
        let child = |name: &str| {
            format!(r#"{{"name":"{name}","handler":"h","children":[{{"job":"child"}}]}}"#)
        };
        assert!(check(&definitions, &child("parent")).is_some());
        assert!(check(&definitions, &child("child")).is_none());
    }

    #[test]
    fn jobs_with_the_same_labels_and_description_share_them() {
        let definitions = Definitions::default();
        let read = |own: &str| {
            check(&definitions, &format!(r#"{{"name":"a",{own},{SETTINGS}}}"#)).unwrap().about
        };
        let same = |a: &Option<Arc<About>>, b: &Option<Arc<About>>| {
            Arc::ptr_eq(a.as_ref().unwrap(), b.as_ref().unwrap())
        };
        read(r#""labels":{}"#);
        let about = read(r#""labels":{"team":"a"},"description":"d""#);
        assert!(same(&about, &read(r#""labels":{"team":"a"},"description":"d","param":1"#)));
        let others = [r#""labels":{"team":"b"},"description":"d""#, r#""labels":{"team":"a"}"#];
        for other in others {
            assert!(!same(&about, &read(other)), "{other}");
        }
        assert_eq!(read(r#""description":"","labels":{}"#), None);
        assert_eq!(read(r#""description":null"#), None);
    }

    #[test]
    fn the_memory_for_settings_is_limited() {
        let known = Known::default();
        let held = || {
            let known = known.0.read().unwrap();
            (known.values.len(), known.bytes)
        };
        for n in 0..=KNOWN_MOST {
            known.add(&n.to_string(), &Arc::new(n));
        }
        assert_eq!(held(), (1, KNOWN_MOST.to_string().len()));
        let long = "x".repeat(KNOWN_BYTES / 2);
        for n in 0..5 {
            known.add(&format!("{long}{n}"), &Arc::new(n));
            assert!(held().1 <= KNOWN_BYTES);
        }
        assert_eq!(held().0, 1);
    }
}
