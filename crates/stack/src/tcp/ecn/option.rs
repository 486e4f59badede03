//! The option with AccECN's counters of bytes (RFC 9768 3.2.3), and the room that it finds in a header.

use thru_wire::tcp::{AccEcnCounters, TcpOptions};

/// The counters of a connection that has just begun, for its SYN ACK.
pub(crate) fn first_counters(ect1_first: bool) -> AccEcnCounters {
    AccEcnCounters { ect1_first, ect0: Some(1), ce: Some(0), ect1: Some(1) }
}

/// Bytes that so many reports of what arrived take.
pub(super) fn block_bytes(blocks: usize) -> usize {
    if blocks == 0 { 0 } else { 4 + 8 * blocks }
}

/// How many counters, `needed` at least, find room beside `blocks` reports of what arrived, of which one beyond two gives
/// way if it must (as Linux has it).
pub(super) fn fit_counters(room: usize, blocks: &mut usize, needed: usize) -> usize {
    for kept in [*blocks, blocks.saturating_sub(1).max(2)] {
        // What pads the reports may be shared with the counters.
        let shared = if kept > 0 { 2 } else { 0 };
        let left = room.saturating_sub(block_bytes(kept));
        let fits = |fields: &usize| {
            let size = 2 + 3 * fields;
            let size = if size % 4 > shared { size.next_multiple_of(4) } else { size / 4 * 4 };
            size <= left
        };
        if let Some(fields) = (needed.max(1)..=3).rev().find(fits) {
            *blocks = kept;
            return fields;
        }
        if *blocks <= 2 || needed == 0 {
            break;
        }
    }
    0
}

/// Adds the option as far as there is room: three counters, two or one.
pub(crate) fn push_counters(options: &mut TcpOptions, counters: AccEcnCounters, room: usize) -> bool {
    let fewer = [
        counters,
        AccEcnCounters { ect0: None, ..counters },
        AccEcnCounters { ect0: None, ce: None, ..counters },
    ];
    let last_first = [
        counters,
        AccEcnCounters { ect1: None, ..counters },
        AccEcnCounters { ect1: None, ce: None, ..counters },
    ];
    // No block that reports data makes room for it.
    let ordered = if counters.ect1_first { fewer } else { last_first };
    let sizes = [11, 8, 5];
    let fitting = ordered.into_iter().zip(sizes).find(|(_, size)| *size <= room);
    fitting.is_some_and(|(counters, _)| options.extra.push_acc_ecn(counters))
}
