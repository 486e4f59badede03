//! The words of a pcap filter: protocols, directions, addresses, numbers and the names of some.

use super::{Parsed, Placed};
use crate::filter::{Arith, ArithOp, Dir, Expr, Family, Header, Proto, display};
use std::net::IpAddr;

/// The words before an address, port or number.
#[derive(Clone, Copy, Default)]
pub(super) struct Words {
    pub(super) proto: Option<Word>,
    pub(super) dir: Option<Dir>,
    pub(super) kind: Option<Type>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Ether,
    Proto(Proto),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Host,
    Net,
    Port,
    PortRange,
    Proto,
}

pub(super) fn protocol_number(words: &Words, token: &Placed, word: &str) -> Parsed<Expr> {
    let word = word.trim_start_matches('\\');
    let wrong = || token.error(format!("`{word}` is not a protocol's number"));
    if words.proto == Some(Word::Ether) {
        let named = match word {
            "ip" => Some(0x0800),
            "arp" => Some(0x0806),
            "rarp" => Some(0x8035),
            "ip6" => Some(0x86DD),
            _ => None,
        };
        let number = named.or_else(|| number(word)).and_then(|number| u16::try_from(number).ok());
        return Ok(Expr::Header(Header::EtherProto(number.ok_or_else(wrong)?)));
    }
    let family = match words.proto {
        None => None,
        Some(Word::Proto(Proto::Ip)) => Some(Family::V4),
        Some(Word::Proto(Proto::Ip6)) => Some(Family::V6),
        Some(_) => return Err(token.error("`proto` goes with ip, ip6 and ether")),
    };
    let named = match word {
        "icmp" => Some(1),
        "igmp" => Some(2),
        "tcp" => Some(6),
        "udp" => Some(17),
        "esp" => Some(50),
        "ah" => Some(51),
        "icmp6" => Some(58),
        "pim" => Some(103),
        "vrrp" => Some(112),
        "sctp" => Some(132),
        _ => None,
    };
    let number = named.or_else(|| number(word)).and_then(|number| u8::try_from(number).ok());
    Ok(Expr::Header(Header::IpProto(family, number.ok_or_else(wrong)?)))
}

pub(super) fn has_host_bits(addr: IpAddr, prefix: u8) -> bool {
    match addr {
        IpAddr::V4(addr) => prefix < 32 && addr.to_bits() << prefix != 0,
        IpAddr::V6(addr) => prefix < 128 && addr.to_bits() << prefix != 0,
    }
}

/// An address, possibly a network written with fewer than four numbers, and how many bits that gives.
pub(super) fn address(word: &str) -> Option<(IpAddr, u8)> {
    if word.contains(':') {
        return word.parse().ok().map(|addr| (IpAddr::V6(addr), 128));
    }
    let parts: Option<Vec<u8>> = word.split('.').map(|part| part.parse().ok()).collect();
    let parts = parts.filter(|parts| (1..=4).contains(&parts.len()))?;
    let mut octets = [0; 4];
    octets[..parts.len()].copy_from_slice(&parts);
    Some((IpAddr::V4(octets.into()), parts.len() as u8 * 8))
}

pub(super) fn word_of(word: &str) -> Option<Word> {
    Some(match word {
        "ether" | "link" => Word::Ether,
        "ip" => Word::Proto(Proto::Ip),
        "ip6" => Word::Proto(Proto::Ip6),
        "arp" => Word::Proto(Proto::Arp),
        "rarp" => Word::Proto(Proto::Rarp),
        "tcp" => Word::Proto(Proto::Tcp),
        "udp" => Word::Proto(Proto::Udp),
        "sctp" => Word::Proto(Proto::Sctp),
        "icmp" => Word::Proto(Proto::Icmp),
        "icmp6" => Word::Proto(Proto::Icmp6),
        "igmp" => Word::Proto(Proto::Igmp),
        "esp" => Word::Proto(Proto::Esp),
        "ah" => Word::Proto(Proto::Ah),
        "pim" => Word::Proto(Proto::Pim),
        "vrrp" => Word::Proto(Proto::Vrrp),
        _ => return None,
    })
}

