//! The score of a doctor who has nothing but the capture at the client, with its secrets and without.
//!
//! Some faults leave no trace in a capture, and some are told only by what is encrypted: those are not scored. Where
//! encryption hides which of several faults it is, their set is the truth.

use std::collections::BTreeSet;

use thru_dissect::Meta;
use thru_passive::Doctor;
use thru_trace::{Layer, Packet, PacketFate, Trace, Verdict};

use super::mutilate::{Frame, frames};
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

/// Objections to a certificate look alike where TLS 1.3 hides certificate and alert.
const CERTIFICATES: [&str; 9] =
    ["TLS07", "TLS08", "TLS09", "TLS10", "TLS11", "TLS12", "TLS14", "TLS15", "HST01"];
/// One more of them, which the set a doctor names leaves out: no objection of today's clients alone shows it.
const NOT_NAMED: &str = "TLS27";

/// What can be known of the truth from a capture at the client; `None`: nothing.
pub fn truth(case: &Case, secrets: bool) -> Option<BTreeSet<String>> {
    let any = |is: &dyn Fn(&str) -> bool| case.truth.iter().any(|cause| is(cause));
    // A machine that sends nothing leaves nothing to be captured; and some causes are told apart only by asking more than
    // the request did, which a capture shows at best by chance.
    const SENDS_NOTHING: [&str; 3] = ["IP01", "HST02", "DNS46"];
    // That a machine is a proxy stands in the client's settings: packets tell it once it was asked for a tunnel.
    const NEEDS_QUESTIONS: [&str; 23] = [
        "DNS41", "HST03", "HST04", "HST07", "IP03", "IP08", "IP12", "IP29", "IP30", "FW07", "FW08", "FW10",
        "FW12", "FW15", "APP11", "APP12", "Q17", "DNS17", "DNS20", "DNS24", "TLS32", "PX01", "PX02",
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
    const SAID_IN_THE_ANSWER: [&str; 11] =
        ["APP03", "APP05", "TLS13", "TLS16", "TLS17", "TLS18", "TLS31", "FW21", "FW22", "PX03", "Q14"];
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
    // Who was told of no resolver asks nobody.
    if trace.spans.iter().any(|span| span.failed_with("dns.no_resolver")) {
        return None;
    }
    let truth = truth(case, secrets)?;
    let keys = if secrets { trace.key_log.as_str() } else { "" };
    Some(held_against(case, &truth, verdict(&frames(trace), keys)))
}

fn held_against(case: &Case, truth: &BTreeSet<String>, verdict: Verdict) -> Opinion {
    let layers: BTreeSet<String> = truth
        .iter()
        .filter_map(|cause| thru_trace::fault::layer_of(cause))
        .map(|layer| layer.to_string())
        .chain([case.layer.clone()])
        .collect();
    let layer_right =
        layers.contains(&verdict.layer.to_string()) && (verdict.layer != Layer::None || truth.is_empty());
    Opinion { outcome: compare(truth, &verdict), layer_right, verdict }
}

/// The same for a capture that was mutilated: of two faults it may show only the second; and who is not sure abstains.
pub(super) fn compare_cut(case: &Case, truth: &BTreeSet<String>, verdict: Verdict) -> Opinion {
    let mut opinion = held_against(case, truth, verdict);
    let second = opinion.verdict.causes.iter().any(|cause| case.also.contains(cause));
    opinion.outcome = match opinion.outcome {
        Outcome::Wrong if second => Outcome::Near,
        Outcome::Wrong | Outcome::FalseAlarm if opinion.verdict.confidence < SURE => Outcome::Abstained,
        outcome => outcome,
    };
    opinion
}

/// From this confidence on a verdict is sure of itself.
const SURE: f64 = 0.7;

/// What a capture at the client has: what was lost on its way to it is not there, though the lab saw it leave.
pub fn captured(trace: &Trace) -> impl Iterator<Item = &Packet> {
    let host = trace.packets.first().and_then(|packet| packet.bytes.get(6..12));
    let sent = move |packet: &Packet| packet.bytes.get(6..12) == host;
    trace.packets.iter().filter(move |packet| packet.fate == PacketFate::Passed || sent(packet))
}

/// What a doctor says of these frames, with a key log or without (an empty one).
pub fn verdict(frames: &[Frame], keys: &str) -> Verdict {
    let mut doctor = Doctor::new();
    if !keys.is_empty() {
        doctor.key_log(keys.as_bytes());
    }
    for (place, frame) in frames.iter().enumerate() {
        let meta = Meta {
            number: place as u64 + 1,
            time: Some(frame.time),
            interface: frame.interface,
            interface_name: None,
            link: frame.link,
            original: frame.original,
            comments: &frame.comments,
        };
        doctor.packet(&meta, &frame.bytes);
    }
    doctor.finish().verdict
}
