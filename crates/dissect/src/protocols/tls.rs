//! TLS 1.0 to 1.3: records (RFC 2246, 5246, 8446). They are opened if a key log has their secrets, and the cipher is
//! AES-GCM, AES-CCM, AES-CBC, ChaCha20 or none. QUIC carries the same handshake messages without records.
//!
//! - `handshake`: messages. `exchange`: those that agree on keys before TLS 1.3, which DTLS has as well.
//! - `extensions`: those on which nothing depends. `fingerprint`: JA3.
//! - `certificate`: what X.509 certificates say.
//! - `transport`: the parameters of QUIC that hellos carry.
//! - `session`: which key opens what comes next. `record`: how records are sealed.

pub(crate) mod certificate;
pub(crate) mod exchange;
mod extensions;
mod fingerprint;
mod handshake;
mod old;
mod record;
mod session;
mod transport;

pub(crate) use certificate::{PKCS1, X509AF, X509CE, X509SAT};
pub(crate) use extensions::TLS_EXTENSIONS;
pub(crate) use fingerprint::Fingerprint;
pub(crate) use handshake::{EXTENSIONS, GROUPS, Said, TLS_HANDSHAKE, messages};
pub(crate) use old::OLD;
pub(crate) use record::{Keys12, Sealed};
pub(crate) use session::Session;
pub(crate) use transport::TRANSPORT;

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{Names, protocol};
use crate::protocols::ports;
use crate::streams::pending::{Joined, Pending};
use crate::tree::Carrier;
use handshake::HANDSHAKE;

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
    APP_DATA_PROTO: text "tls.app_data_proto" "Application Data Protocol";
    SEGMENT_DATA: bytes "tls.segment.data" "TLS segment data";
    NOT_OPENED: text "tls.not_decrypted" "Not decrypted, because";
    CHANGE_CIPHER_SPEC: none "tls.change_cipher_spec" "Change Cipher Spec Message";
    ALERT: none "tls.alert_message" "Alert Message";
    ALERT_LEVEL: u8 "tls.alert_message.level" "Level", names(LEVELS);
    ALERT_DESC: u8 "tls.alert_message.desc" "Description", names(ALERTS);
}

/// How messages inside are put together; of a record that ends one Wireshark shows all.
static JOINED: Joined = Joined { name: "Reassembled TLS", part: &SEGMENT_DATA, is_ended_by_all: true };

/// A handshake message is not longer: a chain of certificates has a few kilobytes.
const MESSAGE_MAX: usize = 256 << 10;

/// The longest record, with some more as others allow it.
const RECORD_MAX: usize = (1 << 14) + 2048;

/// Whether bytes on a port that says nothing begin a record: handshake or data, of a version and length that exist.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let [22 | 23, 3, 0..=3, high, low, ..] = bytes else { return old::is_hello(bytes) };
    (1..RECORD_MAX + (1 << 14)).contains(&usize::from(u16::from_be_bytes([*high, *low])))
}

/// Whether TLS may go on like this on its port: four letters are none.
pub(crate) fn accepts(bytes: &[u8]) -> bool {
    bytes.len() <= 4 || !bytes[..4].iter().all(|byte| (0x20..0x7F).contains(byte))
}

fn is_content_type(byte: u8) -> bool {
    matches!(byte, 20..=25)
}

/// What the next bytes are.
enum Next {
    /// A record of so many bytes.
    Record(usize),
    /// A record that is not all there: so many bytes are wanted, if that is known.
    Unfinished(usize),
    /// Nothing that can be read.
    Else,
}

fn next(version: u16, bytes: &[u8]) -> Next {
    let Some(&first) = bytes.first() else { return Next::Else };
    if bytes.len() < 5 {
        return Next::Unfinished(0);
    }
    let is_known = (0x0300..0x0304).contains(&version);
    if is_known && (bytes[0] == 0x80 && bytes[2] == 1) {
        return Next::Else;
    }
    let is_record = is_content_type(first) && (is_known || bytes[1] == 3 && bytes[2] <= 3);
    let total = usize::from(u16::from_be_bytes([bytes[3], bytes[4]])) + 5;
    match is_record {
        false => Next::Else,
        true if total > bytes.len() => Next::Unfinished(total),
        true => Next::Record(total),
    }
}

