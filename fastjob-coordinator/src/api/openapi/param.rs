//! Parameters of operations, in the path and in the query.

use serde_json::Value;
use utoipa::openapi::{
    ArrayBuilder, KnownFormat, ObjectBuilder, RefOr, Required, Schema, SchemaFormat,
    path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle},
    schema::{SchemaType, Type},
};

/// A parameter of the query.
pub(super) struct Param {
    name: &'static str,
    about: String,
    schema: RefOr<Schema>,
    required: bool,
    /// Given several times.
    repeats: bool,
    example: Option<Value>,
}

/// A schema of one type, without more.
pub(super) fn typed(of: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(of))
}

fn param(name: &'static str, about: &str, schema: impl Into<RefOr<Schema>>) -> Param {
    let (about, schema) = (about.to_owned(), schema.into());
    Param { name, about, schema, required: false, repeats: false, example: None }
}

/// A text.
pub(super) fn text(name: &'static str, about: &str) -> Param {
    param(name, about, typed(Type::String))
}

/// A text that is given several times.
pub(super) fn texts(name: &'static str, about: &str) -> Param {
    let items = ArrayBuilder::new().items(RefOr::T(typed(Type::String).into()));
    Param { repeats: true, ..param(name, about, items) }
}

/// One of some words.
pub(super) fn word(name: &'static str, words: &[&str], about: &str) -> Param {
    param(name, about, typed(Type::String).enum_values(Some(words.iter().copied())))
}

/// Some of some words.
pub(super) fn words(name: &'static str, words: &[&str], about: &str) -> Param {
    let one = typed(Type::String).enum_values(Some(words.iter().copied()));
    let items = ArrayBuilder::new().items(RefOr::T(one.into()));
    Param { repeats: true, ..param(name, about, items) }
}

/// A whole number within bounds.
pub(super) fn number(name: &'static str, least: u32, most: u32, about: &str) -> Param {
    param(name, about, typed(Type::Integer).minimum(Some(least)).maximum(Some(most)))
}

/// A whole number with 64 bits.
pub(super) fn long(name: &'static str, about: &str) -> Param {
    let format = Some(SchemaFormat::KnownFormat(KnownFormat::Int64));
    param(name, about, typed(Type::Integer).format(format).minimum(Some(0)))
}

/// An instant, RFC 3339.
pub(super) fn instant(name: &'static str, about: &str) -> Param {
    let format = Some(SchemaFormat::KnownFormat(KnownFormat::DateTime));
    param(name, about, typed(Type::String).format(format))
}

/// A duration, such as `5m`.
pub(super) fn span(name: &'static str, about: &str) -> Param {
    param(name, about, typed(Type::String).examples(["5m"]))
}

impl Param {
    /// It must be given.
    pub(super) fn must(self) -> Self {
        Self { required: true, ..self }
    }

    /// A value to try.
    pub(super) fn example(self, value: impl Into<Value>) -> Self {
        Self { example: Some(value.into()), ..self }
    }

    pub(super) fn of_query(self) -> Parameter {
        let required = if self.required { Required::True } else { Required::False };
        let built = ParameterBuilder::new()
            .name(self.name)
            .parameter_in(ParameterIn::Query)
            .required(required)
            .description(Some(self.about))
            .schema(Some(self.schema))
            .example(self.example);
        match self.repeats {
            true => built.style(Some(ParameterStyle::Form)).explode(Some(true)).build(),
            false => built.build(),
        }
    }
}

/// A parameter in a path: `{id}` is a number, all others are names.
pub(super) fn of_path(name: &str, about: &str) -> Parameter {
    let schema = match name {
        "id" | "revision" => {
            let format = Some(SchemaFormat::KnownFormat(KnownFormat::Int64));
            typed(Type::Integer).format(format).minimum(Some(1))
        }
        _ => typed(Type::String).min_length(Some(1)),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

/// A header of a request.
pub(super) fn of_header(name: &str, about: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(typed(Type::String)))
        .build()
}
