//! Which partitions this node acts on, and who acts on the others.
//!
//! The database decides who holds a partition. A node also counts down by its own clock, and stops
//! acting before the database would let another begin (`permit`); it watches the database's clock
//! with its own (`observer`). A partition that is gained gets an engine of its own, which continues
//! from the store as after a start; the engine of one that is lost ends. With one coordinator there
//! is one partition, which is always its own.

mod children;
mod engines;
mod heartbeat;
mod keeper;
mod lease;
mod map;
mod node;
mod observer;
mod permit;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    engines::{Engines, Holding, Spent},
    keeper::{Keeper, Settings, node},
    map::{ClusterMap, Owner},
    permit::{Deadline, Permit},
};
