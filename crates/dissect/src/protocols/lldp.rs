//! LLDP (IEEE 802.1AB): what a port tells its neighbour.

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, Names, protocol};
use crate::table::{Layout, Step::*, walk};

static TYPES: Names = &[
    (0, "End of LLDPDU"),
    (1, "Chassis Id"),
    (2, "Port Id"),
    (3, "Time to Live"),
    (4, "Port Description"),
    (5, "System Name"),
    (6, "System Description"),
    (7, "System Capabilities"),
    (8, "Management Address"),
    (127, "Organization Specific"),
];
static CHASSIS: Names = &[
    (1, "Chassis component"),
    (2, "Interface alias"),
    (3, "Port component"),
    (4, "MAC address"),
    (5, "Network address"),
    (6, "Interface name"),
    (7, "Locally assigned"),
];
static PORTS: Names = &[
    (1, "Interface alias"),
    (2, "Port component"),
    (3, "MAC address"),
    (4, "Network address"),
    (5, "Interface name"),
    (6, "Agent circuit Id"),
    (7, "Locally assigned"),
];
static FAMILIES: Names = &[(1, "IPv4"), (2, "IPv6")];

static APPLICATIONS: Names = &[
    (1, "Voice"),
    (2, "Voice Signaling"),
    (3, "Guest Voice"),
    (4, "Guest Voice Signaling"),
    (5, "Softphone Voice"),
    (6, "Video Conferencing"),
    (7, "Streaming Video"),
    (8, "Video Signaling"),
];

