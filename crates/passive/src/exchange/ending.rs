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

/// What bounds the view of an exchange.
pub(super) struct Limits {
    /// Until when the capture follows its connection.
    pub(super) capture_end: u64,
    /// It is the connection's last, so the connection's end is its.
    pub(super) last: bool,
    /// What the server said cannot be read to its end.
    pub(super) lost: bool,
    /// How long the server has paused at most and gone on.
    pub(super) longest_pause: u64,
    /// The client's own window is shut: it takes nothing.
    pub(super) shut: bool,
}

/// Gives an exchange its end.
pub(super) fn end(exchange: &mut Exchange, close: &Close, limits: &Limits) {
    let &Limits { last, lost, .. } = limits;
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
        silent(exchange, close, since, limits);
    }
}

fn silent(exchange: &mut Exchange, close: &Close, since: u64, limits: &Limits) {
    let began = exchange.answered.is_some();
    let until = close.left.map_or(limits.capture_end, |left| left.time);
    if began && is_endless(exchange) {
        exchange.unclear = Some("it is a stream that ends when nobody listens any more");
        return;
    }
    if !began && until.saturating_sub(since) < HELD_MAX && asks_to_be_held(&exchange.url) {
        exchange.unclear = Some("the request asks for an answer when there is something to tell");
        return;
    }
    if limits.shut && close.left.is_some() {
        exchange.unclear = Some("the client read no more, and broke it off");
        return;
    }
    // What has paused for long before and gone on has not stopped because it pauses again.
    let announced = exchange.chunked == Some(false);
    let pause = if began && !announced { limits.longest_pause.saturating_mul(PAUSES) } else { 0 };
    if until.saturating_sub(since) < SILENCE.max(pause) {
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

/// Whether nobody waits for the end of this answer.
fn is_endless(exchange: &Exchange) -> bool {
    let announced = exchange.chunked == Some(false);
    exchange.streams || exchange.status == Some(200) && !announced && asks_to_be_held(&exchange.url)
}

/// Whether an address says that the answer is to wait until there is something to tell: the words of long polls (RFC 6202
/// 2), of watches, and of streams.
fn asks_to_be_held(url: &str) -> bool {
    const STEPS: [&str; 11] = [
        "poll",
        "longpoll",
        "long-poll",
        "polling",
        "events",
        "stream",
        "subscribe",
        "watch",
        "listen",
        "sync",
        "getupdates",
    ];
    const SETTINGS: [&str; 5] = ["watch", "wait", "timeout", "follow", "stream"];
    const WAYS: [&str; 5] = [
        "transport=polling",
        "transport=longpolling",
        "feed=longpoll",
        "feed=continuous",
        "feed=eventsource",
    ];
    const OFF: [&str; 4] = ["", "0", "false", "no"];
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest).to_ascii_lowercase();
    let (path, query) = rest.split_once('?').unwrap_or((&rest, ""));
    let step = path.rsplit('/').next().filter(|_| path.contains('/')).unwrap_or_default();
    let set = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, "yes"));
        WAYS.contains(&pair) || SETTINGS.contains(&key) && !OFF.contains(&value)
    };
    STEPS.contains(&step) || query.split('&').any(set)
}

/// Whether the server cut the connection while it was still being told: the request was not all sent when the answer came,
/// or what was sent behind the answer is why the reset came (RFC 9112 9.5).
pub(super) fn cut_while_sending(exchange: &Exchange, flow: &TcpFlow, is_2: bool) -> bool {
    let (client, server) = (flow.client(), flow.server());
    let Some(answered) = exchange.answered.filter(|_| !is_2) else { return false };
    let Some(reset) = flow.resets.iter().find(|reset| reset.by == server) else { return false };
    let sends = matches!(exchange.method.as_str(), "POST" | "PUT" | "PATCH");
    if !sends || flow.sides[client].uncaptured > 0 || flow.lost_track(client) {
        return false;
    }
    let soon = flow.rtt().unwrap_or(0).saturating_mul(2).saturating_add(AT_ONCE);
    let unfinished = exchange.sent.is_none_or(|sent| sent > answered);
    let last = flow.sides[client].last_data.unwrap_or(0);
    let unheard = flow.sides[client].unacknowledged() > 0 && last > answered.time;
    (unfinished || unheard) && reset.at.time.saturating_sub(last.max(answered.time)) < soon
}

/// A request is held so long at most: proxies on the way give up after a minute (RFC 6202 5.5).
const HELD_MAX: u64 = 65_000_000_000;
/// A pause is a stop when it is so many times as long as any before.
const PAUSES: u64 = 3;
/// Beside the round trips, a machine's own time.
const AT_ONCE: u64 = 200_000_000;

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
