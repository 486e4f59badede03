//! Two of our hosts, back to back.

use std::time::Duration;

use thru_stack::tcp::{ListenerId, TcpConfig, TcpConnectOptions, TcpId};
use thru_stack::testing::{A4, B4};
use thru_stack::{BufferPool, Frame, Host, HostConfig, InterfaceConfig, InterfaceId, Medium, Offloads};
use thru_wire::{Cidr, Instant, MacAddr};

use crate::meter::{Cost, Meter};

/// Idle connections go to several ports: one has no more than 65,535 counterparts.
const IDLE_PORTS: u16 = 8;
const LINK: InterfaceId = InterfaceId(0);

pub(crate) struct Ours {
    a: Host,
    b: Host,
    now: Instant,
    listeners: Vec<ListenerId>,
    bulk: Option<(TcpId, TcpId)>,
    /// Frames with payload that crossed.
    full: u64,
    block: Vec<u8>,
    buffer: Vec<u8>,
    way: Way,
}

/// How frames get from one host to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// One by one: every packet is cut, summed, handed over and verified alone.
    Packets,
    /// The same packets, handed over in the batches in which they left; the receiver coalesces.
    Batches,
    /// Super-segments, cut by nobody.
    Whole,
}

impl Ours {
    pub(crate) fn new(buffer: usize, way: Way) -> Ours {
        let host = |seed, address| {
            let tcp = TcpConfig { send_buffer: buffer, receive_buffer: buffer, ..TcpConfig::default() };
            let mut host = Host::new(HostConfig { seed, tcp, ..HostConfig::default() });
            let id = host.add_interface(InterfaceConfig {
                name: "eth0".into(),
                medium: Medium::Ip,
                mac: MacAddr::default(),
                mtu: 1_500,
            });
            host.add_address(id, Cidr::new(address, 24).expect("a legal prefix length"));
            if way == Way::Whole {
                let (segmentation, in_turns) = (65_535, false);
                host.set_offloads(id, Offloads { segmentation, checksum: true, gather: true, in_turns });
            }
            host
        };
        let (mut a, mut b) = (host(1, A4), host(2, B4));
        let pool = BufferPool::default();
        a.share_buffers(pool.clone());
        b.share_buffers(pool);
        let listeners = (0..=IDLE_PORTS)
            .map(|port| b.tcp_listen((B4, 1_000 + port).into(), 128).expect("a free port"))
            .collect();
        Ours {
            a,
            b,
            now: Instant::from_millis(1),
            listeners,
            bulk: None,
            full: 0,
            block: vec![7; 65_536],
            buffer: vec![0; 65_536],
            way,
        }
    }

    /// Everything one side wants to send reaches the other, then the other way round. Whether anything moved.
    fn exchange(&mut self) -> bool {
        let mut moved = false;
        while let Some((_, frame)) = self.a.poll_transmit() {
            moved = true;
            self.b.handle_frame(self.now, LINK, frame);
        }
        while let Some((_, frame)) = self.b.poll_transmit() {
            moved = true;
            self.a.handle_frame(self.now, LINK, frame);
        }
        moved
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        if self.a.next_deadline() <= self.now {
            self.a.handle_deadline(self.now);
        }
        if self.b.next_deadline() <= self.now {
            self.b.handle_deadline(self.now);
        }
    }

    fn open(&mut self, port: u16) -> (TcpId, TcpId) {
        let to = (B4, 1_000 + port).into();
        let client =
            self.a.tcp_connect(self.now, None, to, TcpConnectOptions::default()).expect("a free port");
        while self.exchange() {}
        (client, self.b.tcp_accept(self.listeners[usize::from(port)]).expect("a finished handshake"))
    }

    /// Connections on which nothing happens.
    pub(crate) fn add_idle(&mut self, count: usize) {
        for index in 0..count {
            self.open(1 + index as u16 % IDLE_PORTS);
            self.pass(Duration::from_micros(10));
        }
    }

    /// Connections that carried a kilobyte, and on which nothing has happened since.
    pub(crate) fn add_resting(&mut self, count: usize) {
        for index in 0..count {
            let (client, server) = self.open(1 + index as u16 % IDLE_PORTS);
            assert_eq!(self.a.tcp_write(self.now, client, &self.block[..1_000]), Ok(1_000));
            while self.exchange() {}
            assert_eq!(self.b.tcp_read(self.now, server, &mut self.buffer), Ok(Some(1_000)));
            self.pass(Duration::from_micros(10));
            while self.exchange() {}
        }
        for _ in 0..100 {
            self.pass(Duration::from_millis(100));
            while self.exchange() {}
        }
    }

    /// Carries so many bytes over one connection.
    pub(crate) fn transfer(&mut self, bytes: u64) -> Cost {
        let (client, server) = match self.bulk {
            Some(ends) => ends,
            None => self.open(0),
        };
        self.bulk = Some((client, server));
        let (mut written, mut read) = (0, 0);
        let before = self.full;
        let meter = Meter::start();
        while read < bytes {
            let wanted = (bytes - written).min(self.block.len() as u64) as usize;
            written += self.a.tcp_write(self.now, client, &self.block[..wanted]).expect("open") as u64;
            self.full += carry(&mut self.a, &mut self.b, self.now, self.way);
            while let Ok(Some(len @ 1..)) = self.b.tcp_read(self.now, server, &mut self.buffer) {
                read += len as u64;
            }
            carry(&mut self.b, &mut self.a, self.now, self.way);
            self.pass(Duration::from_micros(20));
        }
        meter.stop(self.full - before, bytes)
    }

    /// Connects, sends a byte, closes on both sides; so many times.
    pub(crate) fn connections(&mut self, times: u64) -> Cost {
        let meter = Meter::start();
        for index in 0..times {
            let (client, server) = self.open(1 + index as u16 % IDLE_PORTS);
            let mut byte = [0];
            assert_eq!(self.a.tcp_write(self.now, client, b"x"), Ok(1));
            self.a.tcp_release(self.now, client);
            self.exchange();
            assert_eq!(self.b.tcp_read(self.now, server, &mut byte), Ok(Some(1)));
            assert_eq!(self.b.tcp_read(self.now, server, &mut byte), Ok(Some(0)));
            self.b.tcp_release(self.now, server);
            while self.exchange() {}
            // In real time at this rate TIME-WAIT would fill every port; at one a millisecond 60,000 wait.
            self.pass(Duration::from_millis(1));
        }
        meter.stop(times, times)
    }

    /// Connections in TIME-WAIT.
    pub(crate) fn waiting(&self) -> usize {
        self.a.tcp_population().2 + self.b.tcp_population().2
    }
}

/// Takes everything one host wants to send to the other. How many packets of payload that was.
fn carry(from: &mut Host, to: &mut Host, now: Instant, way: Way) -> u64 {
    let mut packets = 0;
    let count = |frame: &Frame| match frame.offload.segmentation {
        Some(how) => frame.len().div_ceil(usize::from(how.segment_size)) as u64,
        None => u64::from(frame.len() > 600),
    };
    if way == Way::Packets {
        while let Some((_, frame)) = from.poll_transmit() {
            packets += count(&frame);
            to.handle_frame(now, LINK, frame);
        }
    } else {
        let frames = std::iter::from_fn(|| from.poll_transmit()).map(|(_, frame)| frame);
        to.handle_frames(now, LINK, frames.inspect(|frame| packets += count(frame)));
    }
    packets
}
