//! Columns, wrapping, times and sizes.

use super::Style;

/// Columns a text takes on a terminal. Wide East Asian characters and most pictographs take two, combining marks none.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match c as u32 {
        0x0300..=0x036F
        | 0x0483..=0x0489
        | 0x0591..=0x05BD
        | 0x1AB0..=0x1AFF
        | 0x1DC0..=0x1DFF
        | 0x20D0..=0x20FF => 0,
        0x1100..=0x115F
        | 0x2E80..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1FAFF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

/// The text in exactly `columns` columns: padded, or cut with an ellipsis.
pub(crate) fn fit(text: &str, columns: usize, style: &Style) -> String {
    let mut shown = cut(text, columns, style);
    let missing = columns.saturating_sub(width(&shown));
    shown.extend(std::iter::repeat_n(' ', missing));
    shown
}

/// The text in at most `columns` columns.
pub(crate) fn cut(text: &str, columns: usize, style: &Style) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let ellipsis = if style.ascii { "..." } else { "…" };
    let room = columns.saturating_sub(width(ellipsis));
    let mut shown = String::new();
    let mut used = 0;
    for c in text.chars() {
        if used + char_width(c) > room {
            break;
        }
        used += char_width(c);
        shown.push(c);
    }
    if columns >= width(ellipsis) {
        shown.push_str(ellipsis);
    }
    shown
}

/// The text right-aligned in `columns` columns; never cut, since it is a number.
pub(crate) fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Breaks a paragraph at spaces so that no line is wider than `columns`; the first line starts with `first`, the
/// others with as many spaces. A word wider than a line is broken.
pub(crate) fn wrap(text: &str, first: &str, columns: usize) -> String {
    let indent = width(first);
    let room = columns.saturating_sub(indent).max(10);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in words(text) {
        for piece in pieces(&word, room) {
            if !line.is_empty() && width(&line) + 1 + width(&piece) > room {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&piece);
        }
    }
    lines.push(line);
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        if number == 0 {
            out.push_str(first);
        } else {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(line);
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
    out
}

/// Words, with a number and its unit as one: `20.3 ms` does not break.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let unit = word.trim_end_matches([',', '.', ':', ';', ')', ']']);
        let is_unit = matches!(unit, "ms" | "s" | "ns" | "us" | "µs" | "kB" | "MB" | "GB" | "%" | "bytes");
        match words.last_mut() {
            Some(number) if is_unit && number.ends_with(|c: char| c.is_ascii_digit()) => {
                number.push(' ');
                number.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

fn pieces(word: &str, room: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for c in word.chars() {
        if used + char_width(c) > room {
            pieces.push(String::new());
            used = 0;
        }
        used += char_width(c);
        pieces.last_mut().expect("never empty").push(c);
    }
    pieces
}

/// A time for people: three digits that matter, `812 µs`, `42.1 ms`, `3.08 s`.
pub(crate) fn time(nanos: u64, style: &Style) -> String {
    let micro = if style.ascii { "us" } else { "µs" };
    match nanos {
        0 => String::from("0 ms"),
        1..=999 => format!("{nanos} ns"),
        1_000..=999_499 => format!("{} {micro}", (nanos + 500) / 1_000),
        999_500..=9_994_999 => format!("{:.2} ms", nanos as f64 / 1e6),
        9_995_000..=99_949_999 => format!("{:.1} ms", nanos as f64 / 1e6),
        99_950_000..=999_499_999 => format!("{:.0} ms", nanos as f64 / 1e6),
        999_500_000..=9_994_999_999 => format!("{:.2} s", nanos as f64 / 1e9),
        9_995_000_000..=99_949_999_999 => format!("{:.1} s", nanos as f64 / 1e9),
        99_950_000_000..=9_999_499_999_999 => format!("{:.0} s", nanos as f64 / 1e9),
        9_999_500_000_000..=359_999_999_999_999_999 => format!("{:.0} h", nanos as f64 / 3.6e12),
        // Only a broken clock gets here.
        _ => format!("{:.0} y", nanos as f64 / 3.156e16),
    }
}

/// A size for people, in powers of ten: `812 bytes`, `48.1 kB`, `10.0 MB`.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        1 => String::from("1 byte"),
        0..=999 => format!("{bytes} bytes"),
        1_000..=999_949 => format!("{:.1} kB", bytes as f64 / 1e3),
        999_950..=999_949_999 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// Rows under headings, each column as wide as its widest cell, two spaces between; the last column is cut to fit.
/// Columns whose heading starts with `>` are right-aligned.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>], style: &Style) -> String {
    let names: Vec<&str> = headings.iter().map(|name| name.trim_start_matches('>')).collect();
    let mut widths: Vec<usize> = names.iter().map(|name| width(name)).collect();
    for row in rows {
        for (column, cell) in row.iter().enumerate().take(widths.len()) {
            widths[column] = widths[column].max(width(cell));
        }
    }
    let mut out = String::new();
    let head: Vec<String> = names.iter().map(ToString::to_string).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate().take(widths.len()) {
            if column > 0 {
                line.push_str("  ");
            }
            if headings[column].starts_with('>') {
                line.push_str(&right(cell, widths[column]));
            } else {
                line.push_str(&fit(cell, widths[column], style));
            }
        }
        out.push_str(cut(line.trim_end(), style.width, style).trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_three_digits() {
        let style = Style::default();
        let said: Vec<String> = [
            0,
            800,
            1_499,
            999_600,
            9_996_000,
            42_130_000,
            999_600_000,
            3_081_000_000,
            12_345_000_000,
            600_000_000_000,
        ]
        .iter()
        .map(|&nanos| time(nanos, &style))
        .collect();
        assert_eq!(
            said,
            [
                "0 ms", "800 ns", "1 µs", "1.00 ms", "10.0 ms", "42.1 ms", "1.00 s", "3.08 s", "12.3 s",
                "600 s"
            ]
        );
    }

    #[test]
    fn cutting_and_padding_count_columns() {
        let style = Style::default();
        assert_eq!(fit("東京", 6, &style), "東京  ");
        assert_eq!(fit("a long label", 6, &style), "a lon…");
        assert_eq!(fit("a long label", 6, &Style { ascii: true, ..style }), "a l...");
        assert_eq!(width(&fit("東京都", 4, &style)), 4);
        assert_eq!(cut("abc", 0, &style), "");
    }

    #[test]
    fn wrapping_breaks_what_does_not_fit() {
        assert_eq!(wrap("one two three", "- ", 12), "- one two\n  three\n");
        assert_eq!(wrap("abcdefghijklmnopqrstuvw", "", 10), "abcdefghij\nklmnopqrst\nuvw\n");
        assert_eq!(wrap("", "x ", 20), "x\n");
        assert_eq!(wrap("it took 20.3 ms.", "", 12), "it took\n20.3 ms.\n");
    }
}
