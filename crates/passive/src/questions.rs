//! Questions to name servers, with their answers, over UDP and TCP alike.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use crate::errors::Told;
use crate::flow::End;
use crate::glance::Dns;
use crate::kept::{Album, Kept, Moment};

/// Questions that are remembered.
const QUESTIONS_MAX: usize = 50_000;

/// Addresses of names: what a visit begins with.
pub(crate) const A: u16 = 1;
pub(crate) const AAAA: u16 = 28;

/// One question, however often it was sent from the same port with the same number.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) client: End,
    pub(crate) server: End,
    pub(crate) over_tcp: bool,
    pub(crate) asked: Dns,
    pub(crate) sent: Vec<Moment>,
    pub(crate) answer: Option<(Moment, Dns)>,
    pub(crate) told: Vec<Told>,
    /// Answers about the same name from the same server that carry another number.
    pub(crate) foreign: Option<Moment>,
    /// What came to the asking port from somebody who had not been asked: when, and from whom.
    pub(crate) stray: Option<(Moment, End)>,
    /// A second answer, with other addresses than the first.
    pub(crate) second: Option<(Moment, Dns)>,
    /// An answer that cannot be read to its end, though all of it was captured.
    pub(crate) broken: Option<Moment>,
    /// What could be read of it.
    spoiled: Option<Dns>,
    /// The first fragment of an answer, whose rest never came.
    pub(crate) torn: Option<Moment>,
    pub(crate) album: Album,
    /// Answers were not captured at all.
    pub(crate) unheard: bool,
}

impl Question {
    pub(crate) fn start(&self) -> Moment {
        self.sent.first().copied().unwrap_or_default()
    }

    /// When it was over: answered, refused by an ICMP error, or sent for the last time.
    pub(crate) fn end(&self) -> Moment {
        let last = self.sent.last().copied().unwrap_or_default();
        let told = self.told.iter().map(|told| told.at).next();
        self.answer.as_ref().map(|(at, _)| *at).or(told).unwrap_or(last)
    }

    /// It was answered with records of which none could be read: the capture is cut.
    pub(crate) fn is_unread(&self) -> bool {
        self.asks_for_address()
            && self.answer.as_ref().is_some_and(|(_, answer)| {
                answer.rcode == 0
                    && !answer.truncated
                    && answer.addresses.is_empty()
                    && !answer.lacks_addresses()
            })
    }

    pub(crate) fn asks_for_address(&self) -> bool {
        matches!(self.asked.kind, A | AAAA)
    }

    /// It had extensions (RFC 6891), and the answer says that it could not be read, or is of no known kind.
    pub(crate) fn refuses_extensions(&self) -> Option<u16> {
        let (_, answer) = self.answer.as_ref()?;
        (self.asked.edns && matches!(answer.rcode, 1 | 4)).then_some(answer.rcode)
    }

    /// A stable word for how it ended, as a live probe has it; `None`: it brought what was asked for, or is under way.
    pub(crate) fn failure(&self, capture_end: u64) -> Option<&'static str> {
        if let Some((_, answer)) = &self.answer {
            return match answer.rcode {
                0 if answer.truncated => None,
                // What was announced and not read may have been addresses.
                0 if self.asks_for_address() && answer.lacks_addresses() => Some("dns.no_data"),
                0 => None,
                3 => Some("dns.nxdomain"),
                5 => Some("dns.refused"),
                1 | 4 => Some("dns.malformed"),
                _ => Some("dns.servfail"),
            };
        }
        if !self.told.is_empty() {
            return Some("dns.unreachable");
        }
        if self.broken.is_some() {
            return Some("dns.malformed");
        }
        if (self.foreign.is_some() || self.stray.is_some()) && self.is_given_up(capture_end) {
            return Some("dns.wrong_id");
        }
        (!self.unheard && self.is_given_up(capture_end)).then_some("dns.timeout")
    }

    /// Nobody waits so long for an answer: it was lost, or never sent.
    fn is_given_up(&self, capture_end: u64) -> bool {
        let waited = capture_end.saturating_sub(self.start().time);
        waited >= PATIENCE
    }
}

/// BADCOOKIE (23) has 7 in the header and 1 in the options; 7 alone is said of updates only (RFC 6895 2.3).
const YXRRSET: u16 = 7;

/// Resolvers on hosts wait 5 s by default, and many only 1 or 2.
const PATIENCE: u64 = 1_500_000_000;

/// All questions of a capture.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    pub(crate) all: Vec<Question>,
    open: BTreeMap<(End, End, u16, u16), usize>,
    /// The last questions of one address to another that wait for an answer.
    waiting: BTreeMap<(IpAddr, IpAddr), VecDeque<usize>>,
}

