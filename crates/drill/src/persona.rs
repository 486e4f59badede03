//! Personas: whose habits a script expects. Only values; the stack has no word for "Linux" or "FreeBSD".

use core::time::Duration;

use thru_stack::tcp::{CounterOption, Habits, OpeningErrors, SynFin, TcpConfig};
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

    /// What scripts of Linux's suites expect to be told from outside, by the addresses they use.
    pub(crate) fn outside(ipv6: bool) -> &'static [&'static str] {
        if ipv6 {
            &["TFO_COOKIE=c1d1e9742a47a9bc", "CMSG_LEVEL_IP=SOL_IPV6", "CMSG_TYPE_RECVERR=IPV6_RECVERR"]
        } else {
            &[
                "TFO_COOKIE=3021b9d889017eeb",
                "TFO_COOKIE_ZERO=b7c12350a90dc8f5",
                "CODE=host_unreachable",
                "CMSG_LEVEL_IP=SOL_IP",
                "CMSG_TYPE_RECVERR=IP_RECVERR",
            ]
        }
    }

    /// What `#ifdef` finds defined.
    pub fn defined(self) -> &'static [&'static str] {
        match self {
            Persona::Linux => &["linux", "Linux", "__linux__"],
            Persona::FreeBsd => &["FreeBSD", "__FreeBSD__"],
        }
    }

    /// How far from its time something may happen, in percent of its distance from the event before: what the two
    /// projects' tools allow unless they are told.
    pub(crate) fn tolerance_percent(self) -> f64 {
        match self {
            Persona::Linux => 12.5,
            Persona::FreeBsd => 0.0,
        }
    }

    /// Whether a write to a connection that is being opened waits for it, or fails if it must not wait. Otherwise the
    /// bytes are taken and wait.
    pub(crate) fn writes_wait_for_connection(self) -> bool {
        self == Persona::Linux
    }

    /// How long a connection attempt may take at most, if there is a limit beside that of retries.
    pub fn connect_timeout(self) -> Option<Duration> {
        match self {
            Persona::Linux => None,
            Persona::FreeBsd => Some(Duration::from_secs(75)),
        }
    }

    /// The stack's settings before a script changes any.
    pub fn tcp(self) -> TcpConfig {
        match self {
            Persona::Linux => TcpConfig {
                fast_open_black_hole: Duration::ZERO,
                habits: Habits {
                    accurate_ecn_marks_all: true,
                    ect1_first: true,
                    accurate_ecn_option: CounterOption::Always,
                    half_open_errors: true,
                    unsent_ack_is_silent: true,
                    syn_ack_must_echo: true,
                    answers_crossing_syn_ack: true,
                    writes_by_chunk: true,
                    syn_data_spares_options: true,
                    fast_open_tries_experiment: true,
                    nonce_is_accurate: true,
                    thin_acks_hide_no_marks: true,
                    classic_hystart: true,
                    cubic_reduces_window: true,
                    ..Habits::default()
                },
                ..TcpConfig::default()
            },
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
                delayed_ack: Duration::from_millis(40),
                challenge_acks_per_second: 1_000_000,
                syn_retries: 11,
                habits: Habits {
                    whole_segments: true,
                    exact_window: true,
                    update_by_quarter: true,
                    quick_acks: 0,
                    every_second_segment: true,
                    acks_repeat_fin: true,
                    initial_rto: Duration::from_secs(1),
                    syn_linear_timeouts: 0,
                    rto_slop: Duration::from_millis(200),
                    syn_plain_after: None,
                    challenge_interval: Duration::ZERO,
                    reset_in_window: false,
                    syn_resets: false,
                    accurate_ecn_marks_all: false,
                    ect1_first: false,
                    slow_start_after_idle: true,
                    listeners_refuse_syn_ack: false,
                    time_wait_answers_syn: false,
                    late_reset_is_error: true,
                    accept_by_room: true,
                    syn_fin: SynFin::Take,
                    opening_errors: OpeningErrors::Hard,
                    ecn_syn_repeats: 1,
                    crossing_syn_may_ask: true,
                    ..Habits::default()
                },
                ..TcpConfig::default()
            },
        }
    }
}