protocol! { LLDP "lldp" "LLDP" "Link Layer Discovery Protocol";
    TYPE: u16 "lldp.tlv.type" "TLV Type", mask(0xFE00), names(TYPES);
    LEN: u16 "lldp.tlv.len" "TLV Length", mask(0x01FF);
    CHASSIS_SUBTYPE: u8 "lldp.chassis.subtype" "Chassis Id Subtype", names(CHASSIS);
    CHASSIS_ID: bytes "lldp.chassis.id" "Chassis Id";
    CHASSIS_MAC: ether "lldp.chassis.id.mac" "Chassis Id";
    CHASSIS_IP4: ipv4 "lldp.chassis.id.ip4" "Chassis Id";
    CHASSIS_IP6: ipv6 "lldp.chassis.id.ip6" "Chassis Id";
    NETWORK: u8 "lldp.network_address.subtype" "Network Address family", names(FAMILIES);
    PORT_SUBTYPE: u8 "lldp.port.subtype" "Port Id Subtype", names(PORTS);
    PORT_ID: text "lldp.port.id" "Port Id";
    PORT_MAC: ether "lldp.port.id.mac" "Port Id";
    PORT_IP4: ipv4 "lldp.port.id.ip4" "Port Id";
    PORT_IP6: ipv6 "lldp.port.id.ip6" "Port Id";
    TTL: u16 "lldp.time_to_live" "Seconds";
    PORT_DESC: text "lldp.port.desc" "Port Description";
    SYSTEM_NAME: text "lldp.tlv.system.name" "System Name";
    SYSTEM_DESC: text "lldp.tlv.system.desc" "System Description";
    CAP: u16 "lldp.tlv.system_cap" "Capabilities", hex;
    CAP_OTHER: bool "lldp.tlv.system_cap.other" "Other", mask(0x0001);
    CAP_REPEATER: bool "lldp.tlv.system_cap.repeater" "Repeater", mask(0x0002);
    CAP_BRIDGE: bool "lldp.tlv.system_cap.bridge" "Bridge", mask(0x0004);
    CAP_WLAN: bool "lldp.tlv.system_cap.wlan_access_pt" "WLAN access point", mask(0x0008);
    CAP_ROUTER: bool "lldp.tlv.system_cap.router" "Router", mask(0x0010);
    CAP_PHONE: bool "lldp.tlv.system_cap.telephone" "Telephone", mask(0x0020);
    CAP_DOCSIS: bool "lldp.tlv.system_cap.docsis_cable_device" "DOCSIS cable device", mask(0x0040);
    CAP_STATION: bool "lldp.tlv.system_cap.station_only" "Station only", mask(0x0080);
    ENABLED: u16 "lldp.tlv.enable_system_cap" "Enabled Capabilities", hex;
    ENABLED_OTHER: bool "lldp.tlv.enable_system_cap.other" "Other", mask(0x0001);
    ENABLED_REPEATER: bool "lldp.tlv.enable_system_cap.repeater" "Repeater", mask(0x0002);
    ENABLED_BRIDGE: bool "lldp.tlv.enable_system_cap.bridge" "Bridge", mask(0x0004);
    ENABLED_WLAN: bool "lldp.tlv.enable_system_cap.wlan_access_pt" "WLAN access point", mask(0x0008);
    ENABLED_ROUTER: bool "lldp.tlv.enable_system_cap.router" "Router", mask(0x0010);
    ENABLED_PHONE: bool "lldp.tlv.enable_system_cap.telephone" "Telephone", mask(0x0020);
    ENABLED_DOCSIS: bool "lldp.tlv.enable_system_cap.docsis_cable_device" "DOCSIS cable device", mask(0x0040);
    ENABLED_STATION: bool "lldp.tlv.enable_system_cap.station_only" "Station only", mask(0x0080);
    MGN_LEN: u8 "lldp.mgn.address.len" "Address String Length";
    MGN_SUBTYPE: u8 "lldp.mgn.address.subtype" "Address Subtype", names(FAMILIES);
    MGN_IP4: ipv4 "lldp.mgn.addr.ip4" "Management Address";
    MGN_IP6: ipv6 "lldp.mgn.addr.ip6" "Management Address";
    MGN_HEX: bytes "lldp.mgn.addr.hex" "Management Address";
    MGN_INTERFACE_SUBTYPE: u8 "lldp.mgn.interface.subtype" "Interface Subtype";
    MGN_INTERFACE: u32 "lldp.mgn.interface.number" "Interface Number";
    MGN_OBJ_LEN: u8 "lldp.mgn.obj.len" "OID String Length";
    MGN_OBJ: oid "lldp.mgn.obj.id" "Object Identifier";
    OUI: u24 "lldp.orgtlv.oui" "Organization Unique Code";
    SUB_8021: u8 "lldp.ieee.802_1.subtype" "IEEE 802.1 Subtype", hex;
    PVID: u16 "lldp.ieee.802_1.port_vlan.id" "Port VLAN Identifier";
    VLAN_ID: u16 "lldp.ieee.802_1.vlan.id" "VLAN Identifier";
    VLAN_NAME_LEN: u8 "lldp.ieee.802_1.vlan.name_len" "VLAN Name Length";
    VLAN_NAME: text "lldp.ieee.802_1.vlan.name" "VLAN Name";
    PPVID_FLAGS: u8 "lldp.ieee.802_1.port_and_vlan_id_flag" "Flags", hex;
    PPVID_CAN: bool "lldp.ieee.802_1.port_and_vlan_id_flag.supported" "Port and Protocol VLAN", mask(0x02);
    PPVID_DOES: bool "lldp.ieee.802_1.port_and_vlan_id_flag.enabled" "Port and Protocol VLAN", mask(0x04);
    PPVID: u16 "lldp.ieee.802_1.port_proto_vlan.id" "Port and Protocol VLAN Identifier";
    PROTOCOL_LEN: u8 "lldp.ieee.802_1.proto.id_length" "Protocol Identity Length";
    PROTOCOL_ID: bytes "lldp.ieee.802_1.proto.id" "Protocol Identity";
    AGG1: u8 "lldp.ieee.802_1.aggregation_status" "Aggregation Status", hex;
    AGG1_CAP: bool "lldp.ieee.802_1.aggregation_status.cap" "Aggregation Capability", mask(0x01);
    AGG1_ENABLED: bool "lldp.ieee.802_1.aggregation_status.enabled" "Aggregation Status", mask(0x02);
    AGG1_PORT: u32 "lldp.ieee.802_1.aggregated_port_id" "Aggregated Port Id";
    SUB_8023: u8 "lldp.ieee.802_3.subtype" "IEEE 802.3 Subtype", hex;
    NEG: u8 "lldp.ieee.802_3.mac_phy_auto_neg_status" "Auto-Negotiation Support/Status", hex;
    NEG_SUPPORTED: bool "lldp.ieee.802_3.mac_phy_auto_neg_status.supported" "Auto-Negotiation", mask(0x01);
    NEG_ENABLED: bool "lldp.ieee.802_3.mac_phy_auto_neg_status.enabled" "Auto-Negotiation", mask(0x02);
    PMD: u16 "lldp.ieee.802_3.pmd_auto_neg_advertised_caps" "PMD Auto-Negotiation Advertised Capability", hex;
    PMD_T1000F: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.1000base_tfd" "1000BASE-T (full duplex mode)", mask(0x0001);
    PMD_T1000: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.1000base_t" "1000BASE-T (half duplex mode)", mask(0x0002);
    PMD_X1000F: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.1000base_xfd" "1000BASE-X (full duplex mode)", mask(0x0004);
    PMD_X1000: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.1000base_x" "1000BASE-X (half duplex mode)", mask(0x0008);
    PMD_B_PAUSE: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.fdx_bpause" "Asymmetric and Symmetric PAUSE", mask(0x0010);
    PMD_S_PAUSE: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.fdx_spause" "Symmetric PAUSE", mask(0x0020);
    PMD_A_PAUSE: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.fdx_apause" "Asymmetric PAUSE", mask(0x0040);
    PMD_PAUSE: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.fdx_pause" "PAUSE", mask(0x0080);
    PMD_T2_100F: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.100base_t2fd" "100BASE-T2 (full duplex mode)", mask(0x0100);
    PMD_T2_100: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.100base_t2" "100BASE-T2 (half duplex mode)", mask(0x0200);
    PMD_TX_100F: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.100base_txfd" "100BASE-TX (full duplex mode)", mask(0x0400);
    PMD_TX_100: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.100base_tx" "100BASE-TX (half duplex mode)", mask(0x0800);
    PMD_T4_100: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.100base_t4" "100BASE-T4", mask(0x1000);
    PMD_T10F: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.10base_tfd" "10BASE-T (full duplex mode)", mask(0x2000);
    PMD_T10: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.10base_t" "10BASE-T (half duplex mode)", mask(0x4000);
    PMD_OTHER: bool "lldp.ieee.802_3.pmd_auto_neg_advertised_caps.other" "other or unknown", mask(0x8000);
    MAU: u16 "lldp.ieee.802_3.pmd_mau_type" "Operational MAU Type", hex;
    AGG: u8 "lldp.ieee.802_3.aggregation_status" "Aggregation Status", hex;
    AGG_CAP: bool "lldp.ieee.802_3.aggregation_status.cap" "Aggregation Capability", mask(0x01);
    AGG_ENABLED: bool "lldp.ieee.802_3.aggregation_status.enabled" "Aggregation Status", mask(0x02);
    AGG_PORT: u32 "lldp.ieee.802_3.aggregated_port_id" "Aggregated Port Id";
    MAX_FRAME: u16 "lldp.ieee.802_3.max_frame_size" "Maximum Frame Size";
    POWER: u8 "lldp.ieee.802_3.mdi_power_support" "MDI Power Support", hex;
    POWER_CLASS_IS_PSE: bool "lldp.ieee.802_3.mdi_power_support.port_class" "Port Class", mask(0x01);
    POWER_CAN: bool "lldp.ieee.802_3.mdi_power_support.supported" "PSE MDI Power", mask(0x02);
    POWER_DOES: bool "lldp.ieee.802_3.mdi_power_support.enabled" "PSE MDI Power Enabled", mask(0x04);
    POWER_PAIRS: bool "lldp.ieee.802_3.mdi_power_support.pse_pairs" "PSE Pairs Control Ability", mask(0x08);
    POWER_PAIR: u8 "lldp.ieee.802_3.mdi_pse_pair" "PSE Power Pair";
    POWER_CLASS: u8 "lldp.ieee.802_3.mdi_power_class" "Power Class";
    POWER_TYPE: u8 "lldp.ieee.802_3.mdi_power_type" "Power Type", mask(0xC0);
    POWER_SOURCE: u8 "lldp.ieee.802_3.mdi_power_source" "Power Source", mask(0x30);
    POWER_PRIORITY: u8 "lldp.ieee.802_3.mdi_power_priority" "Power Priority", mask(0x0F);
    POWER_REQUESTED: u16 "lldp.ieee.802_3.mdi_pde_requested" "PD Requested Power Value";
    POWER_ALLOCATED: u16 "lldp.ieee.802_3.mdi_pse_allocated" "PSE Allocated Power Value";
    EEE_TX: u16 "lldp.ieee.802_3.eee.transmit" "Transmit Tw";
    EEE_RX: u16 "lldp.ieee.802_3.eee.receive" "Receive Tw";
    EEE_FALLBACK: u16 "lldp.ieee.802_3.eee.fallback_receive" "Fallback Receive Tw";
    EEE_ECHO_TX: u16 "lldp.ieee.802_3.eee.echo_transmit" "Echo Transmit Tw";
    EEE_ECHO_RX: u16 "lldp.ieee.802_3.eee.echo_receive" "Echo Receive Tw";
    SUB_MEDIA: u8 "lldp.media.subtype" "Media Subtype", hex;
    MEDIA_CAPS: u16 "lldp.media.subtype.caps" "Capabilities", hex;
    MEDIA_LLDP: bool "lldp.media.subtype.caps.llpd" "LLDP-MED Capabilities", mask(0x0001);
    MEDIA_POLICY: bool "lldp.media.subtype.caps.network_policy" "Network Policy", mask(0x0002);
    MEDIA_LOCATION: bool "lldp.media.subtype.caps.location_id" "Location Identification", mask(0x0004);
    MEDIA_PSE: bool "lldp.media.subtype.caps.mdi_pse" "Extended Power via MDI-PSE", mask(0x0008);
    MEDIA_PD: bool "lldp.media.subtype.caps.mid_pd" "Extended Power via MDI-PD", mask(0x0010);
    MEDIA_INVENTORY: bool "lldp.media.subtype.caps.inventory" "Inventory", mask(0x0020);
    MEDIA_CLASS: u8 "lldp.media.subtype.class" "Class Type";
    POLICY_APP: u8 "lldp.media.app_type" "Application Type", names(APPLICATIONS);
    POLICY_UNKNOWN: bool "lldp.media.policy_flag" "Policy", mask(0x80_0000);
    POLICY_TAGGED: bool "lldp.media.tag_flag" "Tagged", mask(0x40_0000);
    POLICY_VLAN: u24 "lldp.media.vlan_id" "VLAN Id", mask(0x1F_FE00);
    POLICY_PRIORITY: u24 "lldp.media.l2_prio" "L2 Priority", mask(0x01C0);
    POLICY_DSCP: u24 "lldp.media.dscp" "DSCP Priority", mask(0x3F);
    MED_POWER_TYPE: u8 "lldp.media.power.type" "Power Type", mask(0xC0);
    MED_POWER_SOURCE: u8 "lldp.media.power.source" "Power Source", mask(0x30);
    MED_POWER_PRIORITY: u8 "lldp.media.power.prio" "Power Priority", mask(0x0F);
    MED_POWER: u16 "lldp.media.power.value" "Power Value";
    HARDWARE: text "lldp.media.hardware" "Hardware Revision";
    FIRMWARE: text "lldp.media.firmware" "Firmware Revision";
    SOFTWARE: text "lldp.media.software" "Software Revision";
    SERIAL: text "lldp.media.sn" "Serial Number";
    MANUFACTURER: text "lldp.media.manufacturer" "Manufacturer Name";
    MODEL: text "lldp.media.model" "Model Name";
    ASSET: text "lldp.media.asset" "Asset ID";
    SUB_IANA: u8 "lldp.iana.subtype" "IANA Subtype", hex;
    MUD_URL: text "lldp.iana.mudurl" "Manufacturer Usage Description URL";
    UNKNOWN: u8 "lldp.unknown_subtype" "Unknown Subtype";
    UNKNOWN_CONTENT: bytes "lldp.unknown_subtype.content" "Unknown Subtype Content";
}

