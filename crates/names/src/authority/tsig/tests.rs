use proptest::prelude::*;

use super::*;
use crate::wire::{Header, Packet, Question};

const NOW: u64 = 1_780_272_000;

fn key(name: &str, algorithm: &str) -> Key {
    Key::new(name, algorithm, b"a secret that both know").expect("a key")
}

fn query() -> Vec<u8> {
    let name = parse_name("www.shop.lab").expect("a name");
    let questions = vec![Question::new(name, RecordType::A)];
    Packet { header: Header { id: 7, ..Header::default() }, questions, ..Packet::default() }
        .write(512)
        .expect("it fits")
}

#[test]
fn what_is_signed_is_known_on_the_other_side_and_so_are_the_answers() {
    for algorithm in ["hmac-sha1", "hmac-sha256", "hmac-sha384", "HMAC-SHA512"] {
        let (own, ring) = (Arc::new(key("One.Key", algorithm)), Keyring::new([key("one.key.", algorithm)]));
        let (signed, mut asker) = sign_query(&own, NOW, &query());
        let Checked::Signed(mut server, message) = ring.check(NOW + 200, &signed) else {
            panic!("{algorithm}")
        };
        assert_eq!(message, query(), "as it was before");
        for number in 0..3_u8 {
            let mut answer = query();
            answer[2] = 0x80;
            answer[3] = number;
            let room = server.room();
            let signed = server.sign(NOW + 200, &answer);
            assert_eq!(signed.len(), answer.len() + room);
            assert!(Packet::read(&signed).is_ok_and(|packet| packet.additionals.len() == 1));
            let mut changed = signed.clone();
            changed[3] ^= 1;
            assert_eq!(asker.clone().verify(NOW, &changed), Err(Error::BadSig), "answer {number}");
            assert_eq!(asker.clone().verify(NOW + 900, &signed), Err(Error::BadTime));
            assert_eq!(asker.verify(NOW + 200, &signed), Ok(answer), "answer {number}");
        }
        assert_eq!(asker.verify(NOW, &query()), Err(Error::BadSig), "one without a signature");
    }
}

/// The error in the TSIG record of a refusal.
fn error_of(reply: &[u8]) -> (u8, u16, usize, usize) {
    let record = Record::find(reply).expect("readable").expect("it is there");
    (reply[3] & 15, record.error, record.mac.len(), record.other.len())
}

#[test]
fn what_is_not_good_is_refused_by_its_code() {
    let own = Arc::new(key("one.key", "hmac-sha256"));
    let ring = Keyring::new([key("one.key", "hmac-sha256")]);
    let (signed, asker) = sign_query(&own, NOW, &query());
    let refused = |ring: &Keyring, now: u64, bytes: &[u8]| match ring.check(now, bytes) {
        Checked::Refused(why, reply) => (why, reply),
        other => panic!("{other:?}"),
    };
    let (why, reply) = refused(&Keyring::default(), NOW, &signed);
    assert_eq!((why, error_of(&reply)), (Error::BadKey, (9, 17, 0, 0)));
    let other = Keyring::new([key("one.key", "hmac-sha512")]);
    assert_eq!(refused(&other, NOW, &signed).0, Error::BadKey, "the name alone is not the key");
    let mut changed = signed.clone();
    changed[14] ^= 1;
    let (why, reply) = refused(&ring, NOW, &changed);
    assert_eq!((why, error_of(&reply)), (Error::BadSig, (9, 16, 0, 0)));
    // The times differ: signed, so that the asker learns ours; with its own time, so that it can verify that
    // (RFC 8945 section 5.2.3).
    let (why, reply) = refused(&ring, NOW + 301, &signed);
    assert_eq!((why, error_of(&reply)), (Error::BadTime, (9, 18, 32, 6)));
    assert!(asker.clone().verify(NOW, &reply).is_ok());
    let told = Record::find(&reply).expect("readable").expect("it is there").other;
    assert_eq!(told, (NOW + 301).to_be_bytes()[2..]);
    assert!(matches!(ring.check(NOW, &query()), Checked::Unsigned));
    // Another record behind it.
    let mut late = signed.clone();
    late[11] += 1;
    late.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    assert!(matches!(ring.check(NOW, &late), Checked::Malformed));
    // Twice.
    let (twice, _) = sign_query(&own, NOW, &signed);
    assert!(matches!(ring.check(NOW, &twice), Checked::Malformed));
}

