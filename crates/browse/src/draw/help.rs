//! What keys and marks mean.

use super::paint::Paint;
use crate::browser::Browser;
use crate::mark::MARKS;

const KEYS: [(&str, &str); 14] = [
    ("up down, j k, PgUp PgDn, g G", "move; J K: another packet from any pane"),
    ("Tab, Enter, Esc", "to the tree and the bytes, back to the list"),
    ("left right, Enter", "shut and open a line of the tree"),
    ("/", "display filter, as you type; Tab completes names"),
    ("a", "filter by the chosen field; c: no filter"),
    ("f, n N", "find words, bytes (0x1603), fields (=tcp.len > 0)"),
    ("e E", "next and previous packet in trouble"),
    ("0-9, :", "go to a packet by its number"),
    ("s, w", "follow the stream; write what passes to a file"),
    ("t", "times: since the first, the one before, of day"),
    ("b, z", "other bytes: put together, opened; whole screen"),
    ("mouse", "choose, open and shut; the wheel moves"),
    ("q, ^C", "quit"),
    ("", "Marks in front of packets:"),
];

pub(super) fn draw(browser: &Browser, paint: &mut Paint<'_>) {
    let (width, height) = browser.size;
    for y in 2..height {
        paint.clear(y);
    }
    let mut y = 2;
    for (keys, what) in KEYS {
        paint.text(1, y, 30, keys, paint.bold());
        let (x, style) = if keys.is_empty() { (1, paint.dim()) } else { (31, paint.plain()) };
        paint.text(x, y, width.saturating_sub(x), what, style);
        y += 1;
    }
    let mut x = 1;
    let mut last = ' ';
    for (letter, _, _, what) in MARKS {
        if letter == last {
            continue;
        }
        last = letter;
        let words = format!("{letter} {what}");
        if x > 1 && usize::from(x) + words.chars().count() > usize::from(width) {
            (x, y) = (1, y + 1);
        }
        paint.text(x, y, width.saturating_sub(x), &words, paint.plain());
        x += words.chars().count() as u16 + 3;
    }
}
