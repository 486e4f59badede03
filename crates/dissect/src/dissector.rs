//! Packets in, trees out.

use crate::context::Context;
use crate::cursor::Data;
use crate::file::{Interface, Record, SECRETS_TLS_KEY_LOG};
use crate::protocols::{frame, link, tcp};
use crate::schema::SchemaError;
use crate::state::{Options, State};
use crate::tree::{Arena, Tree};
use std::sync::Arc;

/// What a capture says of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Meta<'a> {
    /// From 1.
    pub number: u64,
    /// Nanoseconds since the Unix epoch, if known.
    pub time: Option<u64>,
    /// Index of the interface.
    pub interface: u32,
    /// The interface's name, if known.
    pub interface_name: Option<&'a str>,
    /// LINKTYPE_ number.
    pub link: u16,
    /// Length on the wire.
    pub original: u32,
    /// What people wrote beside it.
    pub comments: &'a [String],
}

impl<'a> Meta<'a> {
    /// From a record of a file and the interface it names. Comments are left to the caller.
    pub fn of(record: &Record<'_>, interface: Option<&'a Interface>) -> Meta<'a> {
        Meta {
            number: record.number,
            time: record.time,
            interface: record.interface,
            interface_name: interface.and_then(|interface| interface.name.as_deref()),
            link: record.link,
            original: record.original,
            comments: &[],
        }
    }
}

/// Dissects the packets of one capture, in order: it remembers connections, fragments and requests.
#[derive(Debug, Default)]
pub struct Dissector {
    state: State,
}

impl Dissector {
    /// A dissector that has seen nothing yet.
    pub fn new(options: Options) -> Dissector {
        Dissector { state: State { options, ..State::default() } }
    }

    /// Takes secrets for what comes afterwards: the body of a Decryption Secrets Block of this kind, or a file that
    /// programs wrote to `SSLKEYLOGFILE` (kind [`SECRETS_TLS_KEY_LOG`]). Gives how many secrets were understood; other
    /// kinds are passed over. They must be there before the packets they belong to.
    pub fn secrets(&mut self, kind: u32, bytes: &[u8]) -> usize {
        if kind == SECRETS_TLS_KEY_LOG { self.state.secrets.take(bytes) } else { 0 }
    }

    /// Takes the text of a `.proto` file, which names the fields of gRPC's messages.
    ///
    /// # Errors
    /// Where the text is not understood.
    pub fn schema(&mut self, text: &str) -> Result<(), SchemaError> {
        Arc::make_mut(&mut self.state.schema).take(text)
    }

    /// Dissects a packet into `arena`, whose last packet is forgotten. It always succeeds: what is not understood, or
    /// wrong, is in the tree.
    pub fn dissect<'a>(&mut self, meta: &Meta<'_>, bytes: &'a [u8], arena: &'a mut Arena) -> Tree<'a> {
        arena.clear();
        let mut cx = Context::new(arena, &mut self.state, meta.number, meta.time.unwrap_or(0));
        cx.wire = meta.original as usize;
        cx.missing = cx.wire.saturating_sub(bytes.len());
        cx.is_cut = cx.missing > 0;
        // No format allows longer packets; positions are 32 bits.
        let data = Data { bytes: &bytes[..bytes.len().min(1 << 30)], at: 0, source: 0 };
        frame::start(&mut cx, meta, data);
        link::dissect(&mut cx, meta.link, data);
        frame::finish(&mut cx);
        Tree { arena, frame: bytes }
    }

    /// When the last packet was dissected: what of a TCP stream still waits behind gaps that nobody closed. The tree has
    /// pieces and no fields.
    pub fn rest<'a>(&mut self, stream: u64, arena: &'a mut Arena) -> Tree<'a> {
        arena.clear();
        let mut cx = Context::new(arena, &mut self.state, 0, 0);
        tcp::rest(&mut cx, stream);
        Tree { arena, frame: &[] }
    }
}
