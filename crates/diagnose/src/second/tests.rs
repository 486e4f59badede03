use std::collections::BTreeSet;

use thru_trace::{Layer, Step, Trace, fault};

use super::*;
use crate::diagnose;

/// What a capture shows of a connection whose first packet had to be sent again.
fn asked_twice(lost: i64, lacking: Option<&str>) -> Verdict {
    let mut trace = Trace { target: "www.shop.lab".into(), network: "capture".into(), ..Trace::default() };
    if let Some(key) = lacking {
        trace.add(
            Step::new(Layer::None, "capture", "the capture").set(key, true).skipped("it lacks something"),
        );
    }
    let connect = Step::new(Layer::Tcp, "connect", "203.0.113.10:443")
        .set("tcp.remote", "203.0.113.10:443")
        .set("tcp.syn_retransmissions", 1)
        .at(0, 1_050_000_000);
    trace.add(connect);
    let exchange =
        Step::new(Layer::Http, "exchange", "GET /").set("http.status", 200).set("http.method", "GET");
    trace.add(exchange.at(1_050_000_000, 1_100_000_000));
    let connection = Step::new(Layer::Tcp, "connection", "203.0.113.10:443")
        .set("tcp.remote", "203.0.113.10:443")
        .set("tcp.uncaptured", 0)
        .set("tcp.segments_received", 40)
        .set("tcp.lost", lost);
    trace.add(connection.at(0, 1_100_000_000));
    diagnose(&trace)
}

#[test]
fn what_was_seen_rules_a_lookalike_out() {
    let verdict = asked_twice(0, None);
    assert_eq!(verdict.causes, ["TCP07"]);
    let ruled: Vec<&str> = verdict.ruled_out.iter().map(|ruled| ruled.cause.as_str()).collect();
    assert!(ruled.contains(&"IP19"), "{ruled:?}");
    assert!(verdict.confidence >= SURE);
}

#[test]
fn what_was_not_seen_leaves_the_lookalike_in_the_set() {
    assert_eq!(asked_twice(2, None).causes, ["TCP07", "IP19"]);
}

#[test]
fn a_capture_that_lacks_packets_is_not_sure_of_what_was_not_answered() {
    let verdict = asked_twice(0, Some("capture.lacks"));
    assert_eq!(verdict.status, Status::Undecided);
    assert!(verdict.confidence < SURE);
    assert!(matches!(verdict.next.first(), Some(Next::Probe { .. })), "what to do about it is said");
    assert!(asked_twice(0, Some("capture.cut")).confidence >= SURE, "short packets have whole headers");
}

#[test]
fn every_cause_of_the_table_stands_in_the_catalogue_and_looks_like_another() {
    for row in table::ROWS {
        for cause in row.causes.iter().chain(row.like) {
            assert!(fault::by_id(cause).is_some(), "{cause}");
        }
        let both: Vec<_> = row.causes.iter().filter(|cause| row.like.contains(cause)).collect();
        assert!(both.is_empty(), "{both:?} looks like itself");
        assert!(!row.like.is_empty());
    }
}

#[test]
fn most_lookalikes_of_the_pages_are_guarded() {
    let guarded: BTreeSet<(&str, &str)> = table::ROWS
        .iter()
        .flat_map(|row| row.causes.iter().flat_map(|cause| row.like.iter().map(move |like| (*cause, *like))))
        .collect();
    assert!(guarded.len() >= 90, "{}", guarded.len());
    let causes: BTreeSet<&str> = guarded.iter().map(|(cause, _)| *cause).collect();
    assert!(causes.len() >= 60, "{}", causes.len());
}
