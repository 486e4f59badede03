//! IPv4 options (RFC 791 section 3.1, RFC 2113).

use core::fmt;
use core::net::Ipv4Addr;

use crate::error::{ClaimedBy, Layer, ParseError, ipv4_at, u16_at};

/// One IPv4 option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv4Option<'a> {
    /// Padding between options (1).
    NoOperation,
    /// Routers write down their addresses (7). `route` is the whole table, `pointer` where the next
    /// entry goes, counted from 1 at the option's first byte.
    RecordRoute {
        /// Where the next entry goes.
        pointer: u8,
        /// The table of addresses, four bytes each.
        route: &'a [u8],
    },
    /// Routers write down the time (68).
    Timestamp {
        /// Where the next entry goes.
        pointer: u8,
        /// How many routers found no room (high four bits) and what is recorded (low four bits).
        overflow_and_flag: u8,
        /// The table.
        entries: &'a [u8],
    },
    /// The packet must pass these addresses, with others in between (131).
    LooseSourceRoute {
        /// Which address is next.
        pointer: u8,
        /// The table of addresses.
        route: &'a [u8],
    },
    /// The packet must pass exactly these addresses (137).
    StrictSourceRoute {
        /// Which address is next.
        pointer: u8,
        /// The table of addresses.
        route: &'a [u8],
    },
    /// Routers should look inside (148, RFC 2113); 0 for every router.
    RouterAlert(u16),
    /// Any other.
    Other {
        /// The option's first byte: copied flag, class and number.
        kind: u8,
        /// What follows its length byte.
        data: &'a [u8],
    },
}

impl Ipv4Option<'_> {
    /// The addresses of a recorded or source route.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let route = match self {
            Ipv4Option::RecordRoute { route, .. }
            | Ipv4Option::LooseSourceRoute { route, .. }
            | Ipv4Option::StrictSourceRoute { route, .. } => route,
            _ => &[][..],
        };
        route.chunks_exact(4).map(|address| ipv4_at(address, 0))
    }
}

/// Goes through IPv4 options; ends at the first that is malformed, with its error.
#[derive(Clone, Debug)]
pub struct Ipv4OptionIter<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Ipv4OptionIter<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Ipv4OptionIter<'a> {
        Ipv4OptionIter { bytes, at: 0 }
    }
}

impl<'a> Iterator for Ipv4OptionIter<'a> {
    type Item = Result<Ipv4Option<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..)?;
        let (&kind, after) = rest.split_first()?;
        let at = super::Ipv4::MIN_LEN + self.at;
        if kind == 0 {
            self.at = self.bytes.len();
            return None;
        }
        if kind == 1 {
            self.at += 1;
            return Some(Ok(Ipv4Option::NoOperation));
        }
        let Some(&len) = after.first() else {
            self.at = self.bytes.len();
            return Some(Err(ParseError::Truncated {
                layer: Layer::Ipv4,
                at,
                need: 2,
                have: 1,
                claimed_by: ClaimedBy::OptionLength,
            }));
        };
        let len = usize::from(len);
        if len < 2 {
            self.at = self.bytes.len();
            return Some(Err(ParseError::Illegal {
                layer: Layer::Ipv4,
                at: at + 1,
                what: "option length is less than 2",
            }));
        }
        if len > rest.len() {
            self.at = self.bytes.len();
            return Some(Err(ParseError::Truncated {
                layer: Layer::Ipv4,
                at,
                need: len,
                have: rest.len(),
                claimed_by: ClaimedBy::OptionLength,
            }));
        }
        self.at += len;
        let data = &rest[2..len];
        Some(Ok(match (kind, data) {
            (7, &[pointer, ref route @ ..]) => Ipv4Option::RecordRoute { pointer, route },
            (68, &[pointer, overflow_and_flag, ref entries @ ..]) => {
                Ipv4Option::Timestamp { pointer, overflow_and_flag, entries }
            }
            (131, &[pointer, ref route @ ..]) => Ipv4Option::LooseSourceRoute { pointer, route },
            (137, &[pointer, ref route @ ..]) => Ipv4Option::StrictSourceRoute { pointer, route },
            (148, [_, _]) => Ipv4Option::RouterAlert(u16_at(data, 0)),
            _ => Ipv4Option::Other { kind, data },
        }))
    }
}

/// Well-formed IPv4 options, inline: at most 40 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ipv4Options {
    bytes: [u8; 40],
    len: u8,
}

impl Ipv4Options {
    /// No options.
    pub const NONE: Ipv4Options = Ipv4Options { bytes: [0; 40], len: 0 };
    /// The router alert option of RFC 2113.
    pub const ROUTER_ALERT: Ipv4Options = {
        let mut bytes = [0; 40];
        bytes[0] = 148;
        bytes[1] = 4;
        Ipv4Options { bytes, len: 4 }
    };

    /// Reads options from the end of the fixed header on. What follows an "end of options" is dropped.
    pub fn parse(bytes: &[u8]) -> Result<Ipv4Options, ParseError> {
        if bytes.len() > 40 {
            return Err(ParseError::Illegal {
                layer: Layer::Ipv4,
                at: super::Ipv4::MIN_LEN,
                what: "more than 40 bytes of options",
            });
        }
        let mut options = Ipv4OptionIter::new(bytes);
        let mut end = 0;
        while let Some(option) = options.next() {
            option?;
            end = options.at;
        }
        let mut made = Ipv4Options::NONE;
        made.bytes[..end].copy_from_slice(&bytes[..end]);
        made.len = end as u8;
        Ok(made)
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The options, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = Ipv4Option<'_>> {
        Ipv4OptionIter::new(&self.bytes[..usize::from(self.len)]).filter_map(Result::ok)
    }

    /// Those that every fragment has to carry (their "copied" flag is set, RFC 791 section 3.1).
    pub fn copied(&self) -> Ipv4Options {
        let mut made = Ipv4Options::NONE;
        let mut end = 0;
        let bytes = &self.bytes[..usize::from(self.len)];
        let mut options = Ipv4OptionIter::new(bytes);
        let mut start = 0;
        while let Some(Ok(_)) = options.next() {
            if bytes[start] & 0x80 != 0 {
                let option = &bytes[start..options.at];
                made.bytes[end..end + option.len()].copy_from_slice(option);
                end += option.len();
            }
            start = options.at;
        }
        made.len = end as u8;
        made
    }

    /// Bytes they take in a header, a multiple of 4.
    pub(super) fn padded_len(&self) -> usize {
        usize::from(self.len).next_multiple_of(4)
    }

    pub(super) fn emit(&self, out: &mut [u8]) {
        let len = usize::from(self.len);
        out[..len].copy_from_slice(&self.bytes[..len]);
    }
}

impl Default for Ipv4Options {
    fn default() -> Ipv4Options {
        Ipv4Options::NONE
    }
}

impl fmt::Debug for Ipv4Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
