//! Compares our trees with what tshark says.

use crate::classes::{Classes, Verdict};
use crate::pdml::{LONGEST, Packet};
use crate::reasons::Reasons;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use thru_dissect::field::Kind;
use thru_dissect::file::{Item, Reader};
use thru_dissect::show::write_value;
use thru_dissect::{Arena, Dissector, Meta, Options, Tree, fields_named, protocols};

/// One thing that differs.
#[derive(Debug)]
pub struct Difference {
    /// The capture's file name.
    pub capture: String,
    /// The packet's number, from 1.
    pub packet: usize,
    /// The field's name, or `layers`.
    pub field: String,
    /// Our values, ` | ` between.
    pub ours: String,
    /// tshark's.
    pub theirs: String,
    /// Whose matter it is.
    pub verdict: Verdict,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { capture, packet, field, ours, theirs, verdict: _ } = self;
        let cut = |text: &str| text.chars().take(150).collect::<String>();
        write!(f, "{capture} #{packet} {field}:\n    here  {}\n    there {}", cut(ours), cut(theirs))
    }
}

/// What was found of one protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Packets that have it, by either of us.
    pub packets: usize,
    /// Of those, packets that have it the same number of times.
    pub layers: usize,
    /// Fields that were compared.
    pub fields: usize,
    /// Packets in which its layers and all values of its fields are the same.
    pub agree: usize,
    /// Packets in which something differs for a reason.
    pub explained: usize,
    /// Packets with something that we don't read yet, which is known.
    pub gaps: usize,
}

impl Row {
    /// Packets in which something differs for which nobody has said why.
    pub fn unexplained(&self) -> usize {
        self.packets - self.agree - self.explained - self.gaps
    }

    /// The share of packets whose layers agree, in percent.
    pub fn layers_percent(&self) -> f64 {
        100.0 * self.layers as f64 / self.packets.max(1) as f64
    }

    /// The share of packets in which nothing differs, in percent.
    pub fn agree_percent(&self) -> f64 {
        100.0 * self.agree as f64 / self.packets.max(1) as f64
    }

    /// Counts a packet whose heaviest difference this is.
    fn count(&mut self, worst: Option<Verdict>) {
        self.packets += 1;
        match worst {
            None => self.agree += 1,
            Some(Verdict::Explained) => self.explained += 1,
            Some(Verdict::Gap) => self.gaps += 1,
            Some(Verdict::Unexplained) => {}
        }
    }
}

/// What is known of other people's captures.
#[derive(Debug)]
pub struct Lenient {
    /// Classes of differences.
    pub classes: Classes,
    /// The fields that tshark has at all.
    pub known: BTreeSet<String>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report<'a> {
    /// All that differs.
    pub differences: Vec<Difference>,
    /// Other people's captures: what tshark goes on to read beyond the layers that we know does not count, and fields
    /// that we don't know are counted.
    lenient: Option<&'a Lenient>,
    pub(crate) unknown: BTreeMap<String, usize>,
    /// All of tshark's fields: how many packets and captures have them.
    pub(crate) in_use: BTreeMap<String, [usize; 2]>,
    /// Why something may differ in a capture.
    reasons: Option<&'a Reasons>,
    rows: BTreeMap<String, Row>,
    all: Row,
    /// Ports where HTTP/2 was recognised by its beginning, of which tshark has to be told.
    pub(crate) http2: BTreeSet<u64>,
}

