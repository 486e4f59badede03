//! MD5, half of what TLS 1.0 and 1.1 derive their keys with, and JA3's digest. It protects nothing any more.

use ::md5::{Digest, Md5};
use hmac::{Hmac, Mac};

/// The digest of all parts in their order.
pub(crate) fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut digest = Md5::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().into()
}

/// A keyed digest (RFC 2104).
pub(crate) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("keys of any length will do");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}
