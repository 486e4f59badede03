//! Personas: whose habits a script expects. Only values; the stack has no word for "Linux" or "FreeBSD".

use core::time::Duration;

use thru_stack::tcp::TcpConfig;
use thru_wire::tcp::OptionLayout;

/// Whose habits the host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persona {
    /// A current Linux.
    Linux,
    /// A current FreeBSD.
    FreeBsd,
}

impl Persona {
    /// By its name on the command line: `linux` or `freebsd`.
    pub fn named(name: &str) -> Option<Persona> {
        match name {
            "linux" => Some(Persona::Linux),
            "freebsd" => Some(Persona::FreeBsd),
            _ => None,
        }
    }

    /// Whom a script was written for, by the names of the settings it changes; Linux if it doesn't show.
    pub fn of(source: &str) -> Persona {
        let marks = ["net.inet.", "kern.ipc.", "#ifdef FreeBSD", "sockstat ", "net.inet6."];
        if marks.iter().any(|mark| source.contains(mark)) { Persona::FreeBsd } else { Persona::Linux }
    }

    /// What `#ifdef` finds defined.
    pub fn defined(self) -> &'static [&'static str] {
        match self {
            Persona::Linux => &["linux", "Linux", "__linux__"],
            Persona::FreeBsd => &["FreeBSD", "__FreeBSD__"],
        }
    }

    /// The stack's settings before a script changes any.
    pub fn tcp(self) -> TcpConfig {
        match self {
            Persona::Linux => TcpConfig::default(),
            Persona::FreeBsd => TcpConfig {
                send_buffer: 32_768,
                receive_buffer: 65_536,
                receive_buffer_most: 2 << 20,
                min_rto: Duration::from_millis(230),
                max_rto: Duration::from_secs(64),
                syn_ack_retries: 3,
                data_retries: 12,
                keepalive_interval: Duration::from_secs(75),
                keepalive_probes: 8,
                option_layout: OptionLayout::ScaleFirst,
                ..TcpConfig::default()
            },
        }
    }
}
