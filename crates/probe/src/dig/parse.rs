//! dig's command line.

use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use thru_names::text::{parse_name, parse_type, reverse_name};

use super::secured::Encryption;
use super::{DigRequest, DigUsage};
use crate::resolve::Families;
use crate::resolve::secured::Way;
use crate::resolve::stub::Patience;

impl DigRequest {
    /// Reads dig's arguments, in any order: `@server`, a name, a type, a class (`CH`), `-x address`, `-t type`, `-q name`, `-p port`,
    /// `-4`, `-6`, `--check`, `--svg file`, `+short`, `+trace`, `+dnssec`, `+chain`, `+nsid`, `+tcp`, `+recurse`, `+cdflag`, `+tries=N`, `+time=N`, `+after=N` (and `+no...` of the
    /// switches). Without a name: the root's NS records, as dig does.
    pub fn parse<S: AsRef<str>>(arguments: &[S]) -> Result<DigRequest, DigUsage> {
        let mut request = DigRequest {
            server: None,
            port: 53,
            name: Name::root(),
            record_type: RecordType::NS,
            short: false,
            brief: false,
            trace: false,
            dnssec: false,
            chain: false,
            svg: None,
            check: false,
            nsid: false,
            chaos: false,
            tcp: false,
            encryption: None,
            recursion_desired: true,
            checking_disabled: false,
            families: Families::Any,
            patience: Patience { tries: 3, timeout: Duration::from_secs(5) },
            after: Duration::ZERO,
        };
        let mut name = None;
        let mut port = None;
        // What a name without a type means: PTR after -x.
        let mut usual_type = RecordType::A;
        let mut record_type = None;
        let mut words = arguments.iter().map(AsRef::as_ref);
        while let Some(word) = words.next() {
            let mut value = |what: &str| {
                words.next().ok_or_else(|| usage(format!("`{word}` without {what}"), "give it after a blank"))
            };
            match word {
                "-x" => {
                    let text = value("an address")?;
                    let address: IpAddr = text.parse().map_err(|_| {
                        usage(format!("`{text}` is not an address"), "write -x 192.0.2.1 or -x 2001:db8::1")
                    })?;
                    name = Some(reverse_name(address));
                    usual_type = RecordType::PTR;
                }
                "-t" => record_type = Some(read_type(value("a type")?)?),
                "-q" => name = Some(read_name(value("a name")?)?),
                "-p" => {
                    let text = value("a port")?;
                    let number =
                        text.parse().map_err(|_| usage(format!("`{text}` is not a port"), "write -p 53"));
                    port = Some(number?);
                }
                "-c" => request.chaos = class(value("a class")?)?,
                "--check" => request.check = true,
                "--svg" => {
                    request.svg = Some(value("a file")?.to_owned());
                    request.chain = true;
                }
                "-4" => request.families = Families::V4,
                "-6" => request.families = Families::V6,
                _ if word.starts_with('@') => {
                    let server = &word[1..];
                    if server.is_empty() {
                        return Err(usage(
                            "`@` without a server".into(),
                            "write @192.0.2.53, without a blank",
                        ));
                    }
                    request.server = Some(server.to_owned());
                }
                _ if word.starts_with('+') => switch(&mut request, word)?,
                _ if word.starts_with('-') && word.len() > 1 => {
                    return Err(usage(
                        format!("unknown option `{word}`"),
                        "known are -x -t -q -c -p -f -4 -6 --check --svg",
                    ));
                }
                // As in `dig hostname.bind txt ch`: a class after a name.
                _ if name.is_some() && class(word).is_ok() => request.chaos = class(word)?,
                // The first plain word that is a type is the type, as in `dig example mx`; but a name comes first.
                _ if record_type.is_none()
                    && parse_type(word).is_some()
                    && (name.is_some() || !word.contains('.')) =>
                {
                    record_type = parse_type(word);
                }
                _ if name.is_none() => name = Some(read_name(word)?),
                _ => {
                    let hint =
                        "known types are A AAAA CAA CNAME HTTPS MX NS PTR SOA SRV SVCB TXT TYPEnnn ...";
                    return Err(usage(
                        format!("`{word}` is no record type, and there is a name already"),
                        hint,
                    ));
                }
            }
        }
        let usual = request.encryption.as_ref().map_or(53, |encryption| encryption.way.port());
        request.port = port.unwrap_or(usual);
        request.record_type = record_type.unwrap_or(if name.is_some() { usual_type } else { RecordType::NS });
        request.name = name.unwrap_or_else(Name::root);
        Ok(request)
    }
}

