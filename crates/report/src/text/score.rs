//! What `thru bench verdict` prints: how often the diagnosis was right, by layer.

use super::Style;
use super::escape::for_style;
use super::layout::{table as columns, wrap};

/// One line of the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// The layer of the truth, or `all`.
    pub name: String,
    /// How many requests were judged.
    pub total: usize,
    /// How many named the right layer.
    pub layers_right: usize,
    /// How many were right, near, abstained, missed, wrong and false alarms.
    pub outcomes: [usize; 6],
    /// The most packets one diagnosis took.
    pub packets: usize,
    /// The longest time one diagnosis took, in seconds.
    pub seconds: f64,
    /// The most it took beyond the request itself and the timeouts that the fault forces, in seconds.
    pub beyond: f64,
}

/// A verdict that was not right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Miss {
    /// The command that shows it.
    pub command: String,
    /// `near`, `abstained`, `missed`, `wrong` or `false alarm`.
    pub outcome: String,
    /// The causes that are true.
    pub truth: Vec<String>,
    /// The causes that were named.
    pub named: Vec<String>,
    /// The verdict's sentence.
    pub said: String,
}

/// The table, and below it what was not right.
pub fn table(rows: &[Row], misses: &[Miss], style: &Style) -> String {
    let share = |part: usize, of: usize| match of {
        0 => "-".to_string(),
        of => format!("{:.1}", 100.0 * part as f64 / of as f64),
    };
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let mut line = vec![
                row.name.clone(),
                row.total.to_string(),
                share(row.layers_right, row.total),
                share(row.outcomes[0], row.total),
            ];
            line.extend(row.outcomes[1..].iter().map(ToString::to_string));
            line.push(row.packets.to_string());
            line.push(format!("{:.0} s", row.seconds.ceil()));
            line.push(format!("{:.1}", row.beyond));
            line
        })
        .collect();
    let headings = [
        "layer", ">cases", ">layer", ">cause", ">near", ">open", ">miss", ">wrong", ">alarm", ">pkts",
        ">time", ">own",
    ];
    let mut out = columns(&headings, &lines, style);
    for miss in misses {
        out.push_str(&format!("\n{}: {}\n", miss.outcome, for_style(&miss.command, style)));
        let causes = format!("true: {}; named: {}", set(&miss.truth, "healthy"), set(&miss.named, "none"));
        out.push_str(&wrap(&causes, "  ", style.width));
        out.push_str(&wrap(&for_style(&miss.said, style), "  ", style.width));
    }
    out
}

fn set(causes: &[String], none: &str) -> String {
    if causes.is_empty() { none.to_string() } else { causes.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_80_columns_and_names_what_went_wrong() {
        let row = Row {
            name: "firewall".into(),
            total: 1200,
            layers_right: 1188,
            outcomes: [1100, 60, 20, 10, 10, 0],
            packets: 1287,
            seconds: 61.2,
            beyond: 4.4,
        };
        let miss = Miss {
            command: "thru https://www.shop.lab/ --on lab:loss --seed 3".into(),
            outcome: "missed".into(),
            truth: vec!["IP19".into()],
            named: vec![],
            said: "www.shop.lab is healthy.".into(),
        };
        let text = table(&[row], &[miss], &Style { width: 80, ..Style::default() });
        assert!(text.lines().all(|line| super::super::layout::width(line) <= 80), "{text}");
        assert!(text.contains("99.0 ") && text.contains("91.7 ") && text.contains(" 4.4"), "{text}");
        assert!(text.contains("true: IP19; named: none"), "{text}");
    }
}
