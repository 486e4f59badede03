//! What applications and the network do to one TCP connection (and a little UDP beside it), as a script.
//!
//! Held to: nothing panics; every byte read is the byte written at that place; once the network is well
//! again, either everything written arrives and both sides close, or the connection has failed and says
//! why; and in the end both hosts fall silent. Where somebody on the path forges frames, nothing can be
//! said about the data; the rest holds.

use core::net::SocketAddr;
use core::time::Duration;

use arbitrary::Arbitrary;
use thru_stack::tcp::{TcpConnectOptions, TcpId};
use thru_stack::testing::{A4, A6, B4, B6, Link, Pair, Side};
use thru_stack::udp::UdpSend;
use thru_stack::{Frame, InterfaceId, Medium};
use thru_wire::Instant;

/// A whole run.
#[derive(Arbitrary, Debug)]
pub struct Script {
    /// Seed of the link's chances and of both hosts.
    pub seed: u16,
    /// Over IPv6 instead of IPv4.
    pub v6: bool,
    /// Ethernet instead of bare IP.
    pub ethernet: bool,
    /// Both sides connect to each other at once instead of one listening.
    pub simultaneous: bool,
    /// What happens.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Arbitrary, Debug)]
pub enum Step {
    /// An application writes.
    Write(End, u16),
    /// An application reads.
    Read(End, u16),
    /// The next events happen.
    Deliver(u8),
    /// From now on this share of frames is lost, in 256ths.
    Lose(u8),
    /// From now on this share of frames arrives twice, in 256ths.
    Duplicate(u8),
    /// From now on this share of frames is overtaken, by so many milliseconds.
    Reorder(u8, u8),
    /// From now on the link is so fast (16 kbit/s each) and takes so many milliseconds.
    Link(u8, u8),
    /// Time passes, in milliseconds.
    Wait(u16),
    /// An application has no more to write.
    Close(End),
    /// An application ends the connection at once.
    Abort(End),
    /// An application lets go.
    Release(End),
    /// Small segments wait for no acknowledgment, or do.
    NoDelay(End, bool),
    /// A datagram, larger than the MTU perhaps.
    Datagram(End, u16),
    /// A datagram to a port where nobody listens.
    StrayDatagram(End),
    /// Somebody on the path sends this end one of the last frames again, with some bytes changed and the
    /// checksums mended.
    Forge(End, u8, Vec<(u8, u8)>),
}

/// One of the two ends.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum End {
    /// The host that connects.
    Client,
    /// The host that listens.
    Server,
}

/// Steps that a network which is well again may take to come to rest.
const PATIENCE: usize = 400_000;

/// One end's application.
#[derive(Default)]
struct App {
    id: Option<TcpId>,
    written: u64,
    read: u64,
    /// No more writes: closed, aborted or let go.
    shut: bool,
    /// Let go: nothing may be asked of the connection any more.
    released: bool,
    /// Aborted on this side.
    aborted: bool,
    /// The end of the other's data was read.
    finished: bool,
    failed: bool,
}

/// The byte at place `at` of what `end` writes.
fn pattern(end: End, at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8 ^ end as u8
}

struct Run {
    pair: Pair,
    apps: [App; 2],
    listener: Option<thru_stack::tcp::ListenerId>,
    /// A frame was forged.
    tainted: bool,
    /// Bytes of the link header.
    ip_at: usize,
}

fn side(end: End) -> Side {
    match end {
        End::Client => Side::A,
        End::Server => Side::B,
    }
}

fn other(end: End) -> End {
    match end {
        End::Client => End::Server,
        End::Server => End::Client,
    }
}

/// Carries a script out; every eighth twice, since a run must repeat to the frame and the nanosecond.
///
/// # Panics
///
/// If the stack breaks one of its promises.
pub fn run(script: &Script) {
    let end = run_once(script);
    if script.seed % 8 == 0 {
        assert_eq!(run_once(script), end, "the same script went another way");
    }
}

