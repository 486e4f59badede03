//! How long data may stay unacknowledged before the connection ends (RFC 9293 3.8.3), and the option by which two hosts
//! tell each other (RFC 5482).

use core::time::Duration;

use thru_wire::tcp::{Flags, TcpOptions};

use super::super::connection::{Connection, Context};
use super::super::segment::Segment;
use super::super::{TcpConfig, TcpError};

/// What there is room for in a segment's options.
const ROOM: usize = 40;
/// What the option takes.
const LENGTH: usize = 4;

/// The option's side of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UserTimeout {
    /// Whether the option is sent and heard (ENABLED of RFC 5482 3).
    enabled: bool,
    /// It has to be told.
    due: bool,
    /// What the peer told, within our limits, in seconds; 0: nothing.
    heard: u32,
}

impl UserTimeout {
    pub(crate) const OFF: UserTimeout = UserTimeout { enabled: false, due: false, heard: 0 };

    /// Whether it is as without the option.
    pub(crate) fn is_idle(&self) -> bool {
        !self.enabled && !self.due && self.heard == 0
    }

    pub(crate) fn new(config: &TcpConfig) -> UserTimeout {
        let enabled = config.user_timeout_limits.is_some();
        UserTimeout { enabled, due: enabled, heard: 0 }
    }
}

impl Connection {
    /// USER_TIMEOUT: what the application asked for, else what the peer did (RFC 5482 3.1, CHANGEABLE), else none.
    fn user_timeout(&self) -> Option<Duration> {
        let heard = self.recovery.user_timeout.heard;
        self.settings
            .user_timeout
            .filter(|limit| !limit.is_zero())
            .or_else(|| (heard > 0).then(|| Duration::from_secs(heard.into())))
    }

    /// The application has changed its mind: the peer is told.
    pub(crate) fn user_timeout_changed(&mut self) {
        if let Some(recovery) = self.recovery.held() {
            recovery.user_timeout.due = recovery.user_timeout.enabled;
        }
    }

    /// The option, in our SYN and, since that may be answered by a cookie, in the first segment after it. `len` bytes
    /// of payload go along.
    pub(crate) fn tell_user_timeout(&mut self, flags: Flags, options: &mut TcpOptions, len: u32) {
        let told = self.settings.user_timeout.filter(|_| self.recovery.user_timeout.due);
        let Some(timeout) = told.filter(|_| !flags.rst()) else { return };
        let room =
            if flags.syn() { ROOM } else { usize::from(self.options.mss).saturating_sub(len as usize) };
        let taken = if flags.syn() || !options.sack.is_empty() { options.padded_len() } else { 0 };
        if taken + LENGTH <= room && options.padded_len() + LENGTH <= ROOM {
            let told = options.extra.push_user_timeout(timeout.max(Duration::from_secs(1)));
            self.recovery.user_timeout.due = flags.syn() || !told;
        }
    }

    /// The peer's option: min(U_LIMIT, max(its value, L_LIMIT)), for as long as the application has no wish of its own.
    pub(crate) fn hear_user_timeout(&mut self, cx: &Context<'_>, segment: &Segment) {
        let Some((least, most)) = cx.config.user_timeout_limits else { return };
        if let Some(told) = segment.header.options.extra.user_timeout().filter(|told| !told.is_zero()) {
            let seconds = told.max(least).min(most.max(least)).as_secs();
            self.recovery.user_timeout.heard = u32::try_from(seconds).unwrap_or(u32::MAX);
        }
    }

    /// The same data has left again too often, or, if a limit in time is set, for too long.
    pub(crate) fn has_tried_enough(&self, cx: &Context<'_>) -> bool {
        match self.user_timeout_left(cx) {
            Some(left) => left.is_zero(),
            None => self.recovery.retries >= cx.config.data_retries,
        }
    }

    /// The timeout, cut so that the user's is not overslept (as Linux).
    pub(crate) fn timeout_within_limit(&self, cx: &Context<'_>) -> Duration {
        let rto = self.rtt.rto(cx.config);
        match self.user_timeout_left(cx) {
            Some(left) if !left.is_zero() => rto.min(left),
            _ => rto,
        }
    }

    /// How long unacknowledged data may still be sent again; `None`: no limit in time.
    fn user_timeout_left(&self, cx: &Context<'_>) -> Option<Duration> {
        let limit = self.user_timeout()?;
        let since = self.recovery.struggles_since;
        Some(if since.is_never() { limit } else { limit.saturating_sub(cx.now.since(since)) })
    }

    /// Whether a silent peer is given up after so many questions and so long a silence; a limit in time takes the place
    /// of their number (as Linux).
    pub(crate) fn keepalive_is_over(&self, unanswered: u32, silent: Duration) -> bool {
        match self.user_timeout() {
            Some(limit) => unanswered > 0 && silent >= limit,
            None => unanswered >= self.settings.keepalive_probes,
        }
    }

    /// A window that stays closed for as long as the user allows ends the connection, too, also if the peer answers
    /// (as Linux; without that wish a window may stay closed for ever, RFC 9293 3.8.6.1). `waited`: so long by now.
    pub(crate) fn closed_window_is_over(&mut self, cx: &mut Context<'_>, waited: Duration) -> bool {
        let over = self.user_timeout().is_some_and(|limit| waited >= limit);
        if over {
            let icmp = self.last_icmp.as_deref().cloned();
            self.end(cx, Some(TcpError::TimedOut { icmp }));
        }
        over
    }
}
