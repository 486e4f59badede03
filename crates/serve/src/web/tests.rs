//! The server's own rules; its answers on the wire are tested from the probe's side, where there is a client.

use std::time::Duration;

use super::*;
use crate::pki::{Authority, LeafRequest};

mod peers;

pub(super) fn certificate(name: &str) -> CertifiedKey {
    let year = Duration::from_secs(365 * 86_400);
    Authority::new("Lab Root", 1, 50 * year, 90 * year)
        .issue(LeafRequest {
            names: vec![name.to_owned()],
            not_before: 55 * year,
            not_after: 60 * year,
            ..LeafRequest::default()
        })
        .unwrap()
}

#[test]
fn names_match_exactly_or_by_one_label() {
    let mut site = Site::plain("www.shop.lab");
    site.names.push("*.cdn.lab".to_owned());
    assert!(site.answers_to("www.shop.lab"));
    assert!(site.answers_to("WWW.Shop.LAB"));
    assert!(site.answers_to("a.cdn.lab"));
    assert!(!site.answers_to("cdn.lab"));
    assert!(!site.answers_to("a.b.cdn.lab"));
    assert!(!site.answers_to("shop.lab"));
}

#[tokio::test]
async fn a_server_without_sites_says_so() {
    let error = Server::bind(&Network::host(), Options::default(), Vec::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "serve: there is no site");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let localhost = IpAddr::from([127, 0, 0, 1]);
    let network = Network::host();
    let holder = network.listen_tcp(SocketAddr::new(localhost, 0), 1).await.unwrap();
    let port = holder.local_addr().port();
    let options = Options {
        addresses: vec![localhost],
        plain_port: Some(port),
        secure_port: None,
        ..Options::default()
    };
    let error = Server::bind(&network, options, vec![Site::plain("a.lab")]).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("listen on 127.0.0.1:{port}: ")), "{error}");
}
