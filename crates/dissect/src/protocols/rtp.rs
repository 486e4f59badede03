//! RTP and RTCP (RFC 3550), on the ports that a session description announced.

use super::data;
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{Names, protocol};
use crate::table::{Step::*, walk};
use std::borrow::Cow;
use std::net::IpAddr;

static PAYLOADS: Names = &[
    (0, "ITU-T G.711 PCMU"),
    (1, "USA Federal Standard FS-1016"),
    (2, "ITU-T G.721"),
    (3, "GSM 06.10"),
    (4, "ITU-T G.723"),
    (5, "DVI4 8000 samples/s"),
    (6, "DVI4 16000 samples/s"),
    (7, "Experimental linear predictive encoding from Xerox PARC"),
    (8, "ITU-T G.711 PCMA"),
    (9, "ITU-T G.722"),
    (10, "16-bit uncompressed audio, stereo"),
    (11, "16-bit uncompressed audio, monaural"),
    (12, "Qualcomm Code Excited Linear Predictive coding"),
    (13, "Comfort noise"),
    (14, "MPEG-I/II Audio"),
    (15, "ITU-T G.728"),
    (16, "DVI4 11025 samples/s"),
    (17, "DVI4 22050 samples/s"),
    (18, "ITU-T G.729"),
    (19, "Comfort noise (old)"),
    (25, "Sun CellB video encoding"),
    (26, "JPEG-compressed video"),
    (28, "'nv' program"),
    (31, "ITU-T H.261"),
    (32, "MPEG-I/II Video"),
    (33, "MPEG-II transport streams"),
    (34, "ITU-T H.263"),
];

/// What a description calls the format of a payload type; types from 96 on have one for the session only.
pub(crate) fn format_name(number: u64) -> Option<Cow<'static, str>> {
    match number {
        96..=127 => Some(Cow::Owned(format!("DynamicRTP-Type-{number}"))),
        number => TYPE.name_of(number).map(Cow::Borrowed),
    }
}

static PACKETS: Names = &[
    (200, "Sender Report"),
    (201, "Receiver Report"),
    (202, "Source description"),
    (203, "Goodbye"),
    (204, "Application specific"),
    (205, "Generic RTP Feedback"),
    (206, "Payload-specific Feedback"),
    (207, "Extended report (RFC 3611)"),
];
static ITEMS: Names = &[
    (0, "END"),
    (1, "CNAME (user and domain)"),
    (2, "NAME (common name)"),
    (3, "EMAIL (e-mail address)"),
    (4, "PHONE (phone number)"),
    (5, "LOC (geographic location)"),
    (6, "TOOL (name/version of source app)"),
    (7, "NOTE (note about source)"),
    (8, "PRIV (private extensions)"),
];

