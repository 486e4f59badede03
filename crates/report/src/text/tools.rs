//! What `thru ping`, `thru route` and `thru dig` print: the words people know from ping, mtr and dig.

use super::escape::for_style;
use super::layout::{cut, table, time, wrap};
use super::{Mark, Style, heading};
use std::net::IpAddr;
use thru_trace::{Span, Trace, Value};

/// One echo request and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Echo {
    /// From 1, as ping counts.
    pub sequence: u64,
    /// Who answered; `None`: nobody.
    pub from: Option<IpAddr>,
    /// Bytes of the answer's ICMP message.
    pub bytes: usize,
    /// TTL or hop limit of the answer, where it is known.
    pub ttl: Option<u8>,
    /// Round trip in nanoseconds.
    pub rtt: Option<u64>,
    /// What an ICMP error said instead of a reply.
    pub error: Option<String>,
}

/// The line that ping begins with.
pub fn ping_start(target: &str, address: IpAddr, payload: usize, style: &Style) -> String {
    for_style(&format!("PING {target} ({address}) with {payload} bytes of data"), style) + "\n"
}

/// One line an answer, as it comes.
pub fn ping_line(echo: &Echo, style: &Style) -> String {
    let line = match (echo.from, &echo.error) {
        (Some(from), Some(error)) => format!("from {from}: icmp_seq={} {error}", echo.sequence),
        (Some(from), None) => {
            let ttl = echo.ttl.map(|ttl| format!(" ttl={ttl}")).unwrap_or_default();
            let rtt = echo.rtt.map(|rtt| format!(" time={}", time(rtt, style))).unwrap_or_default();
            format!("{} bytes from {from}: icmp_seq={}{ttl}{rtt}", echo.bytes, echo.sequence)
        }
        (None, _) => format!("no answer: icmp_seq={}", echo.sequence),
    };
    for_style(&line, style) + "\n"
}

/// The statistics at the end.
pub fn ping_end(target: &str, echoes: &[Echo], style: &Style) -> String {
    let sent = echoes.len();
    let rtts: Vec<u64> =
        echoes.iter().filter(|echo| echo.error.is_none()).filter_map(|echo| echo.rtt).collect();
    let lost = sent - rtts.len().min(sent);
    let percent = if sent == 0 { 0.0 } else { lost as f64 * 100.0 / sent as f64 };
    let mut out = format!("\n{}\n", for_style(&format!("--- {target} ---"), style));
    out.push_str(&format!("{sent} sent, {} received, {percent:.0} % lost\n", rtts.len()));
    if let (Some(least), Some(most)) = (rtts.iter().min(), rtts.iter().max()) {
        let average = (rtts.iter().map(|&rtt| u128::from(rtt)).sum::<u128>() / rtts.len() as u128) as u64;
        // Mean absolute deviation, as ping prints it.
        let spread =
            rtts.iter().map(|&rtt| u128::from(rtt.abs_diff(average))).sum::<u128>() / rtts.len() as u128;
        out.push_str(&wrap(
            &format!(
                "round trip: least {}, average {}, most {}, spread {}",
                time(*least, style),
                time(average, style),
                time(*most, style),
                time(spread as u64, style)
            ),
            "",
            style.width,
        ));
    }
    out
}

/// The way to a destination.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// The destination as the user said it.
    pub target: String,
    /// Its address.
    pub address: Option<IpAddr>,
    /// `udp`, `tcp` or `icmp`.
    pub protocol: String,
    /// In order of distance.
    pub hops: Vec<Hop>,
    /// Whether the destination itself answered.
    pub reached: bool,
    /// Addresses that were seen at more than one distance.
    pub circle: Vec<IpAddr>,
}

/// One hop of the way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hop {
    /// Distance, from 1.
    pub ttl: u32,
    /// Who answered, with the name where one is known; empty: nobody.
    pub answered: Vec<(IpAddr, Option<String>)>,
    /// Probes sent.
    pub sent: u64,
    /// Answers.
    pub received: u64,
    /// Round trips in nanoseconds: least, average, most.
    pub rtt: Option<(u64, u64, u64)>,
    /// What an ICMP error other than "time exceeded" said here.
    pub note: Option<String>,
}

