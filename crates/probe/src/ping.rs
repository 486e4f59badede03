//! Echo requests: a train with a fixed pace, one span. `knock`: the same by TCP and UDP.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use thru_net::{IcmpErrorKind, IcmpEvent, IcmpSocket};
use thru_trace::{Layer, SpanId};
use thru_wire::Instant;

use crate::Recorder;
use crate::connect::icmp_words;

mod knock;

pub use knock::{Knock, knocks};

/// How to ping.
#[derive(Clone, Copy, Debug)]
pub struct PingOptions {
    /// How many requests.
    pub count: u16,
    /// From one request to the next.
    pub interval: Duration,
    /// How long the last one is waited for.
    pub wait: Duration,
    /// Wait no longer for the last ones than answers so far let expect.
    pub prompt: bool,
    /// TTL or hop limit; `None`: the usual one.
    pub ttl: Option<u8>,
    /// Bytes of payload.
    pub payload: usize,
}

impl Default for PingOptions {
    fn default() -> PingOptions {
        PingOptions {
            count: 4,
            interval: Duration::from_secs(1),
            wait: Duration::from_secs(1),
            prompt: false,
            ttl: None,
            payload: 56,
        }
    }
}

/// One request and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo {
    /// From 0.
    pub sequence: u16,
    /// When it was sent.
    pub sent: Instant,
    /// What came back.
    pub answer: Option<Answer>,
}

impl Echo {
    /// The round trip, if the destination replied.
    pub fn rtt(&self) -> Option<Duration> {
        match &self.answer {
            Some(Answer::Reply { rtt, .. }) => Some(*rtt),
            _ => None,
        }
    }

    /// Whether the destination replied.
    pub fn is_answered(&self) -> bool {
        matches!(self.answer, Some(Answer::Reply { .. }))
    }
}

/// What came back for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A reply.
    Reply {
        /// Who answered.
        from: IpAddr,
        /// TTL on arrival, where it is known.
        ttl: Option<u8>,
        /// Round trip.
        rtt: Duration,
        /// Bytes of payload returned.
        bytes: usize,
    },
    /// An ICMP error.
    Error {
        /// Who sent it.
        from: IpAddr,
        /// What it says.
        kind: IcmpErrorKind,
        /// How long it took.
        rtt: Duration,
    },
}

/// What a train of pings gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PingResult {
    /// Each request in order.
    pub echoes: Vec<Echo>,
}

impl PingResult {
    /// Round trips of the replies.
    pub fn rtts(&self) -> impl Iterator<Item = Duration> + Clone + '_ {
        self.echoes.iter().filter_map(Echo::rtt)
    }

    /// How many replies came.
    pub fn received(&self) -> usize {
        self.rtts().count()
    }

    /// The longest run of requests that nothing came back for.
    pub fn lost_in_a_row(&self) -> usize {
        self.echoes.split(|echo| echo.answer.is_some()).map(<[Echo]>::len).max().unwrap_or(0)
    }
}

/// Pings `target`, writing a `ping` span. `each` is called as answers come, for live output.
/// An error means that this machine may not ping at all.
pub async fn ping(
    recorder: &Recorder,
    parent: Option<SpanId>,
    target: IpAddr,
    purpose: &str,
    options: PingOptions,
    each: impl FnMut(&Echo),
) -> std::io::Result<PingResult> {
    let steady = |_: &BTreeMap<u16, Echo>| options.interval;
    let control = Control { stop: std::future::pending(), pace: steady };
    ping_until(recorder, parent, target, purpose, options, control, each).await
}

/// What decides about a train while it runs.
pub struct Control<S, P> {
    /// No further request is sent once this is done.
    pub stop: S,
    /// Told of the requests so far, by their numbers: how long after the last one the next is sent.
    pub pace: P,
}

/// As [`ping`], with `control` over its end and its pace.
pub async fn ping_until(
    recorder: &Recorder,
    parent: Option<SpanId>,
    target: IpAddr,
    purpose: &str,
    options: PingOptions,
    control: Control<impl Future<Output = ()>, impl Fn(&BTreeMap<u16, Echo>) -> Duration>,
    mut each: impl FnMut(&Echo),
) -> std::io::Result<PingResult> {
    let span = recorder.open(parent, Layer::Ip, "ping", format!("{target}, {purpose}"));
    recorder.set(span, "ping.target", target);
    recorder.set(span, "ping.purpose", purpose);
    let result = match recorder.network().icmp(target).await {
        Ok(socket) => train(recorder, &socket, target, options, control, &mut each).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(result) => {
            note(recorder, span, &result);
            Ok(result)
        }
        Err(error) => {
            recorder.skip(span, error.to_string());
            Err(error)
        }
    }
}

