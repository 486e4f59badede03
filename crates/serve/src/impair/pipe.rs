//! One direction of one connection: data in, harmed, out.
//!
//! Reading and writing run side by side: data that is delayed waits in a queue with the time at which it may leave, so
//! that latency costs no throughput, as on a long wire.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use thru_net::Network;
use thru_wire::Instant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::toxic::{Kind, Numbered, Stream, Toxics};

/// How a direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The sender closed, and everything before was passed on.
    Closed,
    /// A toxic, or a side that broke off, ends the whole connection.
    Cut,
    /// The same, with resets.
    Reset,
}

/// Bytes that wait; beyond, nothing more is read, as with a window that is full.
const WAITING_MAX: usize = 4 << 20;
/// Bytes read at a time.
const CHUNK: usize = 32 << 10;
/// Bytes of a TCP segment: what `loss` loses.
const SEGMENT: usize = 1_448;

/// Data that waits to leave.
struct Waiting {
    at: Instant,
    bytes: Bytes,
}

struct Pipe<'a> {
    network: &'a Network,
    toxics: &'a Toxics,
    stream: Stream,
    /// Of each toxic by its number: whether this connection has it.
    drawn: BTreeMap<u64, bool>,
    /// When each toxic was first seen: times count from there.
    since: BTreeMap<u64, Instant>,
    queue: VecDeque<Waiting>,
    waiting: usize,
    /// What came last leaves no earlier than what came before.
    last: Instant,
    /// When the narrow place is free again.
    free: Instant,
    /// Bytes passed on so far.
    passed: u64,
    random: u64,
}

/// Runs to the end of the direction; bytes that were passed on are added to `passed`.
pub(super) async fn run(
    network: &Network,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    toxics: &Toxics,
    stream: Stream,
    passed: &AtomicU64,
) -> Ended {
    let mut changed = toxics.watch();
    let mut pipe = Pipe::new(network, toxics, stream);
    let mut buffer = BytesMut::with_capacity(CHUNK);
    let mut closed_at = None;
    let mut silent = false;
    loop {
        let now = network.now();
        let active = pipe.active();
        // Who was made silent is cut when the silence is over: what was dropped can't be made good.
        let was_silent = std::mem::replace(&mut silent, active.iter().any(is_timeout));
        if was_silent && !silent {
            return Ended::Cut;
        }
        let (ends, how) = pipe.end(&active);
        if now >= ends {
            return how;
        }
        if silent {
            pipe.queue.clear();
            pipe.waiting = 0;
        }
        if let Some(first) = pipe.queue.front().filter(|first| first.at <= now) {
            let length = pipe.piece(&active, first.bytes.len());
            let before = pipe.passed;
            match pass(&mut pipe, &mut to, length).await {
                Ok(()) => {
                    passed.fetch_add(pipe.passed - before, Ordering::Relaxed);
                }
                Err(_) => return Ended::Cut,
            }
            if limit(&active).is_some_and(|limit| pipe.passed >= limit) {
                return Ended::Cut;
            }
            continue;
        }
        let mut wake = pipe.queue.front().map_or(Instant::NEVER, |first| first.at).min(ends);
        if let (Some(closed_at), true) = (closed_at, pipe.queue.is_empty() && !silent) {
            let close = slow_close(&active).map_or(closed_at, |delay| closed_at + delay);
            if now >= close {
                return if to.shutdown().await.is_ok() { Ended::Closed } else { Ended::Cut };
            }
            wake = wake.min(close);
        }
        tokio::select! {
            biased;
            change = changed.changed() => if change.is_err() { return Ended::Cut },
            read = from.read_buf(&mut buffer), if closed_at.is_none() && pipe.waiting < WAITING_MAX => match read {
                Ok(0) => closed_at = Some(network.now()),
                Ok(_) if silent => buffer.clear(),
                Ok(_) => {
                    let bytes = buffer.split().freeze();
                    buffer.reserve(CHUNK);
                    pipe.take(&active, bytes);
                }
                Err(_) => return Ended::Reset,
            },
            () = network.sleep_until(wake), if !wake.is_never() => {}
        }
    }
}

/// Writes the first so many bytes that wait.
async fn pass(pipe: &mut Pipe<'_>, to: &mut (impl AsyncWrite + Unpin), length: usize) -> std::io::Result<()> {
    let Some(first) = pipe.queue.front_mut() else { return Ok(()) };
    let piece = first.bytes.split_to(length.min(first.bytes.len()));
    let rest_at = pipe.network.now() + pipe_delay(pipe.toxics, pipe.stream, &pipe.drawn);
    if let Some(first) = pipe.queue.front_mut()
        && first.bytes.has_remaining()
    {
        first.at = first.at.max(rest_at);
    } else {
        pipe.queue.pop_front();
    }
    pipe.waiting -= piece.len();
    pipe.passed += piece.len() as u64;
    to.write_all(&piece).await?;
    to.flush().await
}

/// The slicer's time between pieces.
fn pipe_delay(toxics: &Toxics, stream: Stream, drawn: &BTreeMap<u64, bool>) -> Duration {
    let of = toxics.of(stream);
    let mine = of.iter().filter(|toxic| drawn.get(&toxic.number) == Some(&true));
    let delays = mine.filter_map(|numbered| match numbered.toxic.kind {
        Kind::Slicer { delay, .. } => Some(Duration::from_micros(delay)),
        _ => None,
    });
    delays.sum()
}

