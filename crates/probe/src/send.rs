//! Packets of any making, sent one after the other, and the answers matched to them.
//!
//! - [`send`]: the whole of it. Start here.
//! - [`matching`]: which packet answers which.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use thru_net::Network;
use thru_net::packet::{PacketSocket, Seen};
use thru_wire::Instant;

use matching::{Key, Link, Relation};

pub mod matching;

/// How to send.
#[derive(Clone, Copy, Debug)]
pub struct SendOptions {
    /// From one packet to the next.
    pub interval: Duration,
    /// How long the last one's answer is waited for.
    pub timeout: Duration,
}

/// A packet to send.
#[derive(Clone, Debug)]
pub struct Question {
    /// What it begins with.
    pub link: Link,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A packet was sent.
    Sent {
        /// Its number, from 0.
        number: u64,
        /// The packet.
        question: &'a Question,
        /// When.
        at: Instant,
    },
    /// A packet could not be sent.
    Failed {
        /// Its number, from 0.
        number: u64,
        /// The packet.
        question: &'a Question,
        /// Why.
        error: &'a io::Error,
    },
    /// An answer came.
    Answered {
        /// The number of the packet that it answers, from 0.
        number: u64,
        /// That packet.
        question: &'a Question,
        /// What came.
        answer: &'a Seen,
        /// How it was known.
        relation: Relation,
        /// From the one to the other.
        rtt: Duration,
        /// Whether it is the first answer to that packet.
        first: bool,
    },
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Packets sent.
    pub sent: u64,
    /// Packets that could not be sent.
    pub failed: u64,
    /// Of those sent: answered at least once.
    pub answered: u64,
    /// Of those answered: by an ICMP error first.
    pub errors: u64,
    /// Further answers to packets that had one.
    pub repeated: u64,
    /// Packets that arrived and answer nothing.
    pub others: u64,
}

/// So many packets may wait for an answer at a time; the oldest is given up first.
const WAITING_MAX: usize = 1 << 17;

/// Sends the questions and matches the answers, until the time for the last is over, every one is answered, or `stop` is
/// done. A packet that can't be sent is counted, unless it is the first: then nothing can.
pub async fn send(
    network: &Network,
    socket: &PacketSocket,
    questions: impl IntoIterator<Item = Question>,
    options: SendOptions,
    stop: impl Future<Output = ()>,
    mut each: impl FnMut(Event<'_>),
) -> io::Result<Summary> {
    let mut stop = std::pin::pin!(stop);
    let mut waiting = Waiting::default();
    let mut questions = questions.into_iter();
    let mut next = questions.next();
    let mut number = 0;
    let mut due = network.now();
    loop {
        if network.now() >= due {
            let Some(question) = next.take() else { return Ok(waiting.summary) };
            let at = network.now();
            let sent = match question.link {
                Link::Ethernet => socket.send_frame(&question.bytes).await,
                Link::Ip => socket.send_ip(&question.bytes).await,
            };
            match sent {
                Err(error) if number == 0 => return Err(error),
                Err(error) => {
                    waiting.summary.failed += 1;
                    each(Event::Failed { number, question: &question, error: &error });
                }
                Ok(()) => {
                    waiting.summary.sent += 1;
                    each(Event::Sent { number, question: &question, at });
                    waiting.push(number, question, at);
                }
            }
            number += 1;
            next = questions.next();
            due = if next.is_some() { due + options.interval } else { network.now() + options.timeout };
            if network.now() < due {
                continue;
            }
            // Behind with sending: look at one answer between two questions at least.
        }
        if next.is_none() && waiting.open == 0 {
            return Ok(waiting.summary);
        }
        tokio::select! {
            biased;
            () = &mut stop => return Ok(waiting.summary),
            seen = socket.receive() => waiting.take(&seen?, &mut each),
            () = network.sleep_until(due) => {}
        }
    }
}

/// What was sent and may yet be answered.
#[derive(Debug, Default)]
struct Waiting {
    sent: BTreeMap<u64, Sent>,
    by_key: BTreeMap<Key, Vec<u64>>,
    /// How many have no answer yet.
    open: u64,
    summary: Summary,
}

#[derive(Debug)]
struct Sent {
    question: Question,
    at: Instant,
    answered: bool,
}

impl Waiting {
    fn push(&mut self, number: u64, question: Question, at: Instant) {
        if self.sent.len() >= WAITING_MAX
            && let Some((oldest, sent)) = self.sent.pop_first()
        {
            self.open -= u64::from(!sent.answered);
            if let Some(key) = matching::question(sent.question.link, &sent.question.bytes)
                && let Some(numbers) = self.by_key.get_mut(&key)
            {
                numbers.retain(|number| *number != oldest);
            }
        }
        if let Some(key) = matching::question(question.link, &question.bytes) {
            self.by_key.entry(key).or_default().push(number);
            self.open += 1;
            self.sent.insert(number, Sent { question, at, answered: false });
        }
    }

    /// Finds what a packet answers.
    fn take(&mut self, seen: &Seen, each: &mut impl FnMut(Event<'_>)) {
        let link = if seen.ethernet { Link::Ethernet } else { Link::Ip };
        for (key, relation) in matching::answers(link, &seen.bytes) {
            let Some(numbers) = self.by_key.get(&key) else { continue };
            // Of several with one key: the one it names more closely, then the oldest without an answer.
            let best = numbers.iter().copied().max_by_key(|number| {
                let sent = &self.sent[number];
                let closeness = matching::closeness(&sent.question, &seen.bytes, link, relation);
                (closeness, !sent.answered, std::cmp::Reverse(*number))
            });
            let Some(number) = best else { continue };
            let Some(sent) = self.sent.get_mut(&number).filter(|sent| sent.at <= seen.at) else { continue };
            let first = !sent.answered;
            sent.answered = true;
            if first {
                self.open -= 1;
                self.summary.answered += 1;
                self.summary.errors += u64::from(relation == Relation::Quoted);
            } else {
                self.summary.repeated += 1;
            }
            let (question, rtt) = (&sent.question, seen.at.since(sent.at));
            each(Event::Answered { number, question, answer: seen, relation, rtt, first });
            return;
        }
        self.summary.others += 1;
    }
}

#[cfg(test)]
mod tests;
