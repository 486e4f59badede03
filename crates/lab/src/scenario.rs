//! What a scenario file says, checked and with every default filled in.
//!
//! - [`Scenario`]: start here; [`Scenario::parse`] and [`Scenario::builtin`] make one.
//! - `read`: from the merged file tree to this model. `address`: who is called what. `route`: who sends where.
//! - [`service`]: what runs on the nodes. [`timeline`]: what changes when. [`check`]: what must be true.
//! - `show`: the model as a file with every default written out.

mod address;
pub mod check;
mod read;
mod route;
pub mod service;
mod show;
pub mod timeline;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use check::{Check, CheckKind};
pub use service::{Service, ServiceKind};
pub use timeline::{Change, Event};

use thru_wire::MacAddr;

use crate::link::{LinkSpec, Text};
use crate::prefix::Prefix;
use crate::source::{Error, Source, suggest};

/// A network and what happens in it, ready to be started.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Short name, as in `--on lab:NAME`.
    pub name: String,
    /// One line for `thru lab list`.
    pub about: String,
    /// Seed where the command line gives none.
    pub seed: u64,
    /// Date at the start, in nanoseconds since the Unix epoch.
    pub date: u64,
    /// Virtual time after which a run is given up.
    pub limit: Duration,
    /// Index of the node that the user sits at.
    pub client: usize,
    /// URL that `thru lab run` and `verify` ask for.
    pub target: Option<String>,
    /// A site that is known to work, to prove that the client's own way out works.
    pub control: Option<String>,
    /// Who passes the client's requests on, as in `http://proxy.lab:3128`.
    pub proxy: Option<String>,
    /// After a good answer the client leaves the connection alone for so long, and asks over it again.
    pub again_after: Option<Duration>,
    /// What the client shows a server that wants to know who it is.
    pub identity: Option<Visitor>,
    /// The client's first message of a handshake takes more than one packet; `hello = "large"`.
    pub large_hello: bool,
    /// Resolvers that anybody may ask.
    pub other_resolvers: Vec<IpAddr>,
    /// All nodes, in order of declaration.
    pub nodes: Vec<Node>,
    /// Subnets: a link of its own, or the links around switches.
    pub segments: Vec<Segment>,
    /// All links, in order of declaration.
    pub links: Vec<Link>,
    /// All services, in order of declaration.
    pub services: Vec<Service>,
    /// What changes when, in order of time.
    pub timeline: Vec<Event>,
    /// What must be true.
    pub checks: Vec<Check>,
}

/// Who has signed the client's own certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// The lab's authority, which servers that ask know.
    Lab,
    /// An authority that nobody knows.
    Unknown,
    /// The lab's authority; it ran out a month ago.
    Expired,
}

