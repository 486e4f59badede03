//! The frames of a trace's capture, dissected: what the page draws and what qlog tells is read from here.

use thru_dissect::file::link;
use thru_dissect::{Arena, Dissector, Meta, Tree};
use thru_trace::{Packet, Trace};

/// Dissects the chosen packets of `trace` one after the other and shows each to `look`.
pub(crate) fn each<'t>(
    trace: &'t Trace,
    mut dissector: Dissector,
    chosen: impl Iterator<Item = &'t Packet>,
    mut look: impl FnMut(Tree<'_>, &'t Packet),
) {
    let mut arena = Arena::new();
    for packet in chosen {
        let meta = Meta {
            number: packet.number,
            time: Some(trace.epoch_unix_nanos.saturating_add(packet.at)),
            interface: packet.interface,
            interface_name: None,
            link: link::ETHERNET,
            original: length_on_the_wire(&packet.bytes),
            comments: &[],
        };
        look(dissector.dissect(&meta, &packet.bytes, &mut arena), packet);
    }
}

/// The frame's length as its IP header has it: of foreign captures a trace keeps no more than the headers.
fn length_on_the_wire(frame: &[u8]) -> u32 {
    let number = |at: usize| {
        let bytes = frame.get(at..at + 2)?;
        Some(u32::from(bytes[0]) << 8 | u32::from(bytes[1]))
    };
    let told = match number(12) {
        Some(0x0800) => number(16).map(|total| 14 + total),
        Some(0x86DD) => number(18).map(|payload| 14 + 40 + payload),
        _ => None,
    };
    told.unwrap_or(0).max(u32::try_from(frame.len()).unwrap_or(u32::MAX))
}
