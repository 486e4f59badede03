//! Testing a dissected packet.

use super::{Expr, Literal, Op, Operand, Slice};
use crate::field::FieldDef;
use crate::tree::{Field, Tree, Value};
use std::cmp::Ordering;
use std::net::IpAddr;

/// Whether a packet passes.
pub(super) fn matches(expr: &Expr, tree: Tree<'_>) -> bool {
    match expr {
        Expr::True => true,
        Expr::Not(inner) => !matches(inner, tree),
        Expr::And(parts) => parts.iter().all(|part| matches(part, tree)),
        Expr::Or(parts) => parts.iter().any(|part| matches(part, tree)),
        Expr::Xor(left, right) => matches(left, tree) != matches(right, tree),
        Expr::Exists(defs) => fields(tree, defs).next().is_some(),
        Expr::Compare { left, op, right, .. } => compare(tree, left, *op, right),
        Expr::In { left, set } => {
            let is_in = |value: &Value<'_>| {
                set.iter().any(|(from, to)| match to {
                    None => holds(value, Op::Eq, from),
                    Some(to) => holds(value, Op::Ge, from) && holds(value, Op::Le, to),
                })
            };
            each(tree, left, &mut |value| is_in(&value))
        }
        // Header tests are compiled and run on the bytes.
        Expr::Header(_) => false,
    }
}

fn fields<'a>(tree: Tree<'a>, defs: &'a [&'static FieldDef]) -> impl Iterator<Item = &'a Field> {
    tree.fields().iter().filter(move |field| defs.iter().any(|def| field.def.is(def)))
}

fn compare(tree: Tree<'_>, left: &Operand, op: Op, right: &Operand) -> bool {
    // "No value is equal" and "all are equal" are about all values; the others about any.
    let all = matches!(op, Op::Ne | Op::AllEq);
    let each_op = match op {
        Op::AllEq => Op::Eq,
        Op::AnyNe => Op::Ne,
        op => op,
    };
    let mut any = false;
    if all {
        let failed = each(tree, left, &mut |value| {
            any = true;
            !with_right(tree, &value, each_op, right)
        });
        any && !failed
    } else {
        each(tree, left, &mut |value| with_right(tree, &value, each_op, right))
    }
}

fn with_right(tree: Tree<'_>, value: &Value<'_>, op: Op, right: &Operand) -> bool {
    match right {
        Operand::Literal(literal) => holds(value, op, literal),
        other => each(tree, other, &mut |other| {
            let ordering = order(value, &other);
            decide(op, ordering)
        }),
    }
}

/// Whether `test` holds for any value of an operand.
fn each(tree: Tree<'_>, operand: &Operand, test: &mut dyn FnMut(Value<'_>) -> bool) -> bool {
    match operand {
        Operand::Field { defs, slices } if slices.is_empty() => fields(tree, defs).any(|field| {
            let value = match tree.value(field) {
                // A layer compares as its bytes.
                Value::None => Value::Bytes(tree.bytes(field)),
                value => value,
            };
            test(value)
        }),
        Operand::Field { defs, slices } => fields(tree, defs).any(|field| {
            let bytes = match tree.value(field) {
                Value::Text(bytes) | Value::Bytes(bytes) => bytes,
                _ => tree.bytes(field),
            };
            match slices.as_slice() {
                [one] => cut(bytes, one).is_some_and(|part| test(Value::Bytes(part))),
                several => {
                    let parts: Option<Vec<&[u8]>> = several.iter().map(|one| cut(bytes, one)).collect();
                    parts.is_some_and(|parts| test(Value::Bytes(&parts.concat())))
                }
            }
        }),
        Operand::Len(defs) => fields(tree, defs).any(|field| {
            let len = match tree.value(field) {
                Value::Text(bytes) | Value::Bytes(bytes) => bytes.len() as u64,
                _ => u64::from(field.len),
            };
            test(Value::Uint(len))
        }),
        Operand::Count(defs) => test(Value::Uint(fields(tree, defs).count() as u64)),
        Operand::Lower(defs) => fields(tree, defs).any(|field| match tree.value(field) {
            Value::Text(words) => test(Value::Text(&words.to_ascii_lowercase())),
            _ => false,
        }),
        Operand::Upper(defs) => fields(tree, defs).any(|field| match tree.value(field) {
            Value::Text(words) => test(Value::Text(&words.to_ascii_uppercase())),
            _ => false,
        }),
        Operand::Masked(defs, mask) => fields(tree, defs).any(|field| test(Value::Uint(field.value & mask))),
        Operand::Literal(_) => false,
    }
}

