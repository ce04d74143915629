//! Alarms: messages about failures, and the channels that carry them.
//!
//! An alarm is stored in the transaction of what it tells of. Every channel has a loop that gathers
//! what waits for it, sends it as one message, and marks it. A channel that is down is tried again
//! for a day; it holds up no other channel, and never scheduling. An alarm is sent at least once:
//! a coordinator that dies between the sending and the marking sends that one message again. What a
//! person has silenced is marked as such, and not sent later either.
//!
//! A channel of one's own takes ten lines:
//!
//! ```
//! use fastjob_coordinator::alarm::{Alarm, Error, Message, async_trait};
//!
//! struct Sms;
//!
//! #[async_trait]
//! impl Alarm for Sms {
//!     async fn send(&self, message: &Message) -> Result<(), Error> {
//!         println!("to the gateway: {}", message.title());
//!         Ok(())
//!     }
//! }
//!
//! let coordinator = fastjob_coordinator::Coordinator::builder().alarm("ops-sms", Sms);
//! ```

mod channels;
mod chat;
mod email;
mod group;
mod http;
mod message;
mod sender;
mod sign;
mod sweep;
mod template;
mod webhook;

pub use async_trait::async_trait;

pub use self::message::{Item, Message};
pub(crate) use self::{
    channels::{Channel, Channels},
    sender::{Turn, run},
    template::Template,
};
pub use crate::record::AlarmKind;

/// Why a message did not go out. Any error can be one; it is shown with its causes.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A way to reach people.
#[async_trait]
pub trait Alarm: Send + Sync {
    /// Hands the message over. It is tried again later if this fails or takes longer than 15 s.
    ///
    /// # Errors
    ///
    /// Fails if the message was not, or may not have been, taken.
    async fn send(&self, message: &Message) -> Result<(), Error>;
}

#[cfg(test)]
mod tests;
