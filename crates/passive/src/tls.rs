//! How far a TLS handshake came, and what ended it, from what can be seen of it: all with secrets or in TLS 1.2, sizes
//! and order of records otherwise.

use thru_trace::certificate::Certificate;

use crate::certificates::objections;
use crate::flow::{TcpFlow, What};
use crate::glance::{Handshake, Message};
use crate::kept::Moment;
use thru_trace::staple::{self, Staple};

/// A client waits so long at least before silence is a fact: the shortest limit in use is 5 s.
pub(crate) const SILENCE: u64 = 4_000_000_000;
/// TLS 1.3 hides what a record is; an alert is 2 bytes, a byte of type and 16 of proof, the end of a handshake 36 at
/// least and as much around it (RFC 8446 5.2, 4.4.4). Ciphers with a short tag take 8 off.
const SEALED_ALERT_MAX: u16 = 24;
/// In TLS 1.2 an alert has 8 bytes in front, or padding behind.
const SEALED_ALERT_MAX_12: u16 = 48;

/// No certificate is shorter, and the end of a handshake takes a hundred octets at most.
const WITH_CERTIFICATE: u16 = 300;

/// Who leaves so soon after the handshake did not come to ask for anything, once he had seen the certificate.
const AT_ONCE: u64 = 500_000_000;

/// A hello that was said again so many times without an acknowledgement did not arrive.
const REPEATS: u64 = 3;

/// What was seen of a handshake.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    pub(crate) hello: Option<Moment>,
    pub(crate) server_hello: Option<Moment>,
    pub(crate) version: Option<u16>,
    pub(crate) suite: Option<u16>,
    pub(crate) server_name: Option<String>,
    /// The server's address, if no name was asked for.
    address: Option<String>,
    pub(crate) alpn: Option<String>,
    pub(crate) chain: Vec<Certificate>,
    /// By each side, in the clear or deciphered: what it said, and when.
    pub(crate) alerts: [Option<(u8, Moment)>; 2],
    /// A record that can only be an alert, by each side.
    pub(crate) sealed_alert: [Option<Moment>; 2],
    /// When the client's part of the handshake was done.
    pub(crate) finished: Option<Moment>,
    /// When the server had said what it had to say before the client's part was done.
    pub(crate) heard: Option<Moment>,
    /// Encrypted records after the handshake, by each side: when and how long.
    pub(crate) data: [Vec<(Moment, u16)>; 2],
    pub(crate) last: Option<Moment>,
    /// The certificate was readable.
    pub(crate) readable: bool,
    /// The server asked for the client's certificate.
    pub(crate) requested: bool,
    /// The client sent one.
    pub(crate) sent_certificate: bool,
    /// How long the client's first encrypted record is, with which its part of the handshake ends or begins.
    first_sealed: u16,
    /// The client asked what the certificate's issuer says of it today, and the server had it with it.
    pub(crate) status: [bool; 2],
    /// What the issuer says of the first certificate, if that can be read.
    pub(crate) staple: Option<Staple>,
    /// When the server said that it will say no more (RFC 8446 6.1), in whatever words can be seen.
    pub(crate) goodbye: Option<Moment>,
    /// The client said so, in words that can be read.
    said_goodbye: bool,
}

/// How it ended: the stable word and a sentence; `None` within: it worked.
pub(crate) struct Ending {
    pub(crate) failure: Option<(String, String)>,
    /// It was broken off without a reason that can be seen.
    pub(crate) unclear: Option<&'static str>,
    pub(crate) at: Moment,
}

