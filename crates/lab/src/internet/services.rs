//! What runs on the nodes: name servers, resolvers, web sites with certificates of the lab's own authority.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::Name;
use thru_names::authority::SignedZone;
use thru_names::authority::secondary::SecondaryConfig;
use thru_names::authority::update::{Grant, Updates};
use thru_names::dnssec::anchors::Anchors;
use thru_names::resolver::{Answer, ResolverConfig};
use thru_names::service::ServiceConfig;
use thru_names::service::dns64::Dns64;
use thru_names::service::policy::PolicyZone;
use thru_names::text::{name_text, parse_name};
use thru_names::wire::RawRecord;
use thru_net::Network;
use thru_probe::secure::Identity;
use thru_serve::dns::{self, DnsHandle};
use thru_serve::nameserver::{NameServer, Role, Zones};
use thru_serve::pki::staple::Statement;
use thru_serve::pki::{Authority, CertifiedKey, Keys, LeafRequest, self_signed_with};
use thru_serve::proxy;
use thru_serve::web::{
    self, Announced, Answer as Page, Behaviour, Delivery, HttpVersions, Options, QuicDoor, Server, Site,
    TlsVersions,
};
use tokio::task::JoinHandle;

use super::zones::Served;
use super::{Internet, StartError};
use crate::prefix::Prefix;
use crate::scenario::service::{
    Answers, DnsBehaviour, DnsSpec, Door, Http, Issuer, ProxySpec, Quic, ResolverSpec, Stapled, Trust,
    WebSpec, frames,
};
use crate::scenario::{ServiceKind, Visitor};

/// Where a service runs: web sites that share node and port are one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    Web { node: usize, port: u16 },
    Other { service: usize },
}

/// A running service; ends when dropped.
#[derive(Default)]
pub(super) struct Running {
    tasks: Vec<JoinHandle<()>>,
    handles: Vec<DnsHandle>,
}

