//! What fragments look like.

use super::*;

fn v4(options: &[u8], data: &[u8], dont_fragment: bool) -> Vec<u8> {
    let header_len = 20 + options.len();
    let mut bytes = vec![0; 20];
    bytes[0] = 0x40 | (header_len / 4) as u8;
    bytes[2..4].copy_from_slice(&((header_len + data.len()) as u16).to_be_bytes());
    bytes[4..6].copy_from_slice(&[0x12, 0x34]);
    bytes[6] = if dont_fragment { 0x40 } else { 0 };
    bytes[8..10].copy_from_slice(&[64, 17]);
    bytes[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend_from_slice(options);
    set_ipv4_checksum(&mut bytes);
    bytes.extend_from_slice(data);
    bytes
}

fn say(pieces: &[Packet]) -> Vec<String> {
    pieces
        .iter()
        .map(|piece| {
            let header = Header::parse(piece.bytes()).expect("a legal header");
            match header.upper(piece.bytes()) {
                Upper::Fragment { id, offset, more, header: v6 } => {
                    format!("{:x} at {offset}: {} {more}", id, piece.len() - v6.header_at - 8)
                }
                _ => format!(
                    "h{} at {}: {} {}",
                    header.len,
                    header.fragment.0,
                    piece.len() - header.len,
                    header.fragment.1
                ),
            }
        })
        .collect()
}

#[test]
fn ipv4_in_multiples_of_eight() {
    let packet = v4(&[], &[7; 3_000], false);
    let pieces = ipv4(&packet, 1_500).unwrap();
    assert_eq!(say(&pieces), ["h20 at 0: 1480 true", "h20 at 1480: 1480 true", "h20 at 2960: 40 false"]);
    // A router cuts a fragment again; its place and "more" are kept.
    let again = ipv4(pieces[1].bytes(), 1_006).unwrap();
    assert_eq!(say(&again), ["h20 at 1480: 984 true", "h20 at 2464: 496 true"]);
    let last = ipv4(pieces[2].bytes(), 44).unwrap();
    assert_eq!(say(&last), ["h20 at 2960: 24 true", "h20 at 2984: 16 false"]);
}

#[test]
fn only_copied_options_go_into_later_fragments() {
    // Record route (not copied), then router alert (copied).
    let options = [7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0, 0];
    let pieces = ipv4(&v4(&options, &[1; 200], false), 116).unwrap();
    assert_eq!(say(&pieces), ["h32 at 0: 80 true", "h24 at 80: 88 true", "h24 at 168: 32 false"]);
    assert_eq!(pieces[1].bytes()[20..24], [148, 4, 0, 0]);
}

#[test]
fn an_mtu_without_room_for_data_is_refused() {
    let packet = v4(&[], &[1; 200], false);
    assert!(ipv4(&packet, 27).is_none());
    assert!(ipv4(&packet, 28).is_some());
    assert!(ipv4(&packet, 0).is_none());
}

#[test]
fn ipv6_keeps_hop_by_hop_options_in_front() {
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, 0, 64];
    packet.extend_from_slice(&[0; 15]);
    packet.push(1);
    packet.extend_from_slice(&[0; 15]);
    packet.push(2);
    packet.extend_from_slice(&[60, 0, 1, 4, 0, 0, 0, 0]); // hop-by-hop: then destination options
    packet.extend_from_slice(&[17, 0, 1, 4, 0, 0, 0, 0]); // destination options: then UDP
    packet.extend_from_slice(&[9; 2_000]);
    let len = packet.len() as u16 - 40;
    packet[4..6].copy_from_slice(&len.to_be_bytes());

    let pieces = ipv6(&packet, 1_280, 0xabcd).unwrap();
    assert_eq!(say(&pieces), ["abcd at 0: 1224 true", "abcd at 1224: 784 false"]);
    for piece in &pieces {
        assert!(piece.len() <= 1_280);
        assert_eq!(piece.bytes()[40], protocol::FRAGMENT, "the hop-by-hop header names the fragment header");
        assert_eq!(piece.bytes()[48], protocol::DESTINATION_OPTIONS, "which names what was cut");
    }
}
