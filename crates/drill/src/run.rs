//! Carries a script out: event by event, each at its time, over a host in virtual time.

use core::time::Duration;
use std::collections::VecDeque;

use thru_stack::{Frame, Host, HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_wire::{Instant, MacAddr};

use crate::Persona;
use crate::script::{Action, Call, Direction, Event, Packet, Script, Time};

mod expect;
mod flow;
mod info;
mod inject;
mod kernel;
mod observed;
mod settings;
mod shell;
mod sysctl;
mod values;

use flow::Flows;
use kernel::{Attempt, Kernel, Progress};
use observed::Observed;
use settings::Settings;

/// How to run a script.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Whose habits the host has; `None`: as the script shows.
    pub persona: Option<Persona>,
    /// The script is for IPv6 unless it says otherwise: what Linux's suites say by file names that end in `v6.pkt`.
    pub ipv6: bool,
    /// Whether [`Outcome::log`] tells what happened.
    pub verbose: bool,
}

/// What became of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything happened as it says.
    Pass,
    /// Something else happened.
    Fail,
    /// It asks for something that we don't have, so it says nothing about us.
    Skip,
}

impl Verdict {
    /// `pass`, `fail` or `skip`.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Skip => "skip",
        }
    }
}

/// What became of a script, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// Why it failed or was skipped; empty otherwise.
    pub reason: String,
    /// Line, from 1, where it was decided; 0 for a script that passed.
    pub line: u32,
    /// What happened, a line each, if asked for.
    pub log: Vec<String>,
}

/// Why a script ends early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Fail(String),
    Skip(String),
}

impl Stop {
    pub(crate) fn fail<T>(reason: impl Into<String>) -> Result<T, Stop> {
        Err(Stop::Fail(reason.into()))
    }

    pub(crate) fn skip<T>(reason: impl Into<String>) -> Result<T, Stop> {
        Err(Stop::Skip(reason.into()))
    }
}

/// Runs a script.
pub fn run(source: &str, options: &Options) -> Outcome {
    let persona = options.persona.unwrap_or_else(|| Persona::of(source));
    let outcome = |verdict, reason, line, log| Outcome { verdict, reason, line, log };
    let ipv6 = options.ipv6 || source.contains("--ip_version=ipv6");
    let defined = [persona.defined(), Persona::outside(ipv6)].concat();
    let script = match crate::parse(source, &defined) {
        Ok(script) => script,
        Err(error) => return outcome(Verdict::Fail, error.what, error.line, Vec::new()),
    };
    let settings = match Settings::read(&script, persona, options.ipv6) {
        Ok(settings) => settings,
        Err((line, Stop::Skip(reason))) => return outcome(Verdict::Skip, reason, line, Vec::new()),
        Err((line, Stop::Fail(reason))) => return outcome(Verdict::Fail, reason, line, Vec::new()),
    };
    // What can't apply is found before anything is run, so that it is never mistaken for a failure.
    if let Some((line, reason)) = kernel::cannot_apply(&script) {
        return outcome(Verdict::Skip, reason, line, Vec::new());
    }
    let mut runner = Runner::new(settings, persona, options.verbose);
    match runner.run(&script) {
        Ok(()) => outcome(Verdict::Pass, String::new(), 0, runner.log),
        Err((line, Stop::Fail(reason))) => outcome(Verdict::Fail, reason, line, runner.log),
        Err((line, Stop::Skip(reason))) => outcome(Verdict::Skip, reason, line, runner.log),
    }
}

/// When the host's clock stands at the beginning: not at zero, as if it had just been switched on.
const BEGIN: Instant = Instant::from_nanos(1_000_000_000_000);
/// How long something expected may stay away before the script gives up waiting, beyond its tolerance.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same where the script allows any time.
const LONG: Duration = Duration::from_secs(600);
/// Steps of one wait: no script needs as many, and none may run without end.
const MOST_STEPS: usize = 200_000;

/// A call that blocks while the script goes on.
struct Pending {
    call: Call,
    line: u32,
    progress: Progress,
    ends: Duration,
    done: Option<(Duration, kernel::Value)>,
}

pub(crate) struct Runner {
    pub(crate) settings: Settings,
    pub(crate) persona: Persona,
    pub(crate) host: Host,
    pub(crate) interface: InterfaceId,
    pub(crate) now: Instant,
    pub(crate) kernel: Kernel,
    pub(crate) flows: Flows,
    /// What the host has sent and no line has asked for yet.
    pub(crate) sent: VecDeque<Observed>,
    pending: Option<Pending>,
    /// What code blocks have assigned.
    pub(crate) variables: std::collections::BTreeMap<String, f64>,
    /// Time of the event before, as the script has it.
    last: Duration,
    verbose: bool,
    log: Vec<String>,
}

