//! What each congestion controller makes of a path, and of the others beside it: tables that a change of behaviour
//! shows up in. Virtual time, 1500-byte packets, senders that always have data.
//!
//! `THRU_BLESS=1 cargo test -p thru-net --test congestion` writes the tables anew.

#[path = "congestion/flows.rs"]
mod flows;
#[path = "congestion/paths.rs"]
#[allow(dead_code, reason = "the benchmark of kernels needs more of it")]
mod paths;

use std::time::Duration;

use flows::{FlowConfig, Flows};
use paths::{KERNEL_CONTROLLERS, KERNEL_ROUNDS, LOSSY, Path, grid, median, read_kernel};
use thru_sim::link::{Chance, Pipe};
use thru_sim::queue::QueueConfig;
use thru_stack::tcp::{Congestion, Ecn, EcnMode, MtuProbing, TcpConfig};

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

fn flow(congestion: Congestion, rtt: Duration) -> FlowConfig {
    FlowConfig { congestion, rtt, begins: Duration::ZERO }
}

/// Mbit/s of one flow on its own, from its SYN on.
fn alone(seed: u64, congestion: Congestion, path: Path) -> f64 {
    let pipe = path.pipe();
    let round_trip = pipe.delay * 2;
    let mut flows = Flows::new(seed, &config(), pipe, &[flow(congestion, round_trip)]);
    mbits(flows.run(path.time())[0], path.time())
}

fn mbits(bytes: u64, time: Duration) -> f64 {
    bytes as f64 * 8.0 / 1e6 / time.as_secs_f64()
}

/// Holds a table against the one in the repository.
fn check(name: &str, table: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goodput/{name}.txt"));
    if std::env::var_os("THRU_BLESS").is_some() {
        std::fs::write(&file, table).expect("the table can be written");
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(table, expected, "figures changed; if that is meant, run with THRU_BLESS=1");
}

#[test]
fn goodput_by_loss_and_round_trip() {
    const SEEDS: u64 = 3;
    let (release, kernel) = read_kernel();
    let mut table = format!(
        "Mbit/s of one flow in its first 20 s on a path of 20 Mbit/s, queue of one round trip's worth (30 KB at\n\
         least), random loss of data; median of {SEEDS} seeds. Of 20 Mbit/s, headers leave 19.31 for payload.\n\
         On the right Linux {release} at both ends of the same link, but in real time and with Ethernet's\n\
         headers, which leave 19.13; median of {KERNEL_ROUNDS} rounds.\n\
         \n\
         RTT       loss"
    );
    for (_, name) in CONTROLLERS {
        table.push_str(&format!("{name:>9}"));
    }
    table.push_str("  |  Linux:");
    for name in KERNEL_CONTROLLERS {
        table.push_str(&format!("{name:>9}"));
    }
    table.push('\n');
    for path in grid() {
        table.push_str(&format!("{:>3} ms {:>6.1} %", path.rtt, f64::from(path.loss) / 10.0));
        for (congestion, _) in CONTROLLERS {
            let rates = (1..=SEEDS).map(|seed| alone(seed, congestion, path)).collect();
            table.push_str(&format!("{:>9.2}", median(rates)));
        }
        table.push_str("  |        ");
        for name in KERNEL_CONTROLLERS {
            let rate = kernel.get(&(path, name.to_owned())).map(|rates| median(rates.clone()));
            table.push_str(&rate.map_or(format!("{:>9}", "-"), |rate| format!("{rate:>9.2}")));
        }
        table.push('\n');
    }
    check("congestion", &table);
}

#[test]
fn one_percent_loss_on_50_mbits_and_50_ms() {
    const SEEDS: u64 = 3;
    let (release, kernel) = read_kernel();
    let mut table = format!(
        "One flow in its first 30 s: 50 Mbit/s, 50 ms, queue of one round trip's worth, 1 % of data lost at random;\n\
         {SEEDS} seeds. A window of 12.2 segments on average, as RFC 9438 gives for CUBIC in its Reno-friendly region\n\
         at this loss, makes 2.8 Mbit/s. Below, Linux {release} at both ends of the same link in real time;\n\
         {KERNEL_ROUNDS} rounds.\n\
         \n\
         controller     Mbit/s: least   median     most   of the link\n"
    );
    let mut row = |name: &str, mut rates: Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        let middle = median(rates.clone());
        let (least, most, share) = (rates[0], rates[rates.len() - 1], middle * 2.0);
        table.push_str(&format!("{name:<12} {least:>16.2} {middle:>8.2} {most:>8.2} {share:>11.1} %\n"));
        (middle, share)
    };
    for (congestion, name) in CONTROLLERS {
        let rates = (1..=SEEDS).map(|seed| alone(seed, congestion, LOSSY)).collect();
        let (middle, share) = row(name, rates);
        match congestion {
            Congestion::Bbr1 => assert!(share >= 90.0, "{share} % of the link"),
            Congestion::Bbr3 => assert!(share >= 75.0, "{share} % of the link"),
            _ => assert!(middle >= 2.2, "{middle} Mbit/s"),
        }
    }
    for name in KERNEL_CONTROLLERS {
        if let Some(rates) = kernel.get(&(LOSSY, name.to_owned())) {
            row(&format!("Linux {name}"), rates.clone());
        }
    }
    check("loss", &table);
}

