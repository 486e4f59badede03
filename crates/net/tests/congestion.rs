//! What each congestion controller makes of a path, and of the others beside it: tables that a change of behaviour
//! shows up in. Virtual time, 1500-byte packets, senders that always have data.
//!
//! `THRU_BLESS=1 cargo test -p thru-net --test congestion` writes the tables anew.

#[path = "congestion/flows.rs"]
mod flows;

use std::path::Path;
use std::time::Duration;

use flows::{FlowConfig, Flows};
use thru_sim::link::{Chance, Loss, Pipe};
use thru_sim::queue::QueueConfig;
use thru_stack::tcp::{Congestion, TcpConfig};

const CONTROLLERS: [(Congestion, &str); 4] = [
    (Congestion::NewReno, "Reno"),
    (Congestion::Cubic, "CUBIC"),
    (Congestion::Bbr1, "BBR1"),
    (Congestion::Bbr3, "BBR3"),
];
const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Buffers that never limit a flow here.
fn config() -> TcpConfig {
    TcpConfig { send_buffer: 8 << 20, receive_buffer: 8 << 20, events: false, ..TcpConfig::default() }
}

/// A bottleneck with a queue of one round trip's worth.
fn pipe(rate: u64, rtt: Duration, loss_permille: u32) -> Pipe {
    let bdp = rate / 8 * rtt.as_micros() as u64 / 1_000_000;
    Pipe {
        rate: Some(rate),
        delay: rtt / 2,
        queue: QueueConfig::DropTail { limit: (bdp as usize).max(30_000) },
        loss: if loss_permille == 0 { Loss::None } else { Loss::Random(Chance(loss_permille * 1_000_000)) },
        ..Pipe::default()
    }
}

fn flow(congestion: Congestion, rtt: Duration) -> FlowConfig {
    FlowConfig { congestion, rtt, begins: Duration::ZERO }
}

/// Mbit/s of one flow on its own, over `time` from its SYN on.
fn alone(seed: u64, congestion: Congestion, pipe: &Pipe, time: Duration) -> f64 {
    let mut flows = Flows::new(seed, &config(), pipe.clone(), &[flow(congestion, pipe.delay * 2)]);
    mbits(flows.run(time)[0], time)
}

fn mbits(bytes: u64, time: Duration) -> f64 {
    bytes as f64 * 8.0 / 1e6 / time.as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Holds a table against the one in the repository.
fn check(name: &str, table: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goodput/{name}.txt"));
    if std::env::var_os("THRU_BLESS").is_some() {
        std::fs::write(&file, table).expect("the table can be written");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(table, expected, "figures changed; if that is meant, run with THRU_BLESS=1");
}

#[test]
fn goodput_by_loss_and_round_trip() {
    const SEEDS: u64 = 3;
    let time = 20 * SECOND;
    let mut table = format!(
        "Mbit/s of one flow in its first 20 s on a path of 20 Mbit/s, queue of one round trip's worth (30 KB at\n\
         least), random loss of data; median of {SEEDS} seeds. Of 20 Mbit/s, headers leave 19.31 for payload.\n\
         \n\
         RTT       loss"
    );
    for (_, name) in CONTROLLERS {
        table.push_str(&format!("{name:>9}"));
    }
    table.push('\n');
    for rtt in [1, 20, 200] {
        for loss in [0, 1, 10, 50, 100] {
            let pipe = pipe(20_000_000, rtt * MS, loss);
            table.push_str(&format!("{rtt:>3} ms {:>6.1} %", f64::from(loss) / 10.0));
            for (congestion, _) in CONTROLLERS {
                let rates = (1..=SEEDS).map(|seed| alone(seed, congestion, &pipe, time)).collect();
                table.push_str(&format!("{:>9.2}", median(rates)));
            }
            table.push('\n');
        }
    }
    check("congestion", &table);
}
