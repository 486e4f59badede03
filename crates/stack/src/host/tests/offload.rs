//! Frames that stand for several packets, or whose checksum nobody has filled in yet.

use super::*;
use crate::frame::{Checksum, Offload, Segmentation};

/// A TCP segment of `payload` bytes from the peer to `dst`, as a device with offload hands it in.
fn open_segment(dst: &str, payload: usize) -> Frame {
    let mut tcp = vec![0; 20 + payload];
    tcp[..4].copy_from_slice(&[0, 80, 0, 9]);
    tcp[12] = 5 << 4;
    tcp[13] = 0x10;
    let packet = Make::new("10.0.0.2", dst).any(6, &tcp);
    let segmentation = Segmentation { segment_size: 1_000, header_len: 40, cwr_once: false };
    let checksum = Checksum::Partial { start: 20, offset: 16 };
    let offload = Offload { segmentation: Some(segmentation), checksum };
    Frame { offload, ..Frame::new(Bytes::from(packet), Instant::START) }
}

#[test]
fn a_super_segment_is_passed_on_as_packets() {
    let mut bench = Bench::bare_router();
    let frame = open_segment("10.0.1.2", 2_500);
    bench.host.handle_frame(bench.now, InterfaceId(0), frame);
    let lens: Vec<usize> = bench.frames().iter().map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(lens, [1_040, 1_040, 540]);
}

/// The packets that these frames stand for, Ethernet headers included.
fn cut(frames: &[(InterfaceId, Frame)]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for (_, frame) in frames {
        let frame = frame.clone().contiguous(&crate::BufferPool::default());
        match frame.offload.segmentation {
            Some(how) => packets.extend(
                crate::offload::Segments::of(&frame.bytes, 0, how).unwrap().map(|packet| packet.to_vec()),
            ),
            None => packets.push(frame.bytes.to_vec()),
        }
    }
    packets
}

#[test]
fn a_super_segment_passes_whole_where_the_next_link_takes_it_and_stands_for_the_same_packets() {
    for beside in [false, true] {
        let mut frame = open_segment("10.0.1.2", 2_500);
        if beside {
            let payload = frame.bytes.split_off(40);
            frame.payload = [Some(payload.slice(..700)), Some(payload.slice(700..))];
        }
        let mut plain = Bench::bare_router();
        plain.host.handle_frame(plain.now, InterfaceId(0), frame.clone());
        let expected = cut(&core::iter::from_fn(|| plain.host.poll_transmit()).collect::<Vec<_>>());
        assert_eq!(expected.len(), 3);
        for gather in [false, true] {
            let mut bench = Bench::bare_router();
            let offloads = crate::Offloads { segmentation: 65_535, checksum: true, gather, in_turns: true };
            bench.host.set_offloads(InterfaceId(1), offloads);
            bench.host.handle_frame(bench.now, InterfaceId(0), frame.clone());
            let frames: Vec<_> = core::iter::from_fn(|| bench.host.poll_transmit()).collect();
            assert_eq!(frames.len(), 1);
            assert_eq!(frames[0].1.payload[0].is_some(), beside && gather);
            assert_eq!(cut(&frames), expected);
            assert_eq!(bench.host.stats().forwarded, plain.host.stats().forwarded);
        }
    }
}

#[test]
fn what_does_not_fit_whole_or_is_at_its_last_hop_goes_the_way_of_packets() {
    let offloads = crate::Offloads { segmentation: 65_535, checksum: true, gather: true, in_turns: true };
    // The next link's device takes less.
    let mut bench = Bench::bare_router();
    bench.host.set_offloads(InterfaceId(1), crate::Offloads { segmentation: 2_000, ..offloads });
    bench.host.handle_frame(bench.now, InterfaceId(0), open_segment("10.0.1.2", 2_500));
    assert_eq!(bench.frames().len(), 3);
    // Its packets don't fit through the next link: they are fragmented one by one.
    let mut bench = Bench::bare_router();
    bench.host.set_offloads(InterfaceId(1), offloads);
    bench.host.set_mtu(InterfaceId(1), 1_000);
    bench.host.handle_frame(bench.now, InterfaceId(0), open_segment("10.0.1.2", 2_500));
    assert_eq!(bench.frames().len(), 5);
    // No hop is left: an error for each packet.
    let mut bench = Bench::bare_router();
    bench.host.set_offloads(InterfaceId(1), offloads);
    let mut frame = open_segment("10.0.1.2", 2_500);
    let mut bytes = frame.bytes.to_vec();
    bytes[8] = 1;
    crate::header::set_ipv4_checksum(&mut bytes[..20]);
    frame.bytes = bytes.into();
    bench.host.handle_frame(bench.now, InterfaceId(0), frame);
    assert_eq!(bench.host.stats().ttl_exceeded, 3);
    assert_eq!(bench.host.stats().forwarded, 0);
}

#[test]
fn one_for_us_is_taken_whole_and_not_verified() {
    let mut bench = Bench::bare_router();
    let frame = open_segment("10.0.0.1", 2_500);
    bench.host.handle_frame(bench.now, InterfaceId(0), frame);
    // Nobody listens: one RST for the one segment.
    assert_eq!(bench.frames().len(), 1);
}

#[test]
fn an_open_checksum_of_a_packet_passed_on_is_filled_in() {
    let mut bench = Bench::bare_router();
    let mut frame = open_segment("10.0.1.2", 100);
    frame.offload.segmentation = None;
    let before = frame.bytes[36..38].to_vec();
    bench.host.handle_frame(bench.now, InterfaceId(0), frame);
    let frames = bench.frames();
    assert_ne!(frames[0].1[36..38], before[..]);
}
