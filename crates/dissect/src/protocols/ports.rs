//! Who gets which port, and whose bytes look like what.

use super::data;
use crate::context::Context;
use crate::cursor::Data;

/// What is spoken on a TCP connection, and what its reader has to remember.
#[derive(Debug, Default)]
pub(crate) enum App {
    /// Nothing has been sent yet.
    #[default]
    Unknown,
    /// Nobody understands it.
    Opaque,
}

/// Hands the payload of a UDP datagram on. The smaller port is asked first, as in Wireshark.
pub(crate) fn datagram(cx: &mut Context<'_>, payload: Data<'_>) {
    data::show(cx, payload);
}

/// Hands the next bytes of a TCP stream on; what is not used up waits for more.
pub(crate) fn stream(cx: &mut Context<'_>, side: usize, bytes: Data<'_>) {
    let _ = side;
    data::show(cx, bytes);
}
