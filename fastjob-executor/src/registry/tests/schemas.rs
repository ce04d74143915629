//! JSON schemas of params, as `#[job]` finds them.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::*;

/// The service of these handlers, so that other tests do not discover them.
const SERVICE: &str = "schemas";

#[derive(Deserialize, JsonSchema)]
struct Month {
    /// 1 to 12.
    #[schemars(range(min = 1, max = 12))]
    month: u8,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Deserialize)]
struct Untyped {
    number: u8,
}

#[job("month", service = "schemas")]
async fn month(ctx: &JobContext, month: Month) -> JobResult {
    ctx.log(month.notes.join(" "));
    Ok(month.month.to_string().into())
}

#[job("untyped", service = "schemas")]
async fn untyped(param: Untyped) -> JobResult {
    Ok(param.number.to_string().into())
}

#[job("none", service = "schemas")]
async fn none() {}

/// The function parses its param itself.
#[job("itself", service = "schemas", param_type = Option<Month>)]
async fn itself(ctx: &JobContext) -> JobResult {
    let month = ctx.param::<Option<Month>>()?;
    Ok(month.map_or(0, |month| month.month).to_string().into())
}

#[job("unit", service = "schemas", param_type = Month)]
struct Unit;

#[job("unit-untyped", service = "schemas", param_type = Untyped)]
struct UnitUntyped;

says_its_name!(Unit UnitUntyped);

fn found(values: Vec<Registration>) -> Registry {
    Registry::collect(&service(SERVICE), Discovery::On, values, &States::default()).unwrap()
}

#[test]
fn a_param_type_with_a_schema_is_registered_with_it() {
    let registry = found(Vec::new());
    let ours = ["itself", "month", "none", "unit", "unit-untyped", "untyped"];
    assert!(ours.iter().all(|name| registry.get(name).is_some()));
    let with: Vec<_> = registry.schemas().map(|(name, _)| name).collect();
    // `double` of the other tests takes a number.
    assert_eq!(with, ["double", "itself", "month", "unit"]);
    let schema = |wanted: &str| -> Value {
        let (_, schema) = registry.schemas().find(|(name, _)| *name == wanted).unwrap();
        serde_json::from_str(schema).unwrap()
    };
    let month = schema("month");
    assert_eq!(month["required"], serde_json::json!(["month"]));
    assert_eq!(month["properties"]["month"]["maximum"], 12);
    assert_eq!(month["properties"]["month"]["description"], "1 to 12.");
    assert_eq!(schema("unit"), month);
    assert!(schema("itself")["$defs"]["Month"].is_object());
    // Also if it is registered by value, where discovery is off.
    let values = vec![month_by_value()];
    let alone =
        Registry::collect(&service(SERVICE), Discovery::Off, values, &States::default()).unwrap();
    assert_eq!(alone.schemas().map(|(name, _)| name).collect::<Vec<_>>(), ["month"]);
}

fn month_by_value() -> Registration {
    self::month.into_registration()
}

/// The schemas of handlers that have this many bytes each, after the bounds are applied.
fn bounded(sizes: &[usize]) -> Vec<usize> {
    let mut registry = Registry::default();
    for (number, size) in sizes.iter().enumerate() {
        let (handler, schema) = (Arc::new(Unit), Some("x".repeat(*size)));
        registry.add(&format!("h{number:02}"), "".into(), schema, handler, String::new()).unwrap();
    }
    registry.bound_schemas();
    registry.schemas().map(|(_, schema)| schema.len()).collect()
}

#[test]
fn schemas_for_which_the_protocol_has_no_room_are_left_out() {
    assert_eq!(bounded(&[SCHEMA_MAX + 1, SCHEMA_MAX, 7]), [SCHEMA_MAX, 7]);
    let (many, fit) = ([SCHEMA_MAX; 20], SCHEMAS_MAX / SCHEMA_MAX);
    assert_eq!(bounded(&many).len(), fit);
    assert_eq!(bounded(&[60_000; 20]).len(), SCHEMAS_MAX / 60_000);
}
