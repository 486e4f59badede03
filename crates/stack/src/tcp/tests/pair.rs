//! Two `Tcp` values and a link between them that delays, loses, reorders and duplicates. Time jumps to
//! whatever happens next; every run is bounded in steps.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;

use thru_wire::Instant;

use super::super::*;
use crate::random::Random;

pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What the link does; probabilities in percent.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) delay: Duration,
    pub(crate) loss: u64,
    pub(crate) duplicate: u64,
    /// So many per cent of the segments arrive up to a delay late.
    pub(crate) reorder: u64,
    /// Bytes per second; 0: no limit.
    pub(crate) rate: u64,
    pub(crate) seed: u64,
}

impl Default for Link {
    fn default() -> Link {
        Link { delay: ms(20), loss: 0, duplicate: 0, reorder: 0, rate: 0, seed: 1 }
    }
}

/// What an end knows of the network.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) own: Vec<IpAddr>,
    pub(crate) mtu: usize,
}

impl Path for Way {
    fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        self.own.iter().copied().find(|own| own.is_ipv4() == destination.is_ipv4())
    }

    fn mtu(&self, _: IpAddr) -> usize {
        self.mtu
    }

    fn is_local(&self, address: IpAddr) -> bool {
        self.own.contains(&address)
    }
}

pub(crate) struct Duo {
    pub(crate) now: Instant,
    pub(crate) ends: [Tcp; 2],
    pub(crate) ways: [Way; 2],
    pub(crate) link: Link,
    /// Packets longer than this vanish on the way (or come back as an error, see `tells_mtu`).
    pub(crate) narrow: usize,
    pub(crate) tells_mtu: bool,
    random: Random,
    flying: BTreeMap<(Instant, u64), (usize, SegmentOut)>,
    sequence: u64,
    busy_until: [Instant; 2],
    pub(crate) sent: [u64; 2],
    pub(crate) steps: u64,
}

impl Duo {
    pub(crate) fn over(link: Link) -> Duo {
        Duo::with(link, TcpConfig::default(), TcpConfig::default())
    }

