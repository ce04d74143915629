//! What `#[job]` accepts. What it does not is in `tests/ui`.
//!
//! An ordinary test, because the compiler has nothing to say of these: as cases of `ui.rs` they would
//! have every dependency built a second time, and each case by itself.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod arguments;
mod functions;
mod shadowed;
pub mod strict;
pub mod structs;
