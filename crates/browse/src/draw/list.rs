//! The packets.

use ratatui_core::style::Color;

use super::layout::Layout;
use super::paint::{Paint, middle};
use crate::browser::{Browser, Pane};
use crate::mark::Weight;
use crate::row::{Row, Times};

/// How wide the columns are; 0: left out.
struct Columns {
    number: usize,
    time: usize,
    end: usize,
    protocol: usize,
    length: usize,
}

impl Columns {
    fn new(width: u16, last: u64, times: Times) -> Columns {
        Columns {
            number: last.max(999).to_string().len().min(9),
            time: match times {
                Times::Clock => 15,
                _ if width < 100 => 9,
                _ => 10,
            },
            end: match width {
                0..64 => 0,
                64..100 => 15,
                100..150 => 22,
                _ => 39,
            },
            protocol: if width < 44 { 0 } else { 7 },
            length: if width < 100 { 0 } else { 6 },
        }
    }

    /// A line from its cells; addresses lose their middles where they have to.
    fn line(&self, cells: [&str; 7]) -> String {
        let [number, time, src, dst, protocol, length, info] = cells;
        let mut line = format!("{number:>0$} {time:>1$} ", self.number, self.time);
        for address in [src, dst].iter().filter(|_| self.end > 0) {
            line.push_str(&format!("{:<1$} ", middle(address, self.end), self.end));
        }
        if self.protocol > 0 {
            line.push_str(&format!("{:<1$.1$} ", protocol, self.protocol));
        }
        if self.length > 0 {
            line.push_str(&format!("{length:>0$} ", self.length));
        }
        line + info
    }
}

pub(super) fn draw(browser: &Browser, layout: &Layout, paint: &mut Paint<'_>) {
    let Some(area) = layout.list else { return };
    let columns = Columns::new(area.width, browser.scan.number(), browser.times);
    let heading = ["No.", browser.times.heading(), "Source", "Destination", "Proto", "Length", "Info"];
    let style = if browser.pane == Pane::List { paint.bold() } else { paint.dim() };
    paint.text(0, area.y, area.width, &format!("  {}", columns.line(heading)), style);
    if browser.hits().count() == 0 && area.height > 1 {
        let words = if !browser.scan.is_done() { "reading..." } else { nothing(browser) };
        return paint.text(2, area.y + 1, area.width.saturating_sub(2), words, paint.dim());
    }
    for line in 1..area.height {
        let place = browser.top + u64::from(line) - 1;
        let Some(number) = browser.hits().nth(place) else { break };
        let y = area.y + line;
        match browser.window.row(number) {
            Some(shown) => row(browser, shown, &columns, y, paint),
            None => paint.text(2, y, area.width, &format!("{number:>0$}", columns.number), paint.dim()),
        }
        if place == browser.place {
            paint.fill(y, paint.reversed());
        }
    }
}

fn nothing(browser: &Browser) -> &'static str {
    if browser.filter.is_empty() { "there are no packets" } else { "no packet passes the filter" }
}

fn row(browser: &Browser, row: &Row, columns: &Columns, y: u16, paint: &mut Paint<'_>) {
    let width = browser.size.0;
    let weight = row.mark.map(|mark| mark.weight);
    let style = match weight {
        Some(Weight::Trouble) => paint.tint(Color::Red),
        Some(Weight::Note) => paint.tint(Color::Yellow),
        _ => paint.plain(),
    };
    let (number, time, length) =
        (row.number.to_string(), row.time(browser.times, columns.time), row.length.to_string());
    let cells = [&*number, &*time, &*row.src, &*row.dst, row.protocol, &*length, &*row.info];
    paint.text(2, y, width.saturating_sub(2), &columns.line(cells), style);
    if let Some(mark) = row.mark {
        paint.text(0, y, 1, mark.letter.encode_utf8(&mut [0; 4]), style);
    }
}
