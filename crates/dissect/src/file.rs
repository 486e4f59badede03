//! Capture files: pcap and pcapng, read and written over any byte source.
//!
//! [`Reader`] takes bytes from whatever implements [`std::io::Read`] and gives [`Item`]s, one block or record at a
//! time, in bounded memory. [`Writer`] is the way back; what it does not understand it can pass on untouched, so a
//! file that is read and written keeps its names, secrets, comments, statistics and unknown blocks. [`Zstd`] unpacks what
//! was packed.
//!
//! Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.

mod options;
mod pcap;
mod pcapng;
mod reader;
mod writer;
mod zstd;

pub use options::{OptionField, Options};
pub use reader::Reader;
pub use writer::{About, Format, NewInterface, Writer};
pub use zstd::Zstd;

use std::fmt;
use std::io;
use std::sync::Arc;

/// No record or block may claim more: longer claims are a damaged file. (libpcap's own limit is 256 KiB for packets;
/// secrets and unknown blocks may be larger.)
pub const BLOCK_BYTES_MAX: u32 = 64 << 20;

/// LINKTYPE_ numbers (tcpdump.org/linktypes.html) that are dissected.
pub mod link {
    /// BSD loopback: four bytes of address family in the writer's byte order.
    pub const NULL: u16 = 0;
    /// Ethernet.
    pub const ETHERNET: u16 = 1;
    /// PPP, with the address and control of a line or without.
    pub const PPP: u16 = 9;
    /// Raw IP, as OpenBSD numbered it.
    pub const RAW_BSD: u16 = 12;
    /// Raw IP, as some numbered it.
    pub const RAW_OLD: u16 = 14;
    /// PPP in HDLC-like framing (RFC 1662).
    pub const PPP_HDLC: u16 = 50;
    /// PPP over Ethernet, without the Ethernet header.
    pub const PPP_ETHER: u16 = 51;
    /// Raw IP: the version is in the first nibble.
    pub const RAW: u16 = 101;
    /// OpenBSD loopback: address family in network byte order.
    pub const LOOP: u16 = 108;
    /// Linux "cooked" capture.
    pub const LINUX_SLL: u16 = 113;
    /// Raw IPv4.
    pub const IPV4: u16 = 228;
    /// Raw IPv6.
    pub const IPV6: u16 = 229;
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: u16 = 276;
}

/// What a capture says of an interface. A clone shares the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// LINKTYPE_ number.
    pub link: u16,
    /// Packets are cut at this many bytes; 0: no limit.
    pub snap_length: u32,
    /// Its name, where the file tells.
    pub name: Option<Arc<str>>,
    /// Its description, where the file tells.
    pub description: Option<Arc<str>>,
    /// What was captured on it, where the file tells: the filter's text.
    pub filter: Option<Arc<str>>,
    /// The system it ran on, where the file tells.
    pub os: Option<Arc<str>>,
    /// How its times count.
    pub resolution: Resolution,
    /// Seconds to add to its times.
    pub offset_seconds: i64,
}

/// The unit of a time stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// 10 to the minus this many seconds: 6 is microseconds.
    Decimal(u8),
    /// 2 to the minus this many seconds.
    Binary(u8),
}

impl Resolution {
    /// Nanoseconds since the epoch of a counter in this unit: of times before it in two's complement, as 64 bits of an
    /// `i64`. A counter that wrapped around below zero, as those of clocks that were never set do, gives such a time. From
    /// April 2262 on, which such nanoseconds do not reach, it is the last moment that they do.
    pub fn nanos(self, ticks: u64, offset_seconds: i64) -> u64 {
        // Finer ones, and halves, count as many since the epoch.
        let ticks = match self {
            Resolution::Decimal(..=9) => i128::from(ticks as i64),
            _ => i128::from(ticks),
        };
        let nanos = match self {
            Resolution::Decimal(9) => ticks,
            Resolution::Decimal(6) => ticks * 1000,
            Resolution::Decimal(digits) if digits <= 9 => ticks * 10i128.pow(9 - u32::from(digits)),
            // A tick of less than 10^-38 s exists on paper only.
            Resolution::Decimal(digits) => ticks / 10i128.pow((u32::from(digits) - 9).min(38)),
            Resolution::Binary(bits) => (ticks * 1_000_000_000) >> u32::from(bits).min(127),
        };
        let nanos = nanos.saturating_add(i128::from(offset_seconds) * 1_000_000_000);
        nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64 as u64
    }
}

