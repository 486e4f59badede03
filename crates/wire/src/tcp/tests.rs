use super::*;
use crate::ipv4::Protocol;
use crate::tests::{hex, sweep};
use core::net::Ipv4Addr;
use core::time::Duration;
use proptest::prelude::*;

fn pseudo() -> PseudoHeader {
    PseudoHeader::v4(Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 2), Protocol::TCP)
}

fn syn() -> Tcp {
    Tcp {
        src_port: 49152,
        dst_port: 443,
        seq: SeqNumber(1000),
        flags: Flags::SYN,
        window: 64240,
        options: TcpOptions {
            mss: Some(1460),
            window_scale: Some(7),
            sack_permitted: true,
            timestamps: Some(Timestamps { value: 0x01020304, echo: 0 }),
            ..TcpOptions::NONE
        },
        ..Tcp::default()
    }
}

#[test]
fn a_syn_looks_like_that_of_linux() {
    let mut out = Vec::new();
    syn().emit_into(b"", &pseudo(), &mut out);
    let want =
        hex("c000 01bb 000003e8 00000000 a002 faf0 0000 0000 020405b4 0402 080a 01020304 00000000 01 030307");
    assert_eq!((&out[..16], &out[18..]), (&want[..16], &want[18..]));
    assert_eq!(Tcp::parse(&out, Some(&pseudo())), Ok((syn(), &[][..])));
    assert_eq!(syn().header_len(), 40);
    sweep(&out, |bytes| Tcp::parse(bytes, None).map(|_| ()));
    out[5] ^= 1;
    assert_eq!(Tcp::parse(&out, Some(&pseudo())), Err(ParseError::Checksum { layer: Layer::Tcp }));
}

#[test]
fn lies_are_named() {
    let check = |offset: u8, options: &[u8], want: ParseError| {
        let mut bytes = vec![0; 20];
        bytes[12] = offset << 4;
        bytes.extend(options);
        assert_eq!(Tcp::parse(&bytes, None), Err(want));
    };
    let layer = Layer::Tcp;
    check(4, &[], ParseError::Illegal { layer, at: 12, what: "data offset is less than 20 bytes" });
    check(
        6,
        &[1, 1],
        ParseError::Truncated { layer, at: 0, need: 24, have: 22, claimed_by: ClaimedBy::TcpDataOffset },
    );
    check(6, &[1, 2, 0, 5], ParseError::Illegal { layer, at: 22, what: "option length is less than 2" });
    check(
        6,
        &[1, 2, 4, 5],
        ParseError::Truncated { layer, at: 21, need: 4, have: 3, claimed_by: ClaimedBy::OptionLength },
    );
    check(
        6,
        &[1, 1, 1, 9],
        ParseError::Truncated { layer, at: 23, need: 2, have: 1, claimed_by: ClaimedBy::OptionLength },
    );
}

#[test]
fn every_option_has_its_name() {
    let check = |text: &str, want: TcpOption<'_>| {
        let bytes = hex(text);
        let mut options = TcpOptionIter::new(&bytes);
        assert_eq!(options.next(), Some(Ok(want)), "{text}");
        assert_eq!(options.next(), None, "{text}");
    };
    check("01", TcpOption::NoOperation);
    check("02 04 05b4", TcpOption::MaxSegmentSize(1460));
    check("02 03 05", TcpOption::Unknown { kind: 2, data: &[5] });
    check("03 03 0e", TcpOption::WindowScale(14));
    check("04 02", TcpOption::SackPermitted);
    check("05 0a 00000001 00000009", TcpOption::Sack([(SeqNumber(1), SeqNumber(9))].into_iter().collect()));
    check("05 02", TcpOption::Unknown { kind: 5, data: &[] });
    check("06 06 00000001", TcpOption::Echo(1));
    check("07 06 00000001", TcpOption::EchoReply(1));
    check("08 0a 00000001 00000002", TcpOption::Timestamps(Timestamps { value: 1, echo: 2 }));
    check("09 02", TcpOption::PartialOrderPermitted);
    check("0a 03 c0", TcpOption::PartialOrderProfile(0xc0));
    check("0b 06 00000001", TcpOption::ConnectionCount(1));
    check("0c 06 00000001", TcpOption::ConnectionCountNew(1));
    check("0d 06 00000001", TcpOption::ConnectionCountEcho(1));
    check("0e 03 01", TcpOption::AlternateChecksumRequest(1));
    check("0f 04 1234", TcpOption::AlternateChecksumData(&[0x12, 0x34]));
    check("12 03 01", TcpOption::TrailerChecksum(1));
    check(
        "13 12 000102030405060708090a0b0c0d0e0f",
        TcpOption::Md5(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
    );
    check("14 04 0102", TcpOption::ScpsCapabilities(&[1, 2]));
    check("15 04 0102", TcpOption::Snack(&[1, 2]));
    check("16 03 01", TcpOption::RecordBoundaries(&[1]));
    check("17 02", TcpOption::CorruptionExperienced(&[]));
    check("1b 08 05 40 00000004", TcpOption::QuickStart { rate: 5, ttl_difference: 64, nonce: 4 });
    check("1c 04 8002", TcpOption::UserTimeout { minutes: true, value: 2 });
    check("1d 06 01 02 abcd", TcpOption::Authentication { key_id: 1, next_key_id: 2, mac: &[0xab, 0xcd] });
    check("1e 04 20 01", TcpOption::Multipath { subtype: 2, data: &[0x20, 1] });
    check("22 02", TcpOption::FastOpen(&[]));
    check("22 06 01020304", TcpOption::FastOpen(&[1, 2, 3, 4]));
    check("22 05 010203", TcpOption::Unknown { kind: 34, data: &[1, 2, 3] });
    check("45 03 20", TcpOption::EncryptionNegotiation(&[0x20]));
    check(
        "ac 08 000001 000002",
        TcpOption::AccEcn(AccEcnCounters { ect1_first: false, ect0: Some(1), ce: Some(2), ect1: None }),
    );
    check(
        "ae 0b 000001 000002 000003",
        TcpOption::AccEcn(AccEcnCounters { ect1_first: true, ect0: Some(3), ce: Some(2), ect1: Some(1) }),
    );
    check("fd 05 f989 01", TcpOption::Experiment { kind: 253, id: 0xf989, data: &[1] });
    check("fe 03 01", TcpOption::Unknown { kind: 254, data: &[1] });
    check("b7 03 01", TcpOption::Unknown { kind: 0xb7, data: &[1] });
}

