//! Services, with their zones tried out.

use super::{legal_name, node_addresses, sections, unknown_node};
use crate::item::Reader;
use crate::scenario::service;
use crate::scenario::{Node, NodeKind, Service, ServiceKind};
use crate::source::{Error, suggest};

pub(super) fn services(root: &Reader<'_>, nodes: &[Node]) -> Result<Vec<Service>, Error> {
    let mut services = Vec::new();
    for (name, table) in sections(root, "service")? {
        legal_name(name, "a service")?;
        let reader = Reader::new(table, format!("service `{}`", name.text));
        let (Some(kind), Some(on)) = (reader.text("kind")?, reader.text("on")?) else {
            return Err(name.error(
                format!("service `{}` needs `kind` and `on`", name.text),
                "write kind = \"web\" (or dns, resolver) and on = \"NODE\"",
            ));
        };
        let Some(on_index) =
            nodes.iter().position(|node| node.name == on.text && node.kind != NodeKind::Switch)
        else {
            return Err(unknown_node(&on, nodes));
        };
        let Some(mut service) = ServiceKind::new(&kind.text) else {
            return Err(kind.error(
                format!("unknown kind of service `{}`", kind.text),
                suggest(&kind.text, service::KINDS),
            ));
        };
        service.apply(&reader, &|node| node_addresses(nodes, node))?;
        match &service {
            ServiceKind::Web(web) if web.names.is_empty() => {
                return Err(name.error(
                    format!("web site `{}` has no names", name.text),
                    "write names = [\"www.example.lab\"]",
                ));
            }
            ServiceKind::Resolver(resolver) if resolver.roots.is_empty() => {
                return Err(name.error(
                    format!("resolver `{}` has no roots", name.text),
                    "write roots = [\"NODE\"], the nodes that serve the root zone",
                ));
            }
            _ => {}
        }
        reader.finish()?;
        services.push(Service { name: name.text.clone(), on: on_index, kind: service });
    }
    Ok(services)
}
