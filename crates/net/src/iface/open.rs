//! The device behind an interface's name.

use std::io;
use std::path::Path;

use thru_os::device::Pollable;
use thru_os::device::packet::{PacketConfig, PacketSocket};
use thru_os::device::tun::{Tun, TunConfig};
use thru_os::device::xdp::{XdpConfig, XdpSocket};
use thru_wire::MacAddr;

/// Opens the interface with AF_XDP for the station `mac`: its frames never reach the kernel's stack.
pub fn open_xdp(name: &str, mac: MacAddr) -> io::Result<Box<dyn Pollable>> {
    Ok(Box::new(XdpSocket::open(&XdpConfig { interface: name.to_owned(), mac })?))
}

/// A hardware address that nobody has: locally administered, of one station.
pub fn random_mac() -> MacAddr {
    let mut octets = [0; 6];
    thru_os::entropy::fill(&mut octets);
    octets[0] = octets[0] & 0xfc | 2;
    MacAddr(octets)
}

/// Opens the interface: a TUN or TAP device that exists is attached to; on any other interface a packet socket is
/// opened, which hears everything if our host has a hardware address of its own (`own_mac`). With `offload` frames may
/// be super-segments.
pub fn open(name: &str, own_mac: bool, offload: bool) -> io::Result<Box<dyn Pollable>> {
    let flags = Path::new("/sys/class/net").join(name.replace(['/', '.'], "")).join("tun_flags");
    if let Ok(flags) = std::fs::read_to_string(flags) {
        /// `IFF_TAP` of linux/if_tun.h.
        const TAP: u32 = 2;
        let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap_or(0);
        let config = TunConfig { name: name.to_owned(), tap: flags & TAP != 0, offload };
        return Ok(Box::new(Tun::open(&config)?));
    }
    let config = PacketConfig { interface: name.to_owned(), promiscuous: own_mac, offload };
    Ok(Box::new(PacketSocket::open(&config)?))
}
