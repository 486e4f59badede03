//! DTLS 1.0 and 1.2 (RFC 6347): records in datagrams, opened if a key log has their secrets.
//!
//! - `hello`: what messages say; what TLS says in the same way is `tls::exchange`'s. `session`: keys.

mod hello;
mod session;

pub(crate) use hello::HELLO;
pub(crate) use session::Session;

use super::ports::Owner;
use super::tls::Sealed;
use super::{ports, rtp, tls};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{Names, protocol};
use crate::streams::table::End;
use crate::table::{Step::*, walk};
use crate::tree::Carrier;

static CONTENT_TYPES: Names = &[
    (20, "Change Cipher Spec"),
    (21, "Alert"),
    (22, "Handshake"),
    (23, "Application Data"),
    (24, "Heartbeat"),
    (25, "Connection ID"),
];
static VERSIONS: Names = &[
    (0x0100, "DTLS 1.0 (OpenSSL pre 0.9.8f)"),
    (0xFEFF, "DTLS 1.0"),
    (0xFEFD, "DTLS 1.2"),
    (0xFEFC, "DTLS 1.3"),
];
static MESSAGES: Names = &[
    (0, "Hello Request"),
    (1, "Client Hello"),
    (2, "Server Hello"),
    (3, "Hello Verify Request"),
    (4, "New Session Ticket"),
    (11, "Certificate"),
    (12, "Server Key Exchange"),
    (13, "Certificate Request"),
    (14, "Server Hello Done"),
    (15, "Certificate Verify"),
    (16, "Client Key Exchange"),
    (20, "Finished"),
];
static LEVELS: Names = &[(1, "Warning"), (2, "Fatal")];

protocol! { DTLS "dtls" "DTLS" "Datagram Transport Layer Security";
    RECORD: none "dtls.record" "Record Layer";
    CONTENT_TYPE: u8 "dtls.record.content_type" "Content Type", names(CONTENT_TYPES);
    VERSION: u16 "dtls.record.version" "Version", hex, names(VERSIONS);
    EPOCH: u16 "dtls.record.epoch" "Epoch";
    SEQUENCE: u64 "dtls.record.sequence_number" "Sequence Number";
    LENGTH: u16 "dtls.record.length" "Length";
    APP_DATA: bytes "dtls.app_data" "Encrypted Application Data";
    CHANGE_CIPHER: none "dtls.change_cipher_spec" "Change Cipher Spec Message";
    ALERT: none "dtls.alert_message" "Alert Message";
    ALERT_LEVEL: u8 "dtls.alert_message.level" "Level", names(LEVELS);
    ALERT_DESC: u8 "dtls.alert_message.desc" "Description", names(tls::ALERTS);
    HANDSHAKE: none "dtls.handshake" "Handshake Protocol";
    TYPE: u8 "dtls.handshake.type" "Handshake Type", names(MESSAGES);
    MESSAGE_LENGTH: u24 "dtls.handshake.length" "Length";
    MESSAGE_SEQ: u16 "dtls.handshake.message_seq" "Message Sequence";
    FRAGMENT_OFFSET: u24 "dtls.handshake.fragment_offset" "Fragment Offset";
    FRAGMENT_LENGTH: u24 "dtls.handshake.fragment_length" "Fragment Length";
}

/// Whether a datagram begins with a record. Wireshark asks for the same.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let [20..=25, 0xFE, 0xFC..=0xFF, ..] | [20..=25, 1, 0, ..] = rest {
        let Some(length) = rest.get(11..13) else { return false };
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        match rest.get(13 + length..) {
            Some([]) => return true,
            Some(next) => rest = next,
            None => return false,
        }
    }
    false
}

pub(crate) fn dissect(cx: &mut Context<'_>, datagram: Data<'_>) {
    let ends = ends(cx);
    // Wireshark looks whether it is media first, and says what it finds in place of a version (RFC 5764 5.1.2).
    let is_media = !cx.state.srtp.is_empty() && cx.state.srtp.get(&ends).is_some();
    let mut session = cx.state.dtls_sessions.remove(&ends).unwrap_or_default();
    let mut plain = Vec::new();
    cx.layer(&DTLS, datagram, |cx, c| {
        if is_media {
            cx.conclude(&rtp::VERSION, u64::from(c.peek()? >> 6));
        }
        while c.left() >= 13 {
            let len = usize::from(c.data.u16(c.pos + 11)?);
            let whole = c.take_most(13 + len);
            let data = cx.within(&RECORD, whole, |cx| record(cx, &mut session, whole, len))?;
            plain.extend(data.filter(|data| !data.is_empty()));
        }
        Ok(())
    });
    if session.has_begun() && !cx.is_quoted {
        cx.state.dtls_sessions.insert(ends, session);
    }
    for data in plain {
        cx.feed("Decrypted DTLS", data, |cx, data| {
            if !cx.is_quoted {
                let side = usize::from((cx.src, cx.src_port) > (cx.dst, cx.dst_port));
                cx.piece(Carrier::Dtls, 0, side, data, false);
            }
            ports::datagram_sealed(cx, data);
        });
    }
}

/// Both ends, in order.
fn ends(cx: &Context<'_>) -> (End, End) {
    let (from, to) = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    if from <= to { (from, to) } else { (to, from) }
}

/// A hello names profiles of SRTP: what follows on the flow may be media. Not to Wireshark where STUN was
/// found before: the flow is STUN's there.
fn agree_on_media(cx: &mut Context<'_>) {
    if cx.owner == Owner::Stun {
        return;
    }
    let ends = ends(cx);
    cx.state.srtp.insert(ends, ());
}

