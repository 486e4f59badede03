//! Communities: marks that routes carry (RFC 1997, RFC 4360, RFC 8092).

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, protocol};
use crate::table::{Step::*, walk};

protocol! { COMMUNITIES "bgp" "BGP" "Border Gateway Protocol";
    PLAIN: none "bgp.update.path_attribute.communities" "Communities";
    COMMUNITY: none "bgp.update.path_attribute.community" "Community";
    WELL_KNOWN: u32 "bgp.update.path_attribute.community_wellknown" "Community Well-known", hex;
    COMMUNITY_AS: u16 "bgp.update.path_attribute.community_as" "Community AS";
    COMMUNITY_VALUE: u16 "bgp.update.path_attribute.community_value" "Community value";
    EXT_COMMUNITIES: none "bgp.ext_communities" "Extended communities";
    EXT_COMMUNITY: none "bgp.ext_community" "Extended community";
    EXT_TYPE: u8 "bgp.ext_com.type" "Type", hex;
    EXT_AUTHORITY: bool "bgp.ext_com.type.auth" "IANA Authority", mask(0x80);
    EXT_TRANSITIVE: bool "bgp.ext_com.type.tran" "Transitive across ASes", mask(0x40);
    EXT_SUB_AS2: u8 "bgp.ext_com.stype_tr_as2" "Subtype (AS2)", hex;
    EXT_SUB_AS4: u8 "bgp.ext_com.stype_tr_as4" "Subtype (AS4)", hex;
    EXT_SUB_IP4: u8 "bgp.ext_com.stype_tr_IP4" "Subtype (IPv4)", hex;
    EXT_AS2: u16 "bgp.ext_com.value_as2" "2-Octet AS";
    EXT_AS4: u32 "bgp.ext_com.value_as4" "4-Octet AS";
    EXT_IP4: ipv4 "bgp.ext_com.value_IP4" "IPv4 address";
    EXT_AN2: u16 "bgp.ext_com.value_an2" "2-Octet AN";
    EXT_AN4: u32 "bgp.ext_com.value_an4" "4-Octet AN";
    LARGE: none "bgp.large_communities" "Large communities";
    LARGE_GA: u32 "bgp.large_communities.ga" "Global Administrator";
    LARGE_1: u32 "bgp.large_communities.ldp1" "Local Data Part 1";
    LARGE_2: u32 "bgp.large_communities.ldp2" "Local Data Part 2";
    EXT_SUB_NAS2: u8 "bgp.ext_com.stype_ntr_as2" "Subtype (Non-transitive AS2)", hex;
    EXT_SUB_NAS4: u8 "bgp.ext_com.stype_ntr_as4" "Subtype (Non-transitive AS4)", hex;
    EXT_SUB_NIP4: u8 "bgp.ext_com.stype_ntr_IP4" "Subtype (Non-transitive IPv4)", hex;
    EXT_SUB_OPAQUE: u8 "bgp.ext_com.stype_tr_opaque" "Subtype (Opaque)", hex;
    EXT_SUB_EVPN: u8 "bgp.ext_com.stype_tr_evpn" "Subtype (EVPN)", hex;
    EXT_SUB_EXP: u8 "bgp.ext_com.stype_tr_exp" "Subtype (Experimental)", hex;
    EXT_SUB_EXP2: u8 "bgp.ext_com.stype_tr_exp_2" "Subtype (Experimental Part 2)", hex;
    EXT_SUB_EXP3: u8 "bgp.ext_com.stype_tr_exp_3" "Subtype (Experimental Part 3)", hex;
    EXT_BANDWIDTH: float "bgp.ext_com.value_link_bw" "Link bandwidth";
    EXT_RATE: float "bgp.ext_com_flow.rate_limit" "Rate shaper";
    EXT_EMPTY: bytes "bgp.flowspec_ext_com.emptybytes" "5 Bytes";
    EXT_SAMPLE: bool "bgp.ext_com_flow.sample" "Sample", mask(0x02);
    EXT_TERMINAL: bool "bgp.ext_com_flow.traff_act" "Terminal action", mask(0x01);
    EXT_DSCP: u8 "bgp.ext_com.value_fs_dscp" "Remarking value", hex, mask(0x3F);
}

/// Those of four bytes.
pub(super) fn plain(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    walk(cx, c, &[Under(&PLAIN, &[Each(&[Call(community)])])])
}

