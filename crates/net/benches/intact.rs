//! A gigabyte each way over every kind of device, either family, our stack as client and as server, against the kernel of a
//! namespace: `cargo bench -p thru-net --bench intact [-- MEGABYTES]`, as root. It stops at the first byte that differs, at
//! a reset of the kernel's, and at segments sent again; else it prints how long each took.

#[path = "../tests/kernel/matrix.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod matrix;
#[path = "../tests/kernel/place.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod place;
#[path = "../tests/kernel/transfer.rs"]
#[allow(dead_code, unused_imports, reason = "the tests need more of it")]
mod transfer;

fn main() {
    let megabytes = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1_000_usize);
    println!("{:<12} {:<6} {:<8} {:>8}  Gbit/s", "device", "family", "we are", "seconds");
    for wire in matrix::WIRES {
        for (family, name) in ["IPv4", "IPv6"].into_iter().enumerate() {
            for (server, role) in [(false, "client"), (true, "server")] {
                let bytes = megabytes * 1_000_000;
                let Some(took) = matrix::carry("intact", wire, family, server, bytes) else { return };
                let rate = 2.0 * bytes as f64 * 8.0 / took.as_secs_f64() / 1e9;
                let device = format!("{wire:?}");
                println!("{device:<12} {name:<6} {role:<8} {:>8.1}  {rate:.2}", took.as_secs_f64());
            }
        }
    }
    println!(
        "{megabytes} MB up and down in each: every byte in its place, no reset, and in none more than 20 segments sent again"
    );
}
