//! What the tap saw, as packets of a trace.
//!
//! A packet that left the user's machine and was dropped further on is one packet with a comment, not two. A
//! packet that was dropped on its way to the user is shown too, on the interface where it was lost.

use std::collections::BTreeMap;

use thru_sim::tap::{DropReason, Fate, Sighting};
use thru_trace::{Packet, PacketFate, Trace};

use super::Internet;

pub(super) fn fill(internet: &Internet, trace: &mut Trace) {
    let sightings = internet.shared.lab.world().take_sightings();
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    let mut packets: Vec<Packet> = Vec::new();
    // Where a packet of that essence was last sent by the tapped machine.
    let mut sent: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let client = internet.shared.nodes[internet.scenario().client];
    for sighting in sightings {
        // What the client's own filter keeps back, no capture at its interface sees.
        if matches!(sighting.fate, Fate::Dropped(DropReason::Hook(node, _)) if node == client) {
            continue;
        }
        let link = internet.link_name(&sighting);
        let essence = essence(&sighting.bytes);
        let reason = match sighting.fate {
            Fate::Dropped(reason) => Some(internet.reason(&link, reason)),
            _ => None,
        };
        if !sighting.tapped
            && let (Some(reason), Some(essence)) = (&reason, &essence)
            && let Some(&index) = sent.get(essence)
        {
            packets[index].fate = PacketFate::Dropped(reason.clone());
            packets[index].comment = Some(reason.clone());
            continue;
        }
        let interface = *numbers.entry(link.clone()).or_insert_with(|| {
            trace.interfaces.push(link);
            trace.interfaces.len() as u32 - 1
        });
        if let (true, Some(essence)) = (sighting.tapped, essence) {
            sent.insert(essence, packets.len());
        }
        let comment = match sighting.fate {
            Fate::Corrupted => Some("one bit was flipped on the way (link impairment)".to_string()),
            Fate::Duplicate => Some("second copy, made by the link (link impairment)".to_string()),
            _ => reason.clone(),
        };
        packets.push(Packet {
            number: packets.len() as u64 + 1,
            at: sighting.at.nanos(),
            interface,
            bytes: sighting.bytes,
            fate: reason.map_or(PacketFate::Passed, PacketFate::Dropped),
            comment,
        });
    }
    trace.packets = packets;
    trace.seed = Some(internet.shared.lab.seed());
    trace.epoch_unix_nanos = internet.shared.lab.epoch();
    for (address, name) in internet.scenario().names() {
        if !trace.names.iter().any(|(known, _)| *known == address) {
            trace.names.push((address, name));
        }
    }
}

impl Internet {
    fn link_name(&self, sighting: &Sighting) -> String {
        self.shared.lab.world().link_name(sighting.link).to_string()
    }

    /// `dropped on home--isp: lost on the wire (link impairment)`.
    fn reason(&self, link: &str, reason: DropReason) -> String {
        match reason {
            DropReason::Hook(node, _) => {
                format!("dropped by {}: {reason}", self.shared.lab.world().node_name(node))
            }
            DropReason::QueueFull | DropReason::Aqm => format!("dropped on {link}: {reason} (congestion)"),
            _ => format!("dropped on {link}: {reason} (link impairment)"),
        }
    }
}

/// What stays the same of a packet on its way, through routers and NAT: protocol and what follows the ports and
/// checksum. `None` for what is not IP.
fn essence(frame: &[u8]) -> Option<Vec<u8>> {
    let ip = frame.get(14..)?;
    let (protocol, transport) = match (frame.get(12..14)?, ip.first()? >> 4) {
        ([0x08, 0x00], 4) => {
            let header = usize::from(ip[0] & 0x0f) * 4;
            let total = usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?]));
            (*ip.get(9)?, ip.get(header..total.min(ip.len()))?)
        }
        ([0x86, 0xdd], 6) => {
            let length = usize::from(u16::from_be_bytes([*ip.get(4)?, *ip.get(5)?]));
            (*ip.get(6)?, ip.get(40..(40 + length).min(ip.len()))?)
        }
        _ => return None,
    };
    let mut essence = vec![protocol];
    match protocol {
        // TCP: sequence numbers, flags, window; then options and payload. Ports and checksum change in a NAT.
        6 => {
            essence.extend_from_slice(transport.get(4..16)?);
            essence.extend_from_slice(transport.get(20..)?);
        }
        17 => {
            essence.extend_from_slice(transport.get(2..4)?);
            essence.extend_from_slice(transport.get(8..)?);
        }
        // ICMP: type and code, then what follows checksum and identifier.
        1 | 58 => {
            essence.extend_from_slice(transport.get(..2)?);
            essence.extend_from_slice(transport.get(6..)?);
        }
        _ => essence.extend_from_slice(transport),
    }
    Some(essence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_panics_on_any_truncation() {
        let frame: Vec<u8> = (0..80)
            .map(|n| {
                if n == 12 {
                    8
                } else if n == 14 {
                    0x45
                } else {
                    n as u8
                }
            })
            .collect();
        for cut in 0..=frame.len() {
            let _ = essence(&frame[..cut]);
        }
    }
}
