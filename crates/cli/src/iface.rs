//! `--on iface:NAME`: our own stack on an interface of this machine, with an address that was given or that the network
//! gives.

use std::io;
use std::net::{IpAddr, SocketAddr};

use thru_net::iface::{
    Iface, IfaceOptions, Patience, Pollable, attach, open, open_xdp, random_mac, seconds_left,
};
use thru_stack::autoconf::{AutoconfConfig, AutoconfEvent, Lease, Timing};
use thru_trace::{Packet, PacketFate, Trace};
use thru_wire::{Cidr, MacAddr};

use crate::args::{DeviceKind, Where};
use crate::failure::Failure;
use crate::output;

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    name: String,
    addresses: Vec<Cidr>,
    gateways: Vec<IpAddr>,
    resolvers: Vec<IpAddr>,
    mac: Option<MacAddr>,
    /// Ask the network for an address of these families; `None`: it was given.
    families: Option<[bool; 2]>,
    device: DeviceKind,
}

impl Wish {
    /// Of the interface `name`, with an address of our own or one that the network gives.
    pub(crate) fn new(name: &str, place: &Where) -> Result<Wish, Failure> {
        if place.seed.is_some() || !place.set.is_empty() {
            return Err(Failure::usage(
                "--seed and --set are for labs, and this runs on a real interface",
                "leave them out, or use `--on lab`",
            ));
        }
        if place.address.is_empty() && !place.gateway.is_empty() {
            return Err(Failure::usage(
                "--gateway goes with --address; without both, the network is asked for them",
                "add --address 192.0.2.77/24 (one that nobody has), or leave --gateway out",
            ));
        }
        Ok(Wish {
            name: name.to_owned(),
            addresses: place.address.clone(),
            gateways: place.gateway.clone(),
            resolvers: place.resolver.clone(),
            mac: place.mac,
            device: place.device.unwrap_or_default(),
            families: place.address.is_empty().then_some([!place.v6, !place.v4]),
        })
    }

    /// Opens the device and puts our host on it. Within a runtime.
    pub(crate) fn attach(&self) -> Result<Iface, Failure> {
        let mac = self.mac.unwrap_or_else(random_mac);
        let device = self.open(mac).map_err(|error| self.cannot(&error))?;
        let resolvers = if self.resolvers.is_empty() && self.families.is_none() {
            thru_os::resolv::nameservers()
        } else {
            self.resolvers.iter().map(|address| SocketAddr::new(*address, 53)).collect()
        };
        let options = IfaceOptions {
            addresses: self.addresses.clone(),
            autoconf: self.families.map(autoconf),
            gateways: self.gateways.clone(),
            mac: Some(mac),
            resolvers,
            capture: true,
            ..IfaceOptions::default()
        };
        attach(device, options).map_err(|error| self.cannot(&error))
    }

    /// The device that was asked for, or else a packet socket, with a line that says why.
    fn open(&self, mac: MacAddr) -> io::Result<Box<dyn Pollable>> {
        if self.device == DeviceKind::Xdp {
            match open_xdp(&self.name, mac) {
                Ok(device) => return Ok(device),
                Err(error) => {
                    let name = &self.name;
                    output::say(&format!("{name}: no AF_XDP ({error}); a packet socket is used instead\n"));
                }
            }
        }
        // Each packet for itself: what is shown is what was on the wire.
        open(&self.name, true, false)
    }

    /// Waits for an address, if the network is to give one, and says what it gave.
    pub(crate) async fn settle_in(&self, iface: &Iface) -> Result<(), Failure> {
        if self.families.is_none() {
            return Ok(());
        }
        let name = &self.name;
        let mut unanswered = 0;
        let configured = iface.configured(Patience::PERSON, |event| {
            if let AutoconfEvent::DhcpSilent { sent } = event {
                unanswered = *sent;
            }
            if let Some(text) = told(event) {
                output::say(&format!("{name}: {text}\n"));
            }
        });
        if !configured.await {
            return Err(Failure::undecided(
                format!(
                    "nobody on `{name}` gave us an address in {} s: no DHCP server answered ({} asked), and no router \
                     advertised a prefix",
                    Patience::PERSON.any.as_secs(),
                    if unanswered > 0 { "several times" } else { "once" },
                ),
                "is the cable in? With an address of your own it needs nobody: --address 192.0.2.77/24 --gateway \
                 192.0.2.1",
            ));
        }
        let resolvers = iface.autoconf().map(|state| state.resolvers).unwrap_or_default();
        if resolvers.is_empty() && self.resolvers.is_empty() {
            output::say(&format!("{name}: the network names no resolver; --resolver ADDRESS sets one\n"));
        }
        Ok(())
    }