/// Jain's index: 1 if all are equal, 1/n if one has all.
fn jain(rates: &[f64]) -> f64 {
    let (sum, squares): (f64, f64) =
        rates.iter().fold((0.0, 0.0), |(sum, squares), rate| (sum + rate, squares + rate * rate));
    sum * sum / (rates.len() as f64 * squares)
}

#[test]
fn fairness() {
    use Congestion::{Bbr1, Bbr3, Cubic, NewReno};
    let same = |congestion, count: usize| -> Vec<FlowConfig> {
        (0..count)
            .map(|index| FlowConfig { begins: index as u32 * SECOND / 2, ..flow(congestion, 40 * MS) })
            .collect()
    };
    let beside = |congestion| -> Vec<FlowConfig> {
        vec![flow(congestion, 40 * MS), FlowConfig { begins: SECOND / 2, ..flow(Cubic, 40 * MS) }]
    };
    let unequal = |congestion| -> Vec<FlowConfig> {
        (1..=10)
            .map(|index| FlowConfig { begins: index * SECOND / 5, ..flow(congestion, index * 20 * MS) })
            .collect()
    };
    // What, who, how long, the least index that is good enough.
    let cases: [(&str, Vec<FlowConfig>, u32, f64); 11] = [
        ("two CUBIC", same(Cubic, 2), 60, 0.95),
        ("two Reno", same(NewReno, 2), 60, 0.95),
        ("two BBR1", same(Bbr1, 2), 60, 0.95),
        ("two BBR3", same(Bbr3, 2), 60, 0.95),
        ("ten CUBIC", same(Cubic, 10), 60, 0.95),
        ("ten BBR3", same(Bbr3, 10), 60, 0.95),
        ("Reno, CUBIC", beside(NewReno), 60, 0.0),
        ("BBR1, CUBIC", beside(Bbr1), 60, 0.0),
        ("BBR3, CUBIC", beside(Bbr3), 60, 0.0),
        ("ten CUBIC, 20-200 ms", unequal(Cubic), 60, 0.0),
        ("ten BBR3, 20-200 ms", unequal(Bbr3), 60, 0.0),
    ];
    let mut table =
        "Flows through one bottleneck of 20 Mbit/s with a queue of 100 KB (40 ms), round trip 40 ms\n\
                     unless said otherwise, begun half a second apart; from 10 s to 60 s.\n\
                     \n\
                     flows                   Jain   sum  Mbit/s each\n"
            .to_owned();
    for (name, configs, seconds, least) in cases {
        let pipe = Pipe {
            rate: Some(20_000_000),
            delay: 10 * MS,
            queue: QueueConfig::DropTail { limit: 100_000 },
            ..Pipe::default()
        };
        let mut flows = Flows::new(7, &config(), pipe, &configs);
        flows.run(10 * SECOND);
        let time = (seconds - 10) * SECOND;
        let rates: Vec<f64> = flows.run(time).into_iter().map(|bytes| mbits(bytes, time)).collect();
        let (index, sum): (f64, f64) = (jain(&rates), rates.iter().sum());
        let each: Vec<String> = rates.iter().map(|rate| format!("{rate:.1}")).collect();
        table.push_str(&format!("{name:<22} {index:>5.3} {sum:>5.1}  {}\n", each.join(" ")));
        assert!(index >= least, "{name}: {index}");
    }
    table.push_str(&two_cubic_flows_at_many_starts());
    check("fairness", &table);
}

/// One run of two flows is one throw of dice: which of them a full queue drops from hangs on when the second begins.
fn two_cubic_flows_at_many_starts() -> String {
    const STARTS: u32 = 15;
    let mut indices: Vec<f64> = (1..=STARTS)
        .map(|start| {
            let pipe = Pipe {
                rate: Some(20_000_000),
                delay: 10 * MS,
                queue: QueueConfig::DropTail { limit: 100_000 },
                ..Pipe::default()
            };
            let later = FlowConfig { begins: start * 100 * MS, ..flow(Congestion::Cubic, 40 * MS) };
            let mut flows = Flows::new(7, &config(), pipe, &[flow(Congestion::Cubic, 40 * MS), later]);
            flows.run(10 * SECOND);
            jain(&flows.run(50 * SECOND).into_iter().map(|bytes| bytes as f64).collect::<Vec<f64>>())
        })
        .collect();
    indices.sort_by(f64::total_cmp);
    let (least, middle, most) = (indices[0], median(indices.clone()), indices[indices.len() - 1]);
    assert!(middle >= 0.95, "{middle}");
    format!(
        "\nTwo CUBIC begun 0.1 to {:.1} s apart, Jain: {least:.3} at least, {middle:.3} in the middle, {most:.3} at most\n",
        f64::from(STARTS) / 10.0
    )
}