impl Visitor {
    pub(crate) const NAMES: [(&'static str, Visitor); 3] =
        [("lab", Visitor::Lab), ("unknown", Visitor::Unknown), ("expired", Visitor::Expired)];
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// Has addresses and services, forwards nothing.
    Host,
    /// Forwards.
    Router,
    /// Joins links into one segment.
    Switch,
    /// A router that hides the IPv4 addresses behind its inner interfaces; IPv6 passes unchanged.
    Nat,
    /// A router with rules.
    Firewall,
}

impl NodeKind {
    pub(crate) const NAMES: [(&'static str, NodeKind); 5] = [
        ("host", NodeKind::Host),
        ("router", NodeKind::Router),
        ("switch", NodeKind::Switch),
        ("nat", NodeKind::Nat),
        ("firewall", NodeKind::Firewall),
    ];

    /// The word in the file.
    pub fn word(self) -> &'static str {
        NodeKind::NAMES.iter().find(|(_, kind)| *kind == self).map_or("host", |(name, _)| name)
    }

    /// Whether it passes packets of others on by their IP address.
    pub fn forwards(self) -> bool {
        matches!(self, NodeKind::Router | NodeKind::Nat | NodeKind::Firewall)
    }
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name, unique.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Name in the trace and in the capture: `ae1.core1.transit-a.lab`.
    pub label: Option<String>,
    /// One interface per link end, in order of the links; none on a switch.
    pub interfaces: Vec<Interface>,
    /// Static routes: connected prefixes are not listed.
    pub routes: Vec<RouteLine>,
    /// What its `resolv.conf` would say.
    pub resolvers: Vec<IpAddr>,
    /// On a NAT: index into `interfaces` of the outer side.
    pub outside: Option<usize>,
    /// On a NAT: how long it remembers a connection on which nothing moves; `None`: as long as RFC 5382 asks for.
    pub forgets: Option<Duration>,
    /// Whether it answers pings.
    pub answers_ping: bool,
    /// Whether it sends ICMP errors.
    pub sends_icmp_errors: bool,
    /// How far its clock is ahead of the lab's date, in nanoseconds; below 0: behind.
    pub clock: i64,
    /// What its packet filter does, first match first.
    pub rules: Vec<Rule>,
    /// What its hosts file says.
    pub hosts: Vec<(String, IpAddr)>,
    /// Its network gives it addresses, routes and resolvers, by DHCP and router advertisements; those written are kept free
    /// for it and not used.
    pub autoconfigure: bool,
    /// What takes its ports: no further connection can begin there.
    pub ports_taken: bool,
    /// Addresses of others that it takes for its own, too.
    pub claims: Vec<IpAddr>,
    /// The only receive window it ever offers, in bytes.
    pub receive_buffer: Option<usize>,
    /// Whether its connections ask for ECN (RFC 3168).
    pub ecn: bool,
    /// A NAT that translates between IPv6 and IPv4 instead: the prefix that IPv4 addresses stand behind.
    pub nat64: Option<Prefix>,
    /// Addresses that other nodes may have, too: routers lead to the nearest.
    pub anycast: Vec<IpAddr>,
    /// Addresses that were given explicitly, with the prefix list of a switch (`net`): kept for `show`.
    pub(crate) explicit: Vec<IpAddr>,
}

/// A node's end of a link.
#[derive(Clone, Debug)]
pub struct Interface {
    /// `eth0`, `eth1`...
    pub name: String,
    /// Index of the link.
    pub link: usize,
    /// Index of the segment.
    pub segment: usize,
    /// Own addresses with the length of the segment's prefix.
    pub addresses: Vec<(IpAddr, u8)>,
}

/// A subnet.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its prefixes: at most one of each family.
    pub prefixes: Vec<Prefix>,
    /// Nodes with the index of their interface, in order of declaration.
    pub members: Vec<(usize, usize)>,
}

/// A link.
#[derive(Clone, Debug)]
pub struct Link {
    /// `a--b`; a second link between the same nodes is `a--b#2`.
    pub name: String,
    /// Left and right node.
    pub ends: (usize, usize),
    /// Profile it started from.
    pub profile: Option<String>,
    /// Its settings.
    pub spec: LinkSpec,
}

/// Where packets for a prefix go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteLine {
    /// Destinations.
    pub prefix: Prefix,
    /// What happens to them.
    pub action: RouteAction,
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteAction {
    /// Via a router: its address, and the index of the interface.
    Via(IpAddr, usize),
    /// Discard and say that there is no route.
    Unreachable,
    /// Discard and say that it is forbidden.
    Prohibit,
    /// Discard without a word.
    Blackhole,
}

/// A packet filter rule: `drop tcp 443`, `reject udp 53 to 203.0.113.0/24`, `reset tcp to web containing:shop`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// As it was written.
    pub text: String,
    /// What happens to a packet that matches.
    pub verdict: RuleVerdict,
    /// IP protocol number (`icmp` stands for both versions, as 1); `None`: any.
    pub protocol: Option<u8>,
    /// Destination port; `None`: any.
    pub port: Option<u16>,
    /// Source prefixes; none: any.
    pub from: Vec<Prefix>,
    /// Destination prefixes; none: any.
    pub to: Vec<Prefix>,
    /// Bytes that TCP or UDP carry; `containing:TEXT`, `containing-hex:DIGITS`.
    pub containing: Option<Vec<u8>>,
    /// Bits of the TCP header's flags: those that matter, and which of these are set; `flags:syn`, `flags:ack`.
    pub flags: Option<(u8, u8)>,
    /// Only larger IP packets, in bytes; `over:1280`.
    pub over: Option<usize>,
    /// Of so many new flows, the first so many; `flows:1/2`.
    pub flows: Option<(u32, u32)>,
    /// Only after so many packets of the flow; `after:12`.
    pub after: Option<u32>,
    /// Only the first so many that the rest of the rule fits, of each flow; `first:1`.
    pub first: Option<u32>,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleVerdict {
    /// Pass, and look at no further rule.
    Accept,
    /// Discard without a word.
    Drop,
    /// Discard and answer "administratively prohibited".
    Reject,
    /// Discard and answer with a TCP reset.
    Reset,
    /// Take options out of the TCP header: bit `n` stands for the option of kind `n` (RFC 9293 3.2).
    Strip(u32),
}

/// The lab of a name such as `random-7`.
fn made_up(name: &str) -> Option<Scenario> {
    name.strip_prefix("random-")?.parse().ok().map(crate::random::scenario)
}

impl Scenario {
    /// Reads a scenario. `file_name` is what errors call it; `use` may name a built-in lab only.
    pub fn parse(text: &str, file_name: &str) -> Result<Scenario, Error> {
        Scenario::parse_with(text, file_name, &|_| None)
    }

