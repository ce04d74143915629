//! Code that the examples share: running, printing, stopping on a signal, and REST calls.

mod example;
mod rest;
mod signal;
mod stage;

pub use self::{
    example::{Unread, example, say},
    rest::{Rest, RestError},
    signal::stop_on_signal,
    stage::{Stage, StageError},
};
