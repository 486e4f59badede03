//! Transaction signatures (RFC 8945): a shared secret vouches for a message and for who sent it.
//!
//! - [`Keyring::check`]: whether a query is signed, and well. Start here to serve.
//! - [`sign_query`]: a query signed, for who asks.
//! - [`Session`]: signs the answers to one query, or checks them.

use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};
use ring::hmac;

use crate::message::{HEADER_LEN, Peek};
use crate::text::parse_name;
use crate::wire::{name_to_wire, read_name};

/// Type of the record.
const TSIG: u16 = 250;
/// Class of the record.
const ANY: u16 = 255;
/// Seconds by which two clocks may differ (RFC 8945 section 10 advises 300).
const FUDGE: u16 = 300;
/// Response code of a message that is refused for its signature.
const NOTAUTH: u8 = 9;

/// Why a signature is refused (RFC 8945 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The signature does not verify.
    BadSig,
    /// Nobody here knows that key, or not with that algorithm.
    BadKey,
    /// It was made too long ago, or in the future.
    BadTime,
    /// It is cut too short to prove anything.
    BadTrunc,
}

impl Error {
    fn code(self) -> u16 {
        match self {
            Error::BadSig => 16,
            Error::BadKey => 17,
            Error::BadTime => 18,
            Error::BadTrunc => 22,
        }
    }
}

/// A secret that two servers share.
#[derive(Clone)]
pub struct Key {
    name: Name,
    algorithm: Name,
    key: hmac::Key,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("name", &self.name)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// A key by the name that both sides call it, an algorithm (`hmac-sha256` and its like), and the secret's octets.
    /// The error says what is wrong with the algorithm or the name.
    pub fn new(name: &str, algorithm: &str, secret: &[u8]) -> Result<Key, String> {
        let kind = match algorithm.to_ascii_lowercase().as_str() {
            "hmac-sha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            "hmac-sha256" => hmac::HMAC_SHA256,
            "hmac-sha384" => hmac::HMAC_SHA384,
            "hmac-sha512" => hmac::HMAC_SHA512,
            other => {
                let known = "hmac-sha256, hmac-sha384, hmac-sha512 and hmac-sha1";
                return Err(format!("`{other}` is no algorithm that is known here: those are {known}"));
            }
        };
        let name = parse_name(name).map_err(|why| format!("`{name}` is no name: {why}"))?.to_lowercase();
        let algorithm = parse_name(&algorithm.to_ascii_lowercase()).map_err(|why| why.to_string())?;
        Ok(Key { name, algorithm, key: hmac::Key::new(kind, secret) })
    }

    /// A key as tools write it: `[ALGORITHM:]NAME:SECRET`, the secret in base64; hmac-sha256 unless it is said.
    pub fn from_text(text: &str) -> Result<Key, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let (algorithm, name, secret) = match parts[..] {
            [name, secret] => ("hmac-sha256", name, secret),
            [algorithm, name, secret] => (algorithm, name, secret),
            _ => return Err("a key is written as [ALGORITHM:]NAME:SECRET".to_owned()),
        };
        let secret = crate::rdata::base64(secret).ok_or("the secret is not base64")?;
        Key::new(name, algorithm, &secret)
    }

    /// A key out of a file as tsig-keygen and ddns-confgen (`key "NAME" { algorithm A; secret "S"; };`), keymgr (`id:`,
    /// `algorithm:`, `secret:`) and kdig -k ([`Key::from_text`]) have it. The error says what is missing.
    pub fn from_file(text: &str) -> Result<Key, String> {
        let lines = || text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';', '/']));
        let marks = |c: char| c.is_whitespace() || matches!(c, ';' | '{' | '}' | '"');
        let words: Vec<&str> =
            lines().flat_map(|line| line.split(marks)).filter(|word| !word.is_empty()).collect();
        match words[..] {
            [] => return Err("there is no key in it".to_owned()),
            [line] => return Key::from_text(line),
            _ => {}
        }
        let after = |wanted: [&str; 2]| {
            let at = words.iter().position(|word| wanted.contains(word));
            let found = at.and_then(|at| words.get(at + 1)).copied();
            found.ok_or_else(|| format!("there is no `{}` in it", wanted[0]))
        };
        let secret = after(["secret", "secret:"])?;
        let secret = crate::rdata::base64(secret).ok_or("the secret is not base64")?;
        let name = if words.contains(&"id:") { after(["id:", "id:"]) } else { after(["key", "key:"]) };
        Key::new(name?, after(["algorithm", "algorithm:"])?, &secret)
    }

    /// Its name, in lower case.
    pub fn name(&self) -> &Name {
        &self.name
    }
}

