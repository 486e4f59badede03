//! Protocols over TCP that are a row of messages: who speaks them on which port, how long a message is, how it is
//! shown. The stream is put in order and cut by [`stream`]; a protocol never sees half a message.

use super::{bgp, data, ftp, ldap, mqtt, mysql, nbss, pgsql, resp, sip, smtp, socks, ssh, stun};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::Protocol;

/// A protocol over TCP.
pub(crate) struct Spoken {
    /// The layer of each message.
    pub(crate) protocol: &'static Protocol,
    /// Wireshark's default ports.
    pub(crate) ports: &'static [u16],
    /// A message that is not whole yet counts as a layer, as in Wireshark.
    pub(crate) eager: bool,
    /// Whether bytes on another port are its beginning; `None`: only ports tell.
    pub(crate) begins: Option<fn(&[u8]) -> bool>,
    /// How long the message is that these bytes begin with.
    pub(crate) length: fn(&Context<'_>, &Talk, usize, &[u8]) -> Length,
    /// Shows a message. The number is the side that speaks.
    pub(crate) show: fn(&mut Context<'_>, &mut Cursor<'_>, &mut Talk, usize) -> Read,
}

impl std::fmt::Debug for Spoken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.protocol.short)
    }
}

/// How long a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// With its header; it may not all be there yet.
    Whole(usize),
    /// It says nothing that Wireshark would show.
    Quiet(usize),
    /// Not known before more bytes are there.
    More,
    /// This is none of its messages: the bytes are shown as data.
    Foreign,
}

/// What a reader remembers of a connection. Each protocol says what its numbers mean.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    /// Where each side is.
    pub(crate) phase: [u32; 2],
    /// What was agreed.
    pub(crate) notes: [u64; 4],
    /// Parts of something long, and the frames that brought them.
    pub(crate) held: Vec<u8>,
    pub(crate) frames: Vec<u64>,
    /// What a protocol remembers that needs more than numbers.
    pub(crate) own: Own,
    /// What goes on inside: behind a proxy's handshake, after an upgrade.
    pub(crate) inner: super::ports::App,
}

/// What a protocol keeps in a form of its own.
#[derive(Debug, Default)]
pub(crate) enum Own {
    #[default]
    None,
    Mysql(Box<mysql::Session>),
    /// Where FTP's next file goes.
    Ftp(crate::streams::table::End),
}

/// All of them, in the order in which they are asked whether bytes are theirs.
pub(crate) static ALL: &[&Spoken] = &[
    &bgp::SPOKEN,
    &ftp::SPOKEN,
    &ldap::SPOKEN,
    &mqtt::SPOKEN,
    &mysql::SPOKEN,
    &nbss::SPOKEN,
    &pgsql::SPOKEN,
    &resp::SPOKEN,
    &sip::SPOKEN,
    &smtp::SPOKEN,
    &socks::SPOKEN,
    &ssh::SPOKEN,
    &stun::SPOKEN,
];

/// The protocol of a port.
pub(crate) fn of_port(port: u16) -> Option<&'static Spoken> {
    ALL.iter().copied().find(|spoken| spoken.ports.contains(&port))
}

/// The protocol whose beginning these bytes are.
pub(crate) fn by_bytes(bytes: &[u8]) -> Option<&'static Spoken> {
    ALL.iter().copied().find(|spoken| spoken.begins.is_some_and(|begins| begins(bytes)))
}

/// Shows the messages at the beginning of `bytes`; `one`: only the first. Gives how many bytes were used.
pub(crate) fn stream(
    cx: &mut Context<'_>,
    spoken: &'static Spoken,
    talk: &mut Talk,
    side: usize,
    bytes: Data<'_>,
    one: bool,
) -> usize {
    let mut used = 0;
    while used < bytes.len() {
        let rest = bytes.from(used);
        let total = match (spoken.length)(cx, talk, side, rest.bytes) {
            Length::Whole(total) if total > rest.len() && cx.can_wait => {
                cx.wants = total;
                begun(cx, spoken, rest, used);
                break;
            }
            Length::Whole(total) if total > 0 => total.min(rest.len()),
            Length::Quiet(total) => {
                used += total;
                continue;
            }
            Length::More if cx.can_wait => {
                begun(cx, spoken, rest, used);
                break;
            }
            Length::More => rest.len(),
            Length::Foreign if spoken.eager => {
                begun(cx, spoken, rest, used);
                return bytes.len();
            }
            Length::Whole(_) | Length::Foreign => {
                data::show(cx, rest);
                return bytes.len();
            }
        };
        let message = rest.first(total);
        let again = used > 0;
        used += total;
        if again {
            cx.layer_again(spoken.protocol, message, |cx, c| (spoken.show)(cx, c, talk, side));
        } else {
            cx.layer(spoken.protocol, message, |cx, c| (spoken.show)(cx, c, talk, side));
        }
        cx.is_segment_start = false;
        if one {
            break;
        }
    }
    used
}

/// Counts what has begun as a layer.
fn begun(cx: &mut Context<'_>, spoken: &'static Spoken, rest: Data<'_>, used: usize) {
    if spoken.eager && used == 0 {
        cx.layer(spoken.protocol, rest, |_, _| Ok(()));
    }
}
