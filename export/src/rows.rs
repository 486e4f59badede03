//! Lines to values.

use crate::column::Column;

/// The columns that the first line names.
pub(crate) fn header(line: &str) -> Result<Vec<Column>, String> {
    let mut seen = std::collections::BTreeSet::new();
    let columns = line.split('\t').map(|word| {
        let (name, kind) = word.split_once(':').ok_or_else(|| format!("`{word}` is no column: name:type"))?;
        let is_plain =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
        if !is_plain || !seen.insert(name) {
            return Err(format!("`{name}` cannot be a column's name, or is there twice"));
        }
        Column::new(name, kind).ok_or_else(|| format!("`{kind}` is no type"))
    });
    columns.collect()
}

/// Adds a line's values to their columns.
pub(crate) fn row(line: &str, columns: &mut [Column]) -> Result<(), String> {
    let mut values = line.split('\t');
    for column in columns.iter_mut() {
        let value = values.next().ok_or("it has too few values")?;
        let parsed = plain(value).map_err(str::to_owned)?;
        column.push(parsed).map_err(|kind| format!("`{value}` is not {kind}"))?;
    }
    if values.next().is_some() {
        return Err("it has too many values".to_owned());
    }
    Ok(())
}

/// A value without its escapes; `None` for `\N`.
fn plain(value: &str) -> Result<Option<Vec<u8>>, &'static str> {
    if value == "\\N" {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next() {
                Some(b't') => b'\t',
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b'\\') => b'\\',
                _ => return Err("a backslash stands before t, n, r or a backslash"),
            },
            byte => byte,
        });
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_nothing() {
        assert_eq!(plain("\\N"), Ok(None));
        assert_eq!(plain("a\\tb\\\\n"), Ok(Some(b"a\tb\\n".to_vec())));
        assert!(plain("\\x").is_err() && plain("\\").is_err());
    }

    #[test]
    fn rows_that_do_not_fit_are_refused() {
        let mut columns = header("a:integer\tb:text").expect("two columns");
        assert_eq!(row("1\tx", &mut columns), Ok(()));
        assert_eq!(row("\\N\t\\N", &mut columns), Ok(()));
        assert!(row("1", &mut columns).is_err());
        assert!(row("1\tx\ty", &mut columns).is_err());
        assert!(row("one\tx", &mut columns).expect_err("no number").contains("an integer"));
        assert!(header("a:integer\ta:text").is_err() && header("a:blob").is_err() && header("").is_err());
    }
}
