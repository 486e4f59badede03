//! Names of DNS: domain names as bytes and as text, types, classes.

/// The types that are named; all others are numbers.
pub(crate) const TYPES: &[(&str, u64)] = &[
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("SRV", 33),
    ("NAPTR", 35),
    ("OPT", 41),
    ("DS", 43),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("DNSKEY", 48),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("AXFR", 252),
    ("ANY", 255),
    ("CAA", 257),
];

/// The classes that are named.
pub(crate) const CLASSES: &[(&str, u64)] = &[("IN", 1), ("CH", 3), ("HS", 4), ("NONE", 254), ("ANY", 255)];

/// A domain name in its wire form (RFC 1035 section 3.1), from text with `\.` and `\DDD`; else what is wrong. Lengths
/// that the wire can't say are refused; a name longer than 255 bytes is not: it may be wanted wrong.
pub(crate) fn to_wire(text: &str) -> Result<Vec<u8>, &'static str> {
    let mut wire = Vec::new();
    if text == "." {
        return Ok(vec![0]);
    }
    let mut label = Vec::new();
    let mut bytes = text.bytes();
    let mut ended = false;
    while let Some(byte) = bytes.next() {
        ended = false;
        match byte {
            b'.' => {
                push(&mut wire, &mut label)?;
                ended = true;
            }
            b'\\' => match bytes.next() {
                Some(digit @ b'0'..=b'9') => {
                    let mut value = u32::from(digit - b'0');
                    for _ in 0..2 {
                        let digit =
                            bytes.next().filter(u8::is_ascii_digit).ok_or("\\DDD needs three digits")?;
                        value = value * 10 + u32::from(digit - b'0');
                    }
                    label.push(u8::try_from(value).map_err(|_| "\\DDD is at most 255")?);
                }
                Some(byte) => label.push(byte),
                None => return Err("a backslash at the end"),
            },
            byte => label.push(byte),
        }
    }
    if !ended {
        push(&mut wire, &mut label)?;
    }
    wire.push(0);
    Ok(wire)
}

fn push(wire: &mut Vec<u8>, label: &mut Vec<u8>) -> Result<(), &'static str> {
    if label.is_empty() {
        return Err("a label is empty");
    }
    if label.len() > 63 {
        return Err("a label is longer than 63 bytes");
    }
    wire.push(label.len() as u8);
    wire.append(label);
    Ok(())
}

/// The name at the start of `bytes` as text, and its length; `None` if it is compressed, cut short, or endless.
pub(crate) fn from_wire(bytes: &[u8]) -> Option<(String, usize)> {
    let (mut text, mut at) = (String::new(), 0);
    loop {
        let len = usize::from(*bytes.get(at)?);
        at += 1;
        if len == 0 {
            return Some((if text.is_empty() { String::from(".") } else { text }, at));
        }
        if len > 63 || at > 255 {
            return None;
        }
        for byte in bytes.get(at..at + len)? {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'*' => text.push(char::from(*byte)),
                byte => text.push_str(&format!("\\{byte:03}")),
            }
        }
        text.push('.');
        at += len;
    }
}
