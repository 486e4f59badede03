//! Where NAT and firewalls look at packets: netfilter's five places.

use core::time::Duration;

use thru_wire::Instant;

use crate::host::InterfaceId;

/// The place a packet is seen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It has just arrived; nothing was decided.
    Prerouting,
    /// It is for this host.
    Input,
    /// It is for somebody else and will be passed on.
    Forward,
    /// This host made it.
    Output,
    /// It is about to leave, whoever made it.
    Postrouting,
}

/// What becomes of the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It goes on.
    Accept,
    /// Discard silently; the reason is shown to people.
    Drop(&'static str),
    /// Discard and answer with an ICMP "administratively prohibited".
    RejectIcmp(&'static str),
    /// Discard and answer with a TCP RST (falls back to ICMP for other protocols).
    RejectReset(&'static str),
}

/// Looks at IP packets and may rewrite them (checksums are the hook's duty; helpers are in `thru_wire::checksum`).
///
/// Packets that never leave the host (to its own addresses) are not shown.
pub trait Hook: Send {
    /// `packet` is a whole IP packet, never a fragment at [`Place::Prerouting`]: a host with a hook puts fragments
    /// together first, and cuts them again as they were when it passes them on.
    fn judge(
        &mut self,
        now: Instant,
        place: Place,
        input: Option<InterfaceId>,
        output: Option<InterfaceId>,
        packet: &mut Vec<u8>,
    ) -> Judgement;

    /// How long until the hook wants [`Hook::expire`]; `None` if never. Asked after every call into the host, so it
    /// should be quick.
    fn next_expiry(&self, now: Instant) -> Option<Duration> {
        let _ = now;
        None
    }

    /// Time has come to forget what is too old.
    fn expire(&mut self, now: Instant) {
        let _ = now;
    }

    /// Packets discarded so far, for statistics.
    fn dropped(&self) -> u64 {
        0
    }
}
