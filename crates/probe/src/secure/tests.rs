use thru_serve::pki::{Authority, LeafRequest, self_signed};
use thru_serve::web::{Site, TlsVersions};
use thru_trace::{Layer, Outcome, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::testing::{DAY, Place, SHOP, Visitor, in_lab, on_host};

mod certificates;
mod peers;
mod sessions;

/// The word for a handshake over TCP with what `place` serves as the shop.
async fn handshake(place: &Place, visitor: &Visitor, site: Site) -> Result<SpanId, Failure> {
    let server = place.serve(vec![site]).await;
    let stream = visitor.dial(server.secure()).await;
    let secured = visitor.tls.secure(&visitor.recorder, None, SHOP, &["h2", "http/1.1"], stream).await?;
    Ok(secured.span)
}

#[test]
fn a_handshake_is_told_in_full() {
    on_host(async |place| {
        let visitor = place.visitor();
        let span = handshake(&place, &visitor, place.shop()).await.unwrap();
        let span = visitor.recorder.span(span).unwrap();
        assert_eq!((span.layer, span.what.as_str()), (Layer::Tls, "handshake"));
        assert_eq!(span.outcome, Outcome::Ok);
        let text = |key: &str| match &span.values[key] {
            Value::Text(text) => text.clone(),
            other => panic!("{key} is {other:?}"),
        };
        assert_eq!(text("tls.version"), "TLS 1.3");
        assert_eq!(text("tls.group"), "X25519");
        assert_eq!(text("tls.cipher"), "TLS_AES_256_GCM_SHA384");
        assert_eq!(text("tls.alpn"), "h2");
        assert_eq!(text("tls.sni"), SHOP);
        assert_eq!(span.values["tls.resumed"], Value::Bool(false));
        assert_eq!(span.values["tls.early_data"], Value::Bool(false));
        let Value::List(chain) = &span.values["tls.chain"] else { panic!("a chain is a list") };
        let Value::Map(leaf) = &chain[0] else { panic!("a certificate is a map") };
        assert_eq!(leaf["subject"], Value::Text(format!("O=Throughline lab, CN={SHOP}")));
        assert_eq!(leaf["issuer"], Value::Text("O=Throughline lab, CN=Lab Root".to_owned()));
        assert_eq!(leaf["sans"], Value::List(vec![Value::Text(SHOP.to_owned())]));
        let keys: Vec<String> =
            visitor.key_log.text().lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        assert!(keys.contains(&"CLIENT_TRAFFIC_SECRET_0".to_owned()), "{keys:?}");
        assert!(keys.contains(&"SERVER_HANDSHAKE_TRAFFIC_SECRET".to_owned()), "{keys:?}");
    });
}

#[test]
fn versions_meet_or_do_not() {
    on_host(async |place| {
        for (offer, spoken, expected) in [
            (Offer::Both, TlsVersions::Both, "TLS 1.3"),
            (Offer::Both, TlsVersions::Only12, "TLS 1.2"),
            (Offer::Only12, TlsVersions::Both, "TLS 1.2"),
            (Offer::Only13, TlsVersions::Only13, "TLS 1.3"),
            (Offer::Only12, TlsVersions::Only13, "tls.version"),
            (Offer::Only13, TlsVersions::Only12, "tls.version"),
            (Offer::Both, TlsVersions::Outdated, "tls.version"),
        ] {
            let mut trust = Trust::none();
            trust.add_pem(place.authority().root_pem().as_bytes()).unwrap();
            let visitor = place.visitor_who(TlsOptions { trust, versions: offer, ..TlsOptions::default() });
            let word = match handshake(&place, &visitor, Site { tls: spoken, ..place.shop() }).await {
                Ok(_) => visitor.text("handshake", "tls.version"),
                Err(failure) => failure.code,
            };
            assert_eq!(word, expected, "{offer:?} with {spoken:?}");
        }
    });
}

#[test]
fn alerts_have_their_registered_names() {
    use rustls::AlertDescription as Alert;
    for (alert, name) in [
        (Alert::HandshakeFailure, "handshake_failure"),
        (Alert::UnknownCA, "unknown_ca"),
        (Alert::UnrecognisedName, "unrecognized_name"),
        (Alert::NoApplicationProtocol, "no_application_protocol"),
        (Alert::BadRecordMac, "bad_record_mac"),
        (Alert::UnknownPSKIdentity, "unknown_psk_identity"),
        (Alert::Unknown(200), "unknown_200"),
    ] {
        assert_eq!(super::alert::name(alert), name);
    }
}

#[test]
fn a_name_no_certificate_could_have_is_refused_before_anything_is_sent() {
    on_host(async |place| {
        let server = place.serve(vec![place.shop()]).await;
        let visitor = place.visitor();
        let stream = visitor.dial(server.secure()).await;
        let failure =
            visitor.tls.secure(&visitor.recorder, None, "not a name", &[], stream).await.unwrap_err();
        assert_eq!(failure.code, "tls.wrong_name");
    });
}

/// What a server that says `answer` to the hello, and closes, is called.
async fn check_answer(answer: &'static [u8], expected: &str) {
    let place = Place::host();
    let server = place
        .serve_by_hand(move |mut stream| async move {
            let mut hello = [0; 4096];
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        })
        .await;
    let visitor = place.visitor();
    let stream = visitor.dial(server.secure()).await;
    let result = visitor.tls.secure(&visitor.recorder, None, SHOP, &["h2"], stream).await;
    let failure = result.expect_err("none of these is a handshake");
    assert_eq!(failure.code, expected, "{answer:?}: {failure}");
}

#[tokio::test]
async fn every_answer_that_is_no_handshake_has_its_word() {
    check_answer(b"", "tls.closed").await;
    check_answer(b"\x16", "tls.closed").await;
    check_answer(b"\x16\x03\x03\x40", "tls.closed").await;
    check_answer(b"HTTP/1.1 400 Bad Request\r\n\r\n", "tls.not_tls").await;
    check_answer(b"SSH-2.0-OpenSSH_9.2p1\r\n", "tls.not_tls").await;
    check_answer(b"220 mail.lab ESMTP\r\n", "tls.not_tls").await;
    check_answer(b"\0", "tls.not_tls").await;
    check_answer(b"\x15\x03\x03\0\x02\x02\x28", "tls.alert.handshake_failure").await;
    check_answer(b"\x15\x03\x01\0\x02\x02\x46", "tls.version").await;
    check_answer(b"\x15\x03\x03\0\x02\x02\x70", "tls.alert.unrecognized_name").await;
    check_answer(b"\x16\x03\x03\0\x04\x02\0\0\0", "tls.protocol").await;
    check_answer(b"\x16\x03\x03\xff\xff", "tls.protocol").await;
    check_answer(b"\x17\x03\x03\0\x05hello", "tls.protocol").await;
}

/// A hello's answer that never ends its record is only waited for as long as allowed.
#[test]
fn a_handshake_that_hangs_is_given_up() {
    in_lab(async |place| {
        let server = place
            .serve_by_hand(|mut stream| async move {
                let _ = stream.write_all(b"\x16\x03\x03\x10\0\x02").await;
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
            })
            .await;
        let visitor = place.visitor();
        let stream = visitor.dial(server.secure()).await;
        let failure = visitor.tls.secure(&visitor.recorder, None, SHOP, &[], stream).await.err().unwrap();
        assert_eq!(failure.code, "tls.timeout");
        assert!(failure.text.contains("6 bytes"), "{failure}");
        assert_eq!(visitor.value("handshake", "tls.bytes_received"), Some(Value::Int(6)));
        let span = visitor.last("handshake");
        assert_eq!(span.end - span.start, 10_000_000_000, "to the nanosecond");
    });
}
