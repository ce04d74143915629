//! Parses tokens to a filter expression. Every error has a position.
//!
//! ```text
//! any     = all ("or" all)*
//! all     = one ("and" one)*
//! one     = "not" one | "(" any ")" | "has" name | compare
//! compare = name sign value | name ["not"] "in" "(" value ("," value)* ")"
//! ```

use std::{borrow::Cow, iter::Peekable, ops::Range, vec};

use super::{
    DEEPEST, LONGEST,
    error::{Fault, Problem, shown},
    expr::{Expr, Figure, Order, Text, Unit, number},
    lexer::{Kind, Token, tokens},
};

const KEYWORDS: [&str; 5] = ["and", "or", "not", "in", "has"];
const COMPARISON: &str = "a comparison such as `region = eu`, `has gpu`, `not` or `(`";
const SIGN: &str = "one of = != < <= > >=, `in` or `not in`";

/// Parses a whole filter.
///
/// # Errors
///
/// Fails with the first problem and its position.
pub(super) fn filter(text: &str) -> Result<Expr, Fault> {
    if text.len() > LONGEST {
        return Err(Fault::new(LONGEST..text.len(), Problem::TooLong));
    }
    if text.trim().is_empty() {
        return Err(Fault::new(0..0, Problem::Empty));
    }
    let end = text.trim_end().len();
    let mut parser = Parser { text, end, tokens: tokens(text)?.into_iter().peekable(), depth: 0 };
    let expr = parser.any()?;
    match parser.tokens.next() {
        None => Ok(expr),
        Some(token) => Err(parser.expected("`and` or `or`", Some(token))),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Where the text ends, for errors about missing tokens.
    end: usize,
    tokens: Peekable<vec::IntoIter<Token<'a>>>,
    depth: usize,
}

/// The left side of a comparison.
enum Subject {
    Text(Text),
    Figure(&'static str, Figure),
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Expr, Fault> {
        let mut parts = vec![self.all()?];
        while self.take_keyword("or").is_some() {
            parts.push(self.all()?);
        }
        Ok(alone(parts, Expr::Any))
    }

    fn all(&mut self) -> Result<Expr, Fault> {
        let mut parts = vec![self.one()?];
        while self.take_keyword("and").is_some() {
            parts.push(self.one()?);
        }
        Ok(alone(parts, Expr::All))
    }

    fn one(&mut self) -> Result<Expr, Fault> {
        if let Some(at) = self.take_keyword("not") {
            let part = self.deeper(at, Self::one)?;
            return Ok(Expr::Not(Box::new(part)));
        }
        if let Some(token) = self.tokens.next_if(|token| token.kind == Kind::Open) {
            let part = self.deeper(token.at, Self::any)?;
            self.take(Kind::Close, "`)`, `and` or `or`")?;
            return Ok(part);
        }
        if self.take_keyword("has").is_some() {
            let (at, subject) = self.subject("the name of a label")?;
            return match subject {
                Subject::Text(Text::Label(name)) => Ok(Expr::Has(name)),
                Subject::Text(Text::Executor) | Subject::Figure(..) => {
                    Err(Fault::new(at.clone(), Problem::NotALabel(self.shown(at))))
                }
            };
        }
        self.compare()
    }

    /// Parses a nested part. The depth limit bounds the stack.
    fn deeper(
        &mut self,
        at: Range<usize>,
        part: impl FnOnce(&mut Self) -> Result<Expr, Fault>,
    ) -> Result<Expr, Fault> {
        if self.depth == DEEPEST {
            return Err(Fault::new(at, Problem::TooDeep));
        }
        self.depth += 1;
        let part = part(self)?;
        self.depth -= 1;
        Ok(part)
    }

    fn compare(&mut self) -> Result<Expr, Fault> {
        let (_, subject) = self.subject(COMPARISON)?;
        if let Some(at) = self.take_keyword("not") {
            let end = self.take_keyword("in");
            let end = end.ok_or_else(|| self.expected_next("`in` after `not`"))?;
            let among = self.among(subject, at.start..end.end)?;
            return Ok(Expr::Not(Box::new(among)));
        }
        if let Some(at) = self.take_keyword("in") {
            return self.among(subject, at);
        }
        let is_sign = |token: &Token<'_>| matches!(token.kind, Kind::Sign(_));
        let Some(Token { at, kind: Kind::Sign(sign) }) = self.tokens.next_if(is_sign) else {
            return Err(self.expected_next(SIGN));
        };
        let (value_at, value) = self.value()?;
        let order = match sign {
            "<" => Order::Less,
            "<=" => Order::AtMost,
            ">" => Order::More,
            ">=" => Order::AtLeast,
            _ => Order::Equal, // `=` and `!=`
        };
        let expr = match (subject, order) {
            (Subject::Figure(name, figure), order) => {
                Expr::Figure(figure, order, quantity(name, figure, value_at, &value)?)
            }
            (Subject::Text(text), Order::Equal) => Expr::Among(text, vec![value.into()]),
            (Subject::Text(Text::Executor), _) => return Err(Fault::new(at, Problem::NameOrder)),
            (Subject::Text(Text::Label(name)), order) => {
                let (number, _) = number(&value)
                    .ok_or_else(|| Fault::new(value_at, Problem::NotANumber(shown(&value))))?;
                Expr::Label(name, order, number)
            }
        };
        Ok(if sign == "!=" { Expr::Not(Box::new(expr)) } else { expr })
    }

    /// Parses the list after `in`, which is at `at`.
    fn among(&mut self, subject: Subject, at: Range<usize>) -> Result<Expr, Fault> {
        let text = match subject {
            Subject::Text(text) => text,
            Subject::Figure(name, _) => return Err(Fault::new(at, Problem::FigureList(name))),
        };
        self.take(Kind::Open, "`(` and a list of values")?;
        let mut words = Vec::new();
        loop {
            words.push(self.value()?.1.into());
            if self.tokens.next_if(|token| token.kind == Kind::Comma).is_none() {
                break;
            }
        }
        self.take(Kind::Close, "`,` or `)`")?;
        Ok(Expr::Among(text, words))
    }

    fn subject(&mut self, wanted: &'static str) -> Result<(Range<usize>, Subject), Fault> {
        match self.tokens.next() {
            Some(Token { at, kind: Kind::Quoted(name) }) => {
                Ok((at, Subject::Text(Text::Label(name.into()))))
            }
            Some(Token { at, kind: Kind::Bare(name) }) if !is_keyword(name) => {
                let figure = Figure::NAMES.iter().find(|(figure, _)| *figure == name);
                let subject = match (figure, name) {
                    (Some((name, figure)), _) => Subject::Figure(name, *figure),
                    (None, "executor") => Subject::Text(Text::Executor),
                    (None, name) => Subject::Text(Text::Label(name.into())),
                };
                Ok((at, subject))
            }
            other => Err(self.expected(wanted, other)),
        }
    }

    fn value(&mut self) -> Result<(Range<usize>, Cow<'a, str>), Fault> {
        match self.tokens.next() {
            Some(Token { at, kind: Kind::Quoted(value) }) => Ok((at, value)),
            Some(Token { at, kind: Kind::Bare(value) }) if !is_keyword(value) => {
                Ok((at, value.into()))
            }
            other => Err(self.expected("a value", other)),
        }
    }

    fn take_keyword(&mut self, word: &str) -> Option<Range<usize>> {
        let is_it = |token: &Token<'_>| matches!(token.kind, Kind::Bare(bare) if bare.eq_ignore_ascii_case(word));
        self.tokens.next_if(is_it).map(|token| token.at)
    }

    fn take(&mut self, kind: Kind<'_>, wanted: &'static str) -> Result<(), Fault> {
        match self.tokens.next_if(|token| token.kind == kind) {
            Some(_) => Ok(()),
            None => Err(self.expected_next(wanted)),
        }
    }

    fn expected_next(&mut self, wanted: &'static str) -> Fault {
        let next = self.tokens.next();
        self.expected(wanted, next)
    }

    fn expected(&self, wanted: &'static str, found: Option<Token<'_>>) -> Fault {
        match found {
            None => Fault::new(self.end..self.end, Problem::Missing(wanted)),
            Some(token) => {
                let found = self.shown(token.at.clone());
                Fault::new(token.at, Problem::Expected { wanted, found })
            }
        }
    }

    fn shown(&self, at: Range<usize>) -> Box<str> {
        shown(self.text.get(at).unwrap_or_default())
    }
}

fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

fn alone(mut parts: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(one) if parts.is_empty() => one,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}

/// The number that a figure is compared with, in the figure's own unit.
fn quantity(
    name: &'static str,
    figure: Figure,
    at: Range<usize>,
    value: &str,
) -> Result<f64, Fault> {
    let Some((number, unit)) = number(value) else {
        return Err(Fault::new(at, Problem::NotANumber(shown(value))));
    };
    let wanted = match (figure, unit) {
        (Figure::Cpu, Unit::None | Unit::Part) if (0.0..=1.0).contains(&number) => None,
        (Figure::Cpu, _) => Some("is between 0 and 1, or 0% and 100%"),
        (Figure::MemoryFree | Figure::MemoryTotal, Unit::None | Unit::Bytes) if number >= 0.0 => {
            None
        }
        (Figure::MemoryFree | Figure::MemoryTotal, _) => Some("is in bytes: 500MB, 2GiB"),
        (Figure::Running | Figure::Waiting, Unit::None) if number >= 0.0 => None,
        (Figure::Running | Figure::Waiting, _) => Some("is a count: 0, 1, 2"),
    };
    match wanted {
        None => Ok(number),
        Some(wanted) => {
            Err(Fault::new(at, Problem::Quantity { figure: name, wanted, found: shown(value) }))
        }
    }
}
