//! Proportional rate reduction (RFC 9937): how much may leave while lost data is sent again, so that the flight shrinks
//! evenly to what the controller has decided, and no burst and no silence comes of it.

/// One recovery's account, in bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prr {
    /// What was in flight when it began (RecoverFS), at most the window. RFC 9937 6 subtracts what had been reported
    /// before and adds what the first acknowledgement delivers; with a full window that comes to the same. With less
    /// the reduction stays proportional to what the controller reduced.
    flight: u64,
    /// Where the flight shall end.
    threshold: u64,
    /// Delivered and sent since it began.
    delivered: u64,
    out: u64,
    window: u64,
}

impl Prr {
    pub(crate) fn begin(flight: u64, threshold: u64) -> Prr {
        Prr { flight: flight.max(1), threshold, delivered: 0, out: 0, window: 0 }
    }

    /// `delivered` bytes have left the network, where `in_flight` are now. `safe`: the acknowledgement moved on and
    /// told of no further loss. The limit is a multiple of `mss`, rounded up once, so that whole segments leave.
    pub(crate) fn on_ack(&mut self, delivered: u64, in_flight: u64, mss: u64, safe: bool) {
        if delivered == 0 {
            return;
        }
        self.delivered += delivered;
        let mut count = if in_flight > self.threshold {
            let share = u128::from(self.threshold) * u128::from(self.delivered);
            let share = share.div_ceil(u128::from(self.flight)).div_ceil(u128::from(mss));
            u64::try_from(share).unwrap_or(u64::MAX).saturating_mul(mss).saturating_sub(self.out)
        } else {
            // Conservative: no more than was delivered (CRB). Slow start towards the threshold while all goes well (SSRB).
            let limit = self.delivered.saturating_sub(self.out).max(delivered) + if safe { mss } else { 0 };
            limit.min(self.threshold - in_flight)
        };
        if self.out == 0 {
            // The first retransmission always leaves.
            count = count.max(mss);
        }
        self.window = in_flight + count;
    }

    pub(crate) fn sent(&mut self, len: u64) {
        self.out += len;
    }

    /// Bytes that may be in the network until the next acknowledgement.
    pub(crate) fn window(&self) -> u64 {
        self.window
    }
}

#[cfg(test)]
mod tests;
