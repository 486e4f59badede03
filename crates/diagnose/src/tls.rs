//! Encryption that could not be agreed on, and certificates that do not hold.

use crate::facts::{Facts, failure_text, ms};
use crate::thresholds::CLOCK_OFF_SECONDS;
use crate::vote::Vote;
use thru_trace::{Layer, Span, Value};

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    if facts.delivered().is_some() {
        return Vec::new();
    }
    // Inside QUIC the certificate is the same certificate. With TLS 1.3 the server's word on the client's certificate
    // comes when the handshake is over (RFC 8446 4.4.2.4).
    let failed = facts
        .own
        .iter()
        .copied()
        .filter(|span| matches!(span.what.as_str(), "handshake" | "exchange"))
        .rfind(|span| span.code().is_some_and(|code| code.starts_with("tls.")));
    let Some(failed) = failed else { return Vec::new() };
    if facts.handshakes(failed.layer).any(|span| span.is_ok() && span.start > failed.start) {
        return Vec::new();
    }
    let case = Case { facts, failed, subject: facts.subject(), chain: chain(failed) };
    case.judge().into_iter().collect()
}

struct Case<'a> {
    facts: &'a Facts<'a>,
    failed: &'a Span,
    subject: String,
    chain: Vec<Certificate>,
}

/// One certificate of the chain, as far as the probe told.
struct Certificate {
    subject: String,
    issuer: String,
    not_before: Option<i64>,
    not_after: Option<i64>,
    until: String,
    from: String,
    names: Vec<String>,
    /// Whether it says where its issuer's certificate can be fetched, as far as the probe told.
    names_issuer: Option<bool>,
}

fn chain(span: &Span) -> Vec<Certificate> {
    let text = |map: &std::collections::BTreeMap<String, Value>, key: &str| match map.get(key) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let certificates = span.list("tls.chain").unwrap_or(&[]).iter().filter_map(|value| match value {
        Value::Map(map) => Some(Certificate {
            subject: text(map, "subject"),
            issuer: text(map, "issuer"),
            not_before: unix_seconds(&text(map, "not_before")),
            not_after: unix_seconds(&text(map, "not_after")),
            until: text(map, "not_after"),
            from: text(map, "not_before"),
            names: match map.get("sans") {
                Some(Value::List(names)) => names.iter().filter_map(crate::tcp::plain).collect(),
                _ => Vec::new(),
            },
            names_issuer: match map.get("aia") {
                Some(Value::Bool(says)) => Some(*says),
                _ => None,
            },
        }),
        _ => None,
    });
    certificates.collect()
}

