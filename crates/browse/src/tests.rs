//! What keys lead to. The screens themselves are in `tests/screens.rs`.

use std::io::Cursor;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use thru_dissect::Options;
use thru_dissect::file::{About, Item, NewInterface, Reader, Record, Writer};

use crate::{Browser, Capture, Key, Next};

fn data(name: &str) -> Vec<u8> {
    let bytes: &[u8] = match name {
        "tls.pcapng" => include_bytes!("../../dissect/tests/data/tls.pcapng"),
        "h3.pcapng" => include_bytes!("../../dissect/tests/data/h3.pcapng"),
        "icmp.pcapng" => include_bytes!("../../dissect/tests/data/icmp.pcapng"),
        "h2-nginx.pcapng" => include_bytes!("../../dissect/tests/data/h2-nginx.pcapng"),
        other => panic!("{other} is not among them"),
    };
    bytes.to_vec()
}

fn capture(name: &str, bytes: Vec<u8>) -> Capture {
    let size = Some(bytes.len() as u64);
    let open = move || Ok(Box::new(Cursor::new(bytes.clone())) as Box<dyn std::io::Read>);
    Capture {
        name: name.to_owned(),
        open: Box::new(open),
        size,
        secrets: Vec::new(),
        headers: String::new(),
        options: Options::default(),
    }
}

fn browser(name: &str, (columns, lines): (u16, u16)) -> Browser {
    let mut browser = Browser::new(capture(name, data(name)), "", true).expect("a capture");
    browser.resize(columns, lines);
    rest(&mut browser);
    browser
}

/// Lets it read whatever it wants to.
fn rest(browser: &mut Browser) {
    let mut slices = 0;
    while browser.work(16) {
        slices += 1;
        assert!(slices < 100_000, "it never has enough");
    }
}

fn press(browser: &mut Browser, keys: &[Key]) {
    for key in keys {
        assert_eq!(browser.key(*key), Next::Stay);
        rest(browser);
    }
}

fn typed(browser: &mut Browser, words: &str) {
    let keys: Vec<Key> = words.chars().map(Key::Char).collect();
    press(browser, &keys);
}

fn cells(browser: &Browser) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, browser.size.0, browser.size.1));
    browser.draw(&mut buffer);
    buffer
}

fn text(browser: &Browser) -> String {
    let buffer = cells(browser);
    let mut text = String::new();
    for line in buffer.content.chunks(usize::from(buffer.area.width)) {
        let words: String = line.iter().map(|cell| cell.symbol()).collect();
        text.push_str(words.trim_end());
        text.push('\n');
    }
    text
}

#[test]
fn a_filter_is_applied_while_it_is_typed() {
    let mut browser = browser("tls.pcapng", (80, 24));
    let all = browser.hits().count();
    typed(&mut browser, "/tls");
    let tls = browser.hits().count();
    assert!(tls < all, "it need not be entered");
    typed(&mut browser, ".hand");
    assert_eq!(browser.hits().count(), tls, "what makes no sense changes nothing");
    press(&mut browser, &[Key::Tab]);
    typed(&mut browser, ".type == 2");
    let some = browser.hits().count();
    assert!(0 < some && some < all, "{some} of {all}");
    press(&mut browser, &[Key::Enter]);
    assert_eq!(browser.hits().count(), some);
    typed(&mut browser, "/ && x");
    press(&mut browser, &[Key::Esc]);
    assert_eq!((browser.filter.as_str(), browser.hits().count()), ("tls.handshake.type == 2", some));
    typed(&mut browser, "c");
    assert_eq!(browser.hits().count(), all);
}

#[test]
fn the_chosen_packet_stays_when_the_filter_changes() {
    let mut browser = browser("tls.pcapng", (80, 24));
    typed(&mut browser, "20");
    press(&mut browser, &[Key::Enter]);
    assert_eq!(browser.selected(), 20);
    let stream = "tcp.stream == 0 || frame.number == 20";
    typed(&mut browser, &format!("/{stream}"));
    press(&mut browser, &[Key::Enter]);
    assert_eq!(browser.selected(), 20);
    typed(&mut browser, "c");
    assert_eq!(browser.selected(), 20);
}

