//! Every number a rule compares with, in one place, and why it is that number.

/// One millisecond in nanoseconds.
pub const MS: u64 = 1_000_000;

/// An ICMP "unreachable" that took longer than this was not sent by a router that had no route: such a router answers
/// within one round trip, and no path on Earth has a round trip near 1 s. It waited for a neighbour that did not
/// answer three requests one second apart (RFC 4861 `MAX_MULTICAST_SOLICIT` x `RETRANS_TIMER`; Linux ARP alike).
pub const NEIGHBOUR_WAIT: u64 = 1_000 * MS;

/// Two packets of one host differ in TTL by at most this when they took the same way: parallel paths may differ by a
/// hop.
pub const TTL_SLACK: i64 = 1;

/// A reset that came faster than this share of the host's own round trip came from something nearer.
pub const NEARER_THAN_HOST_PERCENT: u64 = 60;

/// Lost pings below this many prove nothing: one may be lost anywhere.
pub const LOST_PINGS_MIN: i64 = 2;

/// Loss below this share of the pings is what healthy long paths have.
pub const LOSS_MIN: f64 = 0.005;

/// So many repaired holes in one transfer are no accident. One is harmless (a lone retransmission, a reordered packet).
pub const LOSS_EVENTS_MIN: i64 = 3;

/// Without a lost ping, a random loss as large as the transfer's would have shown in so many pings with 97 %.
pub const PINGS_THAT_SHOW_LOSS: i64 = 90;

/// A way that loses this share of all round trips stalls transfers by itself: TCP moves a packet a second or less.
pub const HEAVY_LOSS: f64 = 0.15;

/// Fewer lost pings may be an accident.
pub const HEAVY_LOSS_PINGS: i64 = 5;

/// A hop takes part in the loss if it loses at least this share of what the target loses; loss at a middle hop that the
/// later hops do not have is only a router too busy to answer.
pub const HOP_LOSS_SHARE: f64 = 0.4;

/// The round trip under load is "much larger" from this factor on: a healthy queue adds at most about one round trip
/// (RFC 7567 recommends far less).
pub const BLOAT_FACTOR: u64 = 3;

/// And from this growth on, whatever the factor: people notice 100 ms (ITU-T G.114 calls 150 ms one way the limit of
/// good speech); below, a factor of 3 over a short path is no harm.
pub const BLOAT_GROWTH: u64 = 50 * MS;

/// Without pings under load, the connection's own round trips must grow by more, for a delayed acknowledgement
/// (RFC 9293: up to 500 ms, 40 ms in practice) inflates them too.
pub const BLOAT_GROWTH_TCP: u64 = 120 * MS;

/// As [`BLOAT_FACTOR`], from the connection's own round trips.
pub const BLOAT_FACTOR_TCP: u64 = 4;

/// A connection that needed a second SYN took at least the first retransmission timer, 1 s (RFC 6298 2.1).
pub const SYN_RETRY: u64 = 900 * MS;

/// A request that waits so long for its answer may be one that waits for news (RFC 6202: 30 s and more are common).
pub const LONG_POLL: u64 = 20_000 * MS;

/// A first byte later than this after one round trip is slow: web measurement calls up to 800 ms good.
pub const THINK_TIME: u64 = 800 * MS;

/// A transfer that stood still for so long was not slowed by loss: a single loss costs one round trip.
pub const LONG_PAUSE: u64 = 1_000 * MS;

/// So many pings lost one after the other are no chance: at 20 % loss each way it happens in one of 2,500 trains of 20.
pub const LOST_IN_A_ROW_MIN: i64 = 10;

/// A transfer below this is not worth calling slow.
pub const SLOW_TRANSFER: u64 = 1_000 * MS;

/// A lookup slower than this is felt, and longer than any single round trip: some question waited.
pub const SLOW_LOOKUP: u64 = 800 * MS;

/// A handshake slower than its round trips by this much waited for somebody's computing.
pub const SLOW_HANDSHAKE: u64 = 800 * MS;

/// A clock that is off by this much makes certificates look wrong; a server's own clock is right to the minute.
pub const CLOCK_OFF_SECONDS: u64 = 3_600;

/// Sure that a whole, undisturbed answer means all is well.
pub const SURE_HEALTHY: f64 = 0.97;
/// Sure that all is well when only a part of a request was tried.
pub const SURE_PARTIAL: f64 = 0.8;
