//! What each command that works on real wires says to a user who may not: one line with the exact remedy, and nothing
//! half done.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use thru_os::namespace::NetworkNamespace;
use thru_os::netlink;
use thru_wire::Cidr;

#[test]
fn who_may_not_is_told_the_remedy() {
    let test = "who_may_not_is_told_the_remedy";
    if !thru_peers::is_root() {
        return thru_peers::not_run(test, "it takes root to become somebody without rights");
    }
    let Some(setpriv) = thru_peers::peer(test, "setpriv", "util-linux") else { return };
    let place = NetworkNamespace::new().expect("root may make networks");
    let made = place.within(|| {
        netlink::add_veth("near0", "far0")?;
        for name in ["lo", "near0", "far0"] {
            netlink::set_up(netlink::link(name)?.index, true)?;
        }
        let cidr = "192.0.2.1/24".parse::<Cidr>().expect("an address with its length");
        netlink::add_address(netlink::link("near0")?.index, cidr)
    });
    made.expect("entered").expect("made");
    let program = Program::new();
    let nobody = |words: &[&str]| -> Output {
        let run = || {
            Command::new(&setpriv)
                .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"])
                .arg(&program.file)
                .args(words)
                .output()
        };
        place.within(run).expect("entered").expect("setpriv runs")
    };
    let raw = "sudo setcap cap_net_raw+ep";
    let both = "sudo setcap cap_net_raw,cap_net_admin+ep";
    let cases: [(&[&str], &str); 9] = [
        (&["http://192.0.2.2/", "--on", "iface:far0", "--address", "192.0.2.77/24"], both),
        (&["ping", "192.0.2.2", "--on", "iface:far0", "--device", "xdp", "--address", "192.0.2.77/24"], both),
        (&["bridge", "near0", "far0", "--delay", "1ms"], both),
        (&["send", "ip(dst=192.0.2.1)/icmp()"], raw),
        (&["capture", "-i", "near0"], "sudo setcap"),
        (&["lab", "up"], "sudo thru lab up"),
        // A new namespace lets nobody ping, and keeps the lower ports for root.
        (&["ping", "192.0.2.1"], "sysctl -w net.ipv4.ping_group_range"),
        (&["route", "192.0.2.1", "--paris"], raw),
        (
            &["impair", "--listen", "127.0.0.1:80", "--to", "127.0.0.1:8080"],
            "sudo setcap cap_net_bind_service+ep",
        ),
    ];
    let before = interfaces(&place);
    for (words, remedy) in cases {
        let Output { status, stdout, stderr } = nobody(words);
        let (said, told) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert_eq!(status.code(), Some(3), "{words:?}: {said}{told}");
        let errors: Vec<&str> = told.lines().filter(|line| line.starts_with("error: ")).collect();
        let hints: Vec<&str> = told.lines().filter(|line| line.starts_with("hint: ")).collect();
        assert!(errors.len() == 1 && hints.len() == 1, "{words:?}: {told}");
        assert!(hints[0].contains(remedy), "{words:?}: {told}");
        assert_eq!(interfaces(&place), before, "{words:?} left something behind");
    }
}

fn interfaces(place: &NetworkNamespace) -> Vec<String> {
    let text = place.within(|| fs::read_to_string("/proc/thread-self/net/dev")).expect("entered");
    let text = text.expect("the kernel tells");
    text.lines().skip(2).map(|line| line.split(':').next().unwrap_or_default().trim().to_owned()).collect()
}

/// The command where everybody may run it; gone when dropped.
struct Program {
    folder: PathBuf,
    file: PathBuf,
}

impl Program {
    fn new() -> Program {
        let folder = std::env::temp_dir().join(format!("thru-rights-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("thru");
        fs::copy(env!("CARGO_BIN_EXE_thru"), &file).expect("copied");
        let opened = Command::new("chmod").args(["-R", "a+rX"]).arg(&folder).status();
        assert!(opened.is_ok_and(|status| status.success()));
        Program { folder, file }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
