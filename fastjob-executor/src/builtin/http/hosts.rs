//! Which hosts `httpJobHandler` may call.
//!
//! A name must be listed, and so must every address that is not public: the owner of a listed name
//! cannot direct calls into the executor's own network.

use std::net::IpAddr;

use reqwest::Url;

use super::address::inner_kind;

/// Allows every public host.
const ANY: &str = "any";

const LOCALHOST: &str = "localhost";

#[derive(Debug, Default)]
pub(crate) struct Hosts {
    any: bool,
    names: Vec<Name>,
    networks: Vec<Network>,
}

#[derive(Debug)]
struct Name {
    /// Without its `*.`.
    name: String,
    /// Whether it matches all names below it.
    is_below: bool,
    port: Option<u16>,
}

#[derive(Debug)]
struct Network {
    address: IpAddr,
    bits: u32,
    port: Option<u16>,
}

/// A call that is not allowed. Retrying does not help.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);

impl Hosts {
    /// Parses the list. The errors name each invalid entry.
    pub(crate) fn parse(list: &[String]) -> Result<Self, Vec<String>> {
        let (mut hosts, mut problems) = (Self::default(), Vec::new());
        for entry in list {
            if let Err(why) = hosts.add(entry.trim()) {
                problems.push(format!("`{entry}` {why}"));
            }
        }
        if problems.is_empty() { Ok(hosts) } else { Err(problems) }
    }

    fn add(&mut self, entry: &str) -> Result<(), String> {
        match entry {
            ANY => {
                self.any = true;
                return Ok(());
            }
            "*" => return Err(format!("has to be written \"{ANY}\"")),
            url if url.contains("://") => {
                return Err("is a URL; list its host, or its host and port".to_owned());
            }
            _ => {}
        }
        if let Some((address, bits)) = entry.split_once('/') {
            let network = address.parse().ok().zip(bits.parse().ok());
            let (address, bits): (IpAddr, u32) =
                network.ok_or("is not a network such as 10.0.0.0/8")?;
            if bits > width(address) {
                return Err("has more bits than an address".to_owned());
            }
            self.networks.push(Network { address, bits, port: None });
            return Ok(());
        }
        let (host, port) = split_port(entry)?;
        if let Ok(address) = host.parse::<IpAddr>() {
            let address = address.to_canonical();
            self.networks.push(Network { address, bits: width(address), port });
            return Ok(());
        }
        let name = host.strip_prefix("*.");
        let (name, is_below) = (name.unwrap_or(host), name.is_some());
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let in_label = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let is_name = name.split('.').all(|label| !label.is_empty() && label.chars().all(in_label));
        // A name that ends in a number would be parsed as an address.
        let is_number = name.rsplit('.').next().is_some_and(|label| {
            label.starts_with("0x") || label.chars().all(|c| c.is_ascii_digit())
        });
        if !is_name || is_number {
            return Err("is not a host: hosts are like api.example.org, api.example.org:8443, \
                        *.example.org, 192.0.2.1, [2001:db8::1]:8080 and 10.0.0.0/8"
                .to_owned());
        }
        self.names.push(Name { name, is_below, port });
        Ok(())
    }

