//! NetBIOS sessions (RFC 1002 4.3), and SMB that goes without NetBIOS (MS-SMB2 2.1): messages behind a length. What they
//! carry is not read.

use super::data;
use super::spoken::{Length, Spoken, Talk};
use crate::context::Context;
use crate::cursor::{Cursor, Read, Short};
use crate::field::{FieldDef, Names, protocol};

static TYPES: Names = &[
    (0x00, "Session message"),
    (0x81, "Session request"),
    (0x82, "Positive session response"),
    (0x83, "Negative session response"),
    (0x84, "Retarget session response"),
    (0x85, "Session keep-alive"),
];
static ERRORS: Names = &[
    (0x80, "Not listening on called name"),
    (0x81, "Not listening for calling name"),
    (0x82, "Called name not present"),
    (0x83, "Called name present, but insufficient resources"),
    (0x8F, "Unspecified error"),
];

protocol! { NBSS "nbss" "NBSS" "NetBIOS Session Service";
    TYPE: u8 "nbss.type" "Message Type", hex, names(TYPES);
    FLAGS: u8 "nbss.flags" "Flags", hex;
    FLAG_E: bool "nbss.flags.e" "Extend", mask(0x01);
    LENGTH: u24 "nbss.length" "Length";
    CALLED: text "nbss.called_name" "Called name";
    CALLING: text "nbss.calling_name" "Calling name";
    ERROR: u8 "nbss.error_code" "Error code", hex, names(ERRORS);
    RETARGET_IP: ipv4 "nbss.retarget_ip_address" "Retarget IP address";
    RETARGET_PORT: u16 "nbss.retarget_port" "Retarget port";
    CONTINUATION: bytes "nbss.continuation_data" "Continuation data";
}

pub(crate) static SPOKEN: Spoken =
    Spoken { protocol: &NBSS, ports: &[PORT, DIRECT_PORT], eager: false, begins: None, length, show };

const PORT: u16 = 139;
/// SMB without NetBIOS: lengths of 24 bits, no flags.
const DIRECT_PORT: u16 = 445;
const HEADER: usize = 4;
const MESSAGE: u8 = 0x00;

/// What a message's header says.
struct Header {
    kind: u8,
    /// None where all 24 bits are the length.
    flags: Option<u8>,
    len: usize,
}

impl Header {
    /// `None`: there is not enough of it.
    fn of(cx: &Context<'_>, talk: &Talk, side: usize, bytes: &[u8]) -> Option<Header> {
        let [kind, flags, high, low] = *bytes.first_chunk::<HEADER>()?;
        let len = usize::from(high) << 8 | usize::from(low);
        let is_smb = kind == MESSAGE && bytes.get(5..8) == Some(b"SMB");
        // As in Wireshark: the first message of a segment tells for all of them, but for what came in parts the port does.
        let is_direct = match talk.notes[side] {
            _ if cx.is_segment_start => is_smb,
            note if note >> 1 == cx.number => note & 1 == 1,
            _ => is_direct(cx),
        };
        Some(match is_direct {
            true => Header { kind, flags: None, len: usize::from(flags) << 16 | len },
            false => Header { kind, flags: Some(flags), len: usize::from(flags & 1) << 16 | len },
        })
    }

    /// Whether a segment that begins so may begin with a message: it may lie in the middle of one, too.
    fn is_sane(&self) -> bool {
        let has_length = match self.kind {
            MESSAGE => self.len > 0,
            0x81 => (2..=256).contains(&self.len),
            0x82 | 0x85 => self.len == 0,
            0x83 => self.len == 1,
            0x84 => self.len == 6,
            _ => false,
        };
        has_length && self.flags.is_none_or(|flags| flags <= 1)
    }
}

fn is_direct(cx: &Context<'_>) -> bool {
    cx.src_port == DIRECT_PORT || cx.dst_port == DIRECT_PORT
}

fn length(cx: &Context<'_>, talk: &Talk, side: usize, bytes: &[u8]) -> Length {
    match Header::of(cx, talk, side, bytes) {
        Some(header) if !cx.is_segment_start || header.is_sane() => Length::Whole(HEADER + header.len),
        None if !cx.is_segment_start => Length::More,
        _ => Length::Whole(bytes.len()),
    }
}

/// `talk.notes` of a side: the frame whose segment began with a message, and (lowest bit) whether that was SMB's.
fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, side: usize) -> Read {
    let header = match Header::of(cx, talk, side, c.data.bytes) {
        Some(header) if !cx.is_segment_start || header.is_sane() => header,
        _ => {
            c.all(cx, &CONTINUATION);
            return Ok(());
        }
    };
    if cx.is_segment_start {
        talk.notes[side] = cx.number << 1 | u64::from(header.flags.is_none());
    }
    c.u8(cx, &TYPE)?;
    if header.flags.is_some() {
        c.bits(cx, &FLAGS, 1, &[&FLAG_E])?;
        cx.add(&LENGTH, c.data, 2, 2, header.len as u64);
    } else {
        cx.add(&LENGTH, c.data, 1, 3, header.len as u64);
    }
    c.pos = HEADER;
    match header.kind {
        MESSAGE => data::show(cx, c.rest()),
        0x81 => {
            name(cx, c, &CALLED)?;
            name(cx, c, &CALLING)?;
        }
        0x83 => drop(c.u8(cx, &ERROR)?),
        0x84 => {
            c.ipv4(cx, &RETARGET_IP)?;
            c.u16(cx, &RETARGET_PORT)?;
        }
        _ => {}
    }
    Ok(())
}

/// A name whose bytes are written as two letters each (RFC 1001 14.1); the last says what it is the name of.
fn name(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read {
    const LETTERS: usize = 32;
    let whole = c.take(LETTERS + 2)?;
    let pairs = whole.bytes[1..=LETTERS].chunks_exact(2);
    let bytes: Vec<u8> =
        pairs.map(|pair| pair[0].wrapping_sub(b'A') << 4 | pair[1].wrapping_sub(b'A') & 15).collect();
    let (kind, words) = bytes.split_last().ok_or(Short)?;
    let mut text = words.trim_ascii_end().to_vec();
    text.extend_from_slice(format!("<{kind:02x}>").as_bytes());
    cx.add_words(def, whole, &text);
    Ok(())
}
