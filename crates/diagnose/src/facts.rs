//! The trace as the rules see it: the request's own steps apart from the checks beside it.

use std::net::IpAddr;
use thru_trace::{Family, Layer, Outcome, Span, Trace};

pub(crate) struct Facts<'a> {
    pub(crate) trace: &'a Trace,
    /// Steps of the request itself, in order of start.
    pub(crate) own: Vec<&'a Span>,
    /// The answer that sent the request on to where it failed.
    sent_on: Option<&'a Span>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(trace: &'a Trace) -> Facts<'a> {
        // What the lab's resolver tells of its own steps is for display: no client could know it.
        let mut own: Vec<&Span> = trace
            .spans
            .iter()
            .filter(|span| !trace.is_check(span))
            .filter(|span| !trace.within(span, |span| span.text("vantage").is_some()))
            .collect();
        let sent_on = redirected(&own);
        if let Some(redirect) = sent_on {
            own.retain(|span| span.start >= redirect.end);
        }
        Facts { trace, own, sent_on }
    }

    /// The site that was asked for, the address that it sent the request on to, and its answer: where the request failed
    /// only at another site or port than the one that was wanted.
    pub(crate) fn sent_on(&self) -> Option<(String, String, &'a Span)> {
        let redirect = self.sent_on?;
        let (from, to) = (redirect.text("http.url")?, redirect.text("http.location")?);
        let place = |url: &str| {
            let (scheme, rest) = url.split_once("://")?;
            let authority = rest.split(['/', '?', '#']).next()?;
            let usual = if scheme == "https" { ":443" } else { ":80" };
            Some(authority.strip_suffix(usual).unwrap_or(authority).to_ascii_lowercase())
        };
        // A place on the same site says no other name; a site that sends to its own encryption is the same site.
        let (from, elsewhere) = (place(from)?, place(to)?);
        (from != elsewhere).then(|| (from, to.to_owned(), redirect))
    }

    /// The request's own steps of one kind.
    pub(crate) fn steps<'b>(&'b self, what: &'b str) -> impl Iterator<Item = &'a Span> + 'b {
        self.own.iter().copied().filter(move |span| span.what == what)
    }

    /// The check of this kind, if it was made: the last one that was not skipped.
    pub(crate) fn control(&self, kind: &str) -> Option<&'a Span> {
        self.trace
            .spans
            .iter()
            .rev()
            .filter(|span| span.what == "control" && span.text("control.kind") == Some(kind))
            .find(|span| !matches!(span.outcome, Outcome::Skipped { .. }))
    }

    /// Whether the check was made and worked, made and failed, or not made.
    pub(crate) fn works(&self, kind: &str) -> Option<bool> {
        self.control(kind).map(Span::is_ok)
    }

    /// Pings of one purpose.
    pub(crate) fn pings<'b>(&'b self, purpose: &'b str) -> impl Iterator<Item = &'a Span> + 'b {
        self.trace
            .spans
            .iter()
            .filter(move |span| span.what == "ping" && span.text("ping.purpose") == Some(purpose))
    }

    /// A ping that this address answered, or a check of kind `ping` that worked.
    pub(crate) fn answered_ping(&self, address: Option<IpAddr>) -> Option<&'a Span> {
        let pinged = self.trace.all("ping").find(|span| {
            span.text("ping.purpose") != Some("hop")
                && span.int("ping.received").unwrap_or(0) > 0
                && (address.is_none() || span.address("ping.target") == address)
        });
        pinged.or_else(|| self.control("ping").filter(|span| span.is_ok()))
    }

    /// A ping that was sent to the target and got no answer at all.
    pub(crate) fn unanswered_ping(&self) -> Option<&'a Span> {
        let silent = |span: &&Span| {
            span.text("ping.purpose") != Some("hop")
                && span.int("ping.sent").unwrap_or(0) > 0
                && span.int("ping.received") == Some(0)
        };
        self.trace
            .all("ping")
            .find(silent)
            .or_else(|| self.control("ping").filter(|span| span.code().is_some()))
    }

    /// Pings to the server when nothing else was sent: how many, how many were lost, and the span that lost most.
    /// `None` if the server answers no pings at all: those are filtered, not lost.
    pub(crate) fn lost_pings(&self) -> Option<(i64, i64, &'a Span)> {
        let lost = |span: &Span| span.int("ping.sent").unwrap_or(0) - span.int("ping.received").unwrap_or(0);
        let spans: Vec<&Span> = self.pings("idle").chain(self.pings("control")).collect();
        let sent: i64 = spans.iter().filter_map(|span| span.int("ping.sent")).sum();
        let missing: i64 = spans.iter().map(|span| lost(span)).sum();
        let worst = spans.into_iter().max_by_key(|span| lost(span))?;
        (missing < sent).then_some((sent, missing, worst))
    }

    /// The host that was asked for, from the name that was looked up or else from the target.
    pub(crate) fn host(&self) -> String {
        // Through a proxy, the name that was looked up is the proxy's.
        let tunnelled = self.steps("tunnel").next().is_some();
        let looked_up = self.steps("resolve").find_map(|span| span.text("dns.name")).filter(|_| !tunnelled);
        if let Some(name) = looked_up {
            return name.trim_end_matches('.').to_owned();
        }
        let rest = self.trace.target.split_once("://").map_or(self.trace.target.as_str(), |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let authority = authority.rsplit('@').next().unwrap_or(authority);
        match authority.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            Some((address, _)) => address.to_owned(),
            None => match authority.rsplit_once(':') {
                Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
                _ => authority.to_owned(),
            },
        }
    }

    /// The subject of a sentence: the host, or a stand-in when the trace does not say.
    pub(crate) fn subject(&self) -> String {
        let host = self.host();
        if host.is_empty() { String::from("The request") } else { host }
    }

    /// The exchange that brought the answer, if the request worked: the last one, complete and not an error.
    pub(crate) fn delivered(&self) -> Option<&'a Span> {
        let last =
            self.steps("exchange").filter(|span| !matches!(span.outcome, Outcome::Skipped { .. })).last()?;
        (last.is_ok() && last.int("http.status").is_none_or(|status| status < 400)).then_some(last)
    }

    /// The connection attempts that were really made.
    pub(crate) fn connects<'b>(&'b self) -> impl Iterator<Item = &'a Span> + 'b {
        self.steps("connect").filter(|span| !matches!(span.outcome, Outcome::Skipped { .. }))
    }

    /// Whether any connection was made.
    pub(crate) fn connected(&self) -> Option<&'a Span> {
        self.connects().find(|span| span.is_ok())
    }

    /// Encryption handshakes over TCP, or inside QUIC.
    pub(crate) fn handshakes<'b>(&'b self, layer: Layer) -> impl Iterator<Item = &'a Span> + 'b {
        self.steps("handshake").filter(move |span| span.layer == layer)
    }

    /// The connection's final counters, where the request's own connections left them: the last is the one that counts.
    pub(crate) fn connection(&self) -> Option<&'a Span> {
        self.steps("connection").last()
    }

    /// The smallest round trip to the server that anything measured.
    pub(crate) fn rtt(&self) -> Option<u64> {
        let pings =
            self.pings("idle").chain(self.pings("control")).filter_map(|span| span.nanos_of("ping.rtt_min"));
        let connects = self.connects().filter_map(|span| span.nanos_of("tcp.rtt"));
        let connections = self.steps("connection").filter_map(|span| span.nanos_of("tcp.rtt_min"));
        pings.chain(connects).chain(connections).filter(|&rtt| rtt > 0).min()
    }

    /// The first step that failed and for which no rule found a word.
    pub(crate) fn unexplained_failure(&self) -> Option<&'a Span> {
        if self.delivered().is_some() {
            return None;
        }
        // A family or a race that failed beside one that worked is no failure of the request.
        let worked = |span: &Span| self.own.iter().any(|other| other.what == span.what && other.is_ok());
        self.own.iter().copied().find(|span| span.code().is_some() && !worked(span))
    }
}

