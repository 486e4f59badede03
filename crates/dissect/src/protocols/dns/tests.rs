use crate::protocols::trial::{datagram, values};

/// A message of one question by number and flags.
fn question(id: u8, flags: u8, name: &[u8]) -> Vec<u8> {
    [&[0, id, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0], name, &[0, 1, 0, 1]].concat()
}

fn asked(name: &[u8]) -> Vec<u8> {
    datagram([4000, 53], false, &question(7, 1, name))
}

#[test]
fn odd_names_are_told_apart_and_end_no_message() {
    let long = [&[63; 64][..], &[63; 64], &[63; 64], &[63; 64], &[0]].concat();
    let packets = [
        asked(b"\x01a\x02b\r\x00"),
        asked(&long),
        asked(b"\x01a\x42\x00\x00"),
        asked(b"\xC0\x0C"),
        asked(b"\x00"),
    ];
    let names: Vec<String> = values(&packets, "dns.qry.name").concat();
    assert_eq!(
        names,
        [
            r"a.b\r",
            "<Name too long>",
            "<Unknown extended label>",
            "<Name contains a pointer that loops>",
            "<Root>"
        ]
    );
}

#[test]
fn a_question_that_is_cut_short_is_answered_all_the_same() {
    let cut = datagram([4000, 53], false, &question(9, 1, b"\x05ab")[..14]);
    let answer = datagram([4000, 53], true, &question(9, 0x81, b"\x01a\x00"));
    let again = datagram([4000, 53], true, &question(9, 0x81, b"\x01a\x00"));
    assert_eq!(values(&[cut.clone(), answer.clone()], "dns.response_to"), [vec![], vec!["1".to_string()]]);
    let again = values(&[cut, answer, again], "dns.retransmit_response_in");
    assert_eq!(again, [vec![], vec![], vec!["2".to_string()]]);
}

#[test]
fn a_record_is_shown_if_all_of_it_is_there() {
    let head = [0, 1, 0x81, 0, 0, 0, 0, 2, 0, 0, 0, 0];
    let record = [1, b'a', 0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1];
    let whole = [&head[..], &record, &record].concat();
    let cut = datagram([4000, 53], true, &whole[..whole.len() - 1]);
    assert_eq!(values(std::slice::from_ref(&cut), "dns.resp.name"), [["a"]]);
    assert_eq!(values(&[cut], "dns.resp.ttl"), [["60"]]);
    let both = values(&[datagram([4000, 53], true, &whole)], "dns.a");
    assert_eq!(both, [["192.0.2.1", "192.0.2.1"]]);
}
