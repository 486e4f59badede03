//! One connection: the parts of its control block, each kept by the file of its mechanism.

use core::task::Waker;
use std::collections::VecDeque;
use std::sync::Arc;

use thru_wire::Instant;
use thru_wire::tcp::Flags;

use super::ack::AckPolicy;
use super::autotune::Tuning;
use super::challenge::ChallengeLimit;
use super::congestion::{Controller, controller};
use super::demux::Pair;
use super::ecn::Marks;
use super::fastopen::{FastOpen, Opening};
use super::framing::Framing;
use super::handshake::{Negotiated, Syn};
use super::history::History;
use super::insight::{Insight, TcpEventKind};
use super::memory::Memory;
use super::on_demand::OnDemand;
use super::pacing::Pacer;
use super::pmtu::MtuSearch;
use super::probe::Probe;
use super::queue::SendQueue;
use super::ranges::Ranges;
use super::rate::Delivery;
use super::receive::Receive;
use super::recovery::Recovery;
use super::rtt::Rtt;
use super::runs::Runs;
use super::usage::Usage;
use super::window::{OwnWindow, PeerWindow};
use super::{Congestion, Habits, Path, SegmentOut, SocketOptions, State, TcpConfig, TcpError, TcpStats};
use crate::buffers::Spare;
use crate::icmp::IcmpReport;
use crate::timer::TimerHandle;

/// What a connection needs of its host while it works.
pub(crate) struct Context<'a> {
    /// The time of the call; for a segment, the arrival of its frame.
    pub(crate) now: Instant,
    pub(crate) config: &'a TcpConfig,
    pub(crate) challenge: &'a mut ChallengeLimit,
    pub(crate) wakes: &'a mut u64,
    pub(crate) stats: &'a mut TcpStats,
    pub(crate) memory: &'a Memory,
    pub(crate) fast_open: &'a mut FastOpen,
    /// Segments that leave ahead of all data.
    pub(crate) out: &'a mut VecDeque<SegmentOut>,
    pub(crate) spare: &'a mut Spare,
    /// Whom to ask whether segments may leave together, and whether no other connection waits to send; `None`: each
    /// leaves alone.
    pub(crate) together: Option<(&'a dyn Path, bool)>,
}

impl Context<'_> {
    pub(crate) fn wake(&mut self, waker: &mut Option<Waker>) {
        if let Some(waker) = waker.take() {
            *self.wakes += 1;
            waker.wake();
        }
    }
}

/// When a connection wants to be looked at, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timers {
    /// Send the oldest unacknowledged segment, or the SYN, again.
    pub(crate) retransmit: Instant,
    /// The acknowledgement has waited long enough for company.
    pub(crate) delayed_ack: Instant,
    /// Ask for a window that is closed.
    pub(crate) persist: Instant,
    /// Ask a silent peer whether it still lives.
    pub(crate) keepalive: Instant,
    /// The pace allows the next segment.
    pub(crate) pace: Instant,
    /// Nobody is left who could read what a peer in FIN-WAIT-2 may still send.
    pub(crate) linger: Instant,
    /// Nothing will have happened for a while: memory can be let go of. Looked at only when the wheel turns anyway.
    pub(crate) rest: Instant,
}

impl Timers {
    pub(crate) const NONE: Timers = Timers {
        retransmit: Instant::NEVER,
        delayed_ack: Instant::NEVER,
        persist: Instant::NEVER,
        keepalive: Instant::NEVER,
        pace: Instant::NEVER,
        linger: Instant::NEVER,
        rest: Instant::NEVER,
    };

    pub(crate) fn earliest(&self) -> Instant {
        let Timers { retransmit, delayed_ack, persist, keepalive, pace, linger, rest } = *self;
        retransmit.min(delayed_ack).min(persist).min(keepalive).min(pace).min(linger).min(rest)
    }
}

