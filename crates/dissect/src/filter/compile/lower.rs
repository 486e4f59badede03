//! Comparisons of fields as tests of headers.

use super::error;
use crate::filter::{Arith, Dir, Expr, Family, FilterError, Header, Literal, NetOf, Op, Operand, Proto};

/// A comparison of a field as tests of headers, where that is possible. `all`: it has to hold for every value.
pub(super) fn lower(left: &Operand, op: Op, right: &Operand, all: bool) -> Result<Expr, FilterError> {
    match (name_of(left), right) {
        (Some(name), Operand::Literal(literal)) => lower_one(name, op, literal, all),
        (Some(name), _) => Err(unable(name)),
        _ => Err(unable("this")),
    }
}

/// A field's membership in a set.
pub(super) fn lower_set(
    left: &Operand,
    set: &[(Literal, Option<Literal>)],
    all: bool,
) -> Result<Expr, FilterError> {
    let name = name_of(left).filter(|_| !all).ok_or_else(|| unable("this"))?;
    let parts = set.iter().map(|(from, to)| match (from, to) {
        (from, None) => lower_one(name, Op::Eq, from, false),
        (Literal::Uint(from), Some(Literal::Uint(to))) => match port(name, *from, *to) {
            Some(header) => Ok(Expr::Header(header)),
            // Of what a packet has once, both limits are about the same value.
            None if name == "frame.len" => Ok(Expr::And(vec![
                lower_one(name, Op::Ge, &Literal::Uint(*from), false)?,
                lower_one(name, Op::Le, &Literal::Uint(*to), false)?,
            ])),
            None => Err(unable(name)),
        },
        _ => Err(unable(name)),
    });
    Ok(Expr::Or(parts.collect::<Result<_, _>>()?))
}

/// The name of a field. An alias lists its parts; its tests are of both ends.
fn name_of(operand: &Operand) -> Option<&'static str> {
    let Operand::Field { defs, layers } = operand else { return None };
    if !layers.is_empty() {
        return None;
    }
    match defs.as_slice() {
        [one] => Some(one.name),
        [one, ..] => Some(match one.name {
            "ip.src" => "ip.addr",
            "ipv6.src" => "ipv6.addr",
            "tcp.srcport" => "tcp.port",
            "udp.srcport" => "udp.port",
            "eth.dst" => "eth.addr",
            other => other,
        }),
        [] => None,
    }
}

/// Which end a field's name means.
fn dir(name: &str) -> Dir {
    match name.rsplit('.').next().unwrap_or_default() {
        "src" | "srcport" => Dir::Src,
        "dst" | "dstport" => Dir::Dst,
        _ => Dir::Either,
    }
}

/// A range of ports, if that is the field's meaning.
fn port(name: &str, first: u64, last: u64) -> Option<Header> {
    let (protocol, field) = name.split_once('.')?;
    let of = Some(match protocol {
        "tcp" => 6,
        "udp" => 17,
        _ => return None,
    });
    let is_port = matches!(field, "port" | "srcport" | "dstport") && first <= last;
    let (first, last) = (u16::try_from(first).ok()?, u16::try_from(last).ok()?);
    is_port.then(|| Header::Port { of, dir: dir(name), first, last })
}

/// One field against one value.
fn lower_one(name: &str, op: Op, literal: &Literal, all: bool) -> Result<Expr, FilterError> {
    // Of two ends, "every" and "none" are not the same; of one, it makes no difference.
    let both = dir(name) == Dir::Either && (name.ends_with(".addr") || name.ends_with(".port"));
    if both && all != (op == Op::Ne) {
        return Err(unable(name));
    }
    let simple = |header| match op {
        Op::Eq => Ok(Expr::Header(header)),
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
    let dir = dir(name);
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