/// Answers how many frames there were and when silence fell.
fn run_once(script: &Script) -> (u64, Instant) {
    let medium = if script.ethernet { Medium::Ethernet } else { Medium::Ip };
    let link = Link { seed: u64::from(script.seed), medium, ..Link::default() };
    let mut pair = Pair::over(link);
    let (a, b) = if script.v6 { (A6, B6) } else { (A4, B4) };
    let (client, server) = (SocketAddr::new(a, 4000), SocketAddr::new(b, 80));
    for (host, address) in [(&mut pair.a, a), (&mut pair.b, b)] {
        host.udp_bind(SocketAddr::new(address, 53)).expect("a free port");
    }
    let now = pair.now();
    let options = TcpConnectOptions::default();
    // Only forging needs to remember the frames.
    if script.steps.iter().any(|step| matches!(step, Step::Forge(..))) {
        pair.log = Some(Vec::new());
    }
    let ip_at = if script.ethernet { 14 } else { 0 };
    let mut run = Run { pair, apps: Default::default(), listener: None, tainted: false, ip_at };
    run.apps[0].id = run.pair.a.tcp_connect(now, Some(client), server, options).ok();
    if script.simultaneous {
        let options = TcpConnectOptions::default();
        run.apps[1].id = run.pair.b.tcp_connect(now, Some(server), client, options).ok();
    } else {
        run.listener = run.pair.b.tcp_listen(server, 4).ok();
    }
    for step in script.steps.iter().take(400) {
        run.step(step, script.v6);
        run.accept();
    }
    run.come_to_rest()
}

impl Run {
    fn step(&mut self, step: &Step, v6: bool) {
        let now = self.pair.now();
        match *step {
            Step::Forge(end, back, ref changes) => self.forge(end, back, changes),
            Step::Write(end, count) => self.write(end, count),
            Step::Read(end, count) => self.read(end, usize::from(count)),
            Step::Deliver(events) => {
                for _ in 0..=events {
                    self.pair.step();
                }
            }
            Step::Lose(share) => self.pair.link.loss = share_of(share),
            Step::Duplicate(share) => self.pair.link.duplicate = share_of(share),
            Step::Reorder(share, millis) => {
                self.pair.link.reorder = share_of(share);
                self.pair.link.reorder_by = Duration::from_millis(u64::from(millis));
            }
            Step::Link(rate, millis) => {
                self.pair.link.rate = u64::from(rate) * 16_000;
                self.pair.link.delay = Duration::from_millis(u64::from(millis));
            }
            Step::Wait(millis) => self.pair.run_for(Duration::from_millis(u64::from(millis))),
            Step::Close(end) => {
                let Some(id) = self.open(end) else { return };
                let _ = self.pair.host(side(end)).tcp_shutdown(now, id);
                self.apps[end as usize].shut = true;
            }
            Step::Abort(end) => {
                let Some(id) = self.open(end) else { return };
                self.pair.host(side(end)).tcp_abort(now, id);
                let app = &mut self.apps[end as usize];
                (app.shut, app.aborted) = (true, true);
            }
            Step::Release(end) => self.release(end),
            Step::NoDelay(end, on) => {
                let Some(id) = self.open(end) else { return };
                self.pair.host(side(end)).tcp_set_nodelay(now, id, on);
            }
            Step::Datagram(end, count) => self.datagram(end, usize::from(count), 53, v6),
            Step::StrayDatagram(end) => self.datagram(end, 1, 54, v6),
        }
    }

    /// The end's connection, unless it was let go.
    fn open(&self, end: End) -> Option<TcpId> {
        let app = &self.apps[end as usize];
        app.id.filter(|_| !app.released)
    }

    fn accept(&mut self) {
        if let (Some(listener), None) = (self.listener, self.apps[1].id) {
            self.apps[1].id = self.pair.b.tcp_accept(listener);
        }
    }

    fn write(&mut self, end: End, count: u16) {
        let (now, Some(id)) = (self.pair.now(), self.open(end)) else { return };
        let app = &mut self.apps[end as usize];
        if app.shut {
            return;
        }
        let data: Vec<u8> = (0..u64::from(count)).map(|at| pattern(end, app.written + at)).collect();
        match self.pair.host(side(end)).tcp_write(now, id, &data) {
            Ok(taken) => {
                assert!(taken <= data.len(), "more was taken than given");
                self.apps[end as usize].written += taken as u64;
            }
            Err(_) => self.apps[end as usize].failed = true,
        }
    }

    fn read(&mut self, end: End, count: usize) {
        let (now, Some(id)) = (self.pair.now(), self.open(end)) else { return };
        let mut buffer = vec![0; count];
        let result = self.pair.host(side(end)).tcp_read(now, id, &mut buffer);
        let app = &mut self.apps[end as usize];
        match result {
            Ok(Some(0)) if count > 0 => app.finished = true,
            Ok(Some(taken)) => {
                assert!(!app.finished || taken == 0, "data after the end of data");
                for (at, byte) in buffer[..taken].iter().enumerate().filter(|_| !self.tainted) {
                    let place = app.read + at as u64;
                    assert_eq!(
                        *byte,
                        pattern(other(end), place),
                        "byte {place} read by {end:?} is not what was written"
                    );
                }
                app.read += taken as u64;
            }
            Ok(None) => {}
            Err(_) => app.failed = true,
        }
        let (read, written) = (self.apps[end as usize].read, self.apps[other(end) as usize].written);
        assert!(read <= written || self.tainted, "{end:?} read {read} bytes of {written} written");
    }

