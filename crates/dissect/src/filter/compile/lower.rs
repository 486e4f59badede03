//! Comparisons of fields as tests of headers.

use super::error;
use crate::filter::{Arith, Dir, Expr, Family, FilterError, Header, Literal, NetOf, Op, Operand, Proto};

/// A comparison of a field as tests of headers, where that is possible.
pub(super) fn lower(left: &Operand, op: Op, right: &Operand) -> Result<Expr, FilterError> {
    match (left, right) {
        (Operand::Field { defs, slices }, Operand::Literal(literal)) if slices.is_empty() => {
            // An alias lists its parts; its tests are of both ends.
            let name = match defs.as_slice() {
                [one] => one.name,
                [one, ..] => match one.name {
                    "ip.src" => "ip.addr",
                    "ipv6.src" => "ipv6.addr",
                    "tcp.srcport" => "tcp.port",
                    "udp.srcport" => "udp.port",
                    "eth.dst" => "eth.addr",
                    other => other,
                },
                [] => return Err(unable("this")),
            };
            lower_one(name, op, literal)
        }
        (Operand::Field { defs, .. } | Operand::Masked(defs, _), _) => Err(unable(defs[0].name)),
        _ => Err(unable("this")),
    }
}

/// One field against one value.
pub(super) fn lower_one(name: &str, op: Op, literal: &Literal) -> Result<Expr, FilterError> {
    let simple = |header| match op {
        Op::Eq | Op::AllEq => Ok(Expr::Header(header)),
        Op::Ne => {
            let there = protocol_named(name.split('.').next().unwrap_or_default());
            let not = Expr::Not(Box::new(Expr::Header(header)));
            Ok(match there {
                Some(proto) => Expr::And(vec![Expr::Header(Header::Proto(proto)), not]),
                None => not,
            })
        }
        _ => Err(unable(name)),
    };
    let dir = match name.rsplit('.').next().unwrap_or_default() {
        "src" | "srcport" => Dir::Src,
        "dst" | "dstport" => Dir::Dst,
        _ => Dir::Either,
    };
    match (name, literal) {
        ("ip.src" | "ip.dst" | "ip.addr", Literal::Net(addr, prefix)) => {
            simple(Header::Net { of: NetOf::Ip, dir, addr: *addr, prefix: *prefix })
        }
        ("ipv6.src" | "ipv6.dst" | "ipv6.addr", Literal::Net(addr, prefix)) => {
            simple(Header::Net { of: NetOf::Ip6, dir, addr: *addr, prefix: *prefix })
        }
        ("eth.src" | "eth.dst" | "eth.addr", Literal::Bytes(bytes)) => {
            let addr = <[u8; 6]>::try_from(bytes.as_slice()).map_err(|_| unable(name))?;
            simple(Header::EtherHost { dir, addr })
        }
        ("eth.type", Literal::Uint(kind)) => simple(Header::EtherProto(*kind as u16)),
        ("ip.proto", Literal::Uint(number)) => simple(Header::IpProto(Some(Family::V4), *number as u8)),
        (
            "tcp.port" | "tcp.srcport" | "tcp.dstport" | "udp.port" | "udp.srcport" | "udp.dstport",
            Literal::Uint(port),
        ) => {
            let of = Some(if name.starts_with("tcp") { 6 } else { 17 });
            let port = u16::try_from(*port).map_err(|_| unable(name))?;
            let (first, last) = match op {
                Op::Ge => (port, u16::MAX),
                Op::Le => (0, port),
                Op::Gt if port < u16::MAX => (port + 1, u16::MAX),
                Op::Lt if port > 0 => (0, port - 1),
                _ => return simple(Header::Port { of, dir, first: port, last: port }),
            };
            Ok(Expr::Header(Header::Port { of, dir, first, last }))
        }
        ("frame.len", Literal::Uint(length)) => {
            let right = Arith::Number(u32::try_from(*length).map_err(|_| unable(name))?);
            Ok(Expr::Header(Header::Relation { left: Arith::Len, op, right }))
        }
        _ => Err(unable(name)),
    }
}

/// The protocol that a layer's name means.
pub(super) fn protocol_named(name: &str) -> Option<Proto> {
    Some(match name {
        "ip" => Proto::Ip,
        "ipv6" => Proto::Ip6,
        "arp" => Proto::Arp,
        "tcp" => Proto::Tcp,
        "udp" => Proto::Udp,
        "sctp" => Proto::Sctp,
        "icmp" => Proto::Icmp,
        "icmpv6" => Proto::Icmp6,
        "igmp" => Proto::Igmp,
        _ => return None,
    })
}

/// The error for what only a dissection can tell.
pub(super) fn unable(what: &str) -> FilterError {
    error(format!("`{what}` takes a dissection: the kernel cannot test it"))
}
