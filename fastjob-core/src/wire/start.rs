//! The message `Start`, by hand: a coordinator encodes each attempt once, from where its texts are.
//!
//! The generated code would copy the texts into a message first, and go over each attempt three
//! times for the lengths in front of the nested messages. Attempts are most of what a coordinator
//! sends.

use prost::{
    DecodeError, Message,
    bytes::{Buf, BufMut},
    encoding::{DecodeContext, WireType, message, skip_field, uint64},
};

use super::v1::{Attempt, Lease};
use crate::trace::Trace;

/// Attempts to run: those that were decoded, and those that are encoded already.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// The attempts that were received.
    pub attempts: Vec<Attempt>,
    /// The lease of the partition to which all these attempts belong.
    pub lease: Option<Lease>,
    /// When the coordinator sent this, in microseconds of its monotonic clock.
    pub sent_at_us: u64,
    /// The attempts to send, as fields of the message.
    encoded: Vec<u8>,
}

/// Encodes attempts.
#[derive(Debug, Default)]
pub struct Encoded {
    bytes: Vec<u8>,
    /// The attempt that is being encoded: its length goes in front of it.
    one: Vec<u8>,
}

/// An attempt to send, with the fields of [`Attempt`].
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "the .proto file has the documentation")]
pub struct AttemptToSend<'a> {
    pub attempt: i64,
    pub task: i64,
    pub job: i64,
    pub job_name: &'a str,
    pub handler: &'a str,
    pub number: u32,
    pub cause: i32,
    pub fire_at: Option<i64>,
    pub param: Option<&'a str>,
    pub shard_index: u32,
    pub shard_total: u32,
    pub timeout_ms: u64,
    pub grace_ms: u64,
    pub block: i32,
    pub max_waiting: u32,
    pub max_running: u32,
    pub exclusive: bool,
    pub checkpoint: Option<&'a str>,
    pub created_at: i64,
    pub enter_at_us: u64,
    pub trace: Option<&'a Trace>,
}

const ATTEMPTS: u32 = 1;
const LEASE: u32 = 2;
const SENT_AT: u32 = 3;
/// Bytes of an attempt without long texts.
const USUAL: usize = 128;

impl Start {
    /// A message with these attempts, which are entered at once.
    pub fn of(lease: Lease, attempts: Vec<Attempt>) -> Self {
        Self { attempts, lease: Some(lease), ..Self::default() }
    }

    /// A message with attempts that are encoded already, sent at this instant in microseconds.
    pub fn to_send(lease: Lease, sent_at_us: u64, encoded: Encoded) -> Self {
        Self { attempts: Vec::new(), lease: Some(lease), sent_at_us, encoded: encoded.bytes }
    }
}

impl Encoded {
    /// Room for so many attempts.
    pub fn with_capacity(attempts: usize) -> Self {
        Self { bytes: Vec::with_capacity(attempts * USUAL), one: Vec::with_capacity(USUAL) }
    }

    /// Adds an attempt.
    pub fn add(&mut self, attempt: &AttemptToSend<'_>) {
        // By name, so that no field is forgotten.
        let AttemptToSend {
            attempt,
            task,
            job,
            job_name,
            handler,
            number,
            cause,
            fire_at,
            param,
            shard_index,
            shard_total,
            timeout_ms,
            grace_ms,
            block,
            max_waiting,
            max_running,
            exclusive,
            checkpoint,
            created_at,
            enter_at_us,
            trace,
        } = *attempt;
        let one = &mut self.one;
        one.clear();
        number_field(one, 1, attempt.cast_unsigned());
        number_field(one, 2, task.cast_unsigned());
        number_field(one, 3, job.cast_unsigned());
        if !job_name.is_empty() {
            text_field(one, 4, job_name);
        }
        if !handler.is_empty() {
            text_field(one, 5, handler);
        }
        number_field(one, 6, number.into());
        number_field(one, 7, i64::from(cause).cast_unsigned());
        if let Some(at) = fire_at {
            present_number(one, 8, at.cast_unsigned());
        }
        if let Some(param) = param {
            text_field(one, 9, param);
        }
        number_field(one, 10, shard_index.into());
        number_field(one, 11, shard_total.into());
        number_field(one, 12, timeout_ms);
        number_field(one, 13, grace_ms);
        number_field(one, 14, i64::from(block).cast_unsigned());
        number_field(one, 15, max_waiting.into());
        number_field(one, 16, max_running.into());
        number_field(one, 17, exclusive.into());
        if let Some(checkpoint) = checkpoint {
            text_field(one, 18, checkpoint);
        }
        number_field(one, 19, created_at.cast_unsigned());
        number_field(one, 20, enter_at_us);
        if let Some(trace) = trace {
            text_field(one, 21, &trace.context.to_string());
            if let Some(state) = &trace.state {
                text_field(one, 22, state);
            }
        }
        key(&mut self.bytes, ATTEMPTS, WireType::LengthDelimited);
        varint(&mut self.bytes, self.one.len() as u64);
        self.bytes.extend_from_slice(&self.one);
    }
}

/// A number, unless it has the default value.
fn number_field(to: &mut Vec<u8>, tag: u32, value: u64) {
    if value != 0 {
        present_number(to, tag, value);
    }
}

fn present_number(to: &mut Vec<u8>, tag: u32, value: u64) {
    key(to, tag, WireType::Varint);
    varint(to, value);
}

fn text_field(to: &mut Vec<u8>, tag: u32, text: &str) {
    key(to, tag, WireType::LengthDelimited);
    varint(to, text.len() as u64);
    to.extend_from_slice(text.as_bytes());
}