impl Questions {
    /// `cut`: the capture has only a part of the packet.
    pub(crate) fn take(&mut self, from: End, to: End, over_tcp: bool, message: &Dns, kept: &Kept, cut: bool) {
        let at = kept.at;
        if !message.response {
            let key = (from, to, message.id, message.kind);
            // The same number later is another question.
            let known = self.open.get(&key).copied().filter(|place| {
                let question = &self.all[*place];
                question.asked.name == message.name
                    && question.answer.is_none()
                    && at.time.saturating_sub(question.start().time) < 30_000_000_000
            });
            if let Some(place) = known {
                let question = &mut self.all[place];
                if question.sent.len() < 64 {
                    question.sent.push(at);
                }
                question.album.add(kept);
                self.wait(from.0, to.0, place, over_tcp);
                return;
            }
            if self.all.len() >= QUESTIONS_MAX {
                return;
            }
            self.open.insert(key, self.all.len());
            self.wait(from.0, to.0, self.all.len(), over_tcp);
            let mut album = Album::default();
            album.add(kept);
            self.all.push(Question {
                client: from,
                server: to,
                over_tcp,
                asked: message.clone(),
                sent: vec![at],
                answer: None,
                told: Vec::new(),
                foreign: None,
                stray: None,
                second: None,
                broken: None,
                spoiled: None,
                torn: None,
                album,
                unheard: false,
            });
            return;
        }
        let Some(place) = self.open.get(&(to, from, message.id, message.kind)) else {
            if !cut {
                self.misfit(from, to, message, kept);
            }
            return;
        };
        let question = &mut self.all[*place];
        question.album.add(kept);
        // About something else: nobody takes it (RFC 5452 9.1).
        let about_another =
            !message.name.is_empty() && !message.name.eq_ignore_ascii_case(&question.asked.name);
        if question.answer.is_none() && !cut && about_another {
            question.foreign.get_or_insert(at);
            return;
        }
        let damaged = message.is_noise() || message.ends_early && !message.truncated;
        if question.answer.is_none() && !cut && question.asks_for_address() && damaged {
            question.broken.get_or_insert(at);
            question.spoiled.get_or_insert_with(|| message.clone());
            return;
        }
        // Come back with this cookie (RFC 7873 5.2.3): no answer yet, and the next question has it.
        if message.rcode & 15 == YXRRSET && !message.name.is_empty() && message.edns {
            question.unheard = true;
            return;
        }
        // A forged answer would be the first; so is the true one, mostly.
        match &question.answer {
            None => question.answer = Some((at, message.clone())),
            // Who is asked once answers once (RFC 1035 4.2.1).
            Some((_, first)) if question.sent.len() == 1 && !over_tcp && differs(first, message) => {
                question.second.get_or_insert_with(|| (at, message.clone()));
            }
            Some(_) => {}
        }
    }

    /// An answer to no question that was seen: one that lost its question, or one with another number.
    fn misfit(&mut self, from: End, to: End, message: &Dns, kept: &Kept) {
        let open = self
            .open
            .range((to, from, 0, 0)..=(to, from, u16::MAX, u16::MAX))
            .map(|(key, place)| (*key, *place));
        for ((_, _, id, kind), place) in open.take(COMPARED_MAX).collect::<Vec<_>>() {
            let question = &mut self.all[place];
            if question.answer.is_some() {
                continue;
            }
            if id == message.id && message.name.is_empty() && message.rcode != 0 {
                // Who refuses need not repeat the question (RFC 1035 4.1.1).
                question.answer = Some((kept.at, message.clone()));
                question.album.add(kept);
            } else if id == message.id && message.name.is_empty() {
                question.broken.get_or_insert(kept.at);
                question.album.add(kept);
            } else if id != message.id && kind == message.kind && question.asked.name == message.name {
                question.foreign.get_or_insert(kept.at);
                question.album.add(kept);
            }
        }
    }

    /// A datagram that came to an asking port from somebody else than the server that was asked.
    pub(crate) fn stray(&mut self, from: End, to: End, kept: &Kept) {
        // Who was asked from this port is not looked for among many.
        if self.open.range((to, from, 0, 0)..=(to, from, u16::MAX, u16::MAX)).next().is_some() {
            return;
        }
        let open = self.open.range((to, LOWEST, 0, 0)..).take_while(|((client, ..), _)| *client == to);
        let places: Vec<usize> = open.map(|(_, place)| *place).take(4).collect();
        for place in places {
            let question = &mut self.all[place];
            let waited = kept.at.time.saturating_sub(question.start().time);
            if question.answer.is_none() && !question.over_tcp && waited < WAITED_MAX {
                question.stray.get_or_insert((kept.at, from));
                question.album.add(kept);
            }
        }
    }

    fn wait(&mut self, client: IpAddr, server: IpAddr, place: usize, over_tcp: bool) {
        if over_tcp {
            return;
        }
        let waiting = self.waiting.entry((client, server)).or_default();
        if !waiting.contains(&place) {
            if waiting.len() >= WAITING_MAX {
                waiting.pop_front();
            }
            waiting.push_back(place);
        }
    }

