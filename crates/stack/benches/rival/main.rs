//! Our TCP beside smoltcp's, in one process and one thread: `cargo bench -p thru-stack --bench rival [-- WORDS]`.
//! It prints ratios of processor time and never judges: no test depends on how fast this machine is.
//!
//! Both ends of both stacks live in this thread. Packets have 1500 bytes and checksums that are filled in and
//! verified; buffers have the same size; nothing is lost. Rounds of both alternate, and the median of the rounds
//! counts, so that what else the machine does hits both alike.
//!
//! Words choose parts: `bulk`, `idle`, `connect`, `memory`; `quick` makes everything smaller. `packets`, `batches` or
//! `whole` leaves only our own stack with this one way to carry frames: for a profiler.

mod meter;
mod ours;
mod theirs;

use meter::{Cost, median};
use ours::{Ours, Way};
use theirs::Theirs;

#[global_allocator]
static ALLOCATOR: meter::Counting = meter::Counting;

/// What is asked for on the command line.
struct Wanted {
    words: Vec<String>,
    quick: bool,
    /// Only our own stack, in this way.
    alone: Option<Way>,
}

impl Wanted {
    fn part(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| word == name)
    }
}

fn main() {
    // `cargo bench` adds flags of its own.
    let mut words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let quick = words.iter().any(|word| word == "quick");
    let ways = [("packets", Way::Packets), ("batches", Way::Batches), ("whole", Way::Whole)];
    let named = |word: &String| ways.iter().find(|(name, _)| name == word).map(|(_, way)| *way);
    let alone = words.iter().find_map(named);
    words.retain(|word| word != "quick" && named(word).is_none());
    let wanted = Wanted { words, quick, alone };
    if let Some(way) = wanted.alone {
        return profile(&wanted, way);
    }
    if wanted.part("bulk") {
        bulk(&wanted);
    }
    if wanted.part("idle") {
        idle(&wanted);
    }
    if wanted.part("connect") {
        connect(&wanted);
    }
    if wanted.part("memory") {
        memory();
    }
}

/// Bytes of payload a round carries.
fn amount(wanted: &Wanted) -> u64 {
    if wanted.quick { 50_000_000 } else { 400_000_000 }
}

fn rounds(wanted: &Wanted) -> usize {
    if wanted.quick { 3 } else { 9 }
}

fn heading(what: &str) {
    println!("\n{what}");
    println!(
        "{:<44}{:>10}{:>10}{:>10}{:>12}{:>8}",
        "", "ns/packet", "Mpacket/s", "Gbit/s", "allocs/pkt", "ratio"
    );
}

fn line(name: &str, cost: &Cost, ratio: Option<f64>) {
    let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
    println!(
        "{name:<44}{:>10.0}{:>10.2}{:>10.1}{:>12.4}{ratio:>8}",
        cost.nanos_per_packet(),
        cost.packets as f64 * 1e3 / cost.nanos as f64,
        cost.bytes as f64 * 8.0 / cost.nanos as f64,
        cost.allocations as f64 / cost.packets as f64,
    );
}

/// One connection, as fast as it goes. The ratio is that of bytes per time.
fn bulk(wanted: &Wanted) {
    heading("bulk: one connection, link of 1500 bytes, checksums on (ratio: to smoltcp)");
    let ways = [
        (Way::Packets, "ours, packet by packet"),
        (Way::Batches, "ours, packets in batches, coalesced"),
        (Way::Whole, "ours, super-segments carried whole"),
    ];
    for buffer in [65_535, 1 << 20] {
        let mut theirs = Theirs::new(buffer);
        theirs.transfer(amount(wanted) / 10);
        let mut rigs = ways.map(|(way, name)| (name, Ours::new(buffer, way)));
        let mut costs = ways.map(|_| Vec::new());
        let mut their_costs = Vec::new();
        for (_, rig) in &mut rigs {
            rig.transfer(amount(wanted) / 10);
        }
        for _ in 0..rounds(wanted) {
            their_costs.push(theirs.transfer(amount(wanted)));
            for ((_, rig), costs) in rigs.iter_mut().zip(&mut costs) {
                costs.push(rig.transfer(amount(wanted)));
            }
        }
        let their_cost = median(their_costs);
        line(&format!("smoltcp, buffers of {buffer}"), &their_cost, None);
        for ((name, _), costs) in rigs.iter().zip(costs) {
            let cost = median(costs);
            line(name, &cost, Some(cost.bytes_per_nano() / their_cost.bytes_per_nano()));
        }
    }
}

