//! Forged cookies, other sites, and requests that are meant to do harm.

use std::time::Duration;

use http::header::AUTHORIZATION;
use tokio::time::Instant;

use super::*;

#[tokio::test]
async fn without_a_token_only_the_files_and_the_sign_in_are_answered() {
    let site = Site::with_token();
    for path in ["/", "/console", "/console/", "/console/session"] {
        assert_ne!(site.status(&format!("GET {path}")).await, 401, "{path}");
    }
    for head in [
        "GET /api/v1/jobs",
        "POST /api/v1/jobs",
        "GET /metrics",
        "POST /console/",
        "PUT /console/session",
        "GET /consoles",
        "GET /console../api/v1/jobs",
        "GET //console/",
        "GET /fastjob.v1.ExecutorLink/Join",
    ] {
        assert_eq!(site.status(head).await, 401, "{head}");
    }
}

#[tokio::test]
async fn pages_of_other_sites_cannot_use_the_cookie() {
    let site = Site::with_token();
    let cookie = site.sign_in().await;
    let check = async |head: &str, status: u16| {
        assert_eq!(site.status(&format!("{head}\n{cookie}")).await, status, "{head}");
    };
    check("POST /api/v1/jobs\nOrigin: http://localhost:7070", 200).await;
    // Another port of this host, which gets the same cookies.
    check("POST /api/v1/jobs\nOrigin: http://localhost:3000", 403).await;
    check("POST /api/v1/jobs\nSec-Fetch-Site: same-site", 403).await;
    check("POST /api/v1/jobs\nSec-Fetch-Site: cross-site", 403).await;
    check("POST /api/v1/jobs\nSec-Fetch-Site: none", 403).await;
    check("POST /api/v1/jobs\nOrigin: null", 403).await;
    check("POST /api/v1/jobs\nOrigin: https://evil.example", 403).await;
    check("POST /api/v1/jobs", 403).await;
    check("POST /api/v1/jobs\nSec-Fetch-Site: same-origin\nSec-Fetch-Site: cross-site", 403).await;
    check("POST /api/v1/jobs\nOrigin: http://localhost:7070\nOrigin: http://evil.example", 403)
        .await;
    check("GET /api/v1/jobs\nSec-Fetch-Site: same-site", 403).await;
    check("GET /api/v1/jobs\nSec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate", 403).await;
    check("GET /api/v1/jobs\nOrigin: http://evil.example", 403).await;
    // A person who opens the address.
    check("GET /api/v1/jobs\nSec-Fetch-Site: none\nSec-Fetch-Mode: navigate", 200).await;
    // The token itself needs no page.
    let bearer = format!("POST /api/v1/jobs\nAuthorization: Bearer {TOKEN}");
    assert_eq!(site.status(&bearer).await, 200);
    let wrong = format!("GET /api/v1/jobs\n{SAME}\nAuthorization: Bearer wrong");
    check(&wrong, 401).await;
}

