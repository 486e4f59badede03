//! A root and what it signs, for servers and clients of a scene.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::place::{FAR, Place};

/// Paths of PEM files.
pub(crate) struct Certificates {
    pub(crate) root: String,
    pub(crate) server: String,
    pub(crate) server_key: String,
    pub(crate) client: String,
    pub(crate) client_key: String,
}

/// Makes them, for the far host and `www.example`.
pub(crate) fn certificates(place: &Place) -> Certificates {
    let made = "certificates can be made";
    let mut params = CertificateParams::new(Vec::new()).expect(made);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "Root of this scene");
    params.distinguished_name.push(DnType::OrganizationName, "Examples");
    let root_key = KeyPair::generate().expect(made);
    let root = params.self_signed(&root_key).expect(made);
    let issuer = Issuer::new(params, root_key);
    let leaf = |name: &str, names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect(made);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect(made);
        let certificate = params.signed_by(&key, &issuer).expect(made);
        (certificate.pem(), key.serialize_pem())
    };
    let server = leaf("www.example", &["www.example", "localhost", FAR[0], FAR[1]]);
    let client = leaf("A client", &["client.example"]);
    let file = |name: &str, text: String| place.file(name, text).to_str().expect("a plain path").to_owned();
    Certificates {
        root: file("root.pem", root.pem()),
        server: file("server.pem", server.0),
        server_key: file("server.key", server.1),
        client: file("client.pem", client.0),
        client_key: file("client.key", client.1),
    }
}
