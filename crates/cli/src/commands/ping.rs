//! `thru ping`: echo requests, one line for each answer as it comes.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;
use thru_probe::Recorder;
use thru_probe::ping::{Answer, Echo, PingOptions, PingResult, ping};

use crate::Outcome;
use crate::args::PingArgs;
use crate::failure::{FAULT, Failure, HEALTHY};
use crate::place::{self, Place};
use crate::session::Session;
use crate::{output, resolve};

/// Runs the command.
pub fn run(args: &PingArgs) -> Outcome {
    let host = place::host(&args.host)?;
    let place = Place::choose(&args.place, &host)?;
    let family = place::family(&args.place);
    let options = PingOptions {
        count: args.count,
        interval: args.interval,
        wait: args.wait,
        ttl: None,
        payload: usize::from(args.size),
    };
    let json = args.place.json;
    place.run(move |session| async move {
        let recorder = Recorder::new(session.network());
        let target = resolve::host(&session, &recorder, &host, family).await?;
        if !json {
            output::print(&format!("PING {host} ({target}) {} bytes of data\n", options.payload));
        }
        let result = ping(&recorder, None, target, "idle", options, |echo| {
            if !json {
                output::print(&line(&session, target, echo));
            }
        })
        .await
        .map_err(|error| cannot_ping(&error))?;
        if json {
            output::print(&as_json(&host, target, &result));
        } else {
            output::print(&summary(&host, &result));
        }
        Ok(if result.received() > 0 { HEALTHY } else { FAULT })
    })?
}

fn cannot_ping(error: &std::io::Error) -> Failure {
    Failure::undecided(
        format!("cannot ping from this machine: {error}"),
        "allow it with `sysctl net.ipv4.ping_group_range=\"0 2147483647\"`, or try `--on lab`",
    )
}

fn line(session: &Session, target: IpAddr, echo: &Echo) -> String {
    let sequence = echo.sequence;
    match &echo.answer {
        Some(Answer::Reply { from, ttl, rtt, bytes }) => {
            let ttl = ttl.map(|ttl| format!(" ttl={ttl}")).unwrap_or_default();
            format!("{bytes} bytes from {from}: seq={sequence}{ttl} time={}\n", milliseconds(*rtt))
        }
        Some(Answer::Error { from, kind, rtt }) => {
            let name = session.name_of(*from).map(|name| format!("{name} ")).unwrap_or_default();
            format!(
                "seq={sequence} {name}({from}) says: {} after {}\n",
                error_words(*kind),
                milliseconds(*rtt)
            )
        }
        None => format!("seq={sequence} no answer from {target}\n"),
    }
}

/// An ICMP error in words.
pub fn error_words(kind: thru_net::IcmpErrorKind) -> String {
    use thru_net::IcmpErrorKind as Kind;
    match kind {
        Kind::NetworkUnreachable => "no route to the network".into(),
        Kind::HostUnreachable => "host unreachable".into(),
        Kind::ProtocolUnreachable => "protocol unreachable".into(),
        Kind::PortUnreachable => "port unreachable".into(),
        Kind::PacketTooBig { mtu } => format!("packet too big, the next link takes {mtu} bytes"),
        Kind::SourceRouteFailed => "source route failed".into(),
        Kind::AdministrativelyProhibited => "administratively prohibited".into(),
        Kind::TimeExceeded => "time to live exceeded".into(),
        Kind::ReassemblyTimeExceeded => "fragments did not arrive in time".into(),
        Kind::ParameterProblem => "a header field is wrong".into(),
    }
}

/// `31.208 ms`.
pub fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1000.0)
}

fn summary(host: &str, result: &PingResult) -> String {
    let (sent, received) = (result.echoes.len(), result.received());
    let lost = if sent == 0 { 0.0 } else { 100.0 * (sent - received) as f64 / sent as f64 };
    let mut out =
        format!("\n--- {host} ping statistics ---\n{sent} sent, {received} received, {lost:.0}% lost\n");
    let rtts: Vec<Duration> = result.rtts().collect();
    if let (Some(min), Some(max)) = (rtts.iter().min(), rtts.iter().max()) {
        let average = rtts.iter().sum::<Duration>() / rtts.len() as u32;
        out.push_str(&format!(
            "rtt min {}, avg {}, max {}\n",
            milliseconds(*min),
            milliseconds(average),
            milliseconds(*max)
        ));
    }
    out
}

fn as_json(host: &str, target: IpAddr, result: &PingResult) -> String {
    let nanos = |time: Duration| time.as_nanos() as u64;
    let echoes: Vec<_> = result
        .echoes
        .iter()
        .map(|echo| match &echo.answer {
            Some(Answer::Reply { from, ttl, rtt, bytes }) => {
                json!({"seq": echo.sequence, "from": from, "ttl": ttl, "rtt_nanos": nanos(*rtt), "bytes": bytes})
            }
            Some(Answer::Error { from, kind, rtt }) => {
                json!({"seq": echo.sequence, "from": from, "error": error_words(*kind), "rtt_nanos": nanos(*rtt)})
            }
            None => json!({"seq": echo.sequence}),
        })
        .collect();
    let value = json!({
        "schema_version": 1, "host": host, "address": target,
        "sent": result.echoes.len(), "received": result.received(), "echoes": echoes,
    });
    format!("{value}\n")
}
