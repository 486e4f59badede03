//! SOCKS 4, 4a and 5 (RFC 1928, 1929): the handshake; what is spoken behind it is shown as what it is.

use super::spoken::{Length, Spoken, Talk};
use super::tcp;
use crate::context::{Context, FIELDS_MAX};
use crate::cursor::{Cursor, Data, Read};
use crate::field::{Names, protocol};
use crate::table::{Step::*, walk, words};
use crate::tree::Field;

static COMMANDS: Names =
    &[(1, "Connect"), (2, "Bind"), (3, "UdpAssociate"), (0x80, "Ping"), (0x81, "Traceroute")];
static RESULTS: Names = &[
    (90, "Granted"),
    (91, "Rejected or Failed"),
    (92, "Rejected because SOCKS server cannot connect to identd on the client"),
    (93, "Rejected because the client program and identd report different user-ids"),
];
static REPLIES: Names = &[
    (0, "Succeeded"),
    (1, "General SOCKS server failure"),
    (2, "Connection not allowed by ruleset"),
    (3, "Network unreachable"),
    (4, "Host unreachable"),
    (5, "Connection refused"),
    (6, "TTL expired"),
    (7, "Command not supported"),
    (8, "Address type not supported"),
];
static METHODS: Names =
    &[(0, "No authentication"), (1, "GSSAPI"), (2, "Username/Password"), (255, "No acceptable methods")];
static ADDRESS_TYPES: Names = &[(1, "IPv4"), (3, "Domain Name"), (4, "IPv6")];

protocol! { SOCKS "socks" "Socks" "Socks Protocol";
    VERSION: u8 "socks.version" "Version";
    COMMAND: u8 "socks.command" "Command", names(COMMANDS);
    RESULTS4: u8 "socks.results" "Results(V4)", names(RESULTS);
    RESULTS5: u8 "socks.results" "Results(V5)", names(REPLIES);
    DST: ipv4 "socks.dst" "Remote Address";
    DST6: ipv6 "socks.dstV6" "Remote Address(ipv6)";
    DST_PORT: u16 "socks.dstport" "Remote Port";
    NAME4A: text "socks.v4a_dns_name" "SOCKS v4a Remote Domain Name";
    METHOD_COUNT: u8 "socks.auth_method_count" "Authentication Method Count";
    METHOD: u8 "socks.auth_method" "Method", names(METHODS);
    ACCEPTED: u8 "socks.auth_accepted_method" "Accepted Auth Method", names(METHODS);
    SUBVERSION: u8 "socks.subnegotiation_version" "Subnegotiation Version";
    STATUS: u8 "socks.auth_status" "Status";
    RESERVED: u8 "socks.reserved" "Reserved";
    PORT: u16 "socks.port" "Port";
    USER: text "socks.username" "User name";
    PASSWORD: text "socks.password" "Password";
    REMOTE: text "socks.remote_name" "Remote name";
    ADDRESS_TYPE: u8 "socks.address_type" "Address Type", names(ADDRESS_TYPES);
}

/// `phase`: how far the handshake is, for both sides together in `phase[0]`; `notes`: version, command, address and one,
/// port.
pub(crate) static SPOKEN: Spoken =
    Spoken { protocol: &SOCKS, ports: &[1080], eager: false, begins: None, length, show };

const BEGIN: u32 = 0;
const METHODS_OFFERED: u32 = 1;
const SIGN_IN: u32 = 2;
const COMMAND_NEXT: u32 = 3;
const COMMAND_SENT: u32 = 4;
const THROUGH: u32 = 5;

/// A handshake message is one segment, as in Wireshark; behind it goes the other protocol, in its own pieces.
fn length(_: &Context<'_>, _: &Talk, _: usize, bytes: &[u8]) -> Length {
    Length::Whole(bytes.len())
}

fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk, _: usize) -> Read {
    let from_client = SPOKEN.ports.contains(&cx.dst_port);
    let phase = talk.phase[0];
    let version = if phase == BEGIN { c.peek()? } else { talk.notes[0] as u8 };
    talk.notes[0] = u64::from(version);
    match (version, from_client) {
        (4, true) => {
            talk.phase[0] = COMMAND_SENT;
            version4(cx, c, talk)
        }
        (4, false) => {
            talk.phase[0] = THROUGH;
            walk(cx, c, &[Is(&VERSION), Is(&RESULTS4), Is(&DST_PORT), Is(&DST)])
        }
        (5, true) => client5(cx, c, talk),
        (5, false) => server5(cx, c, talk),
        _ => c.skip(c.left()),
    }
}

