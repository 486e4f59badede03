//! What is remembered of a TLS connection: who is who, which keys open what comes next.

use super::handshake::{Said, seen};
use super::record::{Keys12, Sealed};
use crate::context::Context;
use crate::crypto::{Key, Secret, Suite, next_secret};
use crate::protocols::ports::App;
use crate::secrets::Keys;
use crate::streams::pending::Pending;

/// After a gap so many records may be missing before the next one that can be opened.
const MISSING_MAX: u64 = 64;
/// After so many records that could not be opened, a side is given up: trying costs time.
const FAILURES_MAX: u32 = 32;

/// A TLS connection.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(super) said: Said,
    /// The version of the records, once one says it that may: all but the client's hello; 0 before.
    version: u16,
    /// Which side is the client.
    client: Option<usize>,
    pub(super) sides: [Side; 2],
    /// What is spoken inside.
    pub(super) app: App,
}

impl Session {
    /// Whether nobody has said anything yet.
    pub(crate) fn is_new(&self) -> bool {
        self.version == 0 && self.client.is_none()
    }
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// A handshake message that goes on in the next record.
    pub(super) partial: Vec<u8>,
    /// TLS 1.2: it has changed to the cipher that was agreed upon.
    pub(super) encrypted: bool,
    opener: Opener,
    failures: u32,
    /// It was told once why nothing is opened.
    explained: bool,
    /// What has not ended of the protocol inside.
    pub(super) pending: Pending,
    /// Records are missing: those before and after do not belong together.
    pub(super) is_torn: bool,
}

/// What opens a side's records.
#[derive(Debug, Default)]
enum Opener {
    /// Nothing was agreed upon yet.
    #[default]
    Clear,
    /// Nothing can: the secrets are missing, or too much of the stream is.
    Shut(&'static str),
    Tls13 {
        phase: Phase,
        suite: Suite,
        secret: Secret,
        key: Key,
        number: u64,
    },
    Tls12 {
        keys: Keys12,
        number: u64,
    },
}

/// The order in which a side's secrets follow each other in TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Early,
    Handshake,
    Application,
}

const NO_SECRETS: &str = "the key log has no secrets for this connection";
const NO_START: &str = "the beginning of the connection was not captured";
const NO_SUITE: &str = "the cipher suite is not supported";
const LOST: &str = "records are missing";

impl Session {
    /// The version as far as it is known; 0: not yet.
    pub(super) fn version(&self) -> u16 {
        // Data before the server's answer are those of 1.3.
        if self.said.is_13 || self.version == 0 && self.said.early_data { 0x0304 } else { self.version }
    }

    /// Takes the version from a record that tells it.
    pub(super) fn learn(&mut self, record: &[u8]) {
        let [kind, high, low, _, _, rest @ ..] = record else { return };
        let tells = match (kind, rest.first()) {
            (20, _) => true,
            (22, Some(message)) => matches!(message, 0 | 2..=6 | 8 | 11..=16 | 20..=26 | 67),
            _ => false,
        };
        if self.version == 0 && tells && *high == 3 && *low <= 3 {
            self.version = u16::from_be_bytes([*high, *low]);
        }
    }

    /// Bytes of a side are missing.
    pub(crate) fn lose(&mut self, side: usize) {
        let one = &mut self.sides[side];
        one.partial = Vec::new();
        one.is_torn = true;
    }

