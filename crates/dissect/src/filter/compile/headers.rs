//! Tests of headers: protocols, addresses, ports, tags.

use super::assemble::Label;
use super::{Compiled, Compiler, Types, error};
use crate::filter::bpf::code;
use crate::filter::{Dir, Family, NetOf, Proto};
use std::net::IpAddr;

impl Compiler {
    /// Whether the packet is of this EtherType.
    pub(super) fn ethertype(&mut self, kind: u16, yes: Label, no: Label) {
        match (self.types, kind) {
            (Types::Ether, _) => self.equals(code::H, self.type_at, u32::from(kind), yes, no),
            (Types::Version, 0x0800 | 0x86DD) => {
                self.push(code::LD | code::B | code::ABS, self.net_at);
                self.push(code::ALU | code::AND, 0xF0);
                self.jump(code::JEQ, if kind == 0x0800 { 0x40 } else { 0x60 }, yes, no);
            }
            (Types::Family, 0x0800) => {
                let next = self.label();
                self.equals(code::W, 0, 0x0200_0000, yes, next);
                self.place(next);
                self.equals(code::W, 0, 2, yes, no);
            }
            (Types::Family, 0x86DD) => {
                for family in [10u32, 24, 28, 30] {
                    for word in [family, family.swap_bytes()] {
                        let next = self.label();
                        self.equals(code::W, 0, word, yes, next);
                        self.place(next);
                    }
                }
                self.always(no, no);
            }
            (Types::Ppp, _) => {
                // What both number; the rest have a number of PPP only.
                let protocol = match kind {
                    0x0800 => 0x21,
                    0x86DD => 0x57,
                    0xE0 => 0x2B,
                    0x42 => 0x31,
                    0xFE => 0x23,
                    0x6003 => 0x27,
                    0x809B => 0x29,
                    0x0600 => 0x25,
                    own => u32::from(own),
                };
                self.equals(code::H, self.type_at, protocol, yes, no);
            }
            _ => self.always(no, no),
        }
    }

    /// `ether proto`, of which numbers that are lengths in Ethernet mean the service access point of LLC (IEEE 802.2).
    pub(super) fn ether_proto(&mut self, kind: u16, yes: Label, no: Label) {
        const LENGTH_MAX: u32 = 1500;
        let inside = self.label();
        match (self.types, self.type_at) {
            _ if u32::from(kind) > LENGTH_MAX => return self.ethertype(kind, yes, no),
            (Types::Ether, 12..) if kind == 0xE0 => return self.ipx(yes, no),
            (Types::Ether, 12..) => self.llc(inside, no),
            _ => return self.ethertype(kind, yes, no),
        }
        self.place(inside);
        match kind {
            // Of these source and destination are alike.
            0x06 | 0xF0 | 0xFE => self.equals(code::H, self.net_at, u32::from(kind) * 0x101, yes, no),
            _ => self.equals(code::B, self.net_at, u32::from(kind), yes, no),
        }
    }

    /// Goes on with frames that have LLC behind their length.
    fn llc(&mut self, yes: Label, no: Label) {
        if self.is_ethernet {
            self.push(code::LD | code::H | code::ABS, self.type_at);
            self.jump(code::JGT, 1500, no, yes);
        } else {
            self.equals(code::H, self.type_at, 4, yes, no);
        }
    }

    /// The four ways to put IPX into frames: with a type, in LLC, in SNAP, right behind the length.
    fn ipx(&mut self, yes: Label, no: Label) {
        let (typed, llc, point, snap, snap_type) =
            (self.label(), self.label(), self.label(), self.label(), self.label());
        self.equals(code::H, self.type_at, 0x8137, yes, typed);
        self.place(typed);
        if self.is_ethernet {
            self.llc(llc, no);
            self.place(llc);
            self.equals(code::H, self.net_at, 0xFFFF, yes, point);
        } else {
            self.equals(code::H, self.type_at, 1, yes, llc);
            self.place(llc);
            self.llc(point, no);
        }
        self.place(point);
        self.equals(code::B, self.net_at, 0xE0, yes, snap);
        self.place(snap);
        self.equals(code::W, self.net_at, 0xAAAA_0300, snap_type, no);
        self.place(snap_type);
        self.equals(code::W, self.net_at + 4, 0x8137, yes, no);
    }

