//! Something that took time, on a layer, with an outcome and named values.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// Index of a span in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SpanId(pub u32);

/// The layers a verdict can name, from the wire up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// No layer is at fault.
    None,
    /// The cable, the Wi-Fi, and finding the neighbour on it (ARP, NDP).
    Link,
    /// Addresses, packet sizes and forwarding.
    Ip,
    /// Which way packets go between networks (BGP).
    Routing,
    /// From names to addresses.
    Dns,
    /// The reliable connection.
    Tcp,
    /// A device or host that refuses or hides packets on purpose, NAT included.
    Firewall,
    /// Encryption and certificates.
    Tls,
    /// Requests and answers.
    Http,
    /// The encrypted transport under HTTP/3.
    Quic,
    /// A helper that asks on our behalf.
    Proxy,
    /// The program that computes the answer.
    App,
    /// This machine's own configuration.
    Host,
}

impl Layer {
    /// The word used in JSON and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Layer::None => "none",
            Layer::Link => "link",
            Layer::Ip => "ip",
            Layer::Routing => "routing",
            Layer::Dns => "dns",
            Layer::Tcp => "tcp",
            Layer::Firewall => "firewall",
            Layer::Tls => "tls",
            Layer::Http => "http",
            Layer::Quic => "quic",
            Layer::Proxy => "proxy",
            Layer::App => "app",
            Layer::Host => "host",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Address family of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub const fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

/// How a span ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it was meant to do.
    Ok,
    /// Did not happen because something before it failed, or a race was lost by design.
    Skipped {
        /// Why, for people.
        why: String,
    },
    /// It failed.
    Failed {
        /// A stable word: `tcp.refused`, `dns.nxdomain`, `tls.certificate_expired`.
        code: String,
        /// For people.
        text: String,
    },
}

/// A named value of a span.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A whole number: a count, bytes, a status.
    Int(i64),
    /// Words, possibly from the network: escape before printing.
    Text(String),
    /// An IP address.
    Address(IpAddr),
    /// Nanoseconds.
    Nanos(u64),
    /// Several values in order.
    List(Vec<Value>),
    /// Named values.
    Map(BTreeMap<String, Value>),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::Text(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::Text(value)
    }
}
impl From<IpAddr> for Value {
    fn from(value: IpAddr) -> Self {
        Value::Address(value)
    }
}
impl From<Duration> for Value {
    /// Saturates after 584 years.
    fn from(value: Duration) -> Self {
        Value::Nanos(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX))
    }
}
impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(value: Vec<T>) -> Self {
        Value::List(value.into_iter().map(Into::into).collect())
    }
}
impl From<BTreeMap<String, Value>> for Value {
    fn from(value: BTreeMap<String, Value>) -> Self {
        Value::Map(value)
    }
}
macro_rules! int_values {
    ($($int:ty),*) => {$(
        impl From<$int> for Value {
            /// Saturates at the largest `i64`.
            fn from(value: $int) -> Self {
                Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
            }
        }
    )*};
}
int_values!(u8, u16, u32, u64, usize, i32, i64);

/// One span.
#[derive(Clone, Debug, Serialize)]
pub struct Span {
    /// Its place in [`crate::Trace::spans`].
    pub id: SpanId,
    /// The span it is a part of.
    pub parent: Option<SpanId>,
    /// The layer it happened on.
    pub layer: Layer,
    /// What was done, a stable word: `resolve`, `dns.query`, `route`, `hop`, `connect`, `handshake`, `exchange`, `request`, `wait`, `transfer`, `connection`, `ping`, `control`.
    pub what: String,
    /// For people: `www.shop.lab AAAA @ 203.0.113.53`.
    pub label: String,
    /// Nanoseconds since the network's instant 0.
    pub start: u64,
    /// Nanoseconds since the network's instant 0; at least `start`.
    pub end: u64,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Keys are dotted words: `tcp.rtt`, `tls.version`, `http.status`. Times are [`Value::Nanos`].
    pub values: BTreeMap<String, Value>,
    /// Numbers of the frames behind it: the first and last few, in order (see [`crate::frames::attach_frames`]).
    pub frames: Vec<u64>,
}

impl Span {
    /// How long it took, in nanoseconds.
    pub fn nanos(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether it did what it was meant to do.
    pub fn is_ok(&self) -> bool {
        self.outcome == Outcome::Ok
    }

    /// The stable word of its failure, if it failed.
    pub fn code(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Failed { code, .. } => Some(code),
            Outcome::Ok | Outcome::Skipped { .. } => None,
        }
    }

    /// Whether it failed with exactly this code.
    pub fn failed_with(&self, code: &str) -> bool {
        self.code() == Some(code)
    }

    /// The value of a key, whatever its type.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// A yes or no.
    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.value(key)? {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A whole number.
    pub fn int(&self, key: &str) -> Option<i64> {
        match self.value(key)? {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// Words.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            Value::Text(value) => Some(value),
            _ => None,
        }
    }

    /// An address, also when it was written as text, with or without a port.
    pub fn address(&self, key: &str) -> Option<IpAddr> {
        match self.value(key)? {
            Value::Address(value) => Some(*value),
            Value::Text(text) => text
                .parse()
                .ok()
                .or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip())),
            _ => None,
        }
    }

    /// An address and port, written as text: `203.0.113.5:443`, `[2001:db8::5]:443`.
    pub fn socket(&self, key: &str) -> Option<std::net::SocketAddr> {
        self.text(key)?.parse().ok()
    }

    /// A time in nanoseconds. A whole number that is not negative is read as one too.
    pub fn nanos_of(&self, key: &str) -> Option<u64> {
        match self.value(key)? {
            Value::Nanos(value) => Some(*value),
            Value::Int(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// Several values.
    pub fn list(&self, key: &str) -> Option<&[Value]> {
        match self.value(key)? {
            Value::List(values) => Some(values),
            _ => None,
        }
    }
}
