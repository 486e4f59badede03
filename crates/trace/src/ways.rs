//! What the frames of one connection show of the way from its server: how many routers it passes, and whether that
//! changed; how much came before the request could be sent.

use std::net::IpAddr;

use thru_wire::ipv4::Protocol;

use crate::frames::{belongs, look};
use crate::{Packet, PacketFate, Span, Trace};

/// The way from a server changed while a connection lasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The hop limit with which the server's packets arrived before, and after.
    pub ttl: (u8, u8),
    /// The last packet that came the old way, and the first that came the new one.
    pub frames: (u64, u64),
    /// Nanoseconds between those two.
    pub gap: u64,
}

/// Packets on each side of a change; fewer may be a stray one.
const EACH_SIDE: usize = 5;

/// Whether the server's packets of this connection came one way first and another way later: hop limits that change
/// once and stay. Packets that are spread over parallel ways change all the time, and do not count.
pub fn way_changed(trace: &Trace, connection: &Span) -> Option<Change> {
    let server = connection.socket("tcp.remote")?.ip();
    let arrived: Vec<(&Packet, u8)> = from_server(trace, connection, server).collect();
    let (_, first) = *arrived.first()?;
    let turn = arrived.iter().position(|(_, ttl)| *ttl != first)?;
    let ((before, _), (after, second)) = (arrived[turn.checked_sub(1)?], arrived[turn]);
    let stays = arrived[turn..].iter().filter(|(_, ttl)| *ttl == second).count();
    let strays = arrived.len() - turn - stays;
    (turn >= EACH_SIDE && stays >= EACH_SIDE && strays * 20 <= stays).then(|| Change {
        ttl: (first, second),
        frames: (before.number, after.number),
        gap: after.at.saturating_sub(before.at),
    })
}

/// Packets of the connection that came from its server, no resets, with their hop limits.
fn from_server<'a>(
    trace: &'a Trace,
    connection: &'a Span,
    server: IpAddr,
) -> impl Iterator<Item = (&'a Packet, u8)> {
    let interface = trace.packets.first().map(|packet| packet.interface);
    trace
        .packets
        .iter()
        .filter(move |packet| packet.fate == PacketFate::Passed && Some(packet.interface) == interface)
        .filter(move |packet| belongs(trace, connection, packet) == Some(true))
        .filter_map(move |packet| {
            let look = look(&packet.bytes).filter(|look| look.src == server && !look.is_reset())?;
            Some((packet, look.ttl))
        })
}

/// Bytes of IP packets that the server sent within a time, of this connection, and the frames that carried them.
pub fn server_flight(trace: &Trace, connection: &Span, from: u64, until: u64) -> (usize, Vec<u64>) {
    let Some(server) = connection.socket("tcp.remote").map(|remote| remote.ip()) else {
        return (0, Vec::new());
    };
    from_server(trace, connection, server).filter(|(packet, _)| (from..=until).contains(&packet.at)).fold(
        (0, Vec::new()),
        |(bytes, mut frames), (packet, _)| {
            frames.push(packet.number);
            (bytes + packet.bytes.len().saturating_sub(14), frames)
        },
    )
}

/// Retry packets of QUIC (RFC 9000 17.2.5) from the server of this handshake, if nothing else came from it.
pub fn retries(trace: &Trace, handshake: &Span) -> Option<Vec<u64>> {
    let server = ["quic.remote", "tcp.remote"].iter().find_map(|key| handshake.socket(key))?;
    let mut frames = Vec::new();
    for packet in trace.packets.iter().filter(|packet| packet.fate == PacketFate::Passed) {
        let Some(look) = look(&packet.bytes) else { continue };
        let is_ours = look.protocol == Protocol::UDP
            && look.src == server.ip()
            && look.ports.is_some_and(|(port, _)| port == server.port());
        if !is_ours || !(handshake.start..=handshake.end).contains(&packet.at) {
            continue;
        }
        // Behind Ethernet, the IP header without options or extensions, and UDP's eight bytes.
        let head = packet.bytes.get(14 + if server.is_ipv4() { 20 } else { 40 } + 8..)?;
        if !is_retry(head) {
            return None;
        }
        frames.push(packet.number);
    }
    (!frames.is_empty()).then_some(frames)
}

/// Whether these bytes begin a Retry packet. Which type bits say so depends on the version (RFC 9000 17.2.5, RFC 9369 3.2).
fn is_retry(head: &[u8]) -> bool {
    const VERSION_2: [u8; 4] = [0x6b, 0x33, 0x43, 0xcf];
    let [first, version @ ..] = head.first_chunk::<5>().copied().unwrap_or_default();
    first & 0xf0 == if version == VERSION_2 { 0xc0 } else { 0xf0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_is_told_by_the_type_bits_of_its_version() {
        for (head, expected) in [
            (&[0xf0, 0, 0, 0, 1][..], true),
            (&[0xc0, 0, 0, 0, 1], false),
            (&[0xcf, 0x6b, 0x33, 0x43, 0xcf, 8], true),
            (&[0xf0, 0x6b, 0x33, 0x43, 0xcf], false),
            (&[0x40, 1, 2, 3, 4], false),
            (&[0xf0, 0, 0], false),
            (&[], false),
        ] {
            assert_eq!(is_retry(head), expected, "{head:02x?}");
        }
    }
}
