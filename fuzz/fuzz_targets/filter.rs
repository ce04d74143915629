//! A filter over executors: every valid one survives a round trip through text, and accepts any
//! figures.
#![no_main]

use std::collections::BTreeMap;

use fastjob_core::{
    ExecutorName,
    route::Figures,
    shard::{Facts, Filter},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(filter) = text.parse::<Filter>() else { return };
    let again: Filter = filter.as_str().parse().expect("its own text parses");
    let name: ExecutorName = "e".parse().expect("a name");
    let labels: BTreeMap<_, _> = [("zone".to_owned(), "a".to_owned())].into();
    for cpu in [None, Some(0.0), Some(1.0), Some(f64::NAN)] {
        let figures = Figures { cpu, memory_free: Some(u64::MAX), ..Figures::default() };
        let facts = Facts { name: &name, labels: &labels, figures: &figures };
        assert_eq!(filter.matches(&facts), again.matches(&facts));
    }
});
