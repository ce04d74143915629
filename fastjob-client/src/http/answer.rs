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
    was_sent_before: bool,
    answer: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Answer<T> {
    pub(super) fn new(
        server: ServerUrl,
        status: StatusCode,
        text: String,
        saved: Option<String>,
    ) -> Self {
        Self { text, saved, server, status, was_sent_before: false, answer: PhantomData }
    }

    /// The same answer, to a call that was sent before if that is `true`.
    pub(super) fn after_sending(self, was_sent_before: bool) -> Self {
        Self { was_sent_before: self.was_sent_before || was_sent_before, ..self }
    }

    /// Whether the client had sent the call before, and it may have had an effect then. What the
    /// answer says of an earlier call, such as that of a start with the same key, may be about that
    /// one.
    pub fn was_sent_before(&self) -> bool {
        self.was_sent_before
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
