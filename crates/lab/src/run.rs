//! A request on a scenario's internet, from a fresh start to its verdict; and the checks of a scenario.
//!
//! - [`request`]: one request, its trace with every packet, its verdict, and the digest of the run.
//! - [`check`]: whether something that must be true is.

use std::time::Duration;

use thru_diagnose::diagnose;
use thru_names::text::{parse_name, type_text};
use thru_net::lab::{Lab, LabError};
use thru_net::tls::KeyLogBuffer;
use thru_probe::Recorder;
use thru_probe::dig::check::{Severity, check as audit};
use thru_probe::dig::{DigRequest, dig};
use thru_probe::journey::tunnel::Proxy;
use thru_probe::journey::{self, HttpVersion, JourneyOptions};
use thru_probe::ping::{PingOptions, ping};
use thru_probe::resolve::{ResolveOptions, record_steps, resolve};
use thru_probe::secure::{TlsOptions, Trust};
use thru_trace::{Layer, Span, SpanId, Status, Trace, Value, Verdict};
use thru_wire::Instant;
use url::Url;

use crate::Scenario;
use crate::internet::{Internet, StartError};
use crate::scenario::service::Http;
use crate::scenario::{Check, CheckKind};

/// What a request on a scenario's internet brought.
#[derive(Debug)]
pub struct Report {
    /// The story, with packets, names and secrets.
    pub trace: Trace,
    /// What is to be said of it.
    pub verdict: Verdict,
    /// HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// Digest over every frame on every link.
    pub digest: u64,
}

/// Why there is no report.
#[derive(Debug)]
pub enum RunError {
    /// The scenario could not be started.
    Start(StartError),
    /// The simulation did not come to its end.
    Lab(LabError),
    /// What was to be asked for is not a URL.
    Url(String),
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RunError::Start(error) => write!(f, "cannot start the lab: {error}"),
            RunError::Lab(error) => error.fmt(f),
            RunError::Url(text) => write!(f, "`{}` is not a URL", thru_probe::login::hidden(text)),
        }
    }
}

impl std::error::Error for RunError {}

impl Internet {
    /// How the lab's user asks for `url`: trusting the lab's root, with its root servers, its open resolver and
    /// its control site to compare with.
    pub fn journey_options(&self, url: Url, key_log: &KeyLogBuffer) -> JourneyOptions {
        let mut trust = Trust::none();
        for root in self.trust() {
            trust.add_der(root).expect("the lab's own root is well-formed");
        }
        let identity = self.visitor();
        let large_hello = self.scenario().large_hello;
        let tls = TlsOptions {
            trust,
            key_log: Some(key_log.clone()),
            identity,
            large_hello,
            ..TlsOptions::default()
        };
        let host = url.host_str().unwrap_or_default().to_string();
        let control = self.scenario().control.as_ref().and_then(|control| Url::parse(control).ok());
        let control = control.as_ref().map(thru_probe::login::without);
        JourneyOptions {
            from_root: Some(self.resolver_config()),
            other_resolvers: self.other_resolvers(),
            proxy: self.scenario().proxy.as_deref().and_then(|proxy| Proxy::parse(proxy).ok()),
            again_after: self.scenario().again_after,
            control_site: control.filter(|control| control.host_str() != Some(host.as_str())),
            hosts: self.hosts(),
            always_route: true,
            quality: Some(journey::quality::QualityBudget::LAB),
            ..JourneyOptions::new(url, tls)
        }
    }

    /// Follows one request from this internet's client, to trace, verdict and digest.
    pub async fn follow(&self, options: &JourneyOptions, key_log: &KeyLogBuffer) -> Report {
        let journey = journey::run(&self.client(), options).await;
        let digest = self.digest();
        let mut trace = journey.trace;
        self.explain(&mut trace);
        self.finish(&mut trace);
        trace.key_log = key_log.text();
        thru_trace::attach_frames(&mut trace);
        let verdict = diagnose(&trace);
        Report { verdict, status: journey.answer.map(|answer| answer.status), digest, trace }
    }
}

