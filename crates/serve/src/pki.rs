//! A certificate authority whose certificates repeat: same seed, same bytes.
//!
//! - [`Authority`]: start here; a self-signed root, and intermediates below it.
//! - [`LeafRequest`]: what a site's certificate shall say. Any date and any name, so that a wrong one can be made on purpose.
//! - [`staple`]: what an authority says of a certificate's revocation.
//! - [`CertifiedKey`]: a chain and its private key, ready for [`crate::web::Site`].
//!
//! Where runs repeat, keys are Ed25519 (RFC 8410): its signatures carry no randomness, so a handshake that shows one
//! repeats too. They are derived from a seed with SHA-256 and are as secret as the seed: for laboratories, never for
//! the real internet. Browsers refuse them; real programs meet random ones of ECDSA over P-256 ([`Keys::Fresh`]).

use std::fmt;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

pub mod staple;
#[cfg(test)]
mod tests;

/// Where keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Ed25519, derived from this seed.
    Seeded(u64),
    /// ECDSA over P-256 (RFC 5480), different each time: what every program takes.
    Fresh,
}

impl Keys {
    /// A pair, and the secret that all that hangs on it is derived from; `parts` say what it is for.
    fn make(self, parts: &[&[u8]]) -> (KeyPair, [u8; 32]) {
        match self {
            Keys::Seeded(_) => {
                let seed = derive(parts);
                (key_pair(&seed), seed)
            }
            Keys::Fresh => {
                let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
                    .expect("the system has randomness, without which nothing starts");
                let secret = derive(&[b"fresh", key.serialized_der()]);
                (key, secret)
            }
        }
    }

    fn seed(self) -> [u8; 8] {
        match self {
            Keys::Seeded(seed) => seed.to_be_bytes(),
            Keys::Fresh => [0; 8],
        }
    }
}

/// Signs certificates: a root, or an intermediate below one.
pub struct Authority {
    keys: Keys,
    key_seed: [u8; 32],
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    root: CertificateDer<'static>,
    /// What a server sends after its own certificate: the intermediates up to, but without, the root.
    above: Vec<CertificateDer<'static>>,
}

impl Authority {
    /// A self-signed root named `name`, valid between two dates (time since the Unix epoch, whole seconds).
    ///
    /// Two roots with another name or another seed have nothing in common.
    pub fn new(name: &str, seed: u64, not_before: Duration, not_after: Duration) -> Authority {
        Authority::with_keys(name, Keys::Seeded(seed), not_before, not_after)
    }

    /// The same, with keys of either kind.
    pub fn with_keys(name: &str, keys: Keys, not_before: Duration, not_after: Duration) -> Authority {
        let (key, key_seed) = keys.make(&[b"authority", &keys.seed(), name.as_bytes()]);
        let parameters = authority_parameters(name, &key_seed, not_before, not_after);
        let certificate =
            parameters.self_signed(&key).expect("a root made of checked parts can be signed").der().clone();
        Authority {
            keys,
            key_seed,
            issuer: Issuer::new(parameters, key),
            root: certificate.clone(),
            certificate,
            above: Vec::new(),
        }
    }

    /// An intermediate authority signed by this one. Servers send its certificate along with their own.
    pub fn intermediate(&self, name: &str, not_before: Duration, not_after: Duration) -> Authority {
        let (key, key_seed) = self.keys.make(&[b"intermediate", &self.key_seed, name.as_bytes()]);
        let mut parameters = authority_parameters(name, &key_seed, not_before, not_after);
        parameters.use_authority_key_identifier_extension = true;
        let certificate = parameters
            .signed_by(&key, &self.issuer)
            .expect("an intermediate made of checked parts can be signed")
            .der()
            .clone();
        let mut above = vec![certificate.clone()];
        above.extend_from_slice(&self.above);
        Authority {
            keys: self.keys,
            key_seed,
            issuer: Issuer::new(parameters, key),
            certificate,
            root: self.root.clone(),
            above,
        }
    }

    /// Signs a certificate for a server.
    pub fn issue(&self, request: LeafRequest) -> Result<CertifiedKey, PkiError> {
        let leaf = Leaf::prepare(self.keys, &self.key_seed, &request)?;
        let certificate = leaf.parameters.signed_by(&leaf.key, &self.issuer).map_err(PkiError::of)?;
        let mut chain = vec![certificate.der().clone()];
        chain.extend(request.stray.clone());
        if !request.without_intermediates {
            chain.extend_from_slice(&self.above);
        }
        Ok(CertifiedKey { chain, key: leaf.key.serialize_der(), staple: None })
    }

