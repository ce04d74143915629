//! The outgoing messages of one session. Outcomes take long on a slow connection, so all other
//! messages overtake them, in their own order. If heartbeats waited behind outcomes, the executor
//! would end its exclusive attempts. If heartbeats overtook Holding, the executor would be
//! considered lost although it still runs.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use fastjob_core::wire::v1::{FromExecutor, from_executor::Message};
use tokio::sync::mpsc;
use tokio_stream::Stream;

use super::LinkError;

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
    pub(super) async fn say(&self, message: Message) -> Result<(), LinkError> {
        let queue = if is_urgent(&message) { &self.urgent } else { &self.other };
        let message = FromExecutor { message: Some(message) };
        queue.send(message).await.map_err(|_| LinkError::Closed)
    }
}

/// Whether the message overtakes outcomes. An outcome that Holding overtakes is still listed there;
/// an outcome that Returned overtakes is not.
fn is_urgent(message: &Message) -> bool {
    matches!(
        message,
        Message::Beat(_)
            | Message::Pong(_)
            | Message::Holding(_)
            | Message::Returned(_)
            | Message::Goodbye(_)
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
    use fastjob_core::wire::v1;
    use tokio_stream::StreamExt;

    use super::*;

    #[tokio::test]
    async fn other_messages_do_not_wait_behind_outcomes_and_keep_their_order() {
        let (outlet, mut outbound) = outbound();
        for _ in 0..MOST {
            outlet.say(Message::Finished(v1::Finished::default())).await.unwrap();
        }
        outlet.say(Message::Beat(v1::Beat::default())).await.unwrap();
        outlet.say(Message::Holding(v1::Holding::default())).await.unwrap();
        outlet.say(Message::Pong(v1::Pong::default())).await.unwrap();
        outlet.say(Message::Goodbye(v1::Goodbye::default())).await.unwrap();
        drop(outlet);
        let mut said = Vec::new();
        while let Some(FromExecutor { message }) = outbound.next().await {
            said.push(match message {
                Some(Message::Beat(_)) => "beat",
                Some(Message::Holding(_)) => "holding",
                Some(Message::Goodbye(_)) => "goodbye",
                Some(Message::Pong(_)) => "pong",
                _ => "outcomes",
            });
        }
        assert_eq!(said[..5], ["beat", "holding", "pong", "goodbye", "outcomes"]);
        assert_eq!(said.len(), MOST + 4);
    }
}