    /// A record's plaintext. `None`: it can't be opened.
    pub(super) fn open(&mut self, cx: &mut Context<'_>, side: usize, sealed: Sealed<'_>) -> Option<Vec<u8>> {
        let one = &mut self.sides[side];
        if matches!(one.opener, Opener::Clear) && !cx.state.secrets.is_empty() {
            one.opener = Opener::Shut(NO_START);
        }
        if one.failures > FAILURES_MAX {
            one.opener = Opener::Shut(LOST);
        }
        let opened = match &mut one.opener {
            Opener::Clear | Opener::Shut(_) => return None,
            Opener::Tls12 { keys, number } => {
                keys.open(*number..=*number + MISSING_MAX, sealed).map(|(tried, plain)| {
                    one.is_torn |= tried != *number;
                    *number = tried + 1;
                    plain
                })
            }
            Opener::Tls13 { key, number, .. } => {
                let plain = key.open(key.nonce(*number), sealed.header, sealed.body);
                *number += u64::from(plain.is_some());
                plain
            }
        };
        if opened.is_some() {
            one.failures = 0;
            return opened;
        }
        let found = self.search(cx, side, sealed);
        self.sides[side].failures += u32::from(found.is_none());
        found
    }

    /// The expected key and number did not fit. Early data may have been refused, or segments are missing: later
    /// numbers and the keys that follow are tried.
    fn search(&mut self, cx: &mut Context<'_>, side: usize, sealed: Sealed<'_>) -> Option<Vec<u8>> {
        let Opener::Tls13 { phase, suite, secret, key, number } = &mut self.sides[side].opener else {
            return None;
        };
        for tried in *number + 1..=*number + MISSING_MAX {
            if let Some(plain) = key.open(key.nonce(tried), sealed.header, sealed.body) {
                *number = tried + 1;
                self.lose(side);
                return Some(plain);
            }
        }
        let (phase, suite, secret) = (*phase, *suite, *secret);
        let candidates: Vec<(Phase, Secret)> = match phase {
            Phase::Application => {
                let next = next_secret(suite.hash, &secret, b"traffic upd");
                next.into_iter().map(|next| (Phase::Application, next)).collect()
            }
            _ => {
                let keys = self.keys(cx)?;
                let own = usize::from(self.client != Some(side));
                let handshake = keys.handshake[own].filter(|_| phase == Phase::Early);
                let handshake = handshake.map(|secret| (Phase::Handshake, secret));
                let application = keys.application[own].map(|secret| (Phase::Application, secret));
                handshake.into_iter().chain(application).collect()
            }
        };
        // The suite of early data was that of the session before; now it is the one that was agreed upon.
        let suite = self.said.suite.and_then(Suite::of).unwrap_or(suite);
        for (phase, secret) in candidates {
            let Some(key) = Key::derive(suite, &secret, "") else { continue };
            for number in 0..=MISSING_MAX {
                if let Some(plain) = key.open(key.nonce(number), sealed.header, sealed.body) {
                    // Refused early data were replaced as a whole; other keys begin after records that are missing.
                    if phase == Phase::Application || number > 0 {
                        self.lose(side);
                    }
                    let number = number + 1;
                    self.sides[side].opener = Opener::Tls13 { phase, suite, secret, key, number };
                    return Some(plain);
                }
            }
        }
        None
    }

    /// Whether a side's last record was data before the server's answer, whose form is that of TLS 1.3.
    pub(super) fn is_early(&self, side: usize) -> bool {
        matches!(self.sides[side].opener, Opener::Tls13 { .. })
    }

    /// The first reason why a side's records stay shut; told once for each side.
    pub(super) fn why_shut(&mut self, cx: &Context<'_>, side: usize) -> Option<&'static str> {
        let side = &mut self.sides[side];
        if side.explained || cx.state.secrets.is_empty() {
            return None;
        }
        side.explained = true;
        Some(if let Opener::Shut(why) = side.opener { why } else { LOST })
    }

    fn keys(&self, cx: &mut Context<'_>) -> Option<Keys> {
        cx.state.secrets.find(self.said.client_random.as_ref()?)
    }

    /// Reacts to what the handshake messages of a record have said.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>, side: usize) {
        let said = std::mem::take(&mut self.said.seen);
        if said & seen::CLIENT_HELLO != 0 {
            self.client = Some(side);
            if self.said.early_data {
                self.begin_early(cx, side);
            }
        }
        if said & seen::SERVER_HELLO != 0 && self.said.is_13 {
            self.client = Some(1 - side);
            self.begin(cx, side, Phase::Handshake);
            if !matches!(self.sides[1 - side].opener, Opener::Tls13 { phase: Phase::Early, .. }) {
                self.begin(cx, 1 - side, Phase::Handshake);
            }
        }
        if said & seen::END_OF_EARLY_DATA != 0 {
            self.begin(cx, side, Phase::Handshake);
        }
        if said & seen::FINISHED != 0 && self.said.is_13 {
            self.begin(cx, side, Phase::Application);
        }
        if said & seen::KEY_UPDATE != 0 {
            self.update(side);
        }
    }

