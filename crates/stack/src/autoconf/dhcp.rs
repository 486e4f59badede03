//! The DHCP client (RFC 2131 4.4): from no address to one that is ours for a while, and the care for it.
//!
//! Start with [`DhcpClient`]. After every call that takes `now`, drain [`DhcpClient::poll_output`], then ask
//! [`DhcpClient::next_deadline`].
//!
//! Where we differ: the first message leaves at once, not after one to ten seconds (4.4.1 wants to spread the machines
//! of a building after a power cut; we are one program that somebody waits for). The first offer is taken.
//!
//! Whoever is on the link can answer: what comes is believed only with our transaction number and hardware address,
//! from the server that was chosen, with values that make sense. That keeps accidents away, not an attacker who listens.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::VecDeque;

use thru_wire::arp::Arp;
use thru_wire::dhcp::{Dhcp, DhcpKind, DhcpOptions, code};
use thru_wire::{Instant, MacAddr};

use super::conflict::{Claim, ClaimDue, Guard, Heard};
use super::{AutoconfEvent, Timing};
use crate::random::Random;

mod lease;

pub use lease::Lease;

/// A DHCP client on one Ethernet interface.
#[derive(Debug)]
pub struct DhcpClient {
    mac: MacAddr,
    timing: Timing,
    random: Random,
    state: State,
    outputs: VecDeque<Output>,
    /// Refusals and conflicts since the last lease: who is refused again and again asks more rarely.
    failures: u32,
}

/// What the client wants to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send from 0.0.0.0 to everyone on the link.
    Broadcast(Dhcp),
    /// Send from our address to the server's.
    Unicast {
        /// Our address.
        from: Ipv4Addr,
        /// The server's.
        to: Ipv4Addr,
        /// The message.
        message: Dhcp,
    },
    /// Send to everyone on the link.
    Arp(Arp),
    /// Use this lease, in place of the one before.
    Use(Lease),
    /// Stop using this address at once.
    Drop(Ipv4Addr),
    /// Tell whoever is interested.
    Tell(AutoconfEvent),
}

/// The states of RFC 2131 figure 5, and those of looking at an address before it is used.
#[derive(Debug)]
enum State {
    /// Not begun, or the address was given back.
    Idle,
    /// Waits before it begins again.
    Pausing { until: Instant },
    /// Offers are awaited.
    Selecting(Exchange),
    /// An offer was taken; the server has to confirm it.
    Requesting { exchange: Exchange, offer: Lease },
    /// Confirmed; is it really free?
    Checking { lease: Lease, claim: Claim },
    /// The address is ours.
    Leased { lease: Lease, guard: Guard, care: Care },
}

/// How a lease is cared for.
#[derive(Debug)]
enum Care {
    /// BOUND: nothing to do before T1.
    Rest,
    /// RENEWING: the server is asked.
    Renewing(Exchange),
    /// REBINDING: any server is asked.
    Rebinding(Exchange),
}

/// A question and its repetitions.
#[derive(Clone, Debug)]
struct Exchange {
    xid: u32,
    /// When the client began: what `secs` counts from.
    began: Instant,
    /// When this question was first sent: a lease counts from there (RFC 2131 4.4.1).
    asked: Instant,
    sent: u32,
    next_at: Instant,
}

/// RFC 2131 4.1: the first repetition comes after this, each further one after twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(4);
const LONGEST_WAIT: Duration = Duration::from_secs(64);
/// RFC 2131 4.1: spread by as much in both directions.
const SPREAD: Duration = Duration::from_secs(1);
/// Requests for one offer before the client looks for another (RFC 2131 3.1.5 suggests four in 60 s).
const REQUESTS: u32 = 4;
/// RFC 2131 3.1.5: a client waits at least as long after it has declined an address.
const AFTER_DECLINE: Duration = Duration::from_secs(10);
/// RFC 5227 2.1.1: once it has met as many conflicts, no more than one attempt in this time.
const MOST_CONFLICTS: u32 = 10;
const RATE_LIMIT: Duration = Duration::from_secs(60);
/// RFC 2131 4.4.5: the least time between two questions for more time.
const LEAST_BETWEEN: Duration = Duration::from_secs(60);
/// What we take: an Ethernet frame.
const LARGEST: u16 = 1_500;
/// What we would like to know.
const WANTED: [u8; 8] = [
    code::ROUTES,
    code::SUBNET_MASK,
    code::ROUTERS,
    code::DNS,
    code::MTU,
    code::LEASE,
    code::RENEW,
    code::REBIND,
];

