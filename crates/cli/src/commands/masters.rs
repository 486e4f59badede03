//! Master files that commands are given: root hints, trust anchors, zones.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use thru_names::dnssec::anchors::Anchors;
use thru_names::proto::rr::{Name, RecordType};
use thru_names::rdata::master_records;
use thru_names::wire::RawRecord;

use crate::failure::Failure;

/// The records of a master file.
pub(crate) fn records(file: &Path, origin: &Name) -> Result<Vec<RawRecord>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("cannot read {}: {error}", file.display()), "is the path right?")
    })?;
    master_records(&text, origin).map_err(|why| {
        Failure::usage(format!("{}: {why}", file.display()), "master files: RFC 1035 section 5")
    })
}

/// Name servers and their addresses, where a resolution begins.
pub(crate) fn hints(file: &Path) -> Result<Vec<(Name, Vec<IpAddr>)>, Failure> {
    let address = |record: &RawRecord| match record.rtype {
        RecordType::A => <[u8; 4]>::try_from(&record.data[..]).ok().map(IpAddr::from),
        RecordType::AAAA => <[u8; 16]>::try_from(&record.data[..]).ok().map(IpAddr::from),
        _ => None,
    };
    let mut found: Vec<(Name, Vec<IpAddr>)> = Vec::new();
    for record in records(file, &Name::root())? {
        let Some(address) = address(&record) else { continue };
        match found.iter_mut().find(|(name, _)| *name == record.name) {
            Some((_, addresses)) => addresses.push(address),
            None => found.push((record.name, vec![address])),
        }
    }
    if found.is_empty() {
        return Err(Failure::usage(
            format!("{} has no addresses of name servers", file.display()),
            "a line looks like `a.root-servers.net. 3600000 IN A 198.41.0.4`",
        ));
    }
    Ok(found)
}

/// The keys to trust, out of DS and DNSKEY records.
pub(crate) fn anchors(files: &[PathBuf]) -> Result<Anchors, Failure> {
    let mut anchors = Anchors::default();
    for file in files {
        let found = records(file, &Name::root())?;
        if found.iter().filter(|record| anchors.add(record)).count() == 0 {
            return Err(Failure::usage(
                format!("{} has neither DS nor DNSKEY records", file.display()),
                "a line looks like `example. IN DS 12345 15 2 AB12...`",
            ));
        }
    }
    Ok(anchors)
}