    fn begin(&mut self, cx: &mut Context<'_>, side: usize, phase: Phase) {
        let own = usize::from(self.client != Some(side));
        let secret = self.keys(cx).and_then(|keys| match phase {
            Phase::Early => keys.early,
            Phase::Handshake => keys.handshake[own],
            Phase::Application => keys.application[own],
        });
        let suite = self.said.suite.and_then(Suite::of);
        self.sides[side].opener = match (suite, secret) {
            _ if self.said.client_random.is_none() => Opener::Shut(NO_START),
            (None, _) => Opener::Shut(NO_SUITE),
            (_, None) => Opener::Shut(NO_SECRETS),
            (Some(suite), Some(secret)) => match Key::derive(suite, &secret, "") {
                Some(key) => Opener::Tls13 { phase, suite, secret, key, number: 0 },
                None => Opener::Shut(NO_SECRETS),
            },
        };
    }

    /// Data before the server has answered is sealed with the suite of the session before: one of those that are
    /// offered, and the length of the secret tells which hash it has.
    fn begin_early(&mut self, cx: &mut Context<'_>, side: usize) {
        let Some(secret) = self.keys(cx).and_then(|keys| keys.early) else { return };
        let offered = self.said.offered.iter().filter_map(|number| Suite::of(*number));
        let fits = offered.filter_map(|suite| Some((suite, Key::derive(suite, &secret, "")?))).next();
        if let Some((suite, key)) = fits {
            self.sides[side].opener = Opener::Tls13 { phase: Phase::Early, suite, secret, key, number: 0 };
        }
    }

    /// The sender has updated its key (RFC 8446 7.2).
    fn update(&mut self, side: usize) {
        let Opener::Tls13 { phase: Phase::Application, suite, secret, .. } = &self.sides[side].opener else {
            return;
        };
        let suite = *suite;
        let next = next_secret(suite.hash, secret, b"traffic upd");
        if let Some((secret, key)) = next.and_then(|next| Some((next, Key::derive(suite, &next, "")?))) {
            self.sides[side].opener =
                Opener::Tls13 { phase: Phase::Application, suite, secret, key, number: 0 };
        }
    }

    /// TLS 1.2: from here on a side uses the cipher that was agreed upon.
    pub(super) fn change_cipher(&mut self, cx: &mut Context<'_>, side: usize) {
        if self.said.is_13 {
            return; // it is there for old middleboxes only
        }
        self.sides[side].encrypted = true;
        if self.said.server_random.is_none() {
            return; // before early data, or the beginning is missing
        }
        let master = self.keys(cx).and_then(|keys| keys.master);
        let own = usize::from(self.client != Some(side));
        if self.said.client_random.is_none() || self.said.suite.is_none() {
            self.sides[side].opener = Opener::Shut(NO_START);
            return;
        }
        self.sides[side].opener = match (self.said.opens_with(), master) {
            (None, _) => Opener::Shut(NO_SUITE),
            (_, None) => Opener::Shut(NO_SECRETS),
            (Some(_), Some(master)) => match Keys12::derive(&self.said, &master, own) {
                Some(keys) => Opener::Tls12 { keys, number: 0 },
                None => Opener::Shut(NO_SECRETS),
            },
        };
    }
}
