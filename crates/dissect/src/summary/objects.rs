//! The bodies of answers in HTTP/1, HTTP/2 and HTTP/3, for whoever wants to keep them.

use crate::field::FieldDef;
use crate::protocols::{http, http2, http3, quic, tcp};
use crate::tree::{Carrier, Field, Tree, Value};
use std::collections::BTreeMap;

/// So many requests may wait for their answers.
const OPEN_MAX: usize = 10_000;

/// What happens to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// More of it: its number and the bytes.
    Bytes(u64, &'a [u8]),
    /// It is whole.
    End(u64, Object),
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

/// Finds the objects of a capture.
#[derive(Debug, Default)]
pub struct Objects {
    /// By carrier, flow and stream.
    open: BTreeMap<(Carrier, u64, u64), Open>,
    count: u64,
}

#[derive(Debug, Default)]
struct Open {
    object: Object,
    number: u64,
    /// HTTP/1: what was asked and not answered.
    asked: Vec<(String, String)>,
}

impl Objects {
    /// Tells what a packet brings, in order.
    pub fn take<'a>(&mut self, tree: Tree<'a>, tell: &mut dyn FnMut(Part<'a>)) {
        self.http1(tree, tell);
        self.multiplexed(tree, Carrier::Http2, &tcp::STREAM, &http2::HTTP2.layer, tell);
        self.multiplexed(tree, Carrier::Http3, &quic::CONNECTION, &http3::HTTP3.layer, tell);
    }

    fn entry(&mut self, key: (Carrier, u64, u64)) -> &mut Open {
        if self.open.len() >= OPEN_MAX && !self.open.contains_key(&key) {
            self.open.pop_first();
        }
        let count = &mut self.count;
        self.open.entry(key).or_insert_with(|| {
            *count += 1;
            Open { number: *count, ..Open::default() }
        })
    }

    fn http1<'a>(&mut self, tree: Tree<'a>, tell: &mut dyn FnMut(Part<'a>)) {
        let Some(flow) = tree.number(&tcp::STREAM) else { return };
        let fields = tree.fields();
        let messages = fields.iter().enumerate().filter(|(_, field)| field.def.is(&http::HTTP.layer));
        for (place, _) in messages {
            let message = &fields[place..tree.end_of(place)];
            let find = |def: &FieldDef| message.iter().find(|field| field.def.is(def));
            let text = |def: &FieldDef| find(def).map_or(String::new(), |field| words(tree, field));
            let open = self.entry((Carrier::Tcp, flow, 0));
            if find(&http::URI).is_some() {
                if open.asked.len() < 1000 {
                    open.asked.push((text(&http::HOST), text(&http::URI)));
                }
                continue;
            }
            let status = find(&http::CODE).map_or(0, |field| field.value);
            if status / 100 == 1 {
                continue;
            }
            let (host, path) = if open.asked.is_empty() { Default::default() } else { open.asked.remove(0) };
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
                        self.entry((carrier, flow, stream)).object.status = field.value;
                        continue;
                    }
                    _ => continue,
                };
            let text = words(tree, field);
            set(&mut self.entry((carrier, flow, stream)).object, text);
        }
        for piece in tree.pieces().iter().filter(|piece| piece.carrier == carrier && piece.flow == flow) {
            let key = (carrier, flow, piece.stream);
            let Some(open) = self.open.get(&key).filter(|open| open.object.status != 0) else { continue };
            let bytes = tree.piece_bytes(piece);
            if !bytes.is_empty() {
                tell(Part::Bytes(open.number, bytes));
            }
            if piece.ends
                && let Some(open) = self.open.remove(&key)
            {
                let frame = tree.number(&crate::protocols::frame::NUMBER).unwrap_or(0);
                tell(Part::End(open.number, Object { frame, ..open.object }));
            }
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
