//! A client of the REST interface.

use std::sync::Once;

use serde_json::{Value, json};

/// One coordinator's REST interface.
#[derive(Clone)]
pub struct Rest {
    base: String,
    client: reqwest::Client,
    token: Option<String>,
}

impl Rest {
    /// The interface at `base`.
    ///
    /// # Panics
    ///
    /// Panics if the client cannot be created.
    pub fn new(base: String) -> Self {
        Self::with(base, |builder| builder)
    }

    /// The interface at `base`, an `https` address. Trusts only this certificate, in PEM.
    ///
    /// # Panics
    ///
    /// Panics if the client cannot be created with it.
    pub fn trusting(base: String, pem: &[u8]) -> Self {
        let trusted = reqwest::Certificate::from_pem(pem).expect("a certificate");
        Self::with(base, |builder| builder.tls_certs_only([trusted]))
    }

    fn with(
        base: String,
        change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // Another test may have installed it first.
            drop(rustls::crypto::ring::default_provider().install_default());
        });
        let builder = change(reqwest::Client::builder().no_proxy());
        Self { base, client: builder.build().expect("a client can be created"), token: None }
    }

    /// Sends a token with each request.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
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
        let mut request = self.client.request(method, format!("{}{path}", self.base));
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

    /// `GET`.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer.
    pub async fn get(&self, path: &str) -> Result<(u16, Value), reqwest::Error> {
        self.ask("GET", path, None).await
    }

    /// Saves a job.
    ///
    /// # Panics
    ///
    /// Panics if it is refused.
    pub async fn save(&self, job: Value) {
        let name = job["name"].as_str().expect("a job has a name").to_owned();
        let path = format!("/api/v1/jobs/default.{name}");
        let mut job = job;
        job["service"] = json!("default");
        let (status, answer) =
            self.ask("PUT", &path, Some(job.to_string())).await.expect("an answer");
        assert!(status == 200 || status == 201, "{status} {answer}");
    }

    /// Starts a job and returns the task.
    ///
    /// # Panics
    ///
    /// Panics if it is refused.
    pub async fn start(&self, job: &str, ask: Value) -> i64 {
        let path = format!("/api/v1/jobs/{job}/start");
        let (status, answer) =
            self.ask("POST", &path, Some(ask.to_string())).await.expect("an answer");
        assert_eq!(status, 200, "{answer}");
        answer["task"].as_i64().expect("a task")
    }

    /// The task as it is now.
    ///
    /// # Panics
    ///
    /// Panics if there is no answer.
    pub async fn task(&self, task: i64) -> Value {
        self.get(&format!("/api/v1/tasks/{task}")).await.expect("an answer").1
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
        crate::eventually(&what, std::time::Duration::from_secs(40), || async {
            let (_, view) = self.get(&format!("/api/v1/tasks/{task}")).await.ok()?;
            view["state"].as_str().is_some_and(|state| states.contains(&state)).then_some(view)
        })
        .await
    }

    /// The tasks of a job, newest first, at most 500.
    ///
    /// # Panics
    ///
    /// Panics if there is no answer.
    pub async fn tasks(&self, job: &str) -> Vec<Value> {
        let path = format!("/api/v1/tasks?limit=500&job={job}");
        let (_, page) = self.get(&path).await.expect("an answer");
        page["items"].as_array().cloned().unwrap_or_default()
    }

    /// `POST` without a body, which has to succeed.
    ///
    /// # Panics
    ///
    /// Panics if it is refused.
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
        crate::eventually(&what, std::time::Duration::from_secs(30), || async {
            let (_, page) = self.get("/api/v1/executors").await.ok()?;
            let mut items = page["items"].as_array()?.clone();
            items.retain(|executor| executor["connected"] == true);
            (items.len() == count).then_some(items)
        })
        .await
    }

    /// Follows a log until its end, as server-sent events, and returns the raw events.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer, or if the stream is interrupted.
    pub async fn follow(&self, path: &str) -> Result<String, reqwest::Error> {
        let url = format!("{}{path}", self.base);
        let request = self.client.get(url).header("accept", "text/event-stream");
        request.send().await?.error_for_status()?.text().await
    }
}
