//! `thru lab shell`: a command on a host of a lab. The lab runs in this process, in real time; the command runs in
//! namespaces of its own, whose only way out is the lab. Others may `join` the same lab as other hosts.

mod browser;
mod join;
mod relay;

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use thru_lab::Scenario;
use thru_net::iface::Pollable;
use thru_os::namespace::{self, Fresh};
use tokio::signal::unix::{SignalKind, signal};

use self::join::{Door, Guest, Welcome};
use crate::args::labs::ShellArgs;
use crate::failure::{Failure, UNDECIDED};
use crate::{Outcome, joint, output};

/// The host's interface, as the command sees it.
const INTERFACE: &str = "eth0";
/// Where programs look for certificates they trust.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// What tells programs to trust a file instead.
const TRUST: [&str; 7] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
];

/// Runs the command; exits as it did.
pub(crate) fn run(args: &ShellArgs) -> Outcome {
    if args.join {
        return joined(args);
    }
    let (scenario, node) = joint::scenario(&args.chosen.lab, &args.chosen.set, args.node.as_deref())?;
    let door = open_door(&scenario.name, args.command.is_empty());
    let device = enter(&scenario, node)?;
    let options = scenario.options(args.chosen.seed.unwrap_or(scenario.seed));
    let command = args.command.clone();
    let (lab_name, set) = (absolute(&args.chosen.lab), args.chosen.set.clone());
    let result = thru_net::lab::real::run(options, |lab| async move {
        let internet = scenario
            .clone()
            .start(&lab)
            .await
            .map_err(|error| Failure::usage(format!("cannot start the lab: {error}"), ""))?;
        let joined = internet.join(node, 0, device).map_err(|error| no_wire(&error))?;
        let trust = internet.trust_pem();
        let home = Home::new(&trust, &scenario, node).map_err(|error| no_files(&error))?;
        let mut letting_in = None;
        if let Some(door) = &door {
            let (sender, guests) = tokio::sync::mpsc::unbounded_channel();
            let welcome = Welcome { lab: lab_name, set, trust };
            door.serve(scenario.clone(), node, welcome, sender).map_err(|error| no_files(&error))?;
            letting_in = Some(tokio::spawn(join::let_in(internet.clone(), guests)));
        }
        let status = attend(&command, &home, std::future::pending()).await?;
        if let Some(letting_in) = letting_in {
            letting_in.abort();
        }
        drop(joined);
        Ok::<_, Failure>(status)
    });
    let status = result.map_err(|error| Failure::undecided(format!("cannot start: {error}"), ""))??;
    Ok(exit_code(status))
}

/// As another host of a lab that runs in another terminal.
fn joined(args: &ShellArgs) -> Outcome {
    let name = crate::place::scenario(&args.chosen.lab, &[])?.name;
    let Some(node) = &args.node else {
        return Err(Failure::usage(
            "which host shall this shell be?",
            "add --as NODE; `thru lab show` lists them",
        ));
    };
    let (stream, welcome) = join::join(&name, node)?;
    let (scenario, index) = joint::scenario(&welcome.lab, &welcome.set, Some(node))?;
    let device = enter(&scenario, index)?;
    let command = args.command.clone();
    let status = crate::session::real_time()?.block_on(async move {
        let lab = Guest::lab(stream).map_err(|error| no_wire(&error))?;
        let home = Home::new(&welcome.trust, &scenario, index).map_err(|error| no_files(&error))?;
        let ended = relay::run(device, Box::new(lab));
        attend(&command, &home, ended).await
    })?;
    Ok(exit_code(status))
}

/// Into namespaces whose only interface is the host's; its other end.
fn enter(scenario: &Scenario, node: usize) -> Result<Box<dyn Pollable>, Failure> {
    let user = namespace::user() != 0;
    namespace::enter(Fresh { user, mount: true }).map_err(|error| no_namespace(&error))?;
    let device = joint::wire(scenario, node, INTERFACE).map_err(|error| no_wire(&error))?;
    joint::configure(scenario, node, INTERFACE, |_| true).map_err(|error| no_wire(&error))?;
    Ok(device)
}

/// Where others can join; a lab without is as good, but for that.
fn open_door(lab: &str, talk: bool) -> Option<Door> {
    match Door::open(lab) {
        Ok(Some(door)) => Some(door),
        Ok(None) if !talk => None,
        Ok(None) => {
            output::say(&format!(
                "a lab `{lab}` is running already; this is another one, which nobody can join\n"
            ));
            None
        }
        Err(error) => {
            output::say(&format!("warning: nobody can join this lab: {error}\n"));
            None
        }
    }
}

/// A scenario file's path as others find it.
fn absolute(lab: &str) -> String {
    match Path::new(lab).canonicalize() {
        Ok(path) if path.is_file() => path.to_string_lossy().into_owned(),
        _ => lab.to_owned(),
    }
}

/// As shells tell it: 128 and the signal, if it was killed.
fn exit_code(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code as u8,
        (None, Some(signal)) => 128 + signal as u8,
        (None, None) => UNDECIDED,
    }
}

