//! What filters match, and what is rejected, with which message and at which position.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const GIB: u64 = 1 << 30;

fn holds(filter: &str) -> bool {
    let labels = [("region", "eu"), ("gpu", "true"), ("gpus", "4"), ("zone", "a b"), ("cpu", "x1")];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let figures = Figures {
        cpu: Some(0.5),
        memory_free: Some(2 * GIB),
        memory_total: None,
        running: 3,
        ..Figures::default()
    };
    let filter: Filter = filter.parse().unwrap_or_else(|err| panic!("{err}"));
    let name = "billing-1".parse().unwrap();
    filter.matches(&Facts { name: &name, labels: &labels, figures: &figures })
}

#[track_caller]
fn yes(filter: &str) {
    assert!(holds(filter), "{filter}");
}

#[track_caller]
fn no(filter: &str) {
    assert!(!holds(filter), "{filter}");
}

#[test]
fn labels_are_compared_as_text_and_by_order_as_numbers() {
    yes("region = eu");
    no("region = EU");
    no("region != eu");
    yes("region in (us, eu)");
    no("region in (us)");
    no("region not in (us, eu)");
    yes("zone = \"a b\"");
    yes("zone = 'a b'");
    yes("gpu = true");
    yes("gpus > 3.5");
    yes("gpus >= 4");
    no("gpus < 4");
    no("gpus = 4.0");
    no("region < 4");
    yes("\"cpu\" = x1");
    yes("has gpu");
    yes("has 'zone'");
    no("has ssd");
}

#[test]
fn figures_are_compared_as_numbers() {
    yes("cpu < 80%");
    yes("cpu <= 0.5");
    yes("cpu = 50%");
    no("cpu != 50%");
    no("cpu > 0.5");
    yes("memory_free >= 2GiB");
    no("memory_free > 2GiB");
    yes("memory_free > 2GB");
    yes("memory_free = 2147483648");
    yes("memory_free = 2048MiB");
    yes("running < 4");
    yes("waiting = 0");
    yes("executor = billing-1");
    yes("executor in (billing-0, billing-1)");
    yes("executor != billing-2");
}

#[test]
fn a_missing_value_equals_nothing() {
    no("ssd = yes");
    yes("ssd != yes");
    no("ssd in (yes)");
    yes("ssd not in (yes)");
    no("ssd > 1");
    no("memory_total > 0");
    no("memory_total <= 0");
    yes("memory_total != 5GB");
}

#[test]
fn and_binds_more_tightly_than_or_and_not_more_tightly_than_both() {
    yes("region = eu or region = us and gpu = false");
    no("(region = eu or region = us) and gpu = false");
    no("not region = eu and gpu = true or gpu = false");
    yes("not (region = us or gpu = false)");
    yes("not not region = eu");
    yes("NOT region IN (us) AND HAS gpu");
    yes("region in (eu, us) and gpu = true and memory_free > 2GB or not (zone = \"a b\")");
}

#[test]
fn quotes_take_any_character() {
    let labels = BTreeMap::from([("a\"b".to_owned(), "it's \\ é".to_owned())]);
    let (name, figures) = ("e".parse().unwrap(), Figures::default());
    let facts = Facts { name: &name, labels: &labels, figures: &figures };
    for text in [r#""a\"b" = "it's \\ é""#, r#"'a"b' = 'it\'s \\ é'"#] {
        assert!(text.parse::<Filter>().unwrap().matches(&facts), "{text}");
    }
}

fn refused(text: &str) -> InvalidFilter {
    text.parse::<Filter>().expect_err(text)
}

#[track_caller]
fn check(text: &str, wrong: &str, says: &str) {
    let err = refused(text);
    assert_eq!(&text[err.at()], wrong, "{err}");
    assert!(err.to_string().starts_with(says), "{err}");
    assert!(!err.to_string().contains('\n'), "{err}");
}

#[test]
fn an_error_points_at_the_character() {
    let err = refused("région = eu and cpu < fast");
    assert_eq!(
        err.to_string(),
        "`fast` is not a number; use a number such as 4, 0.5, 80%, 500MB or 2GiB, at character 23 \
         of `région = eu and cpu < fast`"
    );
    assert_eq!(err.pointer(), "région = eu and cpu < fast\n                      ^^^^");
    assert_eq!(refused("a = b and").pointer(), "a = b and\n         ^");
}

