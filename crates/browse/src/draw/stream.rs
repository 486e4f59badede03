//! What was said on a stream.

use ratatui_core::style::Color;

use super::paint::Paint;
use crate::browser::Browser;
use crate::stream::{Stream, name};

/// How many rows of text a screen shows.
pub(crate) fn height(size: (u16, u16)) -> usize {
    usize::from(size.1.saturating_sub(2)).max(1)
}

pub(super) fn draw(browser: &Browser, stream: &Stream, paint: &mut Paint<'_>) {
    let width = browser.size.0;
    let rows = stream.rows(usize::from(width));
    paint.fill(0, paint.reversed());
    let choices: Vec<String> = stream
        .choices
        .iter()
        .map(|id| if *id == stream.id { format!("[{}]", name(*id)) } else { name(*id) })
        .collect();
    let state = match (stream.is_done, stream.is_cut) {
        (false, _) => ", reading".to_owned(),
        (true, true) => format!(", cut here: thru read --follow {} has all", name(stream.id)),
        (true, false) => format!(", {} bytes", stream.said()),
    };
    paint.text(0, 0, width, &format!(" {}{state}", choices.join(" ")), paint.reversed());
    if rows.is_empty() && stream.is_done {
        return paint.text(0, 1, width, "nothing was said, or it could not be opened", paint.dim());
    }
    for (row, span) in rows.iter().skip(stream.top).take(height(browser.size)).enumerate() {
        let style = match (span.is_heading, span.is_second) {
            (true, _) => paint.bold(),
            (false, false) => paint.tint(Color::Red),
            (false, true) => paint.tint(Color::Blue),
        };
        paint.text(0, 1 + row as u16, width, &stream.words(*span), style);
    }
}
