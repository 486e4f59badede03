//! `thru capture`: live packets of an interface, or of all, shown or written.
//!
//! The order is the point: words are understood first, then the socket is opened with its filter in the kernel, the
//! file is opened, the rights are given up, and only then are bytes from the network looked at.

mod files;
mod owner;
mod refused;

use std::time::Duration;

use thru_dissect::file::{Interface, Options, Record, Resolution, link};
use thru_dissect::filter::Filter;
use thru_os::capture::{self, Capture, CaptureConfig, Captured, Counters, Framing};
use thru_os::clock;
use thru_os::owners::Owners;
use thru_os::privileges::Keep;
use thru_os::signals::{Signal, Signals};
use thru_wire::Instant;

use self::files::Files;
use crate::args::captures::CaptureArgs;
use crate::commands::read::{Job, header_filter, not_a_filter};
use crate::failure::{self, Failure};
use crate::{Outcome, output};

/// The kernel hands over what it has after 50 ms: by then the last packets are there.
const LAST_BLOCK: Duration = Duration::from_millis(60);

/// Runs the command.
pub(crate) fn run(args: &CaptureArgs) -> Outcome {
    if args.list_interfaces {
        return list();
    }
    let words = args.filter.join(" ");
    let filter = header_filter(&words)?;
    let mut job = Job::new(&args.show, &args.filter)?;
    let config = CaptureConfig {
        interface: (args.interface != "any").then(|| args.interface.clone()),
        snap_length: args.snap_length,
        promiscuous: !args.no_promiscuous,
        buffer: args.buffer as usize * 1024,
        // A process is found while its sockets live.
        latency: if args.process { 1 } else { 50 },
    };
    let capture = Capture::open(&config).map_err(|error| refused::capture(args, &error))?;
    let link = match capture.framing() {
        Framing::Ethernet => link::ETHERNET,
        Framing::Ip => link::RAW,
        Framing::Cooked => link::LINUX_SLL2,
    };
    job.headers = None;
    if let Some(filter) = filter {
        install(&capture, filter, link, args, &mut job)?;
    }
    let identity = refused::identity(args)?;
    let files = match &args.write {
        Some(path) => Some(Files::open(path, args, link, identity)?),
        None => None,
    };
    // Not before: opening a pipe waits for its reader, and who waits must be able to end us.
    let signals = Signals::new().map_err(|error| refused::by_system("wait for signals", &error))?;
    let lost_before = lost_by(&args.interface);
    capture.start(&config).map_err(|error| refused::capture(args, &error))?;
    refused::give_up(args, identity, Keep { inspection: args.process })?;
    let mut session = Session::new(args, job, files, link);
    output::say(&format!(
        "listening on {} ({}), at most {} bytes of a packet; ^C ends it\n",
        args.interface,
        match capture.framing() {
            Framing::Ethernet => "Ethernet",
            Framing::Ip => "IP",
            Framing::Cooked => "Linux cooked v2",
        },
        args.snap_length
    ));
    let mut capture = capture;
    let ended = session.listen(&mut capture, &signals);
    let counters = capture.counters();
    let told = session.finish(counters);
    report(&args.interface, session.taken, counters, lost_before);
    ended?;
    told?;
    Ok(failure::HEALTHY)
}

/// Lets the kernel run the filter; what it cannot test is tested on what the socket gives.
fn install(
    capture: &Capture,
    filter: Filter,
    link: u16,
    args: &CaptureArgs,
    job: &mut Job<'_>,
) -> Result<(), Failure> {
    let words = args.filter.join(" ");
    let program = filter.for_socket(link).map_err(|error| not_a_filter(&words, &error))?;
    let Some(program) = program else {
        job.headers = Some(filter);
        return Ok(());
    };
    let program = program.keeping(args.snap_length);
    let insns: Vec<_> = program.insns().iter().map(|insn| (insn.code, insn.jt, insn.jf, insn.k)).collect();
    capture.keep_only(&insns).map_err(|error| refused::by_system("set the filter", &error))
}

/// What runs while packets come.
struct Session<'a> {
    args: &'a CaptureArgs,
    job: Job<'a>,
    files: Option<Files>,
    link: u16,
    owners: Option<Owners>,
    /// Interfaces' numbers, in the order of `job.interfaces`.
    known: Vec<u32>,
    /// Packets that the kernel gave.
    taken: u64,
    ends: Instant,
}

