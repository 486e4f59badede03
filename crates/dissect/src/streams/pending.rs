//! What came of a message that has not ended. Layers that carry streams of their own (TLS, QUIC, HTTP/2) keep one for
//! each direction.

use crate::context::Context;
use crate::cursor::Data;
use crate::field::FieldDef;

/// What waits may be this long: a message is rarely longer, and an attacker must not fill the memory.
const WAITING_MAX: usize = 1 << 20;

/// How a layer shows messages that come in several pieces.
#[derive(Debug)]
pub(crate) struct Joined {
    /// What a message is called that was put together.
    pub(crate) name: &'static str,
    /// The field of a piece that waits, and of that which ends a message.
    pub(crate) part: &'static FieldDef,
    /// The piece that ends a message is shown in full, even if more follows in it.
    pub(crate) is_ended_by_all: bool,
}

/// The beginning of a message.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    waiting: Vec<u8>,
    /// So many bytes have to be there before it makes sense to look again.
    wants: usize,
}

impl Pending {
    /// Hands fresh bytes of a stream on, together with what waits. `read` shows as many messages as are whole and
    /// gives how many bytes those had; if it is told `one`, at most one message. What is left waits.
    pub(crate) fn feed(
        &mut self,
        cx: &mut Context<'_>,
        fresh: Data<'_>,
        joined: &Joined,
        read: &mut dyn FnMut(&mut Context<'_>, Data<'_>, bool) -> usize,
    ) {
        let outer = std::mem::take(&mut cx.wants);
        let ways =
            (std::mem::replace(&mut cx.can_wait, true), std::mem::take(&mut cx.stream_ends), cx.until_fin);
        self.give(cx, fresh, joined, read);
        (cx.can_wait, cx.stream_ends, cx.until_fin) = ways;
        cx.wants = outer;
    }

    fn give(
        &mut self,
        cx: &mut Context<'_>,
        fresh: Data<'_>,
        joined: &Joined,
        read: &mut dyn FnMut(&mut Context<'_>, Data<'_>, bool) -> usize,
    ) {
        let mut rest = fresh;
        if !self.waiting.is_empty() {
            if self.waiting.len() + fresh.len() < self.wants {
                return self.keep(cx, fresh, joined.part);
            }
            rest = fresh.from(self.finish(cx, fresh, joined, read));
        }
        if !rest.is_empty() {
            cx.wants = 0;
            let used = read(cx, rest, false);
            self.wants = cx.wants;
            let rest = rest.from(used);
            if !rest.is_empty() {
                self.keep(cx, rest, joined.part);
            }
        }
    }

    /// Ends the message that waits, if the fresh bytes do. Gives how many of them are used.
    fn finish(
        &mut self,
        cx: &mut Context<'_>,
        fresh: Data<'_>,
        joined: &Joined,
        read: &mut dyn FnMut(&mut Context<'_>, Data<'_>, bool) -> usize,
    ) -> usize {
        let before = self.waiting.len();
        let mut whole = std::mem::take(&mut self.waiting);
        whole.extend_from_slice(fresh.bytes);
        cx.wants = 0;
        let mut used = 0;
        let mut unread = Vec::new();
        cx.with_source(joined.name, whole, |cx, whole| {
            while used < before {
                match read(cx, whole.from(used), true) {
                    0 => break,
                    more => used += more,
                }
            }
            if used < before {
                unread = whole.bytes[used..].to_vec();
            }
        });
        if used >= before {
            let shown = if joined.is_ended_by_all { fresh.len() } else { used - before };
            cx.add(joined.part, fresh, 0, shown, 0);
            return used - before;
        }
        // It still goes on.
        self.wants = cx.wants;
        cx.add(joined.part, fresh, 0, fresh.len(), 0);
        if unread.len() <= WAITING_MAX {
            self.waiting = unread;
        }
        fresh.len()
    }

    fn keep(&mut self, cx: &mut Context<'_>, bytes: Data<'_>, part: &'static FieldDef) {
        cx.add(part, bytes, 0, bytes.len(), 0);
        if self.waiting.len() + bytes.len() <= WAITING_MAX {
            self.waiting.extend_from_slice(bytes.bytes);
        } else {
            *self = Pending::default();
        }
    }
}