impl Route {
    /// The way a `route` span tells.
    pub fn from_span(trace: &Trace, span: &Span) -> Route {
        let name = |address: IpAddr| {
            trace.names.iter().find(|(known, _)| *known == address).map(|(_, name)| name.clone())
        };
        let addresses = |span: &Span, key: &str| -> Vec<IpAddr> {
            let each = span.list(key).unwrap_or(&[]).iter();
            each.filter_map(|value| match value {
                Value::Address(address) => Some(*address),
                Value::Text(text) => text.parse().ok(),
                _ => None,
            })
            .collect()
        };
        let hops = trace.children_of(span.id, "hop").map(|hop| {
            let mut answered = addresses(hop, "hop.addresses");
            if answered.is_empty() {
                answered.extend(hop.address("hop.address"));
            }
            let count = |key| hop.int(key).and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
            Hop {
                ttl: hop.int("hop.ttl").and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or(0),
                answered: answered
                    .into_iter()
                    .map(|address| {
                        // Where several answer, the hop's own name is that of the first.
                        let own =
                            hop.text("hop.name").filter(|_| hop.address("hop.address") == Some(address));
                        (address, own.map(str::to_owned).or_else(|| name(address)))
                    })
                    .collect(),
                sent: count("hop.sent"),
                received: count("hop.received"),
                rtt: match (
                    hop.nanos_of("hop.rtt_min"),
                    hop.nanos_of("hop.rtt_avg"),
                    hop.nanos_of("hop.rtt_max"),
                ) {
                    (Some(least), Some(average), Some(most)) => Some((least, average, most)),
                    _ => None,
                },
                note: hop.text("icmp.kind").map(str::to_owned),
            }
        });
        Route {
            target: trace.target.clone(),
            address: span.address("route.target"),
            protocol: span.text("route.protocol").unwrap_or("").to_owned(),
            hops: hops.collect(),
            reached: span.bool("route.reached").unwrap_or(false),
            circle: addresses(span, "route.loop"),
        }
    }
}

/// One line a hop, and what it means at the end.
pub fn route(route: &Route, style: &Style) -> String {
    let address = route.address.map(|address| format!(" ({address})")).unwrap_or_default();
    let by =
        if route.protocol.is_empty() { String::new() } else { format!(", asked with {}", route.protocol) };
    let mut out = heading(&for_style(&format!("The way to {}{address}{by}", route.target), style), style);
    let mut cells: Vec<Vec<String>> = Vec::new();
    for hop in &route.hops {
        let lost = hop.sent.saturating_sub(hop.received);
        let percent = (lost * 100).checked_div(hop.sent).unwrap_or(0);
        let mut numbers = match hop.rtt {
            Some((least, average, most)) => vec![time(least, style), time(average, style), time(most, style)],
            None => vec![String::new(), String::new(), String::new()],
        };
        let mut hosts: Vec<String> = hop
            .answered
            .iter()
            .map(|(address, name)| match name {
                Some(name) => format!("{} ({address})", name.trim_end_matches('.')),
                None => address.to_string(),
            })
            .collect();
        if hosts.is_empty() {
            hosts.push(String::from("no answer"));
        }
        if let (Some(last), Some(note)) = (hosts.last_mut(), &hop.note) {
            last.push_str(&format!(": {note}"));
        }
        for (place, host) in hosts.iter().enumerate() {
            // Host names give way to the numbers.
            let host = cut(&for_style(host, style), style.width.saturating_sub(42).max(16), style);
            let mut row = if place == 0 {
                vec![hop.ttl.to_string(), host, format!("{percent} %")]
            } else {
                vec![String::new(), host, String::new()]
            };
            row.append(&mut numbers);
            cells.push(row);
        }
    }
    out.push_str(&table(&[">hop", "who answered", ">lost", ">least", ">average", ">most"], &cells, style));
    let hops = route.hops.len();
    let (mark, said) = if !route.circle.is_empty() {
        let circle: Vec<String> = route.circle.iter().map(ToString::to_string).collect();
        (Mark::Failed, format!("The way goes in a circle: {} came up more than once.", circle.join(" and ")))
    } else if route.reached {
        (Mark::Ok, format!("Reached after {hops} {}.", if hops == 1 { "hop" } else { "hops" }))
    } else {
        let last = route.hops.iter().rev().find_map(|hop| hop.answered.first());
        (
            Mark::Failed,
            match last {
                Some((address, _)) => format!("Not reached: the last to answer was {address}."),
                None => String::from("Not reached: nobody on the way answered."),
            },
        )
    };
    let plain = Style { color: false, ..*style };
    out.push_str(&wrap(&for_style(&said, style), &format!("{} ", mark.sign(&plain)), style.width));
    let quiet_inside = route.hops.iter().enumerate().any(|(place, hop)| {
        hop.received < hop.sent
            && route.hops[place + 1..].iter().any(|later| later.received == later.sent && later.sent > 0)
    });
    if quiet_inside && route.circle.is_empty() {
        out.push_str(&wrap(
            "Loss at a hop that later hops do not have is no loss: that router only answers rarely.",
            "",
            style.width,
        ));
    }
    out
}

