//! What stands on one side of a comparison.

use super::super::lexer::{Kind as Token, Token as Placed, Tokens};
use super::super::{Function, Operand, Slice, Sum};
use super::{Parsed, group, plural};
use crate::field::{FieldDef, Kind};
use crate::protocols::{fields_named, nearest_field};

/// What a value next to an operand has to be; and of which field, which may have names for its values.
pub(super) fn kind_of(operand: &Operand) -> Option<(Kind, Option<&'static FieldDef>)> {
    match operand {
        Operand::Field { defs, .. } => defs.first().map(|def| (def.kind, Some(*def))),
        Operand::Slice(..) => Some((Kind::Bytes, None)),
        Operand::Call(Function::Len | Function::Count, _) => Some((Kind::Uint(8), None)),
        Operand::Call(Function::Lower | Function::Upper | Function::Words, _) => Some((Kind::Text, None)),
        Operand::Call(_, arguments) => arguments.iter().find_map(kind_of),
        Operand::Sum(left, _, right) => kind_of(left).or_else(|| kind_of(right)),
        Operand::Negative(inner) => kind_of(inner),
        Operand::Unread(_) | Operand::Literal(_) => None,
    }
}

/// Additions, and what binds closer: multiplications. Masks bind least of all.
pub(super) fn sum(t: &mut Tokens) -> Parsed<Operand> {
    let mut begins = t.peek().clone();
    let mut left = addition(t)?;
    while t.take(&["&", "bitand", "bitwise_and"]).is_some() {
        let second = t.peek().clone();
        let right = addition(t)?;
        left = joined(t, (begins, left), Sum::And, right, &second)?;
        begins = second;
    }
    Ok(left)
}

/// Two operands made one, if their kinds can be reckoned with.
fn joined(
    t: &mut Tokens,
    (begins, left): (Placed, Operand),
    sum: Sum,
    right: Operand,
    second: &Placed,
) -> Parsed<Operand> {
    t.count_term()?;
    let kinds = (kind_of(&left).map(|(kind, _)| kind), kind_of(&right).map(|(kind, _)| kind));
    for (token, kind) in [(&begins, kinds.0), (second, kinds.1)] {
        if let Some(kind) = kind.filter(|kind| !reckons(*kind, sum)) {
            return Err(token.error(format!("{} cannot be reckoned with so", plural(kind))));
        }
    }
    match kinds {
        (Some(one), Some(other)) if group(one) != group(other) => {
            Err(second.error(format!("{} and {} do not go together", plural(one), plural(other))))
        }
        _ => Ok(Operand::Sum(Box::new(left), sum, Box::new(right))),
    }
}

/// Whether values of a kind can be added, multiplied, masked.
fn reckons(kind: Kind, sum: Sum) -> bool {
    match (kind, sum) {
        (Kind::Uint(_) | Kind::Int | Kind::Frame, _) => true,
        (Kind::Bool, sum) => sum == Sum::And,
        (Kind::Float, sum) => sum != Sum::And,
        (Kind::Relative, sum) => matches!(sum, Sum::Add | Sum::Subtract),
        (Kind::Ipv4 | Kind::Ipv6 | Kind::Ether | Kind::Bytes, sum) => sum == Sum::And,
        _ => false,
    }
}

fn addition(t: &mut Tokens) -> Parsed<Operand> {
    let mut begins = t.peek().clone();
    let mut left = product(t)?;
    while let Some(sign) = t.take(&["+", "-"]) {
        let sum = if sign.kind == Token::Sign("+") { Sum::Add } else { Sum::Subtract };
        let second = t.peek().clone();
        let right = product(t)?;
        left = joined(t, (begins, left), sum, right, &second)?;
        begins = second;
    }
    Ok(left)
}

fn product(t: &mut Tokens) -> Parsed<Operand> {
    let mut begins = t.peek().clone();
    let mut left = entity(t)?;
    while let Some(sign) = t.take(&["*", "/", "%"]) {
        let sum = match sign.kind {
            Token::Sign("*") => Sum::Multiply,
            Token::Sign(_) => Sum::Modulo,
            _ => Sum::Divide,
        };
        let second = t.peek().clone();
        let right = entity(t)?;
        left = joined(t, (begins, left), sum, right, &second)?;
        begins = second;
    }
    Ok(left)
}

/// One thing: a field, a function, a value, an expression in braces; with a sign in front, with a slice behind.
pub(super) fn entity(t: &mut Tokens) -> Parsed<Operand> {
    t.enter()?;
    let found = if t.take(&["-"]).is_some() {
        let begins = t.peek().clone();
        let inner = entity(t)?;
        if let Some((kind, _)) = kind_of(&inner).filter(|(kind, _)| !reckons(*kind, Sum::Add)) {
            return Err(begins.error(format!("{} have no sign", plural(kind))));
        }
        Operand::Negative(Box::new(inner))
    } else if t.take(&["+"]).is_some() {
        entity(t)?
    } else if t.take(&["{"]).is_some() {
        let inner = sum(t)?;
        t.expect("}")?;
        inner
    } else {
        let mut found = plain(t)?;
        while t.peek().kind == Token::Sign("[") {
            if let Some((Kind::Uint(_) | Kind::Int | Kind::Bool | Kind::Frame | Kind::Float, _)) =
                kind_of(&found)
            {
                return Err(t.peek().error("only bytes, words and addresses have parts"));
            }
            found = Operand::Slice(Box::new(found), slices(t)?);
        }
        found
    };
    t.leave();
    Ok(found)
}

