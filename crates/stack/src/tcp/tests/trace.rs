//! Packet traces with times: a script plays the peer of one `Tcp`.
//!
//! `at(0).send("SYN seq=100").expect("SYN ACK ack=101")`. The peer's numbers are what the script says; ours are told
//! relative to our initial one, so our SYN is `seq=0`. Words after the flags: `seq ack len win mss ws sackok
//! ts=value/echo sack=a-b,c-d fo=cookie
//! ecn=ce acc=ect0/ce/ect1`. An expectation compares the flags, the length, and what it names.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use thru_wire::Instant;
use thru_wire::tcp::{Flags, SeqNumber, Tcp as Header, TcpOptions, Timestamps};

use super::super::demux::{Endpoint, Pair};
use super::super::segment::emit;
use super::super::*;
use super::pair::{Way, pattern};
use crate::icmp::IcmpErrorKind;

const START: u64 = 10_000;

pub(crate) struct Trace {
    pub(crate) tcp: Tcp,
    pub(crate) way: Way,
    pub(crate) now: Instant,
    pub(crate) listener: Option<ListenerId>,
    pub(crate) id: Option<TcpId>,
    /// The end that segments come from.
    peer: SocketAddr,
    local: SocketAddr,
    out: VecDeque<(Instant, SegmentOut)>,
    /// Our initial sequence numbers, once seen, by the peer's port.
    initial: BTreeMap<u16, u32>,
    written: usize,
    /// The timestamp our last segment carried.
    pub(crate) last_timestamp: Option<Timestamps>,
    /// The Fast Open cookie it carried, in hexadecimal.
    pub(crate) last_cookie: Option<String>,
}

impl Trace {
    /// A host that listens on port 80.
    pub(crate) fn server(config: TcpConfig) -> Trace {
        let options = SocketOptions::new(&config);
        Trace::server_with(config, options)
    }

    /// A host that listens on port 80 with these options.
    pub(crate) fn server_with(config: TcpConfig, options: SocketOptions) -> Trace {
        let mut trace = Trace::new(config);
        let local = trace.local;
        trace.listener = Some(trace.tcp.listen_with(&trace.way, local, 4, options).unwrap());
        trace
    }

