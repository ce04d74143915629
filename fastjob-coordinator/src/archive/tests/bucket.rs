//! A small S3-compatible service in memory: objects, lists in pages, and removal. It accepts only
//! requests whose signature is right for its key.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    response::Response,
};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use sha2::{Digest, Sha256};

pub(super) const ACCESS_KEY: &str = "fastjob-tests";
pub(super) const SECRET_KEY: &str = "a secret of the tests";
/// Objects in one page of a list.
const PAGE: usize = 50;

/// The service. It ends with the runtime of the test.
#[derive(Clone, Default)]
pub(super) struct Bucket(Arc<Inner>);

#[derive(Default)]
struct Inner {
    objects: Mutex<BTreeMap<String, Bytes>>,
    is_failing: AtomicBool,
    /// What was wrong with requests.
    refused: Mutex<Vec<String>>,
}

impl Bucket {
    /// Serves the bucket `logs` and returns its URL.
    pub(super) async fn serve() -> (Self, String) {
        let bucket = Self::default();
        let router = Router::new().fallback(answer).with_state(bucket.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (bucket, url)
    }

    /// Whether every request fails from now on.
    pub(super) fn fails(&self, fails: bool) {
        self.0.is_failing.store(fails, Relaxed);
    }

    pub(super) fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let objects = self.0.objects.lock().unwrap();
        objects.iter().map(|(key, bytes)| (key.clone(), bytes.to_vec())).collect()
    }

    pub(super) fn refused(&self) -> Vec<String> {
        self.0.refused.lock().unwrap().clone()
    }

    fn handle(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Response {
        let query = query(uri);
        let path = uri.path().trim_start_matches('/');
        let (name, key) = path.split_once('/').unwrap_or((path, ""));
        if name != "logs" {
            return text(StatusCode::NOT_FOUND, "<Error><Code>NoSuchBucket</Code></Error>");
        }
        let mut objects = self.0.objects.lock().unwrap();
        match (method.as_str(), key) {
            ("GET", "") => text(StatusCode::OK, &list(&objects, &query)),
            ("POST", "") if query.contains_key("delete") => {
                let asked = String::from_utf8(body.to_vec()).unwrap();
                let keys = asked.split("<Key>").skip(1).filter_map(|rest| rest.split('<').next());
                let mut removed = "<DeleteResult>".to_owned();
                for key in keys {
                    objects.remove(key);
                    write!(removed, "<Deleted><Key>{key}</Key></Deleted>").unwrap();
                }
                text(StatusCode::OK, &(removed + "</DeleteResult>"))
            }
            ("PUT", key) => {
                if headers.contains_key("if-none-match") && objects.contains_key(key) {
                    let code = StatusCode::PRECONDITION_FAILED;
                    return text(code, "<Error><Code>PreconditionFailed</Code></Error>");
                }
                objects.insert(key.to_owned(), body);
                tagged(StatusCode::OK, Bytes::new())
            }
            ("GET" | "HEAD", key) => match objects.get(key) {
                None => text(StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>"),
                Some(bytes) => match range(headers, bytes.len()) {
                    Some((from, to)) => {
                        let mut part = tagged(StatusCode::PARTIAL_CONTENT, bytes.slice(from..to));
                        let shown = format!("bytes {from}-{}/{}", to - 1, bytes.len());
                        part.headers_mut().insert("content-range", shown.parse().unwrap());
                        part
                    }
                    None => tagged(StatusCode::OK, bytes.clone()),
                },
            },
            ("DELETE", key) => {
                objects.remove(key);
                text(StatusCode::NO_CONTENT, "")
            }
            _ => text(StatusCode::NOT_IMPLEMENTED, ""),
        }
    }
}

async fn answer(State(bucket): State<Bucket>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 16 << 20).await.unwrap();
    if bucket.0.is_failing.load(Relaxed) {
        return text(StatusCode::SERVICE_UNAVAILABLE, "<Error><Code>SlowDown</Code></Error>");
    }
    if let Err(why) = is_signed(&head.method, &head.uri, &head.headers, &body) {
        bucket.0.refused.lock().unwrap().push(why);
        return text(StatusCode::FORBIDDEN, "<Error><Code>SignatureDoesNotMatch</Code></Error>");
    }
    bucket.handle(&head.method, &head.uri, &head.headers, body)
}

fn query(uri: &Uri) -> BTreeMap<String, String> {
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let decoded = |text: &str| text.replace("%2F", "/").replace("%2f", "/");
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), decoded(value))
    };
    pairs.map(pair).collect()
}

