//! How much may be in the network: congestion controllers behind one trait.

use core::fmt::Debug;
use core::time::Duration;

use thru_wire::Instant;

use super::Congestion;
pub use super::rate::RateSample;

mod cubic;
mod reno;

/// What an acknowledgement tells a controller.
#[derive(Clone, Copy, Debug)]
pub struct Ack {
    /// Arrival of the frame that brought it.
    pub now: Instant,
    /// Bytes newly delivered, cumulatively or selectively.
    pub delivered: u64,
    /// Bytes newly acknowledged cumulatively.
    pub acked: u64,
    /// How fast data was delivered, if that could be measured.
    pub rate: Option<RateSample>,
    /// Round-trip time of this acknowledgement, if it was unambiguous.
    pub rtt: Option<Duration>,
    /// Bytes in the network, before this acknowledgement.
    pub in_flight: u64,
    /// Bytes the network marked as having met congestion (ECN).
    pub ce_count: u64,
    /// Whether the sender, not the window, limited what was in flight: then the window proves nothing.
    pub app_limited: bool,
    /// Whether lost data is being sent again after fast retransmit: loss-based windows stand still.
    pub in_recovery: bool,
}

/// A congestion controller. It is told what happens and answers with a window and a pace.
/// Bytes everywhere; integer arithmetic only, so that each machine gives the same packets.
pub trait Controller: Debug + Send {
    /// An acknowledgement arrived. A window never shrinks here for want of growth (RFC 9438 4.2).
    fn on_ack(&mut self, ack: &Ack);
    /// Loss was noticed, once per round: a recovery begins. `in_flight` is what was sent and is unacknowledged.
    fn on_loss(&mut self, now: Instant, in_flight: u64);
    /// The retransmission timer ran out.
    fn on_timeout(&mut self, now: Instant, in_flight: u64);
    /// Everything that was lost has been repaired.
    fn on_recovered(&mut self, _now: Instant, _in_flight: u64) {}
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
}

/// A controller of the kind asked for, with an initial window of `initial` segments of `mss` bytes.
pub(crate) fn controller(kind: Congestion, mss: u64, initial: u32) -> Box<dyn Controller> {
    match kind {
        Congestion::NewReno => Box::new(reno::Reno::new(mss, initial)),
        Congestion::Cubic => Box::new(cubic::Cubic::new(mss, initial)),
    }
}
