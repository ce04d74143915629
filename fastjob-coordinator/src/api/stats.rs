//! Statistics.

use axum::{Json, extract::State};
use fastjob_client::types::JobStatsView;

use super::{Problem, read::Params};
use crate::ops::{AskJobStats, AskStats, Ops, StatsView};

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

pub(super) async fn jobs(
    State(ops): State<Ops>,
    query: Params,
) -> Result<Json<JobStatsView>, Problem> {
    let which = query.read(|q| AskJobStats {
        service: q.text("service"),
        since: q.text("since"),
        until: q.text("until"),
        order: q.text("order"),
        limit: q.text("limit"),
    })?;
    Ok(Json(ops.job_stats(which).await?))
}
