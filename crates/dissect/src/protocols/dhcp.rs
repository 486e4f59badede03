//! DHCP for IPv4 (RFC 2131, 2132).

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, Names, protocol};

static MESSAGE_TYPES: Names = &[
    (1, "Discover"),
    (2, "Offer"),
    (3, "Request"),
    (4, "Decline"),
    (5, "ACK"),
    (6, "NAK"),
    (7, "Release"),
    (8, "Inform"),
];
static OPERATIONS: Names = &[(1, "Boot Request"), (2, "Boot Reply")];

protocol! { DHCP "dhcp" "DHCP" "Dynamic Host Configuration Protocol";
    TYPE: u8 "dhcp.type" "Message type", names(OPERATIONS);
    HW_TYPE: u8 "dhcp.hw.type" "Hardware type", hex;
    HW_LEN: u8 "dhcp.hw.len" "Hardware address length";
    HOPS: u8 "dhcp.hops" "Hops";
    ID: u32 "dhcp.id" "Transaction ID", hex;
    SECS: u16 "dhcp.secs" "Seconds elapsed";
    FLAGS: u16 "dhcp.flags" "Bootp flags", hex;
    FLAG_BROADCAST: bool "dhcp.flags.bc" "Broadcast flag", mask(0x8000);
    CLIENT: ipv4 "dhcp.ip.client" "Client IP address";
    YOUR: ipv4 "dhcp.ip.your" "Your (client) IP address";
    NEXT_SERVER: ipv4 "dhcp.ip.server" "Next server IP address";
    RELAY: ipv4 "dhcp.ip.relay" "Relay agent IP address";
    MAC: ether "dhcp.hw.mac_addr" "Client MAC address";
    PADDING: bytes "dhcp.hw.addr_padding" "Client hardware address padding";
    SERVER_NAME: text "dhcp.server" "Server host name";
    FILE: text "dhcp.file" "Boot file name";
    COOKIE: ipv4 "dhcp.cookie" "Magic cookie";
    OPTION_TYPE: u8 "dhcp.option.type" "Option";
    OPTION_LENGTH: u8 "dhcp.option.length" "Length";
    OPTION_VALUE: bytes "dhcp.option.value" "Value";
    SUBNET_MASK: ipv4 "dhcp.option.subnet_mask" "Subnet Mask";
    ROUTER: ipv4 "dhcp.option.router" "Router";
    NAME_SERVER: ipv4 "dhcp.option.domain_name_server" "Domain Name Server";
    HOSTNAME: text "dhcp.option.hostname" "Host Name";
    DOMAIN: text "dhcp.option.domain_name" "Domain Name";
    REQUESTED: ipv4 "dhcp.option.requested_ip_address" "Requested IP Address";
    LEASE: u32 "dhcp.option.ip_address_lease_time" "IP Address Lease Time";
    MESSAGE: u8 "dhcp.option.dhcp" "DHCP", names(MESSAGE_TYPES);
    SERVER_ID: ipv4 "dhcp.option.dhcp_server_id" "DHCP Server Identifier";
    BROADCAST: ipv4 "dhcp.option.broadcast_address" "Broadcast Address";
    NTP_SERVER: ipv4 "dhcp.option.ntp_server" "Network Time Protocol Server";
    MTU: u16 "dhcp.option.interface_mtu" "Interface MTU";
    TEXT: text "dhcp.option.message" "Message";
    MAX_SIZE: u16 "dhcp.option.dhcp_max_message_size" "Maximum DHCP Message Size";
    RENEWAL: u32 "dhcp.option.renewal_time_value" "Renewal Time Value";
    REBINDING: u32 "dhcp.option.rebinding_time_value" "Rebinding Time Value";
    VENDOR_CLASS: text "dhcp.option.vendor_class_id" "Vendor class identifier";
    TFTP_SERVER: text "dhcp.option.tftp_server_name" "TFTP Server Name";
    BOOTFILE: text "dhcp.option.bootfile_name" "Bootfile name";
    REQUEST_ITEM: u8 "dhcp.option.request_list_item" "Parameter Request List Item";
}

