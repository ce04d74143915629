//! Each executor in turn.

use super::Candidate;
use crate::id::ExecutorName;

/// The first with a free place after `last` by name, beginning again at the end.
///
/// Counting by name and not by position keeps the turn fair while executors come and go.
pub(super) fn round_robin(from: &[Candidate<'_>], last: Option<&ExecutorName>) -> Option<usize> {
    let start = last.map_or(0, |last| from.partition_point(|candidate| candidate.name <= last));
    (start..from.len()).chain(0..start).find(|index| from[*index].has_place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(count: usize) -> Vec<ExecutorName> {
        (0..count).map(|n| format!("e{n:03}").parse().unwrap()).collect()
    }

    fn candidates<'a>(names: &'a [ExecutorName], places: &[bool]) -> Vec<Candidate<'a>> {
        names
            .iter()
            .zip(places)
            .map(|(name, place)| Candidate { name, has_place: *place })
            .collect()
    }

    proptest! {
        #[test]
        fn everyone_with_a_place_gets_the_same_share(count in 1usize..20, rounds in 1usize..5) {
            let names = names(count);
            let all = candidates(&names, &vec![true; count]);
            let mut given = vec![0; count];
            let mut last = None;
            for _ in 0..count * rounds {
                let index = round_robin(&all, last.as_ref()).unwrap();
                given[index] += 1;
                last = Some(names[index].clone());
            }
            prop_assert!(given.iter().all(|n| *n == rounds));
        }

        #[test]
        fn nobody_without_a_place_is_picked(places in prop::collection::vec(any::<bool>(), 0..20),
            last in prop::option::of(0usize..25)) {
            let names = names(places.len());
            let all = candidates(&names, &places);
            let last = last.map(|n| format!("e{n:03}").parse().unwrap());
            match round_robin(&all, last.as_ref()) {
                Some(index) => prop_assert!(places[index]),
                None => prop_assert!(places.iter().all(|place| !place)),
            }
        }
    }
}
