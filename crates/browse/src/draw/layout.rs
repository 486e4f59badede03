//! What is where, on screens of every size.

use ratatui_core::layout::Rect;

use super::bytes;
use crate::browser::Pane;

/// Lower screens show one pane at a time.
const LOW: u16 = 14;
/// Narrower screens show the tree or the bytes.
const NARROW: u16 = 64;

/// The places of things; what has no room has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) filter: Option<u16>,
    /// With its heading.
    pub(crate) list: Option<Rect>,
    pub(crate) bar: Option<u16>,
    pub(crate) tree: Option<Rect>,
    pub(crate) bytes: Option<Rect>,
}

impl Layout {
    pub(crate) fn new(screen: Rect, pane: Pane, zoom: bool) -> Layout {
        let Rect { width, height, .. } = screen;
        // A title, the filter, and the keys below.
        let room = height.saturating_sub(3);
        let mut layout =
            Layout { filter: (height > 3).then_some(1), list: None, bar: None, tree: None, bytes: None };
        let one = zoom || height < LOW;
        let lower = match (one, pane) {
            (true, Pane::List) => {
                layout.list = Some(Rect::new(0, 2, width, room));
                return layout;
            }
            (true, _) => {
                layout.bar = Some(2);
                Rect::new(0, 3, width, room.saturating_sub(1))
            }
            (false, _) => {
                let list = room.saturating_sub(1).div_ceil(2);
                layout.list = Some(Rect::new(0, 2, width, list));
                layout.bar = Some(2 + list);
                Rect::new(0, 3 + list, width, room - 1 - list)
            }
        };
        if width < NARROW || one {
            *(if pane == Pane::Bytes { &mut layout.bytes } else { &mut layout.tree }) = Some(lower);
        } else {
            let right = bytes::width(width);
            layout.tree = Some(Rect { width: width - right - 1, ..lower });
            layout.bytes = Some(Rect { x: width - right, width: right, ..lower });
        }
        layout
    }

    /// The pane at a place of the screen.
    pub(crate) fn at(&self, column: u16, line: u16) -> Option<(Pane, Rect)> {
        let panes = [(Pane::List, self.list), (Pane::Tree, self.tree), (Pane::Bytes, self.bytes)];
        let has =
            |area: &Rect| (area.x..area.right()).contains(&column) && (area.y..area.bottom()).contains(&line);
        panes.into_iter().find_map(|(pane, area)| Some((pane, area.filter(has)?)))
    }

    /// How many packets are on the screen.
    pub(crate) fn rows(&self) -> u16 {
        self.list.map_or(1, |list| list.height.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_drawn_outside_or_twice() {
        for width in 1..200 {
            for height in 1..60 {
                for pane in [Pane::List, Pane::Tree, Pane::Bytes] {
                    for zoom in [false, true] {
                        let layout = Layout::new(Rect::new(0, 0, width, height), pane, zoom);
                        let areas = [layout.list, layout.tree, layout.bytes];
                        for area in areas.into_iter().flatten() {
                            assert!(area.right() <= width, "{layout:?}");
                            assert!(area.height == 0 || area.bottom() < height, "{layout:?} of {height}");
                        }
                        if let (Some(tree), Some(bytes)) = (layout.tree, layout.bytes) {
                            assert!(tree.right() < bytes.x && tree.width >= 20, "{layout:?}");
                        }
                        let shown = match pane {
                            Pane::List => layout.list,
                            Pane::Tree => layout.tree,
                            Pane::Bytes => layout.bytes,
                        };
                        assert!(shown.is_some(), "the pane that keys go to is on the screen");
                    }
                }
            }
        }
    }
}
