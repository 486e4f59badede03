//! Words from the network, made safe to print.

use super::Style;

/// Shows what must not reach a terminal: control characters (C0, DEL, C1), which can move the cursor or rewrite the
/// screen, characters that turn the direction of text, and invisible ones that make two names look alike.
pub fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c.is_control() => shown.push_str(&format!("\\x{:02x}", c as u32)),
            c if deceives(c) => shown.push_str(&format!("\\u{{{:x}}}", c as u32)),
            c => shown.push(c),
        }
    }
    shown
}

/// Whether [`escape`] would change this character.
pub(crate) fn steers(c: char) -> bool {
    c.is_control() || deceives(c)
}

/// As [`escape`]; where only ASCII may be written, other characters are spelled out too.
pub(super) fn for_style(text: &str, style: &Style) -> String {
    let shown = escape(text);
    if !style.ascii || shown.is_ascii() {
        return shown;
    }
    let mut plain = String::with_capacity(shown.len());
    for c in shown.chars() {
        match c {
            c if c.is_ascii() => plain.push(c),
            '→' => plain.push_str("->"),
            '←' => plain.push_str("<-"),
            '…' => plain.push_str("..."),
            '–' | '—' => plain.push('-'),
            '·' | '•' => plain.push('.'),
            'µ' => plain.push('u'),
            '×' => plain.push('x'),
            '‘' | '’' => plain.push('\''),
            '“' | '”' => plain.push('"'),
            '≥' => plain.push_str(">="),
            '≤' => plain.push_str("<="),
            '█' => plain.push('#'),
            c => plain.push_str(&format!("\\u{{{:x}}}", c as u32)),
        }
    }
    plain
}

/// Invisible or direction-turning characters, line separators, tags, variation selectors, private use.
fn deceives(c: char) -> bool {
    matches!(
        c as u32,
        0x00AD
            | 0x034F
            | 0x061C
            | 0x115F..=0x1160
            | 0x17B4..=0x17B5
            | 0x180B..=0x180F
            | 0x200B..=0x200F
            | 0x2028..=0x202E
            | 0x2060..=0x206F
            | 0x3164
            | 0xE000..=0xF8FF
            | 0xFE00..=0xFE0F
            | 0xFEFF
            | 0xFFA0
            | 0xFFF0..=0xFFFB
            | 0xE0000..=0x10FFFF
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_gets_through() {
        for c in (0..=0x1F).chain(0x7F..=0x9F) {
            let shown = escape(&char::from_u32(c).unwrap().to_string());
            assert!(shown.starts_with('\\') && shown.is_ascii(), "{c:#x} became {shown:?}");
        }
        assert_eq!(escape("a\u{1b}[2Jb\u{202e}c\u{200b}"), "a\\x1b[2Jb\\u{202e}c\\u{200b}");
        assert_eq!(escape("zoë → 東京"), "zoë → 東京");
    }

    #[test]
    fn ascii_only_when_asked() {
        let style = Style { ascii: true, ..Style::default() };
        assert_eq!(for_style("SYN → 3 µs … zoë", &style), "SYN -> 3 us ... zo\\u{eb}");
    }
}
