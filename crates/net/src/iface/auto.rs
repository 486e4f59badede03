//! An address from the network itself: waiting for it, and giving it back.

use std::future::poll_fn;
use std::net::IpAddr;
use std::task::Poll;
use std::time::Duration;

use thru_os::clock;
use thru_stack::AutoconfState;
use thru_stack::autoconf::AutoconfEvent;
use thru_wire::Instant;

use super::Iface;

/// How long whoever waits for an address is willing to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until there is one at all.
    pub any: Duration,
    /// For an IPv4 address once there is one of IPv6: some servers look for three seconds whether an address is free
    /// before they offer it.
    pub ipv4: Duration,
    /// For an IPv6 address once there is one of IPv4.
    pub ipv6: Duration,
}

impl Patience {
    /// For somebody at a terminal.
    pub const PERSON: Patience =
        Patience { any: Duration::from_secs(12), ipv4: Duration::from_secs(5), ipv6: Duration::from_secs(1) };
}

impl Iface {
    /// What happens next to the addresses that the network gives; never completes on an interface that is configured
    /// by hand.
    pub async fn autoconf_event(&self) -> AutoconfEvent {
        poll_fn(|context| {
            self.with_host(|host, _| match host.autoconf_event() {
                Some(event) => Poll::Ready(event),
                None => {
                    host.autoconf_waker(context.waker());
                    Poll::Pending
                }
            })
        })
        .await
    }

    /// Waits until the network has given us addresses, of both families if it has both; `tell` hears what happens
    /// meanwhile. Whether there is an address that reaches beyond the link.
    pub async fn configured(&self, patience: Patience, mut tell: impl FnMut(&AutoconfEvent)) -> bool {
        let network = self.network();
        let mut end = clock::now() + patience.any;
        let mut waits_for_other = false;
        loop {
            let (lease, settled, global) = self.with_host(|host, _| {
                let AutoconfState { lease, ipv6_settled, .. } = host.autoconf_state().unwrap_or_default();
                let global = host.addresses().any(|(_, cidr)| is_global(cidr.address()));
                (lease.is_some(), ipv6_settled, global)
            });
            if lease && settled {
                return true;
            }
            if (lease || (settled && global)) && !waits_for_other {
                waits_for_other = true;
                end = clock::now() + if lease { patience.ipv6 } else { patience.ipv4 };
            }
            let left = end.since(clock::now());
            tokio::select! {
                biased;
                event = self.autoconf_event() => tell(&event),
                () = network.sleep(left) => return lease || global,
            }
        }
    }

    /// What the network has given so far; `None` on an interface that is configured by hand.
    pub fn autoconf(&self) -> Option<AutoconfState> {
        self.with_host(|host, _| host.autoconf_state())
    }

    /// Gives a leased address back and waits, at most this long, until the message has left. The addresses are not to
    /// be used afterwards.
    pub async fn leave(&self, limit: Duration) {
        let end = clock::now() + limit;
        let network = self.network();
        self.with_host(|host, now| host.autoconf_release(now));
        while !self.is_silent() && clock::now() < end {
            network.sleep(Duration::from_millis(2)).await;
        }
    }

    /// Whether nothing waits to be sent.
    fn is_silent(&self) -> bool {
        let state = self.wire.state();
        state.failed.is_some()
            || (state.queue.is_empty() && !state.device.is_stuck() && !state.host.is_resolving())
    }
}

/// Whether an address reaches beyond its link.
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    }
}

/// The end of a lease in whole seconds from now on; `None`: it has none.
pub fn seconds_left(until: Instant) -> Option<u64> {
    (!until.is_never()).then(|| until.since(clock::now()).as_millis().div_ceil(1_000) as u64)
}
