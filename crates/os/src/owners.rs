//! Whose socket it is: from addresses and ports to the process that holds the socket, by the kernel's tables
//! (proc(5): `net/tcp`, `net/udp`, the descriptors of processes).
//!
//! Reading all of that takes milliseconds, so [`Owners`] does it only when somebody unknown is asked for, and never for
//! more than a tenth of the time: sockets that live shorter than that stay unknown.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::clock;

/// A process that holds a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its number.
    pub process: u32,
    /// Its name, as in `ps -o comm`.
    pub name: String,
}

/// Protocols that have tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A socket's own address, and the other end's, which is unspecified while it listens.
type Ends = (Transport, SocketAddr, SocketAddr);

/// What was found in the tables.
#[derive(Debug, Default)]
pub struct Owners {
    /// The number of each socket's inode.
    sockets: HashMap<Ends, u64>,
    /// The processes that hold them.
    holders: HashMap<u64, Owner>,
    /// Flows of whom nobody knows anything: not asked again before the next reading.
    unknown: std::collections::HashSet<Ends>,
    /// Nanoseconds of the monotonic clock before which nothing is read again.
    not_before: u64,
}

/// So many questions without an answer are remembered.
const UNKNOWN_MAX: usize = 65_536;

impl Owners {
    /// Tables that were not read yet.
    pub fn new() -> Owners {
        Owners::default()
    }

    /// Who on this machine holds one of the two ends, the first rather than the second; a socket of its own rather than
    /// one that hears everybody on that port.
    pub fn of(&mut self, transport: Transport, a: SocketAddr, b: SocketAddr) -> Option<Owner> {
        if let Some(owner) = self.connected(transport, a, b) {
            return Some(owner.clone());
        }
        let key = (transport, a, b);
        let now = clock::now().nanos();
        let asked = self.unknown.contains(&key) && now < self.not_before.saturating_add(1_000_000_000);
        if now >= self.not_before && !asked {
            self.read();
            let read_at = clock::now().nanos();
            self.not_before = read_at + 10 * read_at.saturating_sub(now);
            if let Some(owner) = self.connected(transport, a, b) {
                return Some(owner.clone());
            }
            if self.unknown.len() < UNKNOWN_MAX {
                self.unknown.insert(key);
            }
        }
        self.hearing(transport, a).or_else(|| self.hearing(transport, b)).cloned()
    }

    /// The process of a socket that belongs to these two ends.
    fn connected(&self, transport: Transport, a: SocketAddr, b: SocketAddr) -> Option<&Owner> {
        let inode = [(a, b), (b, a)]
            .into_iter()
            .find_map(|(own, other)| self.sockets.get(&(transport, own, other)))?;
        self.holders.get(inode)
    }

    /// The process that hears everybody on this port: a listener of TCP, whose connections are its own or its
    /// children's, or a socket of UDP.
    fn hearing(&self, transport: Transport, own: SocketAddr) -> Option<&Owner> {
        let nobody = |like: IpAddr| SocketAddr::new(unspecified(like), 0);
        let v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let everywhere = SocketAddr::new(unspecified(own.ip()), own.port());
        // A socket of IPv6 may hear IPv4, too.
        let places = [
            (own, nobody(own.ip())),
            (everywhere, nobody(own.ip())),
            (SocketAddr::new(v6, own.port()), nobody(v6)),
        ];
        let inode = places.into_iter().find_map(|(own, other)| self.sockets.get(&(transport, own, other)))?;
        self.holders.get(inode)
    }

    fn read(&mut self) {
        self.sockets.clear();
        self.unknown.clear();
        for (transport, name) in [
            (Transport::Tcp, "tcp"),
            (Transport::Tcp, "tcp6"),
            (Transport::Udp, "udp"),
            (Transport::Udp, "udp6"),
        ] {
            let table = fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default();
            self.sockets.extend(rows(&table).map(|(own, other, inode)| ((transport, own, other), inode)));
        }
        self.holders = holders();
    }
}

fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// The sockets of a table: own end, other end, inode.
fn rows(table: &str) -> impl Iterator<Item = (SocketAddr, SocketAddr, u64)> + '_ {
    table.lines().skip(1).filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (own, other) = (end(words.next()?)?, end(words.next()?)?);
        let inode = words.nth(6)?.parse().ok().filter(|inode| *inode != 0)?;
        Some((own, other, inode))
    })
}

/// `0100007F:0016`: words of an address in this machine's byte order, and a port. IPv4 in IPv6's clothes is IPv4.
fn end(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut octets = [0; 16];
            for place in 0..4 {
                octets[place * 4..place * 4 + 4].copy_from_slice(&word(place * 8)?);
            }
            IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

/// The processes that hold sockets, as far as we may see: without rights, those of the same user.
fn holders() -> HashMap<u64, Owner> {
    let mut holders = HashMap::new();
    let Ok(processes) = fs::read_dir("/proc") else { return holders };
    for process in processes.flatten() {
        let Some(number) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        let mut name = None;
        for target in descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()) {
            let inode = target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']'));
            let Some(inode) = inode.and_then(|inode| inode.parse().ok()) else { continue };
            let name = name.get_or_insert_with(|| {
                let text = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
                text.trim_end().chars().filter(|c| !c.is_control()).collect::<String>()
            });
            holders.entry(inode).or_insert_with(|| Owner { process: number, name: name.clone() });
        }
    }
    holders
}

#[cfg(test)]
mod tests;
