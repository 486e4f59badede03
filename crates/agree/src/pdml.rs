//! What tshark says of a capture, as PDML: a list of names and values for each packet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

/// A packet's fields in order, and its layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// Names of layers, colons between.
    pub layers: String,
    /// Names and values of fields.
    pub fields: Vec<(String, String)>,
}

impl Packet {
    /// The first value of a field.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Whether it has a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }
}

fn run(tshark: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(tshark)
        .args(arguments)
        .env("TZ", "UTC")
        .env("HOME", std::env::temp_dir().join("thru-no-home"))
        .stderr(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.stdout.is_empty() {
        return Err(format!("tshark {arguments:?} said nothing ({})", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What tshark is asked about at most, where it is asked about many captures.
const PACKETS_MAX: &str = "1000";

/// Asks tshark about a capture, with more arguments (`-d`, `-o`).
///
/// Errors say in words that tshark said nothing.
pub fn read(tshark: &Path, capture: &Path, more: &[&str]) -> Result<Vec<Packet>, String> {
    let file = capture.to_str().ok_or("the path is not UTF-8")?;
    Ok(parse(&run(tshark, &[&["-n", "-r", file, "-T", "pdml"], more].concat())?))
}

/// Asks tshark about the first packets of a capture; `http2`: ports where it is told to expect HTTP/2. What it says
/// is kept in `THRU_KEEP`, a folder, if that is set: to ask about hundreds of captures takes long.
///
/// Errors are those of [`read`].
pub fn read_some(tshark: &Path, capture: &Path, http2: &BTreeSet<u64>) -> Result<Vec<Packet>, String> {
    let file = capture.to_str().ok_or("the path is not UTF-8")?;
    let told: Vec<String> = http2.iter().map(|port| format!("tcp.port=={port},http2")).collect();
    let name = file.replace('/', "_") + &told.join("+").replace(['=', '.', ','], "-");
    let kept = std::env::var_os("THRU_KEEP").map(|folder| Path::new(&folder).join(name));
    if let Some(text) = kept.as_ref().and_then(|kept| std::fs::read_to_string(kept).ok()) {
        return Ok(from_lines(&text));
    }
    let mut arguments = vec!["-n", "-r", file, "-c", PACKETS_MAX, "-T", "pdml"];
    arguments.extend(told.iter().flat_map(|rule| ["-d", rule.as_str()]));
    let packets = match run(tshark, &arguments) {
        Ok(text) => parse(&text),
        Err(error) if kept.is_none() => return Err(error),
        Err(_) => Vec::new(),
    };
    if let Some(kept) = kept {
        std::fs::write(kept, to_lines(&packets)).map_err(|error| error.to_string())?;
    }
    Ok(packets)
}

/// Of longer values the rest is not kept.
pub(crate) const LONGEST: usize = 4000;

fn to_lines(packets: &[Packet]) -> String {
    let mut out = String::new();
    for packet in packets {
        out += &format!("P\t{}\n", packet.layers);
        for (name, value) in &packet.fields {
            let value: String = value.chars().take(LONGEST).collect();
            let value = value.replace('\r', "\\r").replace('\n', "\\n");
            out += &format!("{name}\t{value}\n");
        }
    }
    out
}

fn from_lines(text: &str) -> Vec<Packet> {
    let mut packets: Vec<Packet> = Vec::new();
    for (name, value) in text.split('\n').filter_map(|line| line.split_once('\t')) {
        match (name, packets.last_mut()) {
            ("P", _) => packets.push(Packet { layers: value.to_owned(), fields: Vec::new() }),
            (name, Some(packet)) => packet.fields.push((name.to_owned(), value.to_owned())),
            _ => {}
        }
    }
    packets
}

fn parse(text: &str) -> Vec<Packet> {
    let mut packets: Vec<Packet> = Vec::new();
    for tag in text.split('<') {
        if tag.starts_with("packet>") {
            packets.push(Packet::default());
        } else if let Some(attributes) = tag.strip_prefix("field ")
            && let Some(packet) = packets.last_mut()
        {
            let name = attribute(attributes, "name").unwrap_or_default();
            let value = attribute(attributes, "show").unwrap_or_default();
            if name == "frame.protocols" {
                packet.layers = value;
            } else if !name.is_empty() {
                packet.fields.push((name, value));
            }
        }
    }
    packets
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let begins = tag.find(&format!("{name}=\""))? + name.len() + 2;
    let value = &tag[begins..];
    let value = &value[..value.find('"')?];
    let plain =
        value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    let plain = plain.replace("&#x27;", "'").replace("&#39;", "'");
    Some(plain.replace("&amp;", "&"))
}

/// Names and types of all of tshark's fields.
pub fn fields(tshark: &Path) -> BTreeMap<String, Vec<String>> {
    let text = run(tshark, &["-G", "fields"]).expect("tshark lists its fields");
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        if let ["F", _, name, kind, ..] = columns[..] {
            fields.entry(name.to_owned()).or_default().push(kind.to_owned());
        }
        // Options of TCP are protocols there.
        if let ["P", _, name, ..] = columns[..] {
            fields.entry(name.to_owned()).or_default().push("FT_PROTOCOL".to_owned());
        }
    }
    fields
}
