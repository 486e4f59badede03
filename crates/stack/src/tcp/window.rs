//! Windows: what the peer allows us, what we allow the peer, and neither in silly pieces (RFC 9293 3.8.6).

use super::Habits;
use super::connection::{Connection, Context};
use super::insight::TcpEventKind;
use super::segment::Segment;

/// What the peer allows.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerWindow {
    size: u64,
    /// The largest it ever was: half of it is never silly.
    max: u64,
    /// The segment that told it (SND.WL1, SND.WL2): older segments don't count.
    told_by: (u64, u64),
}

impl PeerWindow {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// The window of the handshake.
    pub(crate) fn begin(&mut self, size: u64, seq: u64, ack: u64) {
        self.size = size;
        self.max = self.max.max(size);
        self.told_by = (seq, ack);
    }

    /// RFC 9293 3.10.7.4. Whether the window has changed.
    pub(crate) fn update(&mut self, size: u64, seq: u64, ack: u64) -> bool {
        if self.told_by > (seq, ack) {
            return false;
        }
        self.told_by = (seq, ack);
        let changed = size != self.size;
        self.size = size;
        self.max = self.max.max(size);
        changed
    }
}

/// What we allow.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnWindow {
    /// The highest place the peer was ever allowed to send up to: it never goes back.
    edge: u64,
    /// See [`Habits::exact_window`](super::Habits::exact_window).
    exact: bool,
    /// See [`Habits::update_by_quarter`](super::Habits::update_by_quarter).
    by_quarter: bool,
    /// See [`Habits::accept_by_room`](super::Habits::accept_by_room).
    by_room: bool,
    /// The last segment told that nothing may be sent.
    told_closed: bool,
}

impl OwnWindow {
    pub(crate) fn with(habits: &Habits) -> OwnWindow {
        OwnWindow {
            told_closed: false,
            edge: 0,
            exact: habits.exact_window,
            by_quarter: habits.update_by_quarter,
            by_room: habits.accept_by_room,
        }
    }

    pub(crate) fn remaining(&self, next: u64) -> u64 {
        self.edge.saturating_sub(next)
    }
}

impl Connection {
    /// The window to announce now, as on the wire; moves the edge. `syn`: not scaled.
    pub(crate) fn announce_window(&mut self, syn: bool) -> u16 {
        let shift = if syn { 0 } else { self.options.scale.map_or(0, |(own, _)| own) };
        let next = self.receive.next();
        let remaining = self.own_window.remaining(next);
        let wanted = self.wanted_window(remaining);
        let field = if wanted > remaining {
            if self.own_window.exact { wanted.div_ceil(1 << shift) } else { wanted >> shift }
        } else {
            // What was allowed stays allowed: up, not down.
            remaining.div_ceil(1 << shift)
        };
        let field = field.min(u64::from(u16::MAX));
        let (was_closed, is_closed) = (remaining == 0, field == 0);
        if is_closed && !self.own_window.told_closed {
            self.insight.rare.windows_closed = self.insight.rare.windows_closed.wrapping_add(1);
        } else if was_closed && !is_closed && self.own_window.told_closed {
            self.insight.rare.windows_reopened = self.insight.rare.windows_reopened.wrapping_add(1);
        }
        self.own_window.told_closed = is_closed;
        self.own_window.edge = self.own_window.edge.max(next + (field << shift));
        field as u16
    }

    /// RFC 9293 3.8.6.2.2: the window opens in steps of at least a segment or half the buffer.
    fn wanted_window(&self, remaining: u64) -> u64 {
        let shift = self.options.scale.map_or(0, |(own, _)| own);
        let clamp = self.settings.window_clamp.map_or(u64::MAX, u64::from);
        let free = (self.receive.window() as u64).min(u64::from(u16::MAX) << shift).min(clamp);
        let step = if self.own_window.exact {
            1
        } else {
            u64::from(self.options.own_mss).min(self.receive.limit() as u64 / 2)
        };
        if free >= remaining + step { free } else { remaining }
    }

    /// The application has read: tell the peer if that at least doubles what it may send.
    pub(crate) fn window_may_have_opened(&mut self) {
        if !self.is_synchronized() || self.peer_fin.is_some() {
            return;
        }
        let remaining = self.own_window.remaining(self.receive.next());
        let wanted = self.wanted_window(remaining);
        let grown = wanted.saturating_sub(remaining);
        let enough = if self.own_window.by_quarter {
            let (limit, mss) = (self.receive.limit() as u64, u64::from(self.options.own_mss));
            grown >= 2 * mss && (4 * grown >= limit || 8 * wanted <= limit || limit <= 8 * mss)
        } else {
            wanted >= 2 * remaining
        };
        if wanted > remaining && enough {
            self.ack.now = true;
        }
    }

    /// Whether the segment touches what we allow (RFC 9293 3.10.7.4, the table).
    pub(crate) fn is_acceptable(&self, seq: u64, len: u64) -> bool {
        let next = self.receive.next();
        let mut window = self.own_window.remaining(next);
        if self.own_window.by_room {
            window = window.max(self.receive.window() as u64);
        }
        let inside = |place: u64| place >= next && place < next + window;
        match (len, window) {
            (0, 0) => seq == next,
            (0, _) => inside(seq),
            (_, 0) => false,
            _ => inside(seq) || inside(seq + len - 1) || (seq < next && seq + len > next + window),
        }
    }

    /// Takes the window of an acknowledgement. Whether it changed.
    pub(crate) fn update_peer_window(
        &mut self,
        cx: &Context<'_>,
        segment: &Segment,
        seq: u64,
        ack: u64,
    ) -> bool {
        let size = self.segment_window(segment);
        let before = self.peer_window.size();
        let changed = self.peer_window.update(size, seq, ack);
        if changed && self.peer_window.size() == 0 && before > 0 {
            self.insight.record(cx.now, TcpEventKind::ZeroWindow);
        }
        changed
    }

    /// The window a segment announces, in bytes.
    pub(crate) fn segment_window(&self, segment: &Segment) -> u64 {
        let shift = if segment.flags().syn() { 0 } else { self.options.scale.map_or(0, |(_, peer)| peer) };
        u64::from(segment.header.window) << shift
    }
}
