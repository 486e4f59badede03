//! BGP (RFC 4271): sessions, capabilities, and routes with their attributes.

mod attributes;
mod communities;
mod flowspec;

pub(crate) use attributes::ATTRIBUTES;
pub(crate) use communities::COMMUNITIES;
pub(crate) use flowspec::FLOWSPEC;

use super::spoken::{Length, Spoken, Talk};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{Names, protocol};
use crate::table::{Layout, Step::*, Tlv, tlvs, walk};

static TYPES: Names = &[
    (1, "OPEN Message"),
    (2, "UPDATE Message"),
    (3, "NOTIFICATION Message"),
    (4, "KEEPALIVE Message"),
    (5, "ROUTE-REFRESH Message"),
    (6, "CAPABILITY Message"),
];
static CAPABILITIES: Names = &[
    (1, "Multiprotocol extensions capability"),
    (2, "Route refresh capability"),
    (5, "Extended Next Hop Encoding"),
    (6, "BGP Extended Message"),
    (7, "BGPsec capability"),
    (64, "Graceful Restart capability"),
    (65, "Support for 4-octet AS number capability"),
    (69, "Support for Additional Paths"),
    (70, "Enhanced route refresh capability"),
    (71, "Long-Lived Graceful Restart (LLGR) Capability"),
    (73, "FQDN Capability"),
];
static AFI: Names = &[(1, "IPv4"), (2, "IPv6"), (25, "Layer-2 VPN"), (16388, "BGP-LS")];
static SAFI: Names =
    &[(1, "Unicast"), (2, "Multicast"), (4, "Labeled Unicast"), (128, "Labeled VPN Unicast")];
static ERRORS: Names = &[
    (1, "Message Header Error"),
    (2, "OPEN Message Error"),
    (3, "UPDATE Message Error"),
    (4, "Hold Timer Expired"),
    (5, "Finite State Machine Error"),
    (6, "Cease"),
    (7, "CAPABILITY Message Error"),
];
static CEASE: Names = &[
    (1, "Maximum Number of Prefixes Reached"),
    (2, "Administratively Shutdown"),
    (3, "Peer De-configured"),
    (4, "Administratively Reset"),
    (5, "Connection Rejected"),
    (6, "Other Configuration Change"),
    (7, "Connection Collision Resolution"),
    (8, "Out of Resources"),
];

