//! A packet that the host has sent, read back.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use thru_wire::icmpv4::Icmpv4View;
use thru_wire::icmpv6::Icmpv6View;
use thru_wire::ipv4::{Ipv4View, Protocol};
use thru_wire::ipv6::Ipv6View;
use thru_wire::tcp::{Flags, TcpOption, TcpView};
use thru_wire::udp::UdpView;

use crate::script::OptionSpec;

/// A packet that the host has sent.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    /// Since the script began.
    pub(crate) at: Duration,
    pub(crate) src: IpAddr,
    pub(crate) tos: u8,
    pub(crate) ttl: u8,
    pub(crate) flow_label: Option<u32>,
    pub(crate) body: ObservedBody,
}

/// What it carries.
#[derive(Clone, Debug)]
pub(crate) enum ObservedBody {
    Tcp(ObservedTcp),
    Udp { src_port: u16, dst_port: u16, len: usize },
    Icmp { kind: u8, code: u8, rest: u32 },
    Other(u8),
}

/// A segment that the host has sent.
#[derive(Clone, Debug)]
pub(crate) struct ObservedTcp {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u16,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    pub(crate) options: Vec<OptionSpec>,
    pub(crate) len: usize,
}

impl Observed {
    /// The packet in `bytes`; nothing if it is not an IP packet.
    pub(crate) fn read(bytes: &[u8], at: Duration) -> Option<Observed> {
        match bytes.first()? >> 4 {
            4 => {
                let ip = Ipv4View::new(bytes).ok()?;
                Some(Observed {
                    at,
                    src: ip.src().into(),
                    tos: ip.dscp() << 2 | ip.ecn(),
                    ttl: ip.ttl(),
                    flow_label: None,
                    body: body(ip.protocol(), ip.payload()),
                })
            }
            6 => {
                let ip = Ipv6View::new(bytes).ok()?;
                Some(Observed {
                    at,
                    src: ip.src().into(),
                    tos: ip.dscp() << 2 | ip.ecn(),
                    ttl: ip.hop_limit(),
                    flow_label: Some(ip.flow_label()),
                    body: body(ip.next_header(), ip.payload()),
                })
            }
            _ => None,
        }
    }

    pub(crate) fn tcp(&self) -> Option<&ObservedTcp> {
        match &self.body {
            ObservedBody::Tcp(tcp) => Some(tcp),
            _ => None,
        }
    }
}

fn body(protocol: Protocol, bytes: &[u8]) -> ObservedBody {
    let read = match protocol {
        Protocol::TCP => TcpView::new(bytes).ok().map(|tcp| ObservedBody::Tcp(segment(&tcp))),
        Protocol::UDP => UdpView::new(bytes).ok().map(|udp| ObservedBody::Udp {
            src_port: udp.src_port(),
            dst_port: udp.dst_port(),
            len: udp.payload().len(),
        }),
        Protocol::ICMPV4 => Icmpv4View::new(bytes).ok().map(|icmp| ObservedBody::Icmp {
            kind: icmp.kind(),
            code: icmp.code(),
            rest: u32::from_be_bytes(icmp.rest_of_header()),
        }),
        Protocol::ICMPV6 => Icmpv6View::new(bytes).ok().map(|icmp| ObservedBody::Icmp {
            kind: icmp.kind(),
            code: icmp.code(),
            rest: u32::from_be_bytes(icmp.rest_of_header()),
        }),
        _ => None,
    };
    read.unwrap_or(ObservedBody::Other(protocol.0))
}

fn segment(tcp: &TcpView<'_>) -> ObservedTcp {
    ObservedTcp {
        src_port: tcp.src_port(),
        dst_port: tcp.dst_port(),
        seq: tcp.seq().0,
        ack: tcp.ack().0,
        flags: tcp.flags().0,
        window: tcp.window(),
        urgent: tcp.urgent(),
        options: options(tcp),
        len: tcp.payload().len(),
    }
}

/// The options as a script would write them; what ends them and what pads them, too.
fn options(tcp: &TcpView<'_>) -> Vec<OptionSpec> {
    let mut found = Vec::new();
    let mut used = 0;
    for option in tcp.options() {
        let Ok(option) = option else { break };
        let (spec, len) = spec(option);
        found.push(spec);
        used += len;
    }
    let room = tcp.header_len().saturating_sub(20);
    found.extend(core::iter::repeat_n(OptionSpec::Eol, room.saturating_sub(used)));
    found
}

