//! Joining a network that gives its hosts their addresses: waiting for a lease (DHCP) and for a router's advertisement.
//!
//! The steps are `lease` and `advertisement`; who gave what stands in their values, and in the packets.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use thru_net::autoconf::{AutoconfEvent, AutoconfState, Lease};
use thru_trace::{Layer, SpanId, Value};
use thru_wire::MacAddr;
use thru_wire::dhcp::{CLIENT_PORT, Dhcp, DhcpKind, SERVER_PORT, in_frame};
use thru_wire::ethernet::Ethernet;
use thru_wire::ipv4::{Ipv4, Protocol};
use thru_wire::udp::Udp;

use crate::Recorder;

/// Until there is any address at all: the third question of a DHCP client goes out after twelve seconds (RFC 2131 4.1).
const ANY: Duration = Duration::from_secs(11);
/// For an IPv4 address once there is one of IPv6, and the other way round.
const IPV4: Duration = Duration::from_secs(6);
const IPV6: Duration = Duration::from_millis(1_500);
/// Refusals after which the next will be one, too.
const REFUSALS: u32 = 2;
/// How long a server may take to refuse what is asked of it once more.
const REFUSAL: Duration = Duration::from_millis(1_500);

/// Waits until the network has given addresses, if it is the network that gives them. `false`: there is none that
/// reaches beyond the link, and nothing can be tried.
pub async fn join(recorder: &Recorder) -> bool {
    let network = recorder.network().clone();
    let Some(state) = network.autoconf_state() else { return true };
    let start = network.now();
    let lease = recorder.open(None, Layer::Link, "lease", "ask for an address (DHCP)");
    let router = recorder.open(None, Layer::Link, "advertisement", "look for a router (IPv6)");
    let mut story = Story::default();
    let (mut state, mut end, mut waits_for_other) = (state, start + ANY, false);
    while !(state.lease.is_some() && state.ipv6_settled) && story.refused < REFUSALS {
        let global = state.ipv6_settled && network.has_family(true);
        if (state.lease.is_some() || global) && !waits_for_other {
            waits_for_other = true;
            end = network.now() + if state.lease.is_some() { IPV6 } else { IPV4 };
        }
        tokio::select! {
            biased;
            event = network.autoconf_event() => story.heard(&event),
            () = network.sleep_until(end) => break,
        }
        state = network.autoconf_state().unwrap_or_default();
    }
    while let Some(event) = network.timeout(Duration::ZERO, network.autoconf_event()).await {
        story.heard(&event);
    }
    told_of_router(recorder, router, &state, &story);
    match &state.lease {
        Some(given) => told_of_lease(recorder, lease, given),
        None => no_lease(recorder, lease, &story).await,
    }
    state.lease.is_some() || network.has_family(true)
}

/// What happened meanwhile.
#[derive(Debug, Default)]
struct Story {
    asked: u32,
    refused: u32,
    contested: Option<(Ipv4Addr, Option<MacAddr>)>,
    routers: Vec<IpAddr>,
    managed: bool,
}

impl Story {
    fn heard(&mut self, event: &AutoconfEvent) {
        match event {
            AutoconfEvent::DhcpSilent { sent } => self.asked = self.asked.max(*sent),
            AutoconfEvent::Refused { .. } => self.refused += 1,
            // An IPv6 address that somebody else has (RFC 4862 5.4) was never leased.
            AutoconfEvent::Conflict { address: IpAddr::V4(address), mac } => {
                self.contested = Some((*address, *mac));
            }
            AutoconfEvent::Router { address, managed } => {
                self.routers.push(*address);
                self.managed |= managed;
            }
            _ => {}
        }
    }

    /// How often an address was asked for: each refusal answered a request of its own, and each silence leaves one more.
    fn times_asked(&self) -> u32 {
        if self.refused > 0 { self.refused.max(self.asked) } else { self.asked + 1 }
    }
}

fn addresses<T: Copy + Into<IpAddr>>(all: impl IntoIterator<Item = T>) -> Vec<Value> {
    all.into_iter().map(|address| Value::Address(address.into())).collect()
}

fn told_of_lease(recorder: &Recorder, span: SpanId, given: &Lease) {
    recorder.set(span, "dhcp.address", Value::Address(given.address.into()));
    recorder.set(span, "dhcp.server", Value::Address(given.server.into()));
    let routers = given.routes.iter().filter(|(prefix, _)| prefix.is_default()).map(|(_, router)| *router);
    recorder.set(span, "dhcp.routers", addresses(routers));
    recorder.set(span, "dhcp.resolvers", addresses(given.resolvers.iter().copied()));
    recorder.ok(span);
}

