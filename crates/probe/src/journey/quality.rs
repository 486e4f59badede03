//! Was the way good? A short train of pings, and, when something looks wrong, longer ones to every hop.

use std::net::IpAddr;
use std::time::Duration;

use thru_net::TcpInfo;
use thru_trace::SpanId;

use crate::Recorder;
use crate::ping::{Echo, PingOptions, PingResult, ping_until};
use crate::route::Route;

/// How many packets a look at the way's quality may cost, and how fast they go.
#[derive(Clone, Copy, Debug)]
pub struct QualityBudget {
    /// Pings of the first train.
    pub short: u16,
    /// Pings to the destination and beside a transfer, all together, if the first train or the request shows a sign.
    pub long: u16,
    /// Pings in all: what the destination did not need is left for the hops.
    pub total: u16,
    /// From one ping to the next.
    pub interval: Duration,
}

impl QualityBudget {
    /// In a lab time costs nothing: a loss of 4 % takes one of 40 pings there and back with 96 %. 120 pings and their
    /// replies, a traceroute and a control stay below 300 packets.
    pub const LAB: QualityBudget =
        QualityBudget { short: 40, long: 90, total: 120, interval: Duration::from_millis(20) };
    /// On a real network: at most some 200 packets.
    pub const REAL: QualityBudget =
        QualityBudget { short: 5, long: 40, total: 100, interval: Duration::from_millis(50) };

    fn train(self, count: u16) -> PingOptions {
        PingOptions { count, interval: self.interval, ..PingOptions::default() }
    }
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

/// Whether the request got there with difficulty: a connection attempt that was overtaken by a later one, a SYN or a
/// question that had to be repeated. One lost packet looks like a broken address family: only more packets tell.
fn struggled(recorder: &Recorder) -> bool {
    recorder.spans().iter().any(|span| match span.what.as_str() {
        "connect" => !span.is_ok() || span.int("tcp.syn_retransmissions").is_some_and(|times| times > 0),
        "dns.query" => !span.is_ok() || span.int("dns.tries").is_some_and(|tries| tries > 1),
        _ => false,
    })
}

/// A transfer that takes longer than this gets pings beside it, to see what it does to the way.
const LOADED_AFTER: Duration = Duration::from_millis(200);

/// Waits for `transfer`; while a long one lasts, pings its destination.
pub async fn beside<T>(
    recorder: &Recorder,
    target: IpAddr,
    budget: Option<QualityBudget>,
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
    let train = PingOptions { count: budget.short, interval: LOADED_AFTER / 2, ..PingOptions::default() };
    let pings = ping_until(recorder, None, target, "loaded", train, stop, |_| {});
    let finish = async {
        let result = transfer.await;
        let _ = done.send(());
        result
    };
    // Pings that may not be sent are told in their span; the transfer's result is what counts.
    let (result, _) = tokio::join!(biased; finish, pings);
    result
}

/// Pings the destination; on suspicion pings it longer, and, if it loses some, the hops of `route` that tell where.
pub async fn look(
    recorder: &Recorder,
    parent: Option<SpanId>,
    target: IpAddr,
    info: Option<&TcpInfo>,
    route: Option<&Route>,
    budget: QualityBudget,
) {
    let mut look = Look { recorder, parent, budget, left: budget.total };
    let Some(short) = look.train(target, "idle", budget.short, LOSSES_ENOUGH).await else { return };
    let spread = match (short.rtts().min(), short.rtts().max()) {
        (Some(min), Some(max)) if !min.is_zero() => Some(max.as_secs_f64() / min.as_secs_f64()),
        _ => None,
    };
    let mut seen = (short.echoes.len(), short.received());
    if !suspicious(info, Some(seen), spread) && !struggled(recorder) {
        return;
    }
    if seen.0 - seen.1 < LOSSES_ENOUGH {
        let more = budget.long.saturating_sub(budget.short);
        let Some(long) = look.train(target, "idle", more, LOSSES_ENOUGH).await else { return };
        seen = (seen.0 + long.echoes.len(), seen.1 + long.received());
    }
    let hops = route.map_or(&[][..], |route| &route.hops);
    let hops = hops.iter().filter_map(|hop| hop.addresses.first().copied().filter(|hop| *hop != target));
    // Who loses nothing need not be asked where, and one that does not answer pings tells nothing.
    if seen.1 > 0 && seen.1 < seen.0 {
        look.locate(&hops.collect::<Vec<_>>(), (seen.0 - seen.1) as f64 / seen.0 as f64).await;
    }
}

/// So many lost pings tell a loss, and how heavy it is.
const LOSSES_ENOUGH: usize = 6;

/// So many lost pings tell that a hop takes part in it.
const HOP_LOSSES_ENOUGH: usize = 2;

/// A hop that loses as much as the destination would have shown it with this certainty.
const HOP_CERTAINTY: f64 = 0.95;

/// A look in progress, and the pings it may still send.
struct Look<'a> {
    recorder: &'a Recorder,
    parent: Option<SpanId>,
    budget: QualityBudget,
    left: u16,
}

impl Look<'_> {
    /// Pings `target` until `enough` are lost; `None` if this machine may not ping, or no longer.
    async fn train(
        &mut self,
        target: IpAddr,
        purpose: &str,
        count: u16,
        enough: usize,
    ) -> Option<PingResult> {
        let options = self.budget.train(count.min(self.left));
        if options.count == 0 {
            return None;
        }
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
        let result =
            ping_until(self.recorder, self.parent, target, purpose, options, stop, watch).await.ok()?;
        self.left = self.left.saturating_sub(u16::try_from(result.echoes.len()).unwrap_or(u16::MAX));
        Some(result)
    }

    /// Halves the way until it is clear behind which hop packets get lost, or until the pings are spent.
    async fn locate(&mut self, hops: &[IpAddr], share: f64) {
        let pings =
            ((1.0 - HOP_CERTAINTY).ln() / (1.0 - share).ln()).ceil().clamp(HOP_PINGS_MIN, 100.0) as u16;
        let mut seen = vec![None; hops.len()];
        while let Some(place) = next_hop(&seen)
            && f64::from(self.left) >= HOP_PINGS_MIN
        {
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
