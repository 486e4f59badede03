//! Both ways with real servers: unbound, BIND and Knot Resolver resolve and validate through our authorities; our
//! resolver does through zones that others signed and serve, with every algorithm in use, NSEC, NSEC3 and opt-out. All
//! have to say the same of some hundred questions, good and broken; so have the tools that people ask with.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use thru_names::proto::rr::RecordType;
use thru_names::text::{parse_name, record_line};
use thru_names::wire::{Header, Opt, Packet, Question};
use thru_peers::peer;

use crate::house::{Daemon, Folder, Held, Server, head, inside, run};
use crate::tools;
use crate::zones::{ZONES, plant, questions};

/// The resolvers: name and address.
const RESOLVERS: [(&str, &str); 4] =
    [("thru", "127.0.0.1"), ("unbound", "127.0.0.20"), ("BIND", "127.0.0.21"), ("Knot", "127.0.0.22")];

/// Code, AD, and the records of the answer without signatures and lifetimes.
fn ask(socket: &UdpSocket, id: u16, server: &str, name: &str, rtype: RecordType) -> (u16, bool, Vec<String>) {
    let query = Packet {
        header: Header { id, recursion_desired: true, authentic_data: true, ..Header::default() },
        questions: vec![Question::new(parse_name(name).expect("a name"), rtype)],
        opt: Some(Opt { payload: 4096, dnssec_ok: true, ..Opt::default() }),
        ..Packet::default()
    };
    let query = query.write(512).expect("it fits");
    let mut buffer = [0; 65_535];
    socket.send_to(&query, (server, 53)).expect("loopback");
    let mut answer = loop {
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{server}, {name}: {error}"));
        let answer = Packet::read(&buffer[..length]).expect("a message");
        if answer.header.id == id {
            break answer;
        }
    };
    if answer.header.truncated {
        answer = over_tcp(server, &query);
    }
    let mut records: Vec<String> = answer
        .answers
        .iter()
        .filter(|record| record.rtype != RecordType::RRSIG)
        .map(|record| {
            let line = record_line(&thru_names::wire::RawRecord { ttl: 0, ..record.clone() });
            line.to_lowercase()
        })
        .collect();
    records.sort();
    records.dedup();
    (answer.rcode(), answer.header.authentic_data, records)
}

fn over_tcp(server: &str, query: &[u8]) -> Packet {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect((server, 53)).expect("loopback");
    stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], query].concat()).expect("it takes it");
    let mut length = [0; 2];
    stream.read_exact(&mut length).expect("a length");
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).expect("a message");
    Packet::read(&message).expect("a message")
}

/// The programs of others that the test needs, or that it did not run.
fn all_there() -> bool {
    let test = "agreement with unbound, BIND, NSD and Knot";
    let wanted = [
        ("unbound", "unbound"),
        ("named", "bind9"),
        ("nsd", "nsd"),
        ("knotd", "knot"),
        ("keymgr", "knot"),
        ("kresd", "knot-resolver"),
        ("dnssec-keygen", "bind9-utils"),
        ("ldns-signzone", "ldnsutils"),
        ("dig", "bind9-dnsutils"),
        ("kdig", "knot-dnsutils"),
        ("drill", "ldnsutils"),
        ("delv", "bind9-dnsutils"),
    ];
    wanted.iter().all(|(program, package)| peer(test, program, package).is_some())
}

/// Starts the resolvers of others, with these hints and this anchor.
fn others(folder: &Folder, hints: &str, anchor: &str, trust: &str, held: &mut Vec<Box<dyn Held>>) {
    let text = format!(
        "server:\n directory: \"{0}\"\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n interface: 127.0.0.20\n \
         do-not-query-localhost: no\n access-control: 127.0.0.0/8 allow\n use-syslog: no\n do-daemonize: no\n \
         logfile: \"\"\n verbosity: 1\n root-hints: \"{hints}\"\n trust-anchor-file: \"{anchor}\"\n do-ip6: no\n \
         module-config: \"validator iterator\"\nremote-control:\n control-enable: no\n",
        folder.0.display()
    );
    let config = folder.write("unbound.conf", &text);
    held.push(Box::new(Daemon::start(
        Command::new("unbound").args(["-d", "-c", &config]),
        "start of service",
    )));
    let text = format!(
        "options {{ directory \"{}\"; listen-on {{ 127.0.0.21; }}; listen-on-v6 {{ none; }}; pid-file none; \
         session-keyfile none; recursion yes; dnssec-validation yes; allow-query {{ any; }}; }}; controls {{ }};\n{trust}\
         zone \".\" {{ type hint; file \"hints\"; }};\n",
        folder.0.display()
    );
    let config = folder.write("resolver.conf", &text);
    held.push(Box::new(Daemon::start(
        Command::new("named").args(["-g", "-4", "-n", "1", "-c", &config]),
        "running",
    )));
    let level = if std::env::var_os("THRU_TALK").is_some() { "debug" } else { "notice" };
    let text = format!(
        "log_level('{level}')\nnet.listen('127.0.0.22', 53, {{ kind = 'dns' }})\nnet.ipv6 = false\ncache.size = 16 * MB\n\
         modules.unload('ta_update')\nmodules.unload('priming')\nmodules.load('hints')\nhints.root({{ ['ns.'] = '10.53.0.1' }})\n\
         trust_anchors.remove('.')\ntrust_anchors.add_file('{anchor}', true)\nio.stderr:write('it is configured\\n')\n"
    );
    let config = folder.write("kresd.conf", &text);
    let home = folder.path("kresd");
    std::fs::create_dir_all(&home).expect("a folder");
    held.push(Box::new(Daemon::start(
        Command::new("kresd").args(["-n", "-c", &config, &home]),
        "it is configured",
    )));
}