fn version4(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    c.u8(cx, &VERSION)?;
    talk.notes[1] = u64::from(c.u8(cx, &COMMAND)?);
    talk.notes[3] = u64::from(c.u16(cx, &DST_PORT)?);
    let address = c.ipv4(cx, &DST)?;
    words(cx, c, &USER)?;
    if address != 0 && address >> 8 == 0 {
        words(cx, c, &NAME4A)?;
    } else {
        talk.notes[2] = u64::from(address) + 1;
    }
    Ok(())
}

fn client5(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    match talk.phase[0] {
        BEGIN => {
            c.u8(cx, &VERSION)?;
            let count = c.u8(cx, &METHOD_COUNT)?;
            talk.phase[0] = METHODS_OFFERED;
            (0..count).try_for_each(|_| c.u8(cx, &METHOD).map(drop))
        }
        SIGN_IN => {
            cx.conclude(&VERSION, 5);
            c.u8(cx, &SUBVERSION)?;
            for def in [&USER, &PASSWORD] {
                let len = usize::from(c.peek()?);
                let whole = c.take(len + 1)?;
                cx.add_slice(def, whole, 1, len);
            }
            Ok(())
        }
        _ => {
            talk.phase[0] = COMMAND_SENT;
            c.u8(cx, &VERSION)?;
            talk.notes[1] = u64::from(c.u8(cx, &COMMAND)?);
            c.u8(cx, &RESERVED)?;
            address(cx, c, Some(talk))
        }
    }
}

fn server5(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: &mut Talk) -> Read {
    match talk.phase[0] {
        METHODS_OFFERED => {
            c.u8(cx, &VERSION)?;
            let method = c.u8(cx, &ACCEPTED)?;
            talk.phase[0] = if method == 2 { SIGN_IN } else { COMMAND_NEXT };
            Ok(())
        }
        SIGN_IN => {
            cx.conclude(&VERSION, 5);
            talk.phase[0] = COMMAND_NEXT;
            walk(cx, c, &[Is(&SUBVERSION), Is(&STATUS)])
        }
        _ => {
            talk.phase[0] = THROUGH;
            walk(cx, c, &[Is(&VERSION), Is(&RESULTS5), Is(&RESERVED)])?;
            address(cx, c, None)
        }
    }
}

fn address(cx: &mut Context<'_>, c: &mut Cursor<'_>, talk: Option<&mut Talk>) -> Read {
    let (mut v4, mut v6) = (0, Vec::new());
    match c.u8(cx, &ADDRESS_TYPE)? {
        1 => v4 = u64::from(c.ipv4(cx, &DST)?) + 1,
        3 => {
            let len = usize::from(c.peek()?);
            let whole = c.take(len + 1)?;
            cx.add_slice(&REMOTE, whole, 1, len);
        }
        4 => v6 = c.ipv6(cx, &DST6)?.to_vec(),
        _ => {}
    }
    let port = c.u16(cx, &PORT)?;
    if let Some(talk) = talk {
        talk.held = v6;
        (talk.notes[2], talk.notes[3]) = (v4, u64::from(port));
    }
    Ok(())
}

/// Whether this is the protocol.
pub(crate) fn is(spoken: &Spoken) -> bool {
    std::ptr::eq(spoken, &SPOKEN)
}

/// Whether client and far end speak to each other by now; gives the far end's port.
pub(crate) fn behind(spoken: &Spoken, talk: &Talk) -> Option<u16> {
    (is(spoken) && talk.phase[0] == THROUGH).then_some(talk.notes[3] as u16)
}

/// Says of a segment between client and far end through what it goes.
pub(crate) fn tunnel(cx: &mut Context<'_>, talk: &mut Talk, bytes: Data<'_>) {
    // The connection behind the proxy is one of its own, with a number of its own.
    if std::mem::replace(&mut talk.phase[1], 1) == 0 {
        cx.state.tcp.skip_number();
    }
    let nothing = Data { bytes: &[], at: 0, source: 0 };
    cx.layer(&SOCKS, nothing, |cx, _| {
        cx.conclude(&VERSION, talk.notes[0]);
        cx.conclude(&COMMAND, talk.notes[1]);
        if talk.notes[2] > 0 {
            cx.conclude(&DST, talk.notes[2] - 1);
        } else if talk.held.len() == 16 {
            cx.conclude_words(&DST6, &talk.held);
        }
        cx.conclude(&DST_PORT, talk.notes[3]);
        // The segment's own, also where a message took several.
        let own = cx.arena.fields.iter().find(|field| field.def.is(&tcp::PAYLOAD)).copied();
        match own {
            Some(own) if cx.arena.fields.len() < FIELDS_MAX => {
                cx.arena.fields.push(Field { depth: cx.depth, ..own });
            }
            _ => cx.add(&tcp::PAYLOAD, bytes, 0, bytes.len(), 0),
        }
        Ok(())
    });
}
