//! How clients are served.

use std::time::Duration;

use super::access::Access;
use super::clients::Clients;
use super::dns64::Dns64;
use super::held;
use super::local::LocalZones;
use super::policy::PolicyZone;
use super::reply::Style;
use super::responses::AddressRules;
use crate::resolver::ResolverConfig;

/// Serving answers whose time is over (RFC 8767).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stale {
    /// Whether to do it at all.
    pub enabled: bool,
    /// TTL that such records are given, in seconds (RFC 8767 section 4 recommends 30).
    pub reply_ttl: u32,
    /// A failure to fetch it anew lets an answer be served for as long again: whoever is gone for long is still
    /// answered for.
    pub reset: bool,
    /// How long a fresh answer is waited for; zero: the stale one goes out at once, and is refreshed behind.
    pub client_timeout: Duration,
}

/// How clients are served.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// The resolver.
    pub resolver: ResolverConfig,
    /// Who may ask.
    pub access: Access,
    /// Names of our own.
    pub local: LocalZones,
    /// Zones whose data we hold.
    pub zones: Vec<held::HeldZone>,
    /// Policy zones, the weightiest first; no more than [`super::policy::ZONES_MAX`] count.
    pub policies: Vec<PolicyZone>,
    /// What is known of clients: tags and views.
    pub clients: Clients,
    /// Rules about addresses in answers.
    pub responses: AddressRules,
    /// Shape of replies.
    pub style: Style,
    /// Serving stale answers.
    pub stale: Stale,
    /// Clients that wait for a resolution at once. Half of them stay whatever happens; of the others, the one that has
    /// waited longest makes room once it has waited for `jostle`. Until then who comes too late gets nothing.
    pub clients_max: usize,
    /// How long a client may wait undisturbed when there are too many.
    pub jostle: Duration,
    /// Fetch popular answers anew shortly before their time is over.
    pub prefetch: bool,
    /// IPv6 addresses for names without.
    pub dns64: Option<Dns64>,
    /// What `version.bind` says; `None`: refused.
    pub version: Option<String>,
    /// What `hostname.bind` says; `None`: refused.
    pub identity: Option<String>,
    /// Whether `trustanchor.unbound` in class CHAOS tells the zones and key tags of our trust anchors.
    pub tell_anchors: bool,
    /// Answer for the names of RFC 8509 by which clients learn which root keys we trust.
    pub key_sentinel: bool,
    /// Who asks for an extended error's agent is told (RFC 9567): not done.
    pub name_server_id: Option<Vec<u8>>,
    /// Answer clients' cookies with this key (RFC 9018).
    pub cookie_key: Option<(u64, u64)>,
    /// How long TCP connections may be idle, in tenths of a second, as clients are told (RFC 7828); `None`: they are not.
    pub tcp_keepalive: Option<u16>,
    /// Questions for every type get an empty answer: they are big, and nobody needs them (RFC 8482 gives other ways).
    pub deny_any: bool,
    /// Octets that answers ready to be sent may take.
    pub packed_max: usize,
    /// Tell what was resolved, too: [`super::Out::Answered`].
    pub tell_answers: bool,
}

impl ServiceConfig {
    /// The usual settings over this resolver.
    pub fn new(resolver: ResolverConfig) -> ServiceConfig {
        ServiceConfig {
            resolver,
            access: Access::default(),
            local: LocalZones::with_defaults(),
            zones: Vec::new(),
            policies: Vec::new(),
            clients: Clients::default(),
            responses: AddressRules::default(),
            style: Style::default(),
            stale: Stale::default(),
            clients_max: 4096,
            jostle: Duration::from_millis(200),
            prefetch: true,
            dns64: None,
            version: None,
            identity: None,
            tell_anchors: false,
            key_sentinel: true,
            name_server_id: None,
            cookie_key: None,
            tcp_keepalive: None,
            deny_any: false,
            packed_max: 64 << 20,
            tell_answers: false,
        }
    }
}
