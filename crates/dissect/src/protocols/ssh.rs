//! SSH (RFC 4253): versions and key exchange; then everything is encrypted.

use super::spoken::{Length, Spoken, Talk};
use crate::context::Context;
use crate::crypto::md5;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, Names, protocol};
use crate::show::hex_bytes;
use crate::table::{Step::*, line_or_rest, walk};

static OLD_MESSAGES: Names = &[
    (1, "Disconnect"),
    (2, "Public Key"),
    (3, "Session Key"),
    (4, "User"),
    (5, "Auth RSA"),
    (9, "Auth Password"),
    (14, "Success"),
    (15, "Failure"),
];
static MESSAGES: Names = &[
    (1, "Disconnect"),
    (2, "Ignore"),
    (3, "Unimplemented"),
    (4, "Debug"),
    (5, "Service Request"),
    (6, "Service Accept"),
    (20, "Key Exchange Init"),
    (21, "New Keys"),
    (30, "Key Exchange Init (Diffie-Hellman)"),
    (31, "Key Exchange Reply (Diffie-Hellman)"),
    (32, "Group Exchange Init"),
    (33, "Group Exchange Reply"),
    (34, "Group Exchange Request"),
];

protocol! { SSH "ssh" "SSH" "SSH Protocol";
    PROTOCOL: text "ssh.protocol" "Protocol";
    PACKET_LENGTH: u32 "ssh.packet_length" "Packet Length";
    PADDING_LENGTH: u8 "ssh.padding_length" "Padding Length";
    PAYLOAD: bytes "ssh.payload" "Payload";
    OLD_MESSAGE: u8 "ssh.message_code" "Message Code", names(OLD_MESSAGES);
    MESSAGE: u8 "ssh.message_code" "Message Code", names(MESSAGES);
    COOKIE: bytes "ssh.cookie" "Cookie";
    KEX_LEN: u32 "ssh.kex_algorithms_length" "kex_algorithms length";
    KEX: text "ssh.kex_algorithms" "kex_algorithms string";
    HOST_KEY_LEN: u32 "ssh.server_host_key_algorithms_length" "server_host_key_algorithms length";
    HOST_KEY: text "ssh.server_host_key_algorithms" "server_host_key_algorithms string";
    ENC_CS_LEN: u32 "ssh.encryption_algorithms_client_to_server_length" "encryption_algorithms_client_to_server length";
    ENC_CS: text "ssh.encryption_algorithms_client_to_server" "encryption_algorithms_client_to_server string";
    ENC_SC_LEN: u32 "ssh.encryption_algorithms_server_to_client_length" "encryption_algorithms_server_to_client length";
    ENC_SC: text "ssh.encryption_algorithms_server_to_client" "encryption_algorithms_server_to_client string";
    MAC_CS_LEN: u32 "ssh.mac_algorithms_client_to_server_length" "mac_algorithms_client_to_server length";
    MAC_CS: text "ssh.mac_algorithms_client_to_server" "mac_algorithms_client_to_server string";
    MAC_SC_LEN: u32 "ssh.mac_algorithms_server_to_client_length" "mac_algorithms_server_to_client length";
    MAC_SC: text "ssh.mac_algorithms_server_to_client" "mac_algorithms_server_to_client string";
    ZIP_CS_LEN: u32 "ssh.compression_algorithms_client_to_server_length" "compression_algorithms_client_to_server length";
    ZIP_CS: text "ssh.compression_algorithms_client_to_server" "compression_algorithms_client_to_server string";
    ZIP_SC_LEN: u32 "ssh.compression_algorithms_server_to_client_length" "compression_algorithms_server_to_client length";
    ZIP_SC: text "ssh.compression_algorithms_server_to_client" "compression_algorithms_server_to_client string";
    LANG_CS_LEN: u32 "ssh.languages_client_to_server_length" "languages_client_to_server length";
    LANG_CS: text "ssh.languages_client_to_server" "languages_client_to_server string";
    LANG_SC_LEN: u32 "ssh.languages_server_to_client_length" "languages_server_to_client length";
    LANG_SC: text "ssh.languages_server_to_client" "languages_server_to_client string";
    FOLLOWS: u8 "ssh.first_kex_packet_follows" "First KEX Packet Follows";
    KEX_RESERVED: bytes "ssh.kex.reserved" "Reserved";
    HASSH_LINE: text "ssh.kex.hassh_algorithms" "hasshAlgorithms";
    HASSH: text "ssh.kex.hassh" "hassh";
    HASSH_SERVER_LINE: text "ssh.kex.hasshserver_algorithms" "hasshServerAlgorithms";
    HASSH_SERVER: text "ssh.kex.hasshserver" "hasshServer";
    PADDING: bytes "ssh.padding_string" "Padding String";
    DIRECTION: bool "ssh.direction" "Direction";
}

