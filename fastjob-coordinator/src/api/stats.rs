//! Statistics.

use axum::{Json, extract::State};

use super::{Problem, read::Params};
use crate::ops::{AskStats, Ops, StatsView};

pub(super) async fn show(
    State(ops): State<Ops>,
    query: Params,
) -> Result<Json<StatsView>, Problem> {
    let which = query.read(|q| AskStats {
        job: q.text("job"),
        service: q.text("service"),
        since: q.text("since"),
        until: q.text("until"),
        bucket: q.text("bucket"),
    })?;
    Ok(Json(ops.stats(which).await?))
}
