//! A recursive server as a machine: clients' octets in, replies out, and the resolver between.
//!
//! - [`Service`]: start here. Rule for the loop as for [`crate::resolver::Resolver`].
//! - [`policy`]: rules about names and addresses, as zones (RPZ); [`responses`]: about addresses, one by one.
//! - [`clients`]: who they are: tags and views.
//! - [`local`]: names answered by configuration; [`access`]: who may ask; [`reply`]: an answer in wire form;
//!   [`dns64`]: IPv6 addresses for names that have none (RFC 6147); [`held`]: zones of our own, transfers included.

pub mod access;
pub mod clients;
pub mod dns64;
pub mod held;
pub mod local;
pub mod policy;
pub mod reply;
pub mod responses;
mod sentinel;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use crate::packed::{PackedAnswers, PlainQuery};
use crate::resolver::{Answer, ExchangeId, Input, Output, Resolver, ResolverConfig};
use crate::rrset::Security;
use crate::wire::{CLASS_CH, CLASS_IN, Packet, Question};
use access::{Access, Action};
use clients::{Client, Clients, Tags};
use dns64::Dns64;
use local::{LocalZones, Verdict};
use policy::{Policies, PolicyZone};
use reply::{Reply, Style};
use responses::AddressRules;

/// Serving answers whose time is over (RFC 8767).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stale {
    /// Whether to do it at all.
    pub enabled: bool,
    /// TTL that such records are given, in seconds (RFC 8767 section 4 recommends 30).
    pub reply_ttl: u32,
    /// How long a fresh answer is waited for; zero: the stale one goes out at once, and is refreshed behind.
    pub client_timeout: Duration,
}

/// How clients are served.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// The resolver.
    pub resolver: ResolverConfig,
    /// Who may ask.
    pub access: Access,
    /// Names of our own.
    pub local: LocalZones,
    /// Zones whose data we hold.
    pub zones: Vec<held::HeldZone>,
    /// Policy zones, the weightiest first; no more than [`policy::ZONES_MAX`] count.
    pub policies: Vec<PolicyZone>,
    /// What is known of clients: tags and views.
    pub clients: Clients,
    /// Rules about addresses in answers.
    pub responses: AddressRules,
    /// Shape of replies.
    pub style: Style,
    /// Serving stale answers.
    pub stale: Stale,
    /// Clients that wait for a resolution at once. Half of them stay whatever happens; of the others, the one that has
    /// waited longest makes room once it has waited for `jostle`. Until then who comes too late gets nothing.
    pub clients_max: usize,
    /// How long a client may wait undisturbed when there are too many.
    pub jostle: Duration,
    /// Fetch popular answers anew shortly before their time is over.
    pub prefetch: bool,
    /// IPv6 addresses for names without.
    pub dns64: Option<Dns64>,
    /// What `version.bind` says; `None`: refused.
    pub version: Option<String>,
    /// What `hostname.bind` says; `None`: refused.
    pub identity: Option<String>,
    /// Whether `trustanchor.unbound` in class CHAOS tells the zones and key tags of our trust anchors.
    pub tell_anchors: bool,
    /// Answer for the names of RFC 8509 by which clients learn which root keys we trust.
    pub key_sentinel: bool,
    /// Who asks for an extended error's agent is told (RFC 9567): not done.
    pub name_server_id: Option<Vec<u8>>,
    /// Answer clients' cookies with this key (RFC 9018).
    pub cookie_key: Option<(u64, u64)>,
    /// How long TCP connections may be idle, in tenths of a second, as clients are told (RFC 7828); `None`: they are not.
    pub tcp_keepalive: Option<u16>,
    /// Questions for every type get an empty answer: they are big, and nobody needs them (RFC 8482 gives other ways).
    pub deny_any: bool,
    /// Octets that answers ready to be sent may take.
    pub packed_max: usize,
    /// Tell what was resolved, too: [`Out::Answered`].
    pub tell_answers: bool,
}

impl ServiceConfig {
    /// The usual settings over this resolver.
    pub fn new(resolver: ResolverConfig) -> ServiceConfig {
        ServiceConfig {
            resolver,
            access: Access::default(),
            local: LocalZones::with_defaults(),
            zones: Vec::new(),
            policies: Vec::new(),
            clients: Clients::default(),
            responses: AddressRules::default(),
            style: Style::default(),
            stale: Stale::default(),
            clients_max: 4096,
            jostle: Duration::from_millis(200),
            prefetch: true,
            dns64: None,
            version: None,
            identity: None,
            tell_anchors: false,
            key_sentinel: true,
            name_server_id: None,
            cookie_key: None,
            tcp_keepalive: None,
            deny_any: false,
            packed_max: 64 << 20,
            tell_answers: false,
        }
    }
}

