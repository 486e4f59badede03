//! The local network: who answers for an address.

use crate::facts::{Facts, failure_text};
use crate::vote::Vote;
use thru_trace::Span;
use thru_trace::neighbours::claimed_twice;

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    duplicate_address(facts).into_iter().collect()
}

/// Two machines say that one address is theirs: packets for it go to whoever answered last.
fn duplicate_address(facts: &Facts<'_>) -> Option<Vote> {
    let claimed = claimed_twice(facts.trace)?;
    let machines: Vec<String> = claimed.by.keys().map(ToString::to_string).collect();
    let frames: Vec<u64> = claimed.by.values().filter_map(|frames| frames.first().copied()).collect();
    // An answer that says no has come all the way as well.
    let answered = facts.steps("exchange").any(|span| span.is_ok() && span.int("http.status").is_some());
    let works = answered || facts.delivered().is_some();
    let failed: Option<&Span> = facts.own.iter().copied().find(|span| span.code().is_some());
    let summary = format!(
        "Two machines of the local network have the same address {}, so packets go now to one and now to the other.",
        claimed.address
    );
    let vote = Vote::broken(&["LNK06"], 0.93, summary)
        .explains(&[
            "IP02", "IP05", "IP07", "IP08", "IP13", "IP14", "FW01", "FW04", "FW07", "FW16", "TCP01", "TCP03",
            "TCP06", "TCP07", "DNS02", "DNS03", "LNK04", "IP19", "IP01",
        ])
        .cite_frames(&frames, format!("{} answered for {}", machines.join(" and "), claimed.address))
        .rule_out("LNK04", "somebody does answer for the address, two even")
        .rule_out("IP02", "the address of the gateway is right; it is another machine that has taken it")
        .network(format!(
            "find the machine that should not have {} by its hardware address ({}), and give it another one",
            claimed.address,
            machines.join(" or ")
        ))
        .network("if both are one machine's, or one answers for the other on purpose (two cards in one network, a bond, proxy ARP), have only one of them answer")
        .user("ask whether somebody has just connected a device with an address set by hand");
    let vote = match failed.filter(|_| !works) {
        Some(failed) => vote.cite(failed, failure_text(failed)),
        None => vote,
    };
    Some(if works || failed.is_none() { vote.only_disturbs() } else { vote })
}