    pub(super) fn ip_proto(&mut self, family: Option<Family>, number: u8, yes: Label, no: Label) {
        if family != Some(Family::V6) {
            let (inside, next) = (self.label(), self.label());
            let other = if family.is_none() { next } else { no };
            self.ethertype(0x0800, inside, other);
            self.place(inside);
            self.equals(code::B, self.net_at + 9, u32::from(number), yes, other);
            self.place(next);
        }
        if family != Some(Family::V4) {
            let (inside, fragment, upper) = (self.label(), self.label(), self.label());
            self.ethertype(0x86DD, inside, no);
            self.place(inside);
            self.equals(code::B, self.net_at + 6, u32::from(number), yes, fragment);
            // A fragment header may stand between.
            self.place(fragment);
            self.equals(code::B, self.net_at + 6, 44, upper, no);
            self.place(upper);
            self.equals(code::B, self.net_at + 40, u32::from(number), yes, no);
        }
    }

    pub(super) fn protocol(&mut self, proto: Proto, yes: Label, no: Label) {
        match proto {
            Proto::Ip => self.ethertype(0x0800, yes, no),
            Proto::Ip6 => self.ethertype(0x86DD, yes, no),
            Proto::Arp => self.ethertype(0x0806, yes, no),
            Proto::Rarp => self.ethertype(0x8035, yes, no),
            Proto::Tcp => self.ip_proto(None, 6, yes, no),
            Proto::Udp => self.ip_proto(None, 17, yes, no),
            Proto::Sctp => self.ip_proto(None, 132, yes, no),
            Proto::Esp => self.ip_proto(None, 50, yes, no),
            Proto::Ah => self.ip_proto(None, 51, yes, no),
            Proto::Pim => self.ip_proto(None, 103, yes, no),
            Proto::Icmp => self.ip_proto(Some(Family::V4), 1, yes, no),
            Proto::Igmp => self.ip_proto(Some(Family::V4), 2, yes, no),
            Proto::Vrrp => self.ip_proto(Some(Family::V4), 112, yes, no),
            Proto::Icmp6 => self.ip_proto(Some(Family::V6), 58, yes, no),
        }
    }

    /// Tests one end or both.
    pub(super) fn ends(
        &mut self,
        dir: Dir,
        yes: Label,
        no: Label,
        mut test: impl FnMut(&mut Self, bool, Label, Label),
    ) {
        match dir {
            Dir::Src => test(self, false, yes, no),
            Dir::Dst => test(self, true, yes, no),
            Dir::Either => {
                let next = self.label();
                test(self, false, yes, next);
                self.place(next);
                test(self, true, yes, no);
            }
            Dir::Both => {
                let next = self.label();
                test(self, false, next, no);
                self.place(next);
                test(self, true, yes, no);
            }
        }
    }

    pub(super) fn mac(&mut self, at: u32, addr: [u8; 6], yes: Label, no: Label) {
        let next = self.label();
        let word = u32::from_be_bytes([addr[2], addr[3], addr[4], addr[5]]);
        self.equals(code::W, at + 2, word, next, no);
        self.place(next);
        self.equals(code::H, at, u32::from(u16::from_be_bytes([addr[0], addr[1]])), yes, no);
    }

