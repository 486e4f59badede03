//! Packets shown by the dissector: as a line, as a tree with its bytes, as JSON.

use thru_dissect::show::{JsonScratch, LineOptions, TimeStyle, hex_dump, json_line, line, outline};
use thru_dissect::{Arena, Dissector, Meta, Options, Tree};

/// A dissector for packets that stand each for itself.
pub(crate) struct Shown {
    arena: Arena,
    scratch: JsonScratch,
    out: Vec<u8>,
}

impl Shown {
    pub(crate) fn new() -> Shown {
        Shown { arena: Arena::new(), scratch: JsonScratch::default(), out: Vec::new() }
    }

    /// One line, with a newline.
    pub(crate) fn line(&mut self, number: u64, link: u16, bytes: &[u8]) -> String {
        let options = LineOptions {
            time: TimeStyle::None,
            number: false,
            link: link == super::ETHERNET,
            interface: false,
        };
        self.with(number, link, bytes, |out, tree, _| line(out, tree, &options))
    }

    /// Every field, then every byte.
    pub(crate) fn tree(&mut self, number: u64, link: u16, bytes: &[u8]) -> String {
        self.with(number, link, bytes, |out, tree, _| {
            outline(out, tree);
            hex_dump(out, tree);
        })
    }

    /// Every field as `thru read --json` has them.
    pub(crate) fn json(&mut self, number: u64, link: u16, bytes: &[u8]) -> serde_json::Value {
        let text = self.with(number, link, bytes, json_line);
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn with(
        &mut self,
        number: u64,
        link: u16,
        bytes: &[u8],
        write: impl FnOnce(&mut Vec<u8>, Tree<'_>, &mut JsonScratch),
    ) -> String {
        let meta = Meta {
            number,
            time: None,
            interface: 0,
            interface_name: None,
            link,
            original: bytes.len() as u32,
            comments: &[],
        };
        // Each is explained for itself: a set is no conversation.
        let mut dissector = Dissector::new(Options { verify_checksums: true, ..Options::default() });
        let tree = dissector.dissect(&meta, bytes, &mut self.arena);
        self.out.clear();
        write(&mut self.out, tree, &mut self.scratch);
        String::from_utf8_lossy(&self.out).into_owned()
    }
}
