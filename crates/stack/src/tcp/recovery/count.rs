//! Loss by counting duplicate acknowledgements, for peers without SACK (RFC 5681 3.2, RFC 6582).

use super::super::acknowledge::News;
use super::super::connection::Connection;
use super::super::runs::Found;
use super::Phase;

impl Connection {
    /// The third duplicate in a row, and in recovery each partial acknowledgement: the first segment is lost.
    pub(crate) fn find_by_count(&mut self, news: &News) -> Found {
        let lost = match self.recovery.phase {
            Phase::Open | Phase::Reduced { .. } if self.recovery.duplicates >= self.duplicate_threshold() => {
                self.runs.lose_first()
            }
            Phase::Recovery { .. } if news.advanced => {
                // RFC 6582 3.2: it leaves at once, whatever else the window allows.
                self.recovery.force = true;
                self.runs.lose_first()
            }
            _ => 0,
        };
        Found { lost, ..Found::default() }
    }

    /// The acknowledgement moved on. Of the segments that duplicates had told of, one filled the hole and the others
    /// are acknowledged now; the rest is still known to have left the network.
    pub(crate) fn advance_duplicates(&mut self, news: &mut News) {
        let segments = news.acked.div_ceil(u64::from(self.options.mss).max(1));
        let others = u32::try_from(segments.saturating_sub(1)).unwrap_or(u32::MAX);
        let left = self.recovery.duplicates.saturating_sub(others);
        self.recovery.duplicates = if self.recovery.in_recovery() { left } else { 0 };
        // Without blocks nobody knows which of its transmissions arrived, or what else beside it.
        news.original &= self.options.sack || news.resent.is_none();
    }

    /// Bytes this acknowledgement says have left the network. Without SACK a duplicate says it of one segment, and an
    /// acknowledgement that moves on says it of what no duplicate had told of before (RFC 9937 6, DeliveredData).
    pub(crate) fn delivered_for_prr(&self, news: &News) -> u64 {
        if self.options.sack {
            return news.bytes + news.dsacked;
        }
        let mss = u64::from(self.options.mss);
        if news.advanced {
            news.acked.saturating_sub(news.duplicates_before * mss).max(mss.min(news.acked))
        } else if news.duplicate {
            mss
        } else {
            0
        }
    }
}
