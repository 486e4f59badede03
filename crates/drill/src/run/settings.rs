//! What a script says before it begins: addresses, ports, tolerance; and the host they describe.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use thru_stack::route::{Route, RouteTarget};
use thru_stack::tcp::TcpConfig;
use thru_stack::{Host, InterfaceId};
use thru_wire::{Cidr, IpPrefix};

use super::Stop;
use crate::Persona;
use crate::script::{Action, Body, Direction, Expr, OptionSpec, Script};

/// Which addresses a script uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    /// IPv6 sockets, IPv4 packets.
    Mapped,
    V6,
}

/// What a script says before it begins.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) family: Family,
    pub(crate) local: IpAddr,
    pub(crate) remote: IpAddr,
    pub(crate) bind_port: u16,
    pub(crate) connect_port: u16,
    pub(crate) mtu: usize,
    tolerance: Duration,
    tolerance_percent: f64,
    /// Payload of the segments that a larger one stands for that the script sends.
    pub(crate) gso_size: Option<usize>,
    /// Length of a tick of the timestamps a script expects; zero: their values are not compared.
    pub(crate) timestamp_tick: Duration,
    /// Failures of calls don't end the script.
    pub(crate) calls_not_fatal: bool,
    /// Failures of packets don't end the script.
    pub(crate) packets_not_fatal: bool,
    /// How long a connection attempt may take, and how long a connection is silent before it is asked.
    pub(crate) keep_init: Option<Duration>,
    pub(crate) keep_idle: Duration,
    /// `TCP_NOTSENT_LOWAT` of new sockets.
    pub(crate) notsent_low: Option<usize>,
    /// Linux's `tcp_fastopen`.
    pub(crate) fast_open: u64,
    pub(crate) tcp: TcpConfig,
}

impl Settings {
    pub(crate) fn read(script: &Script, persona: Persona, ipv6: bool) -> Result<Settings, (u32, Stop)> {
        let mut settings = Settings {
            family: if ipv6 { Family::V6 } else { Family::V4 },
            local: Ipv4Addr::new(192, 168, 0, 1).into(),
            remote: Ipv4Addr::new(192, 0, 2, 1).into(),
            bind_port: 8080,
            connect_port: 8080,
            mtu: 1_500,
            tolerance: Duration::from_millis(4),
            tolerance_percent: persona.tolerance_percent(),
            gso_size: None,
            timestamp_tick: Duration::ZERO,
            calls_not_fatal: false,
            packets_not_fatal: false,
            keep_init: persona.connect_timeout(),
            keep_idle: Duration::from_secs(7_200),
            notsent_low: None,
            fast_open: 1,
            tcp: persona.tcp(),
        };
        let (mut local, mut remote) = (None, None);
        for setting in &script.settings {
            let value = setting.value.as_str();
            let wrong = || {
                let reason = format!("`--{}={value}` is not understood", setting.name);
                (setting.line, Stop::Fail(reason))
            };
            let number = || value.parse::<u64>().map_err(|_| wrong());
            match setting.name.as_str() {
                "ip_version" => {
                    settings.family = match value {
                        "ipv4" => Family::V4,
                        "ipv6" => Family::V6,
                        "ipv4-mapped-ipv6" | "ipv4_mapped_ipv6" => Family::Mapped,
                        _ => return Err(wrong()),
                    }
                }
                "local_ip" => local = Some(value.parse::<IpAddr>().map_err(|_| wrong())?),
                "remote_ip" => {
                    let address = value.split('/').next().unwrap_or_default();
                    remote = Some(address.parse::<IpAddr>().map_err(|_| wrong())?);
                }
                "bind_port" => settings.bind_port = number()? as u16,
                "connect_port" => settings.connect_port = number()? as u16,
                "mtu" => settings.mtu = number()? as usize,
                "mss" => settings.gso_size = Some(number()?.max(1) as usize),
                "tolerance_usecs" => settings.tolerance = Duration::from_micros(number()?),
                "tolerance_percent" => {
                    settings.tolerance_percent = value.parse::<f64>().map_err(|_| wrong())?;
                }
                "tcp_ts_tick_usecs" => settings.timestamp_tick = Duration::from_micros(number()?),
                "non_fatal" => {
                    settings.calls_not_fatal = value.contains("syscall");
                    settings.packets_not_fatal = value.contains("packet");
                }
                // The udp port of an encapsulation that is skipped where it is used, and what has no meaning without a
                // kernel or a wire.
                _ => {}
            }
        }
        if persona == Persona::Linux
            && let Some(scale) = machine_scale(script)
        {
            settings.tcp.receive_buffer_most = 65_535 << scale;
        }
        if settings.family == Family::V6 {
            settings.local = Ipv6Addr::new(0xfd3d, 0x0a0b, 0x17d6, 0, 0, 0, 0, 1).into();
            settings.remote = Ipv6Addr::new(0xfd3d, 0xfa7b, 0xd17d, 0, 0, 0, 0, 1).into();
        }
        let v6 = settings.family == Family::V6;
        settings.local = local.filter(|address| address.is_ipv6() == v6).unwrap_or(settings.local);
        settings.remote = remote.filter(|address| address.is_ipv6() == v6).unwrap_or(settings.remote);
        Ok(settings)
    }

    /// Gives the host its address and a way to everywhere.
    pub(crate) fn connect(&self, host: &mut Host, interface: InterfaceId) {
        let (length, everywhere) = match self.local {
            IpAddr::V4(_) => (16, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            IpAddr::V6(_) => (64, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        };
        if let Some(address) = Cidr::new(self.local, length) {
            host.add_address(interface, address);
        }
        if let Some(prefix) = IpPrefix::new(everywhere, 0) {
            host.add_route(Route { prefix, target: RouteTarget::OnLink(interface), metric: 0 });
        }
    }

    /// How far from its time something may happen; `since`: how long after the event before it.
    pub(crate) fn tolerance(&self, since: Duration) -> Duration {
        self.tolerance.max(since.mul_f64((self.tolerance_percent / 100.0).clamp(0.0, 100.0)))
    }

    /// Whether sockets are of the IPv6 family.
    pub(crate) fn v6_sockets(&self) -> bool {
        self.family != Family::V4
    }
}

/// The window scale of the host's first SYN, where nothing in the script decides it: Linux derives it from a limit that
/// grew with its versions and grows with a machine's memory (`tcp_rmem`), so that it tells on which one a script was
/// written.
fn machine_scale(script: &Script) -> Option<u8> {
    const SYN: u16 = 2;
    for event in &script.events {
        match &event.action {
            Action::Shell(text) if text.contains("rmem") || text.contains("defaults.sh") => return None,
            Action::Call(call) if call.arguments.contains(&Expr::Word("SO_RCVBUF".to_owned())) => {
                return None;
            }
            Action::Packet(packet) if packet.direction == Direction::Out => {
                let Body::Tcp(tcp) = &packet.body else { return None };
                if tcp.flags & SYN == 0 {
                    continue;
                }
                return tcp.options.iter().flatten().find_map(|option| match option {
                    OptionSpec::WindowScale(scale) => Some((*scale).clamp(2, 14)),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    None
}
