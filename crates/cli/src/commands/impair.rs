//! `thru impair`: a proxy that harms what passes through it.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use thru_lab::link::{LinkSpec, PipeSpec};
use thru_net::Network;
use thru_net::lab::LabOptions;
use thru_net::lab::real::{run as real_time, wire};
use thru_serve::impair::toxic::{Kind, Stream, Toxic};
use thru_serve::impair::{Carried, ImpairError, Impairer, ProxyState, api, udp};
use thru_sim::link::Loss;

use super::bridge;
use super::up::until_told;
use crate::args::packets::ImpairArgs;
use crate::failure::{Failure, HEALTHY};
use crate::{Outcome, output, session};

/// Runs until it is interrupted.
pub(crate) fn run(args: &ImpairArgs) -> Outcome {
    let spec = bridge::wire(&args.wire)?;
    match (&args.listen, &args.to) {
        (Some(listen), Some(to)) if args.udp => datagrams(listen, to, &spec, args.seed),
        (None, None) if args.api.is_none() => Err(Failure::usage(
            "there is nothing to do",
            "say where to listen and where to connect to, as in `thru impair --listen 127.0.0.1:8080 --to 127.0.0.1:80 --delay 50ms`",
        )),
        _ => connections(args, &spec),
    }
}

fn connections(args: &ImpairArgs, spec: &LinkSpec) -> Outcome {
    let toxics = toxics(spec)?;
    let proxy = args.listen.clone().zip(args.to.clone()).map(|(listen, upstream)| ProxyState {
        name: args.name.clone(),
        listen,
        upstream,
        enabled: true,
        toxics,
    });
    if let Some(proxy) = &proxy {
        address(&proxy.listen).ok_or_else(|| no_address(&proxy.listen))?;
        // As with Toxiproxy its name may come to life later.
        if address(&proxy.upstream).is_none() {
            let upstream = &proxy.upstream;
            output::say(&format!("warning: `{upstream}` is no address, or a name that nobody knows yet\n"));
        }
    }
    session::real_time()?.block_on(async {
        let network = Network::host();
        let impairer = Impairer::new(&network, address);
        if let Some(proxy) = proxy {
            let made = impairer.create(proxy).await.map_err(cannot)?;
            output::say(&format!("{} goes on to {}; ^C ends it\n", made.listen, made.upstream));
        }
        let mut serving = None;
        if let Some(listen) = &args.api {
            let at = address(listen).ok_or_else(|| no_address(listen))?;
            let listener = network.listen_tcp(at, 64).await.map_err(|error| taken(at, &error))?;
            output::say(&format!("the API is at http://{}/proxies\n", listener.local_addr()));
            serving = Some(tokio::spawn(api::serve(impairer.clone(), listener)));
        }
        until_told().await.map_err(|error| Failure::undecided(format!("cannot wait: {error}"), ""))?;
        if let Some(serving) = serving {
            serving.abort();
        }
        let Carried { connections, up, down } = impairer.carried();
        let plural = if connections == 1 { "" } else { "s" };
        output::say(&format!(
            "{connections} connection{plural}, {up} bytes to the server, {down} bytes to the client\n"
        ));
        Ok(HEALTHY)
    })
}

fn datagrams(listen: &str, to: &str, spec: &LinkSpec, seed: u64) -> Outcome {
    let at = address(listen).ok_or_else(|| no_address(listen))?;
    let upstream = address(to).ok_or_else(|| no_address(to))?;
    let options = LabOptions { name: "impair".to_owned(), seed, epoch_unix_nanos: 0, limit: Duration::MAX };
    let config = spec.config();
    let result = real_time(options, |lab| async move {
        let network = Network::host();
        let listener = network.bind_udp(at).await.map_err(|error| taken(at, &error))?;
        let broken = |error: io::Error| Failure::undecided(format!("cannot go on: {error}"), "");
        let (wire, arrivals) = wire::Wire::new(&lab, config).map_err(broken)?;
        let wire = Arc::new(wire);
        output::say(&format!("{} goes on to {upstream} by UDP; ^C ends it\n", listener.local_addr()));
        tokio::select! {
            biased;
            told = until_told() => told.map_err(broken)?,
            ended = udp::run(&network, listener, upstream, wire.clone(), arrivals) => ended.map_err(broken)?,
        }
        let stats = [wire::End::A, wire::End::B].map(|end| wire.stats(end));
        let names = ["client".to_owned(), "server".to_owned()];
        output::say(&bridge::told(&names, &stats, bridge::Missed::default(), wire.punctuality()));
        Ok::<_, Failure>(HEALTHY)
    });
    result.map_err(|error| Failure::undecided(format!("cannot start: {error}"), ""))?
}

