//! The parameters of SVCB and HTTPS records.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::digits::base64;
use super::{Reader, TextError, unescaped};

/// `key=value` words of SVCB and HTTPS records (RFC 9460 section 2.1).
pub(super) fn parameters(reader: &mut Reader<'_>) -> Result<(), TextError> {
    const KEYS: [&str; 8] =
        ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath"];
    let mut parameters: Vec<(u16, Vec<u8>)> = Vec::new();
    while let Ok(word) = reader.word() {
        let (key, mut value) = word.text.split_once('=').unwrap_or((&word.text, ""));
        if value.is_empty()
            && word.text.ends_with('=')
            && reader.words.first().is_some_and(|next| next.quoted)
        {
            value = &reader.word()?.text;
        }
        let number = |key: &str| {
            let known = KEYS.iter().position(|known| *known == key).map(|at| at as u16);
            known
                .or_else(|| key.strip_prefix("key")?.parse().ok())
                .ok_or_else(|| format!("has an unknown parameter {key}"))
        };
        let number_of_key = number(key)?;
        let items = value.split(',').filter(|item| !item.is_empty());
        let mut data = Vec::new();
        match number_of_key {
            0 => {
                for item in items {
                    data.extend_from_slice(&number(item)?.to_be_bytes());
                }
            }
            1 => {
                for item in items {
                    data.push(item.len() as u8);
                    data.extend_from_slice(item.as_bytes());
                }
            }
            3 => {
                let port: u16 = value.parse().map_err(|_| "has a bad port")?;
                data.extend_from_slice(&port.to_be_bytes());
            }
            4 => {
                for item in items {
                    let address: Ipv4Addr = item.parse().map_err(|_| "has a bad hint")?;
                    data.extend_from_slice(&address.octets());
                }
            }
            6 => {
                for item in items {
                    let address: Ipv6Addr = item.parse().map_err(|_| "has a bad hint")?;
                    data.extend_from_slice(&address.octets());
                }
            }
            5 => data = base64(value).ok_or("has bad base64")?,
            _ => data = unescaped(value)?,
        }
        parameters.push((number_of_key, data));
    }
    parameters.sort();
    for (key, data) in parameters {
        reader.out.extend_from_slice(&key.to_be_bytes());
        reader.out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        reader.out.extend(data);
    }
    Ok(())
}
