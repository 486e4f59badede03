//! Opening packets (RFC 9001 5): header protection, packet numbers, the cipher.

use super::VERSION_2;
use crate::crypto::{self, INITIAL, Key, Secret, Suite, next_secret};
use ring::aead::quic::HeaderProtectionKey;

/// The salt of drafts 23 to 28.
const SALT_DRAFT_23: [u8; 20] = salt(b"c3eef712c72ebb5a11a7d2432bb46365bef9f502");
/// The salt of drafts 29 to 32.
const SALT_DRAFT_29: [u8; 20] = salt(b"afbfec289993d24c9e9786f19c6111e04390a899");
/// The salt of drafts 21 and 22.
const SALT_DRAFT_21: [u8; 20] = salt(b"7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a");
/// Google's: "Q050", "T050", "T051".
const Q050: u32 = 0x5130_3530;
const T050: u32 = 0x5430_3530;
const T051: u32 = 0x5430_3531;

/// Whether a version has Google's frames, which are others.
pub(super) fn is_googles(version: u32) -> bool {
    matches!(version, Q050 | T050 | T051)
}

const SALT_Q050: [u8; 20] = salt(b"504574efd066fe2f9d945cfcdbd3a7f0d3b56b45");
const SALT_T050: [u8; 20] = salt(b"7ff579e5acd072915580304c43a2367c60488310");
const SALT_T051: [u8; 20] = salt(b"7a4edef4e7ccee5fa4506c19124fc8ccda6e033d");
/// Version 1's salt (RFC 9001 5.2).
const SALT_1: [u8; 20] = salt(b"38762cf7f55934b34d179ae6a4c80cadccbb7f0a");
/// Version 2's (RFC 9369 3.3.1).
const SALT_2: [u8; 20] = salt(b"0dede3def700a6db819381be6e269dcbf9bd2ed9");

/// Twenty bytes from their digits.
const fn salt(digits: &[u8; 40]) -> [u8; 20] {
    const fn digit(byte: u8) -> u8 {
        if byte < b'a' { byte - b'0' } else { byte - b'a' + 10 }
    }
    let mut salt = [0; 20];
    let mut at = 0;
    while at < salt.len() {
        salt[at] = digit(digits[2 * at]) << 4 | digit(digits[2 * at + 1]);
        at += 1;
    }
    salt
}

/// The keys of one side at one level.
pub(super) struct Keys {
    suite: Suite,
    secret: Secret,
    version: u32,
    header: HeaderProtectionKey,
    key: Key,
    /// After an update the key before is needed for packets that were overtaken.
    before: Option<Key>,
    /// The key phase bit of `key`.
    phase: bool,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({:?})", self.suite)
    }
}

/// A packet that was opened.
pub(super) struct Opened {
    /// Its first byte without protection.
    pub(super) first: u8,
    pub(super) number: u64,
    pub(super) number_size: usize,
    pub(super) payload: Vec<u8>,
}

fn prefix(version: u32) -> &'static str {
    if version == VERSION_2 { "quicv2 " } else { "quic " }
}

impl Keys {
    /// Those of Initial packets, from the client's first destination ID.
    pub(super) fn initial(id: &[u8], version: u32, is_server: bool) -> Option<Keys> {
        let salt = match version {
            VERSION_2 => SALT_2,
            0xFF00_0017..=0xFF00_001C => SALT_DRAFT_23,
            0xFF00_001D..=0xFF00_0020 => SALT_DRAFT_29,
            0xFF00_0015..=0xFF00_0016 | 0xFACE_B001 => SALT_DRAFT_21,
            // Facebook's mvfst, and Google's versions after gQUIC.
            0xFACE_B002 | 0xFACE_B00E => SALT_DRAFT_23,
            Q050 => SALT_Q050,
            T050 => SALT_T050,
            T051 => SALT_T051,
            // Versions that exist to be refused (RFC 9000 15): who sends them speaks a later draft.
            grease if grease & 0x0F0F_0F0F == 0x0A0A_0A0A => SALT_DRAFT_29,
            _ => SALT_1,
        };
        let secret = crypto::extract(&salt, id, if is_server { b"server in" } else { b"client in" })?;
        Keys::new(INITIAL, secret, version)
    }

