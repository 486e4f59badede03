//! What hosts are kept with: SSH, SNMP, NTP, syslog, LLDP, flow records.

use std::fs::File;

use crate::links::heard;
use crate::place::{Host, NotHere, Place, command, words};
use crate::program::Ready;
use crate::scene::Scene;

pub(crate) fn scenes() -> Vec<Scene> {
    let ssh_needs = &[
        ("/usr/sbin/sshd", "openssh-server"),
        ("ssh", "openssh-client"),
        ("ssh-keygen", "openssh-client"),
        ("dbclient", "dropbear-bin"),
    ];
    let snmp_needs = &[("snmpd", "snmpd"), ("snmpget", "snmp")];
    let syslog_needs = &[("rsyslogd", "rsyslog"), ("logger", "bsdutils")];
    let flow_needs = &[("softflowd", "softflowd"), ("nfcapd", "nfdump")];
    vec![
        Scene::new("lldp", &[("lldpd", "lldpd"), ("lldpcli", "lldpd")], lldp),
        Scene::new("snmp", snmp_needs, snmp),
        Scene::new("ssh", ssh_needs, ssh),
        Scene::new("ntp", &[("chronyd", "chrony")], ntp),
        Scene::new("syslog", syslog_needs, syslog),
        Scene::new("flows", flow_needs, flows),
    ]
}

fn ssh(place: &Place) -> Result<(), NotHere> {
    for (name, kind) in [("host", "ed25519"), ("host2", "rsa"), ("user", "ed25519")] {
        let line = format!("-q -t {kind} -f {}", place.path(name));
        place.far.runs(command("ssh-keygen", words(&line)).args(["-N", ""]));
    }
    let keys = std::fs::read(place.folder.join("user.pub")).expect("made");
    place.file("authorized", keys);
    std::fs::create_dir_all("/run/sshd").expect("root may");
    let folder = place.folder.display();
    let config = place.file(
        "sshd_config",
        format!(
            "HostKey {folder}/host\nHostKey {folder}/host2\nAuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n\
             PidFile {folder}/sshd.pid\nPermitRootLogin yes\nListenAddress 192.0.2.2\nListenAddress 2001:db8::2\n\
             Banner {folder}/banner\nSubsystem sftp internal-sftp\n"
        ),
    );
    place.file("banner", "Welcome.\n");
    place.serve(command("/usr/sbin/sshd", ["-D", "-e", "-f"]).arg(config), Ready::Tcp(22));
    let options = format!(
        "-F /dev/null -i {folder}/user -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o BatchMode=yes"
    );
    let ssh = |line: &str| place.near.tries(command("ssh", words(&options)).args(words(line)));
    let said = ssh("root@192.0.2.2 echo here");
    assert!(said.contains("here"), "{said}");
    ssh("-c aes128-ctr -m hmac-sha2-256 root@2001:db8::2 seq 2000");
    ssh(
        "-C -o KexAlgorithms=ecdh-sha2-nistp256 -c aes256-gcm@openssh.com -o HostKeyAlgorithms=rsa-sha2-512 root@192.0.2.2 true",
    );
    ssh(
        "-o KexAlgorithms=diffie-hellman-group-exchange-sha256 -o PubkeyAuthentication=no nobody@192.0.2.2 true",
    );
    ssh("-o KexAlgorithms=diffie-hellman-group14-sha1 root@192.0.2.2 true");
    place.near.tries(&mut command("dbclient", words("-y -y -T nobody@192.0.2.2 true")));
    Ok(())
}