    fn cannot(&self, error: &io::Error) -> Failure {
        let name = &self.name;
        // ENODEV and ENXIO have no kind of their own.
        let missing = error.kind() == io::ErrorKind::NotFound || matches!(error.raw_os_error(), Some(6 | 19));
        if missing {
            return Failure::usage(format!("there is no interface `{name}`"), "`ip link` lists them");
        }
        if error.kind() == io::ErrorKind::PermissionDenied {
            return Failure::undecided(
                format!("this user may not send and receive frames on `{name}`"),
                "run as root, or once: `sudo setcap cap_net_raw,cap_net_admin+ep $(command -v thru)`",
            );
        }
        if error.kind() == io::ErrorKind::Unsupported {
            let hint = "add --address 192.0.2.77/24, an address that the kernel does not have";
            return Failure::usage(format!("our stack needs an address on `{name}`: {error}"), hint);
        }
        Failure::undecided(format!("cannot use `{name}`: {error}"), "is it up? `ip link` tells")
    }
}

/// Both families or one, and addresses that this machine finds again on the same network.
fn autoconf([ipv4, ipv6]: [bool; 2]) -> AutoconfConfig {
    let mut secret = [0; 16];
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    match u128::from_str_radix(machine.trim(), 16) {
        Ok(number) if number != 0 => secret = number.to_be_bytes(),
        _ => thru_os::entropy::fill(&mut secret),
    }
    AutoconfConfig { ipv4, ipv6, secret, timing: Timing::BRIEF }
}

/// What is worth a line.
fn told(event: &AutoconfEvent) -> Option<String> {
    Some(match event {
        AutoconfEvent::Leased(lease) => leased(lease),
        AutoconfEvent::Assigned(cidr) => match cidr.address() {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => return None,
            address => format!("{address}, made from what a router advertised"),
        },
        AutoconfEvent::Router { address, managed: true } => {
            format!("router {address}, which wants addresses to come from DHCPv6 (not spoken here)")
        }
        AutoconfEvent::Router { address, managed: false } => format!("router {address}"),
        AutoconfEvent::Conflict { address, mac } => {
            let owner = mac.map_or("somebody else".to_owned(), |mac| mac.to_string());
            format!("{address} belongs to {owner} already: not taken")
        }
        AutoconfEvent::Refused { server, message } => match message {
            Some(message) => format!("DHCP server {server} refuses: {}", message.escape_debug()),
            None => format!("DHCP server {server} refuses without a reason"),
        },
        AutoconfEvent::Expired(address) => format!("the lease of {address} has ended"),
        AutoconfEvent::DhcpSilent { .. } => "no DHCP server has answered yet".to_owned(),
        _ => return None,
    })
}

fn leased(lease: &Lease) -> String {
    let mut text = format!("{} by DHCP from {}", lease.cidr(), lease.server);
    text += &match seconds_left(lease.expires_at) {
        Some(seconds) => format!(" for {seconds} s"),
        None => " for ever".to_owned(),
    };
    let routers = lease.routes.iter().filter(|(prefix, _)| prefix.is_default());
    for (_, router) in routers {
        text += &format!(", router {router}");
    }
    for resolver in &lease.resolvers {
        text += &format!(", resolver {resolver}");
    }
    text
}

/// The frames that our stack sent and received become the packets of the trace.
pub(crate) fn fill(iface: &Iface, trace: &mut Trace) {
    trace.interfaces.push(iface.name().to_owned());
    let interface = trace.interfaces.len() as u32 - 1;
    trace.packets = iface
        .captured()
        .into_iter()
        .enumerate()
        .map(|(index, frame)| Packet {
            number: index as u64 + 1,
            at: frame.at.nanos(),
            interface,
            bytes: frame.bytes,
            fate: PacketFate::Passed,
            comment: None,
        })
        .collect();
}
