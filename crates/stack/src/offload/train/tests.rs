use core::net::IpAddr;

use proptest::prelude::*;
use thru_wire::checksum;
use thru_wire::tcp::{Flags, SeqNumber, Tcp, TcpOptions, Timestamps};

use super::super::segment::PacketHeaders;
use super::*;
use crate::header::{Header, Origin, protocol};
use crate::testing::{A4, A6, B4, B6};

/// A TCP header in front of `len` bytes that are summed elsewhere.
fn tcp_header(src: IpAddr, dst: IpAddr, flags: u16, len: usize) -> Vec<u8> {
    let timestamps = Some(Timestamps { value: 7, echo: 9 });
    let tcp = Tcp {
        src_port: 80,
        dst_port: 5_000,
        seq: SeqNumber(u32::MAX - 99),
        ack: SeqNumber(17),
        flags: Flags(flags),
        window: 400,
        urgent: 0,
        options: TcpOptions { timestamps, ..TcpOptions::default() },
    };
    let mut front = [0; Tcp::MAX_LEN];
    let pseudo = PseudoHeader::new(src, dst, Protocol::TCP);
    let written = tcp.write_header(Sum::EMPTY, len, &pseudo, &mut front);
    front[..written].to_vec()
}

proptest! {
    /// Both ways to take a train apart give the same segments, whole and undamaged, wherever its pieces meet.
    #[test]
    fn packets_and_segments_of_a_train_are_the_same(
        size in 1..1_500_u16,
        lens in (1..9_000_usize, 0..9_000_usize),
        v6 in any::<bool>(),
        ends in 0..4_u16,
        cwr in any::<bool>(),
        cwr_once in any::<bool>(),
        id in any::<u16>(),
    ) {
        let (src, dst): (IpAddr, IpAddr) = if v6 { (A6, B6) } else { (A4, B4) };
        let flags = Flags::ACK.0
            | if ends & 1 != 0 { Flags::PSH.0 } else { 0 }
            | if ends & 2 != 0 { Flags::FIN.0 } else { 0 }
            | if cwr { Flags::CWR.0 } else { 0 };
        let bytes: Vec<u8> = (0..lens.0 + lens.1).map(|byte| (byte ^ byte >> 7) as u8).collect();
        let (first, second) = (Bytes::copy_from_slice(&bytes[..lens.0]), Bytes::copy_from_slice(&bytes[lens.0..]));
        let payload = [Some(first), Some(second).filter(|piece| !piece.is_empty())];
        let train = Train { segment_size: size, payload, cwr_once };
        let tcp = tcp_header(src, dst, flags, bytes.len());

        let mut spare = Spare::default();
        let mut buffer = SegmentBytes::in_buffer(BytesMut::new(), tcp.len());
        buffer.copy_from_slice(&tcp);
        let segment = SegmentOut { src, dst, ecn: 0, class: 0, ttl: None, bytes: buffer, train: Some(train.clone()) };
        let mut cars = Cars::of(segment).unwrap();

        let single = tcp.len() + bytes.len().min(size.into());
        let origin = Origin {
            src,
            dst,
            protocol: protocol::TCP,
            ttl: 64,
            class: 0,
            dont_fragment: true,
            id,
            flow_label: 5,
        };
        let mut front = origin.packet(single).unwrap().into_bytes().to_vec();
        let tcp_at = front.len();
        front.extend_from_slice(&tcp);
        let pseudo = PseudoHeader::new(src, dst, Protocol::TCP);
        let mut packets = Packets::new(PacketHeaders::new(&front, 0, tcp_at, pseudo, size, cwr_once), train);

        let mut carried = Vec::new();
        for count in 0.. {
            let (Some(car), Some(len)) = (cars.next(&mut spare), packets.next_len()) else { break };
            let mut packet = BytesMut::new();
            packets.write_next(&mut packet);
            prop_assert_eq!(packet.len(), len);
            prop_assert_eq!(&packet[tcp_at..], &car.bytes[..]);
            prop_assert!(pseudo.is_valid(&packet[tcp_at..]));
            let header = Header::parse(&packet).expect("a legal header");
            prop_assert_eq!(header.total_len, packet.len());
            if !v6 {
                prop_assert!(checksum::is_valid(&packet[..20]));
                prop_assert_eq!(header.id, id.wrapping_add(count));
            }
            carried.extend_from_slice(&packet[tcp_at + tcp.len()..]);
        }
        prop_assert!(cars.next(&mut spare).is_none() && packets.next_len().is_none());
        prop_assert_eq!(carried, bytes);
    }
}
