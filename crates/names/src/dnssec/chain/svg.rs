//! A chain of trust as a picture: a box for each zone, from the anchor down, the broken one in red.

use std::fmt::Write;

use super::text::{key_text, signatures, summary, vouch_text, word};
use super::{Chain, State};
use crate::text::{name_text, type_text};

/// Pixels: width of the picture, of its margin; height of a line, of the gap between boxes.
const WIDTH: usize = 760;
const MARGIN: usize = 16;
const LINE: usize = 18;
const GAP: usize = 26;
/// Characters in a line at this width.
const CHARACTERS: usize = 96;

/// The chain as an SVG document. It names no outside resource, and all text in it is escaped.
pub fn draw(chain: &Chain) -> String {
    let mut boxes: Vec<(String, Vec<String>, &State)> = Vec::new();
    for part in chain.all() {
        add_boxes(&mut boxes, part);
    }
    let mut body = String::new();
    let mut y = MARGIN;
    let last = boxes.len().saturating_sub(1);
    for (at, (title, lines, state)) in boxes.iter().enumerate() {
        let mut lines = lines.clone();
        if let State::Broken(problem) | State::Insecure(Some(problem)) = state {
            lines.extend(wrapped(&format!("{} ({})", problem.what, problem.rfc)));
        }
        y = one_box(&mut body, y, title, &lines, state);
        if at < last {
            let middle = WIDTH / 2;
            let colour = colour(boxes[at + 1].2);
            // Writing to a String never fails.
            let _ = writeln!(
                body,
                "<path d=\"M{middle} {y} v{} m-5 -7 l5 7 l5 -7\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                GAP - 2
            );
            y += GAP;
        }
    }
    y += LINE;
    for line in wrapped(&summary(chain)) {
        let _ =
            writeln!(body, "<text x=\"{MARGIN}\" y=\"{y}\" font-weight=\"bold\">{}</text>", escaped(&line));
        y += LINE;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y}\" viewBox=\"0 0 {WIDTH} {y}\" \
         font-family=\"ui-monospace, monospace\" font-size=\"12\">\n\
         <title>chain of trust</title>\n<rect width=\"{WIDTH}\" height=\"{y}\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

/// The boxes of one chain, without those that its aliases lead to.
fn add_boxes<'a>(boxes: &mut Vec<(String, Vec<String>, &'a State)>, chain: &'a Chain) {
    for (depth, link) in (chain.depth..).zip(&chain.links) {
        let who = if depth == 0 { "anchor" } else { "DS" };
        let mut lines: Vec<String> =
            link.vouches.iter().map(|vouch| format!("{who} {}", vouch_text(vouch))).collect();
        if depth > 0 && !link.vouches_signed.is_empty() {
            let what = if link.vouches.is_empty() { "no DS, proven" } else { "signed" };
            lines.push(format!("{what} by {}", signatures(&link.vouches_signed, chain.now)));
        }
        lines.extend(link.keys.iter().map(|key| format!("key {}", key_text(key))));
        if !link.keys_signed.is_empty() {
            lines.push(format!("keys signed by {}", signatures(&link.keys_signed, chain.now)));
        }
        boxes.push((name_text(&link.zone), lines, &link.state));
    }
    if let Some(leaf) = &chain.leaf {
        let mut lines = vec![leaf.says.clone()];
        if !leaf.signed.is_empty() {
            lines.push(format!("signed by {}", signatures(&leaf.signed, chain.now)));
        }
        boxes.push((format!("{} {}", name_text(&leaf.name), type_text(leaf.rtype)), lines, &leaf.state));
    }
}

/// Draws a box; gives where it ends.
fn one_box(body: &mut String, y: usize, title: &str, lines: &[String], state: &State) -> usize {
    let height = LINE * (lines.len() + 1) + 12;
    let (colour, width) = (colour(state), WIDTH - 2 * MARGIN);
    let _ = writeln!(
        body,
        "<rect x=\"{MARGIN}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"#fafafa\" stroke=\"{colour}\" stroke-width=\"2\"/>"
    );
    let left = MARGIN + 10;
    let _ = writeln!(
        body,
        "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{}</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"{colour}\" font-weight=\"bold\">{}</text>",
        y + LINE,
        escaped(title),
        WIDTH - MARGIN - 10,
        y + LINE,
        word(state)
    );
    for (at, line) in lines.iter().enumerate() {
        let _ = writeln!(body, "<text x=\"{left}\" y=\"{}\">{}</text>", y + LINE * (at + 2), escaped(line));
    }
    y + height
}

fn colour(state: &State) -> &'static str {
    match state {
        State::Secure => "#1a7f37",
        State::Insecure(_) => "#8a6d00",
        State::Broken(_) => "#cf222e",
    }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("one at least");
        if !last.is_empty() && last.chars().count() + word.chars().count() >= CHARACTERS {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
