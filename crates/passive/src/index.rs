//! What is looked for again and again, in order: built once, when everything was taken, so that captures of scans and of busy
//! name servers, with tens of thousands of connections and questions, are judged in a time that grows as they do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::flow::{End, TcpFlow};
use crate::questions::Question;
use crate::visit::{quic_name, said_name};
use crate::watch::Watch;

/// Names have few labels; of longer ones the ends are enough.
const LABELS_MAX: usize = 16;

/// A watch's flows and questions by what is known of them.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) lacks_packets: bool,
    pub(crate) one_way: bool,
    pub(crate) begins_within: bool,
    /// Connections by the address they went to, and by when they began.
    to: BTreeMap<IpAddr, Vec<usize>>,
    starts: Vec<(u64, usize)>,
    /// What answers told of an address.
    led: BTreeMap<IpAddr, Led>,
    /// The name that was said first to an address.
    said: BTreeMap<IpAddr, String>,
    /// Questions over UDP that were answered well, by server.
    answered: BTreeMap<End, Vec<usize>>,
    /// Servers that answered a question with extensions (RFC 6891) over UDP.
    modern: BTreeSet<End>,
    /// Questions for addresses without recursion, by name.
    iterative: BTreeMap<String, Vec<usize>>,
    /// Questions for names that are not there, by each name above.
    absent: BTreeMap<String, Vec<usize>>,
}

/// Which questions were answered with an address.
#[derive(Debug)]
struct Led {
    /// The last of them.
    last: usize,
    /// Who asked, if it was one host.
    asker: Option<IpAddr>,
}

impl Index {
    pub(crate) fn of(watch: &Watch) -> Index {
        let mut index = Index {
            lacks_packets: watch.lacks_packets(),
            one_way: watch.is_one_way(),
            begins_within: watch.begins_within(),
            ..Index::default()
        };
        for (place, flow) in watch.flows.iter().enumerate() {
            index.to.entry(flow.remote().0).or_default().push(place);
            index.starts.push((flow.first.time, place));
            if let Some(name) = said_name(flow) {
                index.said.entry(flow.remote().0).or_insert(name);
            }
        }
        index.starts.sort_unstable();
        for quic in &watch.quics {
            if let Some(name) = quic_name(quic) {
                index.said.entry(quic.remote().0).or_insert(name);
            }
        }
        for (place, question) in watch.questions.all.iter().enumerate() {
            index.question(place, question);
        }
        index
    }

    fn question(&mut self, place: usize, question: &Question) {
        if !question.asked.recursion && question.asks_for_address() {
            self.iterative.entry(question.asked.name.clone()).or_default().push(place);
        }
        let Some((_, answer)) = &question.answer else { return };
        for address in &answer.addresses {
            let asker = question.client.0;
            let led = self.led.entry(*address).or_insert(Led { last: place, asker: Some(asker) });
            led.last = place;
            led.asker = led.asker.filter(|known| *known == asker);
        }
        if answer.rcode == 0 && !question.over_tcp {
            self.answered.entry(question.server).or_default().push(place);
        }
        if question.asked.edns && !question.over_tcp && question.refuses_extensions().is_none() {
            self.modern.insert(question.server);
        }
        if answer.rcode == 3 {
            for above in above(&question.asked.name) {
                self.absent.entry(above.to_owned()).or_default().push(place);
            }
        }
    }
}

/// The names above a name, nearest first.
pub(crate) fn above(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.')
        .map(|(dot, _)| &name[dot + 1..])
        .filter(|above| !above.is_empty())
        .take(LABELS_MAX)
}

impl Watch {
    /// The connections to an address, in order.
    pub(crate) fn flows_to(&self, address: IpAddr) -> impl Iterator<Item = &TcpFlow> {
        self.index.to.get(&address).into_iter().flatten().map(|place| &self.flows[*place])
    }

    /// The connections that began within a time, in order of time.
    pub(crate) fn flows_begun(&self, within: std::ops::Range<u64>) -> impl Iterator<Item = &TcpFlow> {
        let starts = &self.index.starts;
        let first = starts.partition_point(|(time, _)| *time < within.start);
        let begun = starts[first..].iter().take_while(move |(time, _)| *time < within.end);
        begun.map(|(_, place)| &self.flows[*place])
    }

    /// The name that led to an address, as far as answers told.
    pub(crate) fn name_of(&self, address: IpAddr) -> Option<&str> {
        let led = self.index.led.get(&address)?;
        Some(&self.questions.all[led.last].asked.name)
    }

    /// Who asked for the name that led to an address, if it was one host.
    pub(crate) fn asker_of(&self, address: IpAddr) -> Option<IpAddr> {
        self.index.led.get(&address)?.asker
    }

    /// The name that was said first to an address.
    pub(crate) fn name_said_to(&self, address: IpAddr) -> Option<&str> {
        self.index.said.get(&address).map(String::as_str)
    }

    /// Questions over UDP that this server answered well, in order.
    pub(crate) fn answered_by(&self, server: End) -> impl DoubleEndedIterator<Item = &Question> {
        self.placed(self.index.answered.get(&server))
    }

    /// Whether this server answered any question with extensions.
    pub(crate) fn takes_extensions(&self, server: End) -> bool {
        self.index.modern.contains(&server)
    }

    /// Questions without recursion for a name's addresses, in order.
    pub(crate) fn iterative(&self, name: &str) -> impl DoubleEndedIterator<Item = &Question> {
        self.placed(self.index.iterative.get(name))
    }

    /// Questions for names below this one that are not there, in order.
    pub(crate) fn absent_below(&self, name: &str) -> impl DoubleEndedIterator<Item = &Question> {
        self.placed(self.index.absent.get(name))
    }

    fn placed<'w>(&'w self, places: Option<&'w Vec<usize>>) -> impl DoubleEndedIterator<Item = &'w Question> {
        places.into_iter().flatten().map(|place| &self.questions.all[*place])
    }
}
