//! Names that programs look up for themselves: whether there is news, whether the network has a login page. Nobody
//! visits them, and networks that are shut off know none of them.

/// Whole names, and what names end in.
const OWN: [&str; 26] = [
    "msftncsi.com",
    // Whether the network wants names looked up in the clear: "no such name" means that it does not.
    "use-application-dns.net",
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
    let looked_for = ["wpad", "isatap"]
        .iter()
        .any(|own| name.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')));
    known || made_up || looked_for || is_list_entry(&name)
}

/// Whether it asks a list of addresses whether one of them is on it (RFC 5782 2.1, 2.4): the address stands backwards before
/// the list's name, and that there is no such name is good news.
pub(crate) fn is_list_entry(name: &str) -> bool {
    let labels: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    let octet = |label: &&str| label.bytes().all(|byte| byte.is_ascii_digit()) && label.parse::<u8>().is_ok();
    let nibble = |label: &&str| label.len() == 1 && label.bytes().all(|byte| byte.is_ascii_hexdigit());
    let begins = |count: usize, is_part: &dyn Fn(&&str) -> bool| {
        labels.len() > count + 1 && labels[..count].iter().all(is_part)
    };
    begins(4, &octet) || begins(32, &nibble)
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
            "isatap",
            "ipv6.msftncsi.com",
            "ISATAP.corp.example",
            "use-application-dns.net",
            "4.3.2.1.zen.spamhaus.example",
            &format!("{}list.example", "0.f.".repeat(16)),
        ] {
            assert!(is_errand(name), "{name}");
        }
        for name in [
            "www.google.com",
            "mail.example",
            "intranet.corp.example",
            "notclients2.google.com",
            "nas",
            "1.2.3.4",
            "isatapes.example",
            "300.3.2.1.list.example",
        ] {
            assert!(!is_errand(name), "{name}");
        }
    }
}