protocol! { RTP "rtp" "RTP" "Real-Time Transport Protocol";
    SETUP: text "rtp.setup" "Stream setup";
    SETUP_FRAME: frame "rtp.setup-frame" "Setup frame";
    SETUP_METHOD: text "rtp.setup-method" "Setup Method";
    VERSION: u8 "rtp.version" "Version", mask(0xC0);
    PADDING: bool "rtp.padding" "Padding", mask(0x20);
    EXTENSION: bool "rtp.ext" "Extension", mask(0x10);
    COUNT: u8 "rtp.cc" "Contributing source identifiers count", mask(0x0F);
    MARKER: bool "rtp.marker" "Marker", mask(0x80);
    TYPE: u8 "rtp.p_type" "Payload type", mask(0x7F), names(PAYLOADS);
    SEQ: u16 "rtp.seq" "Sequence number";
    TIMESTAMP: u32 "rtp.timestamp" "Timestamp";
    SSRC: u32 "rtp.ssrc" "Synchronization Source identifier", hex;
    CSRCS: none "rtp.csrc.items" "Contributing Source identifiers";
    CSRC: u32 "rtp.csrc.item" "CSRC item", hex;
    PROFILE: u16 "rtp.ext.profile" "Defined by profile", hex;
    EXT_LEN: u16 "rtp.ext.len" "Extension length";
    HDR_EXTS: none "rtp.hdr_exts" "Header extensions";
    EXT_ID: u8 "rtp.ext.rfc5285.id" "Identifier";
    EXT_SIZE: u8 "rtp.ext.rfc5285.len" "Length";
    EXT_DATA: bytes "rtp.ext.rfc5285.data" "Extension Data";
    PAYLOAD: bytes "rtp.payload" "Payload";
    PADDING_DATA: bytes "rtp.padding.data" "Padding data";
    PADDING_COUNT: u8 "rtp.padding.count" "Padding count";
}
protocol! { RTPEVENT "rtpevent" "RTP Event" "RFC 2833 RTP Event";
    EVENT: u8 "rtpevent.event_id" "Event ID";
    EVENT_END: bool "rtpevent.end_of_event" "End of Event", mask(0x80);
    EVENT_RESERVED: bool "rtpevent.reserved" "Reserved", mask(0x40);
    EVENT_VOLUME: u8 "rtpevent.volume" "Volume", mask(0x3F);
    EVENT_DURATION: u16 "rtpevent.duration" "Event Duration";
}
protocol! { RTCP "rtcp" "RTCP" "Real-time Transport Control Protocol";
    C_SETUP: text "rtcp.setup" "Stream setup";
    C_SETUP_FRAME: frame "rtcp.setup-frame" "Setup frame";
    C_SETUP_METHOD: text "rtcp.setup-method" "Setup Method";
    C_VERSION: u8 "rtcp.version" "Version", mask(0xC0);
    C_PADDING: bool "rtcp.padding" "Padding", mask(0x20);
    C_REPORTS: u8 "rtcp.rc" "Reception report count", mask(0x1F);
    C_SOURCES: u8 "rtcp.sc" "Source count", mask(0x1F);
    C_APP_SUBTYPE: u8 "rtcp.app.subtype" "Subtype", mask(0x1F);
    C_FB_TYPE: u8 "rtcp.rtpfb.fmt" "RTCP Feedback message type (FMT)", mask(0x1F);
    C_PSFB_TYPE: u8 "rtcp.psfb.fmt" "RTCP Feedback message type (FMT)", mask(0x1F);
    C_TYPE: u8 "rtcp.pt" "Packet type", names(PACKETS);
    C_LENGTH: u16 "rtcp.length" "Length";
    C_SENDER: u32 "rtcp.senderssrc" "Sender SSRC", hex;
    C_MEDIA: u32 "rtcp.mediassrc" "Media source SSRC", hex;
    C_NTP_HIGH: u32 "rtcp.timestamp.ntp.msw" "Timestamp, MSW";
    C_NTP_LOW: u32 "rtcp.timestamp.ntp.lsw" "Timestamp, LSW";
    C_NTP: absolute "rtcp.timestamp.ntp" "MSW and LSW as NTP timestamp";
    C_RTP_TIME: u32 "rtcp.timestamp.rtp" "RTP timestamp";
    C_PACKETS: u32 "rtcp.sender.packetcount" "Sender's packet count";
    C_OCTETS: u32 "rtcp.sender.octetcount" "Sender's octet count";
    C_SSRC: u32 "rtcp.ssrc.identifier" "Identifier", hex;
    C_FRACTION: u8 "rtcp.ssrc.fraction" "Fraction lost";
    C_LOST: int "rtcp.ssrc.cum_nr" "Cumulative number of packets lost";
    C_HIGHEST: u32 "rtcp.ssrc.ext_high" "Extended highest sequence number received";
    C_CYCLES: u16 "rtcp.ssrc.high_cycles" "Sequence number cycles count";
    C_HIGH_SEQ: u16 "rtcp.ssrc.high_seq" "Highest sequence number received";
    C_JITTER: u32 "rtcp.ssrc.jitter" "Interarrival jitter";
    C_LSR: u32 "rtcp.ssrc.lsr" "Last SR timestamp";
    C_DLSR: u32 "rtcp.ssrc.dlsr" "Delay since last SR timestamp";
    C_ITEM: u8 "rtcp.sdes.type" "Type", names(ITEMS);
    C_ITEM_LENGTH: u32 "rtcp.sdes.length" "Length";
    C_ITEM_TEXT: text "rtcp.sdes.text" "Text";
    C_APP_NAME: text "rtcp.app.name" "Name (ASCII)";
    C_APP_DATA: bytes "rtcp.app.data" "Application specific data";
    C_NACK_PID: u16 "rtcp.rtpfb.nack_pid" "RTCP Transport Feedback NACK PID";
    C_NACK_BLP: u16 "rtcp.rtpfb.nack_blp" "RTCP Transport Feedback NACK BLP", hex;
    C_CHECK: bool "rtcp.length_check" "RTCP frame length check";
}

