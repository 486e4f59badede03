use thru_wire::tcp::SeqNumber;

use super::*;

fn push(options: &mut TcpOptions, counters: AccEcnCounters) -> bool {
    let room = OPTIONS_ROOM - options.padded_len();
    push_counters(options, counters, room)
}

#[test]
fn the_three_bits_are_read_and_written_alike() {
    for code in 0..8 {
        assert_eq!(ace(flags_of(code)), code);
    }
    assert_eq!(ace(Flags::AE | Flags::ACK | Flags::PSH), 4);
}

#[test]
fn handshake_codes_are_those_of_the_tables() {
    assert_eq!([0, 1, 2, 3].map(handshake_code), [0b010, 0b011, 0b100, 0b110]);
}

#[test]
fn turns_are_counted_when_the_field_may_have_wrapped() {
    assert_eq!(whole_turns(3, 7, None, 1_000, false), 3);
    assert_eq!(whole_turns(3, 11, None, 1_000, false), 11);
    assert_eq!(whole_turns(3, 12, None, 1_000, false), 11);
    assert_eq!(whole_turns(0, 20, None, 1_000, false), 16);
    assert_eq!(whole_turns(3, 12, Some(3_000), 1_000, false), 3);
    assert_eq!(whole_turns(3, 12, Some(11_000), 1_000, false), 11);
}

#[test]
fn counters_are_shortened_to_the_room_there_is() {
    let counters = AccEcnCounters { ect1_first: false, ect0: Some(1), ce: Some(2), ect1: Some(3) };
    let mut options = TcpOptions::default();
    assert!(push(&mut options, counters));
    assert_eq!(options.extra.acc_ecn(), Some(counters));
    // Timestamps and two blocks leave eight bytes: two counters, the one that moves first.
    let stamps = Some(thru_wire::tcp::Timestamps { value: 1, echo: 1 });
    let mut options = TcpOptions { timestamps: stamps, ..TcpOptions::default() };
    for _ in 0..2 {
        options.sack.push(SeqNumber(1), SeqNumber(2));
    }
    assert!(push(&mut options, counters));
    assert_eq!(options.extra.acc_ecn(), Some(AccEcnCounters { ect1: None, ..counters }));
    let first = AccEcnCounters { ect1_first: true, ..counters };
    options.extra = Default::default();
    assert!(push(&mut options, first));
    assert_eq!(options.extra.acc_ecn(), Some(AccEcnCounters { ect0: None, ..first }));
    options.sack.push(SeqNumber(5), SeqNumber(6));
    options.extra = Default::default();
    assert!(!push(&mut options, counters));
    assert!(options.extra.is_empty());
}
