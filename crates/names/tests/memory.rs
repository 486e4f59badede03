//! What a cached name costs: live octets of the heap, the allocator's own 16 for each piece counted in.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::IpAddr;

use thru_names::proto::rr::RecordType;
use thru_names::resolver::{Input, Output, Resolver, ResolverConfig};
use thru_names::text::parse_name;
use thru_names::wire::{CLASS_IN, Packet, RawRecord};
use thru_wire::Instant;

thread_local! {
    /// Octets that this thread holds.
    static HELD: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

fn cost(layout: Layout) -> i64 {
    (layout.size().next_multiple_of(16) + 16) as i64
}

#[expect(unsafe_code, reason = "the trait is unsafe; every call is handed on as it came")]
// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get() + cost(layout));
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - cost(layout));
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Names to fill with, and to weigh after that.
const NAMES: u64 = 4_000;
/// What unbound 1.22 takes by its resident memory (`cargo bench -p thru --bench dns`).
const UNBOUND: u64 = 632;

#[test]
fn a_cached_name_costs_no_more_than_unbounds() {
    let root: IpAddr = "192.0.2.1".parse().expect("an address");
    let mut config = ResolverConfig::new(vec![(parse_name("a.root").expect("a name"), vec![root])]);
    config.limits.cache = 100_000;
    let mut resolver = Resolver::new(config, [7; 32]);
    let mut fill = |from: u64, to: u64| {
        for number in from..to {
            let name = parse_name(&format!("n{number}.bench.example")).expect("a name");
            let input = Input::Query {
                token: number,
                name: &name,
                record_type: RecordType::A,
                checking_disabled: false,
            };
            resolver.handle(Instant::START, input);
            while let Some(output) = resolver.poll_output() {
                let Output::Send { exchange, to, message, .. } = output else { continue };
                let mut packet = Packet::read(&message).expect("our query");
                packet.header.response = true;
                packet.header.authoritative = true;
                let question = packet.questions[0].clone();
                if question.rtype == RecordType::A && question.name == name {
                    packet.answers.push(RawRecord {
                        name: question.name,
                        rtype: RecordType::A,
                        class: CLASS_IN,
                        ttl: 3600,
                        data: vec![192, 0, 2, number as u8].into(),
                    });
                } else {
                    // A name above: there, but without addresses.
                    let soa = "example. 3600 SOA a.root. x.root. 1 7200 900 86400 3600";
                    let records =
                        thru_names::rdata::master_records(soa, &parse_name("example").expect("a name"));
                    packet.authorities = records.expect("a record");
                }
                let answer = packet.write(4096).expect("it is short");
                resolver.handle(Instant::START, Input::Response { exchange, from: to, message: &answer });
            }
        }
    };
    fill(0, NAMES);
    let before = HELD.get();
    fill(NAMES, 3 * NAMES);
    let each = (HELD.get() - before) as u64 / (2 * NAMES);
    eprintln!("{each} octets a cached name");
    assert!(each > 50, "nothing was cached");
    assert!(each <= UNBOUND, "{each} octets");
}
