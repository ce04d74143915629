//! How a service stops. The tests start this program again as the service, because signals concern
//! a whole process.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    future::poll_fn,
    io::{BufRead as _, BufReader},
    path::Path,
    pin::Pin,
    process::{Child, ChildStdout, Command, Stdio},
    task::Poll,
    time::Duration,
};

use fastjob_executor::{Discovery, prelude::*};

const ROLE: &str = "TEST_SIGNALS_ROLE";

/// A service in another process, and what it prints.
struct Service(Child, BufReader<ChildStdout>);

impl Service {
    fn start(role: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "the_service_itself"])
            .env(ROLE, role)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut service = Self(child, out);
        service.says("listening");
        service
    }

    fn says(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(self.1.read_line(&mut line).unwrap(), 0, "it ended before it said `{text}`");
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    fn status(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has usually ended.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A running executor, which listens to signals because it has been polled.
async fn listening(folder: &Path) -> Pin<Box<impl Future<Output = Result<(), ExecutorError>>>> {
    let executor = Executor::builder("signals")
        .coordinators(["http://127.0.0.1:9"])
        .discovery(Discovery::Off)
        .log_path(folder);
    let mut run = Box::pin(executor.run());
    assert!(poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))).await.is_pending());
    run
}

/// Not a test of its own: the process that the others start.
#[test]
fn the_service_itself() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if role == "runs-again" {
            drop(listening(folder.path()).await);
        }
        let run = listening(folder.path()).await;
        println!("listening");
        run.await.unwrap();
    });
    println!("stopped");
    if role == "hangs" {
        loop {
            std::thread::sleep(Duration::from_secs(60));
        }
    }
}

#[test]
fn an_executor_stops_at_sigterm_and_at_ctrl_c() {
    for signal in ["TERM", "INT"] {
        let mut service = Service::start("ends");
        service.signal(signal);
        service.says("stopped");
        assert_eq!(service.status(), Some(0));
    }
}

#[test]
fn an_executor_stops_in_order_also_after_another_one_in_the_process_has_ended() {
    let mut service = Service::start("runs-again");
    service.signal("TERM");
    service.says("stopped");
    assert_eq!(service.status(), Some(0));
}

#[test]
fn a_signal_that_is_sent_twice_at_once_does_not_cut_the_drain() {
    let mut service = Service::start("ends");
    let id = service.0.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id, &id]).status().unwrap().success());
    service.says("stopped");
    assert_eq!(service.status(), Some(0));
}

#[test]
fn a_signal_ends_a_process_that_hangs_after_its_executor_has_stopped() {
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let mut service = Service::start("hangs");
        service.signal("TERM");
        service.says("stopped");
        // Right after the first one, a signal counts as the same.
        while service.0.try_wait().unwrap().is_none() {
            service.signal(signal);
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(service.status(), Some(status));
    }
}
