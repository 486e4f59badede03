//! What `thru lab list` and `thru lab show` print.

use super::escape::for_style;
use super::layout::{table, wrap};
use super::{Style, heading};

/// A lab in one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// What `--on lab:NAME` takes.
    pub name: String,
    /// One sentence.
    pub title: String,
    /// The causes that a diagnosis is to find; empty: nothing is wrong.
    pub causes: Vec<String>,
}

/// All of a lab.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lab {
    /// Its name.
    pub name: String,
    /// What it is, in a few sentences.
    pub description: String,
    /// Hosts, routers and switches.
    pub nodes: Vec<Node>,
    /// Links between them.
    pub links: Vec<Link>,
    /// What answers where.
    pub services: Vec<Service>,
    /// What can be tried, a command a line.
    pub try_this: Vec<String>,
}

/// A host, router or switch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// `host`, `router`, `nat`, `switch`...
    pub kind: String,
    /// Its addresses.
    pub addresses: Vec<String>,
}

/// A link, by the name that `--set NAME.KEY=VALUE` takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// `home--isp`.
    pub name: String,
    /// Keys and values as they stand in the file: `delay` `10ms`, `rate` `50Mbit/s`.
    pub properties: Vec<(String, String)>,
}

/// Something that answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Where it runs.
    pub node: String,
    /// `dns`, `web`...
    pub kind: String,
    /// What it serves, in words.
    pub detail: String,
}

/// One line a lab.
pub fn list(labs: &[Summary], style: &Style) -> String {
    let rows: Vec<Vec<String>> = labs
        .iter()
        .map(|lab| {
            vec![
                for_style(&lab.name, style),
                for_style(&lab.causes.join(" "), style),
                for_style(&lab.title, style),
            ]
        })
        .collect();
    table(&["lab", "to find", "what it is"], &rows, style)
}

/// The whole lab in tables.
pub fn show(lab: &Lab, style: &Style) -> String {
    let clean = |text: &str| for_style(text, style);
    let mut out = heading(&clean(&lab.name), style);
    if !lab.description.is_empty() {
        out.push_str(&wrap(&clean(&lab.description), "", style.width));
    }
    let nodes: Vec<Vec<String>> = lab
        .nodes
        .iter()
        .map(|node| vec![clean(&node.name), clean(&node.kind), clean(&node.addresses.join(", "))])
        .collect();
    section(&mut out, "Nodes", &["name", "kind", "addresses"], &nodes, style);
    let links: Vec<Vec<String>> = lab
        .links
        .iter()
        .map(|link| {
            let properties: Vec<String> =
                link.properties.iter().map(|(key, value)| format!("{key}={value}")).collect();
            vec![clean(&link.name), clean(&properties.join("  "))]
        })
        .collect();
    section(&mut out, "Links", &["name (for --set NAME.KEY=VALUE)", "properties"], &links, style);
    let services: Vec<Vec<String>> = lab
        .services
        .iter()
        .map(|service| vec![clean(&service.node), clean(&service.kind), clean(&service.detail)])
        .collect();
    section(&mut out, "Services", &["on", "kind", "what it serves"], &services, style);
    if !lab.try_this.is_empty() {
        out.push('\n');
        out.push_str(&heading("Try", style));
        for command in &lab.try_this {
            out.push_str(&format!("  {}\n", clean(command)));
        }
    }
    out
}

fn section(out: &mut String, title: &str, headings: &[&str], rows: &[Vec<String>], style: &Style) {
    if !rows.is_empty() {
        out.push('\n');
        out.push_str(&heading(title, style));
        out.push_str(&table(headings, rows, style));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_fits_every_width() {
        let lab = Lab {
            name: "internet".into(),
            description:
                "A home behind a NAT router, an access network, two transit networks and a hosting network."
                    .into(),
            nodes: vec![Node {
                name: "web".into(),
                kind: "host".into(),
                addresses: vec!["203.0.113.10/24".into(), "2001:db8:10::10/64".into()],
            }],
            links: vec![Link {
                name: "home--isp".into(),
                properties: vec![("delay".into(), "8ms".into()), ("rate".into(), "100Mbit/s".into())],
            }],
            services: vec![Service {
                node: "web".into(),
                kind: "web".into(),
                detail: "https://www.shop.lab/".into(),
            }],
            try_this: vec!["thru https://www.shop.lab".into()],
        };
        for width in [40, 60, 80] {
            let style = Style { width, ..Style::default() };
            let text = show(&lab, &style);
            assert!(text.lines().all(|line| super::super::layout::width(line) <= width), "{text}");
        }
        let summary = Summary {
            name: "loss".into(),
            title: "a line loses packets".into(),
            causes: vec!["IP19".into()],
        };
        let line = list(&[summary], &Style::default());
        assert_eq!(line, "lab   to find  what it is\nloss  IP19     a line loses packets\n");
    }
}
