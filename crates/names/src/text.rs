//! Names, types and records in master-file form (RFC 1035 section 5.1), safe to print.

use std::fmt::Write;
use std::net::IpAddr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::svcb::{SVCB, SvcParamValue};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::BinEncodable;

/// Registered types that the codec has no name for.
const MORE_TYPES: [(&str, u16); 24] = [
    ("MD", 3),
    ("MF", 4),
    ("MB", 7),
    ("MG", 8),
    ("MR", 9),
    ("WKS", 11),
    ("MINFO", 14),
    ("RP", 17),
    ("AFSDB", 18),
    ("X25", 19),
    ("ISDN", 20),
    ("RT", 21),
    ("PX", 26),
    ("LOC", 29),
    ("KX", 36),
    ("DNAME", 39),
    ("APL", 42),
    ("DHCID", 49),
    ("TALINK", 58),
    ("ZONEMD", 63),
    ("SPF", 99),
    ("EUI48", 108),
    ("EUI64", 109),
    ("URI", 256),
];

/// A type as users write it, any case: `a`, `AAAA`, `TYPE65` (RFC 3597 section 5). `None`: no such type.
pub fn parse_type(text: &str) -> Option<RecordType> {
    let upper = text.to_ascii_uppercase();
    // Some that the codec knows and does not read.
    match upper.as_str() {
        "OPT" => return Some(RecordType::OPT),
        "IXFR" => return Some(RecordType::IXFR),
        "ANY" => return Some(RecordType::ANY),
        _ => {}
    }
    if let Some((_, number)) = MORE_TYPES.iter().find(|(name, _)| *name == upper) {
        return Some(RecordType::from(*number));
    }
    if let Some(number) = upper.strip_prefix("TYPE") {
        return number.parse::<u16>().ok().map(RecordType::from);
    }
    upper.parse().ok()
}

/// A type as users read it: `A`, `HTTPS`, `TYPE64000`.
pub fn type_text(record_type: RecordType) -> String {
    match record_type {
        RecordType::Unknown(code) => match MORE_TYPES.iter().find(|(_, number)| *number == code) {
            Some((name, _)) => (*name).to_owned(),
            None => format!("TYPE{code}"),
        },
        // It is reserved and has no name.
        RecordType::ZERO => "TYPE0".to_owned(),
        known => known.to_string(),
    }
}

/// A response code in the words tools print: `NOERROR`, `NXDOMAIN`, `RCODE3841`.
pub fn rcode_text(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".into(),
        ResponseCode::FormErr => "FORMERR".into(),
        ResponseCode::ServFail => "SERVFAIL".into(),
        ResponseCode::NXDomain => "NXDOMAIN".into(),
        ResponseCode::NotImp => "NOTIMP".into(),
        ResponseCode::Refused => "REFUSED".into(),
        ResponseCode::YXDomain => "YXDOMAIN".into(),
        ResponseCode::YXRRSet => "YXRRSET".into(),
        ResponseCode::NXRRSet => "NXRRSET".into(),
        ResponseCode::NotAuth => "NOTAUTH".into(),
        ResponseCode::NotZone => "NOTZONE".into(),
        // One number, 16: BADSIG is its name inside TSIG records only.
        ResponseCode::BADVERS | ResponseCode::BADSIG => "BADVERS".into(),
        ResponseCode::BADCOOKIE => "BADCOOKIE".into(),
        other => format!("RCODE{}", u16::from(other)),
    }
}

/// The registered name of an extended error code (RFC 8914 section 5.2, and those registered since).
pub fn extended_error_text(code: u16) -> &'static str {
    match code {
        0 => "Other Error",
        1 => "Unsupported DNSKEY Algorithm",
        2 => "Unsupported DS Digest Type",
        3 => "Stale Answer",
        4 => "Forged Answer",
        5 => "DNSSEC Indeterminate",
        6 => "DNSSEC Bogus",
        7 => "Signature Expired",
        8 => "Signature Not Yet Valid",
        9 => "DNSKEY Missing",
        10 => "RRSIGs Missing",
        11 => "No Zone Key Bit Set",
        12 => "NSEC Missing",
        13 => "Cached Error",
        14 => "Not Ready",
        15 => "Blocked",
        16 => "Censored",
        17 => "Filtered",
        18 => "Prohibited",
        19 => "Stale NXDOMAIN Answer",
        20 => "Not Authoritative",
        21 => "Not Supported",
        22 => "No Reachable Authority",
        23 => "Network Error",
        24 => "Invalid Data",
        25 => "Signature Expired before Valid",
        26 => "Too Early",
        27 => "Unsupported NSEC3 Iterations Value",
        28 => "Unable to conform to policy",
        29 => "Synthesized",
        30 => "Invalid Query Type",
        _ => "Extended Error",
    }
}