#[test]
fn an_invalid_filter_has_a_helpful_error() {
    check("", "", "the filter is empty");
    check(" \n", "", "the filter is empty");
    check("region", "", "the filter is incomplete, expected one of = !=");
    check("region =", "", "the filter is incomplete, expected a value");
    check("region = eu us", "us", "found `us`, expected `and` or `or`");
    check("region == eu", "=", "found `=`, expected a value");
    check("region = (eu)", "(", "found `(`, expected a value");
    check("= eu", "=", "found `=`, expected a comparison such as");
    check("region = and", "and", "found `and`, expected a value");
    check("in = eu", "in", "found `in`, expected a comparison");
    check("(a = b", "", "the filter is incomplete, expected `)`");
    check("a = b)", ")", "found `)`, expected `and` or `or`");
    check("a in ()", ")", "found `)`, expected a value");
    check("a in (b,)", ")", "found `)`, expected a value");
    check("a in (b c)", "c", "found `c`, expected `,` or `)`");
    check("a in b", "b", "found `b`, expected `(`");
    check("a not b", "b", "found `b`, expected `in` after `not`");
    check("a = b && c = d", "&", "`&` is not understood");
    check("!a", "!", "`!` is not understood");
    check("a = é\u{301}", "\u{301}", "`\u{301}` is not understood");
    check("a = \"b", "\"b", "the quote is not closed");
    check("a = \"b\\", "\"b\\", "the quote is not closed");
    check("a = 'b\\n'", "\\n", "`\\n` is not understood; there are");
    check("gpus > many", "many", "`many` is not a number");
    check("gpus > 2Gb", "2Gb", "`2Gb` is not a number");
    check("gpus > inf", "inf", "`inf` is not a number");
    check("gpus > 1e9", "1e9", "`1e9` is not a number");
    check("gpus > 1.2.3", "1.2.3", "`1.2.3` is not a number");
    check("cpu = low", "low", "`low` is not a number");
    check("cpu < 80", "80", "`80` is not a valid cpu, which is between 0 and 1");
    check("cpu < 101%", "101%", "`101%` is not a valid cpu");
    check("memory_free > 10%", "10%", "`10%` is not a valid memory_free, which is in bytes");
    check("running > 1KB", "1KB", "`1KB` is not a valid running, which is a count");
    check("running > -1", "-1", "`-1` is not a valid running, which is a count");
    check("memory_free in (a)", "in", "`memory_free` is a number, but `in` needs");
    check("cpu not in (a)", "not in", "`cpu` is a number");
    check("executor > a", ">", "`executor` is a name");
    check("has cpu", "cpu", "`cpu` is not a label");
    check("has executor", "executor", "`executor` is not a label");
    check("has", "", "the filter is incomplete, expected the name of a label");
}

#[test]
fn every_filter_has_bounds() {
    let nested = |depth: usize| format!("{}a = b{}", "(".repeat(depth), ")".repeat(depth));
    assert!(nested(DEEPEST).parse::<Filter>().is_ok());
    let err = refused(&nested(DEEPEST + 1));
    assert_eq!((err.at(), err.problem()), (DEEPEST..DEEPEST + 1, &Problem::TooDeep));
    assert_eq!(*refused(&"not ".repeat(1_000)).problem(), Problem::TooDeep);
    assert_eq!(*refused(&"(".repeat(LONGEST)).problem(), Problem::TooDeep);
    let long = refused(&"é".repeat(1 << 20));
    assert_eq!(*long.problem(), Problem::TooLong);
    assert!(long.text().len() <= LONGEST && long.to_string().len() < 1_000);
    let wide = vec!["a=b"; 500].join(" or ");
    assert!(wide.parse::<Filter>().is_ok());
}

/// The text of a valid filter, with varying whitespace and quotes.
fn any_filter() -> impl Strategy<Value = String> {
    let compare = prop::sample::select(vec![
        "region = eu",
        "zone != 'a b'",
        "gpus>=4",
        "has gpu",
        "cpu < 80%",
        "memory_free > 2GiB",
        "executor in (billing-1, x)",
        "region not in (us)",
        "\"cpu\" = x1",
        "running < 9",
    ]);
    compare.prop_map(str::to_owned).prop_recursive(5, 40, 3, |part| {
        prop_oneof![
            part.clone().prop_map(|part| format!("not ({part})")),
            part.clone().prop_map(|part| format!(" ( {part}\t)")),
            (part.clone(), part.clone()).prop_map(|(a, b)| format!("({a}) AND ({b})")),
            (part.clone(), part).prop_map(|(a, b)| format!("({a})or({b})")),
        ]
    })
}

/// Texts that are almost filters.
fn almost_a_filter() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a", "cpu", "executor", "in", "not", "and", "or", "has", "(", ")", ",", "=", "!=", "<",
        ">=", "\"", "'", "\\", " ", "80%", "2GiB", "-", ".", "é", "!", "\u{0}", "\n",
    ]);
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_text_is_a_filter_or_an_error_that_can_be_shown(
        text in prop_oneof![any::<String>(), almost_a_filter()],
    ) {
        match text.parse::<Filter>() {
            Ok(filter) => {
                let shown = filter.to_string();
                let again: Filter = shown.parse().unwrap();
                prop_assert_eq!(&again.expr, &filter.expr);
                prop_assert_eq!(again, filter);
            }
            Err(err) => {
                prop_assert!(text.get(err.at()).is_some());
                prop_assert!(err.pointer().lines().count() == 2 || text.trim().is_empty());
            }
        }
    }

    #[test]
    fn a_filter_written_out_is_the_same_filter(text in any_filter()) {
        let filter: Filter = text.parse().unwrap();
        let again: Filter = filter.to_string().parse().unwrap();
        prop_assert_eq!(&again.expr, &filter.expr);
    }

    #[test]
    fn the_laws_of_logic_hold(a in any_filter(), b in any_filter()) {
        let (is_a, is_b) = (holds(&a), holds(&b));
        prop_assert_eq!(holds(&format!("not ({a})")), !is_a);
        prop_assert_eq!(holds(&format!("({a}) and ({b})")), is_a && is_b);
        prop_assert_eq!(holds(&format!("({a}) or ({b})")), is_a || is_b);
        prop_assert_eq!(
            holds(&format!("not (({a}) and ({b}))")),
            holds(&format!("not ({a}) or not ({b})"))
        );
    }
}