fn snmp(place: &Place) -> Result<(), NotHere> {
    let config = place.file(
        "snmpd.conf",
        format!(
            "rocommunity public\nrwcommunity private\nsysLocation somewhere\nsysContact nobody\nsysServices 72\n\
             [snmp] persistentDir {folder}/persistent\ncreateUser us SHA words-of-us AES words-of-us-too\n\
             createUser plain MD5 words-of-plain\nrouser us\nrouser plain auth\n",
            folder = place.folder.display()
        ),
    );
    let mut agent = command("snmpd", ["-f", "-Lo", "-C", "-r", "-c"]);
    agent.arg(config).arg("udp:192.0.2.2:161").env("SNMP_PERSISTENT_FILE", place.path("persistent"));
    place.serve(&mut agent, Ready::Udp(161));
    let ask = |program: &str, line: &str| {
        let mut ask = command(program, words(line));
        ask.env("MIBS", "")
            .env("SNMPCONFPATH", &place.folder)
            .env("SNMP_PERSISTENT_FILE", place.path("ours"));
        place.near.tries(&mut ask);
    };
    for version in ["1", "2c"] {
        ask(
            "snmpget",
            &format!(
                "-v{version} -c public 192.0.2.2 .1.3.6.1.2.1.1.1.0 .1.3.6.1.2.1.1.3.0 .1.3.6.1.2.1.1.6.0"
            ),
        );
        ask("snmpget", &format!("-v{version} -c public 192.0.2.2 .1.3.6.1.2.1.1.99.0"));
        ask("snmpwalk", &format!("-v{version} -c public 192.0.2.2 .1.3.6.1.2.1.1"));
        ask("snmpset", &format!("-v{version} -c private 192.0.2.2 .1.3.6.1.2.1.1.6.0 s elsewhere"));
    }
    ask("snmpbulkwalk", "-v2c -c public -Cr20 192.0.2.2 .1.3.6.1.2.1.2");
    ask("snmpbulkget", "-v2c -c public -Cn1 -Cr5 192.0.2.2 .1.3.6.1.2.1.1.3 .1.3.6.1.2.1.4");
    ask("snmpget", "-v2c -c nobody -t 1 -r 0 192.0.2.2 .1.3.6.1.2.1.1.1.0");
    ask(
        "snmpget",
        "-v3 -u us -l authPriv -a SHA -A words-of-us -x AES -X words-of-us-too 192.0.2.2 .1.3.6.1.2.1.1.1.0",
    );
    ask("snmpget", "-v3 -u plain -l authNoPriv -a MD5 -A words-of-plain 192.0.2.2 .1.3.6.1.2.1.1.5.0");
    ask("snmpget", "-v3 -u nobody -l noAuthNoPriv 192.0.2.2 .1.3.6.1.2.1.1.5.0");
    ask("snmptrap", "-v2c -c public 192.0.2.2:162 42 .1.3.6.1.6.3.1.1.5.3 .1.3.6.1.2.1.2.2.1.1 i 1");
    ask(
        "snmptrap",
        "-v1 -c public 192.0.2.2:162 .1.3.6.1.4.1.8072 192.0.2.1 6 17 42 .1.3.6.1.2.1.1.5.0 s words",
    );
    Ok(())
}

fn ntp(place: &Place) -> Result<(), NotHere> {
    // Neither touches the clock (-x), which is this machine's.
    let keys = place.file("keys", "1 SHA256 HEX:0123456789ABCDEF0123456789ABCDEF\n").display().to_string();
    let daemon = |name: &str, text: &str| {
        let pid = place.path(&format!("{name}.pid"));
        let text = format!("{text}\nkeyfile {keys}\npidfile {pid}\nbindcmdaddress /\ncmdport 0\n");
        let config = place.file(&format!("{name}.conf"), text);
        command("chronyd", ["-u", "root", "-d", "-x", "-f", config.to_str().expect("a plain path")])
    };
    place.serve(&mut daemon("server", "local stratum 3\nallow\nbindaddress 192.0.2.2"), Ready::Udp(123));
    let ask = |(at, text): (usize, &&str)| {
        let mut client = daemon(&format!("client{at}"), text);
        place.near.start(client.args(["-Q", "-t", "4"]), Ready::Now)
    };
    let texts = [
        "server 192.0.2.2 iburst maxsamples 3",
        "server 192.0.2.2 iburst key 1 maxsamples 2",
        "server 192.0.2.2 iburst xleave version 3 maxsamples 2",
    ];
    let clients: Vec<_> = texts.iter().enumerate().map(ask).collect();
    for client in clients {
        client.end();
    }
    Ok(())
}

