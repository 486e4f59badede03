//! DHCPv6 (RFC 8415): messages, relays, and options within options.

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use crate::table::{Step::*, walk};

static TYPES: Names = &[
    (1, "Solicit"),
    (2, "Advertise"),
    (3, "Request"),
    (4, "Confirm"),
    (5, "Renew"),
    (6, "Rebind"),
    (7, "Reply"),
    (8, "Release"),
    (9, "Decline"),
    (10, "Reconfigure"),
    (11, "Information-request"),
    (12, "Relay-forw"),
    (13, "Relay-reply"),
];
static OPTIONS: Names = &[
    (1, "Client Identifier"),
    (2, "Server Identifier"),
    (3, "Identity Association for Non-temporary Address"),
    (4, "Identity Association for Temporary Address"),
    (5, "IA Address"),
    (6, "Option Request"),
    (7, "Preference"),
    (8, "Elapsed time"),
    (9, "Relay Message"),
    (11, "Authentication"),
    (12, "Server unicast"),
    (13, "Status code"),
    (14, "Rapid Commit"),
    (15, "User Class"),
    (16, "Vendor Class"),
    (17, "Vendor-specific Information"),
    (18, "Interface-Id"),
    (19, "Reconfigure Message"),
    (20, "Reconfigure Accept"),
    (21, "SIP Server Domain Name List"),
    (22, "SIP Servers IPv6 Address List"),
    (23, "DNS recursive name server"),
    (24, "Domain Search List"),
    (25, "Identity Association for Prefix Delegation"),
    (26, "IA Prefix"),
    (27, "Network Information Server"),
    (28, "Network Information Server V2"),
    (29, "Network Information Server Domain Name"),
    (30, "Network Information Server V2 Domain Name"),
    (31, "Simple Network Time Protocol Server"),
    (32, "Lifetime"),
    (33, "BCMCS Server Domain"),
    (34, "BCMCS Servers IPv6 Address List"),
    (36, "Geoconf Civic Address"),
    (37, "Remote Identifier"),
    (38, "Subscriber Identifier"),
    (39, "Client Fully Qualified Domain Name"),
    (40, "PANA Agents IPv6 Address List"),
    (41, "Time Zone"),
    (42, "Time Zone Database"),
    (43, "Echo Request Option"),
    (44, "Leasequery Query"),
    (45, "Leasequery Client Data"),
    (46, "Client Last Transaction Time"),
    (47, "Leasequery Relay Data"),
    (48, "Leasequery Client Link Address List"),
    (49, "Home Network Identifier FQDN"),
    (50, "Visited Home Network Information"),
    (51, "LoST Server"),
    (52, "CAPWAP Access Controllers"),
    (53, "Relay-ID"),
    (54, "MoS IPv6 Address"),
    (55, "MoS Domain Name List"),
    (56, "NTP Server"),
    (57, "Access Network Domain Name"),
    (58, "SIP User Agent Configuration Service Domains"),
    (59, "Boot File URL"),
    (60, "Boot File Parameters"),
    (61, "Client System Architecture Type"),
    (62, "Client Network Interface Identifier"),
    (63, "Geolocation"),
    (64, "Dual-Stack Lite AFTR Name"),
    (65, "ERP Local Domain Name"),
    (66, "Relay-Supplied Options"),
    (67, "Prefix Exclude"),
    (68, "Virtual Subnet Selection"),
    (69, "Identified Home Network Information"),
    (70, "Unrestricted Home Network Information"),
    (71, "Home Network Prefix"),
    (72, "Home Agent Address"),
    (73, "Home Agent FQDN"),
    (74, "RDNSS Selection"),
    (75, "Kerberos Principal Name"),
    (76, "Kerberos Realm Name"),
    (77, "Kerberos Default Realm Name"),
    (78, "Kerberos KDC"),
    (79, "Client Link-Layer Address"),
    (80, "Link Address"),
    (81, "RADIUS"),
    (82, "SOL_MAX_RT"),
    (83, "INF_MAX_RT"),
    (84, "Address Selection"),
    (85, "Address Selection table"),
    (86, "PCP Server"),
    (87, "DHCPv4 Message"),
    (88, "DHCP 4o6 Servers Address"),
    (89, "S46 Rule"),
    (90, "S46 BR"),
    (91, "S46 DMR"),
    (92, "S46 IPv4/IPv6 Address Binding"),
    (93, "S46 Port Parameters"),
    (94, "S46 MAP-E Container"),
    (95, "S46 MAP-T Container"),
    (96, "S46 Lightweight 4over6 Container"),
    (97, "4rd Options"),
    (98, "4rd Mapping Rule"),
    (99, "4rd Non-Mapping Rule"),
    (100, "LQ Server Base Time"),
    (101, "LQ Server Query Start Time"),
    (102, "LQ Server Query End Time"),
    (103, "Captive Portal"),
    (104, "MPL Parameter Configuration"),
    (105, "Access Technology Type"),
    (106, "Access Network Name"),
    (107, "Access Point Name"),
    (108, "Access Point BSSID"),
    (109, "Access Network Operator ID"),
    (110, "Access Network Operator Realm"),
    (111, "S46 Priority"),
    (112, "Manufacturer Usage Description"),
    (113, "IPv4/IPv6 Multicast Prefixes"),
    (114, "Failover Binding Status"),
    (115, "Failover Connect Flags"),
    (116, "Failover DNS Removal Info"),
    (117, "Failover DNS Hostname"),
    (118, "Failover DNS Zone Name"),
    (119, "Failover DNS Flags"),
    (120, "Failover Expiration Time"),
    (121, "Failover Maximum Number Unacked BNDUPD Messages"),
    (122, "Failover Maximum Client Lead Time (MCLT)"),
    (123, "Failover Partner Lifetime"),
    (124, "Failover Partner Lifetime Sent"),
    (125, "Failover Partner Down Time"),
    (126, "Failover Partner Raw Client Time"),
    (127, "Failover Protocol Version"),
    (128, "Failover Keepalive Time"),
    (129, "Failover Reconfigure Data"),
    (130, "Failover Relationship Name"),
    (131, "Failover Server Flags"),
    (132, "Failover Server State"),
    (133, "Failover Start Time of State"),
    (134, "Failover State Expiration Time"),
    (135, "Relay Source Port"),
    (136, "SZTP Redirect"),
    (137, "Softwire Source Binding Prefix Hint"),
    (143, "ANDSF IPv6 Address"),
    (165, "Mobile IPv6 Home Agent"),
    (166, "Mobile IPv6 Home Address"),
    (167, "Network Access Identifier"),
];
static DUIDS: Names = &[
    (1, "link-layer address plus time"),
    (2, "assigned by vendor based on Enterprise number"),
    (3, "link-layer address"),
    (4, "Universally Unique IDentifier (UUID)"),
];
static STATUSES: Names = &[
    (0, "Success"),
    (1, "UnspecFail"),
    (2, "NoAddrAvail"),
    (3, "NoBinding"),
    (4, "NotOnLink"),
    (5, "UseMulticast"),
    (6, "NoPrefixAvail"),
];