/// Starts the command and waits for its end. Interrupts from the terminal are for the command; a request to terminate
/// is passed on.
///
/// When the lab ends first, so does the command.
async fn attend(
    command: &[String],
    home: &Home,
    lab_ended: impl Future<Output = ()>,
) -> Result<ExitStatus, Failure> {
    let mut lab_ended = std::pin::pin!(lab_ended);
    let mut ended = false;
    let shell = [std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".to_owned())];
    let words = if command.is_empty() { &shell[..] } else { command };
    let cannot = |error: io::Error| {
        Failure::usage(format!("cannot run `{}`: {error}", words[0]), "is it installed, and in $PATH?")
    };
    let mut interrupts = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut quits = signal(SignalKind::quit()).map_err(cannot)?;
    let mut ends = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut hangups = signal(SignalKind::hangup()).map_err(cannot)?;
    let mut children = signal(SignalKind::child()).map_err(cannot)?;
    let mut program = Command::new(&words[0]);
    program.args(&words[1..]).envs(TRUST.map(|name| (name, &home.bundle)));
    program.env("THRU_LAB", &home.lab);
    // Proxies of the world outside can't be reached from here.
    for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        program.env_remove(proxy);
    }
    let mut child = thru_os::process::bound(&mut program).spawn().map_err(cannot)?;
    loop {
        if let Some(status) = child.try_wait().map_err(cannot)? {
            return Ok(status);
        }
        tokio::select! {
            biased;
            _ = children.recv() => {}
            _ = interrupts.recv() => {}
            _ = quits.recv() => {}
            _ = ends.recv() => thru_os::process::terminate(&child),
            _ = hangups.recv() => thru_os::process::terminate(&child),
            () = &mut lab_ended, if !ended => {
                ended = true;
                output::say("the lab has ended\n");
                thru_os::process::terminate(&child);
            }
        }
    }
}

/// The files by which programs find their way: shown in the command's mount namespace in place of the machine's.
struct Home {
    lab: String,
    /// The certificates to trust.
    bundle: PathBuf,
    /// Where the files are; vanishes with this.
    folder: PathBuf,
}

impl Home {
    fn new(trust: &str, scenario: &Scenario, node: usize) -> io::Result<Home> {
        let folder = std::env::temp_dir().join(format!("thru-lab-{}", std::process::id()));
        fs::create_dir(&folder)?;
        let mut home = Home { lab: scenario.name.clone(), bundle: folder.join("ca.pem"), folder };
        fs::write(&home.bundle, trust)?;
        for place in BUNDLES.map(Path::new) {
            if let Ok(place) = place.canonicalize() {
                namespace::bind(&home.bundle, &place)?;
            }
        }
        if let Some(place) = BUNDLES.map(Path::new).into_iter().find(|place| place.exists()) {
            home.bundle = place.to_owned();
        }
        let resolvers = joint::resolvers(scenario, node);
        let lines: String = resolvers.iter().map(|address| format!("nameserver {address}\n")).collect();
        home.show("resolv.conf", &lines, "/etc/resolv.conf")?;
        let hosts = scenario.nodes.iter().enumerate().flat_map(|(index, node)| {
            let addresses = [true, false].into_iter().filter_map(move |v6| scenario.address(index, v6));
            addresses.map(|address| format!("{address} {}\n", node.name.to_ascii_lowercase()))
        });
        let lines: String = hosts.collect();
        home.show("hosts", &format!("127.0.0.1 localhost\n::1 localhost\n{lines}"), "/etc/hosts")?;
        // Name services of the machine outside (systemd-resolved, nscd) would ask the world outside.
        let services = fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
        let line =
            |line: &str| if line.starts_with("hosts:") { "hosts: files dns\n" } else { line }.to_owned();
        let services: String = services.split_inclusive('\n').map(line).collect();
        home.show("nsswitch.conf", &services, "/etc/nsswitch.conf")?;
        browser::trust(trust);
        if home.bundle.starts_with("/etc") {
            // What is shown stays shown; nothing is left to clean up, whatever ends us.
            let _ = fs::remove_dir_all(&home.folder);
        }
        Ok(home)
    }

    /// Shows `text` at `place`, if there is something to be hidden.
    fn show(&self, name: &str, text: &str, place: &str) -> io::Result<()> {
        let Ok(place) = Path::new(place).canonicalize() else {
            output::say(&format!("warning: there is no `{place}` here to point at the lab\n"));
            return Ok(());
        };
        let file = self.folder.join(name);
        fs::write(&file, text)?;
        namespace::bind(&file, &place)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn no_files(error: &io::Error) -> Failure {
    Failure::undecided(
        format!("cannot prepare the command's files: {error}"),
        "is the temporary folder full?",
    )
}

fn no_namespace(error: &io::Error) -> Failure {
    Failure::undecided(
        format!("this user may not make namespaces: {error}"),
        "run as root, or allow it: `sudo sysctl -w user.max_user_namespaces=15000 kernel.apparmor_restrict_unprivileged_userns=0`",
    )
}

fn no_wire(error: &io::Error) -> Failure {
    Failure::undecided(
        format!("cannot make the lab's interface: {error}"),
        "the kernel needs TUN/TAP devices or veth pairs: `sudo modprobe tun`",
    )
}
