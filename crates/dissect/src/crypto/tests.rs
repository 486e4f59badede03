use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn initial_secrets_are_those_of_rfc_9001() {
    // RFC 9001 A.1.
    let salt = bytes("38762cf7f55934b34d179ae6a4c80cadccbb7f0a");
    let client = extract(&salt, &bytes("8394c8f03e515708"), b"client in").unwrap();
    assert_eq!(client.bytes(), bytes("c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea"));
    let mut key = [0; 16];
    expand(Hash::Sha256, &client, b"quic key", &mut key).unwrap();
    assert_eq!(key.to_vec(), bytes("1f369613dd76d5467730efcbe3b1a22d"));
}

#[test]
fn a_secret_of_the_wrong_length_opens_nothing() {
    let suite = Suite::of(0x1302).unwrap();
    assert!(Key::derive(suite, &Secret::new(&[7; 32]).unwrap(), "").is_none());
    assert!(Key::derive(suite, &Secret::new(&[7; 48]).unwrap(), "").is_some());
    assert!(Secret::new(&[7; 49]).is_none());
    assert!(Suite::of(0xC013).is_none(), "no CBC");
}

#[test]
fn the_prf_of_tls_1_2_gives_the_published_vector() {
    // "Test vectors for TLS 1.2 PRF" with SHA-256, as the IETF's TLS list has them since 2009.
    let mut out = [0; 100];
    prf(
        Hash::Sha256,
        &bytes("9bbe436ba940f017b17652849a71db35"),
        b"test label",
        [&bytes("a0ba9f936cda3118"), &bytes("27a6f796ffd5198c")],
        &mut out,
    );
    assert_eq!(out[..16].to_vec(), bytes("e3f229ba727be17b8d122620557cd453"));
    assert_eq!(out[84..].to_vec(), bytes("22ee42c5a72e5a5110fff70187347b66"));
}
