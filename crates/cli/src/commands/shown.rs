//! The request with which a lab's fault shows: not every fault is in the way of the front page.

use thru_lab::Scenario;
use thru_lab::scenario::check::{Check, CheckKind};
use thru_trace::{Status, Verdict};
use url::Url;

/// Longer addresses are not for typing: the lab knows them itself.
const URL_MAX: usize = 60;

/// The lab's first check that shows a cause (this one, if given), by its verdict or as an effect of it.
fn check<'a>(lab: &'a Scenario, cause: Option<&str>) -> Option<&'a Check> {
    let names =
        |causes: &[String]| cause.map_or(!causes.is_empty(), |cause| causes.iter().any(|id| id == cause));
    let told = |check: &&Check| match &check.kind {
        CheckKind::Url { causes: Some(causes), .. } => names(causes),
        _ => false,
    };
    lab.checks.iter().find(told).or_else(|| lab.checks.iter().find(|check| names(&check.injected)))
}

/// The request of a check: the address, the HTTP version.
fn request(check: &Check) -> Option<(&str, Option<&'static str>)> {
    match &check.kind {
        CheckKind::Url { url, http, .. } => {
            Some((url.as_str(), http.map(thru_lab::scenario::service::Http::word)))
        }
        _ => None,
    }
}

/// The command that shows it: `thru https://www.shop.lab --on lab:loss`, `thru dig --check shop.lab --on lab:dns-ns-above`.
pub(crate) fn command(lab: &Scenario, cause: Option<&str>) -> Option<String> {
    let (check, name) = (check(lab, cause)?, &lab.name);
    let (url, http) = match &check.kind {
        CheckKind::Url { .. } => request(check)?,
        CheckKind::Audit { zone, .. } => return Some(format!("thru dig --check {zone} --on lab:{name}")),
        _ => return Some(format!("thru lab run {name}")),
    };
    if url.len() > URL_MAX || url.contains('?') {
        return Some(format!("thru lab run {name}"));
    }
    let url = url.strip_suffix('/').unwrap_or(url);
    let http = http.map(|http| format!(" --http {http}")).unwrap_or_default();
    Some(format!("thru {url} --on lab:{name}{http}"))
}

/// A word to who asked a broken lab for something that works in it. `chosen`: with an HTTP version of their choice.
pub(crate) fn elsewhere(lab: &Scenario, asked: &Url, chosen: bool, verdict: &Verdict) -> Option<String> {
    let (url, http) = request(check(lab, None)?)?;
    let same = Url::parse(url).is_ok_and(|url| url == *asked) && (http.is_none() || chosen);
    if verdict.status != Status::Healthy || same {
        return None;
    }
    Some(format!("hint: what is wrong in this lab shows with `{}`\n", command(lab, None)?))
}
