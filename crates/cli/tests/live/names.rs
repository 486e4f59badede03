//! dig against BIND and unbound: UDP, TCP, TLS, HTTPS, signed zones, transfers.

use crate::certificates::certificates;
use crate::place::{FAR, NotHere, Place, command, words};
use crate::program::Ready;
use crate::scene::Scene;

pub(crate) fn scenes() -> Vec<Scene> {
    let named = &[("named", "bind9"), ("dig", "bind9-dnsutils")];
    let unbound = &[("named", "bind9"), ("dig", "bind9-dnsutils"), ("unbound", "unbound")];
    vec![
        Scene::new("dns", named, plain),
        Scene::new("dns-tls", named, sealed),
        Scene::new("dns-resolver", unbound, resolver),
    ]
}

/// A zone with a record of each type that is in use.
const ZONE: &str = "$TTL 300
@ IN SOA ns hostmaster 2026112101 3600 600 86400 300
@ NS ns
@ NS ns2
ns A 192.0.2.2
ns AAAA 2001:db8::2
ns2 A 192.0.2.2
www A 192.0.2.80
www AAAA 2001:db8::80
alias CNAME www
@ MX 10 mail
@ MX 20 mail2.example.net.
mail A 192.0.2.25
@ TXT \"v=spf1 -all\" \"second part\"
long TXT \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"
_sip._udp SRV 10 60 5060 www
@ CAA 0 issue \"ca.example.net; policy=ev\"
_443._tcp.www TLSA 3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971
host SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789
@ HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.80 ipv6hint=2001:db8::80
svc SVCB 1 www alpn=dot port=853
svc2 SVCB 0 www
@ NAPTR 100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.test!\" .
place LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
host HINFO \"PC\" \"Linux\"
host RP admin.example.test. text.example.test.
old DNAME new
a.new A 192.0.2.81
uri URI 10 1 \"https://www.example.test/\"
key OPENPGPKEY AwEAAQ==
net APL 1:192.0.2.0/24 !2:2001:db8::/32
deep.sub.tree A 192.0.2.82
*.wild A 192.0.2.83
part NS ns.part
ns.part A 192.0.2.84
part DS 12345 13 2 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971
";

/// BIND, which signs the zone `signed.test` by itself and serves the same records unsigned as `example.test`.
fn named(place: &Place, addresses: &str, v6: &str) {
    let names = certificates(place);
    let folder = place.folder.display();
    place.file("zones/example.test", ZONE);
    place.file("zones/signed.test", ZONE.replace("example.test", "signed.test"));
    let text = format!(
        "options {{ directory \"{folder}/zones\"; pid-file \"{folder}/named.pid\"; session-keyfile \"{folder}/session.key\";
  managed-keys-directory \"{folder}/zones\"; listen-on {{ {addresses} }}; recursion no; allow-transfer {{ any; }};
  dnssec-validation no; notify no; minimal-responses no; server-id \"first\"; version \"9\"; allow-query {{ any; }};
  listen-on-v6 {{ {v6} }};
  listen-on port 853 tls local {{ {addresses} }}; listen-on port 443 tls local http local {{ {addresses} }}; }};
