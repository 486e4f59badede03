use super::hpack::{Decoder, Line};
use super::*;
use proptest::prelude::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn data(bytes: &[u8]) -> Data<'_> {
    Data { bytes, at: 0, source: 0 }
}

fn shown(decoder: &mut Decoder, hex: &str) -> Vec<String> {
    let block = bytes(hex);
    let (lines, result) = decoder.block(data(&block));
    assert_eq!(result, Ok(()));
    let text = |words: &[u8]| String::from_utf8(words.to_vec()).unwrap();
    let line = |line: &Line<'_>| match line {
        Line::Header(header) => format!("{}: {}", text(&header.name), text(&header.value)),
        Line::Resize(size, _) => format!("size {size}"),
    };
    lines.iter().map(line).collect()
}

#[test]
fn requests_with_huffman_are_those_of_rfc_7541() {
    // RFC 7541 C.4: three requests on one connection.
    let mut decoder = Decoder::default();
    assert_eq!(
        shown(&mut decoder, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"),
        [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"]
    );
    assert_eq!(
        shown(&mut decoder, "8286 84be 5886 a8eb 1064 9cbf")[3..],
        [":authority: www.example.com", "cache-control: no-cache"]
    );
    assert_eq!(
        shown(&mut decoder, "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf")[2..],
        [":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"]
    );
}

#[test]
fn a_small_table_forgets_as_in_rfc_7541() {
    // RFC 7541 C.6, with a table of 256 bytes: what is not said to be smaller is larger.
    let mut decoder = Decoder::default();
    let first = "3fe1 01 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
                 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3";
    assert_eq!(
        shown(&mut decoder, first),
        [
            "size 256",
            ":status: 302",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com"
        ]
    );
    assert_eq!(shown(&mut decoder, "4883 640e ffc1 c0bf")[0], ":status: 307");
    let (_, result) = decoder.block(data(&bytes("c2")));
    assert_eq!(result, Err(Short), ":status: 302 was forgotten");
}

#[test]
fn after_a_loss_no_header_is_guessed() {
    let mut decoder = Decoder::default();
    shown(&mut decoder, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff");
    decoder.lose();
    let block = bytes("82be");
    let (lines, result) = decoder.block(data(&block));
    assert_eq!((lines.len(), result), (1, Err(Short)));
}

#[test]
fn huffman_refuses_the_end_symbol_and_long_padding() {
    assert_eq!(huffman::decode(&bytes("f1e3c2e5f23a6ba0ab90f4ff")).unwrap(), b"www.example.com");
    assert_eq!(huffman::decode(&[0xFF, 0xFF, 0xFF, 0xFF]), None, "the end symbol");
    assert_eq!(
        huffman::decode(&bytes("f1e3c2e5f23a6ba0ab90f4ffff")),
        None,
        "more than seven bits of padding"
    );
    assert_eq!(huffman::decode(&[0x00]), None, "padding of zeros");
}

#[test]
fn an_index_that_stands_for_much_is_not_written_out_without_end() {
    let mut decoder = Decoder::default();
    // The table gets 262,144 bytes, and a header of 200,000.
    let mut block = bytes("3fe1 ff0f 4001 61 7fc1 990c");
    block.extend(vec![b'x'; 200_000]);
    assert_eq!(decoder.block(data(&block)).1, Ok(()));
    let bomb = vec![0xBE; 1000];
    let (lines, result) = decoder.block(data(&bomb));
    assert!(result.is_err() && lines.len() == 2, "{} lines", lines.len());
}

proptest! {
    #[test]
    fn no_block_makes_it_panic_or_keep_much(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..8)) {
        let mut decoder = Decoder::default();
        for block in &blocks {
            let (lines, _) = decoder.block(data(block));
            let read: usize = lines.iter().map(|line| match line {
                Line::Header(header) => header.at.len(),
                Line::Resize(_, at) => at.len(),
            }).sum();
            prop_assert!(read <= block.len());
        }
    }

    #[test]
    fn integers_of_every_prefix_come_back(value in 0u64..1 << 50, bits in 3u32..8) {
        let mask = (1u64 << bits) - 1;
        let mut written = Vec::new();
        if value < mask {
            written.push(value as u8);
        } else {
            written.push(mask as u8);
            let mut rest = value - mask;
            while rest >= 128 {
                written.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            written.push(rest as u8);
        }
        prop_assert_eq!(integer(&mut data(&written).cursor(), bits), Ok(value));
    }
}

fn section(decoder: &qpack::Decoder, hex: &str) -> Result<Vec<String>, qpack::Unread> {
    let block = bytes(hex);
    let text = |words: &[u8]| String::from_utf8(words.to_vec()).unwrap();
    let lines = decoder.section(data(&block))?;
    Ok(lines.iter().map(|header| format!("{}: {}", text(&header.name), text(&header.value))).collect())
}

#[test]
fn sections_are_those_of_rfc_9204() {
    // RFC 9204 appendix B.
    let mut decoder = qpack::Decoder::default();
    decoder.capacity_max = Some(220);
    let teach = |decoder: &mut qpack::Decoder, hex: &str| {
        let taught = bytes(hex);
        assert_eq!(decoder.instructions(data(&taught)), taught.len());
    };
    assert_eq!(section(&decoder, "0000 510b 2f69 6e64 6578 2e68 746d 6c").unwrap(), [":path: /index.html"]);
    assert_eq!(section(&decoder, "0381 1011"), Err(qpack::Unread::Blocked), "B.2 before its instructions");
    teach(
        &mut decoder,
        "3fbd01 c00f 7777 772e 6578 616d 706c 652e 636f 6d c10c 2f73 616d 706c 652f 7061 7468",
    );
    assert_eq!(
        section(&decoder, "0381 1011").unwrap(),
        [":authority: www.example.com", ":path: /sample/path"]
    );
    teach(&mut decoder, "4a63 7573 746f 6d2d 6b65 790c 6375 7374 6f6d 2d76 616c 7565");
    teach(&mut decoder, "02");
    assert_eq!(
        section(&decoder, "0500 80c1 81").unwrap(),
        [":authority: www.example.com", ":path: /", "custom-key: custom-value"]
    );
    teach(&mut decoder, "810d 6375 7374 6f6d 2d76 616c 7565 32");
    assert_eq!(section(&decoder, "0381 1011"), Err(qpack::Unread::Broken), "the first entry was evicted");
    decoder.lose();
    assert_eq!(section(&decoder, "0500 80c1 81"), Err(qpack::Unread::Broken), "nothing is guessed");
}

proptest! {
    #[test]
    fn no_section_or_instruction_makes_it_panic(
        taught in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6),
        asked in prop::collection::vec(any::<u8>(), 0..200),
        capacity_max in 0u64..5000,
    ) {
        let mut decoder = qpack::Decoder::default();
        decoder.capacity_max = Some(capacity_max);
        for bytes in &taught {
            prop_assert!(decoder.instructions(data(bytes)) <= bytes.len());
            let _ = decoder.section(data(&asked));
        }
    }
}
