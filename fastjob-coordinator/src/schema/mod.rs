//! JSON schemas of params: whether a param fits what its handler expects.
//!
//! Executors send the schemas, so a schema is as little trusted as any other input. Reading one and
//! checking a param take a bounded number of steps, patterns are matched in linear time, and nothing
//! outside the schema is resolved. A keyword that is not supported, a reference to another document
//! and a check that exceeds its steps leave the result *open*: what is open is not refused, because
//! the handler still decides.

mod check;
mod forms;
mod read;
mod rules;
mod say;
mod values;

#[cfg(test)]
mod tests;

use serde_json::Value;

use self::{
    check::Check,
    rules::{NodeId, Rules},
};

/// Maximum number of bytes of one schema, as in the protocol.
pub(crate) const SCHEMA_MAX: usize = fastjob_core::wire::SCHEMA_MAX;

/// A schema, ready to check params.
#[derive(Debug)]
pub(crate) struct Schema {
    nodes: Vec<Rules>,
    root: NodeId,
}

/// Why a schema cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it has {0} bytes, at most {SCHEMA_MAX} are allowed")]
    TooLong(usize),
    #[error("it is not JSON")]
    NotJson(#[from] serde_json::Error),
    #[error("a schema is an object, true or false")]
    NotSchema,
}

/// Where a param does not fit its schema, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The path of the field, such as `param.month`.
    pub(crate) field: String,
    /// What is wrong with it, in words.
    pub(crate) message: String,
    kind: Kind,
    /// The length of the path.
    depth: usize,
}

/// What kind of rule a value violates: by this the meant one of several forms is guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Type,
    Value,
    Missing,
    Extra,
    Other,
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    ///
    /// Fails if the text is too long, is not JSON, or is no schema.
    pub(crate) fn read(text: &str) -> Result<Self, Unreadable> {
        if text.len() > SCHEMA_MAX {
            return Err(Unreadable::TooLong(text.len()));
        }
        let value: Value = serde_json::from_str(text)?;
        if !(value.is_object() || value.is_boolean()) {
            return Err(Unreadable::NotSchema);
        }
        let (nodes, root) = read::nodes(&value);
        Ok(Self { nodes, root })
    }

    /// Whether all of the schema is supported. Otherwise some params are accepted that do not fit.
    pub(crate) fn is_supported(&self) -> bool {
        self.nodes.iter().all(|rules| !rules.open)
    }

    /// Checks a param as a handler parses it: as JSON, or as a string if the handler takes one.
    ///
    /// # Errors
    ///
    /// Fails with the first problems.
    pub(crate) fn check(&self, param: Option<&str>) -> Result<(), Vec<Misfit>> {
        let Some(text) = param else {
            return match self.misfits(&Value::Null) {
                None => Ok(()),
                Some(_) => Err(vec![Misfit::root("it is missing: the handler needs a param")]),
            };
        };
        let json = serde_json::from_str::<Value>(text);
        let problems = match &json {
            Ok(value) => self.misfits(value),
            Err(_) => Some(Vec::new()),
        };
        let Some(problems) = problems else { return Ok(()) };
        // Plain text is a valid param for a handler that expects a string.
        let Some(as_text) = self.misfits(&Value::String(text.to_owned())) else { return Ok(()) };
        let takes_text = !as_text.iter().any(|misfit| misfit.kind == Kind::Type);
        match json {
            Ok(value) if !takes_text || value.is_object() || value.is_array() => Err(problems),
            Ok(_) => Err(as_text),
            Err(_) if takes_text => Err(as_text),
            Err(err) => {
                let mut problems = as_text;
                problems.truncate(1);
                let expected = problems.pop().map_or_else(String::new, |one| one.message);
                Err(vec![Misfit::root(format!("it is not JSON ({err}): {expected}"))])
            }
        }
    }

    fn misfits(&self, value: &Value) -> Option<Vec<Misfit>> {
        let misfits = Check::new(&self.nodes).run(self.root, value).misfits;
        Some(misfits).filter(|misfits| !misfits.is_empty())
    }
}

impl Misfit {
    fn root(message: impl Into<String>) -> Self {
        let field = "param".to_owned();
        Self { field, message: message.into(), kind: Kind::Other, depth: 0 }
    }
}
