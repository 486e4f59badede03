//! How a connection was cut off.

use super::TcpFlow;
use super::idle::REVIVED;
use crate::kept::Moment;

/// A reset, and what of its header tells who sent it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reset {
    pub(crate) by: usize,
    pub(crate) at: Moment,
    pub(crate) ttl: u8,
    /// How much of what the other side had said it acknowledges, if it does.
    pub(crate) acks: Option<u64>,
}

impl TcpFlow {
    /// The server's reset of a connection that nobody had closed, with data that it never answered or before it ever said
    /// a word; and whether it had said something before.
    pub(crate) fn cut_by_server(&self) -> Option<(Moment, bool)> {
        let (client, server) = (self.client(), self.server());
        let reset = self.resets.first().filter(|reset| reset.by == server)?;
        if self.sides.iter().any(|side| side.fin.is_some()) || self.established.is_none() {
            return None;
        }
        let (sent, got) = (&self.sides[client], &self.sides[server]);
        // What was not captured may have been the reason.
        let unseen = self.sides.iter().any(|side| side.uncaptured > 0 || side.missing() > 0)
            || reset.acks.is_some_and(|acks| acks > sent.bytes);
        if unseen {
            return None;
        }
        let asked_last = sent.last_data.is_some_and(|asked| got.last_data.is_none_or(|heard| asked > heard));
        let since = sent.last_data.into_iter().chain(self.established.map(|at| at.time)).max().unwrap_or(0);
        let soon = reset.at.time.saturating_sub(since) < REVIVED * 5;
        let unsaid = got.bytes == 0;
        (soon && (asked_last || unsaid)).then_some((reset.at, !unsaid))
    }

    /// Whether one side's resets all came the same way.
    pub(crate) fn is_reset_by_one(&self, side: usize) -> bool {
        let mut ttls = self.resets.iter().filter(|reset| reset.by == side).map(|reset| reset.ttl);
        let first = ttls.next();
        ttls.all(|ttl| Some(ttl) == first)
    }
}
