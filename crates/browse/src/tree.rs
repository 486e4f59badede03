//! Which lines of a packet's tree are open, and which is chosen. Both stay from packet to packet.

use std::collections::BTreeMap;

use crate::detail::Detail;

/// The state of the tree.
#[derive(Debug, Default)]
pub(crate) struct TreeState {
    /// What a person opened or shut, by the field's name.
    touched: BTreeMap<&'static str, bool>,
    /// The chosen line, among those that are shown.
    pub(crate) at: usize,
    pub(crate) top: usize,
    /// The chosen field's name, to find it again in the next packet.
    name: Option<&'static str>,
}

impl TreeState {
    /// The places of the lines that are shown.
    pub(crate) fn shown(&self, detail: &Detail) -> Vec<usize> {
        let mut shown = Vec::new();
        let mut shut_at: Option<u8> = None;
        for (place, line) in detail.lines.iter().enumerate() {
            if shut_at.is_some_and(|depth| line.depth > depth) {
                continue;
            }
            shut_at = (!self.is_open(detail, place)).then_some(line.depth);
            shown.push(place);
        }
        shown
    }

    /// Whether what is below a line is shown: what a person wants, else of the layers only the innermost.
    pub(crate) fn is_open(&self, detail: &Detail, place: usize) -> bool {
        let line = &detail.lines[place];
        if let Some(open) = self.touched.get(line.name) {
            return *open;
        }
        if line.depth > 0 {
            return matches!(line.name, "tcp.analysis" | "tcp.analysis.flags");
        }
        let last = detail.lines.iter().rposition(|line| line.depth == 0 && line.name != "data");
        last == Some(place)
    }

    /// The chosen line's place.
    pub(crate) fn chosen(&self, detail: &Detail) -> Option<usize> {
        let shown = self.shown(detail);
        shown.get(self.at.min(shown.len().checked_sub(1)?)).copied()
    }

    /// Another packet is shown: the same field is chosen if it has it.
    pub(crate) fn meet(&mut self, detail: &Detail) {
        let shown = self.shown(detail);
        let same = shown.iter().position(|place| Some(detail.lines[*place].name) == self.name);
        self.at = same.unwrap_or(self.at).min(shown.len().saturating_sub(1));
    }

    /// Chooses another line.
    pub(crate) fn go(&mut self, detail: &Detail, to: usize) {
        let shown = self.shown(detail);
        self.at = to.min(shown.len().saturating_sub(1));
        self.name = shown.get(self.at).map(|place| detail.lines[*place].name);
    }

    /// Opens or shuts the chosen line; a line without lines below it shuts the one above it.
    pub(crate) fn fold(&mut self, detail: &Detail, open: Option<bool>) {
        let Some(place) = self.chosen(detail) else { return };
        let is_open = detail.has_children(place) && self.is_open(detail, place);
        let open = open.unwrap_or(!is_open);
        if detail.has_children(place) && (open || is_open) {
            self.touched.insert(detail.lines[place].name, open);
        } else if !open {
            let depth = detail.lines[place].depth;
            let parent = detail.lines[..place].iter().rposition(|line| line.depth < depth);
            let shown = self.shown(detail);
            if let Some(at) = parent.and_then(|parent| shown.iter().position(|place| *place == parent)) {
                self.go(detail, at);
            }
        }
    }

    /// Keeps the chosen line within `height` rows.
    pub(crate) fn scroll(&mut self, height: usize) {
        self.top = self.top.min(self.at).max((self.at + 1).saturating_sub(height.max(1)));
    }
}
