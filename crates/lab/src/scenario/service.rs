//! What runs on the nodes: name servers, resolvers, web sites.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use thru_names::dnssec::signing::flaw::Flaw;
use thru_names::dnssec::signing::zone::Chain;
use thru_names::zone::Zone;
use thru_serve::dns::faults::{Fault, Faults};

use crate::item::{Reader, Str};
use crate::prefix::Prefix;
use crate::source::{Error, suggest};
use crate::{date, units};
pub(crate) use misdeeds::frames;
pub use misdeeds::{Answers, Misdeeds, Quic};
use roll::Rolling;

mod misdeeds;
pub mod roll;

/// A service on a node.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name, unique among services.
    pub name: String,
    /// Index of its node.
    pub on: usize,
    /// What it is, with its settings.
    pub kind: ServiceKind,
}

/// What a service is.
#[derive(Clone, Debug, PartialEq)]
pub enum ServiceKind {
    /// An authoritative name server.
    Dns(DnsSpec),
    /// A recursive, caching resolver.
    Resolver(ResolverSpec),
    /// One web site.
    Web(WebSpec),
    /// A proxy that connects on behalf of others.
    Proxy(ProxySpec),
}

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxySpec {
    /// It speaks SOCKS 5 instead of HTTP.
    pub socks: bool,
    /// Its port.
    pub port: u16,
    /// What it answers everybody: a status (HTTP) or a reply code (SOCKS); `None`: it connects and passes on.
    pub answer: Option<u16>,
    /// It takes connections and says nothing.
    pub silent: bool,
    /// Whether it runs at all.
    pub up: bool,
}

impl Default for ProxySpec {
    fn default() -> ProxySpec {
        ProxySpec { socks: false, port: 3128, answer: None, silent: false, up: true }
    }
}

impl ProxySpec {
    fn apply(&mut self, reader: &Reader<'_>) -> Result<(), Error> {
        set(&mut self.socks, reader.bool("socks")?);
        if let Some(port) = reader.integer("port", 1, 65_535)? {
            self.port = port as u16;
        }
        for (key, from) in [("status", 300), ("reply", 1)] {
            if let Some(answer) = reader.integer(key, from, 599)? {
                self.answer = Some(answer as u16);
            }
        }
        set(&mut self.silent, reader.bool("silent")?);
        set(&mut self.up, reader.bool("up")?);
        Ok(())
    }

    /// Lines of the expanded file.
    pub(super) fn show(&self) -> Vec<String> {
        let mut lines = vec![format!("socks = {}", self.socks), format!("port = {}", self.port)];
        let key = if self.socks { "reply" } else { "status" };
        lines.extend(self.answer.map(|answer| format!("{key} = {answer}")));
        lines.extend(self.silent.then(|| "silent = true".to_string()));
        lines.push(format!("up = {}", self.up));
        lines
    }
}

/// How a name server behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnsBehaviour {
    /// As it should.
    #[default]
    Normal,
    /// Every answer is SERVFAIL.
    Servfail,
    /// Every answer is REFUSED.
    Refused,
    /// It receives and never answers.
    Silent,
}

impl DnsBehaviour {
    const NAMES: [(&'static str, DnsBehaviour); 4] = [
        ("normal", DnsBehaviour::Normal),
        ("servfail", DnsBehaviour::Servfail),
        ("refused", DnsBehaviour::Refused),
        ("silent", DnsBehaviour::Silent),
    ];

    /// The word in the file.
    pub fn word(self) -> &'static str {
        DnsBehaviour::NAMES.iter().find(|(_, known)| *known == self).map_or("normal", |(name, _)| name)
    }
}

/// How a zone proves what it has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Denials {
    /// NSEC (RFC 4034 section 4).
    #[default]
    Nsec,
    /// NSEC3 (RFC 5155), without iterations and salt (RFC 9276).
    Nsec3,
    /// NSEC3 that leaves out unsigned delegations.
    Nsec3OptOut,
}

