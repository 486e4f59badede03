//! Names of numbers, and arguments as numbers.

use super::Stop;
use crate::script::Expr;

pub(crate) const MSG_PEEK: i64 = 0x2;
pub(crate) const MSG_DONTWAIT: i64 = 0x40;
pub(crate) const MSG_WAITALL: i64 = 0x100;
pub(crate) const MSG_EOR: i64 = 0x80;
pub(crate) const MSG_ERRQUEUE: i64 = 0x2000;
pub(crate) const MSG_MORE: i64 = 0x8000;
pub(crate) const MSG_ZEROCOPY: i64 = 0x400_0000;
pub(crate) const MSG_FASTOPEN: i64 = 0x2000_0000;
pub(crate) const O_NONBLOCK: i64 = 0x800;
pub(crate) const O_RDWR: i64 = 0x2;
pub(crate) const POLLIN: i64 = 0x1;
pub(crate) const POLLOUT: i64 = 0x4;
pub(crate) const POLLERR: i64 = 0x8;
pub(crate) const POLLHUP: i64 = 0x10;
pub(crate) const POLLRDHUP: i64 = 0x2000;

/// Names whose bits matter; other names are compared as they are written.
const NAMES: &[(&str, i64)] = &[
    ("MSG_OOB", 0x1),
    ("MSG_PEEK", MSG_PEEK),
    ("MSG_DONTROUTE", 0x4),
    ("MSG_CTRUNC", 0x8),
    ("MSG_TRUNC", 0x20),
    ("MSG_DONTWAIT", MSG_DONTWAIT),
    ("MSG_EOR", 0x80),
    ("MSG_WAITALL", MSG_WAITALL),
    ("MSG_ERRQUEUE", MSG_ERRQUEUE),
    ("MSG_NOSIGNAL", 0x4000),
    ("MSG_MORE", 0x8000),
    ("MSG_ZEROCOPY", MSG_ZEROCOPY),
    ("MSG_FASTOPEN", MSG_FASTOPEN),
    ("O_RDONLY", 0),
    ("O_WRONLY", 1),
    ("O_RDWR", O_RDWR),
    ("O_NONBLOCK", O_NONBLOCK),
    ("O_NDELAY", O_NONBLOCK),
    ("POLLIN", POLLIN),
    ("POLLPRI", 0x2),
    ("POLLOUT", POLLOUT),
    ("POLLERR", POLLERR),
    ("POLLHUP", POLLHUP),
    ("POLLNVAL", 0x20),
    ("POLLRDNORM", 0x40),
    ("POLLWRNORM", 0x100),
    ("POLLRDHUP", POLLRDHUP),
    ("EPOLLIN", POLLIN),
    ("EPOLLPRI", 0x2),
    ("EPOLLOUT", POLLOUT),
    ("EPOLLERR", POLLERR),
    ("EPOLLHUP", POLLHUP),
    ("EPOLLRDNORM", 0x40),
    ("EPOLLRDBAND", 0x80),
    ("EPOLLWRNORM", 0x100),
    ("EPOLLWRBAND", 0x200),
    ("EPOLLRDHUP", POLLRDHUP),
    ("EPOLLEXCLUSIVE", 1 << 28),
    ("EPOLLONESHOT", 1 << 30),
    ("EPOLLET", 1 << 31),
    ("SHUT_RD", 0),
    ("SHUT_WR", 1),
    ("SHUT_RDWR", 2),
    ("SOCK_NONBLOCK", O_NONBLOCK),
    ("SOCK_CLOEXEC", 0x8_0000),
    ("SOCK_STREAM", 1),
    ("SOCK_DGRAM", 2),
    ("IPTOS_LOWDELAY", 0x10),
    ("IPTOS_THROUGHPUT", 0x08),
    ("IPTOS_RELIABILITY", 0x04),
    ("IPTOS_MINCOST", 0x02),
    ("IPTOS_DSCP_CS0", 0x00),
    ("IPTOS_DSCP_CS1", 0x20),
    ("IPTOS_DSCP_CS2", 0x40),
    ("IPTOS_DSCP_CS3", 0x60),
    ("IPTOS_DSCP_CS4", 0x80),
    ("IPTOS_DSCP_CS5", 0xa0),
    ("IPTOS_DSCP_CS6", 0xc0),
    ("IPTOS_DSCP_CS7", 0xe0),
    ("IPTOS_DSCP_EF", 0xb8),
    ("IPTOS_ECN_ECT0", 0x02),
    ("IPTOS_ECN_ECT1", 0x01),
    ("IPTOS_ECN_CE", 0x03),
    ("IPTOS_ECN_NOT_ECT", 0x00),
    ("IP_PMTUDISC_DONT", 0),
    ("IP_PMTUDISC_WANT", 1),
    ("IP_PMTUDISC_DO", 2),
    ("IP_PMTUDISC_PROBE", 3),
];

/// The number behind an expression, if it is one.
pub(crate) fn number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Int(value) => Some(*value),
        Expr::Word(word) => NAMES.iter().find(|(name, _)| name == word).map(|(_, value)| *value),
        Expr::Or(left, right) => Some(number(left)? | number(right)?),
        Expr::Not(inner) => Some(!number(inner)?),
        Expr::Array(items) if items.len() == 1 => number(items.first()?),
        Expr::Apply(name, arguments) if matches!(name.as_str(), "htons" | "htonl" | "ntohs" | "ntohl") => {
            number(arguments.first()?)
        }
        Expr::Float(_)
        | Expr::Ellipsis
        | Expr::Text(_)
        | Expr::Array(_)
        | Expr::Struct(_)
        | Expr::Apply(..) => None,
    }
}

/// The name in an expression, if it is one.
pub(crate) fn name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Word(word) => Some(word),
        Expr::Array(items) if items.len() == 1 => name(items.first()?),
        _ => None,
    }
}

/// An argument that has to be a number.
pub(crate) fn argument(arguments: &[Expr], index: usize) -> Result<i64, Stop> {
    let Some(expr) = arguments.get(index) else {
        return Stop::fail(format!("argument {} is missing", index + 1));
    };
    match number(expr) {
        Some(value) => Ok(value),
        None => Stop::skip(format!("argument {} is not understood: {expr:?}", index + 1)),
    }
}