/// What to do outside.
#[derive(Clone, Debug)]
pub enum Out {
    /// For the resolver; see [`Output`].
    Send {
        /// Names the exchange.
        exchange: ExchangeId,
        /// The server.
        to: std::net::SocketAddr,
        /// Over TCP.
        over_tcp: bool,
        /// The query.
        message: Vec<u8>,
    },
    /// The exchange is over.
    Finished(ExchangeId),
    /// The resolver answered a client's question; only if [`ServiceConfig::tell_answers`] wants it told.
    Answered(Arc<Answer>),
    /// Send this to the client with this token; nothing if `None`.
    Reply {
        /// The client's handle.
        token: u64,
        /// The reply.
        message: Option<Vec<u8>>,
    },
}

/// The class of questions for every class.
const CLASS_ANY: u16 = 255;
/// Aliases that policies may give one question.
const POLICY_ALIASES: u8 = 10;

/// A client's question on its way through policies and local data.
#[derive(Debug)]
struct Ticket {
    token: u64,
    from: IpAddr,
    reply: Reply,
    /// What is asked now: aliases have changed it.
    asked: Question,
    /// Records to put before the answer.
    prefix: Vec<crate::wire::RawRecord>,
    /// No policy concerns it any more.
    free: bool,
    /// Aliases that policies gave.
    followed: u8,
    /// The answer so far is stale: what follows may be, too.
    stale: bool,
}

/// A client that waits.
#[derive(Debug)]
struct Waiting {
    token: u64,
    reply: Reply,
    /// What the client asked, and what is asked for it: aliases of local zones and DNS64 change it.
    asked: Question,
    stage: Stage,
    from: IpAddr,
    since: Instant,
    /// When a stale answer will do.
    stale_at: Option<Instant>,
    /// Records to put before the answer.
    prefix: Vec<crate::wire::RawRecord>,
    /// No policy concerns it any more.
    free: bool,
    /// Aliases that policies gave.
    followed: u8,
}

#[derive(Debug)]
enum Stage {
    Plain,
    /// The AAAA question was answered so; the A question is under way.
    Dns64(Box<Answer>),
    /// The reverse name of an IPv4 address is asked for instead of this one, of an address made by DNS64.
    Reverse(Name),
}

/// A recursive server.
#[derive(Debug)]
pub struct Service {
    config: ServiceConfig,
    resolver: Resolver,
    policies: Arc<Policies>,
    held: held::HeldZones,
    waiting: BTreeMap<u64, Waiting>,
    /// Those of the waiting that have to make room for others.
    movable: BTreeSet<u64>,
    stale_timers: BTreeSet<(Instant, u64)>,
    last: u64,
    out: VecDeque<Out>,
    /// The zones held were looked at.
    started: bool,
    packed: PackedAnswers,
    /// The last client that was found to be allowed to ask: it often asks again.
    allowed: Option<IpAddr>,
    /// Until when the reply that was just made may be given to others, too.
    packable: Option<Instant>,
}

impl Service {
    /// A server with an empty cache.
    pub fn new(mut config: ServiceConfig, seed: [u8; 32]) -> Service {
        let word = |at: usize| u64::from_le_bytes(seed[at..at + 8].try_into().expect("eight octets"));
        // Not the words that ids come from: who could time collisions should learn nothing about those.
        let packed = PackedAnswers::new(
            (word(16) ^ word(0).rotate_left(7), word(24) ^ 0x7061_636b),
            config.packed_max,
        );
        let (held, upstreams) = held::HeldZones::new(&config.zones, word(8) ^ 0x7a6f_6e65);
        config.resolver.upstreams.extend(upstreams);
        let resolver = Resolver::new(config.resolver.clone(), seed);
        let zones = std::mem::take(&mut config.policies).into_iter().take(policy::ZONES_MAX);
        let policies = Arc::new(Policies { zones: zones.map(Arc::new).collect() });
        let mut service = Service {
            packed,
            policies: policies.clone(),
            allowed: None,
            held,
            packable: None,
            config,
            resolver,
            waiting: BTreeMap::new(),
            movable: BTreeSet::new(),
            stale_timers: BTreeSet::new(),
            last: 0,
            out: VecDeque::new(),
            started: false,
        };
        if !policies.is_empty() {
            service.resolver.watch_with(Some(policies));
        }
        service
    }

