//! A fake executor that speaks the protocol and runs nothing. It simulates conditions that a real
//! one cannot be put in: low memory, high load, or ignoring all messages.

use std::time::Duration;

use fastjob_core::wire::v1;
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use v1::{
    executor_link_client::ExecutorLinkClient, from_executor::Message as Say,
    to_executor::Message as Hear,
};

use crate::{now, raw::hello};

const GIB: u64 = 1 << 30;

/// What a stand-in reports about its machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// CPU load, 0 to 1.
    pub cpu: f64,
    /// Free memory, out of 64 GiB.
    pub memory_free_gib: u64,
}

/// What a stand-in does with the attempts that it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Reports success at once.
    Prompt,
    /// Reports their start and never their end, and ignores stops. Heartbeats continue.
    Deaf,
}

/// An executor of the service `default` with the handler `noop`. Its session ends on drop.
pub struct StandIn {
    machine: watch::Sender<Machine>,
    session: AbortHandle,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.session.abort();
    }
}

impl StandIn {
    /// Joins a coordinator.
    ///
    /// # Panics
    ///
    /// Panics if it is rejected.
    pub async fn join(url: String, name: &str, machine: Machine, manner: Manner) -> Self {
        Self::join_with(url, hello(name), machine, manner).await
    }

    /// Joins a coordinator with this first message.
    ///
    /// # Panics
    ///
    /// Panics if it is rejected.
    pub async fn join_with(
        url: String,
        hello: v1::Hello,
        machine: Machine,
        manner: Manner,
    ) -> Self {
        let (machine, changes) = watch::channel(machine);
        let mut client = ExecutorLinkClient::connect(url).await.expect("the coordinator listens");
        let (say, outbound) = mpsc::channel(64);
        tell(&say, Say::Hello(hello)).await;
        let answer = client.join(ReceiverStream::new(outbound)).await.expect("it is accepted");
        let mut heard = answer.into_inner();
        let welcome = match heard.next().await {
            Some(Ok(v1::ToExecutor { message: Some(Hear::Welcome(welcome)) })) => welcome,
            other => panic!("expected a welcome, got {other:?}"),
        };
        let session = tokio::spawn(async move {
            tokio::join!(
                beat(&say, changes, Duration::from_millis(welcome.beat_ms.into())),
                async {
                    while let Some(Ok(message)) = heard.next().await {
                        answer_to(&say, message.message, manner).await;
                    }
                }
            );
        });
        Self { machine, session: session.abort_handle() }
    }

    /// Changes its machine's figures, and reports them to the coordinator at once.
    pub fn is_like(&self, machine: Machine) {
        self.machine.send_replace(machine);
    }
}

async fn tell(say: &mpsc::Sender<v1::FromExecutor>, message: Say) {
    // Fails only if the session has ended.
    drop(say.send(v1::FromExecutor { message: Some(message) }).await);
}

async fn beat(
    say: &mpsc::Sender<v1::FromExecutor>,
    mut changes: watch::Receiver<Machine>,
    every: Duration,
) {
    loop {
        let Machine { cpu, memory_free_gib } = *changes.borrow_and_update();
        let beat = v1::Beat {
            cpu,
            memory_free: memory_free_gib * GIB,
            memory_total: 64 * GIB,
            ..v1::Beat::default()
        };
        tell(say, Say::Beat(beat)).await;
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            // The sender is dropped with the stand-in, which aborts the session.
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

async fn answer_to(say: &mpsc::Sender<v1::FromExecutor>, message: Option<Hear>, manner: Manner) {
    match message {
        Some(Hear::Leases(leases)) => {
            let holding = v1::Holding { leases: leases.leases, ..v1::Holding::default() };
            tell(say, Say::Holding(holding)).await;
        }
        Some(Hear::Ping(ping)) => tell(say, Say::Pong(v1::Pong { id: ping.id })).await,
        Some(Hear::Start(start)) => {
            let at = now().as_millisecond();
            if manner == Manner::Deaf {
                let attempts = start.attempts.iter().map(|attempt| v1::StartedAttempt {
                    attempt: attempt.attempt,
                    at,
                    created_at: attempt.created_at,
                });
                let started = v1::Started { attempts: attempts.collect() };
                return tell(say, Say::Started(started)).await;
            }
            let outcomes = start.attempts.iter().map(|attempt| v1::Outcome {
                attempt: attempt.attempt,
                created_at: attempt.created_at,
                end: v1::End::Succeeded.into(),
                started_at: at,
                ended_at: at,
                ..v1::Outcome::default()
            });
            let finished = v1::Finished { outcomes: outcomes.collect() };
            tell(say, Say::Finished(finished)).await;
        }
        // Stops are ignored: the attempts have ended, or never end. No test reads its logs.
        Some(
            Hear::Welcome(_)
            | Hear::Stop(_)
            | Hear::Recorded(_)
            | Hear::Stat(_)
            | Hear::Nodes(_)
            | Hear::Farewell(_),
        )
        | None => {}
    }
}
