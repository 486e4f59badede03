use super::conversations::Conversations;
use super::insight::Insight;
use super::io::Io;
use super::ladder::Ladder;
use super::*;
use crate::{Arena, Dissector, Meta, Options};

/// A segment: nanoseconds, from the first end or the second, flags, sequence number, acknowledgement, length.
type Sent = (u64, bool, u8, u32, u32, usize);

/// Shows segments to `take`, as IPv4 packets.
fn segments(sent: &[Sent], mut take: impl FnMut(Tree<'_>)) {
    let (mut dissector, mut arena) = (Dissector::new(Options::default()), Arena::new());
    for (number, (time, first, flags, seq, ack, len)) in sent.iter().enumerate() {
        let total = (40 + len) as u16;
        let mut packet = vec![0x45, 0, (total >> 8) as u8, total as u8, 0, 0, 0, 0, 64, 6, 0, 0];
        let (a, b): ([u8; 6], [u8; 6]) = ([10, 0, 0, 1, 0x9C, 0x40], [10, 0, 0, 2, 0, 80]);
        let (from, to) = if *first { (a, b) } else { (b, a) };
        packet.extend([&from[..4], &to[..4], &from[4..], &to[4..]].concat());
        packet.extend(seq.to_be_bytes());
        packet.extend(ack.to_be_bytes());
        packet.extend([0x50, *flags, 0x40, 0, 0, 0, 0, 0]);
        packet.resize(usize::from(total), b'x');
        let meta = Meta {
            number: number as u64 + 1,
            time: Some(1_700_000_000_000_000_000_u64.wrapping_add(*time)),
            interface: 0,
            interface_name: None,
            link: 101,
            original: u32::from(total),
            comments: &[],
        };
        take(dissector.dissect(&meta, &packet, &mut arena));
    }
}

/// So many milliseconds before the first packet.
const fn earlier(millis: u64) -> u64 {
    0_u64.wrapping_sub(millis * MS)
}

const MS: u64 = 1_000_000;
const SYN: u8 = 2;
const ACK: u8 = 16;
const FIN: u8 = 1;
const RST: u8 = 4;

fn insight(sent: &[Sent]) -> String {
    let mut insight = Insight::default();
    segments(sent, |tree| insight.take(tree));
    let mut out = Vec::new();
    insight.text(&mut out);
    String::from_utf8(out).unwrap()
}

const OPENED: [Sent; 3] =
    [(0, true, SYN, 99, 0, 0), (20 * MS, false, SYN | ACK, 499, 100, 0), (20 * MS, true, ACK, 100, 500, 0)];

#[test]
fn a_handshake_and_an_end_have_names() {
    let told = insight(&[
        OPENED[0],
        OPENED[1],
        OPENED[2],
        (30 * MS, true, ACK, 100, 500, 10),
        (50 * MS, false, ACK, 500, 110, 0),
        (60 * MS, true, ACK | FIN, 110, 500, 0),
        (80 * MS, false, ACK | FIN, 500, 111, 0),
    ]);
    assert!(
        told.contains("opened completely in 0.020000 s; closed by A, then by B; 0.080000 s in all"),
        "{told}"
    );
    assert!(told.contains("A>B  4 packets, 10 bytes"), "{told}");
    let refused = insight(&[OPENED[0], (MS, false, RST | ACK, 0, 100, 0)]);
    assert!(refused.contains("opened refused; closed reset by B"), "{refused}");
    let unanswered = insight(&[OPENED[0], (1000 * MS, true, SYN, 99, 0, 0)]);
    assert!(unanswered.contains("never answered after 2 SYNs"), "{unanswered}");
}

#[test]
fn what_only_one_side_shows_is_not_called_unanswered() {
    let asked = insight(&[OPENED[0], OPENED[2], (30 * MS, true, ACK, 100, 500, 10)]);
    assert!(asked.contains("opened with an answer that was not captured"), "{asked}");
    let answered = insight(&[OPENED[1], (40 * MS, false, ACK, 500, 110, 10)]);
    assert!(answered.contains("opened with a question that was not captured"), "{answered}");
    assert!(answered.contains("0 packets, 0 bytes"), "{answered}");
    // Whoever refuses what was answered has not agreed.
    let scanned = insight(&[OPENED[0], OPENED[1], (20 * MS, true, RST | ACK, 100, 500, 0)]);
    assert!(scanned.contains("opened never completed; closed reset by A"), "{scanned}");
    let (by_b, by_a) = ((50 * MS, false, RST, 500, 0, 0), (60 * MS, true, RST, 100, 0, 0));
    let both = insight(&[OPENED[0], OPENED[1], OPENED[2], by_b, by_a]);
    assert!(both.contains("closed reset by B, then by A"), "{both}");
    assert!(both.contains("A>B  3 packets") && both.contains("B>A  2 packets"), "{both}");
}

#[test]
fn losses_of_the_network_and_of_the_capture_are_told_apart() {
    // Bytes 110 to 120 are missing here. Acknowledged all the same: the capture has lost them.
    let begin = [
        OPENED[0],
        OPENED[1],
        OPENED[2],
        (30 * MS, true, ACK, 100, 500, 10),
        (31 * MS, true, ACK, 120, 500, 10),
    ];
    let told = insight(&[&begin[..], &[(50 * MS, false, ACK, 500, 130, 0)]].concat());
    assert!(
        told.contains("10 bytes arrived but were not captured") && !told.contains("lost before"),
        "{told}"
    );
    // Sent again after a while: the network had lost them on the way here.
    let again = [
        (40 * MS, false, ACK, 500, 110, 0),
        (60 * MS, true, ACK, 110, 500, 10),
        (80 * MS, false, ACK, 500, 130, 0),
    ];
    let told = insight(&[&begin[..], &again].concat());
    assert!(
        told.contains("1 segments were lost before they came here") && !told.contains("not captured"),
        "{told}"
    );
    // Late by a millisecond only: overtaken.
    let late = [(32 * MS, true, ACK, 110, 500, 10), (60 * MS, false, ACK, 500, 130, 0)];
    let told = insight(&[&begin[..], &late].concat());
    assert!(told.contains("1 segments were overtaken") && !told.contains("lost before"), "{told}");
    // Seen twice: lost behind this place.
    let twice = [(90 * MS, true, ACK, 100, 500, 10), (110 * MS, false, ACK, 500, 130, 0)];
    let told = insight(&[&begin[..1], &begin[1..4], &twice].concat());
    assert!(told.contains("1 segments were sent again that had passed here"), "{told}");
}

#[test]
fn what_a_sender_waits_for() {
    // 16,384 bytes fill the other's window: until they are acknowledged the sender waits for the receiver.
    let told = insight(&[
        OPENED[0],
        OPENED[1],
        OPENED[2],
        (30 * MS, true, ACK, 100, 500, 16_384),
        (130 * MS, false, ACK, 500, 16_484, 0),
        (230 * MS, true, ACK, 16_484, 500, 100),
        (330 * MS, false, ACK, 500, 16_584, 0),
    ]);
    // 100 ms each: for the receiver, for the application, for the receiver (the next full segment would not fit).
    assert!(told.contains("held back by"), "{told}");
    assert!(told.contains("receiver's window"), "{told}");
}

#[test]
fn time_that_ends_with_something_sent_again_is_the_networks() {
    // A short answer is lost behind this place and sent again after a second.
    let told = insight(&[
        OPENED[0],
        OPENED[1],
        OPENED[2],
        (30 * MS, true, ACK, 100, 500, 1000),
        (50 * MS, false, ACK, 500, 1100, 0),
        (60 * MS, true, ACK, 1100, 500, 10),
        (1060 * MS, true, ACK, 1100, 500, 10),
        (1080 * MS, false, ACK, 500, 1110, 0),
    ]);
    assert!(told.contains("network 99 %"), "{told}");
    // The round trip is that of the first segment: of the second nobody knows which one was acknowledged.
    assert!(told.contains("20.000 / 20.000 / 20.000 ms"), "{told}");
}

#[test]
fn a_window_whose_unit_is_not_known_holds_nobody_back() {
    let told = insight(&[
        (0, true, ACK, 100, 500, 1000),
        (20 * MS, false, ACK, 500, 1100, 0),
        (5000 * MS, true, ACK, 1100, 500, 1000),
        (5020 * MS, false, ACK, 500, 2100, 0),
    ]);
    assert!(!told.contains("receiver"), "{told}");
}

#[test]
fn one_segment_may_fill_two_holes_and_go_beyond() {
    let told = insight(&[
        OPENED[0],
        OPENED[1],
        OPENED[2],
        (30 * MS, true, ACK, 100, 500, 10),
        (31 * MS, true, ACK, 120, 500, 10),
        (32 * MS, true, ACK, 140, 500, 10),
        (90 * MS, true, ACK, 110, 500, 60),
        (110 * MS, false, ACK, 500, 170, 0),
    ]);
    assert!(told.contains("1 segments were lost before they came here"), "{told}");
    assert!(!told.contains("not captured"), "{told}");
}

#[test]
fn an_acknowledgement_captured_before_its_data_is_no_loss() {
    let told = insight(&[
        OPENED[0],
        OPENED[1],
        OPENED[2],
        (30 * MS, false, ACK, 500, 1100, 0),
        (30 * MS + 10_000, true, ACK, 100, 500, 1000),
        (60 * MS, true, ACK, 1100, 500, 10),
    ]);
    assert!(!told.contains("not captured") && !told.contains("sent again"), "{told}");
}

#[test]
fn intervals_grow_with_the_capture_and_nothing_is_lost() {
    let sent: Vec<Sent> = (0..500).map(|n| (n * n * MS, true, ACK, 100, 500, 0)).collect();
    let mut io = Io::default();
    segments(&sent, |tree| io.take(tree));
    let mut out = Vec::new();
    io.json(&mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.lines().count() <= 60 && text.lines().count() > 20, "{text}");
    let packets = text.lines().map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["packets"].as_u64().unwrap()
    });
    assert_eq!(packets.sum::<u64>(), 500);
}

