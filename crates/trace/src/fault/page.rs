//! A page on each cause: how to see it, what looks the same, whose job it is.
//!
//! The pages are data: `pages/*.txt`, a file for each section of the catalogue, an entry for each cause:
//!
//! ```text
//! DNS05
//! see: what a capture, a counter or another program shows
//! alike: what looks the same, and what tells them apart
//! fix: whose job it is, and what to do
//! ```

/// What a person needs to know of a cause beyond its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// What a capture, a counter or another program shows.
    pub see: &'static str,
    /// What looks the same, and what tells them apart; the ids of other causes stand in it.
    pub alike: &'static str,
    /// Whose job it is, and what to do.
    pub fix: &'static str,
}

const PAGES: [&str; 10] = [
    include_str!("pages/link.txt"),
    include_str!("pages/ip.txt"),
    include_str!("pages/bgp.txt"),
    include_str!("pages/dns.txt"),
    include_str!("pages/tcp.txt"),
    include_str!("pages/firewall.txt"),
    include_str!("pages/tls.txt"),
    include_str!("pages/http.txt"),
    include_str!("pages/quic.txt"),
    concat!(include_str!("pages/proxy.txt"), "\n", include_str!("pages/app.txt")),
];

/// The page of a cause, by its id in capital letters; `None` for ids that are not in the catalogue.
pub fn page(id: &str) -> Option<Page> {
    PAGES.iter().flat_map(|text| text.split("\n\n")).find_map(|entry| {
        let mut lines = entry.lines();
        let is_it = lines.next() == Some(id);
        let mut line = |key| lines.next()?.strip_prefix(key)?.strip_prefix(": ");
        is_it.then(|| Some(Page { see: line("see")?, alike: line("alike")?, fix: line("fix")? })).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault;

    #[test]
    fn every_cause_has_a_page_and_every_page_a_cause() {
        for fault in fault::all() {
            let page =
                page(fault.id).unwrap_or_else(|| panic!("{} has no page, or lines are missing", fault.id));
            for line in [page.see, page.alike, page.fix] {
                assert!(line.ends_with('.') && line.len() <= 240, "{}: {line}", fault.id);
            }
        }
        let entries = PAGES.iter().flat_map(|text| text.trim_end().split("\n\n"));
        let entries: Vec<&str> = entries.map(|entry| entry.trim_start().lines().next().unwrap()).collect();
        assert_eq!(entries.len(), fault::all().count());
        assert!(entries.iter().all(|id| fault::by_id(id).is_some()));
    }

    #[test]
    fn pages_point_at_causes_that_exist() {
        for fault in fault::all() {
            let page = page(fault.id).unwrap();
            for line in [page.see, page.alike, page.fix] {
                for word in line.split(|c: char| !c.is_ascii_alphanumeric()) {
                    // A technique with a number in its name is no code.
                    let looks_like_one = !matches!(word, "DNS64" | "TCP4")
                        && word.len() >= 3
                        && word.ends_with(|c: char| c.is_ascii_digit())
                        && !word.starts_with(|c: char| c.is_ascii_digit())
                        && fault::layer_of(word).is_some();
                    assert!(!looks_like_one || fault::by_id(word).is_some(), "{}: {word}", fault.id);
                }
            }
            assert!(!page.alike.contains(&format!("({})", fault.id)), "{} is like itself", fault.id);
        }
    }
}
