//! Frames of QUIC (RFC 9000 19).

use super::{Connection, crypto, number};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{Names, protocol};
use crate::protocols::tls::ALERTS;

static TYPES: Names = &[
    (0, "PADDING"),
    (1, "PING"),
    (2, "ACK"),
    (3, "ACK_ECN"),
    (6, "CRYPTO"),
    (0x1C, "CONNECTION_CLOSE (Transport)"),
    (0x1D, "CONNECTION_CLOSE (Application)"),
];

protocol! { FRAMES "quic" "QUIC" "QUIC IETF";
    FRAME: none "quic.frame" "Frame";
    TYPE: u64 "quic.frame_type" "Frame Type", names(TYPES);
    PADDING: u32 "quic.padding_length" "Padding Length";
    ACK_LARGEST: u64 "quic.ack.largest_acknowledged" "Largest Acknowledged";
    ACK_DELAY: u64 "quic.ack.ack_delay" "ACK Delay";
    ACK_COUNT: u64 "quic.ack.ack_range_count" "ACK Range Count";
    ACK_FIRST: u64 "quic.ack.first_ack_range" "First ACK Range";
    ACK_GAP: u64 "quic.ack.gap" "Gap";
    ACK_RANGE: u64 "quic.ack.ack_range" "ACK Range";
    ACK_ECT0: u64 "quic.ack.ect0_count" "ECT(0) Count";
    ACK_ECT1: u64 "quic.ack.ect1_count" "ECT(1) Count";
    ACK_CE: u64 "quic.ack.ecn_ce_count" "ECN-CE Count";
    CRYPTO_OFFSET: u64 "quic.crypto.offset" "Offset";
    CRYPTO_LENGTH: u64 "quic.crypto.length" "Length";
    CRYPTO_DATA: none "quic.crypto.crypto_data" "Crypto Data";
    CC_ERROR: u64 "quic.cc.error_code" "Error code";
    CC_ERROR_APP: u64 "quic.cc.error_code.app" "Application Error code";
    CC_ALERT: u8 "quic.cc.error_code.tls_alert" "TLS Alert Description", names(ALERTS);
    CC_FRAME_TYPE: u64 "quic.cc.frame_type" "Frame Type";
    CC_REASON_LENGTH: u64 "quic.cc.reason_phrase.length" "Reason phrase Length";
    CC_REASON: text "quic.cc.reason_phrase" "Reason phrase";
}

/// Shows the frames of a decrypted packet.
pub(super) fn show(
    cx: &mut Context<'_>,
    connection: &mut Connection,
    side: usize,
    payload: Data<'_>,
) -> Read {
    let mut c = payload.cursor();
    while !c.is_done() {
        let begins = c.pos;
        let open = cx.open(&FRAME, payload, begins, 0);
        let depth = cx.depth;
        let mut pending = None;
        let result = frame(cx, &mut c, &mut pending);
        cx.depth = depth;
        cx.close(open, c.pos - begins);
        result?;
        if let Some((offset, bytes)) = pending {
            crypto(cx, connection, side, offset, bytes);
        }
    }
    Ok(())
}

fn frame<'d>(cx: &mut Context<'_>, c: &mut Cursor<'d>, pending: &mut Option<(u64, Data<'d>)>) -> Read {
    let kind = number(cx, c, &TYPE)?;
    match kind {
        0 => {
            let zeros = c.rest().bytes.iter().take_while(|byte| **byte == 0).count();
            cx.conclude(&PADDING, zeros as u64 + 1);
            c.skip(zeros)?;
        }
        1 => {}
        2 | 3 => {
            number(cx, c, &ACK_LARGEST)?;
            number(cx, c, &ACK_DELAY)?;
            let ranges = number(cx, c, &ACK_COUNT)?;
            number(cx, c, &ACK_FIRST)?;
            for _ in 0..ranges {
                number(cx, c, &ACK_GAP)?;
                number(cx, c, &ACK_RANGE)?;
            }
            if kind == 3 {
                for def in [&ACK_ECT0, &ACK_ECT1, &ACK_CE] {
                    number(cx, c, def)?;
                }
            }
        }
        6 => {
            let offset = number(cx, c, &CRYPTO_OFFSET)?;
            let len = usize::try_from(number(cx, c, &CRYPTO_LENGTH)?).map_err(|_| Short)?;
            let bytes = c.take(len)?;
            cx.add(&CRYPTO_DATA, bytes, 0, len, 0);
            *pending = Some((offset, bytes));
        }
        0x1C | 0x1D => {
            let code = number(cx, c, if kind == 0x1C { &CC_ERROR } else { &CC_ERROR_APP })?;
            if kind == 0x1C {
                // 0x0100 to 0x01FF carry an alert of TLS.
                if code >> 8 == 1 {
                    cx.conclude(&CC_ALERT, code & 0xFF);
                }
                number(cx, c, &CC_FRAME_TYPE)?;
            }
            let len = usize::try_from(number(cx, c, &CC_REASON_LENGTH)?).map_err(|_| Short)?;
            if len > 0 {
                c.bytes(cx, &CC_REASON, len)?;
            }
        }
        _ => return Err(Short), // no other frame may be in an Initial packet
    }
    Ok(())
}
