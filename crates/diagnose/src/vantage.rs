//! What the same request showed from another place: the one thing that splits causes at the far end from causes at ours.

use crate::facts::{Facts, failure_text};
use crate::vote::{Severity, Vote};
use thru_trace::words::{Elsewhere, elsewhere};

/// Whom it concerns wherever one asks from.
const OF_THE_SERVER: [&str; 6] = ["TCP06", "TCP03", "TCP01", "LNK05", "APP05", "TLS23"];

/// Whom it concerns only here.
const OF_THIS_PLACE: [&str; 6] = ["FW04", "IP02", "HST03", "FW07", "FW16", "DNS03"];

/// Takes out of sets what another place has shown not to be the case.
pub(crate) fn narrow(facts: &Facts<'_>, votes: &mut [(usize, Vote)]) {
    let Some(vantage) = facts.control("vantage") else { return };
    let told = vantage.code().is_none_or(|code| elsewhere(code) == Elsewhere::Target);
    if !told {
        return;
    }
    let (excluded, because, says) = if vantage.is_ok() {
        (
            OF_THE_SERVER,
            "asked from another place, the server answers",
            "from another place the same request is answered".to_owned(),
        )
    } else {
        let says = format!("from another place the same request fails, too: {}", failure_text(vantage));
        (OF_THIS_PLACE, "it fails in another place as well", says)
    };
    for (_, vote) in votes.iter_mut().filter(|(_, vote)| vote.severity == Severity::Broken) {
        let (out, rest): (Vec<&'static str>, Vec<&'static str>) =
            vote.causes.iter().partition(|cause| excluded.contains(cause));
        // A set that would be empty was not understood.
        if rest.is_empty() {
            continue;
        }
        vote.causes = rest;
        let mut narrowed = vote.clone().cite(vantage, says.clone());
        if vantage.is_ok() && !out.is_empty() {
            narrowed.summary +=
                " From another place the same request is answered, so it is something on the way from here.";
        }
        for cause in out {
            narrowed = narrowed.rule_out(cause, because);
        }
        *vote = narrowed;
    }
}
