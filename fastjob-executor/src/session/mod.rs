//! Links: one per coordinator address. A link connects, keeps a session, and reconnects.
//!
//! A link failure does not affect the executor: attempts keep running, and outcomes are kept until
//! the coordinator has them.

mod answers;
mod archive;
mod dial;
mod error;
mod handshake;
mod identity;
mod messages;
mod outbound;
mod peers;
mod remote_clock;
mod terms;
mod wire;

#[cfg(test)]
mod tests;

use std::{future::Future, sync::Arc, time::Duration};

use fastjob_core::{
    error::chain,
    wire::{
        MESSAGE_MAX,
        v1::{self, executor_link_client::ExecutorLinkClient},
    },
};
use tokio::time::{Instant, timeout};
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use self::{
    answers::Answers,
    error::LinkError,
    messages::{Answer, Beat, FromCoordinator, Question, ToCoordinator},
    outbound::Outlet,
    peers::NodeId,
    remote_clock::RemoteClock,
    terms::Terms,
};
pub(crate) use self::{
    identity::Identity,
    peers::{Peers, Place},
};
use crate::{
    logs::Uploads,
    runtime::{Attempt, LinkId, Runtime},
};

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Delay after an error that is likely to persist.
const REFUSED_WAIT: Duration = Duration::from_secs(5);
/// Shortest time between two deliveries. Of many attempts that are due at once, the first ones end
/// before the last ones have started: their outcomes must not delay these.
const GATHER: Duration = Duration::from_millis(3);
/// How long what is to be delivered waits at most for handlers that are about to be entered.
const ENTERING: Duration = Duration::from_millis(50);
/// Timeout of each step until the coordinator's welcome.
const WELCOME: Duration = Duration::from_secs(10);

/// Registers a session while it lasts.
struct Session<'a>(&'a Link);

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.0.peers.left(self.0.id);
        self.0.runtime.session_ended(self.0.id);
    }
}

/// Registers a link while it exists.
struct Kept<'a>(&'a Link);

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.0.runtime.forget_link(self.0.id);
    }
}

/// One coordinator address.
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) address: String,
    /// The node that is expected there, if the address was learned from another node.
    pub(crate) node: Option<NodeId>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) runtime: Runtime,
    pub(crate) peers: Peers,
    pub(crate) uploads: Uploads,
    /// Fires when everything has been delivered.
    pub(crate) stop: CancellationToken,
}