impl Denials {
    const NAMES: [(&'static str, Denials); 3] =
        [("nsec", Denials::Nsec), ("nsec3", Denials::Nsec3), ("nsec3-opt-out", Denials::Nsec3OptOut)];

    /// As the signer takes it.
    pub(crate) fn chain(self) -> Chain {
        match self {
            Denials::Nsec => Chain::Nsec,
            Denials::Nsec3 | Denials::Nsec3OptOut => {
                Chain::Nsec3 { iterations: 0, salt: Vec::new(), opt_out: self == Denials::Nsec3OptOut }
            }
        }
    }
}

/// How a zone is signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signing {
    /// Whether at all.
    pub signed: bool,
    /// How it proves what it has not.
    pub denials: Denials,
    /// What is wrong with it, each once, in the order of [`Flaw::WORDS`].
    pub flaws: Vec<Flaw>,
    /// The step of a roll to other keys that it is at.
    pub rolling: Option<Rolling>,
}

impl Signing {
    /// Takes over one word: `signed`, `unsigned`, a way of denying, a step of a roll, or a flaw (which imply `signed`).
    fn apply(&mut self, text: &Str) -> Result<(), Error> {
        match text.text.as_str() {
            "signed" => self.signed = true,
            "unsigned" => self.signed = false,
            other => {
                self.signed = true;
                if let Some((_, denials)) = Denials::NAMES.iter().find(|(name, _)| *name == other) {
                    self.denials = *denials;
                    return Ok(());
                }
                if let Some(rolling) = Rolling::of_word(other) {
                    self.rolling = Some(rolling);
                    return Ok(());
                }
                let Some((_, flaw)) = Flaw::WORDS.iter().find(|(word, _)| *word == other) else {
                    let known = Denials::NAMES.iter().map(|(name, _)| *name);
                    let known = known.chain(Flaw::WORDS.iter().map(|(word, _)| *word));
                    let known = known.chain(roll::WORDS.iter().map(|(word, _)| *word));
                    let message = format!("unknown word about signing `{other}`");
                    return Err(text.error(message, suggest(other, known.chain(["signed", "unsigned"]))));
                };
                self.flaws.push(*flaw);
                self.flaws.sort_unstable();
                self.flaws.dedup();
            }
        }
        Ok(())
    }

    /// The words that make it.
    pub fn words(&self) -> Vec<&'static str> {
        if !self.signed {
            return vec!["unsigned"];
        }
        let denials =
            Denials::NAMES.iter().filter(|(_, known)| *known == self.denials).map(|(name, _)| *name);
        let rolling = self.rolling.iter().map(|rolling| rolling.word());
        denials.chain(rolling).chain(self.flaws.iter().map(|flaw| flaw.word())).collect()
    }
}

/// An authoritative name server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DnsSpec {
    /// Zones as master-file text; `{node}` stands for the node's address.
    pub zones: Vec<Arc<str>>,
    /// Whether its zones are signed, unless `signing` says otherwise.
    pub signed: bool,
    /// How single zones are signed, by their names without the last dot.
    pub signing: BTreeMap<String, Signing>,
    /// Whether it also tells the names of addresses (PTR), for every node with a label of the form `name.lab`.
    pub reverse: bool,
    /// How it behaves.
    pub behaviour: DnsBehaviour,
    /// What it gets wrong about the protocol.
    pub faults: Faults,
    /// How long it takes to answer.
    pub think: Duration,
    /// Whether it runs at all; if not, its ports are closed.
    pub up: bool,
}

/// What a resolver trusts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// The lab's root key: what is signed is validated.
    #[default]
    Root,
    /// A root key that is no more: everything signed fails.
    Stale,
    /// Nothing: it does not validate.
    None,
}

impl Trust {
    const NAMES: [(&'static str, Trust); 3] =
        [("root", Trust::Root), ("stale", Trust::Stale), ("none", Trust::None)];

    /// The word in the file.
    pub fn word(self) -> &'static str {
        Trust::NAMES.iter().find(|(_, known)| *known == self).map_or("root", |(name, _)| name)
    }
}

/// A recursive resolver.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResolverSpec {
    /// What it trusts.
    pub trust: Trust,
    /// Addresses of the root servers.
    pub roots: Vec<IpAddr>,
    /// Names of the nodes that are root servers, as written.
    pub root_nodes: Vec<String>,
    /// How it behaves.
    pub behaviour: DnsBehaviour,
    /// What it gets wrong about the protocol.
    pub faults: Faults,
    /// How long it takes to answer, beyond what it has to ask.
    pub think: Duration,
    /// Names that have no IPv6 addresses get some of this prefix (RFC 6147).
    pub dns64: Option<Prefix>,
    /// Names that it says do not exist, with all below them.
    pub blocked: Vec<String>,
    /// Who may ask; empty: everybody.
    pub allow: Vec<Prefix>,
    /// Whether it runs at all.
    pub up: bool,
}

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

/// The words of `kind`.
pub(crate) const KINDS: [&str; 4] = ["dns", "resolver", "web", "proxy"];