impl<'a> Report<'a> {
    /// For captures in which everything agrees but for these reasons.
    pub fn strict(reasons: &'a Reasons) -> Report<'a> {
        Report { reasons: Some(reasons), ..Report::default() }
    }

    /// For captures in which there may be anything.
    pub fn lenient(known: &'a Lenient) -> Report<'a> {
        Report { lenient: Some(known), ..Report::default() }
    }

    /// What differs may have these reasons, too.
    pub fn with(self, reasons: &'a Reasons) -> Report<'a> {
        Report { reasons: Some(reasons), ..self }
    }

    /// Compares one capture.
    pub fn compare(&mut self, capture: &Path, theirs: &[Packet]) {
        self.compare_by(&mut Dissector::new(Options::default()), capture, theirs);
    }

    /// Compares one capture as a dissector reads it that knows something already: schemas, secrets.
    pub fn compare_by(&mut self, dissector: &mut Dissector, capture: &Path, theirs: &[Packet]) {
        let name = capture.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file = std::fs::File::open(capture).expect("the capture is there");
        let mut reader = match Reader::new(file) {
            Ok(reader) => reader,
            Err(_) if self.lenient.is_some() => return,
            Err(error) => panic!("{name}: {error}"),
        };
        // tshark counts custom blocks as packets.
        let before = theirs.len();
        let theirs: Vec<&Packet> = theirs.iter().filter(|packet| !packet.has("frame.cb_pen")).collect();
        let is_shifted = theirs.len() < before;
        let mut arena = Arena::new();
        let mut packet = 0;
        while let Ok(Some(item)) = reader.next() {
            match item {
                Item::Packet(record) => {
                    let tree = dissector.dissect(&Meta::of(&record, None), record.bytes, &mut arena);
                    let Some(theirs) = theirs.get(packet) else { break };
                    packet += 1;
                    self.packet(&name, packet, tree, theirs, is_shifted);
                }
                Item::Secrets { kind, bytes } => {
                    dissector.secrets(kind, bytes);
                }
                _ => {}
            }
        }
        assert!(self.lenient.is_some() || packet == theirs.len(), "{name}: packets");
    }

    /// Adds what was found in other captures.
    pub fn add(&mut self, other: Report<'a>) {
        self.differences.extend(other.differences);
        let rows = other.rows.into_iter().map(|(name, row)| (Some(name), row)).chain([(None, other.all)]);
        for (name, row) in rows {
            let sum = name.map_or(&mut self.all, |name| self.rows.entry(name).or_default());
            let Row { packets, layers, fields, agree, explained, gaps } = row;
            sum.packets += packets;
            sum.layers += layers;
            sum.fields += fields;
            sum.agree += agree;
            sum.explained += explained;
            sum.gaps += gaps;
        }
        for (name, count) in other.unknown {
            *self.unknown.entry(name).or_default() += count;
        }
        for (name, [packets, captures]) in other.in_use {
            let sum = self.in_use.entry(name).or_default();
            *sum = [sum[0] + packets, sum[1] + captures];
        }
    }

    /// Counts the fields that tshark finds in a capture.
    pub(crate) fn count_in_use(&mut self, theirs: &[Packet]) {
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for packet in theirs {
            let names: BTreeSet<&str> = packet.fields.iter().map(|(name, _)| name.as_str()).collect();
            names.into_iter().for_each(|name| *found.entry(name).or_default() += 1);
        }
        for (name, packets) in found {
            let sum = self.in_use.entry(name.to_owned()).or_default();
            *sum = [sum[0] + packets, sum[1] + 1];
        }
    }

    /// `is_shifted`: their numbers and their first moment are others.
    fn packet(&mut self, capture: &str, packet: usize, tree: Tree<'_>, theirs: &Packet, is_shifted: bool) {
        let before = self.differences.len();
        let lenient = self.lenient.is_some();
        if lenient && is_beyond_us(&theirs.layers) {
            return;
        }
        let (known, reasons) = (self.lenient, self.reasons);
        let has = |name: &str| theirs.has(name);
        let mut differ = |field: &str, ours: String, theirs: String| {
            let verdict = match reasons.and_then(|reasons| reasons.judge(capture, field, &ours, &theirs)) {
                Some(verdict) => verdict,
                None => known.map_or(Verdict::Unexplained, |known| {
                    known.classes.judge(capture, field, &ours, &theirs, &has)
                }),
            };
            let (capture, field) = (capture.to_owned(), field.to_owned());
            self.differences.push(Difference { capture, packet, field, ours, theirs, verdict });
        };
        let mut layers = tree.protocols();
        let mut their_layers = theirs.layers.clone();
        let all_layers = layers.clone();
        let beyond = if lenient { cut_at_unknown(&mut layers, &mut their_layers) } else { false };
        // Of layers that lie behind one that we don't read nothing is compared.
        let cut = match beyond {
            true => fields_only_of(&all_layers, &layers),
            false => BTreeSet::new(),
        };
        let asks = all_layers.split(':').any(|name| name == "http2") && !theirs.layers.contains("http2");
        if asks
            && let (Some(_), Some(port)) = (tree.first("http2.magic"), tree.first("tcp.dstport"))
            && let thru_dissect::Value::Uint(port) = tree.value(port)
        {
            self.http2.insert(port);
        }
        if layers != their_layers {
            differ("layers", layers.clone(), theirs.layers.clone());
        }
        let mut values: BTreeMap<&str, (Vec<String>, Vec<String>)> = BTreeMap::new();
        for field in tree.fields() {
            let name = field.def.name;
            if field.def.kind == Kind::Protocol
                || passes(name)
                || is_shifted && is_relative(name)
                || lenient && counts(name)
                || beyond && is_payload(name)
                || cut.contains(name)
                || is_nameless_there(name)
                || known.is_some_and(|known| !known.known.contains(name))
            {
                continue;
            }
            let mut text = Vec::new();
            write_value(&mut text, tree, field);
            let text = normal(field.def.kind, &String::from_utf8_lossy(&text));
            values.entry(field.def.name).or_default().0.push(text);
        }
        for (name, value) in &theirs.fields {
            if passes(name)
                || is_shifted && is_relative(name)
                || lenient && counts(name)
                || name.starts_with("_ws.")
                || is_alias(name)
                || beyond && is_payload(name)
            {
                continue;
            }
            match fields_named(name).into_iter().find(|def| def.kind != Kind::Protocol) {
                Some(def) => values.entry(def.name).or_default().1.push(normal(def.kind, value)),
                None if lenient => *self.unknown.entry(name.clone()).or_default() += 1,
                None => {}
            }
        }
        let compared: BTreeSet<&str> = values.keys().copied().collect();
        for (name, (ours, theirs)) in values {
            let same = ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| same(a, b));
            // tshark writes a text without a value so, which is a heading here.
            let theirs: Vec<String> = theirs
                .into_iter()
                .map(|text| if text == "[ Null ]" { String::new() } else { text })
                .collect();
            let same = same || ours == theirs || is_heading_there(name) && ours.len() == theirs.len();
            // Where layers differ, fields differ as well.
            let follows = lenient && layers != their_layers;
            if !same && !follows {
                differ(name, ours.join(" | "), theirs.join(" | "));
            }
        }
        self.count(&layers, &their_layers, &compared, before);
    }

    fn count(&mut self, ours: &str, theirs: &str, compared: &BTreeSet<&str>, before: usize) {
        let wrong: BTreeMap<&str, Verdict> =
            self.differences[before..].iter().map(|one| (one.field.as_str(), one.verdict)).collect();
        self.all.count(wrong.values().copied().max());
        let names: BTreeSet<&str> =
            ours.split(':').chain(theirs.split(':')).filter(|name| *name != "ethertype").collect();
        for name in names {
            let row = self.rows.entry(name.to_owned()).or_default();
            let own = protocols().iter().filter(|protocol| protocol.layer.name == name);
            let own: BTreeSet<&str> =
                own.flat_map(|protocol| protocol.fields).map(|field| field.name).collect();
            let count = |text: &str| text.split(':').filter(|layer| *layer == name).count();
            let layers = count(ours) == count(theirs);
            row.layers += usize::from(layers);
            row.fields += own.intersection(compared).count();
            let own = own.iter().filter_map(|name| wrong.get(name)).copied();
            let layer = (!layers).then(|| wrong.get("layers").copied().unwrap_or(Verdict::Unexplained));
            row.count(own.chain(layer).max());
        }
    }

    /// What was found of each protocol, in the order of their names.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &Row)> {
        self.rows.iter().map(|(name, row)| (name.as_str(), row))
    }

    /// What differs without a reason: one of each kind, and how often it occurs.
    pub fn unexplained(&self) -> Vec<String> {
        let mut kinds: BTreeMap<(&str, &str), (usize, &Difference)> = BTreeMap::new();
        for difference in self.differences.iter().filter(|one| one.verdict == Verdict::Unexplained) {
            let key = (difference.capture.as_str(), difference.field.as_str());
            kinds.entry(key).or_insert((0, difference)).0 += 1;
        }
        kinds.into_values().map(|(count, difference)| format!("{count} x {difference}")).collect()
    }

    /// Lines of the file of reasons for which there was no difference.
    pub fn stale(&self) -> Vec<usize> {
        self.reasons.map_or(Vec::new(), |reasons| reasons.stale(&self.differences))
    }

    /// The share of packets without any difference.
    pub fn share(&self) -> f64 {
        self.all.agree as f64 / self.all.packets.max(1) as f64
    }

    /// A line for each protocol.
    pub fn table(&self) -> String {
        let mut out = format!(
            "{:<18}{:>8}{:>9}{:>9}{:>10}{:>11}{:>8}{:>13}\n",
            "protocol", "packets", "layers", "fields", "agree", "explained", "gaps", "unexplained"
        );
        let mut line = |name: &str, row: &Row| {
            let share = |count: usize| 100.0 * count as f64 / row.packets.max(1) as f64;
            let Row { packets, layers, fields, agree, explained, gaps } = *row;
            let rest = row.unexplained();
            out += &format!(
                "{name:<18}{packets:>8}{:>8.1}%{fields:>9}{:>9.2}%{:>10.2}%{:>7.2}%{:>12.2}%\n",
                share(layers),
                share(agree),
                share(explained),
                share(gaps),
                share(rest)
            );
        };
        self.rows.iter().for_each(|(name, row)| line(name, row));
        line("all", &self.all);
        out
    }
}

/// Fields that are not compared: of the frame, what depends on how the file was opened.
fn passes(name: &str) -> bool {
    name.starts_with("frame.")
        && !matches!(
            name,
            "frame.number"
                | "frame.len"
                | "frame.cap_len"
                | "frame.time_epoch"
                | "frame.time_relative"
                | "frame.time_delta"
        )
}

/// What counts from the first packet or the one before.
fn is_relative(name: &str) -> bool {
    name == "frame.number" || name.ends_with(".time_relative") || name.ends_with(".time_delta")
}

/// Numbers of flows: connections within layers that we don't read are counted, too.
fn counts(name: &str) -> bool {
    matches!(name, "tcp.stream" | "udp.stream" | "quic.connection.number")
}

/// What is left over when a payload is not read.
fn is_payload(name: &str) -> bool {
    name.starts_with("data.") || name.ends_with(".payload") || name.starts_with("tcp.segment")
}

/// Fields that only those layers have which are in the first list and not in the second.
fn fields_only_of(all: &str, kept: &str) -> BTreeSet<&'static str> {
    let fields = |list: &str| -> BTreeSet<&'static str> {
        // Certificates are in no list: they are TLS's.
        let has =
            |layer: &str| list.split(':').any(|name| name == layer || layer == "x509af" && name == "tls");
        let named = protocols().iter().filter(|protocol| has(protocol.layer.name));
        named.flat_map(|protocol| protocol.fields).map(|field| field.name).collect()
    };
    fields(all).difference(&fields(kept)).copied().collect()
}

