//! The bytes of one stream, in order, as both sides said them.

use super::flow::FlowId;
use super::{ends, named, time};
use crate::protocols::frame;
use crate::show::{escape, json_text, put};
use crate::tree::Tree;

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
    /// The headings of the last packet.
    turns: Vec<Turn>,
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
        Follow { id, form, last: None, said: [0; 2], turns: Vec::new() }
    }

    /// Appends what the packet brings of the stream.
    pub fn take(&mut self, out: &mut Vec<u8>, tree: Tree<'_>) {
        let wanted = |piece: &&crate::tree::Piece| {
            piece.carrier == self.id.carrier
                && piece.flow == self.id.flow
                && self.id.stream.is_none_or(|stream| piece.stream == stream)
        };
        self.turns.clear();
        let pieces: Vec<_> = tree.pieces().iter().filter(wanted).copied().collect();
        for piece in pieces {
            let bytes = tree.piece_bytes(&piece);
            if bytes.is_empty() {
                continue;
            }
            match self.form {
                Form::Raw => out.extend_from_slice(bytes),
                Form::Json => json(out, tree, piece.stream, bytes),
                Form::Text | Form::Hex => {
                    if self.last != Some(piece.side) {
                        self.heading(out, tree, piece.side);
                    }
                    if self.form == Form::Text {
                        words(out, bytes);
                    } else {
                        hex(out, self.said[usize::from(piece.side)], bytes);
                    }
                }
            }
            self.last = Some(piece.side);
            self.said[usize::from(piece.side)] += bytes.len() as u64;
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

    fn heading(&mut self, out: &mut Vec<u8>, tree: Tree<'_>, side: u8) {
        if out.last().is_some_and(|byte| *byte != b'\n') {
            out.push(b'\n');
        }
        if let Some(ends) = ends(tree) {
            self.turns.push(Turn { at: out.len(), side });
            put!(out, "--- {} > {}\n", named(ends.from), named(ends.to));
        }
    }
}

fn json(out: &mut Vec<u8>, tree: Tree<'_>, stream: u64, bytes: &[u8]) {
    let Some(ends) = ends(tree) else { return };
    let (from, to) = (named(ends.from), named(ends.to));
    let number = tree.number(&frame::NUMBER).unwrap_or(0);
    let seconds = time(tree) as f64 / 1e9;
    put!(out, "{{\"schema\":1,\"kind\":\"stream\",\"frame\":{number},\"time\":{seconds:.9},");
    put!(out, "\"from\":\"{from}\",\"to\":\"{to}\",\"stream\":{stream},\"length\":{},\"text\":", bytes.len());
    json_text(out, bytes);
    out.extend_from_slice(b",\"hex\":\"");
    bytes.iter().for_each(|byte| put!(out, "{byte:02x}"));
    out.extend_from_slice(b"\"}\n");
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
