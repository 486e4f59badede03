//! `+tls`, `+https`, `+h3` and `+quic`: the question over an encrypted transport.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thru_names::message::QueryOptions;
use thru_trace::SpanId;

use super::{DigFailure, DigRequest};
use crate::Recorder;
use crate::resolve::exchange::{Outcome, Question};
use crate::resolve::secured::{Manner, Way, exchange};
use crate::resolve::stub::Heard;

/// How dig's words want the question encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// The transport.
    pub way: Way,
    /// `+https=PATH`; else `/dns-query`.
    pub path: Option<String>,
    /// `+tls-host=NAME`: the name in the certificate; else the server as it was given.
    pub host: Option<String>,
    /// `+tls-ca`: believe only what this machine's authorities signed; `+tls-ca=FILE`: those in a PEM file. Else any
    /// certificate will do, as with dig.
    pub authorities: Option<Option<String>>,
}

impl Encryption {
    /// By this transport, without proof.
    pub fn new(way: Way) -> Encryption {
        Encryption { way, path: None, host: None, authorities: None }
    }

    fn roots(&self) -> Result<Option<Arc<RootCertStore>>, String> {
        let Some(authorities) = &self.authorities else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        match authorities {
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
            Some(file) => {
                let found = CertificateDer::pem_file_iter(file)
                    .map_err(|error| format!("{file} can't be read: {error}"))?
                    .flatten();
                roots.add_parsable_certificates(found);
            }
        }
        if roots.is_empty() {
            return Err("there is no authority to believe".to_owned());
        }
        Ok(Some(Arc::new(roots)))
    }
}

/// Asks the servers in turn until one answers.
pub(super) async fn ask(
    recorder: &Recorder,
    span: SpanId,
    request: &DigRequest,
    encryption: &Encryption,
    servers: &[SocketAddr],
) -> Result<Heard, DigFailure> {
    let network = recorder.network();
    recorder.set(span, "dns.transport", encryption.way.name());
    let fail = |code, text| DigFailure { code, text, span };
    let Some(first) = servers.first() else {
        return Err(fail("dns.no_resolver", "this machine is told of no resolver".to_owned()));
    };
    let given = || request.server.clone().unwrap_or_else(|| first.ip().to_string());
    let manner = Manner {
        way: encryption.way,
        host: encryption.host.clone().unwrap_or_else(given),
        path: encryption.path.clone().unwrap_or_else(|| "/dns-query".to_owned()),
        roots: encryption.roots().map_err(|text| fail("dns.unreachable", text))?,
    };
    let random = network.random("dns stub");
    let question = Question {
        name: request.name.clone(),
        record_type: request.record_type,
        options: QueryOptions {
            id: u16::from_le_bytes([random[0], random[1]]),
            recursion_desired: request.recursion_desired,
            checking_disabled: request.checking_disabled,
            edns: true,
            dnssec_ok: request.dnssec || request.brief,
            nsid: request.nsid,
            chaos: request.chaos,
        },
    };
    let mut failure = None;
    for &server in servers {
        let began = network.now();
        match exchange(network, server, &manner, &question, request.patience.timeout).await {
            Outcome::Answer(message, octets) => {
                let took = network.now().since(began);
                return Ok(Heard { message, octets, server, over_tcp: true, took });
            }
            Outcome::Silent | Outcome::Stray(_) => {
                failure = Some(fail("dns.timeout", format!("{server} did not answer in time")));
            }
            Outcome::NoRoute => {
                failure = Some(fail("ip.no_route", format!("this machine knows no way to {}", server.ip())));
            }
            Outcome::Malformed(why) => failure = Some(fail("dns.malformed", format!("{server} sent {why}"))),
            Outcome::Unreachable { text, icmp: _ } => {
                failure = Some(fail("dns.unreachable", format!("{server} can't be asked: {text}")));
            }
        }
    }
    Err(failure.expect("at least one was asked"))
}
