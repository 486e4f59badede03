//! Packets in packets: GRE, VXLAN, Geneve, and what IPsec shows of itself.

use super::{ethernet, ip, tags};
use crate::context::Context;
use crate::cursor::{Data, Read};
use crate::field::protocol;

protocol! { GRE "gre" "GRE" "Generic Routing Encapsulation";
    GRE_FLAGS: u16 "gre.flags_and_version" "Flags and Version", hex;
    GRE_CHECKSUM_BIT: bool "gre.flags.checksum" "Checksum Bit", mask(0x8000);
    GRE_ROUTING_BIT: bool "gre.flags.routing" "Routing Bit", mask(0x4000);
    GRE_KEY_BIT: bool "gre.flags.key" "Key Bit", mask(0x2000);
    GRE_SEQUENCE_BIT: bool "gre.flags.sequence_number" "Sequence Number Bit", mask(0x1000);
    GRE_STRICT: bool "gre.flags.strict_source_route" "Strict Source Route Bit", mask(0x0800);
    GRE_RECURSION: u16 "gre.flags.recursion_control" "Recursion control", mask(0x0700);
    GRE_RESERVED: u16 "gre.flags.reserved" "Flags (Reserved)", mask(0x00F8);
    GRE_ACK_BIT: bool "gre.flags.ack" "Acknowledgment", mask(0x0080);
    GRE_VERSION: u16 "gre.flags.version" "Version", mask(0x0007);
    GRE_PROTO: u16 "gre.proto" "Protocol Type", hex, names(super::names::ETHERTYPES);
    GRE_CHECKSUM: u16 "gre.checksum" "Checksum", hex;
    GRE_OFFSET: u16 "gre.offset" "Offset";
    GRE_KEY: u32 "gre.key" "Key", hex;
    GRE_SEQUENCE: u32 "gre.sequence_number" "Sequence Number";
    GRE_PAYLOAD_LENGTH: u16 "gre.key.payload_length" "Payload Length";
    GRE_CALL: u16 "gre.key.call_id" "Call ID";
    GRE_ACK: u32 "gre.ack_number" "Acknowledgment Number";
}

/// What PPTP carries is PPP, in a form of its own (RFC 2637 4.1).
const PPTP: u16 = 0x880B;
/// Cisco's tag has its type first here.
const GROUP_TAG: u16 = 0x8909;

pub(crate) fn gre(cx: &mut Context<'_>, packet: Data<'_>) {
    cx.layer(&GRE, packet, |cx, c| {
        let kind = packet.u16(2)?;
        // Version 1 is PPTP's; PPP in a plain tunnel has the plain header.
        let is_pptp = kind == PPTP && packet.u16(0)? & 7 == 1;
        let common: &[_] = &[
            &GRE_CHECKSUM_BIT,
            &GRE_ROUTING_BIT,
            &GRE_KEY_BIT,
            &GRE_SEQUENCE_BIT,
            &GRE_STRICT,
            &GRE_RECURSION,
        ];
        let flags = c.bits(cx, &GRE_FLAGS, 2, common)?;
        cx.depth += 1;
        if is_pptp {
            cx.add(&GRE_ACK_BIT, packet, 0, 2, flags >> 7 & 1);
            cx.add(&GRE_RESERVED, packet, 0, 2, flags >> 3 & 15);
        } else {
            cx.add(&GRE_RESERVED, packet, 0, 2, flags >> 3 & 31);
        }
        cx.add(&GRE_VERSION, packet, 0, 2, flags & 7);
        cx.depth -= 1;
        c.u16(cx, &GRE_PROTO)?;
        if flags & 0xC000 != 0 {
            c.u16(cx, &GRE_CHECKSUM)?;
            c.u16(cx, &GRE_OFFSET)?;
        }
        if flags & 0x2000 != 0 && is_pptp {
            c.u16(cx, &GRE_PAYLOAD_LENGTH)?;
            c.u16(cx, &GRE_CALL)?;
        } else if flags & 0x2000 != 0 {
            c.u32(cx, &GRE_KEY)?;
        }
        if flags & 0x1000 != 0 {
            c.u32(cx, &GRE_SEQUENCE)?;
        }
        if is_pptp && flags & 0x80 != 0 {
            c.u32(cx, &GRE_ACK)?;
        }
        match kind {
            // An acknowledgement carries nothing.
            PPTP if is_pptp && c.is_done() => {}
            GROUP_TAG => tags::group_in_gre(cx, c.rest()),
            _ => ethernet::ethertype(cx, kind, c.rest()),
        }
        Ok(())
    });
}

