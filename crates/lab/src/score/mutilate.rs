//! Captures as they come in practice: with holes, from the middle, of one direction, cut short, through network cards that
//! merge and split, off two interfaces. Each [`Mutilation`] does one of these things to a whole capture, by a seed.
//!
//! What is left may not tell the fault any more. A doctor may then abstain, or say that nothing is wrong with what can be
//! seen; what it must not do is be sure of another fault, or find one where there is none.

use std::collections::BTreeMap;

use thru_trace::Trace;
use thru_trace::frames::{CHECK, checks};

use super::passive::{Opinion, captured, compare_cut, truth, verdict};
use super::{Case, baseline, of_seed};
use crate::Scenario;
use crate::run::RunError;

/// LINKTYPE_ETHERNET.
const ETHERNET: u16 = 1;

/// What a doctor says of a case whose capture was mutilated in each way, with the capture's secrets and without.
///
/// # Errors
/// If the lab cannot be run.
pub fn judge(scenario: &Scenario, case: &Case) -> Result<Vec<(Mutilation, Opinion)>, RunError> {
    let trace = baseline::capture(&of_seed(scenario, case.seed), case)?;
    let whole = frames(&trace);
    let mut opinions = Vec::new();
    for mutilation in Mutilation::ALL {
        let left = mutilation.apply(&whole, case.seed);
        for secrets in [true, false] {
            if let Some(truth) = truth(case, secrets) {
                let keys = if secrets { trace.key_log.as_str() } else { "" };
                opinions.push((mutilation, compare_cut(case, &truth, verdict(&left, keys))));
            }
        }
    }
    Ok(opinions)
}

/// The frames of a capture at the client.
pub fn frames(trace: &Trace) -> Vec<Frame> {
    let checks = checks(trace);
    let frame = |packet: &thru_trace::Packet| Frame {
        time: trace.epoch_unix_nanos + packet.at,
        interface: packet.interface,
        link: ETHERNET,
        original: packet.bytes.len() as u32,
        bytes: packet.bytes.to_vec(),
        comments: checks.get(&packet.number).map(|check| format!("{CHECK}{check}")).into_iter().collect(),
    };
    captured(trace).map(frame).collect()
}

/// A frame of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Nanoseconds since the Unix epoch.
    pub time: u64,
    /// Index of the interface.
    pub interface: u32,
    /// LINKTYPE_ number.
    pub link: u16,
    /// Length on the wire.
    pub original: u32,
    /// What was kept of it.
    pub bytes: Vec<u8>,
    /// What is written beside it.
    pub comments: Vec<String>,
}

/// What was done to a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutilation {
    /// Of a hundred frames so many were not captured, at random.
    Holes(u8),
    /// A stretch of so many percent of the frames was not captured.
    Gap(u8),
    /// The capture began when so many percent of the frames had passed.
    Late(u8),
    /// The capture ended when so many percent of the frames had passed.
    Early(u8),
    /// Only a stretch in the middle, as of a file of a ring.
    Middle,
    /// Only what the asking host sent.
    OnlySent,
    /// Only what the asking host received.
    OnlyReceived,
    /// Only so many bytes of each frame were kept.
    Snap(u16),
    /// Only the frames of TCP that open and close connections.
    OnlyFlags,
    /// No frames of TCP that carry nothing but an acknowledgement.
    NoPureAcks,
    /// Only TCP.
    OnlyTcp,
    /// Only the TCP connections to the ports of the web.
    OnlyWeb,
    /// Only names: port 53.
    OnlyNames,
    /// Whatever followed at once in a stream was merged to one frame, as network cards do.
    Merged,
    /// The sums of frames that the host sent were only begun: its network card completes them.
    SumsBegun,
    /// The sums of frames that the host sent are zero.
    SumsZero,
    /// Neighbouring frames changed places and kept their times.
    Shuffled,
    /// Neighbouring frames changed places, and their times with them.
    Swapped,
    /// The clock was set forward by an hour in the middle.
    ClockForward,
    /// The clock was set back by a second in the middle.
    ClockBack,
    /// Times of whole milliseconds.
    Coarse,
    /// Each frame twice, microseconds apart, as a switch's mirror port shows them.
    Mirrored,
    /// Each frame once as it was and once on a second interface, on any interface's link type.
    TwoInterfaces,
    /// One interface for each direction, as a tap on the cable has them.
    Tapped,
    /// With a VLAN's tag, and the end of the frame padded with its checksum.
    Tagged,
    /// Without a link layer.
    Raw,
    /// Beside it what a network never stops saying: neighbours, names of the house, time, and somebody's broken flows.
    Noise,
}