    /// The first fragment of a datagram to somebody who waits for an answer of its sender.
    pub(crate) fn fragment(&mut self, from: IpAddr, to: IpAddr, kept: &Kept) {
        let Some(waiting) = self.waiting.get_mut(&(to, from)) else { return };
        // Whoever has an answer, or has waited too long, waits no more.
        waiting.retain(|place| {
            let question = &self.all[*place];
            let asked = question.sent.last().map_or(0, |sent| sent.time);
            question.answer.is_none() && kept.at.time.saturating_sub(asked) < WAITED_MAX
        });
        for place in waiting.iter() {
            let question = &mut self.all[*place];
            question.torn.get_or_insert(kept.at);
            question.album.add(kept);
        }
    }

    /// Later fragments have no ports, and filters on ports leave them out: where none was captured at all, an answer of which
    /// only the first is there is lost only to somebody who asks again. `captured`: some were.
    pub(crate) fn judge_torn(&mut self, captured: bool) {
        if captured || self.all.iter().all(|question| question.torn.is_none()) {
            return;
        }
        let mut asked: BTreeMap<(IpAddr, &str, u16), usize> = BTreeMap::new();
        for question in &self.all {
            let name = question.asked.name.as_str();
            *asked.entry((question.client.0, name, question.asked.kind)).or_default() += question.sent.len();
        }
        let once = |question: &Question| {
            let name = question.asked.name.as_str();
            question.torn.is_some() && asked.get(&(question.client.0, name, question.asked.kind)) == Some(&1)
        };
        let whole: Vec<bool> = self.all.iter().map(once).collect();
        for (question, _) in self.all.iter_mut().zip(whole).filter(|(_, whole)| *whole) {
            (question.torn, question.unheard) = (None, true);
        }
    }

    /// An ICMP error about a datagram from `from` to `to`.
    pub(crate) fn told(&mut self, from: End, to: End, told: Told, kept: &Kept) {
        let open =
            self.open.range((from, to, 0, 0)..=(from, to, u16::MAX, u16::MAX)).map(|(_, place)| *place);
        for place in open.take(COMPARED_MAX).collect::<Vec<_>>() {
            let question = &mut self.all[place];
            if question.answer.is_none() && question.told.len() < 16 {
                question.told.push(told);
                question.album.add(kept);
            }
        }
    }

    /// Damaged answers that somebody used all the same, as connections to these addresses show, were good enough.
    pub(crate) fn believe(&mut self, used: &BTreeMap<IpAddr, u64>) {
        for question in &mut self.all {
            let (Some(at), Some(spoiled)) = (question.broken, &question.spoiled) else { continue };
            let later = |address: &IpAddr| used.get(address).is_some_and(|last| *last >= at.time);
            if question.answer.is_none() && spoiled.addresses.iter().any(later) {
                question.answer = Some((at, spoiled.clone()));
            }
        }
    }
}

/// The lowest of all ends.
const LOWEST: End = (IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
/// So many questions of one machine wait for one server.
const WAITING_MAX: usize = 64;
/// Of one port's questions no more are looked at for one packet.
const COMPARED_MAX: usize = 256;
/// A port is asked from again for something else afterwards.
const WAITED_MAX: u64 = 5_000_000_000;

/// Whether two answers to one question give nothing in common, though each gives something or denies it.
fn differs(first: &Dns, second: &Dns) -> bool {
    let gives = |answer: &Dns| answer.rcode == 0 && !answer.addresses.is_empty();
    let denies = |answer: &Dns| answer.rcode == 3;
    let apart = !second.addresses.iter().any(|address| first.addresses.contains(address));
    apart && (gives(first) && (gives(second) || denies(second)) || denies(first) && gives(second))
}

/// `A`, `AAAA`, and the number of others.
pub(crate) fn type_word(kind: u16) -> String {
    match kind {
        A => "A".into(),
        AAAA => "AAAA".into(),
        2 => "NS".into(),
        5 => "CNAME".into(),
        6 => "SOA".into(),
        12 => "PTR".into(),
        15 => "MX".into(),
        16 => "TXT".into(),
        33 => "SRV".into(),
        43 => "DS".into(),
        48 => "DNSKEY".into(),
        64 => "SVCB".into(),
        65 => "HTTPS".into(),
        other => format!("TYPE{other}"),
    }
}

/// `NOERROR`, `NXDOMAIN`...
pub(crate) fn rcode_word(rcode: u16) -> String {
    match rcode {
        0 => "NOERROR".into(),
        1 => "FORMERR".into(),
        2 => "SERVFAIL".into(),
        3 => "NXDOMAIN".into(),
        4 => "NOTIMP".into(),
        5 => "REFUSED".into(),
        other => format!("RCODE{other}"),
    }
}