    fn forge(&mut self, end: End, back: u8, changes: &[(u8, u8)]) {
        let Some(log) = &self.pair.log else { return };
        let Some(sent) = log.iter().rev().filter(|sent| sent.from == side(other(end))).nth(usize::from(back))
        else {
            return;
        };
        let mut bytes = sent.bytes.to_vec();
        for &(at, value) in changes {
            if let Some(byte) = bytes.get_mut(usize::from(at)) {
                *byte = value;
            }
        }
        if bytes.len() > self.ip_at {
            crate::mend(&mut bytes[self.ip_at..]);
        }
        let now = self.pair.now();
        let frame = Frame::new(bytes.into(), now);
        self.pair.host(side(end)).handle_frame(now, InterfaceId(0), frame);
        self.tainted = true;
    }

    fn release(&mut self, end: End) {
        let (now, Some(id)) = (self.pair.now(), self.open(end)) else { return };
        self.pair.host(side(end)).tcp_release(now, id);
        let app = &mut self.apps[end as usize];
        (app.shut, app.released) = (true, true);
    }

    fn datagram(&mut self, end: End, count: usize, port: u16, v6: bool) {
        let to = match (end, v6) {
            (End::Client, false) => B4,
            (End::Client, true) => B6,
            (End::Server, false) => A4,
            (End::Server, true) => A6,
        };
        let now = self.pair.now();
        let host = self.pair.host(side(end));
        let Ok(id) =
            host.udp_bind(SocketAddr::new(if v6 { "::" } else { "0.0.0.0" }.parse().expect("an address"), 0))
        else {
            return;
        };
        let payload = vec![end as u8; count];
        let send = UdpSend {
            to: (to, port).into(),
            from: None,
            payload: &payload,
            ttl: None,
            ecn: 0,
            dont_fragment: false,
        };
        let _ = host.udp_send(now, id, send);
        while host.udp_error(id).is_some() {}
        host.udp_close(id);
    }

    /// The network is well again: both sides read to the end, close, and fall silent.
    fn come_to_rest(mut self) -> (u64, Instant) {
        let link = &mut self.pair.link;
        (link.loss, link.duplicate, link.reorder, link.rate) = (0, 0, 0, 0);
        link.delay = Duration::from_millis(10);
        for taken in 0..PATIENCE {
            self.accept();
            for end in [End::Client, End::Server] {
                self.read(end, 4096);
                if let (false, Some(id)) = (self.apps[end as usize].shut, self.open(end)) {
                    let now = self.pair.now();
                    let connected = self.pair.host(side(end)).tcp_connected(id);
                    if connected.is_some() && self.pair.host(side(end)).tcp_shutdown(now, id).is_ok() {
                        self.apps[end as usize].shut = true;
                    }
                }
            }
            let more = self.pair.step();
            if !more && self.quiet() {
                break;
            }
            assert!(taken + 1 < PATIENCE, "the hosts do not come to rest by {:?}", self.pair.now());
        }
        let excused = self.tainted
            || self.apps.iter().any(|app| app.failed || app.aborted || app.released || app.id.is_none());
        if !excused {
            for end in [End::Client, End::Server] {
                let (app, from) = (&self.apps[end as usize], &self.apps[other(end) as usize]);
                assert!(app.finished, "{end:?} never saw the end of the data");
                assert_eq!(app.read, from.written, "{end:?} did not get everything");
            }
        }
        for end in [End::Client, End::Server] {
            self.release(end);
        }
        self.pair.run_until_idle(PATIENCE);
        (self.pair.frames(), self.pair.now())
    }

    /// Nothing is left to be read on either side.
    fn quiet(&mut self) -> bool {
        let before = [self.apps[0].read, self.apps[1].read];
        self.read(End::Client, 4096);
        self.read(End::Server, 4096);
        before == [self.apps[0].read, self.apps[1].read]
    }
}

/// 256ths as parts per billion.
fn share_of(share: u8) -> u64 {
    u64::from(share) * 1_000_000_000 / 256
}
