//! Which partitions this node acts on, and which nodes act on the others.
//!
//! The database decides who holds a partition. A node also counts down by its own clock, and stops
//! acting before the database would let another node begin ([`Permit`](crate::permit::Permit)). It compares the database's
//! clock with its own (`observer`). A newly acquired partition gets its own engine, which loads its
//! state from the store; when a partition is lost, its engine ends. A single coordinator has one
//! partition, which it always holds.

mod children;
mod drains;
mod engines;
mod heartbeat;
mod keeper;
mod lease;
mod map;
mod node;
mod observer;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    drains::Drains,
    engines::{Engines, Holding, Spent, log_noted},
    keeper::{Keeper, Settings, node},
    map::{ClusterMap, Owner},
};
