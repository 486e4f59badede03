//! Any keys over any capture: it goes on, and draws.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use thru_browse::{Browser, Capture, Key};

// The first byte says how many keys follow; the rest is the capture.
fuzz_target!(|data: &[u8]| {
    let Some((count, rest)) = data.split_first() else { return };
    let (keys, bytes) = rest.split_at(usize::from(*count).min(rest.len()));
    let bytes = bytes.to_vec();
    let open = move || Ok(Box::new(std::io::Cursor::new(bytes.clone())) as Box<dyn std::io::Read>);
    let capture = Capture {
        name: "fuzz".to_owned(),
        open: Box::new(open),
        size: None,
        secrets: Vec::new(),
        headers: String::new(),
        options: thru_dissect::Options::default(),
    };
    let Ok(mut browser) = Browser::new(capture, "", true) else { return };
    let mut size = (80, 24);
    browser.resize(size.0, size.1);
    for key in keys {
        if *key & 0xE0 == 0xE0 {
            size = (u16::from(*key & 0x1F) * 7, u16::from(*key & 0x0F) * 3);
            browser.resize(size.0, size.1);
        } else if *key & 0xF0 == 0xD0 {
            let _ = browser.key(Key::Click(u16::from(*key & 0x0F) * 6, u16::from(*key & 0x07) * 4));
        } else {
            let _ = browser.key(meant(*key));
        }
        browser.work(64);
        let mut buffer = Buffer::empty(Rect::new(0, 0, size.0, size.1));
        browser.draw(&mut buffer);
    }
});

fn meant(byte: u8) -> Key {
    const KEYS: [Key; 17] = [
        Key::Up,
        Key::Down,
        Key::Left,
        Key::Right,
        Key::PageUp,
        Key::PageDown,
        Key::Home,
        Key::End,
        Key::Enter,
        Key::Esc,
        Key::Tab,
        Key::BackTab,
        Key::Backspace,
        Key::Delete,
        Key::Ctrl('u'),
        Key::Ctrl('w'),
        Key::Ctrl('f'),
    ];
    match byte {
        0x80.. => KEYS[usize::from(byte & 0x7F) % KEYS.len()],
        _ => Key::Char(char::from(byte)),
    }
}
