//! DSA with SHA-1 (RFC 2536), which no zone should use any more: verified only where the configuration asks for it.

use super::modular::Natural;

/// Whether `signature` (T, R, S) is this key's (T, Q, P, G, Y) over the digest.
pub(super) fn verify(key: &[u8], digest: &[u8], signature: &[u8]) -> bool {
    let Some((&t, rest)) = key.split_first() else { return false };
    if t > 8 {
        return false;
    }
    let Some((r, s)) = halves(signature) else { return false };
    let size = 64 + usize::from(t) * 8;
    if rest.len() != 20 + 3 * size {
        return false;
    }
    let (q, rest) = rest.split_at(20);
    let numbers: Vec<Natural> = rest.chunks(size).map(Natural::from_bytes).collect();
    let (p, g, y) = (&numbers[0], &numbers[1], &numbers[2]);
    let q = Natural::from_bytes(q);
    let (r, s) = (Natural::from_bytes(r), Natural::from_bytes(s));
    let sound = |n: &Natural| !n.is_zero() && n.less_than(&q);
    if q.bits() < 2 || p.bits() < 2 || !sound(&r) || !sound(&s) {
        return false;
    }
    // q is a prime, so s to the power q-2 is its inverse.
    let two = Natural::from_bytes(&[2]);
    let w = s.power(&q.minus(&two), &q);
    let u1 = Natural::from_bytes(digest).times(&w, &q);
    let u2 = r.times(&w, &q);
    let v = g.power(&u1, p).times(&y.power(&u2, p), p).rest(&q);
    v == r
}

/// R and S out of RFC 2536's form, or out of the ASN.1 that early signers wrote instead.
fn halves(signature: &[u8]) -> Option<(&[u8], &[u8])> {
    if signature.len() == 41 {
        return Some((&signature[1..21], &signature[21..]));
    }
    let integer = |bytes: &'_ [u8]| -> Option<usize> {
        let [0x02, length, ..] = bytes else { return None };
        let length = usize::from(*length);
        (length <= 21 && bytes.len() >= 2 + length).then_some(length)
    };
    let [0x30, _, rest @ ..] = signature else { return None };
    let first = integer(rest)?;
    let second = &rest[2 + first..];
    let length = integer(second)?;
    Some((&rest[2..2 + first], &second[2..2 + length]))
}
