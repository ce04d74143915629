//! The schemas of the description, from those that are derived from the types.
//!
//! The types say what a reader has to accept, also from other releases. What this release writes is
//! narrower: every field of an answer is there, unless it is skipped if it has no value. Such fields
//! are `nullable = false` in the types; a field that may be `null` is always sent.

use std::collections::{BTreeMap, BTreeSet};

use fastjob_core::{Job, JobDraft};
use utoipa::openapi::{
    ArrayBuilder, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema,
    schema::{AdditionalProperties, ArrayItems, Object, SchemaType, Type},
};

use super::{call::Call, param::typed};

/// All schemas, by name.
pub(super) type Schemas = BTreeMap<String, RefOr<Schema>>;

/// The fields of a job that are to be changed.
pub(super) const JOB_EDIT: &str = "JobEdit";
/// The fields of a job that is saved together with others.
const JOB_TO_APPLY: &str = "JobToApply";

pub(super) fn of(calls: &[Call]) -> Schemas {
    let parts = |call: &Call| [&call.requests[..], &call.answers[..]].concat();
    let mut schemas: Schemas = calls.iter().flat_map(parts).collect();
    let requests: BTreeSet<String> =
        calls.iter().flat_map(|call| call.requests.iter().map(|(name, _)| name.clone())).collect();
    let derived = schemas.clone();
    for (name, schema) in &mut schemas {
        flatten(schema, &derived);
        if !requests.contains(name) {
            require(schema);
        }
    }
    let draft = object(&schemas, "JobDraft");
    let edit = edit(&draft);
    schemas.insert(JOB_TO_APPLY.to_owned(), RefOr::T(to_apply(&edit).into()));
    schemas.insert(JOB_EDIT.to_owned(), RefOr::T(edit.into()));
    require_defaults(&mut schemas);
    let jobs = ArrayBuilder::new().items(Ref::from_schema_name(JOB_TO_APPLY)).description(Some(
        "The jobs, each once. Of an existing job, fields that are omitted keep their values, and \
         `null` resets a field to its default.",
    ));
    let apply = schemas.get_mut("ApplyRequest").and_then(as_object).expect("it is a request");
    apply.properties.insert("jobs".to_owned(), jobs.max_items(Some(10_000)).into());
    let problem = schemas.get_mut("ProblemDetails").and_then(as_object).expect("calls fail");
    problem.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(true)));
    schemas
}

fn as_object(schema: &mut RefOr<Schema>) -> Option<&mut Object> {
    match schema {
        RefOr::T(Schema::Object(object)) => Some(object),
        RefOr::T(_) | RefOr::Ref(_) => None,
    }
}

fn object(schemas: &Schemas, name: &str) -> Object {
    match schemas.get(name) {
        Some(RefOr::T(Schema::Object(object))) => object.clone(),
        Some(_) | None => panic!("{name} is not an object"),
    }
}

/// Puts the fields of flattened types beside the others. A type that rejects unknown fields could
/// not be a part of another one otherwise.
fn flatten(schema: &mut RefOr<Schema>, all: &Schemas) {
    let RefOr::T(Schema::AllOf(parts)) = schema else { return };
    let mut whole = ObjectBuilder::new().description(parts.description.clone()).build();
    whole.schema_type = SchemaType::Type(Type::Object);
    // The fields of the type itself come last, and are read first.
    for part in parts.items.iter().rev() {
        let part = match part {
            RefOr::T(Schema::Object(object)) => object.clone(),
            RefOr::Ref(named) => {
                let (_, name) = named.ref_location.rsplit_once('/').expect("it refers to a schema");
                object(all, name)
            }
            RefOr::T(_) => panic!("only a struct can be flattened"),
        };
        whole.properties.extend(part.properties);
        whole.required.extend(part.required);
    }
    *schema = RefOr::T(Schema::Object(whole));
}

/// A field that may be `null` is always sent.
fn require(schema: &mut RefOr<Schema>) {
    let Some(object) = as_object(schema) else { return };
    for (name, field) in &object.properties {
        if is_nullable(field) && !object.required.contains(name) {
            object.required.push(name.clone());
        }
    }
}

