use super::*;
use std::io::Read;

/// A source that gives a byte or two at a time, as a pipe may.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        let count = (1 + self.1 % 3).min(self.0.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn record(time: u64, bytes: &[u8]) -> Record<'_> {
    Record {
        number: 0,
        time: Some(time),
        interface: 0,
        link: 1,
        original: 1500,
        bytes,
        options: Options::none(),
    }
}

fn pcapng() -> Vec<u8> {
    let about = About { comment: "all", ..About::default() };
    let mut file = Writer::pcapng(Vec::new(), &about).unwrap();
    file.interface(&NewInterface { link: 1, snap_length: 0, name: "eth0" }).unwrap();
    file.names(&[("192.0.2.1".parse().unwrap(), "a.lab".into())]).unwrap();
    file.key_log("CLIENT_RANDOM 00 11\n").unwrap();
    file.packet(&record(1_700_000_000_123_456_789, &[1, 2, 3, 4, 5]), &["why", "because"]).unwrap();
    file.packet(&record(1_700_000_000_223_456_789, &[6; 61]), &[]).unwrap();
    file.into_inner()
}

/// What a file holds, in words.
fn tell(source: impl Read) -> (Vec<String>, Option<FileError>) {
    let mut told = Vec::new();
    let mut reader = match Reader::new(source) {
        Ok(reader) => reader,
        Err(error) => return (told, Some(error)),
    };
    loop {
        told.push(match reader.next() {
            Ok(None) => return (told, None),
            Err(error) => {
                assert!(matches!(reader.next(), Ok(None)), "an error is told once");
                return (told, Some(error));
            }
            Ok(Some(Item::Section(_))) => "section".into(),
            Ok(Some(Item::Interface(at))) => format!("interface {at}"),
            Ok(Some(Item::Names(names))) => format!("names {:?}", names.pairs().collect::<Vec<_>>()),
            Ok(Some(Item::Secrets { kind, bytes })) => format!("secrets {kind:x} {}", bytes.len()),
            Ok(Some(Item::Statistics { interface, .. })) => format!("statistics {interface}"),
            Ok(Some(Item::Unknown { kind, body })) => format!("unknown {kind} {}", body.len()),
            Ok(Some(Item::Packet(packet))) => format!(
                "packet {} at {} {} of {}: {:?}",
                packet.number,
                packet.time.unwrap_or(0),
                packet.bytes.len(),
                packet.original,
                packet.comments().collect::<Vec<_>>()
            ),
        });
    }
}

#[test]
fn what_is_written_is_read_whatever_the_size_of_the_reads() {
    let file = pcapng();
    let expected = [
        "section",
        "interface 0",
        "names [(192.0.2.1, \"a.lab\")]",
        "secrets 544c534b 20",
        "packet 1 at 1700000000123456789 5 of 1500: [\"why\", \"because\"]",
        "packet 2 at 1700000000223456789 61 of 1500: []",
    ];
    for told in [tell(&file[..]), tell(Trickle(&file, 0))] {
        assert!(told.1.is_none(), "{:?}", told.1);
        assert_eq!(told.0, expected);
    }
}

#[test]
fn every_truncation_gives_what_is_whole_and_one_error() {
    let file = pcapng();
    let whole = tell(&file[..]).0;
    for cut in 0..file.len() {
        let (told, error) = tell(&file[..cut]);
        assert_eq!(told, whole[..told.len()], "cut at {cut}");
        if told.len() < whole.len() && error.is_none() {
            // Between two blocks nothing is missing.
            let (again, _) = tell(&file[..cut]);
            assert_eq!(again.len(), told.len());
        }
        if let Some(FileError::Truncated { at, have, need }) = error {
            assert!(at + have == cut as u64 && have < need, "cut at {cut}: {at} {have} {need}");
        }
    }
}

/// A source that gives blocks one after the other.
struct Blocks<'a, I>(I, &'a [u8]);

impl<'a, I: Iterator<Item = &'a [u8]>> Read for Blocks<'a, I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.1.is_empty() {
            let Some(block) = self.0.next() else { return Ok(0) };
            self.1 = block;
        }
        self.1.read(buffer)
    }
}

