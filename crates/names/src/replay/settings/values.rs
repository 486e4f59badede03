//! Values of settings: words, numbers, names, prefixes, files.

use std::net::IpAddr;

use hickory_proto::rr::{Name, RecordType};

use super::super::script::{Script, Setting};
use crate::rdata::name_from_text;
use crate::wire::RawRecord;

/// Files inside files, at most.
const INCLUDES_MAX: usize = 16;

/// All words of a setting's value.
pub(super) fn words(setting: &Setting) -> Vec<String> {
    format!("{} {}", setting.value, setting.rest).split_whitespace().map(str::to_owned).collect()
}

pub(super) fn yes(setting: &Setting) -> bool {
    matches!(setting.value.to_ascii_lowercase().as_str(), "yes" | "on" | "true")
}

pub(super) fn number<T: std::str::FromStr>(setting: &Setting) -> Result<T, String> {
    setting.value.parse().map_err(|_| format!("no number: {}", setting.value))
}

pub(super) fn name(text: &str) -> Result<Name, String> {
    name_from_text(text, &Name::root())
}

/// A size in octets, perhaps with `k`, `m` or `g`; what it bounds at least is one.
pub(super) fn octets(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(['b', 'B']);
    let shift = match digits.chars().last()? {
        'k' | 'K' => 10,
        'm' | 'M' => 20,
        'g' | 'G' => 30,
        _ => 0,
    };
    let number: usize = digits.trim_end_matches(char::is_alphabetic).parse().ok()?;
    number.checked_mul(1 << shift).map(|octets| octets.max(1))
}

/// `address`, `address/length`.
pub(super) fn prefix(text: &str) -> Result<(IpAddr, u8), String> {
    let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
    let address: IpAddr = address.parse().map_err(|_| format!("no address: {text}"))?;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        Some(length) => length.parse().map_err(|_| format!("no prefix: {text}"))?,
        None => whole,
    };
    Ok((address, length))
}

/// A value without the quotation marks around it.
pub(super) fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let inner = |mark: char| text.strip_prefix(mark).and_then(|text| text.strip_suffix(mark));
    inner('"').or_else(|| inner('\'')).unwrap_or(text.trim_matches('"'))
}

/// A file of the script with those that it includes.
pub(super) fn with_includes(script: &Script, file: &str) -> Result<String, String> {
    let file_text = |file: &str| script.files.get(file).cloned().ok_or_else(|| format!("no file {file}"));
    let mut text = file_text(file)?;
    for _ in 0..INCLUDES_MAX {
        let Some(line) = text.lines().find(|line| line.starts_with("$INCLUDE")).map(str::to_owned) else {
            return Ok(text);
        };
        let name = line.split_whitespace().nth(1).unwrap_or("");
        text = text.replacen(&line, &file_text(name)?, 1);
    }
    Err(format!("{file} includes too much"))
}

/// Name servers and their addresses out of a hints file (RFC 9609).
pub(super) fn hints(records: &[RawRecord]) -> Vec<(Name, Vec<IpAddr>)> {
    let servers = records.iter().filter(|record| record.rtype == RecordType::NS && record.name.is_root());
    servers
        .filter_map(|ns| crate::rdata::target(RecordType::NS, &ns.data))
        .map(|server| {
            let address = |record: &RawRecord| match record.rtype {
                RecordType::A => <[u8; 4]>::try_from(&record.data[..]).ok().map(IpAddr::from),
                RecordType::AAAA => <[u8; 16]>::try_from(&record.data[..]).ok().map(IpAddr::from),
                _ => None,
            };
            let own = records.iter().filter(|record| record.name == server);
            (server.clone(), own.filter_map(address).collect())
        })
        .collect()
}
