//! `[[check]]`.

use crate::item::{Reader, Table};
use crate::scenario::check::Bounds;
use crate::scenario::service::{Http, word};
use crate::scenario::{Check, CheckKind};
use crate::source::Error;
use crate::units;

const LAYERS: [&str; 13] = [
    "none", "link", "ip", "routing", "dns", "tcp", "firewall", "tls", "http", "quic", "proxy", "app", "host",
];
const STATUSES: [&str; 4] = ["healthy", "degraded", "failed", "undecided"];

pub(super) fn check(table: &Table) -> Result<Check, Error> {
    let reader = Reader::new(table, "a [[check]]");
    let known = |key: &'static str, words: &[&str]| -> Result<Option<String>, Error> {
        let Some(text) = reader.text(key)? else {
            return Ok(None);
        };
        let words: Vec<(&str, ())> = words.iter().map(|word| (*word, ())).collect();
        word(&text, &words, key)?;
        Ok(Some(text.text))
    };
    let bounds = |key: &'static str| -> Result<Option<Bounds>, Error> {
        reader.text(key)?.map(|text| Bounds::parse(&text.view())).transpose()
    };
    let (kind, name) = if let Some(url) = reader.text("url")? {
        let kind = CheckKind::Url {
            http: match reader.text("http")? {
                Some(text) => Some(word(
                    &text,
                    &[("1.1", Http::One), ("2", Http::Two), ("3", Http::Three)],
                    "HTTP version",
                )?),
                None => None,
            },
            verdict: known("verdict", &STATUSES)?,
            layer: known("layer", &LAYERS)?,
            causes: reader
                .texts("causes")?
                .map(|causes| causes.into_iter().map(|cause| cause.text).collect()),
            also: reader.texts("also")?.unwrap_or_default().into_iter().map(|cause| cause.text).collect(),
            exit: reader.integer("exit", 0, 4)?.map(|exit| exit as u8),
            status: reader.integer("status", 100, 599)?.map(|status| status as u16),
            time: bounds("time")?,
            url: url.text.clone(),
        };
        (kind, url.text)
    } else if let Some(to) = reader.text("ping")? {
        let kind = CheckKind::Ping {
            rtt: bounds("rtt")?,
            reached: reader.bool("reached")?.unwrap_or(true),
            to: to.text.clone(),
        };
        (kind, format!("ping {}", to.text))
    } else if let Some(question) = reader.text("dns")? {
        let mut words = question.text.split_whitespace();
        let name = words.next();
        let rest: Vec<&str> = words.collect();
        let (Some(name), 0..=2) = (name, rest.len()) else {
            return Err(
                question.error(format!("`{}` is not a question", question.text), "write `www.shop.lab AAAA`")
            );
        };
        let kind = CheckKind::Dns {
            name: name.to_string(),
            rtype: if rest.is_empty() { "A".to_string() } else { rest.join(" ").to_ascii_uppercase() },
            server: reader.text("server")?.map(|server| server.text),
            rcode: known("rcode", &["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR"])?,
            answers: reader
                .texts("answers")?
                .map(|answers| answers.into_iter().map(|answer| answer.text).collect()),
        };
        (kind, format!("dns {}", question.text))
    } else if let Some(zone) = reader.text("audit")? {
        let findings = reader.texts("findings")?.unwrap_or_default();
        let kind = CheckKind::Audit {
            zone: zone.text.clone(),
            findings: findings.into_iter().map(|code| code.text).collect(),
        };
        (kind, format!("audit {}", zone.text))
    } else {
        return Err(reader.error(
            "a [[check]] that checks nothing",
            "write url = \"https://...\", ping = \"NAME\", dns = \"NAME TYPE\" or audit = \"ZONE\"",
        ));
    };
    let check = Check {
        name: reader.text("name")?.map_or(name, |name| name.text),
        at: reader.quantity("at", units::duration)?.unwrap_or_default(),
        kind,
        injected: reader.texts("injected")?.unwrap_or_default().into_iter().map(|cause| cause.text).collect(),
        explain: reader.text("explain")?.map(|text| text.text),
        hint: reader.text("hint")?.map(|text| text.text),
    };
    reader.finish()?;
    Ok(check)
}
