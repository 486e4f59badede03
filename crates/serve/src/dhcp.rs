//! A DHCP server (RFC 2131), well or badly behaved.
//!
//! - [`DhcpServer`]: the machine: a message in, perhaps a message out. No I/O.
//! - [`serve`]: the same on one interface of a network whose frames can be sent and seen.
//!
//! Price: leases are never taken back, what a client declines is given to nobody else, and relay agents are not served.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use thru_net::Network;
use thru_net::packet::PacketSocket;
use thru_wire::MacAddr;
use thru_wire::dhcp::{CLIENT_PORT, Dhcp, DhcpKind, DhcpOptions, SERVER_PORT, in_frame};
use thru_wire::ethernet::Ethernet;
use thru_wire::ipv4::{Ipv4, Protocol};
use thru_wire::udp::Udp;

/// What a server gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The server's own address, by which clients name it (option 54).
    pub server: Ipv4Addr,
    /// Bits of the network's prefix.
    pub prefix_len: u8,
    /// The first and the last address of its range.
    pub range: (Ipv4Addr, Ipv4Addr),
    /// The default router it names; `None`: none.
    pub router: Option<Ipv4Addr>,
    /// The resolvers it names.
    pub resolvers: Vec<Ipv4Addr>,
    /// For how long an address is given.
    pub lease: Duration,
}

/// How a server behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    #[default]
    Normal,
    /// It hears everything and answers nothing.
    Silent,
    /// It offers, and refuses what it has offered (DHCPNAK).
    Refuses,
    /// It offers, and never confirms.
    OffersOnly,
    /// Its range is given away: nobody new is offered an address; who asks for a certain one is refused.
    Full,
}

/// A server and what it has given to whom.
#[derive(Clone, Debug)]
pub struct DhcpServer {
    given: Given,
    manner: Manner,
    leases: BTreeMap<MacAddr, Ipv4Addr>,
    /// What clients found in the hands of others.
    taken: BTreeSet<Ipv4Addr>,
}

impl DhcpServer {
    /// A server that has given nothing yet.
    pub fn new(given: Given, manner: Manner) -> DhcpServer {
        DhcpServer { given, manner, leases: BTreeMap::new(), taken: BTreeSet::new() }
    }

    /// What it says to a message, if anything.
    pub fn answer(&mut self, message: &Dhcp) -> Option<Dhcp> {
        let named = message.options.server;
        let ours = named.is_none_or(|server| server == self.given.server);
        match (message.kind, self.manner) {
            (_, Manner::Silent) => None,
            (DhcpKind::Discover, Manner::Full) => None,
            (DhcpKind::Discover, _) => {
                let address = self.address_for(message.chaddr)?;
                Some(self.reply(message, DhcpKind::Offer, address))
            }
            // It chose another server.
            (DhcpKind::Request, _) if !ours => None,
            (DhcpKind::Request, Manner::OffersOnly) => None,
            (DhcpKind::Request, manner) => {
                let wanted = message.options.requested.unwrap_or(message.ciaddr);
                match self.leases.get(&message.chaddr) {
                    Some(own) if *own == wanted && manner == Manner::Normal => {
                        return Some(self.reply(message, DhcpKind::Ack, wanted));
                    }
                    // Another server may know it (RFC 2131 4.3.2).
                    None if named.is_none() && manner == Manner::Normal => return None,
                    _ => {}
                }
                let mut refusal = self.reply(message, DhcpKind::Nak, Ipv4Addr::UNSPECIFIED);
                refusal.options = DhcpOptions { server: Some(self.given.server), ..DhcpOptions::default() };
                Some(refusal)
            }
            // Only what it was given itself is a client's to decline.
            (DhcpKind::Decline, _) if ours => {
                let declined = message.options.requested;
                if declined.is_none() || declined == self.leases.get(&message.chaddr).copied() {
                    self.taken.extend(self.leases.remove(&message.chaddr));
                }
                None
            }
            _ => None,
        }
    }

    /// The address of a client: that which it has, or the first that is free.
    fn address_for(&mut self, client: MacAddr) -> Option<Ipv4Addr> {
        if let Some(address) = self.leases.get(&client) {
            return Some(*address);
        }
        let (first, last) = (u32::from(self.given.range.0), u32::from(self.given.range.1));
        let taken = |address: &Ipv4Addr| {
            self.taken.contains(address) || self.leases.values().any(|other| other == address)
        };
        let free = (first..=last).map(Ipv4Addr::from).find(|address| !taken(address))?;
        self.leases.insert(client, free);
        Some(free)
    }

    fn reply(&self, message: &Dhcp, kind: DhcpKind, address: Ipv4Addr) -> Dhcp {
        let given = &self.given;
        let options = DhcpOptions {
            prefix_len: Some(given.prefix_len),
            routers: given.router.into_iter().collect(),
            dns: given.resolvers.clone(),
            lease: Some(u32::try_from(given.lease.as_secs()).unwrap_or(u32::MAX)),
            server: Some(given.server),
            ..DhcpOptions::default()
        };
        let bare = Dhcp::new(kind, message.xid, message.chaddr);
        Dhcp { yiaddr: address, broadcast: message.broadcast, options, ..bare }
    }
}

/// Serves the interface of that number until it fails, taking `think` for each answer. Answers go to everybody on the
/// link, as to clients that say they cannot hear anything else (RFC 2131 4.1).
pub async fn serve(
    network: Network,
    socket: PacketSocket,
    interface: u32,
    mut server: DhcpServer,
    think: Duration,
) -> io::Result<()> {
    let own = socket.hardware_address_of(interface);
    let own =
        own.ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, "this interface is no Ethernet"))?;
    loop {
        let seen = socket.receive().await?;
        if !seen.ethernet || seen.interface != interface {
            continue;
        }
        let message = in_frame(&seen.bytes).filter(|message| !message.kind.is_from_server());
        let Some(answer) = message.and_then(|message| server.answer(&message)) else { continue };
        if !think.is_zero() {
            network.sleep(think).await;
        }
        socket.send_frame_by(interface, &frame(own, server.given.server, &answer)).await?;
    }
}

fn frame(own: MacAddr, server: Ipv4Addr, message: &Dhcp) -> Vec<u8> {
    let mut payload = Vec::new();
    message.emit_into(&mut payload);
    let ethernet = Ethernet { dst: MacAddr::BROADCAST, src: own, ..Ethernet::default() };
    let ip = Ipv4::new(server, Ipv4Addr::BROADCAST, Protocol::UDP);
    (ethernet / ip / Udp::new(SERVER_PORT, CLIENT_PORT) / payload).to_vec()
}

#[cfg(test)]
mod tests;