async fn train(
    recorder: &Recorder,
    socket: &IcmpSocket,
    target: IpAddr,
    mut options: PingOptions,
    control: Control<impl Future<Output = ()>, impl Fn(&BTreeMap<u16, Echo>) -> Duration>,
    each: &mut impl FnMut(&Echo),
) -> std::io::Result<PingResult> {
    let network = recorder.network();
    let Control { stop, pace } = control;
    let mut stop = std::pin::pin!(stop);
    let mut stopped = false;
    let payload: Vec<u8> = (0..options.payload).map(|index| index as u8).collect();
    let mut echoes: BTreeMap<u16, Echo> = BTreeMap::new();
    let mut next_send = network.now();
    let mut deadline = Instant::NEVER;
    let mut sent = 0;
    loop {
        if sent < options.count && network.now() >= next_send {
            echoes.insert(sent, Echo { sequence: sent, sent: network.now(), answer: None });
            socket.send_echo(target, sent, options.ttl, &payload).await?;
            sent += 1;
            next_send += pace(&echoes);
            if sent == options.count {
                deadline = network.now() + last_wait(&echoes, &options);
            }
            continue;
        }
        if sent == options.count && echoes.values().all(|echo| echo.answer.is_some()) {
            break;
        }
        let until = if sent < options.count { next_send } else { deadline };
        tokio::select! {
            biased;
            event = socket.receive() => take(&mut echoes, event?, each),
            () = &mut stop, if !stopped => {
                stopped = true;
                options.count = sent;
                deadline = network.now() + last_wait(&echoes, &options);
            }
            () = network.sleep_until(until) => if sent == options.count { break },
        }
    }
    Ok(PingResult { echoes: echoes.into_values().collect() })
}

/// How long the last requests of a train are waited for. An answer that takes three times as long as any before it, and
/// [`MARGIN`] more, will not come.
fn last_wait(echoes: &BTreeMap<u16, Echo>, options: &PingOptions) -> Duration {
    match echoes.values().filter_map(Echo::rtt).max() {
        Some(longest) if options.prompt => (3 * longest + MARGIN).min(options.wait),
        _ => options.wait,
    }
}

/// See [`last_wait`].
const MARGIN: Duration = Duration::from_millis(100);

fn take(echoes: &mut BTreeMap<u16, Echo>, event: IcmpEvent, each: &mut impl FnMut(&Echo)) {
    let (sequence, answer): (u16, Box<dyn Fn(Instant) -> Answer>) = match event {
        IcmpEvent::Reply { from, sequence, ttl, payload, at } => (
            sequence,
            Box::new(move |sent| Answer::Reply { from, ttl, rtt: at.since(sent), bytes: payload.len() }),
        ),
        IcmpEvent::Error { report, sequence: Some(sequence) } => (
            sequence,
            Box::new(move |sent| Answer::Error {
                from: report.from,
                kind: report.kind,
                rtt: report.at.since(sent),
            }),
        ),
        IcmpEvent::Error { sequence: None, .. } => return,
    };
    // The first answer counts; a duplicate says nothing new.
    if let Some(echo) = echoes.get_mut(&sequence).filter(|echo| echo.answer.is_none()) {
        echo.answer = Some(answer(echo.sent));
        each(echo);
    }
}

fn note(recorder: &Recorder, span: SpanId, result: &PingResult) {
    recorder.ok(span);
    recorder.set(span, "ping.sent", result.echoes.len());
    recorder.set(span, "ping.received", result.received());
    recorder.set(span, "ping.lost_in_a_row", result.lost_in_a_row());
    let rtts: Vec<Duration> = result.rtts().collect();
    if let (Some(min), Some(max)) = (rtts.iter().min(), rtts.iter().max()) {
        let sum: Duration = rtts.iter().sum();
        recorder.set_duration(span, "ping.rtt_min", *min);
        recorder.set_duration(span, "ping.rtt_max", *max);
        recorder.set_duration(span, "ping.rtt_avg", sum / u32::try_from(rtts.len()).unwrap_or(1));
        return;
    }
    let error = result.echoes.iter().find_map(|echo| match &echo.answer {
        Some(Answer::Error { from, kind, .. }) => Some((*from, *kind)),
        _ => None,
    });
    match error {
        Some((from, kind)) => {
            recorder.set(span, "icmp.from", from);
            recorder.fail(span, "ip.unreachable", format!("{} told by {from}", icmp_words(kind)));
        }
        None => recorder.fail(span, "ping.timeout", "no reply"),
    }
}
