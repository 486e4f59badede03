//! What a packet was found to be: a tree of named fields with byte ranges, in one reusable arena.
//!
//! A field is a record of 32 bytes in a list; its depth makes the tree, as in an outline. Values of a fixed size are in
//! the record, others are the bytes it points at, or words in the arena's text. Nothing is allocated for a field.

use crate::cursor::Data;
use crate::field::{FieldDef, Kind, Protocol};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One field that was found.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Which.
    pub def: &'static FieldDef,
    /// The number, address or time; of words the place in the arena's text.
    pub(crate) value: u64,
    /// Where it begins in its source.
    pub start: u32,
    /// How many bytes it has; 0: it was concluded, not read.
    pub len: u32,
    /// How deep in the tree: 0 for layers.
    pub depth: u8,
    /// Which bytes it was read from: 0 is the frame, others were reassembled or decrypted.
    pub source: u8,
    /// [`Field::GENERATED`] and others.
    pub(crate) flags: u8,
}

impl Field {
    /// It was concluded, not read.
    pub(crate) const GENERATED: u8 = 1;
    /// Its words are in the arena's text.
    pub(crate) const IN_TEXT: u8 = 2;
    /// For filters only: not shown in trees.
    pub(crate) const HIDDEN: u8 = 4;

    /// Whether it was concluded, not read.
    pub fn is_generated(&self) -> bool {
        self.flags & Field::GENERATED != 0
    }

    /// Whether it is there for filters only, such as `ip.addr`, which repeats `ip.src` and `ip.dst`.
    pub fn is_hidden(&self) -> bool {
        self.flags & Field::HIDDEN != 0
    }
}

/// The memory of a tree, used again for the next packet.
#[derive(Debug, Default)]
pub struct Arena {
    pub(crate) fields: Vec<Field>,
    pub(crate) text: Vec<u8>,
    /// Bytes that are not the frame's: source `n` is `sources[n - 1]`.
    pub(crate) sources: Vec<Source>,
    pub(crate) layers: Vec<&'static Protocol>,
    pub(crate) comments: Vec<String>,
    pub(crate) pieces: Vec<Piece>,
}

/// What carries a stream of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    /// TCP, in order and without what was sent again.
    Tcp,
    /// What TLS carried on TCP, opened.
    Tls,
    /// The body of an HTTP/2 stream.
    Http2,
    /// UDP, datagram by datagram.
    Udp,
    /// What DTLS carried on UDP, opened.
    Dtls,
    /// A stream of a QUIC connection.
    Quic,
    /// The body of a request or answer of HTTP/3.
    Http3,
}

/// The next bytes of a stream, as a packet brought them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What carried them.
    pub carrier: Carrier,
    /// Which flow or connection: `tcp.stream`, `udp.stream` or `quic.connection.number`.
    pub flow: u64,
    /// Which stream within it; 0 where there is only one.
    pub stream: u64,
    /// Which of the two ends sent them, 0 or 1: which is the client is not told.
    pub side: u8,
    /// The side has said that nothing follows.
    pub ends: bool,
    /// So many bytes before them are not in the capture.
    pub missing: u64,
    /// They were sent the other way than the packet: it tells that nothing will come that is missing before them.
    pub is_back: bool,
    source: u8,
    start: u32,
    len: u32,
}

/// Bytes that were put together from several frames, or decrypted.
#[derive(Debug)]
pub struct Source {
    /// What they are: "Reassembled TCP", "Decrypted TLS".
    pub name: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The words of one packet are not longer: compressed headers can stand for much more than they are.
const TEXT_MAX: usize = 32 << 20;
/// So much memory for words is kept from packet to packet.
const TEXT_KEPT: usize = 1 << 20;

/// So many sources may one packet have: a field's source is one byte.
pub(crate) const SOURCES_MAX: usize = 200;

impl Piece {
    pub(crate) fn new(
        carrier: Carrier,
        flow: u64,
        stream: u64,
        side: usize,
        data: Data<'_>,
        ends: bool,
    ) -> Piece {
        let (source, start, len) = (data.source, data.at, data.len() as u32);
        let side = side as u8;
        Piece { carrier, flow, stream, side, ends, missing: 0, is_back: false, source, start, len }
    }
}

impl Arena {
    /// An empty one.
    pub fn new() -> Arena {
        Arena::default()
    }

    /// Forgets the last packet, keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.fields.clear();
        self.text.clear();
        // One packet of an attacker does not decide what the others cost.
        self.text.shrink_to(TEXT_KEPT);
        self.sources.clear();
        self.layers.clear();
        self.comments.clear();
        self.pieces.clear();
    }

    /// Keeps words; the value of a field that shows them. Nothing is kept beyond [`TEXT_MAX`].
    pub(crate) fn keep(&mut self, words: &[u8]) -> u64 {
        let start = self.text.len() as u64;
        let words = if self.text.len() + words.len() > TEXT_MAX { &[] } else { words };
        self.text.extend_from_slice(words);
        start << 32 | words.len() as u64
    }
}

