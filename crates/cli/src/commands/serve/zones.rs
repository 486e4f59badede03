//! The zones of an authority: read, and signed if that is wanted.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use thru_names::authority::secondary::SecondaryConfig;
use thru_names::authority::{Authority, SignedZone};
use thru_names::dnssec::signing::keyfile::Keys;
use thru_names::dnssec::signing::zone::{Chain, KeyState, Plan, sign};
use thru_names::dnssec::signing::{KEY_SIGNING, SigningKey, Window};
use thru_names::proto::rr::{Name, RecordType};
use thru_names::text::{name_text, parse_name};
use thru_serve::nameserver::{Zones, randomness};

use crate::args::names::{Algorithm, ServeDnsArgs};
use crate::commands::masters::records;
use crate::failure::Failure;
use crate::output;

/// Signatures hold from an hour ago, for clocks that are late, for two weeks.
const BEFORE: u64 = 3_600;
const HOLD: u64 = 14 * 86_400;
/// TTL of keys and DS records, in seconds.
const KEY_TTL: u32 = 3_600;
/// SHA-256 (RFC 4509).
const SHA256: u8 = 2;

/// The zones that `--zone` names.
pub(super) fn read(args: &ServeDnsArgs) -> Result<Zones, Failure> {
    let mut zones = Vec::new();
    for text in &args.zone {
        zones.push(zone(text, args)?);
    }
    let transfer = args.transfer.iter().map(|prefix| (prefix.address(), prefix.len())).collect();
    let zones = zones.into_iter().map(Arc::new);
    let copies = args.secondary.iter().map(|text| copy(text)).collect::<Result<_, _>>()?;
    let notify = args.notify.iter().map(|text| address(text)).collect::<Result<_, _>>()?;
    Ok(Zones { authority: Authority::new(zones), transfer, copies, notify })
}

/// `NAME=ADDRESS[:PORT],...`.
fn copy(text: &str) -> Result<SecondaryConfig, Failure> {
    let wrong = |why: String| {
        Failure::usage(format!("`{text}` names no zone to copy: {why}"), "as in example.com=192.0.2.1")
    };
    let (name, primaries) = text.split_once('=').ok_or_else(|| wrong("there is no `=`".into()))?;
    let zone = parse_name(name).map_err(|why| wrong(why.to_string()))?.to_lowercase();
    let primaries = primaries.split(',').map(address).collect::<Result<_, _>>()?;
    Ok(SecondaryConfig {
        zone,
        primaries,
        hosts: Vec::new(),
        notify_from: Vec::new(),
        notify_hosts: Vec::new(),
    })
}

/// `ADDRESS` or `ADDRESS:PORT`, in brackets for IPv6 with a port.
fn address(text: &str) -> Result<SocketAddr, Failure> {
    let plain = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
    plain.or_else(|_| text.parse::<SocketAddr>()).map_err(|_| {
        Failure::usage(
            format!("`{text}` is no address"),
            "as in 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:53",
        )
    })
}

fn zone(text: &str, args: &ServeDnsArgs) -> Result<SignedZone, Failure> {
    let (origin, file) = match text.split_once('=') {
        Some((name, file)) => {
            let name = parse_name(name).map_err(|why| {
                Failure::usage(format!("`{name}` is no name: {why}"), "write it as in example.com=FILE")
            })?;
            (name, Path::new(file))
        }
        None => (Name::root(), Path::new(text)),
    };
    let wrong = |why: String| {
        Failure::usage(format!("{}: {why}", file.display()), "master files: RFC 1035 section 5")
    };
    let mut found = records(file, &origin)?;
    let signed = args.sign.is_some() || !args.sign_with.is_empty();
    if signed {
        let soa = found.iter().find(|record| record.rtype == RecordType::SOA);
        let origin = soa.ok_or_else(|| wrong("there is no SOA".to_owned()))?.name.to_lowercase();
        // What an earlier signing left is made anew.
        let left = [RecordType::RRSIG, RecordType::NSEC, RecordType::NSEC3, RecordType::NSEC3PARAM];
        found.retain(|record| !left.contains(&record.rtype) && record.rtype != RecordType::DNSKEY);
        found = sign(&origin, &found, &plan(&origin, args)?).map_err(wrong)?;
    }
    let zone = SignedZone::new(&found).map_err(wrong)?;
    let how = if signed { ", signed here" } else { "" };
    output::say(&format!("zone {} with serial {}{how}\n", name_text(zone.origin()), zone.serial()));
    Ok(zone)
}

fn plan(origin: &Name, args: &ServeDnsArgs) -> Result<Plan, Failure> {
    let mut keys = Vec::new();
    if let Some(algorithm) = args.sign {
        let key = match algorithm {
            Algorithm::Ed25519 => SigningKey::ed25519(&entropy(), KEY_SIGNING),
            Algorithm::P256 => SigningKey::new_p256(KEY_SIGNING, randomness()),
        };
        keys.push((key, KeyState::Active));
    }
    for file in &args.sign_with {
        let bad = |why: String| {
            Failure::usage(
                format!("cannot use the key {}: {why}", file.display()),
                "give the K*.private of dnssec-keygen or ldns-keygen, with the K*.key beside it",
            )
        };
        let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| bad(error.to_string()));
        let pair = Keys { private: &read(file)?, public: &read(&file.with_extension("key"))? };
        let (name, key) = pair.read(randomness()).map_err(bad)?;
        if name == *origin {
            keys.push((key, KeyState::Active));
        }
    }
    if keys.is_empty() {
        return Err(Failure::usage(
            format!("none of the keys is for {}", name_text(origin)),
            "the name in the K*.key is the zone's",
        ));
    }
    for (key, _) in keys.iter().filter(|(key, _)| key.is_entry_point() || keys.len() == 1) {
        let [high, low, algorithm, digest_type, digest @ ..] =
            &key.ds(origin, SHA256).unwrap_or_default()[..]
        else {
            continue;
        };
        let tag = u16::from_be_bytes([*high, *low]);
        let digest: String = digest.iter().map(|octet| format!("{octet:02X}")).collect();
        let name = name_text(origin);
        output::print(&format!("{name} {KEY_TTL} IN DS {tag} {algorithm} {digest_type} {digest}\n"));
    }
    let now = thru_os::clock::unix_time().as_secs();
    // RFC 4034 section 3.1.5: dates are modulo 2^32.
    let window = Window { inception: (now - BEFORE) as u32, expiration: (now + HOLD) as u32 };
    let chain = if args.nsec3 {
        // RFC 9276: no further rounds, no salt.
        Chain::Nsec3 { iterations: 0, salt: Vec::new(), opt_out: false }
    } else {
        Chain::Nsec
    };
    Ok(Plan { keys, window, chain, dnskey_ttl: KEY_TTL })
}

fn entropy() -> [u8; 32] {
    let mut octets = [0; 32];
    thru_os::entropy::fill(&mut octets);
    octets
}
