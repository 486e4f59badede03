//! Opening Initial packets: keys from the connection ID, header protection, AES-128-GCM (RFC 9001 5).

use super::{Connection, LONG_RESERVED, NUMBER, NUMBER_LENGTH, PAYLOAD, VERSION_2, frames};
use crate::context::Context;
use crate::crypto::{self, Key};
use crate::cursor::{Data, Read, masked};
use ring::aead::quic::HeaderProtectionKey;

const SALT_1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc,
    0xbb, 0x7f, 0x0a,
];
const SALT_2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9,
    0xbd, 0x2e, 0xd9,
];

struct Keys {
    key: Key,
    header: HeaderProtectionKey,
}

fn keys(id: &[u8], version: u32, server: bool) -> Option<Keys> {
    let (salt, prefix) = if version == VERSION_2 { (SALT_2, "quicv2 ") } else { (SALT_1, "quic ") };
    let secret = crypto::extract(&salt, id, if server { b"server in" } else { b"client in" })?;
    Some(Keys {
        key: Key::derive(crypto::INITIAL, &secret, prefix)?,
        header: crypto::header_key(crypto::INITIAL, &secret, prefix)?,
    })
}

/// Opens the packet, whose packet number begins at `at`, and shows its frames.
pub(super) fn decrypt(
    cx: &mut Context<'_>,
    connection: &mut Connection,
    side: usize,
    version: u32,
    packet: Data<'_>,
    at: usize,
) -> Read {
    let Some(opened) = open(connection, side, version, packet, at) else {
        let rest = packet.from(at);
        cx.add(&PAYLOAD, rest, 0, rest.len(), 0);
        return Ok(());
    };
    let first = u64::from(opened.first);
    cx.add(&LONG_RESERVED, packet, 0, 1, masked(first, LONG_RESERVED.mask));
    cx.add(&NUMBER_LENGTH, packet, 0, 1, masked(first, NUMBER_LENGTH.mask));
    cx.add(&NUMBER, packet, at, opened.number_size, opened.number);
    let rest = packet.from(at + opened.number_size);
    cx.add(&PAYLOAD, rest, 0, rest.len(), 0);
    let mut result = Ok(());
    cx.with_source("Decrypted QUIC", opened.payload, |cx, payload| {
        result = frames::show(cx, connection, side, payload);
    });
    result
}

struct Opened {
    first: u8,
    number: u64,
    number_size: usize,
    payload: Vec<u8>,
}

fn open(connection: &Connection, side: usize, version: u32, packet: Data<'_>, at: usize) -> Option<Opened> {
    let keys = keys(&connection.first_id, version, side == 1)?;
    let sample = packet.bytes.get(at + 4..at + 20)?;
    let mask = keys.header.new_mask(sample).ok()?;
    let first = packet.bytes[0] ^ mask[0] & 0x0F;
    let number_size = usize::from(first & 3) + 1;
    let mut header = packet.bytes.get(..at + number_size)?.to_vec();
    header[0] = first;
    let mut number = 0;
    for (byte, mask) in header[at..].iter_mut().zip(&mask[1..]) {
        *byte ^= mask;
        number = number << 8 | u64::from(*byte);
    }
    // Initial packets are few: the short form of the number is the number.
    let payload = keys.key.open(keys.key.nonce(number), &header, &packet.bytes[at + number_size..])?;
    Some(Opened { first, number, number_size, payload })
}
