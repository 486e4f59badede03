//! `thru-parquet FILE`: rows from standard input into a Parquet file. `thru read -w FILE.parquet` runs it.
//!
//! It is a program of its own because the library that it needs takes longer to build than all of thru. The first line
//! names the columns, `name:type` with tabs between; the types are `integer`, `double`, `boolean`, `timestamp`
//! (nanoseconds since 1970) and `text`. Each further line is a row: values with tabs between, `\N` for none, `\t`, `\n`,
//! `\r` and `\\` for themselves.
//!
//! - `column`: what is kept of a column until it is written. `rows`: lines to values. [`main`]: the file.

mod column;
mod rows;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use column::Column;

/// So many rows are kept before they are written as a group.
const GROUP: usize = 100_000;
/// And so many bytes of words.
const GROUP_BYTES: usize = 32 << 20;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(path), None) = (arguments.next(), arguments.next()) else {
        let _ = writeln!(
            io::stderr(),
            "usage: thru-parquet FILE < ROWS\nhint: `thru read CAPTURE -w FILE.parquet` runs it"
        );
        return ExitCode::from(2);
    };
    match write(Path::new(&path), BufReader::new(io::stdin().lock())) {
        Ok(_) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(io::stderr(), "error: cannot write `{}`: {why}", path.display());
            ExitCode::from(3)
        }
    }
}

/// Writes all rows; gives how many there were.
fn write(path: &Path, mut source: impl BufRead) -> Result<u64, String> {
    let mut line = String::new();
    source.read_line(&mut line).map_err(|error| error.to_string())?;
    let mut columns = rows::header(line.trim_end_matches('\n'))?;
    let fields: String = columns.iter().map(Column::schema).collect();
    let schema =
        parse_message_type(&format!("message rows {{ {fields} }}")).map_err(|error| error.to_string())?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let file = File::create(path).map_err(|error| error.to_string())?;
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
        .map_err(|error| error.to_string())?;
    let (mut total, mut waiting) = (0, 0);
    loop {
        line.clear();
        let more = source.read_line(&mut line).map_err(|error| error.to_string())? > 0;
        if more {
            rows::row(line.trim_end_matches('\n'), &mut columns)
                .map_err(|why| format!("row {}: {why}", total + 1))?;
            (total, waiting) = (total + 1, waiting + 1);
        }
        let bytes: usize = columns.iter().map(Column::bytes).sum();
        if waiting > 0 && (!more || waiting == GROUP || bytes >= GROUP_BYTES) {
            group(&mut writer, &mut columns).map_err(|error| error.to_string())?;
            waiting = 0;
        }
        if !more {
            break;
        }
    }
    writer.close().map_err(|error| error.to_string())?;
    Ok(total)
}

/// Writes what the columns keep, and empties them.
fn group(writer: &mut SerializedFileWriter<File>, columns: &mut [Column]) -> parquet::errors::Result<()> {
    let mut group = writer.next_row_group()?;
    for column in columns.iter_mut() {
        let mut place = group.next_column()?.expect("the schema has as many columns");
        column.write(&mut place)?;
        place.close()?;
    }
    group.close().map(|_| ())
}
