//! Logins in addresses (RFC 3986 3.2.1, `user:password@host`): taken off at the door, sent where they belong, shown nowhere.
//!
//! - [`Login::take`]: start here. What keeps an address calls it first, so that no label, value or file holds the login.
//! - [`without`]: the address alone, for whoever only shows it.
//! - [`hidden`]: the same for text that may be no address at all, as error messages quote it.

use std::fmt;

use http::HeaderValue;
use thru_names::rdata::base64_text;
use url::Url;

/// What stands in the place of a login.
const LEFT_OUT: &str = "(left out)";

/// A name and a password. Its `Debug` shows neither: some accounts are known by their name alone, as those of tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    user: Vec<u8>,
    password: Vec<u8>,
}

impl Login {
    /// Takes the login off `url`; `None` if there was none. Percent escapes in it (RFC 3986 2.1) are undone.
    pub fn take(url: &mut Url) -> Option<Login> {
        if url.username().is_empty() && url.password().is_none() {
            return None;
        }
        let login = Login {
            user: unescaped(url.username()),
            password: unescaped(url.password().unwrap_or_default()),
        };
        // Only addresses without a host refuse, and those have no login to begin with.
        let _ = (url.set_password(None), url.set_username(""));
        Some(login)
    }

    /// The value of `Authorization` and `Proxy-Authorization` (RFC 7617 2).
    pub fn basic(&self) -> HeaderValue {
        let pair = [&self.user[..], b":", &self.password[..]].concat();
        let text = format!("Basic {}", base64_text(&pair));
        let mut value = HeaderValue::from_str(&text).expect("base64 is ASCII");
        value.set_sensitive(true);
        value
    }

    /// As SOCKS 5 wants it (RFC 1929 2); `None` if one of the two is empty or longer than it can say.
    pub(crate) fn socks(&self) -> Option<Vec<u8>> {
        let mut message = vec![1];
        for part in [&self.user, &self.password] {
            let length = u8::try_from(part.len()).ok().filter(|length| *length > 0)?;
            message.push(length);
            message.extend(part);
        }
        Some(message)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login{LEFT_OUT}")
    }
}

/// `url` without its login.
pub fn without(url: &Url) -> Url {
    let mut url = url.clone();
    Login::take(&mut url);
    url
}

/// `text` as a message may quote it: what could be a login in it, up to the last `@`, is left out.
pub fn hidden(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    match text.rfind('@') {
        Some(end) if end > start => format!("{}{LEFT_OUT}{}", &text[..start], &text[end..]),
        _ => text.to_owned(),
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digit = |at: usize| char::from(*behind.get(at)?).to_digit(16);
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                octets.push((high * 16 + low) as u8);
                rest = &behind[2..];
            }
            _ => {
                octets.push(*first);
                rest = behind;
            }
        }
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, alone: &str, basic: Option<&str>) {
        let mut url = Url::parse(text).unwrap();
        let login = Login::take(&mut url);
        assert_eq!(url.as_str(), alone);
        assert_eq!(login.map(|login| login.basic().to_str().unwrap().to_owned()).as_deref(), basic);
    }

    #[test]
    fn a_login_is_taken_off_and_sent_as_basic() {
        // RFC 7617 section 2 has this very example, and section 2.1 the one with the pound sign.
        check(
            "https://Aladdin:open%20sesame@a.lab/x",
            "https://a.lab/x",
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        );
        check("https://test:123%C2%A3@a.lab/", "https://a.lab/", Some("Basic dGVzdDoxMjPCow=="));
        check("https://token@a.lab/", "https://a.lab/", Some("Basic dG9rZW46"));
        check("http://:pw@a.lab:81/", "http://a.lab:81/", Some("Basic OnB3"));
        check("http://u:100%@a.lab/", "http://a.lab/", Some("Basic dToxMDAl"));
        check("https://a.lab/@b?c@d", "https://a.lab/@b?c@d", None);
        check("mailto:someone@a.lab", "mailto:someone@a.lab", None);
    }

    #[test]
    fn nobody_is_shown_it() {
        let mut url = Url::parse("https://user:s3cret@a.lab/").unwrap();
        let login = Login::take(&mut url).unwrap();
        assert_eq!(format!("{login:?} {:?}", login.basic()), "Login(left out) Sensitive");
        let shown = [
            ("https://user:s3cret@a.lab:99999/", "https://(left out)@a.lab:99999/"),
            ("user:s3cret@a.lab", "(left out)@a.lab"),
            ("https://user:s3/cr@et@a.lab", "https://(left out)@a.lab"),
            ("https://a.lab/", "https://a.lab/"),
            ("@192.0.2.1", "@192.0.2.1"),
        ];
        for (text, expected) in shown {
            assert_eq!(hidden(text), expected);
        }
    }

    #[test]
    fn socks_has_room_for_so_much() {
        let login = |user: &str, password: &str| Login { user: user.into(), password: password.into() };
        assert_eq!(login("me", "pw").socks().as_deref(), Some(&b"\x01\x02me\x02pw"[..]));
        assert_eq!(login("me", "").socks(), None);
        assert_eq!(login(&"x".repeat(256), "pw").socks(), None);
    }
}
