//! Parses the arguments of `#[job(…)]`.
//!
//! [`ARGUMENTS`](crate::known::ARGUMENTS) lists them. All problems are reported at once, each at
//! its own tokens; only a syntax error stops the parsing.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{
    Error, Expr, Ident, LitStr, Path, Result, Token, Type,
    ext::IdentExt,
    parenthesized,
    parse::{Parse, ParseStream},
    token::Paren,
};

use crate::{
    known::{ARGUMENTS, Argument, CRATE, LABELS, PARAM_TYPE, SCHEDULES, TOGETHER},
    value::{name_problem, text, wrong},
};

/// The arguments: each is known, unique and of the right kind.
pub(crate) struct Args {
    /// The name of the handler and of its default job.
    pub(crate) name: LitStr,
    /// The crate `fastjob_executor`, if it has another name.
    pub(crate) krate: Option<Path>,
    /// The type that the handler parses its param into.
    pub(crate) param_type: Option<Type>,
    given: Vec<Given>,
    labels: Vec<(LitStr, LitStr)>,
}

struct Given {
    /// The key as written.
    key: Ident,
    /// The setter's method name: `retry`, `block_scope`.
    setter: String,
    value: TokenStream,
}

impl Args {
    /// The value of an argument, if it is set.
    pub(crate) fn value(&self, setter: &str) -> Option<&TokenStream> {
        self.given.iter().find(|given| given.setter == setter).map(|given| &given.value)
    }

    /// The method calls that set the arguments in a draft: `.cron("…").retry(3)`.
    pub(crate) fn setters(&self) -> TokenStream {
        let given = self.given.iter().filter(|given| given.setter != "description");
        let setters = given.clone().map(|given| Ident::new(&given.setter, Span::mixed_site()));
        let values = given.map(|given| &given.value);
        let (labels, texts): (Vec<_>, Vec<_>) = self.labels.iter().cloned().unzip();
        quote! { #(.#setters(#values))* #(.label(#labels, #texts))* }
    }

    /// Reports arguments that cannot be combined.
    fn check(&self, errors: &mut Errors) {
        self.one_at_most(&SCHEDULES, "a job can have only one schedule", errors);
        self.one_at_most(
            &["shard_count", "shard_dynamic"],
            "a job can have only one shard strategy",
            errors,
        );
        for (setters, needs, what) in TOGETHER {
            if needs.iter().any(|needed| self.value(needed).is_some()) {
                continue;
            }
            for given in self.given.iter().filter(|given| setters.contains(&&*given.setter)) {
                let key = &given.key;
                errors.add(wrong(key, format_args!("`{key}` needs {what}")));
            }
        }
    }

    fn one_at_most(&self, setters: &[&str], why: &str, errors: &mut Errors) {
        let mut given = self.given.iter().filter(|given| setters.contains(&&*given.setter));
        let Some(Given { key: first, .. }) = given.next() else { return };
        for Given { key, .. } in given {
            errors
                .add(wrong(key, format_args!("{why}: `{key}` cannot be combined with `{first}`")));
        }
    }

    /// Parses `key = value` or `key(…)`, where `known` lists the keys, into setters that begin with
    /// `prefix`.
    fn read(
        &mut self,
        input: ParseStream<'_>,
        known: &[Argument],
        prefix: &str,
        key: Ident,
        errors: &mut Errors,
    ) -> Result<()> {
        let Some(argument) = known.iter().find(|argument| key == argument.name) else {
            if !input.peek(Token![=]) && !input.peek(Paren) {
                return Err(unknown(&key, known, prefix));
            }
            errors.add(unknown(&key, known, prefix));
            return skip(input);
        };
        let setter = format!("{prefix}{key}");
        if input.peek(Paren) && !argument.fields.is_empty() {
            return self.fields(input, argument, &setter, &key, errors);
        }
        if !input.peek(Token![=]) {
            return Err(wrong(
                &key,
                format_args!("`{key}` has no value: write {}", argument.forms()),
            ));
        }
        input.parse::<Token![=]>()?;
        let value: Expr = input.parse()?;
        match argument.read(&value) {
            Ok(value) => self.add(Given { key, setter, value }, errors),
            Err(err) => errors.add(err),
        }
        Ok(())
    }

    /// Parses `(strategy = "serial", scope = "cluster")`.
    fn fields(
        &mut self,
        input: ParseStream<'_>,
        argument: &Argument,
        setter: &str,
        key: &Ident,
        errors: &mut Errors,
    ) -> Result<()> {
        let content;
        parenthesized!(content in input);
        if content.is_empty() {
            errors.add(wrong(key, format_args!("`{key}` is empty: write {}", argument.forms())));
        }
        let prefix = format!("{setter}_");
        let mut keys: Vec<Ident> = Vec::new();
        while !content.is_empty() {
            let key = content.call(Ident::parse_any)?;
            once(&key, &mut keys, errors);
            self.read(&content, argument.fields, &prefix, key, errors)?;
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }

    /// Adds a value. Reports a value that is set in both the short and the long form.
    fn add(&mut self, given: Given, errors: &mut Errors) {
        let key = &given.key;
        let other = self.given.iter().find(|other| other.setter == given.setter);
        if let Some(other) = other.filter(|other| other.key != *key) {
            let other = &other.key;
            errors.add(wrong(key, format_args!("`{key}` sets the same value as `{other}`")));
        }
        self.given.push(given);
    }
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut errors = Errors(None);
        let name = name(input, &mut errors)?;
        let mut args =
            Self { name, krate: None, param_type: None, given: Vec::new(), labels: Vec::new() };
        let mut keys: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let key = input.call(Ident::parse_any)?;
            once(&key, &mut keys, &mut errors);
            if key == LABELS {
                labels(input, &mut args.labels, &mut errors)?;
            } else if key == CRATE {
                match krate(input, &key)? {
                    Ok(path) => args.krate = Some(path),
                    Err(err) => errors.add(err),
                }
            } else if key == PARAM_TYPE {
                args.param_type = Some(param_type(input, &key)?);
            } else {
                args.read(input, ARGUMENTS, "", key, &mut errors)?;
            }
        }
        args.check(&mut errors);
        errors.0.map_or(Ok(args), Err)
    }
}

