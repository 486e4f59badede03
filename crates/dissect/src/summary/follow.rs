//! The bytes of one stream, in order, as both sides said them.

use super::flow::FlowId;
use super::{Ends, ends, named, time};
use crate::Dissector;
use crate::protocols::{frame, tcp};
use crate::show::{escape, json_text, put};
use crate::tree::{Arena, Carrier, Piece, Tree};

/// How bytes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As words; what moves a cursor is shown as `.`.
    #[default]
    Text,
    /// Offsets, hexadecimal and words.
    Hex,
    /// As they are, of both sides.
    Raw,
    /// One JSON object for each part.
    Json,
}

/// Follows one stream.
#[derive(Debug)]
pub struct Follow {
    id: FlowId,
    form: Form,
    /// The side that spoke last.
    last: Option<u8>,
    /// So many bytes each side has said.
    said: [u64; 2],
    /// So many of each side are missing in the capture.
    missing: [u64; 2],
    /// The packet that brought something last.
    last_packet: Packet,
    /// The headings of the last packet.
    turns: Vec<Turn>,
}

/// What is told of a packet beside what it brings.
#[derive(Clone, Copy, Debug, Default)]
struct Packet {
    number: u64,
    time: i64,
    /// Who sent it to whom, and which of the two sides that is.
    ends: Option<(Ends, u8)>,
}

/// A heading among the text: from there on, a side speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Where the heading's line begins in what [`Follow::take`] appends to.
    pub at: usize,
    /// Which of the two ends speaks: which is the client is not told.
    pub side: u8,
}

impl Follow {
    /// Follows a stream from the first packet on.
    pub fn new(id: FlowId, form: Form) -> Follow {
        let last_packet = Packet::default();
        Follow { id, form, last: None, said: [0; 2], missing: [0; 2], last_packet, turns: Vec::new() }
    }

    /// Appends what the packet brings of the stream.
    pub fn take(&mut self, out: &mut Vec<u8>, tree: Tree<'_>) {
        self.turns.clear();
        self.learn_ends(tree);
        let wanted = |piece: &&Piece| {
            piece.carrier == self.id.carrier
                && piece.flow == self.id.flow
                && self.id.stream.is_none_or(|stream| piece.stream == stream)
        };
        let pieces: Vec<_> = tree.pieces().iter().filter(wanted).copied().collect();
        for piece in pieces {
            let bytes = tree.piece_bytes(&piece);
            if bytes.is_empty() {
                continue;
            }
            if let Some(ends) = ends(tree) {
                let side = if piece.is_back { 1 - piece.side } else { piece.side };
                let number = tree.number(&frame::NUMBER).unwrap_or(0);
                self.last_packet = Packet { number, time: time(tree), ends: Some((ends, side)) };
            }
            let side = usize::from(piece.side);
            self.missing[side] += piece.missing;
            match self.form {
                Form::Raw => out.extend_from_slice(bytes),
                Form::Json => self.json(out, &piece, bytes),
                Form::Text | Form::Hex => {
                    if self.last != Some(piece.side) {
                        self.heading(out, piece.side);
                    }
                    gap(out, piece.missing);
                    if self.form == Form::Text {
                        words(out, bytes);
                    } else {
                        hex(out, self.said[side] + self.missing[side], bytes);
                    }
                }
            }
            self.last = Some(piece.side);
            self.said[side] += bytes.len() as u64;
        }
    }

    /// Whose stream it is, even where all that was said waits behind a gap.
    fn learn_ends(&mut self, tree: Tree<'_>) {
        let is_known = self.last_packet.ends.is_some() || self.id.carrier != Carrier::Tcp;
        if !is_known
            && tree.number(&tcp::STREAM) == Some(self.id.flow)
            && let Some(ends) = ends(tree)
        {
            let number = tree.number(&frame::NUMBER).unwrap_or(0);
            let side = u8::from(ends.from > ends.to);
            self.last_packet = Packet { number, time: time(tree), ends: Some((ends, side)) };
        }
    }

    /// When the last packet was taken: appends what waits behind gaps that nobody closed.
    pub fn rest(&mut self, out: &mut Vec<u8>, dissector: &mut Dissector, arena: &mut Arena) {
        self.turns.clear();
        if self.id.carrier == Carrier::Tcp {
            self.take(out, dissector.rest(self.id.flow, arena));
        }
    }

    /// How many bytes were said in all.
    pub fn said(&self) -> u64 {
        self.said[0] + self.said[1]
    }

    /// The headings that the last packet brought. Lines that look like one may be among what was said.
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// From whom and to whom a side speaks.
    fn ends_of(&self, side: u8) -> Option<Ends> {
        let (ends, of) = self.last_packet.ends?;
        Some(if of == side { ends } else { Ends { from: ends.to, to: ends.from } })
    }

    fn heading(&mut self, out: &mut Vec<u8>, side: u8) {
        end_line(out);
        if let Some(ends) = self.ends_of(side) {
            self.turns.push(Turn { at: out.len(), side });
            put!(out, "--- {} > {}\n", named(ends.from), named(ends.to));
        }
    }

    fn json(&self, out: &mut Vec<u8>, piece: &Piece, bytes: &[u8]) {
        let Some(ends) = self.ends_of(piece.side) else { return };
        let (from, to) = (named(ends.from), named(ends.to));
        let Packet { number, time, .. } = self.last_packet;
        let (seconds, stream) = (time as f64 / 1e9, piece.stream);
        put!(out, "{{\"schema\":1,\"kind\":\"stream\",\"frame\":{number},\"time\":{seconds:.9},");
        put!(out, "\"from\":\"{from}\",\"to\":\"{to}\",\"stream\":{stream},");
        if piece.missing > 0 {
            put!(out, "\"missing\":{},", piece.missing);
        }
        put!(out, "\"length\":{},\"text\":", bytes.len());
        json_text(out, bytes);
        out.extend_from_slice(b",\"hex\":\"");
        bytes.iter().for_each(|byte| put!(out, "{byte:02x}"));
        out.extend_from_slice(b"\"}\n");
    }
}

fn end_line(out: &mut Vec<u8>) {
    if out.last().is_some_and(|byte| *byte != b'\n') {
        out.push(b'\n');
    }
}

/// A line that says how many bytes are missing, if any are.
fn gap(out: &mut Vec<u8>, missing: u64) {
    if missing > 0 {
        end_line(out);
        put!(out, "[{missing} bytes missing in the capture]\n");
    }
}

/// Words, line by line; carriage returns before a line's end are left out.
fn words(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        let is_last = lines.peek().is_none();
        let line = if is_last { line } else { line.strip_suffix(b"\r").unwrap_or(line) };
        for chunk in line.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\t' => out.push(b'\t'),
                    c if c.is_control() => out.push(b'.'),
                    c => escape(out, c.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
            out.extend(chunk.invalid().iter().map(|_| b'.'));
        }
        if !is_last {
            out.push(b'\n');
        }
    }
}

fn hex(out: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    for (row, chunk) in bytes.chunks(16).enumerate() {
        put!(out, "{:08x} ", offset + 16 * row as u64);
        for place in 0..16 {
            match chunk.get(place) {
                Some(byte) => put!(out, " {byte:02x}"),
                None => out.extend_from_slice(b"   "),
            }
        }
        out.extend_from_slice(b"  ");
        out.extend(chunk.iter().map(|byte| if (0x20..0x7F).contains(byte) { *byte } else { b'.' }));
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests;
