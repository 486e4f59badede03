//! Numbers that tell datagrams and flows apart, and that outsiders should not be able to foretell.

use core::net::IpAddr;

use siphasher::sip::SipHasher13;

use crate::random;

const COUNTERS: usize = 256;

/// Identifications of packets (RFC 791, RFC 7739 5.3: a keyed offset and a counter, both by destination) and
/// flow labels (RFC 6437 3).
#[derive(Debug)]
pub(super) struct Identification {
    hasher: SipHasher13,
    counters: Box<[u32; COUNTERS]>,
}

impl Identification {
    pub(super) fn new(seed: u64) -> Identification {
        let hasher = SipHasher13::new_with_key(&random::key(seed, "identification"));
        Identification { hasher, counters: Box::new([0; COUNTERS]) }
    }

    /// The next identification towards `dst`; the low 16 bits are IPv4's.
    pub(super) fn next(&mut self, src: IpAddr, dst: IpAddr, protocol: u8) -> u32 {
        self.next_of(self.flow(src, dst, protocol))
    }

    /// What [`Identification::next_of`] takes: the same for all packets of one protocol between two addresses.
    pub(super) fn flow(&self, src: IpAddr, dst: IpAddr, protocol: u8) -> u64 {
        self.hash(src, dst, protocol, &[])
    }

    /// The next identification of a flow.
    pub(super) fn next_of(&mut self, hash: u64) -> u32 {
        let counter = &mut self.counters[(hash & 0xff) as usize];
        *counter = counter.wrapping_add(1);
        ((hash >> 32) as u32).wrapping_add(*counter)
    }

    /// The next `count` identifications are used up.
    pub(super) fn skip(&mut self, hash: u64, count: u32) {
        let counter = &mut self.counters[(hash & 0xff) as usize];
        *counter = counter.wrapping_add(count);
    }

    /// The label of a flow; `ports` are the first four bytes of its upper layer.
    pub(super) fn flow_label(&self, src: IpAddr, dst: IpAddr, protocol: u8, ports: &[u8]) -> u32 {
        // Zero would mean "not labelled".
        (self.hash(src, dst, protocol, ports) as u32 & 0xf_ffff).max(1)
    }

    fn hash(&self, src: IpAddr, dst: IpAddr, protocol: u8, ports: &[u8]) -> u64 {
        let mut bytes = [0_u8; 37];
        for (address, at) in [(src, 0), (dst, 16)] {
            match address {
                IpAddr::V4(v4) => bytes[at..at + 4].copy_from_slice(&v4.octets()),
                IpAddr::V6(v6) => bytes[at..at + 16].copy_from_slice(&v6.octets()),
            }
        }
        bytes[32] = protocol;
        if let Some(ports) = ports.first_chunk::<4>() {
            bytes[33..].copy_from_slice(ports);
        }
        self.hasher.hash(&bytes)
    }
}
