//! `use`: one file's tree over another's.

use std::sync::Arc;

use super::{Load, vary};
use crate::item::{self, Item, Kind, Table};
use crate::source::{Error, Source, suggest};

/// Files that may `use` each other in a row.
const USE_DEPTH_MAX: usize = 8;

/// The file's tree, merged over the one it uses.
pub(super) fn tree(
    source: &Arc<Source>,
    load: Load<'_>,
    variation: Option<u64>,
    depth: usize,
) -> Result<Table, Error> {
    let own = vary::settle(item::read(source)?, variation)?;
    let Some(name) = own.get("use") else {
        return Ok(own);
    };
    let name = name.text("use")?;
    if depth == USE_DEPTH_MAX {
        return Err(name.error("files use each other in a circle", "remove one `use`"));
    }
    let found = crate::builtin::find(&name.text)
        .map(|(_, text)| (text.to_string(), format!("lab:{}", name.text)))
        .or_else(|| load(&name.text));
    let Some((text, found_name)) = found else {
        return Err(name.error(
            format!("there is no lab `{}`", name.text),
            suggest(&name.text, crate::builtin::names()),
        ));
    };
    let base = tree(&Arc::new(Source { name: found_name, text }), load, variation, depth + 1)?;
    Ok(merge(base, own))
}

/// `own` over `base`: lists of nodes, links, changes and settings are appended, tables merged, checks and the
/// rest replaced.
fn merge(base: Table, own: Table) -> Table {
    let mut merged = base;
    for (key, item) in own.entries {
        if key.text == "use" {
            continue;
        }
        let Some(at) = merged.entries.iter().position(|(known, _)| *known.text == key.text) else {
            merged.entries.push((key, item));
            continue;
        };
        let old =
            std::mem::replace(&mut merged.entries[at].1, Item { kind: Kind::Float, span: item.span.clone() });
        merged.entries[at].1 = match (key.text.as_str(), old.kind, item) {
            (
                "nodes" | "links" | "at" | "set",
                Kind::Array(mut list),
                Item { kind: Kind::Array(more), span },
            ) => {
                list.extend(more);
                Item { kind: Kind::Array(list), span }
            }
            (
                "node" | "service" | "profile" | "certificate",
                Kind::Table(old),
                Item { kind: Kind::Table(new), span },
            ) => Item { kind: Kind::Table(merge_deep(old, new)), span },
            (_, _, item) => item,
        };
        merged.entries[at].0 = key;
    }
    merged
}

fn merge_deep(base: Table, own: Table) -> Table {
    let mut merged = base;
    for (key, item) in own.entries {
        match merged.entries.iter().position(|(known, _)| known.text == key.text) {
            None => merged.entries.push((key, item)),
            Some(at) => {
                let old = std::mem::replace(
                    &mut merged.entries[at].1,
                    Item { kind: Kind::Float, span: item.span.clone() },
                );
                merged.entries[at].1 = match (old.kind, item) {
                    (Kind::Table(old), Item { kind: Kind::Table(new), span }) => {
                        Item { kind: Kind::Table(merge_deep(old, new)), span }
                    }
                    (_, item) => item,
                };
            }
        }
    }
    merged
}
