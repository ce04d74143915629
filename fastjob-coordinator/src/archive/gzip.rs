//! Compressed texts. What a peer sends is never decompressed beyond its bound.

use std::io::{self, Read as _, Write as _};

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};

/// The text of the first gzip member, which has exactly `length` bytes; and the rest of the input.
///
/// # Errors
///
/// Fails if it is not gzip, damaged, or has another length. At most `length + 1` bytes are
/// decompressed.
pub(super) fn first(gzip: &[u8], length: usize) -> Result<(Vec<u8>, &[u8]), String> {
    let mut decoder = GzDecoder::new(gzip);
    let mut text = Vec::with_capacity(length);
    let read = decoder.by_ref().take(length as u64 + 1).read_to_end(&mut text);
    read.map_err(|err| format!("it is not valid gzip: {err}"))?;
    if text.len() != length {
        let found = if text.len() > length { "more".to_owned() } else { text.len().to_string() };
        return Err(format!("it should have {length} bytes of text, and has {found}"));
    }
    // Reads the checksum, if the text ended exactly at the limit.
    let mut more = [0];
    let end = decoder.read(&mut more).map_err(|err| format!("it is not valid gzip: {err}"))?;
    if end > 0 {
        return Err(format!("it should have {length} bytes of text, and has more"));
    }
    Ok((text, decoder.into_inner()))
}

/// Compresses a text into one gzip member.
pub(super) fn compress(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_announced_is_accepted() {
        let gzip = compress(b"hello").unwrap();
        assert_eq!(first(&gzip, 5), Ok((b"hello".to_vec(), &[][..])));
        let two = [gzip.clone(), b"rest".to_vec()].concat();
        assert_eq!(first(&two, 5).unwrap().1, b"rest");
        for wrong in [0, 4, 6, 1_000] {
            assert!(first(&gzip, wrong).is_err(), "{wrong}");
        }
        assert!(first(&gzip[..gzip.len() - 1], 5).is_err(), "it was cut");
        assert!(first(b"hello", 5).is_err() && first(b"", 0).is_err());
        let mut damaged = gzip;
        let last = damaged.len() - 6;
        damaged[last] ^= 1;
        assert!(first(&damaged, 5).is_err(), "the checksum is wrong");
    }

    #[test]
    fn a_bomb_is_not_decompressed_beyond_its_announced_length() {
        let bomb = compress(&vec![0; 100 << 20]).unwrap();
        assert!(bomb.len() < 1 << 20);
        let refused = first(&bomb, 1 << 20).unwrap_err();
        assert!(refused.ends_with("and has more"), "{refused}");
    }
}