impl Mutilation {
    /// All of them.
    pub const ALL: [Mutilation; 38] = [
        Mutilation::Holes(1),
        Mutilation::Holes(5),
        Mutilation::Holes(20),
        Mutilation::Gap(10),
        Mutilation::Gap(40),
        Mutilation::Late(10),
        Mutilation::Late(30),
        Mutilation::Late(60),
        Mutilation::Early(40),
        Mutilation::Early(70),
        Mutilation::Early(90),
        Mutilation::Middle,
        Mutilation::OnlySent,
        Mutilation::OnlyReceived,
        Mutilation::Snap(60),
        Mutilation::Snap(68),
        Mutilation::Snap(96),
        Mutilation::Snap(128),
        Mutilation::Snap(256),
        Mutilation::OnlyFlags,
        Mutilation::NoPureAcks,
        Mutilation::OnlyTcp,
        Mutilation::OnlyWeb,
        Mutilation::OnlyNames,
        Mutilation::Merged,
        Mutilation::SumsBegun,
        Mutilation::SumsZero,
        Mutilation::Shuffled,
        Mutilation::Swapped,
        Mutilation::ClockForward,
        Mutilation::ClockBack,
        Mutilation::Coarse,
        Mutilation::Mirrored,
        Mutilation::TwoInterfaces,
        Mutilation::Tapped,
        Mutilation::Tagged,
        Mutilation::Raw,
        Mutilation::Noise,
    ];

    /// A word for it.
    pub fn word(self) -> String {
        match self {
            Mutilation::Holes(percent) => format!("holes-{percent}%"),
            Mutilation::Gap(percent) => format!("gap-{percent}%"),
            Mutilation::Late(percent) => format!("late-{percent}%"),
            Mutilation::Early(percent) => format!("early-{percent}%"),
            Mutilation::Snap(bytes) => format!("snap-{bytes}"),
            Mutilation::Middle => "middle".into(),
            Mutilation::OnlySent => "only-sent".into(),
            Mutilation::OnlyReceived => "only-received".into(),
            Mutilation::OnlyFlags => "only-flags".into(),
            Mutilation::NoPureAcks => "no-pure-acks".into(),
            Mutilation::OnlyTcp => "only-tcp".into(),
            Mutilation::OnlyWeb => "only-web".into(),
            Mutilation::OnlyNames => "only-names".into(),
            Mutilation::Merged => "merged".into(),
            Mutilation::SumsBegun => "sums-begun".into(),
            Mutilation::SumsZero => "sums-zero".into(),
            Mutilation::Shuffled => "shuffled".into(),
            Mutilation::Swapped => "swapped".into(),
            Mutilation::ClockForward => "clock-forward".into(),
            Mutilation::ClockBack => "clock-back".into(),
            Mutilation::Coarse => "coarse".into(),
            Mutilation::Mirrored => "mirrored".into(),
            Mutilation::TwoInterfaces => "two-interfaces".into(),
            Mutilation::Tapped => "tapped".into(),
            Mutilation::Tagged => "tagged".into(),
            Mutilation::Raw => "raw".into(),
            Mutilation::Noise => "noise".into(),
        }
    }