impl Internet {
    /// Adds what only a lab can know, for display: the names of hops, and the steps its resolver took.
    fn explain(&self, trace: &mut Trace) {
        let names = self.scenario().names();
        for span in trace.spans.iter_mut().filter(|span| span.what == "hop") {
            let address = span.address("hop.address");
            if let Some((_, name)) = names.iter().find(|(known, _)| Some(*known) == address) {
                span.values.insert("hop.name".to_string(), Value::Text(name.clone()));
            }
        }
        let queries: Vec<(SpanId, u64, u64, String)> = trace
            .all("dns.query")
            .filter(|span| !trace.is_check(span))
            .map(|span| {
                (span.id, span.start, span.end, span.text("dns.type").unwrap_or_default().to_string())
            })
            .collect();
        for answer in self.resolutions() {
            let Some(first) = answer.steps.first() else { continue };
            let (at, kind) = (first.at.nanos(), type_text(answer.record_type));
            let asked =
                queries.iter().find(|(_, start, end, rtype)| *rtype == kind && (*start..=*end).contains(&at));
            let Some((parent, _, asked_until, _)) = asked else { continue };
            // The steps are written by the one who knows how, and moved over.
            let recorder = Recorder::new(self.client());
            let top = recorder.open(None, Layer::Dns, "resolve", "");
            record_steps(&recorder, top, &answer.steps);
            // The resolver may go on when the one who asked has given up: that is no part of this request's story.
            let in_time = |span: &Span| span.start <= *asked_until;
            for mut span in recorder.spans().into_iter().skip(1).filter(in_time) {
                span.end = span.end.min(*asked_until);
                span.id = SpanId(trace.spans.len() as u32);
                span.parent = Some(*parent);
                trace.spans.push(span);
            }
        }
    }
}

/// Starts the scenario afresh, waits until `at`, and follows one request; `adjust` may change how.
pub fn request(
    scenario: Scenario,
    seed: u64,
    url: Url,
    at: Duration,
    adjust: impl FnOnce(&mut JourneyOptions) + Send + 'static,
) -> Result<Report, RunError> {
    on(scenario, seed, at, move |internet| async move {
        let key_log = KeyLogBuffer::default();
        let mut options = internet.journey_options(url, &key_log);
        adjust(&mut options);
        internet.follow(&options, &key_log).await
    })
}

/// Starts the scenario afresh, waits until `at`, and runs `main`.
fn on<F, Fut, R>(scenario: Scenario, seed: u64, at: Duration, main: F) -> Result<R, RunError>
where
    F: FnOnce(Internet) -> Fut + Send + 'static,
    Fut: Future<Output = R> + 'static,
    R: Send + 'static,
{
    let result = thru_net::lab::run(scenario.options(seed), move |lab: Lab| async move {
        let internet = scenario.start(&lab).await?;
        internet.client().sleep_until(Instant::START + at).await;
        Ok(main(internet).await)
    });
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(RunError::Start(error)),
        Err(error) => Err(RunError::Lab(error)),
    }
}

/// The result of a check: what was seen, and what of it was not expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    /// What was seen, in a line.
    pub seen: String,
    /// What should have been otherwise; empty if the check passed.
    pub complaints: Vec<String>,
}

impl CheckResult {
    /// Whether all was as expected.
    pub fn passed(&self) -> bool {
        self.complaints.is_empty()
    }
}