impl Tls {
    /// Reads a flow; sides are 0 for the client and 1 for the server. `None` if no TLS was begun.
    pub(crate) fn of(flow: &TcpFlow) -> Option<Tls> {
        let client = flow.client();
        let mut tls = Tls::default();
        let mut changed = [false; 2];
        for said in &flow.said {
            let What::Message(message) = &said.what else { continue };
            let by = usize::from(said.by != client);
            if by == 1 && tls.finished.is_none() {
                tls.heard = Some(said.at);
            }
            match message {
                Message::Record { kind, len, inner } => {
                    tls.last = Some(said.at);
                    // Once deciphered, a record is what it says; its message comes by itself.
                    if matches!(inner, None | Some(23)) {
                        tls.record(by, *kind, *len, said.at, &mut changed);
                    }
                }
                Message::Handshake(message) => tls.message(by, message, said.at),
                Message::Alert(0) if by == 1 => tls.goodbye = Some(said.at),
                Message::Alert(0) => tls.said_goodbye = true,
                Message::Alert(desc) if *desc != 0 => {
                    tls.alerts[by].get_or_insert((*desc, said.at));
                }
                _ => {}
            }
        }
        // Where the server speaks another protocol first, nobody takes the client's hello for one.
        if tls.hello.is_none() && matches!(flow.opening[client].as_slice(), [22, 3, _, _, _, 1, ..]) {
            tls.hello = flow.sides[client].first_data.map(|(time, number)| Moment { time, number });
        }
        // Whoever asks for no name wants the address (RFC 6066 3: no addresses in the hello).
        if tls.server_name.is_none() && tls.hello.is_some() {
            tls.address = Some(flow.remote().0.to_string());
        }
        tls.goodbye = tls.goodbye.or(tls.sealed_alert[1]);
        (tls.hello.is_some() || tls.server_hello.is_some() || tls.last.is_some()).then_some(tls)
    }

    /// Whether the client asked for encryption, or was given it: more than a server's objection to plain words.
    pub(crate) fn is_begun(&self) -> bool {
        self.hello.is_some() || self.server_hello.is_some() || self.finished.is_some()
    }

    /// How long the client took for its part after the server had said all of its own: checking certificates, mostly.
    pub(crate) fn own_wait(&self) -> Option<u64> {
        let (heard, finished) = self.heard.zip(self.finished)?;
        Some(finished.time.saturating_sub(heard.time))
    }

    /// Whether the client showed a certificate, by the length of what it said: the end of a handshake alone is short (RFC
    /// 8446 4.4.4).
    pub(crate) fn seems_to_show_certificate(&self) -> bool {
        self.sent_certificate || self.is_13() && self.first_sealed >= WITH_CERTIFICATE
    }

    pub(crate) fn is_13(&self) -> bool {
        self.version == Some(0x0304)
    }

    fn record(&mut self, by: usize, kind: u8, len: u16, at: Moment, changed: &mut [bool; 2]) {
        match kind {
            20 => changed[by] = true,
            // Behind the change of cipher, TLS 1.2's last handshake message and its alerts are encrypted.
            22 if changed[by] && !self.is_13() && by == 0 => {
                self.finished.get_or_insert(at);
            }
            21 if changed[by] && len > 2 && len <= SEALED_ALERT_MAX_12 => {
                self.sealed_alert[by].get_or_insert(at);
            }
            23 if self.server_hello.is_none() => {}
            23 if self.is_13() && by == 0 && self.finished.is_none() && !self.readable => {
                if len <= SEALED_ALERT_MAX {
                    self.sealed_alert[0].get_or_insert(at);
                } else {
                    self.finished = Some(at);
                    self.first_sealed = len;
                }
            }
            // The rest of the server's handshake, as long as the client has not answered it.
            23 if self.is_13() && by == 1 && self.finished.is_none() => {}
            23 if self.is_13() && len <= SEALED_ALERT_MAX => {
                self.sealed_alert[by].get_or_insert(at);
            }
            23 => self.data[by].push((at, len)),
            _ => {}
        }
    }

    fn message(&mut self, by: usize, message: &Handshake, at: Moment) {
        match (message.kind, by) {
            (1, _) => {
                self.hello.get_or_insert(at);
                self.status[0] |= message.status;
                self.server_name = message.server_name.clone().or(self.server_name.take());
            }
            (2, _) => {
                self.server_hello.get_or_insert(at);
                self.version = message.versions.first().copied().or(Some(message.version));
                self.suite = message.suite;
                self.alpn = message.alpn.first().cloned().or(self.alpn.take());
            }
            (13, 1) => self.requested = true,
            // In TLS 1.2 it is a message of its own (RFC 6066 8).
            (22, 1) => {
                self.status[1] = true;
                self.stapled(message);
            }
            (11, 0) => self.sent_certificate = !message.certificates.is_empty(),
            (20, 0) => {
                self.finished.get_or_insert(at);
            }
            (8, _) => self.alpn = message.alpn.first().cloned().or(self.alpn.take()),
            (11, 1) if self.chain.is_empty() => {
                self.chain = message.certificates.iter().filter_map(|der| Certificate::read(der)).collect();
                self.readable = !self.chain.is_empty();
                self.status[1] |= message.status;
                self.stapled(message);
            }
            _ => {}
        }
    }