fn list(objects: &BTreeMap<String, Bytes>, query: &BTreeMap<String, String>) -> String {
    let of = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let (prefix, delimiter) = (of("prefix"), of("delimiter"));
    let after = of("continuation-token").max(of("start-after"));
    let (mut shown, mut folders, mut last) = (String::new(), BTreeSet::new(), None);
    let mut count = 0;
    let found = objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
    let mut is_cut = false;
    for (key, bytes) in found {
        if count == PAGE {
            is_cut = true;
            break;
        }
        let rest = &key[prefix.len()..];
        match rest.split_once('/') {
            Some((folder, _)) if delimiter == "/" => {
                folders.insert(format!("{prefix}{folder}/"));
            }
            _ => {
                let size = bytes.len();
                write!(
                    shown,
                    "<Contents><Key>{key}</Key><LastModified>2026-11-23T08:00:00.000Z\
                     </LastModified><ETag>\"1\"</ETag><Size>{size}</Size></Contents>"
                )
                .unwrap();
            }
        }
        count += 1;
        last = Some(key.clone());
    }
    for folder in folders {
        write!(shown, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>").unwrap();
    }
    if let Some(last) = last.filter(|_| is_cut) {
        write!(shown, "<NextContinuationToken>{last}</NextContinuationToken>").unwrap();
    }
    format!(
        "<ListBucketResult><IsTruncated>{is_cut}</IsTruncated><KeyCount>{count}</KeyCount>{shown}\
         </ListBucketResult>"
    )
}

fn range(headers: &HeaderMap, length: usize) -> Option<(usize, usize)> {
    let asked = headers.get("range")?.to_str().ok()?.strip_prefix("bytes=")?;
    let (from, to) = asked.split_once('-')?;
    let to = to.parse::<usize>().map_or(length, |to| (to + 1).min(length));
    Some((from.parse().ok()?, to))
}

/// Checks the signature of a request, version 4.
fn is_signed(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
    let of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let shown = of("authorization");
    let rest = shown.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(|| "no signature".to_owned())?;
    let part = |name: &str| {
        let mut parts = rest.split(", ").filter_map(|part| part.split_once('='));
        parts.find(|(found, _)| *found == name).map(|(_, value)| value).unwrap_or_default()
    };
    let (credential, names, signature) =
        (part("Credential"), part("SignedHeaders"), part("Signature"));
    let scope = credential
        .strip_prefix(&format!("{ACCESS_KEY}/"))
        .ok_or_else(|| format!("another key: {credential}"))?;
    let hash = of("x-amz-content-sha256");
    if hash != hex(&Sha256::digest(body)) {
        return Err(format!("the hash of the body is not {hash}"));
    }
    let mut pairs: Vec<_> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
        .collect();
    pairs.sort();
    let signed: String =
        names.split(';').map(|name| format!("{name}:{}\n", of(name).trim())).collect();
    let (path, query) = (uri.path(), pairs.join("&"));
    let canonical = format!("{method}\n{path}\n{query}\n{signed}\n{names}\n{hash}");
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        of("x-amz-date"),
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    let mut key = format!("AWS4{SECRET_KEY}").into_bytes();
    for part in scope.split('/') {
        key = mac(&key, part);
    }
    let expected = hex(&mac(&key, &to_sign));
    (expected == signature).then_some(()).ok_or_else(|| format!("a wrong signature of {canonical}"))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(status: StatusCode, text: &str) -> Response {
    let body = Body::from(text.to_owned());
    Response::builder().status(status).body(body).unwrap()
}

fn tagged(status: StatusCode, bytes: Bytes) -> Response {
    let response = Response::builder().status(status).header("etag", "\"1\"");
    let response = response.header("last-modified", "Mon, 23 Nov 2026 08:00:00 GMT");
    response.body(Body::from(bytes)).unwrap()
}
