//! DHCP for IPv4 (RFC 2131, 2132).

#[cfg(test)]
mod tests;

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, Names, protocol};
use crate::table::{Step::*, walk};
use std::ops::Range;

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
    FLAG_RESERVED: u16 "dhcp.flags.reserved" "Reserved flags", hex, mask(0x7FFF);
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
    VENDOR_AREA: bytes "dhcp.vendor_specific_options" "Bootp vendor specific options";
    END: u8 "dhcp.option.end" "Option End";
    OVERLOAD: u8 "dhcp.option.option_overload" "Option Overload";
    TIME_OFFSET: int "dhcp.option.time_offset" "Time Offset";
    TIME_SERVER: ipv4 "dhcp.option.time_server" "Time Server";
    LOG_SERVER: ipv4 "dhcp.option.log_server" "Log Server";
    ROOT_PATH: text "dhcp.option.root_path" "Root Path";
    ROUTE: ipv4 "dhcp.option.static_route.ip" "Destination IP Address";
    ROUTE_ROUTER: ipv4 "dhcp.option.static_route.router" "Destination Router";
    NIS_DOMAIN: text "dhcp.option.nis_domain" "Network Information Service Domain";
    NIS_SERVER: ipv4 "dhcp.option.nis_server" "Network Information Service Server";
    NETBIOS_SERVER: ipv4 "dhcp.option.netbios_over_tcpip_name_server" "NetBIOS over TCP/IP Name Server";
    NETBIOS_NODE: u8 "dhcp.option.netbios_over_tcpip_node_type" "NetBIOS over TCP/IP Node Type";
    ARCHITECTURE: u16 "dhcp.option.client_system_architecture" "Client System Architecture";
    PORTAL: text "dhcp.option.captive_portal" "Captive Portal";
    AUTO: u8 "dhcp.option.dhcp_auto_configuration" "DHCP Auto-Configuration";
    TFTP_ADDRESS: ipv4 "dhcp.option.tftp_server_address" "TFTP Server Address";
    FQDN_FLAGS: u8 "dhcp.fqdn.flags" "Flags", hex;
    FQDN_RESERVED: u8 "dhcp.fqdn.mbz" "Reserved flags", hex, mask(0xF0);
    FQDN_N: bool "dhcp.fqdn.n" "Server DDNS", mask(0x08);
    FQDN_E: bool "dhcp.fqdn.e" "Encoding", mask(0x04);
    FQDN_O: bool "dhcp.fqdn.o" "Server overrides", mask(0x02);
    FQDN_S: bool "dhcp.fqdn.s" "Server", mask(0x01);
    FQDN_RCODE1: u8 "dhcp.fqdn.rcode1" "A-RR result";
    FQDN_RCODE2: u8 "dhcp.fqdn.rcode2" "PTR-RR result";
    FQDN_NAME: text "dhcp.fqdn.name" "Client name";
    RELAY_OPTION: u8 "dhcp.option.agent_information_option.suboption" "Option 82 Suboption";
    CIRCUIT: bytes "dhcp.option.agent_information_option.agent_circuit_id" "Agent Circuit ID";
    REMOTE: bytes "dhcp.option.agent_information_option.agent_remote_id" "Agent Remote ID";
    LINK_SELECTION: ipv4 "dhcp.option.agent_information_option.link_selection" "Link selection";
    SUBSCRIBER: text "dhcp.option.agent_information_option.subscriber_id" "Subscriber ID";
    SERVER_OVERRIDE: ipv4 "dhcp.option.agent_information_option.server_id_override" "Server ID Override";
    RELAY_ID: bytes "dhcp.option.agent_information_option.relay_agent_id" "Relay Agent Identifier";
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
        c.bits(cx, &FLAGS, 2, &[&FLAG_BROADCAST, &FLAG_RESERVED])?;
        for def in [&CLIENT, &YOUR, &NEXT_SERVER, &RELAY] {
            c.ipv4(cx, def)?;
        }
        if hw_len == 6 {
            c.ether(cx, &MAC)?;
            c.bytes(cx, &PADDING, 10)?;
        } else {
            c.skip(16)?;
        }
        let rest = c.data.from(AREA);
        let overload = find(rest, OVERLOADED).and_then(|value| value.first().copied()).unwrap_or(0);
        for (def, range, bit) in [(&SERVER_NAME, SERVER_AREA, 2), (&FILE, FILE_AREA, 1)] {
            if overload & bit == 0 { words(cx, c, def, range.len())? } else { c.skip(range.len())? }
        }
        if c.data.u32(c.pos)? == MAGIC {
            c.ipv4(cx, &COOKIE)?;
        } else {
            // As it was before there were options (RFC 951).
            c.bytes(cx, &VENDOR_AREA, 64)?;
        }
        options(cx, c, true)?;
        c.skip(c.left())
    });
}

/// Stands before options (RFC 2132 2).
const MAGIC: u32 = 0x6382_5363;

/// Where what a message may overload stands, and where options begin.
const SERVER_AREA: Range<usize> = 44..108;
const FILE_AREA: Range<usize> = 108..236;
const AREA: usize = 240;

