//! The machine: keys and spare time in, cells out.

mod keys;
mod seek;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use thru_dissect::filter::Filter;

use crate::draw;
use crate::draw::layout::Layout;
use crate::hits::Hits;
use crate::pass::Capture;
use crate::prompt::Prompt;
use crate::row::Times;
use crate::scan::{Scan, Test};
use crate::stream::Stream;
use crate::tree::TreeState;
use crate::window::{Needs, Window};

/// What a key leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Draw, and go on.
    Stay,
    /// Write the packets that pass the filter ([`Browser::passes`]) to a file of this name, and tell what came of it
    /// ([`Browser::tell`]).
    Write(String),
    /// A person wants to leave.
    Quit,
}

/// Where keys go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pane {
    #[default]
    List,
    Tree,
    Bytes,
}

/// What is going on.
pub(crate) enum Mode {
    Browse,
    Filter { prompt: Prompt, before: String },
    Find(Prompt),
    Goto(Prompt),
    Write(Prompt),
    Stream(Box<Stream>),
    Help,
}

/// Where to go as soon as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// To the last packet.
    End,
    /// To this packet, or the one that follows it.
    Number(u64),
    /// To the next packet in trouble, or the one before.
    Trouble { after: u64, forward: bool },
    /// To the next packet that was found, or the one before.
    Found { after: u64, forward: bool },
}

/// A capture that a person looks at.
pub struct Browser {
    pub(crate) capture: Capture,
    pub(crate) scan: Scan,
    pub(crate) search: Option<(String, Scan)>,
    pub(crate) window: Window,
    /// The filter that holds, as it was typed.
    pub(crate) filter: String,
    /// What is wrong with what is being typed: its column, how long it is, why.
    pub(crate) wrong: Option<(usize, usize, String)>,
    /// The packet that a person chose; the nearest that passes the filter is shown.
    pub(crate) anchor: u64,
    /// The chosen packet's place among those that passed, and that of the first on the screen.
    pub(crate) place: u64,
    pub(crate) top: u64,
    pub(crate) aim: Option<Aim>,
    pub(crate) pane: Pane,
    pub(crate) zoom: bool,
    pub(crate) tree: TreeState,
    /// The packet whose tree was met last.
    met: u64,
    pub(crate) bytes_top: usize,
    /// Bytes that are shown instead of those of the chosen line.
    pub(crate) source: Option<usize>,
    pub(crate) times: Times,
    pub(crate) mode: Mode,
    /// What a person ought to know, until the next key.
    pub(crate) message: String,
    pub(crate) size: (u16, u16),
    pub(crate) color: bool,
}

impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Browser")
            .field("capture", &self.capture)
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

impl Browser {
    /// Begins at the first packet, with a display filter (empty: none). `color`: letters alone say all that colours do.
    ///
    /// # Errors
    /// In words, why the capture cannot be read or the filter makes no sense.
    pub fn new(capture: Capture, filter: &str, color: bool) -> Result<Browser, String> {
        let test = test(filter).map_err(|(_, _, why)| why)?;
        let scan = Scan::new(&capture, test)?;
        Ok(Browser {
            capture,
            scan,
            search: None,
            window: Window::new(),
            filter: filter.trim().to_owned(),
            wrong: None,
            anchor: 0,
            place: 0,
            top: 0,
            aim: None,
            pane: Pane::List,
            zoom: false,
            tree: TreeState::default(),
            met: 0,
            bytes_top: 0,
            source: None,
            times: Times::First,
            mode: Mode::Browse,
            message: String::new(),
            size: (80, 24),
            color,
        })
    }

    /// The screen has so many columns and lines now.
    pub fn resize(&mut self, columns: u16, lines: u16) {
        self.size = (columns, lines);
        self.settle();
    }

    /// Columns and lines, as [`Browser::resize`] was told.
    pub fn size(&self) -> (u16, u16) {
        self.size
    }

    /// Uses spare time to read about so many packets; `false`: there is nothing left to do.
    pub fn work(&mut self, packets: usize) -> bool {
        let mut busy = self.window.work(&self.scan.hits, packets);
        if let Mode::Stream(stream) = &mut self.mode {
            busy |= stream.work(packets);
            self.step_down();
        }
        busy |= self.scan.work(packets);
        if let Some((_, search)) = &mut self.search {
            busy |= search.work(packets);
        }
        self.seek();
        self.settle();
        busy | self.window.waits().is_some()
    }

    /// Whether a packet passes the filter, as far as the capture was read.
    pub fn passes(&self, number: u64) -> bool {
        self.hits().has(number)
    }