    /// Checks a URL before its name is resolved. The name's addresses are checked later.
    pub(super) fn judge(&self, url: &Url) -> Result<(), Refused> {
        let Some((host, port)) = url.host_str().zip(url.port_or_known_default()) else {
            return Err(Refused("the URL names no host".to_owned()));
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let allowed = match bare.parse::<IpAddr>() {
            Ok(address) => match inner_kind(address) {
                _ if self.has(address, Some(port)) => true,
                Some(kind) => return Err(inner(host, kind, address)),
                None => self.any,
            },
            // Listing one port of `localhost` does not list the others.
            Err(_) => {
                self.names.iter().any(|name| name.is(host, port))
                    || (self.any && !self.names.iter().any(|name| name.is_localhost(host)))
            }
        };
        if allowed {
            return Ok(());
        }
        Err(Refused(format!(
            "`{host}` (port {port}) is not among the hosts that this executor calls; its owner \
             lists them in `allow_http`"
        )))
    }

    /// Checks a resolved address of `host`.
    pub(super) fn judge_address(&self, host: &str, address: IpAddr) -> Result<(), Refused> {
        let is_local = self.names.iter().any(|name| name.is_localhost(host));
        let is_listed =
            self.has(address, None) || (address.to_canonical().is_loopback() && is_local);
        match inner_kind(address).filter(|_| !is_listed) {
            None => Ok(()),
            Some(kind) => Err(inner(&format!("{host}` at `{address}"), kind, address)),
        }
    }

    /// Whether the address is listed, for any port or for this one.
    fn has(&self, address: IpAddr, port: Option<u16>) -> bool {
        let fits = |network: &Network| network.port.is_none() || network.port == port;
        self.networks.iter().any(|network| fits(network) && network.has(address.to_canonical()))
    }
}

impl Name {
    /// Whether this is `localhost` or a name below it, and `host` is one of these.
    fn is_localhost(&self, host: &str) -> bool {
        self.name == LOCALHOST && self.is(host, self.port.unwrap_or(0))
    }

    fn is(&self, host: &str, port: u16) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let fits = match host.strip_suffix(&*self.name) {
            Some("") => !self.is_below,
            Some(above) => self.is_below && above.ends_with('.') && above.len() > 1,
            None => false,
        };
        fits && self.port.is_none_or(|own| own == port)
    }
}

impl Network {
    fn has(&self, address: IpAddr) -> bool {
        let number = |address: IpAddr| match address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        let rest = width(address) - self.bits.min(width(address));
        // Shifting by the full bit width is undefined.
        let network = |address| number(address).checked_shr(rest).unwrap_or(0);
        width(address) == width(self.address) && network(address) == network(self.address)
    }
}

