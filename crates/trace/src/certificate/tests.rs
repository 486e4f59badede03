use proptest::prelude::*;

use super::*;

/// A certificate with all that is looked at.
fn sample() -> Vec<u8> {
    let mut request =
        rcgen::CertificateParams::new(vec!["www.shop.lab".into(), "*.shop.lab".into(), "192.0.2.80".into()])
            .expect("legal names");
    request.not_before = rcgen::date_time_ymd(2026, 1, 2);
    request.not_after = rcgen::date_time_ymd(2026, 3, 4);
    request.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    request.custom_extensions.push(rcgen::CustomExtension::from_oid_content(
        &[1, 3, 6, 1, 5, 5, 7, 1, 24],
        vec![0x30, 3, 2, 1, 5],
    ));
    let key = rcgen::KeyPair::generate().expect("a key");
    request.self_signed(&key).expect("it can be signed").der().to_vec()
}

#[test]
fn a_certificate_says_what_it_says() {
    let read = Certificate::read(&sample()).expect("a certificate");
    assert_eq!(read.names, ["www.shop.lab", "*.shop.lab", "192.0.2.80"]);
    assert_eq!((read.not_before, read.not_after), (1_767_312_000, 1_772_582_400));
    assert!(read.is_self_signed() && read.must_staple && read.not_for_servers && !read.is_authority);
    assert_eq!((read.rsa_bits, read.names_issuer), (None, false));
    let Value::Map(map) = read.value() else { panic!("a map") };
    assert_eq!(map["not_after"], Value::Text("2026-03-04T00:00:00Z".into()));
    assert_eq!(map["must_staple"], Value::Bool(true));
}

#[test]
fn a_star_stands_for_one_label() {
    let read = Certificate::read(&sample()).expect("a certificate");
    for (name, expected) in [
        ("WWW.shop.lab.", true),
        ("any.shop.lab", true),
        ("a.b.shop.lab", false),
        ("shop.lab", false),
        ("192.0.2.80", true),
    ] {
        assert_eq!(read.is_for(name), expected, "{name}");
    }
}

#[test]
fn what_is_no_certificate_is_shown_by_its_length() {
    let whole = sample();
    for cut in 0..whole.len() {
        assert_eq!(Certificate::read(&whole[..cut]), None, "{cut}");
    }
    let Value::List(list) = chain_value([&whole[..7], &whole]) else { panic!("a list") };
    let Value::Map(first) = &list[0] else { panic!("a map") };
    assert_eq!(first["subject"], Value::Text("7 bytes that are no certificate".into()));
    assert_eq!(list.len(), 2);
}

#[test]
fn long_texts_are_cut_between_letters() {
    assert_eq!(shortened("a".repeat(512)), "a".repeat(512));
    let cut = shortened("ä".repeat(300) + "x");
    assert_eq!(cut, "ä".repeat(256) + "…");
    assert_eq!(date_text(i64::MAX), "second 9223372036854775807");
}

proptest! {
    #[test]
    fn a_changed_certificate_is_read_or_refused(at in 0_usize..600, octet: u8) {
        let mut bytes = sample();
        if let Some(place) = bytes.get_mut(at) {
            *place = octet;
        }
        let _ = chain_value([&bytes[..]]);
    }
}