    /// A host that has just called port 80 of the peer; its SYN waits to be expected.
    pub(crate) fn client(config: TcpConfig) -> Trace {
        let mut trace = Trace::new(config);
        (trace.local, trace.peer) = ("10.0.0.1:5000".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
        let (local, peer) = (trace.local, trace.peer);
        let id = trace.tcp.connect(trace.now, &trace.way, Some(local), peer, TcpConnectOptions::default());
        trace.id = Some(id.unwrap());
        trace.pump();
        trace
    }

    /// The host calls port 80 of the peer again, from `port`, with these first bytes; its SYN waits to be expected.
    pub(crate) fn call(&mut self, port: u16, options: SocketOptions, first: usize) -> &mut Trace {
        let options = TcpConnectOptions { socket: Some(options), ..TcpConnectOptions::default() };
        self.local.set_port(port);
        self.initial.clear();
        let data = pattern(0, first);
        let (local, peer) = (self.local, self.peer);
        let called =
            self.tcp.connect_with_data(self.now, &self.way, Some(local), peer, options, &data).unwrap();
        assert_eq!(called.1, first);
        (self.id, self.written) = (Some(called.0), first);
        self.pump();
        self
    }

    /// A host that has not called yet.
    pub(crate) fn caller(config: TcpConfig) -> Trace {
        let mut trace = Trace::new(config);
        (trace.local, trace.peer) = ("10.0.0.1:5000".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
        trace
    }

    fn new(config: TcpConfig) -> Trace {
        Trace {
            tcp: Tcp::new(config, 42),
            way: Way { own: vec!["10.0.0.1".parse().unwrap()], mtu: 1_500 },
            now: Instant::from_millis(START),
            listener: None,
            id: None,
            peer: "10.0.0.2:5000".parse().unwrap(),
            local: "10.0.0.1:80".parse().unwrap(),
            out: VecDeque::new(),
            initial: BTreeMap::new(),
            written: 0,
            last_timestamp: None,
            last_cookie: None,
        }
    }

    /// A server's connection, established at 0 by a peer whose data begins at 101. No options unless `with` says.
    pub(crate) fn established(config: TcpConfig, with: &str) -> Trace {
        let mut trace = Trace::server(config);
        trace.at(0).send(&format!("SYN seq=100 win=65535 mss=1000 {with}")).expect("SYN ACK seq=0 ack=101");
        trace.send("ACK seq=101 ack=1 win=65535").accept();
        trace
    }

    /// The same over a path of 40 ms: established at 40.
    pub(crate) fn established_over_40_ms(config: TcpConfig, with: &str) -> Trace {
        let mut trace = Trace::server(config);
        trace.at(0).send(&format!("SYN seq=100 win=65535 mss=1000 {with}")).expect("SYN ACK seq=0 ack=101");
        trace.at(40).send("ACK seq=101 ack=1 win=65535").accept();
        trace
    }

    /// The peer calls from another port from here on.
    pub(crate) fn port(&mut self, port: u16) -> &mut Trace {
        self.peer.set_port(port);
        self
    }

    /// Goes on to `millis` after the beginning; nothing unexpected may have been sent on the way.
    pub(crate) fn at(&mut self, millis: u64) -> &mut Trace {
        self.at_exactly(Duration::from_millis(millis))
    }

    pub(crate) fn at_exactly(&mut self, time: Duration) -> &mut Trace {
        let until = Instant::from_millis(START) + time;
        for _ in 0..10_000 {
            let due = self.tcp.next_deadline();
            if due > until {
                break;
            }
            self.nothing_left(until);
            self.now = self.now.max(due);
            self.tcp.handle_deadline(self.now, &self.way);
            self.pump();
        }
        self.nothing_left(until);
        self.now = until;
        self
    }

    fn nothing_left(&self, until: Instant) {
        if let Some((at, segment)) = self.out.front() {
            assert!(*at == until, "at {at:?}, unexpected: {}", self.show(segment));
        }
    }

    pub(crate) fn send(&mut self, text: &str) -> &mut Trace {
        let segment = self.compose(text);
        self.tcp.handle_segment(&self.way, segment);
        self.pump();
        self
    }

    fn compose(&self, text: &str) -> SegmentIn {
        let mut header = Header {
            src_port: self.peer.port(),
            dst_port: self.local.port(),
            window: 65_535,
            ..Header::default()
        };
        let (mut len, mut from, mut ecn) = (0, None, 0);
        for word in text.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || value.parse::<i64>().unwrap_or_else(|_| panic!("a number in {word}"));
            match name {
                "seq" => header.seq = SeqNumber(number() as u32),
                "ack" => header.ack = SeqNumber(self.iss().wrapping_add(number() as u32)),
                "len" => len = number() as usize,
                "from" => from = Some(number() as usize),
                "win" => header.window = number() as u16,
                "ecn" => ecn = codepoint(value),
                "acc" => assert!(header.options.extra.push_acc_ecn(counters(value))),
                "mss" => header.options.mss = Some(number() as u16),
                "ws" => header.options.window_scale = Some(number() as u8),
                "sackok" => header.options.sack_permitted = true,
                "fo" => assert!(header.options.extra.push_raw(34, &hex(value))),
                "uto" => {
                    let seconds = Duration::from_secs(number() as u64);
                    assert!(header.options.extra.push_user_timeout(seconds));
                }
                "ts" => header.options.timestamps = Some(stamps(value)),
                "sack" => {
                    for (left, right) in blocks(value) {
                        let place = |offset: u32| SeqNumber(self.iss().wrapping_add(offset));
                        assert!(header.options.sack.push(place(left), place(right)));
                    }
                }
                flag => header.flags |= flag_of(flag),
            }
        }
        let pair = Pair { local: Endpoint::from(self.peer), remote: Endpoint::from(self.local) };
        let payload = pattern(from.unwrap_or(header.seq.0 as usize), len);
        let out = emit(Default::default(), &pair, &header, |bytes| bytes.extend_from_slice(&payload));
        SegmentIn {
            src: out.src,
            dst: out.dst,
            ttl: 57,
            ecn,
            rx_time: self.now,
            bytes: out.bytes.into(),
            verified: false,
        }
    }

    /// The next segment that was sent, now, must look so.
    pub(crate) fn expect(&mut self, text: &str) -> &mut Trace {
        let Some((at, segment)) = self.out.pop_front() else { panic!("nothing was sent, expected {text}") };
        let (header, payload) = Header::parse(&segment.bytes, None).unwrap();
        if header.flags.syn() {
            self.initial.insert(header.dst_port, header.seq.0);
        }
        let shown = self.show(&segment);
        assert_eq!(at, self.now, "{shown}: sent at another time than expected");
        let mut flags = Flags::NONE;
        let mut wanted_len = 0;
        for word in text.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || value.parse::<u64>().unwrap_or_else(|_| panic!("a number in {word}"));
            let same = match name {
                "seq" => header.seq == SeqNumber(self.iss().wrapping_add(number() as u32)),
                "rawseq" => header.seq == SeqNumber(number() as u32),
                "ack" => header.ack == SeqNumber(number() as u32),
                "len" => {
                    wanted_len = number() as usize;
                    true
                }
                "win" => u64::from(header.window) == number(),
                "mss" => header.options.mss.map(u64::from) == Some(number()),
                "ws" => header.options.window_scale.map(u64::from) == Some(number()),
                "sackok" => header.options.sack_permitted,
                "echo" => header.options.timestamps.map(|stamps| u64::from(stamps.echo)) == Some(number()),
                "fo" => header.options.extra.fast_open() == Some(&hex(value)[..]),
                "nofo" => header.options.extra.fast_open().is_none(),
                "bare" => header.options == TcpOptions::NONE,
                "sack" => {
                    let ours: Vec<(u32, u32)> = header.options.sack.iter().map(|(l, r)| (l.0, r.0)).collect();
                    ours == blocks(value)
                }
                "ecn" => segment.ecn == codepoint(value),
                "acc" => header.options.extra.acc_ecn() == Some(counters(value)),
                "noacc" => header.options.extra.acc_ecn().is_none(),
                "uto" => header.options.extra.user_timeout() == Some(Duration::from_secs(number())),
                "nouto" => header.options.extra.user_timeout().is_none(),
                "nosack" => header.options.sack.is_empty(),
                flag => {
                    flags |= flag_of(flag);
                    true
                }
            };
            assert!(same, "sent: {shown}\nexpected: {text} (`{word}` differs)");
        }
        assert_eq!(
            header.flags.without(Flags::PSH),
            flags.without(Flags::PSH),
            "sent: {shown}\nexpected: {text}"
        );
        assert_eq!(payload.len(), wanted_len, "sent: {shown}\nexpected: {text}");
        self.last_timestamp = header.options.timestamps;
        let shown = |cookie: &[u8]| cookie.iter().map(|byte| format!("{byte:02x}")).collect();
        self.last_cookie = header.options.extra.fast_open().map(shown);
        self
    }

