//! What the answers of all servers show, put into findings.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hickory_proto::rr::{Name, RecordType};
use thru_names::dnssec::chain::{Chain, Signature};
use thru_names::text::name_text;

use super::asking::{Asked, BAD_COOKIE, COOKIE, Strange};
use super::{Delegation, Finding, Habits, Seen, Severity};

/// Signatures that end sooner than this are about to expire, in seconds.
const SOON: i64 = 3 * 86_400;

type Known = BTreeMap<Name, Vec<IpAddr>>;

/// Everything, the worst first.
pub(super) fn of(
    zone: &Name,
    delegation: &Delegation,
    known: &Known,
    seen: &[Seen],
    chain: &Chain,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for server in seen {
        of_server(zone, server, &mut findings);
        if let Some(habits) = &server.habits {
            of_habits(zone, server, habits, &mut findings);
        }
    }
    of_delegation(zone, delegation, known, seen, &mut findings);
    of_serials(seen, &mut findings);
    of_places(delegation, known, &mut findings);
    of_soa(seen, &mut findings);
    of_signatures(zone, chain, seen, &mut findings);
    findings.sort_by_key(|finding| finding.severity);
    findings.dedup();
    findings
}

fn error(code: &'static str, rfc: &'static str, what: String) -> Finding {
    Finding { code, severity: Severity::Error, what, rfc }
}

fn warning(code: &'static str, rfc: &'static str, what: String) -> Finding {
    Finding { code, severity: Severity::Warning, what, rfc }
}

fn notice(code: &'static str, rfc: &'static str, what: String) -> Finding {
    Finding { code, severity: Severity::Notice, what, rfc }
}

/// One address of one server.
fn of_server(zone: &Name, seen: &Seen, out: &mut Vec<Finding>) {
    let who = format!("{} ({})", name_text(&seen.server), seen.address);
    let zone = name_text(zone);
    match &seen.soa {
        Asked::Strange(strange) => {
            let (code, rfc) = match strange {
                Strange::Place => ("answer-from-elsewhere", "RFC 2181 4"),
                Strange::Id => ("wrong-id", "RFC 5452 9.1"),
                Strange::Question => ("wrong-question", "RFC 5452 9.1"),
            };
            let said = seen.soa.in_words();
            out.push(error(code, rfc, format!("{who} {said}: nobody may take them")));
        }
        Asked::Malformed(_) => {
            let said = seen.soa.in_words();
            out.push(error("malformed-answer", "RFC 1035 4.1", format!("{who} sends {said}")));
        }
        Asked::Answer { packet, .. } if packet.header.truncated => {
            let what = format!("{who} truncates the answer to a small question");
            out.push(warning("truncates-everything", "RFC 2181 9", what));
            if seen.over_tcp.packet().is_none() {
                let why = seen.over_tcp.in_words();
                let what = format!("{who} truncates its answer, and cannot be asked over TCP: {why}");
                out.push(error("no-tcp", "RFC 7766 5", what));
            }
        }
        Asked::Silent | Asked::Failed(_) => {
            let answers_plain = seen.plain.as_ref().and_then(Asked::packet).is_some();
            if answers_plain {
                out.push(error(
                    "edns-unanswered",
                    "RFC 6891 7",
                    format!("{who} answers only questions without EDNS"),
                ));
            } else {
                let why = seen.soa.in_words();
                let over_tcp = seen.over_tcp.packet().is_some();
                let (code, rfc) =
                    if over_tcp { ("no-udp", "RFC 1035 4.2") } else { ("server-silent", "RFC 1034 4.1") };
                let also = if over_tcp { ", but answers over TCP" } else { "" };
                out.push(error(code, rfc, format!("{who} gives {why} for {zone}{also}")));
            }
        }
        Asked::Answer { packet, .. } if packet.rcode() == 1 || packet.rcode() == 4 => {
            let works = seen.plain.as_ref().and_then(Asked::packet).is_some_and(|packet| packet.rcode() == 0);
            let what = if works { ", and answers without" } else { "" };
            let code = seen.soa.in_words();
            out.push(error("edns-refused", "RFC 6891 7", format!("{who} answers {code} to EDNS{what}")));
        }
        Asked::Answer { packet, .. } if packet.rcode() != 0 => {
            let said = seen.soa.in_words();
            out.push(error(
                "lame-server",
                "RFC 1912 2.8",
                format!("{who} is to serve {zone} and answers {said}"),
            ));
        }
        Asked::Answer { packet, .. } if !packet.header.authoritative => {
            let upward = packet.authorities.iter().any(|record| record.rtype == RecordType::NS);
            let what = if upward { "refers to other servers" } else { "does not answer as an authority" };
            out.push(error("lame-server", "RFC 1912 2.8", format!("{who} is to serve {zone} and {what}")));
        }
        Asked::Answer { .. } => {
            if seen.over_tcp.packet().is_none() {
                let why = seen.over_tcp.in_words();
                out.push(error("no-tcp", "RFC 7766 5", format!("{who} cannot be asked over TCP: {why}")));
            }
            if seen.soa.packet().is_some_and(|packet| packet.opt.is_none()) {
                let what = format!("{who} answers as if it knew no EDNS");
                out.push(warning("edns-ignored", "RFC 6891 7", what));
            }
            match &seen.large {
                Some(Asked::Silent) => out.push(error(
                    "large-answers-lost",
                    "RFC 9715 3.1",
                    format!("{who} answers small questions, and its long answers get lost"),
                )),
                Some(Asked::Answer { octets, .. }) if *octets > 1232 => out.push(warning(
                    "answer-above-1232",
                    "RFC 9715 3.1",
                    format!("{who} sends {octets} octets to who announced 1232"),
                )),
                _ => {}
            }
            let recursive = seen.stranger.as_ref().and_then(Asked::packet);
            if recursive.is_some_and(|packet| packet.header.recursion_available && packet.rcode() != 5) {
                out.push(warning(
                    "open-recursion",
                    "RFC 5358 4",
                    format!("{who} resolves names of others for anybody"),
                ));
            }
        }
    }
}

