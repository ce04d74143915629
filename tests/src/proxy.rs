//! A way between two programs that a test can cut: what is sent meanwhile waits, as it does when a
//! cable is pulled, and nobody is told.

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

/// A port that leads to another one, until it is cut. It ends with the test.
pub struct Proxy {
    address: SocketAddr,
    open: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A way to this address.
    ///
    /// # Panics
    ///
    /// Panics if there is no port to be had.
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
                // Those that have ended are forgotten.
                while ways.try_join_next().is_some() {}
            }
        });
        Self { address, open, accepting }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts it: whatever is under way or is sent from now on does not arrive.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Mends it: what waited goes on.
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
    // Whoever is at the end of it may have gone first.
    drop(to.shutdown().await);
}
