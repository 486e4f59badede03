//! The zones of an authority: read, and signed if that is wanted.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use thru_names::authority::secondary::SecondaryConfig;
use thru_names::authority::{Authority, SignedZone};
use thru_names::dnssec::signing::live::LiveZone;
use thru_names::proto::rr::{Name, RecordType};
use thru_names::text::{name_text, parse_name};
use thru_names::wire::RawRecord;
use thru_serve::nameserver::{Engine, Zones};

use super::keys;
use crate::args::names::ServeDnsArgs;
use crate::commands::masters::records;
use crate::failure::Failure;
use crate::output;

/// The zones as their files have them.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<Name, Vec<RawRecord>>);

/// What there is to serve.
#[derive(Debug)]
pub(super) struct Found {
    /// Zones that are served as they are, and what goes for all.
    pub zones: Zones,
    /// Zones that are signed here.
    pub live: Vec<LiveZone>,
    /// What the files said, to see later what has changed.
    pub files: Files,
}

/// The zones that `--zone` names.
pub(super) fn read(args: &ServeDnsArgs) -> Result<Found, Failure> {
    let (files, signed) = (Files::read(args)?, signs(args));
    let (mut zones, mut live) = (Vec::new(), Vec::new());
    for (origin, found) in &files.0 {
        if signed {
            let zone = keys::live(origin, found.clone(), args)?;
            tell(zone.zone(), ", signed here");
            live.push(zone);
        } else {
            zones.push(plain(found)?);
        }
    }
    zones.iter().for_each(|zone| tell(zone, ""));
    Ok(Found { zones: served(zones, args)?, live, files })
}

/// Reads the files again and serves what they say now. The error says what is wrong with them; then all stays as it was.
pub(super) fn reload(args: &ServeDnsArgs, files: &mut Files, engine: &Engine) -> Result<Vec<Name>, Failure> {
    let fresh = Files::read(args)?;
    let changed: Vec<Name> = fresh
        .0
        .iter()
        .filter(|(name, now)| files.0.get(*name) != Some(*now))
        .map(|(name, _)| name.clone())
        .collect();
    if signs(args) {
        engine.change_signed(|zones, date| {
            for zone in zones.iter_mut().filter(|zone| changed.contains(zone.origin())) {
                let found = fresh.0[zone.origin()].clone();
                zone.replace(date, found).map_err(|why| refused(zone.origin(), &why))?;
            }
            Ok::<(), Failure>(())
        })?;
    } else {
        let zones = fresh.0.values().map(|found| plain(found)).collect::<Result<Vec<_>, _>>()?;
        for zone in zones.iter().filter(|zone| changed.contains(zone.origin())) {
            let before = files.0.get(zone.origin()).and_then(|found| plain(found).ok());
            let newer =
                |old: SignedZone| thru_names::authority::changes::is_newer(zone.serial(), old.serial());
            if !before.is_none_or(newer) {
                output::say(&format!(
                    "the serial of {} has not grown: its secondaries will not notice the change\n",
                    name_text(zone.origin())
                ));
            }
        }
        engine.replace_zones(served(zones, args)?);
    }
    *files = fresh;
    Ok(changed)
}

/// Whether zones are signed here.
fn signs(args: &ServeDnsArgs) -> bool {
    args.sign.is_some() || !args.sign_with.is_empty()
}

fn plain(found: &[RawRecord]) -> Result<SignedZone, Failure> {
    SignedZone::new(found).map_err(|why| Failure::usage(why, "master files: RFC 1035 section 5"))
}

fn refused(origin: &Name, why: &str) -> Failure {
    Failure::usage(format!("{}: {why}", name_text(origin)), "master files: RFC 1035 section 5")
}

fn tell(zone: &SignedZone, how: &str) {
    output::say(&format!("zone {} with serial {}{how}\n", name_text(zone.origin()), zone.serial()));
}

fn served(zones: Vec<SignedZone>, args: &ServeDnsArgs) -> Result<Zones, Failure> {
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

impl Files {
    fn read(args: &ServeDnsArgs) -> Result<Files, Failure> {
        args.zone.iter().map(|text| file(text, signs(args))).collect::<Result<_, _>>().map(Files)
    }
}

/// One zone's name and records.
fn file(text: &str, signed: bool) -> Result<(Name, Vec<RawRecord>), Failure> {
    let (origin, file) = match text.split_once('=') {
        Some((name, file)) => {
            let name = parse_name(name).map_err(|why| {
                Failure::usage(format!("`{name}` is no name: {why}"), "write it as in example.com=FILE")
            })?;
            (name, Path::new(file))
        }
        None => (Name::root(), Path::new(text)),
    };
    let mut found = records(file, &origin)?;
    let soa = found.iter().find(|record| record.rtype == RecordType::SOA);
    let origin = soa.map(|soa| soa.name.to_lowercase()).ok_or_else(|| {
        Failure::usage(format!("{}: there is no SOA", file.display()), "master files: RFC 1035 section 5")
    })?;
    if signed {
        // What an earlier signing left is made anew.
        let left = [
            RecordType::RRSIG,
            RecordType::NSEC,
            RecordType::NSEC3,
            RecordType::NSEC3PARAM,
            RecordType::DNSKEY,
            RecordType::CDS,
            RecordType::CDNSKEY,
        ];
        found.retain(|record| !left.contains(&record.rtype));
    }
    Ok((origin, found))
}
