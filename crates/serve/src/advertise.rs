//! A router that advertises itself to the hosts of its link (RFC 4861 6.2): now and then, and when it is asked.
//!
//! Price: the times between are fixed, not random; what other routers advertise is not looked at.

use std::io;
use std::net::Ipv6Addr;
use std::time::Duration;

use thru_net::Network;
use thru_net::packet::{PacketSocket, Seen};
use thru_wire::MacAddr;
use thru_wire::address::ALL_NODES;
use thru_wire::ethernet::Ethernet;
use thru_wire::ipv4::Protocol;
use thru_wire::ipv6::Ipv6;
use thru_wire::ndp::{Ndp, RouterAdvertisement};
use thru_wire::packet::Transport;

/// Between two advertisements that nobody asked for.
const INTERVAL: Duration = Duration::from_secs(200);

/// What to advertise, and when.
#[derive(Clone, Debug)]
pub struct Advertiser {
    /// What is said.
    pub advertisement: RouterAdvertisement,
    /// How long it takes to answer a solicitation.
    pub think: Duration,
    /// It answers solicitations; else it only speaks at the beginning and then every 200 s.
    pub answers: bool,
}

/// Advertises on the interface of that number until it fails.
pub async fn serve(
    network: Network,
    socket: PacketSocket,
    interface: u32,
    advertiser: Advertiser,
) -> io::Result<()> {
    let own = socket.hardware_address_of(interface);
    let own =
        own.ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, "this interface is no Ethernet"))?;
    let frame = frame(own, &advertiser.advertisement);
    loop {
        socket.send_frame_by(interface, &frame).await?;
        let again = network.now() + INTERVAL;
        let asked = async {
            loop {
                let seen = socket.receive().await?;
                if advertiser.answers && seen.interface == interface && is_solicitation(&seen) {
                    return Ok::<(), io::Error>(());
                }
            }
        };
        tokio::select! {
            biased;
            asked = asked => {
                asked?;
                if !advertiser.think.is_zero() {
                    network.sleep(advertiser.think).await;
                }
            }
            () = network.sleep_until(again) => {}
        }
    }
}

/// Whether it asks for routers (RFC 4861 4.1).
fn is_solicitation(seen: &Seen) -> bool {
    let Some(packet) = seen.ip() else { return false };
    let Ok(transport) = Transport::of(packet) else { return false };
    let message = packet.get(transport.at..transport.end).map(Ndp::parse);
    transport.protocol == Protocol::ICMPV6
        && transport.ttl == 255
        && matches!(message, Some(Ok(Ndp::RouterSolicitation { .. })))
}

fn frame(own: MacAddr, advertisement: &RouterAdvertisement) -> Vec<u8> {
    let dst = MacAddr::of_group(ALL_NODES.into()).unwrap_or(MacAddr::BROADCAST);
    let ethernet = Ethernet { dst, src: own, ..Ethernet::default() };
    let src: Ipv6Addr = own.link_local();
    // 255: nobody has forwarded it, so it comes from this link.
    let ip = Ipv6 { src, dst: ALL_NODES, hop_limit: 255, ..Ipv6::default() };
    let advertisement = RouterAdvertisement { source_mac: Some(own), ..advertisement.clone() };
    (ethernet / ip / Ndp::RouterAdvertisement(advertisement)).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertisement_is_for_everybody_on_the_link_and_from_it() {
        let own = MacAddr([2, 0, 0, 0, 0, 1]);
        let advertisement =
            RouterAdvertisement { lifetime: Duration::from_secs(1_800), ..RouterAdvertisement::default() };
        let bytes = frame(own, &advertisement);
        let transport = Transport::of(&bytes[14..]).expect("an IPv6 packet");
        assert_eq!((transport.ttl, transport.dst), (255, ALL_NODES.into()));
        let read = Ndp::parse(&bytes[14 + transport.at..]).expect("a message");
        assert!(matches!(read, Ndp::RouterAdvertisement(read) if read.source_mac == Some(own)));
    }
}
