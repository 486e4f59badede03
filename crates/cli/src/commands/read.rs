//! `thru read`: a capture file as lines, trees, hex, JSON or columns.

mod browse;
mod columns;
mod lz4;
mod objects;
mod save;
pub(crate) mod source;
mod summaries;
mod table;

use std::io;
use std::path::Path;

use thru_dissect::field::FieldDef;
use thru_dissect::file::{FileError, Interface, Item, Reader, Record, SECRETS_TLS_KEY_LOG};
use thru_dissect::filter::{Filter, FilterError};
use thru_dissect::show::{self, JsonScratch, LineOptions, TimeStyle};
use thru_dissect::{Arena, Dissector, Meta, Options, Tree, fields_named};

use self::columns::Column;
use self::save::Save;
use self::summaries::Summary;
use self::table::Table;
use crate::args::captures::{ReadArgs, ShowArgs};
use crate::failure::{self, Failure};
use crate::save::not_over;
use crate::{Outcome, output};

/// Output is handed on in pieces of this size.
const PIECE: usize = 64 << 10;

/// Runs the command.
pub(crate) fn run(args: &ReadArgs) -> Outcome {
    if args.browse {
        return browse::run(args);
    }
    let path = args.file.display();
    if let Some(to) = &args.write {
        let others = args.show.keylog.iter().chain(&args.show.proto);
        others.chain([&args.file]).try_for_each(|from| not_over(from, to))?;
    }
    let mut reader =
        Reader::new(source::open(&args.file)?).map_err(|error| source::no_capture(&args.file, error))?;
    let mut job = Job::new(&args.show, &args.filter)?;
    let mut save = match &args.write {
        Some(to) if table::is_meant(to) => {
            job.summary = Some(Summary::Table(Table::new(to, &args.show.fields)?));
            None
        }
        Some(to) => Some(Save::new(to, &reader, &args.show.keylog, job.may_leave_out())?),
        None => None,
    };
    let ended = every_item(&mut reader, &mut job, save.as_mut());
    job.finish()?;
    if let Some(save) = save {
        save.finish(job.kept)?;
    }
    match ended? {
        None => Ok(failure::HEALTHY),
        Some(error) => Err(Failure {
            code: failure::FAULT,
            ..Failure::usage(format!("cannot read all of `{path}`: {error}"), "what comes before it was read")
        }),
    }
}

/// Reads to the end, or until nobody wants more; gives what was wrong with the file.
fn every_item<R: io::Read>(
    reader: &mut Reader<R>,
    job: &mut Job<'_>,
    mut save: Option<&mut Save>,
) -> Result<Option<FileError>, Failure> {
    while !job.is_done() {
        let keep = match reader.next() {
            Ok(None) => break,
            Err(error) => return Ok(Some(error)),
            Ok(Some(Item::Packet(record))) => job.packet(&record, save.is_none())?,
            Ok(Some(Item::Section(_))) => {
                job.interfaces.clear();
                true
            }
            Ok(Some(Item::Interface(at))) => {
                job.interfaces.extend(reader.interfaces().get(at as usize).cloned());
                true
            }
            Ok(Some(Item::Secrets { kind, bytes })) => {
                job.dissector.secrets(kind, bytes);
                true
            }
            Ok(Some(_)) => true,
        };
        if let Some(save) = save.as_deref_mut().filter(|_| keep)
            && !save.pass(reader)?
        {
            break;
        }
    }
    Ok(None)
}

/// What is made of the packets.
pub(crate) struct Job<'a> {
    args: &'a ShowArgs,
    /// The filter of headers as it was written.
    words: String,
    pub(crate) line: LineOptions,
    fields: Vec<Vec<&'static FieldDef>>,
    display: Option<Filter>,
    pub(crate) headers: Option<Filter>,
    dissector: Dissector,
    pub(crate) interfaces: Vec<Interface>,
    /// What is known of the next packet beyond its bytes.
    pub(crate) aside: Option<String>,
    arena: Arena,
    scratch: JsonScratch,
    out: Vec<u8>,
    columns: Vec<Column>,
    summary: Option<Summary>,
    /// So many packets were shown or written.
    pub(crate) kept: u64,
    /// The reader of our output has gone.
    closed: bool,
}

