//! What a stream carries, once it has ended: unpacked, and shown as what its type says it is.

use super::{BODY_LENGTH, DATA};
use crate::context::Context;
use crate::cursor::Data;
use crate::protocols::headers::hpack::Line;
use crate::protocols::http::UNPACKED;
use crate::protocols::{data, media, packed};

/// A body is kept up to this length, and those of a side's streams together.
const BODY_MAX: usize = 1 << 20;
const BODIES_MAX: usize = 4 << 20;

/// A body that was announced, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Body {
    kind: Vec<u8>,
    coding: Vec<u8>,
    /// A part of something (206): what is packed can't be unpacked without the rest.
    is_part: bool,
    held: Vec<u8>,
    frames: usize,
    /// It is longer than what is kept.
    is_lost: bool,
}

impl Body {
    /// From the headers before it.
    pub(super) fn announced(lines: &[Line<'_>]) -> Body {
        let mut body = Body::default();
        for line in lines {
            let Line::Header(header) = line else { continue };
            let place = match &header.name[..] {
                b"content-type" => &mut body.kind,
                b"content-encoding" => &mut body.coding,
                b":status" => {
                    body.is_part = header.value == b"206"[..];
                    continue;
                }
                _ => continue,
            };
            *place = header.value[..header.value.len().min(200)].to_vec();
        }
        body
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Takes the next frame's bytes; `total`: so many are held by all streams of the side. What has ended is shown.
    pub(super) fn take(&mut self, cx: &mut Context<'_>, bytes: Data<'_>, ends: bool, total: usize) {
        self.frames += 1;
        let too_long = self.held.len() + bytes.len() > BODY_MAX || total + bytes.len() > BODIES_MAX;
        if too_long || self.is_lost {
            (self.is_lost, self.held) = (true, Vec::new());
        }
        if !ends || self.is_lost {
            if !bytes.is_empty() {
                cx.add(&DATA, bytes, 0, bytes.len(), 0);
            }
            if !self.is_lost {
                self.held.extend_from_slice(bytes.bytes);
            }
            return;
        }
        if self.frames == 1 {
            return self.show(cx, bytes);
        }
        let mut whole = std::mem::take(&mut self.held);
        whole.extend_from_slice(bytes.bytes);
        cx.conclude(&BODY_LENGTH, whole.len() as u64);
        cx.with_source("Reassembled body", whole, |cx, whole| self.show(cx, whole));
    }

    /// The stream ends with trailers (RFC 9113 8.1): shows what has come before them.
    pub(super) fn end(mut self, cx: &mut Context<'_>) {
        if self.is_lost || self.frames == 0 {
            return;
        }
        let whole = std::mem::take(&mut self.held);
        cx.conclude(&BODY_LENGTH, whole.len() as u64);
        cx.with_source("Reassembled body", whole, |cx, whole| self.show(cx, whole));
    }

    fn show(&self, cx: &mut Context<'_>, whole: Data<'_>) {
        if whole.is_empty() {
            return;
        }
        let plain = match self.is_part || self.coding.is_empty() {
            true => None,
            false => packed::unpack(&self.coding, whole.bytes),
        };
        match plain {
            Some(plain) => cx.with_source(UNPACKED, plain, |cx, plain| self.plain(cx, plain)),
            None => self.plain(cx, whole),
        }
    }

    fn plain(&self, cx: &mut Context<'_>, plain: Data<'_>) {
        cx.add(&DATA, plain, 0, plain.len(), 0);
        if self.kind.is_empty() && !plain.is_empty() {
            data::show(cx, plain);
        } else if !plain.is_empty() && media::is_known(&self.kind) {
            media::dissect(cx, &self.kind, plain);
        }
    }
}