impl Running {
    /// One task.
    pub(super) fn of(task: JoinHandle<()>) -> Running {
        Running { tasks: vec![task], handles: Vec::new() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The lab's authorities. In virtual time their keys are the same in every lab and run: they protect nothing.
pub(super) struct Pki {
    root: Authority,
    issuing: Authority,
    outdated: Authority,
    unknown: Authority,
    keys: Keys,
}

/// Seed of the lab's keys.
const PKI_SEED: u64 = 0x7468_7275;
/// 2025-01-01 to 2045-01-01, in seconds since the Unix epoch.
const AUTHORITY_LIFE: (Duration, Duration) =
    (Duration::from_secs(1_735_689_600), Duration::from_secs(2_366_841_600));
/// A certificate that says nothing of its dates began this long before the lab's date...
const LEAF_BEFORE: Duration = Duration::from_secs(30 * 86_400);
/// ... and ends this long after.
const LEAF_AFTER: Duration = Duration::from_secs(60 * 86_400);

impl Pki {
    /// In virtual time everything repeats; in real time browsers come, and they know no Ed25519.
    pub(super) fn new(is_virtual: bool, date: u64) -> Pki {
        let (from, to) = AUTHORITY_LIFE;
        let keys = if is_virtual { Keys::Seeded(PKI_SEED) } else { Keys::Fresh };
        let root = Authority::with_keys("Throughline Lab Root", keys, from, to);
        let issuing = root.intermediate("Throughline Lab CA 1", from, to);
        let unknown =
            Authority::with_keys("Nobody's Root", keys, from, to).intermediate("Nobody's CA 1", from, to);
        let ended = Duration::from_nanos(date).saturating_sub(LEAF_BEFORE);
        let outdated = root.intermediate("Throughline Lab CA 0", from, ended);
        Pki { root, issuing, outdated, unknown, keys }
    }

    pub(super) fn root(&self) -> &rustls::pki_types::CertificateDer<'static> {
        self.root.root_der()
    }

    pub(super) fn root_pem(&self) -> String {
        self.root.root_pem()
    }

    fn certify(&self, web: &WebSpec, date: u64) -> Result<CertifiedKey, StartError> {
        let date = Duration::from_nanos(date);
        let request = LeafRequest {
            names: web.certificate_names.clone().unwrap_or_else(|| web.names.clone()),
            not_before: web.not_before.map_or(date.saturating_sub(LEAF_BEFORE), Duration::from_nanos),
            not_after: web.not_after.map_or(date + LEAF_AFTER, Duration::from_nanos),
            without_intermediates: web.misdeeds.without_intermediate,
            for_clients: web.misdeeds.for_clients,
            must_staple: web.misdeeds.must_staple,
            stray: web.misdeeds.stray.then(|| self.unknown.certificate().clone()),
        };
        let certified = match web.issuer {
            Issuer::Lab => self.issuing.issue(request),
            Issuer::Outdated => self.outdated.issue(request),
            Issuer::Unknown => self.unknown.issue(request),
            Issuer::SelfSigned => self_signed_with(self.keys, request),
        };
        let certified =
            certified.map_err(|error| StartError(format!("certify {}: {error}", web.names.join(", "))))?;
        let Some(stapled) = web.misdeeds.staple else { return Ok(certified) };
        let (day, hour) = (Duration::from_secs(86_400), Duration::from_secs(3_600));
        let (from, revoked) = match stapled {
            Stapled::Good => (date.saturating_sub(hour), None),
            Stapled::Stale => (date.saturating_sub(30 * day), None),
            Stapled::Revoked => (date.saturating_sub(hour), Some(date.saturating_sub(2 * day))),
        };
        let authority = if web.issuer == Issuer::Outdated { &self.outdated } else { &self.issuing };
        let statement = Statement { from, until: from + 7 * day, revoked };
        let staple = authority.staple(&certified.chain()[0], statement);
        Ok(certified.stapled(staple))
    }

    /// What the lab's user shows who he is with.
    pub(super) fn identify(&self, kind: Visitor, date: u64) -> Option<Identity> {
        let date = Duration::from_nanos(date);
        let before = |time: Duration| date.saturating_sub(time);
        let request = LeafRequest {
            names: vec!["visitor.lab".to_owned()],
            not_before: if kind == Visitor::Expired { before(3 * LEAF_AFTER) } else { before(LEAF_BEFORE) },
            not_after: if kind == Visitor::Expired { before(LEAF_BEFORE) } else { date + LEAF_AFTER },
            for_clients: true,
            ..LeafRequest::default()
        };
        let authority = if kind == Visitor::Unknown { &self.unknown } else { &self.issuing };
        let certified = authority.issue(request).ok()?;
        Identity::new(certified.chain().to_vec(), certified.key()).ok()
    }
}

impl Internet {
    pub(super) fn slot_of(&self, service: usize) -> Slot {
        match &self.state().services[service] {
            ServiceKind::Web(web) => Slot::Web { node: self.scenario().services[service].on, port: web.port },
            _ => Slot::Other { service },
        }
    }

    pub(super) async fn start_services(&self) -> Result<(), StartError> {
        let mut slots: Vec<Slot> =
            (0..self.scenario().services.len()).map(|service| self.slot_of(service)).collect();
        slots.sort_unstable();
        slots.dedup();
        for slot in slots {
            self.start_slot(slot).await?;
        }
        Ok(())
    }

    /// Starts what belongs there, ending what ran there before.
    pub(super) async fn start_slot(&self, slot: Slot) -> Result<(), StartError> {
        let before = self.state().running.remove(&slot);
        if let Some(before) = before {
            drop(before);
            // Ended tasks let go of their ports when the runtime gets to them.
            tokio::task::yield_now().await;
        }
        let running = match slot {
            Slot::Web { node, port } => self.start_web(node, port).await?,
            Slot::Other { service } => {
                let node = self.scenario().services[service].on;
                let kind = self.state().services[service].clone();
                match kind {
                    ServiceKind::Dns(spec) => self.start_dns(node, service, &spec).await?,
                    ServiceKind::Resolver(spec) => self.start_resolver(node, &spec).await?,
                    ServiceKind::Proxy(spec) => self.start_proxy(node, &spec).await?,
                    ServiceKind::Dhcp(spec) => self.start_dhcp(node, &spec).await?,
                    ServiceKind::Advertise(spec) => self.start_advertiser(node, &spec).await?,
                    ServiceKind::Web(_) => Running::default(),
                }
            }
        };
        self.state().running.insert(slot, running);
        Ok(())
    }

    pub(super) fn addresses(&self, node: usize) -> Vec<IpAddr> {
        let interfaces = &self.scenario().nodes[node].interfaces;
        let own = interfaces.iter().flat_map(|interface| &interface.addresses).map(|(address, _)| *address);
        own.chain(self.scenario().nodes[node].anycast.iter().copied()).collect()
    }

    async fn start_web(&self, node: usize, port: u16) -> Result<Running, StartError> {
        let mut sites = Vec::new();
        let (mut plain_port, mut family, mut idle) = (None, None, None);
        for (service, kind) in self.state().services.iter().enumerate() {
            let ServiceKind::Web(web) = kind else { continue };
            if self.scenario().services[service].on == node && web.port == port && web.up {
                plain_port = plain_port.or(web.plain_port);
                idle = idle.or(web.misdeeds.idle);
                family = family.or(web.misdeeds.family);
                sites.push(self.site(web)?);
            }
        }
        if sites.is_empty() {
            return Ok(Running::default());
        }
        let network = self.network_of(node);
        let options = Options {
            addresses: self
                .addresses(node)
                .into_iter()
                .filter(|address| family.is_none_or(|family| (family == 6) == address.is_ipv6()))
                .collect(),
            plain_port,
            secure_port: Some(port),
            idle: idle.unwrap_or(Options::default().idle),
            ..Options::default()
        };
        let server =
            Server::bind(&network, options, sites).await.map_err(|error| StartError(error.to_string()))?;
        Ok(Running { tasks: vec![tokio::spawn(server.run())], handles: Vec::new() })
    }

    fn site(&self, web: &WebSpec) -> Result<Site, StartError> {
        let speaks = |version| web.http.contains(&version);
        let misdeeds = &web.misdeeds;
        let announced = if misdeeds.chunked { Announced::Chunks } else { Announced::Length };
        let delivery = match (web.close_after, web.drip) {
            (Some(after), _) => Delivery::Break { after: after as u64, announced },
            (None, None) if misdeeds.reset_after.is_some() => {
                Delivery::Reset { after: misdeeds.reset_after.unwrap_or(0) as u64 }
            }
            (None, Some(rate)) => {
                let bytes = 1200;
                Delivery::Drip {
                    bytes,
                    every: Duration::from_nanos(bytes as u64 * 8_000_000_000 / rate.max(1)),
                }
            }
            (None, None) => Delivery::Whole,
        };
        let bytes = |bytes: Vec<u8>| Page::Bytes { bytes: bytes.into(), goodbye: !misdeeds.abrupt };
        let answer = match (web.silent, web.status) {
            _ if misdeeds.answer.is_some() => match misdeeds.answer.clone() {
                Some(Answers::Redirect(to)) => Page::Redirect(to),
                Some(Answers::Raw(raw)) => bytes(raw.into_bytes()),
                Some(Answers::Frames(texts)) => bytes(frames(&texts)),
                Some(Answers::Close) | None => Page::Close,
            },
            (true, _) => Page::Never,
            (false, Some(code)) => Page::Status { code, retry_after: (code == 503).then_some(120) },
            (false, None) => Page::Page,
        };
        Ok(Site {
            names: web.names.clone(),
            tls: match (web.tls12, web.tls13) {
                (false, false) => TlsVersions::Outdated,
                (true, false) => TlsVersions::Only12,
                (false, true) => TlsVersions::Only13,
                _ => TlsVersions::Both,
            },
            http: HttpVersions {
                http1: speaks(Http::One),
                http2: speaks(Http::Two),
                http3: speaks(Http::Three),
            },
            alt_svc: (web.alt_svc && speaks(Http::Three)).then(|| format!("h3=\":{}\"; ma=86400", web.port)),
            behaviour: Behaviour {
                door: door(web),
                think: web.think,
                answer,
                delivery,
                quic: match misdeeds.quic {
                    Quic::Open => QuicDoor::Open,
                    Quic::Refuse => QuicDoor::Refuse,
                    Quic::OtherProtocol => QuicDoor::OtherProtocol,
                    Quic::OtherVersion => QuicDoor::OtherVersion,
                    Quic::BadRetry => QuicDoor::BadRetry,
                    Quic::NoCertificate => QuicDoor::NoCertificate,
                },
                hello: misdeeds.hello,
                cold: misdeeds.cold,
                share: misdeeds.share,
                headers: misdeeds
                    .headers
                    .iter()
                    .filter_map(|header| header.split_once(':'))
                    .map(|(name, value)| (name.trim().to_string(), value.trim().to_string()))
                    .collect(),
                client_optional: misdeeds.client_optional,
                client_authority: misdeeds
                    .client_certificate
                    .then(|| self.shared.pki.root().as_ref().to_vec()),
            },
            ..Site::new(web.names[0].clone(), self.shared.pki.certify(web, self.scenario().date)?)
        })
    }
}

impl Internet {
    /// Signs the zones as the services' settings are now. Gives the services whose zones are others than before: a
    /// zone's change may change what the one above says of it.
    pub(super) fn serve_zones(&self) -> Result<Vec<usize>, StartError> {
        let mut state = self.state();
        let served = super::zones::served(self.scenario(), &state.services)?;
        let before = std::mem::replace(&mut state.served, served);
        let zones = |served: &Served, service| served.zones.get(&service).cloned().unwrap_or_default();
        let changed = |service: &usize| {
            let (old, new) = (zones(&before, *service), zones(&state.served, *service));
            old.len() != new.len() || old.iter().zip(&new).any(|(old, new)| !Arc::ptr_eq(old, new))
        };
        Ok((0..state.services.len()).filter(changed).collect())
    }

    async fn start_dns(&self, node: usize, service: usize, spec: &DnsSpec) -> Result<Running, StartError> {
        let mut running = Running::default();
        if !spec.up {
            return Ok(running);
        }
        let zones = self.state().served.zones.get(&service).cloned().unwrap_or_default();
        let network = self.network_of(node);
        if spec.is_dynamic() {
            running.tasks.push(self.start_dynamic(node, spec, zones).await?);
            return Ok(running);
        }
        for address in self.addresses(node) {
            let listening = bind(&network, address).await?;
            let handle = DnsHandle::with_faults(behaviour(spec.behaviour, spec.think), spec.faults.clone());
            let authority = thru_names::authority::Authority::new(zones.clone());
            let authority = authority.identified(Some(self.identity(node)));
            let serving = dns::serve_zones(network.clone(), listening, authority, handle.clone());
            running.tasks.push(tokio::spawn(async move { drop(serving.await) }));
            running.handles.push(handle);
        }
        Ok(running)
    }

    async fn start_proxy(&self, node: usize, spec: &ProxySpec) -> Result<Running, StartError> {
        let mut running = Running::default();
        if !spec.up {
            return Ok(running);
        }
        let network = self.network_of(node);
        let listeners = proxy::bind(&network, &self.addresses(node), spec.port)
            .await
            .map_err(|error| StartError(format!("listen on port {}: {error}", spec.port)))?;
        let kind = if spec.socks { proxy::Kind::Socks5 } else { proxy::Kind::Http };
        let behaviour = match (spec.silent, spec.answer) {
            (true, _) => proxy::Behaviour::Silent,
            (false, Some(code)) => proxy::Behaviour::Answer(code),
            (false, None) => proxy::Behaviour::Relay,
        };
        running.tasks.push(tokio::spawn(proxy::serve(network, listeners, kind, behaviour)));
        Ok(running)
    }

    /// One resolver for each address of the node. Price: what was learned by way of IPv4 is not known to IPv6.
    async fn start_resolver(&self, node: usize, spec: &ResolverSpec) -> Result<Running, StartError> {
        let mut running = Running::default();
        if !spec.up {
            return Ok(running);
        }
        let network = self.network_of(node);
        for address in self.addresses(node) {
            let listening = bind(&network, address).await?;
            let handle = DnsHandle::with_faults(behaviour(spec.behaviour, spec.think), spec.faults.clone());
            let mut resolver = self.resolver_config_for(&spec.roots);
            match spec.trust {
                Trust::Root => {}
                Trust::Stale => {
                    resolver.anchors = Anchors::default();
                    resolver.anchors.add(&super::zones::stale_anchor());
                }
                Trust::None => resolver.anchors = Anchors::default(),
            }
            let config = self.service(node, spec, resolver)?;
            let serving = dns::serve_recursive(network.clone(), listening, config, handle.clone());
            running.tasks.push(tokio::spawn(async move { drop(serving.await) }));
            running.handles.push(handle);
        }
        Ok(running)
    }

    /// A name server whose zones change while it runs: the one that `thru serve dns` is, too.
    async fn start_dynamic(
        &self,
        node: usize,
        spec: &DnsSpec,
        zones: Vec<Arc<SignedZone>>,
    ) -> Result<JoinHandle<()>, StartError> {
        let prefixes = |prefixes: &[Prefix]| -> Vec<(IpAddr, u8)> {
            prefixes.iter().map(|prefix| (prefix.network(), prefix.length())).collect()
        };
        // Names and addresses of one family are enough to reach a server.
        let reached = |addresses: &[IpAddr]| addresses.first().map(|first| SocketAddr::new(*first, 53));
        let mut copies = Vec::new();
        for (zone, _, primary) in &spec.copies {
            copies.push(SecondaryConfig {
                zone: parse_name(zone).map_err(|why| StartError(format!("copy {zone}: {why}")))?,
                primaries: reached(primary).into_iter().collect(),
                hosts: Vec::new(),
                notify_from: primary
                    .iter()
                    .map(|address| (*address, if address.is_ipv6() { 128 } else { 32 }))
                    .collect(),
                notify_hosts: Vec::new(),
            });
        }
        let everybody = vec![(IpAddr::from([0; 4]), 0), (IpAddr::from([0; 16]), 0)];
        let role = Role::Authoritative(Zones {
            authority: thru_names::authority::Authority::new(zones).identified(Some(self.identity(node))),
            transfer: everybody,
            copies,
            notify: spec.notify.iter().filter_map(|(_, told)| reached(told)).collect(),
            updates: Arc::new(Updates {
                grant: Grant { keys: Vec::new(), from: prefixes(&spec.updates) },
                ..Updates::default()
            }),
        });
        let network = self.network_of(node);
        let mut server = NameServer::new(&network, role, None);
        for address in self.addresses(node) {
            let local = SocketAddr::new(address, 53);
            let bound = server.listen(local).await;
            bound.map_err(|error| StartError(format!("listen on {local}: {error}")))?;
        }
        Ok(tokio::spawn(async move { drop(server.run().await) }))
    }

    /// What tells one of several servers with one address: the node's name.
    fn identity(&self, node: usize) -> String {
        let node = &self.scenario().nodes[node];
        node.label.clone().unwrap_or_else(|| node.name.clone())
    }

    fn service(
        &self,
        node: usize,
        spec: &ResolverSpec,
        resolver: ResolverConfig,
    ) -> Result<ServiceConfig, StartError> {
        let allow: Vec<(IpAddr, u8)> =
            spec.allow.iter().map(|prefix| (prefix.network(), prefix.length())).collect();
        let mut config = dns::service_for(resolver, &allow);
        let identity = self.identity(node);
        config.name_server_id = Some(identity.clone().into_bytes());
        config.identity = Some(identity);
        if let Some(prefix) = &spec.dns64
            && let IpAddr::V6(network) = prefix.network()
        {
            config.dns64 = Some(Dns64 { prefix: (network, prefix.length()), ..Dns64::default() });
        }
        if !spec.blocked.is_empty() {
            let wrong = |why: String| StartError(format!("block names: {why}"));
            let origin = parse_name("blocked.").map_err(wrong)?;
            let lines = spec.blocked.iter().flat_map(|name| {
                let name = name.trim_end_matches('.');
                [format!("{name}.blocked. 60 IN CNAME .\n"), format!("*.{name}.blocked. 60 IN CNAME .\n")]
            });
            let soa = format!("{0} 60 IN SOA {0} {0} 1 3600 600 86400 60\n", name_text(&origin));
            let text: String = std::iter::once(soa).chain(lines).collect();
            let records = thru_names::rdata::master_records(&text, &origin)
                .map_err(|why| StartError(format!("block names: {why}")))?;
            config.policies.push(PolicyZone::new(&origin, &records).map_err(wrong)?);
        }
        Ok(config)
    }

    fn resolver_config_for(&self, roots: &[IpAddr]) -> ResolverConfig {
        let name = |address: &IpAddr| {
            let names = self.scenario().names();
            let label = names.into_iter().find(|(known, _)| known == address).map(|(_, name)| name);
            label
                .and_then(|label| parse_name(&format!("{label}.")).ok())
                .unwrap_or_else(|| parse_name("root.").expect("a legal name"))
        };
        let mut hints: Vec<(Name, Vec<IpAddr>)> = Vec::new();
        for root in roots {
            let name = name(root);
            match hints.iter_mut().find(|(known, _)| *known == name) {
                Some((_, addresses)) => addresses.push(*root),
                None => hints.push((name, vec![*root])),
            }
        }
        let mut config = ResolverConfig::new(hints);
        if let Some(anchor) = &self.state().served.anchor {
            config.anchors.add(anchor);
        }
        config
    }

    /// The trust anchor of this internet, as a DS record; `None`: its root is not signed.
    pub fn trust_anchor(&self) -> Option<RawRecord> {
        self.state().served.anchor.clone()
    }

    /// How somebody on this internet resolves from the root down.
    pub fn resolver_config(&self) -> ResolverConfig {
        self.resolver_config_for(&self.root_hints())
    }

    /// What the resolvers of the client resolved so far, oldest first: with every step they took.
    pub fn resolutions(&self) -> Vec<Arc<Answer>> {
        let resolvers = &self.scenario().nodes[self.scenario().client].resolvers;
        let state = self.state();
        let own = state.running.iter().filter(|(slot, _)| match slot {
            Slot::Other { service } => {
                let node = self.scenario().services[*service].on;
                self.addresses(node).iter().any(|address| resolvers.contains(address))
            }
            Slot::Web { .. } => false,
        });
        own.flat_map(|(_, running)| &running.handles).flat_map(DnsHandle::log).collect()
    }
}

fn door(web: &WebSpec) -> web::Door {
    if let Some(alert) = web.misdeeds.alert {
        return web::Door::Alert(alert);
    }
    if let Some(greeting) = &web.misdeeds.greeting {
        return web::Door::Greet(greeting.as_bytes().into());
    }
    match web.door {
        Door::Open => web::Door::Open,
        Door::Close => web::Door::CloseOnAccept,
        Door::Silent => web::Door::Silent,
        Door::CloseAfterHello => web::Door::CloseAfterHello,
        Door::SilentAfterHello => web::Door::SilentAfterHello,
        Door::Plain => web::Door::PlainOnTlsPort,
        Door::Reset => web::Door::ResetOnAccept,
        Door::ResetAfterHello => web::Door::ResetAfterHello,
        Door::Full => web::Door::Full,
    }
}

fn behaviour(behaviour: DnsBehaviour, think: Duration) -> dns::Behaviour {
    match behaviour {
        DnsBehaviour::Normal if !think.is_zero() => dns::Behaviour::Slow(think),
        DnsBehaviour::Normal => dns::Behaviour::Normal,
        DnsBehaviour::Servfail => dns::Behaviour::ServFail,
        DnsBehaviour::Refused => dns::Behaviour::Refused,
        DnsBehaviour::Silent => dns::Behaviour::Silent,
    }
}

async fn bind(network: &Network, address: IpAddr) -> Result<dns::Listening, StartError> {
    let local = SocketAddr::new(address, 53);
    dns::bind(network, local).await.map_err(|error| StartError(format!("listen on {local}: {error}")))
}
