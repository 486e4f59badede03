//! One packet: its layers, each with what was written.

use crate::build;
use crate::error::CraftError;
use crate::layout::{LayerDef, PartKind};

/// A packet, outermost layer first.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Its layers.
    pub layers: Vec<Layer>,
}

/// A layer with what was written; the rest is computed when it becomes bytes.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Its kind.
    pub def: &'static LayerDef,
    /// Fields by their place in the kind's table, with what stands in the header; a later one overrules.
    pub(crate) fields: Vec<(usize, u128)>,
    /// Parts by their place in the kind's table.
    pub(crate) parts: Vec<(usize, Vec<u8>)>,
    /// Where the expression names it.
    pub(crate) column: usize,
}

impl Packet {
    /// Its bytes. Fails if it is larger than any packet may be.
    pub fn bytes(&self) -> Result<Vec<u8>, CraftError> {
        build::bytes(self)
    }

    /// The first layer of this name.
    pub fn layer(&self, name: &str) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.def.names.contains(&name))
    }

    /// Writes a field of the first layer of this name unless it, or a field that overlaps it, is written already.
    /// Whether it was written now. The value is what stands in the header.
    pub fn fill(&mut self, layer: &str, field: &str, value: u128) -> bool {
        let found = self.layers.iter_mut().find(|found| found.def.names.contains(&layer));
        found.is_some_and(|layer| layer.fill(field, value))
    }
}

impl Layer {
    /// A layer of which nothing is written.
    pub fn new(def: &'static LayerDef) -> Layer {
        Layer { def, fields: Vec::new(), parts: Vec::new(), column: 0 }
    }

    /// What is written for a field, as it stands in the header; `None` if it is left to be computed.
    pub fn written(&self, field: &str) -> Option<u128> {
        let place = self.def.field(field)?;
        self.fields.iter().rev().find(|(other, _)| *other == place).map(|(_, value)| *value)
    }

    /// Writes a field, whatever was there. Whether the layer has such a field.
    pub fn set(&mut self, field: &str, value: u128) -> bool {
        let Some(place) = self.def.field(field) else { return false };
        self.fields.push((place, value & self.def.fields[place].max()));
        true
    }

    fn fill(&mut self, field: &str, value: u128) -> bool {
        let Some(place) = self.def.field(field) else { return false };
        let bits = |place: usize| {
            let field = &self.def.fields[place];
            field.at..field.at + u16::from(field.bits)
        };
        let wanted = bits(place);
        let overlaps = |other: usize| {
            let other = bits(other);
            other.start < wanted.end && wanted.start < other.end
        };
        !self.fields.iter().any(|(other, _)| overlaps(*other)) && self.set(field, value)
    }

    /// What is written for the part of this kind.
    pub(crate) fn part(&self, kind: PartKind) -> Option<&[u8]> {
        let place = self.def.parts.iter().position(|part| part.kind == kind)?;
        self.parts.iter().rev().find(|(other, _)| *other == place).map(|(_, bytes)| bytes.as_slice())
    }
}
