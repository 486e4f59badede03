//! What a network gave its hosts, as its packets say: DHCP's messages, and the advertisements of routers.

use std::net::Ipv6Addr;

pub use thru_wire::MacAddr;
pub use thru_wire::dhcp::DhcpKind;
use thru_wire::dhcp::{Dhcp, in_frame};
use thru_wire::ethernet::{EtherType, EthernetView};
use thru_wire::ipv4::Protocol;
use thru_wire::ipv6::Ipv6View;
use thru_wire::ndp::{Ndp, RouterAdvertisement};

use crate::{PacketFate, Trace};

/// A DHCP message and the frame that carried it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The frame's number.
    pub frame: u64,
    /// Who sent it, where the link has hardware addresses.
    pub from: Option<MacAddr>,
    /// What it says.
    pub message: Dhcp,
}

/// An advertisement of a router and the frame that carried it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// The frame's number.
    pub frame: u64,
    /// When it was seen, in nanoseconds since the trace's start.
    pub at: u64,
    /// The router's link-local address.
    pub router: Ipv6Addr,
    /// What it says.
    pub advertisement: RouterAdvertisement,
}

/// The machine that sent a frame on its link. Zeros stand in for a link without hardware addresses.
pub fn sender(frame: &[u8]) -> Option<MacAddr> {
    let from = EthernetView::new(frame).ok()?.src();
    (from != MacAddr::UNSPECIFIED).then_some(from)
}

/// The DHCP messages (RFC 2131) that were sent and that arrived, in order.
pub fn dhcp(trace: &Trace) -> Vec<Message> {
    let messages =
        trace.packets.iter().filter(|packet| packet.fate == PacketFate::Passed).filter_map(|packet| {
            let message = in_frame(&packet.bytes)?;
            Some(Message { frame: packet.number, from: sender(&packet.bytes), message })
        });
    messages.collect()
}

/// The advertisements of routers (RFC 4861 4.2) that arrived, in order.
pub fn advertisements(trace: &Trace) -> Vec<Advertised> {
    let packets = trace.packets.iter().filter(|packet| packet.fate == PacketFate::Passed);
    let heard = packets.filter_map(|packet| {
        let ethernet = EthernetView::new(&packet.bytes).ok()?;
        if ethernet.ethertype() != EtherType::IPV6 {
            return None;
        }
        let ip = Ipv6View::new(ethernet.payload()).ok()?;
        // From another link nobody may advertise.
        if ip.next_header() != Protocol::ICMPV6 || ip.hop_limit() != 255 || ip.payload().first() != Some(&134)
        {
            return None;
        }
        match Ndp::parse(ip.payload()).ok()? {
            Ndp::RouterAdvertisement(advertisement) => {
                Some(Advertised { frame: packet.number, at: packet.at, router: ip.src(), advertisement })
            }
            _ => None,
        }
    });
    heard.collect()
}