#[test]
fn extra_options_are_written_and_read() {
    let mut header = Tcp { flags: Flags::ACK, ..Tcp::default() };
    let counters = AccEcnCounters { ect1_first: true, ect0: None, ce: Some(7), ect1: Some(9) };
    assert!(header.options.extra.push_fast_open(&[1; 8]));
    assert!(!header.options.extra.push_fast_open(&[1; 3]));
    assert!(header.options.extra.push_user_timeout(Duration::from_secs(40_000)));
    assert!(header.options.extra.push_acc_ecn(counters));
    assert!(header.options.extra.push_authentication(1, 2, &[3; 12]));
    assert!(!header.options.extra.push_md5(&[0; 16]), "38 of 40 bytes are taken");
    let mut out = Vec::new();
    header.emit_into(b"data", &pseudo(), &mut out);
    let (again, payload) = Tcp::parse(&out, Some(&pseudo())).unwrap();
    assert_eq!((again, payload), (header, &b"data"[..]));
    assert_eq!(again.options.extra.fast_open(), Some(&[1; 8][..]));
    assert_eq!(again.options.extra.user_timeout(), Some(Duration::from_secs(39_960)));
    assert_eq!(again.options.extra.acc_ecn(), Some(counters));
}

#[test]
fn what_does_not_fit_is_left_out() {
    let mut header = syn();
    header.options.sack = (0..4).map(|block| (SeqNumber(block * 10), SeqNumber(block * 10 + 5))).collect();
    let mut out = Vec::new();
    header.emit_into(b"", &pseudo(), &mut out);
    let (again, _) = Tcp::parse(&out, Some(&pseudo())).unwrap();
    assert_eq!((again.options.mss, again.options.sack.len()), (Some(1460), 2));
    // With timestamps three blocks fit, aligned as everybody sends them (RFC 2018 section 3).
    header.options =
        TcpOptions { timestamps: header.options.timestamps, sack: header.options.sack, ..TcpOptions::NONE };
    out.clear();
    header.emit_into(b"", &pseudo(), &mut out);
    assert_eq!((out.len(), &out[32..36]), (60, &[1, 1, 5, 26][..]));
}

#[test]
fn sequence_numbers_wrap() {
    let (before, after) = (SeqNumber(u32::MAX - 1), SeqNumber(3));
    assert!(before.lt(after) && before.le(before) && after.gt(before) && after.ge(after));
    assert_eq!((before + 5, after - 5, after - before, before - after), (after, before, 5, -5));
    assert!(SeqNumber(1).in_window(before, 5) && !after.in_window(before, 5) && !before.in_window(before, 0));
    assert_eq!((before.max(after), before.min(after), after.since(before)), (after, before, 5));
}