    /// The capture with this done to it.
    pub fn apply(self, frames: &[Frame], seed: u64) -> Vec<Frame> {
        let mut dice = Dice(seed ^ 0x5EED);
        let count = frames.len();
        let host = host(frames);
        let sent = |frame: &Frame| frame.bytes.get(6..12) == host.as_ref().map(|mac| &mac[..]);
        let keep = |is: &dyn Fn(&Frame) -> bool| frames.iter().filter(|frame| is(frame)).cloned().collect();
        match self {
            Mutilation::Holes(percent) => {
                frames.iter().filter(|_| dice.below(100) >= u64::from(percent)).cloned().collect()
            }
            Mutilation::Gap(percent) => {
                let long = count * usize::from(percent) / 100;
                let start = dice.below((count - long) as u64 + 1) as usize;
                [&frames[..start], &frames[start + long..]].concat()
            }
            Mutilation::Late(percent) => frames[count * usize::from(percent) / 100..].to_vec(),
            Mutilation::Early(percent) => frames[..count * usize::from(percent) / 100].to_vec(),
            Mutilation::Middle => frames[count / 4..count * 3 / 4].to_vec(),
            Mutilation::OnlySent => keep(&|frame| sent(frame)),
            Mutilation::OnlyReceived => keep(&|frame| !sent(frame)),
            Mutilation::Snap(bytes) => each(frames, |frame| frame.bytes.truncate(usize::from(bytes))),
            Mutilation::OnlyFlags => keep(&|frame| tcp(frame).is_some_and(|tcp| tcp.flags & 0x07 != 0)),
            Mutilation::NoPureAcks => {
                keep(&|frame| tcp(frame).is_none_or(|tcp| tcp.len > 0 || tcp.flags & 0x07 != 0))
            }
            Mutilation::OnlyTcp => keep(&|frame| tcp(frame).is_some()),
            Mutilation::OnlyWeb => keep(&|frame| {
                tcp(frame).is_some_and(|tcp| tcp.ports.iter().any(|port| matches!(port, 80 | 443)))
            }),
            Mutilation::OnlyNames => keep(&|frame| ports(frame).is_some_and(|ports| ports.contains(&53))),
            Mutilation::Merged => merged(frames),
            Mutilation::SumsBegun | Mutilation::SumsZero => {
                let begun = self == Mutilation::SumsBegun;
                each(frames, |frame| {
                    if sent(frame) {
                        spoil_sum(frame, begun);
                    }
                })
            }
            Mutilation::Shuffled | Mutilation::Swapped => {
                let mut frames = frames.to_vec();
                for place in 1..frames.len() {
                    if dice.below(10) == 0 && frames[place].time - frames[place - 1].time < 200_000 {
                        frames.swap(place - 1, place);
                        if self == Mutilation::Swapped {
                            let time = frames[place].time;
                            frames[place].time = frames[place - 1].time;
                            frames[place - 1].time = time;
                        }
                    }
                }
                frames
            }
            Mutilation::ClockForward => {
                let step = move |place: usize| if place > count / 2 { 3_600_000_000_000 } else { 0 };
                timed(frames, |place, time| time + step(place))
            }
            Mutilation::ClockBack => {
                let step = move |place: usize| if place > count / 2 { 1_000_000_000 } else { 0 };
                timed(frames, |place, time| time - step(place))
            }
            Mutilation::Coarse => timed(frames, |_, time| time / 1_000_000 * 1_000_000),
            Mutilation::Mirrored => frames
                .iter()
                .flat_map(|frame| [frame.clone(), Frame { time: frame.time + 3_000, ..frame.clone() }])
                .collect(),
            Mutilation::TwoInterfaces => {
                let cooked = |frame: &Frame, index: u8| Frame {
                    link: 276,
                    original: frame.original + 6,
                    bytes: cooked(frame, index, !sent(frame)),
                    time: frame.time + u64::from(index) * 2_000,
                    ..frame.clone()
                };
                frames.iter().flat_map(|frame| [cooked(frame, 2), cooked(frame, 5)]).collect()
            }
            Mutilation::Tapped => each(frames, |frame| frame.interface = u32::from(sent(frame))),
            Mutilation::Tagged => each(frames, |frame| {
                frame.bytes.splice(12..12, [0x81, 0x00, 0x00, 0x2A]);
                while frame.bytes.len() < 64 {
                    frame.bytes.push(0);
                }
                frame.bytes.extend([0xDE, 0xAD, 0xBE, 0xEF]);
                frame.original = frame.bytes.len() as u32;
            }),
            Mutilation::Raw => {
                let is_ip = |frame: &Frame| matches!(frame.bytes.get(12..14), Some([8, 0] | [0x86, 0xDD]));
                each(&keep(&is_ip), |frame| {
                    frame.bytes.drain(..14);
                    frame.original -= 14;
                    frame.link = 101;
                })
            }
            Mutilation::Noise => noise(frames),
        }
    }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }
}

