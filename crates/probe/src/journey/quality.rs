//! Was the way good? A short train of pings, and, when something looks wrong, a longer one, and more to the hops that tell
//! where.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use thru_net::TcpInfo;
use thru_trace::{Outcome, Span};

use super::budget::Budget;
use crate::Recorder;
use crate::connect::ATTEMPT_DELAY;
use crate::ping::{Control, Echo, PingOptions, PingResult, ping_until};
use crate::route::Route;

/// How many pings a look at the way's quality may take, and how fast they go; what they cost is a matter of the
/// [`Budget`].
#[derive(Clone, Copy, Debug)]
pub struct QualityBudget {
    /// Pings of the first train, and at most of those beside a transfer.
    pub short: u16,
    /// Pings to the destination if the first train or the request shows a sign, those of the first train among them.
    pub long: u16,
    /// From one ping to the next.
    pub interval: Duration,
}

impl QualityBudget {
    /// In a lab time costs nothing: a loss of 4 % takes one of 40 pings there and back with 96 %.
    pub const LAB: QualityBudget = QualityBudget { short: 40, long: 90, interval: Duration::from_millis(20) };
    /// On a real network.
    pub const REAL: QualityBudget = QualityBudget { short: 5, long: 40, interval: Duration::from_millis(50) };
}

/// Signs, seen on a connection or a ping train, that a closer look is worth its packets.
pub fn suspicious(info: Option<&TcpInfo>, short: Option<(usize, usize)>, rtt_spread: Option<f64>) -> bool {
    let connection = info.is_some_and(|info| {
        info.retransmissions > 0
            || info.timeouts > 0
            || info.out_of_order_received > 0
            || info.duplicates_received > 0
    });
    let lost = short.is_some_and(|(sent, received)| received > 0 && received < sent);
    connection || lost || rtt_spread.is_some_and(|spread| spread > 2.0)
}

/// Whether the request got there with difficulty: a connection attempt that failed, a SYN or a question that had to be
/// repeated. One lost packet looks like a broken address family: only more packets tell.
fn struggled(recorder: &Recorder) -> bool {
    let spans = recorder.spans();
    let near =
        |span: &Span| span.nanos_of("tcp.rtt").is_some_and(|rtt| u128::from(rtt) < ATTEMPT_DELAY.as_nanos());
    spans.iter().any(|span| match (span.what.as_str(), &span.outcome) {
        // Who is overtaken although the way is shorter than the other's head start has lost a packet. On a long way it is
        // the race as it was meant.
        ("connect", Outcome::Skipped { .. }) => spans
            .iter()
            .any(|winner| winner.what == "connect" && winner.parent == span.parent && near(winner)),
        ("connect", _) => !span.is_ok() || span.int("tcp.syn_retransmissions").is_some_and(|times| times > 0),
        ("dns.query", _) => !span.is_ok() || span.int("dns.tries").is_some_and(|tries| tries > 1),
        _ => false,
    })
}

/// A transfer that takes longer than this gets pings beside it, to see what it does to the way.
const LOADED_AFTER: Duration = Duration::from_millis(200);
/// From one ping beside a transfer to the next, while there is something to be seen.
const LOADED_INTERVAL: Duration = Duration::from_millis(100);
/// The same while nothing moves and all pings come back: whether they still do.
const QUIET_INTERVAL: Duration = Duration::from_millis(500);
/// So many pings tell that all come back.
const QUIET_AFTER: usize = 5;

/// Waits for `transfer`; while a long one lasts, pings its destination. `moved` counts what the transfer has moved so far;
/// `None`: nobody knows.
pub async fn beside<T>(
    recorder: &Recorder,
    target: IpAddr,
    budget: Option<QualityBudget>,
    moved: impl Fn() -> Option<u64>,
    transfer: impl Future<Output = T>,
) -> T {
    let Some(budget) = budget else { return transfer.await };
    let network = recorder.network();
    let mut transfer = std::pin::pin!(transfer);
    if let Some(result) = network.timeout(LOADED_AFTER, &mut transfer).await {
        return result;
    }
    let (done, stop) = tokio::sync::oneshot::channel::<()>();
    let stop = async {
        // A sender that is gone is done too.
        let _ = stop.await;
    };
    let last = Cell::new(moved());
    let pace = |echoes: &BTreeMap<u16, Echo>| {
        let now = moved();
        let stands = now.is_some() && last.replace(now) == now;
        // The newest may still be on its way.
        let back = echoes.len() > QUIET_AFTER
            && echoes.values().rev().skip(1).take(QUIET_AFTER).all(Echo::is_answered);
        if stands && back { QUIET_INTERVAL } else { LOADED_INTERVAL }
    };
    let train = PingOptions { count: budget.short, prompt: true, ..PingOptions::default() };
    let pings = ping_until(recorder, None, target, "loaded", train, Control { stop, pace }, |_| {});
    let finish = async {
        let result = transfer.await;
        let _ = done.send(());
        result
    };
    // Pings that may not be sent are told in their span; the transfer's result is what counts.
    let (result, _) = tokio::join!(biased; finish, pings);
    result
}

