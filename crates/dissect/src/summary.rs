//! What many packets say together: streams as they were said, conversations, protocols, I/O over time, a flow as a
//! ladder, objects. All take trees one after the other and keep a bounded amount.
//!
//! - [`follow`]: the bytes of one stream. [`objects`]: the bodies of HTTP.
//! - [`conversations`], [`hierarchy`], [`io`]: who talks to whom, in what, and when.
//! - [`ladder`]: the packets of one flow between its two ends. [`flow`]: which flow is meant. [`insight`]: how TCP fares.

pub mod conversations;
pub mod flow;
pub mod follow;
pub mod hierarchy;
pub mod insight;
pub mod io;
pub mod ladder;
pub mod objects;

use crate::protocols::{frame, ip, ipv6, tcp, udp};
use crate::tree::{Field, Tree, Value};
use std::net::IpAddr;

/// From whom and to whom a packet goes, innermost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) from: (IpAddr, u16),
    pub(crate) to: (IpAddr, u16),
}

/// The fields of the packet itself: what an ICMP error quotes belongs to another.
pub(crate) fn unquoted(tree: Tree<'_>) -> impl Iterator<Item = &Field> {
    tree.fields().iter().take_while(|field| !matches!(field.def.name, "icmp" | "icmpv6"))
}

/// The innermost addresses, and the ports behind them; none in ICMP's quotes.
pub(crate) fn ends(tree: Tree<'_>) -> Option<Ends> {
    let (mut src, mut dst) = (None, None);
    let mut ports = (0, 0);
    for field in unquoted(tree) {
        let def = field.def;
        let address = || match tree.value(field) {
            Value::Address(address) => Some(address),
            _ => None,
        };
        if def.is(&ip::SRC) || def.is(&ipv6::SRC) {
            (src, ports) = (address(), (0, 0));
        } else if def.is(&ip::DST) || def.is(&ipv6::DST) {
            dst = address();
        } else if def.is(&tcp::SRC_PORT) || def.is(&udp::SRC_PORT) {
            ports.0 = field.value as u16;
        } else if def.is(&tcp::DST_PORT) || def.is(&udp::DST_PORT) {
            ports.1 = field.value as u16;
        }
    }
    Some(Ends { from: (src?, ports.0), to: (dst?, ports.1) })
}

/// Bytes on the wire.
pub(crate) fn length(tree: Tree<'_>) -> u64 {
    tree.number(&frame::LEN).unwrap_or(tree.frame().len() as u64)
}

/// Nanoseconds since the first packet; less than 0 where the clock was set back, or several interfaces were not captured
/// in one order.
pub(crate) fn time(tree: Tree<'_>) -> i64 {
    tree.number(&frame::TIME_RELATIVE).unwrap_or(0) as i64
}

/// The next longer round interval: 1, 2, 5, 10...
fn wider(interval: u64) -> u64 {
    let mut unit = 1;
    while unit * 10 <= interval {
        unit *= 10;
    }
    match interval / unit {
        1 => 2 * unit,
        2 => 5 * unit,
        _ => 10 * unit,
    }
}

/// An address and its port: `192.0.2.1:80`, `[2001:db8::1]:80`; without a port if there is none.
pub(crate) fn named(end: (IpAddr, u16)) -> String {
    match end {
        (address, 0) => address.to_string(),
        (address, port) => std::net::SocketAddr::new(address, port).to_string(),
    }
}

/// `1.2 kB`.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", count / 1000),
        10_000_000..10_000_000_000 => format!("{} MB", count / 1_000_000),
        _ => format!("{} GB", count / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests;
