//! Which partitions this node acts on, and who acts on the others.
//!
//! The database decides who holds a partition. A node also counts down by its own clock, and stops
//! acting before the database would let another begin. A partition that is gained gets an engine of
//! its own, which carries on from the store as after a start; one that is lost takes its engine
//! along. With one coordinator there is one partition, which is its own for good.

mod engines;
mod heartbeat;
mod keeper;
mod lease;
mod map;

pub(crate) use self::{
    engines::{Engines, Spent},
    keeper::{Keeper, Settings, node},
    lease::Deadline,
    map::{ClusterMap, Owner},
};
