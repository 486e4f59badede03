use super::verify;

fn octets(text: &str) -> Vec<u8> {
    crate::rdata::hex(text).expect("hexadecimal")
}

/// Key, message, signature: made by OpenSSL.
const SIGNED: [(&str, &str, &str); 2] = [
    (
        "18d0a70e42a742dfb561279893385061d7b4dad8f6feed4791eaab66b2f4a4f02fc09462a8bfb1842d0bac60e8a1b3e55ba2407f33226f3800",
        "",
        "cb682b115cf0f0b0cf2a068acba2d0495714f2a50832739af364191c611f6983890ee133a4bf75ed2d09adc5d70f6d256b0806f3224b35d7802748b7cf55f5e9583df9f8c85db809f4877191c99ed0670ad62f54d63d7d35fddfd85efbad63554ff3ce9b847607b2f79181020880f13c1b00",
    ),
    (
        "ad0692223bdadb268277bce67d1fe86555acf1535275f07126f5d3485dab4d6af0b7ac976c6d8d60a0d38676ba19969aabd6a793a92b9d7400",
        "6f6e65206f63746574206d6f7265",
        "63a6aee93278bd31325c82eb0ef86299d8cf28f3c8562fb929d6b775b658229bab49be0dcebfba2f108aefef500f567c6192f273d1b55cd980ea088d874d8c85edae7d419552520fd911c020a34abdce82ecf5a6f28db312d92004bda2ced0512c9fce220d6d417ea40f72cc79b635281a00",
    ),
];

#[test]
fn good_signatures_hold_and_changed_ones_do_not() {
    for (key, message, signature) in SIGNED {
        let (key, message, signature) = (octets(key), octets(message), octets(signature));
        assert!(verify(&key, &message, &signature), "as it was signed");
        for at in [0, 28, 56, 57, 90, 113] {
            let mut other = signature.clone();
            other[at] ^= 1;
            assert!(!verify(&key, &message, &other), "octet {at} of the signature");
        }
        let mut other = key.clone();
        other[3] ^= 4;
        assert!(!verify(&other, &message, &signature), "another key");
        assert!(!verify(&key, b"another message", &signature));
        for cut in 0..signature.len() {
            assert!(!verify(&key, &message, &signature[..cut]), "{cut} octets");
        }
    }
}

#[test]
fn a_second_form_of_a_signature_is_none() {
    let (key, message, signature) = (octets(SIGNED[0].0), Vec::new(), octets(SIGNED[0].2));
    // The order added to S: the same point, and not the signature (RFC 8032 section 5.2.7).
    let mut other = signature.clone();
    let mut carry = 0;
    for (octet, order) in other[57..].iter_mut().zip(super::ORDER.iter()) {
        let sum = u16::from(*octet) + u16::from(*order) + carry;
        *octet = sum as u8;
        carry = sum >> 8;
    }
    assert!(!verify(&key, &message, &other));
}