protocol! { DHCPV6 "dhcpv6" "DHCPv6" "DHCPv6";
    TYPE: u8 "dhcpv6.msgtype" "Message type", names(TYPES);
    HOPS: u8 "dhcpv6.hopcount" "Hopcount";
    XID: u24 "dhcpv6.xid" "Transaction ID", hex;
    LINK: ipv6 "dhcpv6.linkaddr" "Link address";
    PEER: ipv6 "dhcpv6.peeraddr" "Peer address";
    OPTION: text "dhcpv6.option.type_str" "Option";
    OPTION_TYPE: u16 "dhcpv6.option.type" "Option", names(OPTIONS);
    OPTION_LENGTH: u16 "dhcpv6.option.length" "Length";
    DUID: bytes "dhcpv6.duid.bytes" "DUID";
    DUID_TYPE: u16 "dhcpv6.duid.type" "DUID Type", names(DUIDS);
    LLT_HARDWARE: u16 "dhcpv6.duidllt.hwtype" "Hardware type";
    LLT_TIME: absolute "dhcpv6.duidllt.time" "DUID Time";
    LLT_ADDRESS: text "dhcpv6.duidllt.link_layer_addr" "Link-layer address";
    LL_HARDWARE: u16 "dhcpv6.duidll.hwtype" "Hardware type";
    LL_ADDRESS: text "dhcpv6.duidll.link_layer_addr" "Link-layer address";
    EN_NUMBER: u32 "dhcpv6.duiden.enterprise" "Enterprise ID";
    EN_ID: bytes "dhcpv6.duiden.identifier" "Identifier";
    UUID: bytes "dhcpv6.duiduuid.bytes" "UUID";
    IAID: text "dhcpv6.iaid" "IAID";
    T1: u32 "dhcpv6.iaid.t1" "T1";
    T2: u32 "dhcpv6.iaid.t2" "T2";
    IATA: text "dhcpv6.iata" "IATA";
    ADDRESS: ipv6 "dhcpv6.iaaddr.ip" "IPv6 address";
    ADDRESS_PREFERRED: u32 "dhcpv6.iaaddr.pref_lifetime" "Preferred lifetime";
    ADDRESS_VALID: u32 "dhcpv6.iaaddr.valid_lifetime" "Valid lifetime";
    REQUESTED: u16 "dhcpv6.requested_option_code" "Requested Option code", names(OPTIONS);
    PREFERENCE: u8 "dhcpv6.option_preference" "Pref-value";
    ELAPSED: u16 "dhcpv6.elapsed_time" "Elapsed time";
    UNICAST: ipv6 "dhcpv6.unicast" "IPv6 address";
    STATUS: u16 "dhcpv6.status_code" "Status Code", names(STATUSES);
    STATUS_WORDS: text "dhcpv6.status_msg" "Status Message";
    USER_LENGTH: u16 "dhcpv6.userclass.length" "Length";
    USER_DATA: bytes "dhcpv6.userclass.opaque_data" "Data";
    VENDOR: u32 "dhcpv6.vendorclass.enterprise" "Enterprise ID";
    VENDOR_DATA: text "dhcpv6.vendorclass.data" "vendor-class-data";
    INTERFACE: bytes "dhcpv6.interface_id" "Interface-ID";
    RECONFIGURE: u8 "dhcpv6.reconf_msg" "Reconfigure-type";
    SIP_SERVER: ipv6 "dhcpv6.sip_server_a" "SIP server address";
    DNS_SERVER: ipv6 "dhcpv6.dns_server" "DNS server address";
    SEARCH: text "dhcpv6.search_list_entry" "List entry";
    PREFIX_PREFERRED: u32 "dhcpv6.iaprefix.pref_lifetime" "Preferred lifetime";
    PREFIX_VALID: u32 "dhcpv6.iaprefix.valid_lifetime" "Valid lifetime";
    PREFIX_LENGTH: u8 "dhcpv6.iaprefix.pref_len" "Prefix length";
    PREFIX: ipv6 "dhcpv6.iaprefix.pref_addr" "Prefix address";
    SNTP: ipv6 "dhcpv6.sntp_server" "SNTP server address";
    LIFETIME: u32 "dhcpv6.lifetime" "Lifetime";
    FQDN_FLAGS: u8 "dhcpv6.client_fqdn_flags" "Flags", hex;
    FQDN: text "dhcpv6.client_domain" "Client FQDN";
    TLD: text "dhcpv6.tld" "Top Level Domain name";
    MALFORMED_OPTION: none "dhcpv6.malformed_option" "Malformed option";
}