impl Case<'_> {
    fn judge(&self) -> Option<Vote> {
        let subject = &self.subject;
        let says = failure_text(self.failed);
        if let Some(vote) = self.one_of_several() {
            return Some(vote);
        }
        Some(match self.failed.code()? {
            "tls.certificate_expired" => self.expired(),
            "tls.certificate_not_yet_valid" => self.not_yet_valid(),
            "tls.wrong_name" => self.wrong_name(),
            "tls.unknown_ca" => self.unknown_authority(),
            "tls.self_signed" => self.self_signed(),
            "tls.bad_certificate" if says.contains("Purpose") => Vote::broken(
                &["TLS27"],
                0.93,
                format!("The certificate of {subject} is not meant for a web server."),
            )
            .cite(self.failed, says)
            .rule_out("TLS07", "its dates are not the objection")
            .rule_out("TLS11", "its authority is not the objection")
            .service("get a certificate for servers (extended key usage serverAuth)"),
            "tls.bad_certificate" if says.contains("Key:") => Vote::broken(
                &["TLS26"],
                0.92,
                format!("The key in the certificate of {subject} is too weak to be accepted."),
            )
            .cite(self.failed, says)
            .rule_out("TLS07", "its dates are not the objection")
            .rule_out("TLS11", "its authority is not the objection")
            .service("get a certificate with a key of today: RSA of 2048 bits or more, or an elliptic curve"),
            "tls.bad_certificate" => Vote::broken(
                &["TLS27", "TLS26"],
                0.8,
                format!("The certificate of {subject} cannot be accepted."),
            )
            .cite(self.failed, says)
            .rule_out("TLS07", "its dates are not the objection")
            .probe("look at the certificate's key, purpose and limits", &["TLS27", "TLS26"])
            .service("get a new certificate that is meant for a web server, with a strong key"),
            "tls.version" => version(subject, self.failed),
            "tls.not_tls" if self.failed.text("tls.head").is_some_and(crate::http::is_unknown) => {
                Vote::broken(
                    &["TLS01", "TCP26"],
                    0.9,
                    format!("Something lives at this port of {subject} that speaks no TLS."),
                )
                .cite(self.failed, says)
                .rule_out("TLS24", "the server did answer, in another protocol")
                .probe(
                    "connect without TLS and look at the first bytes: a greeting names the service",
                    &["TLS01", "TCP26"],
                )
                .user("check the port in the address: another service may live there")
                .service("look which program answers on this port")
            }
            "tls.not_tls" if self.failed.text("tls.head").is_some_and(|head| !head.starts_with("HTTP/")) => {
                crate::http::other_service(
                    self.facts,
                    self.failed,
                    self.failed.text("tls.head").unwrap_or_default(),
                )
            }
            "tls.not_tls" => Vote::broken(
                &["TLS01"],
                0.95,
                format!("{subject} answers unencrypted on a port where encryption was expected."),
            )
            .cite(self.failed, says)
            .rule_out("TLS24", "the server did answer, in another protocol")
            .user("check the address: http:// instead of https://, or another port")
            .service("turn on TLS for this port"),
            "tls.closed" => Vote::broken(
                &["TLS24"],
                0.85,
                format!("{subject} closes the connection as soon as encryption is asked for."),
            )
            .cite(self.failed, says)
            .rule_out("FW08", "a filter resets connections, this one was closed in an orderly way")
            .service("check the server's TLS settings and its log for this moment"),
            "tls.rejected" => self.rejected(),
            "tls.reset" => self.reset(),
            "tls.timeout" if self.failed.layer == Layer::Quic => return None,
            // Silence is judged with the transfer's silence, where the connection's counters are at hand.
            "tls.timeout" => return None,
            code if self.failed.layer == Layer::Quic
                && code.starts_with("tls.alert.")
                && code != "tls.alert.no_application_protocol" =>
            {
                self.alert_in_quic()
            }
            code => self.alert(code.strip_prefix("tls.alert.")?),
        })
    }

    /// The server ended the handshake inside QUIC; over TCP it may do better.
    fn alert_in_quic(&self) -> Vote {
        let alert = self.failed.code().and_then(|code| code.strip_prefix("tls.alert.")).unwrap_or_default();
        Vote::broken(
            &["Q08"],
            0.9,
            format!(
                "{} ends the encryption handshake of HTTP/3 with an error ({}).",
                self.subject,
                alert.replace('_', " ")
            ),
        )
        .cite(self.failed, failure_text(self.failed))
        .rule_out("Q01", "the server answered, so the packets of HTTP/3 pass")
        .rule_out("Q12", "a program speaks HTTP/3 there; it is its encryption that fails")
        .service(
            "check certificate and TLS settings of the server's HTTP/3 service, and its log for this moment",
        )
        .user("use HTTP/2 (without --http 3); browsers do so by themselves")
    }

    /// Another address of the same name, or the same one when asked again, shows a certificate that holds.
    fn one_of_several(&self) -> Option<Vote> {
        let other = self.facts.control("other_address").filter(|other| other.is_ok())?;
        let here = self
            .failed
            .address("tcp.remote")
            .map_or_else(|| String::from("one address"), |address| address.to_string());
        let there = other
            .address("tcp.remote")
            .map_or_else(|| String::from("another"), |address| address.to_string());
        let again = here == there;
        Some(
            Vote::broken(
                &["TLS32"],
                0.93,
                format!("One of the machines that answer for {} shows a wrong or old certificate, the others a good one.", self.subject),
            )
            .cite(self.failed, format!("{here}: {}", failure_text(self.failed)))
            .cite(other, if again { format!("asked again, {there} shows a certificate that holds") } else { format!("{there} shows a certificate that holds") })
            .rule_out("TLS07", "another machine of the same site has a good certificate")
            .rule_out("HST01", "by the same clock the other certificate holds")
            .rule_out("TLS15", "the other connection is not opened on the way")
            .service(format!("install the current certificate on every machine behind {}, and restart what still holds the old one", self.subject))
            .user("try again: the next visit may meet another machine"),
        )
    }

    /// When this happened, in seconds since 1970, by this machine's (or the lab's) clock.
    fn now(&self) -> Option<i64> {
        let nanos = self.facts.trace.epoch_unix_nanos.checked_add(self.failed.start)?;
        (self.facts.trace.epoch_unix_nanos > 0).then_some((nanos / 1_000_000_000) as i64)
    }

    /// Whether another site's certificate fails for the same reason: then it is the clock.
    fn other_site_alike(&self, code: &str) -> Option<bool> {
        let other = self.facts.control("other_site")?;
        if other.is_ok() {
            return Some(false);
        }
        let inside = self
            .facts
            .trace
            .spans
            .iter()
            .filter(|span| self.facts.trace.within(span, |around| around.id == other.id));
        Some(inside.filter_map(Span::code).any(|inner| inner == code))
    }

    /// Steps within a check.
    fn inside(&self, check: &Span) -> impl Iterator<Item = &Span> {
        let id = check.id;
        self.facts
            .trace
            .spans
            .iter()
            .filter(move |span| self.facts.trace.within(span, |around| around.id == id))
    }

    fn expired(&self) -> Vote {
        let mut says = failure_text(self.failed);
        if let (Some(now), Some(leaf)) = (self.now(), self.chain.first())
            && let Some(not_after) = leaf.not_after
        {
            if not_after >= now {
                // The site's own certificate holds, so another of the chain has run out.
                if let Some(old) =
                    self.chain.iter().skip(1).find(|other| other.not_after.is_some_and(|end| end < now))
                {
                    return Vote::broken(
                        &["TLS14"],
                        0.93,
                        format!("A certificate above that of {} has expired.", self.subject),
                    )
                    .cite(self.failed, format!("\"{}\" ran out on {}", old.subject, day(&old.until)))
                    .rule_out(
                        "TLS07",
                        format!("the site's own certificate is good until {}", day(&leaf.until)),
                    )
                    .service("install the authority's current intermediate certificates");
                }
            } else {
                says = format!(
                    "the certificate ran out on {}, {} before this visit",
                    day(&leaf.until),
                    span_of_days(now - not_after)
                );
            }
        }
        if self.failed.bool("tls.dates_hold") == Some(true) {
            return self.clock_disagrees();
        }
        match self.other_site_alike("tls.certificate_expired") {
            _ if self.holds_by_another_clock() => self.clock("expired").cite(self.failed, says),
            Some(true) => self.clock("expired").cite(self.failed, says),
            other => {
                let vote = Vote::broken(
                    &["TLS07"],
                    if other == Some(false) { 0.97 } else { 0.88 },
                    format!(
                        "The certificate of {} has expired, so its identity cannot be trusted.",
                        self.subject
                    ),
                )
                .cite(self.failed, says)
                .service("renew the certificate, and see why it was not renewed by itself");
                self.clock_excluded(vote, other).user("do not ignore the warning; tell the site's owner")
            }
        }
    }

    /// Two clocks: this machine's, by which the certificate has run out, and that of whoever captured the packets.
    fn clock_disagrees(&self) -> Vote {
        let until = self.chain.first().map(|leaf| day(&leaf.until).to_owned()).unwrap_or_default();
        Vote::broken(
            &["HST01"],
            0.9,
            format!("The machine that visited {} takes a good certificate for expired: its clock is wrong.", self.subject),
        )
        .cite(self.failed, format!("it refused the certificate as expired, but at the time of the capture it was good until {until}"))
        .rule_out("TLS07", "when the packets were captured, every certificate of the chain was valid")
        .user("set the date and time of this machine, and let it follow a time server (NTP)")
    }

    fn not_yet_valid(&self) -> Vote {
        let mut says = failure_text(self.failed);
        if let (Some(now), Some(leaf)) = (self.now(), self.chain.first())
            && let Some(not_before) = leaf.not_before
            && not_before > now
        {
            says = format!(
                "the certificate begins on {}, {} after this visit",
                day(&leaf.from),
                span_of_days(not_before - now)
            );
        }
        match self.other_site_alike("tls.certificate_not_yet_valid") {
            _ if self.holds_by_another_clock() => self.clock("not yet valid").cite(self.failed, says),
            Some(true) => self.clock("not yet valid").cite(self.failed, says),
            Some(false) => {
                let vote = Vote::broken(
                    &["TLS08"],
                    0.95,
                    format!("The certificate of {} only becomes valid in the future.", self.subject),
                )
                .cite(self.failed, says);
                self.clock_excluded(vote, Some(false)).service("use the previous certificate until the new one begins")
            }
            None => Vote::broken(
                &["TLS08", "HST01"],
                0.93,
                format!("The certificate of {} is not valid yet, or this machine's clock is behind.", self.subject),
            )
            .cite(self.failed, says)
            .probe("visit another site: if its certificate is not valid yet either, this machine's clock is wrong", &[
                "TLS08", "HST01",
            ])
            .user("check the date and time of this machine"),
        }
    }

    /// How far this machine's clock is off, as an unrelated server tells, if that is enough to matter.
    fn clock_off(&self) -> Option<(&Span, i64)> {
        let control = self.facts.control("clock")?;
        let offset = control.int("clock.offset")?;
        (offset.unsigned_abs() >= CLOCK_OFF_SECONDS).then_some((control, offset))
    }

    /// Whether every certificate of the chain is valid now, by the clock of an unrelated server.
    fn holds_by_another_clock(&self) -> bool {
        let (Some((_, offset)), Some(now)) = (self.clock_off(), self.now()) else { return false };
        let now = now.saturating_add(offset);
        let dated = |one: &Certificate| {
            one.not_before.is_some_and(|from| from <= now) && one.not_after.is_some_and(|until| now <= until)
        };
        !self.chain.is_empty() && self.chain.iter().all(dated)
    }

    fn clock(&self, how: &str) -> Vote {
        // Another site's certificate may have a longer life, and fail or hold by this clock.
        let other = self.facts.control("other_site").filter(|other| !other.is_ok());
        if let Some((told, offset)) = self.clock_off() {
            let direction = if offset < 0 { "ahead" } else { "behind" };
            let off = span_of_days(offset.saturating_abs());
            return Vote::broken(
                &["HST01"],
                0.97,
                format!("This machine's clock is {off} {direction}, so certificates look {how}."),
            )
            .cite(told, format!("another server's clock differs from this machine's by {off}"))
            .cite_if(other, format!("another site's certificate looks {how} too"))
            .rule_out("TLS07", "by the clock of an unrelated server every certificate is in order")
            .user("set the date and time of this machine, and let it follow a time server (NTP)");
        }
        Vote::broken(
            &["HST01", "TLS07"],
            0.85,
            format!("The certificates of unrelated sites all look {how}: most likely this machine's clock is wrong."),
        )
        .cite_if(other, format!("another site's certificate looks {how} too"))
        .probe("compare this machine's clock with the Date header of any site, or with a time server", &["HST01", "TLS07"])
        .user("set the date and time of this machine")
    }

    fn clock_excluded(&self, vote: Vote, other_site_alike: Option<bool>) -> Vote {
        match (other_site_alike, self.facts.control("other_site")) {
            (Some(false), Some(_)) => vote.rule_out(
                "HST01",
                "another site's certificate is in order, so this machine's clock is right",
            ),
            _ => vote.probe(
                "visit another site: if its certificate fails the same way, this machine's clock is wrong",
                &["TLS07", "HST01"],
            ),
        }
    }

    fn wrong_name(&self) -> Vote {
        let names = self.chain.first().map(|leaf| leaf.names.join(", ")).unwrap_or_default();
        let says = if names.is_empty() {
            failure_text(self.failed)
        } else {
            format!("the certificate is for {names}, not for {}", self.subject)
        };
        Vote::broken(
            &["TLS09"],
            0.95,
            format!("The server shows a certificate for another name than {}.", self.subject),
        )
        .cite(self.failed, says)
        .rule_out("TLS11", "the name is the objection, not the authority")
        .user("check the spelling of the address; on a guest network, open any plain page to see whether it wants a login")
        .service(format!("add {} to the certificate, or let the right site answer under this name", self.subject))
    }

    fn unknown_authority(&self) -> Vote {
        let issuer = self.chain.last().map(|top| top.issuer.clone()).filter(|issuer| !issuer.is_empty());
        let says = match &issuer {
            Some(issuer) => format!("the chain ends at \"{issuer}\", which this machine does not know"),
            None => failure_text(self.failed),
        };
        // An interception would show on other sites too.
        let elsewhere = self.facts.control("other_site");
        let private_root = self.chain.last().is_some_and(|top| top.subject == top.issuer);
        // An authority with intermediates says in each certificate where they can be had (RFC 5280 4.2.2.1; the
        // rules of the public web demand it). One that does not has none that the server could have forgotten.
        let root_issued = self.chain.first().is_some_and(|leaf| leaf.names_issuer == Some(false));
        // Private authorities forget that address now and then: without a second site it excludes nothing.
        let root_issued = root_issued && elsewhere.is_some();
        let lone = self.chain.len() == 1 && !private_root && !root_issued;
        let mut causes = vec!["TLS11"];
        if elsewhere.is_none() {
            causes.push("TLS15");
        }
        if lone {
            causes.push("TLS12");
        }
        let mut vote = Vote::broken(
            &causes,
            0.94,
            format!(
                "The certificate of {} is signed by an authority this machine does not trust.",
                self.subject
            ),
        )
        .cite(self.failed, says)
        .rule_out("TLS10", "the certificate is not signed by itself");
        if root_issued {
            vote = vote.rule_out(
                "TLS12",
                "the certificate names no place for an intermediate, as those below an intermediate do",
            );
        }
        match elsewhere {
            Some(site) if site.is_ok() => {
                vote = vote
                    .cite(site, "another site's certificate is in order")
                    .rule_out("TLS15", "an interception would show on other sites too");
            }
            Some(_) => {}
            None => {
                vote = vote.probe(
                    "look who issued the certificate of an unrelated site: the same authority means the encryption is opened on the way",
                    &["TLS11", "TLS15"],
                );
            }
        }
        if let Some(site) = elsewhere.filter(|site| site.is_ok() && self.chain.len() == 1) {
            let wanted = self.chain.first().map(|leaf| leaf.issuer.as_str()).unwrap_or_default();
            let sent_there = self.inside(site).flat_map(chain).any(|other| other.subject == wanted);
            if sent_there && !private_root {
                return Vote::broken(
                    &["TLS12"],
                    0.93,
                    format!("{} shows its own certificate, but forgets the one above it, so the chain has a gap.", self.subject),
                )
                .cite(self.failed, format!("only one certificate came, signed by \"{wanted}\""))
                .cite(site, "another site sends the missing one along, and with it the chain is good")
                .rule_out("TLS11", "the authority is one this machine trusts")
                .rule_out("TLS15", "another site's certificate is in order")
                .service("send the intermediate certificate along (the authority offers it as a \"full chain\" file)")
                .user("nothing to repair here; browsers may work because they remember the missing certificate");
            }
        }
        if let Some(site) = elsewhere.filter(|site| site.code().is_some())
            && let Some(ours) = self.chain.last()
            && let Some(theirs) =
                self.inside(site).filter(|span| span.failed_with("tls.unknown_ca")).flat_map(chain).last()
            && theirs.issuer == ours.issuer
        {
            return Vote::broken(
                &["TLS15"],
                0.93,
                format!("Somebody on the way opens the encryption: certificates of unrelated sites are all signed by \"{}\", which this machine does not trust.", ours.issuer),
            )
            .cite(self.failed, failure_text(self.failed))
            .cite(site, "an unrelated site shows a certificate of the same unknown authority")
            .rule_out("TLS11", "unrelated sites do not choose the same unknown authority by chance")
            .network("say which device opens encrypted traffic, and hand out its authority if that is intended")
            .user("do not enter passwords until this is clear");
        }
        if let Some(site) = elsewhere.filter(|site| site.code().is_some()) {
            // Other sites fail as well: the trust of this machine or an interception, not this site.
            return Vote::broken(
                &["TLS15", "TLS11"],
                0.8,
                "Certificates of unrelated sites are all signed by an authority this machine does not trust: their encryption seems to be opened on the way.",
            )
            .cite(self.failed, failure_text(self.failed))
            .cite(site, format!("another site fails too: {}", failure_text(site)))
            .probe("compare the issuers of both certificates: one private issuer for unrelated sites is an interception", &[
                "TLS15", "TLS11",
            ])
            .network("say which device opens encrypted traffic, and hand out its authority if that is intended")
            .user("do not enter passwords until this is clear");
        }
        if lone {
            vote = vote.probe(
                "fetch the issuer's certificate (its address stands in the certificate) and check again: if that completes the chain, the server forgot to send it",
                &["TLS11", "TLS12"],
            );
        }
        vote.service("use a certificate of a known authority and send its intermediate certificates along")
            .user("trust this authority only if its owner gave it to you in person")
    }

    fn self_signed(&self) -> Vote {
        let vote = Vote::broken(
            &["TLS10"],
            0.93,
            format!("{} vouches for itself: no authority has signed its certificate.", self.subject),
        )
        .cite(self.failed, failure_text(self.failed))
        .rule_out("TLS11", "there is no authority above the certificate at all")
        .service("get a certificate of a known authority")
        .user("do not enter passwords unless you know this server");
        match self.facts.control("other_site").filter(|site| site.is_ok()) {
            Some(site) => vote
                .cite(site, "another site's certificate is in order")
                .rule_out("TLS15", "an interception would show on other sites too"),
            None => vote,
        }
    }

    /// This machine refused what the server showed, in words that are encrypted.
    fn rejected(&self) -> Vote {
        let causes = &["TLS07", "TLS09", "TLS11", "TLS10", "TLS12", "TLS08", "TLS14", "TLS15", "HST01"];
        Vote::broken(
            causes,
            0.85,
            format!("The visitor of {} refused the server's certificate, and the reason is encrypted.", self.subject),
        )
        .cite(self.failed, failure_text(self.failed))
        .rule_out("TLS03", "both agreed on a version and on keys before")
        .rule_out("TLS23", "the server did answer")
        .probe("capture once more with the visitor's key log (SSLKEYLOGFILE), which opens certificate and alert", causes)
        .user("look at the certificate in a browser: its dates, its names, who issued it, and this machine's own date")
        .service("check the certificate: dates, names, and that the intermediate certificates are sent along")
    }

    fn reset(&self) -> Vote {
        let other = self.facts.control("other_name");
        match other {
            Some(other) if other.is_ok() => {
                return Vote::broken(
                    &["FW08"],
                    0.92,
                    format!(
                        "A filter on the way cuts the connection when it reads the name {}.",
                        self.subject
                    ),
                )
                .cite(self.failed, failure_text(self.failed))
                .cite(other, "the same server answers at once who asks for another name")
                .rule_out("TLS24", "the server does not cut all connections")
                .network("say whether a filter blocks this site's name, and lift it if that is not wanted")
                .user("ask the network's owner, or try another network");
            }
            Some(other)
                if self.facts.connection().is_some_and(|span| span.int("tcp.bytes_acked") == Some(0)) =>
            {
                return Vote::broken(
                    &["TCP08"],
                    0.9,
                    format!("{} accepts connections and cuts them at once.", self.subject),
                )
                .cite(self.failed, failure_text(self.failed))
                .cite_if(
                    self.facts.connection(),
                    "not a byte of the first message was acknowledged: the reset is no answer to it",
                )
                .cite(other, "who asks for another name is cut off as well")
                .rule_out("FW08", "it does not depend on the name that is asked for")
                .rule_out("TLS24", "the server did not wait for the first message")
                .service("look at the server's log: the program takes connections and drops them")
                .user("nothing to repair here; try again later");
            }
            Some(other) => {
                return Vote::broken(
                    &["TLS24"],
                    0.9,
                    format!("{} cuts the connection as soon as encryption is asked for.", self.subject),
                )
                .cite(self.failed, failure_text(self.failed))
                .cite(other, "who asks for another name is cut off as well")
                .rule_out("FW08", "it does not depend on the name that is asked for")
                .service("check the server's TLS settings and its log for this moment");
            }
            None => {}
        }
        let rtt = self.facts.rtt().unwrap_or(0);
        let after = self.failed.nanos();
        if rtt > 0 && after * 100 < rtt * 70 {
            // Too soon to be an answer to what we sent: it was on its way already.
            return Vote::broken(
                &["TCP08"],
                0.88,
                format!("{} accepted the connection and cut it at once.", self.subject),
            )
            .cite(
                self.failed,
                format!(
                    "the reset came {} after the handshake began, sooner than any answer to it could ({})",
                    ms(after),
                    ms(rtt)
                ),
            )
            .rule_out("FW08", "the reset was sent before the site's name could be read")
            .rule_out("TLS24", "the reset was sent before the first message could arrive")
            .service("look at the server's log: the program takes the connection and drops it");
        }
        // Only a reset that acknowledges the first message was sent after it.
        let heard = self.failed.int("tcp.reset_acks").is_some_and(|acks| acks > 0);
        let known = self.facts.connection().is_some_and(|span| span.int("tcp.reset_acks").is_some()) || heard;
        let in_capture = self.failed.value("tls.server_hello").is_some();
        let causes: &[&str] =
            if in_capture && !known { &["TLS24", "FW08", "TCP08"] } else { &["TLS24", "FW08"] };
        Vote::broken(
            causes,
            0.9,
            format!("The connection to {} is cut as soon as encryption is asked for.", self.subject),
        )
        .cite(self.failed, failure_text(self.failed))
        .probe("ask the same address for another site's name: if that passes, a filter cuts by name", causes)
        .service("check the server's TLS settings and its log for this moment")
        .network("say whether a filter blocks this site's name")
    }

    fn alert(&self, name: &str) -> Vote {
        let subject = &self.subject;
        let said = format!("the server ended the handshake with the alert \"{}\"", name.replace('_', " "));
        let (causes, confidence, summary, remedy): (&[&str], f64, String, &str) = match name {
            "protocol_version" => return version(subject, self.failed),
            // An alert is seven bytes: the server said nothing else, so it never asked for a certificate.
            "handshake_failure" | "insufficient_security"
                if self.failed.int("tls.bytes_received").is_some_and(|bytes| bytes <= 7) =>
            {
                (
                    &["TLS04"],
                    0.93,
                    format!("{subject} and this machine have no encryption method in common."),
                    "allow current ciphers and key exchanges (TLS 1.3, X25519, AES-GCM)",
                )
            }
            "handshake_failure" | "insufficient_security" => (
                &["TLS04", "TLS18"],
                0.85,
                format!("{subject} and this machine have no encryption method in common."),
                "allow current ciphers and key exchanges (TLS 1.3, X25519, AES-GCM)",
            ),
            "unrecognized_name" => (
                &["TLS06"],
                0.93,
                format!("The server knows no site named {subject}."),
                "configure a site and a certificate for this name",
            ),
            "certificate_required" => (
                &["TLS18"],
                0.95,
                format!("{subject} wants the visitor to show a certificate."),
                "hand out client certificates, or stop asking for them",
            ),
            "bad_certificate"
            | "unsupported_certificate"
            | "certificate_revoked"
            | "certificate_expired"
            | "certificate_unknown"
            | "unknown_ca"
            | "access_denied" => (
                &["TLS19"],
                0.85,
                format!("{subject} does not accept the certificate this machine showed."),
                "say which client certificates are accepted",
            ),
            "no_application_protocol" => (
                &["TLS20"],
                0.93,
                format!("{subject} and this machine agree on encryption, but not on the protocol inside it."),
                "offer h2 or http/1.1 (for HTTP/3: h3) in the server's ALPN settings",
            ),
            "bad_record_mac" | "decrypt_error" | "decryption_failed" | "record_overflow" => (
                &["TLS30", "IP23"],
                0.8,
                format!("An encrypted message to or from {subject} was damaged."),
                "check for devices on the way that alter traffic",
            ),
            "illegal_parameter" => (
                &["TLS25", "TLS22"],
                0.6,
                format!("{subject} objects to the first message of the handshake."),
                "update the server's TLS software",
            ),
            _ => (
                &["TLS24"],
                0.6,
                format!("{subject} refuses the encryption handshake."),
                "look at the server's log for this moment",
            ),
        };
        let vote = Vote::broken(causes, confidence, summary)
            .cite(self.failed, said)
            .rule_out("TCP01", "the connection was made")
            .service(remedy);
        match causes {
            [_, _, ..] => vote.probe("repeat the handshake with other offers (versions, ciphers, with and without a client certificate)", causes),
            _ => vote,
        }
    }
}

fn version(subject: &str, failed: &Span) -> Vote {
    Vote::broken(&["TLS03"], 0.93, format!("{subject} and this machine know no version of TLS in common."))
        .cite(failed, failure_text(failed))
        .rule_out("TLS04", "the version is the objection, not the cipher")
        .service("turn on TLS 1.2 and 1.3 on the server")
        .user("update this machine's software if it is old")
}

/// The date part of an RFC 3339 time.
fn day(text: &str) -> &str {
    text.split('T').next().unwrap_or(text)
}

fn span_of_days(seconds: i64) -> String {
    match seconds / 86_400 {
        0 => String::from("less than a day"),
        1 => String::from("1 day"),
        days => format!("{days} days"),
    }
}

/// Seconds since 1970 of an RFC 3339 time in UTC (`2026-03-01T00:00:00Z`); other offsets are not needed, for
/// certificates are always in UTC.
pub(crate) fn unix_seconds(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) =
        (number(11..13).unwrap_or(0), number(14..16).unwrap_or(0), number(17..19).unwrap_or(0));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970-01-01 in the proleptic Gregorian calendar, counting years from March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}