/// The transmission control block (RFC 9293 3.3.1). Places of sequence numbers are those of [`super::seq`].
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) pair: Pair,
    pub(crate) state: State,
    /// Whether we sent the first SYN.
    pub(crate) active: bool,

    /// Place of our SYN.
    pub(crate) iss: u64,
    /// First place not acknowledged (SND.UNA) and next place to send (SND.NXT).
    pub(crate) una: u64,
    pub(crate) nxt: u64,
    pub(crate) queue: SendQueue,
    /// The application has closed: a FIN follows what is queued.
    pub(crate) closing: bool,
    pub(crate) runs: OnDemand<Runs>,
    /// What the peer reported to have beyond its acknowledgement.
    pub(crate) scoreboard: OnDemand<Ranges>,
    pub(crate) peer_window: PeerWindow,
    pub(crate) syn: Syn,
    pub(crate) fast_open: Option<Box<Opening>>,
    pub(crate) recovery: OnDemand<Recovery>,
    pub(crate) congestion: Box<dyn Controller>,
    pub(crate) pacer: OnDemand<Pacer>,
    /// Connections that don't probe hold no memory for it.
    pub(crate) mtu_search: Option<Box<MtuSearch>>,
    /// What was sent with figures so far; nothing before the first acknowledgement.
    pub(crate) history: Option<Box<History>>,
    /// Connections without ECN hold no memory for it.
    pub(crate) marks: Option<Box<Marks>>,
    pub(crate) usage: Usage,
    /// What writes said beside their bytes.
    pub(crate) framing: Option<Box<Framing>>,
    /// Place after the last segment below full size (Minshall's variant of Nagle's algorithm).
    pub(crate) last_small: u64,
    pub(crate) last_sent: Instant,
    pub(crate) delivery: Delivery,
    pub(crate) rtt: Rtt,

    /// Place of the peer's SYN.
    pub(crate) irs: u64,
    pub(crate) receive: Receive,
    pub(crate) own_window: OwnWindow,
    pub(crate) tuning: Tuning,
    /// Place of the peer's FIN, once seen.
    pub(crate) peer_fin: Option<u64>,
    pub(crate) ack: AckPolicy,
    pub(crate) last_received: Instant,

    pub(crate) options: Negotiated,
    pub(crate) probe: Probe,
    pub(crate) timers: Timers,
    pub(crate) last_challenge: Option<Instant>,
    /// The last ICMP error about this connection (RFC 5927: remembered, not obeyed).
    pub(crate) last_icmp: Option<Box<IcmpReport>>,

    /// What the application has set.
    pub(crate) settings: Arc<SocketOptions>,
    pub(crate) error: Option<Box<TcpError>>,
    /// `SO_ERROR` was read: calls don't fail with it any more.
    pub(crate) error_told: bool,
    pub(crate) released: bool,
    pub(crate) read_waker: Option<Waker>,
    pub(crate) write_waker: Option<Waker>,
    pub(crate) insight: Insight,

    /// What the tables of the host hold of it: its entry in the wheel, whether it waits to transmit, and whether
    /// segments still find it.
    pub(crate) wheel: Option<(TimerHandle, Instant)>,
    pub(crate) queued: bool,
    /// What is being built is several segments of full size.
    pub(crate) is_train: bool,
    /// What the host has counted for its buffers, and whether it counts among those without owner.
    pub(crate) accounted: usize,
    pub(crate) orphan: bool,
    pub(crate) attached: bool,
}

impl Connection {
    /// A connection that has sent and received nothing.
    pub(crate) fn new(
        pair: Pair,
        iss: u64,
        options: Negotiated,
        config: &TcpConfig,
        settings: Arc<SocketOptions>,
    ) -> Connection {
        let (send, receive) = settings.buffers(config);
        let congestion = controller(
            settings.congestion,
            u64::from(options.mss),
            config.initial_window_segments,
            iss,
            &config.habits,
        );
        let mut runs = OnDemand::<Runs>::default();
        if congestion.wants_lost() {
            runs.take_notes();
        }
        Connection {
            pair,
            state: State::Closed,
            active: false,
            iss,
            una: iss,
            nxt: iss,
            queue: SendQueue::new(iss + 1, send),
            closing: false,
            runs,
            scoreboard: OnDemand::default(),
            peer_window: PeerWindow::default(),
            syn: Syn::default(),
            fast_open: None,
            recovery: Recovery::new(config),
            congestion,
            pacer: OnDemand::default(),
            mtu_search: MtuSearch::new(config.mtu_probing),
            history: None,
            marks: None,
            usage: Usage::default(),
            framing: None,
            last_small: iss,
            last_sent: Instant::START,
            delivery: Delivery::default(),
            rtt: Rtt::new(),
            irs: 0,
            receive: Receive::new(0, receive),
            own_window: OwnWindow::with(&config.habits),
            tuning: Tuning::default(),
            peer_fin: None,
            ack: AckPolicy::with(config.habits.quick_acks),
            last_received: Instant::START,
            options,
            probe: Probe::default(),
            timers: Timers::NONE,
            last_challenge: None,
            last_icmp: None,
            settings,
            error: None,
            error_told: false,
            released: false,
            read_waker: None,
            write_waker: None,
            insight: Insight::new(config.events),
            wheel: None,
            queued: false,
            is_train: false,
            accounted: 0,
            orphan: false,
            attached: true,
        }
    }

