//! The frames of a trace's capture, dissected: what the page draws and what qlog tells is read from here.

use thru_dissect::file::link;
use thru_dissect::{Arena, Dissector, Meta, Tree};
use thru_trace::frames::length_on_the_wire;
use thru_trace::{Packet, Trace};

/// Whether packets of the capture are missing: of a foreign one a trace keeps those that tell most, under the numbers that
/// they have there.
pub(crate) fn is_partial(trace: &Trace) -> bool {
    trace.packets.iter().map(|packet| packet.number).max().unwrap_or(0) > trace.packets.len() as u64
}

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
            original: u32::try_from(length_on_the_wire(&packet.bytes)).unwrap_or(u32::MAX),
            comments: &[],
        };
        look(dissector.dissect(&meta, &packet.bytes, &mut arena), packet);
    }
}
