//! Writing a part of a capture to another file, block by block as it stands.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use thru_dissect::file::{Format, Reader, Writer};

use crate::failure::Failure;
use crate::output;

/// The file that is written.
pub(crate) struct Save {
    path: PathBuf,
    writer: Writer<Box<dyn Write>>,
    /// Secrets that were given besides: they go into each section, if sections there are.
    secrets: Vec<u8>,
    /// Packets may be left out: a section's length, if it was told, is told no more.
    is_part: bool,
}

/// The first bytes of a pcapng section, in any byte order.
const SECTION: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];
/// Where in its header a section's length is.
const SECTION_LENGTH: std::ops::Range<usize> = 16..24;

impl Save {
    /// Opens the file; it will have the format of the one that is read. Whether packets may be left out is for `is_part` to
    /// say.
    pub(crate) fn new<R: Read>(
        path: &Path,
        reader: &Reader<R>,
        key_logs: &[PathBuf],
        is_part: bool,
    ) -> Result<Save, Failure> {
        let out: Box<dyn Write> = if path == Path::new("-") {
            Box::new(BufWriter::new(io::stdout()))
        } else {
            Box::new(BufWriter::new(File::create(path).map_err(|error| cannot(path, &error))?))
        };
        let format = match (reader.is_pcapng(), reader.counts_nanoseconds()) {
            (true, _) => Format::Pcapng,
            (false, true) => Format::PcapNanos,
            (false, false) => Format::PcapMicros,
        };
        let mut secrets = Vec::new();
        for key_log in key_logs.iter().filter(|_| reader.is_pcapng()) {
            secrets.extend(super::key_log(key_log)?);
        }
        let mut save = Save { path: path.to_owned(), writer: Writer::copy(out, format), secrets, is_part };
        if let Some(header) = reader.raw_header() {
            save.writer.raw(header).map_err(|error| cannot(path, &error))?;
        }
        Ok(save)
    }

    /// Passes on what the reader gave last; whether more is wanted: not when whoever reads it has gone.
    pub(crate) fn pass<R: Read>(&mut self, reader: &Reader<R>) -> Result<bool, Failure> {
        let raw = reader.raw();
        let is_section = raw.starts_with(&SECTION) && reader.is_pcapng();
        let written = if is_section && !self.secrets.is_empty() {
            self.writer.section_with_secrets(raw, &self.secrets)
        } else if is_section && self.is_part {
            let mut header = raw.to_vec();
            header.get_mut(SECTION_LENGTH).into_iter().flatten().for_each(|byte| *byte = 0xFF);
            self.writer.raw(&header)
        } else {
            self.writer.raw(raw)
        };
        self.wanted(written)
    }

    /// Hands everything to the system.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        let written = self.writer.flush();
        self.wanted(written).map(drop)
    }

    /// A reader that has gone (`thru read ... -w - | head`) is no error.
    fn wanted(&self, written: io::Result<()>) -> Result<bool, Failure> {
        match written {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(cannot(&self.path, &error)),
        }
    }

    /// Ends the file and says how much is in it.
    pub(crate) fn finish(mut self, packets: u64) -> Result<(), Failure> {
        self.flush()?;
        let besides = if self.secrets.is_empty() { "" } else { ", with the secrets that open them" };
        output::say(&format!("{} written to {}{besides}\n", output::packets(packets), self.path.display()));
        Ok(())
    }
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::undecided(format!("cannot write `{}`: {error}", path.display()), "")
}
