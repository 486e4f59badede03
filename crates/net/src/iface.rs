//! Our own stack in real time on a device of the machine: `iface:NAME`.
//!
//! [`attach`] gives a device a [`Host`] of its own and a task that moves frames between the two. Sockets call the
//! host directly ([`Driver`]); what the host wants to send leaves at the end of each call, in one batch. The task
//! waits for three things: frames, the host's next deadline, and room to send.
//!
//! Addresses come from whoever attaches, or from the network itself ([`Iface::configured`]).
//!
//! Time is the machine's; every frame keeps the time at which it arrived.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use thru_os::clock;
pub use thru_os::device::Pollable;
use thru_os::device::{Properties, Stamps};
use thru_os::timer::Timer;
use thru_stack::autoconf::AutoconfConfig;
use thru_stack::frame::Offloads;
use thru_stack::route::{Route, RouteTarget};
use thru_stack::tcp::TcpConfig;
use thru_stack::{Frame, Host, HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_wire::{Cidr, Instant, IpPrefix, MacAddr};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use capture::Capture;

use crate::network::{Kind, Network};
use crate::own::{Driver, OwnNetwork};

mod auto;
mod capture;
mod open;
mod task;

pub use auto::{Patience, seconds_left};
pub use capture::Captured;
pub use open::{open, open_xdp, random_mac};

/// What our host on a device is made with.
#[derive(Clone, Debug, Default)]
pub struct IfaceOptions {
    /// Its addresses. The machine's kernel must not have them.
    pub addresses: Vec<Cidr>,
    /// Let the network give it addresses, routes and resolvers; on Ethernet only.
    pub autoconf: Option<AutoconfConfig>,
    /// Its default routers, at most one of each family; on a medium without neighbours none is needed.
    pub gateways: Vec<IpAddr>,
    /// Its hardware address; `None`: a random one.
    pub mac: Option<MacAddr>,
    /// Recursive resolvers, as resolv.conf would name them; if there are none, those that the network gives.
    pub resolvers: Vec<SocketAddr>,
    /// Settings of its TCP.
    pub tcp: TcpConfig,
    /// Keep the frames that are sent and received, for [`Iface::captured`].
    pub capture: bool,
}

/// Our host on a device. Dropping it takes the device away from under its sockets.
pub struct Iface {
    wire: Arc<Wire>,
    name: String,
    resolvers: Vec<SocketAddr>,
    task: JoinHandle<()>,
}

/// What the device has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IfaceStats {
    /// Frames received, and their bytes.
    pub received: (u64, u64),
    /// Frames handed to the device, and their bytes.
    pub sent: (u64, u64),
    /// Frames that found neither room on the device nor in the queue before it.
    pub dropped: u64,
}

/// Puts a host of ours on `device`. Needs a tokio runtime with I/O.
pub fn attach(device: Box<dyn Pollable>, options: IfaceOptions) -> io::Result<Iface> {
    let properties = device.properties().clone();
    let mut seed = [0; 8];
    thru_os::entropy::fill(&mut seed);
    let seed = u64::from_ne_bytes(seed);
    let host = host(&properties, &options, seed)?;
    let watched = thru_os::watch::watch(device.fd())?;
    let state = State {
        host,
        device,
        queue: VecDeque::new(),
        timers: BTreeMap::new(),
        next_timer: 0,
        armed: Instant::NEVER,
        stats: IfaceStats::default(),
        capture: options.capture.then(|| Capture::new(properties.ethernet)),
        failed: None,
    };
    let wire = Arc::new(Wire { state: Mutex::new(state), timer: Timer::new()?, queued: Notify::new() });
    // A host that is configured by its network begins to speak by itself.
    wire.settle(&mut wire.state());
    let task = tokio::spawn(task::run(wire.clone(), watched));
    Ok(Iface { wire, name: properties.name, resolvers: options.resolvers, task })
}

fn host(properties: &Properties, options: &IfaceOptions, seed: u64) -> io::Result<Host> {
    let tcp = options.tcp.clone();
    let mut host = Host::new(HostConfig { seed, tcp, ..HostConfig::default() });
    let interface = host.add_interface(InterfaceConfig {
        name: properties.name.clone(),
        medium: if properties.ethernet { Medium::Ethernet } else { Medium::Ip },
        mac: options.mac.unwrap_or_else(random_mac),
        mtu: properties.mtu,
    });
    // What is kept is kept whole.
    let gather = properties.offloads.gather && !options.capture;
    host.set_offloads(interface, Offloads { gather, ..properties.offloads });
    for address in &options.addresses {
        host.add_address(interface, *address);
    }
    for prefix in ["0.0.0.0/0", "::/0"].map(|text| text.parse::<IpPrefix>().expect("a prefix")) {
        let gateway = options.gateways.iter().find(|gateway| gateway.is_ipv6() == prefix.is_ipv6());
        let target = match gateway {
            Some(gateway) => RouteTarget::Via(interface, *gateway),
            None if !properties.ethernet => RouteTarget::OnLink(interface),
            None => continue,
        };
        host.add_route(Route { prefix, target, metric: 0 });
    }
    if let Some(config) = options.autoconf
        && !host.autoconfigure(clock::now(), interface, config)
    {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "it carries no Ethernet, and without that a network gives no addresses",
        ));
    }
    Ok(host)
}