/// One way alone, for a profiler.
fn profile(wanted: &Wanted, way: Way) {
    let mut rig = Ours::new(65_535, way);
    rig.transfer(amount(wanted) / 10);
    if wanted.part("bulk") {
        heading(&format!("{way:?}"));
        for _ in 0..rounds(wanted) {
            line("ours", &rig.transfer(amount(wanted)), None);
        }
    } else {
        let cost = rig.connections(amount(wanted) / 1_000);
        println!("{:.0} ns a connection", cost.nanos_per_packet());
    }
}

/// The same beside connections on which nothing happens. The ratio is to none of them.
fn idle(wanted: &Wanted) {
    heading("the same beside idle connections (ratio: to none)");
    let counts: &[usize] = if wanted.quick { &[0, 1_000, 10_000] } else { &[0, 1_000, 100_000] };
    let mut rigs: Vec<Ours> = counts
        .iter()
        .map(|&count| {
            let mut rig = Ours::new(65_535, Way::Batches);
            rig.add_idle(count);
            rig.transfer(amount(wanted) / 10);
            rig
        })
        .collect();
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); counts.len()];
    for _ in 0..rounds(wanted) {
        for (rig, costs) in rigs.iter_mut().zip(&mut costs) {
            costs.push(rig.transfer(amount(wanted)));
        }
    }
    let costs: Vec<Cost> = costs.into_iter().map(median).collect();
    for (count, cost) in counts.iter().zip(&costs) {
        let ratio = cost.bytes_per_nano() / costs[0].bytes_per_nano();
        line(&format!("ours, {count} idle"), cost, Some(ratio));
    }
    let mut theirs = Theirs::new(65_535);
    theirs.add_idle(1_000);
    let cost = theirs.transfer(amount(wanted) / 20);
    line("smoltcp, 1000 idle", &cost, None);
}

/// Connect, one byte, close on both sides, one after the other.
fn connect(wanted: &Wanted) {
    println!("\nconnect + 1 byte + close, one after the other (ratio: to none idle)");
    println!("{:<44}{:>12}{:>10}{:>12}{:>8}", "", "per second", "ns each", "allocs each", "ratio");
    let counts: &[usize] = if wanted.quick { &[0, 10_000] } else { &[0, 1_000, 10_000, 100_000] };
    let times = if wanted.quick { 20_000 } else { 100_000 };
    let mut rigs: Vec<Ours> = counts
        .iter()
        .map(|&count| {
            let mut rig = Ours::new(65_535, Way::Batches);
            rig.add_idle(count);
            // As many as are in TIME-WAIT at any time from then on.
            rig.connections(70_000);
            rig
        })
        .collect();
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); counts.len()];
    for _ in 0..rounds(wanted) {
        for (rig, costs) in rigs.iter_mut().zip(&mut costs) {
            costs.push(rig.connections(times));
        }
    }
    let costs: Vec<Cost> = costs.into_iter().map(median).collect();
    let show = |name: &str, cost: &Cost, ratio: Option<f64>| {
        let each = cost.nanos as f64 / cost.packets as f64;
        let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let allocations = cost.allocations as f64 / cost.packets as f64;
        println!("{name:<44}{:>12.0}{each:>10.0}{allocations:>12.2}{ratio:>8}", 1e9 / each);
    };
    for (count, cost) in counts.iter().zip(&costs) {
        show(&format!("ours, {count} idle"), cost, Some(costs[0].nanos as f64 / cost.nanos as f64));
    }
    for count in [0, 1_000] {
        let mut theirs = Theirs::new(65_535);
        theirs.add_idle(count);
        let cost = theirs.connections(if count == 0 { times } else { times / 50 });
        show(&format!("smoltcp, {count} idle"), &cost, None);
    }
}

/// What connections hold, by the allocator's count.
fn memory() {
    println!("\nmemory, both ends counted, by the allocator");
    for count in [1_000, 100_000] {
        let mut rig = Ours::new(1 << 20, Way::Batches);
        let before = meter::held();
        rig.add_idle(count);
        let each = (meter::held() - before) as f64 / (2 * count) as f64;
        println!("{count} idle connections: {each:.0} bytes an end");
    }
    let count = 20_000;
    let mut rig = Ours::new(1 << 20, Way::Batches);
    let before = meter::held();
    rig.add_resting(count);
    let each = (meter::held() - before) as f64 / (2 * count) as f64;
    println!("{count} that carried a kilobyte and rest: {each:.0} bytes an end");
    let mut rig = Ours::new(65_535, Way::Batches);
    let before = meter::held();
    rig.connections(50_000);
    let each = (meter::held() - before) as f64 / rig.waiting() as f64;
    println!("{} in TIME-WAIT: {each:.0} bytes each", rig.waiting());
}
