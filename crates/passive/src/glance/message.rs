//! Messages of the protocols above TCP and UDP.

use std::net::IpAddr;

/// A message of a protocol above.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Dns(Dns),
    /// A TLS record: its type on the outside, its length, and its type inside, if it was deciphered.
    Record {
        kind: u8,
        len: u16,
        inner: Option<u8>,
    },
    Handshake(Handshake),
    /// What an alert says.
    Alert(u8),
    /// The hardware address is that of who asks.
    Dhcp {
        kind: u8,
        id: u32,
        client: Option<[u8; 6]>,
    },
    Quic(Quic),
    Http2(Http2),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Dns {
    pub(crate) id: u16,
    pub(crate) response: bool,
    pub(crate) rcode: u16,
    pub(crate) truncated: bool,
    pub(crate) recursion: bool,
    pub(crate) unchecked: bool,
    pub(crate) name: String,
    pub(crate) kind: u16,
    pub(crate) answers: u16,
    pub(crate) addresses: Vec<IpAddr>,
    /// From and to.
    pub(crate) aliases: Vec<(String, String)>,
    pub(crate) extended: Vec<u16>,
    /// What it says of them in words.
    pub(crate) extended_says: Vec<String>,
    pub(crate) has_soa: bool,
    /// It ends before the records that it announces.
    pub(crate) ends_early: bool,
    /// It carries EDNS (RFC 6891).
    pub(crate) edns: bool,
    /// Whose the record is that is being read.
    pub(super) owner: String,
}

impl Dns {
    /// Records are announced in an answer that says that all is well, and not one of them can be read.
    pub(crate) fn is_noise(&self) -> bool {
        self.rcode == 0
            && !self.truncated
            && self.answers > 0
            && self.addresses.is_empty()
            && self.aliases.is_empty()
            && !self.lacks_addresses()
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Handshake {
    pub(crate) kind: u8,
    pub(crate) version: u16,
    pub(crate) versions: Vec<u16>,
    pub(crate) suite: Option<u16>,
    pub(crate) server_name: Option<String>,
    pub(crate) alpn: Vec<String>,
    pub(crate) certificates: Vec<Vec<u8>>,
    /// It asks for, or holds, what a certificate's issuer says of it today (RFC 6066 8, RFC 8446 4.4.2.1).
    pub(crate) status: bool,
    /// What that says, DER (RFC 6960).
    pub(crate) staple: Option<Vec<u8>>,
    /// The type of the extension that is being read.
    pub(super) extension: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Quic {
    /// A long header's type (0 Initial, 1 0-RTT, 2 Handshake, 3 Retry); `None`: a short header.
    pub(crate) long: Option<u8>,
    pub(crate) version: u32,
    /// The frame that ends a connection: its error code.
    pub(crate) closes: Option<u64>,
    pub(crate) alert: Option<u8>,
    pub(crate) versions_offered: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Http2 {
    pub(crate) stream: u64,
    /// Octets of this frame behind its head.
    pub(super) len: u64,
    /// Bytes of a body in this frame.
    pub(crate) data: u64,
    /// The first of them.
    pub(crate) sample: Vec<u8>,
    /// It is the stream's last frame.
    pub(crate) ends: bool,
    /// The sender gives the stream up.
    pub(crate) resets: bool,
    /// Why a stream is given up (RFC 9113 7, RFC 9114 8.1).
    pub(crate) error: Option<u64>,
    /// The sender ends the connection: why, and the last stream that it still answers (RFC 9113 6.8).
    pub(crate) goes_away: Option<(u64, u64)>,
    pub(crate) status: Option<u16>,
    pub(crate) method: Option<String>,
    pub(crate) authority: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    /// HTTP/3 instead.
    pub(crate) is_3: bool,
}

impl Dns {
    /// Whether it says that there is no address: it announces no records, or all that it announces are aliases.
    pub(crate) fn lacks_addresses(&self) -> bool {
        self.addresses.is_empty() && usize::from(self.answers) <= self.aliases.len()
    }
}

impl Http2 {
    /// Whether it is no head, and gives nothing up.
    pub(crate) fn is_only_data(&self) -> bool {
        self.status.is_none()
            && self.method.is_none()
            && self.headers.is_empty()
            && !self.resets
            && self.goes_away.is_none()
    }
}