    pub(super) fn new(suite: Suite, secret: Secret, version: u32) -> Option<Keys> {
        let header = crypto::header_key(suite, &secret, prefix(version))?;
        let key = Key::derive(suite, &secret, prefix(version))?;
        Some(Keys { suite, secret, version, header, key, before: None, phase: false })
    }

    /// Opens the header of the packet whose number begins at `at`; `largest` is the largest number that was seen. Gives
    /// it without a payload, and its bytes.
    pub(super) fn open_header(
        &self,
        packet: &[u8],
        at: usize,
        largest: Option<u64>,
    ) -> Option<(Opened, Vec<u8>)> {
        let sample = packet.get(at + 4..at + 20)?;
        let mask = self.header.new_mask(sample).ok()?;
        let is_long = packet[0] & 0x80 != 0;
        let first = packet[0] ^ mask[0] & if is_long { 0x0F } else { 0x1F };
        let number_size = usize::from(first & 3) + 1;
        let mut header = packet.get(..at + number_size)?.to_vec();
        header[0] = first;
        let mut short = 0;
        for (byte, mask) in header[at..].iter_mut().zip(&mask[1..]) {
            *byte ^= mask;
            short = short << 8 | u64::from(*byte);
        }
        let number = whole_number(short, number_size, largest);
        Some((Opened { first, number, number_size, payload: Vec::new() }, header))
    }

    /// Opens the packet.
    pub(super) fn open(&mut self, packet: &[u8], at: usize, largest: Option<u64>) -> Option<Opened> {
        let (opened, header) = self.open_header(packet, at, largest)?;
        let Opened { first, number, number_size, .. } = opened;
        let is_long = packet[0] & 0x80 != 0;
        let sealed = &packet[at + number_size..];
        let payload = if is_long || (first & 4 != 0) == self.phase {
            self.key.open(self.key.nonce(number), &header, sealed)
        } else {
            self.other_phase(number, &header, sealed)
        };
        let payload = match payload {
            None if !is_long => self.two_updates_later(number, &header, sealed)?,
            other => other?,
        };
        Some(Opened { payload, ..opened })
    }

    /// The key phase bit differs: a packet from before the last update that was overtaken, or the next update
    /// (RFC 9001 6).
    fn other_phase(&mut self, number: u64, header: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        if let Some(before) = &self.before
            && let Some(payload) = before.open(before.nonce(number), header, sealed)
        {
            return Some(payload);
        }
        let (secret, key) = self.next(&self.secret)?;
        let payload = key.open(key.nonce(number), header, sealed)?;
        self.update(secret, key);
        Some(payload)
    }

    /// The packets of a whole phase were not captured.
    fn two_updates_later(&mut self, number: u64, header: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (first, between) = self.next(&self.secret)?;
        let (second, key) = self.next(&first)?;
        let payload = key.open(key.nonce(number), header, sealed)?;
        self.update(first, between);
        self.update(second, key);
        Some(payload)
    }

    fn next(&self, secret: &Secret) -> Option<(Secret, Key)> {
        let label: &[u8] = if self.version == VERSION_2 { b"quicv2 ku" } else { b"quic ku" };
        let secret = next_secret(self.suite.hash, secret, label)?;
        Some((secret, Key::derive(self.suite, &secret, prefix(self.version))?))
    }

    fn update(&mut self, secret: Secret, key: Key) {
        self.secret = secret;
        self.before = Some(std::mem::replace(&mut self.key, key));
        self.phase = !self.phase;
    }
}

/// The number whose last bytes are sent: the one nearest to the next that is expected (RFC 9000 A.3).
fn whole_number(short: u64, size: usize, largest: Option<u64>) -> u64 {
    let expected = largest.map_or(0, |largest| largest.saturating_add(1));
    let window = 1u64 << (8 * size);
    let near = expected & !(window - 1) | short;
    if near + window / 2 <= expected && near < (1 << 62) - window {
        near + window
    } else if near > expected + window / 2 && near >= window {
        near - window
    } else {
        near
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_rfc_9000() {
        assert_eq!(whole_number(0x9b32, 2, Some(0xa82f_30ea)), 0xa82f_9b32, "RFC 9000 A.3");
        assert_eq!(whole_number(0xFF, 1, Some(0x100)), 0xFF, "it was overtaken");
        assert_eq!(whole_number(0x01, 1, Some(0xFF)), 0x101);
        assert_eq!(whole_number(3, 1, None), 3);
    }
}