fn syslog(place: &Place) -> Result<(), NotHere> {
    let config = place.file(
        "rsyslog.conf",
        format!(
            "module(load=\"imudp\")\nmodule(load=\"imtcp\")\ninput(type=\"imudp\" port=\"514\")\ninput(type=\"imtcp\" port=\"514\")\n\
             *.* {}\n",
            place.path("messages")
        ),
    );
    let line = format!("-n -i {} -f {}", place.path("rsyslog.pid"), config.display());
    place.serve(&mut command("rsyslogd", words(&line)), Ready::Udp(514));
    for line in [
        "-n 192.0.2.2 --udp -p user.notice -t program words of a message",
        "-n 192.0.2.2 --udp --rfc3164 -p daemon.err -t program[42] words of an older form",
        "-n 192.0.2.2 --udp --rfc5424 -p kern.emerg -t program --sd-id one@7 --sd-param name=\"value\" words",
        "-n 192.0.2.2 --tcp -P 514 -p local7.debug --id=77 over TCP",
        "-n 192.0.2.2 --tcp -P 514 --octet-count -p mail.info counted",
    ] {
        place.near.runs(&mut command("logger", words(line)));
    }
    // rsyslog sends on what it gets, in its own form.
    let forward = place.file(
        "forward.conf",
        format!(
            "module(load=\"imuxsock\" SysSock.Use=\"off\")\ninput(type=\"imuxsock\" Socket=\"{0}\")\n*.* @192.0.2.2\n*.* @@(o)192.0.2.2:514\n",
            place.path("log")
        ),
    );
    let line = format!("-n -i {} -f {}", place.path("forward.pid"), forward.display());
    let forwarder = place.near.start(&mut command("rsyslogd", words(&line)), Ready::Now);
    place.wait_for_file("log");
    let socket = place.path("log");
    place.near.runs(&mut command("logger", ["-u", &socket, "-p", "auth.warning", "words that go on"]));
    forwarder.interrupt();
    Ok(())
}

fn lldp(place: &Place) -> Result<(), NotHere> {
    let speak = |host: &Host, name: &str| {
        let socket = place.path(&format!("{name}.socket"));
        let daemon =
            host.start(&mut command("lldpd", ["-d", "-u", &socket, "-I", "eth0", "-S", name]), Ready::Now);
        place.wait_for_file(&format!("{name}.socket"));
        for line in [
            "configure system hostname host-of-ours",
            "configure lldp tx-interval 1",
            "configure med location address country NL language en street Road",
            "configure dot3 power pse supported enabled paircontrol powerpairs signal class class-3",
            "update",
        ] {
            host.tries(command("lldpcli", ["-u", &socket]).args(words(line)));
        }
        daemon
    };
    let near = speak(&place.near, "near");
    let far = speak(&place.far, "far");
    // Both speak every second.
    place.near.within(|| heard(b"\x01\x80\xc2\x00\x00\x0e", 4));
    drop((near, far));
    Ok(())
}

fn flows(place: &Place) -> Result<(), NotHere> {
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/../dissect/tests/data/tls.pcapng");
    // softflowd reads older files.
    let old = place.path("old.pcap");
    convert(capture, &old);
    for (version, port) in [("5", 2055), ("9", 2056), ("10", 4739)] {
        std::fs::create_dir_all(place.folder.join(version)).expect("a folder");
        let line = format!("-w {} -p {port} -b 192.0.2.2 -S 0 -t 60", place.path(version));
        place.serve(&mut command("nfcapd", words(&line)), Ready::Udp(port));
        let line = format!("-r {old} -n 192.0.2.2:{port} -v {version} -D -p none -c none");
        place.near.tries(&mut command("softflowd", words(&line)));
    }
    Ok(())
}

/// Writes the packets of a capture as pcap.
fn convert(from: &str, to: &str) {
    use thru_dissect::file::{Item, Reader, Writer};
    let mut reader = Reader::new(File::open(from).expect("it is there")).expect("a capture");
    let mut writer = Writer::pcap(File::create(to).expect("made"), false, 1, 0).expect("written");
    while let Some(item) = reader.next().expect("a whole capture") {
        if let Item::Packet(record) = item {
            writer.packet(&record, &[]).expect("written");
        }
    }
}
