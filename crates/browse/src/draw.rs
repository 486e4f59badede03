//! Cells.

pub(crate) mod bytes;
mod help;
pub(crate) mod layout;
mod list;
mod paint;
pub(crate) mod stream;
mod tree;

use ratatui_core::buffer::Buffer;

use self::layout::Layout;
use self::paint::Paint;
use crate::browser::{Aim, Browser, Mode, Pane};

/// The whole screen.
pub(crate) fn all(browser: &Browser, buffer: &mut Buffer) {
    let mut paint = Paint::new(buffer, browser.color);
    if let Mode::Stream(stream) = &browser.mode {
        stream::draw(browser, stream, &mut paint);
        return bottom(browser, &mut paint);
    }
    let layout = browser.layout();
    title(browser, &mut paint);
    filter_line(browser, &layout, &mut paint);
    list::draw(browser, &layout, &mut paint);
    bar(browser, &layout, &mut paint);
    tree::draw(browser, &layout, &mut paint);
    bytes::draw(browser, &layout, &mut paint);
    if matches!(browser.mode, Mode::Help) {
        help::draw(browser, &mut paint);
    }
    bottom(browser, &mut paint);
}

/// Where the cursor is, if something is typed.
pub(crate) fn cursor(browser: &Browser) -> Option<(u16, u16)> {
    let last = browser.size.1.saturating_sub(1);
    let (prompt, before, line) = match &browser.mode {
        Mode::Filter { prompt, .. } => (prompt, FILTER, browser.layout().filter?),
        Mode::Find(prompt) => (prompt, FIND, last),
        Mode::Goto(prompt) => (prompt, GOTO, last),
        Mode::Write(prompt) => (prompt, WRITE, last),
        _ => return None,
    };
    let column =
        before.len() + paint::width(&prompt.text().chars().take(prompt.cursor()).collect::<String>());
    Some(((column as u16).min(browser.size.0.saturating_sub(1)), line))
}

const FILTER: &str = "Filter: ";
const FIND: &str = "Find (words, 0x bytes, =filter): ";
const GOTO: &str = "Go to packet: ";
const WRITE: &str = "Write these packets to: ";

/// Name, how many packets there are, how far the reading is.
fn title(browser: &Browser, paint: &mut Paint<'_>) {
    let width = browser.size.0;
    paint.fill(0, paint.reversed());
    let scan = &browser.scan;
    let plural = if scan.packets == 1 { "" } else { "s" };
    let mut right = match browser.filter.is_empty() {
        true => format!("{} packet{plural}", scan.packets),
        false => format!("{} of {} packet{plural}", scan.hits.count(), scan.packets),
    };
    if scan.troubles.count() > 0 {
        right.push_str(&format!(", {} marked", scan.troubles.count()));
    }
    if !scan.is_done() {
        right.push_str(&match browser.capture.size.filter(|size| *size > 0) {
            Some(size) => format!(", reading {}%", (scan.bytes_read() * 100 / size).min(99)),
            None => ", reading".to_owned(),
        });
    }
    let room = usize::from(width).saturating_sub(right.len() + 3);
    let name = paint::middle(&browser.capture.name, room.max(8));
    paint.text(0, 0, width, &format!(" {name}"), paint.reversed());
    let at = width.saturating_sub(right.len() as u16 + 1);
    paint.text(at, 0, width - at, &right, paint.reversed());
}

/// The filter, or what is typed of it, with a mark on what is wrong.
fn filter_line(browser: &Browser, layout: &Layout, paint: &mut Paint<'_>) {
    let Some(y) = layout.filter else { return };
    let (text, typing) = match &browser.mode {
        Mode::Filter { prompt, .. } => (prompt.text(), true),
        _ => (browser.filter.clone(), false),
    };
    let width = browser.size.0;
    if text.is_empty() && !typing {
        return paint.text(0, y, width, "Filter: none; / to type one, ? for help", paint.dim());
    }
    paint.text(0, y, width, FILTER, paint.dim());
    let at = FILTER.len() as u16;
    match &browser.wrong {
        Some((column, length, _)) if typing => {
            let part = |from: usize, count: usize| text.chars().skip(from).take(count).collect::<String>();
            let (good, bad) = (part(0, *column), part(*column, (*length).max(1)));
            let rest = part(*column + bad.chars().count(), usize::MAX);
            let mut x = at;
            for (words, style) in [(good, paint.plain()), (bad, paint.wrong()), (rest, paint.plain())] {
                paint.text(x, y, width.saturating_sub(x), &words, style);
                x += paint::width(&words) as u16;
            }
        }
        _ => paint.text(at, y, width.saturating_sub(at), &text, paint.bold()),
    }
}

/// The line between the list and what is below it: the chosen packet as `thru read` shows it.
fn bar(browser: &Browser, layout: &Layout, paint: &mut Paint<'_>) {
    let Some(y) = layout.bar else { return };
    paint.fill(y, paint.reversed());
    let words = match browser.window.detail(browser.selected()) {
        Some(detail) => detail.line.clone(),
        None => match browser.window.waits() {
            Some((at, goal)) => format!("reading from the first packet: {}%", at * 100 / goal.max(1)),
            None => String::new(),
        },
    };
    paint.text(0, y, browser.size.0, &format!(" {words}"), paint.reversed());
}

/// What is typed, a message, or what keys do.
fn bottom(browser: &Browser, paint: &mut Paint<'_>) {
    let (width, height) = browser.size;
    let Some(y) = height.checked_sub(1) else { return };
    paint.clear(y);
    let (words, style) = match &browser.mode {
        Mode::Find(prompt) => (format!("{FIND}{}", prompt.text()), paint.bold()),
        Mode::Goto(prompt) => (format!("{GOTO}{}", prompt.text()), paint.bold()),
        Mode::Write(prompt) => (format!("{WRITE}{}", prompt.text()), paint.bold()),
        _ => status(browser, paint),
    };
    paint.text(0, y, width, &words, style);
}

fn status(browser: &Browser, paint: &Paint<'_>) -> (String, ratatui_core::style::Style) {
    if !browser.message.is_empty() {
        return (browser.message.clone(), paint.bold());
    }
    if let (Mode::Filter { .. }, Some((_, _, why))) = (&browser.mode, &browser.wrong) {
        return (why.clone(), paint.wrong());
    }
    if let Some((text, search)) =
        browser.search.as_ref().filter(|_| matches!(browser.aim, Some(Aim::Found { .. })))
    {
        return (format!("looking for `{text}`: packet {}", search.number()), paint.bold());
    }
    if browser.aim.is_some() {
        return (format!("reading: packet {}", browser.scan.number()), paint.bold());
    }
    let keys = match (&browser.mode, browser.pane) {
        (Mode::Filter { .. }, _) => "Enter keep  Esc back  Tab complete the field's name",
        (Mode::Help, _) => "any key goes back",
        (Mode::Stream(_), _) => "Esc back  Tab other carrier  x hex  / only its packets",
        (_, Pane::List) => "q quit  ? help  / filter  f find  e trouble  s stream  Tab tree  0-9 go to",
        (_, Pane::Tree) => "Tab bytes  Enter open  a filter by this  z whole screen  J K packet  Esc list",
        (_, Pane::Bytes) => "Tab list  b other bytes  z whole screen  J K packet  Esc list",
    };
    match browser.scan.error().filter(|_| matches!(browser.mode, Mode::Browse)) {
        Some(error) => (format!("the file {}", error.strip_prefix("it ").unwrap_or(error)), paint.wrong()),
        None => (keys.to_owned(), paint.dim()),
    }
}