/// One question about a name, and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// The name that was asked for.
    pub name: String,
    /// `A`, `AAAA`, ...
    pub kind: String,
    /// Who was asked.
    pub server: String,
    /// `udp` or `tcp`.
    pub transport: String,
    /// `NOERROR`, `NXDOMAIN`, ...; empty: no answer.
    pub rcode: String,
    /// `qr aa rd ra ad ...`
    pub flags: Vec<String>,
    /// The answer proper.
    pub answer: Vec<Record>,
    /// Who is responsible, or where to ask next.
    pub authority: Vec<Record>,
    /// What goes with it.
    pub additional: Vec<Record>,
    /// Which of several servers it is, as it says itself; `None`: it does not.
    pub identity: Option<String>,
    /// Extended errors (RFC 8914) in words.
    pub extended_errors: Vec<String>,
    /// Nanoseconds until the answer.
    pub took: u64,
    /// Bytes of the answer.
    pub bytes: usize,
    /// Why there is no answer.
    pub failed: Option<String>,
}

/// One record of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Whose record it is.
    pub name: String,
    /// Seconds it may be kept.
    pub ttl: u32,
    /// `IN`, nearly always.
    pub class: String,
    /// `A`, `CNAME`, ...
    pub kind: String,
    /// In the form of zone files.
    pub data: String,
}

/// An answer as dig prints it, in sections; comments begin with `;;`, so that records can be cut out.
pub fn lookup(lookup: &Lookup, style: &Style) -> String {
    let mut out = String::new();
    let mut say = |line: &str| {
        out.push_str(for_style(line, style).trim_end());
        out.push('\n');
    };
    say(&format!(";; {} {}", lookup.name, lookup.kind));
    if let Some(why) = &lookup.failed {
        say(&format!(";; no answer from {} after {}: {why}", lookup.server, time(lookup.took, style)));
        return out;
    }
    let flags =
        if lookup.flags.is_empty() { String::new() } else { format!(", flags: {}", lookup.flags.join(" ")) };
    say(&format!(";; status: {}{flags}", lookup.rcode));
    if let Some(identity) = &lookup.identity {
        say(&format!(";; the server calls itself {identity}"));
    }
    for error in &lookup.extended_errors {
        say(&format!(";; the server adds: {error}"));
    }
    for (title, records) in
        [("ANSWER", &lookup.answer), ("AUTHORITY", &lookup.authority), ("ADDITIONAL", &lookup.additional)]
    {
        if records.is_empty() {
            continue;
        }
        say("");
        say(&format!(";; {title}"));
        let widest = |of: fn(&Record) -> usize| records.iter().map(of).max().unwrap_or(0);
        let (name, ttl) =
            (widest(|record| record.name.len()).min(40), widest(|record| record.ttl.to_string().len()));
        let kind = widest(|record| record.kind.len());
        for record in records {
            say(&format!(
                "{:name$}  {:>ttl$}  {}  {:kind$}  {}",
                record.name, record.ttl, record.class, record.kind, record.data
            ));
        }
    }
    say("");
    let over =
        if lookup.transport.is_empty() { String::new() } else { format!(" over {}", lookup.transport) };
    say(&format!(";; from {}{over} in {}, {} bytes", lookup.server, time(lookup.took, style), lookup.bytes));
    out
}

