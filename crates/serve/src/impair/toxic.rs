//! What can be done to a connection, under Toxiproxy's names, and two more: `loss` and `jitter` in `latency`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The direction that a toxic harms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// From the client to the server.
    Upstream,
    /// From the server to the client.
    Downstream,
}

impl Stream {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Upstream => "upstream",
            Stream::Downstream => "downstream",
        }
    }

    /// From the API's word.
    pub fn named(name: &str) -> Option<Stream> {
        match name.to_ascii_lowercase().as_str() {
            "upstream" => Some(Stream::Upstream),
            "downstream" => Some(Stream::Downstream),
            _ => None,
        }
    }
}

/// What is done, with its attributes. Times in milliseconds unless their name says otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Data arrives later.
    Latency {
        /// By this much,
        latency: u64,
        /// more or less at most this.
        jitter: u64,
    },
    /// No more than so many kilobytes (of 1,000 bytes) a second.
    Bandwidth {
        /// Kilobytes a second.
        rate: u64,
    },
    /// The end of the connection comes later.
    SlowClose {
        /// By this much.
        delay: u64,
    },
    /// Nothing gets through; the connection is closed after a time.
    Timeout {
        /// The time; 0: never, but when the toxic is taken away.
        timeout: u64,
    },
    /// The connection is reset after a time.
    ResetPeer {
        /// The time.
        timeout: u64,
    },
    /// Data is cut into small pieces.
    Slicer {
        /// Bytes of a piece,
        average_size: u64,
        /// more or less at most this.
        size_variation: u64,
        /// Microseconds between pieces.
        delay: u64,
    },
    /// The connection is closed after so many bytes.
    LimitData {
        /// How many.
        bytes: u64,
    },
    /// Segments are lost: what TCP makes of it. The data waits, with all behind it, until it is sent again.
    Loss {
        /// Of a million segments, so many.
        per_million: u64,
        /// How long sending again takes.
        delay: u64,
    },
}

