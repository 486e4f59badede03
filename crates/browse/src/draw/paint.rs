//! Words on cells, with few styles: all of them can be told apart without colour.

use ratatui_core::buffer::Buffer;
use ratatui_core::style::{Color, Modifier, Style};

/// What is drawn on.
pub(super) struct Paint<'a> {
    buffer: &'a mut Buffer,
    color: bool,
}

impl<'a> Paint<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, color: bool) -> Paint<'a> {
        buffer.reset();
        Paint { buffer, color }
    }

    pub(super) fn plain(&self) -> Style {
        Style::new()
    }

    pub(super) fn bold(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn dim(&self) -> Style {
        if self.color { Style::new().fg(Color::DarkGray) } else { Style::new() }
    }

    pub(super) fn reversed(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn underlined(&self) -> Style {
        Style::new().add_modifier(Modifier::UNDERLINED)
    }

    pub(super) fn wrong(&self) -> Style {
        self.tint(Color::Red).add_modifier(Modifier::UNDERLINED)
    }

    /// A colour, where colours are wanted.
    pub(super) fn tint(&self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }

    /// Writes as much as fits into `width` columns.
    pub(super) fn text(&mut self, x: u16, y: u16, width: u16, words: &str, style: Style) {
        let area = self.buffer.area;
        if x < area.width && y < area.height {
            self.buffer.set_stringn(x, y, words, usize::from(width), style);
        }
    }

    /// Gives a whole line a style.
    pub(super) fn fill(&mut self, y: u16, style: Style) {
        self.span(0, y, self.buffer.area.width, style);
    }

    /// Gives a part of a line a style.
    pub(super) fn span(&mut self, x: u16, y: u16, width: u16, style: Style) {
        for x in x..(x + width).min(self.buffer.area.width) {
            if let Some(cell) = self.buffer.cell_mut((x, y)) {
                cell.set_style(style);
            }
        }
    }

    /// Makes a line empty.
    pub(super) fn clear(&mut self, y: u16) {
        for x in 0..self.buffer.area.width {
            if let Some(cell) = self.buffer.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
}

/// How many columns words take.
pub(super) fn width(words: &str) -> usize {
    ratatui_core::text::Span::raw(words).width()
}

/// Words without their middle, if they are longer than `room`.
pub(super) fn middle(words: &str, room: usize) -> String {
    let letters: Vec<char> = words.chars().collect();
    if letters.len() <= room {
        return words.to_owned();
    }
    let head = room.saturating_sub(1) / 2;
    let tail = room.saturating_sub(1) - head;
    letters[..head].iter().chain(&['…']).chain(&letters[letters.len() - tail..]).collect()
}
