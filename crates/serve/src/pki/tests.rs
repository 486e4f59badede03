use super::*;

const DAY: Duration = Duration::from_secs(86_400);
const NEW_YEAR_2026: Duration = Duration::from_secs(1_767_225_600);

fn root(seed: u64) -> Authority {
    Authority::new("Lab Root", seed, NEW_YEAR_2026, NEW_YEAR_2026 + 3650 * DAY)
}

fn shop() -> LeafRequest {
    LeafRequest {
        names: vec!["www.shop.lab".to_owned(), "192.0.2.7".to_owned()],
        not_before: NEW_YEAR_2026,
        not_after: NEW_YEAR_2026 + 90 * DAY,
        ..LeafRequest::default()
    }
}

/// The DER contains these bytes somewhere.
fn contains(der: &[u8], bytes: &[u8]) -> bool {
    der.windows(bytes.len()).any(|window| window == bytes)
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let make = |seed| {
        let root = root(seed);
        let below = root.intermediate("Lab Issuing", NEW_YEAR_2026, NEW_YEAR_2026 + 365 * DAY);
        let leaf = below.issue(shop()).unwrap();
        (root.root_pem(), leaf.chain_pem(), leaf.key_pem())
    };
    assert_eq!(make(1), make(1));
    let (one, two) = (make(1), make(2));
    assert_ne!(one.0, two.0);
    assert_ne!(one.1, two.1);
    assert_ne!(one.2, two.2);
}

#[test]
fn a_leaf_says_what_was_asked() {
    let leaf = root(1).issue(shop()).unwrap();
    assert_eq!(leaf.chain().len(), 1);
    let der = &leaf.chain()[0];
    assert!(contains(der, b"www.shop.lab"));
    assert!(contains(der, &[192, 0, 2, 7]));
    assert!(contains(der, b"260101000000Z"), "the start of validity");
    assert!(contains(der, b"260401000000Z"), "the end of validity");
}

#[test]
fn an_intermediate_travels_with_the_leaf_unless_forgotten() {
    let below = root(1).intermediate("Lab Issuing", NEW_YEAR_2026, NEW_YEAR_2026 + 365 * DAY);
    let whole = below.issue(shop()).unwrap();
    assert_eq!(whole.chain().len(), 2);
    assert_eq!(&whole.chain()[1], below.certificate());
    let forgotten = below.issue(LeafRequest { without_intermediates: true, ..shop() }).unwrap();
    assert_eq!(forgotten.chain().len(), 1);
    assert_ne!(below.certificate(), below.root_der());
    assert_eq!(below.root_der(), root(1).root_der());
}

#[test]
fn no_name_and_an_impossible_name_are_errors() {
    let none = LeafRequest { names: Vec::new(), ..shop() };
    assert!(root(1).issue(none).is_err());
    let odd = LeafRequest { names: vec!["büro.lab".to_owned()], ..shop() };
    assert!(root(1).issue(odd).is_err());
}

#[test]
fn a_date_beyond_the_format_is_cut_to_the_last_one() {
    let eternal = LeafRequest { not_after: Duration::MAX, ..shop() };
    let leaf = root(1).issue(eternal).unwrap();
    assert!(contains(&leaf.chain()[0], b"99991231235959Z"));
}

#[test]
fn pem_is_base64_in_lines_of_64() {
    assert_eq!(pem("X", b"f"), "-----BEGIN X-----\nZg==\n-----END X-----\n");
    assert_eq!(pem("X", b"fo"), "-----BEGIN X-----\nZm8=\n-----END X-----\n");
    assert_eq!(pem("X", b"foo"), "-----BEGIN X-----\nZm9v\n-----END X-----\n");
    let long = pem("X", &[0xff; 49]);
    assert_eq!(long.lines().nth(1), Some("/".repeat(64).as_str()));
    assert_eq!(long.lines().nth(2), Some("/w=="));
}

#[test]
fn a_self_signed_certificate_is_its_own_issuer() {
    let leaf = self_signed(1, shop()).unwrap();
    assert_eq!(leaf.chain().len(), 1);
    assert_ne!(leaf.chain()[0], root(1).issue(shop()).unwrap().chain()[0]);
}

/// What a browser asks of a certificate: no key of Ed25519 anywhere in the chain (its OID is 1.3.101.112), and each
/// run its own.
#[test]
fn fresh_keys_are_of_p256_and_different_each_time() {
    let make = || {
        let root = Authority::with_keys("Lab Root", Keys::Fresh, NEW_YEAR_2026, NEW_YEAR_2026 + 3650 * DAY);
        let below = root.intermediate("Lab Issuing", NEW_YEAR_2026, NEW_YEAR_2026 + 365 * DAY);
        let leaf = below.issue(shop()).unwrap();
        (root, leaf)
    };
    let ((root, leaf), (other, _)) = (make(), make());
    assert_ne!(root.root_der(), other.root_der());
    const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    for certificate in leaf.chain().iter().chain([root.root_der()]) {
        assert!(contains(certificate, &P256) && !contains(certificate, &[0x06, 0x03, 0x2b, 0x65, 0x70]));
    }
    let self_signed = self_signed_with(Keys::Fresh, shop()).unwrap();
    assert!(contains(&self_signed.chain()[0], &P256));
}
