//! OSPF 2 and 3 (RFC 2328, 5340): hellos, database exchange, and what routers say of links and networks.

mod lsa;
mod opaque;

pub(crate) use lsa::LSA;
pub(crate) use opaque::OPAQUE;

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, Names, protocol};
use crate::table::{Step::*, walk};

static TYPES: Names =
    &[(1, "Hello Packet"), (2, "DB Description"), (3, "LS Request"), (4, "LS Update"), (5, "LS Acknowledge")];
static AUTHENTICATION: Names = &[(0, "Null"), (1, "Simple password"), (2, "Cryptographic")];

protocol! { OSPF "ospf" "OSPF" "Open Shortest Path First";
    HEADER: none "ospf.header" "OSPF Header";
    VERSION: u8 "ospf.version" "Version";
    TYPE: u8 "ospf.msg" "Message Type", names(TYPES);
    IS_HELLO: bool "ospf.msg.hello" "Hello";
    IS_DBDESC: bool "ospf.msg.dbdesc" "Database Description";
    IS_LSREQ: bool "ospf.msg.lsreq" "Link State Adv Request";
    IS_LSUPDATE: bool "ospf.msg.lsupdate" "Link State Adv Update";
    IS_LSACK: bool "ospf.msg.lsack" "Link State Adv Acknowledgement";
    LENGTH: u16 "ospf.packet_length" "Packet Length";
    ROUTER: ipv4 "ospf.srcrouter" "Source OSPF Router";
    AREA: ipv4 "ospf.area_id" "Area ID";
    CHECKSUM: u16 "ospf.checksum" "Checksum", hex;
    AUTH_TYPE: u16 "ospf.auth.type" "Auth Type", names(AUTHENTICATION);
    AUTH_NONE: bytes "ospf.auth.none" "Auth Data (none)";
    AUTH_SIMPLE: text "ospf.auth.simple" "Auth Data (Simple)";
    AUTH_KEY: u8 "ospf.auth.crypt.key_id" "Auth Crypt Key id";
    AUTH_LENGTH: u8 "ospf.auth.crypt.data_length" "Auth Crypt Data Length";
    AUTH_SEQ: u32 "ospf.auth.crypt.seq_nbr" "Auth Crypt Sequence Number";
    AUTH_DATA: bytes "ospf.auth.crypt.data" "Auth Crypt Data";
    INSTANCE: u8 "ospf.instance_id" "Instance ID";
    RESERVED: bytes "ospf.reserved" "Reserved";
    HELLO: none "ospf.hello" "OSPF Hello Packet";
    HELLO_MASK: ipv4 "ospf.hello.network_mask" "Network Mask";
    HELLO_INTERFACE: u32 "ospf.hello.interface_id" "Interface ID";
    HELLO_INTERVAL: u32 "ospf.hello.hello_interval" "Hello Interval [sec]";
    HELLO_PRIORITY: u8 "ospf.hello.router_priority" "Router Priority";
    HELLO_DEAD: u32 "ospf.hello.router_dead_interval" "Router Dead Interval [sec]";
    HELLO_DR: ipv4 "ospf.hello.designated_router" "Designated Router";
    HELLO_BDR: ipv4 "ospf.hello.backup_designated_router" "Backup Designated Router";
    HELLO_NEIGHBOR: ipv4 "ospf.hello.active_neighbor" "Active Neighbor";
    OPTIONS2: u8 "ospf.v2.options" "Options", hex;
    OPTION2_DN: bool "ospf.v2.options.dn" "DN", mask(0x80);
    OPTION2_O: bool "ospf.v2.options.o" "(O) Opaque", mask(0x40);
    OPTION2_DC: bool "ospf.v2.options.dc" "(DC) Demand Circuits", mask(0x20);
    OPTION2_L: bool "ospf.v2.options.l" "(L) LLS Data block", mask(0x10);
    OPTION2_N: bool "ospf.v2.options.n" "(N) NSSA", mask(0x08);
    OPTION2_P: bool "ospf.v2.options.p" "(P) Propagate", mask(0x08);
    OPTION2_MC: bool "ospf.v2.options.mc" "(MC) Multicast", mask(0x04);
    OPTION2_E: bool "ospf.v2.options.e" "(E) External Routing", mask(0x02);
    OPTION2_MT: bool "ospf.v2.options.mt" "(MT) Multi-Topology Routing", mask(0x01);
    OPTIONS3: u24 "ospf.v3.options" "Options", hex;
    OPTION3_AT: bool "ospf.v3.options.at" "AT", mask(0x0400);
    OPTION3_L: bool "ospf.v3.options.l" "L", mask(0x0200);
    OPTION3_AF: bool "ospf.v3.options.af" "AF", mask(0x0100);
    OPTION3_DC: bool "ospf.v3.options.dc" "DC", mask(0x20);
    OPTION3_R: bool "ospf.v3.options.r" "R", mask(0x10);
    OPTION3_N: bool "ospf.v3.options.n" "N", mask(0x08);
    OPTION3_MC: bool "ospf.v3.options.mc" "MC", mask(0x04);
    OPTION3_E: bool "ospf.v3.options.e" "E", mask(0x02);
    OPTION3_V6: bool "ospf.v3.options.v6" "V6", mask(0x01);
    DBD: u8 "ospf.dbd" "DB Description", hex;
    DBD_R: bool "ospf.dbd.r" "(R) OOBResync", mask(0x08);
    DBD_I: bool "ospf.dbd.i" "(I) Init", mask(0x04);
    DBD_M: bool "ospf.dbd.m" "(M) More", mask(0x02);
    DBD_MS: bool "ospf.dbd.ms" "(MS) Master", mask(0x01);
    DB_MTU: u16 "ospf.db.interface_mtu" "Interface MTU";
    DB_SEQ: u32 "ospf.db.dd_sequence" "DD Sequence";
    REQ_TYPE: u32 "ospf.lsa" "LS Type";
    REQ_ID: ipv4 "ospf.link_state_id" "Link State ID";
    ADVERTISING: ipv4 "ospf.advrouter" "Advertising Router";
    LSAS: u32 "ospf.ls.number_of_lsas" "Number of LSAs";
}