/// Parses the first argument, which has no key.
fn name(input: ParseStream<'_>, errors: &mut Errors) -> Result<LitStr> {
    const MISSING: &str = "a job needs a name: #[job(\"name\")]";
    const NO_TEXT: &str = "the name of a job must be a string: #[job(\"name\")]";
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

/// Reports a duplicate key.
fn once(key: &Ident, keys: &mut Vec<Ident>, errors: &mut Errors) {
    if keys.contains(key) {
        errors.add(wrong(key, format_args!("`{key}` is given twice")));
    }
    keys.push(key.clone());
}

fn unknown(key: &Ident, known: &[Argument], prefix: &str) -> Error {
    let names: Vec<_> = known.iter().map(|argument| argument.name).collect();
    let names = names.join(", ");
    let labels = if prefix.is_empty() {
        ", labels(key = \"…\"), param_type = Type and crate = \"…\""
    } else {
        ""
    };
    wrong(key, format_args!("`{key}` is unknown; there are {names}{labels}"))
}

/// Skips the value of an unknown argument.
fn skip(input: ParseStream<'_>) -> Result<()> {
    if input.peek(Paren) {
        let content;
        parenthesized!(content in input);
        return content.parse::<TokenStream>().map(drop);
    }
    input.parse::<Token![=]>()?;
    input.parse::<Expr>().map(drop)
}

/// Parses `= "path::of::the::crate"`. The outer error is one of the syntax.
fn krate(input: ParseStream<'_>, key: &Ident) -> Result<Result<Path>> {
    const FORM: &str = "write the path of the crate as crate = \"renamed_fastjob_executor\"";
    if !input.peek(Token![=]) {
        return Err(wrong(key, format_args!("`crate` has no value: {FORM}")));
    }
    input.parse::<Token![=]>()?;
    let value: Expr = input.parse()?;
    let path = text(&value).and_then(|path| path.parse_with(Path::parse_mod_style).ok());
    Ok(path.ok_or_else(|| wrong(&value, format_args!("{FORM}"))))
}

/// Parses `= Month`.
fn param_type(input: ParseStream<'_>, key: &Ident) -> Result<Type> {
    const FORM: &str = "write the type of the param as param_type = Month";
    if !input.peek(Token![=]) {
        return Err(wrong(key, format_args!("`{key}` has no value: {FORM}")));
    }
    input.parse::<Token![=]>()?;
    if let Ok(value) = input.fork().parse::<LitStr>() {
        return Err(wrong(&value, format_args!("a string is no type: {FORM}, without quotes")));
    }
    input.parse()
}

/// Parses `(team = "billing", "cost-centre" = "7")`.
fn labels(
    input: ParseStream<'_>,
    labels: &mut Vec<(LitStr, LitStr)>,
    errors: &mut Errors,
) -> Result<()> {
    if !input.peek(Paren) {
        return Err(input.error("write labels as labels(team = \"billing\")"));
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
                format_args!("a label must be a string: labels({} = \"…\")", key.value()),
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
        errors.add(wrong(key, format_args!("the key of a label must have 1 to 63 bytes")));
    }
    if value.value().len() > 255 {
        errors.add(wrong(value, format_args!("a label must have at most 255 bytes")));
    }
}

/// All problems so far.
struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, err: Error) {
        match &mut self.0 {
            Some(all) => all.combine(err),
            None => self.0 = Some(err),
        }
    }
}
