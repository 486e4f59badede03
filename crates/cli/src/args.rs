//! The command line, declared once: help and parsing come from here.
//!
//! - [`packets`]: the commands that make packets and wires. [`captures`]: those that read, make and judge captures.
//! - [`request`]: following a request. [`dig`]: dig's words, and ours among them.
//! - [`names`]: the name server's. [`labs`]: labs, and what is measured in them. [`wires`]: wires of this machine.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use thru_wire::{Cidr, MacAddr};

pub(crate) mod captures;
mod dig;
pub(crate) mod labs;
pub(crate) mod names;
pub(crate) mod packets;
mod request;
pub(crate) mod wires;

pub(crate) use dig::{DigArgs, OwnArgs};
pub(crate) use request::{Http, UrlArgs};

use captures::{CaptureArgs, DoctorArgs, ReadArgs};
use labs::{BenchCommand, LabCommand};
use names::{DnsCommand, ServeCommand};
use packets::{CraftArgs, ImpairArgs, SendArgs};
use wires::BridgeArgs;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "thru",
    version,
    about = "Follow one request through every layer, and learn which layer is at fault",
    long_about = "Follows one request through every layer of the network - names, route, TCP, TLS, HTTP - and says\n\
                  which layer is at fault, with the packets that prove it.\n\n\
                  Names under .lab live on the internet that is built in: try `thru https://www.shop.lab`.",
    after_help = "Exit codes: 0 healthy, 1 fault found, 2 usage, 3 could not decide or lacks privilege, 4 a threshold was crossed.",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    /// What to do, if not to follow a request.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The request to follow.
    #[command(flatten)]
    pub url: UrlArgs,
}

/// Everything but the request itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ping a host, on the real network or in a lab
    Ping(PingArgs),
    /// Show the route to a host, hop by hop
    Route(RouteArgs),
    /// Ask a name server (dig's spellings: @server +short +trace -x)
    Dig(DigArgs),
    /// Serve: a name server for every transport
    #[command(subcommand)]
    Serve(ServeCommand),
    /// Flush a running `thru serve dns`, or see what it has done
    #[command(subcommand)]
    Dns(DnsCommand),
    /// Run packetdrill scripts against our own TCP, in virtual time
    Drill(DrillArgs),
    /// Read a capture file: lines, trees, hex, JSON, columns
    Read(ReadArgs),
    /// Capture live packets of an interface or of all: the same output as `read`, files in a ring, the kernel's counters
    Capture(CaptureArgs),
    /// Make packets from an expression: ip(dst=192.0.2.1)/tcp(dport=80,flags=S); show, explain and write them
    Craft(CraftArgs),
    /// Judge a capture file: which layer is at fault, flow by flow and as a whole
    Doctor(DoctorArgs),
    /// Send packets of an expression and show the answers matched to them
    Send(SendArgs),
    /// A proxy with delay, loss, a rate... for an application's own connections; changed at run time by Toxiproxy's API
    Impair(ImpairArgs),
    /// Explain a cause by its code or by words: what happens, how to see it, how to mend it, a lab that shows it
    Explain(ExplainArgs),
    /// Join two interfaces of this machine by a wire with delay, loss, a rate... (as netem, without its kernel module)
    Bridge(BridgeArgs),
    /// List, show, run and verify labs
    #[command(subcommand)]
    Lab(LabCommand),
    /// Measure: how often the diagnosis is right
    #[command(subcommand)]
    Bench(BenchCommand),
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// When standard output is a terminal and NO_COLOR is not set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How our stack gets at the frames of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeviceKind {
    /// A packet socket with rings in shared memory; on a TUN or TAP device the device itself
    #[default]
    AfPacket,
    /// AF_XDP: our frames are taken off the interface before the kernel's stack sees them
    Xdp,
}

/// Where and how, common to all that ask.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Where {
    /// The network: host, lab, lab:NAME, lab:FILE or iface:NAME. Names under .lab choose `lab` by themselves
    #[arg(long, value_name = "NETWORK")]
    pub on: Option<String>,
    /// Our own stack's address on iface:NAME, as in 192.0.2.77/24; the kernel must not have it. Without one the network
    /// is asked: DHCP and IPv6 router advertisements
    #[arg(long, value_name = "ADDRESS/LENGTH")]
    pub address: Vec<Cidr>,
    /// The router to use on iface:NAME
    #[arg(long, value_name = "ADDRESS")]
    pub gateway: Vec<IpAddr>,
    /// The resolver to ask on iface:NAME; else those that the network gives, or with --address those of /etc/resolv.conf
    #[arg(long, value_name = "ADDRESS")]
    pub resolver: Vec<IpAddr>,
    /// How to get at the frames of iface:NAME
    #[arg(long, value_enum, value_name = "KIND")]
    pub device: Option<DeviceKind>,
    /// Our own stack's hardware address on iface:NAME; else a random one
    #[arg(long, value_name = "MAC")]
    pub mac: Option<MacAddr>,
    /// Seed of everything random in a lab: the same seed gives the same packets
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Change a lab's link, as in home--isp.loss=4% (loss_up and loss_down for one direction)
    #[arg(long, value_name = "LINK.KEY=VALUE")]
    pub set: Vec<String>,
    /// IPv4 only
    #[arg(short = '4', conflicts_with = "v6")]
    pub v4: bool,
    /// IPv6 only
    #[arg(short = '6')]
    pub v6: bool,
    /// Write JSON instead of text
    #[arg(long)]
    pub json: bool,
    /// Colour the text
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
}