fn inner(host: &str, kind: &str, address: IpAddr) -> Refused {
    let address = address.to_canonical();
    Refused(format!(
        "`{host}` is {kind}, which this executor does not call; its owner can list `{address}` in \
         `allow_http`"
    ))
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Splits `host:port`, `[address]:port`, or a host without a port.
fn split_port(entry: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match entry.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or("has a `[` that is not closed")?;
            match rest.strip_prefix(':') {
                None if rest.is_empty() => (host, None),
                None => return Err("has text after its `]`".to_owned()),
                port => (host, port),
            }
        }
        // More than one colon: an IPv6 address without brackets.
        None => match entry.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (entry, None),
        },
    };
    match port.map(str::parse) {
        None => Ok((host, None)),
        Some(Ok(0)) | Some(Err(_)) => Err("has an invalid port".to_owned()),
        Some(Ok(port)) => Ok((host, Some(port))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(list: &[&str]) -> Hosts {
        Hosts::parse(&list.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[track_caller]
    fn check(list: &[&str], allowed: &[&str], refused: &[&str]) {
        let hosts = hosts(list);
        let judge = |url: &str| hosts.judge(&Url::parse(url).unwrap());
        for url in allowed {
            assert!(judge(url).is_ok(), "{list:?} refuses {url}");
        }
        for url in refused {
            assert!(judge(url).is_err(), "{list:?} allows {url}");
        }
    }

    #[test]
    fn a_name_matches_itself_and_a_star_matches_all_names_below() {
        check(
            &["api.example.org", "*.example.com", "Ports.example.net:8443"],
            &[
                "http://api.example.org/",
                "https://API.example.org.:99/",
                "http://a.b.example.com/",
                "https://ports.example.net:8443/",
            ],
            &[
                "http://example.org/",
                "http://api.example.org.evil.net/",
                "http://xapi.example.org/",
                "http://example.com/",
                "http://badexample.com/",
                "http://.example.com/",
                "https://ports.example.net/",
                "http://api.example.org@evil.net/",
                "http://evil.net#@api.example.org/",
                "http://evil.net\\@api.example.org/",
                "http://1.1.1.1/",
            ],
        );
    }

    #[test]
    fn any_matches_every_public_host_and_no_other() {
        check(
            &["any"],
            &["http://example.org/", "http://1.1.1.1/", "http://[2606:4700::1111]:8080/"],
            &[
                "http://127.0.0.1/",
                "http://2130706433/",
                "http://0x7f000001/",
                "http://0177.0.0.1/",
                "http://127.1/",
                "http://0/",
                "http://[::ffff:127.0.0.1]/",
                "http://[::ffff:7f00:1]/",
                "http://[64:ff9b::7f00:1]/",
                "http://169.254.169.254/latest/meta-data/",
                "http://example.org@127.0.0.1/",
                "http://①②⑦.0.0.1/",
            ],
        );
    }

    #[test]
    fn an_address_is_listed_by_itself_or_by_its_network() {
        check(
            &["any", "10.1.0.0/16", "127.0.0.1:7070", "[fd00::1]:80", "::1"],
            &[
                "http://10.1.255.1/",
                "http://[::ffff:10.1.2.3]/",
                "http://127.0.0.1:7070/",
                "http://0x7f.1:7070/",
                "http://[fd00::1]/",
                "http://[::1]:99/",
            ],
            &["http://10.2.0.1/", "http://127.0.0.1/", "https://[fd00::1]/", "http://[fd00::2]/"],
        );
        check(&["0.0.0.0/0", "::/0"], &["http://127.0.0.1/", "http://[::1]/"], &["http://a/"]);
    }

    #[test]
    fn a_name_may_resolve_to_an_inner_address_only_if_that_is_listed_too() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let listed = hosts(&["intra.example.org", "10.0.0.0/8", "192.168.0.1:80"]);
        assert!(listed.judge_address("intra.example.org", address("10.1.2.3")).is_ok());
        assert!(listed.judge_address("intra.example.org", address("1.1.1.1")).is_ok());
        for refused in ["127.0.0.1", "::1", "192.168.0.1", "169.254.169.254", "::ffff:127.0.0.1"] {
            let err = listed.judge_address("intra.example.org", address(refused)).unwrap_err();
            assert!(err.to_string().contains("`allow_http`"), "{err}");
        }
        let local = hosts(&["localhost:8080"]);
        assert!(local.judge_address("localhost", address("::1")).is_ok());
        assert!(local.judge_address("localhost", address("10.0.0.1")).is_err());
        assert!(local.judge_address("other", address("::1")).is_err());
        assert!(hosts(&["any"]).judge_address("localhost", address("127.0.0.1")).is_err());
        // One port of `localhost` is listed, and all public hosts.
        let both = hosts(&["any", "localhost:8080"]);
        let judge = |text: &str| both.judge(&text.parse().unwrap());
        assert!(judge("http://localhost:8080/").is_ok() && judge("http://example.org/").is_ok());
        assert!(judge("http://localhost:9200/").is_err());
    }

    #[test]
    fn an_invalid_host_is_rejected_with_a_hint() {
        for (entry, why) in [
            ("*", "\"any\""),
            ("http://a.b/", "list its host"),
            ("10.0.0.0/33", "more bits"),
            ("10.0.0/8", "not a network"),
            ("127.1", "not a host"),
            ("0x7f000001", "not a host"),
            ("a b", "not a host"),
            ("a:0", "port"),
            ("a:http", "port"),
            ("[::1", "not closed"),
            ("*.", "not a host"),
            ("a.*.b", "not a host"),
            ("user@host", "not a host"),
            ("", "not a host"),
        ] {
            let problems = Hosts::parse(&[entry.to_owned()]).unwrap_err();
            assert!(problems[0].contains(why), "{problems:?}");
        }
    }
}
