//! Code that the examples share: running, printing, and REST calls.

mod example;
mod rest;
mod stage;

pub use self::{
    example::{Unread, example, say},
    rest::{Rest, RestError},
    stage::{Stage, StageError},
};