#[test]
fn marks_replace_losses() {
    let with = |queue: &str, ecn| match queue {
        "RED" => QueueConfig::Red {
            limit: 300_000,
            min: 25_000,
            max: 100_000,
            max_probability: Chance::percent(10),
            ecn,
        },
        "CoDel" => QueueConfig::Codel { limit: 300_000, target: 5 * MS, interval: 100 * MS, ecn },
        _ => QueueConfig::FqCodel {
            limit: 300_000,
            flows: 1_024,
            quantum: 1_514,
            target: 5 * MS,
            interval: 100 * MS,
            ecn,
        },
    };
    let modes =
        [("off", Ecn::Off, false), ("classic", Ecn::Request, false), ("accurate", Ecn::Request, true)];
    let mut table = "One flow, 20 Mbit/s, 40 ms, through queues that mark what is capable and drop what is not; from 5 s to 25 s.\n\
                     \n\
                     queue     controller  ECN        Mbit/s  dropped  marked  sent again  slowed down\n"
        .to_owned();
    for queue in ["RED", "CoDel", "FQ-CoDel"] {
        for (congestion, name) in CONTROLLERS {
            for (mode, ecn, accurate_ecn) in modes {
                let tcp = TcpConfig { ecn, accurate_ecn, ..config() };
                let pipe = Pipe {
                    rate: Some(20_000_000),
                    delay: 20 * MS,
                    queue: with(queue, ecn != Ecn::Off),
                    ..Pipe::default()
                };
                let mut flows = Flows::new(3, &tcp, pipe, &[flow(congestion, 40 * MS)]);
                // Slow start may overrun any queue before the first mark has come back.
                flows.run(5 * SECOND);
                let before = (flows.info(0), flows.bottleneck_stats());
                let rate = mbits(flows.run(20 * SECOND)[0], 20 * SECOND);
                let (info, stats) = (flows.info(0), flows.bottleneck_stats());
                let dropped = stats.queue_drops - before.1.queue_drops;
                let marked = stats.ecn_marked - before.1.ecn_marked;
                let again = info.retransmissions - before.0.retransmissions;
                let slowed = info.ecn.reductions - before.0.ecn.reductions;
                table.push_str(&format!(
                    "{queue:<9} {name:<11} {mode:<9} {rate:>7.2} {dropped:>8} {marked:>7} {again:>11} {slowed:>12}\n"
                ));
                if ecn == Ecn::Off {
                    assert_eq!(marked, 0);
                    continue;
                }
                assert_eq!(info.ecn.mode == EcnMode::Accurate, accurate_ecn);
                assert!(info.ecn.capable);
                // BBR may keep below what these queues mark.
                assert!(marked > 0 || name.starts_with("BBR"), "{queue} {name} {mode}");
                assert_eq!(marked > 0, slowed > 0, "{queue} {name} {mode}");
                assert_eq!((dropped, again), (0, 0), "{queue} {name} {mode}");
                // What the receiver counted has reached the sender, but for the last round trip.
                if accurate_ecn {
                    let told = info.ecn.delivered_ce - before.0.ecn.delivered_ce;
                    assert!(told.abs_diff(marked) <= 20, "{queue} {name}: {told} of {marked}");
                }
            }
        }
    }
    check("ecn", &table);
}

#[test]
fn a_link_that_swallows_large_packets_is_survived_if_asked_for() {
    let pipe = Pipe { rate: Some(20_000_000), delay: 10 * MS, mtu: Some(1_300), ..Pipe::default() };
    for (mtu_probing, survives) in [(MtuProbing::Off, false), (MtuProbing::AfterBlackHole, true)] {
        let tcp = TcpConfig { mtu_probing, ..config() };
        let mut flows = Flows::new(5, &tcp, pipe.clone(), &[flow(Congestion::Cubic, 20 * MS)]);
        let delivered = flows.run(10 * SECOND)[0];
        let info = flows.info(0);
        assert!(flows.bottleneck_stats().mtu_drops > 0);
        if survives {
            assert!(mbits(delivered, 10 * SECOND) > 12.0, "{delivered}");
            let found = info.mtu.proven.expect("it searched");
            assert!((1_284..=1_300).contains(&found), "{found}");
        } else {
            assert_eq!(delivered, 0);
        }
    }
}