/// `phase`: for each side what it sends next. `notes[0]`: which version both speak, 0 if nobody said so yet; `notes[1]` and
/// `notes[2]`: the frame in which a side named itself; `notes[3]`: which sides began an exchange, as bits.
pub(crate) static SPOKEN: Spoken =
    Spoken { protocol: &SSH, ports: &[22, 29418], eager: true, begins: None, length, show };

const EXCHANGE: u32 = 0;
const ENCRYPTED: u32 = 1;
/// Version 1: the first packet of a side is not sealed, the others are.
const OLD_SEALED: u32 = 2;

/// A packet of the key exchange is not longer.
const PACKET_MAX: usize = 256 << 10;

/// All that came together is one message, as in Wireshark, up to the packet that is not whole yet.
fn length(cx: &Context<'_>, talk: &Talk, side: usize, bytes: &[u8]) -> Length {
    let mut at = 0;
    let mut version = talk.notes[0];
    let mut phase = talk.phase[side];
    while at < bytes.len() {
        let rest = &bytes[at..];
        let next = if names_itself(cx, talk, side, rest) {
            version = version_of(version, cx, rest);
            match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => Length::Whole(end + 1),
                None if rest.len() > 512 => Length::Whole(rest.len()),
                None => Length::More,
            }
        } else {
            match (version, phase) {
                (1, _) => old_length(rest),
                (2, EXCHANGE) => packet_length(rest),
                (0, EXCHANGE) if begins_exchange(talk, side, rest) => packet_length(rest),
                _ => Length::Whole(rest.len()),
            }
        };
        match next {
            Length::Whole(len) if len <= rest.len() => {
                if phase == EXCHANGE && version != 1 && rest.get(5) == Some(&NEW_KEYS) {
                    phase = ENCRYPTED;
                }
                at += len;
            }
            next if at == 0 => return next,
            _ => break,
        }
    }
    Length::Whole(at)
}

const NEW_KEYS: u8 = 21;
const EXCHANGE_BEGINS: u8 = 20;

/// Whether a side says here what it is; it does so in one frame only.
fn names_itself(cx: &Context<'_>, talk: &Talk, side: usize, bytes: &[u8]) -> bool {
    bytes.len() >= 4
        && bytes[..4].eq_ignore_ascii_case(b"SSH-")
        && matches!(talk.notes[1 + side], frame if frame == 0 || frame == cx.number)
}

/// The version that is spoken after a side has said what it is. The client decides (RFC 4253 5); as long as it was not
/// heard, nobody does.
fn version_of(known: u64, cx: &Context<'_>, line: &[u8]) -> u64 {
    let is = |words: &[u8]| line.get(..words.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(words));
    match SPOKEN.ports.contains(&cx.src_port) {
        true => known,
        false if is(b"SSH-2.") || is(b"SSH-1.99-") => 2,
        false if is(b"SSH-1.") => 1,
        false => known,
    }
}

/// Whether these bytes are a key exchange's first packet, of a side that has said what it is.
fn begins_exchange(talk: &Talk, side: usize, bytes: &[u8]) -> bool {
    talk.notes[1 + side] != 0 && bytes.get(5) == Some(&EXCHANGE_BEGINS)
}

fn packet_length(bytes: &[u8]) -> Length {
    match bytes.first_chunk() {
        Some(len) => match u32::from_be_bytes(*len) as usize {
            len if len > PACKET_MAX => Length::Whole(bytes.len()),
            len => Length::Whole(len + 4),
        },
        None => Length::More,
    }
}

fn old_length(bytes: &[u8]) -> Length {
    match bytes.first_chunk() {
        Some(len) => match u32::from_be_bytes(*len) as usize {
            len if len >= 0xFFFF => Length::Whole(bytes.len()),
            len => Length::Whole(4 + old_padding(len) + len),
        },
        None => Length::More,
    }
}

/// How many bytes of padding stand before a packet of version 1.
fn old_padding(len: usize) -> usize {
    8 - len % 8
}

