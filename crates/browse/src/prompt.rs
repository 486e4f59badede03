//! A line that is typed.

use crate::key::Key;

/// So many characters may be typed.
const LENGTH_MAX: usize = 1000;

/// The line and where its cursor is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    text: Vec<char>,
    cursor: usize,
}

impl Prompt {
    pub(crate) fn new(text: &str) -> Prompt {
        let text: Vec<char> = text.chars().collect();
        Prompt { cursor: text.len(), text }
    }

    pub(crate) fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// In characters.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    /// The name in front of the cursor.
    pub(crate) fn word(&self) -> String {
        let is_part = |c: &char| c.is_alphanumeric() || matches!(c, '.' | '_');
        let start = self.text[..self.cursor].iter().rposition(|c| !is_part(c)).map_or(0, |at| at + 1);
        self.text[start..self.cursor].iter().collect()
    }

    /// Writes at the cursor.
    pub(crate) fn insert(&mut self, words: &str) {
        for c in words.chars().filter(|c| !c.is_control()) {
            if self.text.len() < LENGTH_MAX {
                self.text.insert(self.cursor, c);
                self.cursor += 1;
            }
        }
    }

    /// Takes a key; `false`: it edits nothing.
    pub(crate) fn key(&mut self, key: Key) -> bool {
        match key {
            Key::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Key::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
            }
            Key::Backspace => {}
            Key::Delete if self.cursor < self.text.len() => {
                self.text.remove(self.cursor);
            }
            Key::Left => self.cursor = self.cursor.saturating_sub(1),
            Key::Right => self.cursor = (self.cursor + 1).min(self.text.len()),
            Key::Home | Key::Ctrl('a') => self.cursor = 0,
            Key::End | Key::Ctrl('e') => self.cursor = self.text.len(),
            Key::Ctrl('u') => {
                self.text.drain(..self.cursor);
                self.cursor = 0;
            }
            Key::Ctrl('w') => {
                let kept = self.text[..self.cursor].iter().rposition(|c| *c != ' ').map_or(0, |at| at + 1);
                let start = self.text[..kept].iter().rposition(|c| *c == ' ').map_or(0, |at| at + 1);
                self.text.drain(start..self.cursor);
                self.cursor = start;
            }
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited_in_the_middle() {
        let mut prompt = Prompt::new("tcp.prt == 80");
        prompt.key(Key::Home);
        for _ in 0..5 {
            prompt.key(Key::Right);
        }
        prompt.key(Key::Char('o'));
        assert_eq!(prompt.text(), "tcp.port == 80");
        assert_eq!(prompt.word(), "tcp.po");
        prompt.key(Key::End);
        prompt.key(Key::Ctrl('w'));
        assert_eq!(prompt.text(), "tcp.port == ");
        prompt.key(Key::Ctrl('u'));
        assert_eq!((prompt.text().as_str(), prompt.cursor()), ("", 0));
        assert!(prompt.key(Key::Backspace) && prompt.key(Key::Left));
        prompt.insert("a\u{1b}[2Jb");
        assert_eq!(prompt.text(), "a[2Jb", "what moves a cursor is not taken");
    }
}