#[tokio::test]
async fn the_cookie_does_not_count_for_executors() {
    let site = Site::with_token();
    let cookie = site.sign_in().await;
    let join = "GET /fastjob.v1.ExecutorLink/Join";
    assert_eq!(site.status(&format!("{join}\n{SAME}\n{cookie}")).await, 401);
    let grpc = "POST /api/v1/jobs\nContent-Type: application/grpc";
    let answer = site.ask(&format!("{grpc}\n{SAME}\n{cookie}"), "").await;
    assert_eq!(answer.headers()["grpc-status"], "16");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_and_a_forged_cookie_are_answered_late_and_alike() {
    let site = Site::with_token();
    let begun = Instant::now();
    let head = format!("POST /console/session\n{SAME}");
    for wrong in ["wrong", "", "0123456789abcdef-toke", "0123456789abcdef-token0"] {
        let answer = site.ask(&head, &body(wrong)).await;
        assert_eq!((answer.status(), set_cookie(&answer)), (StatusCode::UNAUTHORIZED, None));
        assert!(text(answer).await.contains("FASTJOB_TOKEN"));
    }
    assert!(begun.elapsed() >= Duration::from_millis(400));

    let cookie = site.sign_in().await;
    let forged = format!("{}0", &cookie[..cookie.len() - 1]);
    let forged =
        if forged == cookie { format!("{}1", &cookie[..cookie.len() - 1]) } else { forged };
    let begun = Instant::now();
    assert_eq!(site.status(&format!("GET /api/v1/jobs\n{SAME}\n{forged}")).await, 401);
    // The page still opens, so that its user can sign in again, and learns nothing sooner.
    assert_eq!(site.session(&format!("\n{forged}")).await, SIGNED_OUT);
    let bearer = "\nAuthorization: Bearer wrong";
    assert_eq!(site.session(bearer).await, SIGNED_OUT);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(site.session(&format!("\n{}: Bearer {TOKEN}", AUTHORIZATION)).await, SIGNED_IN);
}

#[tokio::test]
async fn bodies_that_no_page_sends_are_rejected() {
    let site = Site::with_token();
    let head = format!("POST /console/session\n{SAME}");
    let huge = body(&"x".repeat(100_000));
    for (wrong, status) in [
        (huge.as_str(), 413),
        ("", 400),
        ("token", 400),
        ("[\"0123456789abcdef-token\"]", 400),
        ("{}", 400),
        ("{\"token\": 1}", 400),
        ("{\"token\": \"0123456789abcdef-token\", \"more\": 1}", 400),
    ] {
        let answer = site.ask(&head, wrong).await;
        assert!(answer.status().is_client_error() && set_cookie(&answer).is_none(), "{wrong:.99}");
        let got = answer.status().as_u16();
        assert!(got == status || [400, 422].contains(&got) && status == 400, "{wrong:.99}: {got}");
    }
    let form = format!("{head}\nContent-Type: application/x-www-form-urlencoded");
    assert_eq!(site.ask(&form, &body(TOKEN)).await.status(), 415);
}

#[tokio::test]
async fn another_site_can_neither_sign_a_browser_in_nor_out() {
    for site in [Site::with_token(), Site::local()] {
        for from in ["Origin: http://localhost:3000", "Sec-Fetch-Site: cross-site", "Origin: null"]
        {
            let answer = site.ask(&format!("POST /console/session\n{from}"), &body(TOKEN)).await;
            assert_eq!((answer.status(), set_cookie(&answer)), (StatusCode::FORBIDDEN, None));
            let answer = site.ask(&format!("DELETE /console/session\n{from}"), "").await;
            assert_eq!((answer.status(), set_cookie(&answer)), (StatusCode::FORBIDDEN, None));
        }
    }
}

#[tokio::test]
async fn without_a_token_other_names_and_other_pages_are_rejected_and_links_are_followed() {
    let site = Site::local();
    let link = "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document";
    let page = "Accept: text/html";
    for path in ["/console/", "/console/jobs/billing.report", "/"] {
        let status = site.status(&format!("GET {path}\n{page}\n{link}")).await;
        assert!([200, 302].contains(&status), "{path}: {status}");
        // DNS rebinding, and a proxy.
        let rebound = format!("GET {path}\n{page}\n{link}\nHost: evil.example");
        assert_eq!(site.status(&rebound).await, 403, "{path}");
        let proxied = format!("GET {path}\n{page}\nX-Forwarded-For: 192.0.2.1");
        assert_eq!(site.status(&proxied).await, 403, "{path}");
    }
    for path in ["/console/session", "/api/v1/jobs", "/metrics"] {
        assert_eq!(site.status(&format!("GET {path}\n{link}")).await, 403, "{path}");
    }
    // A page that embeds the console, or a part of it.
    for part in ["iframe", "script", "image", "empty"] {
        let from = format!("Sec-Fetch-Site: cross-site\nSec-Fetch-Dest: {part}");
        assert_eq!(site.status(&format!("GET /console/\n{page}\n{from}")).await, 403, "{part}");
    }
}