fn each(frames: &[Frame], mut change: impl FnMut(&mut Frame)) -> Vec<Frame> {
    let mut frames = frames.to_vec();
    frames.iter_mut().for_each(&mut change);
    frames
}

fn timed(frames: &[Frame], at: impl Fn(usize, u64) -> u64) -> Vec<Frame> {
    let mut frames = frames.to_vec();
    for (place, frame) in frames.iter_mut().enumerate() {
        frame.time = at(place, frame.time);
    }
    frames
}

/// The hardware address of the host that was captured at: most frames come from it or go to it.
fn host(frames: &[Frame]) -> Option<[u8; 6]> {
    let mut seen: BTreeMap<[u8; 6], usize> = BTreeMap::new();
    for frame in frames {
        for mac in [frame.bytes.get(..6), frame.bytes.get(6..12)].into_iter().flatten() {
            *seen.entry(mac.try_into().expect("six bytes")).or_default() += 1;
        }
    }
    let first: Option<[u8; 6]> = frames.first().and_then(|frame| frame.bytes.get(6..12)?.try_into().ok());
    let most = seen.values().max().copied()?;
    // Of two that talk only with one another, the one that began.
    first
        .filter(|mac| seen.get(mac) == Some(&most))
        .or_else(|| seen.iter().find(|(_, count)| **count == most).map(|(mac, _)| *mac))
}

/// Where the transport begins, and its protocol, in an Ethernet frame.
fn transport(frame: &Frame) -> Option<(usize, u8, usize)> {
    let bytes = &frame.bytes;
    match bytes.get(12..14)? {
        [8, 0] => {
            let header = usize::from(bytes.get(14)? & 15) * 4;
            let total = usize::from(u16::from_be_bytes(bytes.get(16..18)?.try_into().ok()?));
            let fragment = u16::from_be_bytes(bytes.get(20..22)?.try_into().ok()?) & 0x3FFF != 0;
            (!fragment).then_some((14 + header, *bytes.get(23)?, 14 + total))
        }
        [0x86, 0xDD] => {
            let total = usize::from(u16::from_be_bytes(bytes.get(18..20)?.try_into().ok()?));
            Some((54, *bytes.get(20)?, 54 + total))
        }
        _ => None,
    }
}

fn ports(frame: &Frame) -> Option<[u16; 2]> {
    let (at, protocol, _) = transport(frame)?;
    let word = |at: usize| Some(u16::from_be_bytes(frame.bytes.get(at..at + 2)?.try_into().ok()?));
    matches!(protocol, 6 | 17).then(|| Some([word(at)?, word(at + 2)?])).flatten()
}

/// What a frame of TCP is.
struct Tcp {
    ports: [u16; 2],
    seq: u32,
    flags: u8,
    len: usize,
    payload_at: usize,
}

fn tcp(frame: &Frame) -> Option<Tcp> {
    let (at, protocol, end) = transport(frame)?;
    let bytes = &frame.bytes;
    if protocol != 6 {
        return None;
    }
    let payload_at = at + usize::from(bytes.get(at + 12)? >> 4) * 4;
    Some(Tcp {
        ports: ports(frame)?,
        seq: u32::from_be_bytes(bytes.get(at + 4..at + 8)?.try_into().ok()?),
        flags: *bytes.get(at + 13)?,
        len: end.checked_sub(payload_at)?,
        payload_at,
    })
}

