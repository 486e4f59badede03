//! Where NAT and firewalls look at packets: netfilter's five places.

use core::time::Duration;
use thru_wire::Instant;
use crate::host::InterfaceId;

/// The place a packet is seen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place { Prerouting, Input, Forward, Output, Postrouting }

/// What becomes of the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    Accept,
    /// Discard silently; the reason is shown to people.
    Drop(&'static str),
    /// Discard and answer with an ICMP "administratively prohibited".
    RejectIcmp(&'static str),
    /// Discard and answer with a TCP RST (falls back to ICMP for other protocols).
    RejectReset(&'static str),
}

/// Looks at IP packets and may rewrite them (checksums are the hook's duty; helpers are in `thru_wire::checksum`).
pub trait Hook: Send {
    /// `packet` is a whole IP packet, never a fragment at `Prerouting` on a host that reassembles for its hook.
    fn judge(&mut self, now: Instant, place: Place, input: Option<InterfaceId>, output: Option<InterfaceId>, packet: &mut Vec<u8>) -> Judgement;
    /// How long until the hook wants [`Hook::expire`]; `None` if never.
    fn next_expiry(&self, now: Instant) -> Option<Duration> { let _ = now; None }
    fn expire(&mut self, now: Instant) { let _ = now; }
    /// Packets discarded so far with their reasons, for statistics.
    fn dropped(&self) -> u64 { 0 }
}
