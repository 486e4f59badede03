//! `thru serve dns`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use thru_names::dnssec::signing::live::LiveZone;
use thru_names::proto::rr::Name;
use thru_names::resolver::{ResolverConfig, Upstream, UpstreamKind};
use thru_names::service::access::{Access, Action};
use thru_names::service::{ServiceConfig, Stale};
use thru_net::Network;
use thru_serve::nameserver::{Certificate, LogFn, Logged, NameServer, Role, Transport, control};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};

use super::orders::Orders;
use super::zones::Files;
use super::{keys, zones};
use crate::args::names::ServeDnsArgs;
use crate::commands::masters;
use crate::commands::up::until_told;
use crate::failure::{Failure, HEALTHY};
use crate::place::Place;
use crate::{Outcome, output};

/// Seconds that a stale record is given (RFC 8767 section 4).
const STALE_TTL: u32 = 30;

/// Serves until interrupted.
pub(crate) fn run(args: &ServeDnsArgs) -> Outcome {
    let place = Place::choose(&args.place, "")?;
    if matches!(place, Place::Lab { .. }) {
        return Err(Failure::usage(
            "a lab has name servers of its own, and its time does not wait for anybody",
            "serve on the host's network or on iface:NAME; `thru lab up` joins a lab to this machine",
        ));
    }
    let (role, found) = role(args)?;
    let log = args.query_log.as_deref().map(log_to).transpose()?;
    let args = args.clone();
    place.run(move |session| async move { serve(&session.network(), role, found, log, &args).await })?
}

async fn serve(
    network: &Network,
    role: Role,
    found: Option<Live>,
    log: Option<Box<LogFn>>,
    args: &ServeDnsArgs,
) -> Outcome {
    let mut server = NameServer::new(network, role, log);
    let usual = [SocketAddr::from((Ipv4Addr::LOCALHOST, 53))];
    let encrypted = !(args.tls.is_empty() && args.https.is_empty() && args.quic.is_empty());
    let listen: &[SocketAddr] = if args.listen.is_empty() && !encrypted { &usual } else { &args.listen };
    for at in listen {
        let bound = server.listen(*at).await.map_err(|error| taken(*at, &error))?;
        output::say(&format!("listening on {bound} (udp, tcp)\n"));
    }
    if encrypted {
        listen_secured(network, &mut server, args).await?;
    }
    let engine = server.engine();
    let orders = found.map(|(live, files)| {
        engine.write_down(files.journals.writer());
        engine.keep_signed(live, keys::save(args.keys.as_deref()));
        Orders::new(args.clone(), engine.clone(), files)
    });
    let more = move |words: &[&str]| orders.as_ref()?.obey(words);
    let control = Control::open(args.control.as_deref(), listen.first().map_or(53, SocketAddr::port))?;
    output::say(&format!("orders are taken at {}; ^C ends it\n", control.path.display()));
    let broken = |error: io::Error| Failure::undecided(format!("cannot go on: {error}"), "");
    tokio::select! {
        biased;
        told = until_told() => told.map_err(broken)?,
        ended = control::serve(&control.listener, engine.clone(), &more) => ended.map_err(broken)?,
        ended = reload_when_told(&more) => ended.map_err(broken)?,
        ended = server.run() => ended.map_err(broken)?,
    }
    let counted = engine.statistics();
    let queries: Vec<String> = Transport::ALL
        .iter()
        .filter(|transport| counted.queries[**transport as usize] > 0)
        .map(|transport| format!("{} by {transport}", counted.queries[*transport as usize]))
        .collect();
    let queries = if queries.is_empty() { "no query".to_owned() } else { queries.join(", ") };
    let replies: u64 = counted.replies.iter().sum();
    output::say(&format!("{queries}; {replies} replies, {} questions to other servers\n", counted.asked));
    Ok(HEALTHY)
}