/// Options in options and relays in relays end here.
const DEPTH_MAX: u8 = 16;

pub(crate) fn dissect(cx: &mut Context<'_>, message: Data<'_>) {
    cx.layer(&DHCPV6, message, self::message);
}

fn message(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    match c.u8(cx, &TYPE)? {
        12 | 13 => walk(cx, c, &[Is(&HOPS), Is(&LINK), Is(&PEER)])?,
        _ => walk(cx, c, &[Is(&XID)])?,
    }
    options(cx, c)
}

fn options(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    if cx.depth > DEPTH_MAX {
        return Ok(());
    }
    while !c.is_done() {
        let kind = c.peek_u16()?;
        let len = usize::from(c.data.u16(c.pos + 2)?);
        let whole = c.take(len + 4)?;
        let name = OPTION_TYPE.name_of(u64::from(kind)).unwrap_or("Unknown");
        cx.add_words(&OPTION, whole, name.as_bytes());
        let depth = cx.depth;
        cx.depth += 1;
        let mut inside = whole.cursor();
        let result = walk(cx, &mut inside, &[Is(&OPTION_TYPE), Is(&OPTION_LENGTH)])
            .and_then(|()| option(cx, &mut inside, kind));
        cx.depth = depth;
        // Where an option is damaged the next one begins all the same.
        if result.is_err() {
            cx.expert(&MALFORMED_OPTION);
        }
    }
    Ok(())
}

