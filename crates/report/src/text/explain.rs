//! `thru explain`: a page on a cause, and lists of causes.

use super::answer::layer_name;
use super::layout::{table, wrap};
use super::{Style, heading};
use thru_trace::fault::{self, Fault};

/// A page on one cause; `commands` show it in labs, and `remark` says what else there is to say of them.
pub fn page(cause: &Fault, commands: &[String], remark: Option<&str>, style: &Style) -> String {
    let mut out = heading(&format!("{}: {}", cause.id, cause.title), style);
    out.push_str(&wrap(&format!("Layer: {}.", layer_name(cause.layer())), "  ", style.width));
    let mut part = |title: &str, text: &str| {
        out.push('\n');
        out.push_str(&heading(title, style));
        out.push_str(&wrap(text, "  ", style.width));
    };
    part("What happens", cause.meaning);
    if let Some(page) = fault::page(cause.id) {
        part("How to see it", page.see);
        part("What looks the same", page.alike);
        part("How to mend it", page.fix);
    }
    out.push('\n');
    out.push_str(&heading("A lab that shows it", style));
    if commands.is_empty() {
        out.push_str("  none yet\n");
    }
    for command in commands {
        out.push_str(&format!("  $ {command}\n"));
    }
    if let Some(remark) = remark {
        out.push_str(&wrap(remark, "  ", style.width));
    }
    out
}

/// Several causes, a line each.
pub fn list(causes: &[&Fault], style: &Style) -> String {
    let rows: Vec<Vec<String>> = causes
        .iter()
        .map(|cause| vec![cause.id.to_owned(), cause.layer().word().to_owned(), cause.title.to_owned()])
        .collect();
    table(&["code", "layer", "cause"], &rows, style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_parts_and_fits() {
        let style = Style { width: 60, ..Style::default() };
        for cause in fault::all() {
            let text = page(
                cause,
                &["thru https://www.shop.lab --on lab:loss".into()],
                Some("Seen as IP19."),
                &style,
            );
            assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
            for title in ["What happens", "How to see it", "What looks the same", "How to mend it"] {
                assert!(text.contains(title), "{}: {title}", cause.id);
            }
        }
    }
}
