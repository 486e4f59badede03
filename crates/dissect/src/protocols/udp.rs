//! UDP (RFC 768).

use super::names::{self, CHECKSUM_STATUS};
use super::{ip, ports, snmp};
use crate::context::Context;
use crate::cursor::Data;
use crate::field::protocol;
use crate::tree::Carrier;

protocol! { UDP "udp" "UDP" "User Datagram Protocol";
    SRC_PORT: u16 "udp.srcport" "Source Port";
    DST_PORT: u16 "udp.dstport" "Destination Port";
    PORT: u16 "udp.port" "Source or Destination Port";
    LENGTH: u16 "udp.length" "Length";
    CHECKSUM: u16 "udp.checksum" "Checksum", hex;
    STATUS: u8 "udp.checksum.status" "Checksum Status", names(CHECKSUM_STATUS);
    STREAM: u32 "udp.stream" "Stream index";
    TIME_RELATIVE: relative "udp.time_relative" "Time since first frame";
    TIME_DELTA: relative "udp.time_delta" "Time since previous frame";
    PAYLOAD: bytes "udp.payload" "Payload";
    LENGTH_BAD: none "udp.length.bad" "Bad length value";
    CHECKSUM_BAD: none "udp.checksum.bad" "Bad checksum";
}

/// SNMP's ports.
const AGENT: u16 = 161;
const TRAPS: u16 = 162;

pub(crate) fn dissect(cx: &mut Context<'_>, datagram: Data<'_>) {
    cx.layer(&UDP, datagram, |cx, c| {
        let src = c.u16(cx, &SRC_PORT)?;
        let dst = c.u16(cx, &DST_PORT)?;
        (cx.src_port, cx.dst_port) = (src, dst);
        let claimed = usize::from(c.u16(cx, &LENGTH)?);
        let checksum = c.u16(cx, &CHECKSUM)?;
        if claimed != 0 && claimed < 8 || (claimed > datagram.len() && !cx.is_cut) {
            cx.expert(&LENGTH_BAD);
        }
        let whole = if claimed == 0 { datagram } else { datagram.first(claimed) };
        let status = status(cx, checksum, whole, claimed);
        cx.conclude(&STATUS, status);
        if status == names::BAD {
            cx.expert(&CHECKSUM_BAD);
        }
        let payload = whole.from(8);
        if !cx.is_quoted {
            let (a, mut b) = ((cx.src, src), (cx.dst, dst));
            // Media that both sides announced is a conversation for each side.
            if !cx.state.media.is_empty()
                && cx.state.media.get(&a).is_some()
                && cx.state.media.get(&b).is_some()
            {
                b = a;
            }
            let time = cx.time;
            if cx.state.udp.flow(a, b).is_over {
                cx.state.udp.renew(a, b).is_second = true;
            }
            let flow = cx.state.udp.flow(a, b);
            let (stream, first, previous) =
                (flow.index, *flow.first.get_or_insert(time), flow.previous.replace(time));
            let owner = flow.owner;
            (cx.flow, cx.owner) = (stream, owner);
            cx.conclude(&STREAM, stream);
            // Of a datagram without payload Wireshark tells no times.
            if !payload.is_empty() || claimed > 8 {
                cx.conclude(&TIME_RELATIVE, time.wrapping_sub(first));
                cx.conclude(&TIME_DELTA, previous.map_or(0, |previous| time.wrapping_sub(previous)));
            }
        } else {
            let stream = cx.state.udp.flow((cx.src, src), (cx.dst, dst)).index;
            cx.conclude(&STREAM, stream);
            cx.flow = stream;
        }
        if !payload.is_empty() {
            cx.add(&PAYLOAD, payload, 0, payload.len(), 0);
            if !cx.is_quoted {
                let side = usize::from((cx.src, src) > (cx.dst, dst));
                cx.piece(Carrier::Udp, 0, side, payload, false);
            }
            ports::datagram(cx, payload);
            if matches!(dst, AGENT | TRAPS)
                && !cx.is_quoted
                && cx.arena.layers.last().is_some_and(|last| last.layer.is(&snmp::SNMP.layer))
            {
                answered_apart(cx, src, dst);
            }
        }
        Ok(())
    });
}

/// To Wireshark, what comes behind the first message to an SNMP agent is another conversation, and what comes behind the
/// first to who waits for its traps; that one counts when it is seen.
fn answered_apart(cx: &mut Context<'_>, src: u16, dst: u16) {
    let (a, b) = ((cx.src, src), (cx.dst, dst));
    let flow = cx.state.udp.flow(a, b);
    match (flow.is_second, dst) {
        (true, _) => {}
        (false, TRAPS) => flow.is_over = true,
        (false, _) => cx.state.udp.renew(a, b).is_second = true,
    }
}

fn status(cx: &Context<'_>, checksum: u16, datagram: Data<'_>, claimed: usize) -> u64 {
    if checksum == 0 {
        // Over IPv6 there has to be one (RFC 8200 8.1), but for tunnels.
        return if cx.src.is_ipv6() { names::ILLEGAL } else { names::NOT_PRESENT };
    }
    let whole = claimed == datagram.len();
    if !cx.state.options.verify_checksums || !whole || cx.is_quoted {
        return names::UNVERIFIED;
    }
    if ip::transport_sum(cx, 17, datagram.bytes) == 0 { names::GOOD } else { names::BAD }
}
