//! What is remembered of an HTTP/2 connection: the header tables, blocks that go on, what the streams carry.

use super::body::Body;
use super::{BLOCK_BROKEN, DATA, headers};
use crate::context::Context;
use crate::cursor::{Data, Read, Short};
use crate::protocols::grpc::{self, Call, Form};
use crate::protocols::headers::hpack::{Decoder, Line};
use crate::tree::Carrier;
use std::collections::BTreeMap;

/// So many streams of one side may carry gRPC at a time, and a message in pieces be so long.
const GRPC_STREAMS_MAX: usize = 256;
const GRPC_MESSAGE_MAX: usize = 256 << 10;

/// A call's path is not longer.
const PATH_MAX: usize = 1024;

/// A header block in pieces is not longer.
const BLOCK_MAX: usize = 256 << 10;

/// A connection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    sides: [Side; 2],
    /// What the streams' requests asked for, and which side sent them.
    calls: BTreeMap<u32, (String, usize)>,
}

#[derive(Debug, Default)]
struct Side {
    decoder: Decoder,
    /// A header block that goes on in the next frame.
    open: Option<Block>,
    /// Bytes are missing: where the next frame begins is unknown.
    is_lost: bool,
    /// Streams whose headers announced a body, which is not whole yet.
    bodies: BTreeMap<u32, Body>,
    /// Streams that carry gRPC, and the beginning of a message whose rest is still to come.
    grpc: BTreeMap<u32, Grpc>,
}

/// A stream of gRPC: what its headers said, and what came of a message.
#[derive(Debug, Default)]
struct Grpc {
    form: Form,
    waiting: Vec<u8>,
}

/// A header block.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) stream: u32,
    /// The stream ends with it.
    pub(super) ends: bool,
    pub(super) bytes: Vec<u8>,
}

impl Connection {
    /// A side's bytes are missing.
    pub(crate) fn lose(&mut self, side: usize) {
        self.sides[side] = Side { is_lost: true, ..Side::default() };
    }

    /// Whether it is known where a side's next frame begins.
    pub(crate) fn knows(&self, side: usize) -> bool {
        !self.sides[side].is_lost
    }

    pub(super) fn begin_block(
        &mut self,
        cx: &mut Context<'_>,
        side: usize,
        mut block: Block,
        fragment: Data<'_>,
        is_whole: bool,
    ) -> Read {
        if is_whole {
            return self.block(cx, side, &block, fragment);
        }
        block.bytes = fragment.bytes.to_vec();
        if self.sides[side].open.replace(block).is_some() {
            self.sides[side].decoder.lose();
        }
        Ok(())
    }

    pub(super) fn continue_block(
        &mut self,
        cx: &mut Context<'_>,
        side: usize,
        stream: u32,
        fragment: Data<'_>,
        is_whole: bool,
    ) -> Read {
        let Some(mut block) = self.sides[side].open.take().filter(|block| block.stream == stream) else {
            self.sides[side].decoder.lose();
            return Err(Short);
        };
        if block.bytes.len() + fragment.len() > BLOCK_MAX {
            self.sides[side].decoder.lose();
            return Err(Short);
        }
        block.bytes.extend_from_slice(fragment.bytes);
        if !is_whole {
            self.sides[side].open = Some(block);
            return Ok(());
        }
        let bytes = std::mem::take(&mut block.bytes);
        let mut result = Ok(());
        cx.feed("Reassembled headers", bytes, |cx, whole| {
            result = self.block(cx, side, &block, whole);
        });
        result
    }