    /// Reads what the issuer says of the certificate that came before it, or with it.
    fn stapled(&mut self, message: &Handshake) {
        if let (Some(answer), Some(leaf)) = (&message.staple, self.chain.first()) {
            self.staple = staple::read(answer, &leaf.serial);
        }
    }

    /// How the handshake ended; `None`: it was under way when the capture ended.
    pub(crate) fn ending(&self, flow: &TcpFlow, capture_end: u64) -> Option<Ending> {
        let failed = |code: &str, text: String, at: Moment| {
            Some(Ending { failure: Some((code.to_owned(), text)), unclear: None, at })
        };
        let done = self.finished.is_some() && (!self.data[1].is_empty() || !self.data[0].is_empty());
        // In TLS 1.3 the server's word on the client's certificate comes after the handshake (RFC 8446 4.4.2.4).
        let of_client = |alert: u8| matches!(alert, 42..=46 | 48 | 49 | 116);
        // What the server says to somebody who has left already is no reason for leaving.
        let left = client_left(flow).filter(|_| self.finished.is_some());
        let in_time = |at: Moment| left.is_none_or(|left| at <= left);
        let said = self.alerts[1]
            .filter(|(alert, at)| (!done || of_client(*alert)) && (in_time(*at) || of_client(*alert)));
        if let Some((alert, at)) = said {
            let (name, text) = (alert_word(alert), alert_text(alert));
            let code = match alert {
                70 => "tls.version".to_owned(),
                _ => format!("tls.alert.{name}"),
            };
            return failed(&code, format!("the server ended the handshake: {text}"), at);
        }
        if let Some(at) = self.foreign(flow) {
            return failed("tls.not_tls", "what the server sent is no TLS".into(), at);
        }
        if let Some((alert, at)) = self.alerts[0].filter(|(alert, _)| !done || (41..=51).contains(alert)) {
            let (code, text) = self.objection(alert, at);
            return failed(code, text, at);
        }
        // Behind a hole of the capture, or in another order, a goodbye looks like an objection.
        let followed = flow.sides[flow.client()].uncaptured == 0 && is_whole(flow);
        // Up to TLS 1.2 who has said his last word has accepted the certificate; then an alert is a goodbye.
        let undecided = self.is_13() || self.finished.is_none();
        let objects = !done && followed && undecided && self.server_hello.is_some();
        if let Some(at) = self.sealed_alert[0].filter(|_| objects) {
            if let Some((code, text)) = self.visible_objection(at) {
                return failed(code, text, at);
            }
            if self.is_untrusted_alone() && self.hello.is_some() && is_whole(flow) {
                let text = "this machine ended the handshake with an encrypted alert; the certificate came without that of its issuer";
                return failed("tls.unknown_ca", text.into(), at);
            }
            let text = "right after the server's certificate this machine ended the handshake with an encrypted alert";
            return failed("tls.rejected", text.into(), at);
        }
        if let Some(at) = self.finished.filter(|_| self.data[0].is_empty())
            && let Some((code, text)) = self.visible_objection(at)
            && (self.left_in_dismay(flow, at) || self.left_another(flow, code))
        {
            // Programs that check the name only after the handshake leave without a word.
            return failed(code, text, at);
        }
        if let Some(at) =
            self.finished.filter(|_| self.data[0].is_empty() && self.is_untrusted_alone() && is_whole(flow))
            && self.left_in_dismay(flow, at)
        {
            let text = "this machine left right after the handshake; the certificate came without that of its issuer";
            return failed("tls.unknown_ca", text.into(), at);
        }
        if let Some(at) = self.finished.filter(|_| self.data[0].is_empty())
            && let Some(left) = client_left(flow)
            && (!self.readable || left.time.saturating_sub(at.time) < AT_ONCE)
        {
            let why = "the client left right after the handshake without asking for anything";
            return Some(Ending { failure: None, unclear: Some(why), at: left.max(at) });
        }
        if let Some(at) = self.finished {
            let end = self.data[1].first().map_or(at, |(first, _)| at.max(*first.min(&at)));
            return Some(Ending { failure: None, unclear: None, at: end });
        }
        self.without_end(flow, capture_end)
    }

    /// Whether a client that had taken the certificate and wanted a site of this name left at once and without a goodbye.
    /// Whoever only looks whether somebody is there names no site, or says goodbye.
    fn left_in_dismay(&self, flow: &TcpFlow, finished: Moment) -> bool {
        let goodbye = self.said_goodbye || self.sealed_alert[0].is_some();
        let at_once = client_left(flow).is_some_and(|left| left.time.saturating_sub(finished.time) < AT_ONCE);
        self.server_name.is_some() && !goodbye && at_once
    }

