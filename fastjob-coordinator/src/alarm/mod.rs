//! Alarms: messages about failures, and the channels that send them.
//!
//! An alarm is stored in the same transaction as the event that caused it. Every channel has a loop
//! that collects its waiting alarms, sends them as one message, and marks them as sent. If a channel
//! is down, its alarms are retried for a day; other channels and scheduling are not delayed. Alarms
//! are sent at least once: a coordinator that crashes after sending and before marking sends that
//! message again. Silenced alarms are marked as such, and are not sent later either.
//!
//! A custom channel takes ten lines:
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
#[cfg(feature = "email")]
mod email;
mod group;
mod http;
mod message;
mod sender;
mod sign;
mod sweep;
mod webhook;

pub use async_trait::async_trait;

pub use self::message::{Item, Message};
pub(crate) use self::{
    channels::{Channel, Channels},
    sender::{Turn, run},
};
pub use fastjob_engine::record::AlarmKind;

/// Why a message was not sent. Any error can be one; it is shown with its causes.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A channel that notifies people.
#[async_trait]
pub trait Alarm: Send + Sync {
    /// Sends the message. It is sent again later if this fails or takes longer than 15 s.
    ///
    /// # Errors
    ///
    /// Fails if the message was not sent, or may not have been.
    async fn send(&self, message: &Message) -> Result<(), Error>;
}

#[cfg(test)]
mod tests;
