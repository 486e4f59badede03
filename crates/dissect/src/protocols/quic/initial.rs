//! Opening Initial packets: keys from the connection ID, header protection, AES-128-GCM (RFC 9001 5).

use super::{Connection, LONG_RESERVED, NUMBER, NUMBER_LENGTH, PAYLOAD, VERSION_2, frames};
use crate::context::Context;
use crate::cursor::{Data, Read, masked};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey, quic};
use ring::hkdf;

const SALT_1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc,
    0xbb, 0x7f, 0x0a,
];
const SALT_2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9,
    0xbd, 0x2e, 0xd9,
];

/// A length for HKDF-Expand.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label of TLS 1.3 without context.
fn expand(secret: &hkdf::Prk, label: &[u8], out: &mut [u8]) -> Option<()> {
    let length = (out.len() as u16).to_be_bytes();
    let label_length = [6 + label.len() as u8];
    let info: [&[u8]; 5] = [&length, &label_length, b"tls13 ", label, &[0]];
    secret.expand(&info, Length(out.len())).ok()?.fill(out).ok()
}

struct Keys {
    key: LessSafeKey,
    iv: [u8; 12],
    header: quic::HeaderProtectionKey,
}

fn keys(id: &[u8], version: u32, server: bool) -> Option<Keys> {
    let (salt, prefix) = if version == VERSION_2 { (SALT_2, "quicv2") } else { (SALT_1, "quic") };
    let initial = hkdf::Salt::new(hkdf::HKDF_SHA256, &salt).extract(id);
    let mut secret = [0; 32];
    expand(&initial, if server { b"server in" } else { b"client in" }, &mut secret)?;
    let secret = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &secret);
    let (mut key, mut iv, mut header) = ([0; 16], [0; 12], [0; 16]);
    expand(&secret, format!("{prefix} key").as_bytes(), &mut key)?;
    expand(&secret, format!("{prefix} iv").as_bytes(), &mut iv)?;
    expand(&secret, format!("{prefix} hp").as_bytes(), &mut header)?;
    Some(Keys {
        key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?),
        iv,
        header: quic::HeaderProtectionKey::new(&quic::AES_128, &header).ok()?,
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
    let mut nonce = keys.iv;
    for (byte, part) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
        *byte ^= part;
    }
    let mut payload = packet.bytes[at + number_size..].to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    let len = keys.key.open_in_place(nonce, Aad::from(&header), &mut payload).ok()?.len();
    payload.truncate(len);
    Some(Opened { first, number, number_size, payload })
}
