//! The same request over several HTTP versions, side by side.
//!
//! [`render`] prints a table of round trips and times, a bar for each, and, when a page of many objects was fetched,
//! when those objects arrived: on a lossy link one lost packet stops all objects of a TCP connection for a while
//! (head-of-line blocking), while over QUIC only the object it belonged to waits.

use crate::text::layout::{cut, fit, right, table, time, width, wrap};
use crate::text::{Style, escape};

/// One way of asking, measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// `HTTP/1.1`, `HTTP/2`, `HTTP/3`, `HTTP/3 0-RTT`.
    pub version: String,
    /// Round trips until the first byte of the answer, names excluded.
    pub round_trips: f64,
    /// Nanoseconds to set up the connection (TCP and TLS, or QUIC).
    pub setup: u64,
    /// Nanoseconds from the start to the first byte of the answer.
    pub first_byte: u64,
    /// Nanoseconds from the start to the last byte of everything asked for.
    pub total: u64,
    /// Connections opened.
    pub connections: u32,
    /// Packets sent and received.
    pub packets: u64,
    /// Why it did not work, if it did not.
    pub failed: Option<String>,
    /// The objects of the page, when one was asked for.
    pub objects: Vec<ObjectTiming>,
}

/// One object of a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectTiming {
    /// Its path.
    pub name: String,
    /// Nanoseconds since the start of the row: when it was asked for.
    pub start: u64,
    /// When the first byte came.
    pub first_byte: u64,
    /// When the last byte came.
    pub end: u64,
}

/// The table, and under it a chart of when each object arrived.
pub fn render(rows: &[Row], style: &Style) -> String {
    if rows.is_empty() {
        return String::from("Nothing was compared.\n");
    }
    let mut out = numbers(rows, style);
    out.push('\n');
    out.push_str(&bars(rows, style));
    if rows.iter().any(|row| !row.objects.is_empty()) {
        out.push('\n');
        out.push_str(&arrivals(rows, style));
    }
    for row in rows {
        if let Some(why) = &row.failed {
            let line = format!("{}: did not work, {}", escape(&row.version), escape(why));
            out.push('\n');
            out.push_str(&wrap(&line, "", style.width));
        }
    }
    out
}

fn numbers(rows: &[Row], style: &Style) -> String {
    let wide = style.width >= 72;
    let mut headings = vec!["", ">round trips", ">connected", ">first byte", ">all"];
    if wide {
        headings.extend([">connections", ">packets"]);
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let mut cells = vec![escape(&row.version)];
            if row.failed.is_some() {
                cells.extend(std::iter::repeat_n(String::from("-"), headings.len() - 1));
                return cells;
            }
            cells.extend([
                trips(row.round_trips),
                time(row.setup, style),
                time(row.first_byte, style),
                time(row.total, style),
            ]);
            if wide {
                cells.extend([row.connections.to_string(), row.packets.to_string()]);
            }
            cells
        })
        .collect();
    let mut out = table(&headings, &cells, style);
    out.push_str(&wrap(
        "Round trips are counted until the first byte of the answer, without the lookup of the name.",
        "",
        style.width,
    ));
    out
}

/// Whole where they are nearly whole.
fn trips(count: f64) -> String {
    if (count - count.round()).abs() < 0.05 { format!("{:.0}", count.round()) } else { format!("{count:.1}") }
}

