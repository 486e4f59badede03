//! The packets of a trace as a pcapng file, with names, secrets and comments.
//!
//! Format: draft-ietf-opsawg-pcapng, little-endian, one section. Blocks in this order: section header,
//! one interface per tapped link (nanosecond times), names, TLS secrets, packets. A reader that takes the
//! blocks one by one therefore knows names and secrets before the first packet that needs them.
//!
//! The bytes depend on the trace alone: no clock, no machine name, no environment. The same trace gives the
//! same file on every machine.

use std::collections::BTreeMap;
use std::io::{self, Write};

use thru_dissect::file::{About, NewInterface, Options, Record, Writer, link};
use thru_trace::frames::{self, CHECK};
use thru_trace::{Packet, PacketFate, Trace, Verdict};

use crate::text::escape;

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

fn write_blocks(trace: &Trace, verdict: Option<&Verdict>, out: impl Write) -> io::Result<()> {
    let mut file = begin(trace, verdict, out)?;
    for name in interface_names(trace) {
        // No limit on the captured length. Readers print texts on terminals: control characters are shown, not written.
        file.interface(&NewInterface { link: link::ETHERNET, snap_length: 0, name: &escape(&name) })?;
    }
    file.names(&trace.names)?;
    file.key_log(&trace.key_log)?;
    let cited = statements(verdict);
    let checks = frames::checks(trace);
    for packet in &trace.packets {
        let says = cited.get(&packet.number).map_or(&[][..], Vec::as_slice);
        // Who reads the packets can tell the request from what was asked to explain it.
        let check = checks.get(&packet.number).map(|check| format!("{CHECK}{check}"));
        let says: Vec<&String> = check.iter().chain(says).collect();
        write_packet(&mut file, packet, trace.epoch_unix_nanos, &says)?;
    }
    file.flush()
}

fn begin<W: Write>(trace: &Trace, verdict: Option<&Verdict>, out: W) -> io::Result<Writer<W>> {
    let seed = trace.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
    let about = About {
        comment: &verdict.map(|verdict| escape(&verdict.summary)).unwrap_or_default(),
        hardware: &escape(&format!("network {}{seed}", trace.network)),
        os: &escape(&format!("request {}", trace.target)),
        application: concat!("thru ", env!("CARGO_PKG_VERSION")),
    };
    Writer::pcapng(out, &about)
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

fn write_packet<W: Write>(
    file: &mut Writer<W>,
    packet: &Packet,
    epoch: u64,
    says: &[&String],
) -> io::Result<()> {
    let record = Record {
        number: packet.number,
        time: Some(epoch.saturating_add(packet.at)),
        interface: packet.interface,
        link: link::ETHERNET,
        original: u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX),
        bytes: &packet.bytes,
        options: Options::none(),
    };
    let dropped = match &packet.fate {
        // A comment of its own says it better already.
        PacketFate::Dropped(_) if packet.comment.is_some() => None,
        PacketFate::Passed => None,
        PacketFate::Dropped(reason) => Some(format!("dropped: {reason}")),
    };
    let comments: Vec<String> =
        packet.comment.iter().chain(&dropped).chain(says.iter().copied()).map(|text| escape(text)).collect();
    let comments: Vec<&str> = comments.iter().map(String::as_str).collect();
    file.packet(&record, &comments)
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

#[cfg(test)]
mod tests;
