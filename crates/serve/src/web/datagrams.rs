//! QUIC that never comes to a handshake: answers to a first packet that need no keys.

use thru_net::UdpSocket;

use super::QuicDoor;

/// Versions that are reserved so that nobody implements them (RFC 9000 15).
const VERSIONS: [u32; 2] = [0x1a2a_3a4a, 0x5a6a_7a8a];

/// Answers every first packet as the door says, until dropped.
pub(super) async fn answer(socket: UdpSocket, door: QuicDoor) {
    while let Ok(received) = socket.receive().await {
        let Some((version, client, ours)) = long_header(&received.payload) else { continue };
        let answer = match door {
            QuicDoor::OtherVersion => version_negotiation(client, ours),
            _ => bad_retry(version, client, ours),
        };
        // Nobody may hear it; the next packet tries again.
        let _ = socket.send_to(&answer, received.from).await;
    }
}

/// The version, the source and the destination connection id of a packet with a long header (RFC 8999 5.1).
fn long_header(packet: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let (&[first, a, b, c, d, length], rest) = packet.split_first_chunk()?;
    let (destination, rest) = rest.split_at_checked(usize::from(length))?;
    let (&length, rest) = rest.split_first()?;
    let source = rest.get(..usize::from(length))?;
    let version = u32::from_be_bytes([a, b, c, d]);
    (first & 0x80 != 0 && version != 0).then_some((version, source, destination))
}

fn long(first: u8, version: u32, destination: &[u8], source: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    packet.extend(version.to_be_bytes());
    for id in [destination, source] {
        packet.push(u8::try_from(id.len()).unwrap_or(0));
        packet.extend(id);
    }
    packet
}

/// RFC 8999 6.
fn version_negotiation(client: &[u8], ours: &[u8]) -> Vec<u8> {
    let mut packet = long(0x80, 0, client, ours);
    packet.extend(VERSIONS.iter().flat_map(|version| version.to_be_bytes()));
    packet
}

/// RFC 9000 17.2.5, with zeros where the integrity tag belongs.
fn bad_retry(version: u32, client: &[u8], ours: &[u8]) -> Vec<u8> {
    let mut source = ours.to_vec();
    source.iter_mut().for_each(|byte| *byte = !*byte);
    let mut packet = long(0xf0, version, client, &source);
    packet.extend(b"come again");
    packet.extend([0; 16]);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_packet_is_read_and_answered() {
        let packet = [&[0xc0, 0, 0, 0, 1, 2, 8, 9, 3, 1, 2, 3][..], &[0; 50]].concat();
        let (version, client, ours) = long_header(&packet).unwrap();
        assert_eq!((version, client, ours), (1, &[1, 2, 3][..], &[8, 9][..]));
        assert_eq!(version_negotiation(client, ours)[..12], [0x80, 0, 0, 0, 0, 3, 1, 2, 3, 2, 8, 9]);
        assert_eq!(bad_retry(1, client, ours)[..5], [0xf0, 0, 0, 0, 1]);
        for cut in 0..12 {
            assert_eq!(long_header(&packet[..cut]), None, "{cut}");
        }
    }
}