/// The keys that a server knows.
#[derive(Clone, Debug, Default)]
pub struct Keyring(Vec<Arc<Key>>);

/// What a message's signature is worth.
#[derive(Debug)]
pub enum Checked {
    /// It has none.
    Unsigned,
    /// It is good; the session signs the answer. The message as it was before it was signed comes along.
    Signed(Box<Session>, Vec<u8>),
    /// It is not good: why, and the answer to send.
    Refused(Error, Vec<u8>),
    /// The message is malformed: the record is not the last one, or can't be read.
    Malformed,
}

impl Keyring {
    /// These keys; of two with one name the first counts.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Keyring {
        Keyring(keys.into_iter().map(Arc::new).collect())
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Looks at a query's signature at `now`, seconds since 1970.
    pub fn check(&self, now: u64, bytes: &[u8]) -> Checked {
        let found = match Record::find(bytes) {
            Ok(Some(found)) => found,
            Ok(None) => return Checked::Unsigned,
            Err(()) => return Checked::Malformed,
        };
        let known = |key: &&Arc<Key>| key.name == found.name && key.algorithm == found.algorithm;
        let Some(key) = self.0.iter().find(known) else {
            return Checked::Refused(Error::BadKey, refusal(bytes, &found, Error::BadKey, None, now));
        };
        let message = found.unsigned(bytes);
        let verified = verify(key, &[&message, &found.variables()], &found.mac);
        let session = |mac: &[u8]| Session { key: key.clone(), before: Some(mac.to_vec()), first: true };
        match verified {
            Err(why) => Checked::Refused(why, refusal(bytes, &found, why, None, now)),
            Ok(()) if !found.fits(now) => {
                let refused = refusal(bytes, &found, Error::BadTime, Some(&mut session(&found.mac)), now);
                Checked::Refused(Error::BadTime, refused)
            }
            Ok(()) => Checked::Signed(Box::new(session(&found.mac)), message),
        }
    }
}

/// A query signed at `now`, seconds since 1970; the session checks the answers.
pub fn sign_query(key: &Arc<Key>, now: u64, message: &[u8]) -> (Vec<u8>, Session) {
    let mut session = Session { key: key.clone(), before: None, first: true };
    let signed = session.sign(now, message);
    (signed, session)
}

/// The signatures of one exchange: each covers the one before.
#[derive(Clone, Debug)]
pub struct Session {
    key: Arc<Key>,
    /// The signature before.
    before: Option<Vec<u8>>,
    /// No answer has been signed or checked yet.
    first: bool,
}

impl Session {
    /// The key's name.
    pub fn key(&self) -> &Name {
        &self.key.name
    }

    /// The next message, signed at `now`.
    pub fn sign(&mut self, now: u64, message: &[u8]) -> Vec<u8> {
        self.sign_with(now, message, 0, Vec::new())
    }

    /// How many octets longer a message is once it is signed.
    pub fn room(&self) -> usize {
        let names = name_to_wire(&self.key.name).len() + name_to_wire(&self.key.algorithm).len();
        // Type, class, TTL and length; time, fudge, the code's length, id, error and the other data's length.
        names + 10 + 16 + self.key.key.algorithm().digest_algorithm().output_len()
    }

    fn sign_with(&mut self, time: u64, message: &[u8], error: u16, other: Vec<u8>) -> Vec<u8> {
        let id = message.get(..2).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
        let mut record = Record {
            name: self.key.name.clone(),
            algorithm: self.key.algorithm.clone(),
            time,
            fudge: FUDGE,
            mac: Vec::new(),
            id,
            error,
            other,
            start: message.len(),
        };
        let mut context = hmac::Context::with_key(&self.key.key);
        self.cover(&mut context, message, &record);
        record.mac = context.sign().as_ref().to_vec();
        self.after(&record.mac);
        record.appended(message)
    }