    /// Begins what has to be known before the first question: whether the zones held are whole, and who may tell of
    /// changes. The first question does so, too.
    pub fn start(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.started, true) {
            self.examine_all(now);
            self.drain(now);
        }
    }

    /// The resolver, for whoever wants to look into it.
    pub fn resolver(&mut self) -> &mut Resolver {
        &mut self.resolver
    }

    /// The short way for a client's message over UDP: if its reply is at hand in octets, appends it to `out`. `false`:
    /// it has to go through [`Service::query`].
    pub fn quick(&mut self, now: Instant, from: IpAddr, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        if self.allowed != Some(from) {
            if !matches!(self.config.access.action(from), Action::Allow | Action::AllowSnoop) {
                return false;
            }
            self.allowed = Some(from);
        }
        PlainQuery::read(bytes).is_some_and(|plain| self.packed.answer(now, &plain, bytes, out))
    }

    /// A client's message.
    pub fn query(&mut self, now: Instant, token: u64, from: IpAddr, over_tcp: bool, bytes: &[u8]) {
        self.start(now);
        self.packable = None;
        if let Some(message) = self.receive(now, token, from, over_tcp, bytes) {
            if let Some(until) = self.packable
                && let Some(message) = &message
                && let Some(plain) = PlainQuery::read(bytes)
            {
                self.packed.keep(now, until, &plain, message);
            }
            self.out.push_back(Out::Reply { token, message });
        }
        self.drain(now);
    }

    /// Forgets every answer.
    pub fn flush(&mut self) {
        self.packed.clear();
        self.resolver.flush();
    }

    /// Forgets the answers about a name and all below it; how many entries of the cache that were.
    pub fn flush_below(&mut self, name: &Name) -> usize {
        self.packed.clear();
        self.resolver.flush_below(name)
    }

    /// Clients that wait for a resolution.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Replies at hand in octets.
    pub fn packed(&self) -> usize {
        self.packed.len()
    }

    /// Something for the resolver.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.start(now);
        if !self.held_input(now, &input) {
            self.resolver.handle(now, input);
        }
        self.drain(now);
        while let Some(&(at, id)) = self.stale_timers.first()
            && at <= now
        {
            self.stale_timers.pop_first();
            self.serve_stale(now, id);
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Out> {
        self.out.pop_front()
    }

    /// When to call with [`Input::Timeout`].
    pub fn next_deadline(&self) -> Instant {
        let stale = self.stale_timers.first().map_or(Instant::NEVER, |(at, _)| *at);
        self.resolver.next_deadline().min(stale).min(self.held.next_deadline())
    }

    /// `Some`: the reply (or silence) is known at once.
    fn receive(
        &mut self,
        now: Instant,
        token: u64,
        from: IpAddr,
        over_tcp: bool,
        bytes: &[u8],
    ) -> Option<Option<Vec<u8>>> {
        if let Some(reply) = self.notice(now, from, bytes) {
            return Some(Some(reply));
        }
        let (packet, reply) = match reply::read(bytes, over_tcp, &self.config.style) {
            reply::Read::Query(packet, reply) => (packet, reply),
            reply::Read::Reply(bytes) => return Some(Some(bytes)),
            reply::Read::Ignore => return Some(None),
        };
        let mut reply = reply;
        match self.config.access.action(from) {
            Action::Deny => return Some(None),
            Action::Refuse => return Some(Some(reply.prohibited())),
            _ => {}
        }
        reply.add_client_options(&packet, from, now, &self.config);
        let action = self.config.access.action(from);
        if action == Action::AllowWithCookie
            && let Some(message) = reply.without_cookie()
        {
            return Some(Some(message));
        }
        let mut question = packet.questions[0].clone();
        if question.class == CLASS_ANY {
            // Of all classes we know one.
            question.class = CLASS_IN;
        }
        if !self.config.resolver.dnssec_ok {
            reply.without_signatures();
        }
        if question.class == CLASS_CH {
            return Some(Some(self.chaos(&reply, &question)));
        }
        let allowed = action == Action::AllowSnoop;
        let desired = packet.header.recursion_desired || action == Action::AllowAsIfDesired;
        if matches!(question.rtype, RecordType::AXFR | RecordType::IXFR) || question.class != CLASS_IN {
            return Some(Some(reply.transfer_refused()));
        }
        if self.config.deny_any && question.rtype == RecordType::ANY {
            return Some(Some(reply.local(&local::LocalAnswer::default())));
        }
        match self.local(&question, from) {
            Verdict::Pass | Verdict::NoView => {}
            Verdict::Drop => return Some(None),
            Verdict::Answer(answer) => return Some(Some(reply.local(&answer))),
            Verdict::Alias(record, target) => {
                let asked = Question { name: target, ..question };
                let prefix = vec![record];
                let ticket =
                    Ticket { token, from, reply, asked, prefix, free: true, followed: 0, stale: false };
                return self.begin(now, ticket);
            }
        }
        if let Some(answer) = self.held.answer(&question, &reply, desired) {
            return Some(Some(answer));
        }
        match action {
            Action::RefuseNonLocal => return Some(Some(reply.prohibited())),
            Action::DenyNonLocal => return Some(None),
            _ => {}
        }
        if !desired && !allowed {
            return Some(Some(reply.refused(20, "recursion was not asked for")));
        }
        if !desired {
            let cached = self.resolver.cached_answer(now, &question, false);
            let known = cached.or_else(|| Some((self.resolver.denied_answer(now, &question)?, false)));
            return Some(Some(match known {
                Some((answer, _)) => self.encoded(&reply, &answer),
                None => match self
                    .config
                    .stale
                    .enabled
                    .then(|| self.resolver.stale_answer(&question, self.config.stale.reply_ttl))
                    .flatten()
                {
                    Some(answer) => {
                        self.resolver.refresh(&question);
                        reply.stale(&answer)
                    }
                    None => match self.resolver.referral(now, &question) {
                        Some(answer) => reply.referral(&answer),
                        None => reply.refused(20, ""),
                    },
                },
            }));
        }
        let free = self.policies.is_empty();
        let prefix = Vec::new();
        let ticket = Ticket { token, from, reply, asked: question, prefix, free, followed: 0, stale: false };
        self.route(now, ticket)
    }

    /// What is known of a client; nothing where all are alike.
    fn client(&self, from: IpAddr) -> Option<&Client> {
        if self.config.clients.alike() { None } else { self.config.clients.client(from) }
    }

    fn tags(&self, from: IpAddr) -> Tags {
        self.client(from).map_or(Tags::NONE, |client| client.tags)
    }

    /// What local zones say: those of the client's view, then those that everybody has.
    fn local(&self, question: &Question, from: IpAddr) -> Verdict {
        if self.config.clients.alike() {
            return self.config.local.answer(question, from, None);
        }
        let client = self.config.clients.client(from);
        if let Some(view) = self.config.clients.view(from) {
            match view.local.answer(question, from, client) {
                Verdict::Pass if !view.first && !view.local.is_empty() => return Verdict::Pass,
                Verdict::Pass | Verdict::NoView => {}
                verdict => return verdict,
            }
        }
        self.config.local.answer(question, from, client)
    }

    /// Whether rules about addresses may concern answers to a question of this client.
    fn has_address_rules(&self, question: &Question, from: IpAddr) -> bool {
        let addresses = matches!(question.rtype, RecordType::A | RecordType::AAAA | RecordType::ANY);
        let own = || self.config.clients.view(from).is_some_and(|view| !view.responses.is_empty());
        addresses && (!self.config.responses.is_empty() || (!self.config.clients.alike() && own()))
    }

    /// What rules about addresses make of an answer: those of the client's view, then those that everybody has.
    fn by_address(&self, answer: &Answer, from: IpAddr) -> Option<responses::Verdict> {
        let client = self.client(from);
        if let Some(view) = client.and_then(|client| self.config.clients.views.get(client.view?)) {
            let found = view.responses.judge(answer, client);
            if found.is_some() || !view.first {
                return found;
            }
        }
        self.config.responses.judge(answer, client)
    }

    /// Asks the policies, follows the aliases that they give, and begins what is left to resolve.
    fn route(&mut self, now: Instant, mut ticket: Ticket) -> Option<Option<Vec<u8>>> {
        while !ticket.free && ticket.followed < POLICY_ALIASES {
            let first = ticket.followed == 0;
            let tags = self.tags(ticket.from);
            let said = self.policies.on_question(&ticket.asked, ticket.from, tags, first);
            match said {
                policy::Verdict::Pass => break,
                policy::Verdict::PassThrough => ticket.free = true,
                verdict => match self.apply(&mut ticket, verdict, true) {
                    Some(message) => return Some(message),
                    None => continue,
                },
            }
        }
        self.begin(now, ticket)
    }

    /// Does what a policy says. `None`: the ticket's question is another one now, or no policy's matter any more.
    fn apply(&self, ticket: &mut Ticket, verdict: policy::Verdict, by_name: bool) -> Option<Option<Vec<u8>>> {
        match verdict {
            policy::Verdict::Pass | policy::Verdict::PassThrough => ticket.free = true,
            policy::Verdict::Drop => return Some(None),
            policy::Verdict::Truncate if ticket.reply.over_tcp() => ticket.free = true,
            policy::Verdict::Truncate => {
                if by_name {
                    ticket.reply.claim_authority();
                }
                return Some(Some(ticket.reply.truncated()));
            }
            policy::Verdict::Answer(said) => {
                let mut answer = std::mem::take(&mut ticket.prefix);
                // RFC 8914 sections 4.16 and 4.5: blocked by the operator of this server, or forged.
                let blocked = if said.records.is_empty() { 15 } else { 4 };
                answer.extend(said.records);
                let local = local::LocalAnswer {
                    rcode: said.code,
                    answer,
                    authority: Vec::new(),
                    extended_error: Some(blocked),
                    authoritative: by_name || ticket.reply.is_authoritative(),
                    additional: said.soa.into_iter().collect(),
                    hides_recursion: said.signals,
                };
                return Some(Some(ticket.reply.local(&local)));
            }
            policy::Verdict::Alias(record, target) => {
                if by_name {
                    ticket.reply.claim_authority();
                }
                ticket.prefix.push(record);
                ticket.asked.name = target;
                ticket.followed += 1;
            }
        }
        None
    }

    fn begin(&mut self, now: Instant, ticket: Ticket) -> Option<Option<Vec<u8>>> {
        let Ticket { token, from, reply, mut asked, prefix, free, followed, stale: late } = ticket;
        let mut synthesis = self.config.dns64.as_ref().is_some_and(|dns64| dns64.concerns(&asked));
        let mut stage = Stage::Plain;
        if let Some(plain) = self.config.dns64.as_ref().and_then(|dns64| dns64.plain_reverse(&asked)) {
            stage = Stage::Reverse(std::mem::replace(&mut asked, plain).name);
            synthesis = true;
        }
        let by_address = self.has_address_rules(&asked, from);
        let known = self
            .resolver
            .cached_answer(now, &asked, !reply.checking_disabled())
            .filter(|(answer, _)| !(reply.checking_disabled() && answer.security == Security::Bogus));
        if let Some((_, true)) = &known
            && synthesis
            && self.config.prefetch
        {
            self.resolver.refresh(&asked);
            self.resolver.refresh(&Question { rtype: RecordType::A, ..asked.clone() });
        }
        if let Some((answer, due)) = &known
            && !synthesis
            && prefix.is_empty()
            && free
            && !by_address
        {
            if *due && self.config.prefetch {
                self.resolver.refresh(&asked);
            }
            // Policies may judge clients and answers one by one; without them all get the same.
            if !*due && self.alike() {
                self.packable = self.packable_until(now, answer);
            }
            return Some(Some(self.encoded(&reply, answer)));
        }
        let stale = self.config.stale;
        if stale.enabled
            && known.is_none()
            && stale.client_timeout.is_zero()
            && !synthesis
            && prefix.is_empty()
            && free
            && !by_address
            && let Some(answer) = self.resolver.stale_answer(&asked, stale.reply_ttl)
        {
            self.resolver.refresh(&asked);
            return Some(Some(reply.stale(&answer)));
        }
        if self.waiting.len() >= self.config.clients_max {
            let oldest = self.movable.first().copied();
            let Some(oldest) = oldest.filter(|id| now.since(self.waiting[id].since) > self.config.jostle)
            else {
                return Some(None);
            };
            self.forget(oldest);
        }
        self.last += 1;
        let id = self.last;
        if self.waiting.len() - self.movable.len() >= self.config.clients_max.div_ceil(2) {
            self.movable.insert(id);
        }
        let (checking_disabled, over_tcp) = (reply.checking_disabled(), reply.over_tcp());
        let mut waiting = Waiting {
            token,
            reply,
            asked: asked.clone(),
            stage,
            from,
            since: now,
            stale_at: None,
            prefix,
            free,
            followed,
        };
        if stale.enabled && !stale.client_timeout.is_zero() {
            let at = if late { now } else { now + stale.client_timeout };
            waiting.stale_at = Some(at);
            self.stale_timers.insert((at, id));
        }
        self.waiting.insert(id, waiting);
        if late && stale.enabled && !stale.client_timeout.is_zero() {
            self.stale_timers.remove(&(now, id));
            self.serve_stale(now, id);
            if !self.waiting.contains_key(&id) {
                return None;
            }
        }
        let rules = if free { 0 } else { self.policies.rules(self.tags(from), over_tcp) };
        self.resolver.query_watched(now, id, &asked, checking_disabled, rules);
        None
    }

    /// Whether every client gets the same answers.
    fn alike(&self) -> bool {
        self.policies.is_empty() && self.config.clients.alike() && self.config.responses.is_empty()
    }

    /// Until the first record of the answer is over, or until it is time to fetch it anew.
    fn packable_until(&self, now: Instant, answer: &Answer) -> Option<Instant> {
        let sections = &answer.sections;
        let records = sections.answer.iter().chain(&sections.authority).chain(&sections.additional);
        let left = Duration::from_secs(u64::from(records.map(|record| record.ttl).min()?));
        Some(now + if self.config.prefetch { left * 9 / 10 } else { left })
    }

    fn take(&mut self, id: u64) -> Option<Waiting> {
        self.movable.remove(&id);
        self.waiting.remove(&id)
    }

    /// A client that waits gets nothing any more.
    fn forget(&mut self, id: u64) {
        let Some(waiting) = self.take(id) else { return };
        if let Some(at) = waiting.stale_at {
            self.stale_timers.remove(&(at, id));
        }
        self.resolver.cancel(id);
        self.out.push_back(Out::Reply { token: waiting.token, message: None });
    }

    /// The resolver's answer in wire form, unless the question was about our trust anchors.
    fn encoded(&self, reply: &Reply, answer: &Answer) -> Vec<u8> {
        let question = Question::new(answer.name.clone(), answer.record_type);
        if self.config.key_sentinel && !reply.checking_disabled() {
            let tags = self.resolver.root_tags();
            if sentinel::denies(&question, answer, &tags) {
                return reply.answer(&answer.denied(6, "another root key was asked about"));
            }
        }
        reply.answer(answer)
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.resolver.poll_output() {
            match output {
                Output::Send { exchange, to, over_tcp, message } => {
                    self.out.push_back(Out::Send { exchange, to, over_tcp, message });
                }
                Output::Finished(exchange) => self.out.push_back(Out::Finished(exchange)),
                Output::Answer { token, answer } => {
                    if self.config.tell_answers {
                        self.out.push_back(Out::Answered(answer.clone()));
                    }
                    self.answered(now, token, &answer);
                }
            }
        }
    }

    fn answered(&mut self, now: Instant, id: u64, answer: &Answer) {
        if self.looked_up(now, id, answer) {
            return;
        }
        let Some(mut waiting) = self.take(id) else { return };
        if let Some(at) = waiting.stale_at {
            self.stale_timers.remove(&(at, id));
        }
        let failed = answer.code == hickory_proto::op::ResponseCode::ServFail;
        if failed
            && self.config.stale.enabled
            && let Some(stale) = self.resolver.stale_answer(&waiting.asked, self.config.stale.reply_ttl)
        {
            return self.give_stale(now, waiting, &stale);
        }
        let mut answer = answer.clone();
        if let Some(stopped) = answer.stopped.take() {
            let verdict = self.policies.on_way(&waiting.asked, &stopped, self.tags(waiting.from));
            // An answer of a rule's own is ours; what is followed further on, or over TCP, is not.
            let own = matches!(verdict, policy::Verdict::Answer(_));
            return self.judged(now, waiting, verdict, stopped.chain, own);
        }
        waiting.free |= answer.unwatched;
        if let Some(dns64) = &self.config.dns64 {
            match std::mem::replace(&mut waiting.stage, Stage::Plain) {
                Stage::Plain if dns64.needs_a(&waiting.asked, &answer, &waiting.reply) => {
                    let asked = Question { rtype: RecordType::A, ..waiting.asked.clone() };
                    waiting.stage = Stage::Dns64(Box::new(answer));
                    waiting.stale_at = None;
                    self.waiting.insert(id, waiting);
                    let input = Input::Query {
                        token: id,
                        name: &asked.name,
                        record_type: RecordType::A,
                        checking_disabled: false,
                    };
                    self.resolver.handle(now, input);
                    return;
                }
                Stage::Dns64(first) => {
                    // What rules say of an IPv4 address holds for the IPv6 one that is made of it.
                    let asked = Question { rtype: RecordType::A, ..waiting.asked.clone() };
                    answer.record_type = RecordType::A;
                    match self.plain_rewritten(&asked, &answer, &waiting) {
                        Plain::As(second) => answer = dns64.synthesize(&first, &second),
                        Plain::Not => answer = *first,
                        Plain::Alias(kept, target) => {
                            waiting.prefix.extend(kept);
                            waiting.asked.name = target;
                            waiting.followed += 1;
                            waiting.stage = Stage::Dns64(first);
                            let asked = Question { name: waiting.asked.name.clone(), ..asked };
                            self.waiting.insert(id, waiting);
                            self.resolver.query_watched(now, id, &asked, false, 0);
                            return;
                        }
                    }
                }
                Stage::Reverse(name) => {
                    let own = &mut answer.sections.answer;
                    own.retain(|record| record.rtype != RecordType::RRSIG);
                    for record in own.iter_mut().filter(|record| record.name == waiting.asked.name) {
                        record.name = name.clone();
                    }
                    answer.security = Security::Insecure;
                }
                Stage::Plain => {}
            }
        }
        if self.has_address_rules(&waiting.asked, waiting.from)
            && let Some(verdict) = self.by_address(&answer, waiting.from)
        {
            return self.rewritten(now, waiting, verdict, false);
        }
        if !waiting.free
            && let Some(found) =
                self.policies.on_answer(&waiting.asked, &answer, waiting.from, self.tags(waiting.from))
        {
            let (verdict, kept, by_name) = found;
            return self.judged(now, waiting, verdict, kept, by_name);
        }
        if !waiting.prefix.is_empty() {
            answer.sections.answer.splice(0..0, waiting.prefix.drain(..));
            answer.security = Security::Insecure;
        }
        let message = Some(self.encoded(&waiting.reply, &answer));
        self.out.push_back(Out::Reply { token: waiting.token, message });
    }

    /// A rule about an address concerns an answer.
    fn rewritten(&mut self, now: Instant, waiting: Waiting, verdict: responses::Verdict, stale: bool) {
        let Waiting { token, reply, mut asked, from, mut prefix, followed, free, .. } = waiting;
        let message = match verdict {
            responses::Verdict::Drop => None,
            responses::Verdict::Refuse => {
                Some(reply.local(&local::LocalAnswer { rcode: 5, ..local::LocalAnswer::default() }))
            }
            responses::Verdict::Answer { code, kept } => {
                prefix.extend(kept);
                let answer =
                    local::LocalAnswer { rcode: code, answer: prefix, ..local::LocalAnswer::default() };
                Some(reply.local(&answer))
            }
            responses::Verdict::Alias { .. } if followed >= POLICY_ALIASES => {
                Some(reply.failed("aliases of rules lead in a circle"))
            }
            responses::Verdict::Alias { kept, target } => {
                prefix.extend(kept);
                asked.name = target;
                let ticket =
                    Ticket { token, from, reply, asked, prefix, free, followed: followed + 1, stale };
                match self.route(now, ticket) {
                    Some(message) => message,
                    None => return,
                }
            }
        };
        self.out.push_back(Out::Reply { token, message });
    }

    /// What rules make of the IPv4 addresses that DNS64 is to start from.
    fn plain_rewritten(&self, asked: &Question, answer: &Answer, waiting: &Waiting) -> Plain {
        if self.has_address_rules(asked, waiting.from)
            && let Some(verdict) = self.by_address(answer, waiting.from)
        {
            return match verdict {
                responses::Verdict::Drop | responses::Verdict::Refuse => Plain::Not,
                responses::Verdict::Answer { code: 0, kept } if !kept.is_empty() => Plain::with(answer, kept),
                responses::Verdict::Answer { .. } => Plain::Not,
                responses::Verdict::Alias { kept, target } if waiting.followed < POLICY_ALIASES => {
                    Plain::Alias(kept, target)
                }
                responses::Verdict::Alias { .. } => Plain::Not,
            };
        }
        if waiting.free {
            return Plain::As(Box::new(answer.clone()));
        }
        match self.policies.on_answer(asked, answer, waiting.from, self.tags(waiting.from)) {
            None => Plain::As(Box::new(answer.clone())),
            Some((policy::Verdict::Answer(said), mut kept, _))
                if said.code == 0 && !said.records.is_empty() =>
            {
                kept.extend(said.records);
                Plain::with(answer, kept)
            }
            Some((policy::Verdict::Alias(record, target), mut kept, _))
                if waiting.followed < POLICY_ALIASES =>
            {
                kept.push(record);
                Plain::Alias(kept, target)
            }
            Some(_) => Plain::Not,
        }
    }

    /// A policy concerns an answer: `kept` of its aliases stay.
    fn judged(
        &mut self,
        now: Instant,
        waiting: Waiting,
        verdict: policy::Verdict,
        kept: Vec<crate::wire::RawRecord>,
        by_name: bool,
    ) {
        let Waiting { token, reply, asked, from, mut prefix, followed, .. } = waiting;
        prefix.extend(kept);
        let mut ticket = Ticket { token, from, reply, asked, prefix, free: false, followed, stale: false };
        let message = match self.apply(&mut ticket, verdict, by_name) {
            Some(message) => Some(message),
            None => self.route(now, ticket),
        };
        if let Some(message) = message {
            self.out.push_back(Out::Reply { token, message });
        }
    }

    /// The client has waited long enough for something fresh.
    fn serve_stale(&mut self, now: Instant, id: u64) {
        let Some(waiting) = self.waiting.get(&id) else { return };
        let Some(answer) = self.resolver.stale_answer(&waiting.asked, self.config.stale.reply_ttl) else {
            return;
        };
        let waiting = self.take(id).expect("just looked at");
        self.give_stale(now, waiting, &answer);
    }

    /// A stale answer, unless a rule concerns it.
    fn give_stale(&mut self, now: Instant, waiting: Waiting, answer: &Answer) {
        if self.has_address_rules(&waiting.asked, waiting.from)
            && let Some(verdict) = self.by_address(answer, waiting.from)
        {
            return self.rewritten(now, waiting, verdict, true);
        }
        if !waiting.free {
            let tags = self.tags(waiting.from);
            let found = self.policies.on_answer(&waiting.asked, answer, waiting.from, tags);
            if let Some((verdict, kept, by_name)) = found {
                return self.judged(now, waiting, verdict, kept, by_name);
            }
        }
        let mut answer = answer.clone();
        if !waiting.prefix.is_empty() {
            answer.sections.answer.splice(0..0, waiting.prefix);
            answer.security = Security::Insecure;
        }
        let message = Some(waiting.reply.stale(&answer));
        self.out.push_back(Out::Reply { token: waiting.token, message });
    }

    /// `version.bind` and its like (RFC 4892).
    fn chaos(&self, reply: &Reply, question: &Question) -> Vec<u8> {
        let is = |names: [&str; 2]| {
            names.iter().any(|name| crate::text::parse_name(name).is_ok_and(|name| name == question.name))
        };
        if is(["trustanchor.unbound"; 2]) && self.config.tell_anchors {
            let texts: Vec<String> = self
                .resolver
                .anchor_tags()
                .iter()
                .map(|(zone, tags)| {
                    let tags: Vec<String> = tags.iter().map(u16::to_string).collect();
                    format!("{} {}", crate::text::name_text(zone), tags.join(" "))
                })
                .collect();
            return reply.texts(&question.name, &texts);
        }
        let text = if is(["version.bind", "version.server"]) {
            self.config.version.as_deref()
        } else if is(["hostname.bind", "id.server"]) {
            self.config.identity.as_deref()
        } else {
            None
        };
        match text {
            Some(text) if matches!(question.rtype, RecordType::TXT | RecordType::ANY) => {
                reply.texts(&question.name, &[text.to_owned()])
            }
            _ => reply.refused(20, ""),
        }
    }
}

/// What the IPv4 addresses are from which DNS64 makes others.
enum Plain {
    /// These.
    As(Box<Answer>),
    /// None: they are not to be seen.
    Not,
    /// Those of another name.
    Alias(Vec<crate::wire::RawRecord>, Name),
}

impl Plain {
    /// The answer with these records instead of its own.
    fn with(answer: &Answer, records: Vec<crate::wire::RawRecord>) -> Plain {
        let mut answer = answer.clone();
        answer.sections.answer = records;
        answer.security = Security::Insecure;
        Plain::As(Box::new(answer))
    }
}

/// A packet that asks exactly one thing.
pub(crate) fn single_question(packet: &Packet) -> Option<&Question> {
    if packet.questions.len() == 1 { packet.questions.first() } else { None }
}

/// A name in lower case, for comparison with what is configured.
pub(crate) fn lower(name: &Name) -> Name {
    name.to_lowercase()
}

#[cfg(test)]
mod tests;
