//! SCTP (RFC 9260): chunks, their parameters, and data.

use super::names::CHECKSUM_STATUS;
use super::{data, names};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use crate::table::{Step::*, walk};

static CHUNKS: Names = &[
    (0, "DATA"),
    (1, "INIT"),
    (2, "INIT_ACK"),
    (3, "SACK"),
    (4, "HEARTBEAT"),
    (5, "HEARTBEAT_ACK"),
    (6, "ABORT"),
    (7, "SHUTDOWN"),
    (8, "SHUTDOWN_ACK"),
    (9, "ERROR"),
    (10, "COOKIE_ECHO"),
    (11, "COOKIE_ACK"),
    (12, "ECNE"),
    (13, "CWR"),
    (14, "SHUTDOWN_COMPLETE"),
    (64, "I_DATA"),
    (130, "RE_CONFIG"),
    (192, "FORWARD_TSN"),
];
static PARAMETERS: Names = &[
    (1, "Heartbeat info"),
    (5, "IPv4 address"),
    (6, "IPv6 address"),
    (7, "State cookie"),
    (8, "Unrecognized parameter"),
    (9, "Cookie preservative"),
    (11, "Hostname address"),
    (12, "Supported address types"),
    (0x8000, "ECN"),
    (0xC000, "Forward TSN supported"),
];

protocol! { SCTP "sctp" "SCTP" "Stream Control Transmission Protocol";
    SRC_PORT: u16 "sctp.srcport" "Source port";
    DST_PORT: u16 "sctp.dstport" "Destination port";
    TAG: u32 "sctp.verification_tag" "Verification tag", hex;
    CHECKSUM: u32 "sctp.checksum" "Checksum", hex;
    STATUS: u8 "sctp.checksum.status" "Checksum Status", names(CHECKSUM_STATUS);
    TYPE: u8 "sctp.chunk_type" "Chunk type", names(CHUNKS);
    BIT_1: bool "sctp.chunk_bit_1" "Bit", mask(0x80);
    BIT_2: bool "sctp.chunk_bit_2" "Bit", mask(0x40);
    FLAGS: u8 "sctp.chunk_flags" "Chunk flags", hex;
    LENGTH: u16 "sctp.chunk_length" "Chunk length";
    PADDING: bytes "sctp.chunk_padding" "Chunk padding";
    VALUE: bytes "sctp.chunk_value" "Chunk value";
    COOKIE: bytes "sctp.cookie" "Cookie";
    INITIATE_TAG: u32 "sctp.initiate_tag" "Initiate tag", hex;
    INIT_TAG: u32 "sctp.init_initiate_tag" "Initiate tag", hex;
    INIT_CREDIT: u32 "sctp.init_credit" "Advertised receiver window credit (a_rwnd)";
    INIT_OUT: u16 "sctp.init_nr_out_streams" "Number of outbound streams";
    INIT_IN: u16 "sctp.init_nr_in_streams" "Number of inbound streams";
    INIT_TSN: u32 "sctp.init_initial_tsn" "Initial TSN";
    ACK_TAG: u32 "sctp.initack_initiate_tag" "Initiate tag", hex;
    ACK_CREDIT: u32 "sctp.initack_credit" "Advertised receiver window credit (a_rwnd)";
    ACK_OUT: u16 "sctp.initack_nr_out_streams" "Number of outbound streams";
    ACK_IN: u16 "sctp.initack_nr_in_streams" "Number of inbound streams";
    ACK_TSN: u32 "sctp.initack_initial_tsn" "Initial TSN";
    DATA_I: bool "sctp.data_i_bit" "I-Bit", mask(0x08);
    DATA_U: bool "sctp.data_u_bit" "U-Bit", mask(0x04);
    DATA_B: bool "sctp.data_b_bit" "B-Bit", mask(0x02);
    DATA_E: bool "sctp.data_e_bit" "E-Bit", mask(0x01);
    TSN_RAW: u32 "sctp.data_tsn_raw" "Transmission sequence number (absolute)";
    SID: u16 "sctp.data_sid" "Stream identifier", hex;
    SSN: u16 "sctp.data_ssn" "Stream sequence number";
    PPID: u32 "sctp.data_payload_proto_id" "Payload protocol identifier";
    NOUNCE: u8 "sctp.sack_nounce_sum" "Nounce sum", mask(0x01);
    SACK_RAW: u32 "sctp.sack_cumulative_tsn_ack_raw" "Cumulative TSN ACK (absolute)";
    SACK_CREDIT: u32 "sctp.sack_a_rwnd" "Advertised receiver window credit (a_rwnd)";
    SACK_GAPS: u16 "sctp.sack_number_of_gap_blocks" "Number of gap acknowledgement blocks";
    SACK_DUPS: u16 "sctp.sack_number_of_duplicated_tsns" "Number of duplicated TSNs";
    GAP_START: u16 "sctp.sack_gap_block_start" "Start";
    GAP_END: u16 "sctp.sack_gap_block_end" "End";
    GAP_ACKED: u32 "sctp.sack_number_of_tsns_gap_acked" "Number of TSNs in gap acknowledgement blocks";
    DUP_TSN: u32 "sctp.sack_duplicate_tsn" "Duplicate TSN";
    SHUTDOWN_TSN: u32 "sctp.shutdown_cumulative_tsn_ack" "Cumulative TSN Ack";
    SHUTDOWN_T: bool "sctp.shutdown_complete_t_bit" "T-Bit", mask(0x01);
    ABORT_T: bool "sctp.abort_t_bit" "T-Bit", mask(0x01);
    FORWARD_TSN: u32 "sctp.forward_tsn_tsn" "New cumulative TSN";
    FORWARD_SID: u16 "sctp.forward_tsn_sid" "Stream identifier";
    FORWARD_SSN: u16 "sctp.forward_tsn_ssn" "Stream sequence number";
    PARAMETER: u16 "sctp.parameter_type" "Parameter type", hex, names(PARAMETERS);
    PARAMETER_1: bool "sctp.parameter_bit_1" "Bit", mask(0x8000);
    PARAMETER_2: bool "sctp.parameter_bit_2" "Bit", mask(0x4000);
    PARAMETER_LENGTH: u16 "sctp.parameter_length" "Parameter length";
    PARAMETER_VALUE: bytes "sctp.parameter_value" "Parameter value";
    PARAMETER_PADDING: bytes "sctp.parameter_padding" "Parameter padding";
    PARAMETER_IPV4: ipv4 "sctp.parameter_ipv4_address" "IP Version 4 address";
    PARAMETER_IPV6: ipv6 "sctp.parameter_ipv6_address" "IP Version 6 address";
    PARAMETER_HEARTBEAT: bytes "sctp.parameter_heartbeat_information" "Heartbeat information";
    PARAMETER_COOKIE: bytes "sctp.parameter_state_cookie" "State cookie";
    PARAMETER_PRESERVE: u32 "sctp.parameter_cookie_preservative_incr" "Suggested Cookie life-span increment (msec)";
    PARAMETER_ADAPTATION: u32 "sctp.adaptation_layer_indication" "Indication", hex;
    PARAMETER_SUPPORTED: u16 "sctp.parameter_supported_address_type" "Supported address type";
    CAUSE: u16 "sctp.cause_code" "Cause code", hex;
    CAUSE_LENGTH: u16 "sctp.cause_length" "Cause length";
    CAUSE_INFO: bytes "sctp.cause_information" "Cause information";
    CAUSE_PADDING: bytes "sctp.cause_padding" "Cause padding";
}

