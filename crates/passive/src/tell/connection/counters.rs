//! A connection's counters: what was lost, sent again, doubled; how large its segments are; who reset it.

use thru_trace::{Layer, Step, Value};

use super::socket;
use crate::flow::TcpFlow;
use crate::tell::Teller;
use crate::watch::is_fresh;

impl Teller<'_> {
    pub(in crate::tell) fn counters(&self, flow: &TcpFlow) -> Step {
        let (client, server) = (flow.client(), flow.server());
        let (sent, got) = (&flow.sides[client], &flow.sides[server]);
        let remote = flow.remote();
        let mut step = Step::new(Layer::Tcp, "connection", &format!("TCP to {}", socket(remote)))
            .set("tcp.remote", socket(remote))
            .set("tcp.local", socket(flow.local()));
        if let Some(rtt) = flow.rtt() {
            step = step.set("tcp.rtt_min", Value::Nanos(rtt)).set("tcp.rtt", Value::Nanos(rtt));
        }
        if let Some(loaded) = loaded_rtt(flow) {
            step = step.set("tcp.rtt_max", Value::Nanos(loaded));
        }
        // What both ends had to send again counts: from the middle of the way one sees either.
        let counts = [
            ("tcp.retransmissions", sent.resent_count),
            ("tcp.timeouts", sent.timeouts),
            ("tcp.syn_acks", flow.synacks.len() as u64),
            ("tcp.too_big", self.watch.too_big),
            ("tcp.segments_sent", sent.segments),
            ("tcp.segments_received", got.segments),
            ("tcp.duplicates_received", 0),
            ("tcp.out_of_order_received", got.ahead),
            ("tcp.holes", got.episodes.max(sent.episodes)),
            ("tcp.bytes_sent", sent.bytes),
            ("tcp.bytes_acked", sent.bytes.saturating_sub(unheard(flow))),
            ("tcp.bytes_received", got.bytes),
            ("tcp.gap_bytes", got.missing()),
            ("tcp.uncaptured", got.uncaptured + sent.uncaptured),
            ("tcp.fin_unheard", if sent.unacknowledged() > 0 { sent.fin_again } else { 0 }),
            ("tcp.peer_unheard", if got.resent_count > 0 { got.unacknowledged() } else { 0 }),
            ("tcp.peer_resent", got.resent_count),
        ];
        for (key, count) in counts {
            step = step.set(key, count);
        }
        let outage = flow.lone_restarts.iter().max().filter(|_| flow.lone_restarts.len() <= RESTARTS_MAX);
        let standstill = sent.standstill.max(got.standstill);
        if let Some(outage) = outage.copied().into_iter().chain([standstill]).filter(|time| *time > 0).max() {
            step = step.set("tcp.outage", Value::Nanos(outage));
        }
        if let Some((revival, how)) = flow.after_idle().filter(|_| flow.notified.is_none()) {
            step = reset_by(step, flow)
                .set("tcp.after_idle", how.word())
                .set("tcp.idle", Value::Nanos(revival.idle));
        }
        for (key, side) in [("tcp.own_shut", client), ("tcp.peer_shut", server)] {
            step = step.set(key, Value::Nanos(flow.shut_for(side)));
        }
        let often =
            [client, server].map(|side| flow.shut[side]).into_iter().filter(|shut| shut.times >= SHUT_OFTEN);
        if let Some(total) = often.map(|shut| shut.total).max() {
            step = step.set("tcp.shut_often", Value::Nanos(total));
        }
        if let Some((_, len)) = sent.stuck.filter(|_| unheard(flow) > 0) {
            step = step.set("tcp.stuck", i64::from(len));
        }
        if let Some((since, len)) = got.stuck.filter(|_| got.unacknowledged() > 0) {
            // Whether anything of the client came while the server said the same again and again.
            step = step.set("tcp.peer_stuck", i64::from(len)).set("tcp.own_later", sent.last_word() > since);
        }
        if got.fin.is_some() && got.unacknowledged() == 0 && flow.resets.is_empty() {
            step = step.set("tcp.taken_whole", true);
        }
        // Since when the server could have said something more.
        let since = got.last_data.or(sent.first_data.map(|(time, _)| time));
        if let Some((still, since)) = got.still.zip(since) {
            step = step.set("tcp.peer_still", Value::Nanos(still.saturating_sub(since)));
        }
        let most = if got.lost >= sent.lost { got } else { sent };
        step = step
            .set("tcp.lost", most.lost)
            .set("tcp.data_segments", most.data_segments)
            .set("tcp.loss_touches_percent", most.touched_percent());
        if let Some(spread) = most.spread() {
            step = step.set("tcp.loss_spread_percent", (spread * 100.0) as i64);
        }
        step =
            step.set("tcp.mss", segment_size(flow)).set("tcp.longest_received", u64::from(got.longest)).set(
                "tcp.beside",
                flow.ttl[server].is_some_and(is_fresh) && flow.ttl[client].is_some_and(is_fresh),
            );
        if let Some(percent) = most.widest_hole.saturating_mul(100).checked_div(most.holes_bytes) {
            step = step.set("tcp.widest_hole_percent", percent);
        }
        step = self.arrivals(step, flow);
        // Nobody takes such for a limit of the rate.
        if flow.carried.bytes().len() >= CARRIED_MIN {
            let bytes = flow.carried.bytes().iter().map(|bytes| Value::from(u64::from(*bytes)));
            step = step
                .set("arrivals.carried", bytes.collect::<Vec<_>>())
                .set("arrivals.carried_each", Value::Nanos(flow.carried.each()));
        }
        self.between(step, flow.first, flow.last)
    }

    /// What only whole packets show, by frame.
    fn arrivals(&self, step: Step, flow: &TcpFlow) -> Step {
        let got = &flow.sides[flow.server()];
        // Whatever comes to the asking host took the same last links.
        let damaged = self.watch.damaged.iter().filter(|(from, _)| **from != flow.local().0);
        // What the other end acknowledged, though nothing mended it, was whole: somebody changed the capture itself.
        let damaged = damaged.filter(|_| got.uncaptured == 0);
        let mut damaged: Vec<u64> = damaged.flat_map(|(_, frames)| frames).copied().collect();
        damaged.sort_unstable();
        let frames = |frames: &[u64]| frames.iter().map(|number| Value::from(*number)).collect::<Vec<_>>();
        // Whoever keeps clocks in his packets says so of what comes twice; what only the capture has twice did not come.
        let told = got.doubts * 10 >= got.copies_count || flow.last_stamp(flow.local()).is_none();
        let copies: &[u64] = if flow.is_mirrored() || !told { &[] } else { &got.copies };
        // What was really overtaken is answered with an acknowledgement that says nothing new; what only the capture has in
        // another order is not.
        let believed = got.said_again * 3 >= got.overtaken_count.min(got.ahead);
        let overtaken: &[u64] = if believed { &got.overtaken } else { &[] };
        step.set("arrivals.total", got.segments)
            .set("arrivals.doubled", frames(copies))
            .set("arrivals.overtaken", frames(overtaken))
            .set("arrivals.repaired", frames(&got.repaired))
            .set("arrivals.damaged", frames(&damaged))
    }
}

