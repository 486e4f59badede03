//! How much, over time.

use super::{bytes, length, time, wider};
use crate::show::put;
use crate::tree::Tree;

/// So many intervals at most: when time goes on beyond them, two become one.
const INTERVALS_MAX: usize = 60;
/// The shortest interval, in nanoseconds.
const SHORTEST: u64 = 1000;
/// The longest bar.
const BAR: u64 = 40;

/// Packets and bytes over time, in intervals that fit the length of the capture.
#[derive(Debug)]
pub struct Io {
    interval: u64,
    counts: Vec<(u64, u64)>,
}

impl Default for Io {
    fn default() -> Io {
        Io { interval: SHORTEST, counts: Vec::new() }
    }
}

impl Io {
    /// Counts a packet.
    pub fn take(&mut self, tree: Tree<'_>) {
        // Packets that are older than the first are counted with it.
        let now = u64::try_from(time(tree)).unwrap_or(0);
        while now / self.interval >= INTERVALS_MAX as u64 {
            self.widen();
        }
        let place = (now / self.interval) as usize;
        if self.counts.len() <= place {
            self.counts.resize(place + 1, (0, 0));
        }
        let (packets, size) = &mut self.counts[place];
        *packets += 1;
        *size += length(tree);
    }

    /// Several intervals become one.
    fn widen(&mut self) {
        let wider = wider(self.interval);
        let mut counts: Vec<(u64, u64)> = Vec::new();
        for (place, (packets, size)) in self.counts.iter().enumerate() {
            let at = (place as u64 * self.interval / wider) as usize;
            counts.resize(counts.len().max(at + 1), (0, 0));
            counts[at].0 += packets;
            counts[at].1 += size;
        }
        (self.interval, self.counts) = (wider, counts);
    }

    /// A line an interval, with a bar of its bytes.
    pub fn text(&self, out: &mut Vec<u8>) {
        let most = self.counts.iter().map(|(_, size)| *size).max().unwrap_or(0).max(1);
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        put!(out, "input and output, in intervals of {} s\n", seconds(self.interval));
        put!(out, "{:>14} {:>9} {:>10} {:>12}\n", "seconds", "packets", "", "bit/s");
        for (place, (packets, size)) in self.counts.iter().enumerate() {
            let rate = (*size as f64 * 8.0 / seconds(self.interval)) as u64;
            put!(out, "{:>14.6} {packets:>9} {:>10} ", seconds(place as u64 * self.interval), bytes(*size));
            put!(out, "{rate:>12} ");
            // A bar in eighths, so that little is not nothing.
            let eighths = (size * BAR * 8).div_ceil(most);
            (0..eighths / 8).for_each(|_| out.extend_from_slice("█".as_bytes()));
            if eighths % 8 > 0 {
                let part = char::from_u32(0x2590 - (eighths % 8) as u32).unwrap_or(' ');
                out.extend_from_slice(part.encode_utf8(&mut [0; 4]).as_bytes());
            }
            out.push(b'\n');
        }
        out.push(b'\n');
    }

    /// One JSON object an interval.
    pub fn json(&self, out: &mut Vec<u8>) {
        for (place, (packets, size)) in self.counts.iter().enumerate() {
            let begins = (place as u64 * self.interval) as f64 / 1e9;
            put!(out, "{{\"schema\":1,\"kind\":\"interval\",\"begins\":{begins:.9},");
            put!(
                out,
                "\"seconds\":{},\"packets\":{packets},\"bytes\":{size}}}\n",
                self.interval as f64 / 1e9
            );
        }
    }
}
