//! Which network a command runs on, and what a URL without a scheme means.

use std::net::IpAddr;
use std::path::Path;

use thru_lab::{Scenario, builtin};
use thru_probe::login::hidden;
use thru_trace::Family;
use url::Url;

use crate::args::Where;
use crate::failure::Failure;
use crate::iface::Wish;

/// The network to run on.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// The kernel's.
    Host,
    /// Our own stack on an interface of this machine.
    Iface(Box<Wish>),
    /// A simulated one.
    Lab {
        /// What it looks like.
        scenario: Box<Scenario>,
        /// What decides every random choice.
        seed: u64,
    },
}

impl Place {
    /// As asked for with `--on`; else by the name: `.lab` lives in the built-in internet.
    pub(crate) fn choose(place: &Where, host: &str) -> Result<Place, Failure> {
        let is_lab_name =
            host.trim_end_matches('.').rsplit('.').next().is_some_and(|top| top.eq_ignore_ascii_case("lab"));
        let network = match place.on.as_deref() {
            Some(on) => on,
            None if is_lab_name => "lab",
            None => "host",
        };
        match network.split_once(':') {
            None if network == "host" => {
                if place.seed.is_some() || !place.set.is_empty() {
                    return Err(Failure::usage(
                        "--seed and --set are for labs, and this runs on the host's network",
                        "add `--on lab`, or use a name under .lab",
                    ));
                }
                Ok(Place::Host)
            }
            None if network == "lab" => Place::lab("internet", &place.set, place.seed),
            Some(("lab", name)) => Place::lab(name, &place.set, place.seed),
            Some(("iface", name)) => Ok(Place::Iface(Box::new(Wish::new(name, place)?))),
            _ => Err(Failure::usage(
                format!("there is no network `{network}`"),
                "use `host`, `lab`, `lab:NAME`, `lab:FILE` or `iface:NAME`; `thru lab list` shows the names",
            )),
        }
    }

    /// A lab by name or file, with its links changed.
    pub(crate) fn lab(name: &str, set: &[String], seed: Option<u64>) -> Result<Place, Failure> {
        let scenario = scenario(name, set)?;
        Ok(Place::Lab { seed: seed.unwrap_or(scenario.seed), scenario: Box::new(scenario) })
    }
}

/// The scenario of a built-in lab or a file, with its links changed.
pub(crate) fn scenario(name: &str, set: &[String]) -> Result<Scenario, Failure> {
    let mut scenario = match Scenario::builtin(name) {
        Some(scenario) => scenario,
        None if name.contains(['/', '\\']) || name.ends_with(".toml") || Path::new(name).is_file() => {
            Scenario::load(Path::new(name))?
        }
        None => {
            let hint = match thru_lab::source::nearest(name, builtin::names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "`thru lab list` shows the names; a scenario file may be given by its path".to_string()
                }
            };
            return Err(Failure::usage(format!("there is no lab `{name}`"), hint));
        }
    };
    for assignment in set {
        scenario.apply_set(assignment)?;
    }
    Ok(scenario)
}

/// The address family asked for.
pub(crate) fn family(place: &Where) -> Option<Family> {
    match (place.v4, place.v6) {
        (true, _) => Some(Family::V4),
        (_, true) => Some(Family::V6),
        _ => None,
    }
}

/// What the user means by this text; bare names mean https. It may hold a login, which whoever asks takes off.
pub(crate) fn url(text: &str) -> Result<Url, Failure> {
    let commands = crate::args::commands();
    let is_word = text.bytes().all(|b| b.is_ascii_alphabetic());
    if is_word && let Some(near) = thru_lab::source::nearest(text, commands.iter().map(String::as_str)) {
        return Err(Failure::usage(
            format!("there is no command `{text}`"),
            format!("did you mean `thru {near}`? For a host of that name write https://{text}/"),
        ));
    }
    let full = if text.contains("://") { text.to_string() } else { format!("https://{text}") };
    let bad = |why: String| {
        Failure::usage(
            format!("`{}` is not a URL: {why}", hidden(text)),
            "write it like https://www.shop.lab/path",
        )
    };
    let url = Url::parse(&full).map_err(|error| bad(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Failure::usage(
            format!("cannot follow a request of scheme `{}`", url.scheme()),
            "use http:// or https://",
        ));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad("it names no host".to_string()));
    }
    Ok(url)
}

/// A host as the user writes it for ping and route: a name, an address, or the host of a URL.
pub(crate) fn host(text: &str) -> Result<String, Failure> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return Ok(bare.to_string());
    }
    let url = url(text)?;
    Ok(url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = match url(text) {
            Ok(url) => url.to_string(),
            Err(failure) => format!("{}; {}", failure.message, failure.hint),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_a_url_means() {
        check("www.shop.lab", "https://www.shop.lab/");
        check("http://www.shop.lab/a?b", "http://www.shop.lab/a?b");
        check("localhost:8443", "https://localhost:8443/");
        check("[::1]:8443", "https://[::1]:8443/");
        check(
            "pnig",
            "there is no command `pnig`; did you mean `thru ping`? For a host of that name write https://pnig/",
        );
        check("ftp://x", "cannot follow a request of scheme `ftp`; use http:// or https://");
        check(
            "https://me:s3cret@x:99999",
            "`https://(left out)@x:99999` is not a URL: invalid port number; write it like https://www.shop.lab/path",
        );
        check("https://", "`https://` is not a URL: empty host; write it like https://www.shop.lab/path");
        check(
            "a b",
            "`a b` is not a URL: invalid international domain name; write it like https://www.shop.lab/path",
        );
        check(
            "x:99999",
            "`x:99999` is not a URL: invalid port number; write it like https://www.shop.lab/path",
        );
    }

    #[test]
    fn names_under_lab_choose_the_lab() {
        let choose = |host: &str, on: Option<&str>| {
            Place::choose(&Where { on: on.map(String::from), ..Where::default() }, host)
                .map_err(|failure| failure.message)
        };
        assert!(matches!(choose("www.shop.lab", None), Ok(Place::Lab { .. })));
        assert!(matches!(choose("WWW.SHOP.LAB.", None), Ok(Place::Lab { .. })));
        assert!(matches!(choose("www.shop.lab", Some("host")), Ok(Place::Host)));
        assert!(matches!(choose("slab", None), Ok(Place::Host)));
        assert!(matches!(choose("192.0.2.1", Some("lab:internet")), Ok(Place::Lab { .. })));
        assert_eq!(choose("x", Some("lba")).unwrap_err(), "there is no network `lba`");
        assert_eq!(choose("x", Some("lab:intrenet")).unwrap_err(), "there is no lab `intrenet`");
    }
}
