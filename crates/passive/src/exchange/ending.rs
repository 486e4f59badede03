//! How an exchange ended, by how its connection did.

use super::Exchange;
use crate::flow::TcpFlow;
use crate::kept::Moment;
use crate::tls::{SILENCE, Tls};

/// How a connection ended for whoever waits for an answer.
pub(super) struct Close {
    /// The server closed in order, before the client did.
    pub(super) closed: Option<Moment>,
    /// The server, or somebody in its name, cut it.
    pub(super) reset: Option<Moment>,
    /// The client left first.
    pub(super) left: Option<Moment>,
}

impl Close {
    pub(super) fn of(flow: &TcpFlow) -> Close {
        let (client, server) = (flow.client(), flow.server());
        let reset_by = |side: usize| flow.resets.iter().find(|reset| reset.by == side).map(|reset| reset.at);
        let fin = |side: usize| flow.sides[side].fin.map(|(time, number)| Moment { time, number });
        let left = [fin(client), reset_by(client)].into_iter().flatten().min();
        let before = |at: &Moment| left.is_none_or(|left| *at <= left);
        // After its own goodbye a server resets whatever still comes: that undoes nothing of what it said before.
        let goodbye = fin(server).filter(before);
        let reset = reset_by(server).filter(before).filter(|reset| goodbye.is_none_or(|bye| *reset <= bye));
        let closed = goodbye.filter(|closed| reset.is_none_or(|reset| *closed <= reset));
        Close { closed, reset, left }
    }
}

/// Gives an exchange its end. `last`: it is the connection's last, so the connection's end is its.
pub(super) fn end(exchange: &mut Exchange, close: &Close, capture_end: u64, last: bool, lost: bool) {
    if exchange.failure.is_some() || exchange.unclear.is_some() {
        return;
    }
    let whole = exchange.ended || (exchange.status.is_some() && (!last || lost || exchange.head_only));
    if whole {
        if let Some(status) = exchange.status.filter(|status| *status >= 400) {
            exchange.failure =
                Some((format!("http.status.{status}"), format!("the server answered {status}")));
        }
        return;
    }
    if !last || lost {
        exchange.unclear = Some("its answer was not captured");
        return;
    }
    let bytes = exchange.bytes.unwrap_or(0);
    let began = exchange.answered.is_some();
    let fail = |code: &str, text: String| Some((code.to_owned(), text));
    // What either said of it last; goodbyes of the connection are not of it.
    let since = exchange.end.time.max(exchange.start.time);
    if let Some(reset) = close.reset {
        exchange.end = exchange.end.max(reset);
        exchange.failure = fail("http.reset", "the connection was reset".into());
    } else if exchange.method.is_empty() && began {
        // Whether a body was to come depends on the request (RFC 9110 9.3.2).
        exchange.unclear = Some("its request was not captured");
    } else if let Some(closed) = close.closed {
        exchange.end = exchange.end.max(closed);
        exchange.failure = if began {
            fail("http.truncated", format!("the connection was closed after {bytes} bytes of the answer"))
        } else {
            fail("http.closed", "the connection was closed without an answer".into())
        };
    } else {
        silent(exchange, close, since, began, capture_end);
    }
}

fn silent(exchange: &mut Exchange, close: &Close, since: u64, began: bool, capture_end: u64) {
    let until = close.left.map_or(capture_end, |left| left.time);
    if until.saturating_sub(since) < SILENCE {
        exchange.unclear = Some(if close.left.is_some() {
            "the client broke it off"
        } else {
            "the capture ends before its answer"
        });
        return;
    }
    exchange.end = Moment { time: until, number: exchange.end.number };
    exchange.failure = Some(if began {
        ("http.stalled".into(), "the answer stopped before it was complete".into())
    } else {
        ("http.timeout".into(), "no answer to the request".into())
    });
}

/// An answer that ends with the connection, which TLS has to end in words, lest somebody else cut it short (RFC 8446
/// 6.1, RFC 9112 9.8).
pub(super) fn without_goodbye(last: &mut Exchange, flow: &TcpFlow, tls: &Tls, closed: Moment) {
    let whole = flow.sides[flow.server()].uncaptured == 0 && flow.sides[flow.server()].missing() == 0;
    if last.until_close && last.failure.is_none() && last.unclear.is_none() && tls.goodbye.is_none() && whole
    {
        last.end = last.end.max(closed);
        let text =
            "the connection ended without the goodbye of TLS, and nothing else says where the answer ends";
        last.failure = Some(("http.truncated".into(), text.into()));
    }
}
