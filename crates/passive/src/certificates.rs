//! What a client could object to in certificates, at the time of the capture.

use thru_trace::certificate::{Certificate, date_text};

/// What a client could object to, in the order in which clients look: the stable word of a live probe, and a sentence.
pub(crate) fn objections(chain: &[Certificate], name: Option<&str>, now: i64) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let Some(leaf) = chain.first() else { return found };
    if let Some(old) = chain.iter().find(|certificate| certificate.not_after < now) {
        let text =
            format!("\"{}\" ran out on {}, before this capture", old.subject, date_text(old.not_after));
        found.push(("tls.certificate_expired", text));
    }
    if let Some(early) = chain.iter().find(|certificate| certificate.not_before > now) {
        let text =
            format!("\"{}\" begins on {}, after this capture", early.subject, date_text(early.not_before));
        found.push(("tls.certificate_not_yet_valid", text));
    }
    if let Some(name) = name.filter(|name| !leaf.is_for(name)) {
        let shown: Vec<&str> = leaf.names.iter().take(4).map(String::as_str).collect();
        let shown = if shown.is_empty() { String::from("no name at all") } else { shown.join(", ") };
        found.push(("tls.wrong_name", format!("the certificate is for {shown}, not for {name}")));
    }
    if leaf.is_self_signed() {
        let text = format!("the certificate is signed by itself: {}", leaf.subject);
        found.push(("tls.self_signed", text));
    }
    if let Some(bits) = leaf.rsa_bits.filter(|bits| *bits < RSA_BITS_MIN) {
        let text = format!("Key: its RSA key has only {bits} bits");
        found.push(("tls.bad_certificate", text));
    }
    if leaf.not_for_servers {
        let text =
            "Purpose: the certificate says what it is for, and that is not a server (extended key usage)";
        found.push(("tls.bad_certificate", text.into()));
    }
    // Who signed the next one below it has to be an authority.
    let vouches =
        |below: &Certificate, above: &Certificate| below.issuer == above.subject && !above.is_authority;
    if let Some(pair) = chain.windows(2).find(|pair| vouches(&pair[0], &pair[1])) {
        let text =
            format!("Purpose: \"{}\" signed it, and is no authority (basic constraints)", pair[1].subject);
        found.push(("tls.bad_certificate", text));
    }
    found
}

/// Shorter keys are refused by every client of today (NIST SP 800-57).
const RSA_BITS_MIN: usize = 2_048;