#[test]
fn flags_have_names() {
    assert_eq!((Flags::ACK | Flags::SYN).to_string(), "SYN ACK");
    assert_eq!(Flags::NONE.to_string(), "none");
    assert!((Flags::ACK | Flags::SYN).contains(Flags::SYN) && !Flags::ACK.intersects(Flags::SYN));
}

prop_compose! {
    pub(crate) fn any_header()(
        ports in any::<(u16, u16)>(), numbers in any::<(u32, u32)>(), flags in 0u16..512, window in any::<u16>(), urgent in any::<u16>(),
        mss in any::<Option<u16>>(), shift in proptest::option::of(0u8..=14), permitted in any::<bool>(), stamps in any::<Option<(u32, u32)>>(),
        blocks in proptest::collection::vec(any::<(u32, u32)>(), 0..=2),
    ) -> Tcp {
        Tcp {
            src_port: ports.0, dst_port: ports.1, seq: SeqNumber(numbers.0), ack: SeqNumber(numbers.1), flags: Flags(flags), window, urgent,
            options: TcpOptions {
                mss, window_scale: shift, sack_permitted: permitted, timestamps: stamps.map(|(value, echo)| Timestamps { value, echo }),
                sack: blocks.into_iter().map(|(left, right)| (SeqNumber(left), SeqNumber(right))).collect(),
                extra: ExtraOptions::NONE,
                layout: OptionLayout::default(),
            },
        }
    }
}

#[test]
fn the_scale_comes_first_where_it_should() {
    let with = |change: fn(&mut TcpOptions)| {
        let mut header = syn();
        header.options.layout = OptionLayout::ScaleFirst;
        change(&mut header.options);
        let mut out = Vec::new();
        header.emit_into(&[], &pseudo(), &mut out);
        out[20..].to_vec()
    };
    let stamps = [8, 10, 1, 2, 3, 4, 0, 0, 0, 0];
    assert_eq!(with(|_| {}), [&[2, 4, 5, 180, 1, 3, 3, 7, 4, 2][..], &stamps].concat());
    let without_sack = with(|options| options.sack_permitted = false);
    assert_eq!(without_sack, [&[2, 4, 5, 180, 1, 3, 3, 7, 1, 1][..], &stamps].concat());
    let bare = with(|options| (options.timestamps, options.window_scale) = (None, None));
    assert_eq!(bare, [2, 4, 5, 180, 4, 2, 0, 0]);
}

proptest! {
    #[test]
    fn either_layout_says_the_same(header in any_header(), payload in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut out = Vec::new();
        let mut other = header;
        other.options.layout = OptionLayout::ScaleFirst;
        other.emit_into(&payload, &pseudo(), &mut out);
        prop_assert_eq!(out.len(), other.header_len() + payload.len());
        let (parsed, rest) = Tcp::parse(&out, Some(&pseudo())).unwrap();
        prop_assert_eq!(rest, &payload[..]);
        let blocks = parsed.options.sack.len();
        prop_assert_eq!(parsed.options.sack.as_slice(), &header.options.sack.as_slice()[..blocks]);
        let mut expected = header;
        expected.options.sack = parsed.options.sack;
        prop_assert_eq!(parsed, expected);
    }

    #[test]
    fn round_trip(header in any_header(), payload in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut out = Vec::new();
        header.emit_into(&payload, &pseudo(), &mut out);
        prop_assert_eq!(out.len(), header.header_len() + payload.len());
        prop_assert_eq!(Tcp::parse(&out, Some(&pseudo())), Ok((header, &payload[..])));
    }

    /// What was read can be written: any legal option list survives, whatever its order and padding.
    #[test]
    fn parsed_options_are_kept(kinds in proptest::collection::vec((2u8..40, proptest::collection::vec(any::<u8>(), 0..10)), 0..8)) {
        let mut list = Vec::new();
        for (kind, data) in kinds {
            if list.len() + 2 + data.len() <= 40 {
                list.extend([kind, 2 + data.len() as u8]);
                list.extend(data);
            }
        }
        let options = TcpOptions::parse(&list).unwrap();
        let header = Tcp { options, ..Tcp::default() };
        let mut out = Vec::new();
        header.emit_into(b"", &pseudo(), &mut out);
        prop_assert_eq!(Tcp::parse(&out, Some(&pseudo())), Ok((header, &[][..])));
    }

    #[test]
    fn any_bytes_are_shown(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(view) = TcpView::new(&bytes) {
            let _ = (view.options().count(), view.payload(), view.checksum_is_valid(&pseudo()));
        }
        if let Ok((header, payload)) = Tcp::parse(&bytes, None) {
            let mut out = Vec::new();
            header.emit_into(payload, &pseudo(), &mut out);
            prop_assert_eq!(Tcp::parse(&out, Some(&pseudo())), Ok((header, payload)));
        }
    }
}