/// The redirect that was followed and led to no answer: what came before it is another request, which went well.
fn redirected<'a>(own: &[&'a Span]) -> Option<&'a Span> {
    let last = own.iter().rposition(|span| span.what == "exchange")?;
    let exchange = own[last];
    let leads_on = matches!(exchange.int("http.status"), Some(301 | 302 | 303 | 307 | 308))
        && exchange.value("http.location").is_some()
        && exchange.is_ok();
    let goes_on = own.iter().any(|span| {
        span.start >= exchange.end
            && matches!(span.what.as_str(), "resolve" | "connect" | "handshake" | "tunnel")
            && span.code().is_some()
    });
    (leads_on && goes_on).then_some(exchange)
}

/// The family of a connection attempt.
pub(crate) fn family(span: &Span) -> Option<Family> {
    match span.text("tcp.family") {
        Some("v4" | "ipv4" | "IPv4" | "4") => Some(Family::V4),
        Some("v6" | "ipv6" | "IPv6" | "6") => Some(Family::V6),
        _ => span.address("tcp.remote").map(Family::of),
    }
}

/// What a failed step said for people.
pub(crate) fn failure_text(span: &Span) -> String {
    match &span.outcome {
        Outcome::Failed { code, text } if text.is_empty() => code.clone(),
        Outcome::Failed { text, .. } => text.clone(),
        Outcome::Ok => String::from("it worked"),
        Outcome::Skipped { why } => format!("it was not tried: {why}"),
    }
}

/// The answer of an exchange in a few words.
pub(crate) fn answer(exchange: &Span) -> String {
    let status = exchange
        .int("http.status")
        .map_or_else(|| String::from("no status"), |status| format!("status {status}"));
    match exchange.int("http.bytes") {
        Some(bytes) => format!("{status}, {bytes} bytes"),
        None => status,
    }
}

/// A duration for a sentence: seconds with a digit from one second on, whole milliseconds above 10, one digit below.
pub(crate) fn ms(nanos: u64) -> String {
    let millis = nanos as f64 / 1e6;
    if millis >= 999.5 {
        format!("{:.1} s", millis / 1e3)
    } else if millis >= 10.0 {
        format!("{millis:.0} ms")
    } else {
        format!("{millis:.1} ms")
    }
}

/// A long time for a sentence, in the largest unit that leaves a number above one: `45 s`, `10 minutes`, `13.5 hours`.
pub(crate) fn age(seconds: u64) -> String {
    let (unit, name) = match seconds {
        0..120 => return format!("{seconds} s"),
        120..7_200 => (60, "minutes"),
        7_200..172_800 => (3_600, "hours"),
        _ => (86_400, "days"),
    };
    let number = format!("{:.1}", seconds as f64 / f64::from(unit));
    format!("{} {name}", number.strip_suffix(".0").unwrap_or(&number))
}

/// Where a connection attempt went: `203.0.113.10 port 443`.
pub(crate) fn remote(span: &Span) -> String {
    match span.socket("tcp.remote") {
        Some(socket) => format!("{} port {}", socket.ip(), socket.port()),
        None => span.text("tcp.remote").map_or_else(|| span.label.clone(), str::to_owned),
    }
}

/// "once", "3 times".
pub(crate) fn times(count: i64) -> String {
    match count {
        1 => String::from("once"),
        2 => String::from("twice"),
        n => format!("{n} times"),
    }
}