static OPTION2: [&FieldDef; 8] =
    [&OPTION2_DN, &OPTION2_O, &OPTION2_DC, &OPTION2_L, &OPTION2_N, &OPTION2_MC, &OPTION2_E, &OPTION2_MT];
static OPTION3: [&FieldDef; 9] = [
    &OPTION3_AT,
    &OPTION3_L,
    &OPTION3_AF,
    &OPTION3_DC,
    &OPTION3_R,
    &OPTION3_N,
    &OPTION3_MC,
    &OPTION3_E,
    &OPTION3_V6,
];

pub(crate) fn dissect(cx: &mut Context<'_>, packet: Data<'_>) {
    cx.layer(&OSPF, packet, |cx, c| {
        let version = packet.u8(0)?;
        let kind = packet.u8(1)?;
        let len = usize::from(packet.u16(2)?);
        let header = c.take(if version == 3 { 16 } else { 24 })?;
        let mut crypt = 0;
        cx.within(&HEADER, header, |cx| {
            let c = &mut header.cursor();
            walk(cx, c, &[Is(&VERSION), Is(&TYPE)])?;
            let is = [&IS_HELLO, &IS_DBDESC, &IS_LSREQ, &IS_LSUPDATE, &IS_LSACK];
            if let Some(def) = is.get(usize::from(kind).wrapping_sub(1)) {
                cx.hide(def, header, 1, 1, 1);
            }
            walk(cx, c, &[Is(&LENGTH), Is(&ROUTER), Is(&AREA), Is(&CHECKSUM)])?;
            if version == 3 {
                return walk(cx, c, &[Is(&INSTANCE), Bytes(&RESERVED, 1)]);
            }
            match c.u16(cx, &AUTH_TYPE)? {
                0 => walk(cx, c, &[Bytes(&AUTH_NONE, 8)]),
                1 => walk(cx, c, &[Bytes(&AUTH_SIMPLE, 8)]),
                2 => {
                    walk(cx, c, &[Skip(2), Is(&AUTH_KEY)])?;
                    crypt = usize::from(c.u8(cx, &AUTH_LENGTH)?);
                    walk(cx, c, &[Is(&AUTH_SEQ)])
                }
                _ => Ok(()),
            }
        })?;
        let body = c.take(len.saturating_sub(header.len()).min(c.left()))?;
        if crypt > 0 {
            let digest = c.take(crypt.min(c.left()))?;
            cx.add(&AUTH_DATA, digest, 0, digest.len(), 0);
        }
        let is_3 = version == 3;
        let mut inside = body.cursor();
        let options = match kind {
            1 => body.u8(6),
            _ => body.u8(2),
        };
        const LOCAL_SIGNALS: u8 = 0x10;
        let signals = options.is_ok_and(|options| options & LOCAL_SIGNALS != 0);
        let signals = matches!(kind, 1 | 2) && !is_3 && signals && !c.is_done();
        let result = match kind {
            1 => cx.within(&HELLO, body, |cx| hello(cx, &mut inside, is_3)),
            2 => description(cx, &mut inside, is_3),
            3 => requests(cx, &mut inside, is_3),
            4 => {
                let count = inside.u32(cx, &LSAS)?;
                (0..count).try_for_each(|_| lsa::whole(cx, &mut inside, is_3))
            }
            5 => lsa::headers(cx, &mut inside, is_3),
            _ => Ok(()),
        };
        if signals { opaque::local_signals(cx, c) } else { result }
    });
}