#[test]
fn a_field_becomes_a_filter() {
    let mut browser = browser("tls.pcapng", (80, 24));
    press(&mut browser, &[Key::Enter, Key::Home, Key::Down, Key::Right, Key::Down]);
    typed(&mut browser, "a");
    press(&mut browser, &[Key::Enter]);
    assert!(browser.filter.starts_with("eth.dst == "), "{}", browser.filter);
    assert!(browser.hits().has(browser.selected()), "the packet that it was taken from passes");
}

#[test]
fn every_field_passes_the_filter_that_is_made_of_it() {
    for name in ["tls.pcapng", "h3.pcapng", "icmp.pcapng", "h2-nginx.pcapng"] {
        let mut browser = browser(name, (80, 24));
        for number in 1..=browser.scan.packets.min(12) {
            browser.go(number - 1);
            rest(&mut browser);
            let detail = browser.window.detail(number).expect("it was read");
            let filters: std::collections::BTreeSet<&str> =
                detail.lines.iter().map(|line| line.filter.as_str()).collect();
            for filter in filters {
                let one = thru_dissect::filter::Filter::display(filter)
                    .unwrap_or_else(|error| panic!("{name} {number}: `{filter}`: {error}"));
                let mut scan =
                    crate::scan::Scan::new(&browser.capture, crate::scan::Test::Filter(one)).expect("read");
                scan.work(usize::try_from(number).expect("few"));
                assert!(scan.hits.has(number), "{name} {number}: `{filter}` does not pass");
            }
        }
    }
}

#[test]
fn trouble_words_and_bytes_are_found() {
    let mut browser = browser("tls.pcapng", (80, 24));
    typed(&mut browser, "e");
    let first = browser.selected();
    typed(&mut browser, "e");
    assert!(browser.selected() > first);
    typed(&mut browser, "E");
    assert_eq!(browser.selected(), first);
    typed(&mut browser, "E");
    assert_eq!((browser.selected(), browser.message.as_str()), (first, "no more trouble before this"));
    press(&mut browser, &[Key::Home]);
    typed(&mut browser, "fSHOP.lab");
    press(&mut browser, &[Key::Enter]);
    let found = browser.selected();
    assert!(found > 1, "{}", browser.message);
    typed(&mut browser, "f0x16 0303");
    press(&mut browser, &[Key::Enter]);
    assert!(browser.selected() > found, "{}", browser.message);
    typed(&mut browser, "N");
    assert_eq!(browser.message, "`0x16 0303` is not before this");
    typed(&mut browser, "f=icmp.type == 0");
    press(&mut browser, &[Key::Enter]);
    assert_eq!(browser.selected(), 23);
}

#[test]
fn a_stream_is_followed() {
    let mut browser = browser("tls.pcapng", (80, 24));
    typed(&mut browser, "f=http2");
    press(&mut browser, &[Key::Enter]);
    typed(&mut browser, "s");
    typed(&mut browser, "x");
    press(&mut browser, &[Key::Tab, Key::PageDown, Key::End]);
    assert!(text(&browser).starts_with(" [tcp:"), "{}", text(&browser));
    typed(&mut browser, "/");
    assert_eq!(browser.filter, "tcp.stream == 1");
}

#[test]
fn screens_of_all_sizes_are_drawn() {
    for size in [(1, 1), (2, 3), (10, 4), (20, 5), (63, 14), (300, 100)] {
        let mut browser = browser("h3.pcapng", size);
        for key in
            [Key::Tab, Key::Tab, Key::Char('z'), Key::Char('?'), Key::Esc, Key::Char('s'), Key::PageDown]
        {
            browser.key(key);
            rest(&mut browser);
            text(&browser);
        }
    }
}

#[test]
fn help_explains_every_mark() {
    let mut browser = browser("tls.pcapng", (80, 24));
    typed(&mut browser, "?");
    let shown = text(&browser);
    for (letter, ..) in crate::mark::MARKS {
        assert!(shown.contains(&format!("{letter} ")), "{letter} is not explained");
    }
}

