//! RSA with keys too small for the cryptographic library (RFC 8301 calls them weak): PKCS #1 v1.5 by hand.

use super::modular::Natural;

/// Largest modulus, in octets.
const MODULUS_MAX: usize = 512;
/// Largest exponent, in octets: bounds the work of one verification.
const EXPONENT_MAX: usize = 8;

/// DER prefixes of the digests (RFC 8017 section 9.2).
const SHA1_PREFIX: &[u8] =
    &[0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];
const SHA256_PREFIX: &[u8] = &[
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];
const SHA512_PREFIX: &[u8] = &[
    0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00,
    0x04, 0x40,
];

/// Whether `signature` is this key's over the digest.
pub(super) fn verify(modulus: &[u8], exponent: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    let prefix = match digest.len() {
        20 => SHA1_PREFIX,
        32 => SHA256_PREFIX,
        64 => SHA512_PREFIX,
        _ => return false,
    };
    let length = modulus.len();
    if length > MODULUS_MAX || exponent.len() > EXPONENT_MAX || signature.len() > length {
        return false;
    }
    let padding = prefix.len() + digest.len() + 3;
    if length < padding + 8 {
        return false;
    }
    let mut expected = vec![0, 1];
    expected.resize(length - padding + 2, 0xff);
    expected.push(0);
    expected.extend_from_slice(prefix);
    expected.extend_from_slice(digest);
    let n = Natural::from_bytes(modulus);
    let s = Natural::from_bytes(signature);
    if n.is_zero() || !s.less_than(&n) {
        return false;
    }
    s.power(&Natural::from_bytes(exponent), &n).to_bytes(length) == expected
}
