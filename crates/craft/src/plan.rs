//! An expression, understood: a set of packets that are made one by one.

use crate::error::CraftError;
use crate::layout::{self, LayerDef, PartDef, PartKind};
use crate::name;
use crate::option::{self, Family};
use crate::packet::{Layer, Packet};
use crate::text::{self, Item, Tree, Written};
use crate::value::{self, Choices};

/// A set of packets. It holds the choices, not the packets: a set of millions costs nothing until they are made.
#[derive(Clone, Debug)]
pub struct Plan {
    layers: Vec<LayerPlan>,
}

#[derive(Clone, Debug)]
struct LayerPlan {
    def: &'static LayerDef,
    column: usize,
    fields: Vec<(usize, Choices)>,
    parts: Vec<(usize, Vec<Vec<u8>>)>,
}

impl Plan {
    /// Understands an expression. The error points at the column.
    pub fn parse(text: &str) -> Result<Plan, CraftError> {
        let layers = text::parse(text)?.iter().map(understand).collect::<Result<Vec<_>, _>>()?;
        Ok(Plan { layers })
    }

    /// How many packets it stands for; at least 1. Saturates.
    pub fn count(&self) -> u128 {
        self.radices().fold(1, u128::saturating_mul)
    }

    /// The kind of the outermost layer.
    pub fn first_layer(&self) -> &'static LayerDef {
        self.layers[0].def
    }

    /// One of the packets; what was written last varies first. `None` behind the end.
    pub fn nth(&self, index: u128) -> Option<Packet> {
        if index >= self.count() {
            return None;
        }
        let radices: Vec<u128> = self.radices().collect();
        let mut digits = vec![0; radices.len()];
        let mut rest = index;
        for (digit, radix) in digits.iter_mut().zip(&radices).rev() {
            *digit = rest % radix;
            rest /= radix;
        }
        let mut digits = digits.into_iter();
        let layers = self.layers.iter().map(|plan| {
            let fields = plan.fields.iter().map(|(place, choices)| {
                let digit = digits.next().unwrap_or(0);
                (*place, choices.nth(digit).unwrap_or(0))
            });
            let fields: Vec<(usize, u128)> = fields.collect();
            let parts = plan.parts.iter().map(|(place, choices)| {
                let digit = digits.next().unwrap_or(0);
                (*place, choices.get(digit as usize).cloned().unwrap_or_default())
            });
            Layer { def: plan.def, fields, parts: parts.collect(), column: plan.column }
        });
        Some(Packet { layers: layers.collect() })
    }

    /// All packets in order.
    pub fn packets(&self) -> impl Iterator<Item = Packet> + '_ {
        let mut index = 0;
        std::iter::from_fn(move || {
            let packet = self.nth(index)?;
            index += 1;
            Some(packet)
        })
    }

    /// How many choices each value has, in the order of [`Plan::nth`].
    fn radices(&self) -> impl Iterator<Item = u128> + '_ {
        self.layers.iter().flat_map(|layer| {
            let fields = layer.fields.iter().map(|(_, choices)| choices.count());
            fields.chain(layer.parts.iter().map(|(_, choices)| choices.len() as u128))
        })
    }
}

fn understand(written: &Written) -> Result<LayerPlan, CraftError> {
    let Some(def) = layout::layer(&written.name.to_ascii_lowercase()) else {
        let names: Vec<&str> = layout::layers().iter().map(|layer| layer.name()).collect();
        let shown: String = written.name.chars().take(40).collect();
        return Err(written
            .span
            .error(format!("there is no layer `{shown}`"))
            .hint(format!("there are {}", names.join(", "))));
    };
    let mut plan = LayerPlan { def, column: written.span.column, fields: Vec::new(), parts: Vec::new() };
    for item in &written.items {
        plan.take(item)?;
    }
    let has = |kind| plan.parts.iter().any(|(place, _)| def.parts[*place].kind == kind);
    if (has(PartKind::DnsType) || has(PartKind::DnsClass)) && !has(PartKind::DnsName) {
        return Err(written.span.error("a question has a name").hint("add qry.name=www.shop.lab"));
    }
    Ok(plan)
}

