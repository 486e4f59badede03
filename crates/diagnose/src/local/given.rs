//! Who gave this machine its settings: two servers that contradict each other, two routers of which one leads nowhere.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::facts::{Facts, failure_text, family};
use crate::vote::Vote;
use thru_trace::configured::{self, Advertised, DhcpKind, MacAddr, Message};
use thru_trace::frames::belongs;
use thru_trace::{Family, Span};

/// What follows from wrong settings.
const FOLLOWS: [&str; 20] = [
    "IP01", "IP02", "IP04", "IP05", "IP07", "IP13", "IP29", "FW01", "FW04", "TCP01", "TCP03", "TCP06",
    "LNK04", "LNK05", "DNS01", "DNS02", "DNS03", "DNS12", "DNS14", "DNS20",
];

/// What one server offered.
#[derive(Debug, Default)]
struct Offered {
    frames: Vec<u64>,
    from: Option<MacAddr>,
    routers: Vec<Ipv4Addr>,
    resolvers: Vec<Ipv4Addr>,
}

impl Offered {
    fn settings(&self) -> String {
        format!("router {}, name server {}", list(&self.routers), list(&self.resolvers))
    }
}

fn list(addresses: &[Ipv4Addr]) -> String {
    match addresses {
        [] => String::from("none"),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
    }
}

/// This machine, among those that asked for settings: the one that sent what came to nothing, or the only one.
fn machine(facts: &Facts<'_>, stuck: &Span, told: &[Message]) -> Option<MacAddr> {
    let mut asking: Vec<MacAddr> = told.iter().map(|one| one.message.chaddr).collect();
    asking.sort_unstable();
    asking.dedup();
    if let [only] = asking.as_slice() {
        return Some(*only);
    }
    let sent = facts.trace.packets.iter().filter(|packet| belongs(facts.trace, stuck, packet) == Some(true));
    sent.filter_map(|packet| configured::sender(&packet.bytes)).find(|sender| asking.contains(sender))
}

/// What each server offered to this machine, and the one whose offer was confirmed last.
fn offers(facts: &Facts<'_>, stuck: &Span) -> (BTreeMap<Ipv4Addr, Offered>, Option<Ipv4Addr>) {
    let (mut servers, mut taken) = (BTreeMap::<Ipv4Addr, Offered>::new(), None);
    let told = configured::dhcp(facts.trace);
    let Some(machine) = machine(facts, stuck, &told) else { return (servers, taken) };
    for told in told.into_iter().filter(|one| one.message.chaddr == machine) {
        let Some(server) = told.message.options.server else { continue };
        if !matches!(told.message.kind, DhcpKind::Offer | DhcpKind::Ack) {
            continue;
        }
        let offered = servers.entry(server).or_default();
        offered.frames.push(told.frame);
        offered.from = told.from;
        offered.routers.clone_from(&told.message.options.routers);
        offered.resolvers.clone_from(&told.message.options.dns);
        if told.message.kind == DhcpKind::Ack {
            taken = Some(server);
        }
    }
    (servers, taken)
}

/// Two DHCP servers offer different settings, and with those that were taken nothing is reached.
pub(super) fn rogue_server(facts: &Facts<'_>) -> Option<Vote> {
    let failed = stuck(facts)?;
    let (servers, taken) = offers(facts, failed);
    let taken = taken?;
    let chosen = servers.get(&taken)?;
    let differs =
        |offered: &Offered| offered.routers != chosen.routers || offered.resolvers != chosen.resolvers;
    let (other, rest) = servers.iter().find(|(server, offered)| **server != taken && differs(offered))?;
    let machine = chosen.from.map_or_else(String::new, |mac| format!(" (hardware address {mac})"));
    Some(
        Vote::broken(
            &["LNK13"],
            0.9,
            format!("Two machines of this network hand out settings (DHCP), different ones, and with those that this machine took, from {taken}, nothing is reached."),
        )
        .explains(&FOLLOWS)
        .cite(failed, failure_text(failed))
        .cite_frames(&chosen.frames, format!("{taken}{machine} gave: {}; these were taken", chosen.settings()))
        .cite_frames(&rest.frames, format!("{other} offered: {}", rest.settings()))
        .rule_out("LNK02", "an address was given, only with the wrong settings")
        .rule_out("IP02", "another server of the same network names another router")
        .network(format!("find the machine with the address {taken}{machine} and switch its DHCP server off; let switches drop DHCP answers from all other ports (DHCP snooping)"))
        .user("disconnect and connect again: with luck the right server is the faster one; tell the network's owner"),
    )
}