/// An option and the bytes it takes.
fn spec(option: TcpOption<'_>) -> (OptionSpec, usize) {
    match option {
        TcpOption::NoOperation => (OptionSpec::Nop, 1),
        TcpOption::MaxSegmentSize(mss) => (OptionSpec::Mss(mss), 4),
        TcpOption::WindowScale(shift) => (OptionSpec::WindowScale(shift), 3),
        TcpOption::SackPermitted => (OptionSpec::SackPermitted, 2),
        TcpOption::Sack(blocks) => {
            let list: Vec<_> = blocks.iter().map(|(left, right)| (left.0, right.0)).collect();
            let len = 2 + 8 * list.len();
            (OptionSpec::Sack(list), len)
        }
        TcpOption::Timestamps(timestamps) => {
            let (value, echo) = (Some(timestamps.value), Some(timestamps.echo));
            (OptionSpec::Timestamps { value, echo }, 10)
        }
        TcpOption::FastOpen(cookie) => (OptionSpec::FastOpen(cookie.to_vec()), 2 + cookie.len()),
        TcpOption::Experiment { id: 0xf989, data, .. } => {
            (OptionSpec::FastOpenExperiment(data.to_vec()), 4 + data.len())
        }
        TcpOption::AccEcn(counters) => {
            let order = if counters.ect1_first {
                [counters.ect1, counters.ce, counters.ect0]
            } else {
                [counters.ect0, counters.ce, counters.ect1]
            };
            let list: Vec<_> = order.into_iter().flatten().collect();
            let len = 2 + 3 * list.len();
            (OptionSpec::AccEcn { ect1_first: counters.ect1_first, counters: list }, len)
        }
        TcpOption::Md5(_) => (OptionSpec::Md5("valid".to_owned()), 18),
        TcpOption::UserTimeout { minutes, value } => {
            let value = value | if minutes { 0x8000 } else { 0 };
            let [high, low] = value.to_be_bytes();
            (OptionSpec::Raw(vec![28, 4, high, low]), 4)
        }
        TcpOption::Unknown { kind, data } => {
            let len = data.len() + 2;
            (OptionSpec::Raw([&[kind, len as u8], data].concat()), len)
        }
        _ => (OptionSpec::Raw(Vec::new()), 0),
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            ObservedBody::Tcp(tcp) => write!(f, "{tcp}"),
            ObservedBody::Udp { src_port, dst_port, len } => write!(f, "udp {src_port} > {dst_port} ({len})"),
            ObservedBody::Icmp { kind, code, .. } => write!(f, "icmp {kind} {code}"),
            ObservedBody::Other(protocol) => write!(f, "protocol {protocol}"),
        }
    }
}

impl fmt::Display for ObservedTcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.seq.wrapping_add(self.len as u32);
        write!(f, "{} {}:{end}({})", letters(self.flags), self.seq, self.len)?;
        if Flags(self.flags).ack() {
            write!(f, " ack {}", self.ack)?;
        }
        write!(f, " win {}", self.window)?;
        if !self.options.is_empty() {
            write!(f, " <{}>", list(&self.options))?;
        }
        Ok(())
    }
}

/// Flags as a script writes them.
pub(crate) fn letters(flags: u16) -> String {
    let names =
        [(1, 'F'), (2, 'S'), (4, 'R'), (8, 'P'), (32, 'U'), (64, 'E'), (128, 'W'), (256, 'A'), (16, '.')];
    let text: String = names.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, letter)| *letter).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

/// Options as a script writes them.
pub(crate) fn list(options: &[OptionSpec]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let number = |value: &Option<u32>| value.map_or_else(|| "...".to_owned(), |value| value.to_string());
    let word = |option: &OptionSpec| match option {
        OptionSpec::Nop => "nop".to_owned(),
        OptionSpec::Eol => "eol".to_owned(),
        OptionSpec::Mss(mss) => format!("mss {mss}"),
        OptionSpec::WindowScale(shift) => format!("wscale {shift}"),
        OptionSpec::SackPermitted => "sackOK".to_owned(),
        OptionSpec::Sack(blocks) => {
            let blocks: Vec<_> = blocks.iter().map(|(left, right)| format!("{left}:{right}")).collect();
            format!("sack {}", blocks.join(" "))
        }
        OptionSpec::Timestamps { value, echo } => format!("TS val {} ecr {}", number(value), number(echo)),
        OptionSpec::FastOpen(cookie) => format!("FO {}", hex(cookie)),
        OptionSpec::FastOpenExperiment(cookie) => format!("FOEXP {}", hex(cookie)),
        OptionSpec::Md5(digest) => format!("md5 {digest}"),
        OptionSpec::AccEcn { ect1_first, counters } => format!("ECN {ect1_first} {counters:?}"),
        OptionSpec::Raw(bytes) => format!("gen {}", hex(bytes)),
    };
    options.iter().map(word).collect::<Vec<_>>().join(",")
}
