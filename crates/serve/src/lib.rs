//! What answers: name servers and web servers over any network.
//!
//! - [`dhcp`], [`advertise`]: what gives machines their addresses: DHCP servers, routers that advertise themselves.
//! - [`dns`]: name servers, authoritative and recursive, well or badly behaved.
//! - [`nameserver`]: a name server for real use: every transport, in batches.
//! - [`web`]: web sites over HTTP/1.1, HTTP/2 and HTTP/3, well or badly behaved.
//! - [`impair`]: a proxy that harms the connections that pass through it.
//! - [`pki`]: the certificates they show.
//! - [`proxy`]: proxies that connect on behalf of others.

pub mod advertise;
pub mod dhcp;
pub mod dns;
pub mod impair;
pub mod nameserver;
pub mod pki;
pub mod proxy;
mod quic;
pub mod web;
