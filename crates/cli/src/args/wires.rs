//! What is said of wires: `thru bridge`, and what a wire does to packets.

use clap::Args;

/// `thru bridge`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "A value with a slash states both directions, towards A first: --rate 100Mbit/20Mbit. The words are those \
                  of links in labs; `--set KEY=VALUE` takes any of them.\n\n\
                  A capture can stand for an interface: read:FILE is replayed as it was recorded, write:FILE takes what \
                  arrives.\n  \
                  thru bridge eth0 eth1 --delay 20ms --loss 1% --rate 50Mbit\n  \
                  thru bridge read:before.pcapng write:after.pcapng --loss 1%"
)]
pub(crate) struct BridgeArgs {
    /// One interface, as eth0; or read:FILE or write:FILE
    pub a: String,
    /// The other
    pub b: String,
    /// What the wire between them does.
    #[command(flatten)]
    pub wire: WireArgs,
    /// Seed of everything random on the wire
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
}

/// What a wire does to packets.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct WireArgs {
    /// Time on the wire, each way, as in 20ms
    #[arg(long, value_name = "TIME")]
    pub delay: Option<String>,
    /// Random time on top, at most this
    #[arg(long, value_name = "TIME")]
    pub jitter: Option<String>,
    /// Packets lost, as in 1%
    #[arg(long, value_name = "CHANCE")]
    pub loss: Option<String>,
    /// Bits per second, as in 50Mbit
    #[arg(long, value_name = "RATE")]
    pub rate: Option<String>,
    /// Where packets wait for the rate, as in droptail(50ms) or fq_codel
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<String>,
    /// Packets that arrive twice
    #[arg(long, value_name = "CHANCE")]
    pub duplicate: Option<String>,
    /// Packets with one bit flipped
    #[arg(long, value_name = "CHANCE")]
    pub corrupt: Option<String>,
    /// Packets that overtake
    #[arg(long, value_name = "CHANCE")]
    pub reorder: Option<String>,
    /// Any other setting of links in labs, as in burst=64kB or loss_up=2%
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}
