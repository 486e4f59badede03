//! Packets of any kind, from both sides, through a translator between IPv6 and IPv4: no panic, and what comes out changed
//! has a header that tells its length.
#![no_main]

use core::net::{Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use thru_sim::nat64::{Nat64, Nat64Config};
use thru_stack::InterfaceId;
use thru_stack::hook::{Hook, Judgement, Place};
use thru_wire::{Instant, checksum};

const INSIDE: InterfaceId = InterfaceId(0);
const OUTSIDE: InterfaceId = InterfaceId(1);
const POOL: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// Whether it comes from inside, whether it is aimed at the translator, and the packet.
type Step<'a> = (bool, bool, &'a [u8]);

fuzz_target!(|steps: Vec<Step<'_>>| {
    let own = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);
    let mut nat64 = Nat64::new(Nat64Config::new(own, OUTSIDE, POOL), 1);
    let mut answers: Vec<Vec<u8>> = Vec::new();
    for (inside, aimed, octets) in steps {
        let mut packet = octets.to_vec();
        if let Some(first) = packet.first_mut() {
            *first = *first & 15 | if inside { 0x60 } else { 0x40 };
        }
        if aimed && inside && packet.len() >= 40 {
            packet[24..36].copy_from_slice(&[0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]);
        } else if aimed && !inside && packet.len() >= 20 {
            packet[16..20].copy_from_slice(&POOL.octets());
        }
        let before = packet.clone();
        judge(&mut nat64, inside, &before, &mut packet);
        // What went out comes back with its ends exchanged: that finds its session.
        if inside && packet != before && packet.len() >= 28 && packet[0] >> 4 == 4 {
            let (mut back, at) = (packet.clone(), usize::from(packet[0] & 15) * 4);
            back[12..16].copy_from_slice(&packet[16..20]);
            back[16..20].copy_from_slice(&packet[12..16]);
            if matches!(packet[9], 6 | 17) {
                back[at..at + 2].copy_from_slice(&packet[at + 2..at + 4]);
                back[at + 2..at + 4].copy_from_slice(&packet[at..at + 2]);
            } else if packet[9] == 1 {
                back[at] = 0;
            }
            answers.push(back);
        }
    }
    for before in answers {
        let mut packet = before.clone();
        judge(&mut nat64, false, &before, &mut packet);
    }
});

fn judge(nat64: &mut Nat64, inside: bool, before: &[u8], packet: &mut Vec<u8>) {
    let input = if inside { INSIDE } else { OUTSIDE };
    let judgement = nat64.judge(Instant::START, Place::Prerouting, Some(input), None, packet);
    if judgement != Judgement::Accept || *packet == before {
        return;
    }
    let word = |at: usize| usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
    match packet[0] >> 4 {
        4 => {
            assert!(checksum::is_valid(&packet[..20]), "{packet:02x?}");
            assert_eq!(word(2), packet.len().min(65_535));
        }
        6 => assert_eq!(word(4), (packet.len() - 40).min(65_535)),
        other => panic!("version {other}"),
    }
}
