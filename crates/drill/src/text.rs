//! From characters to tokens: comments, `#ifdef`, `--define`, and where each token stands.

use std::collections::BTreeMap;

use crate::Error;

/// A token with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Line, from 1.
    pub(crate) line: u32,
    /// Whether white space or a comment stands before it.
    pub(crate) spaced: bool,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Digits only, as written: a hex cookie may look like a number.
    Integer(String),
    /// Digits with a point, as written.
    Decimal(String),
    /// `0x…`
    Hex(u64),
    /// Letters, digits and underscores.
    Word(String),
    /// In double quotes.
    Text(String),
    /// In backticks.
    Shell(String),
    /// `%{ … }%`
    Code(String),
    /// `--name` and perhaps `=value`.
    Setting(String, String),
    /// `...`
    Ellipsis,
    /// Any other character.
    Sign(char),
}

impl Kind {
    /// How it is named in an error.
    pub(crate) fn describe(&self) -> String {
        match self {
            Kind::Integer(text) | Kind::Decimal(text) | Kind::Word(text) => format!("`{text}`"),
            Kind::Hex(value) => format!("`{value:#x}`"),
            Kind::Text(text) => format!("\"{text}\""),
            Kind::Shell(_) => "a shell line".to_owned(),
            Kind::Code(_) => "a code block".to_owned(),
            Kind::Setting(name, _) => format!("`--{name}`"),
            Kind::Ellipsis => "`...`".to_owned(),
            Kind::Sign(sign) => format!("`{sign}`"),
        }
    }
}

/// Most tokens of a script; definitions could make more of them without end.
const MOST: usize = 200_000;

/// Cuts a script into tokens. `defined`: what `#ifdef` asks for.
pub(crate) fn tokens(source: &str, defined: &[&str]) -> Result<Vec<Token>, Error> {
    let source = preprocess(source, defined)?;
    let mut scanner = Scanner {
        rest: &source,
        line: 1,
        definitions: predefined(defined),
        tokens: Vec::new(),
        spaced: true,
    };
    scanner.run(0)?;
    Ok(scanner.tokens)
}