/// What a session description says of a port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announced {
    /// The frame that said it first.
    pub(crate) frame: u64,
    pub(crate) is_control: bool,
    /// The payload type of telephone events; 0: none.
    pub(crate) event_type: u8,
    /// By what it was announced.
    pub(crate) method: &'static [u8],
}

impl Announced {
    /// Remembers where media will go, and behind it what reports of them (RFC 3550 11).
    pub(crate) fn remember(self, cx: &mut Context<'_>, address: IpAddr, port: u16) {
        cx.state.media.insert((address, port), self);
        cx.state.media.insert((address, port.wrapping_add(1)), Announced { is_control: true, ..self });
    }
}

pub(crate) fn dissect(cx: &mut Context<'_>, packet: Data<'_>, announced: Announced) {
    if announced.is_control {
        return control(cx, packet, Some(announced));
    }
    if packet.bytes.first().is_none_or(|byte| byte >> 6 != 2) {
        return data::show(cx, packet);
    }
    cx.layer(&RTP, packet, |cx, c| {
        setup(cx, Some(announced), false);
        rtp(cx, c, announced.event_type)
    });
}

fn setup(cx: &mut Context<'_>, announced: Option<Announced>, is_control: bool) {
    let Some(announced) = announced else { return };
    let (heading, frame, method) = if is_control {
        (&C_SETUP, &C_SETUP_FRAME, &C_SETUP_METHOD)
    } else {
        (&SETUP, &SETUP_FRAME, &SETUP_METHOD)
    };
    cx.conclude_words(heading, b"");
    cx.depth += 1;
    cx.conclude(frame, announced.frame);
    cx.conclude_words(method, announced.method);
    cx.depth -= 1;
}

fn rtp(cx: &mut Context<'_>, c: &mut Cursor<'_>, event_type: u8) -> Read {
    let first = c.parts(cx, 1, &[&VERSION, &PADDING, &EXTENSION, &COUNT])?;
    let kind = c.parts(cx, 1, &[&MARKER, &TYPE])? & 0x7F;
    walk(cx, c, &[Is(&SEQ), Is(&TIMESTAMP), Is(&SSRC)])?;
    let count = (first & 15) as usize;
    if count > 0 {
        let sources = c.take(4 * count)?;
        cx.within(&CSRCS, sources, |cx| walk(cx, &mut sources.cursor(), &[Each(&[Is(&CSRC)])]))?;
    }
    if first & 0x10 != 0 {
        extensions(cx, c)?;
    }
    let mut rest = c.take_most(usize::MAX);
    let mut padding = 0;
    if first & 0x20 != 0 {
        padding = usize::from(rest.bytes.last().copied().unwrap_or(0)).min(rest.len());
    }
    let tail = rest.from(rest.len() - padding);
    rest = rest.first(rest.len() - padding);
    if !rest.is_empty() {
        cx.add(&PAYLOAD, rest, 0, rest.len(), 0);
    }
    if padding > 0 {
        if padding > 1 {
            cx.add(&PADDING_DATA, tail, 0, padding - 1, 0);
        }
        cx.add(&PADDING_COUNT, tail, padding - 1, 1, padding as u64);
    }
    if event_type != 0 && kind == u64::from(event_type) {
        let parts: &[_] = &[&EVENT_END, &EVENT_RESERVED, &EVENT_VOLUME];
        cx.layer(&RTPEVENT, rest, |cx, c| walk(cx, c, &[Is(&EVENT), Parts(1, parts), Is(&EVENT_DURATION)]));
    }
    Ok(())
}

