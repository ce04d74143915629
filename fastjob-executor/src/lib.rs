//! FastJob.
