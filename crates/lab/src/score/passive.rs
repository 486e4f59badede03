//! The score of a doctor who has nothing but the capture at the client, with its secrets and without.
//!
//! Some faults leave no trace in a capture, and some are told only by what is encrypted: those are not scored. Where
//! encryption hides which of several faults it is, their set is the truth.

use std::collections::BTreeSet;

use thru_dissect::Meta;
use thru_passive::Doctor;
use thru_trace::frames::{CHECK, checks};
use thru_trace::{Layer, Trace, Verdict};

use super::{Case, Outcome, compare};

/// What a doctor says of a capture.
#[derive(Clone, Debug)]
pub struct Opinion {
    /// How the verdict compares with the truth.
    pub outcome: Outcome,
    /// Whether the layer is right.
    pub layer_right: bool,
    /// What was said.
    pub verdict: Verdict,
}

/// LINKTYPE_ETHERNET.
const ETHERNET: u16 = 1;

/// Objections to a certificate look alike where TLS 1.3 hides certificate and alert.
const CERTIFICATES: [&str; 9] =
    ["TLS07", "TLS08", "TLS09", "TLS10", "TLS11", "TLS12", "TLS14", "TLS15", "HST01"];
/// One more of them, which the set a doctor names leaves out: no objection of today's clients alone shows it.
const NOT_NAMED: &str = "TLS27";

/// What can be known of the truth from a capture; `None`: nothing.
fn truth(case: &Case, secrets: bool) -> Option<BTreeSet<String>> {
    let any = |is: &dyn Fn(&str) -> bool| case.truth.iter().any(|cause| is(cause));
    // A machine that sends nothing leaves nothing to be captured; and some causes are told apart only by asking more than
    // the request did, which a capture shows at best by chance.
    const SENDS_NOTHING: [&str; 3] = ["IP01", "HST02", "DNS46"];
    // That a machine is a proxy stands in the client's settings: packets tell it once it was asked for a tunnel.
    const NEEDS_QUESTIONS: [&str; 22] = [
        "HST03", "HST04", "HST07", "IP03", "IP08", "IP12", "IP29", "IP30", "FW07", "FW08", "FW10", "FW12",
        "FW15", "APP11", "APP12", "Q17", "DNS17", "DNS20", "DNS24", "TLS32", "PX01", "PX02",
    ];
    if any(&|cause| SENDS_NOTHING.contains(&cause) || NEEDS_QUESTIONS.contains(&cause)) {
        return None;
    }
    // On a resolver's word alone: which of the two keys does not fit, the zone's or its own?
    if any(&|cause| cause == "DNS29" || cause == "DNS35") {
        return Some(["DNS29", "DNS35"].map(String::from).into());
    }
    if secrets {
        return Some(case.truth.clone());
    }
    // What the answer says, and whether there was one beside the small talk of protocols, is encrypted: a status, a
    // header, where the answer was meant to end.
    const SAID_IN_THE_ANSWER: [&str; 10] =
        ["APP03", "APP05", "TLS13", "TLS17", "TLS18", "TLS31", "FW21", "FW22", "PX03", "Q14"];
    let said =
        |cause: &str| cause.starts_with('H') && cause != "HST01" || SAID_IN_THE_ANSWER.contains(&cause);
    if case.url.starts_with("https:") && any(&said) {
        return None;
    }
    if any(&|cause| CERTIFICATES.contains(&cause) || cause == NOT_NAMED) {
        return Some(CERTIFICATES.iter().map(ToString::to_string).collect());
    }
    Some(case.truth.clone())
}

/// The doctor's opinion on the packets of a trace; `None` if they cannot tell what is to be told.
pub fn opinion(case: &Case, trace: &Trace, secrets: bool) -> Option<Opinion> {
    let truth = truth(case, secrets)?;
    let verdict = examine(trace, secrets);
    let layers: BTreeSet<String> = truth
        .iter()
        .filter_map(|cause| thru_trace::fault::layer_of(cause))
        .map(|layer| layer.to_string())
        .chain([case.layer.clone()])
        .collect();
    let layer_right =
        layers.contains(&verdict.layer.to_string()) && (verdict.layer != Layer::None || truth.is_empty());
    Some(Opinion { outcome: compare(&truth, &verdict), layer_right, verdict })
}

fn examine(trace: &Trace, secrets: bool) -> Verdict {
    let mut doctor = Doctor::new();
    if secrets {
        doctor.key_log(trace.key_log.as_bytes());
    }
    let checks = checks(trace);
    for packet in &trace.packets {
        // As in a file that was written of this trace.
        let comments: Vec<String> =
            checks.get(&packet.number).map(|check| format!("{CHECK}{check}")).into_iter().collect();
        let meta = Meta {
            number: packet.number,
            time: Some(trace.epoch_unix_nanos + packet.at),
            interface: packet.interface,
            interface_name: trace.interfaces.get(packet.interface as usize).map(String::as_str),
            link: ETHERNET,
            original: packet.bytes.len() as u32,
            comments: &comments,
        };
        doctor.packet(&meta, &packet.bytes);
    }
    doctor.finish().verdict
}
