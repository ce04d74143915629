//! The arguments that an entry allows.

use std::fmt;

use jiff::civil::Date;

/// Maximum length of a word.
const WORD_MAX: usize = 128;

/// Maximum digits of a number, so that each number fits into 64 bits.
const NUMBER_MAX: usize = 18;

/// Suffix of a last argument that matches any number of arguments.
const REPEATED: &str = "...";

/// The arguments of an entry, one by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Patterns {
    each: Vec<Pattern>,
    /// Matches all arguments after those of `each`.
    rest: Option<Pattern>,
    shown: String,
}

/// One argument: fixed text, or a pattern with text around it.
#[derive(Clone, Debug, PartialEq)]
struct Pattern {
    before: String,
    chosen: Option<(Kind, String)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Number,
    Date,
    Word,
    Text,
    Any,
    OneOf(Vec<String>),
}

impl Patterns {
    /// Parses the arguments. The error says which one is invalid.
    pub(crate) fn parse(args: &[String]) -> Result<Self, String> {
        let mut patterns = Self { shown: args.join(" "), ..Self::default() };
        for (n, arg) in args.iter().enumerate() {
            let wrong = |why: String| format!("argument `{arg}`: {why}");
            match arg.strip_suffix(REPEATED).filter(|arg| arg.ends_with('}')) {
                Some(_) if n + 1 < args.len() => {
                    return Err(wrong(format!("only the last one can end with `{REPEATED}`")));
                }
                Some(repeated) => {
                    let pattern = Pattern::parse(repeated).map_err(wrong)?;
                    if pattern.chosen.is_none() {
                        return Err(wrong(format!("`{REPEATED}` is allowed only after a pattern")));
                    }
                    patterns.rest = Some(pattern);
                }
                None => patterns.each.push(Pattern::parse(arg).map_err(wrong)?),
            }
        }
        Ok(patterns)
    }

    /// Whether the arguments have no pattern that a job fills in.
    pub(crate) fn are_fixed(&self) -> bool {
        self.rest.is_none() && self.each.iter().all(|pattern| pattern.chosen.is_none())
    }

    /// Checks the arguments that a job gives and returns those to run with. The error says what is
    /// allowed.
    pub(crate) fn judge(&self, given: &[String]) -> Result<Vec<String>, String> {
        if given.is_empty() && self.are_fixed() {
            return Ok(self.each.iter().map(|pattern| pattern.before.clone()).collect());
        }
        let count = given.len();
        if count < self.each.len() || (count > self.each.len() && self.rest.is_none()) {
            return Err(match (self.each.len(), &self.rest) {
                (0, None) => "it takes no arguments".to_owned(),
                _ => format!("it takes the arguments `{}`, not {count}", self.shown),
            });
        }
        let patterns = self.each.iter().chain(self.rest.iter().cycle());
        for (n, (arg, pattern)) in given.iter().zip(patterns).enumerate() {
            if !pattern.allows(arg) {
                let (n, all) = (n + 1, &self.shown);
                return Err(format!("argument {n} must match `{pattern}`, in `{all}`"));
            }
        }
        Ok(given.to_vec())
    }
}

impl Pattern {
    fn parse(arg: &str) -> Result<Self, String> {
        let (mut before, mut chosen) = (String::new(), None);
        let mut chars = arg.chars().peekable();
        while let Some(c) = chars.next() {
            let text = match &mut chosen {
                Some((_, after)) => after,
                None => &mut before,
            };
            match c {
                '{' | '}' if chars.next_if_eq(&c).is_some() => text.push(c),
                '}' => {
                    return Err(
                        "a `}` has no matching `{`; write `}}` for a literal brace".to_owned()
                    );
                }
                '{' => {
                    if chosen.is_some() {
                        return Err("it has two patterns; at most one is allowed".to_owned());
                    }
                    let mut name = String::new();
                    while chars.next_if(|c| *c != '}').map(|c| name.push(c)).is_some() {}
                    chars.next().ok_or("a `{` is not closed")?;
                    chosen = Some((Kind::parse(&name)?, String::new()));
                }
                '\0' => return Err("it has a zero byte".to_owned()),
                other => text.push(other),
            }
        }
        Ok(Self { before, chosen })
    }

    fn allows(&self, arg: &str) -> bool {
        let Some((kind, after)) = &self.chosen else { return arg == self.before };
        let chosen = arg.strip_prefix(&*self.before).and_then(|arg| arg.strip_suffix(&**after));
        chosen.is_some_and(|chosen| kind.allows(chosen))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.before)?;
        match &self.chosen {
            Some((kind, after)) => write!(f, "{{{kind}}}{after}"),
            None => Ok(()),
        }
    }
}

impl Kind {
    fn parse(name: &str) -> Result<Self, String> {
        Ok(match name {
            "number" => Self::Number,
            "date" => Self::Date,
            "word" => Self::Word,
            "text" => Self::Text,
            "any" => Self::Any,
            list if list.contains('|') => Self::OneOf(list.split('|').map(str::to_owned).collect()),
            other => {
                return Err(format!(
                    "there is no pattern {{{other}}}; there are {{number}}, {{date}}, {{word}}, \
                     {{text}}, {{any}} and lists such as {{eu|us}}"
                ));
            }
        })
    }

    fn allows(&self, chosen: &str) -> bool {
        match self {
            Self::Number => {
                (1..=NUMBER_MAX).contains(&chosen.len())
                    && chosen.bytes().all(|byte| byte.is_ascii_digit())
            }
            // Only the canonical form: the parser accepts more than a plain date.
            Self::Date => chosen.parse::<Date>().is_ok_and(|date| date.to_string() == chosen),
            Self::Word => {
                let in_word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
                chosen.len() <= WORD_MAX
                    && chosen.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                    && chosen.chars().all(in_word)
            }
            Self::Text => !chosen.starts_with('-') && !chosen.chars().any(char::is_control),
            Self::Any => !chosen.contains('\0'),
            Self::OneOf(list) => list.iter().any(|one| one == chosen),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "number",
            Self::Date => "date",
            Self::Word => "word",
            Self::Text => "text",
            Self::Any => "any",
            Self::OneOf(list) => return f.write_str(&list.join("|")),
        })
    }
}