impl<'a> Job<'a> {
    pub(crate) fn new(args: &'a ShowArgs, filter: &[String]) -> Result<Job<'a>, Failure> {
        let time = match args.time {
            0 => TimeStyle::Clock,
            1 => TimeStyle::None,
            2 => TimeStyle::Epoch,
            3 => TimeStyle::Delta,
            4 => TimeStyle::Date,
            _ => TimeStyle::First,
        };
        let mut fields = Vec::new();
        for name in &args.fields {
            let defs = fields_named(name);
            if defs.is_empty() {
                return Err(Failure::usage(
                    format!("there is no field `{name}`"),
                    "fields have Wireshark's names, as in ip.src or tcp.flags.syn",
                ));
            }
            fields.push(defs);
        }
        let display = match &args.display {
            Some(text) => Some(Filter::display(text).map_err(|error| not_a_filter(text, &error))?),
            None => None,
        };
        let words = filter.join(" ");
        let headers = header_filter(&words)?;
        let columns = args.columns.iter().map(|name| Column::new(name)).collect::<Result<Vec<_>, _>>()?;
        let summary = Summary::new(args)?;
        let mut dissector = Dissector::new(Options {
            verify_checksums: args.checksums,
            reassemble_out_of_order: args.reorder || summary.is_some(),
        });
        args.keylog.iter().try_for_each(|path| secrets(&mut dissector, path))?;
        args.proto.iter().try_for_each(|path| schema(&mut dissector, path))?;
        Ok(Job {
            args,
            words,
            display,
            headers,
            line: LineOptions { time, number: args.number, link: args.link, interface: false },
            fields,
            dissector,
            interfaces: Vec::new(),
            aside: None,
            arena: Arena::new(),
            scratch: JsonScratch::default(),
            summary,
            out: {
                let mut out = Vec::with_capacity(PIECE * 2);
                if !columns.is_empty() {
                    columns::heading(&mut out, &columns);
                }
                out
            },
            columns,
            kept: 0,
            closed: false,
        })
    }

    /// Whether there may be packets that were not asked for.
    fn may_leave_out(&self) -> bool {
        self.headers.is_some() || self.display.is_some() || self.args.count.is_some()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.closed || self.args.count.is_some_and(|count| self.kept >= count)
    }

    /// Takes a packet; `true` if it is among those that were asked for.
    pub(crate) fn packet(&mut self, record: &Record<'_>, show: bool) -> Result<bool, Failure> {
        if let Some(headers) = &mut self.headers {
            let passes = headers.matches_bytes(record.link, record.bytes, record.original);
            if !passes.map_err(|error| not_a_filter(&self.words, &error))? {
                return Ok(false);
            }
        }
        if !show && self.display.is_none() {
            self.kept += 1;
            return Ok(true); // it is only copied
        }
        let comments: Vec<String> = record.comments().chain(self.aside.clone()).collect();
        let interface = self.interfaces.get(record.interface as usize);
        let meta = Meta { comments: &comments, ..Meta::of(record, interface) };
        let tree = self.dissector.dissect(&meta, record.bytes, &mut self.arena);
        if self.display.as_ref().is_some_and(|filter| !filter.matches(tree)) {
            return Ok(false);
        }
        self.kept += 1;
        if let Some(summary) = &mut self.summary {
            summary.take(&mut self.out, tree)?;
            if self.out.len() >= PIECE {
                self.flush();
            }
        } else if !self.columns.is_empty() {
            columns::row(&mut self.out, tree, &self.columns);
            if self.out.len() >= PIECE {
                self.flush();
            }
        } else if show {
            write(&mut self.out, tree, self.args, &self.line, &self.fields, &mut self.scratch);
            if let Some(words) = self.aside.as_ref().filter(|_| self.is_line()) {
                self.out.pop();
                self.out.extend_from_slice(format!(" {{{words}}}\n").as_bytes());
            }
            if self.out.len() >= PIECE {
                self.flush();
            }
        }
        Ok(true)
    }

    /// Whether each packet is one line and nothing else.
    fn is_line(&self) -> bool {
        !self.args.tree && !self.args.hex && !self.args.json && self.fields.is_empty()
    }

    /// Ends what is told of all packets together.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        let told = match self.summary.take() {
            Some(mut summary) => {
                summary.rest(&mut self.out, &mut self.dissector, &mut self.arena);
                summary.finish(&mut self.out, self.args)
            }
            None => Ok(()),
        };
        self.flush();
        told
    }

    /// Hands on what was written. A reader that has gone is no error, but nobody needs more.
    pub(crate) fn flush(&mut self) {
        self.closed |= !output::pass_on(&self.out);
        self.out.clear();
    }
}