    /// The next segment that was sent, whatever it is.
    pub(crate) fn take(&mut self) -> Option<SegmentOut> {
        self.out.pop_front().map(|(_, segment)| segment)
    }

    /// Whatever was sent is of no interest.
    pub(crate) fn forget_output(&mut self) {
        while let Some((_, segment)) = self.out.pop_front() {
            let (header, _) = Header::parse(&segment.bytes, None).unwrap();
            if header.flags.syn() {
                self.initial.insert(header.dst_port, header.seq.0);
            }
        }
    }

    /// Jumps to the next deadline, whatever is sent.
    pub(crate) fn pass(&mut self) {
        let due = self.tcp.next_deadline();
        if !due.is_never() {
            self.now = self.now.max(due);
            self.tcp.handle_deadline(self.now, &self.way);
            self.pump();
            self.forget_output();
        }
    }

    /// Goes on to `millis` after the beginning, whatever is sent on the way.
    pub(crate) fn pass_until(&mut self, millis: u64) {
        let until = Instant::from_millis(START + millis);
        while self.tcp.next_deadline() <= until {
            self.pass();
        }
        self.now = self.now.max(until);
    }

    /// Nothing was sent.
    pub(crate) fn silence(&mut self) -> &mut Trace {
        if let Some((at, segment)) = self.out.front() {
            panic!("at {at:?}, unexpected: {}", self.show(segment));
        }
        self
    }

