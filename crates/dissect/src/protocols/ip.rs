//! IPv4 (RFC 791), and which protocol follows which number.

use super::names::{self, CHECKSUM_STATUS, DSCP, ECN, IP_PROTOCOLS};
use super::{data, icmp, icmpv6, igmp, ipv6, ospf, sctp, tcp, tunnel, udp};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use crate::streams::fragments::{Fragment, Lies, Outcome};
use std::net::{IpAddr, Ipv4Addr};
use thru_wire::checksum;

static OPTIONS: Names = &[
    (0, "End of Options List (EOL)"),
    (1, "No Operation (NOP)"),
    (7, "Record Route"),
    (68, "Time Stamp"),
    (131, "Loose Source Route"),
    (136, "Stream ID"),
    (137, "Strict Source Route"),
    (148, "Router Alert"),
];

static OPTION_CLASSES: Names = &[
    (0, "Control"),
    (1, "Reserved for future use"),
    (2, "Debugging and measurement"),
    (3, "Reserved for future use"),
];

protocol! { IP "ip" "IPv4" "Internet Protocol Version 4";
    VERSION: u8 "ip.version" "Version", mask(0xF0);
    HDR_LEN: u8 "ip.hdr_len" "Header Length";
    DSFIELD: u8 "ip.dsfield" "Differentiated Services Field", hex;
    DSFIELD_DSCP: u8 "ip.dsfield.dscp" "Differentiated Services Codepoint", mask(0xFC), names(DSCP);
    DSFIELD_ECN: u8 "ip.dsfield.ecn" "Explicit Congestion Notification", mask(0x03), names(ECN);
    LEN: u16 "ip.len" "Total Length";
    ID: u16 "ip.id" "Identification", hex;
    FLAGS: u8 "ip.flags" "Flags", hex, mask(0xE0);
    FLAG_RB: bool "ip.flags.rb" "Reserved bit", mask(0x80);
    FLAG_DF: bool "ip.flags.df" "Don't fragment", mask(0x40);
    FLAG_MF: bool "ip.flags.mf" "More fragments", mask(0x20);
    FRAG_OFFSET: u16 "ip.frag_offset" "Fragment Offset";
    TTL: u8 "ip.ttl" "Time to Live";
    PROTO: u8 "ip.proto" "Protocol", names(IP_PROTOCOLS);
    CHECKSUM: u16 "ip.checksum" "Header Checksum", hex;
    STATUS: u8 "ip.checksum.status" "Header checksum status", names(CHECKSUM_STATUS);
    CHECKSUM_BAD: none "ip.checksum_bad.expert" "Bad checksum";
    SRC: ipv4 "ip.src" "Source Address";
    DST: ipv4 "ip.dst" "Destination Address";
    ADDR: ipv4 "ip.addr" "Source or Destination Address";
    OPT_TYPE: u8 "ip.opt.type" "Type", names(OPTIONS);
    OPT_COPY: bool "ip.opt.type.copy" "Copy on fragmentation", mask(0x80);
    OPT_CLASS: u8 "ip.opt.type.class" "Class", mask(0x60), names(OPTION_CLASSES);
    OPT_NUMBER: u8 "ip.opt.type.number" "Number", mask(0x1F);
    OPT_LEN: u8 "ip.opt.len" "Length";
    OPT_PTR: u8 "ip.opt.ptr" "Pointer";
    OPT_RA: u16 "ip.opt.ra" "Router Alert";
    OPT_ADDR: ipv4 "ip.opt.addr" "IP Address";
    OPT_RECORDED: ipv4 "ip.rec_rt" "Recorded Route";
    OPT_EMPTY: ipv4 "ip.empty_rt" "Empty Route";
    BOGUS_VERSION: none "ip.bogus_ip_version" "Bogus IP version";
    BOGUS_LENGTH: none "ip.bogus_ip_length" "Bogus IP length";
    BOGUS_HEADER: none "ip.bogus_header_length" "Bogus IP header length";
    FRAGMENTS: none "ip.fragments" "IPv4 Fragments";
    FRAGMENT: frame "ip.fragment" "IPv4 Fragment";
    FRAGMENT_COUNT: u32 "ip.fragment.count" "Fragment count";
    FRAGMENT_OVERLAP: bool "ip.fragment.overlap" "Fragment overlap";
    FRAGMENT_CONFLICT: bool "ip.fragment.overlap.conflict" "Conflicting data in fragment overlap";
    FRAGMENT_ERROR: frame "ip.fragment.error" "Defragmentation error";
    REASSEMBLED_LENGTH: u32 "ip.reassembled.length" "Reassembled IPv4 length";
}

