//! The chosen packet's bytes, those of the chosen field marked.

use super::layout::Layout;
use super::paint::Paint;
use crate::browser::{Browser, Pane};

/// `0000  45 00 ...  E.`: columns in front of the bytes.
const OFFSET: usize = 6;

/// How many bytes a row of this width shows.
pub(crate) fn per_row(width: u16) -> usize {
    let fits = |count: &usize| OFFSET + count * 4 < usize::from(width);
    [32, 16, 8, 4].into_iter().find(fits).unwrap_or(2)
}

/// How wide the bytes are beside the tree on a screen of this width.
pub(super) fn width(screen: u16) -> u16 {
    if screen >= 120 { 71 } else { 39.min(screen / 2) }
}

pub(super) fn draw(browser: &Browser, layout: &Layout, paint: &mut Paint<'_>) {
    let Some(area) = layout.bytes else { return };
    let Some((name, bytes, chosen)) = browser.shown_bytes() else { return };
    let count = per_row(area.width);
    let style = if browser.pane == Pane::Bytes { paint.bold() } else { paint.dim() };
    let others = browser.window.detail(browser.selected()).map_or(0, |detail| detail.sources.len() - 1);
    let more = if others > 0 { format!(", b: {others} more") } else { String::new() };
    paint.text(area.x, area.y, area.width, &format!("{name}, {} bytes{more}", bytes.len()), style);
    for row in 1..area.height {
        let start = (browser.bytes_top + usize::from(row) - 1) * count;
        if start >= bytes.len() {
            break;
        }
        let y = area.y + row;
        paint.text(area.x, y, area.width, &format!("{start:04x}"), paint.dim());
        for (place, byte) in bytes[start..].iter().take(count).enumerate() {
            let at = start + place;
            let style = if chosen.contains(&at) { paint.reversed() } else { paint.plain() };
            let x = area.x + (OFFSET + place * 3) as u16;
            // The gap between two marked bytes is marked, too.
            let wide = if chosen.contains(&(at + 1)) && place + 1 < count { "  " } else { "" };
            paint.text(x, y, 3, &format!("{byte:02x}{}", &wide[..wide.len().min(1)]), style);
            let letter = if (0x20..0x7F).contains(byte) { char::from(*byte) } else { '.' };
            let x = area.x + (OFFSET + count * 3 + 1 + place) as u16;
            paint.text(x, y, 1, letter.encode_utf8(&mut [0; 4]), style);
        }
    }
}
