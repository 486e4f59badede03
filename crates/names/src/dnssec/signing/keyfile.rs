//! Keys as dnssec-keygen and ldns-keygen write them: `K*.private` with the secret, `K*.key` with the DNSKEY record.

use std::collections::BTreeMap;

use hickory_proto::rr::{Name, RecordType};
use ring::signature::{self, EcdsaKeyPair, RsaKeyPair};

use super::{ECDSAP256SHA256, ED25519, Private, RSASHA256, Randomness, SigningKey};
use crate::rdata::{base64, master_records};

/// The two files of a key.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    /// `K*.private`.
    pub private: &'a str,
    /// `K*.key`.
    pub public: &'a str,
}

impl Keys<'_> {
    /// The zone's name and the key. The error says which part of the files is not as it should be.
    pub fn read(&self, random: Randomness) -> Result<(Name, SigningKey), String> {
        let records = master_records(self.public, &Name::root())?;
        let record = records
            .iter()
            .find(|record| record.rtype == RecordType::DNSKEY)
            .ok_or("its .key file has no DNSKEY record")?;
        let &[high, low, 3, algorithm, ref public @ ..] = &record.data[..] else {
            return Err("its DNSKEY record is none of DNSSEC".into());
        };
        let flags = u16::from_be_bytes([high, low]);
        let fields = Fields::read(self.private)?;
        let key = match algorithm {
            ED25519 => {
                let seed = fields.octets("PrivateKey")?;
                let seed = seed.try_into().map_err(|_| "an Ed25519 key has 32 octets")?;
                SigningKey::ed25519(&seed, flags)
            }
            ECDSAP256SHA256 => {
                let point = [&[4][..], public].concat();
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
                    &fields.octets("PrivateKey")?,
                    &point,
                    &*random,
                );
                let pair = pair.map_err(|why| format!("not a P-256 key: {why}"))?;
                SigningKey { flags, algorithm, public: public.to_vec(), private: Private::P256(pair, random) }
            }
            RSASHA256 => {
                let pair =
                    RsaKeyPair::from_der(&fields.rsa()?).map_err(|why| format!("not an RSA key: {why}"))?;
                let private = Private::Rsa(Box::new(pair), random);
                SigningKey { flags, algorithm, public: public.to_vec(), private }
            }
            other => return Err(format!("algorithm {other} is none that we sign with (8, 13, 15)")),
        };
        if key.dnskey() != record.data[..] {
            return Err("its two files are not of one key".into());
        }
        Ok((record.name.to_lowercase(), key))
    }
}

/// A new key in files, and the name that they have without their endings.
#[derive(Clone, Debug)]
pub struct Written {
    /// `K`, the zone, the algorithm and the tag, as other programs name them.
    pub stem: String,
    /// `K*.private`.
    pub private: String,
    /// `K*.key`.
    pub public: String,
}

/// Where the secret number stands in a PKCS#8 document of a P-256 key (RFC 5208, RFC 5915) as `ring` writes it.
const P256_SECRET: std::ops::Range<usize> = 36..68;

/// A new key for a zone: of [`ED25519`] or [`ECDSAP256SHA256`].
///
/// # Errors
/// Another algorithm, or no randomness.
pub fn generate(zone: &Name, algorithm: u8, flags: u16, random: &Randomness) -> Result<Written, String> {
    let none = |_| "there is no randomness".to_owned();
    let (key, secret) = match algorithm {
        ED25519 => {
            let mut seed = [0; 32];
            random.fill(&mut seed).map_err(none)?;
            (SigningKey::ed25519(&seed, flags), seed.to_vec())
        }
        ECDSAP256SHA256 => {
            let rules = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
            let document = EcdsaKeyPair::generate_pkcs8(rules, &**random).map_err(none)?;
            let secret = document.as_ref().get(P256_SECRET).unwrap_or_default().to_vec();
            (SigningKey::p256(document.as_ref(), flags, random.clone())?, secret)
        }
        other => return Err(format!("no keys of algorithm {other} are made here (13, 15)")),
    };
    let kind = if algorithm == ED25519 { "ED25519" } else { "ECDSAP256SHA256" };
    let name = crate::text::name_text(zone);
    let record = crate::wire::RawRecord {
        name: zone.clone(),
        rtype: RecordType::DNSKEY,
        class: crate::wire::CLASS_IN,
        ttl: 3600,
        data: key.dnskey().into(),
    };
    let public = format!("{name} 3600 IN DNSKEY {}\n", crate::rdata::data_text(record.rtype, &record.data));
    let secret = crate::rdata::base64_text(&secret);
    let private =
        format!("Private-key-format: v1.3\nAlgorithm: {algorithm} ({kind})\nPrivateKey: {secret}\n");
    Ok(Written { stem: format!("K{name}+{algorithm:03}+{:05}", key.tag()), private, public })
}

