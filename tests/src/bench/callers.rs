//! Callers that start tasks over the API, each on its own connection, one request at a time.
//!
//! A client library takes a third of a small machine here, which limits what is measured. These
//! callers write one request that never changes, and read of a response only its status and length.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// The longest response in bytes.
const RESPONSE_MAX: usize = 4 * 1024;

/// Starts tasks of a job without a param from this number of connections for `time`, and returns how
/// many starts the coordinator at this port has answered.
///
/// # Panics
///
/// Panics if a start is not accepted, or a connection fails.
pub fn starts_of(job: &str, port: u16, connections: usize, time: Duration) -> u64 {
    let request: Arc<[u8]> = format!(
        "POST /api/v1/jobs/{job}/start HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    )
    .into_bytes()
    .into();
    // One thread needs less processor time for this than several.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    runtime.expect("a runtime").block_on(async {
        let until = Instant::now() + time;
        let mut callers = JoinSet::new();
        for _ in 0..connections {
            let request = Arc::clone(&request);
            callers.spawn(async move { call(&request, port, until).await });
        }
        let mut all = 0;
        while let Some(count) = callers.join_next().await {
            all += count.expect("a caller").expect("a connection");
        }
        all
    })
}

async fn call(request: &[u8], port: u16, until: Instant) -> io::Result<u64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (mut count, mut bytes) = (0, [0; RESPONSE_MAX]);
    while Instant::now() < until {
        stream.write_all(request).await?;
        let mut read = 0;
        while !is_whole(&bytes[..read])? {
            let more = stream.read(&mut bytes[read..]).await?;
            if more == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            read += more;
        }
        count += 1;
    }
    Ok(count)
}

/// Whether this is a whole response. Fails if it is not one of success.
fn is_whole(bytes: &[u8]) -> io::Result<bool> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(head) = bytes.windows(END.len()).position(|four| four == END) else {
        return Ok(false);
    };
    let text = std::str::from_utf8(&bytes[..head]).map_err(io::Error::other)?;
    if !text.starts_with("HTTP/1.1 200 ") {
        return Err(io::Error::other(String::from_utf8_lossy(bytes)));
    }
    let mut lines = text.lines();
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    let length = length.ok_or_else(|| io::Error::other("a response without a length"))?;
    Ok(bytes.len() >= head + END.len() + length.map_err(io::Error::other)?)
}
