//! Lists of options: TCP's, IPv4's, those of IPv6 extension headers; in the order written.

use crate::error::CraftError;
use crate::text::{Item, Tree};
use crate::value::{bytes, hex, number};

/// So many alternatives may one list of options stand for.
const ALTERNATIVES_MAX: usize = 4_096;

/// Which options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Tcp,
    Ipv4,
    Ipv6,
}

/// How a known option's data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    /// A single byte without a length.
    Alone,
    /// No data.
    Empty,
    /// A number of so many bytes.
    Number(usize),
    /// Two numbers of four bytes: `1:2`.
    Pair,
    /// Pairs of numbers: `1-2:3-4`.
    Blocks,
    /// `0xhex` or text.
    Bytes,
    /// So many zero bytes.
    Zeros,
}

type Known = (&'static [&'static str], u8, Data);

const TCP: &[Known] = &[
    (&["eol"], 0, Data::Alone),
    (&["nop"], 1, Data::Alone),
    (&["mss"], 2, Data::Number(2)),
    (&["wscale", "ws"], 3, Data::Number(1)),
    (&["sackok", "sack_perm"], 4, Data::Empty),
    (&["sack"], 5, Data::Blocks),
    (&["ts", "timestamp"], 8, Data::Pair),
    (&["md5"], 19, Data::Bytes),
    (&["uto"], 28, Data::Number(2)),
    (&["ao"], 29, Data::Bytes),
    (&["tfo"], 34, Data::Bytes),
];

const IPV4: &[Known] = &[
    (&["eol"], 0, Data::Alone),
    (&["nop"], 1, Data::Alone),
    (&["ra", "router_alert"], 148, Data::Number(2)),
];

const IPV6: &[Known] = &[
    (&["pad1"], 0, Data::Alone),
    (&["padn"], 1, Data::Zeros),
    (&["ra", "router_alert"], 5, Data::Number(2)),
    (&["jumbo"], 0xc2, Data::Number(4)),
];

impl Family {
    fn known(self) -> &'static [Known] {
        match self {
            Family::Tcp => TCP,
            Family::Ipv4 => IPV4,
            Family::Ipv6 => IPV6,
        }
    }

    /// IPv6's length byte counts the data alone, the others' the option.
    fn overhead(self) -> usize {
        if self == Family::Ipv6 { 0 } else { 2 }
    }
}

/// Every list of options that is written: one, or several where values are lists.
pub(crate) fn alternatives(family: Family, tree: &Tree) -> Result<Vec<Vec<u8>>, CraftError> {
    match tree {
        Tree::List(trees, span) => {
            let mut all = Vec::new();
            for tree in trees {
                all.extend(alternatives(family, tree)?);
                if all.len() > ALTERNATIVES_MAX {
                    return Err(span.error("these are too many alternatives"));
                }
            }
            Ok(all)
        }
        Tree::Group(items, _) => group(family, items),
        Tree::Atom(text, span) => match hex(text) {
            Some(bytes) => Ok(vec![bytes]),
            None => Err(span.error("expected options in parentheses, or 0xhex").hint(example(family))),
        },
        Tree::Text(bytes, _) => Ok(vec![bytes.clone()]),
    }
}

fn example(family: Family) -> &'static str {
    match family {
        Family::Tcp => "as in options=(mss=1460,sackok,ts=1:0,nop,wscale=7)",
        Family::Ipv4 => "as in options=(ra=0,nop)",
        Family::Ipv6 => "as in options=(ra=0,padn=2)",
    }
}

fn group(family: Family, items: &[Item]) -> Result<Vec<Vec<u8>>, CraftError> {
    let mut all = vec![Vec::new()];
    for item in items {
        let choices = option(family, item)?;
        if all.len() * choices.len() > ALTERNATIVES_MAX {
            return Err(item.span.error("these are too many alternatives"));
        }
        all = all
            .iter()
            .flat_map(|before| choices.iter().map(move |choice| [before.as_slice(), choice].concat()))
            .collect();
    }
    Ok(all)
}

/// One option; several where its value is a list.
fn option(family: Family, item: &Item) -> Result<Vec<Vec<u8>>, CraftError> {
    let name = item.name.to_ascii_lowercase();
    let known = family.known().iter().find(|(names, ..)| names.contains(&name.as_str()));
    let (kind, data) = match known {
        Some((_, kind, data)) => (*kind, *data),
        None => match number(&name).and_then(|kind| u8::try_from(kind).ok()) {
            Some(kind) => (kind, Data::Bytes),
            None => {
                let names: Vec<&str> = family.known().iter().map(|(names, ..)| names[0]).collect();
                let shown: String = item.name.chars().take(40).collect();
                return Err(item
                    .span
                    .error(format!("there is no option `{shown}`"))
                    .hint(format!("there are {}; any other by its number: 253=0x0102", names.join(", "))));
            }
        },
    };
    let trees: Vec<Option<&Tree>> = match &item.value {
        Some(Tree::List(trees, _)) => trees.iter().map(Some).collect(),
        Some(tree) => vec![Some(tree)],
        None => vec![None],
    };
    trees
        .into_iter()
        .map(|tree| {
            if data == Data::Alone {
                return match tree {
                    None => Ok(vec![kind]),
                    Some(tree) => Err(tree.span().error("this option has no value")),
                };
            }
            let body = body(data, tree, item)?;
            let length = u8::try_from(body.len() + family.overhead())
                .map_err(|_| item.span.error("an option has at most 255 bytes"))?;
            Ok([&[kind, length][..], &body].concat())
        })
        .collect()
}

