//! What `#[job]` accepts. What it rejects is in `tests/ui`.
//!
//! These are ordinary tests, because they have no compiler output to check. As cases of `ui.rs`,
//! each would be compiled separately, and all dependencies a second time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod arguments;
mod functions;
mod shadowed;
pub mod strict;
pub mod structs;
