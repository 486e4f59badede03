//! TOML as an owned tree that remembers where everything stood, and a reader that refuses unknown keys.

use std::cell::RefCell;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::source::{Error, Source, Span, suggest};

/// A string and the place of its first character.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Str {
    pub(crate) text: String,
    pub(crate) span: Span,
}

impl Str {
    pub(crate) fn error(&self, message: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::at(&self.span, message, hint)
    }

    pub(crate) fn view(&self) -> crate::link::Text<'_> {
        crate::link::Text::new(&self.text, Some(self.span.clone()))
    }
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Text(String),
    Integer(i64),
    Bool(bool),
    /// A TOML date, as it was written.
    Date(String),
    /// A number with a fraction; nothing here wants one.
    Float,
    Array(Vec<Item>),
    Table(Table),
}

/// Keys and values in the order in which they were written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    pub(crate) entries: Vec<(Str, Item)>,
    pub(crate) span: Span,
}

/// Deepest nesting that is read; TOML itself allows more.
const DEPTH_MAX: usize = 16;

/// Reads one file.
pub(crate) fn read(source: &Arc<Source>) -> Result<Table, Error> {
    let root = DeTable::parse(&source.text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let span = Span::new(source, span.start, span.end);
        let message = error.message().lines().collect::<Vec<_>>().join(" ");
        Error::at(
            &span,
            format!("not TOML: {message}"),
            "see https://toml.io; strings need quotes, and keys stand before `=`",
        )
    })?;
    table(source, root.get_ref(), Span::new(source, 0, 0), 0)
}

fn table(source: &Arc<Source>, table: &DeTable<'_>, span: Span, depth: usize) -> Result<Table, Error> {
    if depth > DEPTH_MAX {
        return Err(Error::at(&span, "nested too deeply", "a scenario needs three levels at most"));
    }
    let mut entries = Vec::new();
    for (key, value) in table {
        let key_span = key.span();
        let key =
            Str { text: key.get_ref().to_string(), span: Span::new(source, key_span.start, key_span.end) };
        let value_span = value.span();
        let span = Span::new(source, value_span.start, value_span.end);
        entries.push((key, item(source, value.get_ref(), span, depth)?));
    }
    entries.sort_by_key(|(key, _)| key.span.start);
    Ok(Table { entries, span })
}

fn item(source: &Arc<Source>, value: &DeValue<'_>, span: Span, depth: usize) -> Result<Item, Error> {
    let kind = match value {
        DeValue::String(text) => Kind::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Kind::Integer(number),
            Err(_) => {
                return Err(Error::at(&span, "this number is too large", "write a smaller one"));
            }
        },
        DeValue::Float(_) => Kind::Float,
        DeValue::Boolean(value) => Kind::Bool(*value),
        DeValue::Datetime(date) => Kind::Date(date.to_string()),
        DeValue::Array(array) => {
            if depth > DEPTH_MAX {
                return Err(Error::at(&span, "nested too deeply", "a scenario needs three levels at most"));
            }
            let mut items = Vec::new();
            for value in array.iter() {
                let place = value.span();
                items.push(item(
                    source,
                    value.get_ref(),
                    Span::new(source, place.start, place.end),
                    depth + 1,
                )?);
            }
            Kind::Array(items)
        }
        DeValue::Table(inner) => Kind::Table(table(source, inner, span.clone(), depth + 1)?),
    };
    Ok(Item { kind, span })
}

