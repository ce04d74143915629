//! Reads definitions, and finds all their problems.

use fastjob_core::{Job, JobDraft, job::Problem, misread::Misread};
use serde_json::Value;

/// Maximum number of fields of one definition that are reported as unreadable.
const UNREADABLE: usize = 50;

/// What a definition is, or what is wrong with it.
#[derive(Debug)]
pub(crate) struct Judged {
    /// The job, if there are no problems.
    pub(crate) job: Option<Job>,
    /// Fields that do not exist, or have a value of another type.
    pub(crate) unreadable: Vec<Problem>,
    /// Values that are not allowed, or do not fit together.
    pub(crate) invalid: Vec<Problem>,
}

/// Reads a definition. `table` is the format's term for a set of fields with values.
///
/// serde stops at the first error. So a field that cannot be read is removed, and the rest is read
/// again.
pub(crate) fn judge(mut definition: Value, table: &str) -> Judged {
    let mut judged = Judged { job: None, unreadable: Vec::new(), invalid: Vec::new() };
    // serde would read a list as the fields in order.
    if definition.is_array() {
        let message = format!("found a list, expected {table}");
        judged.unreadable.push(Problem { field: String::new(), message });
        return judged;
    }
    // It may be large, and has no wrong structure. Without it, copies are small.
    let param = definition.as_object_mut().and_then(|fields| fields.remove("param"));
    while judged.unreadable.len() < UNREADABLE {
        // Reading needs a copy, because a definition that cannot be read is read again.
        let err = match serde_path_to_error::deserialize::<_, JobDraft>(definition.clone()) {
            Ok(draft) => {
                let draft = JobDraft { param: param.unwrap_or_default(), ..draft };
                match Job::try_from(draft) {
                    Ok(job) => judged.job = judged.unreadable.is_empty().then_some(job),
                    Err(err) => judged.invalid = err.problems,
                }
                // What seems to be missing may have been removed.
                let removed = &judged.unreadable;
                judged.invalid.retain(|problem| {
                    !removed.iter().any(|removed| removed.field.starts_with(&problem.field))
                });
                break;
            }
            Err(err) => err,
        };
        let path = err.path().to_string();
        let Misread { field, message } = Misread::of(&path, &err.inner().to_string(), table);
        let is_removed = remove(&mut definition, &path);
        judged.unreadable.push(Problem { field, message });
        if !is_removed {
            break;
        }
    }
    judged
}

/// Removes a field, such as `retry.count`; of a field in a list, the whole list.
fn remove(definition: &mut Value, path: &str) -> bool {
    let path = path.split('[').next().unwrap_or_default();
    let (table, field) = match path.rsplit_once('.') {
        Some((table, field)) => (format!("/{}", table.replace('.', "/")), field),
        None => (String::new(), path),
    };
    let table = definition.pointer_mut(&table).and_then(Value::as_object_mut);
    table.is_some_and(|table| table.remove(field).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(definition: &str, expected: &[&str]) {
        let judged = judge(serde_json::from_str(definition).unwrap(), "a table");
        let fields = judged.unreadable.iter().chain(&judged.invalid);
        assert_eq!(fields.map(|problem| problem.field.as_str()).collect::<Vec<_>>(), expected);
        assert_eq!(judged.job.is_some(), expected.is_empty());
    }

    #[test]
    fn every_problem_is_found_although_some_fields_cannot_be_read() {
        check(r#"{"name": "a"}"#, &[]);
        let many = r#"{"name": "a b", "retrys": 3, "timeout": "soon", "retry": {"count": "many"},
            "children": [{"job": "b"}, {"job": 7}], "block": "wait"}"#;
        check(many, &["children[1].job", "retry.count", "retrys", "name", "block", "timeout"]);
        check(r#"{"misfire": {}, "nam": "a"}"#, &["misfire.fire_all", "nam", "name"]);
        check(r#"{"name": 1}"#, &["name"]);
        check("[]", &[""]);
        check("3", &[""]);
    }
}
