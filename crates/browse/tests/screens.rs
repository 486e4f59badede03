//! Screens: keys in, cells out, kept in `screens/` as text. `THRU_BLESS=1` writes them anew.

use std::io::Cursor;
use std::path::Path;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Modifier;
use thru_browse::{Browser, Capture, Key, Next};
use thru_dissect::Options;

fn data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dissect/tests/data").join(name);
    std::fs::read(path).expect("the capture is there")
}

fn browser(name: &str, bytes: Vec<u8>, (columns, lines): (u16, u16)) -> Browser {
    let size = Some(bytes.len() as u64);
    let open = move || Ok(Box::new(Cursor::new(bytes.clone())) as Box<dyn std::io::Read>);
    let capture = Capture {
        name: name.to_owned(),
        open: Box::new(open),
        size,
        secrets: Vec::new(),
        headers: String::new(),
        options: Options::default(),
    };
    let mut browser = Browser::new(capture, "", true).expect("a capture");
    browser.resize(columns, lines);
    while browser.work(16) {}
    browser
}

fn start(name: &str, size: (u16, u16)) -> Browser {
    browser(name, data(name), size)
}

fn press(browser: &mut Browser, keys: &[Key]) {
    for key in keys {
        assert_eq!(browser.key(*key), Next::Stay);
        while browser.work(16) {}
    }
}

fn typed(browser: &mut Browser, words: &str) {
    let keys: Vec<Key> = words.chars().map(Key::Char).collect();
    press(browser, &keys);
}

fn lines(browser: &Browser, shown: impl Fn(&ratatui_core::buffer::Cell) -> &str) -> String {
    let (columns, lines) = browser.size();
    let mut buffer = Buffer::empty(Rect::new(0, 0, columns, lines));
    browser.draw(&mut buffer);
    let mut text = String::new();
    for line in buffer.content.chunks(usize::from(columns)) {
        let words: String = line.iter().map(&shown).collect();
        text.push_str(words.trim_end());
        text.push('\n');
    }
    text
}

fn text(browser: &Browser) -> String {
    lines(browser, |cell| cell.symbol())
}

/// Which cells are reversed (#), bold (b) or underlined (_).
fn styles(browser: &Browser) -> String {
    lines(browser, |cell| match cell.modifier {
        style if style.contains(Modifier::REVERSED) => "#",
        style if style.contains(Modifier::UNDERLINED) => "_",
        style if style.contains(Modifier::BOLD) => "b",
        _ => " ",
    })
}

fn check(name: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(format!("{name}.txt"));
    if std::env::var_os("THRU_BLESS").is_some() {
        std::fs::write(&path, shown).expect("it can be written");
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(wanted == shown, "{name} has changed; THRU_BLESS=1 takes it. It is now:\n{shown}");
}

#[test]
fn the_first_screen() {
    let browser = start("tls.pcapng", (80, 24));
    check("first", &(text(&browser) + &styles(&browser)));
}

#[test]
fn a_field_and_its_bytes() {
    let mut browser = start("tls.pcapng", (80, 24));
    typed(&mut browser, "10");
    press(&mut browser, &[Key::Enter, Key::Tab, Key::Home, Key::Down, Key::Down, Key::Right]);
    press(&mut browser, &[Key::Down; 8]);
    check("field", &(text(&browser) + &styles(&browser)));
}

#[test]
fn a_filter_as_it_is_typed() {
    let mut browser = start("tls.pcapng", (80, 24));
    typed(&mut browser, "/tls.hand");
    check("filter-half", &text(&browser));
    press(&mut browser, &[Key::Tab]);
    typed(&mut browser, ".type == 2");
    check("filter", &text(&browser));
}

#[test]
fn trouble() {
    let mut browser = start("tls.pcapng", (80, 24));
    typed(&mut browser, "e");
    check("trouble", &text(&browser));
}

#[test]
fn a_stream() {
    let mut browser = start("tls.pcapng", (80, 24));
    typed(&mut browser, "f=http2");
    press(&mut browser, &[Key::Enter]);
    typed(&mut browser, "s");
    check("stream", &text(&browser));
    typed(&mut browser, "x");
    check("stream-hex", &text(&browser));
}

#[test]
fn small_and_large_screens() {
    let mut narrow = start("tls.pcapng", (40, 20));
    check("narrow", &text(&narrow));
    press(&mut narrow, &[Key::Tab, Key::Tab]);
    check("narrow-bytes", &text(&narrow));
    check("low", &text(&start("tls.pcapng", (80, 8))));
    check("wide", &text(&start("h3.pcapng", (160, 40))));
}

#[test]
fn help() {
    let mut browser = start("tls.pcapng", (80, 24));
    typed(&mut browser, "?");
    check("help", &text(&browser));
}

#[test]
fn a_file_that_is_cut_short() {
    let mut bytes = data("tls.pcapng");
    bytes.truncate(6000);
    check("cut", &text(&browser("cut.pcapng", bytes, (80, 24))));
}
