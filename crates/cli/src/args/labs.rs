//! What is said of labs: `thru lab` and `thru bench`.

use clap::{Args, Subcommand};

/// `thru lab`.
#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// List the labs that are built in, by the layer of what is wrong in them
    List {
        /// Only labs that have each of these words in their name, layer, causes or description: `thru lab list dns`
        words: Vec<String>,
        /// Write JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Show a lab: its nodes, links and services
    Show {
        /// Name of a built-in lab, or a scenario file
        #[arg(default_value = "internet")]
        lab: String,
        /// Write a scenario file with every default filled in
        #[arg(long)]
        expanded: bool,
        /// Change a link before showing
        #[arg(long, value_name = "LINK.KEY=VALUE")]
        set: Vec<String>,
        /// Write JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Run a lab's checks; exit code 1 if one fails
    Run {
        /// Which lab.
        #[command(flatten)]
        chosen: Chosen,
        /// Write JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Run a command on a host of a lab, in real time: unmodified programs live on the simulated internet. No root needed
    Shell(ShellArgs),
    /// Join a lab to this machine by an interface, in real time, until interrupted (as root)
    Up(UpArgs),
    /// Run a lab's request twice and compare every byte
    Verify {
        /// Which lab.
        #[command(flatten)]
        chosen: Chosen,
        /// Write JSON instead of text
        #[arg(long)]
        json: bool,
    },
}

/// A lab, and what is to be other about it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Chosen {
    /// Name of a built-in lab, or a scenario file
    #[arg(default_value = "internet")]
    pub lab: String,
    /// Seed of everything random
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Change a link first
    #[arg(long, value_name = "LINK.KEY=VALUE")]
    pub set: Vec<String>,
}

/// `thru lab shell`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ShellArgs {
    /// Which lab.
    #[command(flatten)]
    pub chosen: Chosen,
    /// The host of the lab that the command runs on; else the lab's client
    #[arg(long = "as", value_name = "NODE")]
    pub node: Option<String>,
    /// Be another host of a lab that runs already, in another `thru lab shell` of this user
    #[arg(long, conflicts_with_all = ["seed", "set"])]
    pub join: bool,
    /// The command; else $SHELL
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `thru lab up`.
#[derive(Clone, Debug, Args)]
pub(crate) struct UpArgs {
    /// Which lab.
    #[command(flatten)]
    pub chosen: Chosen,
    /// The host of the lab that this machine is; else the lab's client
    #[arg(long = "as", value_name = "NODE")]
    pub node: Option<String>,
    /// Name of the interface that is made
    #[arg(long, default_value = "lab0", value_name = "NAME")]
    pub interface: String,
}

/// `thru bench`.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Score the diagnosis against labs whose truth is known; exit code 4 if it was wrong or raised a false alarm, by
    /// probing or from the capture alone
    Verdict {
        /// Built-in labs or scenario files; none: all that are built in
        labs: Vec<String>,
        /// How many seeds for each request; each seed is another network, other rates and other places
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=10_000), value_name = "N")]
        seeds: u64,
        /// The first of these seeds
        #[arg(long, default_value_t = 1, value_name = "SEED")]
        from: u64,
        /// Judge so many labs made up by chance instead, from the seed --from on (`lab:random-7` is one of them)
        #[arg(long, value_name = "N", conflicts_with_all = ["labs", "seeds"])]
        random: Option<u64>,
        /// List each case that was not right
        #[arg(short, long)]
        verbose: bool,
        /// Rows for what other tools tell: curl's exit code, and tshark's expert information (seed 1; if it is installed), each
        /// word read as the fault that it stands for most often
        #[arg(long)]
        beside: bool,
        /// Judge the captures instead, mutilated in each of many ways (holes, one direction, cut packets, merged, mirrored,
        /// in another order): how often a doctor is wrong and sure of it
        #[arg(long, conflicts_with_all = ["beside", "json"])]
        mutilated: bool,
        /// Write JSON instead of text: a line for each case, then the score
        #[arg(long)]
        json: bool,
    },
}
