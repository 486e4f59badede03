//! Any split and any order gives the original; whatever else comes is bounded.

use proptest::prelude::*;

use super::*;
use crate::fragment::split;
use crate::header::{Header, Origin, Upper};
use crate::random::Random;

fn packet(v6: bool, len: usize, class: u8) -> Bytes {
    let (src, dst): (IpAddr, IpAddr) = if v6 {
        ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap())
    } else {
        ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap())
    };
    let origin =
        Origin { src, dst, protocol: 17, ttl: 64, class, dont_fragment: false, id: 0x1234, flow_label: 0 };
    let mut packet = origin.packet(len).unwrap();
    packet.extend(&(0..len).map(|index| (index % 251) as u8).collect::<Vec<_>>());
    packet.into_bytes()
}

fn cut(packet: &Bytes, mtu: usize, id: u32) -> Vec<Bytes> {
    let pieces = if packet[0] >> 4 == 6 { split::ipv6(packet, mtu, id) } else { split::ipv4(packet, mtu) };
    pieces.unwrap().into_iter().map(Packet::into_bytes).collect()
}

fn fragment(packet: &Bytes) -> Fragment {
    let header = Header::parse(packet).unwrap();
    let (id, offset, more, start, v6) = match header.upper(packet) {
        Upper::Fragment { id, offset, more, header: v6 } => (id, offset, more, v6.header_at + 8, Some(v6)),
        _ => (u32::from(header.id), header.fragment.0, header.fragment.1, header.len, None),
    };
    Fragment {
        key: FragmentKey { src: header.src, dst: header.dst, protocol: 0, id },
        offset,
        more,
        dont_fragment: false,
        ecn: header.ecn(),
        packet: packet.clone(),
        data: start..header.total_len,
        v6,
    }
}

fn insert(reassembler: &mut Reassembler, packet: &Bytes) -> Outcome {
    reassembler.insert(Instant::START, fragment(packet))
}

proptest! {
    #[test]
    fn any_split_and_order_gives_the_original(
        v6: bool, len in 1_usize..9_000, mtu in 100_usize..2_000, again in 60_usize..500, seed: u64,
    ) {
        let original = packet(v6, len, 0);
        prop_assume!(original.len() > mtu);
        let mut pieces = cut(&original, mtu, 9);
        if !v6 {
            // A second router cuts some of them smaller.
            pieces = pieces.iter().enumerate().flat_map(|(index, piece)| {
                if index % 2 == 0 { cut(piece, again, 9) } else { vec![piece.clone()] }
            }).collect();
        }
        let mut random = Random::new(seed, "order");
        for index in (1..pieces.len()).rev() {
            pieces.swap(index, random.below(index as u64 + 1) as usize);
        }
        let mut reassembler = Reassembler::new(1);
        let last = pieces.pop().unwrap();
        for piece in &pieces {
            prop_assert!(matches!(insert(&mut reassembler, piece), Outcome::Waiting));
            // Copies change nothing.
            prop_assert!(matches!(insert(&mut reassembler, piece), Outcome::Discarded));
        }
        let Outcome::Whole(whole) = insert(&mut reassembler, &last) else { panic!("not whole") };
        prop_assert_eq!(whole.bytes(), &original[..]);
        prop_assert_eq!(reassembler.memory(), 0);
        prop_assert!(reassembler.next_deadline().is_never());
    }

    #[test]
    fn hostile_fragments_stay_within_bounds(seed: u64) {
        let mut random = Random::new(seed, "hostile");
        let mut reassembler = Reassembler::new(1);
        let mut now = Instant::START;
        for _ in 0..3_000 {
            let v6 = random.chance(500_000_000);
            let bytes = packet(v6, 1 + random.below(2_000) as usize, random.below(4) as u8);
            let header = Header::parse(&bytes).unwrap();
            let data = header.len + random.below(8) as usize;
            let hostile = Fragment {
                key: FragmentKey { src: header.src, dst: header.dst, protocol: 17, id: random.below(40) as u32 },
                offset: random.below(8_192) as usize * 8,
                more: random.chance(700_000_000),
                dont_fragment: random.chance(500_000_000),
                ecn: random.below(4) as u8,
                data: data.min(bytes.len())..bytes.len(),
                packet: bytes,
                v6: v6.then_some(V6Fragment { header_at: 40, named_at: 6, next_header: 17 }),
            };
            reassembler.insert(now, hostile);
            now += Duration::from_millis(random.below(200));
            if random.chance(100_000_000) {
                while reassembler.expire(now).is_some() {}
            }
            prop_assert!(reassembler.memory() <= MEMORY_MAX);
            prop_assert_eq!(reassembler.by_age.len(), reassembler.datagrams.len());
        }
        while reassembler.expire(now + TIMEOUT).is_some() {}
        prop_assert_eq!(reassembler.memory(), 0);
    }
}

