use super::*;
use crate::random::Random;

fn stream(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31 % 251) as u8).collect()
}

#[test]
fn any_order_gives_the_stream_and_leaves_no_memory() {
    for seed in 0..200 {
        let mut random = Random::new(seed, "receive");
        let data = stream(20_000);
        let mut receive = Receive::new(500, 1 << 20);
        let mut out = Vec::new();
        while out.len() < data.len() {
            let from = random.below(data.len() as u64) as usize;
            let most = if random.below(2) == 0 { 40 } else { 3_000 };
            let to = (from + 1 + random.below(most) as usize).min(data.len());
            receive.insert(500 + from as u64, Bytes::copy_from_slice(&data[from..to]), &mut Spare::default());
            let mut buffer = vec![0; random.below(4_000) as usize];
            let read = receive.read(&mut buffer, &mut Spare::default());
            out.extend_from_slice(&buffer[..read]);
            let early: usize = receive.early.values().map(|piece| piece.len()).sum();
            let ranged: u64 = receive.ranges.iter().map(|range| range.end - range.start).sum();
            assert_eq!(early as u64, ranged, "pieces and ranges tell the same");
        }
        assert_eq!(out, data, "seed {seed}");
        assert_eq!((receive.memory, receive.unread, receive.early.len()), (0, 0, 0));
        assert_eq!((receive.ready.capacity(), receive.tail.capacity()), (0, 0));
    }
}

#[test]
fn tiny_segments_cannot_blow_up_memory() {
    let mut receive = Receive::new(0, 64 * 1024);
    let mut refused = 0;
    for index in 0..32 * 1024u64 {
        let frame = Bytes::from(vec![7; 1]);
        if receive.insert(1 + 2 * index, frame, &mut Spare::default()) == Arrival::Refused {
            refused += 1;
        }
    }
    assert!(refused > 0);
    assert!(receive.memory() <= receive.memory_limit());
    assert!(receive.ranges().len() <= MOST_RANGES);
    // In order, one byte at a time, memory stays near the payload.
    let mut receive = Receive::new(0, 64 * 1024);
    for index in 0..64 * 1024u64 {
        receive.insert(index, Bytes::from_static(b"x"), &mut Spare::default());
    }
    assert!(receive.memory() < 80 * 1024, "{}", receive.memory());
    assert_eq!(receive.window(), 0);
}

#[test]
fn gaps_are_counted() {
    let mut receive = Receive::new(100, 1 << 20);
    receive.insert(110, Bytes::from_static(b"0123456789"), &mut Spare::default());
    receive.insert(130, Bytes::from_static(b"0123456789"), &mut Spare::default());
    assert_eq!(receive.gap_bytes(), 20);
    receive.insert(100, Bytes::from_static(b"0123456789"), &mut Spare::default());
    assert_eq!(receive.gap_bytes(), 10);
    receive.insert(120, Bytes::from_static(b"0123456789"), &mut Spare::default());
    assert_eq!((receive.gap_bytes(), receive.next()), (0, 140));
}