/// A name from what a user typed, made absolute: `www.shop.lab`, `www.shop.lab.`, `.`.
///
/// Text outside ASCII goes through IDNA. The error says what is wrong with it (RFC 1035 section 2.3.4: labels of at
/// most 63 bytes, names of at most 255).
pub fn parse_name(text: &str) -> Result<Name, String> {
    if text.is_ascii() {
        return Ok(parse_labels(text)?.0);
    }
    let mut name = Name::from_utf8(text).map_err(|error| format!("not a domain name: {error}"))?;
    name.set_fqdn(true);
    Ok(name)
}

/// A name in master-file form (RFC 1035 section 5.1: `\.` and `\DDD`), and whether it ended with a dot.
/// Any byte may stand in a label (RFC 2181 section 11); the codec's own parser refuses some.
pub(crate) fn parse_labels(text: &str) -> Result<(Name, bool), String> {
    if text.is_empty() {
        return Err("an empty name".into());
    }
    if text == "." {
        return Ok((Name::root(), true));
    }
    let mut labels: Vec<Vec<u8>> = Vec::new();
    let mut label = Vec::new();
    let mut rest = text.as_bytes();
    let mut absolute = false;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match *first {
            b'.' if label.is_empty() => return Err(format!("an empty label in `{}`", printable(text))),
            b'.' => {
                labels.push(std::mem::take(&mut label));
                absolute = rest.is_empty();
            }
            b'\\' => {
                let (byte, after) = unescape(rest).ok_or("a `\\` with nothing to escape")?;
                label.push(byte);
                rest = after;
            }
            byte => label.push(byte),
        }
    }
    if !label.is_empty() {
        labels.push(label);
    }
    if let Some(label) = labels.iter().find(|label| label.len() > 63) {
        let start = String::from_utf8_lossy(&label[..16]);
        return Err(format!(
            "a label of {} characters, more than 63: `{}...`",
            label.len(),
            printable(&start)
        ));
    }
    let name = Name::from_labels(labels.iter().map(Vec::as_slice))
        .map_err(|error| format!("not a domain name: {error}"))?;
    if name.len() > Name::MAX_LENGTH {
        return Err("a name of more than 255 bytes".into());
    }
    Ok((name, absolute))
}

/// The byte that follows a `\`, and what comes after it. `None` at the end, and for `\DDD` above 255.
pub(crate) fn unescape(rest: &[u8]) -> Option<(u8, &[u8])> {
    match rest {
        [a, b, c, tail @ ..] if a.is_ascii_digit() && b.is_ascii_digit() && c.is_ascii_digit() => {
            let value = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
            Some((u8::try_from(value).ok()?, tail))
        }
        [escaped, tail @ ..] => Some((*escaped, tail)),
        [] => None,
    }
}

/// The name under `in-addr.arpa` or `ip6.arpa` that PTR queries for `address` use (RFC 1035 section 3.5, RFC 3596).
pub fn reverse_name(address: IpAddr) -> Name {
    let mut name = Name::from(address);
    name.set_fqdn(true);
    name
}

/// A name in absolute form with its special and unprintable bytes escaped.
pub fn name_text(name: &Name) -> String {
    let mut text = String::new();
    for label in name.iter() {
        for &byte in label {
            match byte {
                b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                    text.push('\\');
                    text.push(char::from(byte));
                }
                0x21..=0x7e => text.push(char::from(byte)),
                _ => write!(text, "\\{byte:03}").expect("a String takes all text"),
            }
        }
        text.push('.');
    }
    if text.is_empty() { ".".into() } else { text }
}

/// One record as a master-file line: owner, TTL, class, type, data, separated by single blanks.
pub fn record_line(record: &crate::wire::RawRecord) -> String {
    match crate::message::record_of(record) {
        Some(record) => record_text(&record),
        None => format!(
            "{} {} {} {} {}",
            name_text(&record.name),
            record.ttl,
            hickory_proto::rr::DNSClass::from(record.class),
            type_text(record.rtype),
            crate::rdata::data_text(record.rtype, &record.data)
        ),
    }
}

