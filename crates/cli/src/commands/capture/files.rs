//! The files that packets are written to: one, or a ring of them by size, time or count.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::fchown;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thru_dissect::file::{About, NewInterface, Record, Writer};
use thru_dissect::show::compact_date;
use thru_os::capture::Counters;
use thru_os::clock;
use thru_os::privileges::Identity;

use crate::args::captures::CaptureArgs;
use crate::failure::Failure;
use crate::output;

/// When another file begins, and how many stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Limits {
    bytes: Option<u64>,
    nanos: Option<u64>,
    packets: Option<u64>,
    files: Option<u32>,
}

impl Limits {
    fn of(args: &CaptureArgs) -> Limits {
        Limits {
            bytes: args.file_size.map(|millions| millions * 1_000_000),
            nanos: args.file_time.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
            packets: args.file_packets,
            files: args.files,
        }
    }

    /// Whether there are several files.
    fn is_ring(self) -> bool {
        self.bytes.is_some() || self.nanos.is_some() || self.packets.is_some()
    }
}

/// What is written to.
pub(super) struct Files {
    path: PathBuf,
    limits: Limits,
    link: u16,
    snap_length: u32,
    interface: String,
    writer: Writer<Counted>,
    /// Of the file that is open.
    written: Rc<Cell<u64>>,
    packets: u64,
    since: Option<u64>,
    /// Those that are there, the oldest first.
    made: VecDeque<PathBuf>,
    number: u32,
}

impl Files {
    /// Opens the first file, and gives it to whom we will be.
    pub(super) fn open(
        path: &Path,
        args: &CaptureArgs,
        link: u16,
        identity: Option<Identity>,
    ) -> Result<Files, Failure> {
        let limits = Limits::of(args);
        if limits.is_ring() && path == Path::new("-") {
            return Err(Failure::usage("standard output is one file", "give -w a name to write several"));
        }
        if limits.files.is_some() && !limits.is_ring() {
            return Err(Failure::usage(
                "-W says how many files stay, but nothing says when one ends",
                "add -C, -G or --file-packets",
            ));
        }
        let written = Rc::new(Cell::new(0));
        let mut files = Files {
            path: path.to_owned(),
            limits,
            link,
            snap_length: args.snap_length,
            interface: args.interface.clone(),
            writer: Writer::copy(Counted::nowhere(), thru_dissect::file::Format::Pcapng),
            written,
            packets: 0,
            since: None,
            made: VecDeque::new(),
            number: 0,
        };
        files.begin(clock::unix_time().as_nanos() as u64, identity)?;
        Ok(files)
    }

    /// Whether somebody reads along.
    pub(super) fn is_a_pipe(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Begins the next file; the oldest goes if there are too many.
    fn begin(&mut self, time: u64, identity: Option<Identity>) -> Result<(), Failure> {
        self.number += 1;
        let path =
            if self.limits.is_ring() { numbered(&self.path, self.number, time) } else { self.path.clone() };
        self.written.set(0);
        let (inner, pcapng): (Box<dyn Write>, bool) = if self.is_a_pipe() {
            (Box::new(BufWriter::new(io::stdout())), true)
        } else {
            let file = File::create(&path).map_err(|error| cannot(&path, &error))?;
            if let Some(Identity { user, group }) = identity {
                // In a namespace of users there may be nobody to give it to.
                let _ = fchown(&file, Some(user), Some(group));
            }
            let pcapng = path.extension().is_some_and(|extension| extension == "pcapng");
            (Box::new(BufWriter::with_capacity(1 << 18, file)), pcapng)
        };
        let out = Counted { inner, bytes: self.written.clone() };
        let made =
            if pcapng { self.pcapng(out) } else { Writer::pcap(out, true, self.link, self.snap_length) };
        self.writer = made.map_err(|error| cannot(&path, &error))?;
        (self.packets, self.since) = (0, None);
        self.made.push_back(path);
        while self.limits.files.is_some_and(|most| self.made.len() > most as usize) {
            let oldest = self.made.pop_front().expect("there are more than enough");
            fs::remove_file(&oldest).map_err(|error| cannot(&oldest, &error))?;
        }
        Ok(())
    }

    fn pcapng(&self, out: Counted) -> io::Result<Writer<Counted>> {
        let application = concat!("thru ", env!("CARGO_PKG_VERSION"));
        let mut writer = Writer::pcapng(out, &About { application, os: "Linux", ..About::default() })?;
        let (link, snap_length, name) = (self.link, self.snap_length, self.interface.as_str());
        writer.interface(&NewInterface { link, snap_length, name })?;
        Ok(writer)
    }

    /// Writes a packet, and what is known of it beyond its bytes.
    pub(super) fn packet(&mut self, record: &Record<'_>, aside: Option<&str>) -> Result<(), Failure> {
        let time = record.time.unwrap_or(0);
        let since = *self.since.get_or_insert(time);
        let full = self.limits.bytes.is_some_and(|most| self.written.get() >= most)
            || self.limits.nanos.is_some_and(|most| time.saturating_sub(since) >= most)
            || self.limits.packets.is_some_and(|most| self.packets >= most);
        if full && self.packets > 0 {
            self.flush()?;
            self.begin(time, None)?;
            self.since = Some(time);
        }
        self.packets += 1;
        let comments = aside.as_slice();
        self.writer.packet(record, comments).map_err(|error| self.failed(&error))
    }

    /// Hands everything to the system.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| self.failed(&error))
    }

    /// Ends the last file with what was counted, and says how much was written.
    pub(super) fn finish(mut self, counters: Counters, packets: u64) -> Result<(), Failure> {
        let now = clock::unix_time().as_nanos() as u64;
        let told = self.writer.statistics(0, now, counters.seen, counters.lost);
        told.map_err(|error| self.failed(&error))?;
        self.flush()?;
        let place = match self.number {
            1 => format!("to {}", self.made[0].display()),
            count => format!("to {count} files, of which {} are there", self.made.len()),
        };
        output::say(&format!("{packets} packets written {place}\n"));
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> Failure {
        cannot(self.made.back().unwrap_or(&self.path), error)
    }
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => "files are written without root's rights: -Z says whose are used",
        io::ErrorKind::StorageFull => "-C and -W keep files in a ring",
        _ => "",
    };
    Failure::undecided(format!("cannot write `{}`: {error}", path.display()), hint)
}

/// `web.pcapng` as `web_00001_20261121093000.pcapng`.
fn numbered(path: &Path, number: u32, time: u64) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
    path.with_file_name(format!("{stem}_{number:05}_{}{}", compact_date(time), extension.unwrap_or_default()))
}

/// Counts what is written.
struct Counted {
    inner: Box<dyn Write>,
    bytes: Rc<Cell<u64>>,
}

impl Counted {
    fn nowhere() -> Counted {
        Counted { inner: Box::new(io::sink()), bytes: Rc::default() }
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes.set(self.bytes.get() + written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_in_a_ring() {
        let time = 1_795_253_400_000_000_000;
        assert_eq!(
            numbered(Path::new("/tmp/web.site.pcapng"), 12, time),
            Path::new("/tmp/web.site_00012_20261121093000.pcapng")
        );
        assert_eq!(numbered(Path::new("web"), 1, time), Path::new("web_00001_20261121093000"));
    }
}