pub(crate) fn dissect(cx: &mut Context<'_>, packet: Data<'_>) {
    cx.layer(&SCTP, packet, |cx, c| {
        walk(cx, c, &[Is(&SRC_PORT), Is(&DST_PORT), Is(&TAG), Is(&CHECKSUM)])?;
        cx.conclude(&STATUS, names::UNVERIFIED);
        while c.left() >= 4 {
            chunk(cx, c)?;
        }
        Ok(())
    });
}

fn chunk(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let kind = c.bits(cx, &TYPE, 1, &[&BIT_1, &BIT_2])? as u8;
    let flags: &[&'static FieldDef] = match kind {
        0 => &[&DATA_I, &DATA_U, &DATA_B, &DATA_E],
        3 => &[&NOUNCE],
        6 => &[&ABORT_T],
        14 => &[&SHUTDOWN_T],
        _ => &[],
    };
    let flags = c.bits(cx, &FLAGS, 1, flags)?;
    let len = usize::from(c.u16(cx, &LENGTH)?);
    let body = c.take(len.checked_sub(4).ok_or(Short)?)?;
    let padding = c.take_most(len.next_multiple_of(4) - len);
    let mut inside = body.cursor();
    let payload = self::body(cx, &mut inside, kind)?;
    if !padding.is_empty() {
        cx.add(&PADDING, padding, 0, padding.len(), 0);
    }
    // Only a whole message can be understood.
    if let Some(payload) = payload
        && flags & 3 == 3
    {
        data::show(cx, payload);
    }
    Ok(())
}