#[test]
fn five_hundred_questions_get_the_same_answers() {
    if !all_there() || !inside("interop::five_hundred_questions_get_the_same_answers") {
        return;
    }
    // Knot Resolver takes no loopback addresses from delegations; on this interface a whole network is ours. BIND
    // listens only on addresses that an interface has.
    for address in ["10.53.0.1/16", "127.0.0.21/32", "10.53.1.7/32"] {
        run("ip", &["address", "add", address, "dev", "lo"]);
    }
    let folder = Folder::new("interop");
    let mut held: Vec<Box<dyn Held>> = Vec::new();
    let mut below = head("land.", "10.53.0.2") + &plant(&folder, &mut held);
    // Keys that are not there: its DS is of none.
    below += "wrong.land. 300 IN NS ns.ed.land.\nwrong.land. 300 IN DS 1 15 2 ";
    below += &("00".repeat(32) + "\n");
    let file = folder.write("land.zone", &below);
    let top = Server::start(&folder, "top.sock", &["--listen", "10.53.0.2", "--zone", &file, "--sign"]);
    let text = head(".", "10.53.0.1") + "land. 300 IN NS ns.land.\nns.land. 300 IN A 10.53.0.2\n" + &top.told;
    let file = folder.write("root.zone", &text);
    let root = Server::start(&folder, "root.sock", &["--listen", "10.53.0.1", "--zone", &file, "--sign"]);
    let hints = folder.write("hints", ". 300 IN NS ns.\nns. 300 IN A 10.53.0.1\n");
    let anchor = folder.write("anchor", &root.told);
    let _ours = Server::start(
        &folder,
        "resolver.sock",
        &["--listen", "127.0.0.1", "--root-hints", &hints, "--anchor", &anchor],
    );
    let ds: Vec<&str> = root.told.split_whitespace().skip_while(|word| *word != "DS").skip(1).collect();
    let trust =
        format!("trust-anchors {{ . static-ds {} {} {} \"{}\"; }};\n", ds[0], ds[1], ds[2], ds[3..].concat());
    others(&folder, &hints, &anchor, &trust, &mut held);

    let asked = questions();
    assert!(asked.len() >= 500);
    resolvers_agree(&asked);
    let keys = folder.write("delv.keys", &trust);
    tools::agree(&folder, &asked, &tools::Begin { hints: &hints, anchor: &anchor, keys: &keys });
}

/// Code, AD and records.
type Said = (u16, bool, Vec<String>);

/// The four resolvers say the same.
fn resolvers_agree(asked: &[(String, RecordType)]) {
    let ask_all = |server: &str| -> Vec<Said> {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        let one = |(id, (name, rtype)): (u16, &(String, RecordType))| ask(&socket, id, server, name, *rtype);
        (1..).zip(asked).map(one).collect()
    };
    let said: Vec<Vec<Said>> = std::thread::scope(|scope| {
        let asking = RESOLVERS.map(|(_, server)| scope.spawn(move || ask_all(server)));
        asking.map(|one| one.join().expect("it asks to the end")).into()
    });
    let (mut differences, mut codes) = (Vec::new(), BTreeMap::new());
    for (at, (name, rtype)) in asked.iter().enumerate() {
        let own = &said[0][at];
        *codes.entry((own.0, own.1)).or_insert(0) += 1;
        for (other, (who, _)) in said.iter().zip(RESOLVERS).skip(1) {
            if other[at] != *own {
                differences.push(format!("{name} {rtype}:\n  ours {own:?}\n  {who} {:?}", other[at]));
            }
        }
    }
    eprintln!("{} questions to four resolvers; ours by code and AD: {codes:?}", asked.len());
    ZONES.iter().for_each(|(zone, _, maker)| eprintln!("  {zone:12} {}", maker.words()));
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}
