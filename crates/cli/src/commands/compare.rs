//! `thru URL --compare`: the same page over HTTP/1.1, HTTP/2, HTTP/3 and HTTP/3 0-RTT.

use std::net::SocketAddr;

use serde_json::json;
use thru_net::tls::KeyLogBuffer;
use thru_probe::Recorder;
use thru_probe::request::page::{PageLoad, Way, load};
use thru_probe::secure::TlsClient;
use thru_report::compare::{ObjectTiming, Row};
use url::Url;

use super::url::{journey_options, limit_steps};
use crate::args::UrlArgs;
use crate::failure::{FAULT, Failure, HEALTHY};
use crate::place::{self, Place};
use crate::session::Session;
use crate::{Outcome, output, resolve};

/// Runs the command. Each way gets a network of its own, started afresh: none warms the path for the next.
pub(crate) fn run(url: Url, place: Place, args: &UrlArgs, extra_trust: Option<Vec<u8>>) -> Outcome {
    if url.scheme() != "https" {
        return Err(Failure::usage("--compare needs https", "HTTP/2 and HTTP/3 are spoken over TLS"));
    }
    let mut rows = Vec::new();
    for way in Way::ALL {
        let (url, args, extra_trust) = (url.clone(), args.clone(), extra_trust.clone());
        rows.push(place.clone().run(move |session| async move {
            one(&session, url, way, &args, extra_trust.as_deref()).await
        })??);
    }
    output::print(&if args.place.json {
        as_json(&thru_probe::login::without(&url), &rows)
    } else {
        thru_report::compare::render(&rows, &output::style(args.place.color))
    });
    Ok(if rows.iter().any(|row| row.failed.is_some()) { FAULT } else { HEALTHY })
}

async fn one(
    session: &Session,
    url: Url,
    way: Way,
    args: &UrlArgs,
    extra_trust: Option<&[u8]>,
) -> Result<Row, Failure> {
    let key_log = KeyLogBuffer::default();
    let mut options = journey_options(session, url.clone(), &key_log, extra_trust)?;
    if let Some(limit) = args.timeout {
        limit_steps(&mut options, limit);
    }
    let network = session.network();
    let recorder = Recorder::new(network.clone());
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let address = resolve::host(session, &recorder, host, place::family(&args.place)).await?;
    let remote = SocketAddr::new(address, url.port_or_known_default().unwrap_or(443));
    let tls = TlsClient::new(&network, options.tls.clone());
    let packets_before = packets(session);
    let result = load(&recorder, None, &tls, remote, &url, way, &options.limits).await;
    let packets = packets(session).saturating_sub(packets_before);
    Ok(match result {
        Ok(page) => row(&page, packets),
        Err(failure) => Row {
            version: way.name().to_string(),
            round_trips: 0.0,
            setup: 0,
            first_byte: 0,
            total: 0,
            connections: 0,
            packets,
            failed: Some(failure.text),
            objects: Vec::new(),
        },
    })
}

/// Packets that the client's links have carried so far; 0 where nobody counts them.
fn packets(session: &Session) -> u64 {
    match session {
        Session::Host(_) | Session::Iface(_) => 0,
        Session::Lab(internet) => internet.client_packets(),
    }
}

fn row(page: &PageLoad, packets: u64) -> Row {
    let since = |at: thru_wire::Instant| at.nanos().saturating_sub(page.start.nanos());
    let failed = page.failed();
    Row {
        version: page.way.name().to_string(),
        round_trips: f64::from(page.first_byte_round_trips()),
        setup: since(page.ready),
        first_byte: since(page.first_byte),
        total: since(page.end),
        connections: page.connections as u32,
        packets,
        failed: (failed > 0).then(|| format!("{failed} of {} requests failed", page.loads.len())),
        objects: page
            .loads
            .iter()
            .map(|load| ObjectTiming {
                name: load.path.clone(),
                start: since(load.start),
                first_byte: since(load.first_byte.unwrap_or(load.end)),
                end: since(load.end),
            })
            .collect(),
    }
}

fn as_json(url: &Url, rows: &[Row]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let objects: Vec<_> = row
                .objects
                .iter()
                .map(|object| {
                    json!({"name": object.name, "start_nanos": object.start, "first_byte_nanos": object.first_byte, "end_nanos": object.end})
                })
                .collect();
            json!({
                "version": row.version, "round_trips": row.round_trips, "setup_nanos": row.setup,
                "first_byte_nanos": row.first_byte, "total_nanos": row.total, "connections": row.connections,
                "packets": row.packets, "failed": row.failed, "objects": objects,
            })
        })
        .collect();
    thru_report::json::line("compare", &json!({"target": url.as_str(), "ways": rows}))
}
