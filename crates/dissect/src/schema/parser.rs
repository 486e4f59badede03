//! `.proto` files, read once from the front.

use super::words::{Word, Words, wrong};
use super::{Member, Message, Scalar, Schema, SchemaError};

/// Messages within messages stop here.
const DEPTH_MAX: usize = 32;

type Done = Result<(), SchemaError>;

pub(super) fn file(schema: &mut Schema, text: &str) -> Done {
    let mut words = Words::new(text);
    let mut package = String::new();
    while let Some(word) = words.peek() {
        words.next()?;
        match word.text {
            ";" => {}
            "package" => {
                package = words.next()?.text.to_owned();
                words.expect(";")?;
            }
            "syntax" | "edition" | "import" | "option" => statement(&mut words)?,
            "message" => message(schema, &mut words, &package, 0)?,
            "enum" => enumeration(schema, &mut words, &package)?,
            "service" => service(schema, &mut words, &package)?,
            "extend" => {
                words.next()?;
                block(&mut words)?;
            }
            _ => return Err(wrong(word, "a message, enum or service was expected")),
        }
    }
    Ok(())
}

fn inside(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

/// Passes over a statement, with blocks in it.
fn statement(words: &mut Words<'_>) -> Done {
    let mut open = 0usize;
    loop {
        match words.next()?.text {
            ";" if open == 0 => return Ok(()),
            "{" | "[" | "(" => open += 1,
            "}" | "]" | ")" => open = open.saturating_sub(1),
            _ => {}
        }
    }
}

/// Passes over a block.
fn block(words: &mut Words<'_>) -> Done {
    words.expect("{")?;
    let mut open = 1usize;
    while open > 0 {
        match words.next()?.text {
            "{" => open += 1,
            "}" => open -= 1,
            _ => {}
        }
    }
    Ok(())
}

fn message(schema: &mut Schema, words: &mut Words<'_>, scope: &str, depth: usize) -> Done {
    let name = inside(scope, words.next()?.text);
    words.expect("{")?;
    schema.messages.insert(name.clone(), Message::default());
    members(schema, words, &name, depth)
}

/// What stands between a message's braces.
fn members(schema: &mut Schema, words: &mut Words<'_>, name: &str, depth: usize) -> Done {
    if depth > DEPTH_MAX {
        return Err(words.error("messages are nested too deep"));
    }
    loop {
        let word = words.next()?;
        match word.text {
            "}" => return Ok(()),
            ";" | "optional" | "required" | "repeated" => {}
            "message" if is_definition(words) => message(schema, words, name, depth + 1)?,
            "enum" if is_definition(words) => enumeration(schema, words, name)?,
            "oneof" if is_definition(words) => {
                words.next()?;
                words.expect("{")?;
                members(schema, words, name, depth + 1)?;
            }
            "extend" => {
                words.next()?;
                block(words)?;
            }
            "option" | "reserved" | "extensions" => statement(words)?,
            "map" => map(schema, words, name)?,
            "group" => {
                let group = words.next()?.text.to_owned();
                let number = number(words)?;
                let full = inside(name, &group);
                schema.messages.insert(full.clone(), Message::default());
                add(schema, name, number, group.to_ascii_lowercase(), Scalar::Named(group));
                words.expect("{")?;
                members(schema, words, &full, depth + 1)?;
            }
            _ => field(schema, words, name, word)?,
        }
    }
}

/// `message`, `enum` and `oneof` may be names of types and fields as well; a definition has a name, which no sign
/// follows.
fn is_definition(words: &mut Words<'_>) -> bool {
    words.peek().is_some_and(|word| word.text.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

fn field(schema: &mut Schema, words: &mut Words<'_>, message: &str, kind: Word<'_>) -> Done {
    if !kind.text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '.')) {
        return Err(wrong(kind, "a field was expected"));
    }
    let name = words.next()?.text.to_owned();
    let number = number(words)?;
    add(schema, message, number, name, scalar(kind.text));
    statement(words)
}

/// `map<K, V> name = 1;` is a repeated message of two fields.
fn map(schema: &mut Schema, words: &mut Words<'_>, message: &str) -> Done {
    words.expect("<")?;
    let key = scalar(words.next()?.text);
    words.expect(",")?;
    let value = scalar(words.next()?.text);
    words.expect(">")?;
    let name = words.next()?.text.to_owned();
    let number = number(words)?;
    // No other type can have this name.
    let entry = format!("{name}$entry");
    let full = inside(message, &entry);
    schema.messages.insert(full.clone(), Message::default());
    add(schema, &full, 1, "key".to_owned(), key);
    add(schema, &full, 2, "value".to_owned(), value);
    add(schema, message, number, name, Scalar::Named(entry));
    statement(words)
}

fn add(schema: &mut Schema, message: &str, number: u64, name: String, kind: Scalar) {
    if let Some(message) = schema.messages.get_mut(message) {
        message.fields.insert(number, Member { name, kind });
    }
}

/// `= 1`
fn number(words: &mut Words<'_>) -> Result<u64, SchemaError> {
    words.expect("=")?;
    let word = words.next()?;
    integer(word.text)
        .and_then(|number| u64::try_from(number).ok())
        .ok_or_else(|| wrong(word, "a field's number was expected"))
}

fn integer(text: &str) -> Option<i64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn enumeration(schema: &mut Schema, words: &mut Words<'_>, scope: &str) -> Done {
    let name = inside(scope, words.next()?.text);
    words.expect("{")?;
    loop {
        let word = words.next()?;
        match word.text {
            "}" => return Ok(()),
            ";" => {}
            "option" | "reserved" => statement(words)?,
            label => {
                words.expect("=")?;
                let value = words.next()?;
                let number = integer(value.text).ok_or_else(|| wrong(value, "a number was expected"))?;
                schema
                    .enums
                    .entry(name.clone())
                    .or_default()
                    .entry(number)
                    .or_insert_with(|| label.to_owned());
                statement(words)?;
            }
        }
    }
}

fn service(schema: &mut Schema, words: &mut Words<'_>, package: &str) -> Done {
    let name = inside(package, words.next()?.text);
    words.expect("{")?;
    loop {
        let word = words.next()?;
        match word.text {
            "}" => return Ok(()),
            ";" => {}
            "option" => statement(words)?,
            "rpc" => {
                let method = words.next()?.text.to_owned();
                let asked = kind(words)?;
                words.expect("returns")?;
                let answered = kind(words)?;
                schema.methods.insert(format!("/{name}/{method}"), [asked, answered]);
                if words.peek().is_some_and(|word| word.text == "{") {
                    block(words)?;
                }
            }
            _ => return Err(wrong(word, "a method was expected")),
        }
    }
}

/// `(stream Type)`
fn kind(words: &mut Words<'_>) -> Result<String, SchemaError> {
    words.expect("(")?;
    let mut word = words.next()?;
    if word.text == "stream" && !words.takes(")") {
        word = words.next()?;
        words.expect(")")?;
    } else if word.text != "stream" {
        words.expect(")")?;
    }
    Ok(word.text.to_owned())
}

fn scalar(text: &str) -> Scalar {
    match text {
        "double" => Scalar::Double,
        "float" => Scalar::Float,
        "int32" => Scalar::Int32,
        "int64" => Scalar::Int64,
        "uint32" => Scalar::Uint32,
        "uint64" => Scalar::Uint64,
        "sint32" => Scalar::Sint32,
        "sint64" => Scalar::Sint64,
        "fixed32" => Scalar::Fixed32,
        "fixed64" => Scalar::Fixed64,
        "sfixed32" => Scalar::Sfixed32,
        "sfixed64" => Scalar::Sfixed64,
        "bool" => Scalar::Bool,
        "string" => Scalar::Text,
        "bytes" => Scalar::Bytes,
        name => Scalar::Named(name.to_owned()),
    }
}
