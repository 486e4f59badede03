//! Packets that the script expects: what was sent is compared field by field, as far as the script says anything.

use core::time::Duration;

use super::inject::icmp_numbers;
use super::observed::{Observed, ObservedBody, ObservedTcp, letters, list};
use super::{Runner, Stop};
use crate::script::{Body, Ecn, IpSpec, OptionSpec, Packet, TcpSpec};

const SYN: u16 = 0x02;
const RST: u16 = 0x04;
const PSH: u16 = 0x08;
const ACK: u16 = 0x10;

impl Runner {
    /// Waits up to `limit` for a packet and compares it; when it was sent.
    pub(super) fn match_packet(&mut self, packet: &Packet, limit: Duration) -> Result<Duration, Stop> {
        let wanted = match &packet.body {
            Body::Tcp(tcp) => tcp.ports.map(|ports| self.flows.named(ports)),
            _ => None,
        };
        let mut others = Vec::new();
        let found = loop {
            let Some(observed) = self.next_sent(limit)? else { break None };
            // A line with ports asks for its own connection; what others send waits for their lines.
            let of = self.flows.of(&observed);
            if wanted.is_some() && of != wanted {
                others.push(observed);
                continue;
            }
            // A line without ports is about the newest connection; what older ones still say is nobody's business.
            if wanted.is_none()
                && of.is_some()
                && self.flows.current().is_some()
                && of != self.flows.current()
            {
                continue;
            }
            break Some(observed);
        };
        for other in others.into_iter().rev() {
            self.sent.push_front(other);
        }
        let Some(observed) = found else { return Stop::fail("a packet was expected, but none came") };
        let at = observed.at;
        check_ip(&packet.ip, &observed)?;
        match (&packet.body, &observed.body) {
            (Body::Tcp(expected), ObservedBody::Tcp(_)) => self.match_tcp(expected, observed, limit)?,
            (Body::Udp { len, .. }, ObservedBody::Udp { len: sent, .. }) => {
                if usize::from(*len) != *sent {
                    return Stop::fail(format!("a datagram of {len} bytes was expected, {sent} came"));
                }
            }
            (Body::Icmp(expected), ObservedBody::Icmp { kind, code, rest }) => {
                let v6 = observed.src.is_ipv6();
                if icmp_numbers(v6, &expected.kind, &expected.code) != Some((*kind, *code)) {
                    return Stop::fail(format!("another ICMP message came: type {kind} code {code}"));
                }
                if expected.mtu.is_some_and(|mtu| mtu != *rest) {
                    return Stop::fail(format!("the ICMP message names MTU {rest}"));
                }
            }
            _ => return Stop::fail(format!("another kind of packet came: {observed}")),
        }
        Ok(at)
    }

    fn match_tcp(&mut self, expected: &TcpSpec, observed: Observed, limit: Duration) -> Result<(), Stop> {
        let index = self.flows.of(&observed).or(self.flows.current());
        let mut tcp = match observed.body {
            ObservedBody::Tcp(tcp) => tcp,
            _ => return Ok(()),
        };
        if let Some(flow) = index.and_then(|index| self.flows.get_mut(index))
            && tcp.flags & SYN != 0
        {
            flow.script_isn = expected.seq;
        }
        let joined = self.join(expected, &mut tcp, limit)?;
        if joined || self.goes_on(index, &tcp) {
            // Where PSH stands inside of what was written depends on how a kernel's buffers and a device cut it.
            tcp.flags = tcp.flags & !PSH | expected.flags & PSH;
        }
        let flow = index.and_then(|index| self.flows.get(index)).cloned().unwrap_or_default();
        let mut shown = tcp.clone();
        if !expected.seq_absolute {
            shown.seq = flow.to_script(tcp.seq, tcp.flags & SYN != 0);
        }
        let remote = flow.remote_offset(tcp.flags & SYN != 0);
        if !expected.ack_absolute {
            shown.ack = tcp.ack.wrapping_sub(remote);
        }
        for option in &mut shown.options {
            if let OptionSpec::Sack(blocks) = option {
                for (left, right) in blocks {
                    (*left, *right) = (left.wrapping_sub(remote), right.wrapping_sub(remote));
                }
            }
        }
        if tcp.flags & ACK == 0 {
            shown.ack = 0;
        }
        if let (Some(flow), Some(options)) =
            (index.and_then(|index| self.flows.get_mut(index)), &expected.options)
        {
            for (wanted, sent) in options.iter().zip(&mut shown.options) {
                if let (
                    OptionSpec::Timestamps { value: Some(script), .. },
                    OptionSpec::Timestamps { value: Some(wire), .. },
                ) = (wanted, sent)
                {
                    flow.pair_timestamps(*script, *wire);
                    *wire = flow.timestamp_to_script(*wire);
                }
            }
        }
        self.compare(expected, &shown)
    }

