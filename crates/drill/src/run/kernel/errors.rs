//! Errors of the stack, by the names of system calls.

use thru_stack::icmp::{IcmpErrorKind, IcmpReport};
use thru_stack::tcp::TcpError;

use crate::Persona;

/// The name of what ended a connection.
pub(crate) fn errno(error: &TcpError, persona: Persona) -> &'static str {
    match error {
        TcpError::Refused => "ECONNREFUSED",
        TcpError::Reset => "ECONNRESET",
        TcpError::TimedOut { icmp: Some(icmp) } => soft(icmp),
        TcpError::TimedOut { icmp: None } => "ETIMEDOUT",
        TcpError::Unreachable(report) => unreachable(report, persona),
        TcpError::Aborted => "ECONNABORTED",
        TcpError::WriteAfterShutdown => "EPIPE",
        _ => "ENOTCONN",
    }
}

/// A connection that timed out tells of the last error heard.
fn soft(icmp: &IcmpReport) -> &'static str {
    match icmp.kind {
        IcmpErrorKind::NetworkUnreachable => "ENETUNREACH",
        IcmpErrorKind::HostUnreachable | IcmpErrorKind::TimeExceeded => "EHOSTUNREACH",
        _ => "ETIMEDOUT",
    }
}

/// The name of an ICMP error.
pub(crate) fn unreachable(report: &IcmpReport, persona: Persona) -> &'static str {
    if persona == Persona::FreeBsd {
        return match report.kind {
            IcmpErrorKind::ProtocolUnreachable
            | IcmpErrorKind::PortUnreachable
            | IcmpErrorKind::AdministrativelyProhibited => "ECONNREFUSED",
            IcmpErrorKind::PacketTooBig { .. } => "EMSGSIZE",
            IcmpErrorKind::ParameterProblem => "ENOPROTOOPT",
            _ => "EHOSTUNREACH",
        };
    }
    match report.kind {
        IcmpErrorKind::NetworkUnreachable => "ENETUNREACH",
        IcmpErrorKind::HostUnreachable | IcmpErrorKind::TimeExceeded => "EHOSTUNREACH",
        IcmpErrorKind::ProtocolUnreachable => "ENOPROTOOPT",
        IcmpErrorKind::PortUnreachable => "ECONNREFUSED",
        IcmpErrorKind::PacketTooBig { .. } => "EMSGSIZE",
        IcmpErrorKind::SourceRouteFailed => "EOPNOTSUPP",
        IcmpErrorKind::AdministrativelyProhibited => "EHOSTUNREACH",
        IcmpErrorKind::ReassemblyTimeExceeded => "EHOSTUNREACH",
        IcmpErrorKind::ParameterProblem => "EPROTO",
    }
}
