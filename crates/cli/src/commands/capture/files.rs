//! The files that packets are written to: one, or a ring of them by size, time or count.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use thru_dissect::file::{About, NewInterface, Record, Writer};
use thru_dissect::show::compact_date;
use thru_os::capture::Counters;
use thru_os::clock;
use thru_os::privileges::{self, Identity};

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
    /// The reader of a pipe has gone: nobody wants more.
    is_closed: bool,
}

impl Files {
    /// Opens the first file as whom we will be.
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
            is_closed: false,
        };
        files.begin(clock::unix_time().as_nanos() as u64, identity)?;
        // Who reads along learns the format at once.
        files.flush()?;
        Ok(files)
    }

    /// Whether the reader of a pipe has gone: that is no error, but the end.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Begins the next file; the oldest goes if there are too many.
    fn begin(&mut self, time: u64, identity: Option<Identity>) -> Result<(), Failure> {
        self.number += 1;
        let path =
            if self.limits.is_ring() { numbered(&self.path, self.number, time) } else { self.path.clone() };
        self.written.set(0);
        let (inner, pcapng): (Box<dyn Write>, bool) = if self.path == Path::new("-") {
            (Box::new(BufWriter::new(io::stdout())), true)
        } else {
            let file = create(&path, identity).map_err(|error| cannot(&path, &error))?;
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
            // It may have been taken away, and one that cannot be is no reason to lose packets.
            if let Err(error) = fs::remove_file(&oldest)
                && error.kind() != io::ErrorKind::NotFound
            {
                output::say(&format!("warning: cannot remove `{}`: {error}\n", oldest.display()));
            }
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
        let written = self.writer.packet(record, comments);
        self.check(written)
    }

    /// Hands everything to the system.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        let written = self.writer.flush();
        self.check(written)
    }

    /// Ends the last file with what was counted, and says how much was written.
    pub(super) fn finish(mut self, counters: Counters, packets: u64) -> Result<(), Failure> {
        if self.is_closed {
            return Ok(());
        }
        let now = clock::unix_time().as_nanos() as u64;
        let told = self.writer.statistics(0, now, counters.seen, counters.lost);
        self.check(told)?;
        self.flush()?;
        let place = match self.number {
            1 => format!("to {}", self.made[0].display()),
            count => format!("to {count} files, of which {} are there", self.made.len()),
        };
        output::say(&format!("{} written {place}\n", output::packets(packets)));
        Ok(())
    }

    fn check(&mut self, written: io::Result<()>) -> Result<(), Failure> {
        self.is_closed |= written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        match written {
            Err(error) if !self.is_closed => Err(cannot(self.made.back().unwrap_or(&self.path), &error)),
            _ => Ok(()),
        }
    }
}

/// Makes a file or empties it, with the rights of whom we will be: the name may lead to what is not his. Where he may not
/// make one, as in root's own folder, we do; that file stays ours, and none that was there before is touched.
fn create(path: &Path, identity: Option<Identity>) -> io::Result<File> {
    let Some(identity) = identity else { return File::create(path) };
    match privileges::acting_as(identity, || File::create(path)) {
        Ok(Err(denied)) if denied.kind() == io::ErrorKind::PermissionDenied => {
            File::create_new(path).map_err(|_| denied)
        }
        Ok(file) => file,
        // In a namespace of users there may be nobody else to be: we will stay who we are.
        Err(_) => File::create(path),
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

    /// Files as a command line asks for them.
    fn files(words: &[&str]) -> Files {
        use clap::Parser as _;
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: CaptureArgs,
        }
        let Line { args } = Line::try_parse_from(words).expect("arguments");
        let path = args.write.clone().expect("-w");
        Files::open(&path, &args, 1, None).expect("it can be written")
    }

    fn record(number: u64) -> Record<'static> {
        const BYTES: [u8; 60] = [7; 60];
        let options = thru_dissect::file::Options::none();
        Record { number, time: Some(number), interface: 0, link: 1, original: 60, bytes: &BYTES, options }
    }

    #[test]
    fn a_file_of_the_ring_that_somebody_took_away_is_not_missed() {
        let folder = std::env::temp_dir().join(format!("thru-ring-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let name = folder.join("a.pcap");
        let mut files =
            files(&["thru", "-w", name.to_str().expect("plain"), "--file-packets", "1", "-W", "2"]);
        for number in 1..10 {
            files.packet(&record(number), None).expect("written");
            if number % 2 == 0 {
                fs::remove_file(&files.made[0]).expect("it is there");
            }
        }
        assert_eq!((files.number, files.made.len()), (9, 2));
        // Nor one that cannot be removed: a folder has its name.
        let oldest = files.made[0].clone();
        let _ = fs::remove_file(&oldest);
        fs::create_dir_all(oldest.join("inside")).expect("a folder");
        files.packet(&record(10), None).expect("written");
        fs::remove_dir_all(folder).expect("ours");
    }

    /// A pipe whose reader has gone. Of a real one, a child that another test starts may hold the reader's end for a moment.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_the_end_and_no_error() {
        let name = std::env::temp_dir().join(format!("thru-fifo-{}", std::process::id()));
        let made = std::process::Command::new("mkfifo").arg(&name).status();
        assert!(made.is_ok_and(|status| status.success()));
        let words = name.to_str().expect("plain").to_owned();
        let reader = std::thread::spawn(move || {
            let mut read = File::open(words).expect("it is there");
            // The header comes at once.
            io::Read::read_exact(&mut read, &mut [0; 24]).map(|()| read)
        });
        let mut files = files(&["thru", "-w", name.to_str().expect("plain")]);
        let read = reader.join().expect("no panic").expect("the header");
        files.packet(&record(1), None).expect("kept");
        files.flush().expect("taken");
        assert!(!files.is_closed());
        let gone = Counted { inner: Box::new(BufWriter::new(Gone)), bytes: files.written.clone() };
        files.writer = Writer::pcap(gone, true, 1, 65_535).expect("kept");
        drop(read);
        files.packet(&record(2), None).expect("kept");
        files.flush().expect("no error");
        assert!(files.is_closed());
        files.finish(Counters::default(), 2).expect("no error");
        fs::remove_file(name).expect("ours");
    }

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
