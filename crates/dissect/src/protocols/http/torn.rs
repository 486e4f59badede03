//! What lies behind missing bytes: the rest of a message, until another begins.
//!
//! Only where segments are put in order: otherwise each segment is read as the beginning of something, as in Wireshark.

use super::{Session, looks_like};
use crate::context::Context;

/// What is known of a side of which bytes are missing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Torn {
    is_torn: bool,
    /// So many bytes from here on belong to the message that is torn; 0: that is not known.
    rest: usize,
}

impl Session {
    /// Bytes of a side are missing.
    pub(crate) fn lose(&mut self, side: usize) {
        self.torn[side] = Torn { is_torn: true, rest: 0 };
    }

    /// The message that is torn has so many bytes more; another protocol's are missing, too, if one is spoken within.
    pub(crate) fn skip(&mut self, side: usize, rest: u32) {
        self.torn[side].rest = rest as usize;
        self.inner.lose(side);
    }

    /// How many of the bytes belong to a message of which some are missing. It ends where its length says, or else where a
    /// segment begins with the first line of another.
    pub(super) fn torn_length(&mut self, cx: &Context<'_>, side: usize, bytes: &[u8]) -> usize {
        let torn = &mut self.torn[side];
        if !torn.is_torn || self.is_http2 || self.switched || !cx.state.options.reassemble_out_of_order {
            return 0;
        }
        let known = torn.rest.min(bytes.len());
        torn.rest -= known;
        let behind = &bytes[known..];
        if behind.is_empty() {
            return known;
        }
        if !looks_like(behind) {
            return bytes.len();
        }
        *torn = Torn::default();
        known
    }
}
