use super::*;
use crate::{Meta, Options};

const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 0x10;

/// A connection of which some segments are missing, and who follows it.
struct Followed {
    follow: Follow,
    dissector: Dissector,
    arena: Arena,
    packets: u64,
    out: Vec<u8>,
}

impl Followed {
    /// The handshake: both sides begin at 1.
    fn new(form: Form) -> Followed {
        let mut new = Followed {
            follow: Follow::new("tcp:0".parse().expect("a flow"), form),
            dissector: Dissector::new(Options { reassemble_out_of_order: true, ..Options::default() }),
            arena: Arena::new(),
            packets: 0,
            out: Vec::new(),
        };
        new.segment(0, SYN, 0, 0, b"");
        new.segment(1, SYN | ACK, 0, 1, b"");
        new
    }

    fn segment(&mut self, side: usize, flags: u8, seq: u32, ack: u32, payload: &[u8]) {
        let total = (40 + payload.len()) as u16;
        let mut packet = vec![0x45, 0, (total >> 8) as u8, total as u8, 0, 0, 0, 0, 64, 6, 0, 0];
        let mut places: [[u8; 6]; 2] = [[10, 0, 0, 1, 0x9C, 0x40], [10, 0, 0, 2, 0x23, 0x28]];
        places.rotate_left(side);
        packet.extend([&places[0][..4], &places[1][..4], &places[0][4..], &places[1][4..]].concat());
        packet.extend((seq + 1000).to_be_bytes());
        packet.extend((ack + 1000).to_be_bytes());
        packet.extend([0x50, flags, 0x40, 0, 0, 0, 0, 0]);
        packet.extend(payload);
        self.packets += 1;
        let meta = Meta {
            number: self.packets,
            time: Some(self.packets),
            interface: 0,
            interface_name: None,
            link: 101,
            original: u32::from(total),
            comments: &[],
        };
        self.follow.take(&mut self.out, self.dissector.dissect(&meta, &packet, &mut self.arena));
    }

    fn said(mut self) -> String {
        self.follow.rest(&mut self.out, &mut self.dissector, &mut self.arena);
        String::from_utf8(self.out).expect("words")
    }
}

const CLIENT: &str = "--- 10.0.0.1:40000 > 10.0.0.2:9000\n";
const SERVER: &str = "--- 10.0.0.2:9000 > 10.0.0.1:40000\n";

#[test]
fn what_lies_behind_a_gap_comes_before_what_answers_it() {
    let talk = |form| {
        let mut talk = Followed::new(form);
        talk.segment(0, ACK, 1, 1, b"first line\n");
        talk.segment(0, ACK, 112, 1, b"third line\n");
        talk.segment(1, ACK, 1, 123, b"answer\n");
        talk.segment(0, ACK, 123, 8, b"fourth\n");
        talk.said()
    };
    let gap = "[100 bytes missing in the capture]\n";
    assert_eq!(
        talk(Form::Text),
        format!("{CLIENT}first line\n{gap}third line\n{SERVER}answer\n{CLIENT}fourth\n")
    );
    assert_eq!(talk(Form::Raw), "first line\nthird line\nanswer\nfourth\n");
    // Offsets are those in what was sent.
    assert!(talk(Form::Hex).contains(&format!("{gap}0000006f  74 68")), "{}", talk(Form::Hex));
    let json = talk(Form::Json);
    let lines: Vec<&str> = json.lines().collect();
    assert_eq!(lines.len(), 4, "{json}");
    // It was sent by the client, and is told with the packet that acknowledges it.
    let third = r#""frame":5,"time":0.000000004,"from":"10.0.0.1:40000","to":"10.0.0.2:9000","stream":0,"missing":100,"length":11,"#;
    assert!(lines[1].contains(third), "{json}");
    assert_eq!(json.matches("missing").count(), 1);
}

#[test]
fn what_lies_behind_the_last_gap_is_told() {
    // Acknowledged, and nothing but a FIN follows.
    let mut talk = Followed::new(Form::Text);
    talk.segment(1, ACK, 1, 1, b"begins");
    talk.segment(1, ACK, 17, 1, b"ends");
    talk.segment(0, ACK, 1, 21, b"");
    assert!(talk.out.ends_with(b"ends"));
    talk.segment(1, ACK | FIN, 21, 1, b"");
    assert_eq!(talk.said(), format!("{SERVER}begins\n[10 bytes missing in the capture]\nends"));
    // Nobody has acknowledged it when the capture ends: until then it may be on its way.
    let mut talk = Followed::new(Form::Text);
    talk.segment(1, ACK, 11, 1, b"ends");
    talk.segment(1, ACK | FIN, 15, 1, b"");
    assert!(talk.out.is_empty());
    assert_eq!(talk.said(), format!("{SERVER}[10 bytes missing in the capture]\nends"));
    // Another connection takes its ends.
    let mut talk = Followed::new(Form::Text);
    talk.segment(1, ACK, 11, 1, b"ends");
    talk.segment(0, SYN, 50_000, 0, b"");
    assert_eq!(talk.said(), format!("{SERVER}[10 bytes missing in the capture]\nends"));
}

#[test]
fn what_was_only_late_is_in_its_place() {
    let mut talk = Followed::new(Form::Text);
    talk.segment(0, ACK, 5, 1, b"two\n");
    talk.segment(1, ACK, 1, 1, b"");
    talk.segment(0, ACK, 1, 1, b"one\n");
    assert_eq!(talk.said(), format!("{CLIENT}one\ntwo\n"));
}
