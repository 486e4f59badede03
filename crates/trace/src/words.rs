//! What other tools call a failure: curl, Chrome, Network Error Logging, OONI, Zeek.
//!
//! Those words stand for what was *seen*, not for its cause: curl's exit code 28 is a silent firewall, a lost route and a
//! slow program alike. So they follow the failed step's code, and a verdict carries them beside its own causes, for whoever
//! has to find the ticket, the log line or the dashboard that another tool wrote about the same event.

use serde::Serialize;

/// What other tools would have said of the same failure. `None`: that tool has no word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Words {
    /// curl's exit code (`man curl`, EXIT CODES).
    pub curl: Option<u8>,
    /// Chrome's network error, as its error page shows it.
    pub chrome: Option<&'static str>,
    /// The `type` of a Network Error Logging report (W3C Network Error Logging, section 6).
    pub nel: Option<&'static str>,
    /// The `failure` string of OONI's data format df-007.
    pub ooni: Option<&'static str>,
    /// Zeek's `conn_state`, of the connection that failed.
    pub zeek: Option<&'static str>,
}

/// A line for each code, its columns in the order of [`Words`], `-` for no word; a code that ends in a dot stands for all
/// that begin with it.
const TABLE: &str = include_str!("words.txt");

/// The lines of the table, without its head: the code and the words.
fn rows() -> impl Iterator<Item = (&'static str, Words)> {
    TABLE.lines().skip(1).map(|line| {
        let mut columns = line.split_whitespace();
        let code = columns.next().unwrap_or_default();
        let mut word = || columns.next().filter(|word| *word != "-");
        let curl = word().and_then(|code| code.parse().ok());
        (code, Words { curl, chrome: word(), nel: word(), ooni: word(), zeek: word() })
    })
}

/// What the other tools call a step that failed with this code, such as `tcp.timeout`; `None` for codes of no layer they
/// know.
pub fn of(code: &str) -> Option<Words> {
    let is_family = |known: &&str| known.ends_with('.') && code.starts_with(known);
    rows()
        .filter(|(known, _)| *known == code || is_family(known))
        .max_by_key(|(known, _)| known.len())
        .map(|(_, words)| words)
}

/// Of whom a request tells that failed by way of a proxy in another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// Of the target: it is not answered there either.
    Target,
    /// Of the proxy, which does not pass it on: it wants a login, or forbids it.
    Forbidden,
    /// Of the way to the proxy, which was not reached itself.
    Unreached,
}

/// Of whom a failure with this code tells, where the request went by way of a proxy in another place: only one that was
/// asked to pass it on, and tried, can say that the target is not answered there.
pub fn elsewhere(code: &str) -> Elsewhere {
    match code {
        // RFC 9110 15.5.8, 15.5.4, 15.5.6; RFC 1928 6: not allowed by its rules, no such command.
        "proxy.status.407" | "proxy.status.403" | "proxy.status.405" => Elsewhere::Forbidden,
        "proxy.socks.login" | "proxy.socks.2" | "proxy.socks.7" => Elsewhere::Forbidden,
        _ if ["proxy.status.", "proxy.socks.", "tls.", "http."].iter().any(|kind| code.starts_with(kind)) => {
            Elsewhere::Target
        }
        _ => Elsewhere::Unreached,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_tried_to_pass_it_on_tells_of_the_target() {
        for code in
            ["proxy.status.502", "proxy.status.504", "proxy.socks.4", "tls.timeout", "http.status.500"]
        {
            assert_eq!(elsewhere(code), Elsewhere::Target, "{code}");
        }
        for code in ["proxy.status.407", "proxy.status.403", "proxy.socks.login", "proxy.socks.2"] {
            assert_eq!(elsewhere(code), Elsewhere::Forbidden, "{code}");
        }
        for code in
            ["proxy.timeout", "proxy.tcp.refused", "proxy.dns.nxdomain", "proxy.protocol", "", "tcp.timeout"]
        {
            assert_eq!(elsewhere(code), Elsewhere::Unreached, "{code}");
        }
    }

    #[test]
    fn codes_stand_once_and_families_catch_the_rest() {
        let codes: Vec<&str> = rows().map(|(code, _)| code).collect();
        for (place, code) in codes.iter().enumerate() {
            assert!(!codes[..place].contains(code), "{code} stands twice");
        }
        assert!(TABLE.lines().all(|line| line.split_whitespace().count() == 6), "a column is missing");
        assert_eq!(of("tls.alert.internal_error").unwrap().curl, Some(35));
        assert_eq!(of("http.status.503").unwrap().nel, Some("http.error"));
        assert_eq!(of("tcp.refused").unwrap().zeek, Some("REJ"));
        assert_eq!(of("dns.nxdomain").unwrap().ooni, Some("dns_nxdomain_error"));
        assert_eq!(of("nothing"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn words_are_spelled_as_their_owners_spell_them() {
        for (code, words) in rows() {
            assert!(words.curl.is_some() && words.chrome.is_some(), "{code}");
            assert!(words.chrome.is_none_or(|word| word.starts_with("ERR_")), "{code}");
            for word in [words.nel, words.ooni].into_iter().flatten() {
                assert!(
                    word.bytes().all(|b| b.is_ascii_lowercase() || b"._0123456789".contains(&b)),
                    "{code}"
                );
            }
            let states =
                ["S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH"];
            assert!(words.zeek.is_none_or(|word| states.contains(&word)), "{code}");
        }
    }
}
