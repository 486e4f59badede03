//! Text to tokens with their columns, for both languages.

use super::FilterError;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Letters, digits and what names and addresses are made of.
    Word(String),
    /// Text in double quotes, escapes undone; as a raw string if marked.
    Text(Vec<u8>),
    /// A character in single quotes.
    Char(u8),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(super) kind: Kind,
    pub(super) column: usize,
    pub(super) length: usize,
}

impl Token {
    pub(super) fn error(&self, message: impl Into<String>) -> FilterError {
        FilterError { column: self.column, length: self.length.max(1), message: message.into() }
    }

    /// As the user wrote it, roughly.
    pub(super) fn shown(&self) -> String {
        match &self.kind {
            Kind::Word(word) => format!("`{word}`"),
            Kind::Text(_) => String::from("the text"),
            Kind::Char(_) => String::from("the character"),
            Kind::Sign(sign) => format!("`{sign}`"),
            Kind::End => String::from("the end"),
        }
    }
}

/// A filter is not longer than this: nobody writes such, and parsers recurse.
pub(super) const LENGTH_MAX: usize = 64 << 10;

/// Cuts a text up. `signs`: operators, longest first; `in_words`: which characters words hold besides letters and
/// digits, given how many square brackets are open.
pub(super) fn tokens(
    text: &str,
    signs: &[&'static str],
    in_words: fn(char, usize) -> bool,
) -> Result<Vec<Token>, FilterError> {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() > LENGTH_MAX {
        return Err(FilterError { column: LENGTH_MAX, length: 1, message: "the filter is too long".into() });
    }
    let mut tokens = Vec::new();
    // In the language with arithmetic.
    let subtracts = signs.contains(&"+");
    let mut at = 0;
    let mut open = 0usize;
    while at < chars.len() {
        let column = at;
        let c = chars[at];
        if c.is_whitespace() {
            at += 1;
            continue;
        }
        let kind = if c == '"' {
            Kind::Text(quoted(&chars, &mut at, false)?)
        } else if matches!(c, 'r' | 'R') && chars.get(at + 1) == Some(&'"') {
            at += 1;
            Kind::Text(quoted(&chars, &mut at, true)?)
        } else if c == '\'' {
            match quoted(&chars, &mut at, false)?[..] {
                [byte] => Kind::Char(byte),
                _ => {
                    let message = String::from("one character stands between single quotes");
                    return Err(FilterError { column, length: at - column, message });
                }
            }
        } else if (c.is_alphanumeric() || in_words(c, open) && !(c == '-' && subtracts))
            && !(c == '.' && chars.get(at + 1) == Some(&'.'))
        {
            while at < chars.len() && (chars[at].is_alphanumeric() || in_words(chars[at], open)) {
                // `1..5` is a range.
                if chars[at] == '.' && chars.get(at + 1) == Some(&'.') {
                    break;
                }
                at += 1;
            }
            // Inside of a word it is a hyphen, at its end an operator.
            while subtracts && chars[at - 1] == '-' && at > column + 1 {
                at -= 1;
            }
            Kind::Word(chars[column..at].iter().collect())
        } else {
            let starts = |sign: &&&'static str| {
                sign.chars().eq(chars[at..].iter().copied().take(sign.chars().count()))
            };
            let Some(sign) = signs.iter().find(starts) else {
                let message = format!("`{}` has no meaning here", c.escape_debug());
                return Err(FilterError { column, length: 1, message });
            };
            at += sign.chars().count();
            match *sign {
                "[" => open += 1,
                "]" => open = open.saturating_sub(1),
                _ => {}
            }
            Kind::Sign(sign)
        };
        tokens.push(Token { kind, column, length: at - column });
    }
    tokens.push(Token { kind: Kind::End, column: chars.len(), length: 0 });
    Ok(tokens)
}