    pub(crate) fn accept(&mut self) -> &mut Trace {
        let listener = self.listener.expect("a listening host");
        self.id = Some(self.tcp.accept(listener).expect("a finished connection"));
        self
    }

    pub(crate) fn write(&mut self, len: usize) -> &mut Trace {
        let bytes = pattern(self.written, len);
        let written = self.tcp.write(self.now, self.id.unwrap(), &bytes).unwrap();
        assert_eq!(written, len, "room in the send buffer");
        self.written += len;
        self.pump();
        self
    }

    /// Reads `len` bytes that the peer numbered from `from` on.
    pub(crate) fn read(&mut self, from: usize, len: usize) -> &mut Trace {
        let mut buffer = vec![0; len];
        let read = self.tcp.read(self.now, self.id.unwrap(), &mut buffer).unwrap();
        assert_eq!(read, Some(len));
        assert_eq!(buffer, pattern(from, len));
        self.pump();
        self
    }

    pub(crate) fn read_end(&mut self) -> &mut Trace {
        assert_eq!(self.tcp.read(self.now, self.id.unwrap(), &mut [0; 9]), Ok(Some(0)));
        self
    }

    pub(crate) fn read_error(&mut self) -> TcpError {
        self.tcp.read(self.now, self.id.unwrap(), &mut [0; 9]).unwrap_err()
    }

    /// The error that comes after what can still be read.
    pub(crate) fn read_error_after_data(&mut self) -> TcpError {
        loop {
            match self.tcp.read(self.now, self.id.unwrap(), &mut [0; 4_096]) {
                Ok(read) => assert!(read.is_some_and(|len| len > 0), "{read:?}"),
                Err(error) => return error,
            }
        }
    }

    pub(crate) fn shutdown(&mut self) -> &mut Trace {
        self.tcp.shutdown(self.now, self.id.unwrap()).unwrap();
        self.pump();
        self
    }

    pub(crate) fn release(&mut self) -> &mut Trace {
        self.tcp.release(self.now, self.id.unwrap());
        self.pump();
        self
    }

    pub(crate) fn abort(&mut self) -> &mut Trace {
        self.tcp.abort(self.now, self.id.unwrap());
        self.pump();
        self
    }

    pub(crate) fn connection(&self) -> &connection::Connection {
        self.tcp.connection(self.id.unwrap()).unwrap()
    }

    pub(crate) fn info(&self) -> TcpInfo {
        self.tcp.info(self.id.unwrap()).unwrap()
    }

    pub(crate) fn state(&mut self, state: State) -> &mut Trace {
        assert_eq!(self.info().state, state);
        self
    }