impl Iface {
    /// Name of the interface, as in `eth0`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The network as our host sees it.
    pub fn network(&self) -> Network {
        let driver = self.wire.clone();
        let resolvers = if self.resolvers.is_empty() {
            let given = self.autoconf().map(|state| state.resolvers).unwrap_or_default();
            given.into_iter().map(|address| SocketAddr::new(address, 53)).collect()
        } else {
            self.resolvers.clone()
        };
        Network(Kind::Own(Arc::new(OwnNetwork { name: format!("iface:{}", self.name), driver, resolvers })))
    }

    /// Calls into the host at the present time, and sends what it then wants to send.
    pub fn with_host<R>(&self, call: impl FnOnce(&mut Host, Instant) -> R) -> R {
        crate::own::with(&*self.wire, call)
    }

    /// Who says when a frame arrived: what its times are worth.
    pub fn stamps(&self) -> Stamps {
        self.wire.state().device.properties().stamps
    }

    /// What the device has carried so far.
    pub fn stats(&self) -> IfaceStats {
        self.wire.state().stats
    }

    /// Why the device no longer works, if it doesn't.
    pub fn failure(&self) -> Option<String> {
        self.wire.state().failed.clone()
    }

    /// The frames so far, if they are kept; as Ethernet frames, whatever the device carries.
    pub fn captured(&self) -> Vec<Captured> {
        self.wire.state().capture.as_ref().map(Capture::frames).unwrap_or_default()
    }

    /// Waits until every connection is closed (TIME-WAIT needs no more packets), at most this long: what applications
    /// let go of still closes in the background.
    pub async fn settle(&self, limit: Duration) {
        let end = clock::now() + limit;
        let network = self.network();
        while self.with_host(|host, _| host.tcp_population()).1 > 0 && clock::now() < end {
            network.sleep(Duration::from_millis(2)).await;
        }
    }

    /// The interface of the host; it has one.
    pub fn interface(&self) -> InterfaceId {
        InterfaceId(0)
    }
}

impl Drop for Iface {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Iface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Iface({})", self.name)
    }
}

/// The host, its device, and what wakes the task between them.
struct Wire {
    state: Mutex<State>,
    timer: Timer,
    /// Frames wait for room on the device.
    queued: Notify,
}

struct State {
    host: Host,
    device: Box<dyn Pollable>,
    /// Frames that the device had no room for.
    queue: VecDeque<Frame>,
    timers: BTreeMap<(Instant, u64), Waker>,
    next_timer: u64,
    /// What the timer is set to.
    armed: Instant,
    stats: IfaceStats,
    capture: Option<Capture>,
    failed: Option<String>,
}

/// Most frames that wait for the device; as a kernel's default `txqueuelen`.
const QUEUE: usize = 1_000;

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After any call into the host: its frames leave, and the timer is set for what comes next.
    fn settle(&self, state: &mut State) {
        while let Some((_, frame)) = state.host.poll_transmit() {
            if state.queue.len() >= QUEUE {
                state.flush();
            }
            if state.queue.len() >= QUEUE {
                state.stats.dropped += 1;
                continue;
            }
            if let Some(capture) = &mut state.capture {
                capture.keep(&frame, true);
            }
            state.stats.sent.0 += 1;
            state.stats.sent.1 += frame.len() as u64;
            state.queue.push_back(frame);
        }
        state.flush();
        if !state.queue.is_empty() || state.device.is_stuck() {
            self.queued.notify_one();
        }
        let timers = state.timers.first_key_value().map_or(Instant::NEVER, |((at, _), _)| *at);
        let due = state.host.next_deadline().min(timers);
        if due != state.armed {
            state.armed = due;
            self.timer.set(due);
        }
    }
}

impl State {
    fn flush(&mut self) {
        if self.queue.is_empty() && !self.device.is_stuck() {
            return;
        }
        if let Err(error) = self.device.send_batch(&mut self.queue) {
            self.fail(&error);
        }
    }

    /// A device that fails is as a cable that is cut: nothing arrives any more.
    fn fail(&mut self, error: &io::Error) {
        self.queue.clear();
        self.failed.get_or_insert_with(|| error.to_string());
    }

    /// Frames that have arrived.
    fn receive(&mut self, batch: &mut Vec<Frame>, limit: usize) {
        if let Err(error) = self.device.recv_batch(batch, limit) {
            self.fail(&error);
        }
    }
}

impl Driver for Wire {
    fn call(&self, call: &mut dyn FnMut(&mut Host, Instant)) {
        let mut state = self.state();
        call(&mut state.host, clock::now());
        self.settle(&mut state);
    }

    fn now(&self) -> Instant {
        clock::now()
    }

    fn origin(&self) -> std::time::Instant {
        clock::origin()
    }

    fn unix_time(&self) -> Duration {
        clock::unix_time()
    }

    fn set_timer(&self, at: Instant, waker: Waker) -> u64 {
        let mut state = self.state();
        let number = state.next_timer;
        state.next_timer += 1;
        state.timers.insert((at, number), waker);
        self.settle(&mut state);
        number
    }

    fn cancel_timer(&self, key: u64) {
        // Sleeps are few: those of the application's own time limits.
        self.state().timers.retain(|(_, number), _| *number != key);
    }

    fn is_virtual(&self) -> bool {
        false
    }

    fn random(&self, _purpose: &str, bytes: &mut [u8]) {
        thru_os::entropy::fill(bytes);
    }
}
