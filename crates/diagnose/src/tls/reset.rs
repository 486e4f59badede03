//! Connections that are reset when encryption is asked for.

use super::Case;
use crate::facts::{failure_text, ms};
use crate::vote::Vote;

impl Case<'_> {
    pub(super) fn reset(&self) -> Vote {
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
        let soon = rtt > 0 && after * 100 < rtt * 70;
        let heard = self.failed.int("tcp.reset_acks").is_some_and(|acks| acks > 0);
        if soon && !heard {
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
}