    /// Another controller takes over, with the window of the one before. `initial`: the initial window in segments.
    pub(crate) fn use_controller(&mut self, kind: Congestion, initial: u32, habits: &Habits) {
        let (window, threshold) = (self.congestion.window(), self.congestion.slow_start_threshold());
        self.congestion = controller(kind, u64::from(self.options.mss), initial, self.iss, habits);
        if self.congestion.wants_lost() {
            self.runs.take_notes();
        }
        if self.is_synchronized() {
            self.congestion.on_established(self.last_received, self.rtt.smoothed(), self.options.sack);
            self.congestion.take_over(window, threshold);
        }
    }

    /// Place after our FIN.
    pub(crate) fn fin_end(&self) -> u64 {
        self.queue.end() + 1
    }

    pub(crate) fn fin_sent(&self) -> bool {
        self.closing && self.nxt == self.fin_end()
    }

    pub(crate) fn fin_acknowledged(&self) -> bool {
        self.closing && self.una == self.fin_end()
    }

    /// Whether the peer's FIN has been reached: reading gives the end of the stream.
    pub(crate) fn peer_has_closed(&self) -> bool {
        self.peer_fin.is_some_and(|fin| self.receive.next() > fin)
    }

    pub(crate) fn is_synchronized(&self) -> bool {
        !matches!(self.state, State::SynSent | State::SynReceived | State::Closed | State::Listen)
    }

    pub(crate) fn set_state(&mut self, now: Instant, state: State) {
        if self.state != state {
            self.state = state;
            self.insight.record(now, TcpEventKind::State(state));
        }
    }

    /// The connection is over: nothing is sent or awaited any more. What can be read can still be read.
    pub(crate) fn end(&mut self, cx: &mut Context<'_>, error: Option<TcpError>) {
        if matches!(error, Some(TcpError::TimedOut { .. } | TcpError::Unreachable(_))) {
            self.fast_open_failed(cx);
        }
        self.count_end(cx, error.as_ref());
        if let Some(error) = error {
            self.insight.record(cx.now, TcpEventKind::Error(error.clone()));
            self.error.get_or_insert_with(|| Box::new(error));
        }
        self.set_state(cx.now, State::Closed);
        self.forget_sending();
        self.timers = Timers::NONE;
        self.wake_all(cx);
    }

    /// How a connection ended, for the counters of the host.
    fn count_end(&self, cx: &mut Context<'_>, error: Option<&TcpError>) {
        match self.state {
            State::SynSent | State::SynReceived => cx.stats.attempt_fails += 1,
            State::Established | State::CloseWait
                if matches!(error, Some(TcpError::Reset | TcpError::Aborted)) =>
            {
                cx.stats.established_resets += 1;
            }
            State::Closed => return,
            _ => {}
        }
        if matches!(error, Some(TcpError::TimedOut { .. })) && self.is_synchronized() {
            cx.stats.aborts_on_timeout += 1;
        }
    }

    /// Lets go of everything that serves sending.
    pub(crate) fn forget_sending(&mut self) {
        self.queue.clear();
        self.runs.release();
        self.scoreboard.release();
        self.framing = None;
    }

    /// RST and the end (RFC 9293 3.10.5).
    pub(crate) fn abort(&mut self, cx: &mut Context<'_>) {
        let tells = matches!(
            self.state,
            State::SynReceived | State::Established | State::FinWait1 | State::FinWait2 | State::CloseWait
        );
        if tells {
            let reset = self.build_bare(cx.spare, cx.now, Flags::RST | Flags::ACK, self.nxt);
            cx.out.push_back(reset);
        }
        self.end(cx, Some(TcpError::Aborted));
    }

    pub(crate) fn wake_all(&mut self, cx: &mut Context<'_>) {
        cx.wake(&mut self.read_waker);
        cx.wake(&mut self.write_waker);
    }

    /// What is due at `cx.now`.
    pub(crate) fn on_deadline(&mut self, cx: &mut Context<'_>) {
        if self.timers.delayed_ack <= cx.now {
            self.timers.delayed_ack = Instant::NEVER;
            self.on_delayed_ack(cx);
        }
        if self.timers.retransmit <= cx.now {
            self.timers.retransmit = Instant::NEVER;
            self.on_retransmit_timer(cx);
        }
        if self.timers.persist <= cx.now {
            self.timers.persist = Instant::NEVER;
            self.on_persist(cx);
        }
        if self.timers.keepalive <= cx.now {
            self.timers.keepalive = Instant::NEVER;
            self.on_keepalive(cx);
        }
        if self.timers.pace <= cx.now {
            // Whoever calls looks what can be sent.
            self.timers.pace = Instant::NEVER;
        }
        if self.timers.linger <= cx.now {
            self.timers.linger = Instant::NEVER;
            self.end(cx, None);
        }
    }
}