#[test]
fn a_cut_code_proves_nothing() {
    let own = Arc::new(key("one.key", "hmac-sha256"));
    let ring = Keyring::new([key("one.key", "hmac-sha256")]);
    let (signed, _) = sign_query(&own, NOW, &query());
    let record = Record::find(&signed).expect("readable").expect("it is there");
    let cut = Record { mac: record.mac[..4].to_vec(), ..record };
    let Checked::Refused(why, _) = ring.check(NOW, &cut.appended(&query())) else { panic!("it is refused") };
    assert_eq!(why, Error::BadTrunc);
}

#[test]
fn keys_are_written_as_tools_write_them() {
    for good in ["one:c2VjcmV0", "hmac-sha512:one:c2VjcmV0"] {
        assert_eq!(Key::from_text(good).expect(good).name(), &parse_name("one").expect("a name"));
    }
    for (bad, why) in
        [("one", "[ALGORITHM:]NAME:SECRET"), ("one:%", "base64"), ("md5:one:c2Vj", "hmac-sha256")]
    {
        let said = Key::from_text(bad).expect_err(bad);
        assert!(said.contains(why), "{bad}: {said}");
    }
}

#[test]
fn keys_are_read_from_the_files_of_others() {
    let files = [
        "# a comment\nkey \"one.key.\" {\n\talgorithm hmac-sha512;\n\tsecret \"c2VjcmV0\";\n};\n",
        "key one.key { algorithm hmac-sha512; secret c2VjcmV0; };",
        "# hmac-sha512:one.key:c2VjcmV0\nkey:\n- id: one.key\n  algorithm: hmac-sha512\n  secret: c2VjcmV0\n",
        "hmac-sha512:One.Key:c2VjcmV0\n",
    ];
    for file in files {
        let found = Key::from_file(file).expect("a key");
        assert_eq!(found.name(), &parse_name("one.key").expect("a name"), "{file}");
        assert_eq!(found.algorithm, parse_name("hmac-sha512").expect("a name"), "{file}");
        let again = Keyring::new([Key::from_text("hmac-sha512:one.key:c2VjcmV0").expect("a key")]);
        let (signed, _) = sign_query(&Arc::new(found), NOW, &query());
        assert!(matches!(again.check(NOW, &signed), Checked::Signed(..)), "the same secret: {file}");
    }
    let wrong = [
        ("", "there is no key in it"),
        ("key one { algorithm hmac-sha256; };", "there is no `secret` in it"),
        ("key one { secret \"c2VjcmV0\"; };", "there is no `algorithm` in it"),
        ("key one { algorithm hmac-sha256; secret \"?\"; };", "the secret is not base64"),
        ("-----BEGIN", "a key is written as [ALGORITHM:]NAME:SECRET"),
    ];
    for (file, why) in wrong {
        assert_eq!(Key::from_file(file).expect_err("no key"), why, "{file}");
    }
}

#[test]
fn every_truncation_is_taken_without_harm() {
    let (signed, asker) = sign_query(&Arc::new(key("one.key", "hmac-sha256")), NOW, &query());
    let ring = Keyring::new([key("one.key", "hmac-sha256")]);
    for cut in 0..signed.len() {
        assert!(!matches!(ring.check(NOW, &signed[..cut]), Checked::Signed(..)));
        assert!(asker.clone().verify(NOW, &signed[..cut]).is_err());
    }
}

proptest! {
    #[test]
    fn no_octets_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..90, octet: u8) {
        let ring = Keyring::new([key("one.key", "hmac-sha256")]);
        let _ = ring.check(NOW, &bytes);
        let (mut signed, _) = sign_query(&Arc::new(key("one.key", "hmac-sha256")), NOW, &query());
        let before = signed[at];
        signed[at] = octet;
        let good = matches!(ring.check(NOW, &signed), Checked::Signed(..));
        // Letter case of the key's name is not signed, and neither is the id that a forwarder gave it.
        prop_assert!(!good || before.eq_ignore_ascii_case(&octet) || at < 2);
    }
}