/// One captured packet.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// From 1, in the order of the file.
    pub number: u64,
    /// Nanoseconds since the Unix epoch; `None` in simple packet blocks, which have no time.
    pub time: Option<u64>,
    /// Index into [`Reader::interfaces`].
    pub interface: u32,
    /// The interface's LINKTYPE_ number.
    pub link: u16,
    /// How long the packet was on the wire.
    pub original: u32,
    /// What was kept of it.
    pub bytes: &'a [u8],
    /// The block's options: comments, flags, drop counts.
    pub options: Options<'a>,
}

impl Record<'_> {
    /// What people wrote beside the packet.
    pub fn comments(&self) -> impl Iterator<Item = String> {
        self.options.filter(|option| option.code == options::COMMENT).map(|option| option.text())
    }
}

/// What a file consists of.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A new section begins: interfaces count from 0 again. A pcap file is one section without a block.
    Section(Options<'a>),
    /// The interface that was just added, by its index into [`Reader::interfaces`].
    Interface(u32),
    /// A packet.
    Packet(Record<'a>),
    /// Addresses and their names.
    Names(Names<'a>),
    /// Secrets to decrypt what follows.
    Secrets {
        /// What they are: [`SECRETS_TLS_KEY_LOG`] and others.
        kind: u32,
        /// In that kind's format.
        bytes: &'a [u8],
    },
    /// What an interface counted: received, dropped.
    Statistics {
        /// Which one.
        interface: u32,
        /// The counters.
        options: Options<'a>,
    },
    /// A block of another kind: kept, not understood.
    Unknown {
        /// Its type.
        kind: u32,
        /// Its body.
        body: &'a [u8],
    },
}

/// "TLSK": secrets in the NSS key log format.
pub const SECRETS_TLS_KEY_LOG: u32 = 0x544c_534b;

/// The records of a name resolution block.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    records: Options<'a>,
}

impl<'a> Names<'a> {
    /// Each address with each of its names.
    pub fn pairs(&self) -> impl Iterator<Item = (std::net::IpAddr, String)> + 'a {
        self.records.flat_map(|record| {
            let (address, rest): (Option<std::net::IpAddr>, &[u8]) = match record.code {
                1 => (
                    record.bytes.first_chunk::<4>().map(|v4| (*v4).into()),
                    record.bytes.get(4..).unwrap_or(&[]),
                ),
                2 => (
                    record.bytes.first_chunk::<16>().map(|v6| (*v6).into()),
                    record.bytes.get(16..).unwrap_or(&[]),
                ),
                _ => (None, &[]),
            };
            let names = rest.split(|&byte| byte == 0).filter(|name| !name.is_empty());
            names.filter_map(move |name| Some((address?, String::from_utf8_lossy(name).into_owned())))
        })
    }
}

/// Why a file could not be read on. Everything before it has been given.
#[derive(Debug)]
pub enum FileError {
    /// The source itself failed.
    Io(io::Error),
    /// The first bytes are not those of a capture file.
    NotACapture,
    /// The file ends inside a record or block.
    Truncated {
        /// Where the incomplete record or block begins, in bytes.
        at: u64,
        /// How many of its bytes are there.
        have: u64,
        /// How many it says it has.
        need: u64,
    },
    /// A record or block says something that cannot be.
    Damaged {
        /// Where it begins, in bytes.
        at: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Io(error) => write!(f, "{error}"),
            FileError::NotACapture => f.write_str("it is neither pcap nor pcapng"),
            FileError::Truncated { at, have, need } => {
                write!(f, "it is cut short: {have} of {need} bytes are there of what begins at byte {at}")
            }
            FileError::Damaged { at, what } => write!(f, "it is damaged at byte {at}: {what}"),
        }
    }
}

impl std::error::Error for FileError {}

/// In which order a file's numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    pub(crate) fn u16(self, bytes: &[u8]) -> u16 {
        let word = bytes.first_chunk().copied().unwrap_or_default();
        if self == Order::Little { u16::from_le_bytes(word) } else { u16::from_be_bytes(word) }
    }

    pub(crate) fn u32(self, bytes: &[u8]) -> u32 {
        let word = bytes.first_chunk().copied().unwrap_or_default();
        if self == Order::Little { u32::from_le_bytes(word) } else { u32::from_be_bytes(word) }
    }

    pub(crate) fn u64(self, bytes: &[u8]) -> u64 {
        let word = bytes.first_chunk().copied().unwrap_or_default();
        if self == Order::Little { u64::from_le_bytes(word) } else { u64::from_be_bytes(word) }
    }
}

#[cfg(test)]
mod tests;