/// `Name: value` lines.
struct Fields<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Fields<'a> {
    fn read(text: &'a str) -> Result<Fields<'a>, String> {
        let fields: BTreeMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name, value.trim()))
            .collect();
        match fields.get("Private-key-format") {
            Some(version) if version.starts_with("v1.") => Ok(Fields(fields)),
            _ => Err("its .private file is of no format that we know (v1.x)".into()),
        }
    }

    fn octets(&self, name: &str) -> Result<Vec<u8>, String> {
        let text = self.0.get(name).ok_or_else(|| format!("its .private file has no {name}"))?;
        base64(text).ok_or_else(|| format!("{name} is not base64"))
    }

    /// The numbers as an RSAPrivateKey (RFC 8017 appendix A.1.2).
    fn rsa(&self) -> Result<Vec<u8>, String> {
        let mut body = der(2, &[0]);
        for name in [
            "Modulus",
            "PublicExponent",
            "PrivateExponent",
            "Prime1",
            "Prime2",
            "Exponent1",
            "Exponent2",
            "Coefficient",
        ] {
            let number = self.octets(name)?;
            let bare: Vec<u8> = number.iter().copied().skip_while(|octet| *octet == 0).collect();
            // A leading one bit would make it negative.
            let sign = if bare.first().is_none_or(|octet| octet & 0x80 != 0) { &[0][..] } else { &[] };
            body.extend(der(2, &[sign, &bare].concat()));
        }
        Ok(der(0x30, &body))
    }
}

/// A value of the distinguished encoding rules.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=127 => out.push(short as u8),
        long => {
            let octets = long.to_be_bytes();
            let used = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len() - 1);
            out.push(0x80 | (octets.len() - used) as u8);
            out.extend_from_slice(&octets[used..]);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const PUBLIC: &str = "example. IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=";
    const PRIVATE: &str = "Private-key-format: v1.2\nAlgorithm: 15 (ED25519)\nPrivateKey: ODIyNjAzODQ2MjgwODAxMjI2NDUxOTAyMDQxNDIyNjI=\n";

    fn read(private: &str, public: &str) -> Result<(Name, SigningKey), String> {
        Keys { private, public }.read(Arc::new(ring::rand::SystemRandom::new()))
    }

    #[test]
    fn the_key_of_rfc_8080() {
        let (name, key) = read(PRIVATE, PUBLIC).expect("RFC 8080 section 6.1");
        assert_eq!((name.to_string().as_str(), key.tag(), key.is_entry_point()), ("example.", 3613, true));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let said = |private: &str, public: &str| read(private, public).expect_err("it is wrong");
        assert_eq!(said("", PUBLIC), "its .private file is of no format that we know (v1.x)");
        assert_eq!(said("Private-key-format: v1.3", PUBLIC), "its .private file has no PrivateKey");
        assert_eq!(said("Private-key-format: v1.3\nPrivateKey: %", PUBLIC), "PrivateKey is not base64");
        assert_eq!(
            said("Private-key-format: v1.3\nPrivateKey: AAAA", PUBLIC),
            "an Ed25519 key has 32 octets"
        );
        assert_eq!(said(PRIVATE, ""), "its .key file has no DNSKEY record");
        let other = PUBLIC.replace("l02W", "l02X");
        assert_eq!(said(PRIVATE, &other), "its two files are not of one key");
        let old = PUBLIC.replace(" 15 ", " 5 ");
        assert_eq!(said(PRIVATE, &old), "algorithm 5 is none that we sign with (8, 13, 15)");
    }
}