fn body(data: Data, tree: Option<&Tree>, item: &Item) -> Result<Vec<u8>, CraftError> {
    let missing = || item.span.error("this option needs a value");
    let text = |tree: &Tree| match tree {
        Tree::Atom(text, _) => Ok(text.clone()),
        tree => Err(tree.span().error("expected a number")),
    };
    let four = |tree: &Tree, text: &str| {
        let value = number(text).and_then(|value| u32::try_from(value).ok());
        value.map(u32::to_be_bytes).ok_or_else(|| tree.span().error("expected numbers of at most 32 bits"))
    };
    match (data, tree) {
        (Data::Alone | Data::Empty, None) => Ok(Vec::new()),
        (Data::Alone | Data::Empty, Some(tree)) => Err(tree.span().error("this option has no value")),
        (Data::Bytes, None) => Ok(Vec::new()),
        (Data::Bytes, Some(tree)) => bytes(tree),
        (_, None) => Err(missing()),
        (Data::Number(size), Some(tree)) => {
            let value = number(&text(tree)?).filter(|value| *value >> (size * 8) == 0);
            let value = value.ok_or_else(|| {
                tree.span().error(format!("expected a number of at most {} bits", size * 8))
            })?;
            Ok(value.to_be_bytes()[16 - size..].to_vec())
        }
        (Data::Zeros, Some(tree)) => {
            let count = number(&text(tree)?).filter(|count| *count <= 255);
            let count = count.ok_or_else(|| tree.span().error("expected a number of at most 255"))?;
            Ok(vec![0; count as usize])
        }
        (Data::Pair, Some(tree)) => {
            let words = text(tree)?;
            let (one, other) =
                words.split_once(':').ok_or_else(|| tree.span().error("expected two numbers, as in 1:0"))?;
            Ok([four(tree, one)?, four(tree, other)?].concat())
        }
        (Data::Blocks, Some(tree)) => {
            let words = text(tree)?;
            let mut out = Vec::new();
            for block in words.split(':') {
                let (left, right) = block
                    .split_once('-')
                    .ok_or_else(|| tree.span().error("expected blocks, as in 1-100:200-300"))?;
                out.extend(four(tree, left)?);
                out.extend(four(tree, right)?);
            }
            Ok(out)
        }
    }
}

/// Fills up to where the header may end.
pub(crate) fn pad(family: Family, options: &mut Vec<u8>, before: usize) {
    let step = if family == Family::Ipv6 { 8 } else { 4 };
    let missing = (before + options.len()).next_multiple_of(step) - before - options.len();
    match (family, missing) {
        (_, 0) => {}
        (Family::Ipv6, 1) => options.push(0),
        (Family::Ipv6, missing) => {
            options.extend([1, missing as u8 - 2]);
            options.extend(core::iter::repeat_n(0, missing - 2));
        }
        (_, missing) => options.extend(core::iter::repeat_n(0, missing)),
    }
}

/// Options as words that make exactly these bytes, if there are such.
pub(crate) fn words(family: Family, options: &[u8]) -> Option<String> {
    let mut words = Vec::new();
    let mut at = 0;
    while at < options.len() {
        let kind = options[at];
        let known = family.known().iter().find(|(_, number, _)| *number == kind);
        if let Some((names, _, Data::Alone)) = known {
            words.push(names[0].to_owned());
            at += 1;
            continue;
        }
        let length = usize::from(*options.get(at + 1)?) + 2 - family.overhead();
        let body = options.get(at + 2..at + length.max(2)).filter(|_| length >= 2)?;
        words.push(match known {
            Some((names, _, data)) => word(names[0], *data, body).unwrap_or_else(|| numbered(kind, body)),
            None => numbered(kind, body),
        });
        at += length;
    }
    Some(format!("({})", words.join(",")))
}

fn numbered(kind: u8, body: &[u8]) -> String {
    if body.is_empty() { kind.to_string() } else { format!("{kind}={}", crate::describe::hex(body)) }
}

fn word(name: &str, data: Data, body: &[u8]) -> Option<String> {
    let fours: Vec<u32> = body.as_chunks::<4>().0.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
    match data {
        Data::Empty if body.is_empty() => Some(name.to_owned()),
        Data::Number(size) if body.len() == size => {
            let value = body.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
            Some(format!("{name}={value}"))
        }
        Data::Pair if body.len() == 8 => Some(format!("{name}={}:{}", fours[0], fours[1])),
        Data::Blocks if !body.is_empty() && body.len().is_multiple_of(8) => {
            let blocks: Vec<String> =
                fours.chunks(2).map(|pair| format!("{}-{}", pair[0], pair[1])).collect();
            Some(format!("{name}={}", blocks.join(":")))
        }
        Data::Zeros if body.iter().all(|byte| *byte == 0) => Some(format!("{name}={}", body.len())),
        Data::Bytes if body.is_empty() => Some(name.to_owned()),
        Data::Bytes => Some(format!("{name}={}", crate::describe::hex(body))),
        _ => None,
    }
}
