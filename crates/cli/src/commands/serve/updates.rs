//! Updates (RFC 2136): who may send them, and the journals in which their changes outlast this process, one beside each
//! zone's file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thru_names::authority::changes::Change;
use thru_names::authority::tsig::{Key, Keyring};
use thru_names::authority::update::journal::{self, Journal};
use thru_names::authority::update::{Grant, Updates};
use thru_names::proto::rr::Name;
use thru_names::text::name_text;
use thru_names::wire::RawRecord;
use thru_serve::nameserver::JournalFn;

use super::keys::write_whole;
use crate::args::names::ServeDnsArgs;
use crate::failure::Failure;
use crate::output;

/// Changes that a journal holds; when there are twice as many, the older half becomes one.
const CHANGES_MAX: usize = 1000;

/// Who may change zones.
pub(super) fn allowed(args: &ServeDnsArgs) -> Result<Updates, Failure> {
    let keys: Vec<Key> = args.update_key.iter().map(|file| key(file)).collect::<Result<_, _>>()?;
    let from = args.update.iter().map(|prefix| (prefix.address(), prefix.len())).collect();
    let grant = Grant { keys: keys.iter().map(|key| key.name().clone()).collect(), from };
    Ok(Updates { keys: Keyring::new(keys), grant })
}

fn key(file: &Path) -> Result<Key, Failure> {
    let wrong = |why: String| {
        Failure::usage(
            format!("cannot use the key in {}: {why}", file.display()),
            "give the file that `tsig-keygen NAME` writes, the one that `nsupdate -k` gets",
        )
    };
    let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    Key::from_file(&text).map_err(wrong)
}

/// The journals of all zones. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Journals(Arc<Mutex<BTreeMap<Name, Kept>>>);

/// A zone's journal, on disk and here.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    /// To write further changes; only where updates are allowed.
    to: Option<File>,
    journal: Journal,
}

impl Journals {
    /// The records of a zone's file with what updates have changed since; the changes that led there, where the file is
    /// still the same.
    pub(super) fn open(
        &self,
        origin: &Name,
        zone_file: &Path,
        records: &[RawRecord],
        args: &ServeDnsArgs,
    ) -> Result<(Vec<RawRecord>, Vec<Change>), Failure> {
        let mut path = zone_file.as_os_str().to_owned();
        path.push(".journal");
        let path = PathBuf::from(path);
        let found = match fs::read_to_string(&path) {
            Ok(text) => Some(Journal::read(&text).map_err(|why| unreadable(&path, &why))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(unreadable(&path, &error.to_string())),
        };
        let updates = !(args.update.is_empty() && args.update_key.is_empty());
        if found.is_none() && !updates {
            return Ok((records.to_vec(), Vec::new()));
        }
        let journal =
            found.unwrap_or_else(|| Journal { file: journal::print_of(records), ..Journal::default() });
        let now = journal.on_top_of(origin, records);
        let same = journal.file == journal::print_of(records);
        let changes = if same { journal.steps().to_vec() } else { Vec::new() };
        let mut kept = Kept { path, to: None, journal };
        if updates {
            kept.rebase(origin, records, &now).map_err(|error| unwritable(origin, &kept.path, &error))?;
        }
        self.lock().insert(origin.clone(), kept);
        Ok((now, changes))
    }

    /// The records of a zone's file that has been read again, with what updates have changed since.
    pub(super) fn on_top_of(
        &self,
        origin: &Name,
        records: Vec<RawRecord>,
    ) -> Result<Vec<RawRecord>, Failure> {
        let mut all = self.lock();
        let Some(kept) = all.get_mut(origin) else { return Ok(records) };
        let now = kept.journal.on_top_of(origin, &records);
        if kept.to.is_some() {
            kept.rebase(origin, &records, &now).map_err(|error| unwritable(origin, &kept.path, &error))?;
        }
        Ok(now)
    }

    /// Whether updates have changed a zone.
    pub(super) fn has_changed(&self, origin: &Name) -> bool {
        self.lock().get(origin).is_some_and(|kept| !kept.journal.changes.is_empty())
    }

    /// Writes changes down.
    pub(super) fn writer(&self) -> Box<JournalFn> {
        let journals = self.clone();
        Box::new(move |origin, change| {
            let mut all = journals.lock();
            let kept = all.get_mut(origin).ok_or_else(|| "there is no journal of it".to_owned())?;
            kept.add(origin, change).map_err(|error| {
                let failure = unwritable(origin, &kept.path, &error);
                output::say(&format!("{}; the update was refused\n", failure.message));
                failure.message
            })
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Begins the journal anew on top of what the file says now: what has changed stays. Where the file had been edited,
    /// that is one change, from it to the zone as it is served.
    fn rebase(&mut self, origin: &Name, file: &[RawRecord], now: &[RawRecord]) -> io::Result<()> {
        let print = journal::print_of(file);
        if print != self.journal.file && !self.journal.changes.is_empty() {
            self.journal.changes = vec![Change::between(origin, file, now)];
            self.journal.edited = true;
        }
        self.journal.file = print;
        self.write_whole(origin)
    }

    /// Writes all of it to a new file, which then takes the place of the old one.
    fn write_whole(&mut self, origin: &Name) -> io::Result<()> {
        let steps = self.journal.changes.iter().map(journal::step);
        let text =
            journal::head(origin, &self.journal.file, self.journal.edited) + &steps.collect::<String>();
        // The file that has the name now: what is added to the old one would be gone with the process.
        self.to = Some(write_whole(&self.path, &text, 0o644)?);
        self.journal.whole = text.len();
        Ok(())
    }

    /// Adds a change; it is on disk afterwards.
    fn add(&mut self, origin: &Name, change: &Change) -> io::Result<()> {
        use std::os::unix::fs::FileExt as _;
        let to = self.to.as_ref().ok_or(io::ErrorKind::ReadOnlyFilesystem)?;
        let text = journal::step(change);
        // Over what a failed attempt may have left.
        let written = to
            .set_len(self.journal.whole as u64)
            .and_then(|()| to.write_all_at(text.as_bytes(), self.journal.whole as u64))
            .and_then(|()| to.sync_data());
        written.inspect_err(|_| {
            // Without its end it would not count; but it may be whole.
            let _ = to.set_len(self.journal.whole as u64);
        })?;
        self.journal.whole += text.len();
        self.journal.changes.push(change.clone());
        if self.journal.changes.len() > 2 * CHANGES_MAX {
            let journal = std::mem::take(&mut self.journal).shortened(CHANGES_MAX);
            self.journal = journal;
            // What stands there is whole, only long: the next change tries again.
            if let Err(error) = self.write_whole(origin) {
                output::say(&format!("{}\n", unwritable(origin, &self.path, &error).message));
            }
        }
        Ok(())
    }
}

fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::usage(
        format!("cannot read what updates have changed, in {}: {why}", path.display()),
        "mend it, or move it away to serve what the zone's file says and forget the updates",
    )
}

fn unwritable(origin: &Name, path: &Path, error: &io::Error) -> Failure {
    Failure::undecided(
        format!("cannot write down updates of {} in {}: {error}", name_text(origin), path.display()),
        "changes are kept beside the zone's file: its folder has to be writable for this user",
    )
}
