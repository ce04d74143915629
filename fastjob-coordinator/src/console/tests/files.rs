//! The page and its files.

use std::{collections::BTreeSet, io::Read};

use flate2::read::GzDecoder;
use http::{
    HeaderMap,
    header::{
        ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, ETAG, LOCATION,
        VARY,
    },
};

use super::*;
use crate::console::{files::Files, table::FILES};

/// The beginning of the paths of files.
fn prefix() -> String {
    format!("/console/a/{}", Files::new(None).digest())
}

/// The path of a script.
fn script() -> String {
    let name = FILES.iter().map(|(name, _)| name).find(|name| name.ends_with(".js")).unwrap();
    format!("{}/{name}", prefix())
}

fn policy(headers: &HeaderMap) -> &str {
    headers[CONTENT_SECURITY_POLICY].to_str().unwrap()
}

#[tokio::test]
async fn the_first_path_leads_to_the_page_also_behind_a_prefix() {
    let site = Site::with_token();
    for path in ["/", "/console"] {
        let answer = site.ask(&format!("GET {path}"), "").await;
        assert_eq!(answer.status(), StatusCode::FOUND);
        // Relative: a proxy may have removed a prefix.
        assert_eq!(answer.headers()[LOCATION], "console/");
    }
}

#[tokio::test]
async fn the_page_finds_its_files_and_rest_at_every_depth() {
    let site = Site::with_token();
    let digest = prefix().split('/').next_back().unwrap().to_owned();
    for (path, base, assets) in [
        ("/console/", "..", "."),
        ("/console/jobs", "..", "."),
        ("/console/jobs/", "../..", ".."),
        ("/console/jobs/billing.report", "../..", ".."),
        ("/console/tasks/7/log?line=9", "../../..", "../.."),
    ] {
        let answer = site.ask(&format!("GET {path}\nAccept: text/html,*/*;q=0.8"), "").await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-cache");
        assert!(!answer.headers().contains_key(ETAG));
        let html = text(answer).await;
        assert!(html.contains(&format!("name=\"fastjob-base\" content=\"{base}\"")), "{html}");
        assert!(html.contains(&format!("\"{assets}/a/{digest}/")), "{html}");
        assert!(
            !["%BASE%", "%ASSETS%", "%NONCE%"].iter().any(|left| html.contains(left)),
            "{html}"
        );
    }
}

#[tokio::test]
async fn a_path_that_is_too_deep_is_no_page() {
    let site = Site::with_token();
    for (levels, status) in [(8, 200_u16), (9, 404), (2_000, 404)] {
        let path = format!("/console/{}", "x/".repeat(levels));
        let answer = site.ask(&format!("GET {path}\nAccept: text/html"), "").await;
        assert_eq!(answer.status(), status, "{levels}");
        assert!(text(answer).await.len() < 20_000, "{levels}");
    }
}

#[tokio::test]
async fn each_page_has_its_own_nonce_and_nothing_else_may_run_or_be_loaded() {
    let site = Site::with_token();
    let mut nonces = BTreeSet::new();
    for _ in 0..3 {
        let answer = site.ask("GET /console/", "").await;
        let policy = policy(answer.headers()).to_owned();
        for part in [
            "default-src 'none'",
            "script-src 'self';",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'self'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        assert!(nonce.len() >= 22, "{nonce}");
        assert!(text(answer).await.contains(&format!("content=\"{nonce}\"")));
        nonces.insert(nonce);
    }
    assert_eq!(nonces.len(), 3);
    for path in ["/", "/console/", &script(), "/console/session", "/console/a/x/none.js"] {
        let answer = site.ask(&format!("GET {path}"), "").await;
        let headers = answer.headers();
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(headers[name], value, "{path}");
        }
        assert!(headers["permissions-policy"].to_str().unwrap().contains("camera=()"), "{path}");
        assert!(policy(headers).starts_with("default-src 'none'"), "{path}");
    }
}

