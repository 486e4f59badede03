use core::net::IpAddr;

use proptest::prelude::*;
use thru_wire::Instant;
use thru_wire::checksum::Sum;
use thru_wire::tcp::{Flags, SeqNumber, Tcp, TcpOptions, Timestamps};

use super::*;
use crate::header::Origin;
use crate::offload::Segments;
use crate::testing::{A4, A6, B4, B6};

/// What a packet is made of.
#[derive(Clone, Debug)]
struct Make {
    v6: bool,
    id: u16,
    seq: u32,
    flags: u16,
    window: u16,
    timestamps: bool,
    payload: Vec<u8>,
}

impl Make {
    fn new(seq: u32, id: u16, len: usize) -> Make {
        let payload = (0..len).map(|byte| byte as u8 ^ seq as u8).collect();
        Make { v6: false, id, seq, flags: Flags::ACK.0, window: 100, timestamps: true, payload }
    }

    fn bytes(&self) -> Vec<u8> {
        let (src, dst): (IpAddr, IpAddr) = if self.v6 { (A6, B6) } else { (A4, B4) };
        let timestamps = self.timestamps.then_some(Timestamps { value: 1, echo: 2 });
        let tcp = Tcp {
            src_port: 80,
            dst_port: 5_000,
            seq: SeqNumber(self.seq),
            ack: SeqNumber(17),
            flags: Flags(self.flags),
            window: self.window,
            urgent: 0,
            options: TcpOptions { timestamps, ..TcpOptions::default() },
        };
        let mut front = [0; Tcp::MAX_LEN];
        let pseudo = PseudoHeader::new(src, dst, Protocol::TCP);
        let len = tcp.write_header(Sum::of(&self.payload), self.payload.len(), &pseudo, &mut front);
        let (id, protocol) = (self.id, protocol::TCP);
        let origin = Origin { src, dst, protocol, ttl: 64, class: 2, dont_fragment: true, id, flow_label: 5 };
        let mut packet = origin.packet(len + self.payload.len()).unwrap();
        packet.extend(&front[..len]);
        packet.extend(&self.payload);
        packet.into_bytes().to_vec()
    }
}

fn frame(bytes: &[u8]) -> Frame {
    Frame::new(Bytes::copy_from_slice(bytes), Instant::START)
}

/// Coalesces as a host does: everything that comes out, in order.
fn coalesce(packets: &[Vec<u8>]) -> Vec<Frame> {
    let (mut coalescer, pool) = (Coalescer::default(), BufferPool::default());
    let mut out = Vec::new();
    for packet in packets {
        let Err(back) = coalescer.push(frame(packet), 0) else { continue };
        out.extend(coalescer.take_frame(&pool));
        if let Err(alone) = coalescer.push(back, 0) {
            out.push(alone);
        }
    }
    out.extend(coalescer.take_frame(&pool));
    out
}

/// What a wire carries of these frames.
fn segment(frames: &[Frame]) -> Vec<Vec<u8>> {
    let cut = |frame: &Frame| match frame.offload.segmentation {
        Some(how) => Segments::of(&frame.bytes, 0, how).unwrap().map(|packet| packet.to_vec()).collect(),
        None => vec![frame.bytes.to_vec()],
    };
    frames.iter().flat_map(cut).collect()
}

#[test]
fn a_row_of_packets_becomes_one_and_comes_apart_again() {
    for v6 in [false, true] {
        let packets: Vec<Vec<u8>> = (0..5u32)
            .map(|index| {
                let len = if index == 4 { 300 } else { 1_000 };
                let flags = Flags::ACK | if index == 4 { Flags::PSH } else { Flags::NONE };
                let make = Make::new(
                    (u32::MAX - 1_500).wrapping_add(1_000 * index),
                    0xfffe_u16.wrapping_add(index as u16),
                    len,
                );
                Make { v6, flags: flags.0, ..make }.bytes()
            })
            .collect();
        let frames = coalesce(&packets);
        assert_eq!(frames.len(), 1, "v6: {v6}");
        assert_eq!(segment(&frames), packets);
    }
}

#[test]
fn what_differs_goes_its_own_way() {
    let base = [Make::new(1_000, 7, 100), Make::new(1_100, 8, 100)];
    assert_eq!(coalesce(&base.clone().map(|make| make.bytes())).len(), 1);
    let variants: [fn(&mut Make); 9] = [
        |make| make.seq += 1,
        |make| make.id += 1,
        |make| make.window += 1,
        |make| make.flags |= Flags::ECE.0,
        |make| make.flags |= Flags::CWR.0,
        |make| make.flags |= Flags::URG.0,
        |make| make.timestamps = false,
        |make| make.payload.push(1),
        |make| make.payload.clear(),
    ];
    for (index, vary) in variants.into_iter().enumerate() {
        let [first, mut second] = base.clone();
        vary(&mut second);
        let packets = [first.bytes(), second.bytes()];
        let frames = coalesce(&packets);
        assert_eq!(frames.len(), 2, "variant {index}");
        assert_eq!(segment(&frames), packets, "variant {index}");
    }
}