impl Item {
    fn what(&self) -> &'static str {
        match self.kind {
            Kind::Text(_) => "a string",
            Kind::Integer(_) => "a number",
            Kind::Bool(_) => "true or false",
            Kind::Date(_) => "a date",
            Kind::Float => "a number with a fraction",
            Kind::Array(_) => "a list",
            Kind::Table(_) => "a table",
        }
    }

    pub(crate) fn wrong(&self, key: &str, wanted: &str) -> Error {
        Error::at(
            &self.span,
            format!("`{key}` wants {wanted}, not {}", self.what()),
            format!("write {wanted}"),
        )
    }

    /// The string, with the place of its content (inside the quotes).
    pub(crate) fn text(&self, key: &str) -> Result<Str, Error> {
        match &self.kind {
            Kind::Text(text) => {
                let raw = &self.span.source.text[self.span.start..self.span.end];
                let quotes = ["\"\"\"\r\n", "\"\"\"\n", "'''\r\n", "'''\n", "\"\"\"", "'''", "\"", "'"];
                let open =
                    quotes.iter().find(|quote| raw.starts_with(**quote)).map_or(0, |quote| quote.len());
                Ok(Str {
                    text: text.clone(),
                    span: self.span.part(open, text.len().min(self.span.end - self.span.start - open)),
                })
            }
            Kind::Integer(_) | Kind::Float => Err(Error::at(
                &self.span,
                format!("`{key}` wants a string, not {}", self.what()),
                "put it in quotes, with its unit, as in \"10ms\"",
            )),
            _ => Err(self.wrong(key, "a string")),
        }
    }

    /// A list of strings; one string alone is a list of one.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<Str>, Error> {
        match &self.kind {
            Kind::Array(items) => items.iter().map(|item| item.text(key)).collect(),
            Kind::Text(_) => Ok(vec![self.text(key)?]),
            _ => Err(self.wrong(key, "a list of strings")),
        }
    }

    pub(crate) fn bool(&self, key: &str) -> Result<bool, Error> {
        match self.kind {
            Kind::Bool(value) => Ok(value),
            _ => Err(self.wrong(key, "true or false")),
        }
    }

    pub(crate) fn integer(&self, key: &str, from: i64, to: i64) -> Result<i64, Error> {
        match self.kind {
            Kind::Integer(value) if (from..=to).contains(&value) => Ok(value),
            Kind::Integer(value) => Err(Error::at(
                &self.span,
                format!("`{key}` cannot be {value}"),
                format!("write a number from {from} to {to}"),
            )),
            _ => Err(self.wrong(key, "a whole number")),
        }
    }

    pub(crate) fn table(&self, key: &str) -> Result<&Table, Error> {
        match &self.kind {
            Kind::Table(table) => Ok(table),
            _ => Err(self.wrong(key, "a table")),
        }
    }

    /// How many there are, if it is a list.
    pub(crate) fn count(&self) -> usize {
        match &self.kind {
            Kind::Array(items) => items.len(),
            _ => 1,
        }
    }

    /// A list of tables, as `[[key]]` makes.
    pub(crate) fn tables(&self, key: &str) -> Result<Vec<&Table>, Error> {
        match &self.kind {
            Kind::Array(items) => items
                .iter()
                .map(|item| match &item.kind {
                    Kind::Table(table) => Ok(table),
                    _ => Err(item.wrong(key, "a table")),
                })
                .collect(),
            Kind::Table(_) => Err(Error::at(
                &self.span,
                format!("`{key}` is a list of tables"),
                format!("write its header with two brackets: [[{key}]]"),
            )),
            _ => Err(self.wrong(key, "a list of tables")),
        }
    }
}

impl Table {
    pub(crate) fn get(&self, key: &str) -> Option<&Item> {
        self.entries.iter().find(|(known, _)| known.text == key).map(|(_, item)| item)
    }

    /// Where the table's header or first key is: what an error about the whole table points at.
    pub(crate) fn place(&self) -> Span {
        self.entries.first().map_or_else(|| self.span.clone(), |(key, _)| key.span.clone())
    }
}

/// Reads a table key by key; what nobody asked for is an error with a suggestion.
pub(crate) struct Reader<'a> {
    pub(crate) table: &'a Table,
    what: String,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Reader<'a> {
    /// `what` names the table in errors: "a node", "service `shop`".
    pub(crate) fn new(table: &'a Table, what: impl Into<String>) -> Reader<'a> {
        Reader { table, what: what.into(), asked: RefCell::default() }
    }

    pub(crate) fn get(&self, key: &'static str) -> Option<&'a Item> {
        self.asked.borrow_mut().push(key);
        self.table.get(key)
    }

    pub(crate) fn text(&self, key: &'static str) -> Result<Option<Str>, Error> {
        self.get(key).map(|item| item.text(key)).transpose()
    }

    pub(crate) fn texts(&self, key: &'static str) -> Result<Option<Vec<Str>>, Error> {
        self.get(key).map(|item| item.texts(key)).transpose()
    }

    pub(crate) fn bool(&self, key: &'static str) -> Result<Option<bool>, Error> {
        self.get(key).map(|item| item.bool(key)).transpose()
    }

    pub(crate) fn integer(&self, key: &'static str, from: i64, to: i64) -> Result<Option<i64>, Error> {
        self.get(key).map(|item| item.integer(key, from, to)).transpose()
    }

    /// The value of a quantity with its place.
    pub(crate) fn quantity<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, crate::units::BadQuantity>,
    ) -> Result<Option<T>, Error> {
        match self.text(key)? {
            Some(text) => text.view().trimmed().quantity(read).map(Some),
            None => Ok(None),
        }
    }

    /// An error about the table as a whole.
    pub(crate) fn error(&self, message: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::at(&self.table.place(), message, hint)
    }

    /// Refuses the first key that nobody asked for.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let asked = self.asked.borrow();
        for (key, _) in &self.table.entries {
            if !asked.contains(&key.text.as_str()) {
                let message = format!("unknown key `{}` in {}", key.text, self.what);
                let hint = match key.text.as_str() {
                    "nodes" | "links" | "use" | "name" | "set" if !asked.contains(&key.text.as_str()) => {
                        format!(
                            "in TOML a key after a [table] header belongs to that table: move `{}` above the first header",
                            key.text
                        )
                    }
                    word => suggest(word, asked.iter().copied()),
                };
                return Err(key.error(message, hint));
            }
        }
        Ok(())
    }
}
