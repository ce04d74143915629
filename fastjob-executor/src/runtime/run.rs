//! One attempt: runs its handler with its context and timeout, and ends it.
//!
//! On a timeout or a stop request, the stop token fires. After the grace period the handler's
//! future is dropped, which aborts it at its next `.await`. A handler that never reaches an
//! `.await` is handled in `watch.rs`. A panic ends only its attempt.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use fastjob_core::{
    FailReason, JobContext, JobOutput, JobResult,
    attempt::End::{self, Failed, Stopped, Succeeded},
    duration,
};
use tracing::Instrument as _;

use super::{
    Inner, Ready, UNHEARD,
    control::{Control, Why},
    outcome::{CUT_OFF, Outcome, cut},
    reporter::Reporter,
};
use crate::{clock, guard::Guarded, logs::Origin, trace};

/// How the handler's future ended.
pub(super) enum Ended {
    Returned(JobResult),
    Panicked(String),
    Aborted,
    /// It has not ended, although its time is over.
    Stuck,
}

impl Ended {
    fn of(result: Result<JobResult, String>) -> Self {
        match result {
            // Middleware was there to see the panic.
            Ok(Err(err)) if err.is_panic() => Self::Panicked(err.to_string()),
            Ok(result) => Self::Returned(result),
            Err(panic) => Self::Panicked(panic),
        }
    }
}

/// The outcome of an attempt that panicked outside its handler's future, for example while
/// formatting the handler's error.
pub(super) fn panicked(control: &Control, why: String) -> Outcome {
    let entered = control.entered();
    if let Some(entered) = entered {
        entered.log.finish();
    }
    let last = control.said.last_checkpoint().or_else(|| control.checkpoint.clone());
    let (log_at, log_tail) = entered.map(|entered| entered.log.tail()).unwrap_or_default();
    Outcome {
        name: control.name,
        end: Failed(FailReason::Panicked),
        result: None,
        message: cut(why),
        started_at: entered.map(|entered| entered.started_at),
        ended_at: clock::now(),
        log_tail,
        log_at,
        checkpoint: last,
    }
}

impl Inner {
    /// Runs one attempt to its end, whatever that is.
    pub(super) async fn run(inner: &Arc<Self>, ready: Ready) -> Outcome {
        let Ready { attempt, control } = ready;
        let started_at = clock::now();
        let refused = match control.stopped() {
            Some((Why::CutOff, _)) => Some((CUT_OFF, UNHEARD)),
            Some((Why::Asked, _)) => Some((Stopped, "stopped before it was entered")),
            Some((Why::TimeIsUp | Why::Leaving, _)) | None => None,
        };
        if let Some((end, message)) = refused {
            let mut outcome = Outcome::unentered(control.name, end, message);
            outcome.checkpoint = attempt.checkpoint;
            return outcome;
        }
        let Some(handler) = inner.registry.get(&attempt.handler).cloned() else {
            let names: Vec<_> = inner.registry.iter().map(|(name, _)| name).collect();
            let message = format!(
                "this executor has no handler `{}`; it has {}",
                attempt.handler,
                names.join(", ")
            );
            return Outcome::unentered(control.name, Failed(FailReason::Fatal), &message);
        };
        let id = control.name.id;
        let origin = Origin { task: attempt.task, created_at: control.name.created_at.0 };
        let log = inner.logs.attempt(id, started_at, Some(origin));
        let facts = match attempt.facts() {
            Ok(facts) => facts,
            Err(message) => {
                return Outcome::unentered(control.name, Failed(FailReason::Fatal), &message);
            }
        };
        let reports = Reporter { inner: Arc::clone(inner), control: Arc::clone(&control) };
        let token = control.token.clone();
        let ctx = JobContext::new(facts, token, Box::new(log.clone()), Box::new(reports));
        control.enter(started_at, log.clone());
        let mut work = Guarded::new(handler.call(&ctx));
        let ended = {
            let mut polled = pin!(inner.capture.scope(log.clone(), in_span(&ctx, &mut work)));
            // Most short handlers end at once: reporting their start would be useless. If a handler
            // blocks its thread here, the watchdog reports the start.
            let first = poll_fn(|cx| Poll::Ready(polled.as_mut().poll(cx))).await;
            match first {
                Poll::Ready(result) => Ended::of(result),
                Poll::Pending => {
                    inner.yielded(id);
                    watch(polled, &control).await
                }
            }
        };
        // An aborted future is dropped here.
        let broke = work.end();
        let why = control.stopped().map(|(why, _)| why);
        let (end, result, mut message) = judge(ended, why, &control);
        if let Some(panic) = broke {
            tracing::warn!(
                handler = control.handler,
                attempt.id = id.0,
                panic,
                "the future of a handler panicked while it was dropped"
            );
            if end != Succeeded {
                message = cut(format!("{message}; while it was dropped, it {panic}"));
            }
        }
        log.finish();
        let (log_at, log_tail) = log.tail();
        let checkpoint = ctx.checkpoint_text().filter(|_| end != Succeeded);
        Outcome {
            name: control.name,
            end,
            result,
            message,
            started_at: Some(started_at),
            ended_at: clock::now(),
            log_tail,
            log_at,
            checkpoint,
        }
    }
}

