//! NTP (RFC 5905). The form of a small protocol: a table of fields, and a walk.

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, Names, protocol};

static MODES: Names = &[
    (1, "symmetric active"),
    (2, "symmetric passive"),
    (3, "client"),
    (4, "server"),
    (5, "broadcast"),
    (6, "reserved for NTP control message"),
];

protocol! { NTP "ntp" "NTP" "Network Time Protocol";
    FLAGS: u8 "ntp.flags" "Flags", hex;
    LEAP: u8 "ntp.flags.li" "Leap Indicator", mask(0xC0);
    VERSION: u8 "ntp.flags.vn" "Version number", mask(0x38);
    MODE: u8 "ntp.flags.mode" "Mode", mask(0x07), names(MODES);
    STRATUM: u8 "ntp.stratum" "Peer Clock Stratum";
    POLL: u8 "ntp.ppoll" "Peer Polling Interval";
    PRECISION: u8 "ntp.precision" "Peer Clock Precision";
    ROOT_DELAY: u32 "ntp.rootdelay" "Root Delay";
    ROOT_DISPERSION: u32 "ntp.rootdispersion" "Root Dispersion";
    REFERENCE_ID: bytes "ntp.refid" "Reference ID";
    REFERENCE: absolute "ntp.reftime" "Reference Timestamp";
    ORIGIN: absolute "ntp.org" "Origin Timestamp";
    RECEIVE: absolute "ntp.rec" "Receive Timestamp";
    TRANSMIT: absolute "ntp.xmt" "Transmit Timestamp";
}

/// Seconds from 1900 to 1970.
const EPOCH: i64 = 2_208_988_800;

pub(crate) fn dissect(cx: &mut Context<'_>, message: Data<'_>) {
    cx.layer(&NTP, message, |cx, c| {
        const PRIVATE: u8 = 7;
        if c.peek()? & 7 == PRIVATE {
            return c.bits(cx, &FLAGS, 1, &[&VERSION, &MODE]).map(drop);
        }
        let flags = c.bits(cx, &FLAGS, 1, &[&LEAP, &VERSION, &MODE])?;
        if flags & 7 >= 6 {
            return Ok(());
        }
        c.u8(cx, &STRATUM)?;
        c.u8(cx, &POLL)?;
        c.u8(cx, &PRECISION)?;
        // As they are on the wire: in units of 2^-16 s, precision and poll as powers of two.
        c.u32(cx, &ROOT_DELAY)?;
        c.u32(cx, &ROOT_DISPERSION)?;
        c.bytes(cx, &REFERENCE_ID, 4)?;
        [&REFERENCE, &ORIGIN, &RECEIVE, &TRANSMIT].into_iter().try_for_each(|def| timestamp(cx, c, def))
    });
}

fn timestamp(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read {
    let (seconds, fraction) = (c.data.u32(c.pos)?, c.data.u32(c.pos + 4)?);
    // The era that began in 2036 has counts below 2^31 (RFC 4330 3).
    let era = if seconds < 0x8000_0000 && (seconds, fraction) != (0, 0) { 1i64 << 32 } else { 0 };
    let nanos =
        (i64::from(seconds) + era - EPOCH) * 1_000_000_000 + ((i64::from(fraction) * 1_000_000_000) >> 32);
    cx.add(def, c.data, c.pos, 8, nanos as u64);
    c.skip(8)
}
