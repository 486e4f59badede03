//! What was said on a connection: messages, requests and answers, and the first bytes of each side.

use super::TcpFlow;
use crate::glance::{Glance, Message};
use crate::http1;
use crate::kept::Moment;
use crate::side::Piece;

/// Things said that are remembered of a flow.
const SAID_MAX: usize = 4096;

/// Records of application data of one side that are remembered.
pub(crate) const RECORDS_MAX: u32 = 128;

/// So many of the first bytes of each side are kept.
pub(super) const OPENING: usize = 64;

/// What was said.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Message(Message),
    Http(http1::Event),
}

/// What was said, by which side, when.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) by: usize,
    pub(crate) at: Moment,
    pub(crate) what: What,
}

impl TcpFlow {
    pub(super) fn messages(&mut self, by: usize, at: Moment, glance: &Glance) {
        for message in &glance.messages {
            match message {
                Message::Record { .. } | Message::Handshake(_) | Message::Alert(..) => self.is_tls = true,
                Message::Http2(_) => {}
                _ => continue,
            }
            if let Message::Handshake(hello) = message
                && self.client.is_none()
            {
                match hello.kind {
                    1 => self.client = Some(by),
                    2 => self.client = Some(1 - by),
                    _ => {}
                }
            }
            if !self.is_more_of_the_same(by, at, message) {
                self.say(by, at, What::Message(message.clone()));
            }
        }
    }

    /// Long transfers are thousands of records and frames of data: the first tell when, the others how much.
    pub(super) fn is_more_of_the_same(&mut self, by: usize, at: Moment, message: &Message) -> bool {
        match message {
            Message::Record { kind: 23, inner, .. } if !matches!(inner, Some(21 | 22)) => {
                self.records[by] += 1;
                self.records[by] > RECORDS_MAX
            }
            Message::Http2(frame) if frame.is_only_data() => {
                if let Some(Said { by: before, at: last, what: What::Message(Message::Http2(known)) }) =
                    self.said.last_mut()
                    && *before == by
                    && known.stream == frame.stream
                    && known.data > 0
                {
                    known.data += frame.data;
                    known.ends |= frame.ends;
                    *last = at;
                    return true;
                }
                frame.data == 0 && !frame.ends
            }
            _ => false,
        }
    }

    pub(super) fn pieces(&mut self, by: usize, at: Moment, pieces: Vec<Piece>) {
        for piece in &pieces {
            let Piece::Bytes(bytes) = piece else { break };
            let room = OPENING - self.opening[by].len();
            self.opening[by].extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        if self.is_tls || self.opening[by].first() == Some(&22) {
            for piece in &pieces {
                self.framing[by].take(piece);
            }
            return;
        }
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => self.read(by, at, &bytes),
                Piece::Skipped(count) => {
                    for event in self.readers[by].skip(count) {
                        self.say(by, at, What::Http(event));
                    }
                }
            }
        }
    }

    pub(super) fn read(&mut self, by: usize, at: Moment, bytes: &[u8]) {
        for event in self.readers[by].feed(bytes, &mut self.asked) {
            match &event {
                http1::Event::Request(_) if self.client.is_none() => self.client = Some(by),
                http1::Event::Response(_) if self.client.is_none() => self.client = Some(1 - by),
                http1::Event::Garbage => {
                    self.garbage.get_or_insert(Said { by, at, what: What::Http(event) });
                    continue;
                }
                _ => {}
            }
            self.speaks_http1 = true;
            self.say(by, at, What::Http(event));
        }
    }

    pub(super) fn say(&mut self, by: usize, at: Moment, what: What) {
        // Many pieces of one body are one, for the memory's sake.
        if let What::Http(http1::Event::Body(more)) = &what
            && let Some(Said { by: before, what: What::Http(http1::Event::Body(count)), at: last, .. }) =
                self.said.last_mut()
            && *before == by
        {
            *count += more;
            *last = at;
            return;
        }
        if self.said.len() < SAID_MAX {
            self.said.push(Said { by, at, what });
        }
    }

    /// Whether a part of an HTTP/1 direction was not captured.
    pub(crate) fn lost_track(&self, by: usize) -> bool {
        self.speaks_http1 && self.readers[by].is_lost()
    }

    /// What a SOCKS proxy answered, if it did not do what it was asked (RFC 1928 3, 6).
    pub(crate) fn socks_refusal(&self) -> Option<u8> {
        let (asked, said) = (&self.opening[self.client()], &self.opening[self.server()]);
        let (&[5, methods, ..], &[5, method, ref rest @ ..]) = (asked.as_slice(), said.as_slice()) else {
            return None;
        };
        let greeting = 2 + usize::from(methods);
        match (method, rest) {
            (255, []) => Some(255),
            (0, &[5, reply, 0, ..]) if reply != 0 && asked.get(greeting) == Some(&5) => Some(reply),
            _ => None,
        }
    }
}