fn key(to: &mut Vec<u8>, tag: u32, wire_type: WireType) {
    varint(to, u64::from(tag << 3 | wire_type as u32));
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    to.push(value.to_le_bytes()[0]);
}

impl Message for Start {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        buf.put_slice(&self.encoded);
        for attempt in &self.attempts {
            message::encode(ATTEMPTS, attempt, buf);
        }
        if let Some(lease) = &self.lease {
            message::encode(LEASE, lease, buf);
        }
        if self.sent_at_us != 0 {
            uint64::encode(SENT_AT, &self.sent_at_us, buf);
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        match tag {
            ATTEMPTS => message::merge_repeated(wire_type, &mut self.attempts, buf, ctx),
            LEASE => message::merge(wire_type, self.lease.get_or_insert_default(), buf, ctx),
            SENT_AT => uint64::merge(wire_type, &mut self.sent_at_us, buf, ctx),
            tag => skip_field(wire_type, tag, buf, ctx),
        }
    }

    fn encoded_len(&self) -> usize {
        self.encoded.len()
            + message::encoded_len_repeated(ATTEMPTS, &self.attempts)
            + self.lease.as_ref().map_or(0, |lease| message::encoded_len(LEASE, lease))
            + match self.sent_at_us {
                0 => 0,
                at => uint64::encoded_len(SENT_AT, &at),
            }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::trace::TraceContext;

    fn number<T: Arbitrary + Default + Clone + 'static>() -> BoxedStrategy<T> {
        prop_oneof![Just(T::default()), any::<T>()].boxed()
    }

    fn text() -> BoxedStrategy<String> {
        prop_oneof![Just(String::new()), ".{1,5}", "x{120,300}"].boxed()
    }

    fn any_attempt() -> impl Strategy<Value = Attempt> {
        let ids = [(); 4].map(|()| number::<i64>());
        let counts = [(); 5].map(|()| number::<u32>());
        let times = [(); 3].map(|()| number::<u64>());
        let rest = (times, number::<i32>(), number::<i32>());
        let texts = (text(), text(), prop::option::of(text()), prop::option::of(text()));
        let trace = prop::option::of((1_u128.., 1_u64.., any::<bool>(), any::<bool>()));
        let others = (prop::option::of(number::<i64>()), any::<bool>(), trace);
        (ids, counts, rest, texts, others).prop_map(|(ids, counts, rest, texts, others)| {
            let [attempt, task, job, created_at] = ids;
            let [number, shard_index, shard_total, max_waiting, max_running] = counts;
            let ([timeout_ms, grace_ms, enter_at_us], cause, block) = rest;
            let (job_name, handler, param, checkpoint) = texts;
            let (fire_at, exclusive, trace) = others;
            let trace = trace.map(|(trace, span, is_sampled, has_state)| {
                let context = TraceContext { is_sampled, ..TraceContext::root(trace, span) };
                Trace { context, state: has_state.then(|| "a=1".into()) }
            });
            let traceparent = trace.as_ref().map(|trace| trace.context.to_string());
            let tracestate = trace.and_then(|trace| trace.state);
            Attempt {
                attempt,
                task,
                job,
                job_name,
                handler,
                number,
                cause,
                fire_at,
                param,
                shard_index,
                shard_total,
                timeout_ms,
                grace_ms,
                block,
                max_waiting,
                max_running,
                exclusive,
                checkpoint,
                created_at,
                enter_at_us,
                traceparent: traceparent.unwrap_or_default(),
                tracestate: tracestate.as_deref().unwrap_or_default().to_owned(),
            }
        })
    }

    fn trace_of(attempt: &Attempt) -> Option<Trace> {
        Trace::of_headers(Some(&attempt.traceparent), Some(&attempt.tracestate))
    }

    fn to_send<'a>(attempt: &'a Attempt, trace: Option<&'a Trace>) -> AttemptToSend<'a> {
        AttemptToSend {
            attempt: attempt.attempt,
            task: attempt.task,
            job: attempt.job,
            job_name: &attempt.job_name,
            handler: &attempt.handler,
            number: attempt.number,
            cause: attempt.cause,
            fire_at: attempt.fire_at,
            param: attempt.param.as_deref(),
            shard_index: attempt.shard_index,
            shard_total: attempt.shard_total,
            timeout_ms: attempt.timeout_ms,
            grace_ms: attempt.grace_ms,
            block: attempt.block,
            max_waiting: attempt.max_waiting,
            max_running: attempt.max_running,
            exclusive: attempt.exclusive,
            checkpoint: attempt.checkpoint.as_deref(),
            created_at: attempt.created_at,
            enter_at_us: attempt.enter_at_us,
            trace,
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_has_the_bytes_of_the_generated_code(
            attempts in prop::collection::vec(any_attempt(), 0..4),
            lease in (any::<u32>(), any::<i64>()),
            sent_at_us in number::<u64>(),
        ) {
            let lease = Lease { partition: lease.0, term: lease.1 };
            let mut encoded = Encoded::with_capacity(attempts.len());
            for attempt in &attempts {
                encoded.add(&to_send(attempt, trace_of(attempt).as_ref()));
            }
            let sent = Start::to_send(lease, sent_at_us, encoded);
            let received = Start { sent_at_us, ..Start::of(lease, attempts) };
            let bytes = sent.encode_to_vec();
            prop_assert_eq!(&bytes, &received.encode_to_vec());
            prop_assert_eq!(sent.encoded_len(), bytes.len());
            prop_assert_eq!(Start::decode(&*bytes).unwrap(), received);
        }
    }
}
