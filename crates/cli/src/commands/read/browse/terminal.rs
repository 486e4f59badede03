//! The terminal: ours while it is shown, as it was before whatever ends us.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::panic;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ratatui_core::buffer::{Buffer, Cell};
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use thru_browse::{Browser, Key};
use thru_os::signals::Signals;

use super::keys::Keys;

/// The other screen, nothing on it; the mouse's buttons are told.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[2J\x1b[?1000h\x1b[?1006h";
/// The screen as it was, with its cursor and colours.
const LEAVE: &[u8] = b"\x1b[?1006l\x1b[?1000l\x1b[0m\x1b[?25h\x1b[?1049l";
/// What belongs to an escape comes within this time.
const ESCAPE: Duration = Duration::from_millis(25);

/// The terminal that has to be given back, and how it was.
static TAKEN: Mutex<Option<(File, Termios)>> = Mutex::new(None);

/// The screen, until it is dropped.
pub(super) struct Screen {
    tty: File,
    keys: Keys,
    /// What is on it.
    shown: Buffer,
    out: Vec<u8>,
}

impl Screen {
    /// Takes the terminal. What a bug says of itself is said after the terminal was given back.
    pub(super) fn enter() -> io::Result<Screen> {
        let tty = match io::stdin().is_terminal() {
            true => File::from(io::stdin().as_fd().try_clone_to_owned()?),
            false => File::options().read(true).write(true).open("/dev/tty")?,
        };
        let before = tcgetattr(&tty)?;
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back();
            told(panic);
        }));
        let mut raw = before.clone();
        raw.make_raw();
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = Some((tty.try_clone()?, before));
        // From here on it is given back, whatever fails.
        let screen = Screen { tty, keys: Keys::default(), shown: Buffer::empty(Rect::ZERO), out: Vec::new() };
        tcsetattr(&screen.tty, OptionalActions::Now, &raw)?;
        write_out(ENTER)?;
        Ok(screen)
    }

    /// Columns and lines.
    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        let size = tcgetwinsize(io::stdout())?;
        // Some terminals do not say.
        Ok(if size.ws_col == 0 || size.ws_row == 0 { (80, 24) } else { (size.ws_col, size.ws_row) })
    }

    /// The keys that were pressed; waits so long for one, or for a signal.
    pub(super) fn keys(&mut self, wait: Duration, signals: &Signals) -> io::Result<Vec<Key>> {
        let wait = if self.keys.is_waiting() { wait.min(ESCAPE) } else { wait };
        let wait = Timespec { tv_sec: 0, tv_nsec: wait.as_nanos() as _ };
        let mut waited =
            [PollFd::new(&self.tty, PollFlags::IN), PollFd::new(signals.descriptor(), PollFlags::IN)];
        match poll(&mut waited, Some(&wait)) {
            // We were stopped and go on.
            Err(Errno::INTR) => return Ok(Vec::new()),
            other => other?,
        };
        let ready = waited[0].revents();
        if ready.is_empty() {
            return Ok(self.keys.take(&[], true));
        }
        let mut buffer = [0; 1024];
        match self.tty.read(&mut buffer)? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it was closed")),
            count => Ok(self.keys.take(&buffer[..count], false)),
        }
    }

    /// Shows what has changed.
    pub(super) fn draw(&mut self, browser: &Browser) -> io::Result<()> {
        let (columns, lines) = browser.size();
        let area = Rect::new(0, 0, columns, lines);
        let mut next = Buffer::empty(area);
        browser.draw(&mut next);
        self.out.clear();
        if self.shown.area != area {
            self.shown = Buffer::empty(area);
            self.out.extend_from_slice(b"\x1b[0m\x1b[2J");
        }
        write_cells(&mut self.out, self.shown.diff(&next).into_iter());
        match browser.cursor() {
            Some((column, line)) => write!(self.out, "\x1b[{};{}H\x1b[?25h", line + 1, column + 1)?,
            None => self.out.extend_from_slice(b"\x1b[?25l"),
        }
        self.shown = next;
        write_out(&self.out)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// The terminal as it was. Twice does no harm.
fn give_back() {
    let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((tty, before)) = taken {
        let _ = write_out(LEAVE);
        let _ = tcsetattr(&tty, OptionalActions::Now, &before);
    }
}

fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Cells as text with sequences that move the cursor and set the style (ECMA-48).
fn write_cells<'a>(out: &mut Vec<u8>, cells: impl Iterator<Item = (u16, u16, &'a Cell)>) {
    let (mut next, mut style) = (None, None);
    for (x, y, cell) in cells {
        if next != Some((x, y)) {
            let _ = write!(out, "\x1b[{};{}H", y + 1, x + 1);
        }
        if style != Some((cell.fg, cell.modifier)) {
            style = Some((cell.fg, cell.modifier));
            set_style(out, cell);
        }
        out.extend_from_slice(cell.symbol().as_bytes());
        // How wide others are is the terminal's business: behind them the cursor is placed anew.
        next = cell.symbol().is_ascii().then_some((x + 1, y));
    }
    out.extend_from_slice(b"\x1b[0m");
}

fn set_style(out: &mut Vec<u8>, cell: &Cell) {
    out.extend_from_slice(b"\x1b[0");
    for (modifier, code) in [(Modifier::BOLD, ";1"), (Modifier::UNDERLINED, ";4"), (Modifier::REVERSED, ";7")]
    {
        if cell.modifier.contains(modifier) {
            out.extend_from_slice(code.as_bytes());
        }
    }
    out.extend_from_slice(match cell.fg {
        Color::Red => b";31m",
        Color::Yellow => b";33m",
        Color::Blue => b";34m",
        Color::DarkGray => b";90m",
        _ => b"m",
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells the test below what to do when it runs itself inside of a terminal.
    const INSIDE: &str = "THRU_TEST_SCREEN";

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_told() {
        const NAME: &str =
            "commands::read::browse::terminal::tests::a_panic_gives_the_terminal_back_and_is_told";
        if std::env::var_os(INSIDE).is_some() {
            let _screen = Screen::enter().expect("this is a terminal");
            panic!("something went wrong");
        }
        let terminal = thru_peers::pty::Pty::new(80, 24);
        let before = terminal.modes();
        let program = std::env::current_exe().expect("a test knows its program");
        let mut command = std::process::Command::new(program);
        command.args(["--exact", NAME, "--nocapture"]).env(INSIDE, "1");
        let (status, shown) = terminal.start(&mut command).end();
        assert!(!status.success());
        let left = shown.find("\u{1b}[?1049l").expect("it left the screen");
        let told = shown.find("something went wrong").expect("it was told");
        assert!(left < told, "told where nobody sees it: {shown}");
        assert_eq!(terminal.modes(), before);
    }
}
