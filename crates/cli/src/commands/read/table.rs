//! Rows for a Parquet file, which a program of its own writes: what that needs takes longer to build than all of thru.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use thru_dissect::field::{FieldDef, Kind};
use thru_dissect::show::{self, LineOptions, TimeStyle};
use thru_dissect::summary::conversations::{Conversations, Flow};
use thru_dissect::{Tree, Value, fields_named};

use crate::failure::Failure;
use crate::output;

/// Whether a file's name asks for Parquet.
pub(crate) fn is_meant(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"))
}

/// A file of rows that is being written.
pub(super) struct Table {
    path: PathBuf,
    child: Child,
    rows: BufWriter<ChildStdin>,
    what: What,
    count: u64,
    scratch: Vec<u8>,
}

/// What a row is.
enum What {
    Packets(Vec<Column>),
    Flows {
        talks: Conversations,
        /// When the capture's first packet came: flows are told relative to it.
        began: Option<i64>,
        /// So many were written before the end, to make room.
        early: u64,
    },
}

struct Column {
    name: String,
    kind: &'static str,
    /// The fields that it is taken from; the first that the packet has counts. None: the packet's line.
    defs: Vec<&'static FieldDef>,
}

/// What is told of each packet if no fields are asked for.
const PACKETS: [(&str, &[&str]); 18] = [
    ("number", &["frame.number"]),
    ("time", &["frame.time"]),
    ("length", &["frame.len"]),
    ("protocols", &["frame.protocols"]),
    ("src", &["ip.src", "ipv6.src"]),
    ("dst", &["ip.dst", "ipv6.dst"]),
    ("src_port", &["tcp.srcport", "udp.srcport"]),
    ("dst_port", &["tcp.dstport", "udp.dstport"]),
    ("tcp_stream", &["tcp.stream"]),
    ("udp_stream", &["udp.stream"]),
    ("tcp_flags", &["tcp.flags"]),
    ("tcp_seq", &["tcp.seq"]),
    ("tcp_ack", &["tcp.ack"]),
    ("tcp_len", &["tcp.len"]),
    ("tcp_window", &["tcp.window_size"]),
    ("tcp_rtt", &["tcp.analysis.ack_rtt"]),
    ("tcp_retransmission", &["tcp.analysis.retransmission"]),
    ("info", &[]),
];

const FLOWS: &str = "protocol:text\ta:text\ta_port:integer\tb:text\tb_port:integer\tpackets_ab:integer\tbytes_ab:integer\t\
                     packets_ba:integer\tbytes_ba:integer\tbegins:timestamp\tlasts:double";

impl Table {
    /// Begins a file: of flows if that is its name, otherwise of packets with these fields.
    pub(super) fn new(path: &Path, fields: &[String]) -> Result<Table, Failure> {
        let is_flows = path.file_stem().is_some_and(|name| name == "flows");
        let what = match is_flows {
            true => What::Flows { talks: Conversations::default(), began: None, early: 0 },
            false if fields.is_empty() => {
                What::Packets(PACKETS.iter().map(|(name, fields)| column(name, fields)).collect())
            }
            false => What::Packets(fields.iter().map(|field| column(field, &[field])).collect()),
        };
        let program = program().ok_or_else(|| {
            Failure::usage(
                "Parquet is written by `thru-parquet`, which is not here",
                "cargo build --release --manifest-path export/Cargo.toml builds it; put it beside thru or on the PATH, \
                 or name it in THRU_PARQUET",
            )
        })?;
        let failed = |error| Failure::undecided(format!("cannot run `{}`: {error}", program.display()), "");
        let mut child = Command::new(&program).arg(path).stdin(Stdio::piped()).spawn().map_err(failed)?;
        let rows = BufWriter::with_capacity(1 << 16, child.stdin.take().expect("it was asked for"));
        let mut table = Table { path: path.to_owned(), child, rows, what, count: 0, scratch: Vec::new() };
        let header = match &table.what {
            What::Flows { .. } => FLOWS.to_owned(),
            What::Packets(columns) => {
                let words: Vec<String> =
                    columns.iter().map(|column| format!("{}:{}", column.name, column.kind)).collect();
                words.join("\t")
            }
        };
        writeln!(table.rows, "{header}").map_err(|_| table.gone())?;
        Ok(table)
    }

    /// Takes a packet.
    pub(super) fn take(&mut self, tree: Tree<'_>) -> Result<(), Failure> {
        match &mut self.what {
            What::Flows { talks, began, early } => {
                if began.is_none() {
                    *began = first_packet(tree);
                }
                talks.take(tree);
                self.scratch.clear();
                for flow in talks.make_room() {
                    flow_row(&mut self.scratch, &flow, *began);
                    *early += 1;
                    self.count += 1;
                }
                return self.rows.write_all(&self.scratch).map_err(|_| self.gone());
            }
            What::Packets(columns) => {
                self.scratch.clear();
                for (place, column) in columns.iter().enumerate() {
                    if place > 0 {
                        self.scratch.push(b'\t');
                    }
                    cell(&mut self.scratch, tree, column);
                }
                self.scratch.push(b'\n');
            }
        }
        self.count += 1;
        self.rows.write_all(&self.scratch).map_err(|_| self.gone())
    }

