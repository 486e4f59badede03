//! The files a request leaves behind when asked to: packets, secrets, report, bundle.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use thru_trace::{Trace, Verdict};

use crate::args::UrlArgs;
use crate::failure::Failure;
use crate::output;

/// Whether standard output belongs to the packets, so that nothing else may be written there.
pub(crate) fn takes_standard_output(args: &UrlArgs) -> bool {
    args.write.as_deref() == Some(Path::new("-"))
}

/// Refuses files that would be written over those that are read.
pub(crate) fn check(args: &UrlArgs) -> Result<(), Failure> {
    let read = || [&args.cacert, &args.cert, &args.key].into_iter().flatten();
    let written = [&args.write, &args.report, &args.har, &args.qlog, &args.bundle, &args.keylog];
    written.into_iter().flatten().try_for_each(|to| read().try_for_each(|from| not_over(from, to)))
}

/// Writes every file that was asked for, and says so on standard error.
pub(crate) fn all(args: &UrlArgs, trace: &Trace, verdict: &Verdict) -> Result<(), Failure> {
    if takes_standard_output(args) {
        let mut file = Vec::new();
        thru_report::pcapng::write_with_verdict(trace, verdict, &mut file).expect("memory takes all");
        output::write(&file);
    } else if let Some(path) = &args.write {
        write(path, |file| thru_report::pcapng::write_with_verdict(trace, verdict, file))?;
        output::say(&format!(
            "{} written to {}\n",
            output::packets(trace.packets.len() as u64),
            path.display()
        ));
    }
    if let Some(path) = &args.report {
        report(path, trace, verdict)?;
    }
    if let Some(path) = &args.har {
        let text = thru_report::har::render(trace, verdict);
        write(path, |file| file.write_all(text.as_bytes()))?;
        output::say(&format!("HAR written to {}\n", path.display()));
    }
    if let Some(path) = &args.qlog {
        qlog(path, trace, verdict)?;
    }
    if let Some(path) = &args.bundle {
        write(path, |file| bundle(trace, verdict, args.keylog.is_some(), file))?;
        let wanted = args.keylog.is_some();
        let what = match tells_login(trace) && !wanted {
            true => "everything but the packets, which hold the login (--keylog adds them),",
            false => "everything",
        };
        output::say(&format!("{what} written to {}\n", path.display()));
    }
    let from_environment = std::env::var_os("SSLKEYLOGFILE").filter(|path| !path.is_empty());
    for path in args.keylog.as_deref().into_iter().chain(from_environment.as_ref().map(Path::new)) {
        append(path, &trace.key_log).map_err(|error| cannot("write", path, &error))?;
    }
    Ok(())
}

/// Writes the connections as qlog.
pub(crate) fn qlog(path: &Path, trace: &Trace, verdict: &Verdict) -> Result<(), Failure> {
    let text = thru_report::qlog::render(trace, verdict);
    write(path, |file| file.write_all(text.as_bytes()))?;
    output::say(&format!("qlog written to {}\n", path.display()));
    Ok(())
}

/// Writes the answer as one HTML page.
pub(crate) fn report(path: &Path, trace: &Trace, verdict: &Verdict) -> Result<(), Failure> {
    let text = thru_report::html::render(trace, verdict);
    write(path, |file| file.write_all(text.as_bytes()))?;
    output::say(&format!("report written to {}\n", path.display()));
    Ok(())
}

/// Whether whoever has the packets can read a login in them: one that was sent without encryption.
fn tells_login(trace: &Trace) -> bool {
    trace.spans.iter().any(|span| {
        let in_clear = || span.text("http.url").is_none_or(|url| !url.starts_with("https:"));
        span.bool("proxy.login") == Some(true) || span.bool("http.login") == Some(true) && in_clear()
    })
}

/// Report, JSON, HAR, qlog and packets in a compressed archive; without the TLS secrets, and without packets that hold a
/// login in clear, unless they are wanted: a ticket is read by many. The same trace gives the same bytes.
fn bundle(trace: &Trace, verdict: &Verdict, secrets: bool, out: impl Write) -> io::Result<()> {
    let mut capture = Vec::new();
    if secrets {
        thru_report::pcapng::write_with_verdict(trace, verdict, &mut capture)?;
    } else {
        let without = Trace { key_log: String::new(), ..trace.clone() };
        thru_report::pcapng::write_with_verdict(&without, verdict, &mut capture)?;
    }
    let mut files = vec![
        ("report.html", thru_report::html::render(trace, verdict).into_bytes()),
        ("trace.json", thru_report::json::render(trace, verdict).into_bytes()),
        ("request.har", thru_report::har::render(trace, verdict).into_bytes()),
        ("connections.qlog", thru_report::qlog::render(trace, verdict).into_bytes()),
    ];
    if !trace.packets.is_empty() && (secrets || !tells_login(trace)) {
        files.push(("packets.pcapng", capture));
    }
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(out, flate2::Compression::default()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(trace.epoch_unix_nanos / 1_000_000_000);
        archive.append_data(&mut header, Path::new("thru").join(name), bytes.as_slice())?;
    }
    archive.into_inner()?.finish()?.flush()
}

/// What `content` writes goes to a file. Where it is text it should be made before: whatever goes wrong while it is made
/// leaves the file as it was.
fn write(path: &Path, content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), Failure> {
    let file = File::create(path).map_err(|error| cannot("write", path, &error))?;
    let mut file = BufWriter::new(file);
    content(&mut file).and_then(|()| file.flush()).map_err(|error| cannot("write", path, &error))
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}

/// Refuses to write a file over the one that is being read; `-` is standard input, or output, which may be files, too.
pub(crate) fn not_over(from: &Path, to: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt as _;
    let place = |path: &Path, standard: &str| {
        let path = if path == Path::new("-") { Path::new(standard) } else { path };
        let meta = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        Some((meta.dev(), meta.ino()))
    };
    match (place(from, "/dev/stdin"), place(to, "/dev/stdout")) {
        (Some(from), Some(over)) if from == over => Err(Failure::usage(
            format!("`{}` is the file that is read: writing to it would destroy it", to.display()),
            "give the output another name",
        )),
        _ => Ok(()),
    }
}

/// A file that can't be read or written.
pub(crate) fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::usage(
        format!("cannot {what} `{}`: {error}", path.display()),
        "check the path and its permissions",
    )
}
