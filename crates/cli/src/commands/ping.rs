//! `thru ping`: echo requests, one line for each answer as it comes.

use std::cell::RefCell;
use std::net::SocketAddr;

use serde_json::json;
use thru_net::IcmpErrorKind;
use thru_probe::Recorder;
use thru_probe::ping::{Answer, Echo, Knock, PingOptions, PingResult, knocks, ping};
use thru_report::{json as report_json, text::tools};

use crate::args::PingArgs;
use crate::failure::{FAULT, Failure, HEALTHY};
use crate::place::{self, Place};
use crate::{Outcome, output, resolve};

/// Runs the command. With `--json`: one object for each echo, and one at the end.
pub(crate) fn run(args: &PingArgs) -> Outcome {
    let host = place::host(&args.host)?;
    let place = Place::choose(&args.place, &host)?;
    let family = place::family(&args.place);
    let options = PingOptions {
        count: args.count,
        interval: args.interval,
        wait: args.wait,
        prompt: false,
        ttl: None,
        payload: usize::from(args.size),
    };
    let knock = match (args.tcp, args.udp) {
        (Some(port), _) => Some((Knock::Tcp, port)),
        (_, Some(port)) => Some((Knock::Udp, port)),
        _ => None,
    };
    let (json, style) = (args.place.json, output::style(args.place.color));
    place.run(move |session| async move {
        let recorder = Recorder::new(session.network());
        let target = resolve::host(&session, &recorder, &host, family).await?;
        if !json {
            output::print(&tools::ping_start(&host, target, options.payload, &style));
        }
        let so_far = RefCell::new(Vec::new());
        let each = |echo: &Echo| {
            so_far.borrow_mut().push(echo.clone());
            output::print(&if json {
                let echo = as_shown(echo);
                let value = json!({
                    "sequence": echo.sequence, "from": echo.from, "bytes": echo.bytes, "ttl": echo.ttl,
                    "rtt_nanos": echo.rtt, "error": echo.error,
                });
                report_json::line("echo", &value)
            } else {
                tools::ping_line(&as_shown(echo), &style)
            });
        };
        let all = async {
            match knock {
                Some((method, port)) => {
                    let to = SocketAddr::new(target, port);
                    knocks(&recorder, None, to, method, options, each).await
                }
                None => ping(&recorder, None, target, "idle", options, each).await,
            }
        };
        // Interrupted it sums up what came until then.
        let result = tokio::select! {
            biased;
            result = all => result,
            _ = session.interrupted() => Ok(PingResult { echoes: so_far.take() }),
        };
        let result = result.map_err(|error| {
            Failure::undecided(
                format!("cannot ping from this machine: {error}"),
                "run as root, allow it with `sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"`, or try `--on lab`",
            )
        })?;
        let echoes: Vec<tools::Echo> = result.echoes.iter().map(as_shown).collect();
        output::print(&if json {
            let rtts: Vec<u64> =
                echoes.iter().filter_map(|echo| echo.rtt.filter(|_| echo.error.is_none())).collect();
            let value = json!({
                "host": host, "address": target, "sent": echoes.len(), "received": result.received(),
                "rtt_min_nanos": rtts.iter().min(), "rtt_max_nanos": rtts.iter().max(),
                "rtt_avg_nanos": rtts.iter().sum::<u64>().checked_div(rtts.len() as u64),
            });
            report_json::line("ping", &value)
        } else {
            tools::ping_end(&host, &echoes, &style)
        });
        Ok(if result.received() > 0 { HEALTHY } else { FAULT })
    })?
}

fn as_shown(echo: &Echo) -> tools::Echo {
    let shown = tools::Echo { sequence: u64::from(echo.sequence) + 1, ..tools::Echo::default() };
    match &echo.answer {
        Some(Answer::Reply { from, ttl, rtt, bytes }) => tools::Echo {
            from: Some(*from),
            ttl: *ttl,
            // The answer's ICMP header counts too, as ping counts.
            bytes: *bytes + 8,
            rtt: Some(rtt.as_nanos() as u64),
            ..shown
        },
        Some(Answer::Error { from, kind, rtt }) => tools::Echo {
            from: Some(*from),
            rtt: Some(rtt.as_nanos() as u64),
            error: Some(error_words(*kind)),
            ..shown
        },
        None => shown,
    }
}

/// An ICMP error in words.
pub(crate) fn error_words(kind: IcmpErrorKind) -> String {
    use IcmpErrorKind as Kind;
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