pub(crate) fn dissect(cx: &mut Context<'_>, frame: Data<'_>) {
    cx.layer(&LLDP, frame, |cx, c| {
        // Three have to come first, in this order, and once (IEEE 802.1AB 8.2).
        const REQUIRED: std::ops::RangeInclusive<u16> = 1..=3;
        for place in 1u16.. {
            if c.is_done() {
                break;
            }
            let header = c.peek_u16()?;
            let (kind, len) = (header >> 9, usize::from(header & 0x1FF));
            if REQUIRED.contains(&place) && kind != place {
                return c.skip(c.left());
            }
            c.parts(cx, 2, &[&TYPE, &LEN])?;
            let body = c.take(len)?;
            value(cx, &mut body.cursor(), kind)?;
            if kind == 0 || REQUIRED.contains(&kind) && place > *REQUIRED.end() {
                break;
            }
        }
        Ok(())
    });
}

fn value(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u16) -> Read {
    match kind {
        1 => walk(
            cx,
            c,
            &[
                Is(&CHASSIS_SUBTYPE),
                By(
                    &CHASSIS_SUBTYPE,
                    &[
                        (4, &[Is(&CHASSIS_MAC)]),
                        (
                            5,
                            &[
                                Is(&NETWORK),
                                By(&NETWORK, &[(1, &[Is(&CHASSIS_IP4)]), (2, &[Is(&CHASSIS_IP6)])]),
                            ],
                        ),
                    ],
                ),
                Rest(&CHASSIS_ID),
            ],
        ),
        2 => walk(
            cx,
            c,
            &[
                Is(&PORT_SUBTYPE),
                By(
                    &PORT_SUBTYPE,
                    &[
                        (3, &[Is(&PORT_MAC)]),
                        (4, &[Is(&NETWORK), By(&NETWORK, &[(1, &[Is(&PORT_IP4)]), (2, &[Is(&PORT_IP6)])])]),
                    ],
                ),
                Rest(&PORT_ID),
            ],
        ),
        3 => walk(cx, c, &[Is(&TTL)]),
        4 => walk(cx, c, &[Rest(&PORT_DESC)]),
        5 => walk(cx, c, &[Rest(&SYSTEM_NAME)]),
        6 => walk(cx, c, &[Rest(&SYSTEM_DESC)]),
        7 => {
            let can: &[_] = &[
                &CAP_OTHER,
                &CAP_REPEATER,
                &CAP_BRIDGE,
                &CAP_WLAN,
                &CAP_ROUTER,
                &CAP_PHONE,
                &CAP_DOCSIS,
                &CAP_STATION,
            ];
            let does: &[_] = &[
                &ENABLED_OTHER,
                &ENABLED_REPEATER,
                &ENABLED_BRIDGE,
                &ENABLED_WLAN,
                &ENABLED_ROUTER,
                &ENABLED_PHONE,
                &ENABLED_DOCSIS,
                &ENABLED_STATION,
            ];
            walk(cx, c, &[Bits(&CAP, 2, can), Bits(&ENABLED, 2, does)])
        }
        8 => management(cx, c),
        127 => organization(cx, c),
        _ => Ok(()),
    }
}

