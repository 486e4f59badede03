//! What each key does.

use super::{Aim, Browser, Mode, Next, Pane};
use crate::complete::complete;
use crate::draw;
use crate::key::Key;
use crate::prompt::Prompt;
use crate::stream::{self, Stream};
use thru_dissect::summary::flow::FlowId;

impl Browser {
    /// Takes a key.
    pub fn key(&mut self, key: Key) -> Next {
        if key == Key::Ctrl('c') {
            return Next::Quit;
        }
        self.message.clear();
        match std::mem::replace(&mut self.mode, Mode::Browse) {
            Mode::Browse => return self.browse(key),
            Mode::Help => {}
            Mode::Filter { prompt, before } => self.type_filter(prompt, before, key),
            Mode::Find(prompt) => self.type_find(prompt, key),
            Mode::Goto(prompt) => self.type_number(prompt, key),
            Mode::Write(prompt) => return self.type_name(prompt, key),
            Mode::Stream(stream) => return self.in_stream(stream, key),
        }
        self.settle();
        Next::Stay
    }

    fn browse(&mut self, key: Key) -> Next {
        // Whoever moves no longer wants to go where something was sought.
        self.aim = None;
        let here = self.selected();
        match key {
            Key::Char('q') => return Next::Quit,
            Key::Char('?') => self.mode = Mode::Help,
            Key::Char('/') => self.ask_filter(&self.filter.clone()),
            Key::Char('c') => self.apply(""),
            Key::Char('a') => self.filter_by_field(),
            Key::Char('f') => self.mode = Mode::Find(Prompt::default()),
            Key::Char('n') => self.aim = Some(Aim::Found { after: here, forward: true }),
            Key::Char('N') => self.aim = Some(Aim::Found { after: here, forward: false }),
            Key::Char('e') => self.aim = Some(Aim::Trouble { after: here, forward: true }),
            Key::Char('E') => self.aim = Some(Aim::Trouble { after: here, forward: false }),
            Key::Char(':') => self.mode = Mode::Goto(Prompt::default()),
            Key::Char(digit) if digit.is_ascii_digit() => {
                self.mode = Mode::Goto(Prompt::new(digit.encode_utf8(&mut [0; 4])));
            }
            Key::Char('s') => self.follow(),
            Key::Char('w') if self.scan.is_done() => self.mode = Mode::Write(Prompt::default()),
            Key::Char('w') => self.message = "what is written is not known before all was read".to_owned(),
            Key::Click(column, line) => self.click(column, line),
            Key::Wheel(up, column, line) => self.wheel(up, column, line),
            Key::Char('t') => self.times = self.times.next(),
            Key::Char('z') => self.zoom = !self.zoom,
            Key::Char('b') => self.other_bytes(),
            Key::Char('J') => self.go(self.place + 1),
            Key::Char('K') => self.go(self.place.saturating_sub(1)),
            Key::Tab => self.pane = next_pane(self.pane),
            Key::BackTab => self.pane = next_pane(next_pane(self.pane)),
            Key::Esc if self.zoom => self.zoom = false,
            Key::Esc => self.pane = Pane::List,
            key => self.in_pane(key),
        }
        if matches!(self.aim, Some(Aim::Found { .. })) && self.search.is_none() {
            (self.aim, self.message) = (None, "nothing was sought yet: f".to_owned());
        }
        self.seek();
        self.settle();
        Next::Stay
    }

    fn in_pane(&mut self, key: Key) {
        match self.pane {
            Pane::List => self.in_list(key),
            Pane::Tree => self.in_tree(key),
            Pane::Bytes => self.in_bytes(key),
        }
    }