#[test]
fn a_file_that_is_cut_short_is_read_as_far_as_it_goes() {
    let mut bytes = data("tls.pcapng");
    bytes.truncate(6000);
    let mut browser = Browser::new(capture("cut.pcapng", bytes), "", false).expect("a capture");
    browser.resize(80, 24);
    rest(&mut browser);
    assert!(Browser::new(capture("no", b"no capture".to_vec()), "", false).is_err());
    assert!(Browser::new(capture("x", data("tls.pcapng")), "tcp.prt", false).is_err());
}

/// The packets of a capture again and again, as a file.
fn repeated(name: &str, times: u64) -> Vec<u8> {
    let bytes = data(name);
    let mut writer = Writer::pcapng(Vec::new(), &About::default()).expect("memory");
    writer.interface(&NewInterface { link: 1, snap_length: 0, name: "lab" }).expect("memory");
    for round in 0..times {
        let mut reader = Reader::new(&bytes[..]).expect("a capture");
        while let Ok(Some(item)) = reader.next() {
            if let Item::Packet(record) = item {
                let time = record.time.map(|time| time + round * 1_000_000_000);
                writer.packet(&Record { interface: 0, time, ..record }, &[]).expect("memory");
            }
        }
    }
    writer.into_inner()
}

/// Wherever a person jumps, what is shown is what dissecting in order gives.
#[test]
fn jumps_show_what_reading_in_order_shows() {
    let bytes = repeated("tls.pcapng", 150);
    let mut jumping = Browser::new(capture("many", bytes.clone()), "", false).expect("a capture");
    jumping.resize(100, 30);
    rest(&mut jumping);
    let count = jumping.scan.packets;
    assert_eq!(count, 6000);
    let mut straight = Browser::new(capture("many", bytes), "", false).expect("a capture");
    straight.resize(100, 30);
    rest(&mut straight);
    let mut at = 0;
    for target in [count, 1, 4321, 4300, 17, 5999, 2500, 3] {
        typed(&mut jumping, &format!(":{target}"));
        press(&mut jumping, &[Key::Enter]);
        assert_eq!(jumping.selected(), target);
        if target > at {
            straight.go(target - 1);
            rest(&mut straight);
            at = target;
            let (a, b) = (jumping.window.detail(target), straight.window.detail(target));
            let lines = |detail: Option<&crate::detail::Detail>| {
                detail.map(|detail| detail.lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>())
            };
            assert!(lines(a).is_some_and(|lines| lines.len() > 10));
            assert_eq!(lines(a), lines(b), "packet {target}");
        }
    }
}

/// What is kept does not grow with the capture.
#[test]
fn memory_is_bounded() {
    let mut browser =
        Browser::new(capture("many", repeated("tls.pcapng", 600)), "", false).expect("a capture");
    browser.resize(80, 24);
    rest(&mut browser);
    press(&mut browser, &[Key::End]);
    press(&mut browser, &vec![Key::PageUp; 30]);
    press(&mut browser, &[Key::Home, Key::End]);
    let (rows, bytes) = browser.window.kept();
    assert!(rows <= 10_000 && bytes <= 13 << 20, "{rows} rows, {bytes} bytes");
    assert_eq!(browser.selected(), 24_000);
}

/// While the capture is still being read, its end moves: nobody is dragged along.
#[test]
fn the_end_is_gone_to_once_it_is_known() {
    let mut browser =
        Browser::new(capture("many", repeated("tls.pcapng", 50)), "", false).expect("a capture");
    browser.resize(80, 24);
    (0..5).for_each(|_| assert!(browser.work(16)));
    browser.key(Key::End);
    (0..5).for_each(|_| assert!(browser.work(16)));
    assert_eq!(browser.selected(), 1);
    rest(&mut browser);
    assert_eq!(browser.selected(), 2000);
}

