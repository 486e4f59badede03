//! The kernel at both ends of the paths that the goodput tables show our stack on, for each congestion controller it
//! has: `cargo bench -p thru-net --bench kernels`. As root, in namespaces of its own, in real time: about eight
//! minutes. With `THRU_BLESS=1` it writes `tests/goodput/kernel.tsv`, which `tests/congestion.rs` prints beside ours.
//!
//! Each end is a namespace of its own behind a TAP device without offloads, so that the kernel hands over packets of
//! 1500 bytes; between the devices lies the simulator's link, in real time, with the very pipe that our stack has in
//! virtual time. Flows of several paths run at once, each in a world of its own. Flows that the machine was too slow
//! for show in the last line: how often a link woke more than a millisecond late.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use thru_net::lab::LabOptions;
use thru_net::lab::real::{Punctuality, join, punctuality, run};
use thru_os::device::tun::Tun;
use thru_sim::link::{LinkConfig, Pipe};
use thru_stack::{HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_wire::MacAddr;

#[path = "../tests/congestion/paths.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod paths;
#[path = "../tests/kernel/place.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod place;

use paths::{Figures, KERNEL_CONTROLLERS, KERNEL_ROUNDS, LOSSY, Path, grid, median, write_kernel};
use place::{KERNEL, OURS, Place, socket};

/// Flows at once: few enough that two processors keep up with them.
const AT_ONCE: usize = 6;
const BENCH: &str = "bench kernels";

fn main() {
    if !thru_peers::is_root() {
        println!("DID NOT RUN: the benchmark of kernels makes network namespaces: run it as root");
        return;
    }
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("a kernel has a release");
    let controllers = available();
    for missing in KERNEL_CONTROLLERS.iter().filter(|name| !controllers.contains(name)) {
        println!("DID NOT RUN: this kernel has no {missing}");
    }
    let cells: Vec<(Path, &str, u64)> = (0..KERNEL_ROUNDS as u64)
        .flat_map(|round| grid().chain([LOSSY]).map(move |path| (path, round)))
        .flat_map(|(path, round)| controllers.iter().map(move |name| (path, *name, round)))
        .collect();
    let mut figures = Figures::new();
    let mut kept = Punctuality::default();
    for group in cells.chunks(AT_ONCE) {
        let flows: Vec<_> = group
            .iter()
            .map(|&(path, name, round)| std::thread::spawn(move || alone(path, name, round)))
            .collect();
        for (&(path, name, _), flow) in group.iter().zip(flows) {
            let Some((rate, how)) = flow.join().expect("a flow runs") else { return };
            kept = Punctuality { wakes: kept.wakes + how.wakes, late: kept.late + how.late };
            figures.entry((path, name.to_owned())).or_default().push(rate);
        }
    }
    for rates in figures.values_mut() {
        rates.sort_by(f64::total_cmp);
    }
    if std::env::var_os("THRU_BLESS").is_some() {
        std::fs::write(paths::kernel_file(), write_kernel(release.trim(), &figures))
            .expect("it can be written");
    }
    println!("Mbit/s of one flow, Linux {} at both ends; median of {KERNEL_ROUNDS}", release.trim());
    println!("{:>12} {:>7} {:>7}   {:>7} {:>7} {:>7}", "link", "RTT", "loss", "reno", "cubic", "bbr");
    for path in grid().chain([LOSSY]) {
        let cell = |name: &&str| {
            let rates = figures.get(&(path, (*name).to_owned()));
            rates.map_or("-".to_owned(), |rates| format!("{:.2}", median(rates.clone())))
        };
        let row: Vec<String> = KERNEL_CONTROLLERS.iter().map(|name| format!("{:>7}", cell(name))).collect();
        let (rate, loss) = (path.rate / 1_000_000, f64::from(path.loss) / 10.0);
        println!("{rate:>5} Mbit/s {:>4} ms {loss:>5.1} %   {}", path.rtt, row.join(" "));
    }
    println!("{} of {} times a link woke more than a millisecond late", kept.late, kept.wakes);
}

/// Which of [`KERNEL_CONTROLLERS`] this kernel has.
fn available() -> Vec<&'static str> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control");
    let text = text.expect("the kernel tells its controllers");
    KERNEL_CONTROLLERS.into_iter().filter(|name| text.split_whitespace().any(|word| word == *name)).collect()
}

/// A namespace behind a TAP device.
fn end(addresses: [&str; 2]) -> Option<(Place, Tun)> {
    let place = Place::new(BENCH)?;
    let tap = place.tun_at(BENCH, true, false, addresses)?;
    Some((place, tap))
}

/// Mbit/s of one flow over its path, from its SYN on, and how well the link kept the time.
fn alone(path: Path, controller: &str, round: u64) -> Option<(f64, Punctuality)> {
    let (near, near_tap) = end(OURS)?;
    let (far, far_tap) = end(KERNEL)?;
    let controller = controller.to_owned();
    let seed = 1 + round;
    let options = LabOptions {
        name: "kernels".to_owned(),
        seed,
        epoch_unix_nanos: 0,
        limit: Duration::from_secs(3_600),
    };
    let (bytes, kept) = run(options, |lab| async move {
        let nodes = {
            let mut world = lab.world();
            let nodes = ["near", "far"].map(|name| world.add_host(name, HostConfig::default()));
            let interface = |number: u8| {
                let mac = MacAddr([2, 0, 0, 0, 0, number]);
                Some(InterfaceConfig { name: "eth0".to_owned(), medium: Medium::Ethernet, mac, mtu: 1500 })
            };
            let pipe = path.pipe();
            let back = Pipe { delay: pipe.delay, ..Pipe::default() };
            let config = LinkConfig { a_to_b: pipe, b_to_a: back };
            world.connect("link", (nodes[0], interface(1)), (nodes[1], interface(2)), config);
            nodes
        };
        let _near = join(&lab, nodes[0], InterfaceId(0), Box::new(near_tap)).expect("it can be watched");
        let _far = join(&lab, nodes[1], InterfaceId(0), Box::new(far_tap)).expect("it can be watched");
        let flow = tokio::task::spawn_blocking(move || transfer(&near, &far, &controller, path.time()));
        (flow.await.expect("a flow runs"), punctuality(&lab))
    })
    .expect("a runtime");
    Some((bytes as f64 * 8.0 / 1e6 / path.time().as_secs_f64(), kept))
}

/// What the kernel's one end delivers to the other in that time.
fn transfer(near: &Place, far: &Place, controller: &str, time: Duration) -> u64 {
    let listener = far.within(|| TcpListener::bind(socket(KERNEL[0], 0))).expect("the kernel listens");
    let to = listener.local_addr().expect("bound");
    let end = Instant::now() + time;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = near.within(|| connect(to, controller)).expect("it listens");
            let block = [7; 1 << 16];
            // Until the other end has had enough.
            while stream.write(&block).is_ok() {}
        });
        let mut stream = listener.accept().expect("somebody connects").0;
        let (mut bytes, mut block) = (0, vec![0; 1 << 18]);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // Unread data makes it a reset.
                return bytes;
            }
            stream.set_read_timeout(Some(left)).expect("a time");
            match stream.read(&mut block) {
                Ok(0) => return bytes,
                Ok(read) => bytes += read as u64,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => panic!("{error}"),
            }
        }
    })
}

fn connect(to: SocketAddr, controller: &str) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_tcp_congestion(controller.as_bytes())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}