    /// Whether a client left whom a certificate for another name was shown than it had asked for, with a goodbye or without:
    /// what vouches for itself or has run out may be known and taken all the same, what is somebody else's is not.
    fn left_another(&self, flow: &TcpFlow, code: &str) -> bool {
        code == "tls.wrong_name" && self.server_name.is_some() && client_left(flow).is_some()
    }

    /// What the client's alert said, where only that could be read.
    pub(crate) fn blind_alert(&self) -> Option<u8> {
        self.alerts[0].map(|(alert, _)| alert).filter(|alert| !self.readable && (42..=48).contains(alert))
    }

    /// When the server answered the hello with something that is no TLS.
    fn foreign(&self, flow: &TcpFlow) -> Option<Moment> {
        let server = flow.server();
        let opening = &flow.opening[server];
        let foreign = self.hello.is_some()
            && self.server_hello.is_none()
            && !opening.is_empty()
            && !matches!(opening.as_slice(), [20..=23, 3, ..]);
        let (time, number) = flow.sides[server].first_data?;
        // What came before the hello answers something else, and what the client said before was perhaps not captured.
        // Services that greet do so first: where the connection was seen from its beginning, nothing was before it.
        let greets = !flow.syns.is_empty() && !flow.synacks.is_empty() && flow.sides[server].uncaptured == 0;
        let asked = self
            .hello
            .filter(|hello| (hello.time <= time || greets) && flow.sides[flow.client()].uncaptured == 0);
        asked.filter(|_| foreign).map(|_| Moment { time, number })
    }

    /// No alert, and no end of the handshake.
    fn without_end(&self, flow: &TcpFlow, capture_end: u64) -> Option<Ending> {
        let server = flow.server();
        let failed = |code: &str, text: &str, at: Moment| {
            Some(Ending { failure: Some((code.to_owned(), text.to_owned())), unclear: None, at })
        };
        let hello = self.hello?;
        let answered = self.server_hello.is_some();
        let last = flow.sides[server].last_data.unwrap_or(0).max(hello.time);
        let reset = flow.resets.iter().find(|reset| reset.by == server);
        // Something came, and what it was the capture does not have.
        // What nobody acknowledged either was lost on the way, and not in the capture.
        let side = &flow.sides[server];
        let unread = side.uncaptured > 0 || (!answered && side.bytes > 0 && side.missing() == 0);
        if unread {
            let at = self.last.unwrap_or(hello);
            return Some(Ending {
                failure: None,
                unclear: Some("the server's answer to the hello was not captured whole"),
                at,
            });
        }
        let client_left = client_left(flow);
        let server_left = flow.sides[server].fin.map(|(time, number)| Moment { time, number });
        if let Some(reset) = reset.filter(|reset| client_left.is_none_or(|left| reset.at < left)) {
            return failed("tls.reset", "the connection was reset during the handshake", reset.at);
        }
        if let Some(left) = server_left.filter(|left| client_left.is_none_or(|client| *left < client))
            && !answered
        {
            return failed("tls.closed", "the server closed the connection during the handshake", left);
        }
        let until = client_left.map_or(capture_end, |left| left.time);
        let at = client_left.unwrap_or(Moment { time: until.max(flow.last.time), number: flow.last.number });
        // Said again so often, it would have been heard long ago.
        let sent = &flow.sides[flow.client()];
        let repeated = !answered && sent.resent_count >= REPEATS && sent.acked <= sent.first;
        if until.saturating_sub(last) >= SILENCE || repeated {
            let text = if answered {
                "the handshake was not done; a part of it came"
            } else {
                "no answer to the client's hello"
            };
            return failed("tls.timeout", text, at);
        }
        if let Some(left) = client_left {
            if let Some((code, text)) = self.visible_objection(left) {
                return failed(code, &text, left);
            }
            return Some(Ending { failure: None, unclear: Some("the client broke it off"), at: left });
        }
        None
    }

    /// What the certificate has to be for.
    fn wanted(&self) -> Option<&str> {
        self.server_name.as_deref().or(self.address.as_deref())
    }

    fn now(at: Moment) -> i64 {
        i64::try_from(at.time / 1_000_000_000).unwrap_or(i64::MAX)
    }