/// Runs a handler in the span of its attempt, so that its spans and events nest in it. The span is
/// created when the future is polled, under the subscriber of the handler.
async fn in_span<F: Future>(ctx: &JobContext, work: F) -> F::Output {
    let begin = || {
        tracing::info_span!(
            "attempt",
            job = ctx.job_name(),
            handler = ctx.handler_name(),
            task.id = ctx.task_id().0,
            attempt.id = ctx.attempt_id().0,
            attempt.number = ctx.attempt(),
            trace.id = ctx.trace().map(|trace| display(trace.context.trace)),
            otel.name = trace::name_of(ctx).map(display),
            otel.kind = trace::kind_of(ctx),
        )
    };
    trace::under(ctx.trace(), async { work.instrument(begin()).await }).await
}

/// Waits for the handler to end, for its timeout, or for the end of its grace period.
async fn watch(
    mut work: Pin<&mut impl Future<Output = Result<JobResult, String>>>,
    control: &Control,
) -> Ended {
    if control.timeout.is_zero() {
        tokio::select! {
            biased;
            result = work.as_mut() => return Ended::of(result),
            () = control.token.cancelled() => {}
            () = control.aborted() => return Ended::Aborted,
        }
    } else {
        tokio::select! {
            biased;
            result = work.as_mut() => return Ended::of(result),
            () = control.token.cancelled() => {}
            () = control.aborted() => return Ended::Aborted,
            () = tokio::time::sleep(control.timeout) => control.stop(Why::TimeIsUp),
        }
    }
    // While the process stops, the drain decides how long to wait.
    let grace = match control.stopped() {
        Some((Why::Leaving, _)) => Duration::from_secs(3600),
        _ => control.grace,
    };
    tokio::select! {
        biased;
        result = work => Ended::of(result),
        () = control.aborted() => Ended::Aborted,
        () = tokio::time::sleep(grace) => Ended::Aborted,
    }
}

/// Decides what is reported: the end, the result and the message.
pub(super) fn judge(
    ended: Ended,
    why: Option<Why>,
    control: &Control,
) -> (End, Option<String>, String) {
    let late = || format!("ran longer than {}", duration::to_text(control.timeout));
    let asked = || "was asked to stop".to_owned();
    let grace = duration::to_text(control.grace);
    let aborted = |text: String| format!("{text}, and was aborted after a grace period of {grace}");
    let stuck = |text: String| {
        format!(
            "{text}, and could not be aborted after a grace period of {grace}: its thread is \
             blocked, and it may still run"
        )
    };
    let (end, result, message) = match (ended, why) {
        (Ended::Panicked(message), _) => (Failed(FailReason::Panicked), None, message),
        (Ended::Returned(Ok(_)), Some(Why::TimeIsUp)) => {
            (Failed(FailReason::TimedOut), None, late())
        }
        (Ended::Returned(Ok(output)), _) => match output.into_text() {
            Some(text) if text.len() > JobOutput::MAX => {
                let message = format!(
                    "the result has {} bytes, at most {} are allowed",
                    text.len(),
                    JobOutput::MAX
                );
                (Failed(FailReason::Fatal), None, message)
            }
            result => (Succeeded, result, String::new()),
        },
        (Ended::Returned(Err(err)), Some(Why::TimeIsUp)) => {
            (Failed(FailReason::TimedOut), None, format!("{}: {err}", late()))
        }
        (Ended::Returned(Err(err)), Some(Why::Asked)) => (Stopped, None, err.to_string()),
        (Ended::Returned(Err(err)), Some(Why::CutOff)) => {
            (CUT_OFF, None, format!("{UNHEARD}: {err}"))
        }
        (Ended::Returned(Err(err)), None | Some(Why::Leaving)) => {
            let end = if err.is_retryable() {
                Failed(FailReason::Error)
            } else {
                Failed(FailReason::Fatal)
            };
            (end, None, err.to_string())
        }
        (Ended::Aborted, Some(Why::TimeIsUp)) => {
            (Failed(FailReason::TimedOut), None, aborted(late()))
        }
        (Ended::Aborted, Some(Why::Asked)) => (Stopped, None, aborted(asked())),
        (Ended::Aborted, Some(Why::CutOff)) => {
            (CUT_OFF, None, format!("{UNHEARD}; it was aborted"))
        }
        (Ended::Aborted, None | Some(Why::Leaving)) => {
            (Failed(FailReason::Error), None, "its executor stopped before it ended".to_owned())
        }
        (Ended::Stuck, Some(Why::Asked)) => (Stopped, None, stuck(asked())),
        (Ended::Stuck, _) => (Failed(FailReason::TimedOut), None, stuck(late())),
    };
    (end, result, cut(message))
}
