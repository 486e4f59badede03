//! Bodies: put together from chunks, unpacked, and handed to whom their type names.

use super::length::{Chunks, chunk_size, chunks_length};
use super::line::line_of;
use super::{CHUNK_BOUNDARY, CHUNK_DATA, CHUNK_SIZE, FILE_DATA};
use crate::context::Context;
use crate::cursor::Data;
use crate::protocols::{data, media, packed};

/// What the headers said of a body.
#[derive(Default)]
pub(super) struct Said<'h> {
    pub(super) kind: &'h [u8],
    pub(super) chunked: bool,
    pub(super) coding: &'h [u8],
    pub(super) length: Option<usize>,
}

/// The source of a body that came in chunks.
pub(crate) const WITHOUT_CHUNKS: &str = "De-chunked entity body";
/// The source of a body that was unpacked.
pub(crate) const UNPACKED: &str = "Uncompressed entity body";

/// Shows a body. Gives its length, with what stands between chunks.
pub(super) fn show(cx: &mut Context<'_>, body: Data<'_>, said: &Said<'_>) -> usize {
    if body.is_empty() {
        return 0;
    }
    if !said.chunked {
        content(cx, body, said);
        return body.len();
    }
    let len = match chunks_length(body.bytes) {
        Chunks::End(len) => len,
        _ => body.len(),
    };
    let joined = unchunked(cx, body.first(len));
    if !joined.is_empty() {
        cx.with_source(WITHOUT_CHUNKS, joined, |cx, joined| content(cx, joined, said));
    }
    len
}

/// What a message carries, as what its type says it is.
fn content(cx: &mut Context<'_>, body: Data<'_>, said: &Said<'_>) {
    if said.coding.is_empty() {
        return plain(cx, body, said.kind);
    }
    match packed::unpack(said.coding, body.bytes) {
        Some(bytes) => cx.with_source(UNPACKED, bytes, |cx, body| plain(cx, body, said.kind)),
        None => data::show(cx, body),
    }
}

fn plain(cx: &mut Context<'_>, body: Data<'_>, kind: &[u8]) {
    // The text ends where C's would.
    match body.bytes.iter().position(|byte| *byte == 0) {
        Some(end) => cx.add_words(&FILE_DATA, body, &body.bytes[..end]),
        None => cx.add(&FILE_DATA, body, 0, body.len(), 0),
    }
    if body.is_empty() {
        return;
    }
    if kind.is_empty() {
        data::show(cx, body);
    } else {
        media::dissect(cx, kind, body);
    }
}

/// Shows chunks (RFC 9112 7.1). Gives what they carry.
fn unchunked(cx: &mut Context<'_>, body: Data<'_>) -> Vec<u8> {
    let mut whole = Vec::new();
    let mut rest = body;
    while let Some((line, used)) = line_of(rest.bytes) {
        let Some(size) = chunk_size(line) else { break };
        cx.add(&CHUNK_SIZE, rest, 0, used, size as u64);
        let chunk = rest.from(used).first(size);
        if size == 0 || chunk.is_empty() {
            break;
        }
        cx.add(&CHUNK_DATA, chunk, 0, chunk.len(), 0);
        whole.extend_from_slice(chunk.bytes);
        let end = rest.from(used + size).first(2);
        if !end.is_empty() {
            cx.add(&CHUNK_BOUNDARY, end, 0, end.len(), 0);
        }
        rest = rest.from(used + size + 2);
    }
    whole
}