fn management(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let len = usize::from(c.u8(cx, &MGN_LEN)?);
    let kind = c.u8(cx, &MGN_SUBTYPE)?;
    match (kind, len) {
        (1, 5) => c.ipv4(cx, &MGN_IP4).map(drop)?,
        (2, 17) => c.ipv6(cx, &MGN_IP6).map(drop)?,
        _ => c.bytes(cx, &MGN_HEX, len.saturating_sub(1)).map(drop)?,
    }
    walk(cx, c, &[Is(&MGN_INTERFACE_SUBTYPE), Is(&MGN_INTERFACE), Counted(&MGN_OBJ_LEN, &MGN_OBJ)])
}

/// What organisations add, each with an identifier of its own.
fn organization(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    match c.u24(cx, &OUI)? {
        0x0080C2 => bridging(cx, c),
        0x00120F => link(cx, c),
        0x0012BB => media(cx, c),
        0x00005E => walk(cx, c, &[Is(&SUB_IANA), By(&SUB_IANA, &[(1, &[Rest(&MUD_URL)])])]),
        _ => walk(cx, c, &[Is(&UNKNOWN), Rest(&UNKNOWN_CONTENT)]),
    }
}

/// IEEE 802.1Q, annex D.
fn bridging(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let kinds: &[(u64, Layout<'_>)] = &[
        (1, &[Is(&PVID)]),
        (2, &[Bits(&PPVID_FLAGS, 1, &[&PPVID_CAN, &PPVID_DOES]), Is(&PPVID)]),
        (3, &[Is(&VLAN_ID), Counted(&VLAN_NAME_LEN, &VLAN_NAME)]),
        (4, &[Counted(&PROTOCOL_LEN, &PROTOCOL_ID)]),
        (7, &[Bits(&AGG1, 1, &[&AGG1_CAP, &AGG1_ENABLED]), Is(&AGG1_PORT)]),
    ];
    walk(cx, c, &[Is(&SUB_8021), By(&SUB_8021, kinds)])
}

/// IEEE 802.3, clause 79.
fn link(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let negotiation: &[_] =
        &[Bits(&NEG, 1, &[&NEG_SUPPORTED, &NEG_ENABLED]), Bits(&PMD, 2, &MODES), Is(&MAU)];
    let can: &[_] = &[&POWER_CLASS_IS_PSE, &POWER_CAN, &POWER_DOES, &POWER_PAIRS];
    let power: &[_] = &[Bits(&POWER, 1, can), Is(&POWER_PAIR), Is(&POWER_CLASS)];
    let aggregation: &[_] = &[Bits(&AGG, 1, &[&AGG_CAP, &AGG_ENABLED]), Is(&AGG_PORT)];
    let idle: &[_] = &[Is(&EEE_TX), Is(&EEE_RX), Is(&EEE_FALLBACK), Is(&EEE_ECHO_TX), Is(&EEE_ECHO_RX)];
    let kinds: &[(u64, Layout<'_>)] =
        &[(1, negotiation), (2, power), (3, aggregation), (4, &[Is(&MAX_FRAME)]), (5, idle)];
    walk(cx, c, &[Is(&SUB_8023), By(&SUB_8023, kinds)])?;
    // What was agreed about power came later (79.3.2.4).
    const POWER_KIND: u64 = 2;
    if c.left() >= 5 && cx.last(&SUB_8023) == Some(POWER_KIND) {
        let agreed: &[_] = &[&POWER_TYPE, &POWER_SOURCE, &POWER_PRIORITY];
        walk(cx, c, &[Parts(1, agreed), Is(&POWER_REQUESTED), Is(&POWER_ALLOCATED)])?;
    }
    Ok(())
}

static MODES: [&FieldDef; 16] = [
    &PMD_T1000F,
    &PMD_T1000,
    &PMD_X1000F,
    &PMD_X1000,
    &PMD_B_PAUSE,
    &PMD_S_PAUSE,
    &PMD_A_PAUSE,
    &PMD_PAUSE,
    &PMD_T2_100F,
    &PMD_T2_100,
    &PMD_TX_100F,
    &PMD_TX_100,
    &PMD_T4_100,
    &PMD_T10F,
    &PMD_T10,
    &PMD_OTHER,
];

/// Media end points (ANSI/TIA-1057).
fn media(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let parts: &[_] = &[&MEDIA_LLDP, &MEDIA_POLICY, &MEDIA_LOCATION, &MEDIA_PSE, &MEDIA_PD, &MEDIA_INVENTORY];
    let policy: &[_] = &[&POLICY_UNKNOWN, &POLICY_TAGGED, &POLICY_VLAN, &POLICY_PRIORITY, &POLICY_DSCP];
    let power: &[_] = &[&MED_POWER_TYPE, &MED_POWER_SOURCE, &MED_POWER_PRIORITY];
    let kinds: &[(u64, Layout<'_>)] = &[
        (1, &[Bits(&MEDIA_CAPS, 2, parts), Is(&MEDIA_CLASS)]),
        (2, &[Is(&POLICY_APP), Parts(3, policy)]),
        (4, &[Parts(1, power), Is(&MED_POWER)]),
        (5, &[Rest(&HARDWARE)]),
        (6, &[Rest(&FIRMWARE)]),
        (7, &[Rest(&SOFTWARE)]),
        (8, &[Rest(&SERIAL)]),
        (9, &[Rest(&MANUFACTURER)]),
        (10, &[Rest(&MODEL)]),
        (11, &[Rest(&ASSET)]),
    ];
    walk(cx, c, &[Is(&SUB_MEDIA), By(&SUB_MEDIA, kinds)])
}

/// Where the last TLV begins, which says that it is the last.
pub(crate) fn end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let word = usize::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
        if word >> 9 == 0 {
            return Some(at);
        }
        at += 2 + (word & 0x1FF);
    }
}
