//! Web sites.

use std::time::Duration;

use super::misdeeds::Misdeeds;
use super::{host_name, read_date, set, word};
use crate::item::Reader;
use crate::source::Error;
use crate::units;

/// An HTTP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Http {
    /// HTTP/1.1.
    One,
    /// HTTP/2.
    Two,
    /// HTTP/3.
    Three,
}

impl Http {
    const NAMES: [(&'static str, Http); 3] = [("1.1", Http::One), ("2", Http::Two), ("3", Http::Three)];

    /// `1.1`, `2` or `3`.
    pub fn word(self) -> &'static str {
        Http::NAMES.iter().find(|(_, known)| *known == self).map_or("1.1", |(name, _)| name)
    }
}

/// Who vouches for a site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Issuer {
    /// The lab's CA, which the lab's clients trust.
    #[default]
    Lab,
    /// An intermediate CA of the lab's whose own certificate ran out a month before the lab's date.
    Outdated,
    /// A CA nobody knows.
    Unknown,
    /// The site itself.
    SelfSigned,
}

impl Issuer {
    const NAMES: [(&'static str, Issuer); 4] = [
        ("lab", Issuer::Lab),
        ("outdated", Issuer::Outdated),
        ("unknown", Issuer::Unknown),
        ("self", Issuer::SelfSigned),
    ];

    /// The word in the file.
    pub fn word(self) -> &'static str {
        Issuer::NAMES.iter().find(|(_, known)| *known == self).map_or("lab", |(name, _)| name)
    }
}

/// How a site receives connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// As it should be.
    #[default]
    Open,
    /// Accepts, then closes at once.
    Close,
    /// Accepts, then neither reads nor writes.
    Silent,
    /// Closes after the client's hello.
    CloseAfterHello,
    /// Never answers the client's hello.
    SilentAfterHello,
    /// The TLS port speaks plain HTTP.
    Plain,
    /// Accepts, then resets at once.
    Reset,
    /// Resets after the client's hello.
    ResetAfterHello,
    /// Its queue of new connections is full.
    Full,
}

impl Door {
    const NAMES: [(&'static str, Door); 9] = [
        ("open", Door::Open),
        ("close", Door::Close),
        ("silent", Door::Silent),
        ("close-after-hello", Door::CloseAfterHello),
        ("silent-after-hello", Door::SilentAfterHello),
        ("plain", Door::Plain),
        ("reset", Door::Reset),
        ("reset-after-hello", Door::ResetAfterHello),
        ("full", Door::Full),
    ];

    /// The word in the file.
    pub fn word(self) -> &'static str {
        Door::NAMES.iter().find(|(_, known)| *known == self).map_or("open", |(name, _)| name)
    }
}

/// One web site.
#[derive(Clone, Debug, PartialEq)]
pub struct WebSpec {
    /// Host names it answers for.
    pub names: Vec<String>,
    /// HTTP versions it speaks.
    pub http: Vec<Http>,
    /// Whether it announces HTTP/3 with Alt-Svc.
    pub alt_svc: bool,
    /// TLS 1.2 is spoken.
    pub tls12: bool,
    /// TLS 1.3 is spoken.
    pub tls13: bool,
    /// Names in the certificate, if not `names`.
    pub certificate_names: Option<Vec<String>>,
    /// Start of the certificate's validity, in nanoseconds since the Unix epoch; `None`: 30 days before the lab's date.
    pub not_before: Option<u64>,
    /// End of its validity; `None`: 60 days after the lab's date.
    pub not_after: Option<u64>,
    /// Who vouches.
    pub issuer: Issuer,
    /// Port of HTTPS (TCP, and UDP for HTTP/3).
    pub port: u16,
    /// Port of plain HTTP; `None` (0 in the file): not served.
    pub plain_port: Option<u16>,
    /// How connections are received.
    pub door: Door,
    /// Status of every answer, if not the page's own.
    pub status: Option<u16>,
    /// Time between a request and its answer.
    pub think: Duration,
    /// Connections are accepted, TLS is set up, and no request is ever answered.
    pub silent: bool,
    /// Bodies are sent no faster than this many bits per second.
    pub drip: Option<u64>,
    /// The connection is closed after this many bytes of a body.
    pub close_after: Option<usize>,
    /// Whether it runs at all; if not, its ports are closed.
    pub up: bool,
    /// What else it does wrong.
    pub misdeeds: Box<Misdeeds>,
}

impl Default for WebSpec {
    fn default() -> WebSpec {
        WebSpec {
            names: Vec::new(),
            http: vec![Http::One, Http::Two, Http::Three],
            alt_svc: true,
            tls12: true,
            tls13: true,
            certificate_names: None,
            not_before: None,
            not_after: None,
            issuer: Issuer::Lab,
            port: 443,
            plain_port: Some(80),
            door: Door::Open,
            status: None,
            think: Duration::ZERO,
            silent: false,
            drip: None,
            close_after: None,
            up: true,
            misdeeds: Box::default(),
        }
    }
}

impl WebSpec {
    pub(super) fn apply(&mut self, reader: &Reader<'_>) -> Result<(), Error> {
        if let Some(names) = reader.texts("names")? {
            self.names = names.iter().map(host_name).collect::<Result<_, _>>()?;
        }
        if let Some(versions) = reader.texts("http")? {
            self.http = versions
                .iter()
                .map(|version| word(version, &Http::NAMES, "HTTP version"))
                .collect::<Result<_, _>>()?;
            self.http.sort_unstable();
            self.http.dedup();
        }
        set(&mut self.alt_svc, reader.bool("alt_svc")?);
        if let Some(versions) = reader.texts("tls")? {
            (self.tls12, self.tls13) = (false, false);
            for version in versions {
                *match word(&version, &[("1.2", 2), ("1.3", 3), ("old", 1)], "TLS version")? {
                    1 => continue,
                    2 => &mut self.tls12,
                    _ => &mut self.tls13,
                } = true;
            }
        }
        if let Some(item) = reader.get("certificate") {
            let certificate = Reader::new(item.table("certificate")?, "a certificate");
            if let Some(names) = certificate.texts("names")? {
                self.certificate_names = Some(names.iter().map(host_name).collect::<Result<_, _>>()?);
            }
            if let Some(issuer) = certificate.text("issuer")? {
                self.issuer = word(&issuer, &Issuer::NAMES, "issuer")?;
            }
            if let Some(at) = read_date(&certificate, "not_before")? {
                self.not_before = Some(at);
            }
            if let Some(at) = read_date(&certificate, "not_after")? {
                self.not_after = Some(at);
            }
            self.misdeeds.apply_certificate(&certificate)?;
            certificate.finish()?;
        }
        self.misdeeds.apply(reader)?;
        if let Some(port) = reader.integer("port", 1, 65_535)? {
            self.port = port as u16;
        }
        if let Some(port) = reader.integer("plain_port", 0, 65_535)? {
            self.plain_port = (port > 0).then_some(port as u16);
        }
        if let Some(door) = reader.text("door")? {
            self.door = word(&door, &Door::NAMES, "door")?;
        }
        if let Some(status) = reader.integer("status", 200, 599)? {
            self.status = Some(status as u16);
        }
        set(&mut self.think, reader.quantity("think", units::duration)?);
        set(&mut self.silent, reader.bool("silent")?);
        if let Some(rate) = reader.quantity("drip", units::rate)? {
            self.drip = Some(rate);
        }
        if let Some(bytes) = reader.quantity("close_after", units::size)? {
            self.close_after = Some(bytes);
        }
        set(&mut self.up, reader.bool("up")?);
        Ok(())
    }
}
