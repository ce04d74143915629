//! Trace contexts, as W3C Trace Context (level 1) defines them.
//!
//! A caller passes the trace that it is in with a start. The task keeps it until it ends, executors
//! get it with each attempt, and children inherit it. The ids of a task's and of an attempt's span
//! are derived from the trace and from their own ids. So every node, also after a restart, exports
//! the same ids, and the parts of a trace join.

mod sampler;
mod state;

use std::{
    fmt,
    num::{NonZeroU64, NonZeroU128},
    str::FromStr,
    sync::Arc,
};

pub use self::sampler::{InvalidRatio, Sampler};
use crate::id::{AttemptId, TaskId};

/// The length of the header `traceparent` of version 00.
const LENGTH: usize = 55;

/// The id of a trace. Not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId(NonZeroU128);

impl TraceId {
    /// `None` for zero, which is not a valid id.
    pub fn new(id: u128) -> Option<Self> {
        NonZeroU128::new(id).map(Self)
    }

    /// The id as a number.
    pub fn get(self) -> u128 {
        self.0.get()
    }
}

/// 32 lower-case hexadecimal digits.
impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The id of a span of a trace. Not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId(NonZeroU64);

impl SpanId {
    /// `None` for zero, which is not a valid id.
    pub fn new(id: u64) -> Option<Self> {
        NonZeroU64::new(id).map(Self)
    }

    /// The id as a number.
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

/// 16 lower-case hexadecimal digits.
impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A position in a trace: what a `traceparent` header says.
///
/// ```
/// use fastjob_core::trace::TraceContext;
///
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context: TraceContext = text.parse()?;
/// assert!(context.is_sampled);
/// assert_eq!(context.to_string(), text);
/// # Ok::<(), fastjob_core::trace::InvalidTraceparent>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The span under which the next spans come.
    pub span: SpanId,
    /// Whether the caller records the trace.
    pub is_sampled: bool,
}

/// The text is not a `traceparent` header. W3C Trace Context says to ignore such a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a `traceparent` header of W3C Trace Context")]
pub struct InvalidTraceparent;

impl FromStr for TraceContext {
    type Err = InvalidTraceparent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.as_bytes();
        let (head, rest) = bytes.split_at_checked(LENGTH).ok_or(InvalidTraceparent)?;
        let dashes = [head[2], head[35], head[52]];
        if dashes != [b'-'; 3] {
            return Err(InvalidTraceparent);
        }
        let version = digits(&head[..2])?;
        let is_complete = match version {
            0 => rest.is_empty(),
            0xff => false,
            // A later version may append fields.
            _ => matches!(rest.first(), None | Some(b'-')),
        };
        let flags = digits(&head[53..])?;
        match (TraceId::new(digits(&head[3..35])?), u64::try_from(digits(&head[36..52])?)) {
            (Some(trace), Ok(span)) if is_complete => {
                let span = SpanId::new(span).ok_or(InvalidTraceparent)?;
                Ok(Self { trace, span, is_sampled: flags & 1 != 0 })
            }
            _ => Err(InvalidTraceparent),
        }
    }
}

/// Reads lower-case hexadecimal digits, at most 32.
fn digits(text: &[u8]) -> Result<u128, InvalidTraceparent> {
    text.iter().try_fold(0, |value: u128, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return Err(InvalidTraceparent),
        };
        Ok(value << 4 | u128::from(digit))
    })
}

/// The header `traceparent`, in version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.is_sampled))
    }
}

impl TraceContext {
    /// The first position of a new trace, from random numbers. Its span has no parent.
    pub fn root(trace: u128, span: u64) -> Self {
        let trace = TraceId(NonZeroU128::new(trace).unwrap_or(NonZeroU128::MIN));
        let span = SpanId(NonZeroU64::new(span).unwrap_or(NonZeroU64::MIN));
        Self { trace, span, is_sampled: true }
    }

    /// The same position if the sampler records this trace, which begins here.
    pub fn into_recorded(self, sampler: Sampler) -> Option<Self> {
        sampler.samples(self.trace).then_some(self)
    }

    /// Another span of the trace.
    pub fn at(self, span: SpanId) -> Self {
        Self { span, ..self }
    }

    /// The span of a task of this trace.
    pub fn of_task(self, task: TaskId) -> Self {
        self.at(self.derived(1, task.0))
    }

    /// The span of an attempt of a task of this trace.
    pub fn of_attempt(self, attempt: AttemptId) -> Self {
        self.at(self.derived(2, attempt.0))
    }

    /// A span id that depends on the trace, on what it is of, and on its number. The result is
    /// stored by tracing backends: it must stay the same in all releases.
    fn derived(self, kind: u64, id: i64) -> SpanId {
        let trace = self.trace.get().to_be_bytes();
        let words = trace
            .chunks_exact(8)
            .map(|half| half.iter().fold(0, |word: u64, byte| word << 8 | u64::from(*byte)));
        let mixed =
            words.chain([kind, id.cast_unsigned()]).fold(0, |mixed, word| mix(mixed ^ word));
        SpanId(NonZeroU64::new(mixed).unwrap_or(NonZeroU64::MIN))
    }
}

/// The finalizer of `SplitMix64`: a bijection that changes about half of the bits for each changed one.
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// A trace context with the `tracestate` of the tracing systems that it has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The position in the trace.
    pub context: TraceContext,
    /// The header `tracestate`, passed on as it is; `None` if there was none, or if it was not
    /// valid.
    pub state: Option<Arc<str>>,
}

impl From<TraceContext> for Trace {
    fn from(context: TraceContext) -> Self {
        Self { context, state: None }
    }
}

impl Trace {
    /// The longest `tracestate` that is passed on, in bytes.
    pub const STATE_MOST: usize = 512;

    /// Reads the two headers. Headers that are not valid are ignored, as W3C Trace Context says.
    pub fn of_headers(traceparent: Option<&str>, tracestate: Option<&str>) -> Option<Self> {
        let context = traceparent?.trim_matches([' ', '\t']).parse().ok()?;
        let state = tracestate.filter(|text| state::is_valid(text));
        Some(Self { context, state: state.map(Arc::from) })
    }

    /// The same trace state at another position.
    pub fn at(&self, context: TraceContext) -> Self {
        Self { context, state: self.state.clone() }
    }
}

/// Both headers with a space between them, as stores and nodes have it.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.context.fmt(f)?;
        self.state.as_deref().map_or(Ok(()), |state| write!(f, " {state}"))
    }
}

impl FromStr for Trace {
    type Err = InvalidTraceparent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (context, state) = match text.split_once(' ') {
            Some((context, state)) => (context, Some(state)),
            None => (text, None),
        };
        Self::of_headers(Some(context), state).ok_or(InvalidTraceparent)
    }
}

#[cfg(test)]
mod tests;
