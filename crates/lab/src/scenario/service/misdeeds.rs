//! What a web site does wrong beyond the simplest: alerts, answers written by hand, resets, frames, redirects.

use std::time::Duration;

use super::{set, word};
use crate::item::Reader;
use crate::scenario::show::{list, quote};
use crate::source::Error;
use crate::units;

/// What a request is answered with, instead of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Nothing: the connection is closed.
    Close,
    /// A redirect to this place.
    Redirect(String),
    /// These bytes.
    Raw(String),
    /// These HTTP/2 frames, as [`frames`] reads them.
    Frames(Vec<String>),
}

/// How QUIC is received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quic {
    /// As it should be.
    #[default]
    Open,
    /// Every connection is refused.
    Refuse,
    /// Another protocol than HTTP/3 is spoken in it.
    OtherProtocol,
    /// Only versions of QUIC that no client of today knows.
    OtherVersion,
    /// It asks every client to begin anew, with a check that does not hold (RFC 9000 8.1.2).
    BadRetry,
    /// It has no certificate to show.
    NoCertificate,
}

const QUIC: [(&str, Quic); 6] = [
    ("open", Quic::Open),
    ("refuse", Quic::Refuse),
    ("other-protocol", Quic::OtherProtocol),
    ("other-version", Quic::OtherVersion),
    ("bad-retry", Quic::BadRetry),
    ("no-certificate", Quic::NoCertificate),
];

/// TLS alerts by their registered names (RFC 8446 6).
const ALERTS: [(&str, u8); 12] = [
    ("bad_record_mac", 20),
    ("handshake_failure", 40),
    ("illegal_parameter", 47),
    ("access_denied", 49),
    ("decode_error", 50),
    ("decrypt_error", 51),
    ("protocol_version", 70),
    ("insufficient_security", 71),
    ("internal_error", 80),
    ("unrecognized_name", 112),
    ("certificate_required", 116),
    ("no_application_protocol", 120),
];

/// What a server shows about the revocation of its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stapled {
    /// It is good, said an hour ago and for a week.
    Good,
    /// It was good, said a month ago and for a week.
    Stale,
    /// It is revoked.
    Revoked,
}

const STAPLES: [(&str, Stapled); 3] =
    [("good", Stapled::Good), ("stale", Stapled::Stale), ("revoked", Stapled::Revoked)];

/// What a web site does wrong. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Misdeeds {
    /// The client's hello is answered with this alert.
    pub alert: Option<u8>,
    /// Said to everybody who connects, instead of anything else.
    pub greeting: Option<String>,
    /// What requests are answered with.
    pub answer: Option<Answers>,
    /// TLS ends without its goodbye (`goodbye = false`).
    pub abrupt: bool,
    /// The connection is reset after this many bytes of a body.
    pub reset_after: Option<usize>,
    /// A body that is cut short had been announced by chunks, not by its length.
    pub chunked: bool,
    /// Headers of every answer: `Name: value`.
    pub headers: Vec<String>,
    /// Time before the client's hello is answered.
    pub hello: Duration,
    /// More time for the very first request.
    pub cold: Duration,
    /// A connection on which nothing moves for so long is closed; `None`: after two minutes.
    pub idle: Option<Duration>,
    /// How QUIC is received.
    pub quic: Quic,
    /// Clients have to show a certificate of the lab's authority.
    pub client_certificate: bool,
    /// ...and are let in without one as well.
    pub client_optional: bool,
    /// The only IP version it listens on.
    pub family: Option<u8>,
    /// Only the first so many of so many connections meet all this, the others a healthy server.
    pub share: Option<(u32, u32)>,
    /// The intermediate certificate is not sent.
    pub without_intermediate: bool,
    /// The certificate is meant for clients, not for servers.
    pub for_clients: bool,
    /// The certificate promises an answer about its revocation, which the server does not show.
    pub must_staple: bool,
    /// What is shown about the certificate's revocation.
    pub staple: Option<Stapled>,
    /// A certificate that does not belong there is sent in the middle of the chain.
    pub stray: bool,
}