/// The step at which a request got stuck near this machine: no name, no connection.
fn stuck<'a>(facts: &Facts<'a>) -> Option<&'a Span> {
    let out = facts.delivered().is_some() || facts.connected().is_some();
    if out || facts.works("other_site") == Some(true) {
        return None;
    }
    facts.own.iter().copied().find(|span| {
        let code = span.code().unwrap_or_default();
        let near = code.starts_with("dns.") || code.starts_with("ip.") || code == "tcp.timeout";
        near && matches!(span.what.as_str(), "resolve" | "connect")
    })
}

/// Those that said that they are routers before a moment, and had not taken it back by then (RFC 4861 6.2.5), with all that
/// each said until then.
fn routers(heard: &[Advertised], before: u64) -> BTreeMap<Ipv6Addr, Vec<&Advertised>> {
    let mut routers: BTreeMap<_, Vec<&Advertised>> = BTreeMap::new();
    for one in heard.iter().filter(|one| one.at <= before) {
        routers.entry(one.router).or_default().push(one);
    }
    routers.retain(|_, said| said.last().is_some_and(|last| !last.advertisement.lifetime.is_zero()));
    routers
}

/// The networks that a router announces.
fn networks(of: &[&Advertised]) -> Vec<IpAddr> {
    let prefixes = of.iter().flat_map(|one| &one.advertisement.prefixes);
    let mut all: Vec<IpAddr> = prefixes.map(|one| one.prefix.network()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Two routers advertise themselves, and what goes by the one in use comes to nothing.
pub(super) fn rogue_router(facts: &Facts<'_>) -> Option<Vote> {
    let over_v6 = || facts.trace.all("connect").filter(|span| family(span) == Some(Family::V6));
    let failed = over_v6().find(|span| matches!(span.code(), Some("tcp.timeout" | "ip.unreachable")))?;
    if over_v6().any(Span::is_ok) {
        return None;
    }
    let heard = configured::advertisements(facts.trace);
    let routers = routers(&heard, failed.end);
    if routers.len() < 2 {
        return None;
    }
    let mut announced: Vec<Vec<IpAddr>> = routers.values().map(|of| networks(of)).collect();
    announced.dedup();
    let causes: &[&str] = if announced.len() > 1 { &["LNK13"] } else { &["LNK13", "IP13"] };
    let names: Vec<String> = routers.keys().map(ToString::to_string).collect();
    let frames: Vec<u64> = routers.values().filter_map(|of| of.last().map(|one| one.frame)).collect();
    let vote = Vote::broken(
        causes,
        0.88,
        "Two machines of this network say that they are its IPv6 router, and by the one that this machine believed nothing is reached.",
    )
    .explains(&["IP13", "IP01", "IP02", "IP05", "FW01", "TCP03", "TCP06", "IP07", "LNK04"])
    .cite(failed, format!("over IPv6: {}", failure_text(failed)))
    .cite_frames(&frames, format!("routers that advertise themselves: {}", names.join(" and ")))
    .network("find the machine that should not be a router (a PC that shares its connection, a second home router) and switch its advertisements off; let switches drop advertisements from all other ports (RA guard)")
    .user("tell the network's owner; as a stopgap, use IPv4 (the switch -4)");
    let vote = if causes.len() > 1 {
        vote.probe("send by the other router: if that works, the one in use is the wrong one", causes)
    } else {
        vote.rule_out("IP13", "the two announce different networks: one of them does not belong here")
    };
    Some(if facts.delivered().is_some() { vote.only_disturbs() } else { vote })
}
