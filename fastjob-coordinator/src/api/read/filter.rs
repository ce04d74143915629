//! Filters in a body: the parameters of a list, as a JSON object. They are read by the code that reads
//! the query of the list, so whatever a list can filter by, an action on many can.

use serde_json::{Map, Value};

use super::{Field, Params, Problem};

/// Parameters of a list that say how it is shown, not which items it has.
const NO_FILTERS: [&str; 4] = ["cursor", "ends", "limit", "order"];

/// Reads a filter as `take` reads a query.
pub(in crate::api) fn filter<T>(
    filter: Map<String, Value>,
    take: impl FnOnce(&mut Params) -> T,
) -> Result<T, Problem> {
    let (mut given, mut problems) = (Vec::new(), Vec::new());
    for (name, value) in filter {
        if NO_FILTERS.contains(&name.as_str()) {
            problems.push(Field::new(name, "is not a filter"));
            continue;
        }
        let several = if let Value::Array(values) = value { values } else { vec![value] };
        for value in several {
            match value {
                Value::Null => {}
                Value::String(text) => given.push((name.clone(), text)),
                Value::Bool(_) | Value::Number(_) => given.push((name.clone(), value.to_string())),
                Value::Array(_) | Value::Object(_) => {
                    problems.push(Field::new(name.as_str(), "is not a text or a list of texts"));
                }
            }
        }
    }
    let params = Params { given, known: Vec::new(), problems };
    params.read(take).map_err(|problem| problem.within("filter"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A service, labels and states.
    type Read = (Option<String>, Vec<String>, Vec<String>);

    fn read(json: Value) -> Result<Read, Problem> {
        let Value::Object(object) = json else { panic!("not an object") };
        filter(object, |q| (q.text("service"), q.repeated("label"), q.texts("state")))
    }

    #[test]
    fn a_filter_is_read_like_a_query() {
        let text = str::to_owned;
        let read_all = read(json!({
            "service": "a", "label": ["x=1", "y"], "state": ["queued", "running,stopping"]
        }));
        let states = ["queued", "running", "stopping"].map(text).to_vec();
        let labels = ["x=1", "y"].map(text).to_vec();
        assert_eq!(read_all.unwrap(), (Some(text("a")), labels, states));
        assert_eq!(read(json!({})).unwrap(), (None, Vec::new(), Vec::new()));
        assert_eq!(read(json!({ "service": null })).unwrap().0, None);
        assert_eq!(read(json!({ "service": true })).unwrap().0.as_deref(), Some("true"));
    }

    #[test]
    fn what_is_not_a_filter_is_rejected() {
        for (json, wrong) in [
            (json!({ "servce": "a" }), "filter.servce: is not a parameter"),
            (json!({ "limit": 5 }), "filter.limit: is not a filter"),
            (json!({ "service": ["a", "b"] }), "filter.service: is given more than once"),
            (json!({ "service": { "a": 1 } }), "filter.service: is not a text"),
        ] {
            let problem = read(json).unwrap_err();
            assert!(problem.detail().starts_with(wrong), "{}", problem.detail());
        }
    }
}
