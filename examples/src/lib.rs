//! What the examples share: a way to run and to say things, an end on a signal, and a few calls over
//! REST.

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