protocol! { BGP "bgp" "BGP" "Border Gateway Protocol";
    MARKER: bytes "bgp.marker" "Marker";
    LENGTH: u16 "bgp.length" "Length";
    TYPE: u8 "bgp.type" "Type", names(TYPES);
    VERSION: u8 "bgp.open.version" "Version";
    MY_AS: u16 "bgp.open.myas" "My AS";
    HOLD: u16 "bgp.open.holdtime" "Hold Time";
    IDENTIFIER: ipv4 "bgp.open.identifier" "BGP Identifier";
    OPT_LEN: u8 "bgp.open.opt.len" "Optional Parameters Length";
    OPT: none "bgp.open.opt" "Optional Parameters";
    PARAM: none "bgp.open.opt.param" "Optional Parameter";
    PARAM_TYPE: u8 "bgp.open.opt.param.type" "Parameter Type";
    PARAM_LEN: u8 "bgp.open.opt.param.len" "Parameter Length";
    PARAM_UNKNOWN: bytes "bgp.open.opt.param.unknown" "Unknown";
    CAP: none "bgp.cap" "Capability";
    CAP_TYPE: u8 "bgp.cap.type" "Type", names(CAPABILITIES);
    CAP_LEN: u8 "bgp.cap.length" "Length";
    CAP_UNKNOWN: bytes "bgp.cap.unknown" "Unknown";
    CAP_MP_AFI: u16 "bgp.cap.mp.afi" "AFI", names(AFI);
    CAP_RESERVED: bytes "bgp.cap.reserved" "Reserved";
    CAP_MP_SAFI: u8 "bgp.cap.mp.safi" "SAFI", names(SAFI);
    CAP_ENH_AFI: u16 "bgp.cap.enh.afi" "AFI", names(AFI);
    CAP_ENH_SAFI: u16 "bgp.cap.enh.safi" "SAFI", names(SAFI);
    CAP_ENH_NH: u16 "bgp.cap.enh.nhafi" "Next hop AFI", names(AFI);
    CAP_GR: u16 "bgp.cap.gr.timers" "Restart Timers", hex;
    CAP_GR_RESTART: bool "bgp.cap.gr.timers.restart_flag" "Restart state", mask(0x8000);
    CAP_GR_NOTIFY: bool "bgp.cap.gr.timers.notification_flag" "Graceful notification", mask(0x4000);
    CAP_GR_TIME: u16 "bgp.cap.gr.timers.restart_time" "Time", mask(0x0FFF);
    CAP_GR_AFI: u16 "bgp.cap.gr.afi" "AFI", names(AFI);
    CAP_GR_SAFI: u8 "bgp.cap.gr.safi" "SAFI", names(SAFI);
    CAP_GR_FLAG: u8 "bgp.cap.gr.flag" "Flag", hex;
    CAP_GR_PFS: bool "bgp.cap.gr.flag.pfs" "Preserve forwarding state", mask(0x80);
    CAP_4AS: u32 "bgp.cap.4as" "AS Number";
    CAP_AP_AFI: u16 "bgp.cap.ap.afi" "AFI", names(AFI);
    CAP_AP_SAFI: u8 "bgp.cap.ap.safi" "SAFI", names(SAFI);
    CAP_AP_BOTH: u8 "bgp.cap.ap.sendreceive" "Send/Receive";
    CAP_SEC: u8 "bgp.cap.bgpsec.flags" "Flag", hex;
    CAP_SEC_VERSION: u8 "bgp.cap.bgpsec.version" "Version", mask(0xF0);
    CAP_SEC_SEND: u8 "bgp.cap.bgpsec.sendreceive" "Send/Receive", mask(0x08);
    CAP_SEC_RESERVED: u8 "bgp.cap.bgpsec.reserved" "Reserved", hex, mask(0x07);
    CAP_SEC_AFI: u16 "bgp.cap.bgpsec.afi" "AFI", names(AFI);
    CAP_HOST_LEN: u8 "bgp.cap.orf.fqdn.hostname.len" "Hostname Length";
    CAP_HOST: text "bgp.cap.orf.fqdn.hostname" "Hostname";
    CAP_DOMAIN_LEN: u8 "bgp.cap.orf.fqdn.domain_name.len" "Domain Name Length";
    CAP_DOMAIN: text "bgp.cap.orf.fqdn.domain_name" "Domain Name";
    MAJOR: u8 "bgp.notify.major_error" "Major error Code", names(ERRORS);
    MINOR: u8 "bgp.notify.minor_error" "Minor error Code";
    MINOR_OPEN: u8 "bgp.notify.minor_error_open" "Minor error Code (Open Message)";
    MINOR_UPDATE: u8 "bgp.notify.minor_error_update" "Minor error Code (Update Message)";
    MINOR_HOLD: u8 "bgp.notify.minor_error_expired" "Minor error Code (Hold Timer Expired)";
    MINOR_STATE: u8 "bgp.notify.minor_error_state" "Minor error Code (State Machine)";
    MINOR_CAPABILITY: u8 "bgp.notify.minor_error_capability" "Minor error Code (Capability Message)";
    MINOR_CEASE: u8 "bgp.notify.minor_error_cease" "Minor error Code (Cease)", names(CEASE);
    NOTIFY_DATA: bytes "bgp.notify.minor_data" "Data";
    NOTIFY_LEN: u8 "bgp.notify.communication_length" "BGP Shutdown Communication Length";
    NOTIFY_WORDS: text "bgp.notify.communication" "Shutdown Communication";
    REFRESH_AFI: u16 "bgp.route_refresh.afi" "Address family identifier (AFI)", names(AFI);
    REFRESH_SUB: u8 "bgp.route_refresh.subtype" "Subtype";
    REFRESH_SAFI: u8 "bgp.route_refresh.safi" "Subsequent address family identifier (SAFI)", names(SAFI);
}

