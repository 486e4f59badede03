//! TLS 1.0 to 1.3: records, and what of them is in the clear (RFC 5246, 8446). QUIC carries the same handshake
//! messages without records.

mod handshake;

pub(crate) use handshake::{HANDSHAKE, TLS_HANDSHAKE, messages};

use crate::context::Context;
use crate::cursor::{Data, Read};
use crate::field::{Names, protocol};

static CONTENT_TYPES: Names = &[
    (20, "Change Cipher Spec"),
    (21, "Alert"),
    (22, "Handshake"),
    (23, "Application Data"),
    (24, "Heartbeat"),
];
pub(super) static VERSIONS: Names = &[
    (0x0300, "SSL 3.0"),
    (0x0301, "TLS 1.0"),
    (0x0302, "TLS 1.1"),
    (0x0303, "TLS 1.2"),
    (0x0304, "TLS 1.3"),
];
static LEVELS: Names = &[(1, "Warning"), (2, "Fatal")];
pub(crate) static ALERTS: Names = &[
    (0, "Close Notify"),
    (10, "Unexpected Message"),
    (20, "Bad Record MAC"),
    (22, "Record Overflow"),
    (40, "Handshake Failure"),
    (42, "Bad Certificate"),
    (43, "Unsupported Certificate"),
    (44, "Certificate Revoked"),
    (45, "Certificate Expired"),
    (46, "Certificate Unknown"),
    (47, "Illegal Parameter"),
    (48, "Unknown CA"),
    (49, "Access Denied"),
    (50, "Decode Error"),
    (51, "Decrypt Error"),
    (70, "Protocol Version"),
    (71, "Insufficient Security"),
    (80, "Internal Error"),
    (86, "Inappropriate Fallback"),
    (90, "User Canceled"),
    (109, "Missing Extension"),
    (112, "Unrecognized Name"),
    (116, "Certificate Required"),
    (120, "No application Protocol"),
];

protocol! { TLS "tls" "TLS" "Transport Layer Security";
    RECORD: none "tls.record" "Record Layer";
    CONTENT_TYPE: u8 "tls.record.content_type" "Content Type", names(CONTENT_TYPES);
    OPAQUE_TYPE: u8 "tls.record.opaque_type" "Opaque Type", names(CONTENT_TYPES);
    VERSION: u16 "tls.record.version" "Version", hex, names(VERSIONS);
    LENGTH: u16 "tls.record.length" "Length";
    APP_DATA: bytes "tls.app_data" "Encrypted Application Data";
    CHANGE_CIPHER_SPEC: none "tls.change_cipher_spec" "Change Cipher Spec Message";
    ALERT: none "tls.alert_message" "Alert Message";
    ALERT_LEVEL: u8 "tls.alert_message.level" "Level", names(LEVELS);
    ALERT_DESC: u8 "tls.alert_message.desc" "Description", names(ALERTS);
}

/// What is remembered of one direction of a TLS connection.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// For each side: what it sends is encrypted from here on.
    encrypted: [bool; 2],
    /// The server has chosen TLS 1.3.
    is_13: bool,
    /// For each side: a handshake message that goes on in the next record.
    partial: [Vec<u8>; 2],
}

/// A handshake message is not longer: a chain of certificates has a few kilobytes.
const MESSAGE_MAX: usize = 256 << 10;

/// Whether bytes begin a TLS record.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=24, 3, 0..=4, high, ..] if *high <= 0x48)
}

/// How long the next record is, with its header; `None` if that is not known yet.
fn record_length(bytes: Data<'_>) -> Option<usize> {
    bytes.u16(3).ok().map(|len| usize::from(len) + 5)
}

/// Records on a stream, in one layer. Gives how many bytes were used.
pub(crate) fn stream(
    cx: &mut Context<'_>,
    session: &mut Session,
    side: usize,
    bytes: Data<'_>,
    one: bool,
) -> usize {
    let mut used = 0;
    while let Some(total) = record_length(bytes.from(used)) {
        if bytes.len() - used < total {
            cx.wants = total;
            break;
        }
        used += total;
        if one {
            break;
        }
    }
    if used > 0 {
        cx.layer(&TLS, bytes.first(used), |cx, c| {
            while let Some(total) = record_length(c.rest()) {
                let record = c.take(total)?;
                cx.within(&RECORD, record, |cx| self::record(cx, session, side, record))?;
            }
            Ok(())
        });
    }
    used
}

fn record(cx: &mut Context<'_>, session: &mut Session, side: usize, record: Data<'_>) -> Read {
    let mut c = record.cursor();
    let kind = c.peek()?;
    let opaque = kind == 23 && session.is_13;
    c.u8(cx, if opaque { &OPAQUE_TYPE } else { &CONTENT_TYPE })?;
    c.u16(cx, &VERSION)?;
    c.u16(cx, &LENGTH)?;
    let body = c.rest();
    match kind {
        20 => {
            cx.add(&CHANGE_CIPHER_SPEC, body, 0, body.len(), 0);
            if !session.is_13 {
                session.encrypted[side] = true;
            }
        }
        21 if body.len() == 2 && !session.encrypted[side] => {
            let mut c = body.cursor();
            cx.within(&ALERT, body, |cx| {
                c.u8(cx, &ALERT_LEVEL)?;
                c.u8(cx, &ALERT_DESC).map(|_| ())
            })?;
        }
        21 => cx.add(&ALERT, body, 0, body.len(), 0),
        22 if session.encrypted[side] => cx.add(&HANDSHAKE, body, 0, body.len(), 0),
        22 => clear(cx, session, side, body),
        23 => cx.add(&APP_DATA, body, 0, body.len(), 0),
        _ => {}
    }
    Ok(())
}

/// Handshake messages in the clear; one may go on in the next record.
fn clear(cx: &mut Context<'_>, session: &mut Session, side: usize, body: Data<'_>) {
    let mut waiting = std::mem::take(&mut session.partial[side]);
    if waiting.is_empty() {
        let used = messages(cx, body, &mut session.is_13);
        session.partial[side] = body.bytes[used..].to_vec();
        return;
    }
    waiting.extend_from_slice(body.bytes);
    if waiting.len() > MESSAGE_MAX {
        return;
    }
    let mut rest = Vec::new();
    cx.with_source("Reassembled handshake", waiting, |cx, whole| {
        let used = messages(cx, whole, &mut session.is_13);
        rest = whole.bytes[used..].to_vec();
    });
    session.partial[side] = rest;
}