    /// Reads a scenario whose `use` may also name what `load` finds: the text and the name for errors.
    pub fn parse_with(
        text: &str,
        file_name: &str,
        load: &dyn Fn(&str) -> Option<(String, String)>,
    ) -> Result<Scenario, Error> {
        let source = Arc::new(Source { name: file_name.to_string(), text: text.to_string() });
        read::scenario(&source, load, None)
    }

    /// Reads the file at `path`; `use = "other.toml"` is looked for beside it.
    pub fn load(path: &std::path::Path) -> Result<Scenario, Error> {
        let read = |path: &std::path::Path| {
            const SIZE_MAX: u64 = 1 << 20;
            let size = std::fs::metadata(path)?.len();
            if size > SIZE_MAX {
                return Err(std::io::Error::other("a scenario of more than 1 MiB"));
            }
            std::fs::read_to_string(path)
        };
        let text = read(path).map_err(|error| {
            Error::bare(
                format!("cannot read the scenario `{}`: {error}", path.display()),
                "give the path of a TOML file, or one of `thru lab list`",
            )
        })?;
        let folder = path.parent().map(std::path::Path::to_path_buf).unwrap_or_default();
        Scenario::parse_with(&text, &path.display().to_string(), &|name| {
            let path = folder.join(name);
            read(&path).ok().map(|text| (text, path.display().to_string()))
        })
    }

    /// The built-in lab of that name.
    pub fn builtin(name: &str) -> Option<Scenario> {
        if let Some((name, seed)) = name.rsplit_once('~')
            && let Ok(seed) = seed.parse()
        {
            return Scenario::varied(name, seed);
        }
        if let Some(made) = made_up(name) {
            return Some(made);
        }
        let (_, text) = crate::builtin::find(name)?;
        Some(
            Scenario::parse(text, &format!("lab:{name}"))
                .unwrap_or_else(|error| panic!("built-in lab `{name}`: {error}")),
        )
    }

    /// The built-in lab of that name, varied by a seed: what its `[vary]` leaves open is chosen, and distances and
    /// rates differ. A name such as `loss~7` says both.
    pub fn varied(name: &str, seed: u64) -> Option<Scenario> {
        if let Some(made) = made_up(name) {
            return Some(made);
        }
        let (_, text) = crate::builtin::find(name)?;
        let source = Arc::new(Source { name: format!("lab:{name}~{seed}"), text: text.to_string() });
        let scenario = read::scenario(&source, &|_| None, Some(seed));
        Some(scenario.unwrap_or_else(|error| panic!("built-in lab `{name}`, varied by {seed}: {error}")))
    }