impl Runner {
    fn new(settings: Settings, persona: Persona, verbose: bool) -> Runner {
        let mut host =
            Host::new(HostConfig { seed: 1, tcp: settings.tcp.clone(), ttl: 64, ..HostConfig::default() });
        let interface = host.add_interface(InterfaceConfig {
            name: "tun0".to_owned(),
            medium: Medium::Ip,
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
            mtu: settings.mtu,
        });
        settings.connect(&mut host, interface);
        Runner {
            kernel: Kernel::new(&settings),
            settings,
            persona,
            host,
            interface,
            now: BEGIN,
            flows: Flows::default(),
            sent: VecDeque::new(),
            pending: None,
            variables: std::collections::BTreeMap::new(),
            last: Duration::ZERO,
            verbose,
            log: Vec::new(),
        }
    }

    fn run(&mut self, script: &Script) -> Result<(), (u32, Stop)> {
        for event in &script.events {
            self.event(event).map_err(|stop| (event.line, stop))?;
        }
        self.await_pending()
    }

    /// Time since the beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now.since(BEGIN)
    }

    fn event(&mut self, event: &Event) -> Result<(), Stop> {
        let (from, until) = match event.time {
            Time::At(at) => (at, at),
            Time::After(after) => (self.last + after, self.last + after),
            Time::Between(from, until) => (from, until),
            Time::AfterBetween(from, until) => (self.last + from, self.last + until),
            Time::Any => (self.elapsed(), self.elapsed() + LONG),
        };
        match &event.action {
            Action::Packet(packet) if packet.direction == Direction::Out => {
                let happened = self.expect(packet, event.time, from, until)?;
                // Relative times count from when it came, wherever in its range that was.
                self.last = happened;
                return Ok(());
            }
            _ => {}
        }
        self.advance(from)?;
        self.last = from;
        if self.verbose {
            self.log.push(format!("{:.6} line {}", self.elapsed().as_secs_f64(), event.line));
        }
        match &event.action {
            Action::Packet(packet) => self.inject(packet),
            Action::Call(call) => self.call(call, event),
            Action::Shell(text) => self.shell(text),
            Action::Code(code) => self.code(code),
        }
    }

    /// Lets time pass up to `until`.
    pub(crate) fn advance(&mut self, until: Duration) -> Result<(), Stop> {
        let target = BEGIN + until;
        for _ in 0..MOST_STEPS {
            self.collect();
            self.poll_pending()?;
            if !self.step(target) {
                return Ok(());
            }
        }
        Stop::fail("the host has something to do without end")
    }

    /// One step of the clock towards `target`; `false`: it is there.
    fn step(&mut self, target: Instant) -> bool {
        let timer =
            self.pending.as_ref().and_then(|pending| pending.progress.deadline).unwrap_or(Instant::NEVER);
        let next = self.host.next_deadline().min(timer);
        if next <= target {
            self.now = self.now.max(next);
            if self.host.next_deadline() <= self.now {
                self.host.handle_deadline(self.now);
            }
            if let Some(pending) = &mut self.pending
                && timer <= self.now
            {
                pending.progress.deadline = None;
                pending.progress.expired = true;
            }
            true
        } else {
            self.now = self.now.max(target);
            false
        }
    }

    /// Takes what the host has to send.
    pub(crate) fn collect(&mut self) {
        while let Some((_, frame)) = self.host.poll_transmit() {
            if let Some(observed) = Observed::read(&frame.bytes, self.now.since(BEGIN)) {
                if self.verbose {
                    let at = self.now.since(BEGIN).as_secs_f64();
                    self.log.push(format!("{at:.6} > {observed}"));
                }
                self.flows.note(&observed);
                self.sent.push_back(observed);
            }
        }
        self.update_notices();
    }

    /// Gives packets to the host, now: those of one arrival together.
    pub(crate) fn deliver(&mut self, packets: Vec<Vec<u8>>) {
        let now = self.now;
        let mut frames = packets.into_iter().map(|bytes| Frame::new(bytes.into(), now));
        if frames.len() == 1 {
            frames.by_ref().for_each(|frame| self.host.handle_frame(now, self.interface, frame));
        } else {
            self.host.handle_frames(now, self.interface, frames);
        }
        self.collect();
    }

    /// Waits for the next packet up to `limit`.
    pub(crate) fn next_sent(&mut self, limit: Duration) -> Result<Option<Observed>, Stop> {
        let target = BEGIN + limit;
        for _ in 0..MOST_STEPS {
            self.collect();
            if let Some(observed) = self.sent.pop_front() {
                return Ok(Some(observed));
            }
            self.poll_pending()?;
            self.collect();
            if self.sent.is_empty() && !self.step(target) {
                self.collect();
                return Ok(self.sent.pop_front());
            }
        }
        Stop::fail("the host has something to do without end")
    }

    /// Waits for what the script expects; when it happened.
    fn expect(
        &mut self,
        packet: &Packet,
        time: Time,
        from: Duration,
        until: Duration,
    ) -> Result<Duration, Stop> {
        let patience = if time == Time::Any {
            Duration::ZERO
        } else {
            PATIENCE.max(self.settings.tolerance(Duration::ZERO))
        };
        let limit = until.max(self.elapsed()) + patience;
        let happened = self.match_packet(packet, limit)?;
        if time != Time::Any {
            let tolerance = self.settings.tolerance(from.saturating_sub(self.last));
            if happened + tolerance < from || happened > until + tolerance {
                return Stop::fail(format!(
                    "packet expected at {:.6} s came at {:.6} s",
                    from.as_secs_f64(),
                    happened.as_secs_f64()
                ));
            }
        }
        // Time does not run back, but what comes next may well have waited for this.
        if happened < from && time != Time::Any {
            self.advance(from)?;
        }
        Ok(happened)
    }

    fn call(&mut self, call: &Call, event: &Event) -> Result<(), Stop> {
        self.await_pending().map_err(|(_, stop)| stop)?;
        let mut progress = Progress::default();
        let begin = self.elapsed();
        if let Attempt::Done(value) = self.attempt(call, &mut progress)? {
            self.collect();
            if let Some(ends) = call.ends {
                let ends = self.end_of(event, ends);
                self.check_end(ends, begin)?;
            }
            return self.check_call(call, &value);
        }
        self.collect();
        let Some(ends) = call.ends else { return self.wait_inline(call, event.line, progress) };
        let ends = self.end_of(event, ends);
        self.pending = Some(Pending { call: call.clone(), line: event.line, progress, ends, done: None });
        Ok(())
    }

    /// A call that the script does not mark as blocking, but that has to wait: the script waits with it.
    fn wait_inline(&mut self, call: &Call, line: u32, progress: Progress) -> Result<(), Stop> {
        let limit = self.elapsed() + self.settings.tolerance(Duration::ZERO);
        self.pending = Some(Pending { call: call.clone(), line, progress, ends: limit, done: None });
        self.await_pending().map_err(|(_, stop)| stop)
    }

    fn end_of(&self, event: &Event, ends: Duration) -> Duration {
        match event.time {
            Time::After(after) => self.last - after.min(self.last) + ends,
            _ => ends,
        }
    }

    fn check_end(&self, ends: Duration, at: Duration) -> Result<(), Stop> {
        let tolerance = self.settings.tolerance(Duration::ZERO);
        if at + tolerance < ends || at > ends + tolerance {
            return Stop::fail(format!(
                "call expected to return at {:.6} s returned at {:.6} s",
                ends.as_secs_f64(),
                at.as_secs_f64()
            ));
        }
        Ok(())
    }

    /// Tries the blocked call again.
    fn poll_pending(&mut self) -> Result<(), Stop> {
        let Some(mut pending) = self.pending.take() else { return Ok(()) };
        if pending.done.is_none() {
            let attempt = self.attempt(&pending.call, &mut pending.progress)?;
            if let Attempt::Done(value) = attempt {
                pending.done = Some((self.elapsed(), value));
            }
            self.collect();
        }
        self.pending = Some(pending);
        Ok(())
    }

    /// Waits until the blocked call, if there is one, has returned.
    fn await_pending(&mut self) -> Result<(), (u32, Stop)> {
        let Some(pending) = &self.pending else { return Ok(()) };
        let line = pending.line;
        let target = BEGIN + (pending.ends + self.settings.tolerance(Duration::ZERO)).max(self.elapsed());
        for _ in 0..MOST_STEPS {
            self.poll_pending().map_err(|stop| (line, stop))?;
            let done = self.pending.as_ref().is_some_and(|pending| pending.done.is_some());
            if done || !self.step(target) {
                break;
            }
            self.collect();
        }
        self.poll_pending().map_err(|stop| (line, stop))?;
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let Some((at, value)) = pending.done else {
            return Err((line, Stop::Fail(format!("`{}` blocks without end", pending.call.name))));
        };
        if pending.call.ends.is_some() {
            self.check_end(pending.ends, at).map_err(|stop| (line, stop))?;
        }
        self.check_call(&pending.call, &value).map_err(|stop| (line, stop))
    }
}
