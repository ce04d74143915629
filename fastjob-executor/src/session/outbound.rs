//! The outgoing messages of one session. Outcomes take long on a slow connection, so all other
//! messages overtake them, in their own order. If heartbeats waited behind outcomes, the executor
//! would end its exclusive attempts. If heartbeats overtook Holding, the executor would be
//! considered lost although it still runs.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use fastjob_core::wire::v1::FromExecutor;
use tokio::sync::mpsc;
use tokio_stream::Stream;

use super::{LinkError, messages::ToCoordinator, wire};
use crate::runtime::Message;

/// Maximum number of messages that wait for the stream.
const MOST: usize = 16;

/// Sends messages to the stream. Cheap to clone.
#[derive(Clone)]
pub(super) struct Outlet {
    urgent: mpsc::Sender<FromExecutor>,
    other: mpsc::Sender<FromExecutor>,
}

/// The stream.
pub(super) struct Outbound {
    urgent: mpsc::Receiver<FromExecutor>,
    other: mpsc::Receiver<FromExecutor>,
}

pub(super) fn outbound() -> (Outlet, Outbound) {
    let (say_urgent, urgent) = mpsc::channel(MOST);
    let (say_other, other) = mpsc::channel(MOST);
    (Outlet { urgent: say_urgent, other: say_other }, Outbound { urgent, other })
}

impl Outlet {
    /// Waits for space in the queue.
    pub(super) async fn say(&self, message: ToCoordinator) -> Result<(), LinkError> {
        let queue = if is_urgent(&message) { &self.urgent } else { &self.other };
        queue.send(wire::write(message)).await.map_err(|_| LinkError::Closed)
    }
}

/// Whether the message overtakes outcomes. An outcome that Holding overtakes is still listed there;
/// an outcome that Returned overtakes is not.
fn is_urgent(message: &ToCoordinator) -> bool {
    matches!(
        message,
        ToCoordinator::Beat(_)
            | ToCoordinator::Pong(_)
            | ToCoordinator::Runtime(
                Message::Holding(_) | Message::Returned(_) | Message::Goodbye(_)
            )
    )
}

impl Stream for Outbound {
    type Item = FromExecutor;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<FromExecutor>> {
        let urgent = self.urgent.poll_recv(cx);
        if let Poll::Ready(Some(message)) = urgent {
            return Poll::Ready(Some(message));
        }
        let other = self.other.poll_recv(cx);
        // The stream ends when both queues have ended.
        let waits = urgent.is_pending() && matches!(other, Poll::Ready(None));
        if waits { Poll::Pending } else { other }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fastjob_core::wire::v1::from_executor::Message as Wire;
    use tokio_stream::StreamExt;

    use super::{
        super::messages::{Beat, PingId},
        *,
    };
    use crate::{figures::Sample, runtime::Holding};

    #[tokio::test]
    async fn other_messages_do_not_wait_behind_outcomes_and_keep_their_order() {
        let (outlet, mut outbound) = outbound();
        for _ in 0..MOST {
            outlet.say(ToCoordinator::Runtime(Message::Finished(Vec::new()))).await.unwrap();
        }
        let (sample, uptime) = (Sample::default(), Duration::ZERO);
        let beat = Beat { sample, running: 0, waiting: 0, uptime };
        outlet.say(ToCoordinator::Beat(beat)).await.unwrap();
        let holding = Message::Holding(Holding::default());
        outlet.say(ToCoordinator::Runtime(holding)).await.unwrap();
        outlet.say(ToCoordinator::Pong(PingId(1))).await.unwrap();
        outlet.say(ToCoordinator::Runtime(Message::Goodbye(Vec::new()))).await.unwrap();
        drop(outlet);
        let mut said = Vec::new();
        while let Some(FromExecutor { message }) = outbound.next().await {
            said.push(match message {
                Some(Wire::Beat(_)) => "beat",
                Some(Wire::Holding(_)) => "holding",
                Some(Wire::Goodbye(_)) => "goodbye",
                Some(Wire::Pong(_)) => "pong",
                _ => "outcomes",
            });
        }
        assert_eq!(said[..5], ["beat", "holding", "pong", "goodbye", "outcomes"]);
        assert_eq!(said.len(), MOST + 4);
    }
}
