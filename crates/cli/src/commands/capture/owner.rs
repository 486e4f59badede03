//! From a packet's bytes to the ends whose process is asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thru_dissect::file::link;
use thru_os::owners::Transport;

/// Transport, source and destination of a packet that has them; later fragments and extension headers hide them.
pub(super) fn of(link: u16, bytes: &[u8]) -> Option<(Transport, SocketAddr, SocketAddr)> {
    let packet = match link {
        link::ETHERNET => match bytes.get(12..14)? {
            [0x81, 0x00] => bytes.get(18..)?,
            _ => bytes.get(14..)?,
        },
        link::LINUX_SLL2 => bytes.get(20..)?,
        _ => bytes,
    };
    let (protocol, src, dst, segment): (u8, IpAddr, IpAddr, &[u8]) = match packet.first()? >> 4 {
        4 => {
            let is_later_fragment = packet.get(6..8)? != [0x40, 0] && packet[6] & 0x1F | packet[7] != 0;
            if is_later_fragment {
                return None;
            }
            let address =
                |at: usize| Some(IpAddr::V4(Ipv4Addr::from(*packet.get(at..at + 4)?.first_chunk::<4>()?)));
            (*packet.get(9)?, address(12)?, address(16)?, packet.get(usize::from(packet[0] & 15) * 4..)?)
        }
        6 => {
            let address = |at: usize| {
                let octets = *packet.get(at..at + 16)?.first_chunk::<16>()?;
                Some(IpAddr::V6(Ipv6Addr::from(octets)))
            };
            (*packet.get(6)?, address(8)?, address(24)?, packet.get(40..)?)
        }
        _ => return None,
    };
    let transport = match protocol {
        6 => Transport::Tcp,
        17 => Transport::Udp,
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(*segment.get(at..at + 2)?.first_chunk::<2>()?));
    Some((transport, SocketAddr::new(src, port(0)?), SocketAddr::new(dst, port(2)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use thru_wire::ethernet::Ethernet;
    use thru_wire::ipv4::{Ipv4, Protocol};
    use thru_wire::udp::Udp;

    #[test]
    fn ends_of_packets_and_of_their_pieces() {
        let ip = Ipv4::new(Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2), Protocol::UDP);
        let udp = Udp { src_port: 1000, dst_port: 53 };
        let frame = (Ethernet::default() / ip / udp).to_vec();
        let found = of(link::ETHERNET, &frame);
        let (from, to) = ("192.0.2.1:1000".parse().unwrap(), "192.0.2.2:53".parse().unwrap());
        assert_eq!(found, Some((Transport::Udp, from, to)));
        assert_eq!(of(link::RAW, &frame[14..]), found);
        for end in 0..38 {
            assert_eq!(of(link::ETHERNET, &frame[..end]), None, "{end} bytes");
        }
        let mut later = frame;
        later[21] = 1;
        assert_eq!(of(link::ETHERNET, &later), None, "a later fragment has no ports");
    }
}
