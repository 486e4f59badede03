//! `thru serve dns` and `thru dns`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use thru_wire::Cidr;

use super::Where;

/// `thru serve`.
#[derive(Debug, Subcommand)]
pub(crate) enum ServeCommand {
    /// A name server: recursive, forwarding or authoritative
    Dns(Box<ServeDnsArgs>),
}

/// `thru dns`.
#[derive(Debug, Subcommand)]
pub(crate) enum DnsCommand {
    /// Let a running `thru serve dns` forget its answers, all or those at and below NAME
    Flush {
        /// The name
        name: Option<String>,
        /// Where its orders are taken
        #[arg(long, value_name = "PATH")]
        control: Option<PathBuf>,
    },
    /// Let a running `thru serve dns` read its zones again, as SIGHUP does; the serial of a zone that it signs grows by itself
    Reload {
        /// Where its orders are taken
        #[arg(long, value_name = "PATH")]
        control: Option<PathBuf>,
    },
    /// The keys of the zones that a running `thru serve dns` signs, and where each is in its life, as JSON
    Keys {
        /// Where its orders are taken
        #[arg(long, value_name = "PATH")]
        control: Option<PathBuf>,
    },
    /// Begin to roll a zone to a new key; the steps are taken by themselves, but for `thru dns parent` (RFC 6781)
    Roll {
        /// The zone
        zone: String,
        /// What is rolled
        #[arg(value_parser = ["zone-key", "entry-point", "algorithm"])]
        what: String,
        /// The new key's algorithm; without one, that of --sign
        algorithm: Option<Algorithm>,
        /// Where its orders are taken
        #[arg(long, value_name = "PATH")]
        control: Option<PathBuf>,
    },
    /// The zone above now has the DS records that `thru dns keys` tells (and CDS asks for): the roll goes on
    Parent {
        /// The zone
        zone: String,
        /// Where its orders are taken
        #[arg(long, value_name = "PATH")]
        control: Option<PathBuf>,
    },
    /// In a rehearsal (`thru serve dns --rehearse`): put the zones' clock forward, as in 12d, 3h, 30m or 90s
    Wait {
        /// By how much
        #[arg(value_parser = seconds)]
        time: u64,
        /// Where its orders are taken
        #[arg(long, value_name = "PATH")]
        control: Option<PathBuf>,
    },
    /// What a running `thru serve dns` has done, as JSON
    Stats {
        /// Where its orders are taken
        #[arg(long, value_name = "PATH")]
        control: Option<PathBuf>,
    },
}

/// Algorithms that zones are signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    /// Ed25519 (RFC 8080)
    Ed25519,
    /// ECDSA on P-256 with SHA-256 (RFC 6605)
    P256,
}

