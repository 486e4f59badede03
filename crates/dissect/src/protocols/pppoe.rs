//! PPP over Ethernet (RFC 2516): looking for a session, and the frames of one.

use super::ppp;
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{Names, protocol};
use crate::table::{Step::*, walk};

static CODES: Names = &[
    (0x00, "Session Data"),
    (0x07, "Active Discovery Offer (PADO)"),
    (0x09, "Active Discovery Initiation (PADI)"),
    (0x19, "Active Discovery Request (PADR)"),
    (0x65, "Active Discovery Session-confirmation (PADS)"),
    (0xA7, "Active Discovery Terminate (PADT)"),
];

protocol! { PPPOE "pppoes" "PPPoES" "PPP-over-Ethernet Session";
    VERSION: u8 "pppoe.version" "Version", mask(0xF0);
    TYPE: u8 "pppoe.type" "Type", mask(0x0F);
    CODE: u8 "pppoe.code" "Code", hex, names(CODES);
    SESSION: u16 "pppoe.session_id" "Session ID", hex;
    LENGTH: u16 "pppoe.payload_length" "Payload Length";
}
protocol! { DISCOVERY "pppoed" "PPPoED" "PPP-over-Ethernet Discovery";
    TAGS: none "pppoed.tags" "PPPoE Tags";
    SERVICE_NAME: text "pppoed.tags.service_name" "Service-Name";
    CONCENTRATOR: text "pppoed.tags.ac_name" "AC-Name";
    HOST_UNIQ: bytes "pppoed.tags.host_uniq" "Host-Uniq";
    COOKIE: bytes "pppoed.tags.ac_cookie" "AC-Cookie";
    RELAY: bytes "pppoed.tags.relay_session_id" "Relay-Session-Id";
    SERVICE_ERROR: text "pppoed.tags.service_name_error" "Service-Name-Error";
    SYSTEM_ERROR: text "pppoed.tags.ac_system_error" "AC-System-Error";
    ERROR: text "pppoed.tags.generic_error" "Generic-Error";
}

/// The header that both have; gives what its length covers.
fn header<'d>(cx: &mut Context<'_>, c: &mut Cursor<'d>) -> Read<Data<'d>> {
    walk(cx, c, &[Parts(1, &[&VERSION, &TYPE]), Is(&CODE), Is(&SESSION)])?;
    let len = usize::from(c.u16(cx, &LENGTH)?);
    Ok(c.rest().first(len))
}

/// How a session is found and ended (RFC 2516 5).
pub(crate) fn discovery(cx: &mut Context<'_>, frame: Data<'_>) {
    cx.layer(&DISCOVERY, frame, |cx, c| {
        let tags = header(cx, c)?;
        c.skip(tags.len())?;
        if tags.is_empty() {
            return Ok(());
        }
        cx.within(&TAGS, tags, |cx| {
            let mut c = tags.cursor();
            while c.left() >= 4 {
                let (kind, len) = (c.data.u16(c.pos)?, c.data.u16(c.pos + 2)?);
                c.skip(4)?;
                let value = c.take(usize::from(len))?;
                let def = match kind {
                    0x0000 => break,
                    0x0101 => &SERVICE_NAME,
                    0x0102 => &CONCENTRATOR,
                    0x0103 => &HOST_UNIQ,
                    0x0104 => &COOKIE,
                    0x0110 => &RELAY,
                    0x0201 => &SERVICE_ERROR,
                    0x0202 => &SYSTEM_ERROR,
                    0x0203 => &ERROR,
                    _ => continue,
                };
                if !value.is_empty() {
                    cx.add(def, value, 0, value.len(), 0);
                }
            }
            Ok(())
        })
    });
}

/// A frame of a session.
pub(crate) fn session(cx: &mut Context<'_>, frame: Data<'_>) {
    let mut inside = None;
    cx.layer(&PPPOE, frame, |cx, c| {
        inside = Some(header(cx, c)?);
        Ok(())
    });
    if let Some(inside) = inside {
        ppp::packet(cx, inside);
    }
}
