//! The param of `commandJobHandler`: which command to run, as JSON or as a command line.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::builtin::entry::words;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    /// The entry's name, or a program where any program is allowed; with `shell`, the script.
    pub(super) program: String,
    #[serde(default)]
    pub(super) args: Vec<String>,
    /// Whether `sh` runs `program` as a script, with `args` as `$1` and so on.
    #[serde(default)]
    pub(super) shell: bool,
    pub(super) dir: Option<String>,
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    pub(super) stdin: Option<String>,
    #[serde(default = "zero")]
    pub(super) ok_exit: Vec<i32>,
}

fn zero() -> Vec<i32> {
    vec![0]
}

impl Call {
    /// Parses JSON, or a command line as text. The error says what is invalid.
    pub(super) fn read(text: Option<&str>) -> Result<Self, String> {
        let text = text.map(str::trim).unwrap_or_default();
        let call: Self = if text.starts_with('{') {
            serde_json::from_str(text)
                .map_err(|err| format!("the param is not a command: {err}"))?
        } else {
            let mut words = words(text)?.into_iter();
            Self {
                program: words.next().unwrap_or_default(),
                args: words.collect(),
                shell: false,
                dir: None,
                env: BTreeMap::new(),
                stdin: None,
                ok_exit: zero(),
            }
        };
        if call.program.is_empty() {
            return Err("the param is missing: give a command, or JSON with `program`".to_owned());
        }
        Ok(call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_accepts_every_field_and_rejects_unknown_ones() {
        let call = Call::read(Some(r#"{"program":"a b","args":["c"],"ok_exit":[0,3]}"#)).unwrap();
        assert_eq!((call.program.as_str(), call.ok_exit.as_slice()), ("a b", &[0, 3][..]));
        for wrong in ["", "  ", "''", "{}", r#"{"program":"a","arg":[]}"#, r#"{"program":""}"#] {
            assert!(Call::read(Some(wrong)).is_err(), "{wrong}");
        }
        assert!(Call::read(None).is_err());
    }
}