/// A record. Gives the application's data, if it holds some and they could be opened.
fn record(cx: &mut Context<'_>, session: &mut Session, whole: Data<'_>, len: usize) -> Read<Option<Vec<u8>>> {
    let c = &mut whole.cursor();
    let kind = c.u8(cx, &CONTENT_TYPE)?;
    c.u16(cx, &VERSION)?;
    let epoch = c.u16(cx, &EPOCH)?;
    let sequence = c.uint(cx, &SEQUENCE, 6)?;
    walk(cx, c, &[Is(&LENGTH)])?;
    let body = c.take(len)?;
    if epoch == 0 || kind == 20 {
        return content(cx, session, kind, body).map(|()| None);
    }
    // From the first epoch on everything is sealed.
    let sealed = Sealed { header: whole.bytes, body: body.bytes };
    let Some(plain) = session.open(cx, epoch, sequence, sealed) else {
        match kind {
            21 => cx.add(&ALERT, body, 0, body.len(), 0),
            22 => cx.add(&HANDSHAKE, body, 0, body.len(), 0),
            23 => cx.add(&APP_DATA, body, 0, body.len(), 0),
            _ => {}
        }
        return Ok(None);
    };
    if kind == 23 {
        cx.add(&APP_DATA, body, 0, body.len(), 0);
        return Ok(Some(plain));
    }
    let mut result = Ok(());
    cx.feed("Decrypted DTLS", plain, |cx, body| result = content(cx, session, kind, body));
    result.map(|()| None)
}

/// What a record says in the clear, or once it is opened.
fn content(cx: &mut Context<'_>, session: &mut Session, kind: u8, body: Data<'_>) -> Read {
    match kind {
        20 => cx.add(&CHANGE_CIPHER, body, 0, body.len(), 0),
        21 if body.len() == 2 => {
            cx.within(&ALERT, body, |cx| walk(cx, &mut body.cursor(), &[Is(&ALERT_LEVEL), Is(&ALERT_DESC)]))?;
        }
        21 => cx.add(&ALERT, body, 0, body.len(), 0),
        22 => {
            let mut c = body.cursor();
            while c.left() >= 12 {
                message(cx, &mut c, session)?;
            }
        }
        23 => cx.add(&APP_DATA, body, 0, body.len(), 0),
        _ => {}
    }
    Ok(())
}

fn message(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &mut Session) -> Read {
    // Numbers of three bytes: the lower part of the four that begin one before.
    let three = |at: usize| Ok::<_, Short>(c.data.u32(c.pos + at - 1)? as usize & 0xFF_FFFF);
    let (total, offset, len) = (three(1)?, three(6)?, three(9)?);
    let whole = c.take_most(12 + len);
    cx.within(&HANDSHAKE, whole, |cx| {
        let c = &mut whole.cursor();
        let kind = c.u8(cx, &TYPE)?;
        walk(cx, c, &[Is(&MESSAGE_LENGTH), Is(&MESSAGE_SEQ), Is(&FRAGMENT_OFFSET), Is(&FRAGMENT_LENGTH)])?;
        let sequence = whole.u16(4)?;
        let body = c.take(len)?;
        if len == total {
            return hello::body(cx, &mut body.cursor(), kind, session);
        }
        let key = ((cx.src, cx.src_port), (cx.dst, cx.dst_port), sequence);
        if let Some(parts) = collect(cx, key, total, offset, body.bytes) {
            let mut result = Ok(());
            cx.feed("Reassembled DTLS", parts, |cx, whole| {
                result = hello::body(cx, &mut whole.cursor(), kind, session);
            });
            result?;
        }
        Ok(())
    })
}

/// A message in parts: sender, receiver, the message's number.
pub(crate) type Key = (End, End, u16);

/// A message is not longer: chains of certificates have a few kilobytes.
const MESSAGE_MAX: usize = 64 << 10;

/// Keeps a part; gives the whole when it is the next and the last.
fn collect(cx: &mut Context<'_>, key: Key, total: usize, offset: usize, part: &[u8]) -> Option<Vec<u8>> {
    if total > MESSAGE_MAX {
        return None;
    }
    let have = cx.state.dtls.entry(key, Vec::new);
    if offset == 0 {
        have.clear();
    }
    if have.len() != offset || have.len() + part.len() > total {
        return None;
    }
    have.extend_from_slice(part);
    if have.len() == total { cx.state.dtls.remove(&key) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::tree::Arena;

    #[test]
    fn parts_for_two_clients_with_the_same_port_are_kept_apart() {
        let mut state = State::default();
        // A message of 4 bytes: its type is unknown, its number 1.
        let mut whole = |client: u8, offset: u8| {
            let mut arena = Arena::new();
            let mut cx = Context::new(&mut arena, &mut state, 1, 0);
            cx.dst = [192, 0, 2, client].into();
            let bytes = [99, 0, 0, 4, 0, 1, 0, 0, offset, 0, 0, 2, client, client];
            let data = Data { bytes: &bytes, at: 0, source: 0 };
            message(&mut cx, &mut data.cursor(), &mut Session::default()).expect("it is whole");
            arena.sources.pop().map(|source| source.bytes)
        };
        assert_eq!((whole(1, 0), whole(2, 0)), (None, None));
        assert_eq!((whole(1, 2), whole(2, 2)), (Some(vec![1; 4]), Some(vec![2; 4])));
    }
}