/// `thru serve dns`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Without --zone and --forward it resolves from the root down and validates with the root's keys.\n\
                  Answers leave from the address that was asked, on 0.0.0.0 and [::] too; --https and --quic want addresses of this machine.\n\
                  SIGHUP lets an authority read its zones again. SIGINT and SIGTERM end it; its counters are told then."
)]
pub(crate) struct ServeDnsArgs {
    /// Listen here for UDP and TCP; without a port, 53 [default: 127.0.0.1:53]
    #[arg(short, long, value_name = "ADDRESS[:PORT]", value_parser = address::<53>)]
    pub listen: Vec<SocketAddr>,
    /// Listen here for DNS over TLS (RFC 7858); without a port, 853
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = address::<853>)]
    pub tls: Vec<SocketAddr>,
    /// Listen here for DNS over HTTPS (RFC 8484), HTTP/1.1 and HTTP/2, and HTTP/3 on the same port of UDP; without a port, 443
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = address::<443>)]
    pub https: Vec<SocketAddr>,
    /// Listen here for DNS over QUIC (RFC 9250); without a port, 853
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = address::<853>)]
    pub quic: Vec<SocketAddr>,
    /// The certificate for those, PEM; without one, one of our own making is shown, which no client believes unasked
    #[arg(long, value_name = "FILE.pem", requires = "key")]
    pub cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE.pem", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Be the authority for the zone in this master file; with NAME= for one that does not tell its name
    #[arg(long, value_name = "[NAME=]FILE", conflicts_with_all = ["forward", "root_hints", "anchor", "no_validate"])]
    pub zone: Vec<String>,
    /// Sign the zones with new keys, and write their DS records to standard output
    #[arg(long, value_enum, value_name = "ALGORITHM", num_args = 0..=1, default_missing_value = "ed25519", requires = "zone")]
    pub sign: Option<Algorithm>,
    /// Sign with this key, as dnssec-keygen and ldns-keygen write it: K*.private with K*.key beside it
    #[arg(long, value_name = "FILE.private", requires = "zone", conflicts_with = "sign")]
    pub sign_with: Vec<PathBuf>,
    /// Keep the keys in this folder, and where each is in its life, so that all goes on there after a restart; key files
    /// of other programs that lie there are taken
    #[arg(long, value_name = "FOLDER", requires = "sign")]
    pub keys: Option<PathBuf>,
    /// Prove absence with NSEC3 (RFC 5155) instead of NSEC
    #[arg(long, requires = "zone")]
    pub nsec3: bool,
    /// NSEC3 with this salt, in hexadecimal digits (RFC 9276 advises against one)
    #[arg(long, value_name = "HEX", requires = "zone", value_parser = salt)]
    pub nsec3_salt: Option<Salt>,
    /// Let `thru dns wait` put forward the clock by which zones are signed and keys are rolled
    #[arg(long, requires = "sign")]
    pub rehearse: bool,
    /// Keep a copy of this zone from its primaries, by transfer (AXFR, IXFR), refreshed as its SOA says and when they
    /// send a NOTIFY; several addresses are separated by commas
    #[arg(long, value_name = "NAME=ADDRESS[:PORT]")]
    pub secondary: Vec<String>,
    /// Tell these servers when a zone has changed (NOTIFY)
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    pub notify: Vec<String>,
    /// Clients that may transfer the zones
    #[arg(long, value_name = "PREFIX")]
    pub transfer: Vec<Cidr>,
    /// Clients that may change the zones by updates (RFC 2136), as nsupdate sends them; beside --update-key both are
    /// asked for. Addresses can be forged where a network lets them pass: a key is better
    #[arg(long, value_name = "PREFIX", requires = "zone")]
    pub update: Vec<Cidr>,
    /// Who knows this key may change the zones by updates (TSIG, RFC 8945): a file as tsig-keygen writes it. What has
    /// changed is kept in FILE.journal beside each zone's file; take that away to go back to what the file says
    #[arg(long, value_name = "FILE", requires = "zone")]
    pub update_key: Vec<PathBuf>,
    /// Ask these resolvers instead of going from the root down
    #[arg(long, value_name = "ADDRESS")]
    pub forward: Vec<IpAddr>,
    /// The port that other name servers listen on
    #[arg(long, value_name = "PORT", default_value_t = 53)]
    pub upstream_port: u16,
    /// Begin at the root's name servers in this master file
    #[arg(long, value_name = "FILE")]
    pub root_hints: Option<PathBuf>,
    /// Trust the DS and DNSKEY records in this master file; without, the real root's, unless --root-hints is given
    #[arg(long, value_name = "FILE")]
    pub anchor: Vec<PathBuf>,
    /// Believe answers without looking at signatures
    #[arg(long)]
    pub no_validate: bool,
    /// Clients that may ask a resolver; others are refused [default: this machine and private networks]
    #[arg(long, value_name = "PREFIX")]
    pub allow: Vec<Cidr>,
    /// Policies and zones of a resolver in this file, in unbound's words: local-zone, view, response-ip, rpz, auth-zone,
    /// stub-zone, forward-zone, access-control... (docs/names.md); what it says comes on top of the options here
    #[arg(long, value_name = "FILE", conflicts_with_all = ["zone", "secondary"])]
    pub config: Option<PathBuf>,
    /// Answer from what is over for so many seconds while nothing fresh is to be had (RFC 8767)
    #[arg(long, value_name = "SECONDS")]
    pub serve_stale: Option<u32>,
    /// Entries of each kind that the cache holds
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    pub cache: usize,
    /// Write one JSON object for each query to this file; - is standard output
    #[arg(long, value_name = "FILE")]
    pub query_log: Option<PathBuf>,
    /// Take orders of `thru dns` here
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,
    /// Where and how.
    #[command(flatten)]
    pub place: Where,
}

/// An address with its port, or with the usual one.
fn address<const PORT: u16>(text: &str) -> Result<SocketAddr, String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = text.parse().or_else(|_| bare.parse().map(|ip| SocketAddr::new(ip, PORT)));
    with_port.map_err(|_| "write it as in 127.0.0.1, 127.0.0.1:5353 or [::1]:5353".to_owned())
}

/// What is mixed into hashed names.
#[derive(Clone, Debug)]
pub(crate) struct Salt(pub Vec<u8>);

fn salt(text: &str) -> Result<Salt, String> {
    let salt = thru_names::rdata::hex(text).filter(|salt| salt.len() < 256);
    salt.map(Salt)
        .ok_or_else(|| "write it in pairs of hexadecimal digits, 255 of them at the most".to_owned())
}

/// A time in days, hours, minutes or seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let units = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let (number, unit) = units
        .iter()
        .find_map(|(unit, length)| Some((text.strip_suffix(unit)?, *length)))
        .unwrap_or((text, 0));
    let time =
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).filter(|time| *time > 0);
    time.ok_or_else(|| "write it as in 12d, 3h, 30m or 90s".to_owned())
}
