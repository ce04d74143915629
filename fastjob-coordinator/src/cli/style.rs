//! Colours: of states, on a terminal, and only by this program.
//!
//! External text is escaped before it is coloured, so that it cannot contain colours of its own.

use anstyle::{AnsiColor, Effects, Style};
use clap::ValueEnum;

use super::env::Env;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb
    #[default]
    Auto,
    /// Also into a file or a program
    Always,
    /// Nowhere
    Never,
}

impl When {
    /// Whether a stream has colours.
    pub(super) fn is_on(self, is_terminal: bool, env: &Env) -> bool {
        let has = |name| env.get(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let is_dumb = env.get("TERM").is_some_and(|term| term == "dumb");
                is_terminal && !is_dumb && !has("NO_COLOR")
            }
        }
    }
}

/// The columns and facts whose values are states.
const STATES: [&str; 3] = ["STATE", "LAST", "state"];

/// The style of a value in a column, or of a fact, with this name.
pub(super) fn of(name: &str, value: &str) -> Style {
    if !STATES.contains(&name) {
        return Style::new();
    }
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    match value {
        "succeeded" | "sent" => colour(AnsiColor::Green),
        "failed" | "abandoned" | "disconnected" | "lost" => colour(AnsiColor::Red),
        "running" => colour(AnsiColor::Blue),
        "stopping" | "stopped" | "draining" | "drained" => colour(AnsiColor::Yellow),
        "skipped" => Style::new().effects(Effects::DIMMED),
        _ => Style::new(),
    }
}

/// A text in a style, and unchanged if colours are off or the style is plain.
pub(super) fn painted(text: &str, style: Style, is_on: bool) -> String {
    if !is_on || style.is_plain() {
        return text.to_owned();
    }
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let auto = |is_terminal, vars: &[(&str, &str)]| {
            let mut env = Env::from([]);
            vars.iter().for_each(|(name, value)| env.set(name, value));
            When::Auto.is_on(is_terminal, &env)
        };
        assert!(auto(true, &[]) && auto(true, &[("NO_COLOR", ""), ("TERM", "xterm")]));
        assert!(!auto(false, &[]));
        for off in [("NO_COLOR", "0"), ("NO_COLOR", "1"), ("TERM", "dumb")] {
            assert!(!auto(true, &[off]), "{off:?}");
        }
        assert!(When::Always.is_on(false, &Env::from([("NO_COLOR", "1")])));
        assert!(!When::Never.is_on(true, &Env::from([])));
    }

    #[test]
    fn states_have_colours_and_other_texts_do_not() {
        assert_eq!(painted("failed", of("STATE", "failed"), true), "\u{1b}[31mfailed\u{1b}[0m");
        for plain in
            [("JOB", "failed", true), ("STATE", "queued", true), ("STATE", "failed", false)]
        {
            assert_eq!(painted(plain.1, of(plain.0, plain.1), plain.2), plain.1);
        }
    }
}