    /// Whether more payload was written than this segment and those before it carry.
    fn goes_on(&self, index: Option<usize>, tcp: &ObservedTcp) -> bool {
        let Some(flow) = index.and_then(|index| self.flows.get(index)) else { return false };
        let end = tcp.seq.wrapping_add(tcp.len as u32);
        let sent_more = flow.sent_until.is_some_and(|until| until.wrapping_sub(end) as i32 > 0);
        let waits = || {
            let ports = (flow.local_port, flow.remote_port);
            self.kernel.streams().any(|id| {
                let of = self.host.tcp_local_addr(id).zip(self.host.tcp_remote_addr(id));
                of.is_some_and(|(local, remote)| (local.port(), remote.port()) == ports)
                    && self.host.tcp_info(id).is_some_and(|info| info.bytes_unsent > 0)
            })
        };
        tcp.len > 0 && (sent_more || waits())
    }

    /// Where the script expects a larger segment than was sent, what follows is joined to it: a script may have been
    /// written where a device cuts the segments.
    fn join(&mut self, expected: &TcpSpec, tcp: &mut ObservedTcp, limit: Duration) -> Result<bool, Stop> {
        let alone = tcp.len;
        let wanted = usize::from(expected.len);
        while tcp.len > 0 && tcp.len < wanted {
            let here = self.elapsed().min(limit);
            let Some(next) = self.next_sent(here)? else { break };
            let follows = next.tcp().is_some_and(|more| {
                more.src_port == tcp.src_port
                    && more.dst_port == tcp.dst_port
                    && more.seq == tcp.seq.wrapping_add(tcp.len as u32)
                    && more.len > 0
                    && tcp.len + more.len <= wanted
                    && (more.ack == tcp.ack)
            });
            if !follows {
                self.sent.push_front(next);
                break;
            }
            if let ObservedBody::Tcp(more) = next.body {
                tcp.len += more.len;
                tcp.flags |= more.flags;
                tcp.window = more.window;
            }
        }
        Ok(tcp.len > alone)
    }

    fn compare(&self, expected: &TcpSpec, sent: &ObservedTcp) -> Result<(), Stop> {
        let wrong = |what: &str, wanted: String, found: String| {
            Stop::fail(format!("{what}: {wanted} was expected, {found} came, in {sent}"))
        };
        if !expected.seq_any && expected.seq != sent.seq {
            return wrong("sequence number", expected.seq.to_string(), sent.seq.to_string());
        }
        if usize::from(expected.len) != sent.len {
            return wrong("payload bytes", expected.len.to_string(), sent.len.to_string());
        }
        if expected.flags != sent.flags {
            return wrong("flags", letters(expected.flags), letters(sent.flags));
        }
        if let Some(ack) = expected.ack
            && expected.flags & ACK != 0
            && ack != sent.ack
        {
            return wrong("acknowledgement number", ack.to_string(), sent.ack.to_string());
        }
        if let Some(window) = expected.window
            && window != sent.window
        {
            return wrong("window", window.to_string(), sent.window.to_string());
        }
        if let Some(urgent) = expected.urgent
            && urgent != sent.urgent
        {
            return wrong("urgent pointer", urgent.to_string(), sent.urgent.to_string());
        }
        match &expected.options {
            // A RST of no connection has no options whatever the script says of others.
            Some(options) if !self.options_match(options, &sent.options) => {
                if expected.flags & RST != 0 && options.is_empty() && sent.options.is_empty() {
                    return Ok(());
                }
                wrong("options", format!("<{}>", list(options)), format!("<{}>", list(&sent.options)))
            }
            _ => Ok(()),
        }
    }

    fn options_match(&self, expected: &[OptionSpec], sent: &[OptionSpec]) -> bool {
        expected.len() == sent.len()
            && expected.iter().zip(sent).all(|(expected, sent)| match (expected, sent) {
                (
                    OptionSpec::Timestamps { value, echo },
                    OptionSpec::Timestamps { value: sent_value, echo: sent_echo },
                ) => {
                    let echo_matches = echo.is_none() || echo == sent_echo;
                    let tick = self.settings.timestamp_tick;
                    let value_matches = match (value, sent_value) {
                        (Some(value), Some(sent)) if !tick.is_zero() => {
                            let ticks = (value.wrapping_sub(*sent) as i32).unsigned_abs();
                            tick * ticks <= self.settings.tolerance(self.elapsed())
                        }
                        _ => true,
                    };
                    echo_matches && value_matches
                }
                _ => expected == sent,
            })
    }
}

fn check_ip(expected: &IpSpec, sent: &Observed) -> Result<(), Stop> {
    if let Some(tos) = expected.tos
        && tos != sent.tos
    {
        return Stop::fail(format!("TOS {tos:#04x} was expected, {:#04x} came", sent.tos));
    }
    let ecn = sent.tos & 3;
    let ecn_matches = match expected.ecn {
        None => true,
        Some(Ecn::None) => ecn == 0,
        Some(Ecn::Ect0) => ecn == 2,
        Some(Ecn::Ect1) => ecn == 1,
        Some(Ecn::Ce) => ecn == 3,
        Some(Ecn::Ect) => ecn == 1 || ecn == 2,
    };
    if !ecn_matches {
        return Stop::fail(format!("the ECN bits are {ecn:#04b}, in {sent}"));
    }
    if let Some(ttl) = expected.ttl
        && ttl != sent.ttl
    {
        return Stop::fail(format!("TTL {ttl} was expected, {} came", sent.ttl));
    }
    if let Some(label) = expected.flow_label
        && Some(label) != sent.flow_label
    {
        return Stop::fail(format!("flow label {label:#x} was expected, in {sent}"));
    }
    Ok(())
}
