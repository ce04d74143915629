//! The order in which jobs are saved: children first, because a parent without its children is
//! rejected, and otherwise as written.
//!
//! Names are resolved as the engine does, as far as the jobs at hand allow. Names that may refer to
//! other jobs, which are saved already, are left to the engine.

use std::collections::BTreeMap;

use fastjob_core::Job;

/// The jobs of a cycle of children, from the first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cycle(pub(super) Vec<usize>);

/// The positions of `jobs`, children first.
///
/// # Errors
///
/// Fails with a [`Cycle`] if a job is its own descendant.
pub(super) fn children_first(jobs: &[&Job]) -> Result<Vec<usize>, Cycle> {
    let names = Names::of(jobs);
    let all = jobs.iter().map(|job| names.children(job, Certainty::Likely)).collect();
    walk(all).or_else(|_| {
        // A name may refer to another job than it seems to, so only certain cycles are errors.
        walk(jobs.iter().map(|job| names.children(job, Certainty::Certain)).collect())
    })
}

/// The level of each of these jobs, which are sorted children first: 0 without children among them,
/// otherwise one more than the highest level of its children.
pub(super) fn levels(jobs: &[&Job]) -> Vec<usize> {
    let names = Names::of(jobs);
    let mut levels: Vec<usize> = Vec::with_capacity(jobs.len());
    for job in jobs {
        let children = names.children(job, Certainty::Likely).into_iter();
        // A child that comes later is not one of these jobs: the engine knows another of its name.
        let level = children.filter_map(|at| levels.get(at)).max().map_or(0, |level| level + 1);
        levels.push(level);
    }
    levels
}

/// How certain it has to be that a name refers to a job of the files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Certainty {
    Certain,
    /// The engine may know another job of that name.
    Likely,
}

/// Positions of jobs, by `service.name` and by name alone.
struct Names {
    full: BTreeMap<String, usize>,
    bare: BTreeMap<String, Vec<usize>>,
}

impl Names {
    fn of(jobs: &[&Job]) -> Self {
        let mut names = Self { full: BTreeMap::new(), bare: BTreeMap::new() };
        for (at, job) in jobs.iter().enumerate() {
            names.full.insert(job.path().to_string(), at);
            names.bare.entry(job.name.to_string()).or_default().push(at);
        }
        names
    }

    /// The children of `job` among these; a job of the same service takes precedence, as in the
    /// engine.
    fn children(&self, job: &Job, certainty: Certainty) -> Vec<usize> {
        let service = &job.service;
        let find = |path: &str| {
            let beside = self.full.get(&format!("{service}.{path}"));
            if let Some(at) = beside.or_else(|| self.full.get(path)) {
                return vec![*at];
            }
            match certainty {
                Certainty::Certain => Vec::new(),
                // A name that several of them have is ambiguous.
                Certainty::Likely => match self.bare.get(path).map(Vec::as_slice) {
                    Some([only]) => vec![*only],
                    _ => Vec::new(),
                },
            }
        };
        job.children.iter().flat_map(|child| find(child.job.as_str())).collect()
    }
}

