//! A server that accepts every message, for alarm channels.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// Starts it, and returns its address.
pub(crate) async fn open() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut peer, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 16 * 1024];
                if peer.read(&mut request).await.is_ok_and(|read| read > 0) {
                    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\
                                  content-type: text/plain\r\nconnection: close\r\n\r\nok";
                    // A sender that is gone needs no answer.
                    drop(peer.write_all(answer.as_bytes()).await);
                }
            });
        }
    });
    address
}
