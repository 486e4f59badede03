//! How writes become segments where the stream of bytes alone doesn't say: more is announced (`MSG_MORE`), a record ends
//! (`MSG_EOR`), a buffer is filled by whole chunks. Connections whose application uses none of it hold no memory for it.

use std::collections::VecDeque;

use thru_wire::Instant;

use super::autotune::segments_of_window;
use super::connection::{Connection, Context};
use super::{Tcp, TcpError, TcpId};

/// What a write says beside its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Write {
    /// `MSG_MORE`: another write follows, so that what doesn't fill a segment waits for it; for a retransmission timeout at most.
    pub more: bool,
    /// `MSG_EOR`: a record ends here; no segment holds bytes from both sides of this place.
    pub end_of_record: bool,
}

/// The bounds that writes have set.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    /// The last write announced another one, and nothing has happened since.
    pub(crate) holds: bool,
    /// Place after a write that announced another one: no reason to push.
    unpushed: u64,
    /// Places where records end, of those not acknowledged.
    records: VecDeque<u64>,
    /// Place at which the chunk begins that is being filled.
    chunk: u64,
    /// A write found no room for all it had.
    pub(crate) wants_room: bool,
}

/// What the kernel's accounting adds to a chunk, roughly.
const CHUNK_OVERHEAD: usize = 1_280;
/// Bytes of the largest super-segment.
const LARGEST_CHUNK: u64 = 65_215;

impl Tcp {
    /// [`Tcp::write`] with what else there is to say.
    pub fn write_with(
        &mut self,
        now: Instant,
        id: TcpId,
        data: &[u8],
        write: Write,
    ) -> Result<usize, TcpError> {
        let index = self.connections.resolve(id.0).ok_or(TcpError::Unknown)?;
        if let Some(connection) = self.connections.get_mut(index)
            && (write.more || connection.framing.is_some())
        {
            // A hold ends with the last bytes, not before.
            connection.framing.get_or_insert_default().holds = write.more;
        }
        let written = self.write(now, id, data)?;
        if data.is_empty() {
            // Whoever writes nothing wants the connection all the same.
            if let Some(connection) = self.connections.get_mut(index) {
                connection.start_waiting_syn();
            }
            self.settle(index, now);
        }
        let Some(connection) = self.connections.get_mut(index) else { return Ok(written) };
        let end = connection.queue.end();
        if write.more && written > 0 {
            connection.framing.get_or_insert_default().unpushed = end;
        }
        if write.end_of_record && written == data.len() && !data.is_empty() {
            connection.framing.get_or_insert_default().records.push_back(end);
        }
        Ok(written)
    }
}

impl Connection {
    /// What a hold kept back may leave.
    pub(crate) fn stop_holding(&mut self) {
        if let Some(framing) = &mut self.framing {
            framing.holds = false;
        }
    }

    /// Nothing more is waited for: what was written so far is pushed.
    pub(crate) fn push_all(&mut self) {
        if let Some(framing) = &mut self.framing {
            framing.unpushed = 0;
        }
    }

    /// Whether what doesn't fill a segment waits for an announced write.
    pub(crate) fn holds(&self) -> bool {
        self.framing.as_ref().is_some_and(|framing| framing.holds)
    }

    /// Bytes of `unsent` ones from `place` on that may share a segment.
    pub(crate) fn within_record(&self, place: u64, unsent: u64) -> u64 {
        let Some(framing) = &self.framing else { return unsent };
        let end = framing.records.iter().find(|end| **end > place);
        end.map_or(unsent, |end| unsent.min(end - place))
    }

    /// Whether the segment that ends at `place` is the last of what was written: of all, or of a record.
    pub(crate) fn ends_write(&self, place: u64) -> bool {
        match &self.framing {
            None => place == self.queue.end(),
            Some(framing) => {
                (place == self.queue.end() && place != framing.unpushed) || framing.records.contains(&place)
            }
        }
    }

