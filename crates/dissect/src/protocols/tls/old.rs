//! A hello in the form of SSL 2.0, which those who also spoke SSL 3.0 and TLS 1.0 sent (RFC 5246 E.2).

use super::{LENGTH, RECORD, VERSION, VERSIONS};
use crate::context::Context;
use crate::cursor::{Cursor, Read};
use crate::field::protocol;
use crate::table::{Step::*, walk};

const SSL_2: u64 = 2;

protocol! { OLD "tls" "TLS" "Transport Layer Security";
    TYPE: u8 "tls.handshake.type" "Handshake Message Type";
    OFFERED: u16 "tls.handshake.version" "Version", hex, names(VERSIONS);
    SUITES_LENGTH: u16 "tls.handshake.cipher_spec_len" "Cipher Spec Length";
    SESSION_LENGTH: u16 "tls.handshake.session_id_length" "Session ID Length";
    CHALLENGE_LENGTH: u16 "tls.handshake.challenge_length" "Challenge Length";
    SUITES: none "tls.handshake.ciphersuites" "Cipher Suites";
    SUITE: u24 "tls.handshake.cipherspec" "Cipher Spec", hex;
    SESSION: bytes "tls.handshake.session_id" "Session ID";
    CHALLENGE: none "tls.handshake.challenge" "Challenge";
}

/// Whether bytes are one.
pub(super) fn is_hello(bytes: &[u8]) -> bool {
    let word = |at: usize| usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    bytes.len() >= 46
        && bytes[0] == 0x80
        && bytes[2] == 1
        && word(5) != 0
        && word(5) % 3 == 0
        && matches!(word(7), 0 | 16)
}

/// Shows it.
pub(super) fn hello(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let len = usize::from(c.peek_u16()? & 0x7FFF);
    let record = c.take_most(2 + len);
    cx.within(&RECORD, record, |cx| {
        let mut c = record.cursor();
        cx.conclude(&VERSION, SSL_2);
        cx.add(&LENGTH, record, 0, 2, len as u64);
        c.skip(2)?;
        walk(cx, &mut c, &[Is(&TYPE), Is(&OFFERED)])?;
        let suites = usize::from(c.u16(cx, &SUITES_LENGTH)?);
        let session = usize::from(c.u16(cx, &SESSION_LENGTH)?);
        let challenge = usize::from(c.u16(cx, &CHALLENGE_LENGTH)?);
        let suites = c.take(suites)?;
        cx.within(&SUITES, suites, |cx| {
            let mut each = suites.cursor();
            while each.left() >= 3 {
                each.u24(cx, &SUITE)?;
            }
            Ok(())
        })?;
        if session > 0 {
            c.bytes(cx, &SESSION, session)?;
        }
        let challenge = c.take(challenge)?;
        cx.add(&CHALLENGE, challenge, 0, challenge.len(), 0);
        Ok(())
    })
}