fn body<'d>(cx: &mut Context<'_>, c: &mut Cursor<'d>, kind: u8) -> Read<Option<Data<'d>>> {
    match kind {
        0 => {
            walk(cx, c, &[Is(&TSN_RAW), Is(&SID), Is(&SSN), Is(&PPID)])?;
            return Ok(Some(c.rest()));
        }
        1 | 2 => {
            let tag = u64::from(c.data.u32(c.pos)?);
            if kind == 1 {
                walk(cx, c, &[Is(&INIT_TAG), Is(&INIT_CREDIT), Is(&INIT_OUT), Is(&INIT_IN), Is(&INIT_TSN)])?;
            } else {
                walk(cx, c, &[Is(&ACK_TAG), Is(&ACK_CREDIT), Is(&ACK_OUT), Is(&ACK_IN), Is(&ACK_TSN)])?;
            }
            cx.hide(&INITIATE_TAG, c.data, 0, 4, tag);
            parameters(cx, c)?;
        }
        3 => sack(cx, c)?,
        4 | 5 => parameters(cx, c)?,
        6 | 9 => causes(cx, c)?,
        7 => walk(cx, c, &[Is(&SHUTDOWN_TSN)])?,
        10 => walk(cx, c, &[Rest(&COOKIE)])?,
        192 => walk(cx, c, &[Is(&FORWARD_TSN), Each(&[Is(&FORWARD_SID), Is(&FORWARD_SSN)])])?,
        8 | 11 | 14 => {}
        _ => walk(cx, c, &[Rest(&VALUE)])?,
    }
    Ok(None)
}

fn sack(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    walk(cx, c, &[Is(&SACK_RAW), Is(&SACK_CREDIT)])?;
    let gaps = c.u16(cx, &SACK_GAPS)?;
    let duplicates = c.u16(cx, &SACK_DUPS)?;
    let mut acked = 0u64;
    for _ in 0..gaps {
        let start = c.u16(cx, &GAP_START)?;
        let end = c.u16(cx, &GAP_END)?;
        acked += u64::from(end.wrapping_sub(start)) + 1;
    }
    if gaps > 0 {
        cx.conclude(&GAP_ACKED, acked);
    }
    (0..duplicates).try_for_each(|_| c.u32(cx, &DUP_TSN).map(drop))
}

fn parameters(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    while c.left() >= 4 {
        let kind = c.bits(cx, &PARAMETER, 2, &[&PARAMETER_1, &PARAMETER_2])?;
        let len = usize::from(c.u16(cx, &PARAMETER_LENGTH)?);
        let body = c.take(len.checked_sub(4).ok_or(Short)?)?;
        let padding = c.take_most(len.next_multiple_of(4) - len);
        let c = &mut body.cursor();
        match kind {
            1 => walk(cx, c, &[Rest(&PARAMETER_HEARTBEAT)])?,
            5 => walk(cx, c, &[Is(&PARAMETER_IPV4)])?,
            6 => walk(cx, c, &[Is(&PARAMETER_IPV6)])?,
            7 => walk(cx, c, &[Rest(&PARAMETER_COOKIE)])?,
            9 => walk(cx, c, &[Is(&PARAMETER_PRESERVE)])?,
            12 => walk(cx, c, &[Each(&[Is(&PARAMETER_SUPPORTED)])])?,
            0xC006 => walk(cx, c, &[Is(&PARAMETER_ADAPTATION)])?,
            _ => walk(cx, c, &[Rest(&PARAMETER_VALUE)])?,
        }
        if !padding.is_empty() {
            cx.add(&PARAMETER_PADDING, padding, 0, padding.len(), 0);
        }
    }
    Ok(())
}

fn causes(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    while c.left() >= 4 {
        c.u16(cx, &CAUSE)?;
        let len = usize::from(c.u16(cx, &CAUSE_LENGTH)?);
        let body = c.take(len.checked_sub(4).ok_or(Short)?)?;
        walk(cx, &mut body.cursor(), &[Rest(&CAUSE_INFO)])?;
        let padding = c.take_most(len.next_multiple_of(4) - len);
        if !padding.is_empty() {
            cx.add(&CAUSE_PADDING, padding, 0, padding.len(), 0);
        }
    }
    Ok(())
}