    /// The capture from its first byte.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn open(&self) -> std::io::Result<Box<dyn std::io::Read>> {
        (self.capture.open)()
    }

    /// Says something until the next key.
    pub fn tell(&mut self, words: &str) {
        self.message = words.chars().filter(|c| !c.is_control()).collect();
    }

    /// Draws all of it.
    pub fn draw(&self, buffer: &mut Buffer) {
        draw::all(self, buffer);
    }

    /// Where the cursor of what is typed is, if something is: column and line.
    pub fn cursor(&self) -> Option<(u16, u16)> {
        draw::cursor(self)
    }

    pub(crate) fn hits(&self) -> &Hits {
        &self.scan.hits
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(Rect::new(0, 0, self.size.0, self.size.1), self.pane, self.zoom)
    }

    /// The chosen packet's number; 0: there is none.
    pub(crate) fn selected(&self) -> u64 {
        self.hits().nth(self.place).unwrap_or(0)
    }

    /// Chooses the packet at a place.
    pub(crate) fn go(&mut self, place: u64) {
        self.place = place.min(self.hits().count().saturating_sub(1));
        self.anchor = self.selected();
        self.settle();
    }

    /// Shows the nearest of what passes, asks for what the screen lacks.
    pub(crate) fn settle(&mut self) {
        let count = self.hits().count();
        let is_there = self.scan.is_done() || self.scan.number() >= self.anchor;
        self.place = if is_there { self.hits().rank(self.anchor).min(count.saturating_sub(1)) } else { 0 };
        let height = u64::from(self.layout().rows().max(1));
        self.top = self.top.min(self.place).max((self.place + 1).saturating_sub(height));
        self.top = self.top.min(count.saturating_sub(height));
        let rows: Vec<u64> =
            (self.top..self.top + height).map_while(|place| self.hits().nth(place)).collect();
        let needs = Needs { rows, detail: self.selected() };
        if let Err(why) = self.window.want(needs, &self.capture, &self.scan.hits) {
            self.message = why;
        }
        let selected = self.selected();
        if selected != self.met
            && let Some(detail) = self.window.detail(selected)
        {
            self.met = selected;
            self.tree.meet(detail);
            (self.source, self.bytes_top) = (None, 0);
        }
        self.scroll();
    }

    /// Keeps what is chosen in the tree on the screen, and its bytes.
    pub(crate) fn scroll(&mut self) {
        let layout = self.layout();
        let Some(detail) = self.window.detail(self.selected()) else { return };
        if let Some(area) = layout.tree {
            self.tree.scroll(usize::from(area.height));
        }
        if let (Some(area), Some(place), None) = (layout.bytes, self.tree.chosen(detail), self.source)
            && self.pane != Pane::Bytes
        {
            let row = detail.lines[place].start / draw::bytes::per_row(area.width);
            let height = usize::from(area.height.saturating_sub(1)).max(1);
            self.bytes_top = self.bytes_top.min(row).max((row + 1).saturating_sub(height));
        }
    }

    /// Applies a filter, if it makes sense; else says what is wrong with it.
    pub(crate) fn apply(&mut self, text: &str) {
        match test(text) {
            Err(wrong) => self.wrong = Some(wrong),
            Ok(test) => {
                self.wrong = None;
                if text.trim() == self.filter {
                    return;
                }
                match Scan::new(&self.capture, test) {
                    Ok(scan) => (self.scan, self.filter) = (scan, text.trim().to_owned()),
                    Err(why) => self.message = why,
                }
                (self.top, self.place) = (0, 0);
            }
        }
    }

    /// A stream of which nothing was opened gives way to the one that carries it.
    fn step_down(&mut self) {
        let Mode::Stream(stream) = &self.mode else { return };
        let at = stream.choices.iter().position(|id| *id == stream.id).unwrap_or(0);
        if !stream.is_done || stream.said() > 0 || at == 0 {
            return;
        }
        let (choices, id, is_hex) = (stream.choices[..at].to_vec(), stream.choices[at - 1], stream.is_hex);
        match Stream::new(&self.capture, &choices, id, is_hex) {
            Ok(stream) => self.mode = Mode::Stream(Box::new(stream)),
            Err(why) => self.message = why,
        }
    }
}

/// A display filter's test; else its wrong column, how long that is, and why.
fn test(text: &str) -> Result<Test, (usize, usize, String)> {
    if text.trim().is_empty() {
        return Ok(Test::Any);
    }
    Filter::display(text).map(Test::Filter).map_err(|error| (error.column, error.length, error.to_string()))
}
