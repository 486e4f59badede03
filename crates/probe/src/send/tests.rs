//! Matching over every kind of answer, on packets made by hand.

use thru_wire::icmpv4::{Icmpv4, Unreachable};
use thru_wire::ipv4::Ipv4;
use thru_wire::packet::Packet;
use thru_wire::tcp::{Flags, SeqNumber, Tcp};
use thru_wire::udp::Udp;

use super::matching::{Link, Relation, answers, closeness, question};
use super::*;

fn ip(src: [u8; 4], dst: [u8; 4], id: u16) -> Ipv4 {
    Ipv4 { src: src.into(), dst: dst.into(), identification: id, ..Ipv4::default() }
}

const US: [u8; 4] = [192, 0, 2, 7];
const THEM: [u8; 4] = [198, 51, 100, 1];

#[track_caller]
fn check(asked: impl Into<Packet>, answer: impl Into<Packet>, expected: Option<Relation>) {
    let (asked, answer) = (asked.into().to_vec(), answer.into().to_vec());
    let key = question(Link::Ip, &asked).expect("a question");
    let found = answers(Link::Ip, &answer).into_iter().find(|(answered, _)| *answered == key);
    assert_eq!(found.map(|(_, relation)| relation), expected);
    // Cut anywhere, neither panics.
    for cut in 0..answer.len() {
        let _ = (answers(Link::Ip, &answer[..cut]), question(Link::Ethernet, &answer[..cut]));
    }
}

#[test]
fn answers_are_known_by_flow_quote_and_identifier() {
    let udp = ip(US, THEM, 1) / Udp::new(1000, 53) / b"?";
    check(udp.clone(), ip(THEM, US, 9) / Udp::new(53, 1000), Some(Relation::Flow));
    check(udp.clone(), ip(THEM, US, 9) / Udp::new(53, 1001), None);
    check(udp.clone(), ip([198, 51, 100, 2], US, 9) / Udp::new(53, 1000), None);
    let quoted = udp.to_vec();
    let error = Icmpv4::DestinationUnreachable(Unreachable::Port);
    check(udp, ip([203, 0, 113, 9], US, 9) / error / &quoted[..28], Some(Relation::Quoted));
    let echo = |sequence| ip(US, THEM, 1) / Icmpv4::EchoRequest { identifier: 5, sequence };
    let reply = |sequence| ip(THEM, US, 1) / Icmpv4::EchoReply { identifier: 5, sequence };
    check(echo(3), reply(3), Some(Relation::Flow));
    check(echo(3), reply(4), None);
    // A broadcast is answered by anybody.
    check(ip(US, [255; 4], 1) / Udp::new(68, 67), ip(THEM, US, 1) / Udp::new(67, 68), Some(Relation::Flow));
}

#[test]
fn of_several_with_one_flow_the_one_it_names_is_answered() {
    let probe = |id, seq| {
        let tcp =
            Tcp { src_port: 1000, dst_port: 80, seq: SeqNumber(seq), flags: Flags::SYN, ..Tcp::default() };
        Question { link: Link::Ip, bytes: (ip(US, THEM, id) / tcp).to_vec() }
    };
    let (one, other) = (probe(1, 100), probe(2, 5_000_000));
    let error = Icmpv4::DestinationUnreachable(Unreachable::Host);
    let answer = (ip([203, 0, 113, 9], US, 9) / error / &other.bytes[..28]).to_vec();
    let close =
        |question: &Question, answer: &[u8], relation| closeness(question, answer, Link::Ip, relation);
    assert!(close(&other, &answer, Relation::Quoted) > close(&one, &answer, Relation::Quoted));
    let tcp = Tcp {
        src_port: 80,
        dst_port: 1000,
        ack: SeqNumber(101),
        flags: Flags::SYN | Flags::ACK,
        ..Tcp::default()
    };
    let answer = (ip(THEM, US, 9) / tcp).to_vec();
    assert!(close(&one, &answer, Relation::Flow) > close(&other, &answer, Relation::Flow));
}
