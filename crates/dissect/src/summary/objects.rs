//! The bodies of answers in HTTP/1, HTTP/2 and HTTP/3, for whoever wants to keep them.

use super::ends;
use crate::field::FieldDef;
use crate::protocols::{http, http2, http3, quic, tcp};
use crate::streams::analysis::RST;
use crate::tree::{Carrier, Field, Piece, Tree, Value};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// So many streams are known at once; the one that was silent for longest is given up for another.
const OPEN_MAX: usize = 10_000;

/// What happens to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// More of it: its number and the bytes.
    Bytes(u64, &'a [u8]),
    /// It is whole.
    End(u64, Object),
    /// Its end will not come: its stream or connection was reset, or it has waited for longest and there were too many.
    /// Of an answer in HTTP/1 that is torn by a gap of the capture nothing was told before.
    Lost(u64),
}

/// An answer's body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// The host that was asked, or nothing.
    pub host: String,
    /// The path, or nothing if the request was not seen.
    pub path: String,
    /// The Content-Type, or nothing.
    pub kind: String,
    /// The Content-Encoding, as in `gzip`, or nothing: the bytes are as they were sent.
    pub coding: String,
    /// The status.
    pub status: u64,
    /// The packet it ended in.
    pub frame: u64,
}

/// Carrier, flow and stream.
type Key = (Carrier, u64, u64);

/// Finds the objects of a capture.
#[derive(Debug, Default)]
pub struct Objects {
    open: BTreeMap<Key, Open>,
    /// Those that are open, by when they were used last.
    ages: BTreeMap<u64, Key>,
    uses: u64,
    count: u64,
}

#[derive(Debug, Default)]
struct Open {
    object: Object,
    number: u64,
    /// Its place among the ages.
    used: u64,
    /// Who answers.
    server: Option<(IpAddr, u16)>,
    /// Bytes of it were told.
    is_told: bool,
    /// HTTP/1: what was asked and not answered.
    asked: Vec<(String, String)>,
    /// HTTP/1: the next question did not wait for an answer.
    is_ahead: bool,
    /// HTTP/1: so many times bytes were missing since the last answer.
    torn: usize,
}

impl Objects {
    /// Tells what a packet brings, in order.
    pub fn take<'a>(&mut self, tree: Tree<'a>, tell: &mut dyn FnMut(Part<'a>)) {
        self.http1(tree, tell);
        self.multiplexed(tree, Carrier::Http2, &tcp::STREAM, &http2::HTTP2.layer, tell);
        self.multiplexed(tree, Carrier::Http3, &quic::CONNECTION, &http3::HTTP3.layer, tell);
        self.resets(tree, tell);
    }

