//! Standard output: how wide, whether coloured, and quiet when the reader has gone.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use thru_report::text::Style;

use crate::args::Color;

/// How to draw: the terminal's width or COLUMNS, 80 when piped; colour as asked and as the environment wants.
pub(crate) fn style(color: Color) -> Style {
    let terminal = io::stdout().is_terminal();
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let width = variable("COLUMNS")
        .and_then(|columns| columns.parse().ok())
        .or_else(|| if terminal { terminal_width() } else { None })
        .unwrap_or(80usize);
    let color = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let forced = variable("CLICOLOR_FORCE").is_some_and(|value| value != "0");
            variable("NO_COLOR").is_none()
                && (forced || (terminal && variable("TERM").is_none_or(|term| term != "dumb")))
        }
    };
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| variable(name));
    // Only a terminal that says it is not UTF-8 gets ASCII; a pipe gets UTF-8.
    let ascii = terminal
        && locale.is_some_and(|locale| !locale.to_ascii_lowercase().replace('-', "").contains("utf8"));
    Style { width, color, ascii }
}

fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// Writes to standard output. A reader that has gone (`thru ... | head`) is no error.
pub(crate) fn print(text: &str) {
    write(text.as_bytes());
}

/// Writes to standard error. If nobody listens there either, there is nobody left to tell.
pub(crate) fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// So many packets, in words.
pub(crate) fn packets(count: u64) -> String {
    counted(count, "packet")
}

/// So many of these, in words.
pub(crate) fn counted(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// [`print()`] for bytes.
pub(crate) fn write(bytes: &[u8]) {
    pass_on(bytes);
}

/// [`write()`], and whether more is wanted: not when the reader has gone, or nothing can be written any more.
pub(crate) fn pass_on(bytes: &[u8]) -> bool {
    if LOST.load(Ordering::Relaxed) {
        return false;
    }
    let mut out = io::stdout().lock();
    let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) else { return true };
    if error.kind() != io::ErrorKind::BrokenPipe {
        LOST.store(true, Ordering::Relaxed);
        say(&format!("error: cannot write to standard output: {error}\n"));
    }
    false
}

/// Whether something that belongs on standard output is not there, as when the disk is full.
pub(crate) fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Writing to standard output has failed.
static LOST: AtomicBool = AtomicBool::new(false);
