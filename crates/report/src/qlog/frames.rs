//! A frame of QUIC (RFC 9000 19) as qlog tells it.

use super::packets::{hex, uint};
use serde_json::{Map, Value as Json, json};
use thru_dissect::{Field, Tree};

/// The unit of acknowledgment delays, unless the peer said otherwise (RFC 9000 18.2), in milliseconds.
const ACK_DELAY_UNIT: f64 = 0.008;

/// Frames by their type: qlog's word, and which of its keys are which fields.
type Form = (u64, &'static str, &'static [(&'static str, &'static str)]);

static FORMS: &[Form] = &[
    (0x00, "padding", &[("length", "quic.padding_length")]),
    (0x01, "ping", &[]),
    (0x02, "ack", &[]),
    (
        0x03,
        "ack",
        &[("ect0", "quic.ack.ect0_count"), ("ect1", "quic.ack.ect1_count"), ("ce", "quic.ack.ecn_ce_count")],
    ),
    (
        0x04,
        "reset_stream",
        &[
            ("stream_id", "quic.rsts.stream_id"),
            ("error_code", "quic.rsts.application_error_code"),
            ("final_size", "quic.rsts.final_size"),
        ],
    ),
    (
        0x05,
        "stop_sending",
        &[("stream_id", "quic.ss.stream_id"), ("error_code", "quic.ss.application_error_code")],
    ),
    (0x06, "crypto", &[("offset", "quic.crypto.offset"), ("length", "quic.crypto.length")]),
    (0x07, "new_token", &[("length", "quic.nt.length")]),
    (0x10, "max_data", &[("maximum", "quic.md.maximum_data")]),
    (
        0x11,
        "max_stream_data",
        &[("stream_id", "quic.msd.stream_id"), ("maximum", "quic.msd.maximum_stream_data")],
    ),
    (0x12, "max_streams", &[("maximum", "quic.ms.max_streams")]),
    (0x13, "max_streams", &[("maximum", "quic.ms.max_streams")]),
    (0x14, "data_blocked", &[("limit", "quic.sb.stream_data_limit")]),
    (
        0x15,
        "stream_data_blocked",
        &[("stream_id", "quic.sdb.stream_id"), ("limit", "quic.sb.stream_data_limit")],
    ),
    (0x16, "streams_blocked", &[("limit", "quic.sib.stream_limit")]),
    (0x17, "streams_blocked", &[("limit", "quic.sib.stream_limit")]),
    (
        0x18,
        "new_connection_id",
        &[
            ("sequence_number", "quic.nci.sequence"),
            ("retire_prior_to", "quic.nci.retire_prior_to"),
            ("connection_id_length", "quic.nci.connection_id.length"),
            ("connection_id", "quic.nci.connection_id"),
        ],
    ),
    (0x19, "retire_connection_id", &[("sequence_number", "quic.rci.sequence")]),
    (0x1a, "path_challenge", &[("data", "quic.path_challenge.data")]),
    (0x1b, "path_response", &[("data", "quic.path_response.data")]),
    (0x1c, "connection_close", &[("error_code", "quic.cc.error_code")]),
    (0x1d, "connection_close", &[("error_code", "quic.cc.error_code.app")]),
    (0x1e, "handshake_done", &[]),
    (0x30, "datagram", &[]),
    (0x31, "datagram", &[("length", "quic.dg.length")]),
];

/// One frame, from the fields below it.
pub(super) fn frame(tree: Tree<'_>, fields: &[Field]) -> Json {
    let number =
        |name: &str| fields.iter().find(|field| field.def.name == name).and_then(|field| uint(tree, field));
    let kind = number("quic.frame_type").unwrap_or_default();
    if (0x08..=0x0f).contains(&kind) {
        return stream(tree, fields, &number);
    }
    let Some((_, word, keys)) = FORMS.iter().find(|(known, ..)| *known == kind) else {
        return json!({"frame_type": "unknown", "raw_frame_type": kind});
    };
    let mut data = Map::new();
    data.insert("frame_type".into(), json!(word));
    for (key, name) in *keys {
        let Some(field) = fields.iter().find(|field| field.def.name == *name) else { continue };
        let value = uint(tree, field).map_or_else(|| json!(hex(tree.bytes(field))), |value| json!(value));
        data.insert((*key).into(), value);
    }
    match kind {
        0x02 | 0x03 => {
            let delay = number("quic.ack.ack_delay").unwrap_or_default();
            data.insert("ack_delay".into(), json!(delay as f64 * ACK_DELAY_UNIT));
            data.insert("acked_ranges".into(), json!(acknowledged(tree, fields)));
        }
        0x12 | 0x16 => {
            data.insert("stream_type".into(), json!("bidirectional"));
        }
        0x13 | 0x17 => {
            data.insert("stream_type".into(), json!("unidirectional"));
        }
        0x1c | 0x1d => {
            let space = if kind == 0x1c { "transport" } else { "application" };
            data.insert("error_space".into(), json!(space));
            if let Some(reason) = fields.iter().find(|field| field.def.name == "quic.cc.reason_phrase") {
                data.insert("reason".into(), json!(String::from_utf8_lossy(tree.bytes(reason))));
            }
        }
        _ => {}
    }
    Json::Object(data)
}

fn stream(tree: Tree<'_>, fields: &[Field], number: &impl Fn(&str) -> Option<u64>) -> Json {
    let carried = fields.iter().find(|field| field.def.name == "quic.stream_data");
    let length = number("quic.stream.length")
        .or_else(|| carried.map(|field| tree.bytes(field).len() as u64))
        .unwrap_or_default();
    json!({
        "frame_type": "stream",
        "stream_id": number("quic.stream.stream_id"),
        "offset": number("quic.stream.offset").unwrap_or_default(),
        "length": length,
        "fin": number("quic.stream.fin") == Some(1),
    })
}

/// The ranges of packet numbers that an ACK frame names, first and last, as on the wire from the highest down
/// (RFC 9000 19.3.1). What contradicts itself ends the list.
fn acknowledged(tree: Tree<'_>, fields: &[Field]) -> Vec<[u64; 2]> {
    let mut ranges: Vec<[u64; 2]> = Vec::new();
    let (mut high, mut gap) = (0, 0);
    for field in fields {
        let Some(value) = uint(tree, field) else { continue };
        let low = match field.def.name {
            "quic.ack.largest_acknowledged" => {
                high = value;
                continue;
            }
            "quic.ack.gap" => {
                gap = value;
                continue;
            }
            "quic.ack.first_ack_range" => high.checked_sub(value),
            "quic.ack.ack_range" => {
                let Some(next) = ranges.last().and_then(|[low, _]| low.checked_sub(gap.saturating_add(2)))
                else {
                    break;
                };
                high = next;
                high.checked_sub(value)
            }
            _ => continue,
        };
        let Some(low) = low else { break };
        ranges.push([low, high]);
    }
    ranges
}
