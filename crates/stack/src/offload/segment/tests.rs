use core::net::IpAddr;

use thru_wire::checksum::PseudoHeader;
use thru_wire::ipv4::Protocol;
use thru_wire::tcp::{Flags, SeqNumber, TcpOptions, TcpView, Timestamps};

use super::*;
use crate::header::Origin;
use crate::testing::{A4, A6, B4, B6};

/// A super-segment on bare IP, its TCP checksum left open as offload leaves it.
fn super_segment(src: IpAddr, dst: IpAddr, flags: Flags, payload: &[u8]) -> (Vec<u8>, u16) {
    let timestamps = Some(Timestamps { value: 7, echo: 9 });
    let tcp = thru_wire::tcp::Tcp {
        src_port: 80,
        dst_port: 5_000,
        seq: SeqNumber(u32::MAX - 99),
        ack: SeqNumber(17),
        flags,
        window: 400,
        urgent: 0,
        options: TcpOptions { timestamps, ..TcpOptions::default() },
    };
    let mut front = [0; thru_wire::tcp::Tcp::MAX_LEN];
    let pseudo = PseudoHeader::new(src, dst, Protocol::TCP);
    let len = tcp.write_header(Sum::of(payload), payload.len(), &pseudo, &mut front);
    let origin = Origin {
        src,
        dst,
        protocol: protocol::TCP,
        ttl: 64,
        class: 2,
        dont_fragment: true,
        id: 0xffff,
        flow_label: 5,
    };
    let mut packet = origin.packet(len + payload.len()).unwrap();
    packet.extend(&front[..len]);
    packet.extend(payload);
    let header_len = packet.len() - payload.len();
    (packet.into_bytes().to_vec(), header_len as u16)
}

fn cut(src: IpAddr, dst: IpAddr, flags: Flags, payload: &[u8], segment_size: u16) -> Vec<Bytes> {
    let (frame, header_len) = super_segment(src, dst, flags, payload);
    let segmentation = Segmentation { segment_size, header_len, cwr_once: true };
    Segments::of(&frame, 0, segmentation).unwrap().collect()
}

#[test]
fn packets_carry_all_of_it_in_order_with_headers_of_their_own() {
    let payload: Vec<u8> = (0..2_500).map(|byte| byte as u8).collect();
    for (src, dst) in [(A4, B4), (A6, B6)] {
        let flags = Flags::ACK | Flags::PSH | Flags::FIN | Flags::CWR;
        let packets = cut(src, dst, flags, &payload, 1_000);
        assert_eq!(packets.len(), 3);
        let mut carried = Vec::new();
        for (index, packet) in packets.iter().enumerate() {
            let ip = Header::parse(packet).expect("a legal header");
            assert_eq!(ip.total_len, packet.len());
            if src.is_ipv4() {
                assert_eq!(ip.id, 0xffff_u16.wrapping_add(index as u16));
            }
            let tcp = &packet[ip.len..];
            assert!(PseudoHeader::new(src, dst, Protocol::TCP).is_valid(tcp));
            let view = TcpView::new(tcp).unwrap();
            assert_eq!(view.seq(), SeqNumber(u32::MAX - 99) + 1_000 * index as u32);
            let (first, last) = (index == 0, index == 2);
            let flags = tcp[13];
            assert_eq!((flags & CWR != 0, flags & PSH != 0, flags & FIN != 0), (first, last, last));
            assert!(view.flags().ack());
            carried.extend_from_slice(view.payload());
        }
        assert_eq!(carried, payload);
    }
}

#[test]
fn what_fits_into_one_packet_is_that_packet() {
    for (src, dst) in [(A4, B4), (A6, B6)] {
        for payload in [&b""[..], b"x", &[7; 1_000]] {
            let (frame, _) = super_segment(src, dst, Flags::ACK | Flags::PSH, payload);
            assert_eq!(cut(src, dst, Flags::ACK | Flags::PSH, payload, 1_000), [frame]);
        }
    }
}

#[test]
fn accurate_ecn_keeps_its_flags_on_every_packet() {
    let (frame, header_len) = super_segment(A4, B4, Flags::ACK | Flags::CWR, &[0; 30]);
    let segmentation = Segmentation { segment_size: 10, header_len, cwr_once: false };
    let packets: Vec<Bytes> = Segments::of(&frame, 0, segmentation).unwrap().collect();
    assert!(packets.len() == 3 && packets.iter().all(|packet| packet[20 + 13] & CWR != 0));
}

#[test]
fn nonsense_is_refused_whatever_is_cut_off() {
    let (frame, header_len) = super_segment(A6, B6, Flags::ACK, &[1; 100]);
    let segmentation = Segmentation { segment_size: 10, header_len, cwr_once: true };
    for len in 0..frame.len() {
        assert!(Segments::of(&frame[..len], 0, segmentation).is_none(), "{len} bytes");
    }
    let wrong = [
        Segmentation { segment_size: 0, ..segmentation },
        Segmentation { header_len: header_len + 4, ..segmentation },
        Segmentation { header_len: header_len - 4, ..segmentation },
    ];
    for segmentation in wrong {
        assert!(Segments::of(&frame, 0, segmentation).is_none());
    }
    assert!(Segments::of(&frame, 14, segmentation).is_none());
}

#[test]
fn an_open_checksum_is_completed() {
    let (mut frame, _) = super_segment(A4, B4, Flags::ACK, b"hello");
    let whole = frame.clone();
    let open = PseudoHeader::new(A4, B4, Protocol::TCP).sum(frame.len() - 20);
    frame[36..38].copy_from_slice(&(!open.checksum()).to_be_bytes());
    complete_checksum(&mut frame, 20, 16);
    assert_eq!(frame, whole);
    complete_checksum(&mut frame, 20, 400);
    complete_checksum(&mut frame, 9_000, 16);
    assert_eq!(frame, whole);
}
