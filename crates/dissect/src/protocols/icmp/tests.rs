use crate::protocols::trial::values;

/// An error of a router about a packet of 20 bytes, which it fills up to 128, with objects behind it.
fn expired(words: u8, objects: &[u8]) -> Vec<u8> {
    let mut quoted = vec![0x45, 0, 0, 20, 0, 0, 0, 0, 1, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 9];
    quoted.resize(128, 0);
    let message = [&[11, 0, 0, 0, 0, words, 0, 0], &quoted[..], objects].concat();
    let total = (message.len() + 20) as u8;
    let header = [0x45, 0, 0, total, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 7, 10, 0, 0, 1];
    [&header[..], &message].concat()
}

#[test]
fn labels_and_interfaces_behind_the_quoted_packet_are_found() {
    let labels = [0x20, 0, 0, 0, 0, 12, 1, 1, 0, 1, 0x40, 1, 0, 1, 0x91, 1];
    for words in [0, 32] {
        let packets = [expired(words, &labels)];
        assert_eq!(values(&packets, "icmp.mpls.label"), [["20", "25"]]);
        assert_eq!(values(&packets, "icmp.mpls.s"), [["0", "1"]]);
    }
    let interface = [0x20, 0, 0, 0, 0, 16, 2, 0x0A, 0, 0, 0, 7, 8, b'e', b't', b'h', b'0', 0, 0, 0];
    let packets = [expired(32, &interface)];
    assert_eq!(values(&packets, "icmp.int_info.index"), [["7"]]);
    assert_eq!(values(&packets, "icmp.int_info.name"), [["eth0"]]);
}
