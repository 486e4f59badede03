//! Keys of the zones that are signed here: made, kept in files, and where each is in its life.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use thru_names::dnssec::signing::keyfile::{Keys, generate};
use thru_names::dnssec::signing::live::{LiveZone, Timing};
use thru_names::dnssec::signing::zone::Chain;
use thru_names::dnssec::signing::{ECDSAP256SHA256, ED25519, KEY_SIGNING, SigningKey};
use thru_names::proto::rr::{Name, RecordType};
use thru_names::rdata::data_text;
use thru_names::text::name_text;
use thru_names::wire::{RawRecord, name_to_wire};
use thru_serve::nameserver::{SaveFn, randomness};

use crate::args::names::{Algorithm, ServeDnsArgs};
use crate::failure::Failure;
use crate::output;

/// Zones are not all signed anew at once: each has a time of its own within these seconds.
const SPREAD: u32 = 43_200;

impl Algorithm {
    fn number(self) -> u8 {
        match self {
            Algorithm::Ed25519 => ED25519,
            Algorithm::P256 => ECDSAP256SHA256,
        }
    }
}

/// A zone signed, with the keys that it had when we last ended, with those given, or with new ones.
pub(super) fn live(origin: &Name, records: Vec<RawRecord>, args: &ServeDnsArgs) -> Result<LiveZone, Failure> {
    let timing = timing(origin, &records);
    let chain = match (&args.nsec3, &args.nsec3_salt) {
        (false, None) => Chain::Nsec,
        // RFC 9276: no further rounds; and no salt, unless somebody wants one.
        (_, salt) => {
            let salt = salt.as_ref().map(|salt| salt.0.clone()).unwrap_or_default();
            Chain::Nsec3 { iterations: 0, salt, opt_out: false }
        }
    };
    let now = thru_os::clock::unix_time().as_secs();
    let wrong = |why: String| {
        Failure::usage(format!("{}: {why}", name_text(origin)), "master files: RFC 1035 section 5")
    };
    let saved = args.keys.as_deref().map(|folder| state_file(folder, origin)).filter(|file| file.exists());
    let zone = match saved {
        Some(file) => {
            let saved = fs::read_to_string(&file).map_err(|error| unreadable(&file, &error.to_string()))?;
            let keys = in_folder(args.keys.as_deref().unwrap_or(Path::new(".")), origin)?;
            LiveZone::restore(origin, records, keys, chain, timing, &saved, now)
                .map_err(|why| unreadable(&file, &why))?
        }
        None => LiveZone::new(origin, records, first(origin, args)?, chain, timing, now).map_err(wrong)?,
    };
    for ds in wanted(&zone) {
        let (name, ttl) = (name_text(origin), timing.dnskey_ttl);
        output::print(&format!("{name} {ttl} IN DS {}\n", data_text(RecordType::DS, &ds)));
    }
    Ok(zone)
}

/// The keys of a zone that is signed for the first time.
fn first(origin: &Name, args: &ServeDnsArgs) -> Result<Vec<SigningKey>, Failure> {
    let mut keys =
        args.keys.as_deref().map(|folder| in_folder(folder, origin)).transpose()?.unwrap_or_default();
    for file in &args.sign_with {
        let (name, key) = read(file)?;
        if name == *origin {
            keys.push(key);
        }
    }
    if let Some(algorithm) = args.sign.filter(|_| keys.is_empty()) {
        keys.push(new(origin, algorithm, KEY_SIGNING, args.keys.as_deref())?);
    }
    if keys.is_empty() {
        return Err(Failure::usage(
            format!("none of the keys is for {}", name_text(origin)),
            "the name in the K*.key is the zone's",
        ));
    }
    Ok(keys)
}

/// A new key; its files are written before it is used.
pub(super) fn new(
    origin: &Name,
    algorithm: Algorithm,
    flags: u16,
    folder: Option<&Path>,
) -> Result<SigningKey, Failure> {
    let failed = |why: String| Failure::undecided(format!("cannot make a key: {why}"), "");
    let written = generate(origin, algorithm.number(), flags, &randomness()).map_err(failed)?;
    if let Some(folder) = folder {
        let stem = written.stem.replace('/', "%2F");
        write(&folder.join(format!("{stem}.key")), &written.public, 0o644)?;
        write(&folder.join(format!("{stem}.private")), &written.private, 0o600)?;
    }
    let pair = Keys { private: &written.private, public: &written.public };
    pair.read(randomness()).map(|(_, key)| key).map_err(failed)
}