/// `thru drill`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DrillArgs {
    /// Scripts, or folders with scripts that end in .pkt (TCP) or .rpl (a resolver)
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Whose habits the stack has: linux or freebsd; without, as each script shows
    #[arg(long, value_name = "NAME")]
    pub persona: Option<String>,
    /// One line of JSON for each script
    #[arg(long)]
    pub json: bool,
    /// Show what happened in each script
    #[arg(short, long)]
    pub verbose: bool,
}

/// `thru ping`.
#[derive(Clone, Debug, Args)]
pub(crate) struct PingArgs {
    /// Name or address
    pub host: String,
    /// How many echo requests
    #[arg(short, long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub count: u16,
    /// Time between them
    #[arg(short, long, value_parser = duration, default_value = "1s", value_name = "TIME")]
    pub interval: Duration,
    /// How long to wait for each answer
    #[arg(short = 'W', long, value_parser = duration, default_value = "2s", value_name = "TIME")]
    pub wait: Duration,
    /// Bytes of payload
    #[arg(short, long, default_value_t = 56, value_parser = clap::value_parser!(u16).range(0..=65_000))]
    pub size: u16,
    /// Open TCP connections to PORT instead of sending echo requests; without PORT, 443
    #[arg(short = 'T', long, value_name = "PORT", num_args = 0..=1, default_missing_value = "443", conflicts_with = "udp")]
    pub tcp: Option<u16>,
    /// Send datagrams to PORT instead: an answer or "port unreachable" counts; without PORT, 33434
    #[arg(short = 'U', long, value_name = "PORT", num_args = 0..=1, default_missing_value = "33434")]
    pub udp: Option<u16>,
    /// Where and how.
    #[command(flatten)]
    pub place: Where,
}

/// `thru route`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RouteArgs {
    /// Name or address
    pub host: String,
    /// Give up after this many hops
    #[arg(short, long, default_value_t = 30, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub max_hops: u8,
    /// Probes for each hop
    #[arg(short = 'q', long, value_parser = clap::value_parser!(u8).range(1..=10), help = "Probes for each hop (and flow) [default: 3, with --dublin 1]")]
    pub queries: Option<u8>,
    /// How long to wait for each answer
    #[arg(short, long, value_parser = duration, default_value = "1s", value_name = "TIME")]
    pub wait: Duration,
    /// Probe with UDP, which is the default; no right is needed
    #[arg(short = 'U', long, conflicts_with_all = ["icmp", "tcp"])]
    pub udp: bool,
    /// Probe with ICMP echo requests
    #[arg(short = 'I', long, conflicts_with = "tcp")]
    pub icmp: bool,
    /// Probe with TCP SYNs
    #[arg(short = 'T', long)]
    pub tcp: bool,
    /// The port to probe; else 33434 and those after it for UDP, 80 for TCP
    #[arg(short, long, conflicts_with = "icmp", value_name = "PORT")]
    pub port: Option<u16>,
    /// Let all probes be one flow, so that they take one way (Paris traceroute)
    #[arg(long, conflicts_with = "dublin")]
    pub paris: bool,
    /// Probe each hop with so many flows: shows every way, and translators (Dublin traceroute); without FLOWS, 8
    #[arg(long, value_name = "FLOWS", num_args = 0..=1, default_missing_value = "8", value_parser = clap::value_parser!(u16).range(1..=128))]
    pub dublin: Option<u16>,
    /// Probe with packets as large as the way lets through, and show where it narrows
    #[arg(long)]
    pub mtu: bool,
    /// Where and how.
    #[command(flatten)]
    pub place: Where,
}

/// `thru explain`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A code, as in FW01, or words that the cause speaks of, as in `certificate`; none: all causes
    #[arg(value_name = "CODE")]
    pub words: Vec<String>,
    /// Write JSON instead of text: a line for each cause
    #[arg(long)]
    pub json: bool,
    /// Colour the text
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
}

/// The names of all commands.
pub(crate) fn commands() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

/// A time with its unit.
fn duration(text: &str) -> Result<Duration, String> {
    thru_lab::units::duration(text).map_err(|bad| format!("{}; {}", bad.message, bad.hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declaration_is_sound() {
        Cli::command().debug_assert();
    }
}