impl DhcpClient {
    /// A client that has not begun.
    pub fn new(mac: MacAddr, seed: u64, timing: Timing) -> DhcpClient {
        DhcpClient {
            mac,
            timing,
            random: Random::new(seed, "dhcp"),
            state: State::Idle,
            outputs: VecDeque::new(),
            failures: 0,
        }
    }

    /// Looks for servers.
    pub fn start(&mut self, now: Instant) {
        let xid = self.random.next_u32();
        let exchange = Exchange { xid, began: now, asked: now, sent: 0, next_at: now };
        self.state = State::Selecting(exchange);
        self.handle_deadline(now);
    }

    /// What is to be done now. Drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The lease, if the address is ours.
    pub fn lease(&self) -> Option<&Lease> {
        match &self.state {
            State::Leased { lease, .. } => Some(lease),
            _ => None,
        }
    }

    /// The state's name in RFC 2131 figure 5; `CHECKING` and `PAUSING` are our additions.
    pub fn state(&self) -> &'static str {
        match &self.state {
            State::Idle | State::Pausing { .. } => "INIT",
            State::Selecting(_) => "SELECTING",
            State::Requesting { .. } => "REQUESTING",
            State::Checking { .. } => "CHECKING",
            State::Leased { care: Care::Rest, .. } => "BOUND",
            State::Leased { care: Care::Renewing(_), .. } => "RENEWING",
            State::Leased { care: Care::Rebinding(_), .. } => "REBINDING",
        }
    }

    /// When [`DhcpClient::handle_deadline`] wants to be called.
    pub fn next_deadline(&self) -> Instant {
        match &self.state {
            State::Idle => Instant::NEVER,
            State::Pausing { until } => *until,
            State::Selecting(exchange) | State::Requesting { exchange, .. } => exchange.next_at,
            State::Checking { claim, .. } => claim.next_at,
            State::Leased { lease, guard, care } => {
                let cared = match care {
                    Care::Rest => lease.renew_at,
                    Care::Renewing(exchange) => exchange.next_at.min(lease.rebind_at),
                    Care::Rebinding(exchange) => exchange.next_at.min(lease.expires_at),
                };
                cared.min(guard.next_at())
            }
        }
    }

    /// Carries out what was due by `now`.
    pub fn handle_deadline(&mut self, now: Instant) {
        if now < self.next_deadline() {
            return;
        }
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Idle => {}
            State::Pausing { .. } => self.start(now),
            State::Selecting(mut exchange) => {
                if exchange.sent > 0 {
                    self.tell(AutoconfEvent::DhcpSilent { sent: exchange.sent });
                }
                self.send_discover(now, &mut exchange);
                self.state = State::Selecting(exchange);
            }
            State::Requesting { exchange, .. } if exchange.sent >= REQUESTS => self.start(now),
            State::Requesting { mut exchange, offer } => {
                self.send_request_for(now, &mut exchange, &offer);
                self.state = State::Requesting { exchange, offer };
            }
            State::Checking { lease, claim } => self.check(now, lease, claim),
            State::Leased { lease, guard, care } => self.care(now, lease, guard, care),
        }
    }

    /// A datagram that came to the client's port.
    pub fn handle_message(&mut self, now: Instant, bytes: &[u8]) {
        let Ok(message) = Dhcp::parse(bytes) else { return };
        if message.chaddr != self.mac || !message.kind.is_from_server() {
            return;
        }
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Selecting(exchange) if is_answer(&message, &exchange, DhcpKind::Offer) => {
                self.offered(now, exchange, &message);
            }
            State::Requesting { exchange, offer }
                if message.xid == exchange.xid && message.options.server == Some(offer.server) =>
            {
                self.answered(now, exchange, offer, &message);
            }
            State::Leased { lease, guard, care } => self.prolonged(now, lease, guard, care, &message),
            state => self.state = state,
        }
    }

    /// An ARP packet that was seen on the link.
    pub fn handle_arp(&mut self, now: Instant, arp: &Arp) {
        let mac = arp.sender_mac;
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Checking { lease, claim } if claim.is_contested_by(arp) => {
                self.decline(now, &lease, mac);
            }
            State::Leased { lease, mut guard, care } => match guard.heard(now, arp) {
                Heard::GiveUp(mac) => {
                    self.outputs.push_back(Output::Drop(lease.address));
                    self.decline(now, &lease, mac);
                }
                Heard::Defend(arp) => {
                    self.outputs.push_back(Output::Arp(arp));
                    self.state = State::Leased { lease, guard, care };
                }
                Heard::Nothing => self.state = State::Leased { lease, guard, care },
            },
            state => self.state = state,
        }
    }

    /// Gives the address back (RFC 2131 4.4.6). The address has to stay until the message has left, which may take an
    /// ARP exchange: it is the caller's to drop.
    pub fn release(&mut self) {
        let State::Leased { lease, .. } = core::mem::replace(&mut self.state, State::Idle) else { return };
        let xid = self.random.next_u32();
        let mut message = self.message(DhcpKind::Release, xid);
        message.ciaddr = lease.address;
        message.options.server = Some(lease.server);
        let (from, to) = (message.ciaddr, lease.server);
        self.outputs.push_back(Output::Unicast { from, to, message });
    }
}

