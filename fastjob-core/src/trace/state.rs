//! The header `tracestate`: it is passed on as it is, so only its form is checked.

use super::Trace;

/// The maximum number of list members.
const MEMBERS: usize = 32;

/// Whether this is a valid list with at least one member, within the limits. Several headers are
/// one list, with commas between them.
pub(super) fn is_valid(text: &str) -> bool {
    let members = text.split(',').map(|member| member.trim_matches([' ', '\t']));
    let mut keys: Vec<&str> = Vec::new();
    for member in members.filter(|member| !member.is_empty()) {
        match member.split_once('=') {
            Some((key, value)) if is_key(key) && is_value(value) && !keys.contains(&key) => {
                keys.push(key);
            }
            _ => return false,
        }
    }
    (1..=MEMBERS).contains(&keys.len()) && text.len() <= Trace::STATE_MOST
}

/// A name, or a name of a tenant and one of a system.
fn is_key(key: &str) -> bool {
    let is_rest = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'_' | b'-' | b'*' | b'/')
    };
    let is_name = |name: &str, most: usize, may_begin_with_digit: bool| {
        let first = name.bytes().next();
        let begins = first.is_some_and(|first| {
            first.is_ascii_lowercase() || (may_begin_with_digit && first.is_ascii_digit())
        });
        begins && name.len() <= most && name.bytes().all(is_rest)
    };
    match key.split_once('@') {
        None => is_name(key, 256, false),
        Some((tenant, system)) => is_name(tenant, 241, true) && is_name(system, 14, false),
    }
}

fn is_value(value: &str) -> bool {
    let is_printable = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(is_printable)
}
