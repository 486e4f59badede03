//! The error queue of a socket, as far as it carries notices and no errors: that the pages of a write without copying
//! are free again (`MSG_ZEROCOPY`), and when the last byte of a write left and was acknowledged (`SO_TIMESTAMPING`).
//!
//! The stack copies what is written; a notice says so, as Linux's do on a device that does the same.

use core::time::Duration;
use std::collections::VecDeque;

use super::{Attempt, SocketState, Value};
use crate::run::values::{name, number};
use crate::run::{Runner, Stop};
use crate::script::Expr;

/// What notices are there of a socket, and what will give rise to more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices {
    ready: VecDeque<Notice>,
    /// How many there ever were.
    pub(crate) count: u64,
    /// Number of the next write without copying.
    next: u32,
    /// Writes without copying whose bytes are not acknowledged: number, and the place after them in the stream.
    unfinished: VecDeque<(u32, u64)>,
    stamps: Stamps,
    /// Place in the stream from which the keys of timestamps count.
    base: u64,
    /// Writes whose timestamps are not complete: the place after them, and whether they have left.
    timed: VecDeque<(u64, bool)>,
}

/// Which timestamps were asked for.
#[derive(Clone, Copy, Debug, Default)]
struct Stamps {
    scheduled: bool,
    sent: bool,
    acknowledged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    /// The writes with these numbers, both included, are done.
    Free { first: u32, last: u32 },
    /// What happened to the byte with this key, and when.
    Stamp { what: &'static str, key: u64, at: Duration },
}

impl Notices {
    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    fn push(&mut self, notice: Notice) {
        self.count += 1;
        // Writes that follow each other are told together.
        if let (Notice::Free { first, last }, Some(Notice::Free { last: before, .. })) =
            (notice, self.ready.back_mut())
            && *before + 1 == first
        {
            *before = last;
            return;
        }
        self.ready.push_back(notice);
    }

    /// The stream has left up to `sent` and is acknowledged up to `acknowledged`.
    fn advance(&mut self, sent: u64, acknowledged: u64, at: Duration) {
        let (stamps, base) = (self.stamps, self.base);
        let key = |end: u64| end - 1 - base;
        for index in 0..self.timed.len() {
            let (end, left) = self.timed[index];
            if left || sent < end {
                continue;
            }
            self.timed[index].1 = true;
            for (asked, what) in [(stamps.scheduled, "SCM_TSTAMP_SCHED"), (stamps.sent, "SCM_TSTAMP_SND")] {
                if asked {
                    self.push(Notice::Stamp { what, key: key(end), at });
                }
            }
        }
        while let Some((end, _)) = self.timed.front().copied().filter(|(end, _)| acknowledged >= *end) {
            self.timed.pop_front();
            if stamps.acknowledged {
                self.push(Notice::Stamp { what: "SCM_TSTAMP_ACK", key: key(end), at });
            }
        }
        while let Some((number, _)) = self.unfinished.front().copied().filter(|(_, end)| acknowledged >= *end)
        {
            self.unfinished.pop_front();
            self.push(Notice::Free { first: number, last: number });
        }
    }
}

impl Runner {
    /// How far a stream has been written, has left and is acknowledged.
    fn progress_of(&self, fd: i64) -> Option<(u64, u64, u64)> {
        let SocketState::Stream(id) = self.kernel.socket(fd)?.state else { return None };
        let info = self.host.tcp_info(id)?;
        let written = info.bytes_acked + self.host.tcp_unacknowledged(id).unwrap_or(0);
        Some((written, written - info.bytes_unsent.min(written), info.bytes_acked))
    }

    /// A call has written something.
    pub(super) fn note_written(&mut self, fd: i64, zero_copy: bool) {
        let Some((written, ..)) = self.progress_of(fd) else { return };
        let enabled =
            self.kernel.socket(fd).is_some_and(|socket| socket.remembered.contains_key("SO_ZEROCOPY"));
        let notices = self.kernel.notices.entry(fd).or_default();
        if zero_copy && enabled {
            notices.unfinished.push_back((notices.next, written));
            notices.next += 1;
        }
        let Stamps { scheduled, sent, acknowledged } = notices.stamps;
        if scheduled || sent || acknowledged {
            notices.timed.push_back((written, false));
        }
        self.update_notices();
    }

    /// `SO_TIMESTAMPING`; keys count the bytes from here on.
    pub(super) fn ask_for_stamps(&mut self, fd: i64, wish: &Expr) {
        let base = self.progress_of(fd).map_or(0, |(written, ..)| written);
        let notices = self.kernel.notices.entry(fd).or_default();
        let asks = |word: &str| mentions(wish, word);
        notices.stamps = Stamps {
            scheduled: asks("SOF_TIMESTAMPING_TX_SCHED"),
            sent: asks("SOF_TIMESTAMPING_TX_SOFTWARE"),
            acknowledged: asks("SOF_TIMESTAMPING_TX_ACK"),
        };
        notices.base = base;
    }

