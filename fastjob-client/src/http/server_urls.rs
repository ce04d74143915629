//! The addresses of the coordinators of one cluster, as clients write them.

use std::{fmt, str::FromStr};

use super::{InvalidServerUrl, ServerUrl};

/// Most addresses of a client. A call tries each of them, so more would only make failures slower.
const MOST: usize = 16;

/// The addresses of one or several coordinators of a cluster, separated by commas:
/// `https://jobs-1.example.org,https://jobs-2.example.org`. There is at least one, and each is there
/// once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrls(Vec<ServerUrl>);

impl ServerUrls {
    /// Parses addresses, each of which may be several, separated by commas.
    ///
    /// # Errors
    ///
    /// Fails with [`InvalidServerUrls`] if there is none, if there are too many, or if one is not an
    /// address.
    pub fn of(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, InvalidServerUrls> {
        let (mut urls, mut failed, mut number) = (Vec::new(), None, 0_usize);
        for text in texts {
            for part in text.as_ref().split(',').map(str::trim).filter(|part| !part.is_empty()) {
                number += 1;
                match part.parse::<ServerUrl>() {
                    Ok(url) if urls.contains(&url) => {}
                    Ok(url) if urls.len() < MOST => urls.push(url),
                    Ok(_) => return Err(InvalidServerUrls::TooMany),
                    Err(why) => {
                        failed.get_or_insert((number, why));
                    }
                }
            }
        }
        match failed {
            Some((_, why)) if number == 1 => Err(InvalidServerUrls::Only(why)),
            Some((number, why)) => Err(InvalidServerUrls::One { number, why }),
            None if urls.is_empty() => Err(InvalidServerUrls::None),
            None => Ok(Self(urls)),
        }
    }

    /// The addresses, in the order in which they are tried at first.
    pub fn iter(&self) -> impl Iterator<Item = &ServerUrl> {
        self.0.iter()
    }
}

impl Default for ServerUrls {
    fn default() -> Self {
        Self(vec![ServerUrl::default()])
    }
}

impl FromStr for ServerUrls {
    type Err = InvalidServerUrls;

    fn from_str(text: &str) -> Result<Self, InvalidServerUrls> {
        Self::of([text])
    }
}

impl fmt::Display for ServerUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, url) in self.0.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            write!(f, "{comma}{url}")?;
        }
        Ok(())
    }
}

/// Why a text does not contain the addresses of coordinators. Never contains the text, which may
/// include a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidServerUrls {
    /// There is no address.
    #[error(
        "there is no address; write it like `http://127.0.0.1:7070` or `https://jobs.example.org`"
    )]
    None,
    /// There are too many.
    #[error("there are more than {MOST} addresses; some nodes of the cluster are enough")]
    TooMany,
    /// The only one is not an address.
    #[error("{0}")]
    Only(InvalidServerUrl),
    /// One of several is not an address.
    #[error("address {number}: {why}")]
    One {
        /// Its position, from 1.
        number: usize,
        /// What is wrong with it.
        why: InvalidServerUrl,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_separated_by_commas_and_each_counts_once() {
        let urls: ServerUrls = "http://a:1, https://b/x/ ,http://a:1,".parse().unwrap();
        assert_eq!(urls.to_string(), "http://a:1,https://b/x");
        assert_eq!(
            ServerUrls::of(["http://a:1,http://b:1", "http://c:1"]).unwrap().iter().count(),
            3
        );
        assert_eq!(ServerUrls::default().to_string(), "http://127.0.0.1:7070");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_text() {
        for (text, said) in [
            ("", "there is no address"),
            (" , ", "there is no address"),
            ("s3cret", "it is not an address"),
            ("http://a,http://u:s3cret@b", "address 2: it contains a user name or password"),
        ] {
            let error = text.parse::<ServerUrls>().unwrap_err().to_string();
            assert!(error.starts_with(said) && !error.contains("s3cret"), "{error}");
        }
        let many: Vec<_> = (0..=MOST).map(|number| format!("http://h:{}", 1 + number)).collect();
        assert_eq!(ServerUrls::of(&many), Err(InvalidServerUrls::TooMany));
        assert!(ServerUrls::of(&many[1..]).is_ok());
    }
}
