//! An update, for who sends one: written line by line, in nsupdate's words.
//!
//! ```text
//! prereq nxdomain new.shop.example
//! add new.shop.example 60 A 192.0.2.9
//! delete old.shop.example A
//! ```

use hickory_proto::rr::{Name, RecordType};

use super::{ANY, NONE, UPDATE};
use crate::rdata::{name_from_text, record_from_text};
use crate::text::parse_type;
use crate::wire::{CLASS_IN, Header, Packet, Question, RawRecord};

/// TTL of a record that is written without one.
const TTL: u32 = 3600;

/// The message with this id that asks for what the lines say to be changed in a zone. Names that do not end in a dot are
/// the zone's. The error names the line.
pub fn message<'a>(
    id: u16,
    origin: &Name,
    lines: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<u8>, String> {
    let mut packet = Packet {
        header: Header { id, opcode: UPDATE, ..Header::default() },
        questions: vec![Question::new(origin.clone(), RecordType::SOA)],
        ..Packet::default()
    };
    for text in lines {
        let wrong = |why: String| format!("`{text}`: {why}");
        match line(origin, text).map_err(wrong)? {
            Line::Wanted(record) => packet.answers.push(record),
            Line::Change(record) => packet.authorities.push(record),
        }
    }
    packet.write(usize::from(u16::MAX)).ok_or_else(|| "it does not fit into a message".to_owned())
}

/// What a line is.
enum Line {
    /// A prerequisite (RFC 2136 section 2.4).
    Wanted(RawRecord),
    /// A change (RFC 2136 section 2.5).
    Change(RawRecord),
}

fn line(origin: &Name, text: &str) -> Result<Line, String> {
    let (verb, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    match verb {
        "update" => line(origin, rest),
        "add" => record_from_text(rest, origin, TTL, None).map(Line::Change).map_err(that),
        "del" | "delete" => about(origin, rest, NONE, ANY).map(Line::Change),
        "prereq" => {
            let (kind, rest) = rest.trim().split_once(' ').unwrap_or((rest, ""));
            let (with_data, without) = match kind {
                "yxdomain" | "yxrrset" => (CLASS_IN, ANY),
                "nxdomain" | "nxrrset" => (NONE, NONE),
                other => return Err(format!("`{other}` is none of yxdomain, nxdomain, yxrrset, nxrrset")),
            };
            let record = about(origin, rest, with_data, without)?;
            let fits = match kind {
                "yxdomain" | "nxdomain" => record.rtype == RecordType::ANY,
                "nxrrset" => record.rtype != RecordType::ANY && record.data.is_empty(),
                _ => record.rtype != RecordType::ANY,
            };
            if fits { Ok(Line::Wanted(record)) } else { Err(format!("that is no {kind}")) }
        }
        other => Err(format!("`{other}` is none of add, delete, prereq")),
    }
}

/// `NAME`, `NAME TYPE` or `NAME TYPE DATA`: a record of the first class if it has data, else of the second.
fn about(origin: &Name, text: &str, with_data: u16, without: u16) -> Result<RawRecord, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let name = words.first().ok_or("a name is missing")?;
    if words.len() > 2 {
        let record = record_from_text(text, origin, 0, None).map_err(that)?;
        return Ok(RawRecord { class: with_data, ttl: 0, ..record });
    }
    let rtype = words.get(1).map_or(Some(RecordType::ANY), |word| parse_type(word));
    let rtype = rtype.ok_or_else(|| format!("`{}` is no type", words[1]))?;
    let name = name_from_text(name, origin).map_err(that)?;
    Ok(RawRecord { name, rtype, class: without, ttl: 0, data: [][..].into() })
}

fn that(why: String) -> String {
    format!("a record that {why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::update::changed;
    use crate::rdata::{data_text, master_records};
    use crate::text::{name_text, parse_name, type_text};

    fn origin() -> Name {
        parse_name("shop.").expect("a name")
    }

    /// What a zone with `www` holds besides its SOA after an update, or its response code.
    fn check(lines: &[&str], expected: &str) {
        let octets = message(7, &origin(), lines.iter().copied()).expect("lines that are understood");
        let packet = Packet::read(&octets).expect("our own");
        let zone = "@ 300 SOA ns a 7 2 3 4 60\n@ 300 NS ns\nwww 300 A 192.0.2.80\n";
        let zone = master_records(zone, &origin()).expect("a zone");
        let found = match changed(&origin(), &zone, false, &packet) {
            Err(code) => format!("code {code}"),
            Ok(new) => new.unwrap_or(zone)[2..]
                .iter()
                .map(|own| {
                    format!(
                        "{} {} {}",
                        name_text(&own.name),
                        type_text(own.rtype),
                        data_text(own.rtype, &own.data)
                    )
                })
                .collect::<Vec<_>>()
                .join(", "),
        };
        assert_eq!(found, expected, "{lines:?}");
    }

    #[test]
    fn lines_are_what_they_say() {
        check(&["add new 60 A 192.0.2.9"], "www.shop. A 192.0.2.80, new.shop. A 192.0.2.9");
        check(&["update delete www A 192.0.2.80"], "");
        check(&["del www.shop. AAAA"], "www.shop. A 192.0.2.80");
        check(&["delete www", "add www 60 TXT gone"], "www.shop. TXT \"gone\"");
        check(&["prereq yxrrset www A 192.0.2.80", "delete www A"], "");
        check(&["prereq yxrrset www A 192.0.2.81", "delete www A"], "code 8");
        check(&["prereq yxrrset www AAAA"], "code 8");
        check(&["prereq nxrrset www A"], "code 7");
        check(&["prereq nxdomain www"], "code 6");
        check(&["prereq yxdomain new"], "code 3");
    }

    #[test]
    fn lines_that_are_not_understood_are_named() {
        let said = |text: &str| message(7, &origin(), [text]).expect_err("it is wrong");
        assert_eq!(said("remove www"), "`remove www`: `remove` is none of add, delete, prereq");
        assert_eq!(said("delete"), "`delete`: a name is missing");
        assert_eq!(said("delete www NEWTYPE"), "`delete www NEWTYPE`: `NEWTYPE` is no type");
        assert_eq!(
            said("add www 60 A nowhere"),
            "`add www 60 A nowhere`: a record that has a bad address nowhere"
        );
        assert_eq!(
            said("prereq none www"),
            "`prereq none www`: `none` is none of yxdomain, nxdomain, yxrrset, nxrrset"
        );
        assert_eq!(
            said("prereq nxrrset www A 192.0.2.1"),
            "`prereq nxrrset www A 192.0.2.1`: that is no nxrrset"
        );
    }
}