protocol! { VXLAN "vxlan" "VXLAN" "Virtual eXtensible Local Area Network";
    VXLAN_FLAGS: u16 "vxlan.flags" "Flags", hex;
    VXLAN_GBP: bool "vxlan.flag_g" "GBP Extension", mask(0x8000);
    VXLAN_I: bool "vxlan.flag_i" "VXLAN Network ID (VNI)", mask(0x0800);
    VXLAN_D: bool "vxlan.flag_d" "Don't Learn", mask(0x0040);
    VXLAN_A: bool "vxlan.flag_a" "Policy Applied", mask(0x0008);
    VXLAN_FLAGS_RESERVED: u16 "vxlan.flags_reserved" "Reserved(R)", hex;
    VXLAN_GROUP: u16 "vxlan.gbp" "Group Policy ID";
    VXLAN_VNI: u24 "vxlan.vni" "VXLAN Network Identifier (VNI)";
    VXLAN_RESERVED: u8 "vxlan.reserved8" "Reserved";
}

pub(crate) fn vxlan(cx: &mut Context<'_>, packet: Data<'_>) {
    cx.layer(&VXLAN, packet, |cx, c| {
        let parts: &[_] = &[&VXLAN_GBP, &VXLAN_I, &VXLAN_D, &VXLAN_A];
        let flags = c.bits(cx, &VXLAN_FLAGS, 2, parts)?;
        cx.depth += 1;
        cx.add(&VXLAN_FLAGS_RESERVED, packet, 0, 2, flags & 0x77B7);
        cx.depth -= 1;
        c.u16(cx, &VXLAN_GROUP)?;
        c.u24(cx, &VXLAN_VNI)?;
        c.u8(cx, &VXLAN_RESERVED)?;
        ethernet::dissect(cx, c.rest());
        Ok(())
    });
}

protocol! { GENEVE "geneve" "Geneve" "Generic Network Virtualization Encapsulation";
    GENEVE_VERSION: u8 "geneve.version" "Version", mask(0xC0);
    GENEVE_FLAGS: u8 "geneve.flags" "Flags", hex;
    GENEVE_OAM: bool "geneve.flags.oam" "Operations, Administration and Management Frame", mask(0x80);
    GENEVE_CRITICAL: bool "geneve.flags.critical" "Critical Options Present", mask(0x40);
    GENEVE_FLAGS_RESERVED: bool "geneve.flags.reserved" "Reserved", mask(0x3F);
    GENEVE_RESERVED: u8 "geneve.reserved" "Reserved", hex;
    GENEVE_OPTIONS: bytes "geneve.options" "Geneve Options";
    GENEVE_OPTION: bytes "geneve.option" "Option";
    GENEVE_CLASS: u16 "geneve.option.class" "Class", hex;
    GENEVE_TYPE: u8 "geneve.option.type" "Type", hex;
    GENEVE_TYPE_CRITICAL: bool "geneve.option.type.critical" "Critical Option", mask(0x80);
    GENEVE_OPTION_FLAGS: u8 "geneve.option.flags" "Flags", hex;
    GENEVE_OPTION_RESERVED: bool "geneve.option.flags.reserved" "Reserved", mask(0xE0);
    GENEVE_LENGTH: u8 "geneve.option.length" "Length";
    GENEVE_GOOGLE_NETWORK: u32 "geneve.option.gcp.vnid" "GCP Virtual Network ID";
    GENEVE_GOOGLE_RESERVED: bool "geneve.option.gcp.reserved" "GCP Reserved bits", mask(0xE);
    GENEVE_GOOGLE_DIRECTION: bool "geneve.option.gcp.direction" "GCP Traffic Direction", mask(0x1);
    GENEVE_GOOGLE_ENDPOINT: bytes "geneve.option.gcp.endpoint" "GCP Endpoint ID";
    GENEVE_GOOGLE_PROFILE: u64 "geneve.option.gcp.profile" "GCP Profile ID";
    GENEVE_DATA: bytes "geneve.option.unknown.data" "Unknown Option Data";
    GENEVE_PROTO: u16 "geneve.proto_type" "Protocol Type", hex, names(super::names::ETHERTYPES);
    GENEVE_VNI: u24 "geneve.vni" "Virtual Network Identifier (VNI)", hex;
}