    pub(crate) fn with(link: Link, client: TcpConfig, server: TcpConfig) -> Duo {
        let way = |last: u8| Way {
            own: vec![
                Ipv4Addr::new(10, 0, 0, last).into(),
                Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last.into()).into(),
            ],
            mtu: 1_500,
        };
        Duo {
            now: Instant::from_millis(1_000),
            ends: [Tcp::new(client, 2 * link.seed), Tcp::new(server, 2 * link.seed + 1)],
            ways: [way(1), way(2)],
            random: Random::new(link.seed, "pair"),
            link,
            narrow: usize::MAX,
            tells_mtu: false,
            flying: BTreeMap::new(),
            sequence: 0,
            busy_until: [Instant::START; 2],
            sent: [0; 2],
            steps: 0,
        }
    }

    pub(crate) fn address(end: usize, port: u16) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::new(10, 0, 0, end as u8 + 1).into(), port)
    }

    pub(crate) fn listen(&mut self, port: u16, backlog: usize) -> ListenerId {
        self.ends[SERVER].listen(&self.ways[SERVER], Duo::address(SERVER, port), backlog).unwrap()
    }

    pub(crate) fn connect(&mut self, port: u16) -> TcpId {
        let id = self.ends[CLIENT]
            .connect(
                self.now,
                &self.ways[CLIENT],
                None,
                Duo::address(SERVER, port),
                TcpConnectOptions::default(),
            )
            .unwrap();
        self.pump();
        id
    }

    /// Listener, client's and server's end of an established connection.
    pub(crate) fn established(&mut self) -> (ListenerId, TcpId, TcpId) {
        let listener = self.listen(80, 8);
        let client = self.connect(80);
        for _ in 0..1_000 {
            if let Some(server) = self.ends[SERVER].accept(listener) {
                return (listener, client, server);
            }
            assert!(self.step());
        }
        panic!("no connection in 1000 steps");
    }

    /// Puts on the wire what both ends want to send.
    pub(crate) fn pump(&mut self) {
        for end in [CLIENT, SERVER] {
            while let Some(segment) = self.ends[end].poll_transmit(self.now, &self.ways[end]) {
                self.put(end, segment);
            }
        }
    }

    fn put(&mut self, from: usize, segment: SegmentOut) {
        self.sent[from] += 1;
        let len = segment.bytes.len() + 20;
        if len > self.narrow {
            if self.tells_mtu {
                self.ways[from].mtu = self.narrow;
                let header = thru_wire::tcp::Tcp::parse(&segment.bytes, None).unwrap().0;
                let report = IcmpReport {
                    at: self.now,
                    from: Ipv4Addr::new(10, 0, 0, 9).into(),
                    kind: crate::icmp::IcmpErrorKind::PacketTooBig { mtu: self.narrow as u32 },
                    icmp_type: 3,
                    icmp_code: 4,
                    quoted_destination: SocketAddr::new(segment.dst, header.dst_port),
                    quoted_source_port: header.src_port,
                    quoted_source: segment.src,
                    ttl: 64,
                };
                self.ends[from].handle_icmp(&self.ways[from], &report, header.seq);
            }
            return;
        }
        let mut leaves = self.now;
        if let Some(nanos) = (len as u64 * 1_000_000_000).checked_div(self.link.rate) {
            leaves = leaves.max(self.busy_until[from]) + Duration::from_nanos(nanos);
            self.busy_until[from] = leaves;
        }
        if !self.ways[1 - from].own.contains(&segment.dst) {
            // For a stranger: it took its time on the link like any other.
            return;
        }
        if self.random.below(100) < self.link.loss {
            return;
        }
        let copies = if self.random.below(100) < self.link.duplicate { 2 } else { 1 };
        for _ in 0..copies {
            let mut arrives = leaves + self.link.delay;
            if self.random.below(100) < self.link.reorder {
                arrives += Duration::from_nanos(self.random.below(self.link.delay.as_nanos() as u64 + 1));
            }
            self.sequence += 1;
            self.flying.insert((arrives, self.sequence), (1 - from, segment.clone()));
        }
    }

    /// A segment from a stranger arrives now.
    pub(crate) fn inject(&mut self, to: usize, segment: SegmentIn) {
        self.ends[to].handle_segment(&self.ways[to], segment);
        self.pump();
    }

    pub(crate) fn next_event(&self) -> Instant {
        let arrival = self.flying.keys().next().map_or(Instant::NEVER, |key| key.0);
        arrival.min(self.ends[0].next_deadline()).min(self.ends[1].next_deadline())
    }

    /// Jumps to what happens next. `false` if nothing ever will.
    pub(crate) fn step(&mut self) -> bool {
        self.steps += 1;
        self.pump();
        let next = self.next_event();
        if next.is_never() {
            return false;
        }
        self.now = self.now.max(next);
        for end in [CLIENT, SERVER] {
            if self.ends[end].next_deadline() <= self.now {
                self.ends[end].handle_deadline(self.now, &self.ways[end]);
            }
        }
        if let Some((&(arrives, _), _)) = self.flying.first_key_value()
            && arrives <= self.now
        {
            let (_, (to, segment)) = self.flying.pop_first().unwrap();
            let arrived = SegmentIn {
                src: segment.src,
                dst: segment.dst,
                ttl: 60,
                ecn: 0,
                rx_time: arrives,
                bytes: segment.bytes.into(),
                verified: false,
            };
            self.ends[to].handle_segment(&self.ways[to], arrived);
        }
        self.pump();
        true
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..1_000_000 {
            self.pump();
            if self.next_event() > end {
                self.now = end;
                return;
            }
            self.step();
        }
        panic!("more than a million steps");
    }
}

/// Bytes that tell their place.
pub(crate) fn pattern(from: usize, len: usize) -> Vec<u8> {
    (from..from + len).map(|place| (place.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}
