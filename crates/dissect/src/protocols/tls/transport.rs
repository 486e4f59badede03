//! QUIC's transport parameters, which hellos carry (RFC 9000 18): each has a number, and most values are one, too.

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, Kind, Names, protocol};
use crate::protocols::quic::varint;
use crate::table::{Step::*, walk};

static TYPES: Names = &[
    (0, "original_destination_connection_id"),
    (1, "max_idle_timeout"),
    (2, "stateless_reset_token"),
    (3, "max_udp_payload_size"),
    (4, "initial_max_data"),
    (5, "initial_max_stream_data_bidi_local"),
    (6, "initial_max_stream_data_bidi_remote"),
    (7, "initial_max_stream_data_uni"),
    (8, "initial_max_streams_bidi"),
    (9, "initial_max_streams_uni"),
    (10, "ack_delay_exponent"),
    (11, "max_ack_delay"),
    (12, "disable_active_migration"),
    (13, "preferred_address"),
    (14, "active_connection_id_limit"),
    (15, "initial_source_connection_id"),
    (16, "retry_source_connection_id"),
    (17, "version_information"),
    (32, "max_datagram_frame_size"),
    (0x1057, "loss_bits"),
    (0x2AB2, "grease_quic_bit"),
    (0x3127, "initial_rtt"),
    (0x3128, "google_connection_options"),
    (0x3129, "user_agent"),
    (0x4752, "google_version"),
    (0x7158, "enable_time_stamp_v2"),
    (0xDE1A, "min_ack_delay"),
];

protocol! { TRANSPORT "tls" "TLS" "Transport Layer Security";
    LEN: u16 "tls.quic.len" "Parameters Length";
    PARAMETER: none "tls.quic.parameter" "Parameter";
    TYPE: u64 "tls.quic.parameter.type" "Type", names(TYPES);
    LENGTH: u64 "tls.quic.parameter.length" "Length";
    OLD_LENGTH: u16 "tls.quic.parameter.lengt.old" "Length";
    VALUE: bytes "tls.quic.parameter.value" "Value";
    ORIGINAL_ID: bytes "tls.quic.parameter.original_destination_connection_id" "original_destination_connection_id";
    IDLE: u64 "tls.quic.parameter.max_idle_timeout" "max_idle_timeout";
    RESET: bytes "tls.quic.parameter.stateless_reset_token" "stateless_reset_token";
    PAYLOAD: u64 "tls.quic.parameter.max_udp_payload_size" "max_udp_payload_size";
    DATA: u64 "tls.quic.parameter.initial_max_data" "initial_max_data";
    BIDI_LOCAL: u64 "tls.quic.parameter.initial_max_stream_data_bidi_local" "initial_max_stream_data_bidi_local";
    BIDI_REMOTE: u64 "tls.quic.parameter.initial_max_stream_data_bidi_remote" "initial_max_stream_data_bidi_remote";
    UNI: u64 "tls.quic.parameter.initial_max_stream_data_uni" "initial_max_stream_data_uni";
    STREAMS_BIDI: u64 "tls.quic.parameter.initial_max_streams_bidi" "initial_max_streams_bidi";
    STREAMS_UNI: u64 "tls.quic.parameter.initial_max_streams_uni" "initial_max_streams_uni";
    EXPONENT: u64 "tls.quic.parameter.ack_delay_exponent" "ack_delay_exponent";
    ACK_DELAY: u64 "tls.quic.parameter.max_ack_delay" "max_ack_delay";
    IDS: u64 "tls.quic.parameter.active_connection_id_limit" "Active Connection ID Limit";
    SOURCE_ID: bytes "tls.quic.parameter.initial_source_connection_id" "Initial Source Connection ID";
    RETRY_ID: bytes "tls.quic.parameter.retry_source_connection_id" "Retry Source Connection ID";
    DATAGRAM: u64 "tls.quic.parameter.max_datagram_frame_size" "max_datagram_frame_size";
    LOSS_BITS: u64 "tls.quic.parameter.loss_bits" "loss_bits";
    TIME_STAMP: u64 "tls.quic.parameter.enable_time_stamp_v2" "Enable TimestampV2";
    MIN_DELAY: u64 "tls.quic.parameter.min_ack_delay" "min_ack_delay";
    PARTIAL: u64 "tls.quic.parameter.facebook.partial_reliability" "Facebook Partial Reliability";
    RTT: u64 "tls.quic.parameter.google.initial_rtt" "Google Initial RTT";
    USER_AGENT: text "tls.quic.parameter.google.user_agent" "Google UserAgent";
    OPTIONS: bytes "tls.quic.parameter.google.connection_options" "Google Connection options";
    GOOGLE_VERSION: u32 "tls.quic.parameter.google.quic_version" "Google QUIC version", hex;
    GOOGLE_LENGTH: u8 "tls.quic.parameter.google.supported_versions_length" "Google Supported Versions Length";
    GOOGLE_SUPPORTED: u32 "tls.quic.parameter.google.supported_version" "Google Supported Version", hex;
    CHOSEN: u32 "tls.quic.parameter.vi.chosen_version" "Chosen Version", hex;
    OTHER: u32 "tls.quic.parameter.vi.other_version" "Other Version", hex;
}

