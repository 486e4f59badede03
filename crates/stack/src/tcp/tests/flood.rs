//! A flood of SYNs from forged addresses while a transfer runs over the same link (RFC 4987). `benches/flood.rs` does
//! it with a million.

use core::net::Ipv4Addr;

use super::super::*;
use super::pair::*;
use thru_wire::tcp::{Flags, TcpOptions, Timestamps};

const RATE: u64 = 12_500_000;

/// A SYN from the stranger `number`, with all the options of an honest one.
fn syn(number: u32, now: Instant) -> SegmentIn {
    let pair = demux::Pair {
        local: demux::Endpoint {
            address: Ipv4Addr::from_bits(0x0b00_0000 + number / 60_000).into(),
            port: 1_024 + (number % 60_000) as u16,
        },
        remote: Duo::address(SERVER, 80).into(),
    };
    let options = TcpOptions {
        mss: Some(1_460),
        window_scale: Some(7),
        sack_permitted: true,
        timestamps: Some(Timestamps { value: number, echo: 0 }),
        ..TcpOptions::default()
    };
    let syn = segment::bare(
        &mut Spare::default(),
        &pair,
        Flags::SYN,
        SeqNumber(number),
        SeqNumber(0),
        64_240,
        options,
    );
    SegmentIn {
        src: syn.src,
        dst: syn.dst,
        ttl: 50,
        ecn: 0,
        rx_time: now,
        bytes: syn.bytes.into(),
        verified: false,
    }
}

/// Bytes the client gets in `seconds` while `syns` arrive at the server, and the most half-open objects meanwhile.
fn download(seconds: u64, syns: u32, config: TcpConfig) -> (usize, usize, Duo) {
    let link = Link { delay: ms(10), rate: RATE, ..Link::default() };
    let config = TcpConfig { events: false, ..config };
    let mut pair = Duo::with(link, config.clone(), config);
    let (_, client, server) = pair.established();
    let (begin, end) = (pair.now, pair.now + ms(1_000 * seconds));
    let (block, mut buffer, mut read) = (vec![7; 65_536], vec![0; 65_536], 0);
    let (mut sent, mut most) = (0, 0);
    while pair.now < end {
        while pair.ends[SERVER].write(pair.now, server, &block).unwrap() > 0 {}
        pair.pump();
        while let Ok(Some(len)) = pair.ends[CLIENT].read(pair.now, client, &mut buffer) {
            read += len;
        }
        let passed = pair.now.since(begin).as_nanos() as u64;
        let due = (u64::from(syns) * passed / (seconds * 1_000_000_000)) as u32;
        while sent < due.min(syns) {
            let segment = syn(sent, pair.now);
            pair.inject(SERVER, segment);
            sent += 1;
        }
        most = most.max(pair.ends[SERVER].population().0);
        assert!(pair.step());
    }
    (read, most, pair)
}

#[test]
fn a_transfer_keeps_its_rate_and_memory_stays_bounded() {
    let (undisturbed, ..) = download(3, 0, TcpConfig::default());
    assert!(undisturbed as u64 > 2 * RATE, "{undisturbed}");
    for cookies in [SynCookies::WhenFull, SynCookies::Always, SynCookies::Never] {
        let config = TcpConfig { syn_cookies: cookies, ..TcpConfig::default() };
        let (read, most, pair) = download(3, 30_000, config);
        assert!(read * 10 >= undisturbed * 8, "{cookies:?}: {read} of {undisturbed}");
        assert!(most <= 8, "{most} half-open objects with a backlog of 8");
        let stats = pair.ends[SERVER].stats();
        let answered = stats.cookies_sent + stats.half_open_drops;
        assert!(answered >= 29_000, "{stats:?}");
        assert_eq!(pair.ends[SERVER].population().1, 1);
    }
}

#[test]
fn honest_clients_get_in_during_a_flood() {
    let (_, _, mut pair) = download(1, 20_000, TcpConfig::default());
    // The table is still full: only a cookie can let it in, and with timestamps it loses nothing by that.
    assert_eq!(pair.ends[SERVER].population().0, 8);
    let before = pair.ends[SERVER].stats().cookies_received;
    let id = pair.connect(80);
    pair.run_for(ms(500));
    assert_eq!(pair.ends[CLIENT].connected(id), Some(Ok(())));
    assert_eq!(pair.ends[SERVER].stats().cookies_received, before + 1);
    let info = pair.ends[CLIENT].info(id).unwrap();
    assert!(info.sack && info.timestamps && info.window_scale.is_some());
}
