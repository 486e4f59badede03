//! What routers promise, each for as long as they promised it: default routers (RFC 4191 preferences), prefixes on the
//! link, routes, resolvers (RFC 8106).

use core::net::Ipv6Addr;

use thru_wire::ndp::RouterAdvertisement;
use thru_wire::{Instant, IpPrefix};

use crate::autoconf::in_seconds;

/// Everything that routers have told. Bounded: what comes when a list is full is not learned.
#[derive(Debug, Default)]
pub(super) struct Routers {
    heard: bool,
    defaults: Vec<Promise<DefaultRouter>>,
    on_link: Vec<Promise<IpPrefix>>,
    routes: Vec<Promise<SpecificRoute>>,
    resolvers: Vec<Promise<Ipv6Addr>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DefaultRouter {
    address: Ipv6Addr,
    preference: i8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SpecificRoute {
    prefix: IpPrefix,
    router: Ipv6Addr,
    preference: i8,
}

#[derive(Clone, Copy, Debug)]
struct Promise<T> {
    what: T,
    until: Instant,
}

/// Most entries of each kind.
const ROUTERS: usize = 8;
const PREFIXES: usize = 16;
const ROUTES: usize = 32;
const RESOLVERS: usize = 8;

impl Routers {
    /// Takes in an advertisement. Whether the router was unknown as a default router, and is one now.
    pub(super) fn learn(&mut self, now: Instant, from: Ipv6Addr, told: &RouterAdvertisement) -> bool {
        self.heard = true;
        let router = DefaultRouter { address: from, preference: told.preference };
        let same = |known: &DefaultRouter| known.address == from;
        let until = |seconds: u64| if seconds == 0 { now } else { in_seconds(now, seconds) };
        let new = keep(&mut self.defaults, ROUTERS, router, until(told.lifetime.as_secs()), now, same);
        for information in told.prefixes.iter().filter(|information| information.on_link) {
            let prefix = information.prefix;
            let until = until(information.valid.as_secs());
            // RFC 4861 6.3.4: the link-local prefix is ours whatever routers say.
            let is_link_local =
                matches!(prefix.network(), core::net::IpAddr::V6(v6) if v6.is_unicast_link_local());
            if !is_link_local {
                keep(&mut self.on_link, PREFIXES, prefix, until, now, |known| *known == prefix);
            }
        }
        for route in &told.routes {
            let (prefix, preference) = (route.prefix, route.preference);
            let until = until(route.lifetime.as_secs());
            if prefix.is_default() {
                // RFC 4191 3.1: it stands for what the header says.
                let router = DefaultRouter { address: from, preference };
                keep(&mut self.defaults, ROUTERS, router, until, now, same);
                continue;
            }
            let specific = SpecificRoute { prefix, router: from, preference };
            let same = |known: &SpecificRoute| (known.prefix, known.router) == (prefix, from);
            keep(&mut self.routes, ROUTES, specific, until, now, same);
        }
        for servers in &told.dns {
            let until = until(servers.lifetime.as_secs());
            for server in servers.servers.iter().filter(|server| is_usable(**server)) {
                keep(&mut self.resolvers, RESOLVERS, *server, until, now, |known| known == server);
            }
        }
        new
    }

    /// Whether any router was heard.
    pub(super) fn were_heard(&self) -> bool {
        self.heard
    }

    /// Destinations and the best router to each; `None`: they are neighbours.
    pub(super) fn routes(&self) -> impl Iterator<Item = (IpPrefix, Option<Ipv6Addr>)> + '_ {
        let best = self.defaults.iter().enumerate();
        // The first of the most preferred.
        let best = best.max_by_key(|(index, known)| (known.what.preference, usize::MAX - index));
        let default = best.map(|(_, known)| (IpPrefix::V6_ALL, Some(known.what.address)));
        let on_link = self.on_link.iter().map(|known| (known.what, None));
        let specific = (0..self.routes.len()).filter(|index| self.is_best(*index));
        let specific = specific.map(|index| self.routes[index].what);
        default.into_iter().chain(on_link).chain(specific.map(|route| (route.prefix, Some(route.router))))
    }

    /// Whether no other router offers a better route to the same destinations, or offered one as good before.
    fn is_best(&self, index: usize) -> bool {
        let route = self.routes[index].what;
        self.routes.iter().enumerate().filter(|(_, known)| known.what.prefix == route.prefix).all(
            |(other, known)| {
                let rival = known.what.preference;
                rival < route.preference || (rival == route.preference && other >= index)
            },
        )
    }

    pub(super) fn resolvers(&self) -> impl Iterator<Item = Ipv6Addr> + '_ {
        self.resolvers.iter().map(|known| known.what)
    }

    pub(super) fn next_deadline(&self) -> Instant {
        let next = [
            soonest(&self.defaults),
            soonest(&self.on_link),
            soonest(&self.routes),
            soonest(&self.resolvers),
        ];
        next.into_iter().min().unwrap_or(Instant::NEVER)
    }

    pub(super) fn expire(&mut self, now: Instant) {
        self.defaults.retain(|known| known.until > now);
        self.on_link.retain(|known| known.until > now);
        self.routes.retain(|known| known.until > now);
        self.resolvers.retain(|known| known.until > now);
    }
}

/// Renews a promise, makes it, or, if it ends now, takes it back. Whether it is new.
fn keep<T>(
    promises: &mut Vec<Promise<T>>,
    most: usize,
    what: T,
    until: Instant,
    now: Instant,
    same: impl Fn(&T) -> bool,
) -> bool {
    let known = promises.iter().position(|known| same(&known.what));
    match known {
        Some(index) if until <= now => {
            promises.remove(index);
            false
        }
        Some(index) => {
            promises[index] = Promise { what, until };
            false
        }
        None if until > now && promises.len() < most => {
            promises.push(Promise { what, until });
            true
        }
        None => false,
    }
}

fn soonest<T>(promises: &[Promise<T>]) -> Instant {
    promises.iter().map(|known| known.until).min().unwrap_or(Instant::NEVER)
}

/// Whether a resolver can have the address.
fn is_usable(address: Ipv6Addr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && !address.is_loopback()
}
