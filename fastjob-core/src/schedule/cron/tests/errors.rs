//! What is rejected, with which message, and where the error points.

use crate::schedule::cron::{Cron, InvalidCron, LONGEST, Problem};

fn refused(text: &str) -> InvalidCron {
    text.parse::<Cron>().expect_err(text)
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
    let err = refused("0 0 25 * * ?");
    assert_eq!(
        err.to_string(),
        "the hour 25 is not between 0 and 23, at character 5 of `0 0 25 * * ?`"
    );
    assert_eq!(err.pointer(), "0 0 25 * * ?\n    ^^");
    assert_eq!((err.at(), err.position()), (4..6, 5));
    assert_eq!(refused("  0\t0 25 * * ?").pointer(), "  0 0 25 * * ?\n      ^^");
    assert_eq!(refused("0 0 é * * ?").pointer(), "0 0 é * * ?\n    ^");
    assert_eq!(refused("é 0 x * * ?").position(), 1);
    assert_eq!(refused("* * * *").pointer(), "* * * *\n       ^");
}

#[test]
fn quartz_errors_name_the_problem() {
    check("0 60 * * * ?", "60", "the minute 60 is not between 0 and 59");
    check("60 0 * * * ?", "60", "the second 60 is not between 0 and 59");
    check("0 0 0 32 * ?", "32", "the day of month 32 is not between 1 and 31");
    check("0 0 0 0 * ?", "0", "the day of month 0 is not");
    check("0 0 0 ? 13 *", "13", "the month 13 is not between 1 and 12");
    check("0 0 0 ? * 8", "8", "the day of week 8 is not between 1 and 7");
    check("0 0 0 ? * 0", "0", "the day of week 0 is not between 1 and 7");
    check("0 0 0 1 1 ? 1969", "1969", "the year 1969 is not between 1970 and 2199");
    check("0 0 0 1 1 ? 2200", "2200", "the year 2200 is not");
    check(
        "0 0 99999999999999999999 * * ?",
        "99999999999999999999",
        "the hour 99999999999999999999",
    );
    check("0 0 0 1 * MON", "MON", "the day of month and the day of week are both restricted");
    check("0 0 0 */2 * MON", "MON", "the day of month and the day of week are both restricted");
    check("0 0 0 ? * ?", "?", "`?` is not allowed in both day fields");
    check("0 0 0 ? * MON#6", "#6", "`#6` is not between #1 and #5");
    check("0 0 0 ? * MON#0", "#0", "`#0` is not");
    check("0 0 0 ? * MON#", "", "a value is missing in the day of week");
    check("0 0 0 L-31 * ?", "L-31", "`L-31` is not between L-0 and L-30");
    check("0 0 0 L- * ?", "", "a value is missing in the day of month");
    check("0 0 0 ?,5 * ?", "?", "`?` must be alone");
    check("0 0 0 5,? * ?", "?", "`?` must be alone");
    check("0 0 ? * * ?", "?", "`?` is not allowed in the hour, only in the day of month and");
    check("0 0 L * * ?", "L", "`L` is not allowed in the hour, only in the day of month and");
    check("0 0 0 ? * 5W", "W", "`W` is not allowed in the day of week, only in the day of month");
    check("0 0 0 2#1 * ?", "#", "`#` is not allowed in the day of month, only in the day of week");
    check("0 0 0 15L * ?", "L", "`L` is not understood in the day of month");
    check("0 0 0 ? * L-3", "-", "`-` is not understood in the day of week");
    check("0 0 0 ? * LW", "L", "`L` is not understood in the day of week");
    check("0 0 0 ? FOO *", "FOO", "`FOO` is not a month; write 1 to 12 or JAN to DEC");
    check("0 0 0 ? * MONDAY", "MONDAY", "`MONDAY` is not a day of week; write 1 to 7");
    check("0 0 0 ? 1-FOO *", "FOO", "`FOO` is not a month");
    check("0 0/0 * * * ?", "0", "the step 0 of the minute is not between 1 and 59");
    check("0 */60 * * * ?", "60", "the step 60 of the minute is not between 1 and 59");
    check("0 0/ * * * ?", "", "a value is missing in the minute");
    check("0 0/x * * * ?", "x", "`x` is not understood in the minute");
    check("0 1, * * * ?", "", "a value is missing in the minute; write 0 to 59");
    check("0 ,1 * * * ?", "", "a value is missing in the minute");
    check("0 1- * * * ?", "", "a value is missing in the minute");
    check("0 -1 * * * ?", "", "a value is missing in the minute");
    check("0 1-2-3 * * * ?", "-", "`-` is not understood in the minute");
    check("0 ** * * * ?", "*", "`*` is not understood in the minute");
    check("0 0 0 1 1 ? 2028-2026", "2028-2026", "the years 2028-2026 are in reverse order");
    check("0 0 0 1 1 ? ?", "?", "`?` is not allowed in the year");
    check("0 0 ２ * * ?", "２", "`２` is not understood in the hour; write 0 to 23");
}

#[test]
fn unix_cron_rejects_quartz_symbols() {
    for (text, sign) in [
        ("0 0 ? * 1", "?"),
        ("0 0 L * *", "L"),
        ("0 0 LW * *", "L"),
        ("0 0 15W * *", "W"),
        ("0 0 * * 5L", "L"),
        ("0 0 * * FRIL", "L"),
        ("0 0 * * 5#3", "#"),
        ("0 0 L-3 * *", "L"),
    ] {
        check(text, sign, &format!("`{sign}` is Quartz syntax, which needs six or seven fields"));
    }
    check("0 0 * * 8", "8", "the day of week 8 is not between 0 and 7");
    check("0 24 * * *", "24", "the hour 24 is not");
    check("/5 * * * *", "", "a value is missing in the minute");
}

#[test]
fn problems_of_the_whole_expression_are_reported() {
    check("", "", "the cron expression is empty");
    check(" \t\n ", "", "the cron expression is empty");
    check(
        "* * * *",
        "",
        "a cron expression has five fields (Unix) or six or seven (Quartz), not 4",
    );
    check("0 0 0 * * ? * x y ", "x y", "a cron expression has five fields");
    check(" @reboot", "@reboot", "`@reboot` is not supported");
    check("@fortnightly", "@fortnightly", "`@fortnightly` is unknown; there are @hourly");
    check("@", "@", "`@` is unknown");
    let long = format!("0 0 0 {} * ?", "1,".repeat(500_000));
    let err = refused(&long);
    assert_eq!((err.problem(), err.text().len()), (&Problem::TooLong, LONGEST));
    assert!(refused(&"é".repeat(200)).pointer().ends_with('^'));
    assert!(format!("0 0 0 1 1 ? {:<1$}", "*", LONGEST - 12).parse::<Cron>().is_ok());
}
