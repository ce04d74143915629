//! Addresses to listen on, in the forms that users write.

use std::{
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
};

/// An address with its port. `localhost` stands for `127.0.0.1`. Other names are rejected: a name
/// may resolve to several addresses, and it would be unclear which of them others can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listen(pub(crate) SocketAddr);

/// A text that is not an address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an address to listen on; write an IP address and a port, such as 127.0.0.1:7070, \
     [::1]:7070 or 0.0.0.0:7070; the only supported name is localhost"
)]
pub(crate) struct InvalidListen(String);

impl FromStr for Listen {
    type Err = InvalidListen;

    fn from_str(text: &str) -> Result<Self, InvalidListen> {
        let named = || {
            let (host, port) = text.rsplit_once(':')?;
            let port = port.parse::<u16>().ok()?;
            host.eq_ignore_ascii_case("localhost").then(|| (Ipv4Addr::LOCALHOST, port).into())
        };
        let address = text.parse().ok().or_else(named);
        address.map(Self).ok_or_else(|| InvalidListen(text.to_owned()))
    }
}
