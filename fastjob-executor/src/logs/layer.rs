//! A `tracing` event as a line of a log, and the layer for users who want to place it themselves.

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

/// Whether events of this kind belong into a log: those at INFO and above.
pub(super) fn is_wanted(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && *metadata.level() <= Level::INFO
}

/// Appends an event to the log of the attempt it happened in, if it happened in one.
pub(super) fn append(event: &Event<'_>) {
    // An error means that no handler is being polled: the event is none of ours.
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

/// The words of an event; bounded, since an entry is.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
    /// Where a record of the `log` crate came from; its event's own target is just `log`.
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
        // Writing to a String fails only if the value does; what it wrote by then is kept.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name if name.starts_with("log.") => Ok(()),
            name if self.fields.len() < ENTRY_MAX => write!(self.fields, " {name}={value:?}"),
            _ => Ok(()),
        };
    }
}

/// Puts the events of handlers into the logs of their attempts.
///
/// An executor captures them by itself, for any subscriber. Add this layer to your own subscriber
/// where handlers use the spans' extensions, as OpenTelemetry's span context and `SpanTrace` do:
/// the executor finds the layer and keeps out of the subscriber's way. The layer sees what the
/// subscriber lets through; a filter of its own can be put on it.
///
/// ```no_run
/// use tracing_subscriber::prelude::*;
///
/// let subscriber = tracing_subscriber::registry().with(tracing_subscriber::fmt::layer());
/// subscriber.with(fastjob_executor::job_log_layer()).init();
/// ```
#[derive(Debug)]
pub struct JobLogLayer(());

/// A [`JobLogLayer`].
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
