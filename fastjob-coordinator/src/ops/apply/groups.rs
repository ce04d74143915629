//! In which order the jobs of a request are saved: children first.

use std::collections::BTreeMap;

use fastjob_core::job::Problem;

use super::{
    super::{
        Error,
        order::{Cycle, children_first, levels},
    },
    request::{Planned, invalid, of_job},
};

/// The jobs in groups that are saved one after the other.
pub(super) fn by_level(planned: &[Planned], is_alone: bool) -> Vec<Vec<&Planned>> {
    if is_alone {
        return vec![planned.iter().collect()];
    }
    let jobs: Vec<_> = planned.iter().map(|plan| &*plan.job).collect();
    let mut groups: BTreeMap<usize, Vec<&Planned>> = BTreeMap::new();
    for (plan, level) in planned.iter().zip(levels(&jobs)) {
        groups.entry(level).or_default().push(plan);
    }
    groups.into_values().collect()
}

/// Sorts the jobs, children first.
pub(super) fn in_order(planned: Vec<Planned>) -> Result<Vec<Planned>, Error> {
    let jobs: Vec<_> = planned.iter().map(|plan| &*plan.job).collect();
    match children_first(&jobs) {
        Ok(order) => {
            let mut planned: Vec<_> = planned.into_iter().map(Some).collect();
            Ok(order.into_iter().filter_map(|at| planned[at].take()).collect())
        }
        Err(Cycle(places)) => {
            let round = places.iter().chain(places.first());
            let names: Vec<_> = round.map(|at| planned[*at].job.path().to_string()).collect();
            let message = format!(
                "these children form a cycle, so their tasks would never end: {}",
                names.join(" -> ")
            );
            let at = places.first().map_or(0, |at| planned[*at].at);
            Err(invalid(vec![of_job(at, Problem { field: "children".to_owned(), message })]))
        }
    }
}
