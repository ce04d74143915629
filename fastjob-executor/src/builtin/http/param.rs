//! The param of `httpJobHandler`, checked completely before anything is sent.

use std::{collections::BTreeMap, time::Duration};

use fastjob_core::{JobOutput, duration};
use reqwest::{
    Method, Url,
    header::{self, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde::Deserialize;
use serde_json::Value;

const MAX_RESPONSE: usize = 64 * 1024;

/// Maximum number of redirects that a param may allow.
const REDIRECTS_MAX: u8 = 10;

/// Headers that define the target or the framing of a request. A job that sets these could reach
/// another host than the one in its URL.
const OURS: [HeaderName; 8] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Param {
    url: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A string is sent as it is, any other value as JSON.
    body: Option<Value>,
    #[serde(default)]
    expect: Expect,
    #[serde(default = "half_a_minute")]
    timeout: String,
    /// Maximum bytes of the response that are kept.
    #[serde(default = "max_response")]
    max_response: usize,
    /// Maximum number of redirects to follow.
    #[serde(default)]
    redirects: u8,
}

fn get() -> String {
    "GET".to_owned()
}

fn half_a_minute() -> String {
    "30s".to_owned()
}

fn max_response() -> usize {
    MAX_RESPONSE
}

/// A validated request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<String>,
    pub(super) expect: Expect,
    pub(super) timeout: Duration,
    pub(super) max_response: usize,
    pub(super) redirects: u8,
}

impl Request {
    /// Parses JSON, or text that is a URL. The error says what is invalid.
    pub(super) fn read(text: Option<&str>) -> Result<Self, String> {
        let text = text.map(str::trim).unwrap_or_default();
        if text.is_empty() {
            return Err("the param is missing: give a URL, or JSON with `url`".to_owned());
        }
        let param = if text.starts_with(['{', '"']) {
            let value: Value = serde_json::from_str(text)
                .map_err(|err| format!("the param is not JSON: {err}"))?;
            if let Value::String(url) = value {
                Param::of(url)
            } else {
                serde_json::from_value(value)
                    .map_err(|err| format!("the param is not a request: {err}"))?
            }
        } else {
            Param::of(text.to_owned())
        };
        param.check()
    }
}

impl Param {
    fn of(url: String) -> Self {
        Self {
            url,
            method: get(),
            headers: BTreeMap::new(),
            body: None,
            expect: Expect::default(),
            timeout: half_a_minute(),
            max_response: MAX_RESPONSE,
            redirects: 0,
        }
    }

    fn check(self) -> Result<Request, String> {
        let url = Url::parse(&self.url).map_err(|err| format!("invalid URL: {err}"))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(format!(
                "a URL must begin with http:// or https://, not {}:",
                url.scheme()
            ));
        }
        let method = Method::from_bytes(self.method.to_ascii_uppercase().as_bytes())
            .map_err(|_| format!("`{}` is not a method", self.method))?;
        if method == Method::CONNECT {
            return Err("CONNECT is not supported".to_owned());
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let key =
                HeaderName::try_from(name).map_err(|_| format!("`{name}` is not a header name"))?;
            if OURS.contains(&key) {
                return Err(format!("header `{name}` cannot be set: it follows from the URL"));
            }
            let mut value = HeaderValue::try_from(value).map_err(|_| {
                format!("the value of header `{name}` contains an invalid character")
            })?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        let body = match self.body {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(
                json @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)),
            ) => {
                let json_type = HeaderValue::from_static("application/json");
                headers.entry(CONTENT_TYPE).or_insert(json_type);
                Some(json.to_string())
            }
        };
        if !(1..=JobOutput::MAX).contains(&self.max_response) {
            return Err(format!("`max_response` must be 1 to {} bytes", JobOutput::MAX));
        }
        let timeout = duration::parse(&self.timeout).map_err(|err| format!("`timeout`: {err}"))?;
        if self.redirects > REDIRECTS_MAX {
            return Err(format!("`redirects` must be 0 to {REDIRECTS_MAX}"));
        }
        let Self { expect, max_response, redirects, .. } = self;
        Ok(Request { url, method, headers, body, expect, timeout, max_response, redirects })
    }
}

/// The status codes that count as success: `204`, `"200-299"`, or a list of these.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(try_from = "Value")]
pub(super) struct Expect(Vec<(u16, u16)>);

impl Default for Expect {
    fn default() -> Self {
        Self(vec![(200, 299)])
    }
}

