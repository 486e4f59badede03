//! Checks certificates as webpki does, and keeps the chain even when it is not good.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use thru_trace::certificate::Certificate;
use thru_trace::staple::{self, Staple};

/// Servers remembered at once.
const SERVERS: usize = 32;
/// Certificates kept of one chain.
const CHAIN: usize = 16;

#[derive(Debug)]
pub(super) struct Verifier {
    /// `None`: there is nobody to trust.
    webpki: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
    /// By server name: one verifier serves all connections of a client (rustls resumes a session only under the
    /// verifier that checked it).
    seen: Mutex<BTreeMap<String, Seen>>,
}

/// The last chain a server showed.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Leaf first, as sent.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// The server showed an answer about its revocation (RFC 6066 8).
    pub(super) stapled: bool,
    /// What that answer says, if it can be read.
    pub(super) staple: Option<Staple>,
    /// Why it was refused.
    pub(super) error: Option<CertificateError>,
}

impl Verifier {
    pub(super) fn new(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Verifier {
        let webpki =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build().ok();
        Verifier { webpki, algorithms: provider.signature_verification_algorithms, seen: Mutex::default() }
    }

    pub(super) fn seen(&self, name: &ServerName<'_>) -> Option<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(name.to_str().as_ref()).cloned()
    }

    pub(super) fn forget(&self, name: &ServerName<'_>) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(name.to_str().as_ref());
    }

    fn remember(&self, name: &ServerName<'_>, seen: Seen) {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let name = name.to_str();
        if all.len() >= SERVERS && !all.contains_key(name.as_ref()) {
            all.pop_first();
        }
        all.insert(name.into_owned(), seen);
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let result = match &self.webpki {
            Some(webpki) => webpki.verify_server_cert(leaf, intermediates, name, ocsp_response, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        let error = result.as_ref().err().map(|error| match error {
            Error::InvalidCertificate(error) => error.clone(),
            _ => CertificateError::ApplicationVerificationFailure,
        });
        let chain = std::iter::once(leaf)
            .chain(intermediates)
            .take(CHAIN)
            .map(|one| one.clone().into_owned())
            .collect();
        let staple = Certificate::read(leaf).and_then(|leaf| staple::read(ocsp_response, &leaf.serial));
        self.remember(name, Seen { chain, stapled: !ocsp_response.is_empty(), staple, error });
        result
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
