//! Answers that came in with pauses: because the network was dead for a while, or because the server had nothing to say.

use crate::facts::{Facts, ms};
use crate::thresholds::{BLOAT_FACTOR, LONG_PAUSE, LOST_IN_A_ROW_MIN, MS, SLOW_TRANSFER};
use crate::vote::Vote;
use thru_trace::Span;

pub(super) fn rule(facts: &Facts<'_>) -> Option<Vote> {
    let exchange = facts.delivered()?;
    let transfer = facts.trace.children_of(exchange.id, "transfer").last()?;
    outage(facts, exchange, transfer)
        .or_else(|| outage_before(facts))
        .or_else(|| drip(facts, exchange, transfer))
        .or_else(|| bursts(facts, exchange, transfer))
}

/// For how long pings beside the request were lost one after the other, and the span that tells: only if it is no chance,
/// and others came back.
pub(crate) fn dead_for<'a>(facts: &Facts<'a>) -> Option<(u64, &'a Span)> {
    let pings = loaded(facts)?;
    let back =
        facts.pings("idle").chain(facts.pings("control")).any(|span| span.int("ping.received") > Some(0));
    (pings.lost_in_a_row >= LOST_IN_A_ROW_MIN && pings.silence >= LONG_PAUSE && back)
        .then_some((pings.silence, pings.span))
}

/// The way was dead before the answer began: at the handshake, or while it was waited for.
fn outage_before(facts: &Facts<'_>) -> Option<Vote> {
    let (silence, pings) = dead_for(facts)?;
    let connection = facts.connection().filter(|span| span.int("tcp.timeouts").unwrap_or(0) > 0)?;
    Some(
        Vote::disturbed(
            &["IP20"],
            0.88,
            format!(
                "{} works, but the way was dead for a while: for about {} nothing came through.",
                facts.subject(),
                ms(silence)
            ),
        )
        .cost(silence)
        .explains(&["TCP18", "TCP07", "IP19", "IP17", "IP21", "TLS34", "TLS33", "APP01"])
        .cite(pings, "pings were lost one after the other, and later ones came back")
        .cite(connection, "the connection waited for its timer and then went on")
        .rule_out("APP01", "pings, which the server's program has no part in, were lost in the same time")
        .rule_out("IP19", "before and after, hardly anything was lost")
        .network("look for a link that went down and came back, or a route that changed, at this time")
        .user("on Wi-Fi or mobile: a change of cell or access point looks like this"),
    )
}

/// So much longer than at idle times no round trip takes because a few pings met the rush after an outage.
const FULL_QUEUE: u64 = 400 * MS;

/// Pings beside the transfer, which show whether the way was there while nothing came.
struct Loaded<'a> {
    span: &'a Span,
    /// For how long one after the other was lost.
    silence: u64,
    lost_in_a_row: i64,
}

fn loaded<'a>(facts: &Facts<'a>) -> Option<Loaded<'a>> {
    let span = facts.pings("loaded").max_by_key(|span| span.int("ping.sent"))?;
    let (sent, received) = (span.int("ping.sent")?, span.int("ping.received").unwrap_or(0));
    // Where no ping is ever answered they are filtered, not lost.
    if sent <= 0 || (received <= 0 && facts.answered_ping(None).is_none()) {
        return None;
    }
    let lost_in_a_row = if received <= 0 { sent } else { span.int("ping.lost_in_a_row").unwrap_or(0) };
    let interval = span.nanos() / u64::try_from(sent).unwrap_or(1);
    Some(Loaded { span, silence: interval * u64::try_from(lost_in_a_row).unwrap_or(0), lost_in_a_row })
}

/// Nothing came for a second or more, and the pings of that time were lost as well: the way was dead, not the server.
fn outage(facts: &Facts<'_>, exchange: &Span, transfer: &Span) -> Option<Vote> {
    let pause = exchange.nanos_of("http.longest_pause")?;
    if pause < LONG_PAUSE.max(8 * facts.rtt().unwrap_or(0)) {
        return None;
    }
    let pings = loaded(facts)?;
    // After an outage the sender waits for its timer, so the pause is longer than the outage: up to twice. Random loss,
    // be it heavy, takes no ten pings in a row.
    if pings.lost_in_a_row < LOST_IN_A_ROW_MIN || pings.silence * 3 < pause {
        return None;
    }
    // Where a queue is full, pings are lost too; but then those that come back come late.
    let calm = facts.pings("idle").filter_map(|span| span.nanos_of("ping.rtt_min")).min();
    let busy = pings.span.nanos_of("ping.rtt_avg");
    if let (Some(calm), Some(busy)) = (calm, busy)
        && busy >= calm.saturating_mul(BLOAT_FACTOR).saturating_add(FULL_QUEUE)
    {
        return None;
    }
    Some(
        Vote::disturbed(
            &["IP20"],
            0.9,
            format!(
                "{} works, but the way was dead for a while: for {} nothing came through.",
                facts.subject(),
                ms(pause)
            ),
        )
        .cost(pause)
        .explains(&["TCP18", "IP19", "IP17"])
        .cite(transfer, format!("the answer stood still for {}, then went on", ms(pause)))
        .cite(pings.span, format!("{} pings in a row were lost in that time", pings.lost_in_a_row))
        .rule_out("APP13", "pings, which the server's program has no part in, were lost in the same time")
        .rule_out("IP19", "before and after, hardly anything was lost")
        .network("look for a link that went down and came back, or a route that changed, at this time")
        .user("on Wi-Fi or mobile: a change of cell or access point looks like this"),
    )
}

