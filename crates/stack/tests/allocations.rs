//! What a host allocates while data flows: nothing. Buffers, containers and objects are used again.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use thru_stack::tcp::{TcpConfig, TcpConnectOptions, TcpId};
use thru_stack::testing::{A4, B4};
use thru_stack::{BufferPool, Frame, Host, HostConfig, InterfaceConfig, InterfaceId, Medium, Offloads};
use thru_wire::{Cidr, Instant, MacAddr};

thread_local! {
    /// Allocations of this thread: tests run side by side.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counted.
struct Counting;

#[expect(unsafe_code, reason = "the trait is unsafe; every call is handed on as it came")]
// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LINK: InterfaceId = InterfaceId(0);

/// How frames get from one host to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Each packet alone.
    Packets,
    /// The packets of a call together.
    Batches,
    /// Super-segments, with the payload beside the headers or behind them.
    Whole { gather: bool },
}

/// Two hosts with a connection between them.
struct Pair {
    hosts: [Host; 2],
    ends: [TcpId; 2],
    now: Instant,
    way: Way,
    buffer: Vec<u8>,
}

impl Pair {
    fn new(medium: Medium, way: Way) -> Pair {
        let pool = BufferPool::default();
        let host = |index: u8, address| {
            let tcp = TcpConfig { send_buffer: 200_000, receive_buffer: 200_000, ..TcpConfig::default() };
            let mut host = Host::new(HostConfig { seed: index.into(), tcp, ..HostConfig::default() });
            let mac = MacAddr([2, 0, 0, 0, 0, index]);
            let name = "eth0".into();
            let id = host.add_interface(InterfaceConfig { name, medium, mac, mtu: 1_500 });
            host.add_address(id, Cidr::new(address, 24).unwrap());
            if let Way::Whole { gather } = way {
                let offloads = Offloads { segmentation: 65_535, checksum: true, gather, in_turns: false };
                host.set_offloads(id, offloads);
            }
            host.share_buffers(pool.clone());
            host
        };
        let mut hosts = [host(1, A4), host(2, B4)];
        let now = Instant::from_millis(1);
        let listener = hosts[1].tcp_listen((B4, 80).into(), 1).unwrap();
        let options = TcpConnectOptions::default();
        let client = hosts[0].tcp_connect(now, None, (B4, 80).into(), options).unwrap();
        let mut pair = Pair { hosts, ends: [client; 2], now, way, buffer: vec![0; 65_536] };
        while pair.carry(0) + pair.carry(1) > 0 {}
        pair.ends[1] = pair.hosts[1].tcp_accept(listener).expect("a finished handshake");
        pair
    }

    /// Carries everything one host has to send to the other; how many frames those were.
    fn carry(&mut self, from: usize) -> usize {
        let (left, right) = self.hosts.split_at_mut(1);
        let (from, to) =
            if from == 0 { (&mut left[0], &mut right[0]) } else { (&mut right[0], &mut left[0]) };
        let mut count = 0;
        let frames =
            std::iter::from_fn(|| from.poll_transmit()).inspect(|_| count += 1).map(|(_, frame)| frame);
        if self.way == Way::Packets {
            frames.for_each(|frame: Frame| to.handle_frame(self.now, LINK, frame));
        } else {
            to.handle_frames(self.now, LINK, frames);
        }
        count
    }

    /// One end writes `block`, both talk until the other has all of it. Segments with payload so far are in `packets`.
    fn send(&mut self, from: usize, block: &[u8]) {
        let (mut written, mut read) = (0, 0);
        while read < block.len() {
            written += self.hosts[from].tcp_write(self.now, self.ends[from], &block[written..]).unwrap();
            self.carry(from);
            let to = 1 - from;
            while let Ok(Some(len @ 1..)) = self.hosts[to].tcp_read(self.now, self.ends[to], &mut self.buffer)
            {
                assert_eq!(self.buffer[..len], block[read..read + len]);
                read += len;
            }
            self.carry(to);
            self.now += Duration::from_micros(50);
            for host in &mut self.hosts {
                if host.next_deadline() <= self.now {
                    host.handle_deadline(self.now);
                }
            }
        }
    }

    fn segments(&self) -> u64 {
        let sent = |index: usize| self.hosts[index].tcp_info(self.ends[index]).unwrap().segments_sent;
        sent(0) + sent(1)
    }
}

/// Allocations, and segments, of `rounds` rounds in steady state.
fn steady(pair: &mut Pair, rounds: usize, mut round: impl FnMut(&mut Pair)) -> (u64, u64) {
    // The state is steady when the history of the connection has its points and containers have grown.
    for _ in 0..3 * rounds {
        round(pair);
    }
    let (segments, before) = (pair.segments(), ALLOCATIONS.get());
    for _ in 0..rounds {
        round(pair);
    }
    (ALLOCATIONS.get() - before, pair.segments() - segments)
}

#[test]
fn bulk_data_is_carried_without_allocating_in_either_direction() {
    let block: Vec<u8> = (0..65_536u32).map(|byte| (byte ^ byte >> 8) as u8).collect();
    for medium in [Medium::Ip, Medium::Ethernet] {
        for way in [Way::Packets, Way::Batches, Way::Whole { gather: true }, Way::Whole { gather: false }] {
            for from in [0, 1] {
                let mut pair = Pair::new(medium, way);
                let (allocations, segments) = steady(&mut pair, 200, |pair| pair.send(from, &block));
                assert!(segments > 200 * 45, "{segments}");
                assert_eq!(allocations, 0, "{medium:?} {way:?} from {from}, {segments} segments");
            }
        }
    }
}

#[test]
fn questions_and_answers_go_to_and_fro_without_allocating() {
    let block = [7; 2_000];
    for way in [Way::Packets, Way::Batches, Way::Whole { gather: true }] {
        for len in [1, 100, 511, 512, 1_448, 2_000] {
            let mut pair = Pair::new(Medium::Ethernet, way);
            let (allocations, segments) = steady(&mut pair, 400, |pair| {
                pair.send(0, &block[..len]);
                pair.send(1, &block[..len]);
            });
            assert!(segments >= 800, "{segments}");
            assert_eq!(allocations, 0, "{way:?} {len} bytes, {segments} segments");
        }
    }
}

#[test]
fn small_pieces_that_nobody_reads_yet_gather_in_buffers_that_are_there() {
    let mut pair = Pair::new(Medium::Ip, Way::Packets);
    let (allocations, _) = steady(&mut pair, 50, |pair| {
        for _ in 0..60 {
            pair.hosts[0].tcp_write(pair.now, pair.ends[0], &[7; 100]).unwrap();
            pair.carry(0);
            pair.carry(1);
        }
        while let Ok(Some(1..)) = pair.hosts[1].tcp_read(pair.now, pair.ends[1], &mut pair.buffer) {}
        pair.carry(1);
        pair.now += Duration::from_micros(50);
    });
    assert_eq!(allocations, 0);
}
