//! The transitions of a connection's state, as a table (RFC 9293 3.3.2 figure 5). A new edge shows up here.
//! A FIN that comes with the acknowledgement of ours goes through FIN-WAIT-2; figure 5 draws that as one edge.

use std::collections::BTreeSet;

use super::super::*;
use super::trace::*;

/// One life: what happens, word by word, to a client or a server.
fn live(script: &str) -> Vec<(State, State)> {
    let mut words = script.split_whitespace();
    let mut trace = match words.next() {
        Some("client") => Trace::client(TcpConfig { data_retries: 1, ..plain() }),
        _ => Trace::server(TcpConfig { data_retries: 1, ..plain() }),
    };
    trace.forget_output();
    // Numbers of the peer and of ours that are next.
    let (mut theirs, mut ours) = (101, 1);
    for word in words {
        match word {
            "<syn" => drop(trace.send("SYN seq=100")),
            "<synack" => drop(trace.send("SYN ACK seq=100 ack=1")),
            "<ack" => drop(trace.send(&format!("ACK seq={theirs} ack={ours}"))),
            "<fin" => {
                trace.send(&format!("FIN ACK seq={theirs} ack={ours}"));
                theirs += 1;
            }
            "<rst" => drop(trace.send(&format!("RST ACK seq={theirs} ack={ours}"))),
            "accept" => drop(trace.accept()),
            "close" => drop(trace.shutdown()),
            "abort" => drop(trace.abort()),
            "sent-fin" => ours += 1,
            "wait" => {
                for _ in 0..40 {
                    trace.pass();
                }
            }
            other => panic!("no word of a life: {other}"),
        }
        trace.forget_output();
    }
    let events = trace.tcp.events(trace.id.unwrap());
    let states: Vec<State> = core::iter::once(State::Closed)
        .chain(events.iter().filter_map(|event| match event.what {
            TcpEventKind::State(state) => Some(state),
            _ => None,
        }))
        .collect();
    states.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

#[test]
fn the_table() {
    let lives = [
        "client <rst",
        "client wait",
        "client <synack close <ack sent-fin <ack <fin wait",
        "client <syn <ack close sent-fin <fin wait",
        "client <syn <rst",
        "client <syn wait",
        "client close <syn <ack",
        "client close <synack",
        "server <syn <ack accept <fin close sent-fin <ack",
        "server <syn <fin accept",
        "server <syn <ack accept close <fin sent-fin <ack wait",
        "server <syn <ack accept close <fin <rst",
        "server <syn <ack accept close <rst",
        "server <syn <ack accept close wait",
        "server <syn <ack accept close sent-fin <ack <rst",
        "server <syn <ack accept <fin close <rst",
        "server <syn <ack accept <fin <rst",
        "server <syn <ack accept <rst",
        "server <syn <ack accept abort",
    ];
    let edges: BTreeSet<String> =
        lives.iter().flat_map(|life| live(life)).map(|(from, to)| format!("{from:?} -> {to:?}")).collect();
    let table: Vec<&str> = edges.iter().map(String::as_str).collect();
    assert_eq!(
        table,
        [
            "CloseWait -> Closed",
            "CloseWait -> LastAck",
            "Closed -> SynReceived",
            "Closed -> SynSent",
            "Closing -> Closed",
            "Closing -> TimeWait",
            "Established -> CloseWait",
            "Established -> Closed",
            "Established -> FinWait1",
            "FinWait1 -> Closed",
            "FinWait1 -> Closing",
            "FinWait1 -> FinWait2",
            "FinWait2 -> Closed",
            "FinWait2 -> TimeWait",
            "LastAck -> Closed",
            "SynReceived -> Closed",
            "SynReceived -> Established",
            "SynReceived -> FinWait1",
            "SynSent -> Closed",
            "SynSent -> Established",
            "SynSent -> FinWait1",
            "SynSent -> SynReceived",
            "TimeWait -> Closed",
        ]
    );
}
