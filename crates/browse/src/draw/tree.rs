//! The chosen packet's fields.

use super::layout::Layout;
use super::paint::Paint;
use crate::browser::{Browser, Pane};

pub(super) fn draw(browser: &Browser, layout: &Layout, paint: &mut Paint<'_>) {
    let Some(area) = layout.tree else { return };
    let Some(detail) = browser.window.detail(browser.selected()) else { return };
    let chosen = browser.tree.chosen(detail);
    let shown = browser.tree.shown(detail);
    for (row, place) in shown.into_iter().skip(browser.tree.top).take(usize::from(area.height)).enumerate() {
        let line = &detail.lines[place];
        let sign = match (detail.has_children(place), browser.tree.is_open(detail, place)) {
            (false, _) => " ",
            (true, true) => "-",
            (true, false) => "+",
        };
        let words = format!("{:1$}{sign}{2}", "", usize::from(line.depth) * 2, line.text);
        let y = area.y + row as u16;
        let style = if line.depth == 0 { paint.bold() } else { paint.plain() };
        paint.text(area.x, y, area.width, &words, style);
        if Some(place) == chosen {
            let style = if browser.pane == Pane::Tree { paint.reversed() } else { paint.underlined() };
            paint.span(area.x, y, area.width, style);
        }
    }
    if layout.bytes.is_some() {
        for row in 0..area.height {
            paint.text(area.right(), area.y + row, 1, "│", paint.dim());
        }
    }
}