/// What each state does.
impl DhcpClient {
    fn offered(&mut self, now: Instant, exchange: Exchange, message: &Dhcp) {
        let Some(offer) = Lease::of(message, now) else {
            // Useless: perhaps another server has better.
            self.state = State::Selecting(exchange);
            return;
        };
        // RFC 2131 4.4.1: the request keeps number and `secs` of the discovery.
        let mut exchange = Exchange { asked: now, sent: 0, ..exchange };
        self.send_request_for(now, &mut exchange, &offer);
        self.state = State::Requesting { exchange, offer };
    }

    fn answered(&mut self, now: Instant, exchange: Exchange, offer: Lease, message: &Dhcp) {
        match (message.kind, Lease::of(message, exchange.asked)) {
            (DhcpKind::Nak, _) => self.refused(now, message),
            (DhcpKind::Ack, Some(lease)) if lease.address == offer.address => {
                let address = lease.address;
                let claim = Claim::new(now, address, self.mac, self.timing, &mut self.random);
                self.check(now, lease, claim);
            }
            _ => self.state = State::Requesting { exchange, offer },
        }
    }

    fn check(&mut self, now: Instant, lease: Lease, mut claim: Claim) {
        match claim.due(now, &mut self.random) {
            ClaimDue::Ask(arp) => self.outputs.push_back(Output::Arp(arp)),
            ClaimDue::Nothing => {}
            ClaimDue::Ours => {
                self.failures = 0;
                self.outputs.push_back(Output::Use(lease.clone()));
                self.tell(AutoconfEvent::Leased(lease.clone()));
                let guard = Guard::new(now, lease.address, self.mac);
                return self.care(now, lease, guard, Care::Rest);
            }
        }
        self.state = State::Checking { lease, claim };
    }

    /// RFC 2131 4.4.5.
    fn care(&mut self, now: Instant, lease: Lease, mut guard: Guard, care: Care) {
        if let Some(arp) = guard.due(now) {
            self.outputs.push_back(Output::Arp(arp));
        }
        if lease.expires_at <= now {
            let address = lease.address;
            self.outputs.push_back(Output::Drop(address));
            self.tell(AutoconfEvent::Expired(address));
            return self.start(now);
        }
        let care = match care {
            Care::Rebinding(exchange) if exchange.next_at > now => Care::Rebinding(exchange),
            Care::Rebinding(exchange) => Care::Rebinding(self.ask_for_more(now, &lease, exchange, true)),
            Care::Renewing(_) | Care::Rest if lease.rebind_at <= now => {
                let exchange = self.exchange(now);
                Care::Rebinding(self.ask_for_more(now, &lease, exchange, true))
            }
            Care::Renewing(exchange) if exchange.next_at > now => Care::Renewing(exchange),
            Care::Renewing(exchange) => Care::Renewing(self.ask_for_more(now, &lease, exchange, false)),
            Care::Rest if lease.renew_at <= now => {
                let exchange = self.exchange(now);
                Care::Renewing(self.ask_for_more(now, &lease, exchange, false))
            }
            Care::Rest => Care::Rest,
        };
        self.state = State::Leased { lease, guard, care };
    }

    fn prolonged(&mut self, now: Instant, lease: Lease, guard: Guard, care: Care, message: &Dhcp) {
        let (exchange, any) = match &care {
            Care::Renewing(exchange) => (exchange, false),
            Care::Rebinding(exchange) => (exchange, true),
            Care::Rest => return self.state = State::Leased { lease, guard, care },
        };
        let ours = message.xid == exchange.xid && (any || message.options.server == Some(lease.server));
        match (message.kind, Lease::of(message, exchange.asked)) {
            (DhcpKind::Nak, _) if ours => {
                self.outputs.push_back(Output::Drop(lease.address));
                self.refused(now, message);
            }
            // It counts from the first question: a short lease may be over when its answer comes late.
            (DhcpKind::Ack, Some(new)) if ours && new.address == lease.address && new.expires_at > now => {
                self.outputs.push_back(Output::Use(new.clone()));
                self.tell(AutoconfEvent::Renewed(new.clone()));
                self.care(now, new, guard, Care::Rest);
            }
            _ => self.state = State::Leased { lease, guard, care },
        }
    }

