//! What a connection knows of marks: those that arrived here, and those that what it sent got on the way.

use thru_wire::tcp::AccEcnCounters;

use super::{EcnInfo, EcnMode, FIRST_PACKETS};

/// State of a connection with ECN.
#[derive(Clone, Debug)]
pub(crate) struct Marks {
    pub(super) accurate: bool,
    pub(super) capable: bool,
    /// The peer was seen to send the option, and a path that drops segments with it was not.
    pub(super) option_seen: bool,
    pub(super) option_fails: bool,
    pub(super) received: Received,
    pub(super) sent: SentMarks,
}

/// What arrived here.
#[derive(Clone, Debug)]
pub(super) struct Received {
    /// Classic: every acknowledgement says so until the peer has answered with CWR.
    pub(super) echo: bool,
    pub(super) packets: u64,
    pub(super) ect0: u64,
    pub(super) ect1: u64,
    pub(super) ce: u64,
    /// Marked packets since an acknowledgement left.
    pub(super) unacknowledged: u32,
    pub(super) last_was_marked: bool,
    /// How the peer's SYN or SYN ACK had arrived, for the acknowledgement that ends the handshake.
    pub(super) handshake: Option<u8>,
    /// The counters in the option sent last.
    pub(super) told: (u64, u64, u64),
    /// Counters that the next option has to carry at least, in the order of ECT(1), CE, ECT(0).
    pub(super) needed: u8,
    /// The option went along with a report of a duplicate.
    pub(super) told_with_duplicate: bool,
}

/// What became of what we sent, as the peer tells.
#[derive(Clone, Debug)]
pub(super) struct SentMarks {
    pub(super) packets: u64,
    pub(super) ce_bytes: u64,
    /// The counters in the peer's option, as far as they have come: of ECT(0), CE and ECT(1).
    pub(super) told: [u64; 3],
    /// Segments that an acknowledgement delivers on average, in 64ths.
    pub(super) delivers: u64,
    /// Marked, and delivered at all, in bytes: to notice that everything is marked.
    pub(super) delivered: u64,
    pub(super) counted: u64,
    pub(super) first_seen: bool,
    /// The timestamp of the newest acknowledgement taken in.
    pub(super) newest: Option<u32>,
    /// Classic: the next new data tells that we have slowed down.
    pub(super) cwr_due: bool,
    /// Until more than this is acknowledged, marks are answered already: the segment that says so follows it.
    pub(super) reduced_until: u64,
    pub(super) reductions: u64,
}

impl Marks {
    pub(super) fn new(mode: EcnMode) -> Marks {
        Marks {
            accurate: mode == EcnMode::Accurate,
            capable: true,
            option_seen: false,
            option_fails: false,
            received: Received {
                echo: false,
                packets: FIRST_PACKETS,
                ect0: 1,
                ect1: 1,
                ce: 0,
                unacknowledged: 0,
                last_was_marked: false,
                handshake: None,
                told: (1, 1, 0),
                needed: 0,
                told_with_duplicate: false,
            },
            sent: SentMarks {
                packets: FIRST_PACKETS,
                ce_bytes: 0,
                told: [1, 0, 1],
                delivers: 0,
                delivered: 0,
                counted: 0,
                first_seen: false,
                newest: None,
                cwr_due: false,
                reduced_until: 0,
                reductions: 0,
            },
        }
    }

    /// The peer says how our SYN or SYN ACK, which was not ECT, arrived (RFC 9768 3.2.2.3 and tables 3 and 4).
    pub(super) fn judge_handshake(&mut self, code: u8, validates: bool) {
        if code == 0b110 {
            self.sent.packets += 1;
        }
        // Somebody on the way writes into the field: what it says later is worth nothing.
        if validates && matches!(code, 0 | 0b011 | 0b100 | 0b110) {
            self.capable = false;
        }
    }

    pub(super) fn counters(&self) -> AccEcnCounters {
        let Received { ect0, ect1, ce, told, .. } = self.received;
        let low = |bytes: u64| Some(bytes as u32 & 0xff_ffff);
        // The one that moves comes first, so that it is there if room is short.
        let ect1_first = ect1 != told.1 && ect0 == told.0;
        AccEcnCounters { ect1_first, ect0: low(ect0), ce: low(ce), ect1: low(ect1) }
    }

    pub(super) fn info(&self) -> EcnInfo {
        let Received { packets, ect0, ect1, ce, .. } = self.received;
        EcnInfo {
            mode: if self.accurate { EcnMode::Accurate } else { EcnMode::Classic },
            capable: self.capable,
            delivered_ce: if self.accurate { self.sent.packets - FIRST_PACKETS } else { self.sent.counted },
            delivered_ce_bytes: self.sent.told[1],
            delivered_ect0_bytes: self.sent.told[0] - 1,
            delivered_ect1_bytes: self.sent.told[2] - 1,
            received_ce: packets - FIRST_PACKETS,
            received_ect0_bytes: ect0 - 1,
            received_ect1_bytes: ect1 - 1,
            received_ce_bytes: ce,
            reductions: self.sent.reductions,
        }
    }

    pub(super) fn window_reduced(&mut self, nxt: u64) {
        self.sent.reduced_until = nxt;
        self.sent.cwr_due = !self.accurate;
    }
}
