use super::*;
use crate::filter::Filter;
use proptest::prelude::*;

/// The addresses at which the machine below has its memory.
const CONTEXT_AT: u64 = 0x1000;
const PACKET_AT: u64 = 0x10_0000;
const STACK_AT: u64 = 0x20_0000;

/// A machine for what [`xdp`] makes, which is stricter than needed: a read outside of the packet is a failure.
fn run(insns: &[Insn], packet: &[u8]) -> u32 {
    let mut registers = [0u64; 11];
    (registers[1], registers[10]) = (CONTEXT_AT, STACK_AT);
    let mut stack = [0u8; 64];
    let mut at = 0;
    for _ in 0..100_000 {
        let Insn { code, dst, src, off, imm } = insns[at];
        let (dst, source) = (usize::from(dst), registers[usize::from(src)]);
        at += 1;
        let by_register = code & 8 != 0;
        let operand = if by_register { source } else { i64::from(imm) as u64 };
        match code & 7 {
            // Loads and stores.
            1 => {
                let size = match code {
                    LOAD_W => 4,
                    LOAD_H => 2,
                    _ => 1,
                };
                let address = source.wrapping_add_signed(i64::from(off));
                registers[dst] = match address {
                    CONTEXT_AT => PACKET_AT,
                    address if address == CONTEXT_AT + 4 => PACKET_AT + packet.len() as u64,
                    address if address < STACK_AT - 64 => {
                        let begin = (address - PACKET_AT) as usize;
                        number(&packet[begin..begin + size])
                    }
                    address => {
                        let begin = (address - (STACK_AT - 64)) as usize;
                        number(&stack[begin..begin + size])
                    }
                };
            }
            2 | 3 => {
                let value = if code & 7 == 2 { imm as u32 } else { source as u32 };
                let begin = (64 + i64::from(off)) as usize;
                stack[begin..begin + 4].copy_from_slice(&value.to_ne_bytes());
            }
            4 if code == TO_BIG_ENDIAN => {
                registers[dst] = match imm {
                    16 => u64::from((registers[dst] as u16).to_be()),
                    _ => u64::from((registers[dst] as u32).to_be()),
                };
            }
            4 => {
                let (old, operand) = (registers[dst] as u32, operand as u32);
                registers[dst] = u64::from(match code & 0xF0 {
                    0x00 => old.wrapping_add(operand),
                    0x10 => old.wrapping_sub(operand),
                    0x20 => old.wrapping_mul(operand),
                    0x30 => old / operand,
                    0x40 => old | operand,
                    0x50 => old & operand,
                    0x60 => old << (operand & 31),
                    0x70 => old >> (operand & 31),
                    0x80 => old.wrapping_neg(),
                    0x90 => old % operand,
                    0xA0 => old ^ operand,
                    _ => operand,
                });
            }
            7 => {
                registers[dst] = match code & 0xF0 {
                    0x00 => registers[dst].wrapping_add(operand),
                    0x10 => registers[dst].wrapping_sub(operand),
                    _ => operand,
                };
            }
            _ if code == EXIT => return registers[0] as u32,
            class => {
                let narrow = |value: u64| if class == 6 { u64::from(value as u32) } else { value };
                let (left, right) = (narrow(registers[dst]), narrow(operand));
                let jumps = match code & 0xF0 {
                    0x00 => true,
                    0x10 => left == right,
                    0x20 => left > right,
                    0x30 => left >= right,
                    _ => left & right != 0,
                };
                if jumps {
                    at = at.checked_add_signed(isize::from(off)).expect("within the program");
                }
            }
        }
    }
    panic!("it does not end");
}

fn number(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// Both machines on a packet.
#[track_caller]
fn check(expression: &str, program: &bpf::Program, insns: &[Insn], packet: &[u8]) {
    let classic = program.run(packet, packet.len() as u32) != 0;
    assert_eq!(run(insns, packet), if classic { 1 } else { 2 }, "{expression}: {packet:02x?}");
}

const EXPRESSIONS: [&str; 18] = [
    "greater 300",
    "ether[70000] = 1 or tcp",
    "tcp port 443",
    "host 192.168.1.23 and not arp",
    "net 2001:db8::/32 or icmp6",
    "portrange 1-1024",
    "tcp[tcpflags] & tcp-syn != 0",
    "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x16030100",
    "len > 100 and len < 1000",
    "ip[2:2] - ((ip[0] & 0xf) << 2) > 40",
    "ether broadcast or ether multicast",
    "vlan 5 and tcp",
    "1 << ip[8] = 0",
    "len / ip[8] = 1",
    "len % ip[8] = 1",
    "ip[ip[0]] = 5",
    "len - 1000 > 5",
    "(tcp or udp) and (port 53 or port 443) or not ip",
];

#[test]
fn both_machines_agree_on_packets_and_all_their_beginnings() {
    let files: [&[u8]; 3] = [
        include_bytes!("../../../tests/data/tls.pcapng"),
        include_bytes!("../../../tests/data/icmp.pcapng"),
        include_bytes!("../../../tests/data/h3.pcapng"),
    ];
    let mut packets = Vec::new();
    for file in files {
        let mut reader = crate::file::Reader::new(file).expect("a capture");
        while let Some(item) = reader.next().expect("a whole capture") {
            if let crate::file::Item::Packet(packet) = item {
                packets.push(packet.bytes.to_vec());
            }
        }
    }
    for expression in EXPRESSIONS {
        let program = Filter::pcap(expression).expect(expression).compile(1).expect(expression);
        let insns = xdp(&program, 1, 2).expect("no jump is too far");
        for packet in &packets {
            check(expression, &program, &insns, packet);
        }
        let longest = packets.iter().max_by_key(|packet| packet.len()).expect("there are some");
        for end in 0..longest.len() {
            check(expression, &program, &insns, &longest[..end]);
        }
    }
}

proptest! {
    #[test]
    fn both_machines_agree_on_any_bytes(
        expression in prop::sample::select(EXPRESSIONS.to_vec()),
        mut packet in prop::collection::vec(any::<u8>(), 0..120),
        kind in prop::sample::select(vec![[0x08, 0x00], [0x86, 0xDD], [0x81, 0x00]]),
    ) {
        if let Some(place) = packet.get_mut(12..14) {
            place.copy_from_slice(&kind);
        }
        let program = Filter::pcap(expression).expect(expression).compile(1).expect(expression);
        let insns = xdp(&program, 1, 2).expect("no jump is too far");
        check(expression, &program, &insns, &packet);
    }
}
