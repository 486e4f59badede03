//! From packets, names and secrets to a file. The bytes depend on what is written alone.

use super::{Record, SECRETS_TLS_KEY_LOG, pcapng};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;

const OPTION_END: u16 = 0;
const OPTION_COMMENT: u16 = 1;
const INTERFACE_NAME: u16 = 2;
const INTERFACE_TIME_RESOLUTION: u16 = 9;
/// Longer texts are cut: an option's length is 16 bits, and people read the first lines.
const TEXT_BYTES_MAX: usize = 4000;

/// Which kind of file to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// pcap with microseconds, which everything reads.
    PcapMicros,
    /// pcap with nanoseconds.
    PcapNanos,
    /// pcapng with nanoseconds.
    Pcapng,
}

/// An interface to write.
#[derive(Clone, Copy, Debug)]
pub struct NewInterface<'a> {
    /// LINKTYPE_ number.
    pub link: u16,
    /// Packets were cut at this many bytes; 0: no limit.
    pub snap_length: u32,
    /// Its name; empty: not told.
    pub name: &'a str,
}

/// Writes a capture file.
pub struct Writer<W> {
    out: W,
    format: Format,
}

/// What a section tells of its making.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// A comment about the whole.
    pub comment: &'a str,
    /// `shb_hardware`.
    pub hardware: &'a str,
    /// `shb_os`.
    pub os: &'a str,
    /// `shb_userappl`.
    pub application: &'a str,
}

impl<W: Write> Writer<W> {
    /// A pcap file of one link type.
    ///
    /// # Errors
    /// Whatever `out` fails with.
    pub fn pcap(mut out: W, nanoseconds: bool, link: u16, snap_length: u32) -> io::Result<Writer<W>> {
        let magic: u32 = if nanoseconds { 0xA1B2_3C4D } else { 0xA1B2_C3D4 };
        let snap_length = if snap_length == 0 { 262_144 } else { snap_length };
        for word in [magic, 0x0004_0002, 0, 0, snap_length, u32::from(link)] {
            out.write_all(&word.to_le_bytes())?;
        }
        let format = if nanoseconds { Format::PcapNanos } else { Format::PcapMicros };
        Ok(Writer { out, format })
    }

    /// A pcapng file that begins with a section header.
    ///
    /// # Errors
    /// Whatever `out` fails with.
    pub fn pcapng(out: W, about: &About<'_>) -> io::Result<Writer<W>> {
        let mut writer = Writer { out, format: Format::Pcapng };
        let mut block = Block::new(pcapng::SECTION_HEADER);
        block.u32(pcapng::BYTE_ORDER).u16(1).u16(0).u64(u64::MAX); // version 1.0, length not given
        let texts =
            [(OPTION_COMMENT, about.comment), (2, about.hardware), (3, about.os), (4, about.application)];
        for (code, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            block.text(code, text);
        }
        block.end_options();
        block.write(&mut writer.out)?;
        Ok(writer)
    }

    /// A file all of whose bytes come from another one of that format, through [`Writer::raw`], its header first.
    pub fn copy(out: W, format: Format) -> Writer<W> {
        Writer { out, format }
    }

    /// Passes a block on as it was read.
    ///
    /// # Errors
    /// Whatever the file fails with.
    pub fn raw(&mut self, block: &[u8]) -> io::Result<()> {
        self.out.write_all(block)
    }

    /// Describes the next interface. pcap has one, in its header: there this does nothing.
    ///
    /// # Errors
    /// Whatever the file fails with.
    pub fn interface(&mut self, interface: &NewInterface<'_>) -> io::Result<()> {
        if self.format != Format::Pcapng {
            return Ok(());
        }
        let mut block = Block::new(pcapng::INTERFACE);
        block.u16(interface.link).u16(0).u32(interface.snap_length);
        if !interface.name.is_empty() {
            block.text(INTERFACE_NAME, interface.name);
        }
        block.option(INTERFACE_TIME_RESOLUTION, &[9]); // 10^-9 s
        block.end_options();
        block.write(&mut self.out)
    }

    /// Tells names of addresses: one record per address, all its names in it, as readers expect. pcap cannot.
    ///
    /// # Errors
    /// Whatever the file fails with.
    pub fn names(&mut self, pairs: &[(IpAddr, String)]) -> io::Result<()> {
        match names(pairs) {
            Some(block) if self.format == Format::Pcapng => block.write(&mut self.out),
            _ => Ok(()),
        }
    }

    /// Embeds TLS secrets in the NSS key log format. pcap cannot.
    ///
    /// # Errors
    /// Whatever the file fails with.
    pub fn key_log(&mut self, key_log: &str) -> io::Result<()> {
        if self.format != Format::Pcapng || key_log.is_empty() {
            return Ok(());
        }
        let mut block = Block::new(pcapng::SECRETS);
        block.u32(SECRETS_TLS_KEY_LOG).u32(length(key_log.len())).padded(key_log.as_bytes());
        block.write(&mut self.out)
    }