/// Of `NAME=value`, what the name stands for.
fn predefined(defined: &[&str]) -> BTreeMap<String, String> {
    let pairs = defined.iter().filter_map(|item| item.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Blanks what `#ifdef` leaves out; lines keep their numbers.
fn preprocess(source: &str, defined: &[&str]) -> Result<String, Error> {
    let mut out = String::with_capacity(source.len());
    // For each open condition: whether this branch is taken, and whether what stands around it is.
    let mut open: Vec<(bool, bool)> = Vec::new();
    for (index, line) in source.lines().enumerate() {
        let taken = open.last().is_none_or(|(here, around)| *here && *around);
        let Some(directive) = line.trim_start().strip_prefix('#') else {
            if taken {
                out.push_str(line);
            }
            out.push('\n');
            continue;
        };
        let mut words = directive.split_whitespace();
        let word = words.next().unwrap_or_default();
        let holds = words.next().is_some_and(|name| defined.contains(&name));
        let here = index as u32 + 1;
        match word {
            "ifdef" => open.push((holds, taken)),
            "ifndef" => open.push((!holds, taken)),
            "else" => match open.last_mut() {
                Some((branch, _)) => *branch = !*branch,
                None => return Err(Error::new(here, "`#else` without `#ifdef`")),
            },
            "endif" => {
                open.pop().ok_or_else(|| Error::new(here, "`#endif` without `#ifdef`"))?;
            }
            // Any other is a comment in the manner of the shell.
            _ => {}
        }
        out.push('\n');
    }
    if !open.is_empty() {
        return Err(Error::new(source.lines().count() as u32, "`#ifdef` without `#endif`"));
    }
    Ok(out)
}

struct Scanner<'a> {
    rest: &'a str,
    line: u32,
    definitions: BTreeMap<String, String>,
    tokens: Vec<Token>,
    spaced: bool,
}

impl Scanner<'_> {
    /// `depth`: how many definitions stand within each other.
    fn run(&mut self, depth: usize) -> Result<(), Error> {
        while let Some(first) = self.rest.chars().next() {
            if first.is_whitespace() {
                self.take(first.len_utf8());
                self.spaced = true;
            } else if self.rest.starts_with("//") {
                let len = self.rest.find('\n').unwrap_or(self.rest.len());
                self.take(len);
                self.spaced = true;
            } else if self.rest.starts_with("/*") {
                let len = self.find("*/", "a comment")?;
                self.take(len + 2);
                self.spaced = true;
            } else {
                let line = self.line;
                let kind = self.token(first)?;
                self.push(kind, line, depth)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, kind: Kind, line: u32, depth: usize) -> Result<(), Error> {
        if let Kind::Setting(name, value) = &kind
            && (name == "define" || name == "D")
            && let Some((name, value)) = value.split_once('=')
        {
            self.definitions.insert(name.to_owned(), value.to_owned());
        }
        if let Kind::Word(word) = &kind
            && let Some(value) = self.definitions.get(word).cloned()
        {
            if depth > 8 {
                return Err(Error::new(line, format!("`{word}` is defined by itself")));
            }
            let mut inner = Scanner {
                rest: &value,
                line,
                definitions: self.definitions.clone(),
                tokens: Vec::new(),
                spaced: self.spaced,
            };
            inner.run(depth + 1)?;
            self.tokens.extend(inner.tokens.into_iter().map(|token| Token { line, ..token }));
        } else {
            self.tokens.push(Token { kind, line, spaced: self.spaced });
        }
        self.spaced = false;
        if self.tokens.len() > MOST { Err(Error::new(line, "the script is too long")) } else { Ok(()) }
    }

    fn token(&mut self, first: char) -> Result<Kind, Error> {
        let rest = self.rest;
        if rest.starts_with("...") {
            self.take(3);
            return Ok(Kind::Ellipsis);
        }
        if rest.starts_with("%{") {
            let len = self.find("}%", "a code block")?;
            let code = rest[2..len].to_owned();
            self.take(len + 2);
            return Ok(Kind::Code(code));
        }
        if rest.starts_with("--") && rest[2..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return self.setting();
        }
        match first {
            '"' => Ok(Kind::Text(self.quoted('"')?)),
            '`' => Ok(Kind::Shell(self.quoted('`')?)),
            _ if first.is_ascii_alphanumeric() || first == '_' => Ok(self.word()),
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => Ok(self.word()),
            _ => {
                self.take(first.len_utf8());
                Ok(Kind::Sign(first))
            }
        }
    }

    /// A word or a number, whichever is longer.
    fn word(&mut self) -> Kind {
        let rest = self.rest;
        let end = |from: usize, accept: fn(char) -> bool| {
            rest[from..].find(|c: char| !accept(c)).map_or(rest.len(), |len| from + len)
        };
        let word = end(0, |c| c.is_ascii_alphanumeric() || c == '_');
        let digits = end(0, |c| c.is_ascii_digit());
        if digits == word && rest[digits..].starts_with('.') {
            let fraction = end(digits + 1, |c| c.is_ascii_digit());
            if fraction > digits + 1 {
                let text = rest[..fraction].to_owned();
                self.take(fraction);
                return Kind::Decimal(text);
            }
        }
        let text = &rest[..word];
        self.take(word);
        if digits == word {
            return Kind::Integer(text.to_owned());
        }
        match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(hex) if hex.len() <= 16 => {
                u64::from_str_radix(hex, 16).map_or_else(|_| Kind::Word(text.to_owned()), Kind::Hex)
            }
            _ => Kind::Word(text.to_owned()),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        let mut text = String::new();
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            if escaped {
                escaped = false;
                if c != quote && c != '\n' {
                    text.push('\\');
                }
                text.push(if c == '\n' { ' ' } else { c });
            } else if c == '\\' {
                escaped = true;
            } else if c == quote {
                self.take(at + 1);
                return Ok(text);
            } else {
                text.push(c);
            }
        }
        Err(Error::new(self.line, format!("{quote} without its end")))
    }

    /// `--name=value`: the value reaches to the next white space, quotes aside.
    fn setting(&mut self) -> Result<Kind, Error> {
        let rest = &self.rest[2..];
        let len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let name = rest[..len].to_owned();
        self.take(2 + len);
        if !self.rest.starts_with('=') {
            return Ok(Kind::Setting(name, String::new()));
        }
        self.take(1);
        let mut value = String::new();
        while let Some(c) = self.rest.chars().next() {
            match c {
                _ if c.is_whitespace() => break,
                '"' | '`' => {
                    let quoted = self.quoted(c)?;
                    // A defined text stays a text.
                    let keep = value.contains('=') || c == '`';
                    value.push_str(&if keep { format!("{c}{quoted}{c}") } else { quoted });
                }
                _ => {
                    value.push(c);
                    self.take(c.len_utf8());
                }
            }
        }
        Ok(Kind::Setting(name, value))
    }

    fn find(&self, end: &str, what: &str) -> Result<usize, Error> {
        self.rest.find(end).ok_or_else(|| Error::new(self.line, format!("{what} without its end")))
    }

    fn take(&mut self, len: usize) {
        self.line += self.rest[..len].matches('\n').count() as u32;
        self.rest = &self.rest[len..];
    }
}
