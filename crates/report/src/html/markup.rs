//! Writing HTML: the one place where text becomes markup.

use std::fmt::Write;

/// The body of a page, section by section.
#[derive(Default)]
pub(super) struct Page {
    body: String,
}

impl Page {
    /// A section with its heading; `inner` is markup already.
    pub(super) fn section(&mut self, id: &str, title: &str, inner: &str) {
        let _ = writeln!(self.body, "<section id=\"{id}\">\n<h2>{}</h2>\n{inner}</section>", escape(title));
    }

    /// Markup outside of any section.
    pub(super) fn raw(&mut self, markup: &str) {
        self.body.push_str(markup);
    }

    pub(super) fn body(&self) -> &str {
        &self.body
    }
}

/// Text as it may stand in markup, in attributes too. Control characters are shown, not written.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in crate::text::escape(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Rows under headings, each cell text.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = String::from("<div class=\"scroll\"><table>\n<tr>");
    for heading in headings {
        let _ = write!(out, "<th>{}</th>", escape(heading));
    }
    out.push_str("</tr>\n");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            let _ = write!(out, "<td>{}</td>", escape(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n");
    out
}

/// Links to frames in the ladder; numbers that are not drawn there are plain text.
pub(super) fn frames(numbers: &[u64], drawn: impl Fn(u64) -> bool) -> String {
    let links: Vec<String> =
        numbers
            .iter()
            .map(|&number| {
                if drawn(number) {
                    format!("<a href=\"#f{number}\">{number}</a>")
                } else {
                    number.to_string()
                }
            })
            .collect();
    match links.len() {
        0 => String::new(),
        1 => format!("<span class=\"frames\">frame {}</span>", links[0]),
        _ => format!("<span class=\"frames\">frames {}</span>", links.join(", ")),
    }
}

/// A moment in UTC: `2026-03-02 09:00:00 UTC`.
pub(super) fn date(unix_nanos: u64) -> String {
    let ([year, month, day], [hour, minute, second]) = civil(unix_nanos);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The same for programs (RFC 3339): `2026-03-02T09:00:00.000Z`.
pub(crate) fn date_iso(unix_nanos: u64) -> String {
    let ([year, month, day], [hour, minute, second]) = civil(unix_nanos);
    let millis = unix_nanos / 1_000_000 % 1_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month, day; hour, minute, second.
fn civil(unix_nanos: u64) -> ([u64; 3], [u64; 3]) {
    let seconds = unix_nanos / 1_000_000_000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01 in the proleptic Gregorian calendar, in eras of 400 years.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    ([year + era * 400 + carry, month, day], [rest / 3_600, rest / 60 % 60, rest % 60])
}

/// A number in a drawing: at most one digit after the point, so that the same trace gives the same bytes everywhere.
pub(super) fn place(value: f64) -> String {
    let tenths = (value * 10.0).round() as i64;
    match (tenths / 10, tenths % 10) {
        (whole, 0) => whole.to_string(),
        (whole, tenth) => {
            let sign = if tenths < 0 && whole == 0 { "-" } else { "" };
            format!("{sign}{whole}.{}", tenth.abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        assert_eq!(
            escape("<script>alert(\"1\")</script>&'"),
            "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;"
        );
        assert!(!escape("\u{1b}[2J\0").contains(['\u{1b}', '\0']));
        assert!(table(&["<b>"], &[vec!["<i>".into()]]).contains("<td>&lt;i&gt;</td>"));
    }

    #[test]
    fn dates_and_places() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_782_400_000_000_000), "2000-02-29 00:00:00 UTC");
        assert_eq!(date(1_772_442_061_000_000_000), "2026-03-02 09:01:01 UTC");
        assert_eq!([place(1.0), place(1.26), place(-0.26), place(-3.04)], ["1", "1.3", "-0.3", "-3"]);
    }
}