#[test]
fn damage_is_never_covered_up() {
    let packets = [Make::new(1_000, 7, 100).bytes(), Make::new(1_100, 8, 100).bytes()];
    for at in 0..packets[1].len() {
        for which in 0..2 {
            let mut packets = packets.clone();
            packets[which][at] ^= 0x10;
            assert_eq!(segment(&coalesce(&packets)), packets, "byte {at} of packet {which}");
        }
    }
    for cut in 0..packets[1].len() {
        let packets = [packets[0].clone(), packets[1][..cut].to_vec()];
        assert_eq!(segment(&coalesce(&packets)), packets, "{cut} bytes");
    }
}

#[test]
fn no_train_is_longer_than_a_packet_may_be() {
    let packets: Vec<Vec<u8>> =
        (0..100u32).map(|index| Make::new(index * 1_448, index as u16, 1_448).bytes()).collect();
    let frames = coalesce(&packets);
    assert!(frames.len() == 3 && frames.iter().all(|frame| frame.bytes.len() <= MOST));
    assert_eq!(segment(&frames), packets);
}

/// Packets of which many belong together.
fn packets() -> impl Strategy<Value = Vec<Make>> {
    let step = (0..12_u32, 1..4_usize, 0..20_u8);
    (any::<bool>(), any::<u32>(), any::<u16>(), prop::collection::vec(step, 1..40)).prop_map(
        |(v6, mut seq, mut id, steps)| {
            let mut makes = Vec::new();
            for (kind, size, luck) in steps {
                let mut make = Make { v6, ..Make::new(seq, id, 100 * size.min(2 + kind as usize % 2)) };
                match (kind, luck) {
                    (0, _) => make.flags |= Flags::PSH.0,
                    (1, 0..3) => make.flags |= Flags::CWR.0,
                    (2, 0..3) => make.flags |= Flags::ECE.0 | Flags::CWR.0,
                    (3, 0..3) => make.flags |= Flags::FIN.0,
                    (4, 0..3) => make.seq = make.seq.wrapping_add(1),
                    (5, 0..3) => make.id = make.id.wrapping_add(1),
                    (6, 0..3) => make.payload.clear(),
                    (7, 0..3) => make.window += 1,
                    _ => {}
                }
                seq = make.seq.wrapping_add(make.payload.len() as u32);
                id = make.id.wrapping_add(1);
                makes.push(make);
            }
            makes
        },
    )
}

proptest! {
    /// Segmentation undoes coalescing, to the byte.
    #[test]
    fn cut_again_a_train_is_what_arrived(makes in packets()) {
        let packets: Vec<Vec<u8>> = makes.iter().map(Make::bytes).collect();
        prop_assert_eq!(segment(&coalesce(&packets)), packets);
    }

    /// And coalescing undoes segmentation: what was cut becomes one frame again.
    #[test]
    fn what_was_cut_comes_together(
        size in 1..1_500_u16,
        len in 1..20_000_usize,
        v6 in any::<bool>(),
        cwr in any::<bool>(),
        push in any::<bool>(),
        cwr_once in any::<bool>(),
    ) {
        let mut flags = Flags::ACK.0;
        flags |= if cwr { Flags::CWR.0 } else { 0 } | if push { Flags::PSH.0 } else { 0 };
        let make = Make { v6, flags, ..Make::new(5, 9, len) };
        let whole = make.bytes();
        let segmentation =
            Segmentation { segment_size: size, header_len: (whole.len() - len) as u16, cwr_once };
        let packets: Vec<Vec<u8>> =
            Segments::of(&whole, 0, segmentation).unwrap().map(|packet| packet.to_vec()).collect();
        let frames = coalesce(&packets);
        prop_assert_eq!(frames.len(), 1);
        if packets.len() > 1 {
            // The checksum is left open; all else is as it was.
            let tcp = whole.len() - len - 32;
            let mut again = frames[0].bytes.to_vec();
            again[tcp + 16..tcp + 18].copy_from_slice(&whole[tcp + 16..tcp + 18]);
            prop_assert_eq!(again, whole);
            let told = frames[0].offload.segmentation.unwrap();
            prop_assert_eq!(told, Segmentation { cwr_once: cwr && cwr_once, ..segmentation });
        }
    }

    /// Any bytes at all: nothing is lost, changed or reordered.
    #[test]
    fn nonsense_passes(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 0..9)) {
        prop_assert_eq!(segment(&coalesce(&packets)), packets);
    }
}
