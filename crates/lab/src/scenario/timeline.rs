//! What changes when: `[[at]]`.

use std::time::Duration;

use super::{RouteLine, Rule, ServiceKind};

/// A change at a time.
#[derive(Clone, Debug)]
pub struct Event {
    /// Time since the start.
    pub at: Duration,
    /// Undone after this long; `None`: stays.
    pub lasts: Option<Duration>,
    /// What changes.
    pub change: Change,
}

impl Event {
    /// When it is undone, since the start; `None`: never.
    pub fn ends(&self) -> Option<Duration> {
        self.lasts.map(|lasts| self.at + lasts)
    }

    /// Whether it has begun at `now`, and is not undone.
    pub fn in_force(&self, now: Duration) -> bool {
        self.at <= now && self.ends().is_none_or(|end| end > now)
    }
}

/// What changes.
#[derive(Clone, Debug)]
pub enum Change {
    /// Settings of a link: key and value, as in the link language.
    Link {
        /// Index of the link.
        link: usize,
        /// Keys and values, applied in this order.
        settings: Vec<(String, String)>,
    },
    /// A link goes down or comes up.
    Up {
        /// Index of the link.
        link: usize,
        /// Whether it is up from then on.
        up: bool,
    },
    /// A service's settings.
    Service {
        /// Index of the service.
        service: usize,
        /// All its settings just before.
        from: Box<ServiceKind>,
        /// All its settings from then on.
        to: Box<ServiceKind>,
        /// All its settings once this is undone: those that other changes made meanwhile stay.
        after: Box<ServiceKind>,
    },
    /// Routes of a node; each replaces those of its prefix.
    Routes {
        /// Index of the node.
        node: usize,
        /// The new lines.
        routes: Vec<RouteLine>,
    },
    /// Packet filter rules of a node, replacing those it had.
    Rules {
        /// Index of the node.
        node: usize,
        /// The new rules.
        rules: Vec<Rule>,
    },
    /// A node asks a name server to change a zone (RFC 2136).
    Update {
        /// Index of the node.
        node: usize,
        /// Index of the service that is asked.
        to: usize,
        /// The zone.
        zone: String,
        /// What is to change, in nsupdate's words.
        lines: Vec<String>,
    },
    /// The date jumps; the clock does not.
    Date {
        /// Nanoseconds since the Unix epoch, from this event on.
        unix_nanos: u64,
    },
}
