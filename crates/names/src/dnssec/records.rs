//! The data of DNSSEC's records taken apart (RFC 4034, RFC 5155). Malformed data is `None`.

use hickory_proto::rr::{Name, RecordType};

use crate::wire::read_name;

/// A DNSKEY's data (RFC 4034 section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dnskey<'a> {
    /// Zone key is 256, SEP is 1, REVOKE is 128.
    pub flags: u16,
    /// 3.
    pub protocol: u8,
    /// Algorithm number.
    pub algorithm: u8,
    /// Public key.
    pub key: &'a [u8],
    /// The whole data.
    pub data: &'a [u8],
}

impl<'a> Dnskey<'a> {
    /// Takes the data apart.
    pub fn read(data: &'a [u8]) -> Option<Dnskey<'a>> {
        let [a, b, protocol, algorithm, key @ ..] = data else { return None };
        let flags = u16::from_be_bytes([*a, *b]);
        Some(Dnskey { flags, protocol: *protocol, algorithm: *algorithm, key, data })
    }

    /// It may sign a zone's records (RFC 4034 section 2.1.1).
    pub fn is_zone_key(&self) -> bool {
        self.flags & 0x0100 != 0 && self.protocol == 3
    }

    /// It has been withdrawn (RFC 5011 section 2.1).
    pub fn is_revoked(&self) -> bool {
        self.flags & 0x0080 != 0
    }

    /// It is meant as an entry point.
    pub fn is_entry_point(&self) -> bool {
        self.flags & 1 != 0
    }

    /// The key tag (RFC 4034 appendix B).
    pub fn tag(&self) -> u16 {
        key_tag(self.data)
    }
}

/// The key tag of DNSKEY data (RFC 4034 appendix B).
pub fn key_tag(data: &[u8]) -> u16 {
    if data.get(3) == Some(&1) {
        // RSA/MD5 (appendix B.1): the last but two octets of the modulus.
        return match data {
            [.., a, b, _] if data.len() > 6 => u16::from_be_bytes([*a, *b]),
            _ => 0,
        };
    }
    let sum = data.chunks(2).fold(0_u32, |sum, pair| {
        sum.wrapping_add(u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)))
    });
    (sum.wrapping_add(sum >> 16 & 0xffff) & 0xffff) as u16
}

/// A DS's data (RFC 4034 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ds<'a> {
    /// Tag of the key it stands for.
    pub tag: u16,
    /// The key's algorithm.
    pub algorithm: u8,
    /// What the digest was made with.
    pub digest_type: u8,
    /// The digest.
    pub digest: &'a [u8],
}

impl<'a> Ds<'a> {
    /// Takes the data apart.
    pub fn read(data: &'a [u8]) -> Option<Ds<'a>> {
        let [a, b, algorithm, digest_type, digest @ ..] = data else { return None };
        Some(Ds {
            tag: u16::from_be_bytes([*a, *b]),
            algorithm: *algorithm,
            digest_type: *digest_type,
            digest,
        })
    }
}

/// An RRSIG's data (RFC 4034 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrsig<'a> {
    /// The type of the set it signs.
    pub covered: RecordType,
    /// Algorithm number.
    pub algorithm: u8,
    /// Labels of the owner it was made for: fewer than the owner has, when a wildcard was expanded.
    pub labels: u8,
    /// The set's TTL when it was signed.
    pub original_ttl: u32,
    /// Seconds since 1970, modulo 2^32.
    pub expiration: u32,
    /// Seconds since 1970, modulo 2^32.
    pub inception: u32,
    /// Tag of the key that made it.
    pub tag: u16,
    /// The zone whose key that is.
    pub signer: Name,
    /// Data without the signature, as it is signed.
    pub head: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> Rrsig<'a> {
    /// Takes the data apart.
    pub fn read(data: &'a [u8]) -> Option<Rrsig<'a>> {
        let fixed: &[u8; 18] = data.get(..18)?.try_into().ok()?;
        let (signer, end) = read_name(data, 18).ok()?;
        let word = |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        Some(Rrsig {
            covered: RecordType::from(u16::from_be_bytes([fixed[0], fixed[1]])),
            algorithm: fixed[2],
            labels: fixed[3],
            original_ttl: word(4),
            expiration: word(8),
            inception: word(12),
            tag: u16::from_be_bytes([fixed[16], fixed[17]]),
            signer,
            head: &data[..end],
            signature: &data[end..],
        })
    }
}

/// Whether a type bitmap (RFC 4034 section 4.1.2) holds this type.
pub fn bitmap_has(bitmap: &[u8], rtype: RecordType) -> bool {
    let number = u16::from(rtype);
    let mut rest = bitmap;
    while let [window, length, tail @ ..] = rest {
        let length = usize::from(*length);
        let Some(bits) = tail.get(..length) else { return false };
        if u16::from(*window) == number >> 8 {
            let at = usize::from(number & 0xff);
            return bits.get(at / 8).is_some_and(|octet| octet & (0x80 >> (at % 8)) != 0);
        }
        rest = &tail[length..];
    }
    false
}

/// An NSEC's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nsec<'a> {
    /// The next owner in canonical order.
    pub next: Name,
    /// The types at its own owner.
    pub types: &'a [u8],
}

impl<'a> Nsec<'a> {
    /// Takes the data apart.
    pub fn read(data: &'a [u8]) -> Option<Nsec<'a>> {
        let (next, end) = read_name(data, 0).ok()?;
        Some(Nsec { next, types: &data[end..] })
    }

    /// Whether its owner has this type.
    pub fn has(&self, rtype: RecordType) -> bool {
        bitmap_has(self.types, rtype)
    }
}

/// An NSEC3's data (RFC 5155 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nsec3<'a> {
    /// 1 is SHA-1, the only one there is.
    pub algorithm: u8,
    /// Bit 0 is opt-out.
    pub flags: u8,
    /// Additional rounds.
    pub iterations: u16,
    /// Salt.
    pub salt: &'a [u8],
    /// The next hash in order.
    pub next: &'a [u8],
    /// The types at its own owner.
    pub types: &'a [u8],
}

impl<'a> Nsec3<'a> {
    /// Takes the data apart.
    pub fn read(data: &'a [u8]) -> Option<Nsec3<'a>> {
        let [algorithm, flags, high, low, salt_length, rest @ ..] = data else { return None };
        let salt = rest.get(..usize::from(*salt_length))?;
        let (next_length, rest) = rest[salt.len()..].split_first()?;
        let next = rest.get(..usize::from(*next_length))?;
        let iterations = u16::from_be_bytes([*high, *low]);
        Some(Nsec3 {
            algorithm: *algorithm,
            flags: *flags,
            iterations,
            salt,
            next,
            types: &rest[next.len()..],
        })
    }

    /// Insecure delegations may lie between it and the next.
    pub fn opt_out(&self) -> bool {
        self.flags & 1 != 0
    }

    /// Whether its owner has this type.
    pub fn has(&self, rtype: RecordType) -> bool {
        bitmap_has(self.types, rtype)
    }
}
