//! Packets that were made, to a capture file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use thru_dissect::file::{About, NewInterface, Record, Writer};

use crate::failure::Failure;
use crate::output;

/// A capture file that is written.
pub(crate) struct Save {
    path: PathBuf,
    writer: Writer<Box<dyn Write + Send>>,
    link: u16,
    packets: u64,
}

impl Save {
    /// Opens it: pcapng if the name ends so, else pcap. `-` is standard output.
    pub(crate) fn new(path: &Path, link: u16) -> Result<Save, Failure> {
        let out: Box<dyn Write + Send> = if path == Path::new("-") {
            Box::new(BufWriter::new(io::stdout()))
        } else {
            Box::new(BufWriter::new(File::create(path).map_err(|error| cannot(path, &error))?))
        };
        let writer = if path.extension().is_some_and(|extension| extension == "pcapng") {
            let about =
                About { application: concat!("thru ", env!("CARGO_PKG_VERSION")), ..About::default() };
            let interface = NewInterface { link, snap_length: 0, name: "thru" };
            Writer::pcapng(out, &about).and_then(|mut writer| writer.interface(&interface).map(|()| writer))
        } else {
            Writer::pcap(out, true, link, 262_144)
        };
        let writer = writer.map_err(|error| cannot(path, &error))?;
        Ok(Save { path: path.to_owned(), writer, link, packets: 0 })
    }

    /// Adds a packet; `time` in nanoseconds since the Unix epoch.
    pub(crate) fn packet(&mut self, time: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.keep(time, bytes).map_err(|error| cannot(&self.path, &error))
    }

    /// The same for those who have another way to tell what went wrong.
    pub(crate) fn keep(&mut self, time: u64, bytes: &[u8]) -> io::Result<()> {
        self.packets += 1;
        let record = Record {
            number: self.packets,
            time: Some(time),
            interface: 0,
            link: self.link,
            original: bytes.len() as u32,
            bytes,
            options: thru_dissect::file::Options::none(),
        };
        self.writer.packet(&record, &[])
    }

    /// What was added can be read by others.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    /// Ends the file and says how much is in it.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.writer.flush().map_err(|error| cannot(&self.path, &error))?;
        output::say(&format!("{} written to {}\n", output::packets(self.packets), self.path.display()));
        Ok(())
    }
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::undecided(
        format!("cannot write `{}`: {error}", path.display()),
        "is there such a folder, and room?",
    )
}
