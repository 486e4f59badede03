//! The labs inside the binary.

/// Name and text of every built-in lab: first the internet, then the same internet with one thing broken.
pub const LABS: &[(&str, &str)] = &[
    ("internet", include_str!("../labs/internet.toml")),
    ("dns-nxdomain", include_str!("../labs/faults/dns-nxdomain.toml")),
    ("dns-silent", include_str!("../labs/faults/dns-silent.toml")),
    ("dns-refused", include_str!("../labs/faults/dns-refused.toml")),
    ("dns-servfail", include_str!("../labs/faults/dns-servfail.toml")),
    ("no-route", include_str!("../labs/faults/no-route.toml")),
    ("null-route", include_str!("../labs/faults/null-route.toml")),
    ("routing-loop", include_str!("../labs/faults/routing-loop.toml")),
    ("ipv6-broken", include_str!("../labs/faults/ipv6-broken.toml")),
    ("mtu-black-hole", include_str!("../labs/faults/mtu-black-hole.toml")),
    ("port-closed", include_str!("../labs/faults/port-closed.toml")),
    ("port-dropped", include_str!("../labs/faults/port-dropped.toml")),
    ("firewall-reject", include_str!("../labs/faults/firewall-reject.toml")),
    ("firewall-reset", include_str!("../labs/faults/firewall-reset.toml")),
    ("cert-expired", include_str!("../labs/faults/cert-expired.toml")),
    ("cert-not-yet-valid", include_str!("../labs/faults/cert-not-yet-valid.toml")),
    ("cert-wrong-name", include_str!("../labs/faults/cert-wrong-name.toml")),
    ("cert-unknown-ca", include_str!("../labs/faults/cert-unknown-ca.toml")),
    ("cert-self-signed", include_str!("../labs/faults/cert-self-signed.toml")),
    ("plain-on-tls-port", include_str!("../labs/faults/plain-on-tls-port.toml")),
    ("http-503", include_str!("../labs/faults/http-503.toml")),
    ("server-silent", include_str!("../labs/faults/server-silent.toml")),
    ("server-slow", include_str!("../labs/faults/server-slow.toml")),
    ("loss", include_str!("../labs/faults/loss.toml")),
    ("bufferbloat", include_str!("../labs/faults/bufferbloat.toml")),
];

/// The lab of that name, with its full name.
pub fn find(name: &str) -> Option<(&'static str, &'static str)> {
    LABS.iter().find(|(known, _)| *known == name).copied()
}

/// All names, in the order of `thru lab list`.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    LABS.iter().map(|(name, _)| *name)
}
