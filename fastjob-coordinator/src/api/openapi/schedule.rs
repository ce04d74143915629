//! When jobs fire.

use fastjob_client::types::{Fires, ScheduleView};
use serde_json::json;

use super::{
    call::Call,
    param::{instant, number, text, texts},
};

pub(super) fn calls() -> Vec<Call> {
    vec![all(), preview()]
}

fn all() -> Call {
    let example = json!({
        "from": "2026-11-25T00:00:00Z",
        "until": "2026-11-26T00:00:00Z",
        "items": [{
            "at": "2026-11-25T00:00:00Z", "job": "report", "service": "billing",
            "zone": "Asia/Shanghai",
        }],
    });
    Call::get("/api/v1/schedule", "getSchedule", "List the fires of all enabled jobs")
        .about("If there are more than `limit`, continue with `cut_at` as `from`.")
        .query(text("service", "Only jobs of this service."))
        .query(texts(
            "label",
            "Only jobs with this label: `key=value`, or `key` with any value. Several are combined.",
        ))
        .query(instant("from", "The first instant; now if omitted."))
        .query(instant("until", "The end, exclusive; a day after `from` if omitted."))
        .query(number("per_job", 1, 1_000, "The most fires of each job; 10 if omitted."))
        .query(number("limit", 1, 10_000, "The most fires of all jobs; 500 if omitted."))
        .answers::<ScheduleView>("The fires, by time.", example)
}

fn preview() -> Call {
    let fires = json!({ "fires": ["2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"] });
    Call::get("/api/v1/schedule/preview", "previewCron", "Show when a cron expression fires")
        .query(text("cron", "The expression.").must().example("0 8 * * mon-fri"))
        .query(text("zone", "The time zone; UTC if omitted.").example("Asia/Shanghai"))
        .query(instant("after", "The fires after this instant; now if omitted."))
        .query(number("count", 1, 1_000, "How many fires; 5 if omitted."))
        .answers::<Fires>("The fires, in order.", fires)
}