/// Header extensions (RFC 8285).
fn extensions(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let profile = c.u16(cx, &PROFILE)?;
    let words = usize::from(c.u16(cx, &EXT_LEN)?);
    if words == 0 {
        return Ok(());
    }
    let body = c.take(4 * words)?;
    cx.within(&HDR_EXTS, body, |cx| {
        let mut c = body.cursor();
        while profile == 0xBEDE && !c.is_done() {
            let byte = c.peek()?;
            if byte == 0 {
                c.skip(1)?;
                continue;
            }
            let size = usize::from(byte & 15) + 1;
            cx.add(&EXT_ID, c.data, c.pos, 1, u64::from(byte >> 4));
            cx.add(&EXT_SIZE, c.data, c.pos, 1, size as u64);
            c.skip(1)?;
            c.bytes(cx, &EXT_DATA, size)?;
        }
        Ok(())
    })
}

/// Whether a datagram is a report. Of encrypted ones (RFC 3711 3.4) the first eight bytes are in the clear, so that only
/// they can tell: what the lengths behind them say is not known.
pub(crate) fn looks_like_control(bytes: &[u8]) -> bool {
    bytes.len().is_multiple_of(4)
        && matches!(bytes, [first, 200 | 201 | 203 | 204 | 206, ..] if first >> 6 == 2)
}

/// A compound of reports; each is shown for itself.
pub(crate) fn control(cx: &mut Context<'_>, packet: Data<'_>, announced: Option<Announced>) {
    let mut at = 0;
    while packet.len() - at >= 4 {
        let len = (usize::from(packet.u16(at + 2).unwrap_or(0)) + 1) * 4;
        let one = packet.from(at).first(len);
        at += one.len();
        // What follows may be no report: a check sum, or what was encrypted.
        let is_foreign = !matches!(packet.bytes.get(at + 1), None | Some(192..=210));
        let is_last = packet.len() - at < 4 || is_foreign;
        let whole = at == packet.len() || is_foreign;
        let read = |cx: &mut Context<'_>, c: &mut Cursor<'_>| {
            setup(cx, announced, true);
            report(cx, c)?;
            c.pos = c.data.len();
            if is_last && one.len() == len {
                cx.conclude(&C_CHECK, u64::from(whole));
            }
            Ok(())
        };
        if at == one.len() {
            cx.layer(&RTCP, one, read)
        } else {
            cx.layer_again(&RTCP, one, read)
        }
        if is_foreign {
            break;
        }
    }
}