    /// Ends the file and says how much is in it.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        let mut what = "packet";
        let mut early = 0;
        if let What::Flows { talks, began, early: before } = &self.what {
            (what, early) = ("flow", *before);
            self.scratch.clear();
            for flow in talks.flows() {
                flow_row(&mut self.scratch, &flow, *began);
                self.count += 1;
            }
            if self.rows.write_all(&self.scratch).is_err() {
                return Err(self.gone());
            }
        }
        let Table { path, mut child, rows, count, .. } = self;
        let flushed = rows.into_inner().map(drop).is_ok();
        let ended = child.wait();
        if !flushed || !ended.is_ok_and(|status| status.success()) {
            return Err(Failure::undecided(format!("`{}` was not written", path.display()), ""));
        }
        output::say(&format!("{} written to {}\n", output::counted(count, what), path.display()));
        if early > 0 {
            output::say(&format!(
                "{early} of them were written before the end to make room: one that went on is several rows\n"
            ));
        }
        Ok(())
    }

    /// It has ended before us, and has said why.
    fn gone(&mut self) -> Failure {
        let _ = self.child.wait();
        Failure::undecided(
            format!("`{}` was not written", self.path.display()),
            "thru-parquet says why above",
        )
    }
}

/// When the capture's first packet came, by what any packet says of itself: a filter may have kept the first one away.
fn first_packet(tree: Tree<'_>) -> Option<i64> {
    let value = |name| tree.first(name).map(|field| tree.value(field));
    match (value("frame.time"), value("frame.time_relative")) {
        (Some(Value::Absolute(time)), Some(Value::Relative(since))) => Some(time.wrapping_sub(since)),
        _ => None,
    }
}

/// A flow's row; `began` is when the capture did.
fn flow_row(out: &mut Vec<u8>, flow: &Flow, began: Option<i64>) {
    let begins = began.map_or("\\N".to_owned(), |began| began.saturating_add(flow.begins).to_string());
    let lasts = flow.lasts as f64 / 1e9;
    let [(packets_ab, bytes_ab), (packets_ba, bytes_ba)] = flow.ways;
    let ((a, a_port), (b, b_port)) = flow.ends;
    let ends = format!("{}\t{a}\t{a_port}\t{b}\t{b_port}", flow.protocol);
    let counts = format!("{packets_ab}\t{bytes_ab}\t{packets_ba}\t{bytes_ba}");
    out.extend_from_slice(format!("{ends}\t{counts}\t{begins}\t{lasts}\n").as_bytes());
}

/// The program that writes Parquet.
fn program() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("THRU_PARQUET") {
        return Some(PathBuf::from(path));
    }
    let beside = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.to_owned()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = beside.into_iter().chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join("thru-parquet")).find(|file| file.is_file())
}

fn column(name: &str, fields: &[&str]) -> Column {
    let defs: Vec<_> = fields.iter().flat_map(|name| fields_named(name)).collect();
    let kind = match defs.first().map(|def| def.kind) {
        Some(Kind::Uint(_) | Kind::Int | Kind::Frame) => "integer",
        Some(Kind::Bool | Kind::None | Kind::Protocol) => "boolean",
        Some(Kind::Float | Kind::Relative) => "double",
        Some(Kind::Absolute) => "timestamp",
        _ => "text",
    };
    Column { name: name.to_owned(), kind, defs }
}

/// A packet's value: of numbers the first, of words all with commas between.
fn cell(out: &mut Vec<u8>, tree: Tree<'_>, column: &Column) {
    let begins = out.len();
    if column.defs.is_empty() {
        let mut line = Vec::new();
        show::line(&mut line, tree, &LineOptions { time: TimeStyle::None, ..LineOptions::default() });
        return escape(out, line.trim_ascii_end());
    }
    for field in tree.fields() {
        if !column.defs.iter().any(|def| field.def.is(def)) {
            continue;
        }
        if out.len() > begins {
            if column.kind != "text" {
                return;
            }
            out.push(b',');
        }
        match tree.value(field) {
            Value::None => out.extend_from_slice(b"true"),
            Value::Uint(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Value::Absolute(nanos) => out.extend_from_slice(nanos.to_string().as_bytes()),
            _ => {
                let mut words = Vec::new();
                show::write_value(&mut words, tree, field);
                escape(out, &words);
            }
        }
    }
    if out.len() == begins {
        out.extend_from_slice(b"\\N");
    }
}

fn escape(out: &mut Vec<u8>, words: &[u8]) {
    for byte in words {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            byte => out.push(*byte),
        }
    }
}
