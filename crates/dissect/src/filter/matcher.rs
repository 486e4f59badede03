//! Testing a dissected packet.

use super::{Expr, Function, Literal, Op, Operand, Slice, Sum};
use crate::field::{FieldDef, Kind};
use crate::show::write_value;
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
        Expr::Xor(parts) => parts.iter().filter(|part| matches(part, tree)).count() % 2 == 1,
        Expr::At(inner, _) => matches(inner, tree),
        Expr::Exists(defs, layers) => fields(tree, defs, layers).next().is_some(),
        Expr::NonZero(operand) => each(tree, operand, &mut |value| match value {
            Value::Bytes(bytes) => bytes.iter().any(|byte| *byte != 0),
            Value::Address(IpAddr::V4(address)) => !address.is_unspecified(),
            Value::Uint(number) => number != 0,
            value => integer(&value).is_some_and(|number| number != 0),
        }),
        Expr::Compare { left, op, right, all, .. } => {
            searched(tree, left, *op, right, *all).unwrap_or_else(|| compare(tree, left, *op, right, *all))
        }
        Expr::In { left, set, all } => {
            let is_in = |value: &Value<'_>| {
                set.iter().any(|(from, to)| match to {
                    None => holds(value, Op::Eq, from),
                    Some(to) => holds(value, Op::Ge, from) && holds(value, Op::Le, to),
                })
            };
            quantified(tree, left, *all, &mut |value| is_in(value))
        }
        // Header tests are compiled and run on the bytes.
        Expr::Header(_) => false,
    }
}

/// The fields of some definitions, in some of their protocol's layers.
fn fields<'a>(
    tree: Tree<'a>,
    defs: &'a [&'static FieldDef],
    layers: &'a [Slice],
) -> impl Iterator<Item = &'a Field> {
    let protocol = defs.first().and_then(|def| def.name.split('.').next()).unwrap_or_default();
    let is_layer = move |field: &Field| field.def.kind == Kind::Protocol && field.def.name == protocol;
    let count = match layers {
        [] => 0,
        _ => tree.fields().iter().filter(|field| is_layer(field)).count() as i64,
    };
    let mut layer = 0;
    tree.fields().iter().filter(move |field| {
        if layers.is_empty() {
            return defs.iter().any(|def| field.def.is(def));
        }
        layer += i64::from(is_layer(field));
        defs.iter().any(|def| field.def.is(def)) && layers.iter().any(|wanted| has(wanted, layer, count))
    })
}

/// Whether a range of layers, counted from 1, has one of `count`.
fn has(wanted: &Slice, layer: i64, count: i64) -> bool {
    let first = if wanted.start < 0 { count + 1 + wanted.start } else { wanted.start };
    let last = wanted.len.map_or(i64::MAX, |len| first.saturating_add(len as i64 - 1));
    (first..=last).contains(&layer)
}

/// Whether what a layer begins with and what it carries has something in it: `tcp contains "GET"` asks for payload.
fn searched(tree: Tree<'_>, left: &Operand, op: Op, right: &Operand, all: bool) -> Option<bool> {
    let (Operand::Field { defs, layers }, Operand::Literal(literal)) = (left, right) else { return None };
    let is_layer = matches!(op, Op::Contains | Op::Matches) && defs.first()?.kind == Kind::Protocol;
    let mut found = fields(tree, defs, layers).map(|field| {
        let bytes = tree.source_bytes(field.source, field.start, u32::MAX);
        holds(&Value::Bytes(bytes), op, literal)
    });
    is_layer
        .then(|| if all { found.next() == Some(true) && found.all(|one| one) } else { found.any(|one| one) })
}

/// Of some values or of all, where there are any, on both sides.
fn compare(tree: Tree<'_>, left: &Operand, op: Op, right: &Operand, all: bool) -> bool {
    quantified(tree, left, all, &mut |value| match right {
        Operand::Literal(literal) => holds(value, op, literal),
        other => quantified(tree, other, all, &mut |other| match (op, value, other) {
            (Op::Contains, Value::Text(a) | Value::Bytes(a), Value::Text(b) | Value::Bytes(b)) => {
                contains(a, b)
            }
            _ => decide(op, order(value, other)),
        }),
    })
}

