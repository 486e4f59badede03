//! Whose socket it is: from addresses and ports to the process that holds the socket, by the kernel's tables
//! (proc(5): `net/tcp`, `net/udp`, the descriptors of processes).
//!
//! A client may live for a few milliseconds, so somebody unknown is looked for at once: in the table of sockets, then
//! among the processes, the youngest first. That takes up to milliseconds on a machine with many processes, so no more
//! than a tenth of the time is spent on it, after a start of [`CREDIT`]: beyond that, sockets stay unknown.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

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
#[derive(Debug)]
pub struct Owners {
    /// The number of each socket's inode.
    sockets: HashMap<Ends, u64>,
    /// The processes that hold them, as far as they were looked for.
    holders: HashMap<u64, Owner>,
    /// Flows of whom nobody knows anything, and until when they are not asked about again.
    unknown: HashMap<Ends, u64>,
    /// Nanoseconds that may be spent on looking, or less than none: what one look cost beyond them is paid first; and
    /// when that was counted.
    credit: i64,
    counted: u64,
}

/// So many nanoseconds may be spent at once on looking for owners.
pub const CREDIT: i64 = 200_000_000;
/// Who was not found is looked for again after so long.
const AGAIN: u64 = 200_000_000;
/// So many questions without an answer, and so many sockets, are remembered.
const KNOWN_MAX: usize = 65_536;

impl Default for Owners {
    fn default() -> Owners {
        Owners::new()
    }
}

impl Owners {
    /// Tables that were not read yet.
    pub fn new() -> Owners {
        Owners {
            sockets: HashMap::new(),
            holders: HashMap::new(),
            unknown: HashMap::new(),
            credit: CREDIT,
            counted: clock::now().nanos(),
        }
    }

    /// Who on this machine holds one of the two ends, the first rather than the second; a socket of its own rather than
    /// one that hears everybody on that port.
    pub fn of(&mut self, transport: Transport, a: SocketAddr, b: SocketAddr) -> Option<Owner> {
        if let Some(owner) = self.connected(transport, a, b).and_then(|inode| self.holders.get(&inode)) {
            return Some(owner.clone());
        }
        let key = (transport, a, b);
        let now = clock::now().nanos();
        let earned = i64::try_from(now.saturating_sub(self.counted) / 10).unwrap_or(CREDIT);
        self.credit = CREDIT.min(self.credit.saturating_add(earned));
        self.counted = now;
        if self.credit > 0 && self.unknown.get(&key).is_none_or(|again| now >= *again) {
            self.read(transport);
            let found = self.inode(transport, a, b);
            if let Some(inode) = found.filter(|inode| !self.holders.contains_key(inode)) {
                self.look_for(inode);
            }
            if self.connected(transport, a, b).is_none_or(|inode| !self.holders.contains_key(&inode)) {
                if self.unknown.len() >= KNOWN_MAX {
                    self.unknown.clear();
                }
                self.unknown.insert(key, now + AGAIN);
            }
            let after = clock::now().nanos();
            let spent = i64::try_from(after.saturating_sub(now)).unwrap_or(i64::MAX);
            self.credit = self.credit.saturating_sub(spent);
            self.counted = after;
        }
        self.holders.get(&self.inode(transport, a, b)?).cloned()
    }

    /// The socket of these two ends, or else the one that hears on one of them, the first rather than the second.
    fn inode(&self, transport: Transport, a: SocketAddr, b: SocketAddr) -> Option<u64> {
        let connected = self.connected(transport, a, b);
        connected.or_else(|| self.hearing(transport, a)).or_else(|| self.hearing(transport, b))
    }

    /// The socket that belongs to these two ends.
    fn connected(&self, transport: Transport, a: SocketAddr, b: SocketAddr) -> Option<u64> {
        let both = [(a, b), (b, a)];
        both.into_iter().find_map(|(own, other)| self.sockets.get(&(transport, own, other)).copied())
    }

    /// The socket that hears everybody on this port: a listener of TCP, whose connections are its own or its
    /// children's, or a socket of UDP.
    fn hearing(&self, transport: Transport, own: SocketAddr) -> Option<u64> {
        let nobody = |like: IpAddr| SocketAddr::new(unspecified(like), 0);
        let v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let everywhere = SocketAddr::new(unspecified(own.ip()), own.port());
        // A socket of IPv6 may hear IPv4, too.
        let places = [
            (own, nobody(own.ip())),
            (everywhere, nobody(own.ip())),
            (SocketAddr::new(v6, own.port()), nobody(v6)),
        ];
        places.into_iter().find_map(|(own, other)| self.sockets.get(&(transport, own, other)).copied())
    }

    /// Reads the tables of one transport.
    fn read(&mut self, transport: Transport) {
        // Of a connection that has gone, the last packets may still come; a port may be somebody else's by now.
        let is_full = self.sockets.len() >= KNOWN_MAX;
        self.sockets.retain(|(of, _, other), _| *of != transport || other.port() != 0 && !is_full);
        let names = match transport {
            Transport::Tcp => ["tcp", "tcp6"],
            Transport::Udp => ["udp", "udp6"],
        };
        for name in names {
            let table = fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default();
            self.sockets.extend(rows(&table).map(|(own, other, inode)| ((transport, own, other), inode)));
        }
    }

    /// Looks for the process that holds a socket, as far as we may see: without rights, among those of the same user.
    /// The youngest come first: who just opened a socket has often just begun.
    fn look_for(&mut self, inode: u64) {
        if self.holders.len() >= KNOWN_MAX {
            self.holders.clear();
        }
        let Ok(processes) = fs::read_dir("/proc") else { return };
        let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
        let mut processes: Vec<u32> = processes.flatten().filter_map(number).collect();
        processes.sort_unstable_by(|a, b| b.cmp(a));
        for process in processes {
            self.holders.extend(held_by(process));
            if self.holders.contains_key(&inode) {
                return;
            }
        }
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

/// The sockets of a process.
fn held_by(process: u32) -> Vec<(u64, Owner)> {
    let folder = PathBuf::from(format!("/proc/{process}"));
    let Ok(descriptors) = fs::read_dir(folder.join("fd")) else { return Vec::new() };
    let targets = descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    let inodes = targets.filter_map(|target| {
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok()
    });
    let inodes: Vec<u64> = inodes.collect();
    if inodes.is_empty() {
        return Vec::new();
    }
    let name = fs::read_to_string(folder.join("comm")).unwrap_or_default();
    let name: String = name.trim_end().chars().filter(|c| !c.is_control()).collect();
    inodes.into_iter().map(|inode| (inode, Owner { process, name: name.clone() })).collect()
}

#[cfg(test)]
mod tests;
