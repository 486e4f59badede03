//! The fault catalogue: what can go wrong with a request, each with a stable id and a sentence in plain words.
//!
//! The id's letters name the layer (`DNS05`, `TCP01`, `TLS07`); ids are never reused. The diagnosis may only
//! name causes that stand here. [`page()`] tells how each is seen and mended.

use crate::Layer;
pub use page::{Page, page};

mod app;
mod bgp;
mod dns;
mod firewall;
mod http;
mod ip;
mod link;
mod page;
mod proxy;
mod quic;
mod tcp;
mod tls;

/// One thing that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Stable id: `DNS05`.
    pub id: &'static str,
    /// A few words: `name does not exist`.
    pub title: &'static str,
    /// One sentence for a person new to networks.
    pub meaning: &'static str,
}

impl Fault {
    /// The layer it belongs to, told by the letters of its id.
    pub fn layer(&self) -> Layer {
        layer_of(self.id).unwrap_or(Layer::None)
    }
}

/// The layer an id belongs to, told by its letters; `None` for letters that are not in the catalogue.
pub fn layer_of(id: &str) -> Option<Layer> {
    // HTTP/1.1 and HTTP/2 ids are H101.. and H201..: the letter H alone.
    let letters = id.trim_end_matches(|c: char| c.is_ascii_digit());
    Some(match letters {
        "LNK" => Layer::Link,
        "HST" => Layer::Host,
        "IP" => Layer::Ip,
        "BGP" => Layer::Routing,
        "DNS" => Layer::Dns,
        "TCP" => Layer::Tcp,
        "FW" => Layer::Firewall,
        "TLS" => Layer::Tls,
        "H" => Layer::Http,
        "Q" => Layer::Quic,
        "PX" => Layer::Proxy,
        "APP" => Layer::App,
        _ => return None,
    })
}

/// The whole catalogue, layer by layer from the wire up, ids in order within a layer.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    SECTIONS.iter().flat_map(|section| section.iter())
}

/// The entry with this id, in any case of letters.
pub fn by_id(id: &str) -> Option<&'static Fault> {
    all().find(|fault| fault.id.eq_ignore_ascii_case(id))
}

const SECTIONS: [&[Fault]; 11] = [
    link::FAULTS,
    ip::FAULTS,
    bgp::FAULTS,
    dns::FAULTS,
    tcp::FAULTS,
    firewall::FAULTS,
    tls::FAULTS,
    http::FAULTS,
    quic::FAULTS,
    proxy::FAULTS,
    app::FAULTS,
];

/// Keeps a table's rows to what differs between them.
const fn fault(id: &'static str, title: &'static str, meaning: &'static str) -> Fault {
    Fault { id, title, meaning }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_catalogue_is_whole_and_ids_are_unique() {
        assert_eq!(all().count(), 283);
        let ids: BTreeSet<_> = all().map(|fault| fault.id).collect();
        assert_eq!(ids.len(), 283, "an id stands twice");
        let counts = SECTIONS.map(<[Fault]>::len);
        assert_eq!(counts, [20, 31, 17, 46, 29, 23, 37, 23, 28, 14, 15]);
    }

    #[test]
    fn titles_and_meanings_are_unique_and_well_formed() {
        let titles: BTreeSet<_> = all().map(|fault| fault.title).collect();
        assert_eq!(titles.len(), 283, "a title stands twice");
        let meanings: BTreeSet<_> = all().map(|fault| fault.meaning).collect();
        assert_eq!(meanings.len(), 283, "a meaning stands twice");
        for fault in all() {
            assert!(fault.meaning.ends_with('.'), "{}: the meaning is a sentence", fault.id);
            assert!(fault.meaning.len() <= 200, "{}: one sentence is enough", fault.id);
            assert!(fault.title.len() <= 48, "{}: a title is a few words", fault.id);
            assert!(!fault.title.ends_with('.'), "{}: a title is no sentence", fault.id);
            assert_ne!(fault.layer(), Layer::None, "{}: its letters name a layer", fault.id);
        }
    }

    #[test]
    fn numbers_within_a_layer_leave_no_hole() {
        let mut last = ("", 0);
        for fault in all() {
            let letters = fault.id.trim_end_matches(|c: char| c.is_ascii_digit());
            let number: u32 = fault.id[letters.len()..].parse().unwrap();
            let next = if letters == last.0 { last.1 + 1 } else { number };
            assert!(number == next || fault.id == "H201", "{} follows {:?}", fault.id, last);
            last = (letters, number);
        }
    }

    #[test]
    fn lookups() {
        assert_eq!(by_id("dns05").unwrap().title, "name does not exist");
        assert_eq!(by_id("H204").unwrap().layer(), Layer::Http);
        assert_eq!(by_id("Q01").unwrap().layer(), Layer::Quic);
        assert!(by_id("DNS99").is_none());
        assert_eq!(layer_of("XX01"), None);
    }
}