/// Whether a test holds for any value of an operand, or for all of at least one.
fn quantified(
    tree: Tree<'_>,
    operand: &Operand,
    all: bool,
    test: &mut dyn FnMut(&Value<'_>) -> bool,
) -> bool {
    if !all {
        return each(tree, operand, &mut |value| test(&value));
    }
    let mut any = false;
    let failed = each(tree, operand, &mut |value| {
        any = true;
        !test(&value)
    });
    any && !failed
}

/// Whether `test` holds for any value of an operand.
fn each(tree: Tree<'_>, operand: &Operand, test: &mut dyn FnMut(Value<'_>) -> bool) -> bool {
    match operand {
        Operand::Field { defs, layers } => fields(tree, defs, layers).any(|field| {
            let value = match tree.value(field) {
                // A layer compares as its bytes.
                Value::None => Value::Bytes(tree.bytes(field)),
                value => value,
            };
            test(value)
        }),
        Operand::Slice(inner, slices) => each(tree, inner, &mut |value| {
            let mut fixed = [0; 16];
            let Some(bytes) = bytes_of(&value, &mut fixed) else { return false };
            match slices.as_slice() {
                [one] => cut(bytes, one).is_some_and(|part| test(Value::Bytes(part))),
                several => {
                    let parts: Option<Vec<&[u8]>> = several.iter().map(|one| cut(bytes, one)).collect();
                    parts.is_some_and(|parts| test(Value::Bytes(&parts.concat())))
                }
            }
        }),
        Operand::Call(function, arguments) => call(tree, *function, arguments, test),
        Operand::Sum(left, sum, right) => each(tree, left, &mut |left| {
            each(tree, right, &mut |right| match (&left, *sum, &right) {
                (Value::Bytes(_) | Value::Ether(_), Sum::And, Value::Bytes(_) | Value::Ether(_)) => {
                    let (mut one, mut other) = ([0; 16], [0; 16]);
                    let (a, b) = (bytes_of(&left, &mut one), bytes_of(&right, &mut other));
                    let both = a.into_iter().flatten().zip(b.into_iter().flatten());
                    test(Value::Bytes(&both.map(|(a, b)| a & b).collect::<Vec<u8>>()))
                }
                (left, sum, right) => reckon(left, sum, right).is_some_and(&mut *test),
            })
        }),
        Operand::Negative(inner) => each(tree, inner, &mut |value| {
            let zero = match value {
                Value::Float(_) => Value::Float(0.0),
                Value::Relative(_) => Value::Relative(0),
                _ => Value::Int(0),
            };
            reckon(&zero, Sum::Subtract, &value).is_some_and(&mut *test)
        }),
        Operand::Literal(literal) => match literal {
            Literal::Uint(number) => test(Value::Uint(*number)),
            Literal::Int(number) => test(Value::Int(*number)),
            Literal::Float(number) => test(Value::Float(*number)),
            Literal::Time(nanos) => test(Value::Absolute(*nanos)),
            Literal::Span(nanos) => test(Value::Relative(*nanos)),
            Literal::Net(address, _) => test(Value::Address(*address)),
            Literal::Bytes(bytes) => test(Value::Bytes(bytes)),
            Literal::Text(words) => test(Value::Text(words)),
            Literal::Regex(_) => false,
        },
        Operand::Unread(_) => false,
    }
}

/// The bytes that a value has; numbers have none.
fn bytes_of<'a>(value: &Value<'a>, fixed: &'a mut [u8; 16]) -> Option<&'a [u8]> {
    Some(match value {
        Value::Text(bytes) | Value::Bytes(bytes) => bytes,
        Value::Ether(mac) => {
            fixed[..6].copy_from_slice(mac);
            &fixed[..6]
        }
        Value::Address(IpAddr::V4(address)) => {
            fixed[..4].copy_from_slice(&address.octets());
            &fixed[..4]
        }
        Value::Address(IpAddr::V6(address)) => {
            *fixed = address.octets();
            fixed
        }
        _ => return None,
    })
}