/// What an authority makes of less common questions.
fn of_habits(zone: &Name, seen: &Seen, habits: &Habits, out: &mut Vec<Finding>) {
    let Habits { case: (spelled, case), missing, types, cookie: (own, cookie) } = habits;
    let who = format!("{} ({})", name_text(&seen.server), seen.address);
    match case {
        Asked::Silent => out.push(error(
            "case-unanswered",
            "RFC 4343 4.1",
            format!("{who} does not answer when a name is spelled with capitals"),
        )),
        Asked::Answer { packet, .. } => {
            let kept = packet.question().is_none_or(|question| question.name.iter().eq(spelled.iter()));
            if !kept {
                let what = format!("{who} does not give the spelling of names back");
                out.push(warning("case-not-kept", "RFC 4343 4.1", what));
            }
        }
        _ => {}
    }
    if let Some(packet) = missing.packet()
        && matches!(packet.rcode(), 0 | 3)
        && packet.answers.is_empty()
        && !packet.header.truncated
        && !packet.authorities.iter().any(|record| record.rtype == RecordType::SOA)
    {
        let what = format!("{who} says what is not there without the SOA: it cannot be remembered");
        out.push(warning("negative-without-soa", "RFC 2308 3", what));
    }
    for (rtype, asked) in types {
        let kind = thru_names::text::type_text(*rtype);
        match asked {
            Asked::Silent => out.push(error(
                "type-unanswered",
                "RFC 4074 4.1",
                format!("{who} does not answer questions for {kind}"),
            )),
            Asked::Answer { packet, .. } if packet.rcode() == 3 => out.push(error(
                "nxdomain-for-type",
                "RFC 4074 4.2",
                format!("{who} says that {} does not exist when {kind} is asked", name_text(zone)),
            )),
            Asked::Answer { packet, .. } if packet.rcode() != 0 => out.push(error(
                "type-refused",
                "RFC 4074 4.3",
                format!("{who} answers {} to questions for {kind}", asked.in_words()),
            )),
            _ => {}
        }
    }
    if let Some(packet) = cookie.packet() {
        let back = packet.opt.as_ref().and_then(|opt| opt.option(COOKIE));
        if packet.rcode() == BAD_COOKIE {
            let what = format!("{who} refuses even the cookie that it gave itself");
            out.push(error("cookie-refused", "RFC 7873 5.2.3", what));
        } else if back.is_some_and(|back| back.get(..8) != Some(own)) {
            let what = format!("{who} gives back another cookie than it was sent");
            out.push(error("cookie-changed", "RFC 7873 5.3", what));
        }
    }
}