/// What a key's files are called without their endings.
pub(super) fn stem(origin: &Name, key: &SigningKey) -> String {
    let name = name_text(origin).replace('/', "%2F");
    format!("K{name}+{:03}+{:05}", key.algorithm(), key.tag())
}

/// Takes away the files of a key that was never used.
pub(super) fn remove(folder: Option<&Path>, stem: &str) {
    for ending in ["key", "private"] {
        // Who made them a moment ago can remove them; and if not, they harm nobody.
        let _ = folder.map(|folder| fs::remove_file(folder.join(format!("{stem}.{ending}"))));
    }
}

/// The keys of a zone in a folder.
fn in_folder(folder: &Path, origin: &Name) -> Result<Vec<SigningKey>, Failure> {
    fs::create_dir_all(folder).map_err(|error| unreadable(folder, &error.to_string()))?;
    let start = format!("K{}+", name_text(origin).replace('/', "%2F"));
    let all = fs::read_dir(folder).map_err(|error| unreadable(folder, &error.to_string()))?;
    let mut files: Vec<PathBuf> = all
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension().is_some_and(|ending| ending == "private"))
        .filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start)))
        .collect();
    files.sort();
    files.iter().map(|file| read(file).map(|(_, key)| key)).collect()
}

fn read(file: &Path) -> Result<(Name, SigningKey), Failure> {
    let bad = |why: String| {
        Failure::usage(
            format!("cannot use the key {}: {why}", file.display()),
            "give the K*.private of dnssec-keygen or ldns-keygen, with the K*.key beside it",
        )
    };
    let text = |path: &Path| fs::read_to_string(path).map_err(|error| bad(error.to_string()));
    let pair = Keys { private: &text(file)?, public: &text(&file.with_extension("key"))? };
    pair.read(randomness()).map_err(bad)
}

/// The DS data that the zone above should have: the zone says it itself.
pub(super) fn wanted(zone: &LiveZone) -> Vec<Vec<u8>> {
    let set = zone.zone().set(zone.origin(), RecordType::CDS);
    set.into_iter().flat_map(|set| &set.data).map(|data| data.to_vec()).collect()
}

/// Writes down where each zone's keys are, whenever there is a new version of it.
pub(super) fn save(folder: Option<&Path>) -> Box<SaveFn> {
    let folder = folder.map(Path::to_path_buf);
    Box::new(move |zone| {
        let Some(folder) = &folder else { return };
        if let Err(failure) = write(&state_file(folder, zone.origin()), &zone.saved(), 0o644) {
            output::say(&format!("{}\n", failure.message));
        }
    })
}

fn state_file(folder: &Path, origin: &Name) -> PathBuf {
    folder.join(format!("{}state", name_text(origin).replace('/', "%2F")))
}

fn write(file: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    write_whole(file, text, mode).map(drop).map_err(|error| {
        Failure::undecided(format!("cannot write {}: {error}", file.display()), "is the path right?")
    })
}

/// Writes a file whole or not at all: a process that ends in the middle leaves what was there. Gives the new file, open
/// for writing; after an error the name is still that of the old one.
pub(super) fn write_whole(file: &Path, text: &str, mode: u32) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // Opened while nothing has changed yet: behind the change of names there must be nothing that can fail.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::File::open(folder)?;
    let mut fresh = file.as_os_str().to_owned();
    fresh.push(".new");
    // What a process that ended left there may be readable for more than this file shall be.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written =
        fs::OpenOptions::new().create_new(true).write(true).mode(mode).open(&fresh).and_then(|mut to| {
            to.write_all(text.as_bytes())?;
            to.sync_all()?;
            fs::rename(&fresh, file)?;
            Ok(to)
        });
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    // The new name has to outlast a power cut as the contents do; it is there already, though.
    if written.is_ok()
        && let Err(error) = folder.sync_all()
    {
        output::say(&format!("warning: {} may not outlast a power cut: {error}\n", file.display()));
    }
    written
}

fn unreadable(file: &Path, why: &str) -> Failure {
    Failure::usage(
        format!("cannot go on from {}: {why}", file.display()),
        "without the zone's .state file all its keys there are taken for active ones",
    )
}

fn timing(origin: &Name, records: &[RawRecord]) -> Timing {
    let usual = Timing::default();
    // FNV-1a: which moment it is does not matter, as long as zones differ.
    let spread = name_to_wire(origin).iter().fold(0x811c_9dc5_u32, |hash, octet| {
        (hash ^ u32::from(octet.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    let longest_ttl = records.iter().map(|record| record.ttl).max().unwrap_or(usual.longest_ttl);
    Timing { refresh: usual.refresh + spread % SPREAD, longest_ttl, ..usual }
}
