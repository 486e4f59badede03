//! Packets with some of them changed at random: by a seed, so that what was found can be found again.

use crate::layout::PartKind;
use crate::packet::{Layer, Packet};
use crate::tables::{DATA, ETH};

/// Random numbers that a seed decides (SplitMix64).
#[derive(Clone, Debug)]
pub struct Seeded {
    state: u64,
}

impl Seeded {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Seeded {
        Seeded { state: seed }
    }

    /// The next one.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.state;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    /// One of `0..bound`; 0 if there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.draw() % bound.max(1) as u64) as usize
    }
}

/// The packet with one to three things changed: a field to a value at its edge or any other, a part's bytes, its
/// payload. What was left to be computed is computed over the change, so that most packets pass the checksums and reach
/// the code behind them. Where the outermost layers send it stays.
pub fn mutate(packet: &Packet, random: &mut Seeded) -> Packet {
    let mut changed = packet.clone();
    for _ in 0..=random.below(3) {
        let first_ip = changed.layers.iter().position(|layer| layer.def.name().starts_with("ip"));
        let place = random.below(changed.layers.len() + 1);
        match changed.layers.get_mut(place) {
            None => add_payload(&mut changed, random),
            Some(layer) => change(layer, first_ip == Some(place), random),
        }
    }
    changed
}

fn change(layer: &mut Layer, is_first_ip: bool, random: &mut Seeded) {
    let (fields, parts) = (layer.def.fields.len(), layer.def.parts.len());
    let place = random.below(fields + parts);
    if place >= fields {
        let place = place - fields;
        if parts > 0 && layer.def.parts[place].kind != PartKind::Length {
            change_part(layer, place, random);
        }
        return;
    }
    let field = &layer.def.fields[place];
    let leads = matches!(field.names[0], "src" | "dst" | "version");
    if layer.def.is(&ETH) || (is_first_ip && leads) {
        return;
    }
    let any = u128::from(random.draw()) << 64 | u128::from(random.draw());
    let value = match random.below(6) {
        0 => 0,
        1 => field.max(),
        2 => 1,
        3 => field.max() / 2 + 1,
        4 => 1 << random.below(usize::from(field.bits)),
        _ => any,
    };
    layer.fields.push((place, value & field.max()));
}

fn change_part(layer: &mut Layer, place: usize, random: &mut Seeded) {
    let kind = layer.def.parts[place].kind;
    let mut bytes = layer.part(kind).unwrap_or_default().to_vec();
    disturb(&mut bytes, random);
    match kind {
        PartKind::TcpOptions | PartKind::Ipv4Options => bytes.truncate(40),
        PartKind::DnsType | PartKind::DnsClass => bytes.truncate(2),
        _ => {}
    }
    layer.parts.push((place, bytes));
}

/// Flips, cuts, repeats or adds bytes.
fn disturb(bytes: &mut Vec<u8>, random: &mut Seeded) {
    let at = random.below(bytes.len());
    match random.below(4) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
        1 if !bytes.is_empty() => bytes.truncate(at),
        2 if !bytes.is_empty() && bytes.len() < 4_096 => {
            let again = bytes[at..].to_vec();
            bytes.extend(again);
        }
        _ => bytes.extend((0..random.below(24)).map(|_| random.draw() as u8)),
    }
}

fn add_payload(packet: &mut Packet, random: &mut Seeded) {
    let mut bytes = Vec::new();
    disturb(&mut bytes, random);
    let mut layer = Layer::new(&DATA);
    layer.parts.push((0, bytes));
    packet.layers.push(layer);
}