fn call(
    tree: Tree<'_>,
    function: Function,
    arguments: &[Operand],
    test: &mut dyn FnMut(Value<'_>) -> bool,
) -> bool {
    let fields = || match arguments {
        [Operand::Field { defs, layers }] => Some(fields(tree, defs, layers)),
        _ => None,
    };
    let argument = || arguments.first();
    match function {
        Function::Len => fields().into_iter().flatten().any(|field| {
            let len = match tree.value(field) {
                Value::Text(bytes) | Value::Bytes(bytes) => bytes.len() as u64,
                _ => u64::from(field.len),
            };
            test(Value::Uint(len))
        }),
        Function::Count => {
            let count = fields().into_iter().flatten().count();
            count > 0 && test(Value::Uint(count as u64))
        }
        Function::Words => fields().into_iter().flatten().any(|field| {
            let mut words = Vec::new();
            write_value(&mut words, tree, field);
            test(Value::Text(&words))
        }),
        Function::Lower => argument().is_some_and(|argument| {
            each(tree, argument, &mut |value| match value {
                Value::Text(words) => test(Value::Text(&words.to_ascii_lowercase())),
                _ => false,
            })
        }),
        Function::Upper => argument().is_some_and(|argument| {
            each(tree, argument, &mut |value| match value {
                Value::Text(words) => test(Value::Text(&words.to_ascii_uppercase())),
                _ => false,
            })
        }),
        Function::Abs => argument().is_some_and(|argument| {
            each(tree, argument, &mut |value| match value {
                Value::Int(number) => test(Value::Int(number.saturating_abs())),
                Value::Relative(nanos) => test(Value::Relative(nanos.saturating_abs())),
                Value::Float(number) => test(Value::Float(number.abs())),
                value => test(value),
            })
        }),
        Function::Max | Function::Min => {
            let wanted = if function == Function::Max { Ordering::Greater } else { Ordering::Less };
            let mut best: Option<Kept> = None;
            for argument in arguments {
                each(tree, argument, &mut |value| {
                    if best.as_ref().is_none_or(|best| order(&value, &best.value()) == Some(wanted)) {
                        best = Kept::of(&value).or_else(|| best.take());
                    }
                    false
                });
            }
            best.is_some_and(|best| test(best.value()))
        }
    }
}

/// A value for longer than the place it was found at.
enum Kept {
    Number(Value<'static>),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
}

impl Kept {
    fn of(value: &Value<'_>) -> Option<Kept> {
        Some(Kept::Number(match *value {
            Value::Text(words) => return Some(Kept::Text(words.to_vec())),
            Value::Bytes(bytes) => return Some(Kept::Bytes(bytes.to_vec())),
            Value::Bool(value) => Value::Bool(value),
            Value::Uint(value) => Value::Uint(value),
            Value::Int(value) => Value::Int(value),
            Value::Float(value) => Value::Float(value),
            Value::Relative(value) => Value::Relative(value),
            Value::Absolute(value) => Value::Absolute(value),
            Value::Address(value) => Value::Address(value),
            Value::Ether(value) => Value::Ether(value),
            _ => return None,
        }))
    }

    fn value(&self) -> Value<'_> {
        match self {
            Kept::Number(number) => *number,
            Kept::Text(words) => Value::Text(words),
            Kept::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

fn integer(value: &Value<'_>) -> Option<i128> {
    match *value {
        Value::Bool(value) => Some(i128::from(value)),
        Value::Uint(value) => Some(i128::from(value)),
        Value::Int(value) => Some(i128::from(value)),
        _ => None,
    }
}

/// Two numbers made one. What does not fit, or is divided by 0, is no number.
fn reckon(left: &Value<'_>, sum: Sum, right: &Value<'_>) -> Option<Value<'static>> {
    let whole = |a: i128, b: i128| match sum {
        Sum::Add => a.checked_add(b),
        Sum::Subtract => a.checked_sub(b),
        Sum::Multiply => a.checked_mul(b),
        Sum::Divide => a.checked_div(b),
        Sum::Modulo => a.checked_rem(b),
        Sum::And => Some(a & b),
    };
    Some(match (left, right) {
        (Value::Address(IpAddr::V4(a)), Value::Address(IpAddr::V4(b))) if sum == Sum::And => {
            Value::Address(IpAddr::V4(a & b))
        }
        (Value::Address(IpAddr::V6(a)), Value::Address(IpAddr::V6(b))) if sum == Sum::And => {
            Value::Address(IpAddr::V6(a & b))
        }
        (Value::Float(a), Value::Float(b)) => Value::Float(match sum {
            Sum::Add => a + b,
            Sum::Subtract => a - b,
            Sum::Multiply => a * b,
            Sum::Divide => a / b,
            Sum::Modulo => a % b,
            Sum::And => return None,
        }),
        (Value::Relative(a), Value::Relative(b)) if matches!(sum, Sum::Add | Sum::Subtract) => {
            Value::Relative(i64::try_from(whole(i128::from(*a), i128::from(*b))?).ok()?)
        }
        (left, right) => {
            let result = whole(integer(left)?, integer(right)?)?;
            match u64::try_from(result) {
                Ok(number) => Value::Uint(number),
                Err(_) => Value::Int(i64::try_from(result).ok()?),
            }
        }
    })
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Bytes in an order: of two lengths, the shorter come first.
fn order_bytes(left: &[u8], right: &[u8]) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
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
            contains(bytes, wanted)
        }
        (Value::Ether(mac), Literal::Bytes(wanted)) if op == Op::Contains => contains(mac, wanted),
        (Value::Ether(mac), Literal::Regex(pattern)) => {
            pattern.0.is_match(&mac.iter().map(|&byte| char::from(byte)).collect::<String>())
        }
        (Value::Address(address), Literal::Net(net, prefix)) => {
            decide(op, Some(masked(*address, *prefix).cmp(&masked(*net, *prefix))))
        }
        (Value::Uint(value), Literal::Uint(wanted)) => decide(op, Some(value.cmp(wanted))),
        (Value::Bool(_) | Value::Int(_), Literal::Uint(wanted)) => {
            decide(op, integer(value).map(|value| value.cmp(&i128::from(*wanted))))
        }
        (Value::Bool(_) | Value::Uint(_) | Value::Int(_), Literal::Int(wanted)) => {
            decide(op, integer(value).map(|value| value.cmp(&i128::from(*wanted))))
        }
        (Value::Absolute(value), Literal::Time(wanted)) => decide(op, Some(value.cmp(wanted))),
        (Value::Relative(value) | Value::Absolute(value), Literal::Span(wanted)) => {
            decide(op, Some(value.cmp(wanted)))
        }
        (Value::Float(value), Literal::Float(wanted)) => decide(op, value.partial_cmp(wanted)),
        (Value::Ether(value), Literal::Bytes(wanted)) => decide(op, Some(order_bytes(value, wanted))),
        (Value::Text(value), Literal::Text(wanted)) => decide(op, Some((*value).cmp(wanted.as_slice()))),
        (Value::Text(value) | Value::Bytes(value), Literal::Text(wanted) | Literal::Bytes(wanted)) => {
            decide(op, Some(order_bytes(value, wanted)))
        }
        _ => false,
    }
}

fn order(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (
            Value::Bool(_) | Value::Uint(_) | Value::Int(_),
            Value::Bool(_) | Value::Uint(_) | Value::Int(_),
        ) => Some(integer(left)?.cmp(&integer(right)?)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Address(left), Value::Address(right)) => Some(left.cmp(right)),
        (Value::Ether(left), Value::Ether(right)) => Some(left.cmp(right)),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Text(left) | Value::Bytes(left), Value::Text(right) | Value::Bytes(right)) => {
            Some(order_bytes(left, right))
        }
        (Value::Ether(left), Value::Bytes(right)) => Some(order_bytes(left, right)),
        (Value::Bytes(left), Value::Ether(right)) => Some(order_bytes(left, right)),
        (Value::Relative(left) | Value::Absolute(left), Value::Relative(right) | Value::Absolute(right)) => {
            Some(left.cmp(right))
        }
        _ => None,
    }
}

fn decide(op: Op, ordering: Option<Ordering>) -> bool {
    let Some(ordering) = ordering else { return false };
    match op {
        Op::Eq => ordering.is_eq(),
        Op::Ne => ordering.is_ne(),
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
