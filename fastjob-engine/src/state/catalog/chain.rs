//! Chains of jobs, in which each job is a child of the previous one.
//!
//! The walks here keep their path in a list instead of on the call stack, and follow a bounded
//! number of links. So no set of job definitions can overflow the stack or block the engine.

use std::{cell::Cell, collections::BTreeSet, vec};

use fastjob_core::JobId;

use crate::maps::{Map, Set};

/// The maximum number of links, from a job to its child, that the save of one job follows.
pub const LINKS_MOST: usize = 200_000;

/// Which jobs of this partition have a job as their child.
#[derive(Debug, Default)]
pub(crate) struct Parents(Map<JobId, BTreeSet<JobId>>);

impl Parents {
    /// Replaces the children of `parent`: from `before` to `after`.
    pub(crate) fn change(&mut self, parent: JobId, before: &[JobId], after: &[JobId]) {
        for child in before {
            if let Some(parents) = self.0.get_mut(child) {
                parents.remove(&parent);
                if parents.is_empty() {
                    self.0.remove(child);
                }
            }
        }
        for child in after {
            self.0.entry(*child).or_default().insert(parent);
        }
    }

    pub(crate) fn of(&self, child: JobId) -> impl Iterator<Item = JobId> {
        self.0.get(&child).into_iter().flatten().copied()
    }
}

/// Why the longest chain was not found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Endless {
    /// The chain contains a cycle.
    Cycle,
    /// It has more links than [`LINKS_MOST`].
    TooMany,
}

/// Follows chains in one direction, and visits each job once.
pub(crate) struct Walk<'a, F> {
    /// Returns the jobs that follow a job.
    next: F,
    /// How many links may still be followed.
    left: &'a Cell<usize>,
    /// Finished jobs: the number of jobs of the longest chain from there, and the second of them.
    known: Map<JobId, (usize, Option<JobId>)>,
}

/// A job on the path, with the jobs that are still to be followed from it.
struct Step {
    job: JobId,
    left: vec::IntoIter<JobId>,
    longest: (usize, Option<JobId>),
}

impl<'a, F: Fn(JobId) -> Vec<JobId>> Walk<'a, F> {
    pub(crate) fn new(next: F, left: &'a Cell<usize>) -> Self {
        Self { next, left, known: Map::default() }
    }

    /// The longest chain that begins with `first`.
    ///
    /// # Errors
    ///
    /// Fails with [`Endless`] if there is no such chain, or if the search exceeded the work that a
    /// save may cause.
    pub(crate) fn longest(&mut self, first: JobId) -> Result<Vec<JobId>, Endless> {
        let mut on_path = Set::default();
        let mut path: Vec<Step> = Vec::new();
        let mut enter = Some(first);
        loop {
            if let Some(job) = enter.take() {
                match self.left.get().checked_sub(1) {
                    Some(left) => self.left.set(left),
                    None => return Err(Endless::TooMany),
                }
                if let Some((length, _)) = self.known.get(&job) {
                    if let Some(step) = path.last_mut() {
                        step.take(job, *length);
                    }
                } else if on_path.insert(job) {
                    let left = (self.next)(job).into_iter();
                    path.push(Step { job, left, longest: (1, None) });
                } else {
                    return Err(Endless::Cycle);
                }
            }
            let Some(step) = path.last_mut() else { break };
            enter = step.left.next();
            if enter.is_none() {
                let Some(Step { job, longest, .. }) = path.pop() else { break };
                on_path.remove(&job);
                self.known.insert(job, longest);
                if let Some(before) = path.last_mut() {
                    before.take(job, longest.0);
                }
            }
        }
        let chain = std::iter::successors(Some(first), |job| self.known.get(job)?.1);
        Ok(chain.collect())
    }
}

impl Step {
    /// Considers `next` as the next job; the longest chain from there has `length` jobs.
    fn take(&mut self, next: JobId, length: usize) {
        if length >= self.longest.0 {
            self.longest = (length + 1, Some(next));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[i64]) -> Vec<JobId> {
        ids.iter().copied().map(JobId).collect()
    }

    #[test]
    fn the_longest_of_several_chains_is_found() {
        let next = |job: JobId| match job.0 {
            1 => ids(&[2, 3]),
            2 => ids(&[5]),
            3 => ids(&[4, 4]),
            4 => ids(&[2]),
            _ => Vec::new(),
        };
        let left = Cell::new(LINKS_MOST);
        let mut walk = Walk::new(next, &left);
        assert_eq!(walk.longest(JobId(1)).unwrap(), ids(&[1, 3, 4, 2, 5]));
        assert_eq!(walk.longest(JobId(4)).unwrap(), ids(&[4, 2, 5]));
        assert_eq!(walk.longest(JobId(9)).unwrap(), ids(&[9]));
    }

    #[test]
    fn a_cycle_has_no_longest_chain() {
        let left = Cell::new(LINKS_MOST);
        let mut walk = Walk::new(|job: JobId| ids(&[job.0 % 3 + 1]), &left);
        assert_eq!(walk.longest(JobId(1)), Err(Endless::Cycle));
    }

    #[test]
    fn a_long_chain_does_not_overflow_the_stack_and_the_search_is_bounded() {
        let most = i64::try_from(LINKS_MOST).unwrap();
        let line = |until: i64| {
            move |job: JobId| if job.0 < until { ids(&[job.0 + 1]) } else { Vec::new() }
        };
        let left = Cell::new(LINKS_MOST);
        assert_eq!(Walk::new(line(most), &left).longest(JobId(1)).unwrap().len(), LINKS_MOST);
        assert_eq!(Walk::new(line(1), &left).longest(JobId(1)), Err(Endless::TooMany));
        let left = Cell::new(LINKS_MOST);
        assert_eq!(Walk::new(line(most + 1), &left).longest(JobId(1)), Err(Endless::TooMany));
        let left = Cell::new(LINKS_MOST);
        // Many paths through few jobs cost no more than their links.
        let layers = |job: JobId| if job.0 < 3_000 { ids(&[job.0 + 1; 64]) } else { Vec::new() };
        assert_eq!(Walk::new(layers, &left).longest(JobId(1)).unwrap().len(), 3_000);
    }

    #[test]
    fn parents_are_those_of_the_latest_change() {
        let mut parents = Parents::default();
        parents.change(JobId(1), &[], &ids(&[7, 8, 8]));
        parents.change(JobId(2), &[], &ids(&[7]));
        assert_eq!(parents.of(JobId(7)).collect::<Vec<_>>(), ids(&[1, 2]));
        parents.change(JobId(1), &ids(&[7, 8, 8]), &ids(&[9]));
        assert_eq!(parents.of(JobId(7)).collect::<Vec<_>>(), ids(&[2]));
        assert_eq!(parents.of(JobId(8)).count(), 0);
        parents.change(JobId(2), &ids(&[7]), &[]);
        parents.change(JobId(1), &ids(&[9]), &[]);
        assert!(parents.0.is_empty(), "{parents:?}");
    }
}
