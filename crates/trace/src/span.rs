//! Something that took time, on a layer, with an outcome and named values.

use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Index of a span in its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SpanId(pub u32);

/// The layers a verdict can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer { None, Link, Ip, Routing, Dns, Tcp, Firewall, Tls, Http, Quic, Proxy, App, Host }

/// Address family of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family { V4, V6 }

/// How a span ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    /// Did not happen because something before it failed, or a race was lost by design.
    Skipped { why: String },
    /// `code` is a stable word (`tcp.refused`, `dns.nxdomain`, `tls.certificate_expired`); `text` is for people.
    Failed { code: String, text: String },
}

/// A named value of a span.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value { Bool(bool), Int(i64), Text(String), Address(IpAddr), /** Nanoseconds. */ Nanos(u64), List(Vec<Value>), Map(BTreeMap<String, Value>) }

/// One span.
#[derive(Clone, Debug, Serialize)]
pub struct Span {
    pub id: SpanId,
    pub parent: Option<SpanId>,
    pub layer: Layer,
    /// What was done, a stable word: `resolve`, `dns.query`, `route`, `hop`, `connect`, `handshake`, `request`, `wait`, `transfer`, `control`...
    pub what: String,
    /// For people: `www.shop.lab AAAA @ 203.0.113.53`.
    pub label: String,
    /// Nanoseconds since the network's instant 0.
    pub start: u64,
    pub end: u64,
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Keys are dotted words with units last: `tcp.rtt_nanos`, `tls.version`, `http.status`.
    pub values: BTreeMap<String, Value>,
    /// Numbers of the frames behind it (filled from the capture where there is one).
    pub frames: Vec<u64>,
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<u64> for Value {
    /// Saturates at `i64::MAX`.
    fn from(value: u64) -> Value {
        Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::Int(i64::from(value))
    }
}

impl From<usize> for Value {
    /// Saturates at `i64::MAX`.
    fn from(value: usize) -> Value {
        Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value)
    }
}

impl From<IpAddr> for Value {
    fn from(value: IpAddr) -> Value {
        Value::Address(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Value {
        Value::List(value)
    }
}
