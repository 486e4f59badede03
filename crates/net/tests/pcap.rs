//! Our stack on a capture file: it answers what was recorded, and its answers are a capture again.

use std::time::Duration;

use thru_net::iface::{IfaceOptions, attach};
use thru_os::device::pcap::PcapFile;

/// An echo request from 192.0.2.1 to 192.0.2.2.
fn echo_request() -> Vec<u8> {
    let mut packet = vec![
        0x45, 0, 0, 32, 0, 1, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, // IPv4
        8, 0, 0, 0, 0x12, 0x34, 0, 1, b'p', b'i', b'n', b'g', // ICMP
    ];
    let sum = checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&sum);
    let sum = checksum(&packet[20..]);
    packet[22..24].copy_from_slice(&sum);
    packet
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

#[tokio::test]
async fn a_recorded_question_is_answered_into_a_capture() {
    let folder = std::env::temp_dir().join(format!("thru-net-pcap-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (recorded, sent) = (folder.join("recorded.pcap"), folder.join("sent.pcap"));
    let packet = echo_request();
    // Bare IP, the second question 50 ms after the first.
    let mut file: Vec<u8> =
        [0xa1b2_c3d4, 2 | 4 << 16, 0, 0, 65_535, 101].into_iter().flat_map(u32::to_le_bytes).collect();
    for micros in [0, 50_000] {
        let header = [7, micros, packet.len() as u32, packet.len() as u32];
        file.extend(header.into_iter().flat_map(u32::to_le_bytes));
        file.extend_from_slice(&packet);
    }
    std::fs::write(&recorded, file).expect("written");
    let device = PcapFile::open(&recorded, &sent).expect("opened");
    let addresses = vec!["192.0.2.2/24".parse().expect("an address")];
    let iface =
        attach(Box::new(device), IfaceOptions { addresses, ..IfaceOptions::default() }).expect("attached");
    let network = iface.network();
    while iface.stats().sent.0 < 2 {
        assert_eq!(iface.failure(), None);
        network.sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(iface.stats().received.0, 2);
    drop(iface);
    let answers = std::fs::read(&sent).expect("there");
    let answers: Vec<&[u8]> = answers[24..].chunks(16 + packet.len()).map(|record| &record[16..]).collect();
    assert_eq!(answers.len(), 2);
    for answer in answers {
        // To who asked, an echo reply with the question's number and words.
        assert_eq!((&answer[12..20], answer[20]), (&[192, 0, 2, 2, 192, 0, 2, 1][..], 0));
        assert_eq!(answer[24..], packet[24..]);
        assert_eq!(checksum(&answer[20..]), [0, 0]);
    }
    std::fs::remove_dir_all(&folder).expect("it was there");
}
