//! Records that are made for one message: signatures of transactions (RFC 8945) and agreements on their keys (RFC 2930).

use super::name;
use crate::context::Context;
use crate::cursor::{Cursor, Read};
use crate::field::{FieldDef, protocol};
use crate::table::{Step::*, counted, walk};

protocol! { KEYS "dns" "DNS" "Domain Name System";
    TSIG_ALGORITHM: text "dns.tsig.algorithm_name" "Algorithm Name";
    TSIG_TIME: absolute "dns.tsig.time_signed" "Time Signed";
    TSIG_FUDGE: u16 "dns.tsig.fudge" "Fudge";
    TSIG_MAC_SIZE: u16 "dns.tsig.mac_size" "MAC Size";
    TSIG_MAC: none "dns.tsig.mac" "MAC";
    TSIG_ORIGINAL: u16 "dns.tsig.original_id" "Original Id";
    TSIG_ERROR: u16 "dns.tsig.error" "Error";
    TSIG_OTHER_LEN: u16 "dns.tsig.other_len" "Other Len";
    TSIG_OTHER: bytes "dns.tsig.other_data" "Other Data";
    TKEY_ALGORITHM: text "dns.tkey.algo_name" "Algorithm name";
    TKEY_INCEPTION: absolute "dns.tkey.signature_inception" "Signature Inception";
    TKEY_EXPIRATION: absolute "dns.tkey.signature_expiration" "Signature Expiration";
    TKEY_MODE: u16 "dns.tkey.mode" "Mode";
    TKEY_ERROR: u16 "dns.tkey.error" "Error";
    TKEY_SIZE: u16 "dns.tkey.key_size" "Key Size";
    TKEY_DATA: bytes "dns.tkey.key_data" "Key Data";
    TKEY_OTHER_SIZE: u16 "dns.tkey.other_size" "Other Size";
    TKEY_OTHER: bytes "dns.tkey.other_data" "Other Data";
}

/// A signature over the message.
pub(super) fn signature(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    name(cx, c, &TSIG_ALGORITHM)?;
    moment(cx, c, &TSIG_TIME, 6)?;
    walk(cx, c, &[Is(&TSIG_FUDGE)])?;
    let size = c.u16(cx, &TSIG_MAC_SIZE)?;
    if size > 0 {
        let mac = c.take(usize::from(size))?;
        cx.add(&TSIG_MAC, mac, 0, mac.len(), 0);
    }
    walk(cx, c, &[Is(&TSIG_ORIGINAL), Is(&TSIG_ERROR), Counted(&TSIG_OTHER_LEN, &TSIG_OTHER)])
}

/// What two agree upon as a key.
pub(super) fn agreement(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    name(cx, c, &TKEY_ALGORITHM)?;
    moment(cx, c, &TKEY_INCEPTION, 4)?;
    moment(cx, c, &TKEY_EXPIRATION, 4)?;
    walk(cx, c, &[Is(&TKEY_MODE), Is(&TKEY_ERROR)])?;
    let size = c.u16(cx, &TKEY_SIZE)?;
    counted(cx, c, &TKEY_DATA, u64::from(size))?;
    walk(cx, c, &[Counted(&TKEY_OTHER_SIZE, &TKEY_OTHER)])
}

/// A second since 1970, in so many bytes.
fn moment(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef, size: usize) -> Read {
    let bytes = c.take(size)?;
    let second = bytes.bytes.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    cx.add(def, bytes, 0, size, second.wrapping_mul(1_000_000_000));
    Ok(())
}
