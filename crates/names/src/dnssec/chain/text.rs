//! A chain of trust as lines of text.

use std::fmt::Write;

use super::{Chain, Key, Problem, Signature, State, Vouch};
use crate::text::{date, extended_error_text, name_text, type_text};

/// The chain, a few lines for each zone, and one at the end that says what it comes to.
pub fn draw(chain: &Chain) -> String {
    let mut out = String::new();
    for part in chain.all() {
        draw_part(&mut out, part);
    }
    // Writing to a String never fails.
    let _ = writeln!(out, "{}", summary(chain));
    out
}

/// One chain without those that its aliases lead to.
fn draw_part(out: &mut String, chain: &Chain) {
    for (depth, link) in (chain.depth..).zip(&chain.links) {
        let indent = "  ".repeat(depth);
        let _ = writeln!(out, "{indent}{}  {}", name_text(&link.zone), word(&link.state));
        let who = if depth == 0 { "anchor" } else { "DS" };
        for vouch in &link.vouches {
            let _ = writeln!(out, "{indent}  {who} {}", vouch_text(vouch));
        }
        if depth > 0 && !link.vouches_signed.is_empty() {
            let what = if link.vouches.is_empty() { "no DS, proven" } else { "signed" };
            let _ = writeln!(out, "{indent}  {what} by {}", signatures(&link.vouches_signed, chain.now));
        }
        for key in &link.keys {
            let _ = writeln!(out, "{indent}  key {}", key_text(key));
        }
        if !link.keys_signed.is_empty() {
            let _ = writeln!(out, "{indent}  keys signed by {}", signatures(&link.keys_signed, chain.now));
        }
        reason(out, &indent, &link.state);
    }
    if let Some(leaf) = &chain.leaf {
        let indent = "  ".repeat(chain.depth + chain.links.len());
        let (name, kind) = (name_text(&leaf.name), type_text(leaf.rtype));
        let _ = writeln!(out, "{indent}{name} {kind}: {}  {}", leaf.says, word(&leaf.state));
        if !leaf.signed.is_empty() {
            let _ = writeln!(out, "{indent}  signed by {}", signatures(&leaf.signed, chain.now));
        }
        reason(out, &indent, &leaf.state);
    }
}

/// What the chain comes to, in one line.
pub fn summary(chain: &Chain) -> String {
    if let Some((at, problem)) = chain.broken() {
        return format!(
            "broken at {}: {} (EDE {} {}; {})",
            name_text(at),
            problem.what,
            problem.code,
            extended_error_text(problem.code),
            problem.rfc
        );
    }
    if chain.links.is_empty() {
        return "indeterminate: no trust anchor lies above the name".to_owned();
    }
    if let Some((zone, problem)) = chain.insecure() {
        let why = problem.map(|problem| format!(": {}", problem.what)).unwrap_or_default();
        return format!("insecure: from {} on nothing is signed{why}", name_text(zone));
    }
    if chain.secure() {
        return "secure: every link holds, from the trust anchor to the answer".to_owned();
    }
    "incomplete: the chain could not be followed to its end".to_owned()
}

/// The registered name of an algorithm (RFC 9905 and before), or its number.
pub fn algorithm(number: u8) -> String {
    let name = match number {
        1 => "RSAMD5",
        3 => "DSA",
        5 => "RSASHA1",
        7 => "RSASHA1-NSEC3-SHA1",
        8 => "RSASHA256",
        10 => "RSASHA512",
        13 => "ECDSAP256SHA256",
        14 => "ECDSAP384SHA384",
        15 => "ED25519",
        16 => "ED448",
        _ => return format!("algorithm {number}"),
    };
    name.to_owned()
}

/// The name of a digest type, or its number.
pub fn digest(number: u8) -> String {
    match number {
        1 => "SHA-1".to_owned(),
        2 => "SHA-256".to_owned(),
        4 => "SHA-384".to_owned(),
        _ => format!("digest type {number}"),
    }
}

pub(super) fn word(state: &State) -> &'static str {
    match state {
        State::Secure => "secure",
        State::Insecure(_) => "insecure",
        State::Broken(_) => "BROKEN",
    }
}

pub(super) fn vouch_text(vouch: &Vouch) -> String {
    let fits = if vouch.matches { "fits a key" } else { "FITS NO KEY" };
    format!("{} {} {}: {fits}", vouch.tag, algorithm(vouch.algorithm), digest(vouch.digest_type))
}

pub(super) fn key_text(key: &Key) -> String {
    let role = if key.entry_point { "KSK" } else { "ZSK" };
    let mut text = format!("{} {} {role}", key.tag, algorithm(key.algorithm));
    if key.vouched {
        text.push_str(", vouched for above");
    }
    if key.revoked {
        text.push_str(", REVOKED");
    }
    text
}

/// Which keys signed, and until when it holds.
pub(super) fn signatures(list: &[Signature], now: u32) -> String {
    let mut texts: Vec<String> = list
        .iter()
        .map(|signature| {
            let left = signature.expiration.wrapping_sub(now) as i32;
            let until = date(i64::from(signature.expiration));
            if left < 0 {
                format!("{}, EXPIRED {until}", signature.tag)
            } else if (signature.inception.wrapping_sub(now) as i32) > 0 {
                format!("{}, NOT BEFORE {}", signature.tag, date(i64::from(signature.inception)))
            } else {
                format!("{}, until {until}", signature.tag)
            }
        })
        .collect();
    texts.sort();
    texts.dedup();
    texts.join("; ")
}

fn reason(out: &mut String, indent: &str, state: &State) {
    if let State::Broken(Problem { code, what, rfc }) | State::Insecure(Some(Problem { code, what, rfc })) =
        state
    {
        let _ = writeln!(out, "{indent}  ! {what} (EDE {code} {}; {rfc})", extended_error_text(*code));
    }
}