/// A packet of version 1: length, padding, type and content.
fn old_packet(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, side: usize) -> Read {
    let len = c.data.u32(c.pos)? as usize;
    if len > 0 {
        cx.add(&PACKET_LENGTH, c.data, c.pos, 4, len as u64);
    }
    c.skip(4)?;
    let padding = old_padding(len);
    cx.add(&PADDING_LENGTH, c.data, c.pos, padding, padding as u64);
    c.skip(padding)?;
    let mut payload = c.take(len.min(c.left()))?.cursor();
    if std::mem::replace(&mut talk.phase[side], OLD_SEALED) == EXCHANGE {
        payload.u8(cx, &OLD_MESSAGE)?;
    }
    payload.all(cx, &PAYLOAD);
    Ok(())
}

fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, side: usize) -> Read {
    let from_server = SPOKEN.ports.contains(&cx.src_port);
    let result = packets(cx, c, talk, side);
    cx.conclude(&DIRECTION, u64::from(from_server));
    result
}

fn packets(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, side: usize) -> Read {
    while !c.is_done() {
        let rest = c.rest();
        if names_itself(cx, talk, side, rest.bytes) {
            let (text, used) = line_or_rest(&rest);
            cx.add(&PROTOCOL, text, 0, text.len(), 0);
            c.skip(used)?;
            talk.notes[0] = version_of(talk.notes[0], cx, text.bytes);
            talk.notes[1 + side] = cx.number;
            continue;
        }
        match (talk.notes[0], talk.phase[side]) {
            (1, _) => old_packet(cx, c, talk, side)?,
            (0, EXCHANGE) if !begins_exchange(talk, side, rest.bytes) => c.skip(c.left())?,
            (_, EXCHANGE) => {
                let len = c.data.u32(c.pos)? as usize;
                let packet = c.take(len.saturating_add(4))?;
                self::packet(cx, packet, talk, side)?;
            }
            _ => c.skip(c.left())?,
        }
    }
    Ok(())
}

fn packet(cx: &mut Context<'_>, packet: Data<'_>, talk: &mut Talk, side: usize) -> Read {
    let mut c = packet.cursor();
    c.u32(cx, &PACKET_LENGTH)?;
    let padding = usize::from(c.u8(cx, &PADDING_LENGTH)?);
    let payload = c.take(packet.len().saturating_sub(5 + padding))?;
    let mut inside = payload.cursor();
    match inside.u8(cx, &MESSAGE)? {
        EXCHANGE_BEGINS => {
            talk.notes[3] |= 1 << side;
            algorithms(cx, &mut inside)?;
        }
        NEW_KEYS => talk.phase[side] = ENCRYPTED,
        30 | 31 => {}
        // Messages of a group exchange, if both have said that they can do one.
        32..=39 if talk.notes[3] == 3 => {}
        _ if inside.is_done() => {}
        _ => drop(inside.all(cx, &PAYLOAD)),
    }
    c.all(cx, &PADDING);
    Ok(())
}

fn algorithms(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    static LISTS: [(&FieldDef, &FieldDef); 10] = [
        (&KEX_LEN, &KEX),
        (&HOST_KEY_LEN, &HOST_KEY),
        (&ENC_CS_LEN, &ENC_CS),
        (&ENC_SC_LEN, &ENC_SC),
        (&MAC_CS_LEN, &MAC_CS),
        (&MAC_SC_LEN, &MAC_SC),
        (&ZIP_CS_LEN, &ZIP_CS),
        (&ZIP_SC_LEN, &ZIP_SC),
        (&LANG_CS_LEN, &LANG_CS),
        (&LANG_SC_LEN, &LANG_SC),
    ];
    walk(cx, c, &[Bytes(&COOKIE, 16)])?;
    let from_server = SPOKEN.ports.contains(&cx.src_port);
    // How programs are told apart (github.com/salesforce/hassh): by what they would like for what they send.
    let told = if from_server { [0, 3, 5, 7] } else { [0, 2, 4, 6] };
    let mut line: Vec<u8> = Vec::new();
    for (place, (len, list)) in LISTS.into_iter().enumerate() {
        let count = c.u32(cx, len)? as usize;
        let names = c.bytes(cx, list, count)?;
        if told.contains(&place) {
            if place > 0 {
                line.push(b';');
            }
            line.extend_from_slice(names);
        }
    }
    walk(cx, c, &[Is(&FOLLOWS), Bytes(&KEX_RESERVED, 4)])?;
    let (full, short) = if from_server { (&HASSH_SERVER_LINE, &HASSH_SERVER) } else { (&HASSH_LINE, &HASSH) };
    let mut digest = Vec::with_capacity(32);
    hex_bytes(&mut digest, &md5(&[&line]));
    cx.conclude_words(full, &line);
    cx.conclude_words(short, &digest);
    Ok(())
}