/// One bar a row: connecting, waiting, receiving.
fn bars(rows: &[Row], style: &Style) -> String {
    let longest =
        rows.iter().filter(|row| row.failed.is_none()).map(|row| row.total).max().unwrap_or(0).max(1);
    let label = rows.iter().map(|row| width(&row.version)).max().unwrap_or(0);
    let columns = style.width.saturating_sub(label + 2 + 9).max(10);
    let [connecting, waiting, receiving] = if style.ascii { ["-", ".", "="] } else { ["▒", "░", "█"] };
    let cell = |nanos: u64| (u128::from(nanos.min(longest)) * columns as u128 / u128::from(longest)) as usize;
    let mut out = String::new();
    for row in rows {
        let bar = if row.failed.is_some() {
            String::new()
        } else {
            let (setup, first, total) = (cell(row.setup), cell(row.first_byte), cell(row.total));
            format!(
                "{}{}{}",
                connecting.repeat(setup),
                waiting.repeat(first.saturating_sub(setup)),
                receiving.repeat(total.saturating_sub(first.max(setup)))
            )
        };
        let took = if row.failed.is_some() { String::from("failed") } else { time(row.total, style) };
        let line = format!(
            "{}  {} {}",
            fit(&escape(&row.version), label, style),
            fit(&bar, columns, style),
            right(&took, 8)
        );
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.push_str(&format!(
        "{}{connecting} connecting  {waiting} waiting  {receiving} receiving\n",
        " ".repeat(label + 2)
    ));
    out
}

/// For each row, how many objects were finished in each slice of time, on one scale.
fn arrivals(rows: &[Row], style: &Style) -> String {
    let longest = rows.iter().flat_map(|row| &row.objects).map(|object| object.end).max().unwrap_or(0).max(1);
    let label = rows.iter().map(|row| width(&row.version)).max().unwrap_or(0);
    let columns = style.width.saturating_sub(label + 2).clamp(10, 100);
    let slices: Vec<Vec<usize>> = rows
        .iter()
        .map(|row| {
            let mut slices = vec![0; columns];
            for object in &row.objects {
                let place = u128::from(object.end) * (columns as u128 - 1) / u128::from(longest);
                slices[place as usize] += 1;
            }
            slices
        })
        .collect();
    let most = slices.iter().flatten().copied().max().unwrap_or(1).max(1);
    let mut out = String::from("When the objects of the page arrived (higher: more at once)\n");
    for (row, slices) in rows.iter().zip(&slices) {
        if row.objects.is_empty() {
            continue;
        }
        let line: String = slices.iter().map(|&count| level(count, most, style)).collect();
        out.push_str(&format!("{}  {}\n", fit(&escape(&row.version), label, style), line.trim_end()));
    }
    let scale = format!("0 {} {}", "-".repeat(columns.saturating_sub(12)), time(longest, style));
    out.push_str(&format!("{}{}\n\n", " ".repeat(label + 2), cut(&scale, columns, style)));
    let cells: Vec<Vec<String>> = rows
        .iter()
        .filter(|row| !row.objects.is_empty())
        .map(|row| {
            let pause = longest_pause(&row.objects);
            vec![
                escape(&row.version),
                row.objects.len().to_string(),
                time(half_done(&row.objects), style),
                time(row.objects.iter().map(|object| object.end).max().unwrap_or(0), style),
                time(pause, style),
            ]
        })
        .collect();
    out.push_str(&table(&["", ">objects", ">half done", ">all done", ">longest standstill"], &cells, style));
    out.push_str(&wrap(
        "A standstill is a time in which no object was finished. Over TCP one lost packet holds up all objects behind it; over QUIC only its own.",
        "",
        style.width,
    ));
    out
}

/// A column of the chart; in ASCII the count itself.
fn level(count: usize, most: usize, style: &Style) -> char {
    if count == 0 {
        return if style.ascii { '.' } else { '·' };
    }
    if style.ascii {
        return char::from_digit(count.min(9) as u32, 10).unwrap_or('9');
    }
    let eighths = (count * 8).div_ceil(most).clamp(1, 8);
    ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][eighths - 1]
}

/// When half of the objects were there.
fn half_done(objects: &[ObjectTiming]) -> u64 {
    let mut ends: Vec<u64> = objects.iter().map(|object| object.end).collect();
    ends.sort_unstable();
    ends.get(ends.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

/// The longest time between two finished objects, and before the first was asked for does not count.
fn longest_pause(objects: &[ObjectTiming]) -> u64 {
    let begin = objects.iter().map(|object| object.first_byte).min().unwrap_or(0);
    let mut ends: Vec<u64> = objects.iter().map(|object| object.end).collect();
    ends.sort_unstable();
    std::iter::once(begin)
        .chain(ends.iter().copied())
        .zip(&ends)
        .map(|(one, next)| next.saturating_sub(one))
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