/// The fields of values, by the parameters' numbers.
static VALUES: [(u64, &FieldDef); 24] = [
    (0, &ORIGINAL_ID),
    (1, &IDLE),
    (2, &RESET),
    (3, &PAYLOAD),
    (4, &DATA),
    (5, &BIDI_LOCAL),
    (6, &BIDI_REMOTE),
    (7, &UNI),
    (8, &STREAMS_BIDI),
    (9, &STREAMS_UNI),
    (10, &EXPONENT),
    (11, &ACK_DELAY),
    (14, &IDS),
    (15, &SOURCE_ID),
    (16, &RETRY_ID),
    (32, &DATAGRAM),
    (0x1057, &LOSS_BITS),
    (0x3127, &RTT),
    (0x3128, &OPTIONS),
    (0x3129, &USER_AGENT),
    (0x4752, &GOOGLE_VERSION),
    (0x7158, &TIME_STAMP),
    (0xDE1A, &MIN_DELAY),
    (0xFF00, &PARTIAL),
];

/// An extension full of parameters. Drafts before 27 said their length first, and had numbers of two bytes.
pub(super) fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let is_old = c.peek_u16().is_ok_and(|len| usize::from(len) + 2 == c.left());
    if is_old {
        c.u16(cx, &LEN)?;
    }
    while !c.is_done() {
        let mut end = c.pos + 4;
        if !is_old {
            let (_, size) = varint(c.data, c.pos)?;
            let (len, more) = varint(c.data, c.pos + size)?;
            end = (c.pos + size + more).saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
        } else {
            end += usize::from(c.data.u16(c.pos + 2)?);
        }
        let whole = c.take(end.saturating_sub(c.pos))?;
        cx.within(&PARAMETER, whole, |cx| parameter(cx, whole, is_old))?;
    }
    Ok(())
}

fn number(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read<u64> {
    let (value, size) = varint(c.data, c.pos)?;
    cx.add(def, c.data, c.pos, size, value);
    c.skip(size)?;
    Ok(value)
}

fn parameter(cx: &mut Context<'_>, whole: Data<'_>, is_old: bool) -> Read {
    let c = &mut whole.cursor();
    let kind = if is_old { c.uint(cx, &TYPE, 2)? } else { number(cx, c, &TYPE)? };
    if is_old {
        c.u16(cx, &OLD_LENGTH)?;
    } else {
        number(cx, c, &LENGTH)?;
    }
    let value = c.rest();
    cx.add(&VALUE, value, 0, value.len(), 0);
    let Some((_, def)) = VALUES.iter().find(|(known, _)| *known == kind) else {
        return match kind {
            17 => walk(cx, c, &[Is(&CHOSEN), Each(&[Is(&OTHER)])]),
            _ => Ok(()),
        };
    };
    match def.kind {
        Kind::Uint(8) => number(cx, c, def).map(drop),
        Kind::Uint(_) => {
            walk(cx, c, &[Is(def)])?;
            if c.is_done() {
                Ok(())
            } else {
                walk(cx, c, &[Is(&GOOGLE_LENGTH), Each(&[Is(&GOOGLE_SUPPORTED)])])
            }
        }
        _ => {
            cx.add(def, value, 0, value.len(), 0);
            Ok(())
        }
    }
}