pub(super) fn direction(word: &str) -> Option<Dir> {
    match word {
        "src" => Some(Dir::Src),
        "dst" => Some(Dir::Dst),
        _ => None,
    }
}

pub(super) fn kind(word: &str) -> Option<Type> {
    match word {
        "host" => Some(Type::Host),
        "net" => Some(Type::Net),
        "port" => Some(Type::Port),
        "portrange" => Some(Type::PortRange),
        "proto" => Some(Type::Proto),
        _ => None,
    }
}

pub(super) fn number(word: &str) -> Option<u32> {
    display::literal::number(word).and_then(|number| u32::try_from(number).ok())
}

pub(super) fn service(word: &str) -> Option<u16> {
    let named = match word {
        "ftp" => 21,
        "ssh" => 22,
        "telnet" => 23,
        "smtp" => 25,
        "domain" => 53,
        "bootps" => 67,
        "bootpc" => 68,
        "tftp" => 69,
        "http" => 80,
        "ntp" => 123,
        "snmp" => 161,
        "bgp" => 179,
        "https" => 443,
        "syslog" => 514,
        _ => return number(word).and_then(|number| u16::try_from(number).ok()),
    };
    Some(named)
}

/// Names of offsets and values.
pub(super) fn constant(word: &str) -> Option<u32> {
    Some(match word {
        "icmptype" | "icmp6type" => 0,
        "icmpcode" | "icmp6code" => 1,
        "tcpflags" => 13,
        "tcp-fin" => 0x01,
        "tcp-syn" => 0x02,
        "tcp-rst" => 0x04,
        "tcp-push" => 0x08,
        "tcp-ack" => 0x10,
        "tcp-urg" => 0x20,
        "tcp-ece" => 0x40,
        "tcp-cwr" => 0x80,
        "icmp-echoreply" => 0,
        "icmp-unreach" => 3,
        "icmp-sourcequench" => 4,
        "icmp-redirect" => 5,
        "icmp-echo" => 8,
        "icmp-routeradvert" => 9,
        "icmp-routersolicit" => 10,
        "icmp-timxceed" => 11,
        "icmp-paramprob" => 12,
        "icmp-tstamp" => 13,
        "icmp-tstampreply" => 14,
        "icmp6-destinationrunreach" => 1,
        "icmp6-packettoobig" => 2,
        "icmp6-timeexceeded" => 3,
        "icmp6-echo" => 128,
        "icmp6-echoreply" => 129,
        "icmp6-routersolicit" => 133,
        "icmp6-routeradvert" => 134,
        "icmp6-neighborsolicit" => 135,
        "icmp6-neighboradvert" => 136,
        _ => return None,
    })
}

/// The value of what depends on no packet, in 32 bits.
pub(super) fn value(arith: &Arith) -> Option<u32> {
    match arith {
        Arith::Number(number) => Some(*number),
        Arith::Negate(inner) => value(inner).map(u32::wrapping_neg),
        Arith::Binary(left, op, right) => {
            let (a, b) = (value(left)?, value(right)?);
            Some(match op {
                ArithOp::Add => a.wrapping_add(b),
                ArithOp::Sub => a.wrapping_sub(b),
                ArithOp::Mul => a.wrapping_mul(b),
                ArithOp::Div => a.checked_div(b)?,
                ArithOp::Mod => a.checked_rem(b)?,
                ArithOp::And => a & b,
                ArithOp::Or => a | b,
                ArithOp::Xor => a ^ b,
                ArithOp::Shl => a.checked_shl(b)?,
                ArithOp::Shr => a.checked_shr(b)?,
            })
        }
        _ => None,
    }
}
