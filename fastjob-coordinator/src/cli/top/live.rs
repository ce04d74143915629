//! Runs the terminal: reads keys and the coordinator, draws, and restores the terminal however it
//! ends.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use crossterm::event::{Event, KeyEventKind};
use fastjob_client::{Call, Client, ClientError, types::StopAnswer};
use ratatui::DefaultTerminal;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};

use super::{
    Shown,
    log::Tail,
    sample::Sample,
    state::{Action, Focus, State},
    view,
};
use crate::cli::{
    error::{Error, Failure},
    times::Times,
};

/// How long the thread that reads keys waits before it checks whether to end.
const KEYS: Duration = Duration::from_millis(100);
/// Keys that wait to be handled; pasted text beyond them is delayed.
const KEYS_WAITING: usize = 64;
/// Time between two frames without news, so that elapsed times advance.
const FRAME: Duration = Duration::from_millis(500);
/// Longest pause after readings that failed.
const PAUSE_MOST: Duration = Duration::from_secs(15);

/// The terminal, which is restored when this is dropped. `ratatui` also restores it in a panic.
struct Screen(DefaultTerminal);

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Ends the thread that reads keys.
struct Keys(Arc<AtomicBool>);

impl Drop for Keys {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// What was read.
enum News {
    Sample(Box<Result<Shown, ClientError>>),
    Task(Box<Tail>, Result<(), ClientError>),
    Stopped(i64, Result<StopAnswer, ClientError>),
}

fn broken(err: &io::Error) -> Error {
    Error::failed(format!("could not use the terminal: {err}"))
}

/// Shows what runs until the user quits, or the process is asked to end.
pub(super) async fn run(
    client: &Client,
    interval: Duration,
    mut state: State,
    times: &Times,
) -> Result<(), Error> {
    let mut stop = std::pin::pin!(stopped()?);
    let mut screen = Screen(ratatui::try_init().map_err(|err| {
        // It may have failed after it had changed the terminal.
        if crossterm::terminal::is_raw_mode_enabled().is_ok_and(|is_raw| is_raw) {
            ratatui::restore();
        }
        broken(&err)
    })?);
    let (mut keys, _reading) = keys()?;
    let mut asking: JoinSet<News> = JoinSet::new();
    // At most one reading at a time: a slow coordinator gets no more requests than it answers.
    let mut is_reading = false;
    let mut failures: u32 = 0;
    let mut next = Instant::now();
    let mut frames = tokio::time::interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let times = times.at_present();
        screen.0.draw(|frame| view::draw(frame, &state, &times)).map_err(|err| broken(&err))?;
        let action = tokio::select! {
            () = &mut stop => return Ok(()),
            event = keys.recv() => match event {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => state.key(key),
                Some(Ok(_)) => None, // a new size: the next frame has it
                Some(Err(err)) => return Err(broken(&err)),
                None => return Ok(()),
            },
            Some(news) = asking.join_next() => {
                match news {
                    Ok(News::Sample(sample)) => {
                        is_reading = false;
                        failures = if sample.is_ok() { 0 } else { failures.saturating_add(1) };
                        let pause = interval * 2_u32.saturating_pow(failures.min(5));
                        next = Instant::now() + pause.min(PAUSE_MOST.max(interval));
                        take(&mut state, *sample);
                    }
                    Ok(News::Task(tail, read)) => put_back(&mut state, tail, read),
                    Ok(News::Stopped(task, answer)) => {
                        state.message = Some(said(task, answer));
                        next = Instant::now();
                    }
                    // A bug, which the panic hook has reported.
                    Err(err) => return Err(Error::failed(err.to_string())),
                }
                None
            }
            () = tokio::time::sleep_until(next), if !is_reading => Some(Action::Refresh),
            _ = frames.tick() => None,
        };
        let ask = client.clone();
        match action {
            Some(Action::Quit) => return Ok(()),
            Some(Action::Refresh) => {
                if !is_reading {
                    is_reading = true;
                    asking.spawn(async move { News::Sample(Box::new(Sample::read(&ask).await)) });
                }
                if let Focus::Task { tail, .. } = &mut state.focus {
                    read_task(&mut asking, client, tail);
                }
            }
            Some(Action::ReadTask) => {
                if let Focus::Task { tail, .. } = &mut state.focus {
                    read_task(&mut asking, client, tail);
                }
            }
            Some(Action::Stop(task)) => {
                state.message = Some(format!("stopping task {task}…"));
                asking.spawn(async move { News::Stopped(task, ask.call(Call::stop(task)).await) });
            }
            None => {}
        }
    }
}

/// Reads on in the log of a task. The tail travels with the request; meanwhile a copy of what it
/// shows stays on the screen, and no second request is sent.
fn read_task(asking: &mut JoinSet<News>, client: &Client, tail: &mut Tail) {
    let Some(mut reading) = tail.lend() else { return };
    let client = client.clone();
    asking.spawn(async move {
        let read = reading.read(&client).await;
        News::Task(Box::new(reading), read)
    });
}

/// Shows the tail again, if the user still looks at its task.
fn put_back(state: &mut State, read: Box<Tail>, result: Result<(), ClientError>) {
    if let Focus::Task { tail, .. } = &mut state.focus
        && tail.task == read.task
    {
        *tail = read;
        if let Err(err) = result {
            tail.note = Some(Failure::from(err).title);
        }
    }
}

fn take(state: &mut State, sample: Result<Shown, ClientError>) {
    match sample {
        Ok(sample) => state.show(sample),
        // The last reading stays on the screen.
        Err(err) => state.trouble = Some(Failure::from(err).title),
    }
}

fn said(task: i64, answer: Result<StopAnswer, ClientError>) -> String {
    match answer {
        Ok(StopAnswer { stopped: true, state, .. }) => format!("task {task} is {state}"),
        Ok(StopAnswer { stopped: false, state, .. }) => {
            format!("task {task} has already ended: {state}")
        }
        Err(err) => format!("could not stop task {task}: {}", Failure::from(err).title),
    }
}

/// Reads keys on a thread of its own: reading a terminal blocks.
fn keys() -> Result<(mpsc::Receiver<io::Result<Event>>, Keys), Error> {
    let (to, keys) = mpsc::channel(KEYS_WAITING);
    let ends = Keys(Arc::default());
    let ended = Arc::clone(&ends.0);
    let read = move || {
        while !ended.load(Relaxed) {
            let event = match crossterm::event::poll(KEYS) {
                Ok(false) => continue,
                Ok(true) => crossterm::event::read(),
                Err(err) => Err(err),
            };
            let is_broken = event.is_err();
            if to.blocking_send(event).is_err() || is_broken {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("fastjob-keys".to_owned())
        .spawn(read)
        .map_err(|err| broken(&err))?;
    Ok((keys, ends))
}

/// Ends when the process is asked to end. Ctrl-C is a key here.
#[cfg(unix)]
fn stopped() -> Result<impl Future<Output = ()>, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let on = |kind| signal(kind).map_err(|err| broken(&err));
    let (mut interrupt, mut terminate, mut hangup) =
        (on(SignalKind::interrupt())?, on(SignalKind::terminate())?, on(SignalKind::hangup())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stopped() -> Result<impl Future<Output = ()>, Error> {
    Ok(async {
        // If the process cannot listen, only the key ends it.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
