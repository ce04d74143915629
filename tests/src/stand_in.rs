//! An executor that speaks the protocol and runs nothing, for what a real one cannot be told to
//! be: short of memory, busy, or deaf to what it is sent.

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

/// What a machine of a stand-in is said to be like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// Busy share of its cores, 0 to 1.
    pub cpu: f64,
    /// Free memory, of 64 GiB.
    pub memory_free_gib: u64,
}

/// What a stand-in does with the attempts that it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// All succeed at once.
    Prompt,
    /// All are started, and no word of them follows, whatever it is told; but it beats.
    Deaf,
}

/// An executor of the service `default` with the handler `noop`; it is gone when it is dropped.
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
    /// Panics if it is refused.
    pub async fn join(url: String, name: &str, machine: Machine, manner: Manner) -> Self {
        Self::join_with(url, hello(name), machine, manner).await
    }

    /// Joins a coordinator with this first message.
    ///
    /// # Panics
    ///
    /// Panics if it is refused.
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
        let answer = client.join(ReceiverStream::new(outbound)).await.expect("it is let in");
        let mut heard = answer.into_inner();
        let welcome = match heard.next().await {
            Some(Ok(v1::ToExecutor { message: Some(Hear::Welcome(welcome)) })) => welcome,
            other => panic!("it is not welcome: {other:?}"),
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

    /// Its machine is like this now; the coordinator is told at once.
    pub fn is_like(&self, machine: Machine) {
        self.machine.send_replace(machine);
    }
}

async fn tell(say: &mpsc::Sender<v1::FromExecutor>, message: Say) {
    // Where the session has ended, nobody is told.
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
            // Without a stand-in the session is aborted.
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
        // What there is to stop has ended, or is not heeded; nobody asks for its logs.
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
