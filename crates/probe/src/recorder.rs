//! Writes spans: every probe shares one recorder, so the story comes out in one order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use thru_net::Network;
use thru_trace::{Layer, Outcome, Span, SpanId, Value};
use thru_wire::Instant;

/// Collects the spans of one trace. Cheap to clone: clones write to the same list.
#[derive(Clone)]
pub struct Recorder {
    network: Network,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Recorder {
    /// A recorder whose times are those of `network`.
    pub fn new(network: Network) -> Recorder {
        Recorder { network, spans: Arc::default() }
    }

    /// The network whose clock this recorder reads.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Opens a span now.
    pub fn open(&self, parent: Option<SpanId>, layer: Layer, what: &str, label: impl Into<String>) -> SpanId {
        self.open_at(parent, layer, what, label, self.network.now())
    }

    /// Opens a span that began at `start`.
    pub fn open_at(
        &self,
        parent: Option<SpanId>,
        layer: Layer,
        what: &str,
        label: impl Into<String>,
        start: Instant,
    ) -> SpanId {
        let mut spans = self.lock();
        let id = SpanId(u32::try_from(spans.len()).expect("fewer than 2^32 spans"));
        spans.push(Span {
            id,
            parent,
            layer,
            what: what.to_owned(),
            label: label.into(),
            start: start.nanos(),
            end: start.nanos(),
            outcome: Outcome::Ok,
            values: BTreeMap::new(),
            frames: Vec::new(),
        });
        id
    }

    /// Sets a named value.
    pub fn set(&self, id: SpanId, key: &str, value: impl Into<Value>) {
        self.edit(id, |span| {
            span.values.insert(key.to_owned(), value.into());
        });
    }

    /// Sets a duration, in nanoseconds.
    pub fn set_duration(&self, id: SpanId, key: &str, duration: Duration) {
        self.set(id, key, Value::Nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)));
    }

    /// Ends a span now, well.
    pub fn ok(&self, id: SpanId) {
        let now = self.network.now().nanos();
        self.edit(id, |span| span.end = now);
    }

    /// Ends a span now, badly: `code` is one of the stable words, `text` is for people.
    pub fn fail(&self, id: SpanId, code: impl Into<String>, text: impl Into<String>) {
        let now = self.network.now().nanos();
        let (code, text) = (code.into(), text.into());
        self.edit(id, |span| {
            span.end = now;
            span.outcome = Outcome::Failed { code, text };
        });
    }

    /// Ends a span now because something else made it needless.
    pub fn skip(&self, id: SpanId, why: impl Into<String>) {
        let now = self.network.now().nanos();
        let why = why.into();
        self.edit(id, |span| {
            span.end = now;
            span.outcome = Outcome::Skipped { why };
        });
    }

    /// Sets when a span began and ended, for what was timed elsewhere.
    pub fn set_times(&self, id: SpanId, start: Instant, end: Instant) {
        self.edit(id, |span| {
            span.start = start.nanos();
            span.end = end.nanos();
        });
    }

    /// Changes a span in place.
    pub fn edit(&self, id: SpanId, change: impl FnOnce(&mut Span)) {
        if let Some(span) = self.lock().get_mut(id.0 as usize) {
            change(span);
        }
    }

    /// A copy of a span as it is now.
    pub fn span(&self, id: SpanId) -> Option<Span> {
        self.lock().get(id.0 as usize).cloned()
    }

    /// The failure code of a span, if it failed.
    pub fn code(&self, id: SpanId) -> Option<String> {
        match self.span(id)?.outcome {
            Outcome::Failed { code, .. } => Some(code),
            Outcome::Ok | Outcome::Skipped { .. } => None,
        }
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Span>> {
        self.spans.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
