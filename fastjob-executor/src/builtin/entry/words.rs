//! Splits a command line into words at blanks.
//!
//! `'…'`, `"…"` and `\` quote blanks as in a shell. No other shell syntax applies: no variables, no
//! `*`, no pipes.

pub(crate) fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None; // `Some("")` is an empty word in quotes
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => quoted(c, &mut chars, word.get_or_insert_default())?,
            '\\' => {
                let next = chars.next().ok_or("a `\\` at the end escapes nothing")?;
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
    fn a_text_is_split_as_in_a_shell_but_nothing_is_expanded() {
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
}