    fn in_list(&mut self, key: Key) {
        let page = u64::from(self.layout().rows().max(2)) - 1;
        match key {
            Key::Up | Key::Char('k') => self.go(self.place.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.go(self.place + 1),
            Key::PageUp | Key::Ctrl('b') => self.go(self.place.saturating_sub(page)),
            Key::PageDown | Key::Ctrl('f') | Key::Char(' ') => self.go(self.place + page),
            Key::Home | Key::Char('g') => self.go(0),
            Key::End | Key::Char('G') => self.aim = Some(Aim::End),
            Key::Enter | Key::Right => self.pane = Pane::Tree,
            _ => {}
        }
    }

    fn in_tree(&mut self, key: Key) {
        let page = self.layout().tree.map_or(1, |area| usize::from(area.height).max(2) - 1);
        let Some(detail) = self.window.detail(self.selected()) else { return };
        let at = self.tree.at;
        match key {
            Key::Up | Key::Char('k') => self.tree.go(detail, at.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.tree.go(detail, at + 1),
            Key::PageUp => self.tree.go(detail, at.saturating_sub(page)),
            Key::PageDown => self.tree.go(detail, at + page),
            Key::Home | Key::Char('g') => self.tree.go(detail, 0),
            Key::End | Key::Char('G') => self.tree.go(detail, usize::MAX),
            Key::Enter | Key::Char(' ') => self.tree.fold(detail, None),
            Key::Right | Key::Char('l') => self.tree.fold(detail, Some(true)),
            Key::Left | Key::Char('h') => self.tree.fold(detail, Some(false)),
            _ => return,
        }
        self.source = None;
    }

    fn in_bytes(&mut self, key: Key) {
        let Some(area) = self.layout().bytes else { return };
        let page = usize::from(area.height).max(3) - 2;
        let last = self.shown_bytes().map_or(0, |(_, bytes, _)| {
            bytes.len().div_ceil(draw::bytes::per_row(area.width)).saturating_sub(page + 1)
        });
        let top = self.bytes_top;
        self.bytes_top = match key {
            Key::Up | Key::Char('k') => top.saturating_sub(1),
            Key::Down | Key::Char('j') => top + 1,
            Key::PageUp => top.saturating_sub(page),
            Key::PageDown | Key::Char(' ') => top + page,
            Key::Home | Key::Char('g') => 0,
            Key::End | Key::Char('G') => last,
            _ => top,
        }
        .min(last);
    }

    /// The bytes that are shown: what they are, and which of them are the chosen line's.
    pub(crate) fn shown_bytes(&self) -> Option<(&'static str, &[u8], std::ops::Range<usize>)> {
        let detail = self.window.detail(self.selected())?;
        let line = self.tree.chosen(detail).map(|place| &detail.lines[place]);
        let source = self.source.or(line.map(|line| line.source)).unwrap_or(0);
        let (name, bytes) = detail.sources.get(source)?;
        let range = line.filter(|line| line.source == source).map_or(0..0, |line| {
            let start = line.start.min(bytes.len());
            start..(start + line.len).min(bytes.len())
        });
        Some((name, bytes, range))
    }

    fn other_bytes(&mut self) {
        let Some(detail) = self.window.detail(self.selected()) else { return };
        let now = self.source.or_else(|| Some(detail.lines[self.tree.chosen(detail)?].source)).unwrap_or(0);
        if detail.sources.len() < 2 {
            self.message = "this packet has no other bytes: nothing was put together or decrypted".to_owned();
            return;
        }
        self.source = Some((now + 1) % detail.sources.len());
        self.bytes_top = 0;
    }

    fn ask_filter(&mut self, text: &str) {
        self.mode = Mode::Filter { prompt: Prompt::new(text), before: self.filter.clone() };
    }

    /// The chosen field's value becomes a filter, which can still be edited.
    fn filter_by_field(&mut self) {
        let Some(detail) = self.window.detail(self.selected()) else { return };
        let Some(place) = self.tree.chosen(detail) else { return };
        let field = detail.lines[place].filter.clone();
        let text = if self.filter.is_empty() { field } else { format!("({}) && {field}", self.filter) };
        self.ask_filter(&text);
        self.apply(&text);
    }

    fn type_filter(&mut self, mut prompt: Prompt, before: String, key: Key) {
        match key {
            Key::Esc => {
                self.wrong = None;
                return self.apply(&before);
            }
            Key::Enter if self.wrong.is_none() => return,
            Key::Enter => {}
            Key::Tab => match complete(&prompt.word()) {
                Some(completion) => {
                    prompt.insert(&completion.more);
                    self.message = completion.names.join(" ");
                    self.apply(&prompt.text());
                }
                None => self.message = "no field begins so".to_owned(),
            },
            key => {
                if prompt.key(key) {
                    self.apply(&prompt.text());
                }
            }
        }
        self.mode = Mode::Filter { prompt, before };
    }

    fn type_find(&mut self, mut prompt: Prompt, key: Key) {
        match key {
            Key::Esc => {}
            Key::Enter => {
                self.find(&prompt.text());
                self.seek();
            }
            key => {
                prompt.key(key);
                self.mode = Mode::Find(prompt);
            }
        }
    }

    fn type_number(&mut self, mut prompt: Prompt, key: Key) {
        match key {
            Key::Esc => {}
            Key::Enter => match prompt.text().trim().parse() {
                Ok(number) => {
                    self.aim = Some(Aim::Number(number));
                    self.seek();
                }
                Err(_) => self.message = format!("`{}` is no packet's number", prompt.text()),
            },
            key => {
                prompt.key(key);
                self.mode = Mode::Goto(prompt);
            }
        }
    }

    fn type_name(&mut self, mut prompt: Prompt, key: Key) -> Next {
        match key {
            Key::Esc => {}
            Key::Enter if prompt.text().trim().is_empty() => self.message = "no name, no file".to_owned(),
            Key::Enter => {
                self.settle();
                return Next::Write(prompt.text().trim().to_owned());
            }
            key => {
                prompt.key(key);
                self.mode = Mode::Write(prompt);
            }
        }
        self.settle();
        Next::Stay
    }

    /// What was clicked on is chosen; keys go to its pane.
    fn click(&mut self, column: u16, line: u16) {
        let layout = self.layout();
        let Some((pane, area)) = layout.at(column, line) else {
            if layout.filter == Some(line) {
                self.ask_filter(&self.filter.clone());
            }
            return;
        };
        self.pane = pane;
        let row = line - area.y;
        match pane {
            // The first line is the heading.
            Pane::List if row > 0 && self.top + u64::from(row) <= self.hits().count() => {
                self.go(self.top + u64::from(row) - 1);
            }
            Pane::Tree => {
                let Some(detail) = self.window.detail(self.selected()) else { return };
                let before = self.tree.at;
                let at = self.tree.top + usize::from(row);
                self.tree.go(detail, at);
                // Again on the same line: open or shut it.
                if before == self.tree.at && before == at {
                    self.tree.fold(detail, None);
                }
                self.source = None;
            }
            _ => {}
        }
    }

    /// What is under the pointer moves by three lines.
    fn wheel(&mut self, up: bool, column: u16, line: u16) {
        const LINES: usize = 3;
        let Some((pane, _)) = self.layout().at(column, line) else { return };
        let before = std::mem::replace(&mut self.pane, pane);
        for _ in 0..LINES {
            self.in_pane(if up { Key::Up } else { Key::Down });
        }
        self.pane = before;
    }

    /// Shows what was said on the chosen packet's innermost stream.
    fn follow(&mut self) {
        let Some(detail) = self.window.detail(self.selected()) else { return };
        let choices = detail.streams.clone();
        match choices.last() {
            Some(id) => self.open_stream(&choices, *id, false),
            None => self.message = "this packet belongs to no stream".to_owned(),
        }
    }

    fn open_stream(&mut self, choices: &[FlowId], id: FlowId, is_hex: bool) {
        match Stream::new(&self.capture, choices, id, is_hex) {
            Ok(stream) => self.mode = Mode::Stream(Box::new(stream)),
            Err(why) => self.message = why,
        }
    }

    fn in_stream(&mut self, mut stream: Box<Stream>, key: Key) -> Next {
        let height = draw::stream::height(self.size);
        let last = stream.rows(usize::from(self.size.0)).len().saturating_sub(height);
        match key {
            Key::Char('q') => return Next::Quit,
            Key::Esc | Key::Char('s') => {
                self.settle();
                return Next::Stay;
            }
            Key::Tab | Key::BackTab => {
                self.open_stream(&stream.choices, stream.other(key == Key::Tab), stream.is_hex);
                return Next::Stay;
            }
            Key::Char('x') => {
                self.open_stream(&stream.choices, stream.id, !stream.is_hex);
                return Next::Stay;
            }
            Key::Char('/') => {
                // Only this stream's packets.
                self.apply(&stream::filter(stream.id));
                self.settle();
                return Next::Stay;
            }
            Key::Up | Key::Char('k') => stream.top = stream.top.saturating_sub(1),
            Key::Down | Key::Char('j') => stream.top += 1,
            Key::Wheel(true, ..) => stream.top = stream.top.saturating_sub(3),
            Key::Wheel(false, ..) => stream.top += 3,
            Key::PageUp | Key::Ctrl('b') => stream.top = stream.top.saturating_sub(height.max(2) - 1),
            Key::PageDown | Key::Ctrl('f') | Key::Char(' ') => stream.top += height.max(2) - 1,
            Key::Home | Key::Char('g') => stream.top = 0,
            Key::End | Key::Char('G') => stream.top = last,
            _ => {}
        }
        stream.top = stream.top.min(last);
        self.mode = Mode::Stream(stream);
        Next::Stay
    }
}

fn next_pane(pane: Pane) -> Pane {
    match pane {
        Pane::List => Pane::Tree,
        Pane::Tree => Pane::Bytes,
        Pane::Bytes => Pane::List,
    }
}
