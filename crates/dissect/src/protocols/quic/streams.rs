//! What frames carry, in order: the handshake of TLS, and the streams of the application.

use super::connection::{Connection, Level};
use crate::context::Context;
use crate::protocols::{http3, tls};
use crate::tree::Carrier;

/// The next bytes of a stream.
#[derive(Debug)]
pub(super) struct Carried {
    id: u64,
    side: usize,
    bytes: Vec<u8>,
    /// Bytes are missing before them.
    is_torn: bool,
    /// The stream ends with them.
    ends: bool,
}

impl Carried {
    /// What a STREAM frame brings in order, if it does.
    pub(super) fn take(
        connection: &mut Connection,
        side: usize,
        id: u64,
        offset: u64,
        bytes: &[u8],
        fin: bool,
    ) -> Option<Carried> {
        let stream = connection.streams.entry((id, side as u8), Default::default);
        if fin {
            stream.end = offset.checked_add(bytes.len() as u64);
        }
        let before = stream.order.handed_on();
        let fresh = stream.order.take(offset, bytes).unwrap_or_default();
        let ends = stream.end == Some(stream.order.handed_on());
        let is_news = !fresh.is_empty() || ends && (before != stream.order.handed_on() || bytes.is_empty());
        is_news.then(|| Carried { id, side, bytes: fresh, is_torn: stream.order.was_torn(), ends })
    }
}

/// Hands a stream's bytes to the protocol that was agreed upon.
pub(super) fn speak(cx: &mut Context<'_>, connection: &mut Connection, carried: Carried) {
    let Carried { id, side, bytes, is_torn, ends } = carried;
    let is_http3 = connection.said.protocol().starts_with(b"h3");
    let mut pending =
        std::mem::take(&mut connection.streams.entry((id, side as u8), Default::default).pending);
    if is_torn {
        pending = Default::default();
    }
    let http3 = is_http3.then(|| connection.http3.get_or_insert_default());
    cx.feed("Reassembled QUIC", bytes, |cx, fresh| {
        cx.piece(Carrier::Quic, id, side, fresh, ends);
        if let Some(http3) = http3 {
            http3::stream(cx, http3, &mut pending, http3::Place { id, side, is_torn, ends }, fresh);
        }
    });
    connection.streams.entry((id, side as u8), Default::default).pending = pending;
}

/// Handshake messages; one may go on in the next packet. Each frame's bytes are a layer, as in Wireshark.
pub(super) fn handshake(
    cx: &mut Context<'_>,
    connection: &mut Connection,
    side: usize,
    level: Level,
    bytes: Vec<u8>,
) {
    let mut partial = std::mem::take(connection.message(side, level));
    connection.said.is_13 = true;
    let said = &mut connection.said;
    let depth = cx.depth;
    cx.feed("Reassembled CRYPTO", bytes, |cx, fresh| {
        cx.layer(&tls::TLS, fresh, |cx, c| {
            tls::parts(cx, &mut partial, said, c.take_most(usize::MAX));
            Ok(())
        });
    });
    cx.depth = depth;
    *connection.message(side, level) = partial;
}
