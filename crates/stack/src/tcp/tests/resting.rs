//! What a connection holds only while it needs it.

use super::super::*;
use super::pair::{CLIENT, Duo, Link, SERVER, ms};

/// What the only connection of an end holds beside itself: for data on its way, and for loss.
fn held(tcp: &Tcp) -> (bool, bool, bool) {
    let connection = tcp.connections.iter().next().expect("a connection");
    let receives = connection.receive.ranges().is_empty();
    assert!(receives, "nothing arrived early and stayed so");
    (connection.runs.is_held(), connection.recovery.is_held(), connection.scoreboard.is_held())
}

fn carry(pair: &mut Duo, client: TcpId, server: TcpId, bytes: usize) {
    let block = vec![1; bytes];
    let (mut written, mut read, mut buffer) = (0, 0, vec![0; 65_536]);
    while read < bytes {
        if let Ok(more) = pair.ends[CLIENT].write(pair.now, client, &block[written..]) {
            written += more;
        }
        match pair.ends[SERVER].read(pair.now, server, &mut buffer) {
            Ok(Some(more)) => read += more,
            _ => assert!(pair.step()),
        }
    }
}

#[test]
fn nothing_is_held_before_data_flows() {
    let mut pair = Duo::over(Link::default());
    pair.established();
    pair.run_for(ms(5_000));
    for tcp in &pair.ends {
        assert_eq!(held(tcp), (false, false, false));
        let connection = tcp.connections.iter().next().unwrap();
        assert!(!connection.insight.rare.is_held());
        assert!(!connection.insight.has_something_to_let_go());
    }
}

#[test]
fn a_pause_keeps_it_and_rest_lets_it_go() {
    let mut pair = Duo::over(Link::default());
    let (_, client, server) = pair.established();
    for _ in 0..3 {
        for _ in 0..20 {
            carry(&mut pair, client, server, 30_000);
            pair.run_for(ms(50));
            assert_eq!(held(&pair.ends[CLIENT]), (true, true, false));
            assert_eq!(held(&pair.ends[SERVER]), (false, false, false));
        }
        pair.run_for(ms(3_000));
        assert_eq!(held(&pair.ends[CLIENT]), (false, false, false));
        assert!(pair.next_event().is_never());
    }
}

#[test]
fn what_was_learnt_of_losses_is_not_forgotten() {
    let mut pair = Duo::over(Link { loss: 5, ..Link::default() });
    let (_, client, server) = pair.established();
    carry(&mut pair, client, server, 1_000_000);
    pair.run_for(ms(60_000));
    let before = pair.ends[CLIENT].info(client).unwrap();
    assert!(before.retransmissions > 0);
    let (runs, recovery, scoreboard) = held(&pair.ends[CLIENT]);
    assert!(runs && recovery && !scoreboard);
    pair.run_for(ms(60_000));
    assert_eq!(pair.ends[CLIENT].info(client).unwrap().loss, before.loss);
}