/// Records on a stream, in one layer. Gives how many bytes were used.
pub(crate) fn stream(cx: &mut Context<'_>, session: &mut Session, side: usize, bytes: Data<'_>) -> usize {
    let mut plain = Vec::new();
    // Where no more layers are shown, nothing is read either.
    let mut used = bytes.len();
    cx.layer(&TLS, bytes, |cx, c| {
        let result = records(cx, c, session, side, &mut plain);
        used = c.pos;
        result
    });
    let wants = cx.wants;
    for data in plain {
        inside(cx, session, side, data);
    }
    cx.wants = wants;
    used
}

/// Shows records, and hands on what they carried.
fn records(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    session: &mut Session,
    side: usize,
    plain: &mut Vec<Vec<u8>>,
) -> Read {
    loop {
        match next(session.version(), c.rest().bytes) {
            Next::Record(total) => {
                let record = c.take(total)?;
                session.learn(record.bytes);
                let data = cx.within(&RECORD, record, |cx| self::record(cx, session, side, record))?;
                if !data.is_empty() {
                    plain.push(data);
                }
            }
            Next::Unfinished(total) if cx.can_wait => {
                cx.wants = total;
                return Ok(());
            }
            Next::Else if old::is_hello(c.rest().bytes) => {
                old::hello(cx, c)?;
                return c.skip(c.left());
            }
            Next::Unfinished(_) | Next::Else => return c.skip(c.left()),
        }
    }
}

/// What a record carried, for the protocol inside.
fn inside(cx: &mut Context<'_>, session: &mut Session, side: usize, plain: Vec<u8>) {
    let mut app = std::mem::take(&mut session.app);
    if matches!(app, ports::App::Unknown) {
        app = ports::negotiated(session.said.protocol());
    }
    let mut pending = std::mem::take(&mut session.sides[side].pending);
    if std::mem::take(&mut session.sides[side].is_torn) {
        app.lose(side);
        pending = Pending::default();
    }
    cx.feed("Decrypted TLS", plain, |cx, fresh| {
        cx.piece(Carrier::Tls, 0, side, fresh, false);
        pending.feed(cx, fresh, &JOINED, &mut |cx, bytes, one| {
            ports::speak_sealed(cx, &mut app, side, bytes, one)
        });
    });
    session.sides[side].pending = pending;
    session.app = app;
}

/// A record. Gives the application's data, if it holds some and they could be opened.
fn record(cx: &mut Context<'_>, session: &mut Session, side: usize, record: Data<'_>) -> Read<Vec<u8>> {
    let mut c = record.cursor();
    let kind = c.peek()?;
    // Data before the server's answer is TLS 1.3's early data.
    let early = session.said.early_data && session.said.server_random.is_none();
    let opaque = kind == 23 && (session.said.is_13 || early);
    c.u8(cx, if opaque { &OPAQUE_TYPE } else { &CONTENT_TYPE })?;
    c.u16(cx, &VERSION)?;
    c.u16(cx, &LENGTH)?;
    let body = c.rest();
    let is_sealed = match kind {
        23 => true,
        // A client that is asked for another hello may change its cipher before it (RFC 8446 D.4).
        21 | 22 => session.sides[side].encrypted && !session.said.is_13 && !handshake::is_hello(body.bytes),
        _ => false,
    };
    if is_sealed {
        return sealed(cx, session, side, kind, record, body);
    }
    match kind {
        20 => {
            cx.add(&CHANGE_CIPHER_SPEC, body, 0, body.len(), 0);
            session.change_cipher(cx, side);
        }
        21 if body.len() == 2 => alert(cx, body)?,
        21 => cx.add(&ALERT, body, 0, body.len(), 0),
        22 => handshake(cx, session, side, body),
        _ => {}
    }
    Ok(Vec::new())
}

