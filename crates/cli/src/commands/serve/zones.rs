//! The zones of an authority: read, and signed if that is wanted.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thru_names::authority::changes::{Journal, is_newer};
use thru_names::authority::secondary::SecondaryConfig;
use thru_names::authority::{Authority, SignedZone};
use thru_names::dnssec::signing::live::LiveZone;
use thru_names::proto::rr::{Name, RecordType};
use thru_names::text::{name_text, parse_name};
use thru_names::wire::RawRecord;
use thru_serve::nameserver::{Engine, Zones};

use super::updates::Journals;
use super::{keys, updates};
use crate::args::names::ServeDnsArgs;
use crate::commands::masters::records;
use crate::failure::Failure;
use crate::output;

/// The zones as their files have them, and what updates have changed since.
#[derive(Debug, Default)]
pub(super) struct Files {
    zones: BTreeMap<Name, ZoneFile>,
    pub(super) journals: Journals,
}

/// What one file says.
#[derive(Debug, PartialEq)]
struct ZoneFile {
    path: PathBuf,
    records: Vec<RawRecord>,
}

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
    let (files, signed) = (Files { zones: files(args)?, ..Files::default() }, signs(args));
    let (mut live, mut authority) = (Vec::new(), Authority::default());
    for (origin, file) in &files.zones {
        let (records, changes) = files.journals.open(origin, &file.path, &file.records, args)?;
        let how = if files.journals.has_changed(origin) { ", with what updates changed" } else { "" };
        if signed {
            let zone = keys::live(origin, records, args)?;
            tell(zone.zone(), &format!(", signed here{how}"));
            live.push(zone);
        } else {
            let zone = plain(&records)?;
            tell(&zone, how);
            let mut steps = Journal::default();
            changes.into_iter().for_each(|change| steps.push(change));
            authority.adopt(Arc::new(zone), &steps);
        }
    }
    Ok(Found { zones: served(authority, args)?, live, files })
}

/// Reads the files again and serves what they say now. The error says what is wrong with them; then all stays as it was.
pub(super) fn reload(args: &ServeDnsArgs, known: &mut Files, engine: &Engine) -> Result<Vec<Name>, Failure> {
    let fresh = files(args)?;
    let changed: Vec<Name> = fresh
        .iter()
        .filter(|(name, now)| known.zones.get(*name) != Some(*now))
        .map(|(name, _)| name.clone())
        .collect();
    if signs(args) {
        engine.change_signed(|zones, date| {
            let places = 0..zones.len();
            let places = places.filter(|at| changed.contains(zones[*at].origin())).collect::<Vec<_>>();
            let mut done: Vec<(usize, Vec<RawRecord>)> = Vec::new();
            for at in places {
                let (origin, before) = (zones[at].origin().clone(), zones[at].records().to_vec());
                let records = known.journals.on_top_of(&origin, fresh[&origin].records.clone());
                let replaced = records.and_then(|records| {
                    zones[at].replace(date, records).map_err(|why| refused(&origin, &why))
                });
                if let Err(failure) = replaced {
                    // What could be signed before can be signed again.
                    for (at, before) in done {
                        let _ = zones[at].replace(date, before);
                    }
                    return Err(failure);
                }
                done.push((at, before));
            }
            Ok(())
        })?;
    } else {
        engine.replace_zones(|| {
            let mut authority = Authority::default();
            for (origin, file) in &fresh {
                let zone = plain(&known.journals.on_top_of(origin, file.records.clone())?)?;
                if changed.contains(origin) {
                    warn_of_serial(&zone, known);
                }
                authority.insert(Arc::new(zone));
            }
            served(authority, args)
        })?;
    }
    known.zones = fresh;
    Ok(changed)
}

/// Tells that secondaries will not notice a change.
fn warn_of_serial(zone: &SignedZone, known: &Files) {
    // What updates change has a serial of its own.
    let before = known.zones.get(zone.origin()).filter(|_| !known.journals.has_changed(zone.origin()));
    let before = before.and_then(|file| plain(&file.records).ok());
    if before.is_some_and(|old| !is_newer(zone.serial(), old.serial())) {
        let name = name_text(zone.origin());
        output::say(&format!(
            "the serial of {name} has not grown: its secondaries will not notice the change\n"
        ));
    }
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

fn served(authority: Authority, args: &ServeDnsArgs) -> Result<Zones, Failure> {
    let transfer = args.transfer.iter().map(|prefix| (prefix.address(), prefix.len())).collect();
    let copies = args.secondary.iter().map(|text| copy(text)).collect::<Result<_, _>>()?;
    let notify = args.notify.iter().map(|text| address(text)).collect::<Result<_, _>>()?;
    Ok(Zones { authority, transfer, copies, notify, updates: Arc::new(updates::allowed(args)?) })
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

/// What all files say.
fn files(args: &ServeDnsArgs) -> Result<BTreeMap<Name, ZoneFile>, Failure> {
    args.zone.iter().map(|text| file(text, signs(args))).collect()
}

/// One zone's name and file.
fn file(text: &str, signed: bool) -> Result<(Name, ZoneFile), Failure> {
    let (origin, path) = match text.split_once('=') {
        Some((name, file)) => {
            let name = parse_name(name).map_err(|why| {
                Failure::usage(format!("`{name}` is no name: {why}"), "write it as in example.com=FILE")
            })?;
            (name, Path::new(file))
        }
        None => (Name::root(), Path::new(text)),
    };
    let mut found = records(path, &origin)?;
    let soa = found.iter().find(|record| record.rtype == RecordType::SOA);
    let origin = soa.map(|soa| soa.name.to_lowercase()).ok_or_else(|| {
        Failure::usage(format!("{}: there is no SOA", path.display()), "master files: RFC 1035 section 5")
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
    Ok((origin, ZoneFile { path: path.to_path_buf(), records: found }))
}
