//! Finding spans, and checking that a trace is consistent.

use crate::{Packet, Span, SpanId, Trace};
use std::fmt;

impl Trace {
    /// The span with this id.
    pub fn span(&self, id: SpanId) -> Option<&Span> {
        // Ids are places in the list; the search is for traces that were cut or merged.
        self.spans
            .get(id.0 as usize)
            .filter(|span| span.id == id)
            .or_else(|| self.spans.iter().find(|span| span.id == id))
    }

    /// The parts of a span, in order of start.
    pub fn children(&self, id: SpanId) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(move |span| span.parent == Some(id))
    }

    /// Spans that are part of nothing else, in order of start.
    pub fn roots(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(|span| span.parent.is_none())
    }

    /// Spans of one kind: `trace.all("dns.query")`.
    pub fn all<'a>(&'a self, what: &'a str) -> impl Iterator<Item = &'a Span> + 'a {
        self.spans.iter().filter(move |span| span.what == what)
    }

    /// Parts of a span of one kind.
    pub fn children_of<'a>(&'a self, id: SpanId, what: &'a str) -> impl Iterator<Item = &'a Span> + 'a {
        self.children(id).filter(move |span| span.what == what)
    }

    /// The span and all that it is a part of, innermost first. Ends even if parents form a ring.
    pub fn ancestry<'a>(&'a self, span: &'a Span) -> impl Iterator<Item = &'a Span> + 'a {
        std::iter::successors(Some(span), |span| span.parent.and_then(|parent| self.span(parent)))
            .take(self.spans.len())
    }

    /// Whether `span` is, or is a part of, a span for which `is` holds.
    pub fn within(&self, span: &Span, is: impl Fn(&Span) -> bool) -> bool {
        self.ancestry(span).any(is)
    }

    /// Whether the span is not part of the request itself but of a check beside it: a control, a ping, a route.
    pub fn is_check(&self, span: &Span) -> bool {
        self.within(span, |span| matches!(span.what.as_str(), "control" | "ping" | "route"))
    }

    /// The frame with this number.
    pub fn packet(&self, number: u64) -> Option<&Packet> {
        // Usually they are numbered without a gap; of a capture, those that matter are left, in their order.
        let place = usize::try_from(number.checked_sub(1)?).ok()?;
        let usual = self.packets.get(place).filter(|packet| packet.number == number);
        usual.or_else(|| {
            let place = self.packets.binary_search_by_key(&number, |packet| packet.number).ok()?;
            self.packets.get(place)
        })
    }

    /// An address for people: with its name, where one was learned.
    pub fn named(&self, address: std::net::IpAddr) -> String {
        match self.names.iter().find(|(known, _)| *known == address) {
            Some((_, name)) => format!("{} ({address})", name.trim_end_matches('.')),
            None => address.to_string(),
        }
    }

    /// The last instant of any span, in nanoseconds.
    pub fn end(&self) -> u64 {
        self.spans.iter().map(|span| span.end).max().unwrap_or(0)
    }

    /// What is inconsistent about this trace; empty when all is well.
    pub fn check(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        for (place, span) in self.spans.iter().enumerate() {
            if span.id.0 as usize != place {
                flaws.push(Flaw::Misplaced { id: span.id, place });
            }
            if span.end < span.start {
                flaws.push(Flaw::EndsBeforeStart(span.id));
            }
            if let Some(parent) = span.parent {
                match self.span(parent) {
                    None => flaws.push(Flaw::NoParent { id: span.id, parent }),
                    Some(_) if parent >= span.id => {
                        flaws.push(Flaw::ParentLater { id: span.id, parent });
                    }
                    Some(around) if span.start < around.start || span.end > around.end => {
                        flaws.push(Flaw::OutsideParent { id: span.id, parent });
                    }
                    Some(_) => {}
                }
            }
            for &frame in &span.frames {
                if self.packet(frame).is_none() {
                    flaws.push(Flaw::NoFrame { id: span.id, frame });
                }
            }
        }
        for (place, packet) in self.packets.iter().enumerate() {
            if packet.number != place as u64 + 1 {
                flaws.push(Flaw::Misnumbered { number: packet.number, place });
            }
            if packet.interface as usize >= self.interfaces.len() {
                flaws.push(Flaw::NoInterface(packet.number));
            }
        }
        flaws
    }
}

/// Something inconsistent in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The id is not the span's place in the list.
    Misplaced {
        /// The span.
        id: SpanId,
        /// Where it stands, from 0.
        place: usize,
    },
    /// The span ends before it starts.
    EndsBeforeStart(SpanId),
    /// The parent does not exist.
    NoParent {
        /// The span.
        id: SpanId,
        /// The parent it names.
        parent: SpanId,
    },
    /// The parent comes after its part (or is the span itself).
    ParentLater {
        /// The span.
        id: SpanId,
        /// The parent it names.
        parent: SpanId,
    },
    /// The span starts before its parent or ends after it.
    OutsideParent {
        /// The span.
        id: SpanId,
        /// Its parent.
        parent: SpanId,
    },
    /// The span cites a frame that was not captured.
    NoFrame {
        /// The span.
        id: SpanId,
        /// The number cited.
        frame: u64,
    },
    /// The packet's number is not its place.
    Misnumbered {
        /// The number it has.
        number: u64,
        /// Where it stands, from 0.
        place: usize,
    },
    /// The packet names an interface that is not listed.
    NoInterface(u64),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Misplaced { id, place } => write!(f, "span {} stands at place {place}", id.0),
            Flaw::EndsBeforeStart(id) => write!(f, "span {} ends before it starts", id.0),
            Flaw::NoParent { id, parent } => {
                write!(f, "span {} names parent {}, which does not exist", id.0, parent.0)
            }
            Flaw::ParentLater { id, parent } => {
                write!(f, "span {} names parent {}, which comes later", id.0, parent.0)
            }
            Flaw::OutsideParent { id, parent } => {
                write!(f, "span {} lasts beyond its parent {}", id.0, parent.0)
            }
            Flaw::NoFrame { id, frame } => {
                write!(f, "span {} cites frame {frame}, which was not captured", id.0)
            }
            Flaw::Misnumbered { number, place } => {
                write!(f, "frame {number} stands at place {place}")
            }
            Flaw::NoInterface(number) => {
                write!(f, "frame {number} names an interface that is not listed")
            }
        }
    }
}

#[cfg(test)]
mod tests;
