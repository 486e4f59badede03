//! The packets of one flow as a ladder between its two ends: in text, and as SVG.

use super::flow::FlowId;
use super::{Ends, ends, named, time};
use crate::protocols::{frame, tcp};
use crate::show::{put, summary_words};
use crate::streams::analysis::{ACK, FIN, PSH, RST, SYN};
use crate::tree::Tree;

/// So many packets are drawn; the others are counted.
const ROWS_MAX: usize = 5000;
/// A label is not longer.
const LABEL_MAX: usize = 120;

/// Draws one flow.
#[derive(Debug)]
pub struct Ladder {
    id: FlowId,
    ends: Option<Ends>,
    rows: Vec<Row>,
    beyond: u64,
}

#[derive(Debug)]
struct Row {
    number: u64,
    time: i64,
    to_right: bool,
    label: String,
    /// Something is wrong with the packet.
    is_odd: bool,
}

impl Ladder {
    /// Draws the packets of a flow; its streams are not told apart.
    pub fn new(id: FlowId) -> Ladder {
        Ladder { id, ends: None, rows: Vec::new(), beyond: 0 }
    }

    /// Takes a packet, whether it belongs to the flow or not.
    pub fn take(&mut self, tree: Tree<'_>) {
        if !self.id.has(tree) {
            return;
        }
        let Some(ends) = ends(tree) else { return };
        let first = *self.ends.get_or_insert(ends);
        if self.rows.len() == ROWS_MAX {
            self.beyond += 1;
            return;
        }
        let (label, is_odd) = label(tree);
        self.rows.push(Row {
            number: tree.number(&frame::NUMBER).unwrap_or(0),
            time: time(tree),
            // A client may change its address; the server's stays.
            to_right: ends.to == first.to || ends.from == first.from,
            label,
            is_odd,
        });
    }

    /// Whether the flow was there.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The ladder in text, `width` columns wide.
    pub fn text(&self, out: &mut Vec<u8>, width: usize) {
        let Some(ends) = self.ends else { return };
        let rung = width.saturating_sub(22).max(30);
        let (left, right) = (named(ends.from), named(ends.to));
        let space = rung.saturating_sub(left.chars().count());
        put!(out, "{:>6} {:>12} {left}{right:>space$}\n", "packet", "seconds");
        let begins = self.rows.first().map_or(0, |row| row.time);
        for row in &self.rows {
            put!(out, "{:>6} {:>12.6} ", row.number, row.time.saturating_sub(begins) as f64 / 1e9);
            let room = rung - 6;
            let label: String = row.label.chars().take(room).collect();
            let mark = if row.is_odd { '!' } else { ' ' };
            let line = "─".repeat(room - label.chars().count());
            if row.to_right {
                put!(out, "│─{mark}{label} {line}>│\n");
            } else {
                put!(out, "│<{line} {label}{mark}─│\n");
            }
        }
        if self.beyond > 0 {
            put!(out, "{} more packets\n", self.beyond);
        }
    }

    /// The ladder as an SVG picture.
    pub fn svg(&self, out: &mut Vec<u8>) {
        const STEP: usize = 22;
        const TOP: usize = 60;
        const LEFT: usize = 150;
        const RIGHT: usize = 850;
        let Some(ends) = self.ends else { return };
        let height = TOP + STEP * (self.rows.len() + 2);
        put!(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1000\" height=\"{height}\" ");
        put!(out, "font-family=\"sans-serif\" font-size=\"12\">\n");
        put!(out, "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        for (x, end) in [(LEFT, ends.from), (RIGHT, ends.to)] {
            put!(
                out,
                "<text x=\"{x}\" y=\"24\" text-anchor=\"middle\" font-weight=\"bold\">{}</text>\n",
                named(end)
            );
            put!(out, "<line x1=\"{x}\" y1=\"34\" x2=\"{x}\" y2=\"{}\" stroke=\"#888\"/>\n", height - 10);
        }
        let begins = self.rows.first().map_or(0, |row| row.time);
        for (place, row) in self.rows.iter().enumerate() {
            let y = TOP + STEP * (place + 1);
            let (from, to) = if row.to_right { (LEFT, RIGHT) } else { (RIGHT, LEFT) };
            let tip = if row.to_right { to - 8 } else { to + 8 };
            let color = if row.is_odd { "#c00" } else { "#246" };
            let seconds = row.time.saturating_sub(begins) as f64 / 1e9;
            put!(out, "<text x=\"8\" y=\"{}\" fill=\"#666\">{} · {seconds:.6}</text>\n", y + 4, row.number);
            put!(out, "<line x1=\"{from}\" y1=\"{y}\" x2=\"{to}\" y2=\"{y}\" stroke=\"{color}\"/>\n");
            put!(out, "<path d=\"M{to} {y} L{tip} {} L{tip} {} Z\" fill=\"{color}\"/>\n", y - 4, y + 4);
            put!(out, "<text x=\"500\" y=\"{}\" text-anchor=\"middle\" fill=\"{color}\">", y - 4);
            xml(out, &row.label);
            out.extend_from_slice(b"</text>\n");
        }
        if self.beyond > 0 {
            put!(
                out,
                "<text x=\"500\" y=\"{}\" text-anchor=\"middle\">{} more packets</text>\n",
                height - 12,
                self.beyond
            );
        }
        out.extend_from_slice(b"</svg>\n");
    }
}

fn xml(out: &mut Vec<u8>, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            '&' => out.extend_from_slice(b"&amp;"),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// What a packet says, in a few words, and whether something is odd about it.
fn label(tree: Tree<'_>) -> (String, bool) {
    // What is said comes first: it is what fits into a narrow ladder.
    let mut words = Vec::new();
    summary_words(&mut words, tree);
    if !words.is_empty() {
        words.push(b' ');
    }
    let mut is_odd = false;
    if let Some(flags) = tree.number(&tcp::FLAGS) {
        let names = [(SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK")];
        let set = names.into_iter().filter(|(bit, _)| flags as u16 & bit != 0).map(|(_, name)| name);
        let number = |def| tree.number(def).unwrap_or(0);
        put!(words, "{}", set.collect::<Vec<_>>().join(" "));
        put!(words, " seq {} ack {}", number(&tcp::SEQ), number(&tcp::ACK));
        if number(&tcp::LEN) > 0 {
            put!(words, " len {}", number(&tcp::LEN));
        }
        is_odd = flags as u16 & RST != 0;
        for finding in tree.fields().iter().filter(|field| field.def.name.starts_with("tcp.analysis.")) {
            let name = finding.def.name.trim_start_matches("tcp.analysis.");
            let told = [
                "retransmission",
                "fast_retransmission",
                "spurious_retransmission",
                "out_of_order",
                "duplicate_ack",
                "zero_window",
                "window_full",
                "lost_segment",
                "ack_lost_segment",
                "keep_alive",
            ];
            if told.contains(&name) {
                put!(words, " [{}]", name.replace('_', " "));
                is_odd = true;
            }
        }
    }
    let text = String::from_utf8_lossy(&words);
    let label: String = text.trim_matches([':', ' ']).chars().take(LABEL_MAX).collect();
    (label, is_odd)
}