fn is_known(layer: &str) -> bool {
    layer == "ethertype" || protocols().iter().any(|protocol| protocol.layer.name == layer)
}

/// Whether layers that we know are carried by one that we don't.
fn is_beyond_us(layers: &str) -> bool {
    let mut rest = layers.split(':').skip_while(|layer| is_known(layer));
    rest.any(|layer| is_known(layer) && layer != "data" && !layer.starts_with("_ws."))
}

/// Cuts both lists at the first layer of theirs that we do not read; tells whether there was one.
fn cut_at_unknown(ours: &mut String, theirs: &mut String) -> bool {
    let names: Vec<&str> = theirs.split(':').collect();
    let Some(place) = names.iter().position(|name| !is_known(name)) else { return false };
    *theirs = names[..place].join(":");
    *ours = ours.split(':').take(place).collect::<Vec<_>>().join(":");
    true
}

/// Fields whose value tshark 4.0 does not have: there they are headings.
fn is_heading_there(name: &str) -> bool {
    matches!(name, "tls.handshake.verify_data" | "quic.coalesced_padding_data")
}

/// Headings that tshark 4.0 writes as words, without their name: there is nothing to compare.
fn is_nameless_there(name: &str) -> bool {
    name == "tls.quic.parameter"
}

/// Names that stand for others: what they stand for is compared.
fn is_alias(name: &str) -> bool {
    fields_named(name).first().is_some_and(|def| def.name != name)
}

