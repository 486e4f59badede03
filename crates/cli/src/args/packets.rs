//! Arguments of the commands that make packets and wires.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::wires::WireArgs;
use super::{Where, duration};

/// What may be written, shown with every command that takes an expression.
pub(crate) const LANGUAGE: &str = "\
An expression names layers from the outside in, divided by /, with fields in parentheses:
  ip(dst=192.0.2.1)/tcp(dport=80,flags=S,options=(mss=1460,sackok,nop,wscale=7))
  ip(dst=192.0.2.0/30,ttl=[1,2,3])/udp(dport=33434-33439)/\"payload\"
  eth()/arp(tpa=192.0.2.1)        ipv6(dst=2001:db8::1)/icmpv6()        ip()/udp()/dns(qry.name=www.shop.lab)
Layers: eth vlan arp ip ipv6 hopopts dstopts routing frag icmp icmpv6 igmp udp tcp gre vxlan dns, \
data (\"text\" or 0xhex) and padding (which no length counts). A wrong field's name lists the right ones. \
What is left out is computed; what is written stays, even if it is wrong. [1,2,3], 1-1024 and 192.0.2.0/30 \
stand for one packet each.";

/// `thru craft`.
#[derive(Clone, Debug, Args)]
#[command(after_help = LANGUAGE)]
pub(crate) struct CraftArgs {
    /// The packets, as in `ip(dst=192.0.2.1)/tcp(dport=80,flags=S)`
    #[arg(required_unless_present = "read", value_name = "EXPRESSION")]
    pub expression: Option<String>,
    /// Write the packets of a capture as expressions instead (- is standard input)
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["expression", "write"])]
    pub read: Option<PathBuf>,
    /// Show each packet's whole tree and bytes, also if there are many
    #[arg(short = 'V', long)]
    pub tree: bool,
    /// One JSON object a packet
    #[arg(long, conflicts_with = "tree")]
    pub json: bool,
    /// Write the packets to a file instead: pcapng if its name ends so, else pcap
    #[arg(short, long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Make no more packets than this
    #[arg(long, default_value_t = 65_536, value_parser = clap::value_parser!(u64).range(1..=100_000_000), value_name = "N")]
    pub limit: u64,
}

/// `thru send`.
#[derive(Clone, Debug, Args)]
#[command(after_help = LANGUAGE)]
pub(crate) struct SendArgs {
    /// The packets, as in `ip(dst=192.0.2.1)/tcp(dport=1-1024)`; source, ports and identifiers are chosen if left out
    #[arg(value_name = "EXPRESSION")]
    pub expression: String,
    /// Send the whole set so many times
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000), value_name = "N")]
    pub repeat: u64,
    /// Time from one packet to the next
    #[arg(short, long, value_parser = duration, default_value = "10ms", value_name = "TIME")]
    pub interval: Duration,
    /// How long to wait for answers after the last packet
    #[arg(short, long, value_parser = duration, default_value = "2s", value_name = "TIME")]
    pub timeout: Duration,
    /// Change each packet at random before it is sent; the same seed changes them the same way
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true)]
    pub fuzz: Option<Option<u64>>,
    /// Show the answers' whole trees and bytes
    #[arg(short = 'V', long)]
    pub tree: bool,
    /// Write questions and answers to a file: pcapng if its name ends so, else pcap
    #[arg(short, long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Send no more packets than this
    #[arg(long, default_value_t = 65_536, value_parser = clap::value_parser!(u64).range(1..=100_000_000), value_name = "N")]
    pub limit: u64,
    /// Where and how.
    #[command(flatten)]
    pub place: Where,
}

/// `thru impair`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Over TCP, delay, jitter and rate are what the bytes meet; a loss is what TCP makes of it: the data waits until \
                  it is sent again. Over UDP (--udp) every datagram passes the whole wire, as with `thru bridge`. A value \
                  with a slash states both directions, towards the client first: --rate 10Mbit/1Mbit.\n\n\
                  With --api, Toxiproxy's clients and `curl` change it at run time:\n  \
                  curl -d '{\"type\":\"latency\",\"attributes\":{\"latency\":1000}}' http://127.0.0.1:8474/proxies/impaired/toxics"
)]
pub(crate) struct ImpairArgs {
    /// Where the application connects to, as in 127.0.0.1:8080; without, proxies are made by the API
    #[arg(long, value_name = "ADDRESS:PORT", requires = "to")]
    pub listen: Option<String>,
    /// Where its connections go on to
    #[arg(long, value_name = "HOST:PORT", requires = "listen")]
    pub to: Option<String>,
    /// Carry UDP instead of TCP
    #[arg(long, requires = "listen")]
    pub udp: bool,
    /// Name of the proxy in the API
    #[arg(long, default_value = "impaired", value_name = "NAME")]
    pub name: String,
    /// Listen for Toxiproxy's clients here; without ADDRESS on 127.0.0.1:8474
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:8474", conflicts_with = "udp")]
    pub api: Option<String>,
    /// What connections meet.
    #[command(flatten)]
    pub wire: WireArgs,
    /// Seed of everything random on a UDP wire
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
}