    /// DHCPNAK: from the beginning, and not in a circle as fast as the wire carries.
    fn refused(&mut self, now: Instant, message: &Dhcp) {
        let server = message.options.server.unwrap_or(Ipv4Addr::UNSPECIFIED);
        self.tell(AutoconfEvent::Refused { server, message: message.options.message.clone() });
        let pause = Duration::from_secs(1 << self.failures.min(6)).min(RATE_LIMIT);
        self.failures += 1;
        self.state = State::Pausing { until: now + pause };
    }

    /// DHCPDECLINE: somebody has it, whatever the server believes.
    fn decline(&mut self, now: Instant, lease: &Lease, mac: MacAddr) {
        let xid = self.random.next_u32();
        let mut message = self.message(DhcpKind::Decline, xid);
        message.options.requested = Some(lease.address);
        message.options.server = Some(lease.server);
        self.outputs.push_back(Output::Broadcast(message));
        self.tell(AutoconfEvent::Conflict { address: lease.address.into(), mac: Some(mac) });
        self.failures += 1;
        let pause = if self.failures > MOST_CONFLICTS { RATE_LIMIT } else { AFTER_DECLINE };
        self.state = State::Pausing { until: now + pause };
    }

    fn tell(&mut self, event: AutoconfEvent) {
        self.outputs.push_back(Output::Tell(event));
    }
}

/// Messages (RFC 2131 table 5).
impl DhcpClient {
    fn exchange(&mut self, now: Instant) -> Exchange {
        Exchange { xid: self.random.next_u32(), began: now, asked: now, sent: 0, next_at: now }
    }

    fn message(&self, kind: DhcpKind, xid: u32) -> Dhcp {
        let client_id = [&[1], &self.mac.0[..]].concat();
        Dhcp {
            options: DhcpOptions { client_id, ..DhcpOptions::default() },
            ..Dhcp::new(kind, xid, self.mac)
        }
    }

    /// A question that wants configuration.
    fn question(&self, now: Instant, kind: DhcpKind, exchange: &Exchange) -> Dhcp {
        let mut message = self.message(kind, exchange.xid);
        message.secs = u16::try_from(now.since(exchange.began).as_secs()).unwrap_or(u16::MAX);
        message.options.parameters = WANTED.to_vec();
        message.options.max_size = Some(LARGEST);
        message
    }

    fn send_discover(&mut self, now: Instant, exchange: &mut Exchange) {
        // What is sent to an address that we don't have yet does reach us, but not every server can send it.
        let message = Dhcp { broadcast: true, ..self.question(now, DhcpKind::Discover, exchange) };
        self.outputs.push_back(Output::Broadcast(message));
        self.wait(now, exchange);
    }

    fn send_request_for(&mut self, now: Instant, exchange: &mut Exchange, offer: &Lease) {
        let mut message = Dhcp { broadcast: true, ..self.question(now, DhcpKind::Request, exchange) };
        message.options.requested = Some(offer.address);
        message.options.server = Some(offer.server);
        self.outputs.push_back(Output::Broadcast(message));
        self.wait(now, exchange);
    }

    /// RENEWING or, towards anyone, REBINDING.
    fn ask_for_more(
        &mut self,
        now: Instant,
        lease: &Lease,
        mut exchange: Exchange,
        anyone: bool,
    ) -> Exchange {
        let mut message = self.question(now, DhcpKind::Request, &exchange);
        message.ciaddr = lease.address;
        self.outputs.push_back(if anyone {
            Output::Broadcast(message)
        } else {
            Output::Unicast { from: message.ciaddr, to: lease.server, message }
        });
        let end = if anyone { lease.expires_at } else { lease.rebind_at };
        exchange.sent += 1;
        exchange.next_at = now + (end.since(now) / 2).max(LEAST_BETWEEN);
        exchange
    }

    /// RFC 2131 4.1: twice as long each time, spread at random.
    fn wait(&mut self, now: Instant, exchange: &mut Exchange) {
        let wait = FIRST_WAIT.saturating_mul(1 << exchange.sent.min(8)).min(LONGEST_WAIT);
        let spread = Duration::from_nanos(self.random.below(2 * SPREAD.as_nanos() as u64 + 1));
        exchange.sent += 1;
        exchange.next_at = now + wait - SPREAD + spread;
    }
}

fn is_answer(message: &Dhcp, exchange: &Exchange, kind: DhcpKind) -> bool {
    message.kind == kind && message.xid == exchange.xid
}

#[cfg(test)]
mod tests;
