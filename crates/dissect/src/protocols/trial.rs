//! What tests of protocols share: packets from messages, and what is shown of them.

use crate::show::write_value;
use crate::{Arena, Dissector, Meta, Options};

/// LINKTYPE_ of packets without any link's header.
const RAW_IP: u16 = 101;

/// A message in a datagram from 10.0.0.1 to 10.0.0.2, or back.
pub(crate) fn datagram(ports: [u16; 2], is_back: bool, message: &[u8]) -> Vec<u8> {
    let (mut ends, mut ports) = ([[10, 0, 0, 1], [10, 0, 0, 2]], ports);
    if is_back {
        ends.reverse();
        ports.reverse();
    }
    let udp = message.len() as u16 + 8;
    let mut packet = vec![0x45, 0];
    packet.extend((udp + 20).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(ends.concat());
    packet.extend(ports.into_iter().chain([udp, 0]).flat_map(u16::to_be_bytes));
    packet.extend(message);
    packet
}

/// The values of a field in each IP packet, as they are written; the packets are a second apart.
pub(crate) fn values(packets: &[Vec<u8>], field: &str) -> Vec<Vec<String>> {
    let (mut dissector, mut arena) = (Dissector::new(Options::default()), Arena::new());
    let mut all = Vec::new();
    for (packet, number) in packets.iter().zip(1..) {
        let meta = Meta {
            number,
            time: Some(1_700_000_000_000_000_000 + number * 1_000_000_000),
            interface: 0,
            interface_name: None,
            link: RAW_IP,
            original: packet.len() as u32,
            comments: &[],
        };
        let tree = dissector.dissect(&meta, packet, &mut arena);
        let shown = tree.all(field).map(|field| {
            let mut words = Vec::new();
            write_value(&mut words, tree, field);
            String::from_utf8(words).expect("what is written is UTF-8")
        });
        all.push(shown.collect());
    }
    all
}
