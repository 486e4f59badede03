//! `[vary]`: what a scenario leaves open, chosen by a seed; and distances and rates that differ from seed to seed.
//!
//! `[vary] percent = "2..6"` or `where = ["home--isp", "isp--isp-core"]`; any string may then say `${percent}`. Without a
//! seed a range gives its middle, a list its first.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::item::{Item, Kind, Table};
use crate::scenario::Link;
use crate::source::{Error, Span, suggest};

/// Keys whose values are numbers: there a choice that reads as one becomes one.
const NUMBERS: [&str; 3] = ["status", "port", "plain_port"];

/// The tree with everything chosen, and `[vary]` gone.
pub(super) fn settle(mut tree: Table, seed: Option<u64>) -> Result<Table, Error> {
    let Some(at) = tree.entries.iter().position(|(key, _)| key.text == "vary") else { return Ok(tree) };
    let (_, table) = tree.entries.remove(at);
    let mut chosen = BTreeMap::new();
    for (place, (name, item)) in table.table("vary")?.entries.iter().enumerate() {
        let draw = seed.map(|seed| mix(seed ^ (place as u64 + 1) << 32));
        chosen.insert(name.text.clone(), choose(&name.text, item, draw)?);
    }
    fill_table(&mut tree, &chosen)?;
    Ok(tree)
}

/// Numbers and texts that are chosen from are no larger.
const MOST: i64 = 1_000_000_000;
const TEXT_MAX: usize = 64;

fn choose(name: &str, item: &Item, draw: Option<u64>) -> Result<String, Error> {
    if let Kind::Array(items) = &item.kind
        && !items.is_empty()
    {
        let place = draw.map_or(0, |draw| (draw % items.len() as u64) as usize);
        let text = items[place].text(name)?;
        if text.text.len() > TEXT_MAX {
            return Err(text.error("too long a text to choose", format!("keep to {TEXT_MAX} bytes")));
        }
        return Ok(text.text);
    }
    let text = item.text(name)?;
    let range = text.text.split_once("..").and_then(|(from, to)| {
        let (from, to): (i64, i64) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        (from <= to && from >= -MOST && to <= MOST).then_some((from, to))
    });
    let Some((from, to)) = range else {
        return Err(
            text.error(format!("`{}` leaves nothing open", text.text), "write \"2..6\" or a list of texts")
        );
    };
    let number = match draw {
        Some(draw) => from + (draw % (to - from + 1).unsigned_abs()) as i64,
        None => from + (to - from) / 2,
    };
    Ok(number.to_string())
}

fn fill_table(table: &mut Table, chosen: &BTreeMap<String, String>) -> Result<(), Error> {
    for (key, item) in &mut table.entries {
        if let Some(name) = filled(&key.text, &key.span, chosen)? {
            key.text = name;
        }
        fill(&key.text, item, chosen)?;
    }
    Ok(())
}

fn fill(key: &str, item: &mut Item, chosen: &BTreeMap<String, String>) -> Result<(), Error> {
    match &mut item.kind {
        Kind::Text(text) => {
            if let Some(out) = filled(text, &item.span, chosen)? {
                item.kind = match out.parse() {
                    Ok(number) if NUMBERS.contains(&key) => Kind::Integer(number),
                    _ => Kind::Text(out),
                };
            }
        }
        Kind::Array(items) => {
            for item in items {
                fill(key, item, chosen)?;
            }
        }
        Kind::Table(table) => fill_table(table, chosen)?,
        _ => {}
    }
    Ok(())
}

/// The text with every `${name}` replaced; `None` if there is none.
fn filled(text: &str, place: &Span, chosen: &BTreeMap<String, String>) -> Result<Option<String>, Error> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find("${") {
        let end = rest[open..].find('}').map_or(rest.len(), |end| open + end);
        let name = &rest[open + 2..end];
        let Some(value) = chosen.get(name) else {
            return Err(Error::at(
                place,
                format!("[vary] says nothing of `{name}`"),
                suggest(name, chosen.keys().map(String::as_str)),
            ));
        };
        out.push_str(&rest[..open]);
        out.push_str(value);
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    out.push_str(rest);
    Ok(Some(out))
}

/// Other distances (half to twice) and rates (two thirds to one and a half) for every link; both ends of a link alike.
pub(super) fn stretch(links: &mut [Link], seed: u64) {
    for (index, link) in links.iter_mut().enumerate() {
        let draw = mix(seed.wrapping_mul(0x9e37_79b9) ^ index as u64);
        let part = |bits: u64| (bits & 0xffff) as f64 / 65_535.0;
        let (delay, rate) = (2f64.powf(2.0 * part(draw) - 1.0), 1.5f64.powf(2.0 * part(draw >> 16) - 1.0));
        for pipe in [&mut link.spec.up, &mut link.spec.down] {
            // In whole microseconds, so that files that show it can be read back.
            let micros = (pipe.delay.as_micros() as f64 * delay).round() as u64;
            pipe.delay = Duration::from_micros(micros);
            pipe.rate = pipe
                .rate
                .map(|bits| ((bits as f64 * rate / 1000.0).round() as u64).max(1).saturating_mul(1000));
        }
    }
}

/// SplitMix64: every bit of the seed reaches every bit of the result.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