impl<'a> Session<'a> {
    fn new(args: &'a CaptureArgs, mut job: Job<'a>, files: Option<Files>, link: u16) -> Session<'a> {
        job.line.interface = args.interface == "any";
        let lasts = |time: Duration| clock::now() + time;
        Session {
            args,
            job,
            files,
            link,
            owners: args.process.then(Owners::new),
            known: Vec::new(),
            taken: 0,
            ends: args.lasts.map_or(Instant::NEVER, lasts),
        }
    }

    /// Takes packets until somebody asks to end, there are enough, or the time is up.
    fn listen(&mut self, capture: &mut Capture, signals: &Signals) -> Result<(), Failure> {
        let gone = |error: std::io::Error| {
            Failure::undecided(
                format!("the capture on `{}` ended: {error}", self.args.interface),
                "the interface was switched off or is gone; `ip link` shows it",
            )
        };
        loop {
            let left = Duration::from_nanos(self.ends.nanos().saturating_sub(clock::now().nanos()));
            let millis = if self.ends.is_never() { -1 } else { left.as_millis().min(100_000) as i32 + 1 };
            if let Err(error) = capture.wait(&[signals.descriptor()], millis) {
                // What came before is there all the same.
                self.drain(capture)?;
                return Err(gone(error));
            }
            self.take(capture)?;
            let mut asked = false;
            while let Some(signal) = signals.take() {
                match signal {
                    Signal::End => asked = true,
                    Signal::Tell => report(&self.args.interface, self.taken, capture.counters(), None),
                }
            }
            if self.is_done() {
                return Ok(());
            }
            if asked || left.is_zero() {
                break;
            }
        }
        // What the kernel has not handed over yet belongs to it, too; nothing new is let in.
        let _ = capture.keep_only(&[(6, 0, 0, 0)]);
        self.drain(capture)
    }

    /// Takes what the kernel hands over until all it had is there: where much came, several blocks.
    fn drain(&mut self, capture: &mut Capture) -> Result<(), Failure> {
        let until = clock::now() + LAST_BLOCK;
        loop {
            self.take(capture)?;
            let left = Duration::from_nanos(until.nanos().saturating_sub(clock::now().nanos()));
            if left.is_zero() || self.is_done() {
                return Ok(());
            }
            // An interface that is gone is told of once; the blocks it has filled come until then.
            let _ = capture.wait(&[], left.as_millis() as i32 + 1);
        }
    }

    /// Whether there are enough packets, or nobody wants them any more.
    fn is_done(&self) -> bool {
        self.job.is_done() || self.files.as_ref().is_some_and(Files::is_closed)
    }

    /// Takes what is there, and hands on what came of it.
    fn take(&mut self, capture: &mut Capture) -> Result<(), Failure> {
        let mut failed = Ok(());
        let count = capture.each(|packet| match self.packet(&packet) {
            Ok(()) => !self.is_done(),
            Err(failure) => {
                failed = Err(failure);
                false
            }
        });
        self.job.flush();
        // All that was ready is taken: who reads along has it now, and a capture that is killed loses no more than came since.
        if let Some(files) = self.files.as_mut().filter(|_| count > 0) {
            files.flush()?;
        }
        failed
    }

    fn packet(&mut self, packet: &Captured<'_>) -> Result<(), Failure> {
        self.taken += 1;
        let record = Record {
            number: self.taken,
            time: Some(packet.time),
            interface: self.place_of(packet.interface),
            link: self.link,
            original: packet.original,
            bytes: packet.bytes,
            options: Options::none(),
        };
        if let Some(owners) = &mut self.owners {
            self.job.aside = owner::of(self.link, packet.bytes)
                .and_then(|(transport, from, to)| owners.of(transport, from, to))
                .map(|owner| format!("{}/{}", owner.name, owner.process));
        }
        let keep = self.job.packet(&record, self.files.is_none())?;
        match &mut self.files {
            Some(files) if keep => {
                let record = Record { interface: 0, ..record };
                files.packet(&record, self.job.aside.as_deref())
            }
            _ => Ok(()),
        }
    }

    /// The place of an interface in the list of those that were met.
    fn place_of(&mut self, index: u32) -> u32 {
        if let Some(place) = self.known.iter().position(|known| *known == index) {
            return place as u32;
        }
        let names = capture::interfaces().unwrap_or_default();
        let name = names.into_iter().find(|(number, _)| *number == index).map(|(_, name)| name.into());
        self.known.push(index);
        self.job.interfaces.push(Interface {
            link: self.link,
            snap_length: self.args.snap_length,
            name,
            description: None,
            filter: None,
            os: None,
            resolution: Resolution::Decimal(9),
            offset_seconds: 0,
        });
        (self.known.len() - 1) as u32
    }

    fn finish(&mut self, counters: Counters) -> Result<(), Failure> {
        let told = self.job.finish();
        match self.files.take() {
            Some(files) => files.finish(counters, self.job.kept),
            None => told,
        }
    }
}

/// `-D`.
fn list() -> Outcome {
    let names = capture::interfaces().map_err(|error| refused::by_system("list the interfaces", &error))?;
    for (_, name) in names {
        output::print(&format!("{name}\n"));
    }
    output::print("any\n");
    Ok(failure::HEALTHY)
}

/// The counters, in tcpdump's words.
fn report(interface: &str, taken: u64, counters: Counters, lost_before: Option<u64>) {
    let Counters { seen, lost } = counters;
    let mut text = format!(
        "{} captured\n{} received by filter\n{} dropped by kernel\n",
        output::packets(taken),
        output::packets(seen),
        output::packets(lost)
    );
    if let Some(now) = lost_by(interface).zip(lost_before).map(|(now, before)| now.saturating_sub(before)) {
        text.push_str(&format!("{} dropped by interface\n", output::packets(now)));
    }
    output::say(&text);
}

/// What the interface itself has dropped, ever; `None`: it does not count, or there are several.
fn lost_by(interface: &str) -> Option<u64> {
    let table = std::fs::read_to_string("/proc/thread-self/net/dev").ok()?;
    let row = table.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'))?;
    row.split_whitespace().nth(3)?.parse().ok()
}
