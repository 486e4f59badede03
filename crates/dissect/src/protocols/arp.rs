//! ARP (RFC 826).

use super::names::ETHERTYPES;
use crate::context::Context;
use crate::cursor::{Data, Short};
use crate::field::{Names, protocol};

static OPCODES: Names = &[(1, "request"), (2, "reply"), (3, "reverse request"), (4, "reverse reply")];
static HARDWARE: Names = &[(1, "Ethernet"), (6, "IEEE 802"), (32, "InfiniBand")];

protocol! { ARP "arp" "ARP" "Address Resolution Protocol";
    HW_TYPE: u16 "arp.hw.type" "Hardware type", names(HARDWARE);
    PROTO_TYPE: u16 "arp.proto.type" "Protocol type", hex, names(ETHERTYPES);
    HW_SIZE: u8 "arp.hw.size" "Hardware size";
    PROTO_SIZE: u8 "arp.proto.size" "Protocol size";
    OPCODE: u16 "arp.opcode" "Opcode", names(OPCODES);
    IS_GRATUITOUS: bool "arp.isgratuitous" "Is gratuitous";
    IS_PROBE: bool "arp.isprobe" "Is probe";
    IS_ANNOUNCEMENT: bool "arp.isannouncement" "Is announcement";
    SRC_MAC: ether "arp.src.hw_mac" "Sender MAC address";
    SRC_IP: ipv4 "arp.src.proto_ipv4" "Sender IP address";
    DST_MAC: ether "arp.dst.hw_mac" "Target MAC address";
    DST_IP: ipv4 "arp.dst.proto_ipv4" "Target IP address";
    SRC_HW: bytes "arp.src.hw" "Sender hardware address";
    SRC_PROTO: bytes "arp.src.proto" "Sender protocol address";
    DST_HW: bytes "arp.dst.hw" "Target hardware address";
    DST_PROTO: bytes "arp.dst.proto" "Target protocol address";
}

pub(crate) fn dissect(cx: &mut Context<'_>, packet: Data<'_>) {
    cx.layer(&ARP, packet, |cx, c| {
        let hardware = c.u16(cx, &HW_TYPE)?;
        let protocol = c.u16(cx, &PROTO_TYPE)?;
        let hw_size = usize::from(c.u8(cx, &HW_SIZE)?);
        let proto_size = usize::from(c.u8(cx, &PROTO_SIZE)?);
        let opcode = c.u16(cx, &OPCODE)?;
        // Of Ethernet, experimental or not, or of another network of IEEE 802.
        let is_ethernet = matches!(hardware, 1 | 2 | 6) && hw_size == 6;
        let is_ip = protocol == 0x0800 && proto_size == 4;
        // As in Wireshark, addresses are shown if all of them are there.
        if c.left() < 2 * (hw_size + proto_size) {
            return Err(Short);
        }
        if is_ip {
            let (src, dst) = (c.data.u32(8 + hw_size)?, c.data.u32(12 + 2 * hw_size)?);
            if src == dst && matches!(opcode, 1 | 2) {
                cx.conclude(&IS_GRATUITOUS, 1);
                // An announcement asks nobody (RFC 5227 2.3).
                if opcode == 1 && c.data.bytes[12 + hw_size..][..hw_size].iter().all(|byte| *byte == 0) {
                    cx.conclude(&IS_ANNOUNCEMENT, 1);
                }
            } else if src == 0 && opcode == 1 {
                cx.conclude(&IS_PROBE, 1);
            }
        }
        for (mac, ip, hw, proto) in
            [(&SRC_MAC, &SRC_IP, &SRC_HW, &SRC_PROTO), (&DST_MAC, &DST_IP, &DST_HW, &DST_PROTO)]
        {
            if is_ethernet {
                c.ether(cx, mac)?;
            } else {
                c.bytes(cx, hw, hw_size)?;
            }
            if is_ip {
                c.ipv4(cx, ip)?;
            } else {
                c.bytes(cx, proto, proto_size)?;
            }
        }
        Ok(())
    });
}