    fn block(&mut self, cx: &mut Context<'_>, side: usize, block: &Block, bytes: Data<'_>) -> Read {
        let (lines, result) = self.sides[side].decoder.block(bytes);
        headers::show(cx, &lines);
        let grpc = grpc::announced(&lines).map(|form| Grpc { form, waiting: Vec::new() });
        // It replaces what an informational answer said, or the promise of a push; trailers have none and change nothing.
        let is_answer =
            lines.iter().any(|line| matches!(line, Line::Header(header) if header.name == b":status"[..]));
        let path = lines.iter().find_map(|line| match line {
            Line::Header(header) if header.name == b":path"[..] => Some(&header.value),
            _ => None,
        });
        if let Some(path) = path.filter(|path| path.len() <= PATH_MAX) {
            if self.calls.len() >= GRPC_STREAMS_MAX {
                self.calls.pop_first();
            }
            self.calls.insert(block.stream, (String::from_utf8_lossy(path).into_owned(), side));
        }
        if let Some(grpc) = grpc {
            let streams = &mut self.sides[side].grpc;
            if streams.len() >= GRPC_STREAMS_MAX {
                streams.pop_first();
            }
            streams.insert(block.stream, grpc);
        } else if !block.ends && (is_answer || !self.sides[side].bodies.contains_key(&block.stream)) {
            let bodies = &mut self.sides[side].bodies;
            if bodies.len() >= GRPC_STREAMS_MAX {
                bodies.pop_first();
            }
            bodies.insert(block.stream, Body::announced(&lines));
        }
        if result.is_err() {
            cx.expert(&BLOCK_BROKEN);
        }
        if block.ends {
            if let Some(body) = self.sides[side].bodies.remove(&block.stream) {
                body.end(cx);
            }
            // Calls end with trailers: nothing more comes of this side's.
            self.sides[side].grpc.remove(&block.stream);
            cx.piece(Carrier::Http2, u64::from(block.stream), side, bytes.first(0), true);
        }
        Ok(())
    }

    /// A stream was cut off: nothing more comes of it.
    pub(super) fn reset(&mut self, stream: u32) {
        for side in &mut self.sides {
            side.grpc.remove(&stream);
            side.bodies.remove(&stream);
        }
        self.calls.remove(&stream);
    }

    /// A stream's next bytes.
    pub(super) fn body(&mut self, cx: &mut Context<'_>, side: usize, id: u32, bytes: Data<'_>, ends: bool) {
        cx.piece(Carrier::Http2, u64::from(id), side, bytes, ends);
        let bodies = &mut self.sides[side].bodies;
        if let Some(mut body) = bodies.remove(&id) {
            let total = bodies.values().map(Body::len).sum::<usize>() + body.len();
            body.take(cx, bytes, ends, total);
            if !ends {
                self.sides[side].bodies.insert(id, body);
            }
            return;
        }
        if !bytes.is_empty() || ends {
            cx.add(&DATA, bytes, 0, bytes.len(), 0);
        }
        let streams = &mut self.sides[side].grpc;
        if let Some(grpc) = streams.get_mut(&id) {
            let call = self.calls.get(&id).filter(|_| !cx.state.schema.is_empty());
            let call = call.map(|(path, asks)| Call { path: path.clone(), is_answer: *asks != side });
            messages(cx, grpc, bytes, call.as_ref());
            if ends || grpc.waiting.len() > GRPC_MESSAGE_MAX {
                streams.remove(&id);
            }
        }
    }
}

/// Shows the gRPC messages that are whole by now; the rest waits.
fn messages(cx: &mut Context<'_>, grpc: &mut Grpc, bytes: Data<'_>, call: Option<&Call>) {
    let Grpc { form, waiting } = grpc;
    if waiting.is_empty() {
        let whole = grpc::whole_messages(bytes.bytes);
        grpc::body(cx, bytes.first(whole), call, form);
        waiting.extend_from_slice(&bytes.bytes[whole..]);
        return;
    }
    waiting.extend_from_slice(bytes.bytes);
    let rest = waiting.split_off(grpc::whole_messages(waiting));
    let whole = std::mem::replace(waiting, rest);
    if !whole.is_empty() {
        cx.with_source("Reassembled gRPC", whole, |cx, whole| grpc::body(cx, whole, call, form));
    }
}
