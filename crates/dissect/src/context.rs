//! What a dissector works with: the tree under construction, who talks to whom, what was remembered.

use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Protocol};
use crate::protocols::ports::Owner;
use crate::protocols::{expert, websocket};
use crate::state::State;
use crate::tree::{Arena, Carrier, Field, Piece, SOURCES_MAX, Source};
use std::net::{IpAddr, Ipv4Addr};

/// Layers within layers stop here: tunnels in tunnels exist, hundreds of them only in attacks.
const NESTING_MAX: usize = 48;

/// Layers beside each other stop here: a chain of certificates has one for each attribute, a transfer of a zone one for
/// each message.
const LAYERS_MAX: usize = 500;

/// So many fields may a packet have: more is an attack on memory.
pub(crate) const FIELDS_MAX: usize = 20_000;

/// So many pieces of streams may a packet bring.
const PIECES_MAX: usize = 20_000;

/// The work on one packet.
pub(crate) struct Context<'a> {
    pub(crate) arena: &'a mut Arena,
    pub(crate) state: &'a mut State,
    /// How deep new fields are.
    pub(crate) depth: u8,
    /// How many layers the one that is being read lies within.
    nesting: usize,
    /// The frame's number.
    pub(crate) number: u64,
    /// Nanoseconds since the Unix epoch.
    pub(crate) time: u64,
    /// The packet was cut when it was captured: what is missing was on the wire.
    pub(crate) is_cut: bool,
    /// How long the frame was on the wire.
    pub(crate) wire: usize,
    /// So many bytes of the packet that is being read were on the wire behind those that were kept.
    pub(crate) missing: usize,
    /// Innermost addresses.
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    /// The packet is quoted in an ICMP error: nothing is learned from it.
    pub(crate) is_quoted: bool,
    /// How long the message is that has just turned out incomplete, as far as it tells; 0: it does not.
    pub(crate) wants: usize,
    /// The message that has just turned out incomplete goes on until the stream ends.
    pub(crate) until_fin: bool,
    /// Where the reader of the message that has just turned out incomplete goes on when it sees it again, and where it did.
    pub(crate) resume: usize,
    /// How many streams the one that is being read goes through: proxies within proxies.
    pub(crate) streams: usize,
    /// What does not end a message may wait for more; otherwise it is shown as far as it goes.
    pub(crate) can_wait: bool,
    /// A stream's next bytes are the first of a segment, and no message waits for them.
    pub(crate) is_segment_start: bool,
    /// Nothing follows on the stream.
    pub(crate) stream_ends: bool,
    /// The HTTP message that was just shown went over to WebSocket, on these terms.
    pub(crate) upgraded: Option<Box<websocket::Session>>,
    /// Who was found to speak between the datagram's ends.
    pub(crate) owner: Owner,
    /// The number of the flow or connection that is being read.
    pub(crate) flow: u64,
    /// The number of the exchange within it, where it carries several at once.
    pub(crate) exchange: u64,
}

/// A place in the tree whose length is not known yet.
#[derive(Clone, Copy)]
pub(crate) struct Open(usize);