fn told_of_router(recorder: &Recorder, span: SpanId, state: &AutoconfState, story: &Story) {
    if !story.routers.is_empty() {
        recorder.set(span, "ra.routers", addresses(story.routers.iter().copied()));
    }
    if story.managed {
        recorder.set(span, "ra.managed", true);
    }
    if state.ipv6_settled || !story.routers.is_empty() {
        recorder.ok(span);
    } else {
        recorder.skip(span, "no router of this network advertises itself");
    }
}

async fn no_lease(recorder: &Recorder, span: SpanId, story: &Story) {
    recorder.set(span, "dhcp.asked", story.times_asked());
    if let Some((address, mac)) = story.contested {
        recorder.set(span, "dhcp.contested", Value::Address(address.into()));
        let owner = mac.map_or(String::from("somebody else"), |mac| mac.to_string());
        return recorder.fail(span, "link.address_taken", format!("{address} is used by {owner} already"));
    }
    if story.refused > 0 {
        recorder.set(span, "dhcp.refused", true);
        return recorder.fail(span, "link.lease_refused", "the server refused the address (NAK)");
    }
    recorder.fail(span, "link.no_lease", "no address was given");
    is_anybody_there(recorder).await;
}

/// Nobody offered anything: is there a server at all? One that knows its network refuses an address of another one
/// (RFC 2131 4.3.2), also when it has none left to offer.
async fn is_anybody_there(recorder: &Recorder) {
    let network = recorder.network();
    let Ok(socket) = network.packets().await else { return };
    let Some(own) = socket.hardware_address() else { return };
    let control = recorder.open(None, Layer::Link, "control", "is there a DHCP server at all?");
    recorder.set(control, "control.kind", "dhcp_server");
    let random = network.random("dhcp refusal");
    let xid = u32::from_be_bytes([random[0], random[1], random[2], random[3]]);
    let mut question = Dhcp { broadcast: true, ..Dhcp::new(DhcpKind::Request, xid, own) };
    // Of TEST-NET-1 (RFC 5737): no network has it.
    question.options.requested = Some(Ipv4Addr::new(192, 0, 2, 1));
    let mut payload = Vec::new();
    question.emit_into(&mut payload);
    let ethernet = Ethernet { dst: MacAddr::BROADCAST, src: own, ..Ethernet::default() };
    let ip = Ipv4::new(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, Protocol::UDP);
    let frame = (ethernet / ip / Udp::new(CLIENT_PORT, SERVER_PORT) / payload).to_vec();
    let refusal = async {
        socket.send_frame(&frame).await.ok()?;
        loop {
            let seen = socket.receive().await.ok()?;
            let message = in_frame(&seen.bytes).filter(|message| message.xid == xid);
            if let Some(message) = message.filter(|message| message.kind.is_from_server()) {
                return Some(message);
            }
        }
    };
    match network.timeout(REFUSAL, refusal).await.flatten() {
        Some(refusal) => {
            if let Some(server) = refusal.options.server {
                recorder.set(control, "dhcp.server", Value::Address(server.into()));
            }
            recorder.ok(control);
        }
        None => recorder.fail(control, "dhcp.timeout", "nobody answers that either"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(events: &[AutoconfEvent]) -> Story {
        let mut story = Story::default();
        events.iter().for_each(|event| story.heard(event));
        story
    }

    #[test]
    fn an_ipv6_address_that_is_taken_is_no_lease_that_is_contested() {
        let taken = |address: &str| AutoconfEvent::Conflict { address: address.parse().unwrap(), mac: None };
        assert_eq!(story(&[taken("fe80::1")]).contested, None);
        let both = story(&[taken("192.0.2.7"), taken("2001:db8::7")]);
        assert_eq!(both.contested, Some((Ipv4Addr::new(192, 0, 2, 7), None)));
    }

    #[test]
    fn every_request_that_was_made_is_counted() {
        let refused = || AutoconfEvent::Refused { server: Ipv4Addr::new(192, 0, 2, 1), message: None };
        let silent = |sent| AutoconfEvent::DhcpSilent { sent };
        assert_eq!(story(&[]).times_asked(), 1);
        assert_eq!(story(&[silent(1), silent(2)]).times_asked(), 3);
        assert_eq!(story(&[refused()]).times_asked(), 1);
        assert_eq!(story(&[refused(), refused()]).times_asked(), 2);
        assert_eq!(story(&[silent(1), silent(2), silent(3), refused()]).times_asked(), 3);
    }
}
