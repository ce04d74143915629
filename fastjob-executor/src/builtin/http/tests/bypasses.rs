//! Regression tests: ways around the host list that once gave access to the executor's own network.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use super::*;

/// A server on loopback that must not be called, and its port.
async fn inner_server() -> (String, mpsc::UnboundedReceiver<String>) {
    let (address, asked) = server(answer("200 OK", "secret")).await;
    (address.rsplit_once(':').unwrap().1.to_owned(), asked)
}

/// `host` resolves to loopback and is rejected although every public host is allowed.
async fn check_form(host: &str) {
    let (port, mut asked) = inner_server().await;
    for hosts in [&["any"][..], &["example.org"]] {
        let (result, _) = run_with(calling(hosts), &format!("http://{host}:{port}/")).await;
        check_error(result, false, "`allow_http`");
        assert!(asked.try_recv().is_err(), "it was called");
    }
}

#[tokio::test]
async fn loopback_is_not_called_under_the_name_localhost() {
    check_form("localhost").await;
    check_form("LOCALHOST").await;
}

#[tokio::test]
async fn loopback_is_not_called_as_ipv4_within_ipv6() {
    check_form("[::ffff:127.0.0.1]").await;
    check_form("[::ffff:7f00:1]").await;
    check_form("[::1]").await;
}

#[tokio::test]
async fn loopback_is_not_called_as_the_unspecified_address() {
    check_form("0.0.0.0").await;
    check_form("0").await;
    check_form("[::]").await;
}

#[tokio::test]
async fn loopback_is_not_called_as_a_decimal_an_octal_or_a_short_number() {
    check_form("2130706433").await;
    check_form("0x7f000001").await;
    check_form("0177.0.0.1").await;
    check_form("127.1").await;
}

#[tokio::test]
async fn a_host_name_in_the_user_part_of_a_url_is_not_the_host() {
    check_form("example.org@127.0.0.1").await;
    check_form("example.org:80@127.0.0.1").await;
    check_form("example.org%2F@127.0.0.1").await;
}

fn to_loopback(_: String) -> super::super::dial::Found {
    Box::pin(async { Ok(vec![IpAddr::from([127, 0, 0, 1])]) })
}

#[tokio::test]
async fn a_listed_name_that_resolves_to_loopback_is_rejected() {
    let (port, mut asked) = inner_server().await;
    let url = format!("http://partner.example:{port}/");
    for hosts in [&["partner.example"][..], &["any"], &["*.example", "10.0.0.0/8"]] {
        let (result, _) = run_with(Http::looking_up(list(hosts), to_loopback), &url).await;
        check_error(result, false, "`partner.example` at `127.0.0.1` is a loopback address");
        assert!(asked.try_recv().is_err(), "it was called");
    }
    let both = list(&["partner.example", HERE]);
    let (result, _) = run_with(Http::looking_up(both, to_loopback), &url).await;
    assert_eq!(result.unwrap().as_str(), Some("secret"));
    let (result, _) = run_with(Http::looking_up(list(&[HERE]), to_loopback), &url).await;
    check_error(result, false, "`partner.example` (port ");
}

/// How often the name was resolved. Each answer has another address.
static ANSWERS: AtomicUsize = AtomicUsize::new(0);

fn rebinding(_: String) -> super::super::dial::Found {
    let first = ANSWERS.fetch_add(1, SeqCst) == 0;
    let address = if first { [127, 0, 0, 1] } else { [127, 0, 0, 2] };
    Box::pin(async move { Ok(vec![IpAddr::from(address)]) })
}

#[tokio::test]
async fn the_connection_goes_to_the_checked_address_even_if_the_dns_answer_changes() {
    let (port, mut asked) = inner_server().await;
    let http = Http::looking_up(list(&["partner.example", HERE]), rebinding);
    let (ctx, ..) = context(Some(&format!("http://partner.example:{port}/")), Shard::WHOLE);
    assert_eq!(http.execute(&ctx).await.unwrap().as_str(), Some("secret"));
    assert!(asked.recv().await.unwrap().contains(&format!("host: partner.example:{port}")));
    assert_eq!(ANSWERS.load(SeqCst), 1);
    // The next connection is checked against the next answer.
    check_error(http.execute(&ctx).await, false, "`127.0.0.2` is a loopback address");
}

fn mixed(_: String) -> super::super::dial::Found {
    let addresses = [[127, 0, 0, 2], [169, 254, 169, 254], [127, 0, 0, 1]];
    Box::pin(async move { Ok(addresses.map(IpAddr::from).to_vec()) })
}

#[tokio::test]
async fn of_several_addresses_only_those_that_are_allowed_are_called() {
    let (port, _asked) = inner_server().await;
    let http = Http::looking_up(list(&["partner.example", HERE]), mixed);
    let url = format!("http://partner.example:{port}/");
    assert_eq!(run_with(http, &url).await.0.unwrap().as_str(), Some("secret"));
}

#[tokio::test]
async fn only_the_listed_port_is_allowed() {
    let (port, mut asked) = inner_server().await;
    let url = format!("http://127.0.0.1:{port}/");
    let (result, _) = run_with(calling(&["127.0.0.1:1"]), &url).await;
    check_error(result, false, "`127.0.0.1` is a loopback address");
    assert!(asked.try_recv().is_err(), "it was called");
    let (result, _) = run_with(calling(&[&format!("127.0.0.1:{port}")]), &url).await;
    assert_eq!(result.unwrap().as_str(), Some("secret"));
}

#[tokio::test]
async fn proxies_from_the_environment_are_not_used() {
    const CHILD: &str = "FASTJOB_TEST_CHILD";
    const NAME: &str = "builtin::http::tests::bypasses::proxies_from_the_environment_are_not_used";
    if std::env::var_os(CHILD).is_none() {
        let (proxy, mut asked) = server(answer("200 OK", "by the proxy")).await;
        let again = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(CHILD, "1")
            .envs(["http_proxy", "HTTP_PROXY", "ALL_PROXY"].map(|name| (name, proxy.as_str())))
            .output();
        let output = again.await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
        assert!(asked.try_recv().is_err(), "the proxy was called");
        return;
    }
    let (address, _asked) = server(answer("200 OK", "by the host")).await;
    let (result, _) = run(&format!("http://{address}/")).await;
    assert_eq!(result.unwrap().as_str(), Some("by the host"));
}
