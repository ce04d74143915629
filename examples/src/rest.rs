//! REST calls, one connection per call: enough for an example on one machine.

use std::{io, net::SocketAddr, time::Duration};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// The REST interface of a coordinator.
#[derive(Clone, Copy, Debug)]
pub struct Rest(SocketAddr);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestError {
    /// The coordinator could not be reached.
    #[error("could not reach the coordinator")]
    Unreachable(#[from] io::Error),
    /// It rejected the call.
    #[error("the coordinator answered {status}: {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem.
        detail: String,
    },
    /// The response does not have the expected type.
    #[error("the coordinator's answer cannot be read")]
    Unreadable(#[from] serde_json::Error),
}

impl Rest {
    /// Uses the coordinator that listens at `address`, without a token.
    pub const fn new(address: SocketAddr) -> Self {
        Self(address)
    }

    /// Where the coordinator listens.
    pub const fn address(&self) -> SocketAddr {
        self.0
    }

    /// Gets `path`.
    ///
    /// # Errors
    ///
    /// Fails with [`RestError`] if there is no response, or not the expected one.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, RestError> {
        Ok(serde_json::from_str(&self.call("GET", path, "").await?)?)
    }

    /// Puts `body` at `path`.
    ///
    /// # Errors
    ///
    /// Fails with [`RestError`] if it was not saved, or if that is unknown.
    pub async fn put(&self, path: &str, body: &Value) -> Result<(), RestError> {
        self.call("PUT", path, &body.to_string()).await.map(drop)
    }

    /// Posts `body` to `path` and parses the response.
    ///
    /// # Errors
    ///
    /// Fails if the coordinator cannot be reached, rejects the call, or sends an unexpected
    /// response.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<T, RestError> {
        Ok(serde_json::from_str(&self.call("POST", path, &body.to_string()).await?)?)
    }

    async fn call(&self, method: &str, path: &str, body: &str) -> Result<String, RestError> {
        let answer = timeout(PATIENCE, self.exchange(method, path, body))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        if (200..300).contains(&status) {
            return Ok(body.to_owned());
        }
        let problem: Value = serde_json::from_str(body).unwrap_or_default();
        let detail = problem["detail"].as_str().unwrap_or(body).to_owned();
        Err(RestError::Refused { status, detail })
    }

    async fn exchange(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        let (address, length) = (self.0, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}