/// A packet's tree.
#[derive(Clone, Copy, Debug)]
pub struct Tree<'a> {
    pub(crate) arena: &'a Arena,
    pub(crate) frame: &'a [u8],
}

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A layer or a heading.
    None,
    /// Yes or no.
    Bool(bool),
    /// A number.
    Uint(u64),
    /// A signed number.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// An address.
    Address(IpAddr),
    /// A MAC address, or other bytes.
    Bytes(&'a [u8]),
    /// A MAC address.
    Ether([u8; 6]),
    /// Words; bytes that are no UTF-8 may be among them.
    Text(&'a [u8]),
    /// A duration in nanoseconds.
    Relative(i64),
    /// Nanoseconds since the Unix epoch.
    Absolute(i64),
}

impl<'a> Tree<'a> {
    /// All fields, parents before their children.
    pub fn fields(&self) -> &'a [Field] {
        &self.arena.fields
    }

    /// The layers from the outside in: `eth`, `ip`, `tcp`.
    pub fn layers(&self) -> &'a [&'static Protocol] {
        &self.arena.layers
    }

    /// The frame.
    pub fn frame(&self) -> &'a [u8] {
        self.frame
    }

    /// What was reassembled or decrypted, in the order of the fields' source numbers from 1.
    pub fn sources(&self) -> &'a [Source] {
        &self.arena.sources
    }

    /// The fields of a name, in order.
    pub fn all(&self, name: &'a str) -> impl Iterator<Item = &'a Field> + 'a {
        self.fields().iter().filter(move |field| field.def.name == name)
    }

    /// The first field of a name.
    pub fn first(&self, name: &str) -> Option<&'a Field> {
        self.fields().iter().find(|field| field.def.name == name)
    }

    /// The first field of this definition.
    pub(crate) fn find(&self, def: &'static FieldDef) -> Option<&'a Field> {
        self.fields().iter().find(|field| field.def.is(def))
    }

    /// The number of the first field of this definition.
    pub(crate) fn number(&self, def: &'static FieldDef) -> Option<u64> {
        self.find(def).map(|field| field.value)
    }

    /// The bytes a field was read from. Concluded fields have none.
    pub fn bytes(&self, field: &Field) -> &'a [u8] {
        self.source_bytes(field.source, field.start, field.len)
    }

    /// Bytes of a source, as far as it has them.
    pub(crate) fn source_bytes(&self, source: u8, start: u32, len: u32) -> &'a [u8] {
        let source = match source {
            0 => self.frame,
            n => self.arena.sources.get(usize::from(n) - 1).map_or(&[][..], |source| &source.bytes),
        };
        let start = (start as usize).min(source.len());
        let end = start.saturating_add(len as usize).min(source.len());
        &source[start..end]
    }

    /// The streams' next bytes that the packet brought, in their order.
    pub fn pieces(&self) -> &'a [Piece] {
        &self.arena.pieces
    }

    /// The bytes of a piece.
    pub fn piece_bytes(&self, piece: &Piece) -> &'a [u8] {
        self.source_bytes(piece.source, piece.start, piece.len)
    }

    /// A field's value.
    pub fn value(&self, field: &Field) -> Value<'a> {
        match field.def.kind {
            Kind::Protocol | Kind::None => Value::None,
            Kind::Bool => Value::Bool(field.value != 0),
            Kind::Uint(_) | Kind::Frame => Value::Uint(field.value),
            Kind::Int => Value::Int(field.value as i64),
            Kind::Float => Value::Float(f64::from_bits(field.value)),
            Kind::Ipv4 => Value::Address(IpAddr::V4(Ipv4Addr::from_bits(field.value as u32))),
            Kind::Ipv6 => {
                let octets: [u8; 16] = self.words(field).first_chunk().copied().unwrap_or_default();
                Value::Address(IpAddr::V6(Ipv6Addr::from(octets)))
            }
            Kind::Ether => {
                let octets = field.value.to_be_bytes();
                Value::Ether([octets[2], octets[3], octets[4], octets[5], octets[6], octets[7]])
            }
            Kind::Bytes | Kind::Oid | Kind::Guid => Value::Bytes(self.words(field)),
            Kind::Text => Value::Text(self.words(field)),
            Kind::Relative => Value::Relative(field.value as i64),
            Kind::Absolute => Value::Absolute(field.value as i64),
        }
    }

    /// The bytes of a value that has a length of its own.
    fn words(&self, field: &Field) -> &'a [u8] {
        if field.flags & Field::IN_TEXT == 0 {
            return self.bytes(field);
        }
        let (start, len) = ((field.value >> 32) as usize, (field.value & 0xFFFF_FFFF) as usize);
        self.arena.text.get(start..start + len).unwrap_or(&[])
    }

    /// The place after a field's last descendant.
    pub fn end_of(&self, place: usize) -> usize {
        let fields = self.fields();
        let depth = fields[place].depth;
        fields[place + 1..]
            .iter()
            .position(|field| field.depth <= depth)
            .map_or(fields.len(), |count| place + 1 + count)
    }

    /// `eth:ethertype:ip:tcp`, as `frame.protocols` has it.
    pub fn protocols(&self) -> String {
        use crate::protocols::frame;
        const ETHERNET: usize = 14;
        let mut words = String::new();
        for (place, protocol) in self.layers().iter().enumerate() {
            if !words.is_empty() {
                words.push(':');
            }
            words.push_str(protocol.layer.name);
            let before = place.checked_sub(1).and_then(|place| self.layers().get(place)).copied();
            // A frame that ends within its header has none.
            let is_cut = place == 0 && self.frame.len() < ETHERNET && protocol.layer.name == "eth";
            if !is_cut && frame::has_ethertype(before, protocol, self.layers().get(place + 1).copied()) {
                words.push_str(":ethertype");
            }
        }
        words
    }
}
