//! Certificates for another name, or signed by nobody whom this machine trusts.

use super::Case;
use super::chain::chain;
use crate::facts::failure_text;
use crate::vote::Vote;

impl Case<'_> {
    pub(super) fn wrong_name(&self) -> Vote {
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

    pub(super) fn unknown_authority(&self) -> Vote {
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

    pub(super) fn self_signed(&self) -> Vote {
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
    pub(super) fn rejected(&self) -> Vote {
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
}