/// The option that says where more options are, and the one that says what kind of client it is.
const OVERLOADED: u8 = 52;
const VENDOR: u8 = 60;

/// The value of an option, wherever it stands among the others.
fn find(options: Data<'_>, wanted: u8) -> Option<&[u8]> {
    let mut rest = options.bytes;
    loop {
        rest = match rest {
            [0, after @ ..] => after,
            [255, ..] | [] | [_] => return None,
            [kind, len, after @ ..] => {
                let (value, after) = after.split_at_checked(usize::from(*len))?;
                if *kind == wanted {
                    return Some(value);
                }
                after
            }
        }
    }
}

/// Options up to the one that ends them; `outer`: they may say that there are more elsewhere.
fn options(cx: &mut Context<'_>, c: &mut Cursor<'_>, outer: bool) -> Read {
    while !c.is_done() {
        let kind = c.peek()?;
        if kind == 255 {
            // Its value is 0 in Wireshark, and so it is here.
            cx.add(&OPTION_TYPE, c.data, c.pos, 1, 0);
            c.u8(cx, &END)?;
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
        cx.add(&OPTION_VALUE, value, 0, len, 0);
        // Where an option is damaged the next one begins all the same.
        let _damaged = option(cx, &mut value.cursor(), kind);
        cx.depth -= 1;
        if kind == 43 && find(c.data.from(AREA), VENDOR).is_some_and(has_layer) {
            cx.arena.layers.push(&DHCP);
        }
        if outer
            && kind == OVERLOADED
            && let [bits, ..] = value.bytes
        {
            for (range, bit) in [(SERVER_AREA, 2), (FILE_AREA, 1)] {
                let area = c.data.first(range.end).from(range.start);
                if bits & bit != 0 {
                    options(cx, &mut area.cursor(), false)?;
                }
            }
        }
    }
    Ok(())
}

/// Whose own information is a layer in Wireshark.
fn has_layer(vendor: &[u8]) -> bool {
    let vendors: [&[u8]; 3] = [b"PXEClient", b"ArubaAP", b"ArubaInstantAP"];
    vendors.iter().any(|name| vendor.starts_with(name))
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
            2 => c.int(cx, &TIME_OFFSET, 4)? as u32,
            4 => c.ipv4(cx, &TIME_SERVER)?,
            7 => c.ipv4(cx, &LOG_SERVER)?,
            17 => c.all(cx, &ROOT_PATH).len() as u32,
            33 => {
                c.ipv4(cx, &ROUTE)?;
                c.ipv4(cx, &ROUTE_ROUTER)?
            }
            40 => c.all(cx, &NIS_DOMAIN).len() as u32,
            41 => c.ipv4(cx, &NIS_SERVER)?,
            44 => c.ipv4(cx, &NETBIOS_SERVER)?,
            46 => u32::from(c.u8(cx, &NETBIOS_NODE)?),
            OVERLOADED => u32::from(c.u8(cx, &OVERLOAD)?),
            81 => return client_name(cx, c),
            82 => return relay(cx, c),
            93 => u32::from(c.u16(cx, &ARCHITECTURE)?),
            114 => c.all(cx, &PORTAL).len() as u32,
            116 => u32::from(c.u8(cx, &AUTO)?),
            150 => c.ipv4(cx, &TFTP_ADDRESS)?,
            _ => return Ok(()),
        };
    }
    Ok(())
}

/// How a client is called, and who tells DNS (RFC 4702).
fn client_name(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let flags = c.bits(cx, &FQDN_FLAGS, 1, &[&FQDN_RESERVED, &FQDN_N, &FQDN_E, &FQDN_O, &FQDN_S])?;
    c.u8(cx, &FQDN_RCODE1)?;
    c.u8(cx, &FQDN_RCODE2)?;
    const IN_LABELS: u64 = 4;
    if flags & IN_LABELS == 0 {
        if !c.is_done() {
            c.all(cx, &FQDN_NAME);
        }
        return Ok(());
    }
    let whole = c.rest();
    let mut name = Vec::new();
    while c.peek().is_ok_and(|len| len != 0) {
        let len = usize::from(c.peek()?);
        c.skip(1)?;
        if !name.is_empty() {
            name.push(b'.');
        }
        name.extend_from_slice(c.take(len)?.bytes);
    }
    cx.add_words(&FQDN_NAME, whole, &name);
    Ok(())
}

/// What a relay adds (RFC 3046).
fn relay(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    while !c.is_done() {
        let kind = c.u8(cx, &RELAY_OPTION)?;
        let len = usize::from(c.peek()?);
        c.skip(1)?;
        let mut value = c.take(len)?.cursor();
        match kind {
            1 => walk(cx, &mut value, &[Rest(&CIRCUIT)])?,
            2 => walk(cx, &mut value, &[Rest(&REMOTE)])?,
            5 => walk(cx, &mut value, &[Is(&LINK_SELECTION)])?,
            6 => walk(cx, &mut value, &[Rest(&SUBSCRIBER)])?,
            11 => walk(cx, &mut value, &[Is(&SERVER_OVERRIDE)])?,
            12 => walk(cx, &mut value, &[Rest(&RELAY_ID)])?,
            _ => {}
        }
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
