//! Our stack on recorded frames: it answers what was recorded, and its answers are recorded.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use thru_net::iface::{IfaceOptions, attach};
use thru_os::device::replay::{Recorded, Replay, Sink};

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

/// Times and frames that were sent.
type Sent = Vec<(u64, Vec<u8>)>;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Sent>>);

impl Sink for Kept {
    fn keep(&mut self, time: u64, frame: &[u8]) -> io::Result<()> {
        self.0.lock().expect("not poisoned").push((time, frame.to_vec()));
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_recorded_question_is_answered_into_a_recording() {
    const BEGAN: u64 = 7_000_000_000;
    const LATER: u64 = 50_000_000;
    let packet = echo_request();
    let frame = |time| Ok(Recorded { time, bytes: Bytes::from(packet.clone()) });
    let frames = Box::new([frame(BEGAN), frame(BEGAN + LATER)].into_iter());
    let kept = Kept::default();
    let device = Replay::open("recorded", false, frames, Box::new(kept.clone())).expect("opened");
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
    let answers = kept.0.lock().expect("not poisoned");
    assert_eq!(answers.len(), 2);
    for (_, answer) in &*answers {
        // To who asked, an echo reply with the question's number and words.
        assert_eq!((&answer[12..20], answer[20]), (&[192, 0, 2, 2, 192, 0, 2, 1][..], 0));
        assert_eq!(answer[24..], packet[24..]);
        assert_eq!(checksum(&answer[20..]), [0, 0]);
    }
    // By the recording's clock, no sooner than asked.
    assert!(answers[0].0 >= BEGAN && answers[1].0 >= BEGAN + LATER);
}
