//! Certificates that have run out or have not begun, and clocks that only say so.

use super::Case;
use super::chain::{Certificate, day, span_of_days};
use crate::facts::failure_text;
use crate::thresholds::CLOCK_OFF_SECONDS;
use crate::vote::Vote;
use thru_trace::Span;

impl Case<'_> {
    /// When this happened, in seconds since 1970, by this machine's (or the lab's) clock.
    pub(super) fn now(&self) -> Option<i64> {
        let nanos = self.facts.trace.epoch_unix_nanos.checked_add(self.failed.start)?;
        (self.facts.trace.epoch_unix_nanos > 0).then_some((nanos / 1_000_000_000) as i64)
    }

    pub(super) fn expired(&self) -> Vote {
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
    pub(super) fn clock_disagrees(&self) -> Vote {
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

    pub(super) fn not_yet_valid(&self) -> Vote {
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
    pub(super) fn clock_off(&self) -> Option<(&Span, i64)> {
        let control = self.facts.control("clock")?;
        let offset = control.int("clock.offset")?;
        (offset.unsigned_abs() >= CLOCK_OFF_SECONDS).then_some((control, offset))
    }

    /// Whether every certificate of the chain is valid now, by the clock of an unrelated server.
    pub(super) fn holds_by_another_clock(&self) -> bool {
        let (Some((_, offset)), Some(now)) = (self.clock_off(), self.now()) else { return false };
        let now = now.saturating_add(offset);
        let dated = |one: &Certificate| {
            one.not_before.is_some_and(|from| from <= now) && one.not_after.is_some_and(|until| now <= until)
        };
        !self.chain.is_empty() && self.chain.iter().all(dated)
    }

    pub(super) fn clock(&self, how: &str) -> Vote {
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

    pub(super) fn clock_excluded(&self, vote: Vote, other_site_alike: Option<bool>) -> Vote {
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
}
