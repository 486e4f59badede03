//! Why something did not work.

use crate::icmp::IcmpReport;

/// Why a connection is gone, or why a call could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpError {
    /// RST in answer to our SYN.
    Refused,
    /// RST on a living connection.
    Reset,
    /// Nothing acknowledged for too long.
    TimedOut {
        /// The last ICMP error heard meanwhile, if any.
        icmp: Option<IcmpReport>,
    },
    /// A hard ICMP error, or a soft one during the handshake.
    Unreachable(IcmpReport),
    /// We ended it.
    Aborted,
    /// Written to after shutdown.
    WriteAfterShutdown,
    /// No such connection.
    Unknown,
}

/// Why a connection could not even be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// No route leads to the destination.
    NoRoute,
    /// The local address asked for is not ours.
    AddressNotAvailable,
    /// Another connection has the same pair of addresses and ports.
    AddressInUse,
    /// Every ephemeral port towards this destination is taken.
    NoPorts,
    /// The host holds as many connections as it can.
    TooMany,
}

/// Why nobody can listen there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenError {
    /// Another listener has the address and port.
    AddressInUse,
    /// The address is not ours.
    AddressNotAvailable,
}
