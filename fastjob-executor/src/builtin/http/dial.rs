//! Resolves a host name and returns only the addresses that may be called.
//!
//! The connection uses these addresses without a second DNS query, so a changed DNS answer cannot
//! redirect it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::hosts::Hosts;

/// A future that resolves a name to its addresses.
pub(super) type Found = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Resolves a name.
pub(super) type Lookup = fn(String) -> Found;

pub(super) struct Dial {
    pub(super) hosts: Arc<Hosts>,
    pub(super) lookup: Lookup,
}

impl Resolve for Dial {
    fn resolve(&self, name: Name) -> Resolving {
        let (hosts, name) = (Arc::clone(&self.hosts), name.as_str().to_owned());
        let looking = (self.lookup)(name.clone());
        Box::pin(async move {
            let (mut allowed, mut refused) = (Vec::new(), None);
            for address in looking.await? {
                match hosts.judge_address(&name, address) {
                    // The connector sets the port.
                    Ok(()) => allowed.push(SocketAddr::new(address, 0)),
                    Err(why) => refused = Some(why),
                }
            }
            match refused.filter(|_| allowed.is_empty()) {
                Some(why) => Err(why.into()),
                None => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// Uses the system's resolver.
pub(super) fn system(name: String) -> Found {
    Box::pin(async move {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    })
}