/// The first train to the destination, as far as its cost is there.
pub async fn glance(
    recorder: &Recorder,
    target: IpAddr,
    quality: QualityBudget,
    budget: Budget,
) -> Option<PingResult> {
    let look = Look { recorder, budget, interval: Cell::new(quality.interval) };
    look.train(target, "idle", quality.short, LOSSES_ENOUGH).await
}

/// What the first train showed is looked at more closely if there is a sign of trouble: more pings to the destination, and,
/// if it loses some, to the hops of `route` that tell where.
pub async fn look(
    recorder: &Recorder,
    target: IpAddr,
    info: Option<&TcpInfo>,
    glance: &PingResult,
    route: Option<&Route>,
    quality: QualityBudget,
    budget: Budget,
) {
    let interval = Cell::new(quality.interval);
    if in_its_own_way(glance.rtts()) {
        interval.set(quality.interval * SLOWER);
    }
    let look = Look { recorder, budget, interval };
    let spread = match (glance.rtts().min(), glance.rtts().max()) {
        (Some(min), Some(max)) if !min.is_zero() => Some(max.as_secs_f64() / min.as_secs_f64()),
        _ => None,
    };
    let mut seen = (glance.echoes.len(), glance.received());
    let lossy = seen.1 > 0 && seen.1 < seen.0;
    // Who fell silent in the middle shows every sign of loss but one: there pings tell by themselves.
    let worth = if fell_silent(recorder) {
        lossy
    } else {
        suspicious(info, Some(seen), spread) || struggled(recorder)
    };
    // Of a target that answers no pings more of them tell nothing.
    if !worth || seen.1 == 0 {
        return;
    }
    if seen.0 - seen.1 < LOSSES_ENOUGH {
        let more = quality.long.saturating_sub(u16::try_from(seen.0).unwrap_or(u16::MAX));
        let Some(long) = look.train(target, "idle", more, LOSSES_ENOUGH - (seen.0 - seen.1)).await else {
            return;
        };
        seen = (seen.0 + long.echoes.len(), seen.1 + long.received());
    }
    let hops = route.map_or(&[][..], |route| &route.hops);
    let hops = hops.iter().filter_map(|hop| hop.addresses.first().copied().filter(|hop| *hop != target));
    // Who loses nothing need not be asked where.
    if seen.1 < seen.0 {
        look.locate(&hops.collect::<Vec<_>>(), (seen.0 - seen.1) as f64 / seen.0 as f64).await;
    }
}

/// Whether the request itself ended by waiting for something that did not come.
fn fell_silent(recorder: &Recorder) -> bool {
    recorder.spans().iter().any(|span| {
        span.parent.is_none()
            && matches!(span.what.as_str(), "exchange" | "handshake" | "connect")
            && span.code().is_some_and(|code| code.ends_with(".timeout") || code.ends_with(".stalled"))
    })
}

/// So many lost pings tell a loss, and about how heavy it is.
const LOSSES_ENOUGH: usize = 5;

/// So many lost pings tell that a hop takes part in it.
const HOP_LOSSES_ENOUGH: usize = 2;

/// A hop that loses as much as the destination would have shown it with this certainty.
const HOP_CERTAINTY: f64 = 0.95;

/// How long answers are waited for at most: the slowest ways on Earth take 700 ms.
const WAIT: Duration = Duration::from_millis(1_000);

/// A look in progress.
struct Look<'a> {
    recorder: &'a Recorder,
    /// For the whole diagnosis.
    budget: Budget,
    /// From one ping to the next: longer from when they get in each other's way on.
    interval: Cell<Duration>,
}

/// Whether round trips have grown by so much that the pings themselves may fill the line.
fn in_its_own_way(rtts: impl Iterator<Item = Duration> + Clone) -> bool {
    rtts.clone().min().zip(rtts.last()).is_some_and(|(least, last)| last > least * 3 + GROWTH)
}

/// Shorter waits are those of any line that is used.
const GROWTH: Duration = Duration::from_millis(30);
/// So much slower pings go then.
const SLOWER: u32 = 3;

