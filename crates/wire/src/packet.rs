//! Building by layering: `ethernet / ip / tcp / payload`.
//!
//! ```
//! use thru_wire::ethernet::Ethernet;
//! use thru_wire::ipv4::Ipv4;
//! use thru_wire::udp::Udp;
//!
//! let packet = Ethernet::default() / Ipv4 { ttl: 3, ..Ipv4::default() } / Udp::new(49152, 53) / b"payload";
//! assert_eq!(packet.to_vec().len(), 14 + 20 + 8 + 7);
//! ```
//!
//! Lengths, protocol numbers and checksums come out right: each layer says what the next one is, unless
//! the next one is bytes, which leaves the number as it was set. [`dissect()`] goes the other way.

use core::net::IpAddr;
use core::ops::Div;

use bytes::Bytes;

use crate::arp::Arp;
use crate::checksum::PseudoHeader;
use crate::ethernet::{EtherType, Ethernet};
use crate::icmpv4::Icmpv4;
use crate::icmpv6::Icmpv6;
use crate::ipv4::{Ipv4, Protocol};
use crate::ipv6::{Authentication, Extension, Fragment, Ipv6, Routing};
use crate::ndp::Ndp;
use crate::tcp::Tcp;
use crate::udp::Udp;

mod dissect;

pub use dissect::{Transport, dissect, dissect_ip};

/// One layer of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layer {
    /// An Ethernet II header.
    Ethernet(Ethernet),
    /// An ARP packet.
    Arp(Arp),
    /// An IPv4 header.
    Ipv4(Ipv4),
    /// The fixed IPv6 header.
    Ipv6(Ipv6),
    /// An IPv6 extension header.
    Extension(Extension),
    /// An ICMP message.
    Icmpv4(Icmpv4),
    /// An ICMPv6 message.
    Icmpv6(Icmpv6),
    /// A UDP header.
    Udp(Udp),
    /// A TCP header.
    Tcp(Tcp),
    /// Bytes as they are.
    Payload(Bytes),
}

/// A packet in layers, outermost first.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Packet {
    layers: Vec<Layer>,
}

impl Packet {
    /// The layers, outermost first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The bytes of the packet. See [`Packet::to_vec`].
    pub fn to_bytes(&self) -> Bytes {
        self.to_vec().into()
    }

    /// The bytes of the packet.
    ///
    /// UDP, TCP and ICMPv6 have their checksum from the IP header around them; without one it is
    /// computed over the layer alone, as nothing could verify it. Behind a fragment header (or in an IPv4
    /// fragment) it is computed as if the packet were whole.
    ///
    /// # Panics
    ///
    /// If a layer holds more than its length field can say, which is 65535 bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        // From the inside out: each layer needs the length and the sum of what it carries.
        let mut inner = Vec::new();
        for (index, layer) in self.layers.iter().enumerate().rev() {
            let next = self.layers.get(index + 1);
            let mut out = Vec::with_capacity(inner.len() + 64);
            match layer {
                Layer::Ethernet(header) => {
                    let ethertype = next.and_then(ethertype_of).unwrap_or(header.ethertype);
                    Ethernet { ethertype, ..*header }.emit_into(&mut out);
                }
                Layer::Arp(packet) => packet.emit_into(&mut out),
                Layer::Ipv4(header) => {
                    let protocol = next.and_then(protocol_of).unwrap_or(header.protocol);
                    Ipv4 { protocol, ..*header }.emit_into(inner.len(), &mut out);
                }
                Layer::Ipv6(header) => {
                    let next_header = next.and_then(protocol_of).unwrap_or(header.next_header);
                    Ipv6 { next_header, ..*header }.emit_into(inner.len(), &mut out);
                }
                Layer::Extension(header) => {
                    let mut header = header.clone();
                    header.set_next_header(next.and_then(protocol_of).unwrap_or(header.next_header()));
                    header.emit_into(&mut out);
                }
                Layer::Icmpv4(message) => out.extend(message.header(&inner)),
                Layer::Icmpv6(message) => {
                    message.emit_into(&inner, &self.pseudo_header(index, Protocol::ICMPV6), &mut out);
                    inner.clear();
                }
                Layer::Udp(header) => {
                    let pseudo = self.pseudo_header(index, Protocol::UDP);
                    out.extend(header.header(&inner, &pseudo));
                }
                Layer::Tcp(header) => {
                    header.emit_into(&inner, &self.pseudo_header(index, Protocol::TCP), &mut out);
                    inner.clear();
                }
                Layer::Payload(bytes) => out.extend_from_slice(bytes),
            }
            out.append(&mut inner);
            inner = out;
        }
        inner
    }

    /// The pseudo header from the nearest IP header before layer `index`.
    fn pseudo_header(&self, index: usize, protocol: Protocol) -> PseudoHeader {
        let addresses = self.layers[..index].iter().rev().find_map(|layer| match layer {
            Layer::Ipv4(header) => Some((IpAddr::V4(header.src), IpAddr::V4(header.dst))),
            Layer::Ipv6(header) => Some((IpAddr::V6(header.src), IpAddr::V6(header.dst))),
            _ => None,
        });
        addresses.map_or(PseudoHeader::NONE, |(src, dst)| PseudoHeader::new(src, dst, protocol))
    }
}

