//! What stands in the parentheses of `#[job(…)]`.
//!
//! [`ARGUMENTS`] says what there is. Everything that is wrong is reported at once, each mistake at
//! its own words; only broken syntax ends the reading.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{
    Error, Expr, Ident, LitStr, Result, Token,
    ext::IdentExt,
    parenthesized,
    parse::{Parse, ParseStream},
    token::Paren,
};

use crate::value::{Kind, name_problem, text, wrong};

/// Every argument with a value, in the order in which people are told of them.
const ARGUMENTS: [(&str, Kind); 17] = [
    ("description", Kind::Text),
    ("service", Kind::Name),
    ("cron", Kind::Cron),
    ("zone", Kind::Text),
    ("fixed_rate", Kind::Duration),
    ("fixed_delay", Kind::Duration),
    ("once", Kind::Instant),
    ("enabled", Kind::Flag),
    ("param", Kind::Text),
    ("retry", Kind::Count),
    ("retry_delay", Kind::Duration),
    ("timeout", Kind::Duration),
    ("grace", Kind::Duration),
    ("misfire", Kind::Word(&["skip", "fire_once", "fire_all"])),
    ("block", Kind::Word(&["serial", "skip_new", "replace_running", "parallel"])),
    ("route", Kind::Text),
    ("no_executor", Kind::Duration),
];

const LABELS: &str = "labels";

/// Arguments of which a job has one at most.
const SCHEDULES: [&str; 4] = ["cron", "fixed_rate", "fixed_delay", "once"];

/// The arguments, each known, given once, and of the right kind.
pub(crate) struct Args {
    /// The name of the handler and of its default job.
    pub(crate) name: LitStr,
    given: Vec<Given>,
    labels: Vec<(LitStr, LitStr)>,
}

struct Given {
    key: Ident,
    value: TokenStream,
}

impl Args {
    /// The value of an argument, if it was given.
    pub(crate) fn value(&self, key: &str) -> Option<&TokenStream> {
        self.given.iter().find(|given| given.key == key).map(|given| &given.value)
    }

    /// The calls that put the arguments into a draft: `.cron("…").retry(3)`.
    pub(crate) fn setters(&self) -> TokenStream {
        let given = self.given.iter().filter(|given| given.key != "description");
        let keys =
            given.clone().map(|given| Ident::new(&given.key.to_string(), Span::mixed_site()));
        let values = given.map(|given| &given.value);
        let (labels, texts): (Vec<_>, Vec<_>) = self.labels.iter().cloned().unzip();
        quote! { #(.#keys(#values))* #(.label(#labels, #texts))* }
    }

    fn key(&self, name: &str) -> Option<&Ident> {
        self.given.iter().map(|given| &given.key).find(|key| *key == name)
    }

    /// Reports arguments that do not go together.
    fn check(&self, errors: &mut Errors) {
        let mut schedules =
            self.given.iter().filter(|given| SCHEDULES.iter().any(|s| given.key == s));
        if let Some(first) = schedules.next() {
            for other in schedules {
                errors.add(wrong(
                    &other.key,
                    format_args!(
                        "a job has one schedule: `{}` does not go with `{}`",
                        other.key, first.key
                    ),
                ));
            }
        }
        for (key, needs) in [("zone", "cron"), ("retry_delay", "retry")] {
            if let (Some(key), None) = (self.key(key), self.key(needs)) {
                errors.add(wrong(key, format_args!("`{key}` goes with `{needs}` only")));
            }
        }
    }
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut errors = Errors(None);
        let name = name(input, &mut errors)?;
        let mut args = Self { name, given: Vec::new(), labels: Vec::new() };
        let mut keys: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let key = input.call(Ident::parse_any)?;
            if keys.contains(&key) {
                errors.add(wrong(&key, format_args!("`{key}` is given twice")));
            }
            keys.push(key.clone());
            if key == LABELS {
                labels(input, &mut args.labels, &mut errors)?;
                continue;
            }
            let value = value(input, &key)?;
            match ARGUMENTS.iter().find(|(name, _)| key == name) {
                None => errors.add(unknown(&key)),
                Some((name, kind)) => match kind.read(name, &value) {
                    Ok(value) => args.given.push(Given { key, value }),
                    Err(err) => errors.add(err),
                },
            }
        }
        args.check(&mut errors);
        errors.0.map_or(Ok(args), Err)
    }
}

/// The first argument, which has no key.
fn name(input: ParseStream<'_>, errors: &mut Errors) -> Result<LitStr> {
    const MISSING: &str = "a job needs a name: #[job(\"name\")]";
    const NO_TEXT: &str = "the name of a job is a text: #[job(\"name\")]";
    let has_key = input.peek(Ident::peek_any) && (input.peek2(Token![=]) || input.peek2(Paren));
    if input.is_empty() || has_key {
        return Err(Error::new(input.span(), MISSING));
    }
    let value: Expr = input.parse()?;
    let Some(name) = text(&value) else {
        return Err(Error::new_spanned(&value, NO_TEXT));
    };
    if let Some(problem) = name_problem(&name.value()) {
        errors.add(Error::new(name.span(), problem));
    }
    Ok(name.clone())
}

/// The value that goes with `key`, if there is one.
fn value(input: ParseStream<'_>, key: &Ident) -> Result<Expr> {
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        return input.parse();
    }
    match ARGUMENTS.iter().any(|(name, _)| key == name) {
        true => Err(wrong(key, format_args!("`{key}` has no value: write {key} = …"))),
        false => Err(unknown(key)),
    }
}

fn unknown(key: &Ident) -> Error {
    let names: Vec<_> = ARGUMENTS.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    wrong(key, format_args!("`{key}` is unknown; there are {names} and {LABELS}(key = \"…\")"))
}

/// `(team = "billing", "cost-centre" = "7")`.
fn labels(
    input: ParseStream<'_>,
    labels: &mut Vec<(LitStr, LitStr)>,
    errors: &mut Errors,
) -> Result<()> {
    if !input.peek(Paren) {
        return Err(input.error("labels are written labels(team = \"billing\")"));
    }
    let content;
    parenthesized!(content in input);
    while !content.is_empty() {
        let key = if content.peek(LitStr) {
            content.parse::<LitStr>()?
        } else {
            let key = content.call(Ident::parse_any)?;
            LitStr::new(&key.unraw().to_string(), key.span())
        };
        content.parse::<Token![=]>()?;
        let value: Expr = content.parse()?;
        match text(&value) {
            None => errors.add(wrong(
                &value,
                format_args!("a label is a text: labels({} = \"…\")", key.value()),
            )),
            Some(value) => {
                check_label(&key, value, labels, errors);
                labels.push((key, value.clone()));
            }
        }
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

fn check_label(key: &LitStr, value: &LitStr, others: &[(LitStr, LitStr)], errors: &mut Errors) {
    if others.iter().any(|(other, _)| other.value() == key.value()) {
        errors.add(wrong(key, format_args!("the label `{}` is given twice", key.value())));
    }
    if !(1..=63).contains(&key.value().len()) {
        errors.add(wrong(key, format_args!("the key of a label has 1 to 63 bytes")));
    }
    if value.value().len() > 255 {
        errors.add(wrong(value, format_args!("a label has at most 255 bytes")));
    }
}

/// All that is wrong so far.
struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, err: Error) {
        match &mut self.0 {
            Some(all) => all.combine(err),
            None => self.0 = Some(err),
        }
    }
}
