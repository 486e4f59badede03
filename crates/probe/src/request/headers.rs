//! Header fields as a trace keeps them: bounded, and without what lets anyone in.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use thru_trace::Value;

use crate::login;

/// Further fields are left out.
const FIELDS_MAX: usize = 64;
/// Longer values are cut.
const VALUE_MAX: usize = 1024;
/// Stands for a value that nobody else should read.
const LEFT_OUT: &str = "(left out)";
/// Fields with secrets of their owner.
const SECRET: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    header::SET_COOKIE,
    HeaderName::from_static("x-api-key"),
];

/// Fields that hold an address, which may hold a login.
const ADDRESSES: [HeaderName; 3] = [header::LOCATION, header::CONTENT_LOCATION, header::REFERER];

/// `name: value`, one for each field, in the order in which they came.
pub(super) fn told(headers: &HeaderMap) -> Vec<Value> {
    headers
        .iter()
        .take(FIELDS_MAX)
        .map(|(name, value)| Value::Text(format!("{name}: {}", shown(name, value))))
        .collect()
}

/// One value, cut, without its secrets.
pub(super) fn shown(name: &HeaderName, value: &HeaderValue) -> String {
    if SECRET.contains(name) {
        return LEFT_OUT.to_owned();
    }
    let value = value.as_bytes();
    let text = String::from_utf8_lossy(&value[..value.len().min(VALUE_MAX)]);
    match ADDRESSES.contains(name) {
        true => without_login(&text),
        false => text.into_owned(),
    }
}

/// An address, absolute or not (RFC 9110 10.2.2), without its login.
fn without_login(text: &str) -> String {
    let begins = |at: &usize| *at == 0 || text[..*at].ends_with(':');
    let Some(at) = text.find("//").filter(begins) else { return text.to_owned() };
    let (scheme, rest) = text.split_at(at + 2);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    match authority.contains('@') {
        true => format!("{scheme}{}{}", login::hidden(authority), &rest[authority.len()..]),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_and_long_values_are_cut() {
        let mut headers = HeaderMap::new();
        headers.insert(header::SERVER, HeaderValue::from_static("nginx"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
        headers.append(header::SET_COOKIE, HeaderValue::from_static("id=1"));
        headers.append(header::SET_COOKIE, HeaderValue::from_static("id=2"));
        headers.insert(header::VIA, HeaderValue::from_bytes(&[b'x'; 3000]).unwrap());
        let told: Vec<String> = told(&headers)
            .into_iter()
            .map(|value| match value {
                Value::Text(text) => text,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            told[..4],
            [
                "server: nginx",
                "authorization: (left out)",
                "set-cookie: (left out)",
                "set-cookie: (left out)"
            ]
        );
        assert_eq!(told[4].len(), "via: ".len() + VALUE_MAX);
    }

    #[test]
    fn an_address_is_shown_without_its_login() {
        let shown = |text: &'static str| shown(&header::LOCATION, &HeaderValue::from_static(text));
        assert_eq!(shown("https://me:s3cret@a.lab/x@y"), "https://(left out)@a.lab/x@y");
        assert_eq!(shown("//me:s3cret@a.lab?x"), "//(left out)@a.lab?x");
        for plain in ["https://a.lab/me@b", "/me@b", "https://a.lab//c@d", "/x//c@d", ""] {
            assert_eq!(shown(plain), plain);
        }
    }

    #[test]
    fn endless_fields_end() {
        let mut headers = HeaderMap::new();
        for number in 0..200 {
            headers.insert(HeaderName::try_from(format!("x-{number}")).unwrap(), HeaderValue::from(number));
        }
        assert_eq!(told(&headers).len(), FIELDS_MAX);
    }
}