impl<'a> Pipe<'a> {
    fn new(network: &'a Network, toxics: &'a Toxics, stream: Stream) -> Pipe<'a> {
        let mut random = [0; 8];
        random.copy_from_slice(&network.random("toxics")[..8]);
        let now = network.now();
        Pipe {
            network,
            toxics,
            stream,
            drawn: BTreeMap::new(),
            since: BTreeMap::new(),
            queue: VecDeque::new(),
            waiting: 0,
            last: now,
            free: now,
            passed: 0,
            random: u64::from_be_bytes(random),
        }
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.random;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    /// The toxics that this connection has.
    fn active(&mut self) -> Vec<Numbered> {
        let now = self.network.now();
        let all = self.toxics.of(self.stream);
        for toxic in &all {
            if !self.drawn.contains_key(&toxic.number) {
                let chance = (self.draw() >> 11) as f64 / (1_u64 << 53) as f64;
                self.drawn.insert(toxic.number, chance < toxic.toxic.toxicity);
                self.since.insert(toxic.number, now);
            }
        }
        all.into_iter().filter(|toxic| self.drawn.get(&toxic.number) == Some(&true)).collect()
    }

    /// When a toxic ends the connection, and how.
    fn end(&self, active: &[Numbered]) -> (Instant, Ended) {
        let ends = active.iter().filter_map(|numbered| {
            let since = self.since.get(&numbered.number).copied()?;
            match numbered.toxic.kind {
                Kind::Timeout { timeout } if timeout > 0 => {
                    Some((since + Duration::from_millis(timeout), Ended::Cut))
                }
                Kind::ResetPeer { timeout } => Some((since + Duration::from_millis(timeout), Ended::Reset)),
                Kind::LimitData { bytes } if self.passed >= bytes => Some((Instant::START, Ended::Cut)),
                _ => None,
            }
        });
        ends.min_by_key(|(at, _)| *at).unwrap_or((Instant::NEVER, Ended::Cut))
    }

    /// How many bytes of so many leave at once.
    fn piece(&mut self, active: &[Numbered], there: usize) -> usize {
        let mut piece = there;
        for numbered in active {
            match numbered.toxic.kind {
                Kind::Slicer { average_size, size_variation, .. } if average_size > 0 => {
                    let variation = size_variation.min(average_size - 1);
                    let spread = if variation > 0 { self.draw() % (2 * variation + 1) } else { 0 };
                    piece = piece.min((average_size - variation + spread) as usize);
                }
                Kind::LimitData { bytes } => {
                    piece = piece.min(usize::try_from(bytes - self.passed).unwrap_or(usize::MAX));
                }
                _ => {}
            }
        }
        piece.max(1)
    }

    /// Data that has come: says when it may leave.
    fn take(&mut self, active: &[Numbered], mut bytes: Bytes) {
        let now = self.network.now();
        let rate = active.iter().filter_map(|numbered| match numbered.toxic.kind {
            Kind::Bandwidth { rate } => Some(rate.max(1) * 1_000),
            _ => None,
        });
        let rate = rate.min();
        let loses = active.iter().any(|numbered| matches!(numbered.toxic.kind, Kind::Loss { .. }));
        // Small pieces leave evenly, as a narrow place lets them.
        let step = if rate.is_some() || loses { SEGMENT } else { bytes.len() };
        let late = self.late(active);
        while bytes.has_remaining() {
            let piece = bytes.split_to(step.min(bytes.len()));
            if let Some(rate) = rate {
                let cost =
                    Duration::from_nanos((piece.len() as u128 * 1_000_000_000 / u128::from(rate)) as u64);
                self.free = self.free.max(now) + cost;
            } else {
                self.free = now;
            }
            let again = self.sent_again(active);
            let at = (self.free + late + again).max(self.last);
            self.last = at;
            self.waiting += piece.len();
            self.queue.push_back(Waiting { at, bytes: piece });
        }
    }

    fn late(&mut self, active: &[Numbered]) -> Duration {
        let mut late = Duration::ZERO;
        for numbered in active {
            if let Kind::Latency { latency, jitter } = numbered.toxic.kind {
                let (latency, jitter) = (latency.saturating_mul(1_000_000), jitter.saturating_mul(1_000_000));
                let spread = if jitter > 0 { self.draw() % jitter.saturating_mul(2).max(1) } else { 0 };
                late += Duration::from_nanos((latency + spread).saturating_sub(jitter));
            }
        }
        late
    }

    /// How long a segment takes longer because it was lost, perhaps more than once.
    fn sent_again(&mut self, active: &[Numbered]) -> Duration {
        let mut longer = Duration::ZERO;
        for numbered in active {
            if let Kind::Loss { per_million, delay } = numbered.toxic.kind {
                let mut again = Duration::from_millis(delay);
                for _ in 0..6 {
                    if self.draw() % 1_000_000 >= per_million {
                        break;
                    }
                    longer += again;
                    // RFC 6298 5.5: each further time is waited for twice as long.
                    again *= 2;
                }
            }
        }
        longer
    }
}

fn is_timeout(toxic: &Numbered) -> bool {
    matches!(toxic.toxic.kind, Kind::Timeout { .. })
}

fn limit(active: &[Numbered]) -> Option<u64> {
    let limits = active.iter().filter_map(|numbered| match numbered.toxic.kind {
        Kind::LimitData { bytes } => Some(bytes),
        _ => None,
    });
    limits.min()
}

fn slow_close(active: &[Numbered]) -> Option<Duration> {
    let delays = active.iter().filter_map(|numbered| match numbered.toxic.kind {
        Kind::SlowClose { delay } => Some(Duration::from_millis(delay)),
        _ => None,
    });
    delays.max()
}
