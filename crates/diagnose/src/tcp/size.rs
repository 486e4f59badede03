//! Small packets pass and large ones do not.

use crate::facts::{Facts, ms};
use crate::vote::Vote;
use thru_trace::Span;

/// So many full segments that passed show that the way carries their size.
pub(super) const MANY: i64 = 20;
/// No link carries less.
pub(super) const SMALL_PACKET: i64 = 500;

/// Small packets pass and large ones do not, and something more is known: the two are on one link, or the other IP
/// version passes in any size.
pub(super) fn size_of_one_kind(facts: &Facts<'_>, stalled: &Span, small: &Span) -> Option<Vote> {
    let subject = facts.subject();
    let connection = facts.connection()?;
    let waited = ms(stalled.nanos());
    let target = connection.address("tcp.remote")?;
    let beside = facts
        .trace
        .all("hop")
        .any(|hop| hop.address("hop.address") == Some(target) && hop.int("hop.ttl") == Some(1));
    let mss = connection.int("tcp.mss").unwrap_or(0);
    if mss > 1_460 && beside {
        return Some(
            Vote::broken(
                &["IP15"],
                0.92,
                format!("This machine and {subject} send giant frames to each other, and a switch between them does not take them."),
            )
            .cite(connection, format!("both agreed on segments of {mss} bytes, more than usual frames hold (1460)"))
            .cite(stalled, format!("nothing complete arrived for {waited}"))
            .cite(small, "the same request in small packets is answered in full")
            .rule_out("IP09", "no router is on the way that could say \"packet too big\"")
            .rule_out("APP05", "the server answers as soon as its packets are small")
            .network("let every device of this network take jumbo frames, or none: the same MTU everywhere")
            .user("as a stopgap, set the MTU of this machine's network interface to 1500"),
        );
    }
    let other = facts.control("other_family_large").filter(|other| other.is_ok())?;
    if !target.is_ipv6() {
        return None;
    }
    Some(
        Vote::broken(
            &["IP12"],
            0.92,
            format!("Over IPv6 large packets from {subject} are lost, and the server is not told to send smaller ones; over IPv4 all is well."),
        )
        .cite(stalled, format!("over IPv6 nothing complete arrived for {waited}"))
        .cite(small, "the same request in small packets is answered in full")
        .cite(other, "over IPv4 it is answered in full, in packets of any size")
        .rule_out("IP13", "small packets pass over IPv6")
        .rule_out("APP05", "the server answers as soon as its packets are small")
        .network("let ICMPv6 \"packet too big\" (type 2) through every filter: without it IPv6 cannot work (RFC 4890)")
        .user("as a stopgap, use IPv4 (the switch -4), or lower the MTU of this machine to 1280"),
    )
}
