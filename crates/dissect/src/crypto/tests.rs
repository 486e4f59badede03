use super::*;
use proptest::prelude::*;

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
    assert!(
        Key::derive(Suite::of(0xC013).unwrap(), &Secret::new(&[7; 32]).unwrap(), "").is_none(),
        "no AEAD"
    );
    assert!(Suite::of(0x000A).is_none(), "no 3DES");
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

#[test]
fn aes_gives_the_vectors_of_fips_197() {
    let plain = bytes("00112233445566778899aabbccddeeff");
    let plain: [u8; 16] = plain.try_into().unwrap();
    for (key, sealed) in [
        ("000102030405060708090a0b0c0d0e0f", "69c4e0d86a7b0430d8cdb78070b4c55a"),
        (
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "8ea2b7ca516745bfeafc49904b496089",
        ),
    ] {
        let aes = Aes::new(&bytes(key)).unwrap();
        assert_eq!(aes.seal(plain).to_vec(), bytes(sealed));
        assert_eq!(aes.open(aes.seal(plain)), plain);
    }
    assert!(Aes::new(&[0; 24]).is_none());
}

#[test]
fn chained_blocks_are_those_of_sp_800_38a() {
    // F.2.2, the first two blocks.
    let aes = Aes::new(&bytes("2b7e151628aed2a6abf7158809cf4f3c")).unwrap();
    let iv = bytes("000102030405060708090a0b0c0d0e0f").try_into().unwrap();
    let sealed = bytes("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2");
    let plain = bytes("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
    assert_eq!(aes.open_chained(iv, sealed.as_chunks().0), plain);
}

#[test]
fn counters_with_a_mac_are_those_of_sp_800_38c() {
    // Example 3: a nonce of twelve bytes, a tag of eight.
    let aes = Aes::new(&bytes("404142434445464748494a4b4c4d4e4f")).unwrap();
    let nonce = bytes("101112131415161718191a1b").try_into().unwrap();
    let aad = bytes("000102030405060708090a0b0c0d0e0f10111213");
    let mut sealed = bytes("e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951");
    let plain = bytes("202122232425262728292a2b2c2d2e2f3031323334353637");
    assert_eq!(aes.open_counted(nonce, &aad, &sealed, 8).unwrap(), plain);
    sealed[3] ^= 1;
    assert!(aes.open_counted(nonce, &aad, &sealed, 8).is_none());
    assert!(aes.open_counted(nonce, &aad, &sealed[..7], 8).is_none());
}

#[test]
fn md5_gives_the_vectors_of_rfc_1321_and_2202() {
    assert_eq!(md5::md5(&[b""]).to_vec(), bytes("d41d8cd98f00b204e9800998ecf8427e"));
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    assert_eq!(md5::md5(&[letters]).to_vec(), bytes("d174ab98d277d9f5a5611c2c9f419d9f"));
    assert_eq!(
        md5::hmac_md5(b"Jefe", &[b"what do ya want ", b"for nothing?"]).to_vec(),
        bytes("750c783e6ab0b503eaa86e310a5db738")
    );
    assert_eq!(
        md5::hmac_md5(&[0xAA; 80], &[b"Test Using Larger Than Block-Size Key - Hash Key First"]).to_vec(),
        bytes("6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd")
    );
}

proptest! {
    #[test]
    fn blocks_are_those_of_ring(key: [u8; 16], long: [u8; 32], block: [u8; 16]) {
        // QUIC's header protection shows the first five bytes of a sealed block.
        for (key, algorithm) in [(&key[..], &ring::aead::quic::AES_128), (&long[..], &ring::aead::quic::AES_256)] {
            let aes = Aes::new(key).unwrap();
            let mask = HeaderProtectionKey::new(algorithm, key).unwrap().new_mask(&block).unwrap();
            prop_assert_eq!(&aes.seal(block)[..5], &mask[..]);
            prop_assert_eq!(aes.open(aes.seal(block)), block);
        }
    }
}
