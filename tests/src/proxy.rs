//! A proxy whose connections a test can interrupt. Data sent meanwhile is held back and neither
//! side gets an error, as when a network cable is unplugged.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// Forwards a local port to a target address until it is cut.
pub struct Proxy {
    address: SocketAddr,
    open: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy to this address.
    ///
    /// # Panics
    ///
    /// Panics if no port is free.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        let address = listener.local_addr().expect("it has an address");
        let (open, is_open) = watch::channel(true);
        let accepting = tokio::spawn(async move {
            let mut ways = tokio::task::JoinSet::new();
            while let Ok((from, _)) = listener.accept().await {
                let is_open = is_open.clone();
                ways.spawn(async move {
                    let mut waiting = is_open.clone();
                    if waiting.wait_for(|open| *open).await.is_err() {
                        return;
                    }
                    let Ok(to) = TcpStream::connect(target).await else { return };
                    let (from, to) = (from.into_split(), to.into_split());
                    let there = carry(from.0, to.1, is_open.clone());
                    let back = carry(to.0, from.1, is_open);
                    tokio::join!(there, back);
                });
                // Reap finished connections.
                while ways.try_join_next().is_some() {}
            }
        });
        Self { address, open, accepting }
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Holds back all data from now on, including data in transit.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Forwards data again, beginning with the data held back.
    pub fn mend(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut open: watch::Receiver<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        if open.wait_for(|open| *open).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    // Fails if the receiving side has closed the connection first.
    drop(to.shutdown().await);
}
