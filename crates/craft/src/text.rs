//! The grammar: layers divided by `/`, each with fields in parentheses.
//!
//! ```text
//! packet := layer ("/" layer)*
//! layer  := NAME [ "(" [ item ("," item)* ] ")" ] | "text" | 0xHEX
//! item   := NAME [ "=" tree ] | tree
//! tree   := ATOM | "text" | "[" [ tree ("," tree)* ] "]" | "(" [ item ("," item)* ] ")"
//! ```

use crate::error::CraftError;

/// Longer expressions are refused.
const LENGTH_MAX: usize = 64 << 10;
/// Deeper brackets are refused: the parser recurses.
const DEPTH_MAX: usize = 8;
/// A packet has no more layers than this.
pub(crate) const LAYERS_MAX: usize = 64;

/// A place in the expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) column: usize,
    pub(crate) length: usize,
}

impl Span {
    pub(crate) fn error(self, message: impl Into<String>) -> CraftError {
        CraftError::new(self.column, self.length, message)
    }
}

/// What stands behind `=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tree {
    /// A word, number, address, range.
    Atom(String, Span),
    /// Text in quotes, escapes undone.
    Text(Vec<u8>, Span),
    /// Alternatives.
    List(Vec<Tree>, Span),
    /// Things in their order.
    Group(Vec<Item>, Span),
}

impl Tree {
    pub(crate) fn span(&self) -> Span {
        match self {
            Tree::Atom(_, span) | Tree::Text(_, span) | Tree::List(_, span) | Tree::Group(_, span) => *span,
        }
    }
}

/// A field, or a value alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) span: Span,
    /// Behind `=`, if there was one; of a value alone, the value.
    pub(crate) value: Option<Tree>,
}

/// A layer as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) items: Vec<Item>,
}