#[tokio::test]
async fn a_file_is_kept_for_ever_and_revalidates_to_nothing() {
    let site = Site::with_token();
    let path = script();
    let answer = site.ask(&format!("GET {path}"), "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let headers = answer.headers().clone();
    assert_eq!(headers[CACHE_CONTROL], "public, max-age=31536000, immutable");
    assert_eq!(headers[CONTENT_TYPE], "text/javascript; charset=utf-8");
    assert_eq!(headers[VARY], "accept-encoding");
    let whole = text(answer).await;

    let zipped = site.ask(&format!("GET {path}\nAccept-Encoding: br, gzip;q=0.9"), "").await;
    if zipped.headers().contains_key(CONTENT_ENCODING) {
        assert_ne!(zipped.headers()[ETAG], headers[ETAG]);
        let bytes = axum::body::to_bytes(zipped.into_body(), 4 << 20).await.unwrap();
        let mut unzipped = String::new();
        GzDecoder::new(&bytes[..]).read_to_string(&mut unzipped).unwrap();
        assert_eq!(unzipped, whole);
    }
    for refused in ["gzip;q=0", "br", "identity", "gzipped"] {
        let answer = site.ask(&format!("GET {path}\n{ACCEPT_ENCODING}: {refused}"), "").await;
        assert!(!answer.headers().contains_key(CONTENT_ENCODING), "{refused}");
    }

    let tag = headers[ETAG].to_str().unwrap();
    for known in [tag.to_owned(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let answer = site.ask(&format!("GET {path}\nIf-None-Match: {known}"), "").await;
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(answer.headers()[ETAG], headers[ETAG]);
        assert_eq!(text(answer).await, "");
    }
    let changed = format!("GET {path}\nIf-None-Match: \"0000\"");
    assert_eq!(site.status(&changed).await, 200);

    let head = site.ask(&format!("HEAD {path}"), "").await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(head.headers()[CONTENT_LENGTH], whole.len().to_string().as_str());
    assert_eq!(text(head).await, "");
}

#[tokio::test]
async fn nothing_but_the_files_of_this_release_is_served() {
    let site = Site::with_token();
    let prefix = prefix();
    for path in [
        "/console/a/0123456789abcdef/index.js".to_owned(),
        format!("{prefix}/none.js"),
        format!("{prefix}/"),
        format!("{prefix}/index.html"),
        format!("{prefix}/SOURCE"),
        format!("{prefix}/../index.js"),
        format!("{prefix}/..%2F..%2Findex.js"),
        format!("{prefix}/%2e%2e/%2e%2e/Cargo.toml"),
        format!("{prefix}/..\\..\\Cargo.toml"),
        format!("{prefix}//etc/passwd"),
        format!("{prefix}/%00index.js"),
        format!("{prefix}/%ff"),
    ] {
        let status = site.status(&format!("GET {path}\nAccept: text/html")).await;
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
    // A program that asks for a path within the page is not answered with HTML.
    for accept in ["", "\nAccept: application/json", "\nAccept: */*", "\nAccept: image/*"] {
        let answer = site.ask(&format!("GET /console/favicon.ico{accept}"), "").await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{accept}");
    }
    let answer = site.ask(&format!("POST {}\nAuthorization: Bearer {TOKEN}", script()), "").await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_folder_without_the_page_says_which_setting_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let dir = Some(folder.path().to_owned());
    let settings = ConsoleConfig { dir, ..ConsoleConfig::default() };
    let site = Site::of(None, settings, Secure::No);
    let answer = site.ask("GET /console/", "").await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text(answer).await.contains("coordinator.console.dir"));
    std::fs::write(folder.path().join("index.html"), "%BASE% %ASSETS% %NONCE%").unwrap();
    std::fs::write(folder.path().join("index.js"), "1").unwrap();
    assert!(text(site.ask("GET /console/", "").await).await.starts_with(".. ./a/dev "));
    let script = site.ask("GET /console/a/dev/index.js", "").await;
    assert_eq!(script.headers()[CACHE_CONTROL], "no-store");
    assert_eq!(text(script).await, "1");
}
