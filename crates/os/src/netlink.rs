//! Links, addresses and routes of this network namespace (rtnetlink(7)): what `ip` would do, without `ip`.
//!
//! Each function opens a socket of its own, asks, waits for the kernel's word and closes it: they belong to set-up,
//! not to a packet's way.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use thru_wire::{Cidr, IpPrefix, MacAddr};

use crate::device::check;

mod message;

use message::{Message, attributes};

/// What the kernel tells about an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number in this namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Hardware address; all zeros where it has none.
    pub mac: MacAddr,
    /// Largest IP packet, in bytes.
    pub mtu: usize,
    /// Whether it is switched on.
    pub up: bool,
    /// How many queues frames may arrive in; at least 1.
    pub receive_queues: u32,
    /// The driver of a virtual one, as in `veth`; empty for hardware.
    pub kind: String,
}

/// An interface by its name.
pub fn link(name: &str) -> io::Result<Link> {
    let mut message = Message::new(libc::RTM_GETLINK, 0);
    message.link_header(0, 0, 0);
    message.text(libc::IFLA_IFNAME, name);
    let answer = exchange(message)?;
    let answer = answer.first().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    parse_link(answer).ok_or_else(|| io::Error::other("the kernel's answer makes no sense"))
}

fn parse_link(payload: &[u8]) -> Option<Link> {
    let index = u32::from_ne_bytes(payload.get(4..8)?.try_into().ok()?);
    let flags = u32::from_ne_bytes(payload.get(8..12)?.try_into().ok()?);
    let up = flags & libc::IFF_UP as u32 != 0;
    let mut link = Link {
        index,
        name: String::new(),
        mac: MacAddr::UNSPECIFIED,
        mtu: 0,
        up,
        receive_queues: 1,
        kind: String::new(),
    };
    for (kind, data) in attributes(payload.get(16..)?) {
        match kind {
            libc::IFLA_IFNAME => {
                link.name = String::from_utf8_lossy(data).trim_end_matches('\0').to_owned();
            }
            libc::IFLA_ADDRESS => {
                if let Ok(octets) = data.try_into() {
                    link.mac = MacAddr(octets);
                }
            }
            libc::IFLA_NUM_RX_QUEUES => {
                link.receive_queues = data.try_into().map_or(1, u32::from_ne_bytes).max(1);
            }
            libc::IFLA_LINKINFO => {
                let kind = attributes(data).find(|(kind, _)| *kind == libc::IFLA_INFO_KIND);
                let text = kind.map(|(_, text)| String::from_utf8_lossy(text).into_owned());
                link.kind = text.unwrap_or_default().trim_end_matches('\0').to_owned();
            }
            libc::IFLA_MTU => link.mtu = u32::from_ne_bytes(data.try_into().ok()?) as usize,
            _ => {}
        }
    }
    Some(link)
}

/// Frames that were sent on an interface and lost by it or directly behind it, ever: a virtual wire counts here what
/// its other end had no time for. `None`: there is no such interface.
pub fn lost_on_sending(name: &str) -> Option<u64> {
    lost_in(&std::fs::read_to_string("/proc/thread-self/net/dev").ok()?, name)
}

/// The same in the text of `/proc/net/dev`: eight numbers of what was received, then those of what was sent.
fn lost_in(table: &str, name: &str) -> Option<u64> {
    let (_, numbers) =
        table.lines().filter_map(|line| line.split_once(':')).find(|(it, _)| it.trim() == name)?;
    numbers.split_whitespace().nth(11)?.parse().ok()
}

/// Switches an interface on or off.
pub fn set_up(index: u32, up: bool) -> io::Result<()> {
    let mut message = Message::new(libc::RTM_NEWLINK, libc::NLM_F_ACK);
    let flag = libc::IFF_UP as u32;
    message.link_header(index, if up { flag } else { 0 }, flag);
    exchange(message).map(drop)
}

/// Changes an interface's MTU.
pub fn set_mtu(index: u32, mtu: usize) -> io::Result<()> {
    let mut message = Message::new(libc::RTM_NEWLINK, libc::NLM_F_ACK);
    message.link_header(index, 0, 0);
    message.attribute(libc::IFLA_MTU, &(mtu as u32).to_ne_bytes());
    exchange(message).map(drop)
}

/// Changes how many frames may wait in front of an interface.
pub fn set_queue(index: u32, frames: u32) -> io::Result<()> {
    let mut message = Message::new(libc::RTM_NEWLINK, libc::NLM_F_ACK);
    message.link_header(index, 0, 0);
    message.attribute(libc::IFLA_TXQLEN, &frames.to_ne_bytes());
    exchange(message).map(drop)
}

/// Changes an interface's hardware address.
pub fn set_mac(index: u32, mac: MacAddr) -> io::Result<()> {
    let mut message = Message::new(libc::RTM_NEWLINK, libc::NLM_F_ACK);
    message.link_header(index, 0, 0);
    message.attribute(libc::IFLA_ADDRESS, &mac.octets());
    exchange(message).map(drop)
}

/// Moves an interface into another network namespace.
pub fn move_to(index: u32, namespace: &impl AsFd) -> io::Result<()> {
    let mut message = Message::new(libc::RTM_NEWLINK, libc::NLM_F_ACK);
    message.link_header(index, 0, 0);
    message.attribute(libc::IFLA_NET_NS_FD, &namespace.as_fd().as_raw_fd().to_ne_bytes());
    exchange(message).map(drop)
}

