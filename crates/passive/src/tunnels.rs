//! Tunnels over UDP whose other end is silent: what is in them nobody can read, but that nobody answers can be seen.

use std::collections::BTreeMap;

use crate::flow::End;
use crate::kept::Moment;
use crate::watch::Watch;

/// Where they live: WireGuard, OpenVPN, IKE and its way through NATs, L2TP.
const PORTS: [u16; 5] = [51_820, 1_194, 500, 4_500, 1_701];
/// Talks that are remembered.
const TALKS_MAX: usize = 1_024;
/// So many questions in vain, over so long a time, are no accident.
const ASKED_MIN: u64 = 3;
const ASKED_FOR: u64 = 4_000_000_000;

/// What was sent to a tunnel's port, and what came back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Talk {
    sent: u64,
    back: u64,
    first: u64,
    last: u64,
}

/// Talks by who asked and who was asked.
#[derive(Debug, Default)]
pub(crate) struct Tunnels {
    talks: BTreeMap<(End, End), Talk>,
}

impl Tunnels {
    pub(crate) fn take(&mut self, from: End, to: End, at: Moment) {
        if let Some(talk) = self.talks.get_mut(&(to, from)) {
            talk.back += 1;
            return;
        }
        let asks = PORTS.contains(&to.1) && !to.0.is_multicast();
        if !asks || self.talks.len() >= TALKS_MAX {
            return;
        }
        let talk = self.talks.entry((from, to)).or_insert(Talk { first: at.time, ..Talk::default() });
        talk.sent += 1;
        talk.last = at.time;
    }
}

/// A tunnel of which only one end was heard, in a sentence.
pub(crate) fn unanswered(watch: &Watch) -> Option<String> {
    let silent = |talk: &Talk| {
        talk.back == 0 && talk.sent >= ASKED_MIN && talk.last.saturating_sub(talk.first) >= ASKED_FOR
    };
    let ((_, to), talk) = watch.tunnels.talks.iter().find(|(_, talk)| silent(talk))?;
    Some(format!(
        "The tunnel to {} port {} is not answered: {} packets went there and none came back.",
        to.0, to.1, talk.sent
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn end(last: u8, port: u16) -> End {
        (IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), port)
    }

    fn at(seconds: u64) -> Moment {
        Moment { time: seconds * 1_000_000_000, number: seconds }
    }

    #[test]
    fn a_tunnel_is_silent_if_nothing_ever_comes_back() {
        let mut watch = Watch::default();
        for second in 0..4 {
            watch.tunnels.take(end(1, 40_000), end(2, 51_820), at(second * 5));
        }
        assert!(unanswered(&watch).is_some());
        watch.tunnels.take(end(2, 51_820), end(1, 40_000), at(21));
        assert!(unanswered(&watch).is_none());
    }

    #[test]
    fn one_question_more_or_less_proves_nothing() {
        let mut watch = Watch::default();
        watch.tunnels.take(end(1, 40_000), end(2, 1_194), at(0));
        watch.tunnels.take(end(1, 40_000), end(2, 1_194), at(9));
        assert!(unanswered(&watch).is_none());
    }
}
