//! What the capture says of a packet, before any protocol.

use crate::context::Context;
use crate::cursor::Data;
use crate::dissector::Meta;
use crate::field::{Protocol, protocol};
use crate::tree::Field;

protocol! { FRAME "frame" "Frame" "Frame";
    INTERFACE_ID: u32 "frame.interface_id" "Interface id";
    INTERFACE_NAME: text "frame.interface_name" "Interface name";
    TIME_EPOCH: relative "frame.time_epoch" "Epoch Time";
    TIME: absolute "frame.time" "Arrival Time";
    TIME_DELTA: relative "frame.time_delta" "Time delta from previous captured frame";
    TIME_RELATIVE: relative "frame.time_relative" "Time since reference or first frame";
    NUMBER: u32 "frame.number" "Frame Number";
    LEN: u32 "frame.len" "Frame length on the wire";
    CAP_LEN: u32 "frame.cap_len" "Frame length stored into the capture file";
    PROTOCOLS: text "frame.protocols" "Protocols in frame";
    COMMENT: text "frame.comment" "Comment";
}

/// Adds the layer; the protocols are filled in by [`finish`] when they are known.
pub(crate) fn start(cx: &mut Context<'_>, meta: &Meta<'_>, frame: Data<'_>) {
    cx.depth = 0;
    cx.add(&FRAME.layer, frame, 0, frame.len(), 0);
    cx.depth = 1;
    cx.conclude(&INTERFACE_ID, u64::from(meta.interface));
    if let Some(name) = meta.interface_name {
        cx.conclude_words(&INTERFACE_NAME, name.as_bytes());
    }
    if let Some(time) = meta.time {
        let (first, previous) = cx.state.clock.at(time);
        cx.conclude(&TIME, time);
        cx.conclude(&TIME_EPOCH, time);
        cx.conclude(&TIME_DELTA, time.wrapping_sub(previous));
        cx.conclude(&TIME_RELATIVE, time.wrapping_sub(first));
    }
    cx.conclude(&NUMBER, meta.number);
    cx.conclude(&LEN, u64::from(meta.original));
    cx.conclude(&CAP_LEN, frame.len() as u64);
    for comment in meta.comments {
        cx.conclude_words(&COMMENT, comment.as_bytes());
    }
    cx.conclude(&PROTOCOLS, 0);
    cx.depth = 0;
}

/// Fills in which protocols were found.
pub(crate) fn finish(cx: &mut Context<'_>) {
    let arena = &mut *cx.arena;
    let start = arena.text.len();
    for (place, protocol) in arena.layers.iter().enumerate() {
        if place > 0 {
            arena.text.push(b':');
        }
        arena.text.extend_from_slice(protocol.layer.name.as_bytes());
        let before = place.checked_sub(1).and_then(|place| arena.layers.get(place)).copied();
        if has_ethertype(before, protocol, arena.layers.get(place + 1).copied()) {
            arena.text.extend_from_slice(b":ethertype");
        }
    }
    let kept = (start as u64) << 32 | (arena.text.len() - start) as u64;
    // It is among the first fields.
    if let Some(field) = arena.fields.iter_mut().take(64).find(|field| field.def.is(&PROTOCOLS)) {
        field.value = kept;
        field.flags = Field::GENERATED | Field::IN_TEXT;
    }
}

/// Wireshark counts the step from a type field to the next protocol as a layer. In front of LLC there is a length.
/// Cisco's tags have that step only outside of GRE.
pub(crate) fn has_ethertype(before: Option<&Protocol>, protocol: &Protocol, next: Option<&Protocol>) -> bool {
    let steps = match protocol.layer.name {
        "eth" | "vlan" | "ieee8021ad" | "sll" => true,
        "cmd" => before.is_none_or(|before| before.layer.name != "gre"),
        _ => false,
    };
    steps && next.is_none_or(|next| next.layer.name != "llc")
}