    /// Whether the next answer is signed well; it, without its signature.
    pub fn verify(&mut self, now: u64, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let Ok(Some(found)) = Record::find(bytes) else { return Err(Error::BadSig) };
        if found.name != self.key.name || found.algorithm != self.key.algorithm {
            return Err(Error::BadKey);
        }
        let message = found.unsigned(bytes);
        let mut signed = prefix(self.before.as_deref());
        signed.extend_from_slice(&message);
        signed.extend(if self.first { found.variables() } else { found.timers() });
        verify(&self.key, &[&signed], &found.mac)?;
        if !found.fits(now) {
            return Err(Error::BadTime);
        }
        self.after(&found.mac);
        Ok(message)
    }

    /// RFC 8945 section 5.3.1: the messages after the first carry the times only.
    fn cover(&self, context: &mut hmac::Context, message: &[u8], record: &Record) {
        context.update(&prefix(self.before.as_deref()));
        context.update(message);
        // A query has nothing before it, and the first answer covers everything, too.
        let all = self.first || self.before.is_none();
        context.update(&if all { record.variables() } else { record.timers() });
    }

    fn after(&mut self, mac: &[u8]) {
        // After a query comes the first answer.
        self.first = self.before.is_none();
        self.before = Some(mac.to_vec());
    }
}

fn prefix(before: Option<&[u8]>) -> Vec<u8> {
    let Some(before) = before else { return Vec::new() };
    let mut octets = (before.len() as u16).to_be_bytes().to_vec();
    octets.extend_from_slice(before);
    octets
}

/// Whether the code is right. Cut ones are not taken (RFC 8945 section 5.2.2.1 leaves it to policy).
fn verify(key: &Key, parts: &[&[u8]], mac: &[u8]) -> Result<(), Error> {
    if mac.len() < key.key.algorithm().digest_algorithm().output_len() {
        return Err(Error::BadTrunc);
    }
    hmac::verify(&key.key, &parts.concat(), mac).map_err(|_| Error::BadSig)
}

/// NOTAUTH with the error in a TSIG record: signed where the key is known and the times differ, bare otherwise (RFC 8945
/// section 5.2).
fn refusal(query: &[u8], found: &Record, why: Error, session: Option<&mut Session>, now: u64) -> Vec<u8> {
    let Some(peek) = Peek::at(query) else { return Vec::new() };
    let mut message = vec![0; HEADER_LEN];
    message[..2].copy_from_slice(&peek.id.to_be_bytes());
    message[2] = 0x80 | peek.opcode << 3;
    message[3] = NOTAUTH;
    match session {
        // The asker's time, so that it can verify this; ours stands in the other data (RFC 8945 section 5.2.3).
        Some(session) => session.sign_with(found.time, &message, why.code(), now.to_be_bytes()[2..].to_vec()),
        None => {
            let (mac, other) = (Vec::new(), Vec::new());
            let record =
                Record { mac, other, error: why.code(), time: found.time, id: peek.id, ..found.clone() };
            record.appended(&message)
        }
    }
}

/// A TSIG record taken apart.
#[derive(Clone, Debug)]
struct Record {
    name: Name,
    algorithm: Name,
    /// Seconds since 1970, 48 bits.
    time: u64,
    fudge: u16,
    mac: Vec<u8>,
    /// The message's id when it was signed.
    id: u16,
    error: u16,
    other: Vec<u8>,
    /// Where in the message it begins.
    start: usize,
}

