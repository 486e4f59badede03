//! The paths of the tables, for our stack in virtual time and for the kernel in real time alike, and what the kernel
//! made of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use thru_sim::link::{Chance, Loss, Pipe};
use thru_sim::queue::QueueConfig;

/// One path, and how long a flow is watched on it from its SYN on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path {
    /// Bits a second.
    pub(crate) rate: u64,
    /// Milliseconds of a round trip.
    pub(crate) rtt: u32,
    /// Of a thousand packets of data.
    pub(crate) loss: u32,
    pub(crate) seconds: u32,
}

impl Path {
    /// With a queue of one round trip's worth.
    pub(crate) fn pipe(self) -> Pipe {
        let rtt = Duration::from_millis(self.rtt.into());
        let bdp = self.rate / 8 * u64::from(self.rtt) / 1_000;
        Pipe {
            rate: Some(self.rate),
            delay: rtt / 2,
            queue: QueueConfig::DropTail { limit: (bdp as usize).max(30_000) },
            loss: if self.loss == 0 { Loss::None } else { Loss::Random(Chance(self.loss * 1_000_000)) },
            ..Pipe::default()
        }
    }

    pub(crate) fn time(self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

/// Of `congestion.txt`: by round trip and loss.
pub(crate) fn grid() -> impl Iterator<Item = Path> {
    [1, 20, 200]
        .into_iter()
        .flat_map(|rtt| [0, 1, 10, 50, 100].map(|loss| Path { rate: 20_000_000, rtt, loss, seconds: 20 }))
}

/// Of `loss.txt`.
pub(crate) const LOSSY: Path = Path { rate: 50_000_000, rtt: 50, loss: 10, seconds: 30 };

/// What the kernel calls its controllers, and how many rounds each was measured.
pub(crate) const KERNEL_CONTROLLERS: [&str; 3] = ["reno", "cubic", "bbr"];
pub(crate) const KERNEL_ROUNDS: usize = 3;

/// Where the figures of kernels are kept.
pub(crate) fn kernel_file() -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goodput/kernel.tsv")
}

/// Mbit/s that a kernel reached, sorted, by path and controller.
pub(crate) type Figures = BTreeMap<(Path, String), Vec<f64>>;

/// As the benchmark writes them: which kernel, and its figures.
pub(crate) fn write_kernel(release: &str, figures: &Figures) -> String {
    let mut text = format!(
        "# Linux {release} at both ends. Written by: THRU_BLESS=1 cargo bench -p thru-net --bench kernels\n\
         # bit/s\tRTT ms\tloss permille\tseconds\tcontroller\tMbit/s of each round\n"
    );
    for ((path, controller), rates) in figures {
        let rates: Vec<String> = rates.iter().map(|rate| format!("{rate:.2}")).collect();
        let Path { rate, rtt, loss, seconds } = path;
        text += &format!("{rate}\t{rtt}\t{loss}\t{seconds}\t{controller}\t{}\n", rates.join("\t"));
    }
    text
}

/// The file as it is: which kernel, and its figures.
pub(crate) fn read_kernel() -> (String, Figures) {
    let text = std::fs::read_to_string(kernel_file()).expect("the figures are in the repository");
    let release = text.split(' ').nth(2).expect("the first line names the kernel").to_owned();
    let mut figures = Figures::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split('\t').collect();
        let number = |index: usize| words[index].parse::<u64>().expect("a number");
        let path = Path {
            rate: number(0),
            rtt: number(1) as u32,
            loss: number(2) as u32,
            seconds: number(3) as u32,
        };
        let rates = words[5..].iter().map(|rate| rate.parse().expect("a rate")).collect();
        figures.insert((path, words[4].to_owned()), rates);
    }
    (release, figures)
}

/// The one in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
