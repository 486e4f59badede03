//! The way from the fixed header to the upper layer, past extension headers that may be hostile.

use super::extension::{Fragment, extension_len};
use super::options::{Ipv6Option, Ipv6OptionIter, OptionAction, OptionProblem};
use super::{Ipv6, Ipv6View};
use crate::error::{Layer, ParseError};
use crate::ipv4::Protocol;

/// More extension headers than any honest packet has (RFC 8200 section 4.1 names seven occurrences).
const MAX_HEADERS: usize = 8;
/// More options, padding apart, than any honest header has (RFC 8504 section 5.3 suggests 8).
const MAX_OPTIONS: usize = 8;

/// What lies between the fixed header and the upper layer. All offsets count from the start of the packet,
/// so that they can be the pointer of a parameter problem (RFC 4443 section 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The upper layer. In a fragment that is not the first: what the fragmentable part starts with.
    pub upper: Protocol,
    /// Where the upper layer starts; in a fragment that is not the first, its data.
    pub upper_at: usize,
    /// Where the next header field stands that names the upper layer.
    pub upper_named_at: usize,
    /// The first fragment header, if there is one.
    pub fragment: Option<FragmentAt>,
    /// The routing header, if there is one.
    pub routing: Option<RoutingAt>,
    /// Whether a hop-by-hop options header is there.
    pub has_hop_by_hop: bool,
    /// Value of a router alert option in the hop-by-hop header (RFC 2711).
    pub router_alert: Option<u16>,
    /// The first option that must not be skipped by a node that does not know it.
    pub option_problem: Option<OptionProblem>,
}

/// A fragment header and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentAt {
    /// Where the header starts: this many bytes are the unfragmentable part.
    pub at: usize,
    /// Where the next header field stands that names the fragment header.
    pub named_at: usize,
    /// The header. What it carries starts 8 bytes after `at`.
    pub header: Fragment,
}

/// A routing header and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutingAt {
    /// Where the header starts.
    pub at: usize,
    /// What kind of route.
    pub kind: u8,
    /// Addresses still to be visited: not zero means that this is not the final destination, and for a
    /// kind that is not known a parameter problem, code 0, pointing at `at + 2`.
    pub segments_left: u8,
}

/// Walks the extension headers of a packet whose fixed header is known to be there.
///
/// `packet` starts with the fixed header and is cut to its payload length. Refused are: a header that
/// does not fit (in a first fragment too, RFC 7112), hop-by-hop options anywhere but first
/// (RFC 8200 section 4.1), a second fragment header, more headers or options than any honest packet has.
/// The walk takes time proportional to the header bytes.
pub fn walk(packet: &[u8]) -> Result<Chain, ParseError> {
    let view = Ipv6View::new(packet)?;
    walk_headers(view.next_header(), packet)
}

/// As [`walk`], with the fixed header's next header given.
pub fn walk_headers(first: Protocol, packet: &[u8]) -> Result<Chain, ParseError> {
    let illegal = |at, what| ParseError::Illegal { layer: Layer::Ipv6, at, what };
    let mut chain = Chain {
        upper: first,
        upper_at: Ipv6::LEN,
        upper_named_at: 6,
        fragment: None,
        routing: None,
        has_hop_by_hop: false,
        router_alert: None,
        option_problem: None,
    };
    for count in 0.. {
        let (kind, at) = (chain.upper, chain.upper_at);
        if !kind.is_extension() {
            break;
        }
        if count == MAX_HEADERS {
            return Err(illegal(at, "more than 8 extension headers"));
        }
        let len = extension_len(kind, packet, at)?;
        match kind {
            Protocol::HOP_BY_HOP if at != Ipv6::LEN => {
                return Err(illegal(
                    chain.upper_named_at,
                    "hop-by-hop options are not the first extension header",
                ));
            }
            Protocol::HOP_BY_HOP | Protocol::DESTINATION_OPTIONS => {
                chain.has_hop_by_hop |= kind == Protocol::HOP_BY_HOP;
                read_options(&mut chain, kind, &packet[at + 2..at + len], at + 2)?;
            }
            Protocol::ROUTING if chain.routing.is_none() => {
                chain.routing = Some(RoutingAt { at, kind: packet[at + 2], segments_left: packet[at + 3] });
            }
            Protocol::FRAGMENT => {
                if chain.fragment.is_some() {
                    return Err(illegal(at, "a second fragment header"));
                }
                let header = Fragment::at(packet, at);
                chain.fragment = Some(FragmentAt { at, named_at: chain.upper_named_at, header });
                if header.offset != 0 {
                    chain.upper = header.next_header;
                    chain.upper_named_at = at;
                    chain.upper_at = at + len;
                    break;
                }
            }
            _ => {}
        }
        chain.upper = Protocol(packet[at]);
        chain.upper_named_at = at;
        chain.upper_at = at + len;
    }
    Ok(chain)
}

fn read_options(chain: &mut Chain, kind: Protocol, bytes: &[u8], base: usize) -> Result<(), ParseError> {
    let mut options = Ipv6OptionIter::new(bytes, base);
    let mut seen = 0;
    loop {
        let at = options.offset();
        let Some(option) = options.next() else { return Ok(()) };
        match option? {
            Ipv6Option::Pad1 | Ipv6Option::PadN(_) => continue,
            Ipv6Option::RouterAlert(value) if kind == Protocol::HOP_BY_HOP => {
                chain.router_alert.get_or_insert(value);
            }
            _ => {
                let action = OptionAction::of(bytes[at - base]);
                if action != OptionAction::Skip && chain.option_problem.is_none() {
                    chain.option_problem = Some(OptionProblem { pointer: at, action });
                }
            }
        }
        seen += 1;
        if seen > MAX_OPTIONS {
            return Err(ParseError::Illegal {
                layer: Layer::Ipv6,
                at,
                what: "more than 8 options in one header",
            });
        }
    }
}
