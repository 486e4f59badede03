use super::*;

/// Who, when in milliseconds, flags, seq, ack, length, window; and what is found.
type Row = (usize, u64, u16, u32, u32, u32, u16, u32);

/// Both sides of a connection as a table.
fn check(rows: &[Row]) {
    let mut flow = TcpFlow::new(0);
    for (number, &(side, at, flags, seq, ack, len, window, expected)) in rows.iter().enumerate() {
        let segment = Segment {
            number: number as u64 + 1,
            time: 1_000_000_000 + at * 1_000_000,
            seq,
            ack,
            flags,
            window,
            len,
            scale: None,
            is_cut: false,
            sack: &[],
        };
        let found = flow.segment(side, &segment);
        assert_eq!(found.flags, Flags(expected), "row {number}: {found:?}");
    }
}

const HANDSHAKE: [Row; 3] = [
    (0, 0, SYN, 100, 0, 0, 1000, 0),
    (1, 50, SYN | ACK, 500, 101, 0, 1000, 0),
    (0, 50, ACK, 101, 501, 0, 1000, 0),
];

#[test]
fn a_retransmission_after_a_timeout() {
    check(
        &[
            &HANDSHAKE[..],
            &[
                (0, 60, ACK, 101, 501, 100, 1000, 0),
                (0, 300, ACK, 101, 501, 100, 1000, Flags::RETRANSMISSION),
                (1, 350, ACK, 501, 201, 0, 1000, 0),
                (0, 360, ACK, 101, 501, 100, 1000, Flags::SPURIOUS_RETRANSMISSION),
            ],
        ]
        .concat(),
    );
}

#[test]
fn a_gap_duplicate_acks_and_a_fast_retransmission() {
    check(
        &[
            &HANDSHAKE[..],
            &[
                (0, 60, ACK, 101, 501, 100, 1000, 0),
                (0, 61, ACK, 301, 501, 100, 1000, Flags::LOST_SEGMENT),
                (1, 110, ACK, 501, 201, 0, 1000, 0),
                (1, 111, ACK, 501, 201, 0, 1000, Flags::DUPLICATE_ACK),
                (1, 112, ACK, 501, 201, 0, 1000, Flags::DUPLICATE_ACK),
                (0, 113, ACK, 201, 501, 100, 1000, Flags::FAST_RETRANSMISSION),
            ],
        ]
        .concat(),
    );
}

#[test]
fn a_segment_that_was_overtaken() {
    check(
        &[
            &HANDSHAKE[..],
            &[
                (0, 60, ACK, 201, 501, 100, 1000, Flags::LOST_SEGMENT),
                (0, 61, ACK, 101, 501, 100, 1000, Flags::OUT_OF_ORDER),
            ],
        ]
        .concat(),
    );
}

#[test]
fn windows_and_keep_alives() {
    check(
        &[
            &HANDSHAKE[..],
            &[
                (0, 60, ACK, 101, 501, 1000, 1000, Flags::WINDOW_FULL),
                (1, 110, ACK, 501, 1101, 0, 0, Flags::ZERO_WINDOW),
                (0, 400, ACK, 1101, 501, 1, 1000, Flags::ZERO_WINDOW_PROBE),
                (1, 450, ACK, 501, 1101, 0, 0, Flags::ZERO_WINDOW | Flags::ZERO_WINDOW_PROBE_ACK),
                (1, 500, ACK, 501, 1101, 0, 1000, Flags::WINDOW_UPDATE),
                (0, 900, ACK, 1100, 501, 0, 1000, Flags::KEEP_ALIVE),
                (1, 950, ACK, 501, 1101, 0, 1000, Flags::KEEP_ALIVE_ACK),
            ],
        ]
        .concat(),
    );
}

#[test]
fn numbers_that_wrap() {
    let near = u32::MAX - 50;
    check(&[
        (0, 0, SYN, near.wrapping_sub(1), 0, 0, 1000, 0),
        (1, 50, SYN | ACK, 500, near, 0, 1000, 0),
        (0, 50, ACK, near, 501, 0, 1000, 0),
        (0, 60, ACK, near, 501, 100, 1000, 0),
        (0, 61, ACK, near.wrapping_add(100), 501, 100, 1000, 0),
        (1, 110, ACK, 501, near.wrapping_add(200), 0, 1000, 0),
    ]);
}
