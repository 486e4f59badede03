//! The names by which clients learn which root keys we trust (RFC 8509).

use hickory_proto::rr::{Name, RecordType};

use crate::resolver::Answer;
use crate::rrset::Security;
use crate::wire::Question;

/// Whether a name asks about a key: its tag, and whether it asks that the key be trusted.
fn asked(name: &Name) -> Option<(bool, u16)> {
    let label = std::str::from_utf8(name.iter().next()?).ok()?.to_ascii_lowercase();
    let rest = label.strip_prefix("root-key-sentinel-")?;
    let (wanted, tag) = match (rest.strip_prefix("is-ta-"), rest.strip_prefix("not-ta-")) {
        (Some(tag), _) => (true, tag),
        (_, Some(tag)) => (false, tag),
        _ => return None,
    };
    // Five digits, no more and no fewer (section 2.1).
    (tag.len() == 5 && tag.bytes().all(|c| c.is_ascii_digit())).then_some((wanted, tag.parse().ok()?))
}

/// Whether a validated answer is to be SERVFAIL, given the tags of the root's trusted keys (section 2.2).
pub(super) fn denies(question: &Question, answer: &Answer, tags: &[u16]) -> bool {
    matches!(question.rtype, RecordType::A | RecordType::AAAA)
        && answer.security == Security::Secure
        && asked(&question.name).is_some_and(|(wanted, tag)| wanted != tags.contains(&tag))
}

#[cfg(test)]
mod tests {
    use super::asked;
    use crate::text::parse_name;

    #[test]
    fn only_the_form_of_the_rfc_asks() {
        let check = |text: &str, wanted| assert_eq!(asked(&parse_name(text).expect(text)), wanted, "{text}");
        check("root-key-sentinel-is-ta-20326.example", Some((true, 20326)));
        check("ROOT-key-sentinel-not-ta-00042.example", Some((false, 42)));
        check("root-key-sentinel-is-ta-2032.example", None);
        check("root-key-sentinel-is-ta-99999.example", None);
        check("www.root-key-sentinel-is-ta-20326.example", None);
    }
}