pub(crate) fn dissect(cx: &mut Context<'_>, message: Data<'_>) {
    cx.layer(&DHCP, message, |cx, c| {
        c.u8(cx, &TYPE)?;
        c.u8(cx, &HW_TYPE)?;
        let hw_len = c.u8(cx, &HW_LEN)?;
        c.u8(cx, &HOPS)?;
        c.u32(cx, &ID)?;
        let secs = c.data.u16(c.pos)?;
        // Some clients write it the wrong way round.
        let secs = if secs & 0xFF == 0 { secs.swap_bytes() } else { secs };
        cx.add(&SECS, c.data, c.pos, 2, u64::from(secs));
        c.skip(2)?;
        c.bits(cx, &FLAGS, 2, &[&FLAG_BROADCAST])?;
        for def in [&CLIENT, &YOUR, &NEXT_SERVER, &RELAY] {
            c.ipv4(cx, def)?;
        }
        if hw_len == 6 {
            c.ether(cx, &MAC)?;
            c.bytes(cx, &PADDING, 10)?;
        } else {
            c.skip(16)?;
        }
        words(cx, c, &SERVER_NAME, 64)?;
        words(cx, c, &FILE, 128)?;
        c.ipv4(cx, &COOKIE)?;
        while !c.is_done() {
            let kind = c.peek()?;
            if kind == 255 {
                // Its value is 0 in Wireshark, and so it is here.
                cx.add(&OPTION_TYPE, c.data, c.pos, 1, 0);
                c.skip(1)?;
                break;
            }
            c.u8(cx, &OPTION_TYPE)?;
            if kind == 0 {
                // A row of padding is shown once.
                while c.peek() == Ok(0) {
                    c.skip(1)?;
                }
                continue;
            }
            let len = usize::from(c.u8(cx, &OPTION_LENGTH)?);
            let value = c.take(len)?;
            cx.depth += 1;
            if len > 0 {
                cx.add(&OPTION_VALUE, value, 0, len, 0);
            }
            let result = option(cx, &mut value.cursor(), kind);
            cx.depth -= 1;
            result?;
        }
        c.skip(c.left())
    });
}

/// A text in a field of fixed size.
fn words(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef, size: usize) -> Read {
    let all = c.take(size)?;
    let len = all.bytes.iter().position(|byte| *byte == 0).unwrap_or(size);
    cx.add_slice(def, all, 0, len);
    Ok(())
}

fn option(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u8) -> Read {
    while !c.is_done() {
        match kind {
            1 => c.ipv4(cx, &SUBNET_MASK)?,
            3 => c.ipv4(cx, &ROUTER)?,
            6 => c.ipv4(cx, &NAME_SERVER)?,
            50 => c.ipv4(cx, &REQUESTED)?,
            51 => c.u32(cx, &LEASE)?,
            53 => u32::from(c.u8(cx, &MESSAGE)?),
            54 => c.ipv4(cx, &SERVER_ID)?,
            55 => u32::from(c.u8(cx, &REQUEST_ITEM)?),
            12 => c.all(cx, &HOSTNAME).len() as u32,
            15 => c.all(cx, &DOMAIN).len() as u32,
            28 => c.ipv4(cx, &BROADCAST)?,
            42 => c.ipv4(cx, &NTP_SERVER)?,
            26 => u32::from(c.u16(cx, &MTU)?),
            56 => c.all(cx, &TEXT).len() as u32,
            57 => u32::from(c.u16(cx, &MAX_SIZE)?),
            58 => c.u32(cx, &RENEWAL)?,
            59 => c.u32(cx, &REBINDING)?,
            60 => c.all(cx, &VENDOR_CLASS).len() as u32,
            61 if c.left() > 1 => return client_id(cx, c),
            66 => c.all(cx, &TFTP_SERVER).len() as u32,
            67 => c.all(cx, &BOOTFILE).len() as u32,
            _ => return Ok(()),
        };
    }
    Ok(())
}

/// A type of hardware and an address, or anything (RFC 2132 9.14).
fn client_id(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    if matches!(c.peek()?, 0 | 255) {
        return Ok(());
    }
    let kind = c.u8(cx, &HW_TYPE)?;
    if kind == 1 && c.left() == 6 {
        c.ether(cx, &MAC)?;
    }
    Ok(())
}
