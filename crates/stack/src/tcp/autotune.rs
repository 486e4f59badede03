//! Buffers as large as a connection needs them: the receiver's by what the application reads in a round trip (dynamic
//! right-sizing, Linux's `tcp_moderate_rcvbuf`), the sender's by the congestion window (`tcp_sndbuf_expand`).

use core::time::Duration;

use thru_wire::Instant;

use super::connection::{Connection, Context};
use super::segment::Segment;
use super::{Tcp, TcpConfig};

/// What the receiver measures: it sends too little to learn the round-trip time as a sender.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tuning {
    /// A round trip in nanoseconds, 0: not known; from a timestamp of ours to its echo, or, at most, the time in which a window arrived.
    rtt: u64,
    /// When all below the place has arrived, the window announced at the time has; 0: none.
    window: (u64, Instant),
    /// Place and time at which this measurement of reading began; 0: none has.
    began: (u64, Instant),
    /// Bytes read in the round trip before.
    space: u64,
}

impl Tuning {
    pub(crate) fn rtt(&self) -> Option<Duration> {
        (self.rtt > 0).then(|| Duration::from_nanos(self.rtt))
    }

    pub(crate) fn space(&self) -> u64 {
        self.space
    }

    /// `rtt` in nanoseconds.
    fn sample(&mut self, rtt: u64, at_most: bool) {
        let rtt = rtt.max(1_000);
        self.rtt = match self.rtt {
            0 => rtt,
            known if at_most => known.min(rtt),
            known => known / 8 * 7 + rtt / 8,
        };
    }
}

impl Connection {
    /// Payload arrived in order: a segment with `len` bytes.
    pub(crate) fn tune_on_arrival(&mut self, segment: &Segment, len: u64) {
        let next = self.receive.next();
        match self.options.timestamps.zip(segment.header.options.timestamps) {
            // A small segment may have waited for company: its echo says nothing.
            Some((state, theirs)) if len >= self.ack.largest() => {
                let elapsed = state.value(segment.at).wrapping_sub(theirs.echo);
                if theirs.echo != 0 && elapsed < 1 << 20 {
                    self.tuning.sample(u64::from(elapsed.max(1)) * 1_000_000, false);
                }
            }
            Some(_) => {}
            None if next < self.tuning.window.0 => {}
            None => {
                let (edge, since) = self.tuning.window;
                if edge > 0 {
                    self.tuning.sample(segment.at.nanos().saturating_sub(since.nanos()), true);
                }
                self.tuning.window = (next + self.own_window.remaining(next), segment.at);
            }
        }
    }

    /// The application has read. Once a round trip: room for twice what it read, and more while that rises.
    fn tune_on_read(&mut self, now: Instant, config: &TcpConfig, pressure: bool) {
        let place = self.receive.next() - self.receive.unread() as u64;
        let (start, since) = self.tuning.began;
        if start == 0 {
            self.tuning.space = (self.receive.limit() as u64).min(10 * u64::from(self.options.own_mss));
            self.tuning.began = (place, now);
            return;
        }
        let own = self.rtt.smoothed();
        let Some(rtt) = self.tuning.rtt().into_iter().chain(own).min() else { return };
        if now.since(since) < rtt {
            return;
        }
        let (copied, before) = (place - start, self.tuning.space.max(1));
        self.tuning.began = (place, now);
        if copied <= before {
            return;
        }
        self.tuning.space = copied;
        let fixed = self.settings.receive_buffer.is_some() || !config.receive_autotuning;
        if fixed || pressure {
            return;
        }
        let mut wanted = 2 * copied + 16 * u64::from(self.options.own_mss);
        // The sender is in slow start: by the time the room is announced, it could use twice as much.
        wanted += 2 * (u128::from(wanted) * u128::from(copied - before) / u128::from(before)) as u64;
        let most = config.receive_buffer_most.max(config.receive_buffer) as u64;
        let wanted = wanted.min(most) as usize;
        if wanted > self.receive.limit() {
            self.receive.set_limit(wanted);
        }
    }

    /// The congestion window has grown: twice of it may wait, so that the application's next bytes are there in time.
    pub(crate) fn tune_on_ack(&mut self, cx: &Context<'_>) {
        if self.settings.send_buffer.is_some() || !cx.config.send_autotuning || cx.memory.pressure() {
            return;
        }
        if cx.config.habits.writes_by_chunk {
            return;
        }
        let most = cx.config.send_buffer_most as u64;
        let wanted = self.congestion.window().saturating_mul(2).min(most) as usize;
        if wanted > self.queue.limit() {
            self.queue.set_limit(wanted);
        }
    }
}

/// Segments in the congestion window.
pub(crate) fn segments_of_window(connection: &Connection) -> u64 {
    connection.congestion.window() / u64::from(connection.options.mss.max(1))
}

impl Tcp {
    /// After the application has read.
    pub(super) fn tune_on_read(&mut self, now: Instant, index: u32) {
        let pressure = self.memory.pressure();
        if let Some(connection) = self.connections.get_mut(index) {
            connection.receive.set_pressed(pressure);
            connection.tune_on_read(now, &self.config, pressure);
            connection.window_may_have_opened();
        }
        self.account(index);
    }
}