fn hello(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_3: bool) -> Read {
    if is_3 {
        walk(
            cx,
            c,
            &[
                Is(&HELLO_INTERFACE),
                Is(&HELLO_PRIORITY),
                Bits(&OPTIONS3, 3, &OPTION3),
                Wide(&HELLO_INTERVAL, 2),
                Wide(&HELLO_DEAD, 2),
            ],
        )?;
    } else {
        walk(
            cx,
            c,
            &[
                Is(&HELLO_MASK),
                Wide(&HELLO_INTERVAL, 2),
                Bits(&OPTIONS2, 1, &OPTION2),
                Is(&HELLO_PRIORITY),
                Is(&HELLO_DEAD),
            ],
        )?;
    }
    walk(cx, c, &[Is(&HELLO_DR), Is(&HELLO_BDR), Each(&[Is(&HELLO_NEIGHBOR)])])
}

fn description(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_3: bool) -> Read {
    let dbd: &[_] = &[&DBD_R, &DBD_I, &DBD_M, &DBD_MS];
    if is_3 {
        walk(
            cx,
            c,
            &[
                Bytes(&RESERVED, 1),
                Bits(&OPTIONS3, 3, &OPTION3),
                Is(&DB_MTU),
                Bytes(&RESERVED, 1),
                Bits(&DBD, 1, dbd),
                Is(&DB_SEQ),
            ],
        )?;
    } else {
        walk(cx, c, &[Is(&DB_MTU), Bits(&OPTIONS2, 1, &OPTION2), Bits(&DBD, 1, dbd), Is(&DB_SEQ)])?;
    }
    lsa::headers(cx, c, is_3)
}

fn requests(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_3: bool) -> Read {
    while !c.is_done() {
        if is_3 {
            walk(cx, c, &[Bytes(&RESERVED, 2)])?;
            lsa::kind_3(cx, c, false)?;
        } else {
            walk(cx, c, &[Is(&REQ_TYPE)])?;
        }
        walk(cx, c, &[Is(&REQ_ID), Is(&ADVERTISING)])?;
    }
    Ok(())
}
