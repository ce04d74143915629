//! JSON schemas of what a draft writes as text or as a table: durations and strategies.
//!
//! The types here only stand for their schemas. The words come from the lists with which drafts are
//! checked.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema,
        schema::{SchemaType, Type},
    },
};

use super::{BlockDraft, MisfireDraft, RetryDraft, RouteDraft, ScheduleDraft, ShardDraft};
use crate::{
    block::{BlockScope, BlockStrategy},
    children::ChildOn,
    route::RouteStrategy,
};

/// The schema of a type that is written as a text, or as one of several forms.
macro_rules! schemas {
    ($($type:ident = $name:literal: $schema:expr, with ($($part:ty),*);)*) => {$(
        pub(super) struct $type;

        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                $schema
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                let _ = &schemas;
                $(
                    schemas.push((<$part>::name().into_owned(), <$part>::schema()));
                    <$part>::schemas(schemas);
                )*
            }
        }
    )*};
}

schemas! {
    Span = "Duration": span(), with ();
    Schedule = "Schedule": either::<ScheduleDraft>(&["none"]), with (ScheduleDraft);
    Misfire = "Misfire": either::<MisfireDraft>(&["skip", "fire_once", "fire_all"]),
        with (MisfireDraft);
    Route = "Route": either::<RouteDraft>(&names(&RouteStrategy::NAMES)), with (RouteDraft);
    Shard = "Shard": either::<ShardDraft>(&["one", "all"]), with (ShardDraft);
    Block = "Block": either::<BlockDraft>(&names(&BlockStrategy::NAMES)), with (BlockDraft);
    BlockStrategyName = "BlockStrategy": words(&names(&BlockStrategy::NAMES)).into(), with ();
    BlockScopeName = "BlockScope": words(&names(&BlockScope::NAMES)).into(), with ();
    ChildOnName = "ChildOn": words(&names(&ChildOn::NAMES)).into(), with ();
    Retry = "Retry": retry(), with (RetryDraft);
}

fn span() -> RefOr<Schema> {
    let about = "A duration: numbers with `d`, `h`, `m`, `s` or `ms`.";
    let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    text.description(Some(about)).examples(["30s", "1h 30m", "250ms"]).into()
}

/// A number of retries, or a table.
fn retry() -> RefOr<Schema> {
    let count = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Integer))
        .minimum(Some(0))
        .description(Some("The number of retries."));
    OneOfBuilder::new().item(count).item(Ref::from_schema_name(RetryDraft::name())).into()
}

/// One of the words, or a table.
fn either<T: ToSchema>(names: &[&str]) -> RefOr<Schema> {
    OneOfBuilder::new().item(words(names)).item(Ref::from_schema_name(T::name())).into()
}

fn words(names: &[&str]) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    text.enum_values(Some(names.iter().copied()))
}

fn names<T, const N: usize>(all: &[(&'static str, T); N]) -> [&'static str; N] {
    std::array::from_fn(|at| all[at].0)
}