/// Cuts an expression up.
pub(crate) fn parse(text: &str) -> Result<Vec<Written>, CraftError> {
    let chars: Vec<char> = text.chars().take(LENGTH_MAX + 1).collect();
    if chars.len() > LENGTH_MAX {
        return Err(CraftError::new(LENGTH_MAX, 1, "the expression is too long"));
    }
    let mut parser = Parser { chars, at: 0 };
    let mut layers = Vec::new();
    loop {
        layers.push(parser.layer()?);
        if layers.len() > LAYERS_MAX {
            return Err(parser.here("there are too many layers"));
        }
        parser.skip_space();
        match parser.peek() {
            None => return Ok(layers),
            Some('/') => parser.at += 1,
            Some(_) => {
                return Err(parser
                    .here("expected `/` or the end")
                    .hint("layers are divided by `/`, as in ip()/tcp()"));
            }
        }
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip_space();
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn here(&self, message: impl Into<String>) -> CraftError {
        CraftError::new(self.at.min(self.chars.len()), 1, message)
    }

    fn span(&self, from: usize) -> Span {
        Span { column: from, length: self.at - from }
    }

    fn layer(&mut self) -> Result<Written, CraftError> {
        self.skip_space();
        let from = self.at;
        if self.peek() == Some('"') {
            let bytes = self.text()?;
            let span = self.span(from);
            return Ok(alone(Tree::Text(bytes, span), span));
        }
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) {
            self.at += 1;
        }
        let (name, span): (String, _) = (self.chars[from..self.at].iter().collect(), self.span(from));
        if name.is_empty() {
            return Err(self
                .here("expected a layer")
                .hint("as in eth, ip, tcp, or a payload: \"text\" or 0xff00"));
        }
        if name.starts_with("0x") {
            return Ok(alone(Tree::Atom(name, span), span));
        }
        let items = if self.take('(') { self.items(DEPTH_MAX)? } else { Vec::new() };
        Ok(Written { name, span, items })
    }

    /// Behind an opening parenthesis, up to and with the closing one.
    fn items(&mut self, depth: usize) -> Result<Vec<Item>, CraftError> {
        let mut items = Vec::new();
        if self.take(')') {
            return Ok(items);
        }
        loop {
            items.push(self.item(depth)?);
            if self.take(')') {
                return Ok(items);
            }
            if !self.take(',') {
                return Err(self.here("expected `,` or `)`"));
            }
        }
    }

    fn item(&mut self, depth: usize) -> Result<Item, CraftError> {
        let tree = self.tree(depth)?;
        let span = tree.span();
        if !self.take('=') {
            return Ok(match tree {
                Tree::Atom(name, _) => Item { name, span, value: None },
                tree => Item { name: String::new(), span, value: Some(tree) },
            });
        }
        let Tree::Atom(name, _) = tree else {
            return Err(span.error("expected a field's name before `=`"));
        };
        Ok(Item { name, span, value: Some(self.tree(depth)?) })
    }

    fn tree(&mut self, depth: usize) -> Result<Tree, CraftError> {
        self.skip_space();
        let from = self.at;
        match self.peek() {
            Some('"') => {
                let bytes = self.text()?;
                Ok(Tree::Text(bytes, self.span(from)))
            }
            Some('[' | '(') if depth == 0 => Err(self.here("the brackets are nested too deeply")),
            Some('(') => {
                self.at += 1;
                let items = self.items(depth - 1)?;
                Ok(Tree::Group(items, self.span(from)))
            }
            Some('[') => {
                self.at += 1;
                let mut trees = Vec::new();
                if self.take(']') {
                    return Err(self.span(from).error("an empty list stands for no packet at all"));
                }
                loop {
                    trees.push(self.tree(depth - 1)?);
                    if self.take(']') {
                        return Ok(Tree::List(trees, self.span(from)));
                    }
                    if !self.take(',') {
                        return Err(self.here("expected `,` or `]`"));
                    }
                }
            }
            _ => {
                while self.peek().is_some_and(|c| !c.is_whitespace() && !"()[],=\"".contains(c)) {
                    self.at += 1;
                }
                if self.at == from {
                    return Err(self.here("expected a value"));
                }
                Ok(Tree::Atom(self.chars[from..self.at].iter().collect(), self.span(from)))
            }
        }
    }

    /// Text in quotes, from the opening one on.
    fn text(&mut self) -> Result<Vec<u8>, CraftError> {
        let from = self.at;
        let endless = CraftError::new(from, 1, "the text does not end").hint("a `\"` is missing");
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let c = self.peek().ok_or_else(|| endless.clone())?;
            self.at += 1;
            match c {
                '"' => return Ok(bytes),
                '\\' => {
                    let escape = self.at - 1;
                    let c = self.peek().ok_or_else(|| endless.clone())?;
                    self.at += 1;
                    match c {
                        'n' => bytes.push(b'\n'),
                        'r' => bytes.push(b'\r'),
                        't' => bytes.push(b'\t'),
                        '0' => bytes.push(0),
                        '"' | '\\' => bytes.push(c as u8),
                        'x' => bytes.push(self.escaped_byte(escape)?),
                        _ => {
                            return Err(CraftError::new(escape, 2, format!("`\\{c}` means nothing"))
                                .hint("there are \\n \\r \\t \\0 \\\" \\\\ and \\x41"));
                        }
                    }
                }
                c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }

    fn escaped_byte(&mut self, escape: usize) -> Result<u8, CraftError> {
        let digits = self.chars.get(self.at..self.at + 2).and_then(|pair| {
            let [high, low] = [pair[0].to_digit(16)?, pair[1].to_digit(16)?];
            Some((high << 4 | low) as u8)
        });
        self.at += 2;
        digits.ok_or_else(|| CraftError::new(escape, 2, "two hexadecimal digits belong behind \\x"))
    }
}

/// Bytes that stand where a layer would.
fn alone(value: Tree, span: Span) -> Written {
    let item = Item { name: String::from("data"), span, value: Some(value) };
    Written { name: String::from("data"), span, items: vec![item] }
}
