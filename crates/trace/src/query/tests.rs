use super::*;
use crate::{Layer, Outcome, PacketFate};
use std::collections::BTreeMap;

fn span(id: u32, parent: Option<u32>, start: u64, end: u64) -> Span {
    Span {
        id: SpanId(id),
        parent: parent.map(SpanId),
        layer: Layer::Tcp,
        what: if parent.is_some() { "segment" } else { "connect" }.to_owned(),
        label: String::new(),
        start,
        end,
        outcome: Outcome::Ok,
        values: BTreeMap::new(),
        frames: Vec::new(),
    }
}

#[test]
fn finds_spans_by_place_kind_and_parent() {
    let trace = Trace {
        spans: vec![span(0, None, 0, 9), span(1, Some(0), 1, 2), span(2, Some(1), 1, 2)],
        ..Trace::default()
    };
    assert_eq!(trace.check(), []);
    assert_eq!(trace.roots().count(), 1);
    assert_eq!(trace.children(SpanId(0)).map(|span| span.id.0).collect::<Vec<_>>(), [1]);
    assert_eq!(trace.all("segment").count(), 2);
    let leaf = trace.span(SpanId(2)).unwrap();
    assert_eq!(trace.ancestry(leaf).count(), 3);
    assert!(trace.within(leaf, |span| span.what == "connect"));
}

#[test]
fn names_every_flaw() {
    let mut outside = span(1, Some(0), 0, 10);
    outside.frames = vec![7];
    let trace = Trace {
        spans: vec![span(0, None, 1, 9), outside, span(2, Some(2), 1, 2), span(3, Some(99), 3, 1)],
        packets: vec![Packet {
            number: 2,
            at: 0,
            interface: 0,
            bytes: bytes::Bytes::new(),
            fate: PacketFate::Passed,
            comment: None,
        }],
        ..Trace::default()
    };
    let said: Vec<String> = trace.check().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "span 1 lasts beyond its parent 0",
            "span 1 cites frame 7, which was not captured",
            "span 2 names parent 2, which comes later",
            "span 3 ends before it starts",
            "span 3 names parent 99, which does not exist",
            "frame 2 stands at place 0",
            "frame 2 names an interface that is not listed",
        ]
    );
}

#[test]
fn a_ring_of_parents_ends() {
    let trace = Trace { spans: vec![span(0, Some(1), 0, 1), span(1, Some(0), 0, 1)], ..Trace::default() };
    assert_eq!(trace.ancestry(&trace.spans[0]).count(), 2);
    assert!(!trace.check().is_empty());
}
