//! Writes a `tracing` event as a log line, and provides the layer for users who want to place it
//! themselves.

use std::fmt::{self, Write as _};

use fastjob_core::JobLog;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use super::{AttemptLog, text::ENTRY_MAX};

tokio::task_local! {
    /// The log of the attempt whose handler is being polled.
    pub(super) static CURRENT: AttemptLog;
}

/// Whether events of this kind belong into an attempt's log: those at INFO and above.
pub(super) fn is_wanted(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && *metadata.level() <= Level::INFO
}

/// Appends an event to the log of the attempt it happened in, if any.
pub(super) fn append(event: &Event<'_>) {
    // An error means that no handler is being polled: the event belongs to no attempt.
    CURRENT
        .try_with(|log| {
            let mut words = Words::default();
            event.record(&mut words);
            let metadata = event.metadata();
            let target = words.log_target.as_deref().unwrap_or(metadata.target());
            let Words { message, fields, .. } = &words;
            log.line(format_args!("{} {target}: {message}{fields}", metadata.level()));
        })
        .ok();
}

/// The text of an event, bounded like a log entry.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
    /// The target of a record of the `log` crate; its event's own target is just `log`.
    log_target: Option<String>,
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            "log.target" => self.log_target = Some(value.to_owned()),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String fails only if the value's formatting fails; the text written so far
        // is kept.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name if name.starts_with("log.") => Ok(()),
            name if self.fields.len() < ENTRY_MAX => write!(self.fields, " {name}={value:?}"),
            _ => Ok(()),
        };
    }
}

/// Writes the events of handlers to the logs of their attempts.
///
/// An executor captures events automatically, with any subscriber. Add this layer to your own
/// subscriber if handlers use span extensions, as OpenTelemetry's span context and `SpanTrace` do.
/// The executor detects the layer and then does not wrap the subscriber. The layer sees the events
/// that the subscriber's filters let through, and can have its own filter.
///
/// ```no_run
/// use tracing_subscriber::prelude::*;
///
/// let subscriber = tracing_subscriber::registry().with(tracing_subscriber::fmt::layer());
/// subscriber.with(fastjob_executor::job_log_layer()).init();
/// ```
#[derive(Debug)]
pub struct JobLogLayer(());

/// Returns a [`JobLogLayer`].
pub fn job_log_layer() -> JobLogLayer {
    JobLogLayer(())
}

impl<S: Subscriber> Layer<S> for JobLogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if is_wanted(event.metadata()) {
            append(event);
        }
    }
}
