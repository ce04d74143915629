//! A process group and how it is ended.
//!
//! Dropping a group before its program has ended kills the group, so an aborted handler leaves no
//! process behind. A process that leaves the group, as daemons do, is not killed.

use std::{
    future, io,
    pin::{Pin, pin},
    process::ExitStatus,
    time::Duration,
};

use fastjob_core::JobContext;
use rustix::process::{self, Signal, kill_process_group, test_kill_process_group};
use tokio::{
    process::Child,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::output::Output;

/// Time between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// How long background processes may keep the output open after the program has ended.
const PIPE_GRACE: Duration = Duration::from_millis(500);

/// Interval between checks whether the group is gone.
const LOOK: Duration = Duration::from_millis(20);

pub(super) struct Group(Option<process::Pid>);

/// The result of waiting for the program itself.
struct Ended {
    status: ExitStatus,
    /// A process still holds the output open.
    open: bool,
    /// When the rest of the group is killed, if it was asked to end.
    kill_at: Option<Instant>,
}

impl Group {
    /// The group of a program that was started as its group leader.
    pub(super) fn led_by(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(process::Pid::from_raw))
    }

    /// Forwards the output until the program has ended, by itself or because it was stopped.
    pub(super) async fn run(
        mut self,
        mut child: Child,
        output: &mut Output,
        ctx: &JobContext,
    ) -> io::Result<ExitStatus> {
        let mut carrying = pin!(output.carry(ctx));
        let ended = self.wait(&mut child, carrying.as_mut(), ctx).await?;
        if let Some(kill_at) = ended.kill_at {
            while self.is_there() && Instant::now() < kill_at {
                sleep(LOOK).await;
            }
            self.signal(Signal::KILL);
        }
        if ended.open && timeout(PIPE_GRACE, carrying.as_mut()).await.is_err() {
            ctx.log("… killing background processes that kept the output open");
            self.signal(Signal::KILL);
            timeout(PIPE_GRACE, carrying).await.ok(); // a process that left the group is ignored
        }
        self.0 = None; // background processes may stay
        Ok(ended.status)
    }

    async fn wait(
        &self,
        child: &mut Child,
        mut carrying: Pin<&mut impl Future<Output = ()>>,
        ctx: &JobContext,
    ) -> io::Result<Ended> {
        let (mut open, mut kill_at) = (true, None);
        loop {
            tokio::select! {
                status = child.wait() => return Ok(Ended { status: status?, open, kill_at }),
                () = carrying.as_mut(), if open => open = false,
                () = ctx.stop_token().cancelled(), if kill_at.is_none() => {
                    self.signal(Signal::TERM);
                    kill_at = Some(Instant::now() + GRACE);
                }
                () = until(kill_at) => {
                    self.signal(Signal::KILL);
                    kill_at = Some(Instant::now() + GRACE);
                }
            }
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // Fails if the group is empty, which is the goal.
            kill_process_group(group, signal).ok();
        }
    }

    fn is_there(&self) -> bool {
        self.0.is_some_and(|group| test_kill_process_group(group).is_ok())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => future::pending().await,
    }
}