/// Segments that follow one another within a millisecond become one, up to 64 kB (generic receive offload).
fn merged(frames: &[Frame]) -> Vec<Frame> {
    let mut out: Vec<Frame> = Vec::new();
    for frame in frames {
        if let (Some(tcp_now), Some(last)) = (tcp(frame), out.last_mut())
            && let Some(before) = tcp(last)
            && tcp_now.len > 0
            && before.len > 0
            && before.ports == tcp_now.ports
            && before.seq.wrapping_add(before.len as u32) == tcp_now.seq
            && (before.flags | tcp_now.flags) & 0x07 == 0
            && frame.time - last.time < 1_000_000
            && last.bytes.get(..14) == frame.bytes.get(..14)
            && last.bytes.len() + tcp_now.len < 60_000
            && before.payload_at == tcp_now.payload_at
        {
            last.bytes.truncate(before.payload_at + before.len);
            last.bytes.extend_from_slice(&frame.bytes[tcp_now.payload_at..tcp_now.payload_at + tcp_now.len]);
            let length = last.bytes.len() - 14;
            match last.bytes[12] {
                8 => {
                    last.bytes[16..18].copy_from_slice(&(length as u16).to_be_bytes());
                    sum_header(&mut last.bytes);
                }
                _ => last.bytes[18..20].copy_from_slice(&((length - 40) as u16).to_be_bytes()),
            }
            last.original = last.bytes.len() as u32;
            continue;
        }
        out.push(frame.clone());
    }
    out
}

