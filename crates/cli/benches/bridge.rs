//! How exactly `thru bridge` holds what it is told, between two network namespaces: `cargo bench -p thru --bench bridge`.
//!
//! Frames go in by one virtual interface and come out by another. Both are watched by packet sockets, and the times are
//! the kernel's own stamps, so that neither the sender nor this program counts. For each rate of packets: how far the
//! median and the 99th percentile of the delay are from what was asked, how many frames were lost that should not be
//! (and how many the watchers themselves missed: nobody knows whether those came out); then the rate and the loss.
//! Everything runs before ordinary programs, and needs root.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use thru_os::device::Device;
use thru_os::device::packet::{PacketConfig, PacketSocket};
use thru_os::namespace::NetworkNamespace;
use thru_os::netlink;
use thru_stack::Frame;

/// Bytes of a frame.
const FRAME: usize = 200;
/// Where a frame's number stands, behind its Ethernet header.
const NUMBER: usize = 14;
/// How long each measurement sends.
const TIME: Duration = Duration::from_secs(3);

fn main() {
    if !thru_peers::may_make_networks("bench bridge") {
        return;
    }
    // A watcher that waits for its turn misses what it should see.
    let _ = thru_os::schedule::be_punctual();
    println!(
        "{:>10}  {:>22}  {:>9}  {:>9}  {:>8}  {:>8}  {:>8}  it says",
        "packets/s", "asked", "median", "99 %", "lost", "unseen", "sent/s"
    );
    for rate in [1_000, 10_000, 50_000, 100_000] {
        let run = Run::new(&["--delay", "10ms"], rate, 1.0);
        let asked = 10_000.0;
        let [median, high] = [0.5, 0.99].map(|share| run.delay(share) - asked);
        println!(
            "{rate:>10}  {:>22}  {median:>6.0} us  {high:>6.0} us  {:>6.2} %  {:>8}  {:>8.0}  {}",
            "delay 10 ms",
            run.lost() * 100.0,
            run.unseen,
            run.sent_per_second,
            run.said
        );
    }
    // Frames of 200 bytes: 40 Mbit/s are 25,000 a second; twice as many come.
    let run = Run::new(&["--rate", "40Mbit", "--queue", "droptail(50ms)"], 50_000, 1.0);
    let rate = run.rate_out() / 1e6;
    println!(
        "{:>10}  {:>22}  came out at {rate:.2} Mbit/s: {:+.2} %",
        50_000,
        "rate 40 Mbit/s",
        (rate / 40.0 - 1.0) * 100.0
    );
    let run = Run::new(&["--loss", "10%"], 50_000, 1.0);
    println!(
        "{:>10}  {:>22}  lost {:.2} %: {:+.2} % of it",
        50_000,
        "loss 10 %",
        run.lost() * 100.0,
        (run.lost() / 0.1 - 1.0) * 100.0
    );
}

/// What one measurement gave.
struct Run {
    /// Microseconds from one interface to the other, sorted.
    delays: Vec<f64>,
    /// When frames came out, in seconds.
    out: Vec<f64>,
    entered: usize,
    /// Frames that the watchers missed.
    unseen: u64,
    sent_per_second: f64,
    said: String,
}

