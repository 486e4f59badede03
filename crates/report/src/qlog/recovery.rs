//! What acknowledgments on the wire say of round trips and of bytes under way (RFC 9002 5 and B.2), as the asking host
//! could have known it. The congestion window is not on the wire and is not told.

use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// A connection's packets under way, in three spaces of numbers.
#[derive(Default)]
pub(super) struct Recovery {
    sent: [BTreeMap<u64, Sent>; 3],
    in_flight: u64,
    rtt: Option<Rtt>,
}

struct Sent {
    at: u64,
    bytes: u64,
    eliciting: bool,
}

/// Nanoseconds.
#[derive(Clone, Copy)]
struct Rtt {
    latest: u64,
    smoothed: u64,
    min: u64,
    variance: u64,
}

impl Recovery {
    /// Takes a packet of qlog's form; gives the new metrics if they changed.
    pub(super) fn learn(&mut self, at: u64, sent: bool, packet: &Json) -> Option<Json> {
        let space = match packet["header"]["packet_type"].as_str()? {
            "initial" => 0,
            "handshake" => 1,
            "1RTT" | "0RTT" => 2,
            _ => return None,
        };
        let frames = packet["frames"].as_array()?;
        let changed = if sent {
            self.send(at, space, packet, frames)
        } else {
            let acks = frames.iter().filter(|frame| frame["frame_type"] == "ack");
            acks.map(|ack| self.acknowledge(at, space, ack)).filter(|changed| *changed).count() > 0
        };
        if !changed {
            return None;
        }
        let mut metrics = json!({"bytes_in_flight": self.in_flight});
        if let Some(rtt) = self.rtt {
            for (key, nanos) in [
                ("latest_rtt", rtt.latest),
                ("smoothed_rtt", rtt.smoothed),
                ("min_rtt", rtt.min),
                ("rtt_variance", rtt.variance),
            ] {
                metrics[key] = json!(nanos as f64 / 1e6);
            }
        }
        Some(metrics)
    }

    /// Whether the packet is in flight now: it elicits an acknowledgment or fills up (RFC 9002 2).
    fn send(&mut self, at: u64, space: usize, packet: &Json, frames: &[Json]) -> bool {
        let Some(number) = packet["header"]["packet_number"].as_u64() else { return false };
        let bytes = packet["raw"]["length"].as_u64().unwrap_or_default();
        let word = |frame: &Json| frame["frame_type"].as_str().unwrap_or_default().to_owned();
        let eliciting = frames
            .iter()
            .any(|frame| !matches!(word(frame).as_str(), "ack" | "padding" | "connection_close"));
        let in_flight = eliciting || frames.iter().any(|frame| word(frame) == "padding");
        if in_flight {
            self.in_flight += bytes;
            self.sent[space].insert(number, Sent { at, bytes, eliciting });
        }
        in_flight
    }

    /// Whether the acknowledgment told anything new.
    fn acknowledge(&mut self, at: u64, space: usize, ack: &Json) -> bool {
        let ranges: Vec<(u64, u64)> = ack["acked_ranges"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|range| Some((range[0].as_u64()?, range[1].as_u64()?)))
            .collect();
        let largest = ranges.first().map(|(_, high)| *high);
        let mut sample = None;
        let mut eliciting = false;
        let mut changed = false;
        for (low, high) in ranges {
            let known: Vec<u64> = self.sent[space].range(low..=high).map(|(number, _)| *number).collect();
            for number in known {
                let Some(packet) = self.sent[space].remove(&number) else { continue };
                self.in_flight = self.in_flight.saturating_sub(packet.bytes);
                eliciting |= packet.eliciting;
                changed = true;
                if Some(number) == largest {
                    sample = Some(at.saturating_sub(packet.at));
                }
            }
        }
        if let Some(latest) = sample.filter(|_| eliciting) {
            let delay = if space == 2 { ack["ack_delay"].as_f64().unwrap_or_default() * 1e6 } else { 0.0 };
            self.rtt = Some(sampled(self.rtt, latest, delay as u64));
        }
        changed
    }
}

/// RFC 9002 5.3.
fn sampled(before: Option<Rtt>, latest: u64, delay: u64) -> Rtt {
    let Some(before) = before else {
        return Rtt { latest, smoothed: latest, min: latest, variance: latest / 2 };
    };
    let min = before.min.min(latest);
    let adjusted = if latest >= min.saturating_add(delay) { latest - delay } else { latest };
    let variance = (3 * before.variance + before.smoothed.abs_diff(adjusted)) / 4;
    Rtt { latest, min, smoothed: (7 * before.smoothed + adjusted) / 8, variance }
}