/// Runs one check on a fresh network.
pub fn check(scenario: &Scenario, seed: u64, check: &Check) -> Result<CheckResult, RunError> {
    let scenario = scenario.clone();
    match check.kind.clone() {
        CheckKind::Url { url, http, verdict, layer, causes, also, exit, status, time } => {
            let Ok(parsed) = Url::parse(&url) else {
                return Ok(failed(format!("`{url}` is not a URL")));
            };
            let report = request(scenario, seed, parsed, check.at, move |options| {
                options.http = http.map(version);
            })?;
            let mut result =
                CheckResult { seen: summary(&report), complaints: crate::score::over_budget(&report.trace) };
            let found = &report.verdict;
            result.expect("verdict", verdict, status_word(found.status));
            result.expect("layer", layer, found.layer.to_string());
            result.expect("exit", exit.map(|exit| exit.to_string()), exit_code(found).to_string());
            let seen_status = report.status.map_or("none".to_string(), |status| status.to_string());
            result.expect("status", status.map(|status| status.to_string()), seen_status);
            if let Some(causes) = causes {
                result.expect("causes", Some(sorted(causes)), sorted(found.causes.clone()));
            }
            let mentioned =
                found.also.iter().flat_map(|other| &other.causes).any(|cause| also.contains(cause));
            if !also.is_empty() && !mentioned {
                result.complaints.push(format!("also: expected one of {}", also.join(", ")));
            }
            if let Some(bounds) = time {
                result.expect_time("time", bounds, Duration::from_nanos(request_time(&report.trace)));
            }
            Ok(result)
        }
        CheckKind::Ping { to, rtt, reached } => on(scenario, seed, check.at, move |internet| async move {
            let recorder = Recorder::new(internet.client());
            let target = match resolve(
                &recorder,
                None,
                &to,
                &ResolveOptions { hosts: internet.hosts(), ..ResolveOptions::default() },
            )
            .await
            {
                Ok(found) => found.addresses.first().copied(),
                Err(failure) => return failed(failure.text),
            };
            let Some(target) = target else { return failed(format!("`{to}` has no address")) };
            let result = match ping(&recorder, None, target, "idle", PingOptions::default(), |_| {}).await {
                Ok(result) => result,
                Err(error) => return failed(format!("cannot ping: {error}")),
            };
            let rtts: Vec<Duration> = result.rtts().collect();
            let average = rtts.iter().sum::<Duration>() / rtts.len().max(1) as u32;
            let seen = format!("{} of {} answers, rtt {average:?}", rtts.len(), result.echoes.len());
            let mut checked = CheckResult { seen, complaints: Vec::new() };
            checked.expect("reached", Some(reached.to_string()), (!rtts.is_empty()).to_string());
            if let Some(bounds) = rtt {
                checked.expect_time("rtt", bounds, average);
            }
            checked
        }),
        CheckKind::Audit { zone, findings } => on(scenario, seed, check.at, move |internet| async move {
            let name = match parse_name(&zone) {
                Ok(name) => name,
                Err(why) => return failed(format!("`{zone}` is not a name: {why}")),
            };
            let audit = match audit(&internet.client(), internet.resolver_config(), &name).await {
                Ok(audit) => audit,
                Err(why) => return failed(why),
            };
            let worse = audit.findings.iter().filter(|finding| finding.severity != Severity::Notice);
            let mut codes: Vec<String> = worse.map(|finding| finding.code.to_string()).collect();
            codes.sort_unstable();
            codes.dedup();
            let mut checked = CheckResult { seen: sorted(codes.clone()), complaints: Vec::new() };
            checked.expect("findings", Some(sorted(findings)), sorted(codes));
            checked
        }),
        CheckKind::Dns { name, rtype, server, rcode, answers } => {
            on(scenario, seed, check.at, move |internet| async move {
                let server = server.map(|server| format!("@{server}"));
                let words: Vec<&str> =
                    [name.as_str()].into_iter().chain(rtype.split(' ')).chain(server.as_deref()).collect();
                let request = match DigRequest::parse(&words) {
                    Ok(request) => request,
                    Err(usage) => return failed(usage.what),
                };
                let recorder = Recorder::new(internet.client());
                let roots = internet.resolver_config();
                match dig(&recorder, &request, roots, &internet.hosts()).await {
                    Ok(answer) => {
                        let seen = format!("{} {}", answer.rcode, answer.short.join(" "));
                        let mut checked =
                            CheckResult { seen: seen.trim_end().to_string(), complaints: Vec::new() };
                        checked.expect("rcode", rcode, answer.rcode.clone());
                        if let Some(answers) = answers {
                            checked.expect("answers", Some(sorted(answers)), sorted(answer.short));
                        }
                        checked
                    }
                    Err(failure) => failed(failure.text),
                }
            })
        }
    }
}

fn failed(what: String) -> CheckResult {
    CheckResult { seen: what.clone(), complaints: vec![what] }
}

fn sorted(mut words: Vec<String>) -> String {
    words.sort_unstable();
    if words.is_empty() { "none".to_string() } else { words.join(", ") }
}

impl CheckResult {
    fn expect(&mut self, what: &str, wanted: Option<String>, seen: String) {
        if let Some(wanted) = wanted
            && wanted != seen
        {
            self.complaints.push(format!("{what}: expected {wanted}, got {seen}"));
        }
    }

    fn expect_time(&mut self, what: &str, bounds: crate::scenario::check::Bounds, seen: Duration) {
        if !bounds.contain(seen) {
            self.complaints.push(format!("{what}: expected {}, got {seen:?}", bounds.show()));
        }
    }
}

pub(crate) fn version(http: Http) -> HttpVersion {
    match http {
        Http::One => HttpVersion::Http1,
        Http::Two => HttpVersion::Http2,
        Http::Three => HttpVersion::Http3,
    }
}

/// From the first step of the request to the last byte of the answer: looks at the way afterwards do not count.
fn request_time(trace: &Trace) -> u64 {
    let start = trace.spans.first().map_or(0, |span| span.start);
    trace
        .spans
        .iter()
        .filter(|span| span.what == "exchange")
        .map(|span| span.end)
        .max()
        .map_or(trace.end(), |end| end)
        - start
}

fn summary(report: &Report) -> String {
    let verdict = &report.verdict;
    format!("{} at layer {}: {}", status_word(verdict.status), verdict.layer, verdict.summary)
}

/// `healthy`, `degraded`, `failed` or `undecided`.
pub fn status_word(status: Status) -> String {
    match status {
        Status::Healthy => "healthy",
        Status::Degraded => "degraded",
        Status::Failed => "failed",
        Status::Undecided => "undecided",
    }
    .to_string()
}

/// What `thru` exits with: 0 healthy, 1 a fault was found, 3 undecided.
pub fn exit_code(verdict: &Verdict) -> u8 {
    match verdict.status {
        Status::Healthy => 0,
        Status::Degraded | Status::Failed => 1,
        Status::Undecided => 3,
    }
}