/// What stands between quotes of the kind at `at`.
fn quoted(chars: &[char], at: &mut usize, raw: bool) -> Result<Vec<u8>, FilterError> {
    let begins = *at;
    let quote = chars[begins];
    *at += 1;
    let mut bytes = Vec::new();
    loop {
        let Some(&c) = chars.get(*at) else {
            let message = format!("the text does not end: a `{quote}` is missing");
            return Err(FilterError { column: begins, length: chars.len() - begins, message });
        };
        *at += 1;
        let escaped = chars.get(*at).copied();
        match (c, escaped) {
            (c, _) if c == quote => return Ok(bytes),
            ('\\', Some(escaped)) if raw => {
                // It is kept, but what follows does not end the text.
                *at += 1;
                bytes.push(b'\\');
                bytes.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes());
            }
            ('\\', Some(_)) => bytes.push(escape(chars, at)?),
            (c, _) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// The byte that an escape means; `at` is behind the backslash.
fn escape(chars: &[char], at: &mut usize) -> Result<u8, FilterError> {
    let begins = *at - 1;
    let wrong = |length, message: String| Err(FilterError { column: begins, length, message });
    let digits = |most: usize, radix| -> String {
        let from = &chars[(begins + if radix == 16 { 2 } else { 1 }).min(chars.len())..];
        from.iter().take(most).take_while(|c| c.is_digit(radix)).collect()
    };
    let escaped = chars[*at];
    *at += 1;
    Ok(match escaped {
        'a' => 7,
        'b' => 8,
        't' => b'\t',
        'n' => b'\n',
        'v' => 11,
        'f' => 12,
        'r' => b'\r',
        '\\' | '"' | '\'' => escaped as u8,
        '0'..='7' => {
            let digits = digits(3, 8);
            *at = begins + 1 + digits.len();
            match u8::from_str_radix(&digits, 8) {
                Ok(byte) => byte,
                Err(_) => return wrong(1 + digits.len(), format!("`\\{digits}` is larger than a byte")),
            }
        }
        'x' => {
            let digits = digits(2, 16);
            *at = begins + 2 + digits.len();
            match u8::from_str_radix(&digits, 16) {
                Ok(byte) => byte,
                Err(_) => return wrong(2, String::from("hexadecimal digits follow `\\x`")),
            }
        }
        other => {
            let how = format!("write `\\\\{other}`, or r\"...\" where nothing is escaped");
            return wrong(2, format!("`\\{other}` means nothing in quotes: {how}"));
        }
    })
}

/// A walk over tokens.
pub(super) struct Tokens {
    tokens: Vec<Token>,
    at: usize,
    /// Brackets within brackets, bounded: parsers recurse.
    pub(super) depth: usize,
    /// Terms that were joined, bounded: what is made of them is walked recursively.
    terms: usize,
}

/// So many terms may be joined in a filter.
const TERMS_MAX: usize = 1000;

/// So deep may brackets be.
pub(super) const DEPTH_MAX: usize = 100;

impl Tokens {
    pub(super) fn new(tokens: Vec<Token>) -> Tokens {
        Tokens { tokens, at: 0, depth: 0, terms: 0 }
    }

    pub(super) fn peek(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    /// Where the walk is, to come back to with [`Tokens::rewind`].
    pub(super) fn mark(&self) -> (usize, usize) {
        (self.at, self.depth)
    }

    pub(super) fn rewind(&mut self, mark: (usize, usize)) {
        (self.at, self.depth) = mark;
    }

    pub(super) fn peek_second(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    pub(super) fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    /// Whether the next token is one of these signs or words; if so it is taken.
    pub(super) fn take(&mut self, wanted: &[&str]) -> Option<Token> {
        let found = match &self.peek().kind {
            Kind::Sign(sign) => wanted.contains(sign),
            Kind::Word(word) => wanted.contains(&word.as_str()),
            _ => false,
        };
        found.then(|| self.next())
    }

    /// Enters a bracket or a negation.
    pub(super) fn enter(&mut self) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.peek().error("brackets are nested too deeply"));
        }
        Ok(())
    }

    /// Counts a term that joins others.
    pub(super) fn count_term(&mut self) -> Result<(), FilterError> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(self.peek().error("there are too many terms"));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn expect(&mut self, sign: &'static str) -> Result<Token, FilterError> {
        match self.take(&[sign]) {
            Some(token) => Ok(token),
            None => Err(self.peek().error(format!("`{sign}` is missing before {}", self.peek().shown()))),
        }
    }
}
