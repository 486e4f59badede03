//! `thru URL`: one request through every layer.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use thru_lab::run::exit_code;
use thru_names::resolver::ResolverConfig;
use thru_net::tls::KeyLogBuffer;
use thru_probe::journey::quality::QualityBudget;
use thru_probe::journey::{self, HttpVersion, JourneyOptions};
use thru_probe::secure::{Identity, TlsOptions, Trust};
use thru_trace::{Trace, Verdict, attach_frames};
use url::Url;

use super::shown;
use crate::args::{Http, UrlArgs};
use crate::failure::Failure;
use crate::place::{self, Place};
use crate::session::{CLOSING, Session};
use crate::{Outcome, output, save};

/// Runs the command.
pub(crate) fn run(text: &str, args: &UrlArgs) -> Outcome {
    let url = place::url(text)?;
    save::check(args)?;
    let mut place = Place::choose(&args.place, url.host_str().unwrap_or_default())?;
    if let (Place::Lab { scenario, .. }, Some(pause)) = (&mut place, args.again_after) {
        // A lab's limit is for what never ends; a pause that somebody asked for does.
        scenario.limit = scenario.limit.saturating_add(pause);
    }
    if args.write.is_some() && matches!(place, Place::Host) {
        return Err(Failure::usage(
            "packets can be written where our own stack runs, so far",
            "leave out -w, or ask with `--on iface:NAME` or `--on lab`",
        ));
    }
    let extra_trust = match &args.cacert {
        Some(path) => Some(std::fs::read(path).map_err(|error| save::cannot("read", path, &error))?),
        None => None,
    };
    let identity = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => Some(identity(cert, key)?),
        _ => None,
    };
    if args.compare {
        return super::compare::run(url, place, args, extra_trust);
    }
    let options = args.clone();
    let lab = match &place {
        Place::Lab { scenario, .. } => Some((scenario.clone(), thru_probe::login::without(&url))),
        Place::Host | Place::Iface(_) => None,
    };
    let (trace, verdict) = place.run(move |session| async move {
        let key_log = KeyLogBuffer::default();
        let mut journey_options = journey_options(&session, url, &key_log, extra_trust.as_deref())?;
        adjust(&mut journey_options, &options);
        if identity.is_some() {
            journey_options.tls.identity = identity;
        }
        Ok::<_, Failure>(follow(&session, &journey_options, &key_log).await)
    })??;
    // A file that cannot be written does not take the answer along.
    let saved = save::all(args, &trace, &verdict);
    let style = output::style(args.place.color);
    let report = if args.place.json {
        thru_report::json::render(&trace, &verdict)
    } else {
        thru_report::text::render(&trace, &verdict, &style)
    };
    // Standard output is for one kind of data: with the packets there, the report is talk.
    if save::takes_standard_output(args) {
        output::say(&report);
    } else {
        output::print(&report);
    }
    if let Some(hint) =
        lab.and_then(|(lab, asked)| shown::elsewhere(&lab, &asked, args.http.is_some(), &verdict))
    {
        output::say(&hint);
    }
    saved.map(|()| exit_code(&verdict))
}

/// What is shown to a server that wants to know who visits it.
fn identity(cert: &Path, key: &Path) -> Result<Identity, Failure> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| save::cannot("read", path, &error));
    Identity::from_pem(&read(cert)?, &read(key)?).map_err(|error| {
        Failure::usage(
            format!("cannot show `{}`: {error}", cert.display()),
            "--cert is a PEM file with the certificate and its chain, --key one with its private key",
        )
    })
}

async fn follow(session: &Session, options: &JourneyOptions, key_log: &KeyLogBuffer) -> (Trace, Verdict) {
    match session {
        Session::Lab(internet) => {
            let report = internet.follow(options, key_log).await;
            (report.trace, report.verdict)
        }
        Session::Host(_) | Session::Iface(_) => {
            let mut trace = journey::run(&session.network(), options).await.trace;
            trace.key_log = key_log.text();
            if let Session::Iface(iface) = session {
                iface.settle(CLOSING).await;
                crate::iface::fill(iface, &mut trace);
            }
            attach_frames(&mut trace);
            let verdict = thru_diagnose::diagnose(&trace);
            (trace, verdict)
        }
    }
}

/// How this session's user asks for `url`.
pub(crate) fn journey_options(
    session: &Session,
    url: Url,
    key_log: &KeyLogBuffer,
    extra_trust: Option<&[u8]>,
) -> Result<JourneyOptions, Failure> {
    let mut options = match session {
        Session::Lab(internet) => internet.journey_options(url, key_log),
        Session::Host(_) | Session::Iface(_) => {
            let trust = if extra_trust.is_some() { Trust::none() } else { Trust::system() };
            let tls = TlsOptions { trust, key_log: Some(key_log.clone()), ..TlsOptions::default() };
            JourneyOptions {
                from_root: Some(ResolverConfig::internet()),
                quality: Some(QualityBudget::REAL),
                ..JourneyOptions::new(url, tls)
            }
        }
    };
    if let Some(pem) = extra_trust {
        let mut trust = Trust::none();
        match trust.add_pem(pem) {
            Ok(count) if count > 0 => options.tls.trust = trust,
            Ok(_) => {
                return Err(Failure::usage(
                    "the --cacert file holds no certificate",
                    "it must be in PEM form",
                ));
            }
            Err(error) => {
                return Err(Failure::usage(
                    format!("cannot trust the --cacert file: {error}"),
                    "it must be in PEM form",
                ));
            }
        }
    }
    Ok(options)
}

fn adjust(options: &mut JourneyOptions, args: &UrlArgs) {
    options.http = args.http.map(|http| match http {
        Http::One => HttpVersion::Http1,
        Http::Two => HttpVersion::Http2,
        Http::Three => HttpVersion::Http3,
    });
    options.family = place::family(&args.place);
    if let Some(proxy) = &args.proxy {
        options.proxy = Some(proxy.clone());
    }
    if let Some(control) = &args.control {
        options.control_site = Some(control.clone());
    }
    if !args.control_resolver.is_empty() {
        let resolvers = args.control_resolver.iter();
        options.other_resolvers = resolvers.map(|address| SocketAddr::new(*address, 53)).collect();
    }
    options.vantage = args.vantage.clone();
    options.again_after = args.again_after.or(options.again_after);
    options.always_route |= args.route;
    if let Some(limit) = args.timeout {
        limit_steps(options, limit);
    }
}

/// No step takes longer than this.
pub(crate) fn limit_steps(options: &mut JourneyOptions, limit: Duration) {
    options.connect_limit = options.connect_limit.min(limit);
    options.tls.limit = options.tls.limit.min(limit);
    options.limits.wait = options.limits.wait.min(limit);
    options.limits.stall = options.limits.stall.min(limit);
    options.limits.total = options.limits.total.min(limit);
}