/// Takes the names of protobuf's fields from a file.
fn schema(dissector: &mut Dissector, path: &std::path::Path) -> Result<(), Failure> {
    let file = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("cannot read the schema `{file}`: {error}"), "give the path of a .proto file")
    })?;
    dissector.schema(&text).map_err(|error| {
        Failure::usage(
            format!("cannot understand the schema `{file}`: {error}"),
            "a .proto file declares messages, enums and services, as protoc reads them",
        )
    })
}

/// Takes the secrets of a key log.
fn secrets(dissector: &mut Dissector, path: &Path) -> Result<(), Failure> {
    let text = key_log(path)?;
    if dissector.secrets(SECRETS_TLS_KEY_LOG, &text) == 0 {
        return Err(Failure::usage(
            format!("there are no TLS secrets in `{}`", path.display()),
            ABOUT_KEY_LOGS,
        ));
    }
    Ok(())
}

const ABOUT_KEY_LOGS: &str =
    "a key log has lines such as CLIENT_RANDOM 12ab... 34cd...; programs write it when SSLKEYLOGFILE is set";

/// The text of a key log.
fn key_log(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .map_err(|error| Failure::usage(format!("cannot read `{}`: {error}", path.display()), ABOUT_KEY_LOGS))
}

/// A filter of headers; `None`: there are no words.
pub(crate) fn header_filter(words: &str) -> Result<Option<Filter>, Failure> {
    if words.trim().is_empty() {
        return Ok(None);
    }
    Filter::pcap(words).map(Some).map_err(|error| not_a_filter(words, &error))
}

/// A filter's error, with a mark under the place.
pub(crate) fn not_a_filter(text: &str, error: &FilterError) -> Failure {
    let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mark = format!("  {shown}\n  {}{}", " ".repeat(error.column), "^".repeat(error.length));
    Failure {
        excerpt: Some(mark),
        ..Failure::usage(
            format!("the filter makes no sense at column {}: {error}", error.column + 1),
            "fields: tcp.port == 443 after -Y; headers: tcp port 443 after the file",
        )
    }
}

/// Writes a packet in the form that was asked for.
fn write(
    out: &mut Vec<u8>,
    tree: Tree<'_>,
    args: &ShowArgs,
    line: &LineOptions,
    fields: &[Vec<&'static FieldDef>],
    scratch: &mut JsonScratch,
) {
    if args.json {
        return show::json_line(out, tree, scratch);
    }
    if !fields.is_empty() {
        return show::columns(out, tree, fields, b'\t');
    }
    if args.tree {
        show::outline(out, tree);
    } else {
        show::line(out, tree, line);
    }
    if args.hex {
        show::hex_dump(out, tree);
    }
    if args.tree {
        out.push(b'\n');
    }
}