/// Seconds that a question may wait.
const AFTER_MAX: u64 = 86_400;

fn switch(request: &mut DigRequest, word: &str) -> Result<(), DigUsage> {
    let body = &word[1..];
    if encrypted(request, body) {
        return Ok(());
    }
    if let Some((key, value)) = body.split_once('=') {
        if key == "after" {
            let seconds = value.parse().ok().filter(|seconds| *seconds <= AFTER_MAX).ok_or_else(|| {
                usage(format!("`{value}` in `{word}`"), "give seconds, 86400 of them at the most")
            });
            request.after = Duration::from_secs(seconds?);
            return Ok(());
        }
        let number: Option<u32> = value.parse().ok().filter(|number| (1..=60).contains(number));
        let number =
            number.ok_or_else(|| usage(format!("`{value}` in `{word}`"), "give a number from 1 to 60"));
        match key {
            "tries" => request.patience.tries = number?,
            "retry" => request.patience.tries = number? + 1,
            "time" | "timeout" => request.patience.timeout = Duration::from_secs(number?.into()),
            _ => return Err(unknown(word)),
        }
        return Ok(());
    }
    let (on, key) = match body.strip_prefix("no") {
        Some(key) => (false, key),
        None => (true, body),
    };
    match key {
        "short" => request.short = on,
        "brief" => request.brief = on,
        "trace" => request.trace = on,
        "dnssec" | "do" => request.dnssec = on,
        "chain" | "sigchase" => request.chain = on,
        "nsid" => request.nsid = on,
        "tcp" | "vc" => request.tcp = on,
        "recurse" | "rec" | "rdflag" => request.recursion_desired = on,
        "cd" | "cdflag" => request.checking_disabled = on,
        // What dig shows by these, we show always; asked for or not, they are no reason to stop.
        "all" | "answer" | "authority" | "additional" | "comments" | "question" | "stats" | "cmd"
        | "edns" => {}
        _ => return Err(unknown(word)),
    }
    Ok(())
}

/// The words about encrypted transports; `false`: it is none of them.
fn encrypted(request: &mut DigRequest, body: &str) -> bool {
    let (key, value) =
        body.split_once('=').map_or((body, None), |(key, value)| (key, Some(value.to_owned())));
    let way = match key {
        "tls" => Way::Tls,
        "https" | "https-post" | "doh" => Way::Https { get: false },
        "https-get" => Way::Https { get: true },
        "h3" | "http3" => Way::Http3,
        "quic" | "doq" => Way::Quic,
        "notls" | "nohttps" | "noquic" | "noh3" => {
            request.encryption = None;
            return true;
        }
        "tls-ca" | "tls-host" | "tls-hostname" => {
            let encryption = request.encryption.get_or_insert_with(|| Encryption::new(Way::Tls));
            if key == "tls-ca" {
                encryption.authorities = Some(value);
            } else {
                encryption.host = value;
            }
            return true;
        }
        _ => return false,
    };
    let encryption = request.encryption.get_or_insert_with(|| Encryption::new(way));
    encryption.way = way;
    if value.is_some() {
        encryption.path = value;
    }
    true
}

fn unknown(word: &str) -> DigUsage {
    let hint = "known are +short +brief +trace +dnssec +chain +nsid +tcp +tls +https +h3 +quic +tls-ca[=FILE] +tls-host=NAME +recurse +cdflag +tries=N +time=N, and +no... of the switches";
    usage(format!("unknown query option `{word}`"), hint)
}

fn read_type(text: &str) -> Result<RecordType, DigUsage> {
    parse_type(text)
        .ok_or_else(|| usage(format!("`{text}` is no record type"), "write A, AAAA, MX, ... or TYPEnnn"))
}

/// Whether this class is CHAOS; IN is the other one.
fn class(text: &str) -> Result<bool, DigUsage> {
    match text.to_ascii_uppercase().as_str() {
        "IN" => Ok(false),
        "CH" | "CHAOS" => Ok(true),
        _ => Err(usage(format!("`{text}` is no class"), "write IN or CH")),
    }
}

fn read_name(text: &str) -> Result<Name, DigUsage> {
    parse_name(text).map_err(|why| usage(format!("`{text}` can't be asked for: {why}"), "give a domain name"))
}

fn usage(what: String, hint: &str) -> DigUsage {
    DigUsage { what, hint: hint.to_owned() }
}

#[cfg(test)]
mod tests;
