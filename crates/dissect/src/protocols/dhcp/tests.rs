use super::{FILE_AREA, MAGIC, SERVER_AREA};
use crate::protocols::trial::{datagram, values};

/// A message with options, and with others in the fields that the first of them overloads.
fn message(options: &[u8], server: &[u8], file: &[u8]) -> Vec<Vec<u8>> {
    let mut bytes = vec![2, 1, 6, 0];
    bytes.resize(FILE_AREA.end, 0);
    bytes[SERVER_AREA][..server.len()].copy_from_slice(server);
    bytes[FILE_AREA][..file.len()].copy_from_slice(file);
    bytes.extend(MAGIC.to_be_bytes());
    bytes.extend(options);
    vec![datagram([67, 68], false, &bytes)]
}

#[test]
fn options_go_on_in_the_fields_that_are_overloaded() {
    let overloaded = message(&[52, 1, 3, 15, 1, b'c', 255], &[15, 1, b'a', 255], &[15, 1, b'b', 255]);
    assert_eq!(values(&overloaded, "dhcp.option.domain_name"), [["a", "b", "c"]]);
    assert_eq!(values(&overloaded, "dhcp.server"), [[""; 0]]);
    // There the option overloads nothing again.
    let again = message(&[52, 1, 2, 255], &[52, 1, 2, 15, 1, b'a', 255], b"boot");
    assert_eq!(values(&again, "dhcp.option.domain_name"), [["a"]]);
    assert_eq!(values(&again, "dhcp.file"), [["boot"]]);
}

#[test]
fn a_client_name_may_be_in_labels_or_words() {
    let labels = message(&[81, 8, 4, 0, 0, 1, b'a', 1, b'b', 0, 255], &[], &[]);
    assert_eq!(values(&labels, "dhcp.fqdn.name"), [["a.b"]]);
    let words = message(&[81, 6, 0, 0, 0, b'a', b'.', b'b', 255], &[], &[]);
    assert_eq!(values(&words, "dhcp.fqdn.name"), [["a.b"]]);
}