impl Expect {
    pub(super) fn has(&self, status: u16) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&status))
    }
}

impl TryFrom<Value> for Expect {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value.as_array() {
            Some(list) if !list.is_empty() => list.iter().map(range).collect(),
            Some(_) | None => range(&value).map(|range| vec![range]),
        }
        .map(Self)
    }
}

fn range(value: &Value) -> Result<(u16, u16), String> {
    let wrong = || format!("`expect` must be like 204, \"200-299\" or [200, 404], not {value}");
    let number = || value.as_u64().and_then(|code| u16::try_from(code).ok());
    let (from, to) = match value.as_str() {
        Some(text) => {
            let (from, to) = text.split_once('-').unwrap_or((text, text));
            (from.trim().parse().ok(), to.trim().parse().ok())
        }
        None => (number(), number()),
    };
    match (from, to) {
        (Some(from), Some(to)) if 100 <= from && from <= to && to <= 999 => Ok((from, to)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_expect(text: &str, has: &[u16], not: &[u16]) {
        let expect: Expect = serde_json::from_str(text).unwrap();
        assert!(has.iter().all(|code| expect.has(*code)), "{expect:?}");
        assert!(!not.iter().any(|code| expect.has(*code)), "{expect:?}");
    }

    #[test]
    fn statuses_are_a_code_a_range_or_a_list() {
        check_expect("204", &[204], &[200, 205]);
        check_expect(r#""200-299""#, &[200, 204, 299], &[199, 300]);
        check_expect(r#"[200, 404, "500 - 502"]"#, &[200, 404, 501], &[201, 503]);
        for wrong in ["[]", "99", "\"299-200\"", "\"ok\"", "true", "[[200]]", "1.5", "70000"] {
            assert!(serde_json::from_str::<Expect>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_url_alone_is_a_get() {
        for text in [" http://localhost/a ", r#""http://localhost/a""#] {
            let request = Request::read(Some(text)).unwrap();
            assert_eq!((request.method, request.url.path()), (Method::GET, "/a"));
            assert_eq!(request.timeout, Duration::from_secs(30));
        }
    }

    #[test]
    fn a_json_body_sets_its_content_type_unless_the_param_does() {
        let read = |text| Request::read(Some(text)).unwrap();
        let json = read(r#"{"url":"http://h/","method":"post","body":{"a":1}}"#);
        assert_eq!(json.body.as_deref(), Some(r#"{"a":1}"#));
        assert_eq!(json.headers[CONTENT_TYPE], "application/json");
        let own = read(r#"{"url":"http://h/","body":[1],"headers":{"Content-Type":"x/y"}}"#);
        assert_eq!(own.headers[CONTENT_TYPE], "x/y");
        let text = read(r#"{"url":"http://h/","body":"{}"}"#);
        assert!(text.headers.is_empty());
    }

    #[track_caller]
    fn check_refused(text: &str, why: &str) {
        let err = Request::read(Some(text)).unwrap_err();
        assert!(err.contains(why), "{err}");
    }

    #[test]
    fn an_invalid_request_is_rejected() {
        check_refused("", "missing");
        check_refused("pwd", "invalid URL");
        check_refused("file:///etc/passwd", "not file:");
        check_refused(r#"{"url":"http://h/","verb":"GET"}"#, "unknown field `verb`");
        check_refused(r#"{"url":"http://h/","method":"G T"}"#, "not a method");
        check_refused(r#"{"url":"http://h/","headers":{"a b":"c"}}"#, "not a header name");
        check_refused(r#"{"url":"http://h/","timeout":"soon"}"#, "`timeout`");
        check_refused(r#"{"url":"http://h/","max_response":0}"#, "max_response");
        check_refused(r#"{"url":"http://h/","expect":"ok"}"#, "`expect`");
        check_refused(r#"{"url":"http://h/","redirects":11}"#, "`redirects`");
        check_refused(r#"{"url":"http://h/","method":"connect"}"#, "CONNECT is not supported");
        for header in ["Host", "content-length", "Transfer-Encoding"] {
            let text = format!(r#"{{"url":"http://h/","headers":{{"{header}":"x"}}}}"#);
            check_refused(&text, "cannot be set");
        }
        check_refused(r#"{"url":"#, "not JSON");
        let err = Request::read(Some(r#"{"url":"http://h/","headers":{"x":"se\ncret"}}"#));
        assert!(!err.unwrap_err().contains("cret"));
    }
}