/// What the zone above says, beside what the zone says.
fn of_delegation(zone: &Name, delegation: &Delegation, known: &Known, seen: &[Seen], out: &mut Vec<Finding>) {
    let Some(parent) = &delegation.parent else { return };
    let above: BTreeSet<&Name> = delegation.servers.iter().collect();
    let own: BTreeSet<&Name> = seen.iter().flat_map(|seen| &seen.servers).collect();
    let parent = name_text(parent);
    if !own.is_empty() {
        for server in above.difference(&own) {
            let server = name_text(server);
            let what = format!("{parent} names {server}, and the zone itself does not");
            out.push(warning("ns-only-above", "RFC 1034 4.2.2", what));
        }
        for server in own.difference(&above) {
            let server = name_text(server);
            let what = format!("the zone names {server}, and {parent} does not");
            out.push(warning("ns-only-below", "RFC 1034 4.2.2", what));
        }
    }
    for server in &delegation.servers {
        let name = name_text(server);
        let glue = delegation.glue.get(server).cloned().unwrap_or_default();
        let real = known.get(server).cloned().unwrap_or_default();
        if zone.zone_of(server) && glue.is_empty() {
            let what = format!("{name} lies inside of the zone, and {parent} gives no address for it");
            out.push(error("glue-missing", "RFC 9471 2", what));
        }
        if real.is_empty() && glue.is_empty() && !zone.zone_of(server) {
            out.push(error("ns-no-address", "RFC 1912 2.4", format!("{name} has no address")));
        }
        // Of a family that the zone says nothing of nothing can be said.
        let told = |address: &IpAddr| real.iter().any(|known| known.is_ipv6() == address.is_ipv6());
        let differs = glue.iter().any(|address| !real.contains(address) && told(address));
        if !glue.is_empty() && !real.is_empty() && differs {
            let list = |addresses: &[IpAddr]| {
                addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            };
            let what = format!("{parent} says that {name} is at {}, it is at {}", list(&glue), list(&real));
            out.push(error("glue-differs", "RFC 1034 4.2.2", what));
        }
    }
}

fn of_serials(seen: &[Seen], out: &mut Vec<Finding>) {
    let mut serials: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for server in seen {
        if let Some(serial) = server.serial() {
            serials.entry(serial).or_default().insert(name_text(&server.server));
        }
    }
    if serials.len() > 1 {
        let list = serials.iter().map(|(serial, servers)| {
            format!("{serial} ({})", servers.iter().cloned().collect::<Vec<_>>().join(", "))
        });
        let what = format!("the servers hold different versions: {}", list.collect::<Vec<_>>().join("; "));
        out.push(warning("serials-differ", "RFC 1034 4.3.5", what));
    }
}

