//! An executor's raw stream, for messages that a correct executor never sends.

use std::sync::atomic::{AtomicU32, Ordering};

use fastjob_core::wire::{PROTOCOL, v1};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use v1::{executor_link_client::ExecutorLinkClient, from_executor::Message as Say};

/// A stream to a coordinator. The test decides whether to read what the coordinator sends.
pub struct Stream {
    say: mpsc::Sender<v1::FromExecutor>,
    /// Messages from the coordinator.
    pub heard: tonic::Streaming<v1::ToExecutor>,
}

/// The first message of an executor of the service `default` with the handler `noop`.
pub fn hello(name: &str) -> v1::Hello {
    static LIVES: AtomicU32 = AtomicU32::new(1);
    let life = LIVES.fetch_add(1, Ordering::Relaxed);
    v1::Hello {
        protocol: PROTOCOL,
        service: "default".to_owned(),
        executor: name.to_owned(),
        secret: format!("{:016}{life:016}", std::process::id()),
        capacity: 100,
        metadata: [("JobHandler.noop".to_owned(), String::new())].into(),
        ..v1::Hello::default()
    }
}

impl Stream {
    /// Opens a stream with this first message.
    ///
    /// # Errors
    ///
    /// Fails with the coordinator's error if it rejects the executor.
    ///
    /// # Panics
    ///
    /// Panics if the coordinator does not listen.
    pub async fn open(url: String, hello: v1::Hello) -> Result<Self, tonic::Status> {
        let client = ExecutorLinkClient::connect(url).await.expect("the coordinator listens");
        let mut client =
            client.max_decoding_message_size(64 << 20).max_encoding_message_size(64 << 20);
        let (say, outbound) = mpsc::channel(1);
        let this = Say::Hello(hello);
        say.send(v1::FromExecutor { message: Some(this) }).await.expect("there is room for it");
        let heard = client.join(ReceiverStream::new(outbound)).await?.into_inner();
        Ok(Self { say, heard })
    }

    /// Sends a message once the previous ones have been taken. Returns `false` if the stream has
    /// ended.
    pub async fn say(&self, message: Say) -> bool {
        self.say.send(v1::FromExecutor { message: Some(message) }).await.is_ok()
    }
}
