//! Which protocols, within which, and how much of each.

use super::{bytes, length};
use crate::field::Kind;
use crate::show::put;
use crate::tree::Tree;
use std::collections::BTreeMap;

/// So many different stacks of protocols are told apart.
const KNOWN_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    packets: u64,
    bytes: u64,
}

/// The layers that a packet is made of, from the outside in. What only stands inside of another's message is a part of
/// that one: IPv6's extensions, certificates, the handshake in QUIC, the packet that an ICMP error is about.
fn layers(tree: Tree<'_>) -> impl Iterator<Item = &'static str> {
    let mut outer = "";
    let whole = tree.fields().iter().filter(|field| field.depth == 0 && field.def.kind == Kind::Protocol);
    let names = whole.map(|field| field.def.name).take_while(move |name| {
        let is_message = matches!(outer, "icmp" | "icmpv6");
        outer = name;
        !is_message
    });
    let mut outer = "";
    names.filter(move |name| {
        let is_part = *name == "frame"
            || ["ipv6.", "x509", "pkcs"].iter().any(|part| name.starts_with(part))
            || *name == "tls" && outer == "quic";
        if !is_part {
            outer = name;
        }
        !is_part
    })
}

/// The protocol hierarchy of a capture.
#[derive(Debug, Default)]
pub struct Hierarchy {
    /// By the names of the layers from the outside in.
    paths: BTreeMap<Vec<&'static str>, Count>,
}

impl Hierarchy {
    /// Counts a packet, once for each layer in its place.
    pub fn take(&mut self, tree: Tree<'_>) {
        let size = length(tree);
        let mut path: Vec<&'static str> = Vec::new();
        for name in layers(tree) {
            // Several messages in a row are one; a header within a header of the same kind is a tunnel.
            if path.last() == Some(&name) && !matches!(name, "eth" | "ip" | "ipv6" | "gre" | "vlan" | "mpls")
            {
                continue;
            }
            path.push(name);
            if self.paths.len() >= KNOWN_MAX && !self.paths.contains_key(&path) {
                return;
            }
            let count = self.paths.entry(path.clone()).or_default();
            count.packets += 1;
            count.bytes += size;
        }
    }

    /// An indented list.
    pub fn text(&self, out: &mut Vec<u8>) {
        let width = self.paths.keys().map(|path| path.len() * 2 + path.last().map_or(0, |name| name.len()));
        let width = width.max().unwrap_or(0) + 2;
        put!(out, "protocols\n");
        for (path, count) in &self.paths {
            let name = format!("{}{}", "  ".repeat(path.len() - 1), path.last().unwrap_or(&""));
            put!(out, "{name:width$} {:>10} packets {:>10}\n", count.packets, bytes(count.bytes));
        }
        out.push(b'\n');
    }

    /// One JSON object a protocol in its place.
    pub fn json(&self, out: &mut Vec<u8>) {
        for (path, count) in &self.paths {
            put!(out, "{{\"schema\":1,\"kind\":\"protocol\",\"path\":\"{}\",", path.join(":"));
            put!(out, "\"packets\":{},\"bytes\":{}}}\n", count.packets, count.bytes);
        }
    }
}
