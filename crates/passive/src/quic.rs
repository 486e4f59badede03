//! One QUIC connection, by its UDP ends: how far it came, and who ended it.

use crate::errors::Told;
use crate::flow::{End, Pauses, Said, What};
use crate::glance::{Glance, Message, Udp};
use crate::kept::{Album, Kept, Moment};

/// Things said that are remembered.
const SAID_MAX: usize = 4096;

/// A connection.
#[derive(Debug)]
pub(crate) struct QuicFlow {
    pub(crate) ends: [End; 2],
    pub(crate) client: Option<usize>,
    pub(crate) first: Moment,
    pub(crate) last: Moment,
    pub(crate) datagrams: [u64; 2],
    pub(crate) bytes: [u64; 2],
    /// Datagrams with short headers: the handshake was done for whoever sends them (RFC 9001 4.1).
    pub(crate) short: [u64; 2],
    /// The first of these of the client.
    pub(crate) ready: Option<Moment>,
    pub(crate) first_answer: Option<Moment>,
    /// Who closed it, with which error and which alert.
    pub(crate) closed: Option<(usize, u64, Option<u8>, Moment)>,
    /// The server knows other versions only.
    pub(crate) other_versions: Option<Moment>,
    /// Retry packets of the server (RFC 9000 17.2.5).
    pub(crate) retries: u64,
    pub(crate) told: Vec<Told>,
    pub(crate) said: Vec<Said>,
    pub(crate) album: Album,
    pub(crate) pauses: [Pauses; 2],
    pub(crate) ttl: [Option<u8>; 2],
}

impl QuicFlow {
    pub(crate) fn new(from: End, to: End, at: Moment) -> QuicFlow {
        QuicFlow {
            ends: [from, to],
            client: None,
            first: at,
            last: at,
            datagrams: [0; 2],
            bytes: [0; 2],
            short: [0; 2],
            ready: None,
            first_answer: None,
            closed: None,
            other_versions: None,
            retries: 0,
            told: Vec::new(),
            said: Vec::new(),
            album: Album::default(),
            pauses: Default::default(),
            ttl: [None; 2],
        }
    }

    pub(crate) fn take(&mut self, glance: &Glance, udp: Udp, kept: &Kept) {
        let (Some(src), at) = (glance.src, kept.at) else { return };
        let by = usize::from(self.ends[0] != (src, udp.src_port));
        self.last = at;
        self.album.add(kept);
        self.datagrams[by] += 1;
        self.bytes[by] += u64::from(udp.len.saturating_sub(8));
        self.ttl[by].get_or_insert(glance.ttl);
        self.pauses[by].take(at.time, true, false);
        for message in &glance.messages {
            match message {
                Message::Quic(quic) => {
                    match quic.long {
                        Some(0) if self.client.is_none() => self.client = Some(by),
                        Some(3) => self.retries += 1,
                        None if quic.version == 0 && !quic.versions_offered => {
                            self.short[by] += 1;
                            if by == self.client() {
                                self.ready.get_or_insert(at);
                            }
                        }
                        _ => {}
                    }
                    if quic.versions_offered {
                        self.other_versions.get_or_insert(at);
                    }
                    if let Some(error) = quic.closes {
                        self.closed.get_or_insert((by, error, quic.alert, at));
                    }
                }
                Message::Handshake(_) | Message::Http2(_) if self.said.len() < SAID_MAX => {
                    self.said.push(Said { by, at, what: What::Message(message.clone()) });
                }
                _ => {}
            }
        }
        if by != self.client() {
            self.first_answer.get_or_insert(at);
        }
    }

    pub(crate) fn client(&self) -> usize {
        self.client.unwrap_or(usize::from(self.ends[0].1 < self.ends[1].1))
    }

    pub(crate) fn remote(&self) -> End {
        self.ends[1 - self.client()]
    }

    pub(crate) fn local(&self) -> End {
        self.ends[self.client()]
    }
}
