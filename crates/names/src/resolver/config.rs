//! Where a resolution begins, and how far it may go.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use hickory_proto::rr::Name;

use super::cache::Lifetimes;
use super::delegation::Upstream;
use super::iterate::Minimise;
use super::scrub::Scrubbing;
use crate::dnssec::algorithm::Algorithms;
use crate::dnssec::anchors::Anchors;
use crate::dnssec::upkeep::TrustPoint;
use crate::prefixes::Prefixes;

/// Where a resolution begins, and how far it may go.
#[derive(Clone, Debug)]
pub struct ResolverConfig {
    /// The root's name servers and their addresses.
    pub root_hints: Vec<(Name, Vec<IpAddr>)>,
    /// Zones found otherwise than by delegations from the root.
    pub upstreams: Vec<Upstream>,
    /// Port that name servers listen on: 53.
    pub port: u16,
    /// Whether servers may be asked over IPv4.
    pub v4: bool,
    /// Whether servers may be asked over IPv6.
    pub v6: bool,
    /// When a query without an answer gets SERVFAIL. The 3.6 s chosen end before the usual stub (two tries of 2 s)
    /// gives up, so that it hears the reason.
    pub patience: Duration,
    /// We keep the time of exchanges and resolutions ourselves. Off: whoever drives us says when nobody answers.
    pub own_timers: bool,
    /// Mix the letter case of questions, so that a forger has more to guess ("0x20").
    pub mix_case: bool,
    /// Send cookies (RFC 7873).
    pub cookies: bool,
    /// Ask the root's servers for the root's servers first (RFC 9609).
    pub prime: bool,
    /// How much of a name servers are told (RFC 9156).
    pub minimise: Minimise,
    /// Set DO: ask for signatures (RFC 3225).
    pub dnssec_ok: bool,
    /// Validate what lies below an anchor.
    pub validate: bool,
    /// Trust anchors, and names that are not validated.
    pub anchors: Anchors,
    /// An anchored zone whose keys can't be had at all is bogus; otherwise it is taken for unsigned.
    pub stripped_is_bogus: bool,
    /// What does not validate is answered all the same, without AD.
    pub permissive: bool,
    /// Anchors that follow their zone's keys (RFC 5011); their zones need no others.
    pub trust_points: Vec<TrustPoint>,
    /// Algorithms that count as known.
    pub algorithms: Algorithms,
    /// A zone's keys have to be signed with every algorithm that stands above them.
    pub every_algorithm: bool,
    /// More NSEC3 iterations make a zone insecure (RFC 9276 section 3.2).
    pub nsec3_iterations: u16,
    /// Seconds since 1970 at [`thru_wire::Instant::START`].
    pub epoch: u64,
    /// Take this for the time when looking at signatures, whatever the clock says.
    pub fixed_date: Option<u32>,
    /// Take signatures whose time is over or has not come: for tests and for clocks that are known to be wrong.
    pub ignore_times: bool,
    /// Addresses of name servers that a referral gives from outside the zone it leads to are asked for once more:
    /// whoever gave them is no authority for them.
    pub verify_sibling_glue: bool,
    /// A signed "no such name" holds for every name below (RFC 8020).
    pub nothing_below_nxdomain: bool,
    /// Answer from denials heard before (RFC 8198).
    pub aggressive: bool,
    /// Bounds on how long anything is kept.
    pub lifetimes: Lifetimes,
    /// What of answers is believed.
    pub scrubbing: Scrubbing,
    /// Servers that are never asked: address and prefix length.
    pub never_ask: Vec<(IpAddr, u8)>,
    /// Reach IPv4 servers through this prefix (RFC 6146): address and prefix length.
    pub nat64: Option<(Ipv6Addr, u8)>,
    /// Do so even though there is IPv4.
    pub nat64_always: bool,
    /// Ask everybody over TCP.
    pub tcp_upstream: bool,
    /// Texts that servers of some prefixes are sent in EDNS: who asks, as agreed with them.
    pub client_strings: Prefixes<Vec<u8>>,
    /// The code of the option that holds them.
    pub client_string_code: u16,
    /// A server that cannot be reached is asked again as often as one that is silent: what the network said need not
    /// be true, nor last.
    pub retry_unreachable: bool,
    /// Tell zones that ask for it what is wrong with them (RFC 9567).
    pub report_errors: bool,
    /// What bounds the work.
    pub limits: Limits,
}

impl ResolverConfig {
    /// For the internet: the real root's servers, and its keys as anchors, so that what is signed is validated.
    pub fn internet() -> ResolverConfig {
        ResolverConfig { anchors: Anchors::iana(), ..ResolverConfig::new(super::iana_root_hints()) }
    }

    /// The usual settings over these root hints, without trust anchors.
    pub fn new(root_hints: Vec<(Name, Vec<IpAddr>)>) -> ResolverConfig {
        ResolverConfig {
            root_hints,
            upstreams: Vec::new(),
            port: 53,
            v4: true,
            v6: true,
            patience: Duration::from_millis(3600),
            own_timers: true,
            mix_case: true,
            cookies: true,
            prime: false,
            minimise: Minimise::Off,
            dnssec_ok: true,
            validate: true,
            anchors: Anchors::default(),
            trust_points: Vec::new(),
            stripped_is_bogus: true,
            permissive: false,
            algorithms: Algorithms::default(),
            every_algorithm: false,
            nsec3_iterations: 150,
            epoch: 0,
            fixed_date: None,
            ignore_times: false,
            verify_sibling_glue: false,
            nothing_below_nxdomain: true,
            aggressive: true,
            lifetimes: Lifetimes::default(),
            scrubbing: Scrubbing::default(),
            never_ask: Vec::new(),
            nat64: None,
            nat64_always: false,
            tcp_upstream: false,
            client_strings: Prefixes::default(),
            client_string_code: 65_001,
            retry_unreachable: false,
            report_errors: false,
            limits: Limits::default(),
        }
    }
}

/// Bounds on work and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Questions sent for one client query, all its side errands included.
    pub queries: u32,
    /// Referrals followed for one name.
    pub referrals: u32,
    /// Aliases followed for one query.
    pub aliases: usize,
    /// How deep errands for errands go.
    pub depth: u32,
    /// Name servers whose missing addresses are looked up for one zone (bounds NXNSAttack).
    pub lookups: u32,
    /// Name servers that may turn out not to exist, for one query.
    pub missing_servers: u32,
    /// Tries per server address.
    pub tries: u32,
    /// Times an answer that does not validate is fetched anew from other servers.
    pub restarts: u32,
    /// Resolutions under way at once.
    pub tasks: usize,
    /// Clients waiting for one resolution.
    pub waiters: usize,
    /// Steps kept of one resolution.
    pub steps: usize,
    /// Cache entries of each kind.
    pub cache: usize,
    /// Octets that the cache's sets may weigh, and its messages once more.
    pub cache_octets: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            queries: 60,
            referrals: 20,
            aliases: 12,
            depth: 6,
            lookups: 4,
            missing_servers: 8,
            tries: 3,
            restarts: 2,
            tasks: 2000,
            waiters: 256,
            steps: 64,
            cache: 20_000,
            cache_octets: 64 << 20,
        }
    }
}