/// A record in master-file form.
pub fn record_text(record: &Record) -> String {
    format!(
        "{} {} {} {} {}",
        name_text(&record.name),
        record.ttl,
        record.dns_class,
        type_text(record.record_type()),
        data_text(&record.data)
    )
}

/// The data of a record in master-file form; types without a form of their own in RFC 3597's generic one.
pub fn data_text(data: &RData) -> String {
    match data {
        RData::A(a) => a.0.to_string(),
        RData::AAAA(aaaa) => aaaa.0.to_string(),
        RData::NS(name) => name_text(&name.0),
        RData::CNAME(name) => name_text(&name.0),
        RData::PTR(name) => name_text(&name.0),
        RData::MX(mx) => format!("{} {}", mx.preference, name_text(&mx.exchange)),
        RData::SRV(srv) => format!("{} {} {} {}", srv.priority, srv.weight, srv.port, name_text(&srv.target)),
        RData::SOA(soa) => format!(
            "{} {} {} {} {} {} {}",
            name_text(&soa.mname),
            name_text(&soa.rname),
            soa.serial,
            soa.refresh.cast_unsigned(),
            soa.retry.cast_unsigned(),
            soa.expire.cast_unsigned(),
            soa.minimum
        ),
        RData::TXT(txt) => txt.txt_data.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(" "),
        RData::SVCB(svcb) => svcb_text(svcb),
        RData::HTTPS(https) => svcb_text(&https.0),
        RData::CAA(_) | RData::TLSA(_) | RData::SSHFP(_) => printable(&data.to_string()),
        other => octets_text(other),
    }
}

fn svcb_text(svcb: &SVCB) -> String {
    let mut text = format!("{} {}", svcb.svc_priority, name_text(&svcb.target_name));
    for (key, value) in &svcb.svc_params {
        let value = match value {
            SvcParamValue::NoDefaultAlpn => None,
            SvcParamValue::Alpn(alpn) => Some(alpn.0.join(",")),
            SvcParamValue::Mandatory(keys) => {
                Some(keys.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
            }
            SvcParamValue::Ipv4Hint(hints) => {
                Some(hints.0.iter().map(|hint| hint.0.to_string()).collect::<Vec<_>>().join(","))
            }
            SvcParamValue::Ipv6Hint(hints) => {
                Some(hints.0.iter().map(|hint| hint.0.to_string()).collect::<Vec<_>>().join(","))
            }
            other => Some(other.to_string().trim_end_matches(',').trim_matches('"').to_owned()),
        };
        match value {
            Some(value) => write!(text, " {key}={}", printable(&value)),
            None => write!(text, " {key}"),
        }
        .expect("a String takes all text");
    }
    text
}

/// A character-string in quotes, unprintable bytes as `\DDD` (RFC 1035 section 5.1).
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(byte));
            }
            0x20..=0x7e => text.push(char::from(byte)),
            _ => write!(text, "\\{byte:03}").expect("a String takes all text"),
        }
    }
    text.push('"');
    text
}

/// By way of the octets: the codec's own texts for the rest of the types are not those of master files.
fn octets_text(data: &RData) -> String {
    let octets = match data {
        RData::Unknown { rdata, .. } => rdata.anything.clone(),
        known => known.to_bytes().unwrap_or_default(),
    };
    crate::rdata::data_text(data.record_type(), &octets)
}

/// Replaces what a terminal would act on.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Seconds since 1970 as C's `ctime` writes them, in UTC: `Mon Aug 24 07:46:40 2009`.
pub fn date(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = seconds.div_euclid(86_400);
    let of_day = seconds.rem_euclid(86_400);
    // Civil date from days, counted in eras of 400 years from March (the usual arithmetic).
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_index + 2) / 5 + 1;
    let month = (month_index + 2) % 12;
    let year = year_of_era + era * 400 + i64::from(month < 2);
    format!(
        "{} {} {day:2} {:02}:{:02}:{:02} {year}",
        DAYS[days.rem_euclid(7) as usize],
        MONTHS[month as usize],
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

#[cfg(test)]
mod tests;