impl Misdeeds {
    pub(super) fn apply(&mut self, reader: &Reader<'_>) -> Result<(), Error> {
        if let Some(alert) = reader.text("alert")? {
            self.alert = Some(word(&alert, &ALERTS, "alert")?);
        }
        if let Some(greeting) = reader.text("greeting")? {
            self.greeting = Some(greeting.text);
        }
        if let Some(answer) = reader.text("answer")? {
            word(&answer, &[("close", ())], "answer")?;
            self.answer = Some(Answers::Close);
        }
        if let Some(to) = reader.text("redirect")? {
            self.answer = Some(Answers::Redirect(to.text));
        }
        if let Some(raw) = reader.text("raw")? {
            self.answer = Some(Answers::Raw(raw.text));
        }
        if let Some(texts) = reader.texts("frames")? {
            for text in &texts {
                if frame(&text.text).is_none() {
                    return Err(text.error(
                        format!("`{}` is no frame", text.text),
                        "write `settings`, `goaway CODE`, `rst_stream CODE`, `headers HEX` or `text WORDS`",
                    ));
                }
            }
            self.answer = Some(Answers::Frames(texts.into_iter().map(|text| text.text).collect()));
        }
        if let Some(goodbye) = reader.bool("goodbye")? {
            self.abrupt = !goodbye;
        }
        if let Some(bytes) = reader.quantity("reset_after", units::size)? {
            self.reset_after = Some(bytes);
        }
        set(&mut self.chunked, reader.bool("chunked")?);
        if let Some(headers) = reader.texts("headers")? {
            for header in &headers {
                if !header.text.contains(':') {
                    return Err(header.error("a header without a colon", "write `Name: value`"));
                }
            }
            self.headers = headers.into_iter().map(|header| header.text).collect();
        }
        set(&mut self.hello, reader.quantity("hello", units::duration)?);
        set(&mut self.cold, reader.quantity("cold", units::duration)?);
        if let Some(idle) = reader.quantity("idle", units::duration)? {
            self.idle = Some(idle);
        }
        if let Some(quic) = reader.text("quic")? {
            self.quic = word(&quic, &QUIC, "way of receiving QUIC")?;
        }
        if let Some(share) = reader.text("share")? {
            let read = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
            let parts = share.text.split_once('/').and_then(|(first, of)| Some((read(first)?, read(of)?)));
            let parts = parts.filter(|(first, of)| first < of);
            self.share = Some(parts.ok_or_else(|| {
                share.error(format!("`{}` is no share", share.text), "write `1/2` for every other connection")
            })?);
        }
        set(&mut self.client_certificate, reader.bool("client_certificate")?);
        if let Some(required) = reader.bool("client_certificate_required")? {
            self.client_optional = !required;
        }
        if let Some(family) = reader.text("family")? {
            self.family = Some(word(&family, &[("4", 4), ("6", 6)], "IP version")?);
        }
        Ok(())
    }

    pub(super) fn apply_certificate(&mut self, reader: &Reader<'_>) -> Result<(), Error> {
        if let Some(sent) = reader.bool("intermediate")? {
            self.without_intermediate = !sent;
        }
        set(&mut self.must_staple, reader.bool("must_staple")?);
        if let Some(staple) = reader.text("staple")? {
            self.staple = Some(word(&staple, &STAPLES, "staple")?);
        }
        set(&mut self.stray, reader.bool("stray")?);
        if let Some(purpose) = reader.text("purpose")? {
            self.for_clients = word(&purpose, &[("server", false), ("client", true)], "purpose")?;
        }
        Ok(())
    }