#[test]
fn texts_about_interfaces_are_bounded_each_and_together() {
    // Name, description, filter and system. Two bytes a letter, so that none ends at byte 255.
    let block = |letters: usize| {
        let mut body = vec![1, 0, 0, 0, 0, 0, 0, 0];
        for code in [2_u16, 3, 11, 12] {
            let mut text = "\u{e9}".repeat(letters).into_bytes();
            if code == 11 {
                text.insert(0, 0);
            }
            body.extend(code.to_le_bytes());
            body.extend((text.len() as u16).to_le_bytes());
            body.extend(text);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let total = (body.len() as u32 + 12).to_le_bytes();
        [&1_u32.to_le_bytes()[..], &total, &body, &total].concat()
    };
    let header = Writer::pcapng(Vec::new(), &About::default()).unwrap().into_inner();
    // The longest that an option can have, then more than have room together.
    let (longest, long) = (block(32_767), block(200));
    let section = || [&header[..], &longest].into_iter().chain(std::iter::repeat_n(&long[..], 1500));
    let mut reader = Reader::new(Blocks(section().chain(section()), &[])).unwrap();
    let kept = "\u{e9}".repeat(127);
    let mut sums = Vec::new();
    while let Some(item) = reader.next().unwrap() {
        if matches!(item, Item::Section(_)) {
            sums.push(0);
            continue;
        }
        let interface = reader.interfaces().last().unwrap();
        let texts = [&interface.name, &interface.description, &interface.filter, &interface.os];
        let is_first = reader.interfaces().len() == 1;
        assert!(!is_first || texts.iter().all(|text| text.as_deref() == Some(&*kept)));
        *sums.last_mut().unwrap() += texts.into_iter().flatten().map(|text| text.len()).sum::<usize>();
    }
    assert_eq!(sums.len(), 2);
    assert!(sums.iter().all(|sum| (1 << 20) - kept.len() < *sum && *sum <= 1 << 20), "{sums:?}");
}

#[test]
fn pcap_in_every_byte_order_and_resolution() {
    for (nanoseconds, unit) in [(false, 1000), (true, 1)] {
        for big in [false, true] {
            let word = |word: u32| if big { word.to_be_bytes() } else { word.to_le_bytes() };
            let mut file = Vec::new();
            let magic = if nanoseconds { 0xA1B2_3C4D } else { 0xA1B2_C3D4 };
            for number in [magic, if big { 0x0002_0004 } else { 0x0004_0002 }, 0, 0, 65_535, 101, 9, 7, 3, 60]
            {
                file.extend(word(number));
            }
            file.extend([0x45, 0, 0]);
            let mut reader = Reader::new(&file[..]).unwrap();
            assert_eq!((reader.is_pcapng(), reader.counts_nanoseconds()), (false, nanoseconds));
            assert_eq!(reader.interfaces()[0].link, link::RAW);
            let Ok(Some(Item::Packet(packet))) = reader.next() else { panic!("a packet") };
            assert_eq!(packet.time, Some(9_000_000_000 + 7 * unit));
            assert_eq!((packet.bytes, packet.original), (&[0x45, 0, 0][..], 60));
        }
    }
}

#[test]
fn big_endian_pcapng_with_binary_times_unknown_blocks_and_a_second_section() {
    let block = |kind: u32, body: &[u8]| {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let total = (body.len() as u32 + 12).to_be_bytes();
        [&kind.to_be_bytes()[..], &total, &body, &total].concat()
    };
    let section =
        block(0x0A0D_0D0A, &[0x1A, 0x2B, 0x3C, 0x4D, 0, 1, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    // Ticks of 2^-10 s, 100 s later.
    let interface = block(
        1,
        &[
            0, 1, 0, 0, 0, 0, 0, 96, 0, 9, 0, 1, 0x8A, 0, 0, 0, 0, 14, 0, 8, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0,
            0, 0,
        ],
    );
    let enhanced = block(6, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 2, 0, 0, 0, 2, 0xAB, 0xCD]);
    let simple = block(3, &[0, 0, 0, 3, 1, 2, 3]);
    let old = block(2, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 1, 0, 0, 0, 1, 7]);
    let statistics = block(5, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let file = [
        &section[..],
        &interface,
        &enhanced,
        &simple,
        &old,
        &statistics,
        &block(0xBAD, &[1, 2, 3, 4]),
        &section,
        &simple,
    ]
    .concat();
    let (told, error) = tell(&file[..]);
    assert_eq!(
        told,
        [
            "section",
            "interface 0",
            "packet 1 at 101000000000 2 of 2: []",
            "packet 2 at 0 3 of 3: []",
            "packet 3 at 101000000000 1 of 1: []",
            "statistics 0",
            "unknown 2989 4",
            "section",
        ]
    );
    // Interfaces of the first section mean nothing in the second.
    assert!(
        matches!(error, Some(FileError::Damaged { what, .. }) if what.contains("interface")),
        "{error:?}"
    );
}

#[test]
fn copied_blocks_are_the_same_file() {
    let file = pcapng();
    let mut reader = Reader::new(&file[..]).unwrap();
    let mut copy = Writer::copy(Vec::new(), Format::Pcapng);
    while reader.next().unwrap().is_some() {
        copy.raw(reader.raw()).unwrap();
    }
    assert!(copy.into_inner() == file);
}

#[test]
fn nonsense_is_refused() {
    for bytes in [&b""[..], b"GET", b"GET / HTTP/1.1\r\n\r\n and more than twenty-four bytes"] {
        assert!(matches!(Reader::new(bytes), Err(FileError::NotACapture)), "{bytes:?}");
    }
    let mut file = pcapng();
    file[4] = 13; // a length that is no multiple of four
    assert!(matches!(tell(&file[..]).1, Some(FileError::Damaged { .. })));
}

#[test]
fn a_section_has_a_bound_of_interfaces_and_another_begins_anew() {
    let section = pcapng_block(
        0x0A0D_0D0A,
        &[0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255],
    );
    let interface = pcapng_block(1, &[1, 0, 0, 0, 0, 0, 0, 0]);
    let most = [section.clone(), interface.repeat(1 << 16)].concat();
    let (told, error) = tell(&[most.clone(), most.clone()].concat()[..]);
    assert!(error.is_none() && told.len() == 2 * (1 + (1 << 16)), "{error:?}");
    let (told, error) = tell(&[most, interface, section].concat()[..]);
    assert!(matches!(error, Some(FileError::Damaged { .. })) && told.len() == 1 + (1 << 16), "{error:?}");
}

#[test]
fn nothing_follows_a_damaged_block() {
    // A section without its fields, and an interface without a link type: both are as long as they say.
    let section = pcapng_block(0x0A0D_0D0A, &[0x4D, 0x3C, 0x2B, 0x1A]);
    let (told, error) = tell(&[pcapng(), section, pcapng()].concat()[..]);
    assert!(matches!(error, Some(FileError::Damaged { .. })) && told.len() == 6, "{told:?} {error:?}");
    let interface = pcapng_block(1, &[1, 0, 0, 0]);
    let (told, error) = tell(&[pcapng(), interface, pcapng()].concat()[..]);
    assert!(matches!(error, Some(FileError::Damaged { .. })) && told.len() == 6, "{told:?} {error:?}");
}

/// A block of this type, in little-endian order.
fn pcapng_block(kind: u32, body: &[u8]) -> Vec<u8> {
    let total = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes()[..], &total, body, &total].concat()
}

#[test]
fn times_of_other_units_and_offsets() {
    let nanos = |unit: Resolution, ticks: u64, offset: i64| unit.nanos(ticks, offset) as i64;
    const SECOND: i64 = 1_000_000_000;
    assert_eq!(nanos(Resolution::Decimal(6), 1_500_000, 0), SECOND + SECOND / 2);
    assert_eq!(nanos(Resolution::Decimal(9), 5, 3), 3 * SECOND + 5);
    assert_eq!(nanos(Resolution::Binary(10), 512, 1), SECOND + SECOND / 2);
    assert_eq!(nanos(Resolution::Decimal(12), 2_000, 0), 2);
    // Before the epoch: by the offset, or by a counter that wrapped around.
    assert_eq!(nanos(Resolution::Decimal(6), 500_000, -10), -10 * SECOND + SECOND / 2);
    assert_eq!(nanos(Resolution::Binary(1), 1, -10), -10 * SECOND + SECOND / 2);
    assert_eq!(nanos(Resolution::Decimal(3), (-2i64) as u64, 0), -2_000_000);
    assert_eq!(nanos(Resolution::Decimal(9), (-2i64) as u64, 1), SECOND - 2);
    // What does not fit is the last moment, or the first.
    assert_eq!(nanos(Resolution::Decimal(0), 10_000_000_000, 0), i64::MAX);
    assert_eq!(nanos(Resolution::Decimal(9), i64::MAX as u64, 1), i64::MAX);
    assert_eq!(nanos(Resolution::Decimal(0), 0, i64::MIN), i64::MIN);
}
