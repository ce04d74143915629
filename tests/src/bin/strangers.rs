//! Unauthenticated connections to a coordinator ("strangers"), held open for as long as the
//! coordinator allows.
//!
//! `strangers ADDRESS COUNT FIRST SOURCES [again]`
//!
//! COUNT connections are opened at once, from SOURCES consecutive addresses that start at FIRST.
//! Some send nothing, some send a byte of a request head now and then, some stop in the middle of a
//! TLS handshake, and most speak HTTP/2 and answer every PING. With `again`, each reconnects when it
//! is closed. A line per second reports how many are open, were opened and were closed, and the
//! longest time that one was held.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    time::Instant,
};

/// Connections that are being opened at the same time.
const OPENING: usize = 256;
/// Pause between two bytes of a connection that sends a few.
const TRICKLE: Duration = Duration::from_millis(500);
/// Pause before a closed connection reconnects.
const AGAIN: Duration = Duration::from_secs(5);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;

#[derive(Default)]
struct Count {
    open: AtomicUsize,
    opened: AtomicUsize,
    closed: AtomicUsize,
    longest_ms: AtomicU64,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, count, first, sources, rest @ ..] = args.as_slice() else {
        panic!("usage: strangers ADDRESS COUNT FIRST SOURCES [again]");
    };
    let address: SocketAddr = address.parse().expect("an address");
    let count: usize = count.parse().expect("how many");
    let first: Ipv4Addr = first.parse().expect("an address");
    let sources: usize = sources.parse().expect("how many addresses");
    let again = rest.iter().any(|word| word == "again");
    fastjob_tests::raise_file_limit();
    let (counts, opening) = (Arc::new(Count::default()), Arc::new(Semaphore::new(OPENING)));
    for n in 0..count {
        let (counts, opening) = (Arc::clone(&counts), Arc::clone(&opening));
        tokio::spawn(async move {
            loop {
                let offset = u32::try_from(n % sources).expect("few addresses");
                let source = Ipv4Addr::from_bits(first.to_bits() + offset);
                let place = opening.acquire().await.expect("it is never closed");
                if let Ok(stream) = open(address, source).await {
                    drop(place);
                    hold(n, stream, &counts).await;
                }
                if !again {
                    return;
                }
                tokio::time::sleep(AGAIN).await;
            }
        });
    }
    loop {
        let [open, opened, closed] = [&counts.open, &counts.opened, &counts.closed]
            .map(|count| count.load(Ordering::Relaxed));
        let longest = counts.longest_ms.load(Ordering::Relaxed);
        println!("{open} {opened} {closed} {longest}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn open(address: SocketAddr, source: Ipv4Addr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    socket.connect(address).await
}

async fn hold(n: usize, stream: TcpStream, counts: &Count) {
    let began = Instant::now();
    counts.open.fetch_add(1, Ordering::Relaxed);
    counts.opened.fetch_add(1, Ordering::Relaxed);
    // It does not matter how the connection ends.
    drop(match n % 8 {
        0 => silent(stream, b"").await,
        // The header of a 512-byte record with a ClientHello, and the first few of its bytes.
        1 => silent(stream, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await,
        2 => trickle(stream).await,
        _ => ping_pong(stream).await,
    });
    counts.open.fetch_sub(1, Ordering::Relaxed);
    counts.closed.fetch_add(1, Ordering::Relaxed);
    let held = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    counts.longest_ms.fetch_max(held, Ordering::Relaxed);
}

async fn silent(mut stream: TcpStream, first: &[u8]) -> io::Result<()> {
    stream.write_all(first).await?;
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

async fn trickle(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(b"GET / HTTP/1.1\r\nx: ").await?;
    let mut rest = [0; 64];
    loop {
        tokio::select! {
            read = stream.read(&mut rest) => if read? == 0 { return Ok(()) },
            () = tokio::time::sleep(TRICKLE) => stream.write_all(b"y").await?,
        }
    }
}

/// Acknowledges settings and answers pings, like an idle honest client.
async fn ping_pong(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(PREFACE).await?;
    stream.write_all(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await?;
        match (head[3], head[4] & ACK) {
            (SETTINGS, 0) => stream.write_all(&[0, 0, 0, SETTINGS, ACK, 0, 0, 0, 0]).await?,
            (PING, 0) => {
                stream.write_all(&[0, 0, 8, PING, ACK, 0, 0, 0, 0]).await?;
                stream.write_all(&payload).await?;
            }
            _ => {}
        }
    }
}