impl Link {
    /// Keeps a session with the coordinator until `stop` fires.
    pub(crate) async fn run(self) {
        let _kept = Kept(&self);
        let mut wait = FIRST_WAIT;
        let mut logged = String::new();
        while !self.stop.is_cancelled() {
            let mut welcomed = false;
            let ended = tokio::select! {
                ended = self.session(&mut welcomed) => ended,
                () = self.stop.cancelled() => return,
            };
            if self.stop.is_cancelled() {
                return;
            }
            if welcomed {
                wait = FIRST_WAIT;
            }
            if let Err(err) = ended {
                self.identity.metrics.session_failed();
                self.log_failure(&err, &mut logged, welcomed);
                wait = if err.is_lasting() { REFUSED_WAIT } else { wait };
            }
            // Jitter, so that a fleet does not reconnect all at once.
            let jitter = wait.mul_f64(f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 512.0);
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(wait / 2 + jitter) => {}
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Logs why there is no session; each reason once.
    fn log_failure(&self, err: &LinkError, logged: &mut String, welcomed: bool) {
        let why = chain(err);
        if *logged == why && !welcomed {
            tracing::debug!(coordinator = %self.address, why, "still no session");
        } else if err.is_lasting() {
            tracing::error!(
                coordinator = %self.address,
                why,
                "the coordinator rejected this executor, retrying"
            );
        } else {
            tracing::warn!(
                coordinator = %self.address,
                why,
                "no session with the coordinator, retrying"
            );
        }
        *logged = why;
    }

    async fn session(&self, welcomed: &mut bool) -> Result<(), LinkError> {
        // Learned addresses are checked too: another node's settings may be less strict.
        self.identity.config.judge(&self.address).map_err(LinkError::Unsafe)?;
        // The channel's connect timeout does not include the TLS handshake.
        let channel = timeout(WELCOME, dial::channel(&self.address, &self.identity)).await;
        let channel = channel.map_err(|_| LinkError::Silent(WELCOME))?.map_err(LinkError::Dial)?;
        let proof = match &self.identity.key {
            Some(key) => {
                let shake = handshake::shake(channel.clone(), key, self.node.as_ref());
                let shaken = timeout(WELCOME, shake).await;
                Some(shaken.map_err(|_| LinkError::Silent(WELCOME))??)
            }
            None => None,
        };
        let mut client = ExecutorLinkClient::new(channel.clone())
            .max_decoding_message_size(MESSAGE_MAX)
            .max_encoding_message_size(MESSAGE_MAX);
        let (say, outbound) = outbound::outbound();
        let asked_at = self.runtime.elapsed();
        say.say(ToCoordinator::Hello(Arc::clone(&self.identity), self.id)).await?;
        let mut request = tonic::Request::new(outbound);
        if let Some(proof) = &proof {
            handshake::show(proof, &mut request)?;
        }
        let joined = timeout(WELCOME, client.join(request)).await;
        let mut inbound = joined.map_err(|_| LinkError::Silent(WELCOME))??.into_inner();
        let first = timeout(WELCOME, inbound.next()).await;
        let welcome = match first.map_err(|_| LinkError::Silent(WELCOME))? {
            Some(Ok(first)) => wire::read(first),
            Some(Err(status)) => return Err(status.into()),
            None => return Err(LinkError::Closed),
        };
        let FromCoordinator::Welcome(welcome) = welcome else { return Err(LinkError::NoWelcome) };
        self.peers.belongs(&welcome.cluster)?;
        *welcomed = true;
        tracing::info!(coordinator = %self.address, release = welcome.release, "connected");
        if welcome.accepts_schemas && self.identity.registry.schemas().next().is_some() {
            say.say(ToCoordinator::Schemas(Arc::clone(&self.identity))).await?;
        }
        let terms = Terms::of(&welcome);
        let beat = terms.beat;
        let wake = self.runtime.link(self.id);
        self.runtime.partitions(welcome.partitions);
        self.runtime.session_began(self.id, welcome.says_farewell);
        self.runtime.heard(self.id, asked_at, terms.exclusive, &[]);
        self.peers.joined(self.id, welcome.node);
        let _session = Session(self);
        let _counted = self.identity.metrics.session();
        let _shelf = archive::register(self, channel, welcome.logs_ticket.as_deref())?;
        tokio::select! {
            ended = self.listen(&mut inbound, &say, terms) => ended,
            ended = self.deliver(&say, &wake) => ended,
            ended = self.beat(&say, beat) => ended,
        }
    }

    async fn listen(
        &self,
        inbound: &mut Streaming<v1::ToExecutor>,
        say: &Outlet,
        terms: Terms,
    ) -> Result<(), LinkError> {
        let mut answers = Answers::default();
        let mut clock = RemoteClock::new(Instant::now());
        loop {
            let next = timeout(terms.silence, inbound.next());
            let next = tokio::select! {
                next = next => next,
                () = answers.next() => continue,
            };
            let message = match next.map_err(|_| LinkError::Silent(terms.silence))? {
                Some(Ok(message)) => wire::read(message),
                Some(Err(status)) => return Err(status.into()),
                None => return Err(LinkError::Closed),
            };
            match message {
                FromCoordinator::Leases(leases) => self.runtime.take(self.id, leases),
                FromCoordinator::Start { lease, sent_at, attempts } => {
                    let now = Instant::now();
                    clock.compare(sent_at, now);
                    let arrived = attempts.into_iter().map(|(attempt, enter_at)| {
                        let enter_at = enter_at.and_then(|at| clock.when(at, now));
                        Attempt { enter_at, ..attempt }
                    });
                    self.runtime.start(self.id, lease, arrived.collect());
                }
                FromCoordinator::Stop(attempts) => self.runtime.stop(self.id, attempts),
                FromCoordinator::Nodes(nodes) => self.peers.learn(nodes),
                FromCoordinator::Recorded(attempts) if attempts.is_empty() => {}
                FromCoordinator::Recorded(attempts) => self.runtime.recorded(attempts),
                FromCoordinator::Farewell => self.runtime.farewell(self.id),
                FromCoordinator::Stat(id, question) => {
                    let (answer, say) = (self.answer(question), say.clone());
                    // In its own task, so that a slow disk delays nothing else.
                    answers.add(async move {
                        // If the link has ended, the answer is not needed.
                        drop(say.say(ToCoordinator::Answer(id, answer.await)).await);
                    });
                }
                FromCoordinator::Ping(ping) => {
                    clock.compare(ping.sent_at, Instant::now());
                    // When the answered heartbeat was sent; never later than now.
                    let at = ping.beat_at.min(self.runtime.elapsed());
                    self.runtime.heard(self.id, at, terms.exclusive, &ping.partitions);
                    say.say(ToCoordinator::Pong(ping.id)).await?;
                }
                // A second welcome, or a message of a newer release.
                FromCoordinator::Welcome(_) | FromCoordinator::Unknown => {}
            }
        }
    }

    /// The answer to a question. This may wait for the disk.
    fn answer(&self, question: Question) -> impl Future<Output = Answer> + Send + 'static {
        let (runtime, identity) = (self.runtime.clone(), Arc::clone(&self.identity));
        async move {
            match question {
                Question::Log { attempt, offset, limit } => {
                    match runtime.stat_log(attempt, offset, limit).await {
                        Ok(page) => Answer::Log(page),
                        Err(err) => Answer::Error(err.to_string()),
                    }
                }
                Question::Executor => Answer::Executor {
                    beat: beat(&runtime, &identity),
                    handlers: identity.registry.iter().map(|(name, _)| name.to_owned()).collect(),
                    holding: runtime.holding(),
                },
                Question::Unknown => {
                    Answer::Error("this release does not know the request".to_owned())
                }
            }
        }
    }

    async fn deliver(&self, say: &Outlet, wake: &tokio::sync::Notify) -> Result<(), LinkError> {
        let (mut waits, mut is_cut) = (true, false);
        loop {
            if !is_cut {
                // Handlers that block their threads may keep others from being entered for long.
                waits = self.runtime.entered(if waits { ENTERING } else { Duration::ZERO }).await;
            }
            let delivery = self.runtime.to_deliver(self.id);
            is_cut = delivery.is_cut;
            if delivery.messages.is_empty() {
                let next_at = async {
                    match delivery.next_at {
                        Some(at) => tokio::time::sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = wake.notified() => {}
                    () = next_at => {}
                }
            }
            if delivery.messages.is_empty() {
                continue;
            }
            let next_at = Instant::now() + GATHER;
            for message in delivery.messages {
                say.say(ToCoordinator::Runtime(message)).await?;
            }
            if !delivery.is_cut {
                // What ends meanwhile goes into one message, and this thread is free for what
                // arrives.
                tokio::time::sleep_until(next_at).await;
            }
        }
    }

    async fn beat(&self, say: &Outlet, every: Duration) -> Result<(), LinkError> {
        let mut next = Instant::now();
        loop {
            say.say(ToCoordinator::Beat(beat(&self.runtime, &self.identity))).await?;
            next = (next + every).max(Instant::now());
            tokio::time::sleep_until(next).await;
        }
    }
}

/// A heartbeat with the current figures.
fn beat(runtime: &Runtime, identity: &Identity) -> Beat {
    let (running, waiting) = runtime.stat_counts();
    Beat { sample: identity.figures.sample(), running, waiting, uptime: runtime.elapsed() }
}
