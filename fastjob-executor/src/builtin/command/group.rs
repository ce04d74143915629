//! A process group and its end.
//!
//! The group is killed when this is dropped, unless the program ended in order: an aborted handler
//! leaves no process behind. What a program put out of the group (a daemon) is on its own.

use std::{io, pin::pin, process::ExitStatus, time::Duration};

use fastjob_core::{JobContext, JobError};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::{
    process::Child,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::output::Output;

/// Between the request to end and the kill.
const GRACE: Duration = Duration::from_secs(5);

/// How long a process in the background may hold the output of a program that has ended.
const PIPE_GRACE: Duration = Duration::from_millis(500);

/// Between two looks whether the group is gone.
const LOOK: Duration = Duration::from_millis(20);

pub(super) struct Group(Option<Pid>);

impl Group {
    /// The group of a program that was started as the leader of its own.
    pub(super) fn led_by(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // Fails if nobody is left in the group, which is what a signal is for.
            kill_process_group(group, signal).ok();
        }
    }

    fn is_there(&self) -> bool {
        self.0.is_some_and(|group| test_kill_process_group(group).is_ok())
    }

    /// Carries the output on until the program has ended, by itself or because it is to stop.
    pub(super) async fn run(
        mut self,
        mut child: Child,
        mut output: Output,
        ctx: &JobContext,
    ) -> Result<(ExitStatus, Output), JobError> {
        let mut kill_at = None;
        {
            let mut carrying = pin!(output.carry(ctx));
            let mut open = true;
            let status = loop {
                let kill_time = async {
                    match kill_at {
                        Some(at) => sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    status = child.wait() => break status?,
                    () = &mut carrying, if open => open = false,
                    () = ctx.stop_token().cancelled(), if kill_at.is_none() => {
                        self.signal(Signal::TERM);
                        kill_at = Some(Instant::now() + GRACE);
                    }
                    () = kill_time => {
                        self.signal(Signal::KILL);
                        kill_at = Some(Instant::now() + GRACE);
                    }
                }
            };
        }
        todo!()
    }
}
