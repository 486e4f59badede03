//! `thru serve dns` beside unbound, BIND and NSD on loopback, all in one run: `cargo bench -p thru --bench dns`.
//!
//! Each server has the first core to itself, the load generator the second; all get the same queries, a generated mix
//! of names in which few are asked for often. On a busy machine the rate by the server's own processor time is the
//! figure to trust; the rate by the clock is shown beside it. Servers that are not here are left out.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use thru_names::proto::rr::RecordType;
use thru_names::text::parse_name;
use thru_names::wire::{Header, Opt, Packet, Question};
use thru_os::batch::{BatchSocket, Inbox, Outbox};

/// Names in the mix.
const NAMES: usize = 10_000;
/// Names whose memory is weighed.
const WEIGHED: usize = 100_000;
/// Queries under way at full speed.
const WINDOW: usize = 256;
/// How long each measurement takes.
const TIME: Duration = Duration::from_secs(3);
/// Rounds; the median is told.
const ROUNDS: usize = 3;
/// Queries a second at which latency is measured.
const PACE: u64 = 10_000;

fn main() {
    // Else the kernel may put the generator beside the server that it measures.
    let own = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-cp", "1", &own]).stdout(Stdio::null()).status();
    assert!(pinned.is_ok_and(|status| status.success()), "two cores and taskset are needed");
    let folder = std::env::temp_dir().join(format!("thru-bench-dns-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder");
    let bench = Bench { folder: folder.clone() };
    let authority = bench.authorities();
    bench.resolvers(&authority);
    drop(authority);
    let _ = fs::remove_dir_all(folder);
}

struct Bench {
    folder: PathBuf,
}

/// A server, ended with it.
struct Server {
    name: &'static str,
    child: Child,
    at: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a run at full speed showed.
#[derive(Clone, Copy, Default)]
struct Speed {
    by_clock: f64,
    by_processor: f64,
}

impl Bench {
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("text").to_owned()
    }

    /// Starts a server on the first core; `None` if it is not installed.
    fn start(
        &self,
        name: &'static str,
        program: &str,
        words: &[&str],
        at: SocketAddr,
        ready: &str,
    ) -> Option<Server> {
        let mut child = Command::new("taskset")
            .args(["-c", "0", program])
            .args(words)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut heard = String::new();
        loop {
            let Some(Ok(line)) = lines.next() else {
                let _ = child.wait();
                println!("{name}: not here ({})", heard.lines().last().unwrap_or("it said nothing"));
                return None;
            };
            heard.push_str(&line);
            heard.push('\n');
            if line.contains(ready) {
                break;
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        Some(Server { name, child, at })
    }

    /// The authorities side by side; ours stays for the resolvers.
    fn authorities(&self) -> Server {
        let mut zone = "bench. 86400 IN SOA ns.bench. admin.bench. 1 3600 900 604800 60\nbench. 86400 IN NS ns.bench.\nns.bench. 86400 IN A 127.0.0.1\n".to_owned();
        for number in 0..NAMES + WEIGHED {
            zone += &format!("n{number}.bench. 86400 IN A 192.0.{}.{}\n", number / 256 % 256, number % 256);
        }
        let file = self.write("bench.zone", &zone);
        let (ours_at, nsd_at) = (free(), free());
        let control = self.folder.join("authority.sock");
        let listen = ours_at.to_string();
        let words = ["serve", "dns", "--listen", &listen, "--zone", &file, "--control", text(&control)];
        let ours = self
            .start("thru", env!("CARGO_BIN_EXE_thru"), &words, ours_at, "orders are taken")
            .expect("ours");
        let conf = format!(
            "server:\n ip-address: 127.0.0.1\n port: {}\n username: \"\"\n chroot: \"\"\n zonesdir: \"{1}\"\n pidfile: \"\"\n database: \"\"\n \
             xfrdfile: \"{1}/xfrd\"\n zonelistfile: \"{1}/zonelist\"\n xfrdir: \"{1}\"\n cookie-secret-file: \"\"\n server-count: 1\n rrl-ratelimit: 0\n\
             remote-control:\n control-enable: no\nzone:\n name: bench\n zonefile: bench.zone\n",
            nsd_at.port(),
            self.folder.display()
        );
        let conf = self.write("nsd.conf", &conf);
        let nsd = self.start("NSD", "nsd", &["-d", "-V", "2", "-c", &conf], nsd_at, "nsd started");
        println!("Authorities, {NAMES} names of {}:", NAMES + WEIGHED);
        let all: Vec<&Server> = std::iter::once(&ours).chain(&nsd).collect();
        compare(&all, &mix(NAMES));
        ours
    }

    fn resolvers(&self, authority: &Server) {
        let port = authority.at.port().to_string();
        let (ours_at, unbound_at, bind_at) = (free(), free(), free());
        let control = self.folder.join("resolver.sock");
        let listen = ours_at.to_string();
        let words = [
            "serve",
            "dns",
            "--listen",
            &listen,
            "--forward",
            "127.0.0.1",
            "--upstream-port",
            &port,
            "--no-validate",
            "--control",
            text(&control),
        ];
        let ours = self.start("thru", env!("CARGO_BIN_EXE_thru"), &words, ours_at, "orders are taken");
        let conf = format!(
            "server:\n directory: \"{0}\"\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n interface: 127.0.0.1\n port: {1}\n num-threads: 1\n \
             do-not-query-localhost: no\n use-syslog: no\n logfile: \"\"\n do-daemonize: no\n verbosity: 1\n module-config: \"iterator\"\n \
             msg-cache-size: 256m\n rrset-cache-size: 512m\n domain-insecure: bench\n \
             do-ip6: no\nremote-control:\n control-enable: no\nforward-zone:\n name: \".\"\n forward-addr: 127.0.0.1@{port}\n",
            self.folder.display(),
            unbound_at.port()
        );
        let conf = self.write("unbound.conf", &conf);
        let unbound = self.start("unbound", "unbound", &["-d", "-c", &conf], unbound_at, "start of service");
        let conf = format!(
            "options {{ directory \"{}\"; listen-on port {} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file none; session-keyfile none; \
             dnssec-validation no; recursion yes; forward only; forwarders {{ 127.0.0.1 port {port}; }}; }}; controls {{ }};\n",
            self.folder.display(),
            bind_at.port()
        );
        let conf = self.write("named.conf", &conf);
        let bind = self.start("BIND", "named", &["-g", "-4", "-n", "1", "-c", &conf], bind_at, "running");
        println!("Resolvers, {NAMES} names, all cached:");
        let all: Vec<&Server> = [&ours, &unbound, &bind].into_iter().flatten().collect();
        let queries = mix(NAMES);
        for server in &all {
            fill(server.at, &(0..NAMES).map(query).collect::<Vec<_>>());
        }
        compare(&all, &queries);
        println!("Memory for {WEIGHED} further names, one A record each:");
        for server in &all {
            let before = memory(server);
            fill(server.at, &(NAMES..NAMES + WEIGHED).map(query).collect::<Vec<_>>());
            let grown = memory(server).saturating_sub(before) * 1024;
            println!("  {:8} {:6} octets a name", server.name, grown / WEIGHED as u64);
        }
    }
}

/// Full speed and latency of each, in turn.
fn compare(servers: &[&Server], queries: &[Vec<u8>]) {
    let mut speeds: BTreeMap<&str, Vec<Speed>> = BTreeMap::new();
    let mut late: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for server in servers {
            speeds.entry(server.name).or_default().push(full_speed(server, queries));
            late.entry(server.name).or_default().push(latency(server, queries));
        }
    }
    for server in servers {
        let speed = |of: fn(&Speed) -> f64| {
            let mut all: Vec<f64> = speeds[server.name].iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        let mut latencies = late[server.name].clone();
        latencies.sort_unstable();
        let (p99, p50) = latencies[latencies.len() / 2];
        println!(
            "  {:8} {:9.0} queries a second of its processor time, {:9.0} by the clock; at {PACE}/s {p50} us median, {p99} us p99",
            server.name,
            speed(|speed| speed.by_processor),
            speed(|speed| speed.by_clock),
        );
    }
}

/// As many queries as it takes, with a window of them under way.
fn full_speed(server: &Server, queries: &[Vec<u8>]) -> Speed {
    let (begun, processor) = (Instant::now(), processor_time(server));
    let mut load = Load::new(server.at);
    let (mut sent, mut answered, mut stuck) = (0_usize, 0_usize, Instant::now());
    while begun.elapsed() < TIME {
        let room = WINDOW.saturating_sub(sent - answered).min(64);
        for _ in 0..room {
            load.put(&queries[sent % queries.len()], sent as u16);
            sent += 1;
        }
        load.flush();
        let came = load.take(|_| {});
        if came > 0 {
            answered += came;
            stuck = Instant::now();
        } else if stuck.elapsed() > Duration::from_millis(200) {
            // Lost on the way: they are not waited for.
            answered = sent;
            stuck = Instant::now();
        }
    }
    let took = begun.elapsed().as_secs_f64();
    let used = (processor_time(server) - processor).as_secs_f64();
    let total = load.answers as f64;
    Speed { by_clock: total / took, by_processor: total / used.max(0.01) }
}

/// p99 and median in microseconds, at a steady pace.
fn latency(server: &Server, queries: &[Vec<u8>]) -> (u64, u64) {
    let mut load = Load::new(server.at);
    let begun = Instant::now();
    let mut at = vec![begun; 65_536];
    let (mut sent, mut took) = (0_u64, Vec::new());
    while begun.elapsed() < TIME {
        while sent < begun.elapsed().as_micros() as u64 * PACE / 1_000_000 {
            at[sent as usize % 65_536] = Instant::now();
            load.put(&queries[sent as usize % queries.len()], sent as u16);
            sent += 1;
            load.flush();
        }
        load.take(|id| took.push(at[usize::from(id)].elapsed().as_micros() as u64));
    }
    took.sort_unstable();
    let place = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or(u64::MAX);
    (place(99), place(50))
}

/// Asks each query once until it is answered.
fn fill(at: SocketAddr, queries: &[Vec<u8>]) {
    let mut load = Load::new(at);
    for chunk in queries.chunks(64) {
        let mut missing: Vec<bool> = vec![true; chunk.len()];
        let mut tries = 0;
        while missing.contains(&true) {
            tries += 1;
            assert!(tries < 50, "{at} does not answer");
            for (id, query) in chunk.iter().enumerate().filter(|(id, _)| missing[*id]) {
                load.put(query, id as u16);
            }
            load.flush();
            let begun = Instant::now();
            while missing.contains(&true) && begun.elapsed() < Duration::from_millis(200) {
                load.take(|id| missing[usize::from(id)] = false);
            }
        }
    }
}

/// The load generator's socket.
struct Load {
    socket: BatchSocket,
    to: SocketAddr,
    inbox: Inbox,
    outbox: Outbox,
    answers: usize,
}

impl Load {
    fn new(to: SocketAddr) -> Load {
        let socket = BatchSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), false).expect("loopback");
        Load { socket, to, inbox: Inbox::default(), outbox: Outbox::default(), answers: 0 }
    }

    fn put(&mut self, query: &[u8], id: u16) {
        let start = self.outbox.octets.len();
        self.outbox.octets.extend_from_slice(query);
        self.outbox.octets[start..start + 2].copy_from_slice(&id.to_be_bytes());
        self.outbox.seal(self.to);
    }

    fn flush(&mut self) {
        let (mut sent, total) = (0, self.outbox.len());
        while sent < total {
            match self.socket.send(&mut self.outbox, sent) {
                Ok(count) => sent = count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        self.outbox.clear();
    }

    /// Takes what is there; the ids of answers with records.
    fn take(&mut self, mut each: impl FnMut(u16)) -> usize {
        if self.socket.receive(&mut self.inbox).is_err() {
            std::thread::yield_now();
            return 0;
        }
        let mut came = 0;
        for (_, answer) in self.inbox.iter() {
            assert!(answer[3] & 15 == 0 && answer[7] == 1, "a wrong answer: {answer:?}");
            each(u16::from_be_bytes([answer[0], answer[1]]));
            came += 1;
        }
        self.answers += came;
        came
    }
}

fn query(number: usize) -> Vec<u8> {
    let packet = Packet {
        header: Header { recursion_desired: true, ..Header::default() },
        questions: vec![Question::new(
            parse_name(&format!("n{number}.bench.")).expect("a name"),
            RecordType::A,
        )],
        opt: Some(Opt { payload: 1232, ..Opt::default() }),
        ..Packet::default()
    };
    packet.write(512).expect("it fits")
}

/// A long list of queries in which few names are asked for often.
fn mix(names: usize) -> Vec<Vec<u8>> {
    let mut state = 7_u64;
    (0..65_536)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let chance = (state >> 11) as f64 / (1_u64 << 53) as f64;
            // The fourth power: half of the questions are about a sixteenth of the names.
            query((chance.powi(4) * names as f64) as usize)
        })
        .collect()
}

fn free() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// Processes of a server: some have children that do the work.
fn processes(server: &Server) -> Vec<u32> {
    let mut all = vec![server.child.id()];
    let mut at = 0;
    while let Some(id) = all.get(at) {
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        all.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        at += 1;
    }
    all
}

/// Processor time that a server has used.
fn processor_time(server: &Server) -> Duration {
    let ticks: u64 = processes(server)
        .iter()
        .filter_map(|id| fs::read_to_string(format!("/proc/{id}/stat")).ok())
        .map(|stat| {
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum::<u64>()
        })
        .sum();
    // USER_HZ is 100 on every Linux.
    Duration::from_millis(ticks * 10)
}

/// Resident memory in kilobytes.
fn memory(server: &Server) -> u64 {
    let of = |id: &u32| {
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    processes(server).iter().filter_map(of).sum()
}
