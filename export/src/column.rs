//! A column: its type, and the values that wait to be written.

use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::writer::SerializedColumnWriter;

/// What a column holds. Each row may have no value.
#[derive(Debug)]
pub(crate) struct Column {
    name: String,
    kind: &'static str,
    values: Values,
    /// 1 for each row that has a value, 0 for others.
    present: Vec<i16>,
    bytes: usize,
}

#[derive(Debug)]
enum Values {
    Integers(Vec<i64>),
    Doubles(Vec<f64>),
    Booleans(Vec<bool>),
    Words(Vec<ByteArray>),
}

impl Column {
    /// `None`: there is no such type.
    pub(crate) fn new(name: &str, kind: &str) -> Option<Column> {
        let (kind, values) = match kind {
            "integer" => ("int64", Values::Integers(Vec::new())),
            "timestamp" => ("int64_timestamp", Values::Integers(Vec::new())),
            "double" => ("double", Values::Doubles(Vec::new())),
            "boolean" => ("boolean", Values::Booleans(Vec::new())),
            "text" => ("binary", Values::Words(Vec::new())),
            _ => return None,
        };
        Some(Column { name: name.to_owned(), kind, values, present: Vec::new(), bytes: 0 })
    }

    /// The column in Parquet's schema language.
    pub(crate) fn schema(&self) -> String {
        let name = &self.name;
        match self.kind {
            "int64_timestamp" => format!("optional int64 {name} (TIMESTAMP(NANOS,true)); "),
            "binary" => format!("optional binary {name} (STRING); "),
            kind => format!("optional {kind} {name}; "),
        }
    }

    /// About how many bytes of words wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the value of the next row; `None`: it has none. An error says what the value should be.
    pub(crate) fn push(&mut self, value: Option<Vec<u8>>) -> std::result::Result<(), &'static str> {
        self.present.push(i16::from(value.is_some()));
        let Some(value) = value else { return Ok(()) };
        let words = || std::str::from_utf8(&value).unwrap_or_default();
        match &mut self.values {
            // Numbers of 64 bits without a sign keep their bits.
            Values::Integers(values) => {
                let number = words().parse().or_else(|_| words().parse::<u64>().map(|number| number as i64));
                values.push(number.map_err(|_| "an integer")?);
            }
            Values::Doubles(values) => values.push(words().parse().map_err(|_| "a number")?),
            Values::Booleans(values) => values.push(match words() {
                "1" | "true" => true,
                "0" | "false" => false,
                _ => return Err("true or false"),
            }),
            Values::Words(values) => {
                self.bytes += value.len();
                values.push(ByteArray::from(value));
            }
        }
        Ok(())
    }

    /// Writes what waits.
    pub(crate) fn write(&mut self, place: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let present = Some(self.present.as_slice());
        match &mut self.values {
            Values::Integers(values) => {
                place.typed::<Int64Type>().write_batch(values, present, None)?;
                values.clear();
            }
            Values::Doubles(values) => {
                place.typed::<DoubleType>().write_batch(values, present, None)?;
                values.clear();
            }
            Values::Booleans(values) => {
                place.typed::<BoolType>().write_batch(values, present, None)?;
                values.clear();
            }
            Values::Words(values) => {
                place.typed::<ByteArrayType>().write_batch(values, present, None)?;
                values.clear();
            }
        }
        self.present.clear();
        self.bytes = 0;
        Ok(())
    }
}
