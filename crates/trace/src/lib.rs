//! The vocabulary of one request's story: spans, values, and the packets behind them.
//!
//! Live probes, our own stack and (later) the analysis of a foreign capture all produce a [`Trace`];
//! the diagnosis reads it; every output is a view of it. It holds no protocol's logic, reads no clock
//! and opens nothing.
//!
//! - [`Trace`]: start here.
//! - [`span`]: something that took time, on a layer, with an outcome and named values.
//! - [`query`]: finding spans, and checking that a trace is consistent.
//! - [`step`]: building a trace by hand.
//! - [`packet`]: a captured frame with its number and its fate.
//! - [`configured`]: what the network gave its hosts: DHCP's messages, advertisements of routers.
//! - [`cost`]: what a diagnosis took beyond the request itself.
//! - [`frames`]: which frames stand behind which span, and what a frame says of itself.
//! - [`arrivals()`]: what the frames that arrived show of the way: damage, second copies, overtaking.
//! - [`neighbours`]: who was looked for on the local network: who never answered, and for whom two did.
//! - [`offers`]: what both ends offered at the beginning, and their windows.
//! - [`staple`]: what a server shows about the revocation of its certificate.
//! - [`ways`]: how many routers the server's packets passed, and what else its frames show.
//! - [`fault`]: the ids and one-line meanings of the causes in the fault catalogue.
//! - [`verdict`]: which layer, which causes, how sure, by what evidence.
//! - [`certificate`]: what certificates say.
//! - [`words`]: what curl, Chrome and others call the same failure.

pub mod arrivals;
pub mod certificate;
pub mod configured;
pub mod cost;
pub mod fault;
pub mod frames;
pub mod neighbours;
pub mod offers;
pub mod packet;
pub mod query;
pub mod span;
pub mod staple;
pub mod step;
pub mod verdict;
pub mod ways;
pub mod words;

pub use arrivals::{Arrivals, arrivals};
pub use frames::attach_frames;
pub use packet::{Packet, PacketFate};
use serde::Serialize;
pub use span::{Family, Layer, Outcome, Span, SpanId, Value};
pub use step::Step;
pub use verdict::{Also, Evidence, Next, RuledOut, Status, Verdict, Who};
pub use words::Words;

/// The story of one request.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Trace {
    /// What was asked for, as the user said it: `https://www.shop.lab/`.
    pub target: String,
    /// The network it ran on: `host`, `lab:internet`.
    pub network: String,
    /// The lab's seed, if there is one.
    pub seed: Option<u64>,
    /// Wall-clock time of the network's instant 0, in nanoseconds since the Unix epoch.
    pub epoch_unix_nanos: u64,
    /// All spans, in order of start; children name their parent.
    pub spans: Vec<Span>,
    /// Frames captured on the way, numbered from 1 as in the capture file.
    #[serde(skip)]
    pub packets: Vec<Packet>,
    /// Interfaces named by [`Packet::interface`].
    pub interfaces: Vec<String>,
    /// Names learned on the way, for the capture's name block: address and name.
    pub names: Vec<(std::net::IpAddr, String)>,
    /// TLS secrets in the NSS key log format, for the capture's secrets block.
    #[serde(skip)]
    pub key_log: String,
}
