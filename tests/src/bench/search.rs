//! The search for the highest rate that holds.
//!
//! The step doubles until a rate fails; then the interval between the highest rate that held and the
//! lowest that failed is halved until it is as small as the resolution. A rate that fails is tried
//! twice, because other processes of the machine can make a rate fail, but cannot make one hold.

/// The result of one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every fire ended within the bound.
    Holds,
    /// Some did not.
    Fails,
}

/// A search that is under way.
#[derive(Clone, Debug)]
pub struct Search {
    resolution: usize,
    most: usize,
    step: usize,
    first: usize,
    holds: Option<usize>,
    fails: Option<usize>,
    /// A rate that failed once and is tried again.
    again: Option<usize>,
}

impl Search {
    /// A search that begins with the rate `first`, and tries multiples of `resolution` up to `most`.
    pub fn new(first: usize, resolution: usize, most: usize) -> Self {
        let resolution = resolution.max(1);
        let first = round(first.min(most), resolution).max(resolution);
        let (holds, fails, again) = (None, None, None);
        Self { resolution, most, step: first, first, holds, fails, again }
    }

    /// The rate to try next; `None` when the search is over.
    pub fn next(&self) -> Option<usize> {
        if self.again.is_some() {
            return self.again;
        }
        match (self.holds, self.fails) {
            (None, None) => Some(self.first),
            (Some(holds), None) if holds >= self.most => None,
            (Some(holds), None) => Some((holds + self.step).min(self.most)),
            (holds, Some(fails)) => {
                let holds = holds.unwrap_or(0);
                let middle = round(holds + (fails - holds) / 2, self.resolution);
                let middle = middle.max(holds + self.resolution);
                (middle < fails).then_some(middle)
            }
        }
    }

    /// Takes the result of a round with the rate of [`next`](Self::next).
    pub fn tried(&mut self, rate: usize, verdict: Verdict) {
        let is_second = self.again.take() == Some(rate);
        match verdict {
            Verdict::Holds => {
                if self.holds.is_some() {
                    self.step *= 2;
                }
                self.holds = Some(rate);
            }
            Verdict::Fails if !is_second => self.again = Some(rate),
            Verdict::Fails => self.fails = Some(rate),
        }
    }

    /// The highest rate that held so far; 0 if none did.
    pub fn best(&self) -> usize {
        self.holds.unwrap_or(0)
    }

    /// Whether the search ended at the highest rate that it may try, so that the limit is unknown.
    pub fn is_cut_short(&self) -> bool {
        self.best() >= self.most
    }
}

fn round(rate: usize, resolution: usize) -> usize {
    (rate + resolution / 2) / resolution * resolution
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches with a limit, and returns the best rate and all that were tried.
    fn search(limit: usize, verdict: impl Fn(usize) -> Verdict) -> (usize, Vec<usize>) {
        let mut search = Search::new(10_000, 1_000, limit);
        let mut tried = Vec::new();
        while let Some(rate) = search.next() {
            tried.push(rate);
            assert!(tried.len() < 60, "{tried:?}");
            search.tried(rate, verdict(rate));
        }
        (search.best(), tried)
    }

    #[test]
    fn the_highest_rate_that_holds_is_found_to_the_resolution() {
        for limit in (1_000..300_000).step_by(777) {
            let holds = |rate| if rate <= limit { Verdict::Holds } else { Verdict::Fails };
            let (best, tried) = search(400_000, holds);
            assert!(best <= limit && limit - best < 1_000, "{best} of {limit}: {tried:?}");
        }
    }

    #[test]
    fn the_step_doubles_until_a_rate_fails() {
        let holds = |rate| if rate < 65_000 { Verdict::Holds } else { Verdict::Fails };
        let (best, mut tried) = search(400_000, holds);
        tried.dedup();
        assert_eq!(tried, [10_000, 20_000, 40_000, 80_000, 60_000, 70_000, 65_000, 63_000, 64_000]);
        assert_eq!(best, 64_000);
    }

    #[test]
    fn a_rate_that_fails_is_tried_twice() {
        let holds = |rate| if rate <= 12_000 { Verdict::Holds } else { Verdict::Fails };
        let (best, tried) = search(400_000, holds);
        let expected = [10_000, 20_000, 20_000, 15_000, 15_000, 13_000, 13_000, 12_000];
        assert_eq!((best, tried.as_slice()), (12_000, expected.as_slice()));
    }

    #[test]
    fn a_second_try_that_holds_counts() {
        let mut search = Search::new(10_000, 1_000, 400_000);
        search.tried(10_000, Verdict::Fails);
        assert_eq!(search.next(), Some(10_000));
        search.tried(10_000, Verdict::Holds);
        assert_eq!((search.best(), search.next()), (10_000, Some(20_000)));
    }

    #[test]
    fn a_rate_below_the_resolution_is_not_tried() {
        assert_eq!(search(400_000, |_| Verdict::Fails).0, 0);
    }

    #[test]
    fn a_search_that_reaches_its_highest_rate_says_so() {
        let mut search = Search::new(10_000, 1_000, 30_000);
        while let Some(rate) = search.next() {
            search.tried(rate, Verdict::Holds);
        }
        assert!(search.is_cut_short());
        assert_eq!(search.best(), 30_000);
    }
}
