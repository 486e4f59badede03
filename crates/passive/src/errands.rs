//! Names that programs look up for themselves: whether there is news, whether the network has a login page. Nobody
//! visits them, and networks that are shut off know none of them.

/// Whole names, and what names end in.
const OWN: [&str; 24] = [
    "clients1.google.com",
    "clients2.google.com",
    "clients3.google.com",
    "clients4.google.com",
    "accounts.google.com",
    "mtalk.google.com",
    "android.clients.google.com",
    "clientservices.googleapis.com",
    "update.googleapis.com",
    "content-autofill.googleapis.com",
    "optimizationguide-pa.googleapis.com",
    "safebrowsing.googleapis.com",
    "sb-ssl.google.com",
    "safebrowsing.google.com",
    "redirector.gvt1.com",
    "edgedl.me.gvt1.com",
    "detectportal.firefox.com",
    "services.mozilla.com",
    "telemetry.mozilla.org",
    "content-signature-2.cdn.mozilla.net",
    "pool.ntp.org",
    "connectivity-check.ubuntu.com",
    "network-test.debian.org",
    "msftconnecttest.com",
];

/// A browser that looks whether names are answered with somebody else's page asks for some that cannot exist: so many
/// letters and no dot.
const MADE_UP: std::ops::RangeInclusive<usize> = 7..=15;

/// Whether a program asks for this name by itself.
pub(crate) fn is_errand(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let known = OWN
        .iter()
        .any(|own| name == *own || name.strip_suffix(own).is_some_and(|before| before.ends_with('.')));
    let made_up = MADE_UP.contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase());
    known || made_up || name == "wpad" || name.starts_with("wpad.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_ask_for_themselves() {
        for name in [
            "clients2.google.com",
            "2.debian.pool.ntp.org.",
            "push.services.mozilla.com",
            "qzkfwtrmla",
            "wpad.corp.example",
        ] {
            assert!(is_errand(name), "{name}");
        }
        for name in
            ["www.google.com", "mail.example", "intranet.corp.example", "notclients2.google.com", "nas"]
        {
            assert!(!is_errand(name), "{name}");
        }
    }
}