fn is_nullable(field: &RefOr<Schema>) -> bool {
    let has_null = |of: &SchemaType| match of {
        SchemaType::Type(one) => *one == Type::Null,
        SchemaType::Array(several) => several.contains(&Type::Null),
        SchemaType::AnyValue => false,
    };
    match field {
        RefOr::T(Schema::Object(object)) => has_null(&object.schema_type),
        RefOr::T(Schema::Array(array)) => has_null(&array.schema_type),
        RefOr::T(Schema::OneOf(several)) => several.items.iter().any(is_nullable),
        RefOr::T(_) | RefOr::Ref(_) => false,
    }
}

/// A job is shown with its defaults.
fn require_defaults(schemas: &mut Schemas) {
    let least = JobDraft { name: "a".to_owned(), ..JobDraft::default() };
    let job = Job::try_from(least).expect("a job needs only a name");
    let shown = serde_json::to_value(JobDraft::from(&job)).expect("a draft is JSON");
    let view = schemas.get_mut("JobView").and_then(as_object).expect("jobs are shown");
    for field in shown.as_object().into_iter().flatten().map(|(field, _)| field) {
        if !view.required.contains(field) {
            view.required.push(field.clone());
        }
    }
}

/// All fields of a draft, none of which is needed, and each of which can be reset.
fn edit(draft: &Object) -> Object {
    let mut edit = draft.clone();
    edit.description = Some(
        "The fields of a job to change. Fields that are omitted keep their values, and `null` \
         resets a field to its default. Tables are merged."
            .to_owned(),
    );
    edit.required.clear();
    for (name, field) in &mut edit.properties {
        if !["name", "service", "param"].contains(&name.as_str()) {
            *field = or_null(field);
        }
    }
    let label: RefOr<Schema> =
        OneOfBuilder::new().item(typed(Type::String)).item(typed(Type::Null)).into();
    let labels = typed(Type::Object).additional_properties(Some(label));
    let labels = labels.description(Some("Labels to set, and those to remove, as `null`."));
    edit.properties.insert("labels".to_owned(), or_null(&labels.into()));
    let origin = typed(Type::String).enum_values(Some(["code", "api"])).description(Some(
        "Who owns the definition: `code` gives it back to the code of its handler. `api` if omitted.",
    ));
    edit.properties.insert("origin".to_owned(), origin.into());
    edit
}

fn to_apply(edit: &Object) -> Object {
    let mut job = edit.clone();
    job.description = Some("A job that is saved together with others.".to_owned());
    job.required.push("name".to_owned());
    job
}

fn or_null(field: &RefOr<Schema>) -> RefOr<Schema> {
    let null = typed(Type::Null);
    let mut either = OneOfBuilder::new();
    match field {
        // The description of a reference belongs to the field.
        RefOr::Ref(named) => {
            let mut plain = named.clone();
            let about = std::mem::take(&mut plain.description);
            either = either.description(Some(about).filter(|about| !about.is_empty())).item(plain);
        }
        RefOr::T(other) => {
            let mut plain = other.clone();
            let mut about = None;
            if let Schema::Object(object) = &mut plain {
                about = object.description.take();
            } else if let Schema::Array(array) = &mut plain {
                about = array.description.take();
            }
            either = either.description(about).item(plain);
        }
    }
    either.item(null).into()
}

/// Changes every description in a schema, and removes defaults: those of the types are not those that
/// a request gets, and generators take a field with a default for one that is always there.
pub(super) fn clean(schema: &mut RefOr<Schema>, change: &impl Fn(&str) -> String) {
    let about = |text: &mut Option<String>| {
        if let Some(text) = text {
            *text = change(text);
        }
    };
    match schema {
        RefOr::Ref(named) => {
            named.description = change(&named.description);
            named.default = None;
        }
        RefOr::T(Schema::Object(object)) => {
            about(&mut object.description);
            object.default = None;
            object.properties.values_mut().for_each(|field| clean(field, change));
            if let Some(AdditionalProperties::RefOr(of)) =
                object.additional_properties.as_deref_mut()
            {
                clean(of, change);
            }
        }
        RefOr::T(Schema::Array(array)) => {
            about(&mut array.description);
            array.default = None;
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                clean(items, change);
            }
        }
        RefOr::T(Schema::OneOf(several)) => {
            about(&mut several.description);
            several.default = None;
            several.items.iter_mut().for_each(|item| clean(item, change));
        }
        RefOr::T(_) => {}
    }
}