impl<'a> Context<'a> {
    pub(crate) fn new(arena: &'a mut Arena, state: &'a mut State, number: u64, time: u64) -> Context<'a> {
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Context {
            arena,
            state,
            depth: 0,
            nesting: 0,
            number,
            time,
            is_cut: false,
            wire: 0,
            missing: 0,
            src: nobody,
            dst: nobody,
            src_port: 0,
            dst_port: 0,
            is_quoted: false,
            wants: 0,
            until_fin: false,
            resume: 0,
            streams: 0,
            can_wait: false,
            is_segment_start: false,
            stream_ends: false,
            upgraded: None,
            owner: Owner::None,
            flow: 0,
            exchange: 0,
        }
    }

    #[inline]
    fn push(&mut self, field: Field) {
        if self.arena.fields.len() < FIELDS_MAX {
            self.arena.fields.push(field);
        }
    }

    /// Adds a field of bytes `at..at + len` of `data`.
    #[inline]
    pub(crate) fn add(&mut self, def: &'static FieldDef, data: Data<'_>, at: usize, len: usize, value: u64) {
        let (start, depth) = (data.at + at as u32, self.depth);
        self.push(Field { def, value, start, len: len as u32, depth, source: data.source, flags: 0 });
    }

    /// Adds a field whose words were kept in the arena.
    pub(crate) fn add_text(
        &mut self,
        def: &'static FieldDef,
        data: Data<'_>,
        at: usize,
        len: usize,
        kept: u64,
    ) {
        let (start, depth, flags) = (data.at + at as u32, self.depth, Field::IN_TEXT);
        self.push(Field { def, value: kept, start, len: len as u32, depth, source: data.source, flags });
    }

    /// Adds a field whose value is a part of the bytes it covers, such as words without the zero that ends them.
    pub(crate) fn add_slice(&mut self, def: &'static FieldDef, data: Data<'_>, at: usize, len: usize) {
        let kept = self.arena.keep(data.bytes.get(at..at + len).unwrap_or(&[]));
        self.add_text(def, data, 0, data.len(), kept);
    }

    /// The value that the field was last found to have in this packet.
    pub(crate) fn last(&self, def: &'static FieldDef) -> Option<u64> {
        self.arena.fields.iter().rev().find(|field| field.def.is(def)).map(|field| field.value)
    }

    /// Adds words read from `data` but written differently.
    pub(crate) fn add_words(&mut self, def: &'static FieldDef, data: Data<'_>, words: &[u8]) {
        let kept = self.arena.keep(words);
        self.add_text(def, data, 0, data.len(), kept);
    }

    /// Adds a field for filters, which repeats another.
    pub(crate) fn hide(&mut self, def: &'static FieldDef, data: Data<'_>, at: usize, len: usize, value: u64) {
        let (start, depth, flags) = (data.at + at as u32, self.depth, Field::HIDDEN);
        self.push(Field { def, value, start, len: len as u32, depth, source: data.source, flags });
    }

    /// Adds what was concluded, not read.
    #[inline]
    pub(crate) fn conclude(&mut self, def: &'static FieldDef, value: u64) {
        let flags = Field::GENERATED;
        self.push(Field { def, value, start: 0, len: 0, depth: self.depth, source: 0, flags });
    }

    /// Adds words that were concluded.
    pub(crate) fn conclude_words(&mut self, def: &'static FieldDef, words: &[u8]) {
        let value = self.arena.keep(words);
        let flags = Field::GENERATED | Field::IN_TEXT;
        self.push(Field { def, value, start: 0, len: 0, depth: self.depth, source: 0, flags });
    }

    /// Opens a subtree that begins at `at` of `data`; what is added until [`Context::close`] belongs to it.
    pub(crate) fn open(&mut self, def: &'static FieldDef, data: Data<'_>, at: usize, value: u64) -> Open {
        let place = self.arena.fields.len();
        self.add(def, data, at, data.len().saturating_sub(at), value);
        self.depth += 1;
        Open(place)
    }

    /// Opens a subtree whose field has these words.
    pub(crate) fn open_words(&mut self, def: &'static FieldDef, data: Data<'_>, words: &[u8]) -> Open {
        let place = self.arena.fields.len();
        self.add_words(def, data, words);
        self.depth += 1;
        Open(place)
    }

    /// Ends a subtree; `len` is its length in bytes.
    pub(crate) fn close(&mut self, open: Open, len: usize) {
        self.depth -= 1;
        if let Some(field) = self.arena.fields.get_mut(open.0) {
            field.len = len as u32;
        }
    }

    /// A subtree over all of `data`, whose content may turn out short: the subtree is closed either way.
    pub(crate) fn within<T>(
        &mut self,
        def: &'static FieldDef,
        data: Data<'_>,
        read: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<T> {
        let open = self.open(def, data, 0, 0);
        let depth = self.depth;
        let result = read(self);
        self.depth = depth;
        self.close(open, data.len());
        result
    }

    /// A layer over `data`. Whatever goes wrong inside is told in the tree and goes no further.
    pub(crate) fn layer<'d>(
        &mut self,
        protocol: &'static Protocol,
        data: Data<'d>,
        read: impl FnOnce(&mut Self, &mut Cursor<'d>) -> Read,
    ) {
        if self.nesting >= NESTING_MAX || self.arena.layers.len() >= LAYERS_MAX {
            return;
        }
        self.arena.layers.push(protocol);
        self.layer_again(protocol, data, read);
    }

    /// Counts a layer among the packet's protocols that has nothing of its own in it.
    pub(crate) fn passed(&mut self, protocol: &'static Protocol) {
        if self.arena.layers.len() < LAYERS_MAX {
            self.arena.layers.push(protocol);
        }
    }

    /// What lies within the layer that was just shown, and is read behind it.
    pub(crate) fn deeper(&mut self, read: impl FnOnce(&mut Self)) {
        self.nesting += 1;
        read(self);
        self.nesting -= 1;
    }

    /// A further message of the layer that was just shown: in the tree it stands for itself, among the packet's
    /// protocols it is not counted again.
    pub(crate) fn layer_again<'d>(
        &mut self,
        protocol: &'static Protocol,
        data: Data<'d>,
        read: impl FnOnce(&mut Self, &mut Cursor<'d>) -> Read,
    ) {
        let outside = self.depth;
        self.depth = 0;
        let place = self.arena.fields.len();
        self.add(&protocol.layer, data, 0, data.len(), 0);
        self.depth = 1;
        let mut cursor = data.cursor();
        let missing = self.missing;
        self.nesting += 1;
        let result = read(self, &mut cursor);
        self.nesting -= 1;
        self.missing = missing;
        if result == Err(Short) {
            self.depth = 0;
            self.note_short(data);
        }
        // Within a layer the cursor stands where the payload begins, unless all of it was this layer's.
        if let Some(field) = self.arena.fields.get_mut(place) {
            field.len = cursor.pos as u32;
        }
        self.depth = outside;
    }

    fn note_short(&mut self, data: Data<'_>) {
        let cut = self.is_cut && data.source == 0;
        let protocol = if cut { &expert::SHORT } else { &expert::MALFORMED };
        // It is no layer of the packet: `frame.protocols` does not name it.
        self.add(&protocol.layer, data, data.len(), 0, 0);
    }

    /// The part of a packet that its header claims, `claimed` bytes: what lies behind is padding, and what was cut off
    /// when it was captured counts as missing as far as the claim and the frame's length on the wire allow.
    pub(crate) fn claim<'d>(&mut self, packet: Data<'d>, claimed: usize) -> Data<'d> {
        self.missing = self.missing.min(claimed.saturating_sub(packet.len()));
        packet.first(claimed)
    }

    /// Notes something wrong or remarkable, as Wireshark's expert does, with its field's name.
    pub(crate) fn expert(&mut self, def: &'static FieldDef) {
        self.conclude(def, 1);
    }

    /// Notes a stream's next bytes, for those who follow it.
    pub(crate) fn piece(&mut self, carrier: Carrier, stream: u64, side: usize, data: Data<'_>, ends: bool) {
        if self.arena.pieces.len() < PIECES_MAX {
            self.arena.pieces.push(Piece::new(carrier, self.flow, stream, side, data, ends));
        }
    }

    /// The same for TCP's, before which so many are missing. `is_back`: the packet goes the other way.
    pub(crate) fn piece_behind(&mut self, missing: u64, side: usize, data: Data<'_>, is_back: bool) {
        if self.arena.pieces.len() < PIECES_MAX {
            let mut piece = Piece::new(Carrier::Tcp, self.flow, 0, side, data, false);
            (piece.missing, piece.is_back) = (missing, is_back);
            self.arena.pieces.push(piece);
        }
    }

    /// Dissects bytes that are not the frame's: `read` sees them as a source of their own.
    pub(crate) fn with_source(
        &mut self,
        name: &'static str,
        bytes: Vec<u8>,
        read: impl FnOnce(&mut Self, Data<'_>),
    ) {
        if self.arena.sources.len() >= SOURCES_MAX {
            return;
        }
        // The place is taken now, so that sources found within get later numbers; the bytes come after the reading.
        self.arena.sources.push(Source { name, bytes: Vec::new() });
        let place = self.arena.sources.len();
        let missing = std::mem::take(&mut self.missing);
        read(self, Data { bytes: &bytes, at: 0, source: place as u8 });
        self.missing = missing;
        self.arena.sources[place - 1].bytes = bytes;
    }

    /// The same where what comes later depends on what is read: it is read even where no more sources can be shown, and
    /// what is found then is not shown.
    pub(crate) fn feed(
        &mut self,
        name: &'static str,
        bytes: Vec<u8>,
        read: impl FnOnce(&mut Self, Data<'_>),
    ) {
        if self.arena.sources.len() < SOURCES_MAX {
            return self.with_source(name, bytes, read);
        }
        let shown = std::mem::replace(self.arena, Arena::new());
        self.with_source(name, bytes, read);
        *self.arena = shown;
    }

    /// Takes the last source back, which no field refers to.
    pub(crate) fn take_source(&mut self) -> Vec<u8> {
        self.arena.sources.pop().map(|source| source.bytes).unwrap_or_default()
    }
}
