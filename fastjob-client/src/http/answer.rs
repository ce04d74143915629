//! The answer to a call.

use std::marker::PhantomData;

use reqwest::StatusCode;
use serde::de::DeserializeOwned;

use super::{ServerUrl, failure::not_fastjob};
use crate::ClientError;

/// The answer to a [`Call`](super::Call): its JSON, which can be read as a `T`.
#[derive(Debug)]
pub struct Answer<T> {
    text: String,
    saved: Option<String>,
    server: ServerUrl,
    status: StatusCode,
    answer: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Answer<T> {
    pub(super) fn new(
        server: ServerUrl,
        status: StatusCode,
        text: String,
        saved: Option<String>,
    ) -> Self {
        Self { text, saved, server, status, answer: PhantomData }
    }

    /// The JSON as the coordinator sent it; empty if the call has no result.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What saving did, after a job was saved: `created`, `updated` or `unchanged`.
    pub fn saved(&self) -> Option<&str> {
        self.saved.as_deref()
    }

    /// The result.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::NotFastJob`] if the JSON is not what a coordinator of this release
    /// answers.
    pub fn read(&self) -> Result<T, ClientError> {
        let text = if self.text.is_empty() { "null" } else { &self.text };
        serde_json::from_str(text)
            .map_err(|err| not_fastjob(self.status, &self.text, Some(err), &self.server))
    }
}
