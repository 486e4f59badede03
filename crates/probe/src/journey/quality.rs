//! Was the way good? A short train of pings, and, when something looks wrong, longer ones to every hop.

use std::net::IpAddr;
use std::time::Duration;

use thru_net::TcpInfo;
use thru_trace::SpanId;

use crate::Recorder;
use crate::ping::{PingOptions, ping, ping_until};
use crate::route::Route;

/// How many packets a look at the way's quality may cost, and how fast they go.
#[derive(Clone, Copy, Debug)]
pub struct QualityBudget {
    /// Pings of the short train.
    pub short: u16,
    /// Pings of each long train, to the destination and to each hop.
    pub long: u16,
    /// From one ping to the next.
    pub interval: Duration,
}

impl QualityBudget {
    /// In a lab packets are free: a loss of 4 % takes one of 40 pings there and back with 96 %.
    pub const LAB: QualityBudget =
        QualityBudget { short: 40, long: 100, interval: Duration::from_millis(20) };
    /// On a real network: at most some 200 packets.
    pub const REAL: QualityBudget = QualityBudget { short: 5, long: 20, interval: Duration::from_millis(50) };

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
    let train = PingOptions { count: budget.long, interval: LOADED_AFTER / 2, ..PingOptions::default() };
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

/// Pings the destination; on suspicion pings it longer, and each hop of `route` as long.
pub async fn look(
    recorder: &Recorder,
    parent: Option<SpanId>,
    target: IpAddr,
    info: Option<&TcpInfo>,
    route: Option<&Route>,
    budget: QualityBudget,
) {
    let short = ping(recorder, parent, target, "idle", budget.train(budget.short), |_| {}).await;
    let Ok(short) = short else { return };
    let spread = match (short.rtts().min(), short.rtts().max()) {
        (Some(min), Some(max)) if !min.is_zero() => Some(max.as_secs_f64() / min.as_secs_f64()),
        _ => None,
    };
    if !suspicious(info, Some((short.echoes.len(), short.received())), spread) && !struggled(recorder) {
        return;
    }
    // Who may not ping a moment later could not a moment before either; nothing to add.
    let _ = ping(recorder, parent, target, "idle", budget.train(budget.long), |_| {}).await;
    for hop in route.map_or(&[][..], |route| &route.hops) {
        let Some(address) = hop.addresses.first().filter(|address| **address != target) else { continue };
        let _ = ping(recorder, parent, *address, "hop", budget.train(budget.long), |_| {}).await;
    }
}