/// Whether bytes begin with the marker of a message: nothing else does (RFC 4271 4.1).
pub(crate) fn is_marked(bytes: &[u8]) -> bool {
    bytes.len() >= 16 && bytes[..16].iter().all(|byte| *byte == 0xFF)
}

/// `notes[0]`: how many sides offered four-byte AS numbers: both have to; `notes[1]`: an OPEN was seen; `notes[2]`: the
/// frame that brought the last message.
pub(crate) static SPOKEN: Spoken =
    Spoken { protocol: &BGP, ports: &[179], eager: false, begins: None, length, show };

/// What comes behind a message of the same packet is one, whatever its marker says. What a packet begins with may be the
/// rest of a message that was not seen: then the next marker ends it.
fn length(cx: &Context<'_>, talk: &Talk, _: usize, bytes: &[u8]) -> Length {
    if bytes.first().is_some_and(|first| *first != 0xFF) && !goes_on(cx, talk) {
        return match bytes.windows(16).position(is_marked) {
            Some(at) => Length::Whole(at),
            None => Length::Foreign,
        };
    }
    match bytes {
        [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, high, low, _, ..] => whole(*high, *low, bytes.len()),
        _ => Length::More,
    }
}

/// Whether a message was shown in this packet before.
fn goes_on(cx: &Context<'_>, talk: &Talk) -> bool {
    talk.notes[2] == cx.number
}

/// A length that no message has ends what can be read.
fn whole(high: u8, low: u8, rest: usize) -> Length {
    match usize::from(u16::from_be_bytes([high, low])) {
        len if len < 19 => Length::Quiet(rest),
        len => Length::Whole(len),
    }
}

static PARAMETERS: Tlv = Tlv {
    heading: Some(&PARAM),
    tag: &PARAM_TYPE,
    len: &PARAM_LEN,
    counts: 0,
    align: 1,
    values: &[(2, &[Call(capabilities)])],
    other: Some(&PARAM_UNKNOWN),
};

static CAPABILITY: Tlv = Tlv {
    heading: Some(&CAP),
    tag: &CAP_TYPE,
    len: &CAP_LEN,
    counts: 0,
    align: 1,
    values: &[
        (1, &[Is(&CAP_MP_AFI), Bytes(&CAP_RESERVED, 1), Is(&CAP_MP_SAFI)]),
        (2, &[]),
        (5, &[Each(&[Is(&CAP_ENH_AFI), Is(&CAP_ENH_SAFI), Is(&CAP_ENH_NH)])]),
        (6, &[]),
        (7, &[Bits(&CAP_SEC, 1, &[&CAP_SEC_VERSION, &CAP_SEC_SEND, &CAP_SEC_RESERVED]), Is(&CAP_SEC_AFI)]),
        (
            64,
            &[
                Bits(&CAP_GR, 2, &[&CAP_GR_RESTART, &CAP_GR_NOTIFY, &CAP_GR_TIME]),
                Each(&[Is(&CAP_GR_AFI), Is(&CAP_GR_SAFI), Bits(&CAP_GR_FLAG, 1, &[&CAP_GR_PFS])]),
            ],
        ),
        (65, &[Is(&CAP_4AS)]),
        (69, &[Each(&[Is(&CAP_AP_AFI), Is(&CAP_AP_SAFI), Is(&CAP_AP_BOTH)])]),
        (70, &[]),
        (73, &[Call(host), Call(domain)]),
    ],
    other: Some(&CAP_UNKNOWN),
};

