//! Classifies IP addresses that do not belong to the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kind of an address that is not public.
pub(super) fn inner_kind(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [0, ..] => "an unspecified address",
        [127, ..] => "a loopback address",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "a private address",
        // Azure's metadata address looks like a public one.
        [169, 254, 169, 254] | [168, 63, 129, 16] => "the address of a cloud's metadata",
        [169, 254, ..] => "a link-local address",
        [100, 64..=127, ..] => "an address of a provider's own network",
        [224..=239, ..] => "a multicast address",
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] => "a reserved address",
        [198, 51, 100, _] | [203, 0, 113, _] | [240..=255, ..] => "a reserved address",
        _ => return None,
    })
}

fn v6(address: Ipv6Addr) -> Option<&'static str> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        _ if address.is_unspecified() => Some("an unspecified address"),
        _ if address.is_loopback() => Some("a loopback address"),
        // IPv4 within IPv6: mapped, compatible, and translated (NAT64, 6to4, ISATAP).
        (0, 0) if [c, d, e, f] == [0, 0, 0, 0xffff] => embedded(g, h),
        (0, 0) if [c, d, e, f] == [0; 4] => Some(embedded(g, h).unwrap_or("a reserved address")),
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => embedded(g, h),
        (0x2002, _) => embedded(b, c),
        (0x2000..=0x3fff, _) if f == 0x5efe && e & 0xfdff == 0 => embedded(g, h),
        (0xfc00..=0xfdff, _) => Some("a private address"),
        (0xfe80..=0xfebf, _) => Some("a link-local address"),
        (0xfec0..=0xfeff, _) => Some("a private address"),
        (0xff00..=0xffff, _) => Some("a multicast address"),
        // Protocols (including Teredo), benchmarks and documentation.
        (0x2001, ..=0x1ff | 0xdb8) | (0x3fff, ..=0xfff) => Some("a reserved address"),
        (0x2000..=0x3fff, _) => None,
        _ => Some("a reserved address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, expected: Option<&str>) {
        let kind = inner_kind(address.parse().unwrap());
        assert_eq!(kind.map(|kind| kind.split_once(' ').unwrap().1), expected, "{address}");
    }

    #[test]
    fn every_address_that_is_not_public_is_recognized_in_every_encoding() {
        for (kind, addresses) in [
            ("unspecified address", &["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"][..]),
            ("loopback address", &["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]),
            ("loopback address", &["::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::"]),
            ("loopback address", &["2606:4700::5efe:127.0.0.1", "2606:4700::200:5efe:7f00:1"]),
            ("private address", &["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"]),
            ("private address", &["fc00::1", "fd00:ec2::254", "fec0::1", "::ffff:10.0.0.1"]),
            ("address of a cloud's metadata", &["169.254.169.254", "64:ff9b::a9fe:a9fe"]),
            ("address of a cloud's metadata", &["168.63.129.16"]),
            ("link-local address", &["169.254.1.1", "fe80::1", "febf::1"]),
            ("address of a provider's own network", &["100.64.0.1", "100.100.100.200"]),
            ("multicast address", &["224.0.0.1", "239.255.255.255", "ff02::1"]),
            ("reserved address", &["192.0.0.192", "192.0.2.1", "198.18.0.1", "255.255.255.255"]),
            ("reserved address", &["2001::1", "2001:db8::1", "100::1", "::ffff:0:127.0.0.1"]),
            ("reserved address", &["64:ff9b:1::1", "5f00::1", "::8.8.8.8", "4000::1"]),
        ] {
            for address in addresses {
                check(address, Some(kind));
            }
        }
        for public in [
            "1.1.1.1",
            "172.32.0.1",
            "100.63.0.1",
            "169.253.0.1",
            "2606:4700::1111",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2a00:1450::5efe",
            "2001:4860:4860::8888",
        ] {
            check(public, None);
        }
    }
}
