//! Tags between an Ethernet header and its packet: 802.1Q, 802.1ad, Cisco's security groups.

use super::ethernet::{claimed, ethertype, llc, trailing};
use super::names::ETHERTYPES;
use crate::context::Context;
use crate::cursor::Data;
use crate::field::protocol;
use crate::table::{Step::*, walk};

protocol! { VLAN "vlan" "VLAN" "802.1Q Virtual LAN";
    PRIORITY: u16 "vlan.priority" "Priority", mask(0xE000);
    DEI: bool "vlan.dei" "DEI", mask(0x1000);
    ID: u16 "vlan.id" "ID", mask(0x0FFF);
    ETYPE: u16 "vlan.etype" "Type", hex, names(ETHERTYPES);
    VLAN_LEN: u16 "vlan.len" "Length";
    VLAN_TRAILER: bytes "vlan.trailer" "Trailer";
}

protocol! { PROVIDER "ieee8021ad" "802.1ad" "IEEE 802.1ad";
    PROVIDER_PRIORITY: u16 "ieee8021ad.priority" "Priority", mask(0xE000);
    PROVIDER_DEI: u16 "ieee8021ad.dei" "DEI", mask(0x1000);
    PROVIDER_ID: u16 "ieee8021ad.id" "ID", mask(0x0FFF);
    PROVIDER_ETYPE: u16 "ieee8021ah.etype" "Type", hex, names(ETHERTYPES);
    PROVIDER_TRAILER: bytes "ieee8021ah.trailer" "Trailer";
}

protocol! { GROUP "cmd" "CMD" "Cisco MetaData";
    GROUP_VERSION: u8 "cmd.version" "Version";
    GROUP_LENGTH: u8 "cmd.length" "Length";
    GROUP_OPTIONS: u16 "cmd.options" "Options", hex;
    GROUP_TAG: u16 "cmd.sgt" "SGT";
    GROUP_TYPE: u16 "cmd.type" "Type", hex, names(ETHERTYPES);
    GROUP_TRAILER: bytes "cmd.trailer" "Trailer";
}

/// A tag of IEEE 802.1Q.
pub(crate) fn vlan(cx: &mut Context<'_>, tagged: Data<'_>) {
    cx.layer(&VLAN, tagged, |cx, c| {
        c.parts(cx, 2, &[&PRIORITY, &DEI, &ID])?;
        let kind = c.peek_u16()?;
        if kind < 0x0600 {
            let len = usize::from(c.u16(cx, &VLAN_LEN)?);
            let payload = c.rest().first(len);
            trailing(cx, c.rest(), payload.len(), &VLAN_TRAILER, None);
            llc(cx, payload);
        } else {
            c.u16(cx, &ETYPE)?;
            trailing(cx, c.rest(), claimed(kind, c.rest()), &VLAN_TRAILER, None);
            ethertype(cx, kind, c.rest());
        }
        Ok(())
    });
}

/// A provider's tag (IEEE 802.1ad).
pub(crate) fn provider(cx: &mut Context<'_>, tagged: Data<'_>) {
    cx.layer(&PROVIDER, tagged, |cx, c| {
        c.parts(cx, 2, &[&PROVIDER_PRIORITY, &PROVIDER_DEI, &PROVIDER_ID])?;
        let kind = c.u16(cx, &PROVIDER_ETYPE)?;
        trailing(cx, c.rest(), claimed(kind, c.rest()), &PROVIDER_TRAILER, None);
        ethertype(cx, kind, c.rest());
        Ok(())
    });
}

/// The security group of who sent the packet, which Cisco's switches write between each other.
pub(crate) fn group(cx: &mut Context<'_>, tagged: Data<'_>) {
    let mut inside = None;
    cx.layer(&GROUP, tagged, |cx, c| {
        walk(cx, c, &[Is(&GROUP_VERSION), Is(&GROUP_LENGTH), Is(&GROUP_OPTIONS), Is(&GROUP_TAG)])?;
        let kind = c.u16(cx, &GROUP_TYPE)?;
        trailing(cx, c.rest(), claimed(kind, c.rest()), &GROUP_TRAILER, None);
        inside = Some((kind, c.rest()));
        Ok(())
    });
    if let Some((kind, rest)) = inside {
        ethertype(cx, kind, rest);
    }
}

/// The same in GRE, where the type comes first.
pub(crate) fn group_in_gre(cx: &mut Context<'_>, tagged: Data<'_>) {
    let mut inside = None;
    cx.layer(&GROUP, tagged, |cx, c| {
        let kind = c.u16(cx, &GROUP_TYPE)?;
        walk(cx, c, &[Is(&GROUP_VERSION), Is(&GROUP_LENGTH), Is(&GROUP_OPTIONS), Is(&GROUP_TAG)])?;
        inside = Some((kind, c.rest()));
        Ok(())
    });
    if let Some((kind, rest)) = inside {
        ethertype(cx, kind, rest);
    }
}