static REFRESH: Layout<'static> = &[Is(&REFRESH_AFI), Is(&REFRESH_SUB), Is(&REFRESH_SAFI)];

fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, _: usize) -> Read {
    if !is_marked(c.data.bytes) && !goes_on(cx, talk) {
        return c.skip(c.left());
    }
    talk.notes[2] = cx.number;
    walk(cx, c, &[Bytes(&MARKER, 16), Is(&LENGTH)])?;
    match c.u8(cx, &TYPE)? {
        1 => open(cx, c, talk),
        // An UPDATE without an OPEN before it: everyone has four bytes today.
        2 => attributes::update(cx, c, talk.notes[1] == 0 || talk.notes[0] >= 2),
        3 => notification(cx, c),
        5 => walk(cx, c, REFRESH),
        _ => Ok(()),
    }
}

fn open(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    walk(cx, c, &[Is(&VERSION), Is(&MY_AS), Is(&HOLD), Is(&IDENTIFIER), Is(&OPT_LEN)])?;
    talk.notes[1] = 1;
    if c.is_done() {
        return Ok(());
    }
    let rest = c.take_most(usize::MAX);
    let before = cx.arena.fields.len();
    let is_long = matches!(rest.bytes, [255, _, _, ..]);
    let result = cx.within(&OPT, rest, |cx| match is_long {
        true => long_parameters(cx, rest),
        false => tlvs(cx, &mut rest.cursor(), &PARAMETERS),
    });
    if cx.arena.fields.iter().skip(before).any(|field| field.def.is(&CAP_4AS)) {
        talk.notes[0] += 1;
    }
    result
}

/// Parameters whose lengths have two bytes, behind a type of 255 and the length of all (RFC 9072 2).
fn long_parameters(cx: &mut Context<'_>, all: Data<'_>) -> Read {
    let mut c = all.cursor();
    walk(cx, &mut c, &[Is(&PARAM_TYPE), Wide(&PARAM_LEN, 2)])?;
    while !c.is_done() {
        let whole = c.take(3 + usize::from(c.data.u16(c.pos + 1)?))?;
        cx.within(&PARAM, whole, |cx| {
            let mut c = whole.cursor();
            let kind = c.u8(cx, &PARAM_TYPE)?;
            c.uint(cx, &PARAM_LEN, 2)?;
            if kind == 2 { capabilities(cx, &mut c) } else { walk(cx, &mut c, &[Rest(&PARAM_UNKNOWN)]) }
        })?;
    }
    Ok(())
}

fn host(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let len = c.u8(cx, &CAP_HOST_LEN)?;
    c.bytes(cx, &CAP_HOST, usize::from(len)).map(drop)
}

fn domain(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let len = c.u8(cx, &CAP_DOMAIN_LEN)?;
    c.bytes(cx, &CAP_DOMAIN, usize::from(len)).map(drop)
}

fn capabilities(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    tlvs(cx, c, &CAPABILITY)
}

fn notification(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let major = c.u8(cx, &MAJOR)?;
    let minors =
        [&MINOR, &MINOR_OPEN, &MINOR_UPDATE, &MINOR_HOLD, &MINOR_STATE, &MINOR_CEASE, &MINOR_CAPABILITY];
    let def = minors.get(usize::from(major).wrapping_sub(1)).copied().unwrap_or(&MINOR);
    let minor = c.u8(cx, def)?;
    if c.is_done() {
        return Ok(());
    }
    if major == 6 && matches!(minor, 2 | 4) {
        // RFC 9003: the words are all that follows, or it is something else.
        if usize::from(c.peek()?) + 1 == c.left() {
            let len = c.u8(cx, &NOTIFY_LEN)?;
            return if len > 0 { c.bytes(cx, &NOTIFY_WORDS, usize::from(len)).map(drop) } else { Ok(()) };
        }
    }
    c.all(cx, &NOTIFY_DATA);
    if c.is_done() { Ok(()) } else { Err(Short) }
}