/// Visits everything in order, but each item after its children.
fn walk(children: Vec<Vec<usize>>) -> Result<Vec<usize>, Cycle> {
    let mut order = Vec::with_capacity(children.len());
    let mut is_done = vec![false; children.len()];
    for start in 0..children.len() {
        // The path down from `start`, each item with its children that are still to be visited.
        let mut path = Vec::new();
        let mut enter = Some(start);
        loop {
            if let Some(at) = enter.take().filter(|at| !is_done[*at]) {
                if let Some(first) = path.iter().position(|(other, _)| *other == at) {
                    return Err(Cycle(path[first..].iter().map(|(at, _)| *at).collect()));
                }
                path.push((at, children[at].iter()));
            }
            let Some((at, left)) = path.last_mut() else { break };
            enter = left.next().copied();
            if enter.is_none() {
                is_done[*at] = true;
                order.push(*at);
                path.pop();
            }
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use fastjob_core::{JobDraft, job::ChildDraft};

    use super::*;

    /// A job named `a` or `mail.a`, with these children.
    fn job(name: &str, children: &[&str]) -> Job {
        let (service, name) = match name.split_once('.') {
            Some((service, name)) => (Some(service.to_owned()), name),
            None => (None, name),
        };
        let children = children
            .iter()
            .map(|child| ChildDraft { job: (*child).to_owned(), ..ChildDraft::default() })
            .collect();
        let draft = JobDraft { name: name.to_owned(), service, children, ..JobDraft::default() };
        draft.try_into().unwrap()
    }

    #[track_caller]
    fn check(jobs: &[(&str, &[&str])], expected: Result<&[&str], &[&str]>) {
        let all: Vec<_> = jobs.iter().map(|(name, children)| job(name, children)).collect();
        let found = children_first(&all.iter().collect::<Vec<_>>());
        let names = |places: Vec<usize>| places.iter().map(|at| jobs[*at].0).collect::<Vec<_>>();
        let found = found.map(names).map_err(|Cycle(places)| names(places));
        assert_eq!(found, expected.map(<[_]>::to_vec).map_err(<[_]>::to_vec));
    }

    #[test]
    fn children_come_before_their_parents_and_the_rest_keeps_its_order() {
        check(&[("c", &[]), ("a", &[]), ("b", &[])], Ok(&["c", "a", "b"]));
        check(&[("a", &["c"]), ("b", &[]), ("c", &[])], Ok(&["c", "a", "b"]));
        check(&[("a", &["b"]), ("b", &["c"]), ("c", &[])], Ok(&["c", "b", "a"]));
        // Two parents of one child.
        check(&[("a", &["b", "c"]), ("b", &["d"]), ("c", &["d", "b"]), ("d", &[])], {
            Ok(&["d", "b", "c", "a"])
        });
        // A child that is not among them.
        check(&[("a", &["b", "z"]), ("b", &[])], Ok(&["b", "a"]));
    }

    #[test]
    fn a_child_is_named_with_or_without_its_service() {
        check(&[("a", &["mail.b"]), ("mail.b", &[]), ("b", &[])], Ok(&["mail.b", "a", "b"]));
        check(&[("mail.a", &["b"]), ("b", &[]), ("mail.b", &[])], Ok(&["mail.b", "mail.a", "b"]));
        // A child in another service, if no other job has that name.
        check(&[("mail.a", &["b"]), ("b", &[])], Ok(&["b", "mail.a"]));
        check(&[("a", &["default.b"]), ("b", &[])], Ok(&["b", "a"]));
    }

    #[test]
    fn a_cycle_is_rejected() {
        check(&[("x", &["b"]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"])], Err(&["b", "c", "a"]));
        check(&[("a", &["mail.b"]), ("mail.b", &["default.a"])], Err(&["a", "mail.b"]));
        // `b` may be a saved job in the service of `a`: the coordinator decides.
        check(&[("a", &["b"]), ("mail.b", &["default.a"])], Ok(&["a", "mail.b"]));
    }

    #[test]
    fn a_job_is_on_a_higher_level_than_its_children() {
        let jobs = [job("d", &[]), job("c", &["d"]), job("x", &["there"]), job("a", &["d", "c"])];
        assert_eq!(levels(&jobs.iter().collect::<Vec<_>>()), [0, 1, 0, 2]);
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let names: Vec<_> = (0..100_000).map(|n| format!("j{n}")).collect();
        let jobs: Vec<_> = names.windows(2).map(|pair| job(&pair[0], &[&pair[1]])).collect();
        let order = children_first(&jobs.iter().collect::<Vec<_>>()).unwrap();
        assert!(order.into_iter().rev().eq(0..jobs.len()));
    }
}