    /// This authority's own certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The root this authority leads to (itself, if it is one): what clients put into their trust store.
    pub fn root_der(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// [`Authority::root_der`] in PEM, as `curl --cacert` wants it.
    pub fn root_pem(&self) -> String {
        pem("CERTIFICATE", &self.root)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What a server's certificate shall say.
#[derive(Clone, Debug, Default)]
pub struct LeafRequest {
    /// Names and addresses it is for (subject alternative names). `*.shop.lab` is a wildcard.
    pub names: Vec<String>,
    /// Start of validity: time since the Unix epoch.
    pub not_before: Duration,
    /// End of validity: time since the Unix epoch.
    pub not_after: Duration,
    /// Leave the intermediate certificates out of the chain, a common mistake: browsers repair it, others fail.
    pub without_intermediates: bool,
    /// It is meant for clients that show who they are, not for servers (RFC 5280 4.2.1.12).
    pub for_clients: bool,
    /// It says that the server shows an answer about its revocation (RFC 7633).
    pub must_staple: bool,
    /// Sent between the leaf and its issuer, where it does not belong (RFC 8446 4.4.2).
    pub stray: Option<CertificateDer<'static>>,
}

/// A certificate signed by its own key: what a device shows whose owner never bought one.
pub fn self_signed(seed: u64, request: LeafRequest) -> Result<CertifiedKey, PkiError> {
    self_signed_with(Keys::Seeded(seed), request)
}

/// The same, with keys of either kind.
pub fn self_signed_with(keys: Keys, request: LeafRequest) -> Result<CertifiedKey, PkiError> {
    let key_seed = derive(&[b"self-signed", &keys.seed()]);
    let leaf = Leaf::prepare(keys, &key_seed, &request)?;
    let certificate = leaf.parameters.self_signed(&leaf.key).map_err(PkiError::of)?;
    Ok(CertifiedKey { chain: vec![certificate.der().clone()], key: leaf.key.serialize_der(), staple: None })
}

/// A certificate chain, leaf first and without the root, and the leaf's private key.
#[derive(Clone)]
pub struct CertifiedKey {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
    staple: Option<Vec<u8>>,
}

impl CertifiedKey {
    /// Leaf first, as a server sends it.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The same with what an authority says of its revocation, to be shown along.
    #[must_use]
    pub fn stapled(mut self, staple: Option<Vec<u8>>) -> CertifiedKey {
        self.staple = staple;
        self
    }

    /// What is shown about its revocation, DER (RFC 6960).
    pub fn staple(&self) -> Option<&[u8]> {
        self.staple.as_deref()
    }

    /// The private key (PKCS #8, RFC 5958).
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    /// The chain in PEM, for programs that read files.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect()
    }

    /// The private key in PEM.
    pub fn key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key)
    }
}

impl fmt::Debug for CertifiedKey {
    /// Leaves the key out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertifiedKey").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

/// A certificate could not be made; the text completes "failed to issue a certificate:".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PkiError(String);

impl PkiError {
    fn of(error: rcgen::Error) -> PkiError {
        PkiError(error.to_string())
    }
}

impl fmt::Display for PkiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PkiError {}

/// A leaf that only lacks its signature.
struct Leaf {
    parameters: CertificateParams,
    key: KeyPair,
}

impl Leaf {
    fn prepare(keys: Keys, signer_seed: &[u8; 32], request: &LeafRequest) -> Result<Leaf, PkiError> {
        let LeafRequest {
            names,
            not_before,
            not_after,
            without_intermediates: _,
            for_clients,
            must_staple,
            stray: _,
        } = request;
        let Some(common_name) = names.first() else {
            return Err(PkiError("a certificate needs at least one name".to_owned()));
        };
        let joined = names.join("\n");
        let (key, key_seed) = keys.make(&[b"leaf", signer_seed, joined.as_bytes()]);
        let mut parameters = CertificateParams::new(names.clone()).map_err(PkiError::of)?;
        parameters.distinguished_name = subject(common_name);
        set_validity(&mut parameters, *not_before, *not_after);
        parameters.serial_number = Some(serial(&[
            &key_seed,
            &not_before.as_secs().to_be_bytes(),
            &not_after.as_secs().to_be_bytes(),
        ]));
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![match for_clients {
            true => ExtendedKeyUsagePurpose::ClientAuth,
            false => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        parameters.use_authority_key_identifier_extension = true;
        if *must_staple {
            // A list of one feature, status_request (5).
            let feature = rcgen::CustomExtension::from_oid_content(
                &[1, 3, 6, 1, 5, 5, 7, 1, 24],
                vec![0x30, 3, 2, 1, 5],
            );
            parameters.custom_extensions.push(feature);
        }
        Ok(Leaf { parameters, key })
    }
}

fn authority_parameters(
    name: &str,
    key_seed: &[u8; 32],
    not_before: Duration,
    not_after: Duration,
) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = subject(name);
    set_validity(&mut parameters, not_before, not_after);
    parameters.serial_number = Some(serial(&[key_seed]));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    parameters
}

fn subject(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Throughline lab");
    name.push(DnType::CommonName, common_name);
    name
}

/// The start of an Ed25519 key in PKCS #8 version 1 (RFC 8410 section 7); the 32 bytes of the seed follow.
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

fn key_pair(seed: &[u8; 32]) -> KeyPair {
    let pkcs8 = [&ED25519_PKCS8[..], seed].concat();
    KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8)).expect("every 32 bytes are an Ed25519 private key")
}

/// RFC 5280 4.1.2.2: positive, at most 20 bytes, unique per issuer.
fn serial(parts: &[&[u8]]) -> SerialNumber {
    let mut bytes = derive(parts);
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes[..16])
}

/// SHA-256 over parts that each state their length, so that no two lists of parts read alike.
fn derive(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(b"throughline pki 1");
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().try_into().expect("SHA-256 is 32 bytes")
}

/// The last second a certificate can name (RFC 5280 4.1.2.5: 99991231235959Z).
const LAST_DATE: Duration = Duration::from_secs(253_402_300_799);

fn set_validity(parameters: &mut CertificateParams, not_before: Duration, not_after: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let whole_seconds = |since_epoch: Duration| Duration::from_secs(since_epoch.min(LAST_DATE).as_secs());
    parameters.not_before = epoch + whole_seconds(not_before);
    parameters.not_after = epoch + whole_seconds(not_after);
}

/// RFC 7468: base64 in lines of 64 between two markers.
fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    // 48 bytes make the 64 digits of a line.
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let bits =
                group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            for digit in 0..4 {
                let padding = digit > group.len();
                let index = (bits >> (18 - 6 * digit) & 0x3f) as usize;
                text.push(if padding { '=' } else { char::from(DIGITS[index]) });
            }
        }
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}