impl Run {
    fn new(words: &[&str], per_second: usize, settle: f64) -> Run {
        let near = NetworkNamespace::new().expect("made");
        near.within(|| {
            for (one, other) in [("in0", "in1"), ("out0", "out1")] {
                netlink::add_veth(one, other)?;
                for name in [one, other] {
                    // The kernel's own words would be counted.
                    let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
                    netlink::set_up(netlink::link(name)?.index, true)?;
                }
            }
            Ok::<_, std::io::Error>(())
        })
        .expect("entered")
        .expect("made");
        let open = |interface: &str| {
            let config = PacketConfig { interface: interface.to_owned(), promiscuous: true, offload: false };
            near.within(|| PacketSocket::open(&config)).expect("entered").expect("opened")
        };
        let (sender, enters, leaves) = (open("in0"), open("in1"), open("out1"));
        let mut bridge = near
            .within(|| {
                Command::new(env!("CARGO_BIN_EXE_thru"))
                    .args(["bridge", "in1", "out0"])
                    .args(words)
                    .stderr(Stdio::piped())
                    .spawn()
            })
            .expect("entered")
            .expect("it runs");
        let mut talk = BufReader::new(bridge.stderr.take().expect("piped"));
        talk.read_line(&mut String::new()).expect("it talks");
        let total = (per_second as f64 * TIME.as_secs_f64()) as usize;
        let ([entered, left], unseen, sent_per_second) =
            carry(sender, enters, leaves, per_second, total, settle);
        stop(&mut bridge);
        let mut said = String::new();
        talk.read_to_string(&mut said).expect("it talks");
        let warnings: Vec<&str> = said.lines().filter(|line| line.starts_with("warning")).collect();
        let mut delays: Vec<f64> =
            (0..total).filter_map(|number| Some((left[number]? - entered[number]?) as f64 / 1e3)).collect();
        delays.sort_by(f64::total_cmp);
        let mut out: Vec<f64> = left.iter().flatten().map(|at| *at as f64 / 1e9).collect();
        out.sort_by(f64::total_cmp);
        let entered = entered.iter().flatten().count();
        Run { delays, out, entered, unseen, sent_per_second, said: warnings.join("; ") }
    }

    fn delay(&self, share: f64) -> f64 {
        let place = (self.delays.len() as f64 * share) as usize;
        self.delays.get(place.min(self.delays.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    }

    fn lost(&self) -> f64 {
        1.0 - (self.out.len() as f64 + self.unseen as f64) / self.entered.max(1) as f64
    }

    /// Bits a second that came out, of the middle half.
    fn rate_out(&self) -> f64 {
        let (from, to) = (self.out.len() / 4, self.out.len() * 3 / 4);
        (to - from) as f64 * (FRAME * 8) as f64 / (self.out[to] - self.out[from])
    }
}

type Times = Vec<Option<i64>>;

/// Sends at an even pace and notes when each frame entered and left; the rate that was reached.
fn carry(
    mut sender: PacketSocket,
    enters: PacketSocket,
    leaves: PacketSocket,
    per_second: usize,
    total: usize,
    settle: f64,
) -> ([Times; 2], u64, f64) {
    let begun = Instant::now();
    let end = TIME + Duration::from_secs_f64(settle);
    let watch = move |mut socket: PacketSocket| {
        let mut times: Times = vec![None; total];
        let mut batch = Vec::new();
        while begun.elapsed() < end {
            match socket.recv_batch(&mut batch, 1_024) {
                Ok(0) => std::thread::sleep(Duration::from_micros(500)),
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
            for received in batch.drain(..) {
                let number = received.bytes.get(NUMBER..NUMBER + 4).and_then(|bytes| bytes.try_into().ok());
                let number = number.map_or(usize::MAX, |bytes| u32::from_be_bytes(bytes) as usize);
                if let Some(time) = times.get_mut(number).filter(|_| received.bytes.len() == FRAME) {
                    time.get_or_insert(received.rx_time.nanos() as i64);
                }
            }
        }
        (times, socket.missed())
    };
    let watchers = [enters, leaves].map(|socket| std::thread::spawn(move || watch(socket)));
    let mut queue = VecDeque::new();
    let mut sent = 0;
    while sent < total && begun.elapsed() < TIME + Duration::from_secs(1) {
        let due = (begun.elapsed().as_secs_f64() * per_second as f64) as usize;
        while sent < due.min(total) && queue.len() < 64 {
            let mut frame = vec![0; FRAME];
            frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
            frame[NUMBER..NUMBER + 4].copy_from_slice(&(sent as u32).to_be_bytes());
            queue.push_back(Frame::new(Bytes::from(frame), thru_os::clock::now()));
            sent += 1;
        }
        if queue.is_empty() {
            std::thread::sleep(Duration::from_micros(50));
        } else {
            sender.send_batch(&mut queue).expect("it takes frames");
        }
    }
    let rate = sent as f64 / begun.elapsed().as_secs_f64();
    let [(entered, _), (left, unseen)] = watchers.map(|watcher| watcher.join().expect("it watches"));
    ([entered, left], unseen, rate)
}

fn stop(bridge: &mut Child) {
    let _ = Command::new("kill").args(["-INT", &bridge.id().to_string()]).status();
    bridge.wait().expect("it ends");
}
