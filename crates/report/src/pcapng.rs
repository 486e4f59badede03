//! The packets of a trace as a pcapng file, with names, secrets and comments.
//!
//! Format: draft-ietf-opsawg-pcapng, little-endian, one section. Blocks in this order: section header,
//! one interface per tapped link (nanosecond times), names, TLS secrets, packets. A reader that takes the
//! blocks one by one therefore knows names and secrets before the first packet that needs them.
//!
//! The bytes depend on the trace alone: no clock, no machine name, no environment. The same trace gives the
//! same file on every machine.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;

use thru_trace::{Packet, PacketFate, Trace, Verdict};

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const NAMES: u32 = 4;
const ENHANCED_PACKET: u32 = 6;
const SECRETS: u32 = 10;

const OPTION_END: u16 = 0;
const OPTION_COMMENT: u16 = 1;
const SECTION_HARDWARE: u16 = 2;
const SECTION_OS: u16 = 3;
const SECTION_APPLICATION: u16 = 4;
const INTERFACE_NAME: u16 = 2;
const INTERFACE_TIME_RESOLUTION: u16 = 9;

/// LINKTYPE_ETHERNET.
const ETHERNET: u16 = 1;
/// "TLSK": an NSS key log.
const TLS_KEY_LOG: u32 = 0x544c_534b;
/// Longer comments are cut: an option's length is 16 bits, and people read the first lines.
const COMMENT_BYTES_MAX: usize = 4000;

/// Stand-ins for unlisted interfaces stop here, so a nonsense number cannot fill a disk.
const INTERFACES_MAX: usize = 4096;

/// Writes the packets, names and secrets of a trace.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(trace: &Trace, out: impl Write) -> io::Result<()> {
    write_blocks(trace, None, out)
}

/// As [`write()`], and each frame the verdict cites carries the statement it proves as a comment.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_with_verdict(trace: &Trace, verdict: &Verdict, out: impl Write) -> io::Result<()> {
    write_blocks(trace, Some(verdict), out)
}

fn write_blocks(trace: &Trace, verdict: Option<&Verdict>, mut out: impl Write) -> io::Result<()> {
    section_header(trace, verdict).write(&mut out)?;
    for name in interface_names(trace) {
        interface(&name).write(&mut out)?;
    }
    if let Some(block) = names(&trace.names) {
        block.write(&mut out)?;
    }
    if !trace.key_log.is_empty() {
        secrets(&trace.key_log).write(&mut out)?;
    }
    let cited = statements(verdict);
    for packet in &trace.packets {
        let says = cited.get(&packet.number).map_or(&[][..], Vec::as_slice);
        enhanced_packet(packet, trace.epoch_unix_nanos, says).write(&mut out)?;
    }
    out.flush()
}

fn section_header(trace: &Trace, verdict: Option<&Verdict>) -> Block {
    let mut block = Block::new(SECTION_HEADER);
    block.u32(0x1A2B_3C4D).u16(1).u16(0).u64(u64::MAX); // byte order, version 1.0, length not given
    if let Some(verdict) = verdict {
        block.text(OPTION_COMMENT, &verdict.summary);
    }
    let seed = trace.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
    block.text(SECTION_HARDWARE, &format!("network {}{seed}", trace.network));
    block.text(SECTION_OS, &format!("request {}", trace.target));
    block.text(SECTION_APPLICATION, concat!("thru ", env!("CARGO_PKG_VERSION")));
    block.end_options();
    block
}

/// The tapped links, and a stand-in for each that a packet names but the trace does not list: a packet that points
/// nowhere would make the file unreadable.
fn interface_names(trace: &Trace) -> Vec<String> {
    let mut names = trace.interfaces.clone();
    let used = trace.packets.iter().map(|packet| packet.interface).max();
    for number in names.len()..used.map_or(0, |used| used as usize + 1).min(INTERFACES_MAX) {
        names.push(format!("link {number}"));
    }
    names
}

fn interface(name: &str) -> Block {
    let mut block = Block::new(INTERFACE);
    block.u16(ETHERNET).u16(0).u32(0); // no limit on the captured length
    block.text(INTERFACE_NAME, name);
    block.option(INTERFACE_TIME_RESOLUTION, &[9]); // 10^-9 s
    block.end_options();
    block
}

/// One record per address, all its names in it, as readers expect.
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
    let mut block = Block::new(NAMES);
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

fn secrets(key_log: &str) -> Block {
    let mut block = Block::new(SECRETS);
    block.u32(TLS_KEY_LOG).u32(length(key_log.len())).padded(key_log.as_bytes());
    block
}

fn enhanced_packet(packet: &Packet, epoch: u64, says: &[String]) -> Block {
    let at = epoch.saturating_add(packet.at);
    let length = length(packet.bytes.len());
    let mut block = Block::new(ENHANCED_PACKET);
    block.u32(packet.interface).u32((at >> 32) as u32).u32(at as u32);
    block.u32(length).u32(length).padded(&packet.bytes);
    let dropped = match &packet.fate {
        // A comment of its own says it better already.
        PacketFate::Dropped(_) if packet.comment.is_some() => None,
        PacketFate::Passed => None,
        PacketFate::Dropped(reason) => Some(format!("dropped: {reason}")),
    };
    let comments: Vec<&String> = packet.comment.iter().chain(&dropped).chain(says).collect();
    for comment in &comments {
        block.text(OPTION_COMMENT, comment);
    }
    if !comments.is_empty() {
        block.end_options();
    }
    block
}

/// What the verdict says of each frame it cites.
fn statements(verdict: Option<&Verdict>) -> BTreeMap<u64, Vec<String>> {
    let mut by_frame: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for evidence in verdict.iter().flat_map(|verdict| &verdict.evidence) {
        for &frame in &evidence.frames {
            by_frame.entry(frame).or_default().push(format!("verdict: {}", evidence.says));
        }
    }
    by_frame
}

/// A length as the format wants it. Frames are below 64 KiB and key logs a few KiB.
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

    /// A text option: UTF-8, not terminated. Cut at [`COMMENT_BYTES_MAX`]; control characters are shown, not written,
    /// since readers print comments on terminals.
    fn text(&mut self, code: u16, text: &str) {
        let mut shown = crate::text::escape(text);
        if shown.len() > COMMENT_BYTES_MAX {
            shown.truncate(shown.floor_char_boundary(COMMENT_BYTES_MAX));
        }
        self.option(code, shown.as_bytes());
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

#[cfg(test)]
mod tests;
