//! What went wrong before there was anything to diagnose, told in one line and a hint.

use std::fmt;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use thru_probe::login::hidden;
// Messages quote what came from outside: nothing of it may steer a terminal or deceive who reads it.
use thru_report::text::escape;

/// Healthy, or done.
pub(crate) const HEALTHY: u8 = 0;
/// A fault was found.
pub(crate) const FAULT: u8 = 1;
/// The command line or a file was not understood.
pub(crate) const USAGE: u8 = 2;
/// No verdict: undecided, lacking privilege, or a bug of ours.
pub(crate) const UNDECIDED: u8 = 3;
/// A threshold was crossed.
pub(crate) const THRESHOLD: u8 = 4;

/// An error for the person at the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Exit code.
    pub code: u8,
    /// Completes "error: ".
    pub message: String,
    /// Completes "hint: ".
    pub hint: String,
    /// The offending line with a caret, where there is one.
    pub excerpt: Option<String>,
}

impl Failure {
    /// The user can mend it.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure { code: USAGE, message: message.into(), hint: hint.into(), excerpt: None }
    }

    /// No verdict could be reached.
    pub(crate) fn undecided(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure { code: UNDECIDED, message: message.into(), hint: hint.into(), excerpt: None }
    }

    /// Tells the user, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        crate::output::say(&self.to_string());
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", escape(&self.message))?;
        if !self.hint.is_empty() {
            writeln!(f, "hint: {}", escape(&self.hint))?;
        }
        match &self.excerpt {
            Some(excerpt) => writeln!(f, "{excerpt}"),
            None => Ok(()),
        }
    }
}

impl From<thru_lab::Error> for Failure {
    fn from(error: thru_lab::Error) -> Failure {
        let excerpt = error.excerpt();
        Failure { code: USAGE, message: error.headline(), hint: error.hint, excerpt }
    }
}

/// A word that is no command, with others behind it: clap takes the first for a URL and blames the second.
pub(crate) fn of_words(error: &clap::Error, words: &[String]) -> Option<Failure> {
    let first = words.first().filter(|word| !word.starts_with('-'))?;
    if error.kind() != clap::error::ErrorKind::ArgumentConflict || !error.to_string().contains("subcommand") {
        return None;
    }
    let commands = crate::args::commands();
    let shown = hidden(first);
    let near = thru_lab::source::nearest(first, commands.iter().map(String::as_str));
    let hint = match near {
        Some(near) => format!("did you mean `thru {near}`?"),
        None => format!("there are {}; a URL stands alone", commands.join(", ")),
    };
    Some(Failure::usage(format!("there is no command `{shown}`"), hint))
}

/// The command that these words belong to: `thru lab verify`.
fn command_of(words: &[String]) -> String {
    use clap::CommandFactory as _;
    let (mut known, mut called) = (crate::args::Cli::command(), "thru".to_owned());
    for word in words {
        let Some(next) = known.find_subcommand(word).cloned() else { break };
        called = format!("{called} {word}");
        known = next;
    }
    called
}

/// The words of the command line; what is no UTF-8 has its marks for that.
pub(crate) fn typed() -> Vec<String> {
    std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect()
}

/// clap's error in our two lines. Help and version go to standard output and are no failure.
pub(crate) fn of_clap(error: &clap::Error) -> Result<String, Failure> {
    use clap::error::ErrorKind;
    let mut text = error.render().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Ok(text);
    }
    // What was typed is quoted, and may hold a login.
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidArg, ContextKind::InvalidSubcommand] {
        if let Some(ContextValue::String(typed)) = error.get(kind) {
            text = text.replace(typed.as_str(), &hidden(typed));
        }
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut message =
        lines.next().unwrap_or("the arguments make no sense").trim_start_matches("error: ").to_string();
    let mut hint = None;
    // What is missing, or in the way, stands below, one a line.
    let (listing, mut listed) = (message.ends_with(':'), 0);
    let words = typed();
    let mut command = command_of(&words);
    for line in lines {
        if let Some(tip) = line.strip_prefix("tip: ") {
            hint.get_or_insert_with(|| tip.to_string());
        } else if line.starts_with('[') && hint.is_none() {
            hint = Some(line.trim_matches(['[', ']']).to_string());
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            let words = usage.split(' ').take_while(|word| !word.starts_with(['[', '<', '-']));
            command = words.collect::<Vec<_>>().join(" ");
            break;
        } else if listing {
            message.push_str(if listed > 0 { ", " } else { " " });
            message.push_str(line);
            listed += 1;
        }
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Err(Failure::usage(
            "there is nothing to do",
            "say what, as in `thru lab list`; `--help` lists what there is",
        ));
    }
    let hint = hint.unwrap_or_else(|| format!("`{command} --help` shows how it is used"));
    // clap quotes with ', we quote with `.
    Err(Failure::usage(message.replace('\'', "`"), hint.replace('\'', "`")))
}