    /// An acknowledgement arrived.
    pub(crate) fn framing_acknowledged(&mut self) {
        let Some(framing) = &mut self.framing else { return };
        framing.holds = false;
        while framing.records.front().is_some_and(|end| *end <= self.una) {
            framing.records.pop_front();
        }
    }

    /// A write took less than there was.
    pub(crate) fn wants_room(&mut self) {
        self.framing.get_or_insert_default().wants_room = true;
    }

    /// There is room again.
    pub(crate) fn has_room(&mut self) {
        if let Some(framing) = &mut self.framing {
            framing.wants_room = false;
        }
    }

    /// Whether somebody waits for room in the send buffer.
    pub(crate) fn is_short_of_room(&self) -> bool {
        self.write_waker.is_some() || self.framing.as_ref().is_some_and(|framing| framing.wants_room)
    }

    /// Bytes of a chunk: as large as the largest super-segment for this peer.
    fn chunk(&self) -> u64 {
        let (mss, window) = (u64::from(self.options.mss.max(1)), self.peer_window.max());
        let most = if window > 536 { window / 2 } else { window.max(1) };
        (most.min(LARGEST_CHUNK) / mss).max(1) * mss
    }

    /// Bytes that wait for acknowledgement, with what accounting adds to each chunk.
    fn accounted_by_chunk(&self) -> usize {
        let held = self.queue.end().saturating_sub(self.una.max(self.iss + 1));
        held as usize + held.div_ceil(self.chunk()) as usize * CHUNK_OVERHEAD
    }

    /// Room for a write where a chunk that was begun is always filled ([`Habits::writes_by_chunk`](super::Habits)).
    pub(crate) fn room_by_chunk(&self) -> usize {
        let (end, chunk) = (self.queue.end(), self.chunk());
        let begun = self.framing.as_ref().map_or(0, |framing| framing.chunk);
        let unsent = end.saturating_sub(begun.max(self.nxt).max(self.iss + 1));
        if unsent % chunk != 0 {
            return (chunk - unsent % chunk) as usize;
        }
        let waits = end.saturating_sub(self.nxt.max(self.iss + 1));
        let low = self.settings.notsent_low.is_none_or(|low| waits < low as u64);
        if low && self.accounted_by_chunk() < self.queue.limit() { chunk as usize } else { 0 }
    }

    /// A write is about to take what [`Connection::room_by_chunk`] said.
    pub(crate) fn begin_chunk(&mut self) {
        let (end, nxt) = (self.queue.end(), self.nxt);
        let chunk = self.chunk();
        let framing = self.framing.get_or_insert_default();
        if end.saturating_sub(framing.chunk.max(nxt)) % chunk == 0 {
            framing.chunk = end;
        }
    }

    /// Whether waiting for room was worth while: a third is free, and little waits to be sent.
    pub(crate) fn is_writable_by_chunk(&self) -> bool {
        let waits = self.queue.end().saturating_sub(self.nxt.max(self.iss + 1));
        let low = self.settings.notsent_low.is_none_or(|low| 2 * waits < low as u64);
        low && self.accounted_by_chunk() * 3 <= self.queue.limit() * 2
    }

    /// A burst is over and somebody waits for room: the buffer grows with the congestion window, unless that is full.
    pub(crate) fn grow_for_writer(&mut self, cx: &Context<'_>) {
        if !cx.config.habits.writes_by_chunk || !self.is_short_of_room() {
            return;
        }
        let fixed = self.settings.send_buffer.is_some() || !cx.config.send_autotuning;
        if !fixed && self.network_load() + u64::from(self.options.mss) <= self.send_window() {
            let segment = (usize::from(self.options.mss) + 640).next_power_of_two() + 256;
            let segments = segments_of_window(self).max(10).max(u64::from(self.duplicate_threshold()) + 1);
            let wanted = (2 * segments as usize).saturating_mul(segment).min(cx.config.send_buffer_most);
            self.queue.set_limit(wanted.max(self.queue.limit()));
        }
        if self.is_writable_by_chunk() {
            self.has_room();
        }
    }
}