pub(crate) fn dissect(cx: &mut Context<'_>, packet: Data<'_>) {
    cx.layer(&IP, packet, header);
}

fn header(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let packet = c.data;
    let first = packet.u8(0)?;
    cx.add(&VERSION, packet, 0, 1, u64::from(first >> 4));
    if first >> 4 == 6 {
        // What announced it was wrong; it says itself what it is.
        cx.expert(&BOGUS_VERSION);
        ipv6::dissect(cx, packet);
        return Ok(());
    }
    let hdr_len = usize::from(first & 15) * 4;
    cx.add(&HDR_LEN, packet, 0, 1, hdr_len as u64);
    if first >> 4 != 4 {
        cx.expert(&BOGUS_VERSION);
        return Ok(());
    }
    if hdr_len < 20 {
        cx.expert(&BOGUS_HEADER);
        return Ok(());
    }
    c.pos = 1;
    c.bits(cx, &DSFIELD, 1, &[&DSFIELD_DSCP, &DSFIELD_ECN])?;
    let claimed = usize::from(c.u16(cx, &LEN)?);
    // 0: the sender left the length to the network card; the frame tells.
    let end = if claimed == 0 { packet.len().saturating_add(cx.missing) } else { claimed };
    if claimed == 0
        && let Some(shown) = cx.arena.fields.last_mut()
    {
        shown.value = end as u64;
    }
    let id = c.u16(cx, &ID)?;
    let word = packet.u16(6)?;
    c.bits(cx, &FLAGS, 1, &[&FLAG_RB, &FLAG_DF, &FLAG_MF])?;
    let offset = (word & 0x1FFF) * 8;
    // In units of eight bytes, as on the wire.
    cx.add(&FRAG_OFFSET, packet, 6, 2, u64::from(offset / 8));
    c.pos = 8;
    c.u8(cx, &TTL)?;
    let protocol = c.u8(cx, &PROTO)?;
    c.u16(cx, &CHECKSUM)?;
    let status = checksum_status(cx, packet, hdr_len);
    cx.conclude(&STATUS, status);
    if status == names::BAD {
        cx.expert(&CHECKSUM_BAD);
    }
    let src = c.ipv4(cx, &SRC)?;
    let dst = c.ipv4(cx, &DST)?;
    (cx.src, cx.dst) = (IpAddr::V4(Ipv4Addr::from_bits(src)), IpAddr::V4(Ipv4Addr::from_bits(dst)));
    let header_end = hdr_len.min(packet.len());
    while c.pos < header_end {
        option(cx, c, header_end)?;
    }
    if hdr_len > packet.len() {
        return Err(Short);
    }
    c.pos = hdr_len;
    if end < hdr_len {
        cx.expert(&BOGUS_LENGTH);
        return Ok(());
    }
    let whole = packet.len() >= end;
    let payload = cx.claim(packet, end).from(hdr_len);
    let more = word & 0x2000 != 0;
    if (more || offset > 0) && !cx.is_quoted {
        return fragment(
            cx,
            Fragment { id: u32::from(id), protocol, offset: usize::from(offset), more, whole },
            payload,
        );
    }
    if offset > 0 {
        data::show(cx, payload);
    } else {
        upper(cx, protocol, payload);
    }
    Ok(())
}

fn checksum_status(cx: &Context<'_>, packet: Data<'_>, hdr_len: usize) -> u64 {
    match packet.bytes.get(..hdr_len) {
        Some(header) if cx.state.options.verify_checksums => {
            if checksum::of(header) == 0 {
                names::GOOD
            } else {
                names::BAD
            }
        }
        _ => names::UNVERIFIED,
    }
}

fn option(cx: &mut Context<'_>, c: &mut Cursor<'_>, end: usize) -> Read {
    let kind = c.bits(cx, &OPT_TYPE, 1, &[&OPT_COPY, &OPT_CLASS, &OPT_NUMBER])? as u8;
    if kind == 0 {
        c.pos = end;
        return Ok(());
    }
    if kind == 1 {
        return Ok(());
    }
    cx.depth += 1;
    let result = option_body(cx, c, kind);
    cx.depth -= 1;
    result
}

fn option_body(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u8) -> Read {
    let len = usize::from(c.u8(cx, &OPT_LEN)?);
    let body = c.take(len.checked_sub(2).ok_or(Short)?)?;
    let mut body = body.cursor();
    match kind {
        7 => {
            let pointer = usize::from(body.u8(cx, &OPT_PTR)?);
            // It counts from the option's first byte, which is its type.
            while body.left() >= 4 {
                let is_recorded = body.pos + 3 < pointer;
                body.ipv4(cx, if is_recorded { &OPT_RECORDED } else { &OPT_EMPTY })?;
            }
        }
        131 | 137 => {
            body.u8(cx, &OPT_PTR)?;
            while body.left() >= 4 {
                body.ipv4(cx, &OPT_ADDR)?;
            }
        }
        68 => {
            body.u8(cx, &OPT_PTR)?;
        }
        148 => {
            body.u16(cx, &OPT_RA)?;
        }
        _ => {}
    }
    Ok(())
}