fn option(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u16) -> Read {
    match kind {
        1 | 2 => duid(cx, c),
        3 | 25 => {
            hexadecimal(cx, c, &IAID)?;
            walk(cx, c, &[Is(&T1), Is(&T2)])?;
            options(cx, c)
        }
        4 => {
            hexadecimal(cx, c, &IATA)?;
            options(cx, c)
        }
        5 => {
            walk(cx, c, &[Is(&ADDRESS), Is(&ADDRESS_PREFERRED), Is(&ADDRESS_VALID)])?;
            options(cx, c)
        }
        6 => walk(cx, c, &[Each(&[Is(&REQUESTED)])]),
        7 => walk(cx, c, &[Is(&PREFERENCE)]),
        8 => {
            // Counted in hundredths of a second, shown in milliseconds.
            let hundredths = c.peek_u16()?;
            cx.add(&ELAPSED, c.data, c.pos, 2, u64::from(hundredths) * 10);
            Ok(())
        }
        9 => message(cx, c),
        12 => walk(cx, c, &[Is(&UNICAST)]),
        13 => walk(cx, c, &[Is(&STATUS), Rest(&STATUS_WORDS)]),
        15 => {
            while c.left() >= 2 && usize::from(c.peek_u16()?) <= c.left() - 2 {
                walk(cx, c, &[Counted(&USER_LENGTH, &USER_DATA)])?;
            }
            if c.is_done() { Ok(()) } else { Err(Short) }
        }
        16 => {
            walk(cx, c, &[Is(&VENDOR)])?;
            while c.left() >= 2 {
                let len = usize::from(c.peek_u16()?);
                c.skip(2)?;
                c.bytes(cx, &VENDOR_DATA, len)?;
            }
            Ok(())
        }
        18 => walk(cx, c, &[Rest(&INTERFACE)]),
        19 => walk(cx, c, &[Is(&RECONFIGURE)]),
        22 => walk(cx, c, &[Each(&[Is(&SIP_SERVER)])]),
        23 => walk(cx, c, &[Each(&[Is(&DNS_SERVER)])]),
        24 => names(cx, c, &SEARCH),
        26 => {
            walk(cx, c, &[Is(&PREFIX_PREFERRED), Is(&PREFIX_VALID), Is(&PREFIX_LENGTH), Is(&PREFIX)])?;
            options(cx, c)
        }
        31 => walk(cx, c, &[Each(&[Is(&SNTP)])]),
        32 => walk(cx, c, &[Is(&LIFETIME)]),
        39 => {
            walk(cx, c, &[Is(&FQDN_FLAGS)])?;
            names(cx, c, &FQDN)
        }
        _ => Ok(()),
    }
}

fn duid(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let whole = c.rest();
    cx.add(&DUID, whole, 0, whole.len(), 0);
    match c.u16(cx, &DUID_TYPE)? {
        1 => {
            c.u16(cx, &LLT_HARDWARE)?;
            // Seconds since 2000.
            let seconds = u64::from(c.data.u32(c.pos)?) + 946_684_800;
            cx.add(&LLT_TIME, c.data, c.pos, 4, seconds * 1_000_000_000);
            c.skip(4)?;
            address(cx, c, &LLT_ADDRESS);
            Ok(())
        }
        2 => walk(cx, c, &[Is(&EN_NUMBER), Rest(&EN_ID)]),
        3 => {
            c.u16(cx, &LL_HARDWARE)?;
            address(cx, c, &LL_ADDRESS);
            Ok(())
        }
        4 => walk(cx, c, &[Rest(&UUID)]),
        _ => Ok(()),
    }
}

/// A link-layer address as words.
fn address(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) {
    let data = c.take_most(usize::MAX);
    let words: Vec<String> = data.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    cx.add_words(def, data, words.join(":").as_bytes());
}

/// Four bytes as digits.
fn hexadecimal(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read {
    let data = c.take(4)?;
    cx.add_words(def, data, format!("{:08x}", data.u32(0)?).as_bytes());
    Ok(())
}

/// Names in DNS's form, without pointers.
fn names(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read {
    while !c.is_done() {
        let begins = c.pos;
        let mut name = Vec::new();
        let mut ended = false;
        while !c.is_done() {
            let len = usize::from(c.peek()?);
            c.skip(1)?;
            if len == 0 {
                ended = true;
                break;
            }
            if len > 63 {
                return Err(Short);
            }
            name.extend_from_slice(c.take(len)?.bytes);
            name.push(b'.');
        }
        // A part of a name (RFC 4704 4.2) has no dot at its end.
        if !ended && name.last() == Some(&b'.') {
            name.pop();
        }
        let whole = c.data.from(begins).first(c.pos - begins);
        // A single label is the name of a top level, and has a field of its own.
        let is_top = ended && name.iter().filter(|byte| **byte == b'.').count() == 1;
        cx.add_words(if is_top { &TLD } else { def }, whole, &name);
    }
    Ok(())
}
