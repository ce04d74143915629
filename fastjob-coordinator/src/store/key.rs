//! The cluster key: a secret of everyone who can read the store.

use std::fmt;

use fastjob_core::wire;

use super::Error;

/// Bytes of the key.
const BYTES: usize = 32;
/// Its name in the store.
pub(super) const NAME: &str = "cluster_key";

/// The secret that nodes prove to each other. It is generated when a store without one is opened,
/// and never changes afterwards.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ClusterKey([u8; BYTES]);

impl ClusterKey {
    /// A new one.
    pub(crate) fn random() -> Self {
        Self(rand::random())
    }

    /// The secret itself.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The form in the store.
    pub(super) fn to_hex(&self) -> String {
        wire::hex(&self.0)
    }

    /// Parses the form in the store.
    ///
    /// # Errors
    ///
    /// Fails with [`Error::Corrupt`] if it is not a key.
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        unhex(text).map(Self).ok_or_else(|| Error::Corrupt { what: "the cluster key".to_owned() })
    }
}

/// The bytes that a hexadecimal text stands for; `None` if it is not one of this length.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    wire::unhex(text)?.try_into().ok()
}

impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_is_not_shown() {
        let key = ClusterKey::random();
        let text = key.to_hex();
        assert_eq!(ClusterKey::read(&text).unwrap(), key);
        assert_ne!(ClusterKey::random(), key);
        assert_eq!(format!("{key:?}"), "ClusterKey(…)");
        for wrong in ["", &text[1..], &format!("{text}00"), &text.replace(&text[..1], "x")] {
            assert!(ClusterKey::read(wrong).is_err(), "{wrong}");
        }
    }
}