/// Waits for the other fragments; the last to arrive shows the whole.
fn fragment(cx: &mut Context<'_>, fragment: Fragment, payload: Data<'_>) -> Read {
    let fields = FragmentFields {
        fragments: &FRAGMENTS,
        fragment: &FRAGMENT,
        count: &FRAGMENT_COUNT,
        overlap: &FRAGMENT_OVERLAP,
        conflict: &FRAGMENT_CONFLICT,
        error: &FRAGMENT_ERROR,
        length: &REASSEMBLED_LENGTH,
    };
    let protocol = fragment.protocol;
    // The first fragment of a packet that can't be put together, because the capture cut it, is shown as far as it goes.
    if !fragment.whole && fragment.offset == 0 {
        upper(cx, protocol, payload);
        return Ok(());
    }
    reassemble(cx, fragment, payload, &fields, "Reassembled IPv4", upper);
    Ok(())
}

/// The fields that tell of fragments, in IPv4 and IPv6.
pub(super) struct FragmentFields {
    pub(super) fragments: &'static FieldDef,
    pub(super) fragment: &'static FieldDef,
    pub(super) count: &'static FieldDef,
    pub(super) overlap: &'static FieldDef,
    pub(super) conflict: &'static FieldDef,
    pub(super) error: &'static FieldDef,
    pub(super) length: &'static FieldDef,
}

/// Keeps a fragment; if it completes its packet, `then` gets the whole.
pub(super) fn reassemble(
    cx: &mut Context<'_>,
    fragment: Fragment,
    payload: Data<'_>,
    fields: &FragmentFields,
    name: &'static str,
    then: impl FnOnce(&mut Context<'_>, u8, Data<'_>),
) {
    let (src, dst, number, time) = (cx.src, cx.dst, cx.number, cx.time);
    match cx.state.fragments.take(src, dst, &fragment, payload.bytes, number, time) {
        Outcome::Waiting => data::show(cx, payload),
        Outcome::Whole(whole) => {
            let open = cx.open(fields.fragments, payload, 0, 0);
            for (frame, lies) in &whole.frames {
                let is_other = *lies == Lies::OverOther;
                cx.conclude(if is_other { fields.error } else { fields.fragment }, *frame);
            }
            cx.conclude(fields.count, whole.frames.len() as u64);
            if whole.frames.iter().any(|(_, lies)| *lies != Lies::Alone) {
                cx.conclude(fields.overlap, 1);
            }
            if whole.frames.iter().any(|(_, lies)| *lies == Lies::OverOther) {
                cx.conclude(fields.conflict, 1);
            }
            cx.conclude(fields.length, whole.bytes.len() as u64);
            cx.close(open, payload.len());
            let protocol = whole.protocol;
            cx.with_source(name, whole.bytes, |cx, packet| then(cx, protocol, packet));
        }
    }
}

/// What an IP protocol number announces.
pub(crate) fn upper(cx: &mut Context<'_>, protocol: u8, payload: Data<'_>) {
    match protocol {
        1 => icmp::dissect(cx, payload),
        2 => igmp::dissect(cx, payload),
        4 => dissect(cx, payload),
        6 => tcp::dissect(cx, payload),
        17 => udp::dissect(cx, payload),
        41 => ipv6::dissect(cx, payload),
        47 => tunnel::gre(cx, payload),
        50 => tunnel::esp(cx, payload),
        51 => tunnel::ah(cx, payload),
        89 => ospf::dissect(cx, payload),
        132 => sctp::dissect(cx, payload),
        58 => icmpv6::dissect(cx, payload),
        59 => {}
        // Extensions of IPv6 behind a header of IPv4, as Wireshark reads them.
        0 | 43 | 44 | 60 if cx.src.is_ipv4() => ipv6::follow(cx, protocol, payload, true),
        _ => data::show(cx, payload),
    }
}

/// The sum of a transport's pseudo header and bytes: 0 if its checksum is right.
pub(crate) fn transport_sum(cx: &Context<'_>, protocol: u8, segment: &[u8]) -> u16 {
    let protocol = thru_wire::ipv4::Protocol(protocol);
    let mut sum = checksum::PseudoHeader::new(cx.src, cx.dst, protocol).sum(segment.len());
    sum.add_bytes(segment);
    sum.checksum()
}
