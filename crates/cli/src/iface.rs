//! `--on iface:NAME`: our own stack on an interface of this machine.

use std::io;
use std::net::{IpAddr, SocketAddr};

use thru_net::iface::{Iface, IfaceOptions, attach, open};
use thru_trace::{Packet, PacketFate, Trace};
use thru_wire::{Cidr, MacAddr};

use crate::args::Where;
use crate::failure::Failure;

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    name: String,
    addresses: Vec<Cidr>,
    gateways: Vec<IpAddr>,
    resolvers: Vec<IpAddr>,
    mac: Option<MacAddr>,
}

impl Wish {
    /// Of the interface `name`, with an address of our own.
    pub(crate) fn new(name: &str, place: &Where) -> Result<Wish, Failure> {
        if place.seed.is_some() || !place.set.is_empty() {
            return Err(Failure::usage(
                "--seed and --set are for labs, and this runs on a real interface",
                "leave them out, or use `--on lab`",
            ));
        }
        if place.address.is_empty() {
            return Err(Failure::usage(
                format!("our stack needs an address of its own on {name}"),
                "add --address 192.0.2.77/24 (one that nobody has) and --gateway 192.0.2.1",
            ));
        }
        Ok(Wish {
            name: name.to_owned(),
            addresses: place.address.clone(),
            gateways: place.gateway.clone(),
            resolvers: place.resolver.clone(),
            mac: place.mac,
        })
    }

    /// Opens the device and puts our host on it. Within a runtime.
    pub(crate) fn attach(&self) -> Result<Iface, Failure> {
        // Each packet for itself: what is shown is what was on the wire.
        let device = open(&self.name, true, false).map_err(|error| self.cannot(&error))?;
        let resolvers = if self.resolvers.is_empty() {
            thru_os::resolv::nameservers()
        } else {
            self.resolvers.iter().map(|address| SocketAddr::new(*address, 53)).collect()
        };
        let options = IfaceOptions {
            addresses: self.addresses.clone(),
            gateways: self.gateways.clone(),
            mac: self.mac,
            resolvers,
            capture: true,
            ..IfaceOptions::default()
        };
        attach(device, options).map_err(|error| self.cannot(&error))
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
        Failure::undecided(format!("cannot use `{name}`: {error}"), "is it up? `ip link` tells")
    }
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