http local {{ endpoints {{ \"/dns-query\"; }}; }};
tls local {{ cert-file \"{server}\"; key-file \"{key}\"; }};
controls {{ }};
zone \"example.test\" {{ type primary; file \"example.test\"; allow-update {{ any; }}; ixfr-from-differences yes; }};
zone \"signed.test\" {{ type primary; file \"signed.test\"; dnssec-policy default; inline-signing yes; }};
",
        server = names.server,
        key = names.server_key,
    );
    let config = place.file("named.conf", text);
    let config = config.to_str().expect("a plain path");
    // Both zones have to be there: the signed one is told when its keys are.
    let mut named = command("named", ["-g", "-n", "1", "-c", config]);
    place.serve(&mut named, Ready::Says("(signed): next key event"));
}

/// dig, which has to get an answer.
fn dig(place: &Place, line: &str) {
    let mut dig = place.keyed("dig", ["-r", "+tries=1", "+time=20"]);
    place.near.runs(dig.args(words(line)));
}

const QUESTIONS: [&str; 33] = [
    "www.example.test A",
    "www.example.test AAAA",
    "alias.example.test A",
    "example.test MX",
    "example.test NS",
    "example.test SOA",
    "example.test TXT",
    "long.example.test TXT",
    "_sip._udp.example.test SRV",
    "example.test CAA",
    "_443._tcp.www.example.test TLSA",
    "host.example.test SSHFP",
    "example.test HTTPS",
    "svc.example.test SVCB",
    "svc2.example.test SVCB",
    "example.test NAPTR",
    "place.example.test LOC",
    "host.example.test HINFO",
    "host.example.test RP",
    "a.old.example.test A",
    "uri.example.test URI",
    "key.example.test OPENPGPKEY",
    "net.example.test APL",
    "x.wild.example.test A",
    "nothing.example.test A",
    "tree.example.test A",
    "part.example.test DS",
    "elsewhere.example.net A",
    "version.bind CH TXT",
    "+nsid id.server CH TXT",
    "+subnet=198.51.100.0/24 www.example.test A",
    "+noedns www.example.test A",
    "+opcode=status example.test",
];

fn plain(place: &Place) -> Result<(), NotHere> {
    named(place, "192.0.2.2;", "2001:db8::2;");
    for question in QUESTIONS {
        dig(place, &format!("@192.0.2.2 {question}"));
    }
    for question in ["SOA", "DNSKEY", "MX", "NSEC", "CDS", "CDNSKEY"] {
        dig(place, &format!("@{} +dnssec signed.test {question}", FAR[1]));
    }
    for question in
        ["nothing.signed.test A", "x.wild.signed.test A", "www.signed.test TXT", "part.signed.test DS"]
    {
        dig(place, &format!("@192.0.2.2 +dnssec +bufsize=4096 {question}"));
    }
    dig(place, "@192.0.2.2 +tcp www.example.test A +keepopen example.test NS +nocookie example.test ANY");
    dig(place, "@192.0.2.2 example.test AXFR");
    dig(place, "@192.0.2.2 signed.test AXFR");
    dig(place, "@192.0.2.2 +tcp example.test IXFR=2026112101");
    dig(place, "@192.0.2.2 +padding=128 +ednsopt=65001:abcd +qid=7 +noad +cd www.example.test A");
    let update = "server 192.0.2.2\nzone example.test\nupdate add new1.example.test 60 A 192.0.2.99\n\
                  update delete host.example.test HINFO\nprereq yxdomain www.example.test\nsend\n";
    let file = place.file("update", update);
    place.near.runs(&mut command("nsupdate", [file]));
    dig(place, "@192.0.2.2 +tcp example.test IXFR=2026112101");
    Ok(())
}

fn sealed(place: &Place) -> Result<(), NotHere> {
    named(place, "192.0.2.2;", "2001:db8::2;");
    dig(place, "@192.0.2.2 +tls www.example.test A");
    dig(place, "@192.0.2.2 +tls +dnssec +keepopen signed.test DNSKEY signed.test SOA");
    dig(place, "@192.0.2.2 +https www.example.test A");
    dig(place, "@192.0.2.2 +https-get +dnssec signed.test MX");
    dig(place, "@192.0.2.2 +tls example.test AXFR");
    Ok(())
}

/// unbound asks BIND on the same host and validates.
fn resolver(place: &Place) -> Result<(), NotHere> {
    named(place, "127.0.0.1;", "none;");
    let keys = place.far.runs(&mut command("dig", words("-r +short @127.0.0.1 signed.test DNSKEY")));
    let anchor = keys.lines().find(|line| line.starts_with("257")).expect("a key that signs keys");
    let text = format!(
        "server:
 do-daemonize: no
 username: \"\"
 chroot: \"\"
 pidfile: \"\"
 use-syslog: no
 interface: 192.0.2.2
 interface: 2001:db8::2
 access-control: 192.0.2.0/24 allow
 access-control: 2001:db8::/32 allow
 do-not-query-localhost: no
 module-config: \"validator iterator\"
 trust-anchor: \"signed.test. 300 IN DNSKEY {anchor}\"
 local-zone: test. nodefault
 local-data: \"printer.home.arpa. A 192.0.2.9\"
remote-control:
 control-enable: no
stub-zone:
 name: example.test
 stub-addr: 127.0.0.1
stub-zone:
 name: signed.test
 stub-addr: 127.0.0.1
"
    );
    let config = place.file("unbound.conf", text);
    let mut unbound = command("unbound", ["-d", "-p", "-c", config.to_str().expect("a plain path")]);
    place.serve(&mut unbound, Ready::Says("start of service"));
    for question in QUESTIONS.into_iter().filter(|question| question.contains("example.test")) {
        dig(place, &format!("@192.0.2.2 {question}"));
    }
    for question in ["www.signed.test A", "nothing.signed.test A", "signed.test MX", "x.wild.signed.test A"] {
        dig(place, &format!("@{} +dnssec {question}", FAR[1]));
    }
    dig(place, "@192.0.2.2 +tcp printer.home.arpa A signed.test DNSKEY");
    dig(place, "@192.0.2.2 +norecurse other.test A");
    Ok(())
}
