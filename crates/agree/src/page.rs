//! The table in `docs/dissect.md`: three columns for each kind of captures, made of reports.

use crate::compare::Report;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Those that lie beside the tests.
    Own,
    /// Of programs that talk while the test runs.
    Live,
    /// What others publish.
    Public,
}

const HEADING: &str = "| protocol | own packets | agree | live packets | layers agree | all agree | explained | gaps | unexplained \
                       | public packets | layers agree | all agree | explained | gaps | unexplained |";

/// How many columns each kind has: of our own captures, packets and what agrees; of the others packets, layers that
/// agree, all that agrees, what is explained, gaps, and what nobody has explained.
const COLUMNS: [usize; 3] = [2, 6, 6];

/// A protocol's cells, kind by kind; empty where it does not occur.
type Cells = [Vec<String>; 3];

/// The page and its table.
#[derive(Debug)]
pub struct Page {
    path: PathBuf,
    before: String,
    rows: BTreeMap<String, Cells>,
    after: String,
}

impl Page {
    /// Reads the page. Panics if it is not there or has no table: a test cannot go on without.
    pub fn read(path: &Path) -> Page {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let begins = text.find(HEADING).expect("the page has the table");
        let (before, table) = text.split_at(begins);
        let ends = table.find("\n\n").expect("something comes after the table") + 1;
        let (table, after) = table.split_at(ends);
        let mut rows = BTreeMap::new();
        for line in table.lines().skip(2) {
            let mut cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
            let mut next = || cells.next().unwrap_or_default();
            let name = next();
            rows.insert(name, COLUMNS.map(|columns| (0..columns).map(|_| next()).collect()));
        }
        Page { path: path.to_owned(), before: before.to_owned(), rows, after: after.to_owned() }
    }

    /// Sets the columns of one kind; `true`: that changes something.
    pub fn set(&mut self, kind: Kind, report: &Report) -> bool {
        let old = self.text();
        let none = || COLUMNS.map(|columns| vec![String::new(); columns]);
        self.rows.values_mut().for_each(|row| row[kind as usize] = none()[kind as usize].clone());
        for (name, row) in report.rows() {
            // What was not read any further is no protocol.
            if name.is_empty() || name.starts_with("_ws.") {
                continue;
            }
            let share = |count: usize| format!("{:.2} %", 100.0 * count as f64 / row.packets.max(1) as f64);
            let packets = row.packets.to_string();
            let cells = match kind {
                Kind::Own => vec![packets, share(row.agree)],
                Kind::Live | Kind::Public => vec![
                    packets,
                    format!("{:.1} %", row.layers_percent()),
                    share(row.agree),
                    share(row.explained),
                    share(row.gaps),
                    share(row.unexplained()),
                ],
            };
            self.rows.entry(name.to_owned()).or_insert_with(none)[kind as usize] = cells;
        }
        self.rows.retain(|_, row| row.iter().flatten().any(|cell| !cell.is_empty()));
        self.text() != old
    }

    /// The whole page.
    pub fn text(&self) -> String {
        let rule = "|---".repeat(1 + COLUMNS.iter().sum::<usize>());
        let mut out = format!("{}{HEADING}\n{rule}|\n", self.before);
        for (name, row) in &self.rows {
            let cells: Vec<&str> = row.iter().flatten().map(String::as_str).collect();
            out += &format!("| {name} | {} |\n", cells.join(" | "));
        }
        out + &self.after
    }

    /// Writes the page.
    pub fn write(&self) {
        std::fs::write(&self.path, self.text()).expect("the page can be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_and_written_as_it_stands() {
        let row = "| dns | 10 | 90.00 % |  |  |  |  |  |  | 7 | 1.0 % | 0.00 % | 0.00 % | 0.00 % | 0.00 % |";
        let rule = "|---".repeat(15);
        let text = format!("# Page\n\n{HEADING}\n{rule}|\n{row}\n\nMore.\n");
        let path = std::env::temp_dir().join(format!("thru-page-{}.md", std::process::id()));
        std::fs::write(&path, &text).expect("written");
        let mut page = Page::read(&path);
        assert_eq!(page.text(), text);
        assert!(page.set(Kind::Own, &Report::default()));
        assert!(page.text().contains("\n| dns |  |  |  |  |  |  |  |  | 7 |"), "{}", page.text());
        assert!(!page.set(Kind::Own, &Report::default()));
        assert!(page.set(Kind::Public, &Report::default()));
        assert!(!page.text().contains("dns"), "a row without any cell goes");
        std::fs::remove_file(&path).expect("there");
    }
}