/// The part of bytes that a slice means; `None` if it is not all there.
fn cut<'a>(bytes: &'a [u8], slice: &Slice) -> Option<&'a [u8]> {
    let len = bytes.len() as i64;
    let start = if slice.start < 0 { len + slice.start } else { slice.start };
    let start = usize::try_from(start).ok()?;
    match slice.len {
        None => bytes.get(start..),
        Some(count) => bytes.get(start..start.checked_add(usize::try_from(count).ok()?)?),
    }
}

fn holds(value: &Value<'_>, op: Op, literal: &Literal) -> bool {
    match (value, literal) {
        (Value::Text(words), Literal::Regex(pattern)) => pattern.0.is_match(&String::from_utf8_lossy(words)),
        (Value::Bytes(bytes), Literal::Regex(pattern)) => {
            // Each byte as the character of that number, so that patterns can name any byte.
            let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
            pattern.0.is_match(&text)
        }
        (Value::Text(bytes) | Value::Bytes(bytes), Literal::Text(wanted) | Literal::Bytes(wanted))
            if op == Op::Contains =>
        {
            wanted.is_empty() || bytes.windows(wanted.len()).any(|window| window == wanted)
        }
        (Value::Address(address), Literal::Net(net, prefix)) => {
            decide(op, Some(masked(*address, *prefix).cmp(&masked(*net, *prefix))))
        }
        (Value::Bool(value), Literal::Uint(wanted)) => decide(op, Some(u64::from(*value).cmp(wanted))),
        (Value::Uint(value), Literal::Uint(wanted)) => decide(op, Some(value.cmp(wanted))),
        (Value::Int(value), Literal::Int(wanted)) => decide(op, Some(value.cmp(wanted))),
        (Value::Float(value), Literal::Float(wanted)) => decide(op, value.partial_cmp(wanted)),
        (Value::Relative(nanos) | Value::Absolute(nanos), Literal::Float(wanted)) => {
            decide(op, Some(nanos.cmp(&((wanted * 1e9).round() as i64))))
        }
        (Value::Ether(value), Literal::Bytes(wanted)) => decide(op, Some(value.as_slice().cmp(wanted))),
        (Value::Text(value) | Value::Bytes(value), Literal::Text(wanted) | Literal::Bytes(wanted)) => {
            decide(op, Some((*value).cmp(wanted.as_slice())))
        }
        _ => false,
    }
}

fn order(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Uint(left), Value::Uint(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Address(left), Value::Address(right)) => Some(left.cmp(right)),
        (Value::Ether(left), Value::Ether(right)) => Some(left.cmp(right)),
        (Value::Text(left) | Value::Bytes(left), Value::Text(right) | Value::Bytes(right)) => {
            Some(left.cmp(right))
        }
        (Value::Relative(left) | Value::Absolute(left), Value::Relative(right) | Value::Absolute(right)) => {
            Some(left.cmp(right))
        }
        _ => None,
    }
}

fn decide(op: Op, ordering: Option<Ordering>) -> bool {
    let Some(ordering) = ordering else { return false };
    match op {
        Op::Eq | Op::AllEq => ordering.is_eq(),
        Op::Ne | Op::AnyNe => ordering.is_ne(),
        Op::Gt => ordering.is_gt(),
        Op::Lt => ordering.is_lt(),
        Op::Ge => ordering.is_ge(),
        Op::Le => ordering.is_le(),
        Op::Contains | Op::Matches => false,
    }
}

fn masked(address: IpAddr, prefix: u8) -> u128 {
    let (bits, width) = match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let drop = width - u32::from(prefix).min(width);
    bits.checked_shr(drop).unwrap_or(0)
}