impl Look<'_> {
    /// Pings `target` until `enough` are lost; `None` if this machine may not ping, or what that costs is not left.
    async fn train(&self, target: IpAddr, purpose: &str, count: u16, enough: usize) -> Option<PingResult> {
        let (recorder, interval) = (self.recorder, self.interval.get());
        let count = self.budget.left(recorder).pings(count, interval, TAIL);
        if count == 0 {
            return None;
        }
        let options = PingOptions { count, interval, wait: WAIT, prompt: true, ..PingOptions::default() };
        let (done, stop) = tokio::sync::oneshot::channel::<()>();
        let (mut done, mut answered) = (Some(done), 0);
        // What an answer overtook is lost, or a little late.
        let watch = |echo: &Echo| {
            answered += 1;
            if usize::from(echo.sequence) + 1 >= answered + enough + LATE {
                let _ = done.take().map(|done| done.send(()));
            }
        };
        let stop = async {
            let _ = stop.await;
        };
        let pace = |echoes: &BTreeMap<u16, Echo>| {
            if self.interval.get() == interval && in_its_own_way(echoes.values().filter_map(Echo::rtt)) {
                self.interval.set(interval * SLOWER);
            }
            self.interval.get()
        };
        let control = Control { stop, pace };
        ping_until(recorder, None, target, purpose, options, control, watch).await.ok()
    }

    /// Halves the way until it is clear behind which hop packets get lost, or until the pings are spent.
    async fn locate(&self, hops: &[IpAddr], share: f64) {
        let pings =
            ((1.0 - HOP_CERTAINTY).ln() / (1.0 - share).ln()).ceil().clamp(HOP_PINGS_MIN, 100.0) as u16;
        let mut seen = vec![None; hops.len()];
        while let Some(place) = next_hop(&seen) {
            let left = self.budget.left(self.recorder).pings(pings, self.interval.get(), TAIL);
            if f64::from(left) < HOP_PINGS_MIN {
                return;
            }
            let Some(result) = self.train(hops[place], "hop", pings, HOP_LOSSES_ENOUGH).await else { return };
            seen[place] = Some(match (result.echoes.len(), result.received()) {
                (_, 0) => HopSeen::Silent,
                (sent, received) if received < sent => HopSeen::Loses,
                _ => HopSeen::Clean,
            });
        }
    }
}

/// Fewer pings tell nothing of a hop.
const HOP_PINGS_MIN: f64 = 8.0;

/// What a train takes beyond its pings until the last answer is there or given up.
const TAIL: Duration = Duration::from_millis(300);

/// Pings may overtake each other by so many without being lost.
const LATE: usize = 2;

/// What pings to one hop showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HopSeen {
    Clean,
    Loses,
    Silent,
}

/// Which hop to ask next, of a way whose end loses packets: the middle of those between the last clean one and the
/// first that loses; then the one behind it, for a router may be too busy to answer although it forwards all.
fn next_hop(seen: &[Option<HopSeen>]) -> Option<usize> {
    let clean = seen.iter().rposition(|hop| *hop == Some(HopSeen::Clean)).map_or(0, |place| place + 1);
    let losing = (clean..seen.len()).find(|place| seen[*place] == Some(HopSeen::Loses));
    let unknown: Vec<usize> =
        (clean..losing.unwrap_or(seen.len())).filter(|place| seen[*place].is_none()).collect();
    if let Some(middle) = unknown.get(unknown.len() / 2) {
        return Some(*middle);
    }
    let behind = losing? + 1;
    let next = (behind..seen.len()).find(|place| seen[*place] != Some(HopSeen::Silent))?;
    seen[next].is_none().then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks hops of which `truth` is true until nothing is left to ask.
    fn asked(truth: &[HopSeen]) -> Vec<usize> {
        let mut seen = vec![None; truth.len()];
        let mut asked = Vec::new();
        while let Some(place) = next_hop(&seen) {
            assert_eq!(seen[place], None, "a hop is asked once");
            seen[place] = Some(truth[place]);
            asked.push(place);
        }
        asked
    }

    #[test]
    fn the_way_is_halved_and_a_busy_router_does_not_stop_it() {
        use HopSeen::{Clean, Loses, Silent};
        assert!(asked(&[]).is_empty());
        assert_eq!(asked(&[Clean; 7]), [3, 5, 6]);
        assert_eq!(asked(&[Loses; 7]), [3, 1, 0]);
        assert_eq!(asked(&[Clean, Clean, Clean, Clean, Clean, Loses, Loses]), [3, 5, 4, 6]);
        // The router in the middle only has no time to answer.
        assert_eq!(asked(&[Clean, Clean, Clean, Loses, Clean, Loses, Loses]), [3, 1, 2, 4, 6, 5]);
        assert_eq!(asked(&[Clean, Silent, Silent, Silent, Loses, Loses, Loses]), [3, 4, 1, 2, 0, 5]);
        assert_eq!(asked(&[Silent; 3]), [1, 2, 0]);
    }
}
