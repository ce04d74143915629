//! Pages of lists: the caller bounds the number of items, and this module the bytes, so that a list
//! of large items does not take much memory. A page that would be larger ends early, with a cursor
//! to the rest.

/// A page ends with the item that reaches this many bytes.
pub(crate) const PAGE_BYTES: u64 = 4 * 1024 * 1024;

/// How many of the items fit on a page of at most `limit` items: at least one, if there are any.
pub(super) fn fit(bytes: impl IntoIterator<Item = u64>, limit: usize) -> usize {
    let mut sum = 0;
    let fits = |bytes: &u64| {
        let fits = sum < PAGE_BYTES;
        sum = sum.saturating_add(*bytes);
        fits
    };
    bytes.into_iter().take(limit).take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_with_the_item_that_reaches_its_bound() {
        #[track_caller]
        fn check(bytes: &[u64], limit: usize, expected: usize) {
            assert_eq!(fit(bytes.iter().copied(), limit), expected);
        }
        let half = PAGE_BYTES / 2;
        check(&[], 10, 0);
        check(&[1, 1, 1], 2, 2);
        check(&[half, half, 1], 10, 2);
        check(&[half, half - 1, 1, 1], 10, 3);
        check(&[u64::MAX, u64::MAX], 10, 1);
    }
}
