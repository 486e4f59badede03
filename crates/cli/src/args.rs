//! The command line, declared once: help and parsing come from here.
//!
//! - [`packets`]: the commands that make packets and wires. [`captures`]: those that read, make and judge captures.
//! - [`names`]: the name server's. [`labs`]: labs, and what is measured in them. [`wires`]: wires of this machine.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use thru_wire::{Cidr, MacAddr};

use crate::failure::Failure;

pub(crate) mod captures;
pub(crate) mod labs;
pub(crate) mod names;
pub(crate) mod packets;
pub(crate) mod wires;

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

/// `thru URL`.
#[derive(Clone, Debug, Args)]
pub(crate) struct UrlArgs {
    /// What to ask for; without a scheme, https:// is meant
    pub url: Option<String>,
    /// Where and how.
    #[command(flatten)]
    pub place: Where,
    /// The only HTTP version to use
    #[arg(long, value_enum, value_name = "VERSION")]
    pub http: Option<Http>,
    /// Send the request through this proxy: http://HOST:PORT or socks5h://HOST:PORT
    #[arg(long, value_name = "PROXY", value_parser = thru_probe::journey::tunnel::Proxy::parse)]
    pub proxy: Option<thru_probe::journey::tunnel::Proxy>,
    /// A site that is known to work, to compare with if the request fails (labs name one by themselves)
    #[arg(long, value_name = "URL", value_parser = site)]
    pub control: Option<url::Url>,
    /// A resolver that is known to work, to compare with if a name is not found; may be given more than once
    #[arg(long = "control-resolver", value_name = "ADDRESS")]
    pub control_resolver: Vec<std::net::IpAddr>,
    /// A second place to look from if the request fails: a proxy elsewhere, http://HOST:PORT or socks5h://HOST:PORT
    #[arg(long, value_name = "PROXY", value_parser = thru_probe::journey::tunnel::Proxy::parse)]
    pub vantage: Option<thru_probe::journey::tunnel::Proxy>,
    /// After a good answer leave the connection alone for so long and ask over it again: what forgets idle connections shows
    #[arg(long = "again-after", value_parser = duration, value_name = "TIME")]
    pub again_after: Option<Duration>,
    /// Ask over HTTP/1.1, HTTP/2, HTTP/3 and HTTP/3 0-RTT, and show round trips and times side by side
    #[arg(long, conflicts_with_all = ["http", "write", "report", "har", "qlog", "bundle"])]
    pub compare: bool,
    /// Write the packets to a pcapng file, with names, secrets and comments (on labs and iface:NAME; - is standard output)
    #[arg(short, long, value_name = "FILE.pcapng")]
    pub write: Option<PathBuf>,
    /// Write the answer as one HTML page with pictures of times and packets; it needs no network to be read
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Write the request as a HAR file, which browsers' developer tools open
    #[arg(long, value_name = "FILE.har")]
    pub har: Option<PathBuf>,
    /// Write the connections as a qlog file, which qvis opens
    #[arg(long, value_name = "FILE.qlog")]
    pub qlog: Option<PathBuf>,
    /// Write all of it into one file for a ticket: report, JSON, HAR and packets; TLS secrets only together with --keylog
    #[arg(long, value_name = "FILE.tar.gz")]
    pub bundle: Option<PathBuf>,
    /// Append the TLS secrets to a file (also: SSLKEYLOGFILE); without FILE to thru.keys
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "thru.keys")]
    pub keylog: Option<PathBuf>,
    /// No step of the request may take longer than this, as in 5s
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub timeout: Option<Duration>,
    /// Trust only the certificates in this PEM file
    #[arg(long, value_name = "FILE.pem")]
    pub cacert: Option<PathBuf>,
    /// Show this certificate to a server that wants one: a PEM file, with its chain
    #[arg(long, value_name = "FILE.pem", requires = "key")]
    pub cert: Option<PathBuf>,
    /// The private key of --cert, in PEM form
    #[arg(long, value_name = "FILE.pem", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Show the route even if all is well (in a lab it is always shown)
    #[arg(long)]
    pub route: bool,
}

/// HTTP versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Http {
    /// HTTP/1.1
    #[value(name = "1.1", alias = "1")]
    One,
    /// HTTP/2
    #[value(name = "2")]
    Two,
    /// HTTP/3
    #[value(name = "3")]
    Three,
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

/// `thru dig`: the words are dig's; ours stand among them.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Dig's words: @SERVER, NAME, TYPE, -x ADDRESS, -t TYPE, -c CH, -p PORT, -f FILE (a question a line), -4, -6, +short, +trace, +dnssec, +nsid, +tcp,\n\
                        +cdflag, +norecurse, +tries=N, +time=SECONDS, +after=SECONDS, +tls, +https[=PATH], +https-get, +quic, +tls-ca[=FILE], +tls-host=NAME.\n\
                        Ours: +h3 (HTTP/3), +brief (one line), +chain (the chain of trust; --svg FILE draws it), --check (audit the name's zone),\n\
                        --root-hints FILE, --anchor FILE (where +trace, +chain and --check begin, and what they trust),\n\
                        --on NETWORK, --seed N, --set LINK.KEY=VALUE, --json, --color WHEN."
)]
pub(crate) struct DigArgs {
    /// What to ask, in dig's words and any order, as in `www.shop.lab AAAA @192.0.2.53 +short`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORDS")]
    pub words: Vec<String>,
}

/// Our own options among dig's words.
#[derive(Debug, Parser)]
#[command(name = "thru dig", no_binary_name = true, disable_help_flag = true)]
pub(crate) struct OwnArgs {
    /// Where and how.
    #[command(flatten)]
    pub place: Where,
    /// Begin traces, chains and audits at the root's name servers in this master file
    #[arg(long, value_name = "FILE")]
    pub root_hints: Option<PathBuf>,
    /// Trust the DS and DNSKEY records in this master file
    #[arg(long, value_name = "FILE")]
    pub anchor: Vec<PathBuf>,
}

impl OwnArgs {
    /// Takes our options out; gives them and dig's words. `-4` and `-6` stay with dig.
    pub(crate) fn split(words: &[String]) -> Result<(OwnArgs, Vec<String>), Failure> {
        let (mut own, mut rest) = (Vec::new(), Vec::new());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            // An audit and a picture are dig's own matter.
            if !word.starts_with("--") || matches!(word.as_str(), "--check" | "--svg") {
                rest.push(word.clone());
                continue;
            }
            own.push(word.clone());
            if matches!(
                word.as_str(),
                "--on"
                    | "--seed"
                    | "--set"
                    | "--color"
                    | "--address"
                    | "--gateway"
                    | "--resolver"
                    | "--mac"
                    | "--device"
                    | "--root-hints"
                    | "--anchor"
            ) {
                own.extend(words.next().cloned());
            }
        }
        match OwnArgs::try_parse_from(own) {
            Ok(own) => Ok((own, rest)),
            Err(error) => match crate::failure::of_clap(&error) {
                Ok(text) => Err(Failure::usage(text, "")),
                Err(failure) => Err(failure),
            },
        }
    }
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

/// The address of a web site; `https` if it says nothing else.
fn site(text: &str) -> Result<url::Url, String> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = url::Url::parse(&whole).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.filter(|url| url.host_str().is_some_and(|host| !host.is_empty()))
        .ok_or_else(|| "no web site; write it like https://www.news.lab/".to_owned())
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