/// SIGHUP: the zones are read again.
async fn reload_when_told(orders: &control::MoreFn) -> io::Result<()> {
    let mut told = signal(SignalKind::hangup())?;
    while told.recv().await.is_some() {
        let said = orders(&["reload"]).unwrap_or_else(|| "there are no zones to be read again".into());
        output::say(&format!("{said}\n"));
    }
    Ok(())
}

async fn listen_secured(
    network: &Network,
    server: &mut NameServer,
    args: &ServeDnsArgs,
) -> Result<(), Failure> {
    let kinds = [(Transport::Tls, &args.tls), (Transport::Https, &args.https), (Transport::Quic, &args.quic)];
    let certificate = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => {
            let read = |file: &Path| {
                std::fs::read(file).map_err(|error| {
                    Failure::usage(format!("cannot read {}: {error}", file.display()), "is the path right?")
                })
            };
            Certificate::from_pem(&read(cert)?, &read(key)?)
                .map_err(|why| Failure::usage(why, "both have to be PEM, the leaf's certificate first"))?
        }
        _ => {
            let mut names = vec!["localhost".to_owned()];
            names.extend(kinds.iter().flat_map(|(_, at)| at.iter()).map(|at| at.ip().to_string()));
            names.dedup();
            Certificate::own(network, names).map_err(|why| Failure::undecided(why, ""))?
        }
    };
    for (transport, listen) in kinds {
        for at in listen {
            let bound = server.listen_secured(*at, transport, &certificate).await;
            let bound = bound.map_err(|error| taken(*at, &error))?;
            output::say(&format!("listening on {bound} ({transport})\n"));
        }
    }
    Ok(())
}

/// The socket that orders come by; its name goes with it.
struct Control {
    path: PathBuf,
    listener: UnixListener,
}

impl Control {
    fn open(path: Option<&Path>, port: u16) -> Result<Control, Failure> {
        let path = path.map_or_else(|| usual_control(port), Path::to_path_buf);
        let bind = || UnixListener::bind(&path);
        let listener = match bind() {
            // Left behind by a server that is gone, if nobody answers there. What is no socket is somebody's file.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let socket = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.file_type().is_socket());
                if !socket || std::os::unix::net::UnixStream::connect(&path).is_ok() {
                    Err(error)
                } else {
                    let _ = std::fs::remove_file(&path);
                    bind()
                }
            }
            other => other,
        };
        let listener = listener.map_err(|error| {
            Failure::undecided(
                format!("cannot take orders at {}: {error}", path.display()),
                "is another server running? Give this one a path of its own with --control",
            )
        })?;
        Ok(Control { path, listener })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Where the server on this port takes orders, unless it is told otherwise: in a folder that is this user's alone, or,
/// without one, under a name that tells the user.
pub(crate) fn usual_control(port: u16) -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(folder) => PathBuf::from(folder).join(format!("thru-dns-{port}.sock")),
        None => {
            let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
            std::env::temp_dir().join(format!("thru-dns-{}-{port}.sock", user.replace('/', "_")))
        }
    }
}

/// Zones that are signed here, and the files that they come from.
type Live = (Vec<LiveZone>, Files);

fn role(args: &ServeDnsArgs) -> Result<(Role, Option<Live>), Failure> {
    if args.zone.is_empty() && args.secondary.is_empty() {
        return Ok((Role::Recursive(Box::new(service(args)?)), None));
    }
    let zones::Found { zones, live, files } = zones::read(args)?;
    Ok((Role::Authoritative(zones), Some((live, files))))
}