    /// What is known of a stream. Where there is no room, the one that was silent for longest goes.
    fn entry<'a>(&mut self, key: Key, tell: &mut dyn FnMut(Part<'a>)) -> &mut Open {
        if !self.open.contains_key(&key) {
            if self.open.len() >= OPEN_MAX
                && let Some((_, oldest)) = self.ages.first_key_value()
            {
                self.forget(*oldest, tell);
            }
            self.count += 1;
            self.open.insert(key, Open { number: self.count, ..Open::default() });
        }
        self.uses += 1;
        let open = self.open.get_mut(&key).expect("it is there, or was just made");
        self.ages.remove(&std::mem::replace(&mut open.used, self.uses));
        self.ages.insert(self.uses, key);
        open
    }

    fn remove(&mut self, key: Key) -> Option<Open> {
        let open = self.open.remove(&key)?;
        self.ages.remove(&open.used);
        Some(open)
    }

    fn forget<'a>(&mut self, key: Key, tell: &mut dyn FnMut(Part<'a>)) {
        if let Some(open) = self.remove(key).filter(|open| open.is_told) {
            tell(Part::Lost(open.number));
        }
    }

    /// Streams and connections that were broken off (RFC 9113 6.4, RFC 9000 19.4, RFC 9293 3.5.2).
    fn resets<'a>(&mut self, tree: Tree<'a>, tell: &mut dyn FnMut(Part<'a>)) {
        let (tcp, quic) = (tree.number(&tcp::STREAM), tree.number(&quic::CONNECTION));
        let sender = ends(tree).map(|ends| ends.from);
        let mut stream = 0;
        for field in tree.fields() {
            if field.def.is(&http2::STREAM_ID) {
                stream = field.value;
            } else if let Some(flow) = tcp.filter(|_| field.def.is(&http2::RST_ERROR)) {
                self.forget((Carrier::Http2, flow, stream), tell);
            } else if let Some(flow) = quic.filter(|_| field.def.is(&quic::RESET_STREAM)) {
                // Each side ends only what it says itself: a question that is broken off may be answered.
                let key = (Carrier::Http3, flow, field.value);
                if self.open.get(&key).is_some_and(|open| open.server == sender) {
                    self.forget(key, tell);
                }
            }
        }
        let is_reset = tree.number(&tcp::FLAGS).is_some_and(|flags| flags as u16 & RST != 0);
        let Some(flow) = tcp.filter(|_| is_reset) else { return };
        for carrier in [Carrier::Tcp, Carrier::Http2] {
            let streams = self.open.range((carrier, flow, 0)..=(carrier, flow, u64::MAX));
            let streams: Vec<Key> = streams.map(|(key, _)| *key).collect();
            streams.into_iter().for_each(|key| self.forget(key, tell));
        }
    }

    fn http1<'a>(&mut self, tree: Tree<'a>, tell: &mut dyn FnMut(Part<'a>)) {
        let Some(flow) = tree.number(&tcp::STREAM) else { return };
        let is_torn = |piece: &&Piece| piece.missing > 0 && piece.flow == flow;
        let torn = tree.pieces().iter().filter(is_torn).count();
        if torn > 0
            && let Some(open) = self.open.get_mut(&(Carrier::Tcp, flow, 0))
        {
            open.torn += torn;
        }
        let fields = tree.fields();
        let messages = fields.iter().enumerate().filter(|(_, field)| field.def.is(&http::HTTP.layer));
        for (place, _) in messages {
            let message = &fields[place..tree.end_of(place)];
            let find = |def: &FieldDef| message.iter().find(|field| field.def.is(def));
            let text = |def: &FieldDef| find(def).map_or(String::new(), |field| words(tree, field));
            let open = self.entry((Carrier::Tcp, flow, 0), tell);
            if find(&http::URI).is_some() {
                if open.asked.len() < 1000 {
                    open.is_ahead |= !open.asked.is_empty() && open.torn == 0;
                    open.asked.push((text(&http::HOST), text(&http::URI)));
                }
                continue;
            }
            // Without a status it is what lies behind missing bytes.
            let Some(status) = find(&http::CODE).map(|field| field.value) else { continue };
            if status / 100 == 1 {
                continue;
            }
            let lost = open.lost();
            open.asked.drain(..lost);
            let (host, path) = if open.asked.is_empty() { Default::default() } else { open.asked.remove(0) };
            for _ in 0..lost {
                self.count += 1;
                tell(Part::Lost(self.count));
            }
            let body = match find(&http::FILE_DATA) {
                // What is shown is unpacked, and cut where it is long.
                _ if find(&http::CONTENT_ENCODING).is_some() => packed(tree, place),
                Some(field) => tree.bytes(field),
                None => continue,
            };
            let frame = tree.number(&crate::protocols::frame::NUMBER).unwrap_or(0);
            self.count += 1;
            let number = self.count;
            tell(Part::Bytes(number, body));
            let kind = text(&http::CONTENT_TYPE);
            let coding = text(&http::CONTENT_ENCODING);
            tell(Part::End(number, Object { host, path, kind, coding, status, frame }));
        }
    }

    /// HTTP/2 and HTTP/3: headers name the stream they belong to, pieces bring the bodies.
    fn multiplexed<'a>(
        &mut self,
        tree: Tree<'a>,
        carrier: Carrier,
        flow: &'static FieldDef,
        layer: &'static FieldDef,
        tell: &mut dyn FnMut(Part<'a>),
    ) {
        let Some(flow) = tree.number(flow) else { return };
        if !tree.fields().iter().any(|field| field.def.is(layer)) {
            return;
        }
        let mut stream = 0;
        for field in tree.fields() {
            if field.def.is(&http2::STREAM_ID) || field.def.is(&http3::STREAM_ID) {
                stream = field.value;
            }
            let set: fn(&mut Object, String) =
                match field.def.name.rsplit_once("headers.").map(|(_, name)| name) {
                    Some("authority") => |object, text| object.host = text,
                    Some("path") => |object, text| object.path = text,
                    Some("content_type") => |object, text| object.kind = text,
                    Some("content_encoding") => |object, text| object.coding = text,
                    Some("status") => {
                        let open = self.entry((carrier, flow, stream), tell);
                        open.object.status = field.value;
                        open.server = ends(tree).map(|ends| ends.from);
                        continue;
                    }
                    _ => continue,
                };
            let text = words(tree, field);
            set(&mut self.entry((carrier, flow, stream), tell).object, text);
        }
        for piece in tree.pieces().iter().filter(|piece| piece.carrier == carrier && piece.flow == flow) {
            let key = (carrier, flow, piece.stream);
            if self.open.get(&key).is_none_or(|open| open.object.status == 0) {
                continue;
            }
            let open = self.entry(key, tell);
            let bytes = tree.piece_bytes(piece);
            if !bytes.is_empty() {
                open.is_told = true;
                tell(Part::Bytes(open.number, bytes));
            }
            if piece.ends
                && let Some(open) = self.remove(key)
            {
                let frame = tree.number(&crate::protocols::frame::NUMBER).unwrap_or(0);
                tell(Part::End(open.number, Object { frame, ..open.object }));
            }
        }
    }
}

impl Open {
    /// How many questions had answers, before one that is whole, of which bytes are missing. Who does not ask ahead has
    /// got an answer, or given it up, before the next question; otherwise each gap is taken for one of an answer.
    fn lost(&mut self) -> usize {
        let most = self.asked.len().saturating_sub(1);
        match std::mem::take(&mut self.torn) {
            0 => 0,
            torn if self.is_ahead => torn.min(most),
            _ => most,
        }
    }
}

/// The body of the message at `place`, as it was sent: without the lengths between chunks where it had some.
fn packed(tree: Tree<'_>, place: usize) -> &[u8] {
    let head = &tree.fields()[place];
    let own = tree.fields()[place + 1..].iter().take_while(|field| !field.def.is(&http::HTTP.layer));
    let length = own.clone().find(|field| field.def.is(&http::CONTENT_LENGTH)).map(|field| field.value);
    // What was unpacked follows what it was unpacked from.
    let mut sources = own.flat_map(|field| {
        let place = usize::from(field.source);
        [place.wrapping_sub(1), place.wrapping_sub(2)].map(|place| tree.sources().get(place))
    });
    if let Some(whole) =
        sources.find_map(|source| source.filter(|source| source.name == http::WITHOUT_CHUNKS))
    {
        return &whole.bytes;
    }
    let length = length.map_or(u32::MAX, |length| u32::try_from(length).unwrap_or(u32::MAX));
    tree.source_bytes(head.source, head.start.saturating_add(head.len), length)
}

fn words(tree: Tree<'_>, field: &Field) -> String {
    match tree.value(field) {
        Value::Text(words) => String::from_utf8_lossy(words).into_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
