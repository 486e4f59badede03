//! Header fields as a trace keeps them: bounded, and without what lets anyone in.

use http::header::{self, HeaderMap, HeaderName};
use thru_trace::Value;

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

/// `name: value`, one for each field, in the order in which they came.
pub(super) fn told(headers: &HeaderMap) -> Vec<Value> {
    headers
        .iter()
        .take(FIELDS_MAX)
        .map(|(name, value)| {
            let value = value.as_bytes();
            let value = match SECRET.contains(name) {
                true => LEFT_OUT.into(),
                false => String::from_utf8_lossy(&value[..value.len().min(VALUE_MAX)]),
            };
            Value::Text(format!("{name}: {value}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

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
    fn endless_fields_end() {
        let mut headers = HeaderMap::new();
        for number in 0..200 {
            headers.insert(HeaderName::try_from(format!("x-{number}")).unwrap(), HeaderValue::from(number));
        }
        assert_eq!(told(&headers).len(), FIELDS_MAX);
    }
}