/// How Ethernet announces a layer.
fn ethertype_of(layer: &Layer) -> Option<EtherType> {
    match layer {
        Layer::Arp(_) => Some(EtherType::ARP),
        Layer::Ipv4(_) => Some(EtherType::IPV4),
        Layer::Ipv6(_) => Some(EtherType::IPV6),
        _ => None,
    }
}

/// How IP announces a layer.
fn protocol_of(layer: &Layer) -> Option<Protocol> {
    match layer {
        Layer::Ipv4(_) => Some(Protocol::IPV4),
        Layer::Ipv6(_) => Some(Protocol::IPV6),
        Layer::Extension(header) => Some(header.kind()),
        Layer::Icmpv4(_) => Some(Protocol::ICMPV4),
        Layer::Icmpv6(_) => Some(Protocol::ICMPV6),
        Layer::Udp(_) => Some(Protocol::UDP),
        Layer::Tcp(_) => Some(Protocol::TCP),
        Layer::Ethernet(_) | Layer::Arp(_) | Layer::Payload(_) => None,
    }
}

impl<T: Into<Packet>> Div<T> for Packet {
    type Output = Packet;

    fn div(mut self, inner: T) -> Packet {
        self.layers.append(&mut inner.into().layers);
        self
    }
}

impl From<Layer> for Packet {
    fn from(layer: Layer) -> Packet {
        Packet { layers: vec![layer] }
    }
}

/// A type that is a layer: a packet of its own, and divisible by what it carries.
macro_rules! layer {
    ($($type:ty => $make:expr;)*) => {$(
        impl From<$type> for Packet {
            fn from(value: $type) -> Packet {
                let make: fn($type) -> Layer = $make;
                Packet::from(make(value))
            }
        }

        impl<T: Into<Packet>> Div<T> for $type {
            type Output = Packet;

            fn div(self, inner: T) -> Packet {
                Packet::from(self) / inner
            }
        }
    )*};
}

layer! {
    Ethernet => Layer::Ethernet;
    Arp => Layer::Arp;
    Ipv4 => Layer::Ipv4;
    Ipv6 => Layer::Ipv6;
    Extension => Layer::Extension;
    Routing => |header| Layer::Extension(Extension::Routing(header));
    Fragment => |header| Layer::Extension(Extension::Fragment(header));
    Authentication => |header| Layer::Extension(Extension::Authentication(header));
    Icmpv4 => Layer::Icmpv4;
    Icmpv6 => Layer::Icmpv6;
    Ndp => |message| Layer::Icmpv6(Icmpv6::Ndp(message));
    Udp => Layer::Udp;
    Tcp => Layer::Tcp;
}

impl From<Bytes> for Packet {
    fn from(bytes: Bytes) -> Packet {
        Packet::from(Layer::Payload(bytes))
    }
}

impl From<Vec<u8>> for Packet {
    fn from(bytes: Vec<u8>) -> Packet {
        Packet::from(Bytes::from(bytes))
    }
}

impl From<&[u8]> for Packet {
    fn from(bytes: &[u8]) -> Packet {
        Packet::from(Bytes::copy_from_slice(bytes))
    }
}

impl<const N: usize> From<&[u8; N]> for Packet {
    fn from(bytes: &[u8; N]) -> Packet {
        Packet::from(&bytes[..])
    }
}

impl From<&str> for Packet {
    fn from(text: &str) -> Packet {
        Packet::from(text.as_bytes())
    }
}

#[cfg(test)]
mod tests;
