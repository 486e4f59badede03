//! A certificate and the private key that belongs to it.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

/// A chain, leaf first, and the leaf's private key, out of two PEM texts. The error says in a sentence without its end
/// what of them cannot be used, or that they do not belong together.
pub fn certified_pem(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.map_err(|error| format!("the certificate cannot be read: {error}"))?;
    if chain.is_empty() {
        return Err("there is no certificate in the file".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| format!("the private key cannot be read: {error}"))?;
    certified(chain, key)
}

/// The same out of DER.
pub fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, String> {
    let provider = rustls::crypto::ring::default_provider();
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| format!("the private key cannot be used: {error}"))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(Error::InconsistentKeys(_)) => {
            Err("the private key is not the one that the certificate was made for".to_owned())
        }
        Err(error) => Err(format!("the certificate cannot be used: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> (String, String) {
        let made =
            rcgen::generate_simple_self_signed(vec!["www.shop.lab".to_owned()]).expect("it can be made");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_key_is_taken_with_its_own_certificate_only() {
        let ((chain, key), (other, _)) = (made(), made());
        assert!(certified_pem(chain.as_bytes(), key.as_bytes()).is_ok());
        let said = |chain: &str, key: &str| {
            certified_pem(chain.as_bytes(), key.as_bytes()).expect_err("it cannot be used")
        };
        assert_eq!(said(&other, &key), "the private key is not the one that the certificate was made for");
        assert_eq!(said(&key, &key), "there is no certificate in the file");
        assert!(said(&chain, &chain).starts_with("the private key cannot be read: "));
        let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(said(nonsense, &key).starts_with("the certificate cannot be used: "));
        let nonsense = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(said(&chain, nonsense).starts_with("the private key cannot be used: "));
    }
}