fn plain(t: &mut Tokens) -> Parsed<Operand> {
    let token = t.next();
    match &token.kind {
        Token::Word(word) if t.peek().kind == Token::Sign("(") => call(t, &token, word),
        Token::Word(word) => {
            let defs = fields_named(word.strip_prefix('.').unwrap_or(word));
            if defs.is_empty() {
                return Ok(Operand::Unread(token));
            }
            Ok(Operand::Field { defs, layers: layers(t)? })
        }
        Token::Text(_) | Token::Char(_) => Ok(Operand::Unread(token)),
        _ => Err(token.error(format!("a field was expected, not {}", token.shown()))),
    }
}

/// What a value that stands where only a field makes sense is told.
pub(super) fn no_field(token: &Placed) -> super::FilterError {
    let Token::Word(word) = &token.kind else {
        return token.error(format!("a field was expected, not {}", token.shown()));
    };
    let hint = nearest_field(word).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    token.error(format!("there is no field `{word}`{hint}"))
}

fn call(t: &mut Tokens, token: &Placed, word: &str) -> Parsed<Operand> {
    let function = match word {
        "len" => Function::Len,
        "count" => Function::Count,
        "lower" => Function::Lower,
        "upper" => Function::Upper,
        "string" => Function::Words,
        "max" => Function::Max,
        "min" => Function::Min,
        "abs" => Function::Abs,
        _ => {
            let known = "len, count, lower, upper, string, max, min, abs";
            return Err(token.error(format!("there is no function `{word}`; there are {known}")));
        }
    };
    t.expect("(")?;
    let mut arguments = vec![argument(t, function)?];
    while t.take(&[","]).is_some() {
        if !matches!(function, Function::Max | Function::Min) {
            return Err(t.peek().error(format!("`{word}` takes one field")));
        }
        let begins = t.peek().clone();
        arguments.push(argument(t, function)?);
        let mut kinds = arguments.iter().filter_map(kind_of).map(|(kind, _)| kind);
        if let Some(first) = kinds.next()
            && let Some(other) = kinds.find(|kind| group(*kind) != group(first))
        {
            return Err(begins.error(format!("{} and {} do not go together", plural(first), plural(other))));
        }
    }
    t.expect(")")?;
    Ok(Operand::Call(function, arguments))
}

fn argument(t: &mut Tokens, function: Function) -> Parsed<Operand> {
    let token = t.peek().clone();
    let argument = sum(t)?;
    let kind = kind_of(&argument).map(|(kind, _)| kind);
    let fits = match function {
        Function::Len | Function::Count => matches!(argument, Operand::Field { .. }),
        Function::Lower | Function::Upper => kind == Some(Kind::Text),
        Function::Words => {
            matches!(argument, Operand::Field { .. })
                && !matches!(kind, Some(Kind::Text | Kind::Bytes | Kind::Bool | Kind::Protocol | Kind::None))
        }
        Function::Abs => kind.is_none_or(|kind| reckons(kind, Sum::Add)),
        Function::Max | Function::Min => true,
    };
    match (fits, &argument) {
        (true, _) => Ok(argument),
        (false, Operand::Unread(token)) => Err(no_field(token)),
        (false, _) => Err(token.error(match function {
            Function::Lower | Function::Upper => "a field of words was expected",
            Function::Words => "these are words already, or bytes",
            Function::Abs => "a number was expected",
            _ => "a field was expected",
        })),
    }
}

/// `#1`, `#[1-2]`, `#[-1]`: the field of those layers of its protocol only, which count from 1.
fn layers(t: &mut Tokens) -> Parsed<Vec<Slice>> {
    if t.take(&["#"]).is_none() {
        return Ok(Vec::new());
    }
    if t.peek().kind == Token::Sign("[") {
        return slices(t);
    }
    let token = t.next();
    match &token.kind {
        Token::Word(word) if word.bytes().all(|byte| byte.is_ascii_digit()) => word.parse().ok(),
        _ => None,
    }
    .map(|start| vec![Slice { start, len: Some(1) }])
    .ok_or_else(|| token.error("the number of a layer was expected, as in ip.src#1"))
}

/// `[1:2]`, `[1-2]`, `[-4:]`, `[0,3:2]`.
fn slices(t: &mut Tokens) -> Parsed<Vec<Slice>> {
    t.expect("[")?;
    let mut found = Vec::new();
    loop {
        let token = t.next();
        let negative = token.kind == Token::Sign("-");
        let token = if negative { t.next() } else { token };
        let Token::Word(word) = &token.kind else {
            return Err(token.error("a slice looks like [0:2], [4], [2-3] or [-2:]"));
        };
        let slice =
            slice(word).ok_or_else(|| token.error("a slice looks like [0:2], [4], [2-3] or [-2:]"))?;
        found.push(if negative { Slice { start: -slice.start, ..slice } } else { slice });
        if t.take(&[","]).is_none() {
            break;
        }
    }
    t.expect("]")?;
    Ok(found)
}

fn slice(word: &str) -> Option<Slice> {
    let start = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i64>().ok() };
    if let Some((from, len)) = word.split_once(':') {
        let len = if len.is_empty() { None } else { Some(len.parse().ok().filter(|len| *len > 0)?) };
        return Some(Slice { start: start(from)?, len });
    }
    if let Some((from, to)) = word.split_once('-').filter(|(from, _)| !from.is_empty()) {
        let (from, to): (i64, i64) = (from.parse().ok()?, to.parse().ok()?);
        return (to >= from).then(|| Slice { start: from, len: Some((to - from) as u64 + 1) });
    }
    Some(Slice { start: word.parse().ok()?, len: Some(1) })
}
