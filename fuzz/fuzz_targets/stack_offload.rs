//! Coalescing and segmentation undo each other: packets that arrive, joined and cut again, are the same packets; a
//! super-segment cut and joined again is the same bytes. Anything else in between passes unchanged.
#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use thru_stack::offload::{Coalescer, Segments};
use thru_stack::{BufferPool, Frame};
use thru_wire::Instant;
use thru_wire::checksum::PseudoHeader;
use thru_wire::ipv4::{Ipv4, Protocol};
use thru_wire::ipv6::Ipv6;
use thru_wire::tcp::{Flags, SeqNumber, Tcp, TcpOptions, Timestamps};

#[derive(Arbitrary, Debug)]
struct Input {
    v6: bool,
    ethernet: bool,
    seq: u32,
    id: u16,
    size: u8,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    /// A packet that goes on where the last one ended.
    Next { payload: u8, flags: u8 },
    /// One of full size.
    Full,
    /// One that differs somewhere.
    Odd { window: u16, timestamps: bool, seq: u8, id: u8, ttl: bool },
    /// A bit of the next packet flips.
    Flip(u16),
    /// Any bytes.
    Noise(Vec<u8>),
}

fuzz_target!(|input: Input| {
    let packets = packets(&input);
    let link_header = if input.ethernet { 14 } else { 0 };
    let (mut coalescer, pool) = (Coalescer::default(), BufferPool::default());
    let mut frames = Vec::new();
    for packet in &packets {
        let frame = Frame::new(Bytes::copy_from_slice(packet), Instant::START);
        let Err(back) = coalescer.push(frame, link_header) else { continue };
        frames.extend(coalescer.take_frame(&pool));
        if let Err(alone) = coalescer.push(back, link_header) {
            frames.push(alone);
        }
    }
    frames.extend(coalescer.take_frame(&pool));
    let mut again = Vec::new();
    for frame in frames {
        match frame.offload.segmentation {
            Some(how) => {
                let cut = Segments::of(&frame.bytes, link_header, how).expect("what was joined can be cut");
                let cut: Vec<Bytes> = cut.collect();
                // And what was cut comes together as it was.
                for packet in &cut {
                    let packet = Frame::new(packet.clone(), Instant::START);
                    coalescer
                        .push(packet, link_header)
                        .expect("packets of one super-segment belong together");
                }
                let joined = coalescer.take_frame(&pool).expect("a super-segment");
                assert_eq!((&joined.bytes, joined.offload), (&frame.bytes, frame.offload));
                again.extend(cut.iter().map(|packet| packet.to_vec()));
            }
            None => again.push(frame.bytes.to_vec()),
        }
    }
    assert_eq!(again, packets);
});

fn packets(input: &Input) -> Vec<Vec<u8>> {
    let (mut seq, mut id, mut flip) = (input.seq, input.id, None);
    let mut packets = Vec::new();
    for step in &input.steps {
        let mut tcp = Tcp {
            src_port: 80,
            dst_port: 5_000,
            seq: SeqNumber(seq),
            ack: SeqNumber(9),
            flags: Flags::ACK,
            window: 100,
            urgent: 0,
            options: TcpOptions {
                timestamps: Some(Timestamps { value: 1, echo: 2 }),
                ..TcpOptions::default()
            },
        };
        let (mut len, mut ttl) = (usize::from(input.size) * 5 + 1, 64);
        match step {
            Step::Next { payload, flags } => {
                len = usize::from(*payload).min(len);
                tcp.flags |= Flags(u16::from(*flags));
            }
            Step::Full => {}
            Step::Odd { window, timestamps, seq, id: skip, ttl: other } => {
                tcp.window = *window;
                tcp.seq += u32::from(*seq);
                id = id.wrapping_add(u16::from(*skip));
                ttl -= u8::from(*other);
                if !timestamps {
                    tcp.options.timestamps = None;
                }
            }
            Step::Flip(at) => {
                flip = Some(*at);
                continue;
            }
            Step::Noise(bytes) => {
                packets.push(bytes.clone());
                continue;
            }
        }
        let payload = vec![seq as u8; len];
        let mut packet = if input.ethernet { vec![2; 14] } else { Vec::new() };
        emit(input.v6, &tcp, ttl, id, &payload, &mut packet);
        if let Some(at) = flip.take() {
            let at = usize::from(at) % (packet.len() * 8);
            packet[at / 8] ^= 1 << (at % 8);
        }
        packets.push(packet);
        seq = tcp.seq.0.wrapping_add(len as u32);
        id = id.wrapping_add(1);
    }
    packets
}

fn emit(v6: bool, tcp: &Tcp, ttl: u8, id: u16, payload: &[u8], out: &mut Vec<u8>) {
    let mut segment = Vec::new();
    if v6 {
        let (src, dst) = ([1; 16].into(), [2; 16].into());
        tcp.emit_into(payload, &PseudoHeader::v6(src, dst, Protocol::TCP), &mut segment);
        Ipv6 { hop_limit: ttl, ..Ipv6::new(src, dst, Protocol::TCP) }.emit_into(segment.len(), out);
    } else {
        let (src, dst) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        tcp.emit_into(payload, &PseudoHeader::v4(src, dst, Protocol::TCP), &mut segment);
        Ipv4 { ttl, identification: id, ..Ipv4::new(src, dst, Protocol::TCP) }.emit_into(segment.len(), out);
    }
    out.extend_from_slice(&segment);
}