fn service(args: &ServeDnsArgs) -> Result<ServiceConfig, Failure> {
    let mut resolver = match &args.root_hints {
        Some(file) => ResolverConfig::new(masters::hints(file)?),
        None => ResolverConfig::internet(),
    };
    if !args.anchor.is_empty() {
        resolver.anchors = masters::anchors(&args.anchor)?;
    }
    if !args.forward.is_empty() {
        resolver.upstreams.push(Upstream {
            zone: Name::root(),
            kind: UpstreamKind::Forward,
            addresses: args.forward.clone(),
            hosts: Vec::new(),
            first: false,
            tcp: false,
            no_cache: false,
            prime: false,
        });
    }
    resolver.validate = !args.no_validate;
    resolver.port = args.upstream_port;
    resolver.limits.cache = args.cache;
    // Sets weigh some tens of octets each; the bound is for the large ones.
    resolver.limits.cache_octets = resolver.limits.cache_octets.max(args.cache.saturating_mul(1024));
    resolver.lifetimes.stale = args.serve_stale.unwrap_or(0);
    let mut config = ServiceConfig::new(resolver);
    config.access = access(args);
    config.stale = Stale {
        enabled: args.serve_stale.is_some(),
        reply_ttl: STALE_TTL,
        reset: false,
        // RFC 8767 section 5 recommends 1.8 s.
        client_timeout: std::time::Duration::from_millis(1800),
    };
    match &args.config {
        Some(file) => configured(file, config),
        None => Ok(config),
    }
}

/// What a file in unbound's words changes.
fn configured(file: &Path, base: ServiceConfig) -> Result<ServiceConfig, Failure> {
    let wrong = |why: String| {
        Failure::usage(
            format!("{}: {why}", file.display()),
            "docs/names.md lists the settings that are understood",
        )
    };
    let read = |file: &Path| {
        std::fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))
    };
    let text = read(file).map_err(wrong)?;
    // Files are named from where the configuration stands.
    let folder = file.parent().unwrap_or(Path::new("."));
    let beside = |name: &str| read(&folder.join(name));
    let (config, idle) = thru_names::replay::configured(&text, base, &beside).map_err(wrong)?;
    if config.zones.iter().any(|zone| zone.source.is_some()) {
        return Err(wrong("zones by transfer are not supported here yet; use zonefile:".into()));
    }
    for setting in idle {
        output::say(&format!("{}: {setting} has no effect here\n", file.display()));
    }
    Ok(config)
}

/// Who may ask.
fn access(args: &ServeDnsArgs) -> Access {
    let mut access = Access::default();
    access.otherwise = Action::Refuse;
    if args.allow.is_empty() {
        let v4 = |a, b, length| (IpAddr::from(Ipv4Addr::new(a, b, 0, 0)), length);
        let v6 = |first: u16, length| (IpAddr::from(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0)), length);
        let own = (Ipv6Addr::LOCALHOST.into(), 128);
        let private = [v4(127, 0, 8), v4(10, 0, 8), v4(172, 16, 12), v4(192, 168, 16), v4(169, 254, 16)];
        for (prefix, length) in private.into_iter().chain([own, v6(0xfc00, 7), v6(0xfe80, 10)]) {
            access.add(prefix, length, Action::Allow);
        }
    }
    for prefix in &args.allow {
        access.add(prefix.address(), prefix.len(), Action::Allow);
    }
    access
}

/// The query log: a JSON object a line.
fn log_to(file: &Path) -> Result<Box<LogFn>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(|line: &Logged<'_>| output::print(&format!("{}\n", line.json()))));
    }
    let opened = OpenOptions::new().create(true).append(true).open(file);
    let opened = opened.map_err(|error| {
        Failure::usage(format!("cannot write to {}: {error}", file.display()), "is the path right?")
    })?;
    let writer: Mutex<File> = Mutex::new(opened);
    Ok(Box::new(move |line: &Logged<'_>| {
        // A full disk must not end the service; the lines are missing then.
        if let Ok(mut file) = writer.lock() {
            let _ = file.write_all(format!("{}\n", line.json()).as_bytes());
        }
    }))
}

fn taken(at: SocketAddr, error: &io::Error) -> Failure {
    let hint = if error.kind() == io::ErrorKind::PermissionDenied {
        "ports below 1024 need root, or CAP_NET_BIND_SERVICE; try --listen 127.0.0.1:5353"
    } else {
        "is the port taken? `ss -ltnup` tells"
    };
    Failure::undecided(format!("cannot listen on {at}: {error}"), hint)
}