    /// An ICMP error about our segment that began at `seq`.
    pub(crate) fn icmp(&mut self, kind: IcmpErrorKind, seq: u32) -> &mut Trace {
        let report = IcmpReport {
            at: self.now,
            from: "10.9.9.9".parse().unwrap(),
            kind,
            icmp_type: 3,
            icmp_code: 0,
            quoted_destination: self.peer,
            quoted_source_port: self.local.port(),
            quoted_source: self.local.ip(),
            ttl: 62,
        };
        self.tcp.handle_icmp(&self.way, &report, SeqNumber(self.iss().wrapping_add(seq)));
        self.pump();
        self
    }

    pub(crate) fn pump(&mut self) {
        while let Some(segment) = self.tcp.poll_transmit(self.now, &self.way) {
            self.out.push_back((self.now, segment));
        }
    }

    /// Raw bytes of the segment that a text means, for tests that damage them.
    pub(crate) fn bytes_of(&self, text: &str) -> SegmentIn {
        self.compose(text)
    }

    pub(crate) fn deliver(&mut self, segment: SegmentIn) -> &mut Trace {
        self.tcp.handle_segment(&self.way, segment);
        self.pump();
        self
    }

    /// Our initial number, as it was last expected.
    pub(crate) fn initial_number(&self) -> u32 {
        self.iss()
    }

    fn iss(&self) -> u32 {
        self.initial.get(&self.peer.port()).copied().unwrap_or(0)
    }

    fn show(&self, segment: &SegmentOut) -> String {
        let (header, payload) = Header::parse(&segment.bytes, None).unwrap();
        format!(
            "{} seq={} ack={} len={} win={} {:?}",
            header.flags,
            header.seq.0.wrapping_sub(self.iss()),
            header.ack.0,
            payload.len(),
            header.window,
            header.options
        )
    }
}

/// Buffers that don't grow.
pub(crate) fn fixed() -> TcpConfig {
    TcpConfig {
        send_buffer: 1 << 20,
        receive_buffer: 1 << 20,
        send_autotuning: false,
        receive_autotuning: false,
        ..TcpConfig::default()
    }
}

/// No options at all, whatever the peer offers.
pub(crate) fn plain() -> TcpConfig {
    TcpConfig { timestamps: false, sack: false, window_scaling: false, ..fixed() }
}

fn flag_of(name: &str) -> Flags {
    match name {
        "SYN" => Flags::SYN,
        "ACK" => Flags::ACK,
        "FIN" => Flags::FIN,
        "RST" => Flags::RST,
        "PSH" => Flags::PSH,
        "URG" => Flags::URG,
        "ECE" => Flags::ECE,
        "CWR" => Flags::CWR,
        "AE" => Flags::AE,
        other => panic!("no word of a trace: {other}"),
    }
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(core::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

fn stamps(text: &str) -> Timestamps {
    let (value, echo) = text.split_once('/').unwrap_or((text, "0"));
    Timestamps { value: value.parse().unwrap(), echo: echo.parse().unwrap() }
}

fn blocks(text: &str) -> Vec<(u32, u32)> {
    text.split(',')
        .map(|block| {
            let (left, right) = block.split_once('-').unwrap();
            (left.parse().unwrap(), right.parse().unwrap())
        })
        .collect()
}

fn codepoint(name: &str) -> u8 {
    ["not", "ect1", "ect0", "ce"].iter().position(|known| *known == name).expect("not, ect0, ect1 or ce")
        as u8
}

/// `ect0/ce/ect1`, or `ect1/ce/ect0` after a `1:`.
fn counters(value: &str) -> thru_wire::tcp::AccEcnCounters {
    let (ect1_first, value) = value.strip_prefix("1:").map_or((false, value), |rest| (true, rest));
    let mut numbers = value.split('/').map(|number| number.parse().expect("a number"));
    let (first, ce, last) = (numbers.next(), numbers.next(), numbers.next());
    let (ect0, ect1) = if ect1_first { (last, first) } else { (first, last) };
    thru_wire::tcp::AccEcnCounters { ect1_first, ect0, ce, ect1 }
}
