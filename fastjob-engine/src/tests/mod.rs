//! Tests of single rules of the engine, each as a short story; `simulation` tests them all at once.

mod alarms;
mod attempts;
mod bounds;
mod children;
mod drained;
mod draining;
mod early;
mod edits;
mod fires;
mod job_quota;
mod lineage;
mod quota;
mod reasons;
mod reruns;
mod restored;
mod retention;
mod rules;
mod speed;
mod story;
mod survey;
mod tally;
mod targets;
mod traces;
mod waits;
