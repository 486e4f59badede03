use crate::dissector::{Dissector, Meta};
use crate::state::Options;
use crate::tree::Arena;

const CLIENT: [u8; 4] = [192, 0, 2, 1];
const SERVER: [u8; 4] = [192, 0, 2, 2];

/// An IPv4 packet with a TCP segment.
fn segment(from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((40 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 6, 0, 0]);
    packet.extend([from.0, to.0].concat());
    packet.extend([from.1.to_be_bytes(), to.1.to_be_bytes()].concat());
    packet.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
    packet.extend(payload);
    packet
}

/// The layers of the last of some packets, and the ports it says were announced.
fn last(packets: &[Vec<u8>]) -> (String, usize) {
    let (mut dissector, mut arena) = (Dissector::new(Options::default()), Arena::new());
    let mut said = (String::new(), 0);
    for (number, packet) in (1..).zip(packets) {
        let meta = Meta {
            number,
            time: Some(number),
            interface: 0,
            interface_name: None,
            link: 101,
            original: packet.len() as u32,
            comments: &[],
        };
        let tree = dissector.dissect(&meta, packet, &mut arena);
        let ports = ["ftp.passive.port", "ftp.active.port"].map(|name| tree.all(name).count());
        said = (tree.protocols(), ports.iter().sum());
    }
    said
}

#[test]
fn what_a_later_line_announces_is_known() {
    let answer = segment(
        (SERVER, 21),
        (CLIENT, 40_000),
        b"200 Type set to I\r\n227 Entering Passive Mode (192,0,2,2,200,13)\r\n",
    );
    let file = segment((CLIENT, 40_001), (SERVER, 200 * 256 + 13), b"what it holds");
    assert_eq!(last(std::slice::from_ref(&answer)).1, 0, "only the first line is shown, as in Wireshark");
    assert!(last(&[answer, file]).0.contains("ftp-data"));
    let request = segment((CLIENT, 40_000), (SERVER, 21), b"TYPE I\r\nPORT 192,0,2,1,200,14\r\nRETR x\r\n");
    let file = segment((SERVER, 20_020), (CLIENT, 200 * 256 + 14), b"what it holds");
    assert!(!last(&[request.clone(), file]).0.contains("ftp-data"), "it comes from port 20");
    let file = segment((SERVER, 20), (CLIENT, 200 * 256 + 14), b"what it holds");
    assert!(last(&[request, file]).0.contains("ftp-data"));
}

#[test]
fn a_file_is_what_the_first_command_behind_its_announcement_asks_for() {
    let (mut dissector, mut arena) = (Dissector::new(Options::default()), Arena::new());
    let control = |words: &str| segment((CLIENT, 40_000), (SERVER, 21), words.as_bytes());
    let answer = segment((SERVER, 21), (CLIENT, 40_000), b"227 Entering Passive Mode (192,0,2,2,200,13)\r\n");
    let file = segment((CLIENT, 40_001), (SERVER, 200 * 256 + 13), b"what it holds");
    let packets = [control("CWD /\r\n"), answer, control("RETR a.txt\r\n"), control("STOR b.txt\r\n"), file];
    let mut told = Vec::new();
    for (number, packet) in (1..).zip(&packets) {
        let meta = Meta {
            number,
            time: Some(number),
            interface: 0,
            interface_name: None,
            link: 101,
            original: packet.len() as u32,
            comments: &[],
        };
        let tree = dissector.dissect(&meta, packet, &mut arena);
        told = tree
            .fields()
            .iter()
            .filter(|field| field.def.name.starts_with("ftp-data."))
            .map(|field| {
                let mut text = Vec::new();
                crate::show::write_value(&mut text, tree, field);
                String::from_utf8_lossy(&text).into_owned()
            })
            .collect();
    }
    assert_eq!(told, ["2", "PASV", "RETR a.txt", "3"]);
}

#[test]
fn a_router_may_speak_bgp_from_the_port_of_files() {
    let mut message = vec![0xFF; 16];
    message.extend([0, 19, 4]);
    let packet = segment((CLIENT, 20), (SERVER, 179), &message);
    assert!(last(&[packet]).0.ends_with(":bgp"));
}
