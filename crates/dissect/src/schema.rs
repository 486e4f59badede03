//! Schemas of protocol buffers: what `.proto` files (proto2 and proto3) say of messages, enumerations and services, as
//! far as it helps to name the fields of messages that were captured. Options, defaults and imports are passed over;
//! give the imported files as well.

mod parser;
mod words;

use std::collections::BTreeMap;
use std::fmt;

/// What is known of messages and services.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    messages: BTreeMap<String, Message>,
    /// Names of values, by enumeration.
    enums: BTreeMap<String, BTreeMap<i64, String>>,
    /// By path as in `/package.Service/Method`: what is asked and what is answered.
    methods: BTreeMap<String, [String; 2]>,
}

/// Why a `.proto` file is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for SchemaError {}

/// A message's fields by their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    fields: BTreeMap<u64, Member>,
}

/// A field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) kind: Scalar,
}

/// The type of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    Text,
    Bytes,
    /// A message or an enumeration, as the file names it.
    Named(String),
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meaning<'s> {
    Message(&'s str),
    Enum(&'s BTreeMap<i64, String>),
}

impl Schema {
    /// An empty one.
    pub fn new() -> Schema {
        Schema::default()
    }

    /// Takes what a `.proto` file says, beside what is known from others.
    ///
    /// # Errors
    /// Where the file is not understood. What stands before that place is kept.
    pub fn take(&mut self, text: &str) -> Result<(), SchemaError> {
        parser::file(self, text)
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.methods.is_empty()
    }

    /// The names of all messages, in order.
    pub fn messages(&self) -> impl Iterator<Item = &str> {
        self.messages.keys().map(String::as_str)
    }

    /// The message that a call's request or answer is.
    pub(crate) fn of_method(&self, path: &str, is_answer: bool) -> Option<&str> {
        let name = &self.methods.get(path)?[usize::from(is_answer)];
        let service = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        match self.resolve(service, name)? {
            Meaning::Message(name) => Some(name),
            Meaning::Enum(_) => None,
        }
    }

    /// A field of the message with this full name.
    pub(crate) fn member(&self, message: &str, number: u64) -> Option<&Member> {
        self.messages.get(message)?.fields.get(&number)
    }

    /// What a name means inside of `scope`: the innermost one that has it wins.
    pub(crate) fn resolve(&self, scope: &str, name: &str) -> Option<Meaning<'_>> {
        let find = |full: &str| {
            let message = self.messages.get_key_value(full).map(|(name, _)| Meaning::Message(name));
            message.or_else(|| self.enums.get(full).map(Meaning::Enum))
        };
        if let Some(full) = name.strip_prefix('.') {
            return find(full);
        }
        let mut scope = scope;
        loop {
            if scope.is_empty() {
                return find(name);
            }
            if let Some(found) = find(&format!("{scope}.{name}")) {
                return Some(found);
            }
            scope = scope.rsplit_once('.').map_or("", |(outer, _)| outer);
        }
    }
}

#[cfg(test)]
mod tests;
