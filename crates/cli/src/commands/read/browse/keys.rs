//! What terminals send for keys: characters as UTF-8, others as sequences that begin with escape (ECMA-48, xterm).

use thru_browse::Key;

/// Bytes that have come and are no whole key yet.
#[derive(Debug, Default)]
pub(super) struct Keys {
    waiting: Vec<u8>,
}

impl Keys {
    /// Takes bytes; gives the keys that are whole. `last`: nothing follows soon, so that an escape is a key by itself.
    pub(super) fn take(&mut self, bytes: &[u8], last: bool) -> Vec<Key> {
        self.waiting.extend_from_slice(bytes);
        let mut keys = Vec::new();
        let mut at = 0;
        while at < self.waiting.len() {
            match key(&self.waiting[at..]) {
                Some((key, len)) => {
                    keys.extend(key);
                    at += len;
                }
                None if last => {
                    // The beginning of something that does not go on.
                    keys.extend((self.waiting[at] == 0x1B).then_some(Key::Esc));
                    at += 1;
                }
                None => break,
            }
        }
        self.waiting.drain(..at);
        keys
    }

    /// Whether something has begun.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

/// The first key, if it is one that we know, and how many bytes it has; `None`: it goes on.
fn key(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    let (first, rest) = bytes.split_first()?;
    let one = |key| Some((Some(key), 1));
    match first {
        0x1B => escape(rest).map(|(key, len)| (key, len + 1)),
        b'\r' | b'\n' => one(Key::Enter),
        b'\t' => one(Key::Tab),
        0x08 | 0x7F => one(Key::Backspace),
        1..=26 => one(Key::Ctrl(char::from(b'a' + first - 1))),
        0..=31 => Some((None, 1)),
        _ => {
            let len = match first {
                0xC2..=0xDF => 2,
                0xE0..=0xEF => 3,
                0xF0..=0xF4 => 4,
                _ => 1,
            };
            let text = std::str::from_utf8(bytes.get(..len)?);
            Some((text.ok().and_then(|text| text.chars().next()).map(Key::Char), len))
        }
    }
}

/// What follows an escape.
fn escape(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    match bytes.split_first()? {
        (b'[', [b'<', rest @ ..]) => {
            let end = rest.iter().position(|byte| matches!(byte, b'M' | b'm'))?;
            Some((mouse(&rest[..end], rest[end] == b'M'), end + 3))
        }
        (b'[', rest) => {
            let end = rest.iter().position(|byte| (0x40..=0x7E).contains(byte))?;
            let number = rest[..end].split(|byte| *byte == b';').next().unwrap_or_default();
            let key = match (rest[end], number) {
                (b'~', b"1" | b"7") => Some(Key::Home),
                (b'~', b"3") => Some(Key::Delete),
                (b'~', b"4" | b"8") => Some(Key::End),
                (b'~', b"5") => Some(Key::PageUp),
                (b'~', b"6") => Some(Key::PageDown),
                (letter, _) => by_letter(letter),
            };
            Some((key, end + 2))
        }
        (b'O', rest) => Some((by_letter(*rest.first()?), 2)),
        // Escape, and then another key.
        _ => Some((Some(Key::Esc), 0)),
    }
}

/// What the mouse did, as xterm's mode 1006 tells it: button, column and line from 1.
fn mouse(words: &[u8], pressed: bool) -> Option<Key> {
    let text = std::str::from_utf8(words).ok()?;
    let mut numbers = text.split(';').map(|word| word.parse::<u16>().ok());
    let mut next = || numbers.next().flatten();
    let (button, column, line) = (next()?, next()?.checked_sub(1)?, next()?.checked_sub(1)?);
    match button {
        0 if pressed => Some(Key::Click(column, line)),
        64 | 65 => Some(Key::Wheel(button == 64, column, line)),
        _ => None,
    }
}

fn by_letter(letter: u8) -> Option<Key> {
    Some(match letter {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'F' => Key::End,
        b'H' => Key::Home,
        b'M' => Key::Enter,
        b'Z' => Key::BackTab,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_whole_in_pieces_and_wrong() {
        let sent = "q\u{1b}[A\u{1b}OBé€\r\t\u{1b}[Z\u{7f}\u{3}\u{1b}[5~\u{1b}[1;5H\u{1b}[15~\u{1b}[3~";
        let wanted = [
            Key::Char('q'),
            Key::Up,
            Key::Down,
            Key::Char('é'),
            Key::Char('€'),
            Key::Enter,
            Key::Tab,
            Key::BackTab,
            Key::Backspace,
            Key::Ctrl('c'),
            Key::PageUp,
            Key::Home,
            Key::Delete,
        ];
        assert_eq!(Keys::default().take(sent.as_bytes(), true), wanted);
        let mut keys = Keys::default();
        let one_by_one: Vec<Key> = sent.bytes().flat_map(|byte| keys.take(&[byte], false)).collect();
        assert_eq!(one_by_one, wanted);
        assert!(!keys.is_waiting());
        assert_eq!(keys.take(b"\x1b", false), []);
        assert!(keys.is_waiting());
        assert_eq!(keys.take(b"", true), [Key::Esc]);
        assert_eq!(keys.take(b"\x1bq\x1b\x1b[A", true), [Key::Esc, Key::Char('q'), Key::Esc, Key::Up]);
        let mouse = b"\x1b[<0;3;5M\x1b[<0;3;5m\x1b[<64;1;1M\x1b[<65;80;24Mq\x1b[<0;0;1M\x1b[<x;;M";
        let wanted = [Key::Click(2, 4), Key::Wheel(true, 0, 0), Key::Wheel(false, 79, 23), Key::Char('q')];
        assert_eq!(keys.take(mouse, true), wanted);
        assert_eq!(keys.take(b"\xFF\xC3(\x1b[9", true), [Key::Esc, Key::Char('['), Key::Char('9')]);
        assert!(!keys.is_waiting());
    }
}
