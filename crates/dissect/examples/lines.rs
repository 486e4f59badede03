//! Reads a capture and prints a line for each packet that a display filter passes:
//! `cargo run -p thru-dissect --example lines -- FILE [FILTER]`.

use std::error::Error;
use std::fs::File;
use std::io::{Write, stdout};
use thru_dissect::file::{Item, Reader};
use thru_dissect::filter::Filter;
use thru_dissect::show::{LineOptions, line, outline};
use thru_dissect::{Arena, Dissector, Meta, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = File::open(arguments.next().ok_or("give a capture file")?)?;
    let filter = Filter::display(&arguments.next().unwrap_or_default())?;
    let trees = arguments.next().is_some();
    let (mut reader, mut dissector, mut arena) =
        (Reader::new(file)?, Dissector::new(Options::default()), Arena::new());
    let mut out = Vec::new();
    while let Some(item) = reader.next()? {
        match item {
            Item::Secrets { kind, bytes } => {
                dissector.secrets(kind, bytes);
            }
            Item::Packet(record) => {
                let tree = dissector.dissect(&Meta::of(&record, None), record.bytes, &mut arena);
                if filter.matches(tree) {
                    line(&mut out, tree, &LineOptions::default());
                    if trees {
                        outline(&mut out, tree);
                    }
                }
            }
            _ => {}
        }
    }
    stdout().write_all(&out)?;
    Ok(())
}
