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
    POLL: int "ntp.ppoll" "Peer Polling Interval";
    PRECISION: int "ntp.precision" "Peer Clock Precision";
    ROOT_DELAY: float "ntp.rootdelay" "Root Delay";
    ROOT_DISPERSION: float "ntp.rootdispersion" "Root Dispersion";
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
        let flags = c.bits(cx, &FLAGS, 1, &[&LEAP, &VERSION, &MODE])?;
        if flags & 7 >= 6 {
            return Ok(());
        }
        c.u8(cx, &STRATUM)?;
        c.int(cx, &POLL, 1)?;
        c.int(cx, &PRECISION, 1)?;
        for def in [&ROOT_DELAY, &ROOT_DISPERSION] {
            let raw = c.data.u32(c.pos)?;
            cx.add(def, c.data, c.pos, 4, (f64::from(raw) / 65_536.0).to_bits());
            c.pos += 4;
        }
        c.bytes(cx, &REFERENCE_ID, 4)?;
        [&REFERENCE, &ORIGIN, &RECEIVE, &TRANSMIT].into_iter().try_for_each(|def| timestamp(cx, c, def))
    });
}

fn timestamp(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read {
    let (seconds, fraction) = (c.data.u32(c.pos)?, c.data.u32(c.pos + 4)?);
    let nanos = (i64::from(seconds) - EPOCH) * 1_000_000_000 + ((i64::from(fraction) * 1_000_000_000) >> 32);
    cx.add(def, c.data, c.pos, 8, nanos as u64);
    c.skip(8)
}
