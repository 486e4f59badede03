//! What was said on a stream, read in slices, kept within a bound.

use thru_dissect::summary::flow::FlowId;
use thru_dissect::summary::follow::{Follow, Form, Turn};

use crate::pass::{Capture, Pass};

/// So many bytes of text are kept.
const TEXT_MAX: usize = 4 << 20;

/// A stream on the screen.
pub(crate) struct Stream {
    pass: Pass,
    follow: Follow,
    pub(crate) id: FlowId,
    /// The streams to choose from, and which it is.
    pub(crate) choices: Vec<FlowId>,
    pub(crate) is_hex: bool,
    text: Vec<u8>,
    /// Where headings are in the text, in order.
    turns: Vec<Turn>,
    /// The first row on the screen.
    pub(crate) top: usize,
    /// There is more than is kept.
    pub(crate) is_cut: bool,
    pub(crate) is_done: bool,
}

/// A row of the text: where it is, and whether it is a heading; the side that spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) is_heading: bool,
    pub(crate) is_second: bool,
}

impl Stream {
    pub(crate) fn new(
        capture: &Capture,
        choices: &[FlowId],
        id: FlowId,
        is_hex: bool,
    ) -> Result<Stream, String> {
        let form = if is_hex { Form::Hex } else { Form::Text };
        Ok(Stream {
            pass: Pass::in_order(capture)?,
            follow: Follow::new(id, form),
            id,
            choices: choices.to_vec(),
            is_hex,
            text: Vec::new(),
            turns: Vec::new(),
            top: 0,
            is_cut: false,
            is_done: false,
        })
    }

    /// Reads so many packets; `false`: that was all.
    pub(crate) fn work(&mut self, packets: usize) -> bool {
        let Stream { pass, follow, text, turns, .. } = self;
        for _ in 0..packets {
            if self.is_done {
                break;
            }
            let more = pass.next(|_, tree| {
                follow.take(text, tree);
                turns.extend_from_slice(follow.turns());
            });
            if !more {
                pass.rest(follow, text);
                turns.extend_from_slice(follow.turns());
            }
            if text.len() > TEXT_MAX {
                text.truncate(TEXT_MAX);
                self.is_cut = true;
            }
            self.is_done = !more || self.is_cut;
        }
        !self.is_done
    }

    pub(crate) fn said(&self) -> u64 {
        self.follow.said()
    }

    /// The choice behind this one, or in front of it.
    pub(crate) fn other(&self, forward: bool) -> FlowId {
        let at = self.choices.iter().position(|id| *id == self.id).unwrap_or(0);
        let step = if forward { 1 } else { self.choices.len().max(1) - 1 };
        self.choices.get((at + step) % self.choices.len().max(1)).copied().unwrap_or(self.id)
    }

    pub(crate) fn words(&self, span: Span) -> String {
        String::from_utf8_lossy(&self.text[span.start..span.end]).replace('\t', "    ")
    }

    /// The text in rows of at most `width` bytes.
    pub(crate) fn rows(&self, width: usize) -> Vec<Span> {
        let (mut rows, mut start) = (Vec::new(), 0);
        let first = self.turns.first().map(|turn| turn.side);
        let (mut turns, mut is_second) = (self.turns.iter().peekable(), false);
        for line in self.text.split(|byte| *byte == b'\n') {
            // What was said may look like a heading: only the place tells.
            let turn = turns.next_if(|turn| turn.at == start);
            let is_heading = turn.is_some();
            if let Some(turn) = turn {
                is_second = Some(turn.side) != first;
            }
            let end = start + line.len();
            let mut from = start;
            loop {
                let mut to = (from + width.max(1)).min(end);
                // Never half a character.
                while to > from + 1 && to < end && self.text[to] & 0xC0 == 0x80 {
                    to -= 1;
                }
                rows.push(Span { start: from, end: to, is_heading, is_second });
                from = to;
                if from >= end {
                    break;
                }
            }
            start = end + 1;
        }
        if self.text.last().is_none_or(|byte| *byte == b'\n') {
            rows.pop();
        }
        rows
    }
}

/// `tcp:3`, as `--follow` wants it.
pub(crate) fn name(id: FlowId) -> String {
    let carrier = format!("{:?}", id.carrier).to_ascii_lowercase();
    let stream = id.stream.map_or(String::new(), |stream| format!(",{stream}"));
    format!("{carrier}:{}{stream}", id.flow)
}

/// The display filter that the stream's packets pass.
pub(crate) fn filter(id: FlowId) -> String {
    use thru_dissect::Carrier;
    let field = match id.carrier {
        Carrier::Tcp | Carrier::Tls | Carrier::Http2 => "tcp.stream",
        Carrier::Udp | Carrier::Dtls => "udp.stream",
        Carrier::Quic | Carrier::Http3 => "quic.connection.number",
    };
    format!("{field} == {}", id.flow)
}