    /// Index of the node of that name.
    pub fn node(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// Index of the link of that name: `home--isp`, also with blanks around the dashes.
    pub fn link(&self, name: &str) -> Option<usize> {
        let name: String = name.chars().filter(|c| !c.is_whitespace()).collect();
        self.links.iter().position(|link| link.name == name)
    }

    /// Index of the service of that name.
    pub fn service(&self, name: &str) -> Option<usize> {
        self.services.iter().position(|service| service.name == name)
    }

    /// First address of that family of the node.
    pub fn address(&self, node: usize, v6: bool) -> Option<IpAddr> {
        self.nodes[node]
            .interfaces
            .iter()
            .flat_map(|interface| &interface.addresses)
            .map(|(address, _)| *address)
            .find(|address| address.is_ipv6() == v6)
    }

    /// Moves the scenario to another date, in nanoseconds since the Unix epoch, with every date that is written in it:
    /// a certificate that has been expired for a month still is.
    pub fn move_to(&mut self, date: u64) {
        let before = std::mem::replace(&mut self.date, date);
        let moved = |then: u64| match then.checked_sub(before) {
            Some(after) => date.saturating_add(after),
            None => date.saturating_sub(before - then),
        };
        let later = self.timeline.iter_mut().flat_map(|event| match &mut event.change {
            Change::Service { from, to, after, .. } => vec![&mut **from, &mut **to, &mut **after],
            _ => Vec::new(),
        });
        for kind in self.services.iter_mut().map(|service| &mut service.kind).chain(later) {
            let ServiceKind::Web(web) = kind else { continue };
            web.not_before = web.not_before.map(moved);
            web.not_after = web.not_after.map(moved);
        }
        for event in &mut self.timeline {
            if let Change::Date { unix_nanos } = &mut event.change {
                *unix_nanos = moved(*unix_nanos);
            }
        }
    }

    /// The hardware address of a node's interface.
    pub fn mac(&self, node: usize, interface: usize) -> MacAddr {
        crate::internet::build::mac(node, interface)
    }

    /// Largest IP packet on the link of a node's interface, in bytes.
    pub fn mtu(&self, node: usize, interface: usize) -> usize {
        let link = self.nodes[node].interfaces[interface].link;
        self.links[link].spec.mtu.unwrap_or(crate::internet::build::DEFAULT_MTU)
    }

    /// Addresses of the root name servers, as the scenario's resolvers know them.
    pub fn root_hints(&self) -> Vec<IpAddr> {
        let resolvers = self.services.iter().filter_map(|service| match &service.kind {
            ServiceKind::Resolver(resolver) => Some(&resolver.roots),
            _ => None,
        });
        let mut roots: Vec<IpAddr> = resolvers.flatten().copied().collect();
        roots.sort_unstable();
        roots.dedup();
        roots
    }

    /// Every address of the scenario with the name of its node, for the capture's name block: the node's
    /// label if it has one, else its name.
    pub fn names(&self) -> Vec<(IpAddr, String)> {
        let mut names = Vec::new();
        for node in &self.nodes {
            let name = node.label.as_ref().unwrap_or(&node.name);
            let own = node.interfaces.iter().flat_map(|interface| &interface.addresses);
            for address in own.map(|(address, _)| address).chain(&node.anycast) {
                names.push((*address, name.clone()));
            }
        }
        names
    }

    /// Changes a link: `home--isp.delay=80ms`, `home--isp.loss_up=4%`.
    pub fn apply_set(&mut self, assignment: &str) -> Result<(), Error> {
        self.apply_set_text(&Text::new(assignment, None))
    }

    /// The way out after a link that does not exist.
    pub(crate) fn suggest_link(&self, name: &str) -> String {
        let name: String = name.chars().filter(|c| !c.is_whitespace()).collect();
        if let Some((left, right)) = name.split_once("--")
            && self.link(&format!("{right}--{left}")).is_some()
        {
            return format!("did you mean `{right}--{left}`? (\"down\" is towards `{right}`)");
        }
        suggest(&name, self.links.iter().map(|link| link.name.as_str()))
    }

    pub(crate) fn apply_set_text(&mut self, assignment: &Text<'_>) -> Result<(), Error> {
        const FORM: &str = "write LINK.KEY=VALUE, as in `home--isp.loss=4%`";
        let Some((path, value)) = assignment.split_once('=') else {
            return Err(assignment.error(format!("`{}` sets nothing", assignment.text), FORM));
        };
        let Some(dot) = path.text.rfind('.') else {
            return Err(path.error(format!("`{}` names no setting of a link", path.text), FORM));
        };
        let (link, key) = (path.part(0, dot), path.part(dot + 1, path.text.len()));
        let Some(index) = self.link(link.text) else {
            return Err(link.error(
                format!("there is no link `{}` in lab `{}`", link.text, self.name),
                self.suggest_link(link.text),
            ));
        };
        self.links[index].spec.set(&key, &value)
    }
}

#[cfg(test)]
mod tests;
