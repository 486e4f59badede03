//! Building a trace by hand: for tests, and for whoever turns foreign records into spans.

use crate::{Layer, Outcome, Span, SpanId, Trace, Value};
use std::collections::BTreeMap;

/// A span that is not in a trace yet. [`Trace::add`] gives it its id.
#[derive(Clone, Debug)]
pub struct Step {
    span: Span,
}

impl Step {
    /// A step that went well and took no time, at instant 0.
    pub fn new(layer: Layer, what: &str, label: &str) -> Step {
        Step {
            span: Span {
                id: SpanId(0),
                parent: None,
                layer,
                what: what.to_owned(),
                label: label.to_owned(),
                start: 0,
                end: 0,
                outcome: Outcome::Ok,
                values: BTreeMap::new(),
                frames: Vec::new(),
            },
        }
    }

    /// Makes it a part of another span.
    pub fn under(mut self, parent: SpanId) -> Step {
        self.span.parent = Some(parent);
        self
    }

    /// When it began and ended, in nanoseconds.
    pub fn at(mut self, start: u64, end: u64) -> Step {
        (self.span.start, self.span.end) = (start, end);
        self
    }

    /// When it began and ended, in milliseconds.
    pub fn at_ms(self, start: u64, end: u64) -> Step {
        self.at(start * 1_000_000, end * 1_000_000)
    }

    /// Sets a named value.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Step {
        self.span.values.insert(key.to_owned(), value.into());
        self
    }

    /// Sets a named time in milliseconds.
    pub fn set_ms(self, key: &str, millis: u64) -> Step {
        self.set(key, Value::Nanos(millis * 1_000_000))
    }

    /// The frames behind it.
    pub fn frames(mut self, numbers: &[u64]) -> Step {
        self.span.frames = numbers.to_vec();
        self
    }

    /// It failed.
    pub fn failed(mut self, code: &str, text: &str) -> Step {
        self.span.outcome = Outcome::Failed { code: code.to_owned(), text: text.to_owned() };
        self
    }

    /// It was not done.
    pub fn skipped(mut self, why: &str) -> Step {
        self.span.outcome = Outcome::Skipped { why: why.to_owned() };
        self
    }
}

impl Trace {
    /// Adds a step as the last span, and lets the spans it is a part of last at least as long.
    pub fn add(&mut self, step: Step) -> SpanId {
        let id = SpanId(u32::try_from(self.spans.len()).expect("fewer than 2^32 spans"));
        let (parent, end) = (step.span.parent, step.span.end);
        self.spans.push(Span { id, ..step.span });
        let mut around = parent;
        while let Some(span) = around.and_then(|id| self.spans.get_mut(id.0 as usize)) {
            span.end = span.end.max(end);
            // Parents come first, so ids fall on the way up and this ends.
            around = span.parent.filter(|parent| *parent < span.id);
        }
        id
    }
}