#[test]
fn an_overlap_discards_the_datagram_and_what_still_comes() {
    for v6 in [false, true] {
        let pieces = cut(&packet(v6, 3_000, 0), 1_008, 9);
        let shifted = {
            let mut shifted = fragment(&pieces[1]);
            shifted.offset -= 8;
            shifted
        };
        let mut reassembler = Reassembler::new(1);
        insert(&mut reassembler, &pieces[0]);
        assert!(matches!(reassembler.insert(Instant::START, shifted), Outcome::Discarded));
        for piece in &pieces {
            assert!(matches!(insert(&mut reassembler, piece), Outcome::Discarded));
        }
        // Once its time is over, the identification is free again; nobody is told.
        let later = Instant::START + TIMEOUT;
        assert!(matches!(reassembler.expire(later), Some(None)));
        assert!(reassembler.expire(later).is_none());
        let mut last = Outcome::Waiting;
        for piece in &pieces {
            last = reassembler.insert(later, fragment(piece));
        }
        assert!(matches!(last, Outcome::Whole(_)));
    }
}

#[test]
fn data_beyond_the_last_fragment_is_an_overlap() {
    let pieces = cut(&packet(false, 3_000, 0), 1_000, 9);
    let (last, before_last) = (&pieces[3], &pieces[2]);
    for order in [[last, before_last], [before_last, last]] {
        let mut reassembler = Reassembler::new(1);
        for piece in order {
            let mut piece = fragment(piece);
            if !piece.more {
                piece.offset = 8;
            }
            reassembler.insert(Instant::START, piece);
        }
        assert!(reassembler.datagrams.values().all(|datagram| datagram.poisoned));
    }
}

#[test]
fn lengths_that_cannot_be_are_refused_and_the_sender_told() {
    let pieces = cut(&packet(true, 3_000, 0), 1_280, 9);
    let mut reassembler = Reassembler::new(1);
    let mut odd = fragment(&pieces[0]);
    odd.data.end -= 1;
    assert!(matches!(reassembler.insert(Instant::START, odd), Outcome::Illegal { at: 4 }));
    let mut far = fragment(&pieces[0]);
    far.offset = 65_528;
    assert!(matches!(reassembler.insert(Instant::START, far), Outcome::Illegal { at: 42 }));
    let pieces = cut(&packet(false, 3_000, 0), 1_280, 9);
    let mut far = fragment(&pieces[0]);
    far.offset = 65_528;
    assert!(matches!(reassembler.insert(Instant::START, far), Outcome::Discarded));
    assert_eq!(reassembler.memory(), 0);
}

#[test]
fn expiry_gives_the_first_fragment_back() {
    let pieces = cut(&packet(false, 3_000, 0), 1_280, 9);
    let mut reassembler = Reassembler::new(1);
    insert(&mut reassembler, &pieces[1]);
    insert(&mut reassembler, &pieces[0]);
    assert_eq!(reassembler.next_deadline(), Instant::START + TIMEOUT);
    assert!(reassembler.expire(Instant::from_millis(59_999)).is_none());
    assert_eq!(reassembler.expire(Instant::START + TIMEOUT), Some(Some(pieces[0].clone())));
    assert_eq!(reassembler.memory(), 0);
}

#[test]
fn memory_is_bounded_by_giving_up_the_oldest() {
    let mut reassembler = Reassembler::new(1);
    let pieces = cut(&packet(false, 60_000, 0), 1_500, 9);
    for id in 0..1_000 {
        let mut piece = fragment(&pieces[0]);
        piece.key.id = id;
        assert!(matches!(reassembler.insert(Instant::START, piece), Outcome::Waiting));
        assert!(reassembler.memory() <= MEMORY_MAX);
    }
    assert_eq!(reassembler.datagrams.len(), 1_000);
    for id in 1_000..4_000 {
        let mut piece = fragment(&pieces[0]);
        piece.key.id = id;
        reassembler.insert(Instant::START, piece);
        assert!(reassembler.memory() <= MEMORY_MAX);
    }
    let oldest = reassembler.by_age.first_key_value().unwrap().1.1.id;
    assert!(oldest > 0, "the oldest went first");
}

#[test]
fn marks_of_congestion_are_merged() {
    let check = |classes: [u8; 3], expected: Option<u8>| {
        let pieces = cut(&packet(false, 3_000, 0), 1_048, 9);
        let mut reassembler = Reassembler::new(1);
        let mut last = Outcome::Waiting;
        for (piece, class) in pieces.iter().zip(classes) {
            let mut piece = fragment(piece);
            piece.ecn = class;
            last = reassembler.insert(Instant::START, piece);
        }
        let ecn = match last {
            Outcome::Whole(packet) => Some(packet.bytes()[1] & 3),
            _ => None,
        };
        assert_eq!(ecn, expected, "{classes:?}");
    };
    check([0, 0, 0], Some(0));
    check([2, 2, 2], Some(2));
    check([1, 1, 1], Some(1));
    check([2, 3, 2], Some(3));
    check([0, 3, 2], None);
    check([0, 2, 2], Some(0));
}
