//! README.md's transcripts, kept true: every ```` ```console ```` block whose command runs `thru` in the lab is run
//! again, and what it prints has to be what the page shows.
//!
//! `THRU_BLESS=1 cargo test -p thru --test readme` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FENCE: &str = "```";

#[test]
fn the_readmes_transcripts_are_what_thru_prints() {
    let page = fs::read_to_string(readme()).expect("the page is there");
    let mut transcripts = 0;
    let fresh = rewrite(&page, |command| {
        let arguments = thru_arguments(command)?;
        transcripts += 1;
        Some(run(&arguments))
    });
    assert!(transcripts > 0, "the page shows no transcript");
    if std::env::var_os("THRU_BLESS").is_some() {
        fs::write(readme(), &fresh).expect("the page can be written");
        return;
    }
    assert!(fresh == page, "README.md shows something else than this; THRU_BLESS=1 rewrites it:\n{fresh}");
}

#[test]
fn the_readme_names_every_subcommand() {
    let page = fs::read_to_string(readme()).expect("the page is there");
    let help = run(&["--help".to_owned()]);
    let commands = help.split("Commands:").nth(1).expect("the help lists commands");
    // A long description goes on in lines that are indented further.
    let begins = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    for line in commands.lines().skip(1).take_while(|line| !line.trim().is_empty()).filter(begins) {
        let name = line.split_whitespace().next().unwrap_or_default();
        let listed = name == "help" || page.contains(&format!("thru {name}"));
        assert!(listed, "README.md does not name `thru {name}`");
    }
}

/// Replaces what stands under each command in `console` blocks by what `output` gives for it; `None` leaves a block
/// as it is.
fn rewrite(page: &str, mut output: impl FnMut(&str) -> Option<String>) -> String {
    let mut result = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        result.push_str(line);
        result.push('\n');
        if line != format!("{FENCE}console") {
            continue;
        }
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != FENCE).collect();
        let command = block.first().and_then(|line| line.strip_prefix("$ "));
        match command.and_then(&mut output) {
            Some(fresh) => {
                result.push_str(block[0]);
                result.push('\n');
                for line in fresh.lines() {
                    result.push_str(line.trim_end());
                    result.push('\n');
                }
            }
            None => block.iter().for_each(|line| {
                result.push_str(line);
                result.push('\n');
            }),
        }
        result.push_str(FENCE);
        result.push('\n');
    }
    result
}

/// The arguments of a command that runs `thru` in the lab, single quotes understood.
fn thru_arguments(command: &str) -> Option<Vec<String>> {
    let rest = command.strip_prefix("cargo run --release -- ").or_else(|| command.strip_prefix("thru "))?;
    // What needs a real network, writes a file or starts programs is shown, not run.
    let elsewhere = ["--on host", "--on iface", " -w ", "--report ", "doctor ", " | "]
        .iter()
        .any(|word| rest.contains(word));
    if elsewhere || rest.starts_with("lab shell") {
        return None;
    }
    let mut arguments = Vec::new();
    for (index, part) in rest.split('\'').enumerate() {
        if index % 2 == 1 {
            arguments.push(part.to_owned());
        } else {
            arguments.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    Some(arguments)
}

fn run(arguments: &[String]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thru"));
    let output = command
        .args(arguments)
        .current_dir(root())
        .env("COLUMNS", "80")
        .env("NO_COLOR", "1")
        .output()
        .expect("thru runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn readme() -> PathBuf {
    root().join("README.md")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
