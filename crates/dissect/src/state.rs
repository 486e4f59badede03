//! What is remembered from packet to packet. All of it is bounded: tables by their entries, an entry by its bytes, and
//! messages that wait for their rest also in sum.

use crate::protocols::quic::Connections;
use crate::protocols::tls::Fingerprint;
use crate::protocols::{dns, dtls, ftp, http, netflow, rtp, stun};
use crate::schema::Schema;
use crate::secrets::KeyLog;
use crate::streams::analysis::TcpFlow;
use crate::streams::fragments::Fragments;
use crate::streams::pdus::Room;
use crate::streams::table::{End, Flows, Recent, UdpFlow};
use std::net::IpAddr;
use std::sync::Arc;

/// How to dissect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Verify the checksums of IPv4, TCP and UDP. Off, as in Wireshark: captures of outgoing packets show what the
    /// network card would have filled in.
    pub verify_checksums: bool,
    /// Put TCP segments in order before they are read, and wait for those that are missing until they are acknowledged.
    /// Off, as in Wireshark: each segment is read as it comes, what lies behind a gap as the beginning of something.
    pub reassemble_out_of_order: bool,
}

/// From and to, identifier and sequence number of an echo request, and the checksum that its answer has.
type Echo = (IpAddr, IpAddr, u16, u16, u16);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) secrets: KeyLog,
    /// Of the hello that is being read.
    pub(crate) print: Fingerprint,
    /// What protobuf's fields are called.
    pub(crate) schema: Arc<Schema>,
    pub(crate) tcp: Flows<TcpFlow>,
    pub(crate) udp: Flows<UdpFlow>,
    pub(crate) fragments: Fragments,
    /// What waits in `tcp`'s flows.
    pub(crate) room: Room,
    /// Frame and time of questions: who asked whom, with which number.
    pub(crate) dns: Recent<dns::Key, dns::Asked, 8192>,
    pub(crate) quic: Connections,
    /// Where FTP said that a file will go.
    pub(crate) announced: Recent<End, ftp::Announced, 1024>,
    /// Frame and time of STUN's requests, by their number.
    pub(crate) stun: Recent<([u8; 12], u64), stun::Seen, 4096>,
    /// The same for STUN of RFC 3489: frame and time.
    pub(crate) classic_stun: Recent<([u8; 16], u64), (u64, u64), 1024>,
    /// Requests of SNMP, by their number.
    pub(crate) snmp: Recent<u32, (u64, u64), 4096>,
    /// What WebSocket's compression refers back to: by flow and side, the last bytes that were unpacked.
    pub(crate) deflated: Recent<(u64, usize), Vec<u8>, 256>,
    /// Who asked whom for devices, by the ends in order.
    pub(crate) ssdp: Recent<(End, End), http::Turns, 256>,
    /// What session descriptions said of ports.
    pub(crate) media: Recent<End, rtp::Announced, 2048>,
    /// Frames of offers of media: who made them to whom, in which call and with which number.
    pub(crate) offers: Recent<(End, End, Vec<u8>), u64, 512>,
    /// Templates of NetFlow: who sent them, for which domain, under which number.
    pub(crate) templates: Recent<(IpAddr, u32, u16), netflow::Template, 512>,
    /// Messages of DTLS that are not whole yet.
    pub(crate) dtls: Recent<dtls::Key, Vec<u8>, 256>,
    /// What handshakes of DTLS have agreed upon, by the flow's ends in order.
    pub(crate) dtls_sessions: Recent<(End, End), Box<dtls::Session>, 1024>,
    /// Flows whose DTLS spoke of SRTP, by their ends in order.
    pub(crate) srtp: Recent<(End, End), (), 1024>,
    /// Frame and time of echo requests.
    pub(crate) echoes: Recent<Echo, (u64, u64), 4096>,
}

impl State {
    /// Whether FTP announced a connection between these ends.
    pub(crate) fn is_announced(&mut self, a: End, b: End) -> bool {
        if self.announced.is_empty() {
            return false;
        }
        let mut fits = |to: End, from: End| {
            self.announced.get_mut(&to).is_some_and(|file| file.from.is_none_or(|port| port == from.1))
        };
        fits(a, b) || fits(b, a)
    }
}

/// Times of the first frame and the one before.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    first: Option<u64>,
    previous: Option<u64>,
}

impl Clock {
    /// The times of the first frame and of the one before this.
    pub(crate) fn at(&mut self, time: u64) -> (u64, u64) {
        let first = *self.first.get_or_insert(time);
        (first, self.previous.replace(time).unwrap_or(time))
    }
}
