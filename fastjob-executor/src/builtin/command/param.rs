//! Which command to run: the param of `commandJobHandler`, as JSON or as people type it.
//!
//! A plain text is split into words at blanks; `'…'`, `"…"` and `\` keep blanks together as in a
//! shell, and nothing else of a shell happens: no variables, no `*`, no pipes.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    /// The program; with `shell`, the script.
    pub(super) program: String,
    #[serde(default)]
    pub(super) args: Vec<String>,
    /// Whether `sh` runs `program`, with `args` as `$1` and so on.
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
    /// Reads the fields as JSON, or a command as a text. The error says what is wrong.
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
        match call.env.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
            Some(name) => Err(format!("`{name}` is no name of a variable")),
            None => Ok(call),
        }
    }
}

/// As somebody would type it; what the environment and the input are given is not shown.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.shell { "sh -c " } else { "" })?;
        for (n, word) in std::iter::once(&self.program).chain(&self.args).enumerate() {
            f.write_str(if n == 0 { "" } else { " " })?;
            if !word.is_empty() && !word.contains([' ', '\t', '\n', '\'', '"', '\\']) {
                f.write_str(word)?;
            } else {
                write!(f, "'{}'", word.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None; // `Some("")` is an empty word in quotes
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => quoted(c, &mut chars, word.get_or_insert_default())?,
            '\\' => {
                let next = chars.next().ok_or("a `\\` at the end stands for nothing")?;
                word.get_or_insert_default().push(next);
            }
            blank if blank.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(quote: char, chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    while let Some(c) = chars.next() {
        match c {
            end if end == quote => return Ok(()),
            '\\' if quote == '"' => match chars.next() {
                Some(next @ ('"' | '\\')) => word.push(next),
                Some(next) => word.extend(['\\', next]),
                None => break,
            },
            other => word.push(other),
        }
    }
    Err(format!("a {quote} is not closed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(words(text).unwrap(), expected);
    }

    #[test]
    fn a_text_is_split_as_people_expect() {
        check("pwd", &["pwd"]);
        check("  ls  -l\t/tmp ", &["ls", "-l", "/tmp"]);
        check(r#"echo 'a b' "c d" e\ f"#, &["echo", "a b", "c d", "e f"]);
        check(r#"a'b'"c"d '' """#, &["abcd", "", ""]);
        check(r#"'a\b' "a\b\"\\" "it's""#, &[r"a\b", r#"a\b"\"#, "it's"]);
        check("echo $HOME | cat *", &["echo", "$HOME", "|", "cat", "*"]);
        check("", &[]);
        for open in ["'a", "\"a", "a\\", "\"a\\"] {
            assert!(words(open).is_err(), "{open}");
        }
    }

    #[test]
    fn json_has_every_field_and_no_other() {
        let call = Call::read(Some(r#"{"program":"a b","args":["c"],"ok_exit":[0,3]}"#)).unwrap();
        assert_eq!((call.program.as_str(), call.ok_exit.as_slice()), ("a b", &[0, 3][..]));
        for wrong in ["", "  ", "''", "{}", r#"{"program":"a","arg":[]}"#, r#"{"program":""}"#] {
            assert!(Call::read(Some(wrong)).is_err(), "{wrong}");
        }
        assert!(Call::read(Some(r#"{"program":"a","env":{"A=B":"c"}}"#)).is_err());
        assert!(Call::read(None).is_err());
    }

    #[test]
    fn a_command_is_shown_as_it_could_be_typed() {
        let call = Call::read(Some(r#"echo "it's" a '' "b c""#)).unwrap();
        assert_eq!(call.to_string(), r"echo 'it'\''s' a '' 'b c'");
    }
}