/// The largest segment that both ends were told of. Who was told of none sends the smallest (RFC 9293 3.7.1), unless what
/// came shows that it does not.
fn segment_size(flow: &TcpFlow) -> i64 {
    let told = flow.mss.iter().flatten().min().map_or(1_460, |mss| i64::from(*mss));
    let untold = if flow.remote().0.is_ipv6() { 1_220 } else { 536 };
    let longest = flow.sides.iter().map(|side| i64::from(side.longest)).max().unwrap_or(0);
    if flow.sizeless.iter().any(|sizeless| *sizeless) && longest <= 1_220 { told.min(untold) } else { told }
}

/// A reset of the server's, and who it looks to be from.
pub(super) fn reset_by(step: Step, flow: &TcpFlow) -> Step {
    let server = flow.server();
    let reset = flow.resets.iter().find(|reset| reset.by == server);
    let acks = flow.resets.iter().filter(|reset| reset.by == server).filter_map(|reset| reset.acks).max();
    let step = match acks {
        Some(acks) => step.set("tcp.reset_acks", acks),
        None => step,
    };
    match reset.zip(flow.ttl[server]) {
        Some((reset, ttl)) => {
            step.set("tcp.reset_ttl", i64::from(reset.ttl)).set("tcp.peer_ttl", i64::from(ttl))
        }
        None => step,
    }
}

/// Bytes of the client that were sent and never acknowledged, long enough ago.
pub(super) fn unheard(flow: &TcpFlow) -> u64 {
    let sent = &flow.sides[flow.client()];
    // The end of a conversation is rarely waited for.
    if sent.fin.is_some() && sent.resent_count == 0 { 0 } else { sent.unacknowledged().min(sent.bytes) }
}

/// The round trip that nine of ten samples stay below, once there are enough of them.
fn loaded_rtt(flow: &TcpFlow) -> Option<u64> {
    let of = |samples: &[u64]| {
        let mut samples = samples.to_vec();
        samples.sort_unstable();
        samples.get(samples.len() * 9 / 10).copied()
    };
    if flow.samples.iter().all(|samples| samples.len() < SAMPLES_MIN) {
        return None;
    }
    // From the point of capture to either end and back make the whole.
    Some(flow.samples.iter().filter_map(|samples| of(samples)).sum())
}

/// A window that was shut so many times belongs to a program that reads too slowly all the time.
const SHUT_OFTEN: u64 = 4;

/// A stream that goes on with a single packet again and again is a program's rhythm.
const RESTARTS_MAX: usize = 3;
/// Of fewer moments no rate is told.
const CARRIED_MIN: usize = 64;
/// Fewer round trips tell nothing of the rest.
const SAMPLES_MIN: usize = 16;