/// Those of eight bytes, with a type.
pub(super) fn extended(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    walk(cx, c, &[Under(&EXT_COMMUNITIES, &[Each(&[Call(one)])])])
}

/// Those of twelve bytes.
pub(super) fn large(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    while !c.is_done() {
        let whole = c.take(12)?;
        cx.within(&LARGE, whole, |cx| {
            walk(cx, &mut whole.cursor(), &[Is(&LARGE_GA), Is(&LARGE_1), Is(&LARGE_2)])
        })?;
    }
    Ok(())
}

fn community(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let whole = c.take(4)?;
    if whole.u16(0)? == 0xFFFF {
        return walk(cx, &mut whole.cursor(), &[Is(&WELL_KNOWN)]);
    }
    cx.within(&COMMUNITY, whole, |cx| {
        walk(cx, &mut whole.cursor(), &[Is(&COMMUNITY_AS), Is(&COMMUNITY_VALUE)])
    })
}

fn one(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let whole = c.take(8)?;
    cx.within(&EXT_COMMUNITY, whole, |cx| {
        let mut c = whole.cursor();
        let kind = c.bits(cx, &EXT_TYPE, 1, &[&EXT_AUTHORITY, &EXT_TRANSITIVE])?;
        let subtype = c.peek()?;
        match kind {
            0x00 => walk(cx, &mut c, &[Is(&EXT_SUB_AS2), Is(&EXT_AS2), Is(&EXT_AN4)]),
            0x01 => walk(cx, &mut c, &[Is(&EXT_SUB_IP4), Is(&EXT_IP4), Is(&EXT_AN2)]),
            0x02 => walk(cx, &mut c, &[Is(&EXT_SUB_AS4), Is(&EXT_AS4), Is(&EXT_AN2)]),
            0x03 => walk(cx, &mut c, &[Is(&EXT_SUB_OPAQUE)]),
            0x06 => walk(cx, &mut c, &[Is(&EXT_SUB_EVPN)]),
            0x40 if subtype == 4 => {
                walk(cx, &mut c, &[Is(&EXT_SUB_NAS2), Is(&EXT_AS2)])?;
                float(cx, &c.rest(), &EXT_BANDWIDTH)
            }
            0x40 => walk(cx, &mut c, &[Is(&EXT_SUB_NAS2), Is(&EXT_AS2), Is(&EXT_AN4)]),
            0x41 => walk(cx, &mut c, &[Is(&EXT_SUB_NIP4), Is(&EXT_IP4), Is(&EXT_AN2)]),
            0x42 => walk(cx, &mut c, &[Is(&EXT_SUB_NAS4), Is(&EXT_AS4), Is(&EXT_AN2)]),
            0x80 => flow_action(cx, &mut c, subtype),
            0x81 if subtype == 8 => walk(cx, &mut c, &[Is(&EXT_SUB_EXP2), Is(&EXT_IP4), Is(&EXT_AN2)]),
            0x82 if subtype == 8 => walk(cx, &mut c, &[Is(&EXT_SUB_EXP3), Is(&EXT_AS4), Is(&EXT_AN2)]),
            _ => Ok(()),
        }
    })
}

/// What is done to the packets that a flow specification speaks of (RFC 8955 7).
fn flow_action(cx: &mut Context<'_>, c: &mut Cursor<'_>, subtype: u8) -> Read {
    walk(cx, c, &[Is(&EXT_SUB_EXP)])?;
    match subtype {
        6 => {
            walk(cx, c, &[Is(&EXT_AS2)])?;
            float(cx, &c.rest(), &EXT_RATE)
        }
        7 => walk(cx, c, &[Bytes(&EXT_EMPTY, 5), Parts(1, &[&EXT_SAMPLE, &EXT_TERMINAL])]),
        8 => walk(cx, c, &[Is(&EXT_AS2), Is(&EXT_AN4)]),
        9 => walk(cx, c, &[Skip(5), Parts(1, &[&EXT_DSCP])]),
        _ => Ok(()),
    }
}

/// A number of IEEE 754 in four bytes.
fn float(cx: &mut Context<'_>, data: &Data<'_>, def: &'static FieldDef) -> Read {
    let number = f64::from(f32::from_bits(data.u32(0)?));
    cx.add(def, *data, 0, 4, number.to_bits());
    Ok(())
}