/// Whether values are the same; times and fractions to the last digits that both write.
fn same(a: &str, b: &str) -> bool {
    // Bytes that are no UTF-8 are lost in tshark's PDML.
    if a == b || b.contains('\u{FFFD}') {
        return true;
    }
    // Ends of lines are spaces in some of tshark's texts.
    if a.contains("\\n") || a.contains("\\t") || a.contains("\\r") {
        let plain = |text: &str| text.replace("\\r", " ").replace("\\n", " ").replace("\\t", " ");
        let (a, b) = (plain(a), plain(b));
        if a == b || b.len() >= LONGEST / 3 && a.starts_with(&b) {
            return true;
        }
    }
    // What is kept of long values is their beginning; hexadecimal digits may have had colons between them.
    if b.len() >= LONGEST / 3 && a.starts_with(b) {
        return true;
    }
    // A certificate's time as words: the digits of both are the same, to the second.
    if let Some(words) = a.strip_suffix(" (UTC)") {
        let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).take(14).collect() };
        return digits(words) == digits(&moment(b));
    }
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) if a.fract() != 0.0 || b.fract() != 0.0 => {
            (a - b).abs() <= 1e-5 * a.abs().max(b.abs())
        }
        _ => false,
    }
}

/// A value in the one form that both can be brought to.
fn normal(kind: Kind, text: &str) -> String {
    match kind {
        Kind::Uint(_) | Kind::Bool | Kind::Frame => number(text),
        Kind::Bytes | Kind::Guid => {
            text.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_lowercase()
        }
        Kind::Ipv4 | Kind::Ipv6 => {
            text.parse::<IpAddr>().map_or_else(|_| text.to_owned(), |ip| ip.to_string())
        }
        Kind::Absolute => moment(text),
        Kind::Text => {
            let plain = text.replace('\r', "\\r").replace('\n', "\\n").replace('\t', "\\t");
            // tshark leaves out leading zeros, so that what follows may look like a digit: the second time both look so.
            escapes(&escapes(&plain.replace("\\\\", "\\")))
        }
        Kind::None => String::new(),
        _ => text.to_owned(),
    }
}

