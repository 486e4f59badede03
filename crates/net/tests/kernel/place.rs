//! A fresh network namespace: the kernel at one end of a TUN device, a host of ours at the other.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;

use thru_net::iface::{Iface, IfaceOptions, attach};
use thru_os::device::Pollable;
use thru_os::device::packet::{PacketConfig, PacketSocket};
use thru_os::device::tun::{Tun, TunConfig};
use thru_os::device::xdp::{XdpConfig, XdpSocket};
use thru_os::namespace::NetworkNamespace;
use thru_os::netlink;
use thru_stack::tcp::TcpConfig;
use thru_wire::{Cidr, MacAddr};

/// The kernel's addresses.
pub(crate) const KERNEL: [&str; 2] = ["192.0.2.1/24", "2001:db8::1/64"];
/// Ours.
pub(crate) const OURS: [&str; 2] = ["192.0.2.2/24", "2001:db8::2/64"];

/// A network namespace with its kernel as our peer.
#[derive(Clone)]
pub(crate) struct Place {
    namespace: Arc<NetworkNamespace>,
}

impl Place {
    /// `None`: it has been said loudly why `test` did not run.
    pub(crate) fn new(test: &str) -> Option<Place> {
        if !thru_peers::may_make_networks(test) {
            return None;
        }
        let namespace = NetworkNamespace::new().expect("who may make networks gets one");
        Some(Place { namespace: Arc::new(namespace) })
    }

    /// To move interfaces there.
    #[allow(dead_code, reason = "the benchmark of devices needs it")]
    pub(crate) fn namespace(&self) -> &NetworkNamespace {
        &self.namespace
    }

    /// A TUN or TAP device whose other end is the kernel's, up and with addresses. `None`: `test` did not run.
    pub(crate) fn tun(&self, test: &str, tap: bool, offload: bool) -> Option<Tun> {
        self.tun_at(test, tap, offload, KERNEL)
    }

    /// The same, with addresses to choose.
    pub(crate) fn tun_at(&self, test: &str, tap: bool, offload: bool, addresses: [&str; 2]) -> Option<Tun> {
        let made = self.within(|| {
            let tun = Tun::open(&TunConfig { name: "thru0".to_owned(), tap, offload })?;
            configure("thru0", addresses)?;
            Ok::<_, std::io::Error>(tun)
        });
        match made {
            Ok(tun) => Some(tun),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                thru_peers::not_run(test, "this user may not open /dev/net/tun");
                None
            }
            Err(error) => panic!("a TUN device: {error}"),
        }
    }

    /// A packet socket on one end of a wire whose other end is the kernel's, up and with addresses.
    pub(crate) fn packet_socket(&self, offload: bool) -> PacketSocket {
        let opened = self.within(|| {
            netlink::add_veth("thru0", "thru1")?;
            // The kernel's own link-local address can be used at once: programs wait for it.
            fs::write("/proc/sys/net/ipv6/conf/thru0/accept_dad", "0")?;
            configure("thru0", KERNEL)?;
            netlink::set_up(netlink::link("thru1")?.index, true)?;
            PacketSocket::open(&PacketConfig { interface: "thru1".to_owned(), promiscuous: true, offload })
        });
        opened.expect("who may make networks may open packet sockets")
    }

    /// AF_XDP on one end of a wire whose other end is the kernel's. `None`: `test` did not run.
    pub(crate) fn xdp(&self, test: &str, mac: MacAddr) -> Option<XdpSocket> {
        let opened = self.within(|| {
            netlink::add_veth("thru0", "thru1")?;
            configure("thru0", KERNEL)?;
            netlink::set_up(netlink::link("thru1")?.index, true)?;
            XdpSocket::open(&XdpConfig { interface: "thru1".to_owned(), mac })
        });
        opened.map_err(|error| thru_peers::not_run(test, &format!("no AF_XDP here: {error}"))).ok()
    }

    /// Runs `call` where the kernel's sockets are ours to open.
    pub(crate) fn within<R: Send>(&self, call: impl FnOnce() -> R + Send) -> R {
        self.namespace.within(call).expect("a namespace that lives can be entered")
    }

    /// A connection of the kernel's, made while this thread's tasks go on.
    pub(crate) async fn connect(&self, to: SocketAddr) -> TcpStream {
        let namespace = self.namespace.clone();
        let connect = move || namespace.within(|| TcpStream::connect(to));
        let connected = tokio::task::spawn_blocking(connect).await.expect("no panic");
        connected.expect("a namespace that lives can be entered").expect("somebody listens")
    }

    /// Segments with RST that this namespace's kernel has sent.
    pub(crate) fn resets_sent(&self) -> u64 {
        self.counter("Tcp:", "OutRsts")
    }

    /// Segments that this namespace's kernel has sent again.
    pub(crate) fn retransmissions(&self) -> u64 {
        self.counter("Tcp:", "RetransSegs")
    }

    /// One of the counters of `/proc/net/snmp`.
    fn counter(&self, table: &str, name: &str) -> u64 {
        let text =
            self.within(|| fs::read_to_string("/proc/thread-self/net/snmp")).expect("the kernel counts");
        let lines: Vec<Vec<&str>> = text
            .lines()
            .filter(|line| line.starts_with(table))
            .map(|line| line.split(' ').collect())
            .collect();
        let column = lines[0].iter().position(|title| *title == name).expect("a counter of that name");
        lines[1][column].parse().expect("a number")
    }
}

/// Switches an interface on and gives it addresses.
pub(crate) fn configure(interface: &str, addresses: [&str; 2]) -> std::io::Result<()> {
    let link = netlink::link(interface)?;
    netlink::set_up(link.index, true)?;
    for address in addresses {
        netlink::add_address(link.index, cidr(address))?;
    }
    Ok(())
}

/// A host of ours on a device.
pub(crate) fn ours(device: impl Pollable + 'static, tcp: TcpConfig) -> Iface {
    with_mac(device, tcp, None)
}

/// The same, with a hardware address that somebody else has to know.
pub(crate) fn with_mac(device: impl Pollable + 'static, tcp: TcpConfig, mac: Option<MacAddr>) -> Iface {
    boxed(Box::new(device), tcp, mac)
}

/// The same for a device of any kind.
pub(crate) fn boxed(device: Box<dyn Pollable>, tcp: TcpConfig, mac: Option<MacAddr>) -> Iface {
    let addresses = OURS.map(cidr).to_vec();
    attach(device, IfaceOptions { addresses, tcp, mac, ..IfaceOptions::default() })
        .expect("it can be watched")
}

pub(crate) fn cidr(text: &str) -> Cidr {
    text.parse().expect("an address with its length")
}

pub(crate) fn address(text: &str) -> IpAddr {
    cidr(text).address()
}

pub(crate) fn socket(text: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address(text), port)
}
