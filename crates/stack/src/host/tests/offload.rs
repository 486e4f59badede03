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