impl Kind {
    /// The kinds there are: name, and the attributes each has.
    pub const ALL: [(&'static str, &'static [&'static str]); 8] = [
        ("latency", &["latency", "jitter"]),
        ("bandwidth", &["rate"]),
        ("slow_close", &["delay"]),
        ("timeout", &["timeout"]),
        ("reset_peer", &["timeout"]),
        ("slicer", &["average_size", "size_variation", "delay"]),
        ("limit_data", &["bytes"]),
        ("loss", &["per_million", "delay"]),
    ];

    /// The kind of this name, every attribute 0.
    pub fn named(name: &str) -> Option<Kind> {
        Some(match name {
            "latency" => Kind::Latency { latency: 0, jitter: 0 },
            "bandwidth" => Kind::Bandwidth { rate: 0 },
            "slow_close" => Kind::SlowClose { delay: 0 },
            "timeout" => Kind::Timeout { timeout: 0 },
            "reset_peer" => Kind::ResetPeer { timeout: 0 },
            "slicer" => Kind::Slicer { average_size: 0, size_variation: 0, delay: 0 },
            "limit_data" => Kind::LimitData { bytes: 0 },
            "loss" => Kind::Loss { per_million: 0, delay: 200 },
            _ => return None,
        })
    }

    fn place(&self) -> usize {
        match self {
            Kind::Latency { .. } => 0,
            Kind::Bandwidth { .. } => 1,
            Kind::SlowClose { .. } => 2,
            Kind::Timeout { .. } => 3,
            Kind::ResetPeer { .. } => 4,
            Kind::Slicer { .. } => 5,
            Kind::LimitData { .. } => 6,
            Kind::Loss { .. } => 7,
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        Kind::ALL[self.place()].0
    }

    /// Its attributes by name.
    pub fn attributes(&self) -> Vec<(&'static str, u64)> {
        let values = match *self {
            Kind::Latency { latency, jitter } => vec![latency, jitter],
            Kind::Bandwidth { rate } => vec![rate],
            Kind::SlowClose { delay } => vec![delay],
            Kind::Timeout { timeout } | Kind::ResetPeer { timeout } => vec![timeout],
            Kind::Slicer { average_size, size_variation, delay } => vec![average_size, size_variation, delay],
            Kind::LimitData { bytes } => vec![bytes],
            Kind::Loss { per_million, delay } => vec![per_million, delay],
        };
        Kind::ALL[self.place()].1.iter().copied().zip(values).collect()
    }

    /// Sets an attribute; those it does not have are passed over, as Toxiproxy does.
    pub fn set(&mut self, name: &str, to: u64) {
        let field = match (self, name) {
            (Kind::Latency { latency, .. }, "latency") => latency,
            (Kind::Latency { jitter, .. }, "jitter") => jitter,
            (Kind::Bandwidth { rate }, "rate") => rate,
            (Kind::SlowClose { delay } | Kind::Slicer { delay, .. } | Kind::Loss { delay, .. }, "delay") => {
                delay
            }
            (Kind::Timeout { timeout } | Kind::ResetPeer { timeout }, "timeout") => timeout,
            (Kind::Slicer { average_size, .. }, "average_size") => average_size,
            (Kind::Slicer { size_variation, .. }, "size_variation") => size_variation,
            (Kind::LimitData { bytes }, "bytes") => bytes,
            (Kind::Loss { per_million, .. }, "per_million") => per_million,
            _ => return,
        };
        *field = to;
    }
}

/// One of them on a proxy.
#[derive(Clone, Debug, PartialEq)]
pub struct Toxic {
    /// Its name; empty: the kind's and the direction's.
    pub name: String,
    /// Which direction.
    pub stream: Stream,
    /// The chance that a connection has it, from 0 to 1; drawn once a connection.
    pub toxicity: f64,
    /// What it does.
    pub kind: Kind,
}

/// What is wrong with a toxic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToxicError {
    /// There is no such kind.
    Kind,
    /// There is no such direction.
    Stream,
    /// There is one of that name.
    Exists,
    /// The toxicity is no chance.
    Toxicity,
}

/// A toxic with the number of its making: one that is taken away and added again is another.
#[derive(Clone, Debug)]
pub(super) struct Numbered {
    pub(super) number: u64,
    pub(super) toxic: Toxic,
}

/// The toxics of one proxy; whoever waits is told of changes.
#[derive(Debug)]
pub(super) struct Toxics {
    list: Mutex<List>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct List {
    toxics: Vec<Numbered>,
    made: u64,
}

impl Toxics {
    pub(super) fn new(toxics: Vec<Toxic>) -> Arc<Toxics> {
        let made = Arc::new(Toxics { list: Mutex::default(), changed: watch::channel(0).0 });
        for toxic in toxics {
            let _ = made.add(toxic);
        }
        made
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn all(&self) -> Vec<Toxic> {
        self.list().toxics.iter().map(|numbered| numbered.toxic.clone()).collect()
    }

    /// Those of one direction.
    pub(super) fn of(&self, stream: Stream) -> Vec<Numbered> {
        self.list().toxics.iter().filter(|numbered| numbered.toxic.stream == stream).cloned().collect()
    }

    /// Tells of changes from now on.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn add(&self, mut toxic: Toxic) -> Result<Toxic, ToxicError> {
        if !(0.0..=1.0).contains(&toxic.toxicity) {
            return Err(ToxicError::Toxicity);
        }
        if toxic.name.is_empty() {
            toxic.name = format!("{}_{}", toxic.kind.name(), toxic.stream.name());
        }
        let mut list = self.list();
        if list.toxics.iter().any(|other| other.toxic.name == toxic.name) {
            return Err(ToxicError::Exists);
        }
        list.made += 1;
        let number = list.made;
        list.toxics.push(Numbered { number, toxic: toxic.clone() });
        drop(list);
        self.tell();
        Ok(toxic)
    }

    /// `None`: there is none of that name.
    pub(super) fn change(
        &self,
        name: &str,
        change: impl FnOnce(&mut Toxic) -> Result<(), ToxicError>,
    ) -> Option<Result<Toxic, ToxicError>> {
        let mut list = self.list();
        let found = list.toxics.iter_mut().find(|numbered| numbered.toxic.name == name)?;
        let mut wanted = found.toxic.clone();
        let result = change(&mut wanted).and_then(|()| {
            if (0.0..=1.0).contains(&wanted.toxicity) { Ok(()) } else { Err(ToxicError::Toxicity) }
        });
        if let Err(error) = result {
            return Some(Err(error));
        }
        found.toxic = wanted.clone();
        drop(list);
        self.tell();
        Some(Ok(wanted))
    }

    pub(super) fn remove(&self, name: &str) -> bool {
        let mut list = self.list();
        let before = list.toxics.len();
        list.toxics.retain(|numbered| numbered.toxic.name != name);
        let removed = list.toxics.len() < before;
        drop(list);
        self.tell();
        removed
    }

    pub(super) fn clear(&self) {
        self.list().toxics.clear();
        self.tell();
    }

    fn tell(&self) {
        self.changed.send_modify(|version| *version += 1);
    }
}