impl ServiceKind {
    /// A service of that kind with its defaults.
    pub(crate) fn new(kind: &str) -> Option<ServiceKind> {
        match kind {
            "dns" => Some(ServiceKind::Dns(DnsSpec { up: true, ..DnsSpec::default() })),
            "resolver" => Some(ServiceKind::Resolver(ResolverSpec { up: true, ..ResolverSpec::default() })),
            "web" => Some(ServiceKind::Web(WebSpec::default())),
            "proxy" => Some(ServiceKind::Proxy(ProxySpec::default())),
            _ => None,
        }
    }

    /// The word in the file.
    pub fn word(&self) -> &'static str {
        match self {
            ServiceKind::Dns(_) => "dns",
            ServiceKind::Resolver(_) => "resolver",
            ServiceKind::Web(_) => "web",
            ServiceKind::Proxy(_) => "proxy",
        }
    }

    /// Takes over what the table says; what it does not say stays. `addresses` finds a node's addresses.
    pub(crate) fn apply(
        &mut self,
        reader: &Reader<'_>,
        addresses: &dyn Fn(&Str) -> Result<Vec<IpAddr>, Error>,
    ) -> Result<(), Error> {
        match self {
            ServiceKind::Dns(spec) => {
                if let Some(zones) = reader.texts("zone")? {
                    spec.zones =
                        zones.iter().map(|zone| read_zone(zone, addresses)).collect::<Result<_, _>>()?;
                }
                set(&mut spec.reverse, reader.bool("reverse")?);
                set(&mut spec.signed, reader.bool("signed")?);
                if let Some(item) = reader.get("dnssec") {
                    for (zone, words) in &item.table("dnssec")?.entries {
                        let mut signing = Signing { signed: spec.signed, ..Signing::default() };
                        for word in words.texts("dnssec")? {
                            signing.apply(&word)?;
                        }
                        spec.signing.insert(zone_key(&zone.text), signing);
                    }
                }
                behaviour(reader, &mut spec.behaviour)?;
                faults(reader, &mut spec.faults)?;
                set(&mut spec.think, reader.quantity("think", units::duration)?);
                set(&mut spec.up, reader.bool("up")?);
            }
            ServiceKind::Resolver(spec) => {
                if let Some(roots) = reader.texts("roots")? {
                    spec.roots.clear();
                    for root in &roots {
                        spec.roots.extend(addresses(root)?);
                    }
                    spec.root_nodes = roots.into_iter().map(|root| root.text).collect();
                }
                if let Some(text) = reader.text("trust")? {
                    spec.trust = word(&text, &Trust::NAMES, "trust")?;
                }
                if let Some(text) = reader.text("dns64")? {
                    spec.dns64 = dns64(&text)?;
                }
                if let Some(names) = reader.texts("blocked")? {
                    spec.blocked = names.iter().map(host_name).collect::<Result<_, _>>()?;
                }
                if let Some(texts) = reader.texts("allow")? {
                    spec.allow = texts.iter().map(allowed).collect::<Result<_, _>>()?;
                }
                behaviour(reader, &mut spec.behaviour)?;
                faults(reader, &mut spec.faults)?;
                set(&mut spec.think, reader.quantity("think", units::duration)?);
                set(&mut spec.up, reader.bool("up")?);
            }
            ServiceKind::Web(spec) => spec.apply(reader)?,
            ServiceKind::Proxy(spec) => spec.apply(reader)?,
        }
        Ok(())
    }
}

impl DnsSpec {
    /// How the zone of that name is signed.
    pub fn signing_of(&self, zone: &str) -> Signing {
        let own = self.signing.get(&zone_key(zone)).cloned();
        own.unwrap_or_else(|| Signing { signed: self.signed, ..Signing::default() })
    }
}

/// A zone's name as a key: in lower case, without the last dot unless it is the root.
fn zone_key(zone: &str) -> String {
    let bare = zone.trim_end_matches('.').to_ascii_lowercase();
    if bare.is_empty() { ".".to_owned() } else { bare }
}

