//! When an executor stops: on a signal of the operating system, a token, or any future.

use std::{
    io,
    pin::Pin,
    process,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::runtime;
use tokio_util::sync::CancellationToken;

/// A token that fires at the first Ctrl-C or SIGTERM, for a process that stops several things at
/// once, such as an executor and a coordinator. [`Executor::run`](crate::Executor::run) uses it.
///
/// A second signal ends the process at once, with the exit status 130 or 143: so a second Ctrl-C does
/// not wait for a drain. A signal within half a second of the first one counts as the same: programs
/// such as GNU `timeout` send one to the process and one to its group. A token that is requested after the first signal has fired already. On
/// Windows, only Ctrl-C counts.
///
/// Signals are awaited on a thread of their own, so handlers that block do not delay them. From the
/// first call on, the process no longer ends by itself on these signals.
///
/// # Errors
///
/// Fails if the operating system does not let the process listen for signals.
pub fn stop_on_signal() -> io::Result<CancellationToken> {
    let mut waiting = waiting();
    if !waiting.listening {
        listen()?;
        waiting.listening = true;
    }
    let stop = CancellationToken::new();
    if waiting.signalled.is_some() {
        stop.cancel();
        return Ok(stop);
    }
    waiting.tokens.retain(|token| !token.is_cancelled());
    waiting.tokens.push(stop.clone());
    Ok(stop)
}

/// What the next signal stops. Shared by the process, as its signals are.
static WAITING: Mutex<Waiting> =
    Mutex::new(Waiting { listening: false, signalled: None, tokens: Vec::new() });

/// Signals within this time of the first one count as the same.
const ONE_SIGNAL: Duration = Duration::from_millis(500);

struct Waiting {
    listening: bool,
    /// When the first signal came.
    signalled: Option<Instant>,
    tokens: Vec<CancellationToken>,
}

fn waiting() -> MutexGuard<'static, Waiting> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that reacts to signals. It is never joined: it is needed as long as the process
/// lives.
fn listen() -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _on = runtime.enter();
        Signals::listen()?
    };
    let react = move || {
        runtime.block_on(async {
            loop {
                let status = signals.next().await;
                let mut waiting = waiting();
                match waiting.signalled {
                    Some(first) if first.elapsed() < ONE_SIGNAL => continue,
                    Some(_) => process::exit(status),
                    None => waiting.signalled = Some(Instant::now()),
                }
                let tokens = std::mem::take(&mut waiting.tokens);
                drop(waiting);
                tokens.iter().for_each(CancellationToken::cancel);
            }
        });
    };
    thread::Builder::new().name("fastjob-signals".to_owned()).spawn(react).map(drop)
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for a signal, and returns the exit status of a process that it ends.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn listen() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) -> i32 {
        self.0.recv().await;
        130
    }
}

/// When an executor stops, for [`run_until`](crate::Executor::run_until): a [`CancellationToken`], or
/// any future that ends then. `M` only tells the two apart and is inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say when to stop",
    note = "pass a `CancellationToken`, or a future that ends when the executor has to stop and \
            returns `()`"
)]
pub trait StopSignal<M> {
    #[doc(hidden)]
    fn into_stop(self) -> Stop;
}

/// The forms of a stop signal.
pub enum Stop {
    /// A token that fires.
    Token(CancellationToken),
    /// A future that ends.
    Future(Pin<Box<dyn Future<Output = ()> + Send>>),
}

/// Marks a [`StopSignal`] that is a token.
#[derive(Debug)]
pub enum ByToken {}

/// Marks a [`StopSignal`] that is a future.
#[derive(Debug)]
pub enum ByFuture {}

impl StopSignal<ByToken> for CancellationToken {
    fn into_stop(self) -> Stop {
        Stop::Token(self)
    }
}

impl<F: Future<Output = ()> + Send + 'static> StopSignal<ByFuture> for F {
    fn into_stop(self) -> Stop {
        Stop::Future(Box::pin(self))
    }
}