impl Record {
    /// The record at the end of a message. An error: one that is elsewhere, twice, or unreadable.
    fn find(bytes: &[u8]) -> Result<Option<Record>, ()> {
        let word = |at: usize| bytes.get(at..at + 2).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])));
        let mut at = HEADER_LEN;
        let (Some(questions), Some(additional)) = (word(4), word(10)) else { return Ok(None) };
        let records = word(6).unwrap_or(0) + word(8).unwrap_or(0) + additional;
        for _ in 0..questions {
            at = read_name(bytes, at).map_err(|_| ())?.1 + 4;
        }
        for number in 1..=records {
            let start = at;
            let (name, fixed) = read_name(bytes, at).map_err(|_| ())?;
            let (Some(rtype), Some(class), Some(length)) = (word(fixed), word(fixed + 2), word(fixed + 8))
            else {
                return Err(());
            };
            at = fixed + 10 + length;
            let data = bytes.get(fixed + 10..at).ok_or(())?;
            if rtype != usize::from(TSIG) {
                continue;
            }
            let last = number == records && additional > 0 && at == bytes.len();
            // The TTL is zero (RFC 8945 section 4.2).
            let lasts = bytes[fixed + 4..fixed + 8] != [0; 4];
            if !last || lasts || class != usize::from(ANY) {
                return Err(());
            }
            return Record::read(name.to_lowercase(), data, start).map(Some).ok_or(());
        }
        Ok(None)
    }

    fn read(name: Name, data: &[u8], start: usize) -> Option<Record> {
        let (algorithm, at) = read_name(data, 0).ok()?;
        let (time, rest) = data.get(at..)?.split_first_chunk::<6>()?;
        let (fudge, rest) = rest.split_first_chunk::<2>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (mac, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (id, rest) = rest.split_first_chunk::<2>()?;
        let (error, rest) = rest.split_first_chunk::<2>()?;
        let (length, other) = rest.split_first_chunk::<2>()?;
        if other.len() != usize::from(u16::from_be_bytes(*length)) {
            return None;
        }
        let time = time.iter().fold(0, |time, octet| time << 8 | u64::from(*octet));
        Some(Record {
            name,
            algorithm: algorithm.to_lowercase(),
            time,
            fudge: u16::from_be_bytes(*fudge),
            mac: mac.to_vec(),
            id: u16::from_be_bytes(*id),
            error: u16::from_be_bytes(*error),
            other: other.to_vec(),
            start,
        })
    }

    fn fits(&self, now: u64) -> bool {
        self.time.abs_diff(now) <= u64::from(self.fudge)
    }

    /// The message as it was before it was signed (RFC 8945 section 4.3.2).
    fn unsigned(&self, bytes: &[u8]) -> Vec<u8> {
        let mut message = bytes[..self.start].to_vec();
        message[..2].copy_from_slice(&self.id.to_be_bytes());
        let count = u16::from_be_bytes([message[10], message[11]]).saturating_sub(1);
        message[10..12].copy_from_slice(&count.to_be_bytes());
        message
    }

    fn timers(&self) -> Vec<u8> {
        let mut octets = self.time.to_be_bytes()[2..].to_vec();
        octets.extend_from_slice(&self.fudge.to_be_bytes());
        octets
    }

    /// What of the record is signed (RFC 8945 section 4.3.3).
    fn variables(&self) -> Vec<u8> {
        let mut octets = name_to_wire(&self.name);
        octets.extend_from_slice(&ANY.to_be_bytes());
        octets.extend_from_slice(&[0; 4]);
        octets.extend(name_to_wire(&self.algorithm));
        octets.extend(self.timers());
        octets.extend_from_slice(&self.error.to_be_bytes());
        octets.extend_from_slice(&(self.other.len() as u16).to_be_bytes());
        octets.extend_from_slice(&self.other);
        octets
    }

    /// The message with the record behind it.
    fn appended(&self, message: &[u8]) -> Vec<u8> {
        let mut data = name_to_wire(&self.algorithm);
        data.extend(self.timers());
        data.extend_from_slice(&(self.mac.len() as u16).to_be_bytes());
        data.extend_from_slice(&self.mac);
        for word in [self.id, self.error, self.other.len() as u16] {
            data.extend_from_slice(&word.to_be_bytes());
        }
        data.extend_from_slice(&self.other);
        let mut out = message.to_vec();
        let count = u16::from_be_bytes([out[10], out[11]]).wrapping_add(1);
        out[10..12].copy_from_slice(&count.to_be_bytes());
        out.extend(name_to_wire(&self.name));
        for word in [TSIG, ANY, 0, 0, data.len() as u16] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend(data);
        out
    }
}

/// Whether a type is one of those that messages carry and zones never hold (RFC 6895 section 3.1).
pub(super) fn is_meta(rtype: RecordType) -> bool {
    let number = u16::from(rtype);
    (128..=255).contains(&number) || matches!(number, 0 | 41)
}

#[cfg(test)]
mod tests;