/// `\x01` and `\x1` are the same byte.
fn escapes(text: &str) -> String {
    let mut parts = text.split("\\x");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.chars().take(2).take_while(char::is_ascii_hexdigit).count();
        match u8::from_str_radix(&part[..digits], 16) {
            Ok(byte) => out += &format!("\\x{byte:x}{}", &part[digits..]),
            Err(_) => out = out + "\\x" + part,
        }
    }
    out
}

fn number(text: &str) -> String {
    match text.strip_prefix("0x").map(|digits| u64::from_str_radix(digits, 16)) {
        Some(Ok(number)) => number.to_string(),
        _ => match text {
            "True" => "1".to_owned(),
            "False" => "0".to_owned(),
            text => text.to_owned(),
        },
    }
}

/// `Nov 21, 2026 10:11:17.043419000 UTC` as we write it.
fn moment(text: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    if let [month, day, year, clock, ..] = words[..]
        && let Some(month) = MONTHS.iter().position(|name| *name == month)
    {
        let fraction = if clock.contains('.') { "" } else { ".000000000" };
        return format!("{year}-{:02}-{:0>2}T{clock}{fraction}Z", month + 1, day);
    }
    text.to_owned()
}

/// Whether a type of ours is one of tshark's.
pub fn fits(kind: Kind, theirs: &str) -> bool {
    match kind {
        Kind::Protocol => theirs == "FT_PROTOCOL",
        Kind::None => matches!(theirs, "FT_NONE" | "FT_PROTOCOL"),
        Kind::Bool => theirs == "FT_BOOLEAN",
        Kind::Uint(_) => {
            theirs.starts_with("FT_UINT") && theirs != "FT_UINT_STRING" && theirs != "FT_UINT_BYTES"
        }
        Kind::Int => theirs.starts_with("FT_INT"),
        Kind::Float => matches!(theirs, "FT_FLOAT" | "FT_DOUBLE"),
        Kind::Ipv4 => theirs == "FT_IPv4",
        Kind::Ipv6 => theirs == "FT_IPv6",
        Kind::Ether => theirs == "FT_ETHER",
        Kind::Bytes => matches!(theirs, "FT_BYTES" | "FT_UINT_BYTES"),
        Kind::Text => theirs.starts_with("FT_STRING") || theirs == "FT_UINT_STRING",
        Kind::Relative => theirs == "FT_RELATIVE_TIME",
        Kind::Absolute => theirs == "FT_ABSOLUTE_TIME",
        Kind::Frame => theirs == "FT_FRAMENUM",
        Kind::Oid => matches!(theirs, "FT_OID" | "FT_REL_OID"),
        Kind::Guid => theirs == "FT_GUID",
    }
}