    /// This machine said that a certificate has run out, and by the capture's own clock none has.
    pub(crate) fn disagrees_on_dates(&self) -> bool {
        let Some((45, at)) = self.alerts[0] else { return false };
        let now = Tls::now(at);
        let holds =
            |certificate: &Certificate| (certificate.not_before..=certificate.not_after).contains(&now);
        self.readable && self.chain.iter().all(holds)
    }

    /// One certificate of somebody else's, without his: whoever does not know him by chance cannot check it.
    fn is_untrusted_alone(&self) -> bool {
        self.readable && self.chain.len() == 1 && !self.chain[0].is_self_signed()
    }

    /// The first thing that is wrong with the certificate by the capture's own clock.
    fn visible_objection(&self, at: Moment) -> Option<(&'static str, String)> {
        objections(&self.chain, self.wanted(), Tls::now(at)).into_iter().next()
    }

    /// The same for another handshake, of which these are known.
    pub(crate) fn objection_to(
        chain: Vec<Certificate>,
        server_name: Option<String>,
        alert: u8,
        at: Moment,
    ) -> (&'static str, String) {
        let readable = !chain.is_empty();
        Tls { chain, server_name, readable, ..Tls::default() }.objection(alert, at)
    }

    /// What a client's alert means, with the certificate before us.
    fn objection(&self, alert: u8, at: Moment) -> (&'static str, String) {
        let found = objections(&self.chain, self.wanted(), Tls::now(at));
        let has = |code: &str| found.iter().find(|(known, _)| *known == code).cloned();
        let said = format!("this machine ended the handshake: {}", alert_text(alert));
        match alert {
            // Clients say so of certificates that begin in the future as well.
            45 => has("tls.certificate_expired")
                .or_else(|| has("tls.certificate_not_yet_valid"))
                .unwrap_or(("tls.certificate_expired", said)),
            48 | 42 | 43 | 46 if !self.readable => ("tls.rejected", said),
            48 => has("tls.self_signed").unwrap_or(("tls.unknown_ca", said)),
            // Go and GnuTLS say so of whatever they do not like; of what cannot be seen, trust comes first.
            42 => {
                has("tls.wrong_name").or_else(|| found.first().cloned()).unwrap_or(("tls.unknown_ca", said))
            }
            43 | 44 | 46 => found.first().cloned().unwrap_or(if self.readable {
                ("tls.unknown_ca", said)
            } else {
                ("tls.rejected", said)
            }),
            70 => ("tls.version", said),
            _ => ("tls.client_alert", said),
        }
    }
}

/// Whether all that was said was captured.
fn is_whole(flow: &TcpFlow) -> bool {
    flow.sides.iter().all(|side| side.uncaptured == 0 && side.missing() == 0)
}

/// When the client ended the connection.
fn client_left(flow: &TcpFlow) -> Option<Moment> {
    let client = flow.client();
    let closed = flow.sides[client].fin.map(|(time, number)| Moment { time, number });
    closed.or_else(|| flow.resets.iter().find(|reset| reset.by == client).map(|reset| reset.at))
}

/// The RFC's word for an alert, as live probes write it (RFC 8446 6).
fn alert_word(alert: u8) -> String {
    alert_text(alert).replace(' ', "_")
}

fn alert_text(alert: u8) -> String {
    let text = match alert {
        10 => "unexpected message",
        20 => "bad record mac",
        22 => "record overflow",
        40 => "handshake failure",
        42 => "bad certificate",
        43 => "unsupported certificate",
        44 => "certificate revoked",
        45 => "certificate expired",
        46 => "certificate unknown",
        47 => "illegal parameter",
        48 => "unknown ca",
        49 => "access denied",
        50 => "decode error",
        51 => "decrypt error",
        70 => "protocol version",
        71 => "insufficient security",
        80 => "internal error",
        86 => "inappropriate fallback",
        109 => "missing extension",
        112 => "unrecognized name",
        116 => "certificate required",
        120 => "no application protocol",
        other => return format!("alert {other}"),
    };
    text.to_owned()
}

/// `TLS 1.3`.
pub(crate) fn version_word(version: u16) -> String {
    match version {
        0x0300 => "SSL 3.0".into(),
        0x0301 => "TLS 1.0".into(),
        0x0302 => "TLS 1.1".into(),
        0x0303 => "TLS 1.2".into(),
        0x0304 => "TLS 1.3".into(),
        other => format!("{other:#06x}"),
    }
}
