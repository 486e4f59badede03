//! Somebody who looks at what a resolution meets on its way, the ends of aliases and name servers before they are asked,
//! and may stop it there: policies about those ([`crate::service::policy`]).

use std::fmt;
use std::net::IpAddr;

use hickory_proto::rr::Name;

use super::iterate::failure;
use super::jobs::{Cx, Failure};
use super::message::Set;
use crate::rrset::seconds_left;
use crate::wire::RawRecord;

/// What a resolution is about to do.
#[derive(Clone, Copy, Debug)]
pub enum Met<'a> {
    /// Go on with the name that an alias leads to.
    Name(&'a Name),
    /// Ask one of these servers: their names, and the addresses that are known.
    Servers(&'a [Name], &'a [IpAddr]),
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It goes on.
    On,
    /// It goes on, and nobody looks any more.
    Unwatched,
    /// It ends here.
    Stop,
}

/// Whoever looks.
pub trait Watch: Send + Sync + fmt::Debug {
    /// What becomes of a resolution that meets this. `rules`: those that concern the client, as
    /// [`super::Resolver::query_watched`] named them.
    fn look(&self, rules: u64, met: Met<'_>) -> Leave;
}

/// Where a resolution was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The name that was asked for at that point.
    pub name: Name,
    /// The aliases that led there.
    pub chain: Vec<RawRecord>,
    /// The servers that were about to be asked; none: the name was met.
    pub servers: Vec<Name>,
    /// Their addresses.
    pub addresses: Vec<IpAddr>,
}

/// Nobody looks at this job any more, or has.
fn watched(cx: &Cx) -> Option<(std::sync::Arc<dyn Watch>, u64)> {
    let core = cx.core();
    let job = core.job_ref(cx.job);
    let rules = job.key.rules;
    if rules == 0 || job.unwatched {
        return None;
    }
    core.watch.clone().map(|watch| (watch, rules))
}

fn look(cx: &Cx, met: Met<'_>) -> Result<(), Failure> {
    let Some((watch, rules)) = watched(cx) else { return Ok(()) };
    match watch.look(rules, met) {
        Leave::On => Ok(()),
        Leave::Unwatched => {
            cx.core().job(cx.job).unwatched = true;
            Ok(())
        }
        Leave::Stop => {
            let (servers, addresses) = match met {
                Met::Name(_) => (Vec::new(), Vec::new()),
                Met::Servers(servers, addresses) => (servers.to_vec(), addresses.to_vec()),
            };
            let stopped = Stopped { name: Name::root(), chain: Vec::new(), servers, addresses };
            cx.core().job(cx.job).stopped = Some(Box::new(stopped));
            Err(failure(15, "a policy of this server concerns what was met on the way", false))
        }
    }
}

/// Before the name at the end of an alias is looked for.
pub(super) fn name(cx: &Cx, name: &Name) -> Result<(), Failure> {
    look(cx, Met::Name(name))
}

/// Before servers are asked. What they are is only put together where somebody looks.
pub(super) fn servers(cx: &Cx, met: impl FnOnce() -> (Vec<Name>, Vec<IpAddr>)) -> Result<(), Failure> {
    if watched(cx).is_none() {
        return Ok(());
    }
    let (names, addresses) = met();
    look(cx, Met::Servers(&names, &addresses))
}

/// For an answer that is known already: the servers that would be asked for its name.
pub(super) fn known(cx: &Cx, name: &Name) -> Result<(), Failure> {
    servers(cx, || {
        let delegation = cx.core().cached_delegation(name);
        let servers = delegation.map(|delegation| delegation.servers).unwrap_or_default();
        let addresses = servers.iter().flat_map(|(_, addresses)| addresses).copied().collect();
        (servers.into_iter().map(|(server, _)| server).collect(), addresses)
    })
}

/// Whether the job was stopped: then nothing else is to be tried.
pub(super) fn has_stopped(cx: &Cx) -> bool {
    cx.core().job(cx.job).stopped.is_some()
}

/// Completes what is told of a job that was stopped: how far it had come.
pub(super) fn trail(cx: &Cx, name: &Name, chain: &[Set]) {
    let mut core = cx.core();
    let now = core.now;
    if let Some(stopped) = &mut core.job(cx.job).stopped {
        stopped.name = name.clone();
        let records = |set: &Set| set.records(&set.name, seconds_left(now, set.expires), false);
        stopped.chain = chain.iter().flat_map(records).collect();
    }
}
