//! The numbers a code block may ask for: `TCP_INFO`'s, by Linux's names and in its units.

use thru_stack::tcp::{State, TcpInfo};
use thru_wire::Instant;

use super::kernel::SocketState;
use super::{Runner, Stop};
use crate::Persona;
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
    now: Instant,
    /// Windows are told in bytes, as by FreeBSD, not in segments.
    in_bytes: bool,
    /// Our initial sequence number of the newest connection, as on the wire.
    sent_isn: Option<u32>,
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
        match name {
            "sent_isn" => return self.sent_isn.map(i64::from),
            "tcpi_snd_cwnd" if self.in_bytes => {
                return self.info.as_ref().map(|info| info.congestion_window as i64);
            }
            _ => {}
        }
        // Times without an end are as large as they are to the kernel's users.
        let value = self.info.as_ref()?.kernel_field(name, self.now)?;
        Some(i64::try_from(value).unwrap_or(i64::MAX))
    }
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
            now: self.now,
            in_bytes: self.persona == Persona::FreeBsd,
            sent_isn: self.flows.newest_isn(),
            info,
        };
        code::run(code, &known, &mut self.variables).map_err(|problem| match problem {
            Problem::False(what) => Stop::Fail(what),
            Problem::Unknown(what) => Stop::Skip(format!("code blocks have no {what}")),
        })
    }
}
