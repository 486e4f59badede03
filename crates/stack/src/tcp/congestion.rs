//! How much may be in the network: congestion controllers behind one trait.

use core::fmt::Debug;
use core::time::Duration;

use thru_wire::Instant;

pub use super::rate::RateSample;
use super::{Congestion, Habits};

mod bbr1;
mod bbr3;
mod cubic;
mod filter;
mod hystart;
mod reno;
#[cfg(test)]
mod testing;

/// What an acknowledgement tells a controller. Bytes everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Ack {
    /// Arrival of the frame that brought it.
    pub now: Instant,
    /// Bytes newly delivered, cumulatively or selectively.
    pub delivered: u64,
    /// Bytes newly acknowledged cumulatively.
    pub acked: u64,
    /// Bytes newly believed lost because of it.
    pub newly_lost: u64,
    /// Bytes the connection has delivered so far, this acknowledgement included: the clock that rounds are counted by.
    pub total_delivered: u64,
    /// How fast data was delivered; `None` if nothing was.
    pub rate: Option<RateSample>,
    /// Round-trip time of this acknowledgement, if it was unambiguous.
    pub rtt: Option<Duration>,
    /// The shortest of the unambiguous round-trip times it measures: that of what left last, without the wait of
    /// delayed acknowledgements.
    pub shortest_rtt: Option<Duration>,
    /// Bytes in the network, before this acknowledgement and after it.
    pub prior_in_flight: u64,
    /// See above; what it showed to be lost is not in there any more.
    pub in_flight: u64,
    /// Bytes of what was delivered that the network had marked as having met congestion (ECN).
    pub ce_bytes: u64,
    /// Whether the sender, not the window, limited what was in flight: then the window proves nothing.
    pub app_limited: bool,
    /// Whether lost data is being sent again after fast retransmit: loss-based windows stand still.
    pub in_recovery: bool,
}

impl Ack {
    /// One that says nothing, to start from in tests.
    #[cfg(test)]
    pub(crate) fn nothing(now: Instant) -> Ack {
        Ack {
            now,
            delivered: 0,
            acked: 0,
            newly_lost: 0,
            total_delivered: 0,
            rate: None,
            rtt: None,
            shortest_rtt: None,
            prior_in_flight: 0,
            in_flight: 0,
            ce_bytes: 0,
            app_limited: false,
            in_recovery: false,
        }
    }
}

/// What leaves, before it is counted as in flight.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// When.
    pub now: Instant,
    /// Its length.
    pub len: u64,
    /// Bytes in the network before it.
    pub in_flight: u64,
    /// Bytes the connection has delivered so far.
    pub total_delivered: u64,
    /// Whether the application had too little to send at the last occasion.
    pub app_limited: bool,
}

/// A stretch of bytes that left as one segment and is believed lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Its length.
    pub len: u64,
    /// Bytes in the network just after it had left.
    pub tx_in_flight: u64,
    /// Bytes believed lost since it had left, its own included.
    pub lost_since: u64,
    /// Whether the application had too little to send when it left.
    pub app_limited: bool,
}

/// A congestion controller. It is told what happens and answers with a window and a pace.
/// Bytes everywhere; integer arithmetic only, so that each machine gives the same packets.
///
/// Order of the calls for one acknowledgement: each [`Lost`] stretch; then [`on_loss`](Controller::on_loss),
/// [`on_undo`](Controller::on_undo) or [`on_recovered`](Controller::on_recovered) if one is due; then
/// [`on_ack`](Controller::on_ack); then [`on_ecn`](Controller::on_ecn) if marks are to be answered.
pub trait Controller: Debug + Send {
    /// The handshake is done; `rtt`: how long it took, if that could be measured; `sack`: whether the peer reports
    /// what arrives after a gap, so that more than one loss per round trip is seen.
    fn on_established(&mut self, _now: Instant, _rtt: Option<Duration>, _sack: bool) {}
    /// It takes over a living connection: window and threshold of the controller before it.
    fn take_over(&mut self, window: u64, threshold: u64);
    /// An acknowledgement arrived. A window never shrinks here for want of growth (RFC 9438 4.2).
    fn on_ack(&mut self, ack: &Ack);
    /// Something leaves.
    fn on_sent(&mut self, _sent: &Sent) {}
    /// A stretch is believed lost: told one by one, but only to a controller that
    /// [wants to know](Controller::wants_lost).
    fn on_lost(&mut self, _now: Instant, _lost: &Lost) {}
    /// Whether [`Controller::on_lost`] does anything.
    fn wants_lost(&self) -> bool {
        false
    }
    /// Loss was noticed, once per round: a recovery begins. `in_flight` is what was sent and is unacknowledged.
    fn on_loss(&mut self, now: Instant, in_flight: u64);
    /// The retransmission timer ran out.
    fn on_timeout(&mut self, now: Instant, in_flight: u64);
    /// The timer ran out in a recovery, or after a timeout, that has reduced the window already: it begins at one
    /// segment again, but the threshold stays. The next undo still gives back what that first reduction took.
    fn on_timeout_again(&mut self, _now: Instant) {}
    /// Everything that was lost has been repaired.
    fn on_recovered(&mut self, _now: Instant, _in_flight: u64) {}
    /// Nothing had been lost (Eifel, F-RTO, D-SACK): what the recovery or timeout begun last took is given back.
    fn on_undo(&mut self, now: Instant);
    /// The network marked packets instead of dropping them; told once per round (RFC 3168 6.1.2).
    fn on_ecn(&mut self, now: Instant, in_flight: u64);
    /// Nothing was sent for longer than a retransmission timeout (RFC 5681 4.1).
    fn on_idle(&mut self, now: Instant);
    /// The largest segment has changed.
    fn on_mss(&mut self, mss: u64);
    /// Bytes that may be in the network.
    fn window(&self) -> u64;
    /// Above this window, growth is cautious; `u64::MAX` before the first loss.
    fn slow_start_threshold(&self) -> u64;
    /// Bytes per second at which to send; `None`: as fast as the window allows.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }
    /// Bytes that may leave in one burst when paced.
    fn send_quantum(&self) -> u64 {
        u64::MAX
    }
    /// Whether the window already is what may be in flight during recovery: then proportional rate reduction
    /// (RFC 9937) keeps its hands off.
    fn owns_recovery_window(&self) -> bool {
        false
    }
    /// Whether it now sends less than it could on purpose: rates measured meanwhile say nothing of the network.
    fn limits_itself(&self) -> bool {
        false
    }
    /// What it is doing, in a word, for the history.
    fn phase(&self) -> &'static str {
        if self.window() < self.slow_start_threshold() { "slow start" } else { "avoidance" }
    }
}

/// A controller of the kind asked for, with an initial window of `initial` segments of `mss` bytes. `seed` gives its
/// random choices.
pub(crate) fn controller(
    kind: Congestion,
    mss: u64,
    initial: u32,
    seed: u64,
    habits: &Habits,
) -> Box<dyn Controller> {
    match kind {
        Congestion::NewReno => Box::new(reno::Reno::new(mss, initial)),
        Congestion::Cubic => Box::new(cubic::Cubic::new(mss, initial).with(habits)),
        Congestion::Bbr1 => Box::new(bbr1::Bbr1::new(mss, initial, seed)),
        Congestion::Bbr3 => Box::new(bbr3::Bbr3::new(mss, initial, seed)),
    }
}
