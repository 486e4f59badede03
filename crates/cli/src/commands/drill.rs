//! `thru drill`: scripts in the packetdrill language against our own stack, and replay scripts (`.rpl`) against our
//! own resolver, in virtual time.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use thru_drill::{Options, Persona, Verdict};
use thru_report::text::escape;

use crate::Outcome;
use crate::args::DrillArgs;
use crate::failure::{FAULT, Failure, HEALTHY};
use crate::output;

/// Most bytes of a script: far more than any has.
const LARGEST: u64 = 4 << 20;

/// Runs the command.
pub(crate) fn run(args: &DrillArgs) -> Outcome {
    let persona = match args.persona.as_deref() {
        None => None,
        Some(name) => Some(Persona::named(name).ok_or_else(|| {
            Failure::usage(format!("there is no persona `{name}`"), "use `linux` or `freebsd`")
        })?),
    };
    let mut files = Vec::new();
    for path in &args.files {
        collect(path, true, &mut files)?;
    }
    if files.is_empty() {
        return Err(Failure::usage(
            "there are no scripts there",
            "scripts are files that end in .pkt or .rpl",
        ));
    }
    let options = Options { persona, verbose: args.verbose, ipv6: false };
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for file in &files {
        let outcome = run_file(file, &options)?;
        match outcome.verdict {
            Verdict::Pass => passed += 1,
            Verdict::Fail => failed += 1,
            Verdict::Skip => skipped += 1,
        }
        tell(file, &outcome, args);
    }
    let counts = format!("{passed} passed, {failed} failed, {skipped} skipped\n");
    // Standard output holds a line for each script, and nothing else, for programs.
    if args.json {
        output::say(&counts)
    } else {
        output::print(&counts)
    }
    Ok(if failed > 0 { FAULT } else { HEALTHY })
}

/// The runner is chosen by the extension.
fn run_file(file: &Path, options: &Options) -> Result<thru_drill::Outcome, Failure> {
    let unreadable = |what: String| {
        Failure::usage(format!("cannot read {}: {what}", file.display()), "is the path right?")
    };
    let length = fs::metadata(file).map_err(|error| unreadable(error.to_string()))?.len();
    if length > LARGEST {
        return Err(unreadable(format!("it has {length} bytes, more than any script")));
    }
    let source = fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    let source = String::from_utf8_lossy(&source);
    if file.extension().is_some_and(|extension| extension == "rpl") {
        return Ok(replay(&source));
    }
    let ipv6 = file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("v6"));
    Ok(thru_drill::run(&source, &Options { ipv6, ..*options }))
}

/// Runs a resolver's replay script.
fn replay(source: &str) -> thru_drill::Outcome {
    let (verdict, line, reason) = match thru_names::replay::run(source) {
        thru_names::replay::Outcome::Pass => (Verdict::Pass, 0, String::new()),
        thru_names::replay::Outcome::Fail(line, why) => (Verdict::Fail, line, why),
        thru_names::replay::Outcome::Skip(line, why) => (Verdict::Skip, line, why),
    };
    thru_drill::Outcome { verdict, line: u32::try_from(line).unwrap_or(u32::MAX), reason, log: Vec::new() }
}

fn tell(file: &Path, outcome: &thru_drill::Outcome, args: &DrillArgs) {
    let name = file.to_string_lossy();
    if args.json {
        let line = json!({
            "file": name,
            "result": outcome.verdict.word(),
            "reason": outcome.reason,
            "line": outcome.line,
        });
        return output::print(&format!("{line}\n"));
    }
    for line in &outcome.log {
        output::print(&format!("    {}\n", escape(line)));
    }
    let (word, name) = (outcome.verdict.word(), escape(&name));
    match outcome.verdict {
        Verdict::Pass => output::print(&format!("{word}  {name}\n")),
        _ => output::print(&format!("{word}  {name}:{}: {}\n", outcome.line, escape(&outcome.reason))),
    }
}

/// Scripts under `path`, in the order of their names. A file that is named is one, whatever its name.
fn collect(path: &Path, named: bool, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if path.is_dir() {
        let unreadable =
            |error| Failure::usage(format!("cannot read {}: {error}", path.display()), "is the path right?");
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            entries.push(entry.map_err(unreadable)?.path());
        }
        entries.sort();
        for entry in entries {
            // A link could lead back here.
            if !entry.is_symlink() {
                collect(&entry, false, files)?;
            }
        }
        return Ok(());
    }
    if named || path.extension().is_some_and(|extension| extension == "pkt" || extension == "rpl") {
        files.push(path.to_owned());
    }
    Ok(())
}
