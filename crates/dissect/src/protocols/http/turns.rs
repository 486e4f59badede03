//! Which response belongs to which request of a connection, and how long it took.
//!
//! As in Wireshark a response answers the last request before it: where several requests are sent ahead of the
//! responses, the numbers are not those of the requests that are answered.

use super::{
    PREV_REQUEST_IN, PREV_RESPONSE_IN, REQUEST_IN, REQUEST_NUMBER, RESPONSE_FOR, RESPONSE_NUMBER, TIME,
};
use crate::context::Context;

/// A longer address is not remembered.
const URI_MAX: usize = 4096;

/// What was said on a connection, as far as what comes next refers to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns {
    /// So many turns have begun.
    count: u64,
    last: Turn,
    before: Frames,
    /// The last full address that was asked for; empty: nobody named a host.
    uri: Box<[u8]>,
}

/// A request and its response; 0: not seen.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    frames: Frames,
    /// When the request was sent.
    asked: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Frames {
    request: u64,
    response: u64,
}

impl Turns {
    fn begin(&mut self) {
        self.before = self.last.frames;
        self.last = Turn::default();
        self.count += 1;
    }

    /// This is asked for. It holds until the next that tells, whatever asks.
    pub(super) fn ask_for(&mut self, uri: &[u8]) {
        self.uri = if uri.len() <= URI_MAX { uri.into() } else { Box::default() };
    }

    /// A request.
    pub(super) fn request(&mut self, cx: &mut Context<'_>) {
        self.begin();
        self.last = Turn { frames: Frames { request: cx.number, response: 0 }, asked: cx.time };
        cx.conclude(&REQUEST_NUMBER, self.count);
        if self.before.request > 0 {
            cx.conclude(&PREV_REQUEST_IN, self.before.request);
        }
    }

    /// A response.
    pub(super) fn response(&mut self, cx: &mut Context<'_>) {
        if self.count == 0 || self.last.frames.response > 0 {
            self.begin();
        }
        self.last.frames.response = cx.number;
        cx.conclude(&RESPONSE_NUMBER, self.count);
        let request = self.last.frames.request;
        if request > 0 {
            cx.conclude(&TIME, cx.time.wrapping_sub(self.last.asked));
        }
        for (def, frame) in
            [(&PREV_REQUEST_IN, self.before.request), (&PREV_RESPONSE_IN, self.before.response)]
        {
            if frame > 0 {
                cx.conclude(def, frame);
            }
        }
        if request > 0 {
            cx.conclude(&REQUEST_IN, request);
        }
        if !self.uri.is_empty() {
            cx.conclude_words(&RESPONSE_FOR, &self.uri);
        }
    }
}
