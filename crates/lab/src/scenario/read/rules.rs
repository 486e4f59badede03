//! Lines of a routing table and of a packet filter.

use super::{node_addresses, prefix};
use crate::item::Str;
use crate::prefix::Prefix;
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

pub(super) fn rule(text: &Str) -> Result<Rule, Error> {
    const FORM: &str = "write `drop tcp 443`, `reject udp 53 from 192.168.1.0/24`, `reset tcp to 203.0.113.80/32` or `accept icmp`";
    const VERDICTS: [(&str, RuleVerdict); 4] = [
        ("accept", RuleVerdict::Accept),
        ("drop", RuleVerdict::Drop),
        ("reject", RuleVerdict::Reject),
        ("reset", RuleVerdict::Reset),
    ];
    const PROTOCOLS: [(&str, Option<u8>); 4] =
        [("any", None), ("icmp", Some(1)), ("tcp", Some(6)), ("udp", Some(17))];
    let part = |word: &str| Str { text: word.to_string(), span: text.span.clone() };
    let mut words = text.text.split_whitespace();
    let (Some(verdict), Some(protocol)) = (words.next(), words.next()) else {
        return Err(text.error(format!("`{}` is not a rule", text.text), FORM));
    };
    let verdict = word(&part(verdict), &VERDICTS, "verdict")?;
    let protocol = word(&part(protocol), &PROTOCOLS, "protocol")?;
    let mut rule = Rule { verdict, protocol, port: None, from: None, to: None };
    while let Some(word) = words.next() {
        match word {
            "from" | "to" => {
                let Some(value) = words.next() else {
                    return Err(text.error(format!("`{word}` names no prefix"), FORM));
                };
                let value = prefix(&part(value))?;
                *(if word == "from" { &mut rule.from } else { &mut rule.to }) = Some(value);
            }
            port => match port.parse::<u16>() {
                Ok(number) if number > 0 && matches!(protocol, Some(6 | 17)) => rule.port = Some(number),
                _ => return Err(text.error(format!("`{port}` has no place in a rule"), FORM)),
            },
        }
    }
    if verdict == RuleVerdict::Reset && protocol != Some(6) {
        return Err(text.error("only TCP has resets", "use `reject`, or `reset tcp`"));
    }
    Ok(rule)
}
