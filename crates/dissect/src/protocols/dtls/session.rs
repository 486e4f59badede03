//! What a handshake has agreed upon, and the keys that follow from it.

use crate::context::Context;
use crate::protocols::tls::{Keys12, Said, Sealed};
use crate::streams::table::End;

/// A flow's handshake, as far as it matters for what is sealed.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(super) said: Said,
    /// Who has sent the client's hello.
    client: Option<End>,
    /// The client's and the server's.
    sides: [Option<Opener>; 2],
}

/// The keys of a side.
#[derive(Debug)]
struct Opener {
    keys: Keys12,
    /// The epoch in which they are in use.
    epoch: u16,
    /// The handshake that they come from.
    client_random: [u8; 32],
}

impl Opener {
    fn open(&mut self, epoch: u16, sequence: u64, sealed: Sealed<'_>) -> Option<Vec<u8>> {
        let number = u64::from(epoch) << 48 | sequence;
        self.keys.open(std::iter::once(number), sealed).map(|(_, plain)| plain)
    }
}

impl Session {
    /// Whether a hello was seen.
    pub(super) fn has_begun(&self) -> bool {
        self.client.is_some()
    }

    /// A client's hello. The same may come again, with a cookie or because nobody answered. Keys stay: a hello that was
    /// sealed with them begins a new handshake.
    pub(super) fn begin(&mut self, client: End, random: [u8; 32]) {
        if self.client != Some(client) || self.said.client_random != Some(random) {
            (self.client, self.said) = (Some(client), Said::begun(random));
        }
    }

    /// A record's plaintext. `None`: it can't be opened.
    pub(super) fn open(
        &mut self,
        cx: &mut Context<'_>,
        epoch: u16,
        sequence: u64,
        sealed: Sealed<'_>,
    ) -> Option<Vec<u8>> {
        let side = usize::from(self.client? != (cx.src, cx.src_port));
        let client_random = self.said.client_random?;
        let known = self.sides[side].as_mut();
        let is_newest =
            known.as_ref().is_some_and(|one| (one.epoch, one.client_random) == (epoch, client_random));
        if let Some(known) = known.filter(|one| one.epoch == epoch)
            && let Some(plain) = known.open(epoch, sequence, sealed)
        {
            return Some(plain);
        }
        if is_newest {
            return None;
        }
        let master = cx.state.secrets.find(&client_random)?.master?;
        let mut next = Opener { keys: Keys12::derive(&self.said, &master, side)?, epoch, client_random };
        let plain = next.open(epoch, sequence, sealed)?;
        self.sides[side] = Some(next);
        Some(plain)
    }
}
