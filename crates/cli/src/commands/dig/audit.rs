//! `thru dig --check NAME`: the audit of a zone, as text or JSON.

use serde_json::{Value, json};
use thru_names::dnssec::chain::text;
use thru_names::resolver::ResolverConfig;
use thru_names::text::name_text;
use thru_probe::dig::DigRequest;
use thru_probe::dig::check::{Audit, Severity, check};
use thru_report::json as report_json;

use crate::Outcome;
use crate::failure::{FAULT, Failure, HEALTHY};
use crate::output;
use crate::session::Session;

/// Audits the zone. What makes names fail is a fault found; warnings are not.
pub(super) async fn run(
    session: &Session,
    request: &DigRequest,
    roots: ResolverConfig,
    json: bool,
) -> Outcome {
    let audit = check(&session.network(), roots, &request.name).await.map_err(|why| Failure {
        code: FAULT,
        message: why,
        hint: "check that the network is there with `thru ping`".to_string(),
        excerpt: None,
    })?;
    if json {
        output::print(&report_json::line("dig-check", &object(&audit)));
    } else {
        for line in lines(&audit) {
            output::print(&super::escape(&line));
        }
    }
    let failed = audit.findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if failed { FAULT } else { HEALTHY })
}

fn lines(audit: &Audit) -> Vec<String> {
    let above = audit.parent.as_ref().map(|parent| format!(", delegated by {}", name_text(parent)));
    let mut lines = vec![format!("zone {}{}", name_text(&audit.zone), above.unwrap_or_default())];
    for server in &audit.servers {
        let serial = server.serial.map(|serial| format!(", serial {serial}")).unwrap_or_default();
        let took = server.millis.map(|millis| format!(", {millis} ms")).unwrap_or_default();
        lines.push(format!(
            "  {} ({}): {}{serial}{took}",
            name_text(&server.name),
            server.address,
            server.said
        ));
    }
    lines.push(format!("  chain of trust: {}", text::summary(&audit.chain)));
    for finding in &audit.findings {
        lines.push(format!(
            "{}: {} [{}; {}]",
            finding.severity.word(),
            finding.what,
            finding.code,
            finding.rfc
        ));
    }
    if audit.findings.is_empty() {
        lines.push("nothing found".to_owned());
    }
    lines
}

fn object(audit: &Audit) -> Value {
    let servers: Vec<Value> = audit
        .servers
        .iter()
        .map(|server| {
            json!({
                "name": name_text(&server.name), "address": server.address, "serial": server.serial,
                "said": server.said, "millis": server.millis,
            })
        })
        .collect();
    let findings: Vec<Value> = audit
        .findings
        .iter()
        .map(|finding| {
            json!({
                "code": finding.code, "severity": finding.severity.word(), "what": finding.what,
                "rfc": finding.rfc,
            })
        })
        .collect();
    json!({
        "zone": name_text(&audit.zone), "parent": audit.parent.as_ref().map(name_text),
        "servers": servers, "findings": findings, "chain": super::chain::object(&audit.chain),
    })
}
