//! WireGuard's messages, which are nothing but tables. What they carry is encrypted.

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use crate::table::{Layout, Step::*, walk};

static TYPES: Names =
    &[(1, "Handshake Initiation"), (2, "Handshake Response"), (3, "Cookie Reply"), (4, "Transport Data")];

protocol! { WG "wg" "WireGuard" "WireGuard Protocol";
    TYPE: u8 "wg.type" "Type", names(TYPES);
    RESERVED: bytes "wg.reserved" "Reserved";
    SENDER: u32 "wg.sender" "Sender", hex;
    RECEIVER: u32 "wg.receiver" "Receiver", hex;
    EPHEMERAL: text "wg.ephemeral" "Ephemeral";
    ENCRYPTED_STATIC: none "wg.encrypted_static" "Encrypted Static";
    ENCRYPTED_TIMESTAMP: none "wg.encrypted_timestamp" "Encrypted Timestamp";
    ENCRYPTED_EMPTY: none "wg.encrypted_empty" "Encrypted Empty";
    MAC1: bytes "wg.mac1" "mac1";
    MAC2: bytes "wg.mac2" "mac2";
    NONCE: bytes "wg.nonce" "Nonce";
    ENCRYPTED_COOKIE: bytes "wg.encrypted_cookie" "Encrypted Cookie";
    COUNTER: u64 "wg.counter" "Counter";
    ENCRYPTED_PACKET: none "wg.encrypted_packet" "Encrypted Packet";
    KEEPALIVE: none "wg.keepalive" "This is a Keepalive message";
}

static MESSAGE: Layout<'static> = &[
    Is(&TYPE),
    Bytes(&RESERVED, 3),
    By(
        &TYPE,
        &[
            (
                1,
                &[
                    Le(&SENDER),
                    Call(ephemeral),
                    Bytes(&ENCRYPTED_STATIC, 48),
                    Bytes(&ENCRYPTED_TIMESTAMP, 28),
                    Bytes(&MAC1, 16),
                    Bytes(&MAC2, 16),
                ],
            ),
            (
                2,
                &[
                    Le(&SENDER),
                    Le(&RECEIVER),
                    Call(ephemeral),
                    Bytes(&ENCRYPTED_EMPTY, 16),
                    Bytes(&MAC1, 16),
                    Bytes(&MAC2, 16),
                ],
            ),
            (3, &[Le(&RECEIVER), Bytes(&NONCE, 24), Bytes(&ENCRYPTED_COOKIE, 32)]),
            (4, &[Le(&RECEIVER), Le(&COUNTER), Call(packet)]),
        ],
    ),
];

/// Whether a datagram is one of its messages: type, three zeros, and the length that the type has.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    match bytes {
        [1, 0, 0, 0, ..] => bytes.len() == 148,
        [2, 0, 0, 0, ..] => bytes.len() == 92,
        [3, 0, 0, 0, ..] => bytes.len() == 64,
        [4, 0, 0, 0, ..] => bytes.len() >= 32,
        _ => false,
    }
}

pub(crate) fn dissect(cx: &mut Context<'_>, message: Data<'_>) {
    cx.layer(&WG, message, |cx, c| walk(cx, c, MESSAGE));
}

/// A public key, written as `wg` writes it.
fn ephemeral(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    key(cx, c, &EPHEMERAL)
}

fn key(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read {
    let key = c.take(32)?;
    cx.add_words(def, key, &base64(key.bytes));
    Ok(())
}

fn packet(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let packet = c.take_most(usize::MAX);
    if packet.len() < 16 {
        return Err(Short);
    }
    if packet.len() == 16 {
        cx.expert(&KEEPALIVE);
    }
    cx.add(&ENCRYPTED_PACKET, packet, 0, packet.len(), 0);
    Ok(())
}

pub(crate) fn base64(bytes: &[u8]) -> Vec<u8> {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word =
            group.iter().enumerate().fold(0u32, |word, (at, byte)| word | u32::from(*byte) << (16 - 8 * at));
        for place in 0..4 {
            let sign = SIGNS[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= group.len() { sign } else { b'=' });
        }
    }
    out
}
