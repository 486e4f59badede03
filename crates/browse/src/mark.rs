//! What is wrong with a packet, or remarkable, as one letter.

use thru_dissect::field::{FieldDef, Kind};
use thru_dissect::{Tree, fields_named};

/// A letter in front of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) letter: char,
    pub(crate) weight: Weight,
}

/// How much a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// It happens.
    Chat,
    /// It may be a cause of trouble.
    Note,
    /// It is trouble.
    Trouble,
}

/// Letter, weight, the field it stands for, and what it means. Of several the first counts.
pub(crate) static MARKS: [(char, Weight, &str, &str); 19] = [
    ('M', Weight::Trouble, "_ws.malformed", "malformed"),
    ('C', Weight::Trouble, "tcp.checksum_bad.expert", "bad checksum"),
    ('C', Weight::Trouble, "udp.checksum.bad", "bad checksum"),
    ('S', Weight::Trouble, "tcp.analysis.spurious_retransmission", "sent again needlessly"),
    ('F', Weight::Trouble, "tcp.analysis.fast_retransmission", "fast retransmission"),
    ('R', Weight::Trouble, "tcp.analysis.retransmission", "retransmission"),
    ('L', Weight::Trouble, "tcp.analysis.lost_segment", "a segment before it is missing"),
    ('A', Weight::Trouble, "tcp.analysis.ack_lost_segment", "acknowledges what is missing"),
    ('O', Weight::Trouble, "tcp.analysis.out_of_order", "out of order"),
    ('Z', Weight::Trouble, "tcp.analysis.zero_window", "the receiver's window is shut"),
    ('W', Weight::Note, "tcp.analysis.window_full", "the receiver's window is full"),
    ('P', Weight::Note, "tcp.analysis.zero_window_probe", "probe of a shut window"),
    ('p', Weight::Chat, "tcp.analysis.zero_window_probe_ack", "answer to the probe"),
    ('D', Weight::Note, "tcp.analysis.duplicate_ack", "duplicate ACK"),
    ('N', Weight::Note, "tcp.analysis.reused_ports", "ports used again"),
    ('X', Weight::Note, "tcp.connection.rst", "reset"),
    ('U', Weight::Chat, "tcp.analysis.window_update", "window update"),
    ('K', Weight::Chat, "tcp.analysis.keep_alive", "keep-alive"),
    ('k', Weight::Chat, "tcp.analysis.keep_alive_ack", "answer to a keep-alive"),
];

/// The marks with their fields.
#[derive(Debug)]
pub(crate) struct Marks(Vec<(&'static FieldDef, Mark)>);

impl Marks {
    pub(crate) fn new() -> Marks {
        let fields = MARKS.iter().flat_map(|(letter, weight, name, _)| {
            fields_named(name).into_iter().map(|def| (def, Mark { letter: *letter, weight: *weight }))
        });
        Marks(fields.collect())
    }

    /// A packet's mark.
    pub(crate) fn of(&self, tree: Tree<'_>) -> Option<Mark> {
        let remarks = tree.fields().iter().filter(|field| {
            field.def.kind == Kind::None || field.depth == 0 && field.def.name.starts_with("_ws")
        });
        let found = remarks.filter_map(|field| self.0.iter().position(|(def, _)| field.def.is(def)));
        found.min().map(|place| self.0[place].1)
    }
}
