//! A client of the REST interface.

use std::time::Duration;

use fastjob_client::{
    Call, Client,
    types::{JobDraft, StartRequest},
};
use serde::Serialize;
use serde_json::Value;

/// One coordinator's REST interface: calls that a coordinator accepts, through the client, and raw
/// requests that it may reject.
#[derive(Clone)]
pub struct Rest {
    base: String,
    client: Client,
    raw: reqwest::Client,
    pem: Option<Vec<u8>>,
    token: Option<String>,
}

impl Rest {
    /// The interface at `base`.
    ///
    /// # Panics
    ///
    /// Panics if the client cannot be created.
    pub fn new(base: String) -> Self {
        // Without roots, a client is made quickly: many tests make hundreds.
        let raw = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        Self::with(base, None, raw)
    }

    /// The interface at `base`, an `https` address. Trusts this certificate, in PEM.
    ///
    /// # Panics
    ///
    /// Panics if the client cannot be created with it.
    pub fn trusting(base: String, pem: &[u8]) -> Self {
        let trusted = reqwest::Certificate::from_pem(pem).expect("a certificate");
        let raw = reqwest::Client::builder().no_proxy().tls_certs_only([trusted]);
        Self::with(base, Some(pem.to_owned()), raw)
    }

    /// Sends a token with each request.
    ///
    /// # Panics
    ///
    /// Panics if a client cannot be created with it.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.client = client(&self.base, self.pem.as_deref(), Some(token));
        self.token = Some(token.to_owned());
        self
    }

    fn with(base: String, pem: Option<Vec<u8>>, raw: reqwest::ClientBuilder) -> Self {
        let client = client(&base, pem.as_deref(), None);
        let raw = raw.build().expect("a client can be created");
        Self { base, client, raw, pem, token: None }
    }

    /// The client, for other calls.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request, and returns the status with the body.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> Result<(u16, Value), reqwest::Error> {
        let method = method.parse().expect("a method");
        let mut request = self.raw.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Sends a request that expects this version of a job, if there is one, and returns the status
    /// with the version and the body of the answer.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer.
    pub async fn ask_if(
        &self,
        (method, path): (&str, &str),
        version: Option<&str>,
        body: Option<Value>,
    ) -> Result<(u16, Option<String>, Value), reqwest::Error> {
        let method = method.parse().expect("a method");
        let mut request = self.raw.request(method, format!("{}{path}", self.base));
        if let Some(version) = version {
            request = request.header("if-match", version);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        let (status, tag) = (answer.status().as_u16(), answer.headers().get("etag").cloned());
        let tag = tag.and_then(|tag| tag.to_str().ok().map(str::to_owned));
        let text = answer.text().await?;
        Ok((status, tag, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// `GET`.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer.
    pub async fn get(&self, path: &str) -> Result<(u16, Value), reqwest::Error> {
        self.ask("GET", path, None).await
    }

    /// Saves a job of the service `default`.
    ///
    /// # Panics
    ///
    /// Panics if it is rejected.
    pub async fn save(&self, job: Value) {
        let mut draft: JobDraft = serde_json::from_value(job).expect("a job");
        draft.service = Some("default".to_owned());
        let job = self.client.job(format!("default.{}", draft.name));
        job.save(&draft).await.expect("the job is saved");
    }

    /// Starts a job and returns the task.
    ///
    /// # Panics
    ///
    /// Panics if it is rejected.
    pub async fn start(&self, job: &str, ask: Value) -> i64 {
        let request: StartRequest = serde_json::from_value(ask).expect("a start");
        let started = self.client.call(Call::start(job, &request)).await;
        started.expect("the task is started").task
    }

    /// The task as it is now.
    ///
    /// # Panics
    ///
    /// Panics if there is no answer, or no such task.
    pub async fn task(&self, task: i64) -> Value {
        json(&self.client.task(task).get().await.expect("a task"))
    }

    /// Waits for the end of a task.
    ///
    /// # Panics
    ///
    /// Panics if it does not end in time.
    pub async fn ended(&self, task: i64) -> Value {
        self.reaches(task, &["succeeded", "failed", "stopped", "skipped"]).await
    }

    /// Waits until a task is in one of the states.
    ///
    /// # Panics
    ///
    /// Panics if that does not happen in time.
    pub async fn reaches(&self, task: i64, states: &[&str]) -> Value {
        let what = format!("task {task} is {states:?}");
        crate::eventually(&what, Duration::from_secs(40), || async {
            let view = self.client.task(task).get().await.ok()?;
            states.contains(&view.state.as_str()).then(|| json(&view))
        })
        .await
    }

    /// The tasks of a job, newest first, at most 500; none if there is no such job.
    ///
    /// # Panics
    ///
    /// Panics if there is no answer.
    pub async fn tasks(&self, job: &str) -> Vec<Value> {
        match self.client.tasks().job(job).collect(500).await {
            Ok(tasks) => tasks.iter().map(json).collect(),
            Err(err) if err.problem().is_some() => Vec::new(),
            Err(err) => panic!("no answer: {err:?}"),
        }
    }

    /// `POST` without a body, which has to succeed.
    ///
    /// # Panics
    ///
    /// Panics if it is rejected.
    pub async fn post(&self, path: &str) -> Value {
        let (status, answer) = self.ask("POST", path, None).await.expect("an answer");
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Waits until this many executors are connected.
    ///
    /// # Panics
    ///
    /// Panics if that does not happen in time.
    pub async fn executors(&self, count: usize) -> Vec<Value> {
        let what = format!("{count} executors are connected");
        crate::eventually(&what, Duration::from_secs(30), || async {
            let mut all = self.client.executors().all().await.ok()?;
            all.retain(|executor| executor.connected);
            (all.len() == count).then(|| all.iter().map(json).collect())
        })
        .await
    }

    /// Opens a stream of server-sent events.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer, or an error.
    pub async fn events(&self, path: &str) -> Result<Events, reqwest::Error> {
        let url = format!("{}{path}", self.base);
        let request = self.raw.get(url).header("accept", "text/event-stream");
        let response = request.send().await?.error_for_status()?;
        Ok(Events { response, text: String::new() })
    }

    /// Follows a log until its end, as server-sent events, and returns the raw events.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer, or if the stream is interrupted.
    pub async fn follow(&self, path: &str) -> Result<String, reqwest::Error> {
        let url = format!("{}{path}", self.base);
        let request = self.raw.get(url).header("accept", "text/event-stream");
        request.send().await?.error_for_status()?.text().await
    }
}

/// A stream of server-sent events.
#[derive(Debug)]
pub struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    /// The next event: its name and its data; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
                let (name, data) = (field("event:"), field("data:"));
                let name = name.map(|name| name.trim().to_owned());
                let data = data.map(|data| serde_json::from_str(data).expect("JSON"));
                self.text = rest.to_owned();
                // Comments keep the connection alive.
                let Some(event) = name.zip(data) else { continue };
                return Some(event);
            }
            let piece = self.response.chunk().await.ok().flatten()?;
            self.text.push_str(&String::from_utf8_lossy(&piece));
        }
    }
}

/// A client that reports each failure, and repeats nothing.
fn client(base: &str, pem: Option<&[u8]>, token: Option<&str>) -> Client {
    let mut client = Client::builder(base).retry_for(Duration::ZERO);
    if let Some(token) = token {
        client = client.token(token);
    }
    if let Some(pem) = pem {
        client = client.ca_cert_pem(pem);
    }
    client.build().expect("a client can be created")
}

fn json(view: &impl Serialize) -> Value {
    serde_json::to_value(view).expect("JSON")
}