/// Whether one broken thing takes all servers away.
fn of_places(delegation: &Delegation, known: &Known, out: &mut Vec<Finding>) {
    let servers: BTreeSet<&Name> = delegation.servers.iter().collect();
    if servers.len() == 1 {
        let what = format!("{} is the zone's only server", name_text(servers.first().expect("one")));
        out.push(notice("one-server", "RFC 1034 4.1", what));
    } else {
        let network = |address: &IpAddr| match address {
            IpAddr::V4(v4) => v4.octets()[..3].to_vec(),
            IpAddr::V6(v6) => v6.octets()[..6].to_vec(),
        };
        let v4 = |address: &&IpAddr| address.is_ipv4();
        let places: BTreeSet<Vec<u8>> = known.values().flatten().filter(v4).map(network).collect();
        if places.len() == 1 && known.len() > 1 {
            let what = "all of the zone's servers are in one network".to_owned();
            out.push(notice("one-network", "RFC 2182 3.1", what));
        }
    }
    for (server, addresses) in known.iter().chain(&delegation.glue) {
        for address in addresses.iter().filter(|address| unusable(**address)) {
            let what = format!("{} is at {address}, which nobody outside can reach", name_text(server));
            out.push(error("ns-private-address", "RFC 6890 2.2", what));
        }
    }
}

fn unusable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_multicast()
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.segments()[0] & 0xfe00 == 0xfc00
                || v6.segments()[0] & 0xffc0 == 0xfe80
        }
    }
}

/// The times in the SOA.
fn of_soa(seen: &[Seen], out: &mut Vec<Finding>) {
    let soa = seen.iter().filter_map(Seen::soa).flat_map(|packet| &packet.answers);
    let Some(soa) = soa.into_iter().find(|record| record.rtype == RecordType::SOA) else { return };
    let word = |at: usize| {
        let from = soa.data.len().checked_sub(20)? + 4 * at;
        Some(u32::from_be_bytes(soa.data.get(from..from + 4)?.try_into().ok()?))
    };
    let (Some(refresh), Some(retry), Some(expire)) = (word(1), word(2), word(3)) else { return };
    if expire < refresh.saturating_add(retry) {
        let what = format!(
            "the SOA lets copies expire ({expire} s) before they were refreshed ({refresh} s) and retried ({retry} s)"
        );
        out.push(warning("soa-expire-short", "RFC 1912 2.2", what));
    }
}

/// Signatures: the chain, and what is about to break it.
fn of_signatures(zone: &Name, chain: &Chain, seen: &[Seen], out: &mut Vec<Finding>) {
    if let Some((at, problem)) = chain.broken() {
        let what = format!("the chain of trust breaks at {}: {}", name_text(at), problem.what);
        out.push(error("chain-broken", problem.rfc, what));
    }
    let keys = seen.iter().filter_map(|seen| seen.large.as_ref()?.packet());
    let signed =
        keys.into_iter().any(|packet| packet.answers.iter().any(|record| record.rtype == RecordType::DNSKEY));
    if let (Some((at, problem)), true) = (chain.insecure(), signed) {
        let why = problem.map_or_else(
            || format!("the zone above {} has no DS for it", name_text(at)),
            |problem| problem.what.clone(),
        );
        out.push(warning(
            "signed-without-trust",
            "RFC 6781 4.1",
            format!("the zone is signed in vain: {why}"),
        ));
    }
    let soon = |signature: &&Signature| {
        let left = i64::from(signature.expiration.wrapping_sub(chain.now) as i32);
        (0..SOON).contains(&left)
    };
    let of_zone = chain.links.iter().filter(|link| link.zone == *zone).flat_map(|link| &link.keys_signed);
    let of_leaf = chain.leaf.iter().flat_map(|leaf| &leaf.signed);
    if let Some(signature) = of_zone.chain(of_leaf).find(soon) {
        let hours = signature.expiration.wrapping_sub(chain.now) / 3600;
        let kind = thru_names::text::type_text(signature.covered);
        let what = format!("the signature over {kind} ends in {hours} hours and was not renewed");
        out.push(warning("signature-expiring", "RFC 6781 4.4.2", what));
    }
}
