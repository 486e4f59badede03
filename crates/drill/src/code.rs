//! What stands between `%{` and `}%`: a small part of Python, only expressions over the numbers a connection tells.
//!
//! Statements: `assert EXPR`, `assert EXPR, MESSAGE`, `print …` (ignored), `name = EXPR`. Expressions: integers, floats,
//! texts, names, `( )`, `not`, `and`, `or`, chained comparisons, `| ^ & << >> + - * / // % **`, unary `- + ~`,
//! `abs min max int float bool round len` and tuples with `in`. Anything else is a [`Problem::Unknown`]: the script can't
//! apply, rather than pass or fail.

use std::collections::BTreeMap;

/// What a code block can know.
pub(crate) trait Names {
    /// The value of a name, if it has one.
    fn value(&self, name: &str) -> Option<i64>;
}

/// Why a block did not go well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// An assertion does not hold.
    False(String),
    /// Something that this part of Python does not have, or a name nobody knows.
    Unknown(String),
}

/// Runs a block. `variables` keeps what blocks assign.
pub(crate) fn run(
    code: &str,
    names: &dyn Names,
    variables: &mut BTreeMap<String, f64>,
) -> Result<(), Problem> {
    for statement in statements(code) {
        let tokens = tokens(&statement)?;
        let mut parser = Parser { tokens: &tokens, at: 0, names, variables, depth: 0, quiet: 0 };
        match tokens.as_slice() {
            [] => {}
            [Token::Name(name), ..] if matches!(name.as_str(), "print" | "import" | "pass") => {}
            [Token::Name(name), ..] if name == "assert" => {
                parser.at = 1;
                let value = parser.expression()?;
                if parser.at < tokens.len() && !parser.sign(",") {
                    return Err(Problem::Unknown(format!("`{}`", statement.trim())));
                }
                if !value.truth() {
                    let told = parser.told();
                    return Err(Problem::False(format!("`{}` does not hold{told}", statement.trim())));
                }
            }
            [Token::Name(name), Token::Sign("="), ..] => {
                parser.at = 2;
                let value = parser.expression()?.number()?;
                variables.insert(name.clone(), value);
            }
            _ => return Err(Problem::Unknown(format!("`{}`", statement.trim()))),
        }
    }
    Ok(())
}

/// Lines, and what `;` separates; a line goes on while a parenthesis is open or after a backslash.
fn statements(code: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let (mut open, mut quote, mut escaped, mut comment) = (0i32, None, false, false);
    for c in code.chars() {
        if comment && c != '\n' {
            continue;
        }
        comment = false;
        match (c, quote) {
            ('\n' | ';', None) if open <= 0 && !escaped => {
                found.push(String::new());
                continue;
            }
            ('#', None) => {
                comment = true;
                continue;
            }
            ('\'' | '"', None) => quote = Some(c),
            (_, Some(mark)) if c == mark && !escaped => quote = None,
            ('(' | '[', None) => open += 1,
            (')' | ']', None) => open -= 1,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        if let Some(last) = found.last_mut()
            && !(c == '\\' && quote.is_none())
        {
            last.push(if c == '\n' { ' ' } else { c });
        }
    }
    found
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Name(String),
    Text(String),
    Sign(&'static str),
}

const SIGNS: [&str; 31] = [
    "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "<>", "(", ")", "[", "]", "+", "-", "*", "/", "%", "&",
    "|", "^", "~", "<", ">", "=", ",", ".", ":", "!", "{", "}",
];

fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let len;
        if first.is_ascii_digit() {
            len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(rest.len());
            let word = &rest[..len];
            let value = match word.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16).ok().map(|value| value as f64),
                None => word.trim_end_matches('L').parse().ok(),
            };
            tokens.push(Token::Number(value.ok_or_else(|| Problem::Unknown(format!("`{word}`")))?));
        } else if first.is_ascii_alphabetic() || first == '_' {
            len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            tokens.push(Token::Name(rest[..len].to_owned()));
        } else if first == '"' || first == '\'' {
            let end =
                rest[1..].find(first).ok_or_else(|| Problem::Unknown("a text without its end".to_owned()))?;
            tokens.push(Token::Text(rest[1..1 + end].to_owned()));
            len = end + 2;
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| Problem::Unknown(format!("`{first}`")))?;
            tokens.push(Token::Sign(sign));
            len = sign.len();
        }
        rest = rest[len..].trim_start();
    }
    Ok(tokens)
}

/// A value. Numbers are floats inside: every number of a connection that a script asks for is exact in 53 bits.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(f64),
    Text(String),
    Tuple(Vec<Value>),
}

impl Value {
    fn truth(&self) -> bool {
        match self {
            Value::Number(number) => *number != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Tuple(items) => !items.is_empty(),
        }
    }

    fn number(&self) -> Result<f64, Problem> {
        match self {
            Value::Number(number) => Ok(*number),
            other => Err(Problem::Unknown(format!("{other:?} where a number is needed"))),
        }
    }

