//! The request with which a lab's fault shows: not every fault is in the way of the front page.

use thru_lab::Scenario;
use thru_lab::scenario::check::CheckKind;
use thru_trace::{Status, Verdict};
use url::Url;

/// Longer addresses are not for typing: the lab knows them itself.
const URL_MAX: usize = 60;

/// The lab's first request whose verdict names a cause (this one, if given): the address, the HTTP version.
fn request<'a>(lab: &'a Scenario, cause: Option<&str>) -> Option<(&'a str, Option<&'static str>)> {
    lab.checks.iter().find_map(|check| match &check.kind {
        CheckKind::Url { url, http, causes: Some(causes), .. }
            if cause.map_or(!causes.is_empty(), |cause| causes.iter().any(|id| id == cause)) =>
        {
            Some((url.as_str(), http.map(thru_lab::scenario::service::Http::word)))
        }
        _ => None,
    })
}

/// The command that shows it: `thru https://www.shop.lab --on lab:loss`.
pub(crate) fn command(lab: &Scenario, cause: Option<&str>) -> Option<String> {
    let (url, http) = request(lab, cause)?;
    let name = &lab.name;
    if url.len() > URL_MAX || url.contains('?') {
        return Some(format!("thru lab run {name}"));
    }
    let url = url.strip_suffix('/').unwrap_or(url);
    let http = http.map(|http| format!(" --http {http}")).unwrap_or_default();
    Some(format!("thru {url} --on lab:{name}{http}"))
}

/// A word to who asked a broken lab for something that works in it. `chosen`: with an HTTP version of their choice.
pub(crate) fn elsewhere(lab: &Scenario, asked: &Url, chosen: bool, verdict: &Verdict) -> Option<String> {
    let (url, http) = request(lab, None)?;
    let same = Url::parse(url).is_ok_and(|url| url == *asked) && (http.is_none() || chosen);
    if verdict.status != Status::Healthy || same {
        return None;
    }
    Some(format!("hint: what is wrong in this lab shows with `{}`\n", command(lab, None)?))
}
