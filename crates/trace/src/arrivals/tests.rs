use super::*;
use crate::{Layer, Step};
use thru_wire::ethernet::Ethernet;
use thru_wire::ipv4::Ipv4;
use thru_wire::tcp::{SeqNumber, Tcp};

const CLIENT: [u8; 4] = [192, 168, 1, 10];
const SERVER: [u8; 4] = [203, 0, 113, 10];
const MS: u64 = 1_000_000;

/// A capture of one connection whose round trip is 20 ms.
struct Capture(Trace);

impl Capture {
    fn new() -> Capture {
        let mut trace = Trace { interfaces: vec!["home".into()], ..Trace::default() };
        trace.add(
            Step::new(Layer::Tcp, "connection", "")
                .set("tcp.remote", "203.0.113.10:443")
                .set("tcp.local", "192.168.1.10:40000"),
        );
        let mut capture = Capture(trace);
        capture.push(0, segment(CLIENT, SERVER, (40000, 443), 0, b""));
        capture
    }

    fn push(&mut self, at_ms: u64, bytes: Vec<u8>) -> &mut Capture {
        let number = self.0.packets.len() as u64 + 1;
        let fate = PacketFate::Passed;
        let at = at_ms * MS;
        self.0.packets.push(Packet { number, at, interface: 0, bytes: bytes.into(), fate, comment: None });
        self
    }

    /// Ten bytes of the answer from `seq` on.
    fn data(&mut self, at_ms: u64, seq: u32) -> &mut Capture {
        self.push(at_ms, segment(SERVER, CLIENT, (443, 40000), seq, b"0123456789"))
    }

    fn seen(&self) -> Arrivals {
        arrivals(&self.0, &self.0.spans[0], 20 * MS)
    }
}

fn segment(src: [u8; 4], dst: [u8; 4], ports: (u16, u16), seq: u32, payload: &[u8]) -> Vec<u8> {
    let header = Tcp { src_port: ports.0, dst_port: ports.1, seq: SeqNumber(seq), ..Tcp::default() };
    (Ethernet::default() / Ipv4::new(src.into(), dst.into(), Protocol::TCP) / header / payload).to_vec()
}

#[test]
fn in_order_nothing_is_remarkable() {
    let mut capture = Capture::new();
    capture.data(20, 100).data(20, 110).data(21, 120);
    assert_eq!(capture.seen(), Arrivals { total: 3, segments: 3, ..Arrivals::default() });
}

#[test]
fn a_gap_filled_within_a_round_trip_was_overtaken_and_later_lost() {
    let mut capture = Capture::new();
    capture.data(20, 100).data(20, 120).data(25, 110).data(30, 150).data(55, 130).data(56, 140);
    let seen = capture.seen();
    assert_eq!((seen.overtaken, seen.repaired), (vec![4], vec![6, 7]));
}

#[test]
fn timestamps_tell_what_was_sent_again_however_soon() {
    let stamped = |seq: u32, value: u32| {
        let mut header = Tcp { src_port: 443, dst_port: 40000, seq: SeqNumber(seq), ..Tcp::default() };
        header.options.timestamps = Some(thru_wire::tcp::Timestamps { value, echo: 0 });
        let ip = Ipv4::new(SERVER.into(), CLIENT.into(), Protocol::TCP);
        (Ethernet::default() / ip / header / b"0123456789").to_vec()
    };
    let mut capture = Capture::new();
    capture.push(20, stamped(100, 7)).push(20, stamped(120, 7)).push(25, stamped(110, 12));
    capture.push(26, stamped(140, 13)).push(90, stamped(130, 13));
    let seen = capture.seen();
    assert_eq!((seen.overtaken, seen.repaired), (vec![6], vec![4]));
}

#[test]
fn sequence_numbers_wrap() {
    let mut capture = Capture::new();
    capture.data(20, u32::MAX - 14).data(20, 5).data(22, u32::MAX - 4);
    assert_eq!(capture.seen().overtaken, [4]);
}

#[test]
fn the_same_bytes_at_once_are_a_copy_and_later_are_not() {
    let mut capture = Capture::new();
    capture.data(20, 100).data(20, 100).data(220, 100);
    assert_eq!(capture.seen().doubled, [3]);
}

#[test]
fn changed_bytes_are_noticed() {
    let mut capture = Capture::new();
    let mut damaged = segment(SERVER, CLIENT, (443, 40000), 100, b"0123456789");
    *damaged.last_mut().unwrap() ^= 4;
    capture.push(20, damaged).data(40, 100);
    let seen = capture.seen();
    assert_eq!((seen.damaged, seen.total), (vec![2], 1));
}

#[test]
fn what_left_and_what_was_dropped_on_the_way_does_not_count() {
    let mut capture = Capture::new();
    capture.push(1, segment(CLIENT, SERVER, (40000, 443), 1, b"question"));
    capture.data(20, 100);
    capture.0.packets.last_mut().unwrap().fate = PacketFate::Dropped("loss".into());
    assert_eq!(capture.seen(), Arrivals::default());
}

#[test]
fn what_arrived_is_of_one_connection_and_of_the_nearest_link() {
    let mut capture = Capture::new();
    capture.data(20, 100);
    // Another connection to the same server, and a copy on a link further on.
    capture.push(21, segment(SERVER, CLIENT, (443, 40001), 100, b"0123456789"));
    capture.data(22, 110);
    let mut copy = capture.0.packets[3].clone();
    (copy.number, copy.interface) = (5, 1);
    capture.0.packets.push(copy);
    let arrived: Vec<u64> = arrived(&capture.0, &capture.0.spans[0]).iter().map(|one| one.number).collect();
    assert_eq!(arrived, [2, 4]);
}