/// `host:port`; a name by the machine's resolver.
fn address(text: &str) -> Option<SocketAddr> {
    let text = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    text.to_socket_addrs().ok()?.next()
}

/// What a wire does, as toxics.
fn toxics(spec: &LinkSpec) -> Result<Vec<Toxic>, Failure> {
    // The client is on the left: what goes down goes to it.
    let round_trip = spec.up.delay + spec.down.delay;
    let mut toxics = Vec::new();
    for (stream, pipe) in [(Stream::Upstream, &spec.up), (Stream::Downstream, &spec.down)] {
        for kind in kinds(pipe, round_trip)? {
            toxics.push(Toxic { name: String::new(), stream, toxicity: 1.0, kind });
        }
    }
    Ok(toxics)
}

fn kinds(pipe: &PipeSpec, round_trip: Duration) -> Result<Vec<Kind>, Failure> {
    let PipeSpec {
        rate,
        burst: _,
        delay,
        jitter,
        loss,
        duplicate: _,
        corrupt,
        reorder: _,
        reorder_by: _,
        queue: _,
        mtu_silent: _,
    } = pipe;
    let mut kinds = Vec::new();
    if !delay.is_zero() || !jitter.is_zero() {
        // A wire's jitter comes on top, a toxic's to both sides.
        let half = jitter.as_millis() as u64 / 2;
        kinds.push(Kind::Latency { latency: delay.as_millis() as u64 + half, jitter: half });
    }
    if let Some(rate) = rate {
        kinds.push(Kind::Bandwidth { rate: (rate / 8_000).max(1) });
    }
    let lost = match loss {
        Loss::None => 0,
        Loss::Random(chance) => u64::from(chance.0),
        _ => {
            return Err(Failure::usage(
                "over TCP a loss is a chance for each segment",
                "write it as in --loss 1%, or use --udp or `thru bridge`",
            ));
        }
    };
    // A damaged segment is one that its receiver discards.
    let lost = (lost + u64::from(corrupt.0)).min(1_000_000_000) / 1_000;
    if lost > 0 {
        // Found out a round trip later, at the least.
        let delay = (round_trip.as_millis() as u64).max(10);
        kinds.push(Kind::Loss { per_million: lost, delay });
    }
    Ok(kinds)
}

fn no_address(text: &str) -> Failure {
    Failure::usage(format!("`{text}` is no address with a port"), "write it as in 127.0.0.1:8080")
}

fn taken(at: SocketAddr, error: &io::Error) -> Failure {
    not_listening(format!("cannot listen on {at}: {error}"), error.kind() == io::ErrorKind::PermissionDenied)
}

fn not_listening(words: String, denied: bool) -> Failure {
    let hint = if denied {
        "take a port from 1024 on, run as root, or once: `sudo setcap cap_net_bind_service+ep $(command -v thru)`"
    } else {
        "is the port taken? `ss -ltnup` tells"
    };
    Failure::undecided(words, hint)
}

fn cannot(error: ImpairError) -> Failure {
    match error {
        // The words are those of the system.
        ImpairError::Listen(words) => {
            let denied = words.contains("Permission denied");
            not_listening(words, denied)
        }
        other => Failure::usage(format!("cannot make the proxy: {other:?}"), ""),
    }
}