/// A sealed record: as it stands, and what is in it.
fn sealed(
    cx: &mut Context<'_>,
    session: &mut Session,
    side: usize,
    kind: u8,
    record: Data<'_>,
    body: Data<'_>,
) -> Read<Vec<u8>> {
    let opened = session.open(cx, side, Sealed { header: &record.bytes[..5], body: body.bytes });
    let name = match session.said.alpn_name() {
        "" => name_of_port(cx.src_port).or_else(|| name_of_port(cx.dst_port)).unwrap_or_default(),
        name => name,
    };
    let Some(mut plain) = opened else {
        match kind {
            21 => cx.add(&ALERT, body, 0, body.len(), 0),
            22 => cx.add(&HANDSHAKE, body, 0, body.len(), 0),
            _ => cx.add(&APP_DATA, body, 0, body.len(), 0),
        }
        if kind == 23 && !name.is_empty() {
            cx.conclude_words(&APP_DATA_PROTO, name.as_bytes());
        }
        if let Some(why) = session.why_shut(cx, side) {
            cx.conclude_words(&NOT_OPENED, why.as_bytes());
        }
        return Ok(Vec::new());
    };
    let mut kind = kind;
    if session.said.is_13 || session.is_early(side) {
        let Some(inner) = record::inner_type(&mut plain) else { return Ok(Vec::new()) };
        kind = inner;
        cx.conclude(&CONTENT_TYPE, u64::from(kind));
    }
    match kind {
        21 => {
            let mut result = Ok(());
            cx.with_source("Decrypted TLS", plain, |cx, body| result = alert(cx, body));
            result?;
        }
        22 => cx.feed("Decrypted TLS", plain, |cx, body| handshake(cx, session, side, body)),
        23 => {
            cx.add(&APP_DATA, body, 0, body.len(), 0);
            if !name.is_empty() {
                cx.conclude_words(&APP_DATA_PROTO, name.as_bytes());
            }
            return Ok(plain);
        }
        _ => {}
    }
    Ok(Vec::new())
}

/// What is spoken inside of TLS on a port that says so.
fn name_of_port(port: u16) -> Option<&'static str> {
    static NAMES: [(u16, &str); 19] = [
        (389, "Lightweight Directory Access Protocol"),
        (5222, "XMPP Protocol"),
        (21, "File Transfer Protocol (FTP)"),
        (110, "Post Office Protocol"),
        (143, "Internet Message Access Protocol"),
        (5432, "PostgreSQL"),
        (443, "Hypertext Transfer Protocol"),
        (465, "Simple Mail Transfer Protocol"),
        (587, "Simple Mail Transfer Protocol"),
        (25, "Simple Mail Transfer Protocol"),
        (636, "Lightweight Directory Access Protocol"),
        (853, "Domain Name System"),
        (989, "FTP Data"),
        (990, "File Transfer Protocol (FTP)"),
        (993, "Internet Message Access Protocol"),
        (995, "Post Office Protocol"),
        (3306, "MySQL Protocol"),
        (5061, "Session Initiation Protocol"),
        (8883, "MQ Telemetry Transport Protocol"),
    ];
    NAMES.iter().find(|(known, _)| *known == port).map(|(_, name)| *name)
}

fn alert(cx: &mut Context<'_>, body: Data<'_>) -> Read {
    let mut c = body.cursor();
    cx.within(&ALERT, body, |cx| {
        c.u8(cx, &ALERT_LEVEL)?;
        c.u8(cx, &ALERT_DESC).map(|_| ())
    })
}

/// Handshake messages; one may go on in the next record, and each part of it is shown as one.
fn handshake(cx: &mut Context<'_>, session: &mut Session, side: usize, body: Data<'_>) {
    parts(cx, &mut session.sides[side].partial, &mut session.said, body);
    session.advance(cx, side);
}

/// The same for any carrier: `partial` is what was begun and goes on in what it brings next.
pub(crate) fn parts(cx: &mut Context<'_>, partial: &mut Vec<u8>, said: &mut Said, body: Data<'_>) {
    let mut waiting = std::mem::take(partial);
    let mut rest = body;
    if !waiting.is_empty() {
        let have = waiting.len();
        waiting.extend_from_slice(body.bytes);
        let total = waiting.get(1..4).map(|len| u32::from_be_bytes([0, len[0], len[1], len[2]]) as usize + 4);
        let part = total.map_or(body.len(), |total| total.saturating_sub(have).min(body.len()));
        cx.add(&HANDSHAKE, body, 0, part, 0);
        waiting.truncate(have + part);
        if total != Some(waiting.len()) {
            if waiting.len() <= MESSAGE_MAX {
                *partial = waiting;
            }
            return;
        }
        cx.feed("Reassembled handshake", waiting, |cx, whole| {
            messages(cx, whole, said);
        });
        rest = body.from(part);
    }
    let used = messages(cx, rest, said);
    let rest = rest.from(used);
    if !rest.is_empty() {
        cx.add(&HANDSHAKE, rest, 0, rest.len(), 0);
        *partial = rest.bytes.to_vec();
    }
}
