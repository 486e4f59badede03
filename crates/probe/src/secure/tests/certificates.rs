//! Each way for a certificate to be bad, and the word it gets, over TCP and over QUIC.

use super::*;
use crate::secure::quic::QuicOptions;

/// Shows `certificate` as the shop's; the words over TCP and QUIC must be `expected`, the chain must be kept.
async fn check(place: &Place, certificate: thru_serve::pki::CertifiedKey, expected: &str, says: &str) {
    let certificates = certificate.chain().len();
    let server = place.serve(vec![Site::new(SHOP, certificate)]).await;
    for over_quic in [false, true] {
        let visitor = place.visitor();
        let failure = if over_quic {
            let options = QuicOptions::default();
            let quic =
                visitor.tls.connect_quic(&visitor.recorder, None, SHOP, server.secure(), options).await;
            quic.expect_err("the certificate is bad")
        } else {
            let stream = visitor.dial(server.secure()).await;
            let secured = visitor.tls.secure(&visitor.recorder, None, SHOP, &["h2"], stream).await;
            secured.expect_err("the certificate is bad")
        };
        assert_eq!(failure.code, expected, "{failure}");
        assert!(failure.text.contains(says), "{failure}");
        assert_eq!(visitor.recorder.code(failure.span).as_deref(), Some(expected));
        let Some(Value::List(chain)) = visitor.value("handshake", "tls.chain") else { panic!("no chain") };
        assert_eq!(chain.len(), certificates);
    }
}

async fn bad_certificates(place: Place) {
    let root = place.authority();
    let good = place.leaf(SHOP);
    let now = place.server.unix_time();
    let issue = |request: LeafRequest| root.issue(request).unwrap();

    let expired = LeafRequest { not_after: now.saturating_sub(DAY), ..good.clone() };
    check(&place, issue(expired), "tls.certificate_expired", "the certificate expired on ").await;
    let early = LeafRequest { not_before: now + DAY, ..good.clone() };
    check(&place, issue(early), "tls.certificate_not_yet_valid", "the certificate is valid from ").await;
    let other =
        LeafRequest { names: vec!["other.lab".to_owned(), "www.other.lab".to_owned()], ..good.clone() };
    let says = "is for other.lab, www.other.lab, not for www.shop.lab";
    check(&place, issue(other), "tls.wrong_name", says).await;
    let stranger = Authority::new("Stranger", 2, now.saturating_sub(DAY), now + DAY);
    check(&place, stranger.issue(good.clone()).unwrap(), "tls.unknown_ca", "CN=Stranger").await;
    let by_itself = self_signed(3, good.clone()).unwrap();
    check(&place, by_itself, "tls.self_signed", "signed by itself").await;

    let issuing = root.intermediate("Lab Issuing", now.saturating_sub(100 * DAY), now + DAY);
    let incomplete = LeafRequest { without_intermediates: true, ..good.clone() };
    check(&place, issuing.issue(incomplete).unwrap(), "tls.unknown_ca", "CN=Lab Issuing").await;
    let outdated = root.intermediate("Lab Issuing", now.saturating_sub(100 * DAY), now.saturating_sub(DAY));
    let says = "intermediate certificate \"O=Throughline lab, CN=Lab Issuing\" expired on";
    check(&place, outdated.issue(good).unwrap(), "tls.certificate_expired", says).await;
}

#[test]
fn bad_certificates_on_the_host() {
    on_host(bad_certificates);
}

#[test]
fn bad_certificates_in_a_lab() {
    in_lab(bad_certificates);
}

#[test]
fn good_chains_are_good() {
    on_host(async |place| {
        let now = place.server.unix_time();
        let issuing = place.authority().intermediate("Lab Issuing", now.saturating_sub(DAY), now + DAY);
        let visitor = place.visitor();
        let site = Site::new(SHOP, issuing.issue(place.leaf(SHOP)).unwrap());
        handshake(&place, &visitor, site).await.unwrap();
        let Some(Value::List(chain)) = visitor.value("handshake", "tls.chain") else { panic!("no chain") };
        assert_eq!(chain.len(), 2);
        handshake(&place, &visitor, Site::new(SHOP, place.certificate("*.shop.lab"))).await.unwrap();
    });
}

#[test]
fn an_address_can_be_certified_too() {
    on_host(async |place| {
        let site = Site::new("127.0.0.1", place.certificate("127.0.0.1"));
        let server = place.serve(vec![site]).await;
        let visitor = place.visitor();
        let stream = visitor.dial(server.secure()).await;
        visitor.tls.secure(&visitor.recorder, None, "127.0.0.1", &["h2"], stream).await.unwrap();
        assert_eq!(visitor.value("handshake", "tls.sni"), None);
    });
}

#[test]
fn who_trusts_nobody_finds_everyone_unknown() {
    on_host(async |place| {
        let visitor = place.visitor_who(TlsOptions::default());
        let failure = handshake(&place, &visitor, place.shop()).await.unwrap_err();
        assert_eq!(failure.code, "tls.unknown_ca");
    });
}

#[test]
fn showing_a_certificate_never_fails() {
    let place = Place::host();
    let certificate = place.certificate(SHOP);
    let der = &certificate.chain()[0];
    for cut in 0..der.len() {
        let Value::List(list) = chain::describe(&[CertificateDer::from(&der[..cut])]) else {
            panic!("no list")
        };
        assert_eq!(list.len(), 1);
    }
    for index in 0..der.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut broken = der.to_vec();
            broken[index] ^= flip;
            let chain = [CertificateDer::from(broken)];
            chain::describe(&chain);
            let name = server_name(SHOP).unwrap();
            chain::judge(&rustls::CertificateError::UnknownIssuer, &chain, &name, Duration::MAX);
            chain::judge(&rustls::CertificateError::NotValidForName, &chain, &name, Duration::ZERO);
        }
    }
}