    fn of(truth: bool) -> Value {
        Value::Number(f64::from(u8::from(truth)))
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    names: &'a dyn Names,
    variables: &'a BTreeMap<String, f64>,
    depth: usize,
    /// Above zero in a branch that `and` and `or` leave out: errors of values don't count there.
    quiet: usize,
}

/// Deepest nesting of parentheses.
const DEEPEST: usize = 64;

/// Binary operators by how strongly they bind, the weakest first.
const BINARY: [&[&str]; 6] = [&["|"], &["^"], &["&"], &["<<", ">>"], &["+", "-"], &["*", "//", "/", "%"]];

impl Parser<'_> {
    fn sign(&mut self, sign: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(is);
        is
    }

    fn word(&mut self, word: &str) -> bool {
        let is = matches!(self.tokens.get(self.at), Some(Token::Name(found)) if found == word);
        self.at += usize::from(is);
        is
    }

    /// The names of an expression and what they stand for.
    fn told(&self) -> String {
        let mut told = Vec::new();
        for token in self.tokens {
            if let Token::Name(name) = token
                && name.starts_with("tcpi_")
                && let Some(value) = self.names.value(name)
            {
                told.push(format!("{name} is {value}"));
            }
        }
        told.dedup();
        if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) }
    }

    fn expression(&mut self) -> Result<Value, Problem> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Problem::Unknown("an expression nested too deeply".to_owned()));
        }
        let mut value = self.conjunction()?;
        while self.word("or") {
            let left = value.truth();
            self.quiet += usize::from(left);
            let right = self.conjunction()?;
            self.quiet -= usize::from(left);
            value = if left { value } else { right };
        }
        self.depth -= 1;
        Ok(value)
    }

    fn conjunction(&mut self) -> Result<Value, Problem> {
        let mut value = self.negation()?;
        while self.word("and") {
            let left = value.truth();
            self.quiet += usize::from(!left);
            let right = self.negation()?;
            self.quiet -= usize::from(!left);
            value = if left { right } else { value };
        }
        Ok(value)
    }

    fn negation(&mut self) -> Result<Value, Problem> {
        let mut times = 0;
        while self.word("not") {
            times += 1;
        }
        let value = self.comparison()?;
        Ok(match times {
            0 => value,
            _ => Value::of(value.truth() == (times % 2 == 0)),
        })
    }

    fn comparison(&mut self) -> Result<Value, Problem> {
        let mut left = self.binary(0)?;
        let (mut holds, mut any) = (true, false);
        loop {
            let operator = ["==", "!=", "<>", "<=", ">=", "<", ">"].into_iter().find(|sign| self.sign(sign));
            let contains = operator.is_none() && self.word("in");
            if operator.is_none() && !contains {
                break;
            }
            let right = self.binary(0)?;
            any = true;
            holds &= match operator {
                None => matches!(&right, Value::Tuple(items) if items.contains(&left)),
                Some("==") => left == right,
                Some("!=" | "<>") => left != right,
                Some(other) if self.quiet == 0 => {
                    let (left, right) = (left.number()?, right.number()?);
                    match other {
                        "<=" => left <= right,
                        ">=" => left >= right,
                        "<" => left < right,
                        _ => left > right,
                    }
                }
                Some(_) => true,
            };
            left = right;
        }
        Ok(if any { Value::of(holds) } else { left })
    }

    fn binary(&mut self, level: usize) -> Result<Value, Problem> {
        let Some(operators) = BINARY.get(level) else { return self.unary() };
        let mut value = self.binary(level + 1)?;
        while let Some(operator) = operators.iter().find(|sign| self.sign(sign)) {
            let right = self.binary(level + 1)?;
            if self.quiet == 0 {
                value = Value::Number(compute(operator, value.number()?, right.number()?)?);
            }
        }
        Ok(value)
    }

    fn unary(&mut self) -> Result<Value, Problem> {
        let mut signs = Vec::new();
        while let Some(sign) = ["-", "+", "~"].into_iter().find(|sign| self.sign(sign)) {
            signs.push(sign);
        }
        let mut value = self.atom()?;
        if self.sign("**") {
            let power = self.atom()?;
            if self.quiet == 0 {
                value = Value::Number(value.number()?.powf(power.number()?));
            }
        }
        for sign in signs.into_iter().rev().filter(|_| self.quiet == 0) {
            let number = value.number()?;
            value = Value::Number(match sign {
                "-" => -number,
                "~" => !(number as i64) as f64,
                _ => number,
            });
        }
        Ok(value)
    }

    fn atom(&mut self) -> Result<Value, Problem> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Number(number)) => Ok(Value::Number(number)),
            Some(Token::Text(text)) => Ok(Value::Text(text)),
            Some(Token::Name(name)) => match name.as_str() {
                "True" => Ok(Value::of(true)),
                "False" | "None" => Ok(Value::of(false)),
                _ if self.sign("(") => {
                    let arguments = self.items(")")?;
                    self.apply(&name, &arguments)
                }
                _ => {
                    let value = self.variables.get(&name).copied();
                    let value = value.or_else(|| self.names.value(&name).map(|value| value as f64));
                    match value {
                        Some(value) => Ok(Value::Number(value)),
                        None if self.quiet > 0 => Ok(Value::of(false)),
                        None => Err(Problem::Unknown(format!("`{name}`"))),
                    }
                }
            },
            Some(Token::Sign("(")) => {
                let mut items = self.items(")")?;
                Ok(if items.len() == 1 { items.remove(0) } else { Value::Tuple(items) })
            }
            Some(Token::Sign("[")) => Ok(Value::Tuple(self.items("]")?)),
            Some(Token::Sign(sign)) => Err(Problem::Unknown(format!("`{sign}` in an expression"))),
            None => Err(Problem::Unknown("an expression that breaks off".to_owned())),
        }
    }

    fn items(&mut self, end: &str) -> Result<Vec<Value>, Problem> {
        let mut items = Vec::new();
        while !self.sign(end) {
            items.push(self.expression()?);
            if !self.sign(",") {
                if self.sign(end) {
                    break;
                }
                return Err(Problem::Unknown(format!("an expression without `{end}`")));
            }
        }
        Ok(items)
    }

    fn apply(&self, name: &str, arguments: &[Value]) -> Result<Value, Problem> {
        if self.quiet > 0 {
            return Ok(Value::of(false));
        }
        let unknown = || Err(Problem::Unknown(format!("`{name}(…)`")));
        if let ("len", [Value::Text(text)]) = (name, arguments) {
            return Ok(Value::Number(text.len() as f64));
        }
        let numbers: Vec<f64> = arguments.iter().map(Value::number).collect::<Result<_, _>>()?;
        let value = match (name, numbers.as_slice()) {
            ("abs", [number]) => number.abs(),
            ("int", [number]) => number.trunc(),
            ("round", [number]) => number.round(),
            ("float", [number]) => *number,
            ("bool", [number]) => f64::from(u8::from(*number != 0.0)),
            ("min", [first, rest @ ..]) => rest.iter().fold(*first, |least, number| least.min(*number)),
            ("max", [first, rest @ ..]) => rest.iter().fold(*first, |most, number| most.max(*number)),
            _ => return unknown(),
        };
        Ok(Value::Number(value))
    }
}

