//! The secrets of TLS connections, as programs write them to SSLKEYLOGFILE (draft-ietf-tls-keylogfile) and pcapng
//! files carry them in Decryption Secrets Blocks.

use crate::crypto::Secret;
use crate::streams::table::Recent;

/// The secrets of connections, found by the client's random number. At most 131,072 connections are remembered; the
/// ones given last win.
#[derive(Debug, Default)]
pub(crate) struct KeyLog {
    known: Recent<[u8; 32], Keys, 65_536>,
    has_any: bool,
}

/// What is known of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Keys {
    /// TLS 1.2 and before: the master secret.
    pub(crate) master: Option<Secret>,
    /// Of the client's 0-RTT data.
    pub(crate) early: Option<Secret>,
    /// Of the handshake: the client's, the server's.
    pub(crate) handshake: [Option<Secret>; 2],
    /// Of the application's data, first generation: the client's, the server's.
    pub(crate) application: [Option<Secret>; 2],
}

impl KeyLog {
    /// Whether no secret was ever given.
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_any
    }

    pub(crate) fn find(&mut self, random: &[u8; 32]) -> Option<Keys> {
        self.known.get(random)
    }

    /// Takes lines of a key log. Gives how many secrets were understood; comments, blank lines and labels without a
    /// use here are passed over.
    pub(crate) fn take(&mut self, text: &[u8]) -> usize {
        text.split(|byte| *byte == b'\n').filter(|line| self.line(line).is_some()).count()
    }

    fn line(&mut self, line: &[u8]) -> Option<()> {
        let mut words = line.trim_ascii().split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let (label, random, secret) = (words.next()?, words.next()?, words.next()?);
        let mut id = [0; 32];
        (unhex(random, &mut id)? == 32).then_some(())?;
        let mut bytes = [0; 48];
        // What follows the digits is not asked about: some write a backslash there.
        let digits = secret.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let len = unhex(&secret[..digits], &mut bytes)?;
        let secret = Secret::new(&bytes[..len]);
        let pick: fn(&mut Keys) -> &mut Option<Secret> = match label {
            b"CLIENT_RANDOM" => |keys| &mut keys.master,
            b"CLIENT_EARLY_TRAFFIC_SECRET" => |keys| &mut keys.early,
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => |keys| &mut keys.handshake[0],
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => |keys| &mut keys.handshake[1],
            b"CLIENT_TRAFFIC_SECRET_0" => |keys| &mut keys.application[0],
            b"SERVER_TRAFFIC_SECRET_0" => |keys| &mut keys.application[1],
            _ => return None,
        };
        *pick(self.known.entry(id, Keys::default)) = secret;
        self.has_any = true;
        Some(())
    }
}

/// Reads hexadecimal digits; how many bytes they were, `None` if they are no such digits or too many.
fn unhex(digits: &[u8], out: &mut [u8]) -> Option<usize> {
    if !digits.len().is_multiple_of(2) || digits.is_empty() || digits.len() / 2 > out.len() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(digits.len() / 2)
}

#[cfg(test)]
mod tests;
