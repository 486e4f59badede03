//! `thru craft`: packets from an expression, and expressions from packets.

pub(crate) mod save;
pub(crate) mod show;

use std::path::Path;

use serde_json::json;
use thru_craft::{CraftError, First, Packet, Plan, describe};
use thru_dissect::file::{Item, Reader};
use thru_report::json as report_json;

use self::save::Save;
use self::show::Shown;
use super::read::source;
use crate::args::packets::CraftArgs;
use crate::failure::{FAULT, Failure, HEALTHY};
use crate::{Outcome, output};

/// LINKTYPE_ETHERNET.
pub(crate) const ETHERNET: u16 = 1;
/// LINKTYPE_RAW: IP of either version.
pub(crate) const RAW: u16 = 101;
/// LINKTYPE_USER0: what no one can know.
const UNKNOWN: u16 = 147;

/// Runs the command.
pub(crate) fn run(args: &CraftArgs) -> Outcome {
    if let Some(path) = &args.read {
        return expressions(path);
    }
    let text = args.expression.as_deref().unwrap_or_default();
    let plan = plan(text, args.limit)?;
    let link = link_of(&plan);
    let mut save = args.write.as_deref().map(|path| Save::new(path, link)).transpose()?;
    let many = plan.count() > 1 && !args.tree;
    let mut shown = Shown::new();
    for (index, packet) in plan.packets().enumerate() {
        let bytes = packet.bytes().map_err(|error| not_a_packet(text, &error))?;
        if let Some(save) = &mut save {
            // Real times would make two runs differ.
            save.packet(index as u64 * 1_000, &bytes)?;
            continue;
        }
        let number = index as u64 + 1;
        output::print(&if args.json {
            as_json(&mut shown, number, link, &packet, &bytes)
        } else if many {
            shown.line(number, link, &bytes)
        } else {
            shown.tree(number, link, &bytes)
        });
    }
    match save {
        Some(save) => save.finish()?,
        None if many && !args.json => output::say(&format!("{} packets; -V explains each\n", plan.count())),
        None => {}
    }
    Ok(HEALTHY)
}

/// Understands an expression that stands for at most `limit` packets.
pub(crate) fn plan(text: &str, limit: u64) -> Result<Plan, Failure> {
    let plan = Plan::parse(text).map_err(|error| not_a_packet(text, &error))?;
    if plan.count() > u128::from(limit) {
        return Err(Failure::usage(
            format!("the expression stands for {} packets, more than {limit}", plan.count()),
            "make its lists and ranges shorter, or raise --limit",
        ));
    }
    Ok(plan)
}

/// The link type of what the expression begins with.
pub(crate) fn link_of(plan: &Plan) -> u16 {
    match plan.first_layer().name() {
        "eth" => ETHERNET,
        "ip" | "ipv6" => RAW,
        _ => UNKNOWN,
    }
}

/// A mistake, with a mark under its place.
pub(crate) fn not_a_packet(text: &str, error: &CraftError) -> Failure {
    let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mark = format!("  {shown}\n  {}{}", " ".repeat(error.column), "^".repeat(error.length));
    let hint = if error.hint.is_empty() { "`thru craft --help` shows the language" } else { &error.hint };
    let message = format!("the expression makes no packet, at column {}: {error}", error.column + 1);
    Failure { excerpt: Some(mark), ..Failure::usage(message, hint) }
}

fn as_json(shown: &mut Shown, number: u64, link: u16, packet: &Packet, bytes: &[u8]) -> String {
    let layers: Vec<&str> = packet.layers.iter().map(|layer| layer.def.name()).collect();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let value = json!({
        "number": number, "layers": layers, "length": bytes.len(), "bytes": hex,
        "packet": shown.json(number, link, bytes),
    });
    report_json::line("crafted", &value)
}

/// Each packet of a capture as an expression.
fn expressions(path: &Path) -> Outcome {
    let shown = path.display();
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::usage(
            format!("cannot read `{shown}`: {error}"),
            "give the path of a pcap or pcapng file, or - for standard input",
        )
    };
    let mut reader = Reader::new(source::open(path)?).map_err(|error| cannot(&error))?;
    loop {
        match reader.next() {
            Ok(None) => return Ok(HEALTHY),
            Ok(Some(Item::Packet(record))) => {
                let first = if record.link == ETHERNET { First::Ethernet } else { First::Ip };
                output::print(&format!("{}\n", describe(first, record.bytes)));
            }
            Ok(Some(_)) => {}
            Err(error) => return Err(Failure { code: FAULT, ..cannot(&error) }),
        }
    }
}
