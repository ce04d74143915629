//! What the binary forms of the store have in common: a version byte first, numbers as LEB128 with
//! zigzag for signed ones, and a CRC-32C (RFC 3720) of all that at the end, four bytes in
//! little-endian order.

use crc::{CRC_32_ISCSI, Crc, Table};

/// Sixteen tables: statistics of a week read thousands of blocks, and one table takes as long as the rest.
static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// The size of the checksum in bytes.
pub(super) const CHECK: usize = 4;

/// Why bytes cannot be read.
pub(super) type Read<T> = Result<T, String>;

/// Appends the checksum, and returns it, too.
pub(super) fn seal(mut bytes: Vec<u8>) -> (Vec<u8>, u32) {
    let check = CRC.checksum(&bytes);
    bytes.extend_from_slice(&check.to_le_bytes());
    (bytes, check)
}

/// What is between the version and the checksum, and the checksum.
///
/// # Errors
///
/// Fails if the version is another one, or if the checksum is wrong.
pub(super) fn unseal(bytes: &[u8], known: u8) -> Read<(&[u8], u32)> {
    // The version first: a later one may have another checksum.
    if let Some(version) = bytes.first().filter(|version| **version != known) {
        return Err(format!("it has the format {version}, and this release knows {known}"));
    }
    let (sealed, check) = bytes.split_last_chunk().ok_or_else(torn)?;
    let check = u32::from_le_bytes(*check);
    if CRC.checksum(sealed) != check {
        return Err("its checksum is wrong".to_owned());
    }
    Ok((sealed.get(1..).unwrap_or_default(), check))
}

pub(super) fn torn() -> String {
    "it ends too early".to_owned()
}

pub(super) fn write_signed(bytes: &mut Vec<u8>, value: i64) {
    write_unsigned(bytes, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

pub(super) fn write_unsigned(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Reads a number from the front.
pub(super) fn read_signed(rest: &mut &[u8]) -> Read<i64> {
    let value = read_unsigned(rest)?;
    Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
}

/// Reads a number from the front.
#[inline]
pub(super) fn read_unsigned(rest: &mut &[u8]) -> Read<u64> {
    // Most are of one byte.
    match rest.split_first() {
        Some((byte, after)) if *byte < 0x80 => {
            *rest = after;
            Ok(u64::from(*byte))
        }
        _ => read_long(rest),
    }
}

fn read_long(rest: &mut &[u8]) -> Read<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or_else(torn)?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("it has a number of more than 64 bits".to_owned())
}
