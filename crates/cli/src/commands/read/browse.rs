//! `thru read --browse`: the capture on the terminal.

mod keys;
mod terminal;

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use thru_browse::{Browser, Capture, Next};
use thru_dissect::Options;
use thru_dissect::file::{Item, Reader};
use thru_os::clock;
use thru_os::signals::Signals;

use self::terminal::Screen;
use super::save::Save;
use super::source;
use crate::args::Color;
use crate::args::captures::ReadArgs;
use crate::failure::{self, Failure};
use crate::{Outcome, output};

/// So long the machine reads before it looks for keys again.
const SLICE: Duration = Duration::from_millis(15);
/// Packets that are read between two looks at the clock.
const PACKETS: usize = 256;
/// While it reads, the screen is drawn no more often than this.
const REDRAW: Duration = Duration::from_millis(60);
/// So long it waits for a key or a signal before it looks whether the terminal has another size.
const WAIT: Duration = Duration::from_millis(250);

/// Runs the command.
pub(super) fn run(args: &ReadArgs) -> Outcome {
    if !io::stdout().is_terminal() {
        return Err(Failure::usage(
            "--browse needs a terminal, and standard output is none",
            "without --browse the packets are written as lines",
        ));
    }
    let capture = capture(args)?;
    let mut browser = start(args, capture)?;
    // Nothing may end us without the terminal being as it was.
    let signals = Signals::new()
        .map_err(|error| Failure::undecided(format!("cannot wait for signals: {error}"), ""))?;
    let failed = |error: io::Error| Failure::undecided(format!("cannot use the terminal: {error}"), "");
    let mut screen = Screen::enter().map_err(failed)?;
    let ended = each_key(&mut browser, &mut screen, &signals);
    drop(screen);
    ended.map_err(failed)?;
    Ok(failure::HEALTHY)
}

fn capture(args: &ReadArgs) -> Result<Capture, Failure> {
    let secrets = args.show.keylog.iter().map(|path| {
        std::fs::read(path).map_err(|error| {
            Failure::usage(format!("cannot read `{}`: {error}", path.display()), "give the path of a key log")
        })
    });
    let secrets = secrets.collect::<Result<Vec<_>, _>>()?;
    let headers = args.filter.join(" ");
    super::header_filter(&headers)?;
    let options =
        Options { verify_checksums: args.show.checksums, reassemble_out_of_order: args.show.reorder };
    if args.file == Path::new("-") {
        let kept = keep_input()?;
        let size = kept.metadata().ok().map(|file| file.len());
        let open = move || {
            let mut file = kept.try_clone()?;
            file.rewind()?;
            source::unpack(Box::new(Shared { file, at: 0 }))
        };
        let (name, open) = ("standard input".to_owned(), Box::new(open));
        return Ok(Capture { name, open, size, secrets, headers, options });
    }
    // A plain message now beats one inside of the screen.
    drop(source::open(&args.file)?);
    let name = args.file.display().to_string();
    let size = plain_size(&args.file);
    let path: PathBuf = args.file.clone();
    let open = move || source::unpack(Box::new(File::open(&path)?));
    Ok(Capture { name, open: Box::new(open), size, secrets, headers, options })
}

fn start(args: &ReadArgs, capture: Capture) -> Result<Browser, Failure> {
    let filter = args.show.display.as_deref().unwrap_or_default();
    if !filter.is_empty() {
        thru_dissect::filter::Filter::display(filter).map_err(|error| super::not_a_filter(filter, &error))?;
    }
    let color = output::style(Color::Auto).color;
    Browser::new(capture, filter, color).map_err(|why| source::no_capture(&args.file, why))
}

/// How many bytes the file's packets are, if it is not compressed.
fn plain_size(path: &Path) -> Option<u64> {
    let mut magic = [0; 4];
    let mut file = File::open(path).ok()?;
    file.read_exact(&mut magic).ok()?;
    let packed = source::is_packed(&magic);
    file.metadata().ok().map(|file| file.len()).filter(|_| !packed)
}

