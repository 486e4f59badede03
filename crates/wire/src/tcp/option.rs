//! Every registered TCP option, as it lies in the segment.

use crate::error::{ClaimedBy, Layer, ParseError, u16_at, u32_at};
use crate::tcp::{SackBlocks, Tcp, Timestamps};

/// One TCP option (IANA "TCP Option Kind Numbers"). Those with a fixed length appear under their name
/// only with that length; otherwise as [`TcpOption::Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TcpOption<'a> {
    /// Kind 1: padding.
    NoOperation,
    /// Kind 2: the largest segment the sender takes (RFC 9293 section 3.7.1).
    MaxSegmentSize(u16),
    /// Kind 3: the shift of later windows (RFC 7323 section 2).
    WindowScale(u8),
    /// Kind 4 (RFC 2018).
    SackPermitted,
    /// Kind 5 (RFC 2018).
    Sack(SackBlocks),
    /// Kind 6: obsolete (RFC 1072, RFC 6247).
    Echo(u32),
    /// Kind 7: obsolete (RFC 1072, RFC 6247).
    EchoReply(u32),
    /// Kind 8 (RFC 7323 section 3).
    Timestamps(Timestamps),
    /// Kind 9: partial order connection permitted; obsolete (RFC 1693).
    PartialOrderPermitted,
    /// Kind 10: partial order service profile; obsolete (RFC 1693).
    PartialOrderProfile(u8),
    /// Kind 11: T/TCP connection count; obsolete (RFC 1644).
    ConnectionCount(u32),
    /// Kind 12: T/TCP; obsolete.
    ConnectionCountNew(u32),
    /// Kind 13: T/TCP; obsolete.
    ConnectionCountEcho(u32),
    /// Kind 14: alternate checksum request; obsolete (RFC 1146).
    AlternateChecksumRequest(u8),
    /// Kind 15: alternate checksum data; obsolete (RFC 1146).
    AlternateChecksumData(&'a [u8]),
    /// Kind 18: trailer checksum.
    TrailerChecksum(u8),
    /// Kind 19: MD5 signature (RFC 2385).
    Md5(&'a [u8; 16]),
    /// Kind 20: SCPS capabilities.
    ScpsCapabilities(&'a [u8]),
    /// Kind 21: selective negative acknowledgments of SCPS.
    Snack(&'a [u8]),
    /// Kind 22: record boundaries of SCPS.
    RecordBoundaries(&'a [u8]),
    /// Kind 23: corruption experienced, of SCPS.
    CorruptionExperienced(&'a [u8]),
    /// Kind 27: quick-start response (RFC 4782).
    QuickStart {
        /// The approved rate code, in the low four bits.
        rate: u8,
        /// Difference of the TTLs.
        ttl_difference: u8,
        /// Nonce, in the high 30 bits.
        nonce: u32,
    },
    /// Kind 28: how long the sender waits for an acknowledgment (RFC 5482).
    UserTimeout {
        /// Whether `value` counts minutes instead of seconds.
        minutes: bool,
        /// 15 bits.
        value: u16,
    },
    /// Kind 29: TCP-AO (RFC 5925).
    Authentication {
        /// Key of this segment.
        key_id: u8,
        /// Key the sender wants to receive.
        next_key_id: u8,
        /// The code, usually 12 bytes.
        mac: &'a [u8],
    },
    /// Kind 30: MPTCP (RFC 8684).
    Multipath {
        /// Which of MPTCP's own options.
        subtype: u8,
        /// The option's bytes from the one with the subtype on.
        data: &'a [u8],
    },
    /// Kind 34: Fast Open (RFC 7413); an empty cookie asks for one.
    FastOpen(&'a [u8]),
    /// Kind 69: opportunistic encryption (RFC 8547).
    EncryptionNegotiation(&'a [u8]),
    /// Kinds 172 and 174: byte counters of accurate ECN (RFC 9768).
    AccEcn(AccEcnCounters),
    /// Kinds 253 and 254: experiments (RFC 6994).
    Experiment {
        /// 253 or 254.
        kind: u8,
        /// Experiment identifier: the first two bytes.
        id: u16,
        /// What follows it.
        data: &'a [u8],
    },
    /// Any other, or one of an impossible length.
    Unknown {
        /// Its kind.
        kind: u8,
        /// What follows its length byte.
        data: &'a [u8],
    },
}

/// The counters of an AccECN option (RFC 9768 section 3.2.3): 24 bits each, as many as there was room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AccEcnCounters {
    /// Whether ECT(1) comes first on the wire (kind 174).
    pub ect1_first: bool,
    /// Bytes received with ECT(0).
    pub ect0: Option<u32>,
    /// Bytes received with CE.
    pub ce: Option<u32>,
    /// Bytes received with ECT(1).
    pub ect1: Option<u32>,
}

impl AccEcnCounters {
    fn from_wire(kind: u8, data: &[u8]) -> Option<AccEcnCounters> {
        if data.len() > 9 || !data.len().is_multiple_of(3) {
            return None;
        }
        let counter = |index: usize| {
            data.get(index * 3..index * 3 + 3).map(|c| u32::from_be_bytes([0, c[0], c[1], c[2]]))
        };
        let ect1_first = kind == 174;
        let (first, ce, last) = (counter(0), counter(1), counter(2));
        let (ect0, ect1) = if ect1_first { (last, first) } else { (first, last) };
        Some(AccEcnCounters { ect1_first, ect0, ce, ect1 })
    }

    /// The option's bytes, and how many they are. Counters after one that is missing are left out.
    pub(super) fn to_wire(self) -> ([u8; 11], usize) {
        let order =
            if self.ect1_first { [self.ect1, self.ce, self.ect0] } else { [self.ect0, self.ce, self.ect1] };
        let mut bytes = [0; 11];
        let mut len = 2;
        for counter in order.into_iter().map_while(|counter| counter) {
            bytes[len..len + 3].copy_from_slice(&counter.to_be_bytes()[1..]);
            len += 3;
        }
        bytes[0] = if self.ect1_first { 174 } else { 172 };
        bytes[1] = len as u8;
        (bytes, len)
    }
}

impl<'a> TcpOption<'a> {
    /// Understands one option: its kind and what follows its length byte.
    pub fn understand(kind: u8, data: &'a [u8]) -> TcpOption<'a> {
        match (kind, data) {
            (2, [_, _]) => TcpOption::MaxSegmentSize(u16_at(data, 0)),
            (3, &[shift]) => TcpOption::WindowScale(shift),
            (4, []) => TcpOption::SackPermitted,
            (5, _) => match SackBlocks::from_wire(data) {
                Some(blocks) => TcpOption::Sack(blocks),
                None => TcpOption::Unknown { kind, data },
            },
            (6, [_, _, _, _]) => TcpOption::Echo(u32_at(data, 0)),
            (7, [_, _, _, _]) => TcpOption::EchoReply(u32_at(data, 0)),
            (8, [_, _, _, _, _, _, _, _]) => {
                TcpOption::Timestamps(Timestamps { value: u32_at(data, 0), echo: u32_at(data, 4) })
            }
            (9, []) => TcpOption::PartialOrderPermitted,
            (10, &[profile]) => TcpOption::PartialOrderProfile(profile),
            (11, [_, _, _, _]) => TcpOption::ConnectionCount(u32_at(data, 0)),
            (12, [_, _, _, _]) => TcpOption::ConnectionCountNew(u32_at(data, 0)),
            (13, [_, _, _, _]) => TcpOption::ConnectionCountEcho(u32_at(data, 0)),
            (14, &[number]) => TcpOption::AlternateChecksumRequest(number),
            (15, _) => TcpOption::AlternateChecksumData(data),
            (18, &[checksum]) => TcpOption::TrailerChecksum(checksum),
            (19, _) => match data.try_into() {
                Ok(digest) => TcpOption::Md5(digest),
                Err(_) => TcpOption::Unknown { kind, data },
            },
            (20, _) => TcpOption::ScpsCapabilities(data),
            (21, _) => TcpOption::Snack(data),
            (22, _) => TcpOption::RecordBoundaries(data),
            (23, _) => TcpOption::CorruptionExperienced(data),
            (27, &[rate, ttl_difference, _, _, _, _]) => {
                TcpOption::QuickStart { rate, ttl_difference, nonce: u32_at(data, 2) }
            }
            (28, [_, _]) => {
                let field = u16_at(data, 0);
                TcpOption::UserTimeout { minutes: field & 0x8000 != 0, value: field & 0x7fff }
            }
            (29, &[key_id, next_key_id, ref mac @ ..]) => {
                TcpOption::Authentication { key_id, next_key_id, mac }
            }
            (30, &[first, ..]) => TcpOption::Multipath { subtype: first >> 4, data },
            (34, _) if data.is_empty() || (4..=16).contains(&data.len()) && data.len().is_multiple_of(2) => {
                TcpOption::FastOpen(data)
            }
            (69, _) => TcpOption::EncryptionNegotiation(data),
            (172 | 174, _) => match AccEcnCounters::from_wire(kind, data) {
                Some(counters) => TcpOption::AccEcn(counters),
                None => TcpOption::Unknown { kind, data },
            },
            (253 | 254, &[_, _, ref rest @ ..]) => {
                TcpOption::Experiment { kind, id: u16_at(data, 0), data: rest }
            }
            _ => TcpOption::Unknown { kind, data },
        }
    }
}

/// Goes through TCP options; ends at "end of options", or at the first that is malformed, with its error.
#[derive(Clone, Debug)]
pub struct TcpOptionIter<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> TcpOptionIter<'a> {
    /// The options in `bytes`, which start where the fixed header ends.
    pub fn new(bytes: &'a [u8]) -> TcpOptionIter<'a> {
        TcpOptionIter { bytes, at: 0 }
    }

    /// The next option as kind and data, padding included.
    pub(super) fn next_raw(&mut self) -> Option<Result<(u8, &'a [u8]), ParseError>> {
        let rest = self.bytes.get(self.at..)?;
        let (&kind, after) = rest.split_first()?;
        match kind {
            0 => {
                self.at = self.bytes.len();
                return None;
            }
            1 => {
                self.at += 1;
                return Some(Ok((1, &[])));
            }
            _ => {}
        }
        let at = Tcp::MIN_LEN + self.at;
        let have = rest.len();
        let problem = match after.first() {
            None => ParseError::Truncated {
                layer: Layer::Tcp,
                at,
                need: 2,
                have,
                claimed_by: ClaimedBy::OptionLength,
            },
            Some(0 | 1) => {
                ParseError::Illegal { layer: Layer::Tcp, at: at + 1, what: "option length is less than 2" }
            }
            Some(&len) if usize::from(len) > have => ParseError::Truncated {
                layer: Layer::Tcp,
                at,
                need: usize::from(len),
                have,
                claimed_by: ClaimedBy::OptionLength,
            },
            Some(&len) => {
                self.at += usize::from(len);
                return Some(Ok((kind, &rest[2..usize::from(len)])));
            }
        };
        self.at = self.bytes.len();
        Some(Err(problem))
    }
}

impl<'a> Iterator for TcpOptionIter<'a> {
    type Item = Result<TcpOption<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_raw()?.map(|(kind, data)| {
            if kind == 1 { TcpOption::NoOperation } else { TcpOption::understand(kind, data) }
        }))
    }
}
