//! Lines of a routing table and of a packet filter.

use super::{node_addresses, prefix};
use crate::item::Str;
use crate::prefix::Prefix;
use crate::scenario::service::hex;
use crate::scenario::service::word;
use crate::scenario::{Node, RouteAction, RouteLine, Rule, RuleVerdict};
use crate::source::Error;

pub(super) fn route_line(text: &Str, node: usize, nodes: &[Node]) -> Result<RouteLine, Error> {
    const FORM: &str = "write `PREFIX via NODE` or `PREFIX unreachable|prohibit|blackhole`";
    let words: Vec<&str> = text.text.split_whitespace().collect();
    let (prefix_word, action) = match words.as_slice() {
        [prefix, "unreachable"] => (prefix, RouteAction::Unreachable),
        [prefix, "prohibit"] => (prefix, RouteAction::Prohibit),
        [prefix, "blackhole"] => (prefix, RouteAction::Blackhole),
        [prefix, "via", via] => {
            let v6 = prefix.contains(':');
            let name = Str { text: (*via).to_string(), span: text.span.clone() };
            let candidates = node_addresses(nodes, &name)?;
            let found = nodes[node].interfaces.iter().enumerate().find_map(|(index, interface)| {
                let (own, len) = interface.addresses.iter().find(|(own, _)| own.is_ipv6() == v6)?;
                let on_link = Prefix::new(*own, *len)?;
                candidates
                    .iter()
                    .find(|address| on_link.contains(**address))
                    .map(|address| RouteAction::Via(*address, index))
            });
            let Some(action) = found else {
                return Err(text.error(
                    format!("`{via}` is not a neighbour of `{}`", nodes[node].name),
                    "name a router on one of the node's links",
                ));
            };
            (prefix, action)
        }
        _ => return Err(text.error(format!("`{}` is not a route", text.text), FORM)),
    };
    let prefix_word = match *prefix_word {
        "default" | "default4" => "0.0.0.0/0",
        "default6" => "::/0",
        word => word,
    };
    let prefix = prefix(&Str { text: prefix_word.to_string(), span: text.span.clone() })?;
    Ok(RouteLine { prefix, action })
}

pub(super) fn rule(text: &Str, nodes: &[Node]) -> Result<Rule, Error> {
    const FORM: &str = "write `drop tcp 443 to NODE`, `reject udp 53 from 192.168.1.0/24`, `reset tcp to NODE containing:TEXT` (or containing-hex:16030106), `accept icmp`; `strip tcp option:window-scale`; also flags:syn|ack|ecn, over:BYTES, flows:1/2, after:N, first:N";
    const VERDICTS: [(&str, RuleVerdict); 5] = [
        ("strip", RuleVerdict::Strip(0)),
        ("accept", RuleVerdict::Accept),
        ("drop", RuleVerdict::Drop),
        ("reject", RuleVerdict::Reject),
        ("reset", RuleVerdict::Reset),
    ];
    const OPTIONS: [(&str, u8); 4] = [("mss", 2), ("window-scale", 3), ("sack", 4), ("timestamps", 8)];
    const PROTOCOLS: [(&str, Option<u8>); 4] =
        [("any", None), ("icmp", Some(1)), ("tcp", Some(6)), ("udp", Some(17))];
    let part = |word: &str| Str { text: word.to_string(), span: text.span.clone() };
    let mut words = text.text.split_whitespace();
    let (Some(verdict), Some(protocol)) = (words.next(), words.next()) else {
        return Err(text.error(format!("`{}` is not a rule", text.text), FORM));
    };
    let verdict = word(&part(verdict), &VERDICTS, "verdict")?;
    let protocol = word(&part(protocol), &PROTOCOLS, "protocol")?;
    let mut rule = Rule {
        text: text.text.split_whitespace().collect::<Vec<_>>().join(" "),
        verdict,
        protocol,
        port: None,
        from: Vec::new(),
        to: Vec::new(),
        containing: None,
        flags: None,
        over: None,
        flows: None,
        after: None,
        first: None,
    };
    while let Some(word) = words.next() {
        let bad = || text.error(format!("`{word}` has no place in a rule"), FORM);
        match word {
            "from" | "to" => {
                let Some(value) = words.next() else {
                    return Err(text.error(format!("`{word}` names no prefix"), FORM));
                };
                let found = prefixes(&part(value), nodes)?;
                (if word == "from" { &mut rule.from } else { &mut rule.to }).extend(found);
            }
            word => match word.split_once(':') {
                Some(("containing", bytes)) if !bytes.is_empty() => {
                    rule.containing = Some(bytes.as_bytes().to_vec());
                }
                Some(("containing-hex", digits)) if !digits.is_empty() => {
                    rule.containing = Some(hex(digits).ok_or_else(bad)?);
                }
                // SYN alone; and what carries an acknowledgement but no SYN: all of a connection but its beginning.
                Some(("option", name)) if protocol == Some(6) => {
                    let kind = crate::scenario::service::word(&part(name), &OPTIONS, "TCP option")?;
                    let RuleVerdict::Strip(kinds) = &mut rule.verdict else { return Err(bad()) };
                    *kinds |= 1 << kind;
                }
                // Who asks for ECN sets both of its bits in the SYN (RFC 3168 6.1.1).
                Some(("flags", "ecn")) if protocol == Some(6) => rule.flags = Some((0xd2, 0xc2)),
                Some(("flags", "syn")) if protocol == Some(6) => rule.flags = Some((0x12, 0x02)),
                Some(("flags", "ack")) if protocol == Some(6) => rule.flags = Some((0x12, 0x10)),
                Some(("over", bytes)) => {
                    rule.over = Some(usize::from(bytes.parse::<u16>().map_err(|_| bad())?))
                }
                Some(("after", count)) => rule.after = Some(count.parse().map_err(|_| bad())?),
                Some(("first", count)) => rule.first = Some(count.parse().map_err(|_| bad())?),
                Some(("flows", share)) => {
                    let (first, of) = share.split_once('/').ok_or_else(bad)?;
                    let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
                    rule.flows = Some((number(first).ok_or_else(bad)?, number(of).ok_or_else(bad)?));
                }
                Some(_) => return Err(bad()),
                None => match word.parse::<u16>() {
                    Ok(number) if number > 0 && matches!(protocol, Some(6 | 17)) => rule.port = Some(number),
                    _ => return Err(bad()),
                },
            },
        }
    }
    if rule.verdict == RuleVerdict::Strip(0) {
        return Err(text.error(
            "what is to be taken out?",
            "write option:mss, option:window-scale, option:sack or option:timestamps",
        ));
    }
    if verdict == RuleVerdict::Reset && protocol != Some(6) {
        return Err(text.error("only TCP has resets", "use `reject`, or `reset tcp`"));
    }
    Ok(rule)
}

/// A prefix, or the addresses of a node.
fn prefixes(text: &Str, nodes: &[Node]) -> Result<Vec<Prefix>, Error> {
    if text.text.contains('/') || !nodes.iter().any(|node| node.name == text.text) {
        return Ok(vec![prefix(text)?]);
    }
    let addresses = node_addresses(nodes, text)?;
    Ok(addresses
        .into_iter()
        .filter_map(|address| Prefix::new(address, if address.is_ipv6() { 128 } else { 32 }))
        .collect())
}