/// Takes an interface away.
pub fn delete_link(index: u32) -> io::Result<()> {
    let mut message = Message::new(libc::RTM_DELLINK, libc::NLM_F_ACK);
    message.link_header(index, 0, 0);
    exchange(message).map(drop)
}

/// Makes a pair of interfaces that are the two ends of one wire (veth(4)).
pub fn add_veth(name: &str, peer: &str) -> io::Result<()> {
    /// `VETH_INFO_PEER` of linux/veth.h.
    const VETH_INFO_PEER: u16 = 1;
    let mut message =
        Message::new(libc::RTM_NEWLINK, libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL);
    message.link_header(0, 0, 0);
    message.text(libc::IFLA_IFNAME, name);
    message.nested(libc::IFLA_LINKINFO, |message| {
        message.attribute(libc::IFLA_INFO_KIND, b"veth");
        message.nested(libc::IFLA_INFO_DATA, |message| {
            message.nested(VETH_INFO_PEER, |message| {
                message.link_header(0, 0, 0);
                message.text(libc::IFLA_IFNAME, peer);
            });
        });
    });
    exchange(message).map(drop)
}

/// Gives an interface an address. It can be used at once: the kernel does not look for a double first.
pub fn add_address(index: u32, address: Cidr) -> io::Result<()> {
    exchange(address_message(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_REPLACE, index, address))
        .map(drop)
}

/// Takes an address away from an interface.
pub fn delete_address(index: u32, address: Cidr) -> io::Result<()> {
    exchange(address_message(libc::RTM_DELADDR, 0, index, address)).map(drop)
}

fn address_message(kind: u16, flags: libc::c_int, index: u32, address: Cidr) -> Message {
    let mut message = Message::new(kind, libc::NLM_F_ACK | flags);
    let (family, octets) = octets(address.address());
    message.bytes(&[family, address.prefix().len(), libc::IFA_F_NODAD as u8, 0]);
    message.bytes(&index.to_ne_bytes());
    message.attribute(libc::IFA_LOCAL, &octets);
    message.attribute(libc::IFA_ADDRESS, &octets);
    if let Some(broadcast) = address.broadcast() {
        message.attribute(libc::IFA_BROADCAST, &broadcast.octets());
    }
    message
}

/// Adds a route by an interface, through a router or to the link itself.
pub fn add_route(prefix: IpPrefix, via: Option<IpAddr>, index: u32) -> io::Result<()> {
    /// `RTPROT_STATIC` of linux/rtnetlink.h: set by an administrator.
    const STATIC: u8 = 4;
    let mut message =
        Message::new(libc::RTM_NEWROUTE, libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE);
    let (family, network) = octets(prefix.network());
    let scope = if via.is_some() { libc::RT_SCOPE_UNIVERSE } else { libc::RT_SCOPE_LINK };
    let table = libc::RT_TABLE_MAIN;
    message.bytes(&[family, prefix.len(), 0, 0, table, STATIC, scope, libc::RTN_UNICAST]);
    message.bytes(&[0; 4]);
    if prefix.len() > 0 {
        message.attribute(libc::RTA_DST, &network);
    }
    if let Some(via) = via {
        message.attribute(libc::RTA_GATEWAY, &octets(via).1);
    }
    message.attribute(libc::RTA_OIF, &index.to_ne_bytes());
    exchange(message).map(drop)
}

fn octets(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(v4) => (libc::AF_INET as u8, v4.octets().to_vec()),
        IpAddr::V6(v6) => (libc::AF_INET6 as u8, v6.octets().to_vec()),
    }
}

/// Sends one request and collects the answers until the kernel says that it is done.
fn exchange(message: Message) -> io::Result<Vec<Vec<u8>>> {
    let wants_ack = message.wants_ack();
    let bytes = message.finish();
    // SAFETY: no pointers; the descriptor is ours from here on.
    let socket = unsafe {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        OwnedFd::from_raw_fd(check(libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE))?)
    };
    // SAFETY: pointer and length describe `bytes`.
    let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut answers = Vec::new();
    loop {
        let mut buffer = vec![0_u8; 32_768];
        // SAFETY: pointer and length describe `buffer`.
        let received = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        let Ok(received) = usize::try_from(received) else { return Err(io::Error::last_os_error()) };
        for (kind, payload) in message::messages(&buffer[..received]) {
            if kind == libc::NLMSG_ERROR as u16 {
                let code =
                    payload.get(..4).and_then(|code| code.try_into().ok()).map_or(0, i32::from_ne_bytes);
                return if code == 0 { Ok(answers) } else { Err(io::Error::from_raw_os_error(-code)) };
            }
            answers.push(payload.to_vec());
        }
        if !wants_ack && !answers.is_empty() {
            return Ok(answers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_on_sending_is_the_fourth_number_of_the_second_half() {
        let table = "Inter-|   Receive                                                |  Transmit\n \
                     face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop\n  \
                     veth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
        assert_eq!(lost_in(table, "veth0"), Some(12));
        assert_eq!(lost_in(table, "veth"), None);
        for cut in 0..table.len() {
            let _ = lost_in(&table[..cut], "veth0");
        }
    }
}