impl WebSpec {
    fn apply(&mut self, reader: &Reader<'_>) -> Result<(), Error> {
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

pub(crate) fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn behaviour(reader: &Reader<'_>, place: &mut DnsBehaviour) -> Result<(), Error> {
    if let Some(text) = reader.text("behaviour")? {
        *place = word(&text, &DnsBehaviour::NAMES, "behaviour")?;
    }
    Ok(())
}

fn faults(reader: &Reader<'_>, place: &mut Faults) -> Result<(), Error> {
    if let Some(texts) = reader.texts("faults")? {
        *place = texts.iter().map(|text| word(text, Fault::WORDS, "fault")).collect::<Result<_, _>>()?;
    }
    Ok(())
}

/// A prefix that IPv4 addresses fit behind (RFC 6052 section 2.2); `none` takes it away.
fn dns64(text: &Str) -> Result<Option<Prefix>, Error> {
    if text.text == "none" {
        return Ok(None);
    }
    match Prefix::parse(&text.text) {
        Some(prefix) if prefix.is_v6() && matches!(prefix.length(), 32 | 40 | 48 | 56 | 64 | 96) => {
            Ok(Some(prefix))
        }
        _ => Err(text.error(
            format!("`{}` is no prefix for DNS64", text.text),
            "write an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits, as in `64:ff9b::/96`",
        )),
    }
}

fn allowed(text: &Str) -> Result<Prefix, Error> {
    Prefix::parse(&text.text).ok_or_else(|| {
        text.error(format!("`{}` is not a prefix", text.text), "write it as in `192.168.1.0/24`")
    })
}

/// One of the known words.
pub(crate) fn word<T: Copy>(text: &Str, known: &[(&str, T)], what: &str) -> Result<T, Error> {
    match known.iter().find(|(name, _)| *name == text.text) {
        Some((_, value)) => Ok(*value),
        None => {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            Err(text
                .error(format!("unknown {what} `{}`", text.text), suggest(&text.text, names.iter().copied())))
        }
    }
}

/// A date as text or as TOML's own.
pub(crate) fn read_date(reader: &Reader<'_>, key: &'static str) -> Result<Option<u64>, Error> {
    let Some(item) = reader.get(key) else {
        return Ok(None);
    };
    let text = match &item.kind {
        crate::item::Kind::Date(text) => Str { text: text.clone(), span: item.span.clone() },
        _ => item.text(key)?,
    };
    match date::parse(&text.text) {
        Some(nanos) => Ok(Some(nanos)),
        None => {
            Err(text.error(format!("`{}` is not a date", text.text), "write it as `2026-03-02T12:00:00Z`"))
        }
    }
}

fn host_name(name: &Str) -> Result<String, Error> {
    let text = name.text.trim_end_matches('.').to_ascii_lowercase();
    let bare = text.strip_prefix("*.").unwrap_or(&text);
    let legal = !bare.is_empty()
        && bare.len() <= 253
        && bare.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        });
    if legal {
        Ok(text)
    } else {
        Err(name.error(format!("`{}` is not a host name", name.text), "write a name such as `www.shop.lab`"))
    }
}

/// A zone's text with its addresses filled in, tried out.
fn read_zone(zone: &Str, addresses: &dyn Fn(&Str) -> Result<Vec<IpAddr>, Error>) -> Result<Arc<str>, Error> {
    let text = expand(zone, addresses)?;
    let Err(error) = Zone::parse(&text, None) else { return Ok(text.into()) };
    // The line's place; the whole zone's where the fault is of the whole.
    let mut start = 0;
    let mut place = zone.span.part(0, 1);
    for (number, line) in zone.text.split_inclusive('\n').enumerate() {
        if number + 1 == error.line {
            let blanks = line.len() - line.trim_start().len();
            place = zone.span.part(start + blanks, line.trim().len());
        }
        start += line.len();
    }
    let hint = error.hint.unwrap_or_else(|| "zones are in master-file form: NAME TTL TYPE DATA".to_string());
    Err(Error::at(&place, format!("not a zone: {}", error.what), hint))
}

/// Replaces `{node}` by the node's address: IPv6 after the word AAAA, else IPv4.
fn expand(zone: &Str, addresses: &dyn Fn(&Str) -> Result<Vec<IpAddr>, Error>) -> Result<String, Error> {
    let mut out = String::with_capacity(zone.text.len());
    let mut rest = 0;
    while let Some(open) = zone.text[rest..].find('{').map(|at| rest + at) {
        let Some(close) = zone.text[open..].find('}').map(|at| open + at) else {
            return Err(Str { text: String::new(), span: zone.span.part(open, 1) }
                .error("`{` without `}` in a zone", "write `{node}` for the address of a node"));
        };
        out.push_str(&zone.text[rest..open]);
        let name = Str {
            text: zone.text[open + 1..close].to_string(),
            span: zone.span.part(open + 1, close - open - 1),
        };
        let v6 = zone.text[..open]
            .split_whitespace()
            .next_back()
            .is_some_and(|word| word.eq_ignore_ascii_case("AAAA"));
        match addresses(&name)?.into_iter().find(|address| address.is_ipv6() == v6) {
            Some(address) => out.push_str(&address.to_string()),
            None => {
                return Err(
                    name.error(format!("`{}` has no such address", name.text), "check the node's links")
                );
            }
        }
        rest = close + 1;
    }
    out.push_str(&zone.text[rest..]);
    Ok(out)
}
