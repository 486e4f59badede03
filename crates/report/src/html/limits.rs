//! What held the sender of a connection back over time, as a band for each direction.

use super::chart::{LEFT, RIGHT, WIDTH, ticks};
use super::markup::{escape, place};
use std::fmt::Write;
use thru_dissect::summary::insight::HeldBack;

const ROW: f64 = 26.0;
const TOP: f64 = 6.0;
const BOTTOM: f64 = 28.0;

/// What there is, and which colour it has.
const KINDS: [(&str, &str); 4] = [
    ("application", "held-a"),
    ("receiver's window", "held-r"),
    ("sender's window", "held-s"),
    ("network", "held-n"),
];

/// The plot: rows with a name each. `began` is when the connection did; `span` is that of the other plots.
pub(super) fn band(rows: &[(&str, &[HeldBack])], began: u64, span: (u64, u64)) -> String {
    if rows.iter().all(|(_, held)| held.is_empty()) {
        return String::new();
    }
    let height = TOP + ROW * rows.len() as f64 + BOTTOM;
    let length = span.1.saturating_sub(span.0).max(1) as f64;
    let x = |at: u64| {
        let at = began.saturating_add(at).clamp(span.0, span.1) - span.0;
        LEFT + (WIDTH - LEFT - RIGHT) * at as f64 / length
    };
    let mut out = format!(
        "<div class=\"plot-box\"><h3>What held the sender back</h3>\n<div class=\"scroll\"><svg class=\"plot\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"What held the sender back\">\n",
        place(WIDTH),
        place(height),
    );
    for (number, (name, held)) in rows.iter().enumerate() {
        let top = TOP + ROW * number as f64;
        let _ = writeln!(
            out,
            "<text class=\"soft\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            place(LEFT - 8.0),
            place(top + 15.0),
            escape(name)
        );
        for one in *held {
            let class = KINDS.iter().find(|(word, _)| *word == one.by).map_or("held-a", |(_, class)| class);
            let (from, to) = (x(one.begins), x(one.ends));
            let _ = writeln!(
                out,
                "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{} ({:.0} %)</title></rect>",
                place(from),
                place(top + 3.0),
                place((to - from).max(1.0)),
                place(ROW - 8.0),
                escape(one.by),
                one.share * 100.0
            );
        }
    }
    ticks(&mut out, span, height);
    out.push_str("</svg></div>\n<p class=\"soft\">");
    let is_there = |word: &str| rows.iter().any(|(_, held)| held.iter().any(|one| one.by == word));
    let legend: Vec<String> = KINDS
        .iter()
        .filter(|(word, _)| is_there(word))
        .map(|(word, class)| {
            format!(
                "<svg style=\"display:inline;width:12px\" viewBox=\"0 0 10 10\"><rect class=\"{class}\" x=\"1\" y=\"1\" width=\"8\" height=\"8\"/></svg> {}",
                escape(word)
            )
        })
        .collect();
    out.push_str(&legend.join(" &nbsp; "));
    out.push_str("</p></div>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_has_a_piece_for_each_stretch_and_a_word_for_each_kind() {
        let held = [
            HeldBack { begins: 0, ends: 50, by: "network", share: 1.0 },
            HeldBack { begins: 50, ends: 500, by: "receiver's window", share: 0.5 },
        ];
        let band = band(&[("received", &held), ("sent", &[])], 1000, (1000, 1100));
        assert_eq!(band.matches("<title>").count(), 2);
        assert!(band.contains("receiver&#39;s window") || band.contains("receiver's window"), "{band}");
        assert!(!band.contains("application"));
        let right = format!("width=\"{}\"", place((WIDTH - LEFT - RIGHT) / 2.0));
        assert!(band.contains(&right), "what goes on beyond the plot ends with it: {band}");
        assert_eq!(super::band(&[("received", &[])], 0, (0, 1)), "");
    }
}
