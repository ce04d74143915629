//! Code that the examples share: running and printing.

mod example;
mod stage;

pub use self::{
    example::{Unread, example, say},
    stage::{Stage, StageError},
};