    /// Passes on a pcapng section's header as it was read, and TLS secrets behind it, in the section's byte order: what
    /// they open comes after them. The section's length, if it was told, is told no more.
    ///
    /// # Errors
    /// Whatever the file fails with.
    pub fn section_with_secrets(&mut self, header: &[u8], key_log: &[u8]) -> io::Result<()> {
        /// Of the section's length within its header.
        const LENGTH: std::ops::Range<usize> = 16..24;
        let mut header = header.to_vec();
        if let Some(length) = header.get_mut(LENGTH) {
            length.fill(0xFF);
        }
        self.out.write_all(&header)?;
        let is_little = header.get(8..12) == Some(&pcapng::BYTE_ORDER.to_le_bytes());
        let word = |value: u32| if is_little { value.to_le_bytes() } else { value.to_be_bytes() };
        let padding = key_log.len().wrapping_neg() % 4;
        let total = word(length(20 + key_log.len() + padding));
        for part in [word(pcapng::SECRETS), total, word(SECRETS_TLS_KEY_LOG), word(length(key_log.len()))] {
            self.out.write_all(&part)?;
        }
        self.out.write_all(key_log)?;
        self.out.write_all(&[0; 3][..padding])?;
        self.out.write_all(&total)
    }

    /// A packet with comments (which pcap cannot keep): only number, options and link of `record` are not used.
    ///
    /// # Errors
    /// Whatever the file fails with.
    pub fn packet(&mut self, record: &Record<'_>, comments: &[&str]) -> io::Result<()> {
        let (time, captured) = (record.time.unwrap_or(0), length(record.bytes.len()));
        if self.format != Format::Pcapng {
            let unit = if self.format == Format::PcapNanos { 1 } else { 1000 };
            let fraction = (time % 1_000_000_000 / unit) as u32;
            for word in [(time / 1_000_000_000) as u32, fraction, captured, record.original] {
                self.out.write_all(&word.to_le_bytes())?;
            }
            return self.out.write_all(record.bytes);
        }
        let mut block = Block::new(pcapng::ENHANCED_PACKET);
        block.u32(record.interface).u32((time >> 32) as u32).u32(time as u32);
        block.u32(captured).u32(record.original).padded(record.bytes);
        for comment in comments {
            block.text(OPTION_COMMENT, comment);
        }
        if !comments.is_empty() {
            block.end_options();
        }
        block.write(&mut self.out)
    }

    /// What was counted on an interface until `time` (nanoseconds since the Unix epoch): packets that passed the filter,
    /// and those of them that were lost. pcap cannot tell it.
    ///
    /// # Errors
    /// Whatever the file fails with.
    pub fn statistics(&mut self, interface: u32, time: u64, passed: u64, lost: u64) -> io::Result<()> {
        /// `isb_filteraccept` and `isb_osdrop`.
        const COUNTERS: [u16; 2] = [6, 7];
        if self.format != Format::Pcapng {
            return Ok(());
        }
        let mut block = Block::new(pcapng::STATISTICS);
        block.u32(interface).u32((time >> 32) as u32).u32(time as u32);
        for (code, count) in COUNTERS.into_iter().zip([passed, lost]) {
            block.option(code, &count.to_le_bytes());
        }
        block.end_options();
        block.write(&mut self.out)
    }

    /// The file, complete.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// Whatever the file fails with.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn names(pairs: &[(IpAddr, String)]) -> Option<Block> {
    let mut by_address: BTreeMap<IpAddr, BTreeSet<String>> = BTreeMap::new();
    for (address, name) in pairs {
        let name: String =
            name.trim_end_matches('.').chars().filter(|c| c.is_ascii_graphic()).take(255).collect();
        if !name.is_empty() {
            by_address.entry(*address).or_default().insert(name);
        }
    }
    if by_address.is_empty() {
        return None;
    }
    let mut block = Block::new(pcapng::NAMES);
    for (address, names) in &by_address {
        let (kind, mut value) = match address {
            IpAddr::V4(address) => (1, address.octets().to_vec()),
            IpAddr::V6(address) => (2, address.octets().to_vec()),
        };
        for name in names {
            // A record's length is 16 bits; hundreds of names for one address are not worth a second record.
            if value.len() + name.len() < usize::from(u16::MAX) {
                value.extend_from_slice(name.as_bytes());
                value.push(0);
            }
        }
        block.option(kind, &value);
    }
    block.end_options(); // the end-of-records record has the same form
    Some(block)
}

/// A length as the format wants it.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a block's part is below 4 GiB")
}

/// A block under construction: its type and its body so far.
struct Block {
    kind: u32,
    body: Vec<u8>,
}

impl Block {
    fn new(kind: u32) -> Block {
        Block { kind, body: Vec::new() }
    }

    fn u16(&mut self, value: u16) -> &mut Block {
        self.body.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Block {
        self.body.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u64(&mut self, value: u64) -> &mut Block {
        self.body.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Bytes, then zeros up to a multiple of four.
    fn padded(&mut self, bytes: &[u8]) -> &mut Block {
        self.body.extend_from_slice(bytes);
        self.body.resize(self.body.len().next_multiple_of(4), 0);
        self
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        let length = u16::try_from(value.len()).expect("callers keep options below 64 KiB");
        self.u16(code).u16(length).padded(value);
    }

    /// A text option: UTF-8, not terminated, cut at [`TEXT_BYTES_MAX`].
    fn text(&mut self, code: u16, text: &str) {
        let end = text.floor_char_boundary(TEXT_BYTES_MAX);
        self.option(code, &text.as_bytes()[..end]);
    }

    fn end_options(&mut self) {
        self.u16(OPTION_END).u16(0);
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let total = length(self.body.len() + 12).to_le_bytes();
        out.write_all(&self.kind.to_le_bytes())?;
        out.write_all(&total)?;
        out.write_all(&self.body)?;
        out.write_all(&total)
    }
}