#[test]
fn times_that_run_backwards_are_times() {
    // The clock is set back in the middle, to before the first packet.
    let sent = [
        OPENED[0],
        OPENED[1],
        OPENED[2],
        (30 * MS, true, ACK, 100, 500, 10),
        (10 * MS, false, ACK, 500, 110, 0),
        (earlier(5), true, ACK, 110, 500, 10),
        (earlier(4), false, ACK, 500, 120, 0),
    ];
    let (mut talks, mut io, mut ladder) =
        (Conversations::default(), Io::default(), Ladder::new("tcp:0".parse().expect("a flow")));
    segments(&sent, |tree| {
        talks.take(tree);
        io.take(tree);
        ladder.take(tree);
    });
    let flow = talks.flows().next().expect("one");
    assert_eq!((flow.begins, flow.lasts), (-5 * MS as i64, 35 * MS));
    let told = |tell: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        tell(&mut out);
        String::from_utf8(out).expect("words")
    };
    let text = told(&|out| talks.text(out));
    assert!(text.contains("   -0.005000     0.035000\n"), "{text}");
    let json = told(&|out| talks.json(out));
    assert!(json.contains("\"begins\":-0.005000000,\"lasts\":0.035000000}"), "{json}");
    let text = told(&|out| ladder.text(out, 80));
    assert!(text.lines().nth(6).is_some_and(|line| line.starts_with("     6    -0.005000 ")), "{text}");
    let text = insight(&sent);
    assert!(text.contains("in 0.020000 s") && text.contains("0.030000 s in all"), "{text}");
    assert!(!text.contains("18446744"), "{text}");
}

#[test]
fn the_most_hostile_times_are_borne() {
    let ends = [0, u64::MAX, 1 << 63, (1 << 63) - 1, 1, u64::MAX - 1];
    let sent: Vec<Sent> = ends
        .iter()
        .flat_map(|a| ends.iter().map(move |b| a ^ b))
        .enumerate()
        .map(|(n, time)| {
            let seq = 100 + n as u32 * 10;
            (time, n % 2 == 0, ACK, seq, seq, 10)
        })
        .collect();
    let (mut talks, mut io, mut ladder) =
        (Conversations::default(), Io::default(), Ladder::new("tcp:0".parse().expect("a flow")));
    segments(&sent, |tree| {
        talks.take(tree);
        io.take(tree);
        ladder.take(tree);
    });
    let mut out = Vec::new();
    talks.text(&mut out);
    io.text(&mut out);
    ladder.text(&mut out, 80);
    ladder.svg(&mut out);
    out.extend(insight(&sent).into_bytes());
    assert!(!out.is_empty());
}
