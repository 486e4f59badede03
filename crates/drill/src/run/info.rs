//! The numbers a code block may ask for: `TCP_INFO`'s, by Linux's names and in its units.

use core::time::Duration;
use std::collections::BTreeMap;

use thru_stack::tcp::{EcnMode, State, TcpInfo};

use super::kernel::SocketState;
use super::{Runner, Stop};
use crate::code::{self, Names, Problem};

/// Names of numbers that stay the same.
const CONSTANTS: &[(&str, i64)] = &[
    ("TCPI_OPT_TIMESTAMPS", 1),
    ("TCPI_OPT_SACK", 2),
    ("TCPI_OPT_WSCALE", 4),
    ("TCPI_OPT_ECN", 8),
    ("TCPI_OPT_ECN_SEEN", 16),
    ("TCPI_OPT_SYN_DATA", 32),
    ("TCP_CA_Open", 0),
    ("TCP_CA_Disorder", 1),
    ("TCP_CA_CWR", 2),
    ("TCP_CA_Recovery", 3),
    ("TCP_CA_Loss", 4),
];

/// Linux's numbers of states, with the endings of their names on Linux and FreeBSD.
const STATES: &[(State, &str, &str, i64)] = &[
    (State::Established, "ESTABLISHED", "ESTABLISHED", 1),
    (State::SynSent, "SYN_SENT", "SYN_SENT", 2),
    (State::SynReceived, "SYN_RECV", "SYN_RECEIVED", 3),
    (State::FinWait1, "FIN_WAIT1", "FIN_WAIT_1", 4),
    (State::FinWait2, "FIN_WAIT2", "FIN_WAIT_2", 5),
    (State::TimeWait, "TIME_WAIT", "TIME_WAIT", 6),
    (State::Closed, "CLOSE", "CLOSED", 7),
    (State::CloseWait, "CLOSE_WAIT", "CLOSE_WAIT", 8),
    (State::LastAck, "LAST_ACK", "LAST_ACK", 9),
    (State::Listen, "LISTEN", "LISTEN", 10),
    (State::Closing, "CLOSING", "CLOSING", 11),
];

/// What is known when a block is met.
struct Known {
    state: State,
    info: Option<TcpInfo>,
    more: BTreeMap<&'static str, i64>,
}

impl Names for Known {
    fn value(&self, name: &str) -> Option<i64> {
        if let Some((_, value)) = CONSTANTS.iter().find(|(constant, _)| *constant == name) {
            return Some(*value);
        }
        if let Some(ending) = name.strip_prefix("TCPI_").or_else(|| name.strip_prefix("TCP_"))
            && let Some(state) = STATES.iter().find(|(_, linux, bsd, _)| *linux == ending || *bsd == ending)
        {
            return Some(state.3);
        }
        if name == "tcpi_state" {
            return STATES.iter().find(|state| state.0 == self.state).map(|state| state.3);
        }
        if let Some(value) = self.more.get(name) {
            return Some(*value);
        }
        field(self.info.as_ref()?, name)
    }
}

fn field(info: &TcpInfo, name: &str) -> Option<i64> {
    let micros = |time: Duration| time.as_micros() as i64;
    // Windows are counted in segments, as Linux does.
    let segments = |bytes: u64| (bytes / (info.mss.max(1) as u64)).min(i64::from(i32::MAX) as u64) as i64;
    let up = |bytes: u64| bytes.div_ceil(info.mss.max(1) as u64) as i64;
    Some(match name {
        "tcpi_options" => {
            i64::from(info.timestamps)
                | i64::from(info.sack) << 1
                | i64::from(info.window_scale.is_some()) << 2
                | i64::from(info.ecn.mode != EcnMode::Off) << 3
        }
        "tcpi_snd_wscale" => info.window_scale.map_or(0, |scale| i64::from(scale.1)),
        "tcpi_rcv_wscale" => info.window_scale.map_or(0, |scale| i64::from(scale.0)),
        "tcpi_snd_mss" => info.mss as i64,
        "tcpi_snd_cwnd" => segments(info.congestion_window),
        "tcpi_snd_ssthresh" => {
            if info.slow_start_threshold > 1 << 40 {
                i64::from(i32::MAX)
            } else {
                segments(info.slow_start_threshold)
            }
        }
        "tcpi_rtt" => info.rtt.map_or(0, micros),
        "tcpi_rttvar" => micros(info.rtt_variation),
        "tcpi_min_rtt" => info.min_rtt.map_or(i64::from(u32::MAX), micros),
        "tcpi_rto" => micros(info.rto),
        "tcpi_unacked" => up(info.bytes_in_flight),
        "tcpi_total_retrans" => info.retransmissions as i64,
        "tcpi_bytes_acked" => info.bytes_acked as i64,
        "tcpi_bytes_received" => info.bytes_received as i64,
        "tcpi_bytes_sent" => info.bytes_sent as i64,
        "tcpi_segs_out" => info.segments_sent as i64,
        "tcpi_segs_in" => info.segments_received as i64,
        "tcpi_notsent_bytes" => info.bytes_unsent as i64,
        "tcpi_snd_wnd" => info.peer_window as i64,
        "tcpi_rcv_wnd" => info.own_window as i64,
        _ => return None,
    })
}

impl Runner {
    pub(super) fn code(&mut self, code: &str) -> Result<(), Stop> {
        let state = self.kernel.newest.and_then(|fd| self.kernel.socket(fd)).map(|socket| socket.state);
        let info = match state {
            Some(SocketState::Stream(id)) => self.host.tcp_info(id),
            _ => None,
        };
        let known = Known {
            state: match (state, &info) {
                (Some(SocketState::Listener(_)), _) => State::Listen,
                (_, Some(info)) => info.state,
                _ => State::Closed,
            },
            more: BTreeMap::new(),
            info,
        };
        code::run(code, &known, &mut self.variables).map_err(|problem| match problem {
            Problem::False(what) => Stop::Fail(what),
            Problem::Unknown(what) => Stop::Skip(format!("code blocks have no {what}")),
        })
    }
}
