//! The labs inside the binary.

/// A folder of labs with what they have in common.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// The folder's name.
    pub name: &'static str,
    /// What its labs have in common.
    pub about: &'static str,
    /// Name and text of each.
    pub labs: &'static [(&'static str, &'static str)],
}

macro_rules! groups {
    ($($folder:literal, $about:literal: $($name:literal)*;)*) => {
        &[$(Group {
            name: $folder,
            about: $about,
            labs: &[$(($name, include_str!(concat!("../labs/", $folder, "/", $name, ".toml")))),*],
        }),*]
    };
}

/// Every built-in lab: first the internet, then the same internet with something broken, or with something that only
/// looks so.
pub const GROUPS: &[Group] = groups! {
    ".", "a small internet":
        "internet";
    "faults", "one fault each, of every layer":
        "dns-nxdomain" "dns-silent" "dns-refused" "dns-servfail" "no-route" "null-route" "routing-loop"
        "ipv6-broken" "mtu-black-hole" "port-closed" "port-dropped" "firewall-reject" "firewall-reset"
        "cert-expired" "cert-not-yet-valid" "cert-wrong-name" "cert-unknown-ca" "cert-self-signed"
        "plain-on-tls-port" "http-503" "server-silent" "server-slow" "loss" "bufferbloat" "gateway-dead"
        "wrong-gateway" "no-default-route" "clock-wrong" "ipv4-broken" "line-reorders" "line-duplicates"
        "line-corrupts" "upload-mtu-black-hole" "outage" "resolver-wrong-address" "dns-no-address" "dns-bogon"
        "dns-alias-loop" "dns-udp-blocked" "dns-lame" "dns-slow" "closes-at-once" "closes-after-hello"
        "silent-after-hello" "tls-too-old" "http-500" "http-502" "http-504" "http-404" "http-403" "http-429"
        "answer-cut-short" "answer-drips" "udp-443-blocked" "http3-not-served" "outbound-blocked" "outage-long"
        "ok-unsigned-zone" "ok-nsec3" "ok-unknown-algorithm" "ok-resolver-without-dnssec" "ok-no-ping"
        "ok-silent-hop" "ok-small-mtu" "ok-far-away" "ok-slow-line" "ok-jitter" "ok-one-family" "ok-tiny-loss";
    "host", "the machine itself":
        "ports-taken" "own-firewall-rejects" "own-firewall-drops" "hosts-file" "own-connections-full" "clock-behind" "clock-month-behind";
    "names", "names and their signatures":
        "dnssec-expired" "dnssec-not-yet-valid" "dnssec-bad-signatures" "dnssec-no-signatures"
        "dnssec-data-expired" "dnssec-unsigned-data" "dnssec-ds-digest" "dnssec-key-replaced" "dnssec-no-keys"
        "dns-stale-anchor" "dns-denial-broken" "dns-cut-no-tcp" "dns-large-lost" "dns-captive"
        "dns-glue-private" "dns-filter" "name-impossible" "dnssec-ds-too-early" "dnssec-ds-too-late"
        "resolver-trips-over-edns" "resolver-drops-edns" "resolver-damages-answers" "resolver-wrong-id"
        "resolver-other-port" "resolver-other-question" "resolver-fails" "dns-servers-slow"
        "dns-on-hold" "dns-inside-only" "dns-nowhere-known";
    "servers", "name servers and resolvers that misbehave; anycast, DNS64":
        "dns-edns-dropped" "dns-edns-formerr" "dns-edns-ignored" "dns-signatures-stripped" "dns-only-tcp"
        "dns-tcp-closed" "dns-tcp-silent" "dns-truncates" "dns-rate-limited" "dns-wrong-id"
        "dns-other-port" "dns-other-question" "dns-malformed" "dns-case-lost" "dns-case-dropped"
        "dns-not-authoritative" "dns-upward-referral" "dns-bad-cookie" "dns-wrong-cookie" "dns-no-soa"
        "dns-aaaa-dropped" "dns-aaaa-servfail" "dns-https-dropped" "dns-https-refused" "dns-aaaa-nxdomain"
        "dns-ent-nxdomain" "dns-no-wildcards" "dns-serials-differ" "dns-update-lost" "dns-glue-missing" "dns-glue-wrong"
        "dns-ns-above" "dns-ns-below" "dns-one-lame" "dns-signatures-expiring" "dns-slow-server"
        "dns-resolver-blocks" "dns-resolver-refuses" "dns-resolver-strips" "dns-one-dead" "dns64" "anycast";
    "link", "the local network":
        "host-down" "address-twice";
    "given", "addresses and settings that the network gives: DHCP, router advertisements":
        "dhcp-silent" "dhcp-refuses" "dhcp-never-confirms" "dhcp-range-empty" "dhcp-router-wrong" "dhcp-router-missing"
        "dhcp-resolver-wrong" "dhcp-no-resolver" "dhcp-rogue-server" "router-rogue" "router-no-resolver"
        "ok-dhcp" "ok-dhcp-slow" "ok-two-dhcp-servers" "ok-no-advertisements" "ok-router-not-default"
        "ok-router-withdrawn";
    "ip", "addresses, routes, packet sizes, quality":
        "way-back-lost" "one-of-two-ways-dead" "vpn-took-the-route" "private-address" "no-nat64"
        "one-address-dead" "tiny-tunnel" "large-request-lost" "ipv6-large-lost" "giant-frames"
        "route-flaps" "ecn-dropped" "prefix-withdrawn"
        "ipv6-link-narrow" "rate-policed" "nat64" "nat64-dead" "nat64-large-lost";
    "bgp", "routes between networks, as far as a client feels them":
        "bgp-discarded" "bgp-hijack" "bgp-impostor" "bgp-leak" "bgp-flaps" "bgp-stale" "bgp-not-authorised"
        "bgp-one-family" "ok-bgp-other-carrier";
    "tcp", "connections":
        "closed-over-ipv6" "queue-overflows" "first-packet-lost" "reset-at-once" "reset-in-answer"
        "other-service" "host-down-silent" "window-scale-stripped" "segment-size-stripped"
        "server-reads-nothing" "own-window-small";
    "idle", "a connection on which nothing moves for a while":
        "idle-forgotten" "idle-reset" "idle-restarted" "idle-server-gone" "idle-remembered" "idle-closed";
    "firewall", "filters":
        "name-reset" "name-dropped" "forged-reset" "word-reset" "word-dropped" "http-451" "login-wanted"
        "connections-full" "own-address";
    "tls", "encryption and certificates":
        "no-common-cipher" "old-versions-only" "name-unknown" "no-common-protocol" "messages-damaged"
        "intermediate-missing" "intermediate-expired" "interception" "client-certificate-wanted"
        "cert-not-for-servers" "slow-handshake" "reset-after-hello" "no-goodbye" "tls-spoken-to-plain"
        "one-of-two-certificates" "long-certificates" "staple-missing" "chain-out-of-order" "hello-objected" "staple-stale" "staple-revoked"
        "client-certificate-unknown" "client-certificate-expired" "large-hello-lost";
    "http", "requests and answers":
        "redirect-loop" "redirect-scheme-loop" "redirect-nowhere" "wrong-host" "chunks-unfinished"
        "empty-answer" "two-lengths" "not-http" "headers-too-large" "stale-copy" "http-400" "http-401"
        "http-410" "http-505" "http2-shuts-down" "http2-calm" "http2-cancelled" "http2-silent" "http2-refused"
        "http2-is-http1" "http2-headers-broken" "unpackable" "more-than-announced" "http2-flow-control" "redirect-to-nobody"
        "redirect-to-closed";
    "quic", "HTTP/3":
        "http3-refused" "http3-other-protocol" "http3-cancelled" "http3-breaks-off"
        "http3-other-version" "http3-bad-retry" "http3-no-certificate" "udp-blocked";
    "proxy", "proxies":
        "proxy-login" "proxy-name-unknown" "proxy-refuses" "proxy-silent" "proxy-wants-login" "proxy-denies"
        "proxy-cannot-reach" "socks-cannot-reach";
    "beyond", "what only somebody elsewhere can see; a client feels its effect":
        "anycast-far" "proxy-header-wanted" "proxy-not-used" "reverse-path-filter" "parked-page" "proxy-collects"
        "balancer-forgets-first";
    "app", "the program behind":
        "database-slow" "upstream-slow" "cold-start" "one-machine-fails" "one-machine-slow" "empty-now-and-then"
        "one-machine-hangs" "one-machine-resets";
    "ok", "nothing wrong, though it may look like it":
        "ok-redirect" "ok-plain-to-tls" "ok-not-modified" "ok-no-content" "ok-http1" "ok-http2" "ok-http3"
        "ok-tls13" "ok-only-ipv6" "ok-only-ipv4" "ok-think" "ok-big-download" "ok-slow-download"
        "ok-satellite" "ok-wifi" "ok-lte" "ok-few-reordered" "ok-few-doubled" "ok-silent-routers"
        "ok-pings-filtered" "ok-mtu-1280" "ok-mtu-upload" "ok-two-addresses" "ok-alias" "ok-alias-chain"
        "ok-short-ttl" "ok-long-chain" "ok-wildcard" "ok-clock-a-minute" "ok-hosts-right" "ok-fresh-copy"
        "ok-server-timing" "ok-lab-other-port" "ok-outage-later" "ok-neighbour-downloads" "ok-far-resolver"
        "ok-other-site-down" "ok-proxy" "ok-socks" "ok-key-roll" "ok-site-moves" "ok-algorithm-roll"
        "ok-algorithm-unknown" "ok-ds-algorithm-unknown" "ok-ds-digest-unknown" "ok-nsec3-iterations"
        "ok-staple" "ok-client-certificate" "ok-client-certificate-optional" "ok-modem" "ok-large-hello";
    "two", "two faults at once":
        "two-status-and-loss" "two-404-and-loss" "two-expired-and-loss" "two-self-signed-and-loss"
        "two-slow-and-loss" "two-slow-and-ipv6" "two-status-and-ipv6" "two-expired-and-ipv6"
        "two-wrong-name-and-ipv4" "two-dns-slow-and-status" "two-dns-slow-and-expired"
        "two-dns-slow-and-think" "two-handshake-slow-and-think" "two-stale-and-slow"
        "two-bad-name-server-and-status" "two-corrupt-and-status" "two-corrupt-and-slow" "two-empty-and-ipv6"
        "two-missing-and-ipv6" "two-slow-and-closed-ipv6" "two-staple-and-loss" "two-loop-and-loss"
        "two-client-certificate-and-ipv6" "two-ecn-and-status" "two-hello-slow-and-cut";
};

/// Name and text of every built-in lab, in the order of `thru lab list`.
pub fn labs() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    GROUPS.iter().flat_map(|group| group.labs.iter().copied())
}

/// The lab of that name, with its full name.
pub fn find(name: &str) -> Option<(&'static str, &'static str)> {
    labs().find(|(known, _)| *known == name)
}

/// All names, in the order of `thru lab list`.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    labs().map(|(name, _)| name)
}