impl LayerPlan {
    fn take(&mut self, item: &Item) -> Result<(), CraftError> {
        // A value alone: the bytes of data("text").
        let bytes_alone = self.def.parts.first().is_some_and(|part| part.kind == PartKind::Bytes);
        if item.name.is_empty() || (item.value.is_none() && bytes_alone && item.name.starts_with("0x")) {
            let value = item.value.clone().unwrap_or_else(|| Tree::Atom(item.name.clone(), item.span));
            if !bytes_alone {
                return Err(item.span.error("expected a field's name").hint(self.names()));
            }
            return self.take_part(0, &value);
        }
        let name = item.name.to_ascii_lowercase();
        if let Some(place) = self.def.field(&name) {
            let field = &self.def.fields[place];
            let choices = match &item.value {
                Some(tree) => value::choices(field, tree)?,
                None if field.bits == 1 => Choices::one(1),
                None => {
                    return Err(item
                        .span
                        .error(format!("`{}` needs a value", item.name))
                        .hint("write it behind `=`"));
                }
            };
            if self.fields.iter().any(|(other, _)| *other == place) {
                return Err(item
                    .span
                    .error(format!("`{}` is written twice", item.name))
                    .hint("[1,2] is both"));
            }
            self.fields.push((place, choices));
            return Ok(());
        }
        if let Some(place) = self.def.part(&name) {
            let value = item
                .value
                .as_ref()
                .ok_or_else(|| item.span.error(format!("`{}` needs a value", item.name)))?;
            if self.parts.iter().any(|(other, _)| *other == place) {
                return Err(item.span.error(format!("`{}` is written twice", item.name)));
            }
            return self.take_part(place, value);
        }
        let shown: String = item.name.chars().take(40).collect();
        Err(item.span.error(format!("`{}` has no field `{shown}`", self.def.name())).hint(self.names()))
    }

    fn take_part(&mut self, place: usize, tree: &Tree) -> Result<(), CraftError> {
        let choices = alternatives(&self.def.parts[place], tree)?;
        let too_long = choices.iter().any(|choice| match self.def.parts[place].kind {
            PartKind::TcpOptions | PartKind::Ipv4Options => choice.len() > 40,
            PartKind::Ipv6Options => choice.len() > 2_046,
            _ => false,
        });
        if too_long {
            return Err(tree.span().error("these options are longer than the header's length can say"));
        }
        self.parts.push((place, choices));
        Ok(())
    }

    /// What there is, as a hint.
    fn names(&self) -> String {
        let fields = self.def.fields.iter().map(|field| field.names[0]);
        let names: Vec<&str> = fields.chain(self.def.parts.iter().map(|part| part.name)).collect();
        format!("it has {}", names.join(", "))
    }
}

/// What is written for a part: its bytes, several if it is a list.
fn alternatives(part: &PartDef, tree: &Tree) -> Result<Vec<Vec<u8>>, CraftError> {
    let family = match part.kind {
        PartKind::TcpOptions => Some(Family::Tcp),
        PartKind::Ipv4Options => Some(Family::Ipv4),
        PartKind::Ipv6Options => Some(Family::Ipv6),
        _ => None,
    };
    if let Some(family) = family {
        return option::alternatives(family, tree);
    }
    let one = |tree: &Tree| match (part.kind, tree) {
        (PartKind::DnsName, Tree::Atom(text, span)) => {
            Ok(vec![name::to_wire(text).map_err(|wrong| span.error(wrong))?])
        }
        (PartKind::DnsType, tree) => numbers(tree, name::TYPES, 0xffff, 2),
        (PartKind::DnsClass, tree) => numbers(tree, name::CLASSES, 0xffff, 2),
        (PartKind::Length, tree) => numbers(tree, &[], 65_535, 4),
        (_, tree) => Ok(vec![value::bytes(tree)?]),
    };
    match tree {
        Tree::List(trees, _) => Ok(trees.iter().map(one).collect::<Result<Vec<_>, _>>()?.concat()),
        tree => one(tree),
    }
}

/// A number, by name perhaps, or a range of at most 65,536 of them, as so many bytes each.
fn numbers(tree: &Tree, names: &[(&str, u64)], max: u128, size: usize) -> Result<Vec<Vec<u8>>, CraftError> {
    let span = tree.span();
    let wrong = || span.error(format!("expected a number of at most {max}"));
    let Tree::Atom(text, _) = tree else { return Err(wrong()) };
    let single =
        |text: &str| value::number(text).or_else(|| value::named(names, text)).filter(|value| *value <= max);
    let (low, high) = match (single(text), text.split_once('-')) {
        (Some(value), _) => (value, value),
        (None, Some((low, high))) => (single(low).ok_or_else(wrong)?, single(high).ok_or_else(wrong)?),
        (None, None) => return Err(wrong()),
    };
    if low > high {
        return Err(span.error("the range begins behind its end"));
    }
    Ok((low..=high).map(|value| value.to_be_bytes()[16 - size..].to_vec()).collect())
}
