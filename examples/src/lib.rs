//! Code that the examples share: running, printing, and stopping on a signal.

mod example;
mod signal;
mod stage;

pub use self::{
    example::{Unread, example, say},
    signal::stop_on_signal,
    stage::{Stage, StageError},
};