#[test]
fn the_mouse_chooses_and_the_wheel_moves() {
    let mut browser = browser("tls.pcapng", (80, 24));
    // Below the title, the filter and the list's heading: the fourth packet.
    press(&mut browser, &[Key::Click(5, 6)]);
    assert_eq!(browser.selected(), 4);
    press(&mut browser, &[Key::Wheel(false, 5, 6)]);
    assert_eq!(browser.selected(), 7);
    press(&mut browser, &[Key::Wheel(true, 5, 6)]);
    assert_eq!(browser.selected(), 4);
    // The chosen line of the tree opens, and shuts again.
    let area = browser.layout().tree.expect("there is room");
    let lines = |browser: &mut Browser| {
        let detail = browser.window.detail(4).expect("it is shown");
        browser.tree.shown(detail).len()
    };
    let shut = lines(&mut browser);
    press(&mut browser, &[Key::Click(area.x, area.y)]);
    assert!(lines(&mut browser) > shut, "the first layer has lines");
    press(&mut browser, &[Key::Click(area.x, area.y)]);
    assert_eq!(lines(&mut browser), shut);
    // Nothing is where nothing is.
    for (column, line) in [(0, 0), (79, 23), (500, 500), (0, 2)] {
        press(&mut browser, &[Key::Click(column, line), Key::Wheel(true, column, line), Key::Esc]);
    }
}

#[test]
fn what_passes_is_known_and_written_elsewhere() {
    let mut browser = browser("tls.pcapng", (80, 24));
    press(&mut browser, &[Key::Char('/')]);
    typed(&mut browser, "frame.number > 38");
    press(&mut browser, &[Key::Enter, Key::Char('w')]);
    typed(&mut browser, "some file");
    assert_eq!(browser.key(Key::Enter), Next::Write("some file".to_owned()));
    let passed: Vec<u64> = (0..50).filter(|number| browser.passes(*number)).collect();
    assert_eq!(passed, [39, 40]);
    browser.tell("2 packets\u{1b} written");
    assert_eq!(browser.message, "2 packets written");
    press(&mut browser, &[Key::Char('w'), Key::Enter]);
    assert!(browser.message.contains("no name"));
}

#[test]
fn nobody_speaks_for_the_other_side() {
    use crate::stream::Stream;
    let mut writer = Writer::pcap(Vec::new(), true, 101, 0).expect("memory");
    let said: [(bool, &[u8]); 3] = [
        (true, b"a question\n"),
        (false, b"an answer\n--- 10.0.0.1:4000 > 10.0.0.2:5000\nforged\n"),
        (true, b"another\n"),
    ];
    for (number, (to, words)) in said.into_iter().enumerate() {
        let total = 28 + words.len() as u8;
        let mut packet = vec![0x45, 0, 0, total, 0, 0, 0, 0, 64, 17, 0, 0];
        let (a, b) = ([10, 0, 0, 1, 0x0F, 0xA0], [10, 0, 0, 2, 0x13, 0x88]);
        let (from, to) = if to { (a, b) } else { (b, a) };
        packet.extend([&from[..4], &to[..4], &from[4..], &to[4..], &[0, total - 20, 0, 0], words].concat());
        let record = Record {
            number: number as u64 + 1,
            time: Some(number as u64),
            interface: 0,
            link: 101,
            original: u32::from(total),
            bytes: &packet,
            options: thru_dissect::file::Options::none(),
        };
        writer.packet(&record, &[]).expect("memory");
    }
    let capture = capture("made", writer.into_inner());
    let mut stream = Stream::new(&capture, &[], "udp:0".parse().expect("a flow"), false).expect("a capture");
    while stream.work(16) {}
    let rows: Vec<_> =
        stream.rows(80).into_iter().map(|row| (row.is_heading, row.is_second, stream.words(row))).collect();
    let told: Vec<_> =
        rows.iter().map(|(heading, second, words)| (*heading, *second, words.as_str())).collect();
    assert_eq!(
        told,
        [
            (true, false, "--- 10.0.0.1:4000 > 10.0.0.2:5000"),
            (false, false, "a question"),
            (true, true, "--- 10.0.0.2:5000 > 10.0.0.1:4000"),
            (false, true, "an answer"),
            (false, true, "--- 10.0.0.1:4000 > 10.0.0.2:5000"),
            (false, true, "forged"),
            (true, false, "--- 10.0.0.1:4000 > 10.0.0.2:5000"),
            (false, false, "another"),
        ]
    );
}