    /// After anything happened.
    pub(crate) fn update_notices(&mut self) {
        let at = self.elapsed();
        let fds: Vec<i64> = self.kernel.notices.keys().copied().collect();
        for fd in fds {
            let Some((_, sent, acknowledged)) = self.progress_of(fd) else { continue };
            if let Some(notices) = self.kernel.notices.get_mut(&fd) {
                notices.advance(sent, acknowledged, at);
            }
        }
    }

    /// `recvmsg` with `MSG_ERRQUEUE`.
    pub(super) fn read_notice(&mut self, fd: i64, message: &Expr) -> Result<Attempt, Stop> {
        let Some(notice) = self.kernel.notices.get_mut(&fd).and_then(|notices| notices.ready.pop_front())
        else {
            return Attempt::error("EAGAIN");
        };
        let items = match message.field("msg_control") {
            Some(Expr::Array(items)) => items.as_slice(),
            _ => &[],
        };
        let tolerance = self.settings.tolerance(Duration::ZERO);
        let wrong = items.iter().find_map(|item| differs(item, &notice, tolerance));
        Ok(Attempt::Done(Value { result: 0, errno: None, mismatch: wrong }))
    }
}

/// What a control message of the script says otherwise than a notice.
fn differs(item: &Expr, notice: &Notice, tolerance: Duration) -> Option<String> {
    let kind = item.field("cmsg_type").and_then(name).unwrap_or_default();
    let data = item.field("cmsg_data")?;
    let get = |field: &str| data.field(field).and_then(number).unwrap_or(0);
    if kind == "SCM_TIMESTAMPING" {
        let Notice::Stamp { at, .. } = notice else { return Some(format!("{notice:?} has no time")) };
        let wanted = Duration::from_secs(get("scm_sec").max(0) as u64)
            + Duration::from_nanos(get("scm_nsec").max(0) as u64);
        let off = wanted.abs_diff(*at);
        return (off > tolerance).then(|| format!("the time of {notice:?} is not {wanted:?}"));
    }
    let (origin, info, value) = match notice {
        Notice::Free { first, last } => {
            ("SO_EE_ORIGIN_ZEROCOPY", get("ee_info") == i64::from(*first), u64::from(*last))
        }
        Notice::Stamp { what, key, .. } => {
            ("SO_EE_ORIGIN_TIMESTAMPING", data.field("ee_info").and_then(name) == Some(what), *key)
        }
    };
    let same =
        data.field("ee_origin").and_then(name) == Some(origin) && info && get("ee_data") == value as i64;
    (!same).then(|| format!("{notice:?} is not what was expected"))
}

/// Whether a word is part of an expression of flags.
pub(super) fn mentions(expr: &Expr, word: &str) -> bool {
    match expr {
        Expr::Word(this) => this == word,
        Expr::Or(left, right) => mentions(left, word) || mentions(right, word),
        Expr::Array(items) => items.iter().any(|item| mentions(item, word)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Duration = Duration::from_millis(7);

    #[test]
    fn writes_that_end_one_after_the_other_are_told_together() {
        let mut notices =
            Notices { unfinished: VecDeque::from([(0, 100), (1, 200), (2, 300)]), ..Notices::default() };
        notices.advance(300, 99, AT);
        assert!(notices.is_empty());
        notices.advance(300, 200, AT);
        assert_eq!(notices.ready, [Notice::Free { first: 0, last: 1 }]);
        notices.ready.clear();
        notices.advance(300, 300, AT);
        assert_eq!((notices.ready.back(), notices.count), (Some(&Notice::Free { first: 2, last: 2 }), 3));
    }

    #[test]
    fn a_byte_is_stamped_when_it_leaves_and_when_it_is_acknowledged() {
        let stamps = Stamps { scheduled: false, sent: true, acknowledged: true };
        let mut notices =
            Notices { stamps, base: 10, timed: VecDeque::from([(20, false)]), ..Notices::default() };
        notices.advance(19, 0, AT);
        assert!(notices.is_empty());
        notices.advance(20, 0, AT);
        notices.advance(30, 25, AT * 2);
        let stamp = |what, at| Notice::Stamp { what, key: 9, at };
        assert_eq!(notices.ready, [stamp("SCM_TSTAMP_SND", AT), stamp("SCM_TSTAMP_ACK", AT * 2)]);
    }
}