fn report(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let kind = c.data.u8(1)?;
    let count_def = match kind {
        202 | 203 => &C_SOURCES,
        204 => &C_APP_SUBTYPE,
        205 => &C_FB_TYPE,
        206 => &C_PSFB_TYPE,
        _ => &C_REPORTS,
    };
    const EXTENDED: u8 = 207;
    let parts = [&C_VERSION, &C_PADDING, count_def];
    let count = c.parts(cx, 1, if kind == EXTENDED { &parts[..2] } else { &parts })? & 31;
    walk(cx, c, &[Is(&C_TYPE), Is(&C_LENGTH)])?;
    if kind == EXTENDED && c.data.len() < 4 * (usize::from(c.data.u16(2)?) + 1) {
        return Err(Short);
    }
    match kind {
        200 => {
            c.u32(cx, &C_SENDER)?;
            let (high, low) = (c.data.u32(c.pos)?, c.data.u32(c.pos + 4)?);
            walk(cx, c, &[Is(&C_NTP_HIGH), Is(&C_NTP_LOW)])?;
            // Numbers without their highest bit count from 2036 on (RFC 4330 3).
            let era = if high >> 31 == 0 { 1 << 32 } else { 0 };
            let seconds = i64::from(high) + era - 2_208_988_800;
            let nanos = seconds * 1_000_000_000 + ((i64::from(low) * 1_000_000_000) >> 32);
            cx.add(&C_NTP, c.data, c.pos - 8, 8, nanos as u64);
            walk(cx, c, &[Is(&C_RTP_TIME), Is(&C_PACKETS), Is(&C_OCTETS)])?;
            (0..count).try_for_each(|_| block(cx, c))
        }
        201 => {
            c.u32(cx, &C_SENDER)?;
            (0..count).try_for_each(|_| block(cx, c))
        }
        202 => (0..count).try_for_each(|_| description(cx, c)),
        203 => {
            (0..count).try_for_each(|_| c.u32(cx, &C_SSRC).map(drop))?;
            // Why, if it says so.
            if c.is_done() { Ok(()) } else { words(cx, c) }
        }
        204 => {
            walk(cx, c, &[Is(&C_SSRC)])?;
            let name = c.take(4)?;
            if name.bytes.iter().all(|byte| (0x20..0x7F).contains(byte)) {
                cx.add(&C_APP_NAME, name, 0, 4, 0);
            }
            // As tshark, nothing of it is shown if it isn't whole.
            c.bytes(cx, &C_APP_DATA, (4 * usize::from(c.data.u16(2)?)).saturating_sub(8)).map(drop)
        }
        205 => {
            walk(cx, c, &[Is(&C_SENDER), Is(&C_MEDIA)])?;
            while count == 1 && c.left() >= 4 {
                nack(cx, c)?;
            }
            Ok(())
        }
        206 => walk(cx, c, &[Is(&C_SENDER), Is(&C_MEDIA)]),
        _ => Ok(()),
    }
}

fn block(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    walk(cx, c, &[Is(&C_SSRC), Is(&C_FRACTION), Wide(&C_LOST, 3)])?;
    let highest = c.u32(cx, &C_HIGHEST)?;
    cx.add(&C_CYCLES, c.data, c.pos - 4, 2, u64::from(highest >> 16));
    cx.add(&C_HIGH_SEQ, c.data, c.pos - 2, 2, u64::from(highest & 0xFFFF));
    walk(cx, c, &[Is(&C_JITTER), Is(&C_LSR), Is(&C_DLSR)])
}

fn description(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.u32(cx, &C_SSRC)?;
    let begins = c.pos;
    loop {
        let kind = c.u8(cx, &C_ITEM)?;
        if kind == 0 {
            let used = c.pos - begins;
            c.take_most(used.next_multiple_of(4) - used);
            return Ok(());
        }
        words(cx, c)?;
    }
}

/// Characters behind their number.
fn words(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let len = c.uint(cx, &C_ITEM_LENGTH, 1)?;
    if len > 0 {
        c.bytes(cx, &C_ITEM_TEXT, usize::try_from(len).map_err(|_| Short)?)?;
    }
    Ok(())
}

/// A lost packet, and which of the sixteen behind it are lost, too.
fn nack(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let first = c.u16(cx, &C_NACK_PID)?;
    let mask = c.u16(cx, &C_NACK_BLP)?;
    cx.depth += 1;
    for bit in (0..16).filter(|bit| mask >> bit & 1 == 1) {
        cx.add(&C_NACK_PID, c.data, c.pos - 2, 2, u64::from(first.wrapping_add(bit + 1)));
    }
    cx.depth -= 1;
    Ok(())
}