    /// Lines of the expanded file; what is not wrong is not shown.
    pub(in crate::scenario) fn show(&self, lines: &mut Vec<String>) {
        let name_of =
            |alert: u8| ALERTS.iter().find(|(_, known)| *known == alert).map_or("", |(name, _)| name);
        lines.extend(self.alert.map(|alert| format!("alert = {}", quote(name_of(alert)))));
        lines.extend(self.greeting.iter().map(|text| format!("greeting = {}", quote(text))));
        lines.extend(self.answer.iter().map(|answer| match answer {
            Answers::Close => "answer = \"close\"".to_string(),
            Answers::Redirect(to) => format!("redirect = {}", quote(to)),
            Answers::Raw(raw) => format!("raw = {}", quote(raw)),
            Answers::Frames(frames) => format!("frames = [{}]", list(frames.iter().cloned())),
        }));
        lines.extend(self.abrupt.then(|| "goodbye = false".to_string()));
        lines.extend(
            self.reset_after.map(|bytes| format!("reset_after = {}", quote(&units::show_size(bytes)))),
        );
        lines.extend(self.chunked.then(|| "chunked = true".to_string()));
        if !self.headers.is_empty() {
            lines.push(format!("headers = [{}]", list(self.headers.iter().cloned())));
        }
        for (key, time) in [("hello", self.hello), ("cold", self.cold)] {
            if !time.is_zero() {
                lines.push(format!("{key} = {}", quote(&units::show_duration(time))));
            }
        }
        lines.extend(self.idle.map(|time| format!("idle = {}", quote(&units::show_duration(time)))));
        if let Some((name, _)) = QUIC.iter().find(|(_, quic)| *quic == self.quic && *quic != Quic::Open) {
            lines.push(format!("quic = {}", quote(name)));
        }
        lines.extend(self.client_certificate.then(|| "client_certificate = true".to_string()));
        lines.extend(self.client_optional.then(|| "client_certificate_required = false".to_string()));
        lines.extend(self.share.map(|(first, of)| format!("share = \"{first}/{of}\"")));
        lines.extend(self.family.map(|family| format!("family = \"{family}\"")));
    }

    pub(in crate::scenario) fn show_certificate(&self, entries: &mut Vec<String>) {
        entries.extend(self.without_intermediate.then(|| "intermediate = false".to_string()));
        entries.extend(self.must_staple.then(|| "must_staple = true".to_string()));
        let staple = STAPLES.iter().find(|(_, known)| Some(*known) == self.staple);
        entries.extend(staple.map(|(name, _)| format!("staple = {}", quote(name))));
        entries.extend(self.stray.then(|| "stray = true".to_string()));
        entries.extend(self.for_clients.then(|| "purpose = \"client\"".to_string()));
    }
}

/// All frames, one after the other.
pub(crate) fn frames(texts: &[String]) -> Vec<u8> {
    texts.iter().filter_map(|text| frame(text)).flatten().collect()
}

/// One HTTP/2 frame (RFC 9113 4.1), on stream 1 if it is about a stream: `settings`, `goaway 11`, `rst_stream 7`,
/// `headers 88`, `data 100`; or `text WORDS`, which is no frame at all.
fn frame(text: &str) -> Option<Vec<u8>> {
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    let code = || rest.trim().parse::<u32>().ok().map(u32::to_be_bytes);
    let (kind, flags, stream, payload) = match kind {
        "text" => return Some(format!("{rest}\r\n\r\n").into_bytes()),
        "settings" => (4, 0, 0, Vec::new()),
        "goaway" => (7, 0, 0, [&[0; 4][..], &code()?].concat()),
        "rst_stream" => (3, 0, 1, code()?.to_vec()),
        // END_HEADERS.
        "headers" => (1, 4, 1, hex(rest.trim())?),
        "data" => (0, 0, 1, vec![b'.'; rest.trim().parse::<u16>().ok()? as usize]),
        _ => return None,
    };
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(u32::to_be_bytes(stream));
    frame.extend(payload);
    Some(frame)
}

/// Octets, as two digits each.
pub(crate) fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_written_as_the_rfc_has_them() {
        let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11];
        assert_eq!(frame("goaway 11").unwrap(), goaway);
        assert_eq!(frame("headers 88").unwrap(), [0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88]);
        assert_eq!(frame("headers 8").is_none(), frame("nonsense").is_none());
        assert!(frame("headers 8").is_none());
    }
}