/// So many long pauses are a habit.
const LONG_PAUSES_MIN: i64 = 4;
/// A round trip up to here is shorter than what counts as a long pause by far.
const SHORT_WAY: u64 = 100 * MS;
/// Pieces of so many full segments are what a program reads at a time, and no drops.
const PIECE: u64 = 10;

/// Pieces with long pauses between them, of an answer whose length was known from the beginning: nothing was on the way
/// meanwhile, so it was the server that had no more to send.
fn bursts(facts: &Facts<'_>, exchange: &Span, transfer: &Span) -> Option<Vote> {
    let (took, rtt, connection) = (transfer.nanos(), facts.rtt()?, facts.connection()?);
    let (pauses, paused) = (exchange.int("http.long_pauses")?, exchange.nanos_of("http.long_paused")?);
    let bytes = u64::try_from(exchange.int("http.bytes")?).ok()?;
    let announced = exchange.bool("http.chunked") == Some(false);
    let shut = connection.nanos_of("tcp.own_shut").unwrap_or(0) > 0;
    let lost = ["tcp.retransmissions", "tcp.timeouts", "tcp.lost"];
    let lost = lost.iter().any(|key| connection.int(key).unwrap_or(0) > 0);
    if pauses < LONG_PAUSES_MIN || paused * 10 < took * 6 || rtt >= SHORT_WAY || !announced || shut || lost {
        return None;
    }
    let mss = u64::try_from(connection.int("tcp.mss").unwrap_or(1_460)).unwrap_or(1_460);
    let large = bytes / u64::try_from(pauses).unwrap_or(1).max(1) >= PIECE * mss;
    let cause: &'static str = if large { "APP07" } else { "APP06" };
    Some(
        Vote::disturbed(
            &[cause],
            0.82,
            format!("{} works, but its program sends the answer in pieces with long pauses: {bytes} bytes took {}.", facts.subject(), ms(took)),
        )
        .cost(paused)
        .cite(transfer, format!("{pauses} long pauses, {} altogether, while nothing was on the way", ms(paused)))
        .cite(connection, "nothing was lost, and the receiver's window was open")
        .rule_out("IP19", "no packet was lost or came late")
        .rule_out("APP08", "the receiver had room all the time")
        .service("find out what the program waits for while it writes the answer: a disk, a database, a limit on the rate that somebody set")
        .user("nothing to repair here"),
    )
}

/// Small pieces with pauses between them and next to nothing on the way: the network was waiting for the server.
fn drip(facts: &Facts<'_>, exchange: &Span, transfer: &Span) -> Option<Vote> {
    let took = transfer.nanos();
    // HTTP/3 has no TCP beneath: there pings must tell that nothing was lost.
    let connection = facts.connection();
    if connection.is_none()
        && loaded(facts).is_none_or(|pings| pings.span.int("ping.received") != pings.span.int("ping.sent"))
    {
        return None;
    }
    let (rtt, bytes) = (facts.rtt()?, u64::try_from(exchange.int("http.bytes")?).ok()?);
    let (pauses, paused) = (exchange.int("http.pauses")?, exchange.nanos_of("http.paused")?);
    let value = |key: &str| connection.and_then(|span| span.int(key));
    let mss = u64::try_from(value("tcp.mss").unwrap_or(1_460)).unwrap_or(1_460);
    // A sender may have ten segments on the way before anything limits it; this one had less than two.
    let on_the_way = u128::from(bytes) * u128::from(rtt) / u128::from(took.max(1));
    if took < SLOW_TRANSFER || pauses < 10 || paused * 10 < took * 8 || on_the_way >= u128::from(2 * mss) {
        return None;
    }
    let lost = ["tcp.retransmissions", "tcp.timeouts", "tcp.out_of_order_received"];
    if lost.iter().any(|key| value(key).unwrap_or(0) > 0) {
        return None;
    }
    let calm = facts.pings("idle").filter_map(|span| span.nanos_of("ping.rtt_avg")).min();
    let busy = loaded(facts).and_then(|pings| pings.span.nanos_of("ping.rtt_avg"));
    // A full line makes round trips longer; where nobody measured them, the size of the pieces must do.
    if let (Some(calm), Some(busy)) = (calm, busy)
        && busy > calm.saturating_mul(3) / 2 + 5 * MS
    {
        return None;
    }
    let vote = Vote::disturbed(
        &["APP06"],
        if busy.is_some() { 0.9 } else { 0.8 },
        format!(
            "{} works, but its program sends the answer drop by drop: {bytes} bytes took {}.",
            facts.subject(),
            ms(took)
        ),
    )
    .cost(took)
    .cite(
        transfer,
        format!("the answer came in {pauses} pieces with {} of silence between them", ms(paused)),
    )
    .cite_if(connection, "nothing was lost, and less than two packets were on the way at any time")
    .rule_out("IP19", "no packet was lost or came late")
    .rule_out("TCP13", "the window was open: far more could have been on the way")
    .service("find out what the program waits for while it writes the answer (database, disk, a service behind it)")
    .user("nothing to repair here");
    // An answer whose length nobody has said may be a log that is followed, or news as they come.
    let open_ended = exchange.bool("http.chunked") != Some(false) && busy.is_none();
    let vote = if open_ended { vote.undecided() } else { vote };
    Some(match loaded(facts) {
        Some(pings) => vote
            .cite(pings.span, "round trips stayed as short as at idle times, so the line was not full")
            .rule_out("IP18", "the line was not full while the answer was loaded"),
        None => vote,
    })
}