pub(crate) fn geneve(cx: &mut Context<'_>, packet: Data<'_>) {
    cx.layer(&GENEVE, packet, |cx, c| {
        let first = c.peek()?;
        cx.add(&GENEVE_VERSION, packet, 0, 1, u64::from(first >> 6));
        let options = usize::from(first & 0x3F) * 4;
        cx.add(&GENEVE_LENGTH, packet, 0, 1, options as u64);
        c.skip(1)?;
        c.bits(cx, &GENEVE_FLAGS, 1, &[&GENEVE_OAM, &GENEVE_CRITICAL, &GENEVE_FLAGS_RESERVED])?;
        let kind = c.u16(cx, &GENEVE_PROTO)?;
        c.u24(cx, &GENEVE_VNI)?;
        cx.hide(&GENEVE_RESERVED, packet, c.pos, 1, u64::from(c.peek()?));
        c.skip(1)?;
        let options = c.take(options)?;
        if !options.is_empty() {
            cx.within(&GENEVE_OPTIONS, options, |cx| geneve_options(cx, options))?;
        }
        ethernet::ethertype(cx, kind, c.rest());
        Ok(())
    });
}

/// Options of whichever class. What they say is their owner's to know; Google tells of its own (class 0x132).
fn geneve_options(cx: &mut Context<'_>, options: Data<'_>) -> Read {
    let mut c = options.cursor();
    while !c.is_done() {
        let words = usize::from(c.data.u8(c.pos + 3)? & 0x1F);
        let whole = c.take(4 + 4 * words)?;
        cx.within(&GENEVE_OPTION, whole, |cx| {
            let mut c = whole.cursor();
            let class = c.u16(cx, &GENEVE_CLASS)?;
            let kind = c.peek()?;
            c.bits(cx, &GENEVE_TYPE, 1, &[&GENEVE_TYPE_CRITICAL])?;
            let length = c.peek()?;
            cx.hide(&GENEVE_OPTION_FLAGS, whole, 3, 1, u64::from(length & 0xE0));
            cx.depth += 1;
            cx.add(&GENEVE_OPTION_RESERVED, whole, 3, 1, u64::from(length >> 5 != 0));
            cx.depth -= 1;
            cx.add(&GENEVE_LENGTH, whole, 3, 1, whole.len() as u64);
            match (class, kind, whole.len() - 4) {
                (0x132, 1, 4) => {
                    let word = u64::from(whole.u32(4)?);
                    cx.add(&GENEVE_GOOGLE_NETWORK, whole, 4, 4, word >> 4);
                    cx.add(&GENEVE_GOOGLE_DIRECTION, whole, 4, 4, word & 1);
                    cx.add(&GENEVE_GOOGLE_RESERVED, whole, 4, 4, u64::from(word & 0xE != 0));
                }
                (0x132, 2, len @ 16) => cx.add(&GENEVE_GOOGLE_ENDPOINT, whole, 4, len, 0),
                (0x132, 3, 8) => cx.add(
                    &GENEVE_GOOGLE_PROFILE,
                    whole,
                    4,
                    8,
                    u64::from(whole.u32(4)?) << 32 | u64::from(whole.u32(8)?),
                ),
                // Shown even where it is nothing, as in Wireshark.
                (_, _, len) => cx.add(&GENEVE_DATA, whole, 4, len, 0),
            }
            Ok(())
        })?;
    }
    Ok(())
}

protocol! { ESP "esp" "ESP" "Encapsulating Security Payload";
    ESP_SPI: u32 "esp.spi" "ESP SPI", hex;
    ESP_SEQUENCE: u32 "esp.sequence" "ESP Sequence";
}

pub(crate) fn esp(cx: &mut Context<'_>, packet: Data<'_>) {
    cx.layer(&ESP, packet, |cx, c| {
        c.u32(cx, &ESP_SPI)?;
        c.u32(cx, &ESP_SEQUENCE)?;
        c.skip(c.left())
    });
}

protocol! { AH "ah" "AH" "Authentication Header";
    AH_NEXT: u8 "ah.next_header" "Next header", names(super::names::IP_PROTOCOLS);
    AH_LENGTH: u8 "ah.length" "Length";
    AH_RESERVED: bytes "ah.reserved" "Reserved";
    AH_SPI: u32 "ah.spi" "AH SPI", hex;
    AH_SEQUENCE: u32 "ah.sequence" "AH Sequence";
    AH_ICV: bytes "ah.icv" "AH ICV";
}

pub(crate) fn ah(cx: &mut Context<'_>, packet: Data<'_>) {
    cx.layer(&AH, packet, |cx, c| {
        let next = c.u8(cx, &AH_NEXT)?;
        let words = c.u8(cx, &AH_LENGTH)?;
        c.bytes(cx, &AH_RESERVED, 2)?;
        c.u32(cx, &AH_SPI)?;
        c.u32(cx, &AH_SEQUENCE)?;
        let total = (usize::from(words) + 2) * 4;
        c.bytes(cx, &AH_ICV, total.saturating_sub(c.pos))?;
        // A length that leaves out a part of the header is believed.
        c.pos = total;
        ip::upper(cx, next, c.rest());
        Ok(())
    });
}
