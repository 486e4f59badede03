//! Sessions: resumed over TCP, resumed with early data over QUIC, and refused.

use super::*;
use crate::secure::quic::QuicOptions;

#[test]
fn a_second_connection_resumes_the_session() {
    on_host(async |place| {
        for (spoken, alpn) in
            [(TlsVersions::Only13, "h2"), (TlsVersions::Only12, "h2"), (TlsVersions::Both, "http/1.1")]
        {
            let server = place.serve(vec![Site { tls: spoken, ..place.shop() }]).await;
            let visitor = place.visitor();
            for resumed in [false, true] {
                let mut client = visitor.over_tls(server.secure(), SHOP, alpn).await.unwrap();
                assert_eq!(
                    visitor.value("handshake", "tls.resumed"),
                    Some(Value::Bool(resumed)),
                    "{spoken:?}"
                );
                visitor.get(&mut client, "/bytes/1").await.unwrap();
                client.close().await;
            }
            assert!(
                matches!(visitor.value("handshake", "tls.chain"), Some(Value::List(chain)) if chain.len() == 1)
            );
        }
    });
}

#[test]
fn a_fresh_client_has_no_sessions() {
    on_host(async |place| {
        let server = place.serve(vec![place.shop()]).await;
        let mut visitor = place.visitor();
        for _ in 0..2 {
            let mut client = visitor.over_tls(server.secure(), SHOP, "h2").await.unwrap();
            visitor.get(&mut client, "/bytes/1").await.unwrap();
            assert_eq!(visitor.value("handshake", "tls.resumed"), Some(Value::Bool(false)));
            visitor.tls = visitor.tls.fresh();
        }
    });
}

#[test]
fn quic_tells_what_tcp_tells() {
    on_host(async |place| {
        let server = place.serve(vec![place.shop()]).await;
        let visitor = place.visitor();
        let mut client = visitor.over_quic(server.secure(), SHOP, false).await.unwrap();
        visitor.get(&mut client, "/bytes/1").await.unwrap();
        assert_eq!(visitor.last("handshake").layer, Layer::Quic);
        for (key, value) in [
            ("tls.version", "TLS 1.3"),
            ("tls.group", "X25519"),
            ("tls.cipher", "TLS_AES_256_GCM_SHA384"),
            ("tls.alpn", "h3"),
            ("tls.sni", SHOP),
        ] {
            assert_eq!(visitor.text("handshake", key), value);
        }
        assert!(
            matches!(visitor.value("handshake", "tls.chain"), Some(Value::List(chain)) if chain.len() == 1)
        );
    });
}

async fn early_data_is_accepted(place: Place) {
    let server = place.serve(vec![place.shop()]).await;
    let visitor = place.visitor();
    for early in [false, true, true] {
        let mut client = visitor.over_quic(server.secure(), SHOP, true).await.unwrap();
        let answer = visitor.get(&mut client, "/bytes/9").await.unwrap();
        assert_eq!((answer.status, answer.bytes), (200, 9));
        assert_eq!(visitor.value("handshake", "tls.early_data"), Some(Value::Bool(early)));
        assert_eq!(visitor.value("handshake", "tls.resumed"), Some(Value::Bool(early)));
        client.close().await;
    }
}

#[test]
fn early_data_is_accepted_on_the_host() {
    on_host(early_data_is_accepted);
}

#[test]
fn early_data_is_accepted_in_a_lab() {
    in_lab(early_data_is_accepted);
}

/// A server that has forgotten the session refuses the early data; the request goes again by itself.
#[test]
fn refused_early_data_is_sent_again() {
    on_host(async |place| {
        let visitor = place.visitor();
        let first = place.serve(vec![place.shop()]).await;
        let mut client = visitor.over_quic(first.secure(), SHOP, true).await.unwrap();
        visitor.get(&mut client, "/bytes/1").await.unwrap();
        client.close().await;
        let second = place.serve(vec![place.shop()]).await;
        let mut client = visitor.over_quic(second.secure(), SHOP, true).await.unwrap();
        let answer = visitor.get(&mut client, "/bytes/9").await.unwrap();
        assert_eq!((answer.status, answer.bytes), (200, 9));
        assert_eq!(visitor.value("handshake", "tls.early_data"), Some(Value::Bool(false)));
        assert_eq!(visitor.value("handshake", "tls.resumed"), Some(Value::Bool(false)));
    });
}

#[test]
fn a_server_without_http3_is_told_apart() {
    on_host(async |place| {
        let mut site = place.shop();
        site.http.http3 = false;
        let server = place.serve(vec![site]).await;
        let visitor = place.visitor();
        let options = QuicOptions::default();
        let failure = visitor
            .tls
            .connect_quic(&visitor.recorder, None, SHOP, server.secure(), options)
            .await
            .unwrap_err();
        assert_eq!(failure.code, "quic.refused", "{failure}");
        assert_eq!(visitor.text("handshake", "icmp.kind"), "port unreachable");
    });
}
