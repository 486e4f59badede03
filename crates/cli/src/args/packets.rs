//! Arguments of the commands that make packets and wires.

use std::path::PathBuf;

use clap::Args;

/// What may be written, shown with every command that takes an expression.
pub(crate) const LANGUAGE: &str = "\
An expression names layers from the outside in, divided by /, each with fields in parentheses:
  ip(dst=192.0.2.1)/tcp(dport=80,flags=S,options=(mss=1460,sackok,nop,wscale=7))
  ip(dst=192.0.2.0/30,ttl=[1,2,3])/udp(dport=33434-33439)/\"payload\"
  eth()/arp(tpa=192.0.2.1)        ipv6(dst=2001:db8::1)/icmpv6()        ip()/udp()/dns(qry.name=www.shop.lab)
Layers: eth vlan arp ip ipv6 hopopts dstopts routing frag icmp icmpv6 igmp udp tcp gre vxlan dns, data (\"text\" or 0xhex)
and padding (which no length counts). A wrong field's name lists the right ones. What is left out is computed; what is
written stays, even if it is wrong. [1,2,3], 1-1024 and 192.0.2.0/30 stand for one packet each.";

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