    pub(super) fn net(
        &mut self,
        of: NetOf,
        dir: Dir,
        addr: IpAddr,
        prefix: u8,
        yes: Label,
        no: Label,
    ) -> Compiled {
        match addr {
            IpAddr::V4(addr) => {
                // EtherType, offsets of source and destination.
                let places: &[(u16, u32, u32)] = match of {
                    NetOf::Any => &[(0x0800, 12, 16), (0x0806, 14, 24), (0x8035, 14, 24)],
                    NetOf::Ip => &[(0x0800, 12, 16)],
                    NetOf::Arp => &[(0x0806, 14, 24)],
                    NetOf::Rarp => &[(0x8035, 14, 24)],
                    NetOf::Ip6 => return Err(error("that is no IPv6 address")),
                };
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                let net = self.net_at;
                for (kind, src, dst) in places {
                    let (inside, next) = (self.label(), self.label());
                    self.ethertype(*kind, inside, next);
                    self.place(inside);
                    self.ends(dir, yes, no, |this, is_dst, yes, no| {
                        let at = net + if is_dst { *dst } else { *src };
                        this.masked(at, addr.to_bits() & mask, mask, yes, no);
                    });
                    self.place(next);
                }
                self.always(no, no);
            }
            IpAddr::V6(addr) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                let inside = self.label();
                self.ethertype(0x86DD, inside, no);
                self.place(inside);
                let net = self.net_at;
                self.ends(dir, yes, no, |this, is_dst, yes, no| {
                    let at = net + if is_dst { 24 } else { 8 };
                    for word in 0..4u32 {
                        let next = this.label();
                        let shift = 96 - 32 * word;
                        let (value, mask) = ((addr.to_bits() >> shift) as u32, (mask >> shift) as u32);
                        this.masked(at + 4 * word, value & mask, mask, next, no);
                        this.place(next);
                    }
                    this.always(yes, yes);
                });
            }
        }
        Ok(())
    }

    pub(super) fn masked(&mut self, at: u32, value: u32, mask: u32, yes: Label, no: Label) {
        if mask == 0 {
            return self.always(yes, yes);
        }
        self.push(code::LD | code::W | code::ABS, at);
        if mask != u32::MAX {
            self.push(code::ALU | code::AND, mask);
        }
        self.jump(code::JEQ, value, yes, no);
    }

    pub(super) fn port(&mut self, of: Option<u8>, dir: Dir, first: u16, last: u16, yes: Label, no: Label) {
        let (v4, v6, v6_inside) = (self.label(), self.label(), self.label());
        let net = self.net_at;
        self.ethertype(0x0800, v4, v6);
        self.place(v4);
        self.one_of(net + 9, of, no);
        let whole = self.label();
        self.push(code::LD | code::H | code::ABS, net + 6);
        self.jump(code::JSET, 0x1FFF, no, whole);
        self.place(whole);
        self.push(code::LDX | code::B | code::MSH, net);
        self.ends(dir, yes, no, |this, is_dst, yes, no| {
            this.push(code::LD | code::H | code::IND, net + if is_dst { 2 } else { 0 });
            this.range(first, last, yes, no);
        });
        self.place(v6);
        self.ethertype(0x86DD, v6_inside, no);
        self.place(v6_inside);
        self.one_of(net + 6, of, no);
        self.ends(dir, yes, no, |this, is_dst, yes, no| {
            this.push(code::LD | code::H | code::ABS, net + 40 + if is_dst { 2 } else { 0 });
            this.range(first, last, yes, no);
        });
    }

    /// Goes on if the protocol at an offset has ports (or is the one that was named).
    pub(super) fn one_of(&mut self, at: u32, of: Option<u8>, no: Label) {
        let all = [132, 6, 17];
        let wanted: &[u8] = match &of {
            Some(one) => std::slice::from_ref(one),
            None => &all,
        };
        let found = self.label();
        self.push(code::LD | code::B | code::ABS, at);
        for (place, number) in wanted.iter().enumerate() {
            let next = self.label();
            let is_last = place + 1 == wanted.len();
            self.jump(code::JEQ, u32::from(*number), found, if is_last { no } else { next });
            self.place(next);
        }
        self.place(found);
    }

    pub(super) fn range(&mut self, first: u16, last: u16, yes: Label, no: Label) {
        if first == last {
            return self.jump(code::JEQ, u32::from(first), yes, no);
        }
        let next = self.label();
        self.jump(code::JGE, u32::from(first), next, no);
        self.place(next);
        self.jump(code::JGT, u32::from(last), no, yes);
    }

    /// Tests for a tag; whatever is tested later lies behind it.
    pub(super) fn vlan(&mut self, id: Option<u16>, yes: Label, no: Label) -> Compiled {
        if !self.is_ethernet {
            return Err(error("VLAN tags are found in Ethernet frames only"));
        }
        let tagged = self.label();
        for kind in [0x8100, 0x88A8] {
            let next = self.label();
            self.ethertype(kind, tagged, next);
            self.place(next);
        }
        self.ethertype(0x9100, tagged, no);
        self.place(tagged);
        match id {
            None => self.always(yes, yes),
            Some(id) => {
                self.push(code::LD | code::H | code::ABS, self.net_at);
                self.push(code::ALU | code::AND, 0x0FFF);
                self.jump(code::JEQ, u32::from(id), yes, no);
            }
        }
        self.type_at += 4;
        self.net_at += 4;
        Ok(())
    }
}

/// The number of a protocol above IP.
pub(super) fn number_of(proto: Proto) -> u8 {
    match proto {
        Proto::Icmp => 1,
        Proto::Igmp => 2,
        Proto::Tcp => 6,
        Proto::Udp => 17,
        Proto::Esp => 50,
        Proto::Ah => 51,
        Proto::Pim => 103,
        Proto::Vrrp => 112,
        Proto::Sctp => 132,
        Proto::Icmp6 => 58,
        Proto::Ip | Proto::Ip6 | Proto::Arp | Proto::Rarp => 255,
    }
}
