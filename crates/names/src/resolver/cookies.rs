//! DNS cookies (RFC 7873, RFC 9018): a forger who does not see our questions does not know what to put in its answers.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

/// The EDNS option code.
pub(super) const OPTION: u16 = 10;
/// Response code BADCOOKIE.
pub(super) const BADCOOKIE: u16 = 23;

/// What an answer's cookie says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Ours came back, or the server knows no cookies.
    Fine,
    /// It is not ours, or missing though this server knows cookies.
    Forged,
    /// The server wants to be asked again with the cookie that it sends.
    Bad,
}

/// Our cookie for one server: it tells nothing to others and links nothing (RFC 9018 section 3).
pub(super) fn client(key: &(u64, u64), server: IpAddr) -> [u8; 8] {
    let mut hasher = SipHasher24::new_with_keys(key.0, key.1);
    match server {
        IpAddr::V4(v4) => hasher.write(&v4.octets()),
        IpAddr::V6(v6) => hasher.write(&v6.octets()),
    }
    hasher.finish().to_be_bytes()
}

/// Judges the option of an answer (RFC 7873 section 5.3).
pub(super) fn check(ours: &[u8; 8], theirs: Option<&[u8]>, bad: bool, known: bool) -> Check {
    match theirs {
        Some(data) if data.len() >= 8 && data.len() <= 40 && data[..8] == ours[..] => {
            if bad && data.len() >= 16 { Check::Bad } else { Check::Fine }
        }
        Some(_) => Check::Forged,
        None if known => Check::Forged,
        None => Check::Fine,
    }
}

/// How long a cookie is good, in seconds, and how far it may lie in the future (RFC 9018 section 4.3).
const GOOD_FOR: (i32, i32) = (3600, 300);
/// From this age on who shows one gets another.
const FRESH_FOR: i32 = 1800;

/// What a client's cookie is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// None, or the client's half alone, or not one of ours, or too old.
    Nothing,
    /// It is ours.
    Ours,
    /// The same, but it should be renewed.
    Old,
}

/// Judges the server's half in a client's question (RFC 9018 section 4).
pub fn shown(key: &(u64, u64), client: &[u8; 8], half: &[u8], time: u32, from: IpAddr) -> Shown {
    let Some(stamp) = half.get(4..8).and_then(|octets| <[u8; 4]>::try_from(octets).ok()) else {
        return Shown::Nothing;
    };
    let stamp = u32::from_be_bytes(stamp);
    let age = time.wrapping_sub(stamp) as i32;
    if half != server(key, client, stamp, from) || age > GOOD_FOR.0 || age < -GOOD_FOR.1 {
        return Shown::Nothing;
    }
    if age > FRESH_FOR { Shown::Old } else { Shown::Ours }
}

/// The server's half for a client (RFC 9018 section 4.4): version, time, and a hash over both and the address.
pub fn server(key: &(u64, u64), client: &[u8; 8], time: u32, from: IpAddr) -> [u8; 16] {
    let mut cookie = [0; 16];
    cookie[0] = 1;
    cookie[4..8].copy_from_slice(&time.to_be_bytes());
    let mut hasher = SipHasher24::new_with_keys(key.0, key.1);
    let mut input = client.to_vec();
    input.extend_from_slice(&cookie[..8]);
    match from {
        IpAddr::V4(v4) => input.extend_from_slice(&v4.octets()),
        IpAddr::V6(v6) => input.extend_from_slice(&v6.octets()),
    }
    hasher.write(&input);
    cookie[8..].copy_from_slice(&hasher.finish().to_le_bytes());
    cookie
}