fn compute(operator: &str, left: f64, right: f64) -> Result<f64, Problem> {
    let (a, b) = (left as i64, right as i64);
    if matches!(operator, "/" | "//" | "%") && right == 0.0 {
        return Err(Problem::Unknown("a division by zero".to_owned()));
    }
    Ok(match operator {
        "|" => (a | b) as f64,
        "^" => (a ^ b) as f64,
        "&" => (a & b) as f64,
        "<<" => a.checked_shl(b.clamp(0, 63) as u32).unwrap_or(0) as f64,
        ">>" => (a >> b.clamp(0, 63)) as f64,
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => left / right,
        "//" => (left / right).floor(),
        _ => left - right * (left / right).floor(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Some3;

    impl Names for Some3 {
        fn value(&self, name: &str) -> Option<i64> {
            match name {
                "tcpi_snd_cwnd" => Some(10),
                "tcpi_options" => Some(7),
                "TCPI_OPT_SACK" => Some(2),
                _ => None,
            }
        }
    }

    fn check(code: &str) -> Result<(), Problem> {
        run(code, &Some3, &mut BTreeMap::new())
    }

    #[test]
    fn what_holds_holds() {
        for code in [
            "assert tcpi_snd_cwnd == 10",
            " assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd ",
            "assert (tcpi_options & TCPI_OPT_SACK) != 0, 'no SACK'",
            "assert 2 + 3 * 4 == 14 and not 1 == 2",
            "assert 1 < 2 <= 2 < 3",
            "assert abs(-3) == max(1, 3, 2)",
            "assert tcpi_snd_cwnd in (9, 10, 11)",
            "assert 7 // 2 == 3 and 7 % 4 == 3 and 7 / 2 == 3.5",
            "x = tcpi_snd_cwnd * 2\nassert x == 20; assert x > 19 # a comment",
            "assert (tcpi_snd_cwnd ==\n 10)",
            "print tcpi_snd_cwnd",
            "assert tcpi_snd_cwnd > 1 or unknown_name",
            "",
        ] {
            assert_eq!(check(code), Ok(()), "{code}");
        }
    }

    #[test]
    fn what_does_not_hold_tells_its_numbers() {
        let problem =
            Problem::False("`assert tcpi_snd_cwnd == 11` does not hold: tcpi_snd_cwnd is 10".to_owned());
        assert_eq!(check("assert tcpi_snd_cwnd == 11"), Err(problem));
        assert!(matches!(check("assert 1 == 2"), Err(Problem::False(_))));
    }

    #[test]
    fn what_is_not_understood_is_no_failure() {
        for code in [
            "assert unknown == 1",
            "for x in y: pass",
            "assert f(1)",
            "assert (1",
            "assert 1 / 0",
            "assert 'a' < 3",
            "assert 1 2",
        ] {
            assert!(matches!(check(code), Err(Problem::Unknown(_))), "{code}");
        }
    }
}
