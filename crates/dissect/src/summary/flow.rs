//! Which flow is meant: `tcp:3`, `udp:0`, `tls:3`, `dtls:0`, `http2:3,1`, `quic:0,4`, `http3:0,4`.

use crate::protocols::{quic, tcp, udp};
use crate::summary::unquoted;
use crate::tree::{Carrier, Tree};
use std::fmt;
use std::str::FromStr;

/// A flow, and a stream within it where there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowId {
    /// What carries it.
    pub carrier: Carrier,
    /// `tcp.stream`, `udp.stream` or `quic.connection.number`.
    pub flow: u64,
    /// `http2.streamid` or `quic.stream.stream_id`; `None`: all of them.
    pub stream: Option<u64>,
}

/// A word that names no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAFlow;

impl fmt::Display for NotAFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it names no flow: tcp:3, udp:0, tls:3, dtls:0, http2:3,1, quic:0,4 and http3:0,4 do")
    }
}

impl std::error::Error for NotAFlow {}

impl FromStr for FlowId {
    type Err = NotAFlow;

    fn from_str(text: &str) -> Result<FlowId, NotAFlow> {
        let (carrier, numbers) = text.split_once(':').ok_or(NotAFlow)?;
        let (carrier, has_streams) = match carrier {
            "tcp" => (Carrier::Tcp, false),
            "tls" => (Carrier::Tls, false),
            "udp" => (Carrier::Udp, false),
            "dtls" => (Carrier::Dtls, false),
            "http2" => (Carrier::Http2, true),
            "quic" => (Carrier::Quic, true),
            "http3" => (Carrier::Http3, true),
            _ => return Err(NotAFlow),
        };
        let (flow, stream) = match numbers.split_once(',') {
            Some((flow, stream)) if has_streams => (flow, Some(stream.parse().map_err(|_| NotAFlow)?)),
            Some(_) => return Err(NotAFlow),
            None => (numbers, None),
        };
        Ok(FlowId { carrier, flow: flow.parse().map_err(|_| NotAFlow)?, stream })
    }
}

impl FlowId {
    /// Whether a packet belongs to the flow; its streams are not told apart.
    pub(crate) fn has(&self, tree: Tree<'_>) -> bool {
        let def = match self.carrier {
            Carrier::Tcp | Carrier::Tls | Carrier::Http2 => &tcp::STREAM,
            Carrier::Udp | Carrier::Dtls => &udp::STREAM,
            Carrier::Quic | Carrier::Http3 => &quic::CONNECTION,
        };
        unquoted(tree).any(|field| field.def.is(def) && field.value == self.flow)
    }
}
