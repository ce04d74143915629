//! The rules: functions over the parts of the state.

mod alarms;
mod apply;
mod cancel;
mod changes;
mod children;
mod chores;
mod commands;
pub(crate) mod early;
mod edits;
mod executors;
mod jobs;
mod lane;
mod load;
mod place;
pub(crate) mod plan;
mod pump;
mod reasons;
mod reports;
mod rerun;
mod retention;
mod settle;
mod spread;
mod start;
mod survey;
mod tasks;
mod waits;