/// What comes from a pipe can be read once, and looking around needs it again: it goes into a file that has no name.
fn keep_input() -> Result<File, Failure> {
    if io::stdin().is_terminal() {
        return Err(Failure::usage(
            "standard input is the terminal, not a capture",
            "give the path of a file",
        ));
    }
    output::say("reading all of standard input first; ^C ends it\n");
    let failed = |error: io::Error| {
        Failure::undecided(format!("cannot keep standard input: {error}"), "TMPDIR says where it is kept")
    };
    let mut file = nameless().map_err(failed)?;
    io::copy(&mut io::stdin().lock(), &mut file).map_err(failed)?;
    file.flush().map_err(failed)?;
    Ok(file)
}

/// A file without a name, which nobody else may have opened while it had one: captures hold secrets.
fn nameless() -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let name = format!("thru-{}-{}", std::process::id(), clock::unix_time().as_nanos());
    let path = std::env::temp_dir().join(name);
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// A file that several readings share: each has a place of its own.
struct Shared {
    file: File,
    at: u64,
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = std::os::unix::fs::FileExt::read_at(&self.file, buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Hands keys and spare time to the machine, and shows what it draws, until it has enough.
fn each_key(browser: &mut Browser, screen: &mut Screen, signals: &Signals) -> io::Result<()> {
    let mut size = screen.size()?;
    browser.resize(size.0, size.1);
    let mut drawn = None;
    loop {
        let busy = read_a_while(browser);
        let now = clock::now();
        if !busy || drawn.is_none_or(|at| now.since(at) >= REDRAW) {
            screen.draw(browser)?;
            drawn = Some(now);
        }
        for key in screen.keys(if busy { Duration::ZERO } else { WAIT }, signals)? {
            drawn = None;
            match browser.key(key) {
                Next::Quit => return Ok(()),
                Next::Stay => {}
                Next::Write(name) => {
                    let told = write(browser, &name);
                    browser.tell(&told);
                }
            }
        }
        if signals.take().is_some() {
            return Ok(());
        }
        let now = screen.size()?;
        if now != size {
            size = now;
            drawn = None;
            browser.resize(size.0, size.1);
        }
    }
}

/// Writes the packets that pass the filter, and all that the capture has besides them; says what came of it.
fn write(browser: &Browser, name: &str) -> String {
    let path = Path::new(name);
    if path.exists() {
        return format!("`{name}` is there already: nothing was written");
    }
    match write_to(browser, path) {
        Ok(count) => format!("{} written to {name}", output::packets(count)),
        Err(why) => format!("cannot write `{name}`: {why}"),
    }
}

fn write_to(browser: &Browser, path: &Path) -> Result<u64, String> {
    let mut reader =
        Reader::new(browser.open().map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    let mut save = Save::new(path, &reader, &[], true).map_err(|failure| failure.message)?;
    let mut count = 0;
    // What is wrong at the end of a file is told above; what comes before it is written.
    while let Ok(Some(item)) = reader.next() {
        let is_kept = match item {
            Item::Packet(record) => {
                let passes = browser.passes(record.number);
                count += u64::from(passes);
                passes
            }
            _ => true,
        };
        if is_kept {
            save.pass(&reader).map_err(|failure| failure.message)?;
        }
    }
    save.flush().map_err(|failure| failure.message)?;
    Ok(count)
}

/// Reads for a while; `false`: there is nothing to read.
fn read_a_while(browser: &mut Browser) -> bool {
    let start = clock::now();
    while browser.work(PACKETS) {
        if clock::now().since(start) >= SLICE {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_standard_input_is_for_us_alone() {
        use std::os::unix::fs::MetadataExt as _;
        let about = nameless().and_then(|file| file.metadata()).expect("a file");
        assert_eq!((about.mode() & 0o777, about.nlink()), (0o600, 0));
    }
}