/// Writes the sum of an IPv4 header (RFC 791 3.1).
fn sum_header(frame: &mut [u8]) {
    frame[24..26].copy_from_slice(&[0, 0]);
    let end = 14 + usize::from(frame[14] & 15) * 4;
    let mut sum: u32 =
        frame[14..end].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    frame[24..26].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

/// Leaves the sum of TCP or UDP to a network card: as the kernel does (the pseudo header's sum), or as some drivers do (0).
fn spoil_sum(frame: &mut Frame, begun: bool) {
    let Some((at, protocol, end)) = transport(frame) else { return };
    let place = match protocol {
        6 => at + 16,
        17 => at + 6,
        _ => return,
    };
    let (from, to) = if frame.bytes[12] == 8 { (26, 34) } else { (22, 54) };
    let addresses: u32 =
        frame.bytes[from..to].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let mut sum = addresses + u32::from(protocol) + (end - at) as u32;
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    let sum = if begun { sum as u16 } else { 0 };
    if let Some(field) = frame.bytes.get_mut(place..place + 2) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

/// The frame as a capture of all interfaces has it (LINKTYPE_LINUX_SLL2).
fn cooked(frame: &Frame, interface: u8, incoming: bool) -> Vec<u8> {
    let mut bytes = frame.bytes.get(12..14).unwrap_or(&[8, 0]).to_vec();
    bytes.extend([0, 0, 0, 0, 0, interface, 0, 1, if incoming { 0 } else { 4 }, 6]);
    bytes.extend(frame.bytes.get(6..12).unwrap_or(&[0; 6]));
    bytes.extend([0, 0]);
    bytes.extend(frame.bytes.get(14..).unwrap_or(&[]));
    bytes
}

/// What other machines of the house say all the time, every 200 ms one thing, as long as the capture lasts.
fn noise(frames: &[Frame]) -> Vec<Frame> {
    let (Some(start), Some(end)) =
        (frames.iter().map(|frame| frame.time).min(), frames.iter().map(|frame| frame.time).max())
    else {
        return Vec::new();
    };
    let mut out = frames.to_vec();
    let mut time = start + 1_000_000;
    for number in 0u32..2_000 {
        if time >= end {
            break;
        }
        out.push(Frame {
            time,
            interface: 0,
            link: 1,
            original: 0,
            bytes: said_by_others(number),
            comments: Vec::new(),
        });
        time += 200_000_000;
    }
    for frame in &mut out {
        frame.original = frame.original.max(frame.bytes.len() as u32);
    }
    out.sort_by_key(|frame| frame.time);
    out
}

/// A question who has an address, names of the house (mDNS), searches for devices (SSDP), the time (NTP), a spanning tree's
/// greeting, a connection's sign of life, and a telegram that nobody knows.
fn said_by_others(number: u32) -> Vec<u8> {
    let mac = [2, 0, 0x5E, 0, 0, 9];
    let ethernet = |dst: [u8; 6], kind: [u8; 2], body: &[u8]| [&dst[..], &mac[..], &kind[..], body].concat();
    let udp = |dst: [u8; 4], ttl: u8, ports: [u16; 2], body: &[u8]| {
        let length = 8 + body.len() as u16;
        let mut ip = vec![0x45, 0];
        ip.extend((20 + length).to_be_bytes());
        ip.extend([number.to_be_bytes()[2], number.to_be_bytes()[3], 0, 0, ttl, 17, 0, 0, 192, 168, 77, 9]);
        ip.extend(dst);
        let sum: u32 = ip.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        let sum = (sum & 0xFFFF) + (sum >> 16);
        let sum = !(((sum & 0xFFFF) + (sum >> 16)) as u16);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        ip.extend(ports[0].to_be_bytes());
        ip.extend(ports[1].to_be_bytes());
        ip.extend(length.to_be_bytes());
        ip.extend([0, 0]);
        ip.extend(body);
        ip
    };
    let everybody = [0xFF; 6];
    match number % 7 {
        0 => {
            let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1];
            arp.extend(mac);
            arp.extend([192, 168, 77, 9, 0, 0, 0, 0, 0, 0, 192, 168, 77, (number % 200) as u8]);
            ethernet(everybody, [8, 6], &arp)
        }
        1 => {
            let mut question = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            question.extend(b"\x05_ipps\x04_tcp\x05local\0\0\x0C\0\x01");
            ethernet([1, 0, 0x5E, 0, 0, 0xFB], [8, 0], &udp([224, 0, 0, 251], 255, [5353, 5353], &question))
        }
        2 => {
            let search = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: upnp:rootdevice\r\n\r\n";
            ethernet(
                [1, 0, 0x5E, 0x7F, 0xFF, 0xFA],
                [8, 0],
                &udp([239, 255, 255, 250], 4, [50_000, 1900], search),
            )
        }
        3 => {
            let mut time = vec![0x23, 2, 6, 0xEC];
            time.resize(48, 0);
            ethernet([2, 0, 0x5E, 0, 0, 1], [8, 0], &udp([192, 0, 2, 123], 64, [123, 123], &time))
        }
        4 => {
            let mut bpdu = vec![0x42, 0x42, 3];
            bpdu.resize(40, 0);
            ethernet([1, 0x80, 0xC2, 0, 0, 0], [0, 38], &bpdu)
        }
        5 => {
            // A neighbour's connection, far older than the capture: a byte sent again and never answered.
            let mut ip = udp([198, 51, 100, 200], 64, [0, 0], &[0; 13]);
            ip.truncate(20);
            ip[9] = 6;
            ip[2..4].copy_from_slice(&41u16.to_be_bytes());
            ip[10..12].copy_from_slice(&[0, 0]);
            let sum: u32 = ip.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
            let sum = !(((sum & 0xFFFF) + (sum >> 16)) as u16);
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
            ip.extend(51_000u16.to_be_bytes());
            ip.extend(5223u16.to_be_bytes());
            ip.extend([0, 0, 1, 0, 0, 0, 2, 0, 0x50, 0x10, 0x10, 0, 0, 0, 0, 0, 0]);
            ethernet([2, 0, 0x5E, 0, 0, 1], [8, 0], &ip)
        }
        _ => ethernet(everybody, [0x88, 0xB5], &[7; 50]),
    }
}
