//! Arguments of the commands that read, make and judge captures.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use thru_dissect::summary::flow::FlowId;

use super::Color;

/// How the bytes of a stream are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FollowForm {
    /// As words
    #[default]
    Text,
    /// Offsets, hexadecimal and words
    Hex,
    /// As they are
    Raw,
}

/// What is counted over all packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stats {
    /// Conversations
    Conv,
    /// Endpoints
    Endpoints,
    /// Input and output over time
    Io,
    /// Protocol hierarchy
    Phs,
    /// How each TCP connection fared
    Tcp,
}

/// `thru read`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReadArgs {
    /// The capture: pcap or pcapng, also as gzip, zstd or lz4; - is standard input
    pub file: PathBuf,
    /// Only packets that pass this filter of header bytes, as in `tcp port 443 and not host 192.0.2.1`
    #[arg(value_name = "PCAP_FILTER", trailing_var_arg = true)]
    pub filter: Vec<String>,
    /// Write the packets to a file instead; names, secrets, comments and unknown blocks stay. NAME.parquet becomes a table
    /// of packets, with -f of these fields, flows.parquet one of flows
    #[arg(short, long, value_name = "FILE", conflicts_with = "summary")]
    pub write: Option<PathBuf>,
    /// Look through the packets on the terminal: list, tree and bytes; ? there lists the keys
    #[arg(short, long, conflicts_with_all = ["write", "summary", "tree", "hex", "json", "fields", "columns", "count"])]
    pub browse: bool,
    /// What is shown.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// `thru capture`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "It ends at ^C, after -c packets or after --for; SIGUSR1 shows the counters. Rights are given up as soon as the\n\
                  socket stands: root becomes the user who called sudo, or else the owner of the folder that is written to, or\n\
                  else nobody; -Z USER says who.\n\n\
                  Files in a ring are called NAME_00001_20261121093000.pcapng: number, and when the first packet came (UTC)."
)]
pub(crate) struct CaptureArgs {
    /// Only packets that pass this filter of header bytes, which the kernel runs: `tcp port 443 and not host 192.0.2.1`
    #[arg(value_name = "PCAP_FILTER", trailing_var_arg = true)]
    pub filter: Vec<String>,
    /// The interface; `any` is all of them, and what is meant if nothing is said
    #[arg(short, long, default_value = "any", value_name = "NAME")]
    pub interface: String,
    /// List the interfaces
    #[arg(short = 'D', long)]
    pub list_interfaces: bool,
    /// Keep no more than so many bytes of each packet
    #[arg(short, long, default_value_t = 262_144, value_parser = clap::value_parser!(u32).range(1..=262_144), value_name = "BYTES")]
    pub snap_length: u32,
    /// Do not make the interface hear frames for other stations
    #[arg(short = 'p', long)]
    pub no_promiscuous: bool,
    /// Size of the ring in which the kernel leaves packets
    #[arg(short = 'B', long, default_value_t = 32_768, value_parser = clap::value_parser!(u32).range(512..=1_048_576), value_name = "KiB")]
    pub buffer: u32,
    /// Tell which process each packet belongs to, where the kernel does
    #[arg(short = 'P', long)]
    pub process: bool,
    /// Stop after this time, as in 10s
    #[arg(long = "for", value_parser = super::duration, value_name = "TIME")]
    pub lasts: Option<Duration>,
    /// Write the packets to a file instead of showing them: pcapng if its name ends so, else pcap; - is standard output
    #[arg(short, long, value_name = "FILE", conflicts_with = "summary")]
    pub write: Option<PathBuf>,
    /// Begin another file when one has so many million bytes
    #[arg(short = 'C', long, value_name = "MB", requires = "write", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub file_size: Option<u64>,
    /// Begin another file after this time, as in 10m
    #[arg(short = 'G', long, value_name = "TIME", requires = "write", value_parser = super::duration)]
    pub file_time: Option<Duration>,
    /// Begin another file after so many packets
    #[arg(long, value_name = "N", requires = "write", value_parser = clap::value_parser!(u64).range(1..))]
    pub file_packets: Option<u64>,
    /// Keep no more than so many files: the oldest goes
    #[arg(short = 'W', long, value_name = "N", requires = "write", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub files: Option<u32>,
    /// Who to be as soon as the socket stands: a user's name or number (without an account, the group has that number too)
    #[arg(short = 'Z', long, value_name = "USER")]
    pub user: Option<String>,
    /// What is shown.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// How packets are shown, of a file or live.
#[derive(Clone, Debug, Args)]
pub(crate) struct ShowArgs {
    /// Only packets that pass this filter of fields, as in `tcp.port == 443 && tcp.analysis.retransmission`
    #[arg(short = 'Y', long, value_name = "DISPLAY_FILTER")]
    pub display: Option<String>,
    /// Show each packet's whole tree
    #[arg(short = 'V', long)]
    pub tree: bool,
    /// Show each packet's bytes
    #[arg(short = 'x', visible_short_alias = 'X', long)]
    pub hex: bool,
    /// One JSON object a packet
    #[arg(long, conflicts_with_all = ["tree", "hex"])]
    pub json: bool,
    /// Only these fields, tabs between: ip.src,tcp.port
    #[arg(short = 'f', long, visible_short_alias = 'e', value_name = "FIELD,...", value_delimiter = ',', conflicts_with_all = ["tree", "hex", "json"])]
    pub fields: Vec<String>,
    /// The TLS secrets that open what is encrypted, as programs write them to SSLKEYLOGFILE; those inside of the
    /// capture are always used. What -w writes as pcapng has them inside
    #[arg(long, value_name = "FILE")]
    pub keylog: Vec<PathBuf>,
    /// A schema of protocol buffers, which names the fields of gRPC's messages; imported files are given as well
    #[arg(long, value_name = "FILE.proto")]
    pub proto: Vec<PathBuf>,
    /// What both sides of a stream said, in order: tcp:3, udp:0, tls:3, dtls:0, http2:3,1, quic:0,4,
    /// http3:0,4
    #[arg(long, value_name = "FLOW", group = "summary")]
    pub follow: Option<FlowId>,
    /// How the bytes of --follow are written
    #[arg(long = "as", value_enum, default_value_t, value_name = "FORM", requires = "follow")]
    pub form: FollowForm,
    /// Conversations, endpoints, input and output over time, the protocol hierarchy, how TCP fared; also with --json
    #[arg(long, value_enum, value_name = "WHAT,...", value_delimiter = ',', group = "summary")]
    pub stats: Vec<Stats>,
    /// The packets of a flow as a ladder between its ends: tcp:3, udp:0, quic:0
    #[arg(long, value_name = "FLOW", group = "summary")]
    pub ladder: Option<FlowId>,
    /// Draw the ladder as an SVG picture
    #[arg(long, requires = "ladder")]
    pub svg: bool,
    /// Write the bodies of HTTP's answers to files in this folder, which is made if it is not there
    #[arg(long, value_name = "DIR", group = "summary")]
    pub export_objects: Option<PathBuf>,
    /// A table with these columns: number, time, src, dst, protocol, length, info, or fields
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',', conflicts_with_all = ["tree", "hex", "json", "fields"])]
    pub columns: Vec<String>,
    /// Stop after so many packets
    #[arg(short, long, value_name = "N")]
    pub count: Option<u64>,
    /// Begin each line with the packet's number
    #[arg(short = '#', long)]
    pub number: bool,
    /// How times are written; repeated letters as in tcpdump: -t none, -tt epoch, -ttt delta, -tttt date, -ttttt since the first
    #[arg(short, action = clap::ArgAction::Count)]
    pub time: u8,
    /// Show MAC addresses in lines
    #[arg(long)]
    pub link: bool,
    /// Numbers instead of names: always so; accepted for the sake of habit
    #[arg(short, action = clap::ArgAction::Count, hide = true)]
    pub numeric: u8,
    /// Verify the checksums of IPv4, TCP and UDP
    #[arg(long)]
    pub checksums: bool,
    /// Put TCP segments in order before they are read, as with Wireshark's tcp.reassemble_out_of_order; --follow, --stats
    /// and --export-objects always do
    #[arg(long)]
    pub reorder: bool,
}

/// `thru doctor`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "What a capture cannot tell is left open: then the answer is a set of causes, or that it cannot be decided.\n\
                  Secrets inside of the capture are always used."
)]
pub(crate) struct DoctorArgs {
    /// The capture: pcap or pcapng, also as gzip, zstd or lz4; - is standard input
    pub file: PathBuf,
    /// The TLS secrets that open what is encrypted, as programs write them to SSLKEYLOGFILE
    #[arg(long, value_name = "FILE")]
    pub keylog: Vec<PathBuf>,
    /// One JSON object a line: each flow ("scope": "flow"), then the whole ("scope": "capture")
    #[arg(long)]
    pub json: bool,
    /// List every flow, not only those in trouble
    #[arg(short, long)]
    pub all: bool,
    /// Write the verdict on the whole as one HTML page, with its packets as a ladder
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Write the connections that the verdict is about as a qlog file, which qvis opens
    #[arg(long, value_name = "FILE.qlog")]
    pub qlog: Option<PathBuf>,
    /// Colour the text
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
}