/// Only the data, one record a line, as `dig +short`.
pub fn lookup_short(lookup: &Lookup, style: &Style) -> String {
    lookup.answer.iter().map(|record| for_style(&record.data, style) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(sequence: u64, rtt_ms: Option<u64>) -> Echo {
        Echo {
            sequence,
            from: rtt_ms.map(|_| "203.0.113.10".parse().unwrap()),
            bytes: 64,
            ttl: Some(58),
            rtt: rtt_ms.map(|ms| ms * 1_000_000),
            error: None,
        }
    }

    #[test]
    fn ping_speaks_as_ping_does() {
        let style = Style::default();
        assert_eq!(
            ping_line(&echo(1, Some(20)), &style),
            "64 bytes from 203.0.113.10: icmp_seq=1 ttl=58 time=20.0 ms\n"
        );
        assert_eq!(ping_line(&echo(2, None), &style), "no answer: icmp_seq=2\n");
        let error = Echo { error: Some("host unreachable".into()), ..echo(3, Some(9)) };
        assert_eq!(ping_line(&error, &style), "from 203.0.113.10: icmp_seq=3 host unreachable\n");
        let end =
            ping_end("www.shop.lab", &[echo(1, Some(20)), echo(2, None), echo(3, Some(30)), error], &style);
        assert_eq!(
            end,
            "\n--- www.shop.lab ---\n4 sent, 2 received, 50 % lost\n\
             round trip: least 20.0 ms, average 25.0 ms, most 30.0 ms, spread 5.00 ms\n"
        );
        assert_eq!(ping_end("x", &[], &style), "\n--- x ---\n0 sent, 0 received, 0 % lost\n");
    }

    #[test]
    fn a_route_with_a_quiet_hop() {
        let hop = |ttl: u32, address: &str, received: u64| Hop {
            ttl,
            answered: if received > 0 { vec![(address.parse().unwrap(), None)] } else { vec![] },
            sent: 3,
            received,
            rtt: (received > 0).then_some((1_000_000, 1_200_000, 2_000_000)),
            note: None,
        };
        let way = Route {
            target: "www.shop.lab".into(),
            address: Some("203.0.113.10".parse().unwrap()),
            protocol: "udp".into(),
            hops: vec![hop(1, "192.168.1.1", 3), hop(2, "198.51.100.1", 0), hop(3, "203.0.113.10", 3)],
            reached: true,
            circle: vec![],
        };
        for width in [60, 80, 120] {
            let text = route(&way, &Style { width, ..Style::default() });
            assert!(text.lines().all(|line| crate::text::layout::width(line) <= width), "{text}");
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(
                text.contains("no answer")
                    && text.contains("Reached after 3 hops.")
                    && text.contains("only answers rarely")
            );
        }
        let circle = Route { reached: false, circle: vec!["198.51.100.1".parse().unwrap()], ..way };
        assert!(route(&circle, &Style::default()).contains("goes in a circle"));
    }

    #[test]
    fn an_answer_as_dig_prints_it() {
        let record = Record {
            name: "www.shop.lab.".into(),
            ttl: 300,
            class: "IN".into(),
            kind: "A".into(),
            data: "203.0.113.10".into(),
        };
        let answer = Lookup {
            name: "www.shop.lab.".into(),
            kind: "A".into(),
            server: "198.51.100.53#53".into(),
            transport: "udp".into(),
            rcode: "NOERROR".into(),
            flags: vec!["qr".into(), "rd".into(), "ra".into()],
            answer: vec![
                record.clone(),
                Record { data: "\u{1b}]0;title\u{7}".into(), kind: "TXT".into(), ..record },
            ],
            took: 20_100_000,
            bytes: 57,
            ..Lookup::default()
        };
        let text = lookup(&answer, &Style::default());
        assert!(text.contains("www.shop.lab.  300  IN  A    203.0.113.10\n"), "{text}");
        assert!(text.contains(";; status: NOERROR, flags: qr rd ra\n"), "{text}");
        assert!(text.contains("\\x1b]0;title\\x07") && !text.contains('\u{1b}'));
        assert_eq!(lookup_short(&answer, &Style::default()).lines().next(), Some("203.0.113.10"));
        let silent = Lookup { failed: Some("timed out".into()), ..answer };
        assert!(lookup(&silent, &Style::default()).contains("no answer from 198.51.100.53#53"));
    }
}
