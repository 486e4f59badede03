"""Faults of names, by servers that the first recorder did not have: Knot, NSD, PowerDNS, dnsdist, Knot's resolver, BIND with policies."""
import os, signal, time
from ground import PYTHON, TOOLS, sh
from cases import ALL, CLIENT, SIDES, SILENT, case, delay, many
from more_healthy import ask
import others as O
import programs as P
from programs import get, nginx, node, site, resolver, unbound, named, write, haproxy, caddy, files

UNREACHABLE = "DNS10 | ~DNS10! DNS09 DNS11 DNS23"


def any_get(w, timeout=9, path="/", host=None):
    if w.rng.random() < 0.5:
        return ask(w, path, timeout=timeout, host=host, client=w.rng.choice(["java", "requests", "aria2", "lftp", "lynx"]))
    return get(w, path, timeout=timeout, host=host)


@many([(f"unknown-zone-{kind}", "DNS07 | DNS23 | ~DNS07 DNS23", None, (kind,)) for kind in ["knot", "nsd", "pdns"]], at=["client", "any", "resolver"])
def refused_by_authority(w, kind):
    """An authority that does not know the zone was entered as a resolver."""
    {"knot": O.knot, "nsd": O.nsd, "pdns": O.pdns}[kind](w, zone="other.example", address=""); w.begin(); any_get(w)


@many([(f"no-name-{kind}", "DNS05 | ~DNS05! DNS12 DNS36 DNS41", None, (kind,)) for kind in ["knot", "nsd", "pdns", "recursor", "kresd"]], at=["client", "client", "any", "resolver"])
def nxdomain_by(w, kind):
    host = f"{w.rng.choice(['wwww', 'ftp9', 'gone'])}.{w.zone}"
    if kind in ("recursor", "kresd"):
        O.behind(w, ns="t", port=5353)
        O.recursor(w, forward=f"{w.T}:5353") if kind == "recursor" else O.kresd(w, f"{w.T}@5353")
    else:
        {"knot": O.knot, "nsd": O.nsd, "pdns": O.pdns}[kind](w)
    w.begin(at="client" if kind in ("recursor", "kresd") else w.rng.choice(["client", "resolver"])); any_get(w, host=host)


@case("DNS05 | ~DNS05! DNS12 DNS36 DNS41", at=CLIENT)
def alias_to_nowhere(w):
    """The name is an alias of one that is no more (a cancelled cloud service)."""
    O.knot(w, rows="shop IN CNAME old-store\n") if w.rng.random() < 0.5 else O.nsd(w, rows="shop IN CNAME old-store\n"); w.begin(); any_get(w, host=f"shop.{w.zone}")


@many([(f"no-address-{kind}", "DNS06 | ~DNS06! IP30", None, (kind,)) for kind in ["knot", "pdns"]], at=CLIENT)
def nodata_by(w, kind):
    {"knot": O.knot, "pdns": O.pdns}[kind](w, rows=f"{w.host} IN TXT \"only words\"\n{w.host} IN MX 5 ns1\n", address=""); w.begin(); any_get(w)


@many([("expired-secondary-nsd", f"~DNS09 DNS10 DNS11 DNS23 | {UNREACHABLE} | DNS23", None, ("nsd",)), ("broken-backend-pdns", f"~DNS09 DNS10 DNS11 DNS23 | {UNREACHABLE} | DNS23", None, ("pdns",))], at=["client"])
def servfail_by_authority(w, kind):
    """An authority that has lost its zone says SERVFAIL."""
    if kind == "nsd":
        O.nsd(w, secondary=w.T)
    else:
        O.pdns(w); w.notes.append("zone file removed")
        sh(f"printf '$ORIGIN {w.zone}.\\n@ IN SOA broken' > {w.dir}/zonefile")
        w.run("d", "pdns_control --socket-dir={dir}/pdns --config-dir={dir}/pdns rediscover; pdns_control --socket-dir={dir}/pdns --config-dir={dir}/pdns bind-reload-now {zone}")
    w.begin(); any_get(w)


@many([(f"resolver-{kind}-finds-nobody", f"{UNREACHABLE} | ~DNS02 DNS10 DNS11 DNS01 DNS03 DNS45 | ~DNS09 DNS10 DNS11", None, (kind,)) for kind in ["recursor", "kresd", "dnsmasq", "named"]], at=["client"])
def upstream_dead(w, kind):
    """The resolver's own way to the authority is broken: SERVFAIL, REFUSED or silence, as programs differ."""
    act = w.rng.choice(["drop", "reject"])
    w.nft("t", f"udp dport {{{{ 53, 5353 }}}} {act}", f"tcp dport {{{{ 53, 5353 }}}} {act}", hook="input")
    if kind == "recursor":
        O.recursor(w, forward=f"{w.T}:5353")
    elif kind == "kresd":
        O.kresd(w, f"{w.T}@5353")
    elif kind == "named":
        named(w, "", options=f"recursion yes; allow-recursion {{ any; }}; forwarders {{ {w.T}; }}; forward only;")
    else:
        w.spawn("d", f"dnsmasq -k -C /dev/null --no-resolv --no-hosts --server={w.T} --user=root --pid-file={w.dir}/dm.pid", udp=53)
    w.begin(); w.run("c", "dig +tries=1 +timeout=14 {name} @{D}", timeout=20); any_get(w, timeout=12)


@case("DNS07 | ~DNS07! DNS10 DNS23", at=["client"])
def dnsmasq_without_upstream(w):
    w.spawn("d", f"dnsmasq -k -C /dev/null --no-resolv --no-hosts --user=root --pid-file={w.dir}/dm.pid", udp=53); w.begin(); any_get(w)


@many([("dnsdist-refuses", "DNS07 | DNS12 | ~DNS07 DNS12", None, ("addAction(AllRule(), RCodeAction(DNSRCode.REFUSED))",)), ("dnsdist-servfail", "~DNS09 DNS10 DNS11 | DNS10", None, ("addAction(AllRule(), RCodeAction(DNSRCode.SERVFAIL))",)),
       ("dnsdist-drops", "DNS02 | ~DNS02! DNS01 DNS03 IP05 FW01 DNS11", None, ("addAction(AllRule(), DropAction())",)), ("dnsdist-nxdomain", "DNS05 | ~DNS05! DNS12 DNS36 DNS41", None, ("addAction(AllRule(), RCodeAction(DNSRCode.NXDOMAIN))",)),
       ("dnsdist-spoofs-sinkhole", "DNS12 | DNS14 | ~DNS12 DNS14 IP29", None, ("addAction(AllRule(), SpoofAction({'0.0.0.0', '::'}))",)), ("dnsdist-notimp", "DNS08 | DNS07 | ~DNS07 DNS08 DNS16 | ?", None, ("addAction(AllRule(), RCodeAction(DNSRCode.NOTIMP))",)),
       ("dnsdist-delays", "DNS45 | ~DNS45! DNS18 DNS11", None, ("addAction(AllRule(), DelayAction(1300))",)), ("dnsdist-limits-rate", "DNS43 | DNS11 | ~DNS43 DNS11 DNS02", None, ("addAction(MaxQPSIPRule(2, 32, 48, 2), DropAction())",)),
       ("dnsdist-drops-aaaa", "DNS38 | ~DNS38! DNS02", None, ("addAction(QTypeRule(DNSQType.AAAA), DropAction())",))], at=["client", "client", "any"], twists=False)
def dnsdist_does(w, rule):
    O.behind(w); O.dnsdist(w, rule); site(w, kind="nginx"); w.begin()
    if "MaxQPS" in rule:
        w.run("c", "for k in 1 2 3 4 5 6 7 8 9 10; do dig +tries=1 +timeout=1 {name} @{D} >/dev/null; done", timeout=25)
    else:
        any_get(w, timeout=12, path="/small")


@many([("truncated-tcp-dropped", "DNS04 | ~DNS04! DNS17 FW01", None, ("drop",)), ("truncated-tcp-refused", "DNS04 | ~DNS04! DNS17 TCP01 FW02", None, ("reject with tcp reset",))], at=["client"], twists=False)
def always_truncated(w, act):
    """Every answer over UDP is truncated; the port for TCP is shut. The client is the system's own resolver."""
    O.behind(w); O.dnsdist(w, "addAction(AllRule(), TCAction())"); w.nft("i", "tcp dport 53 " + act); w.begin(); any_get(w, timeout=14)


@many([("policy-zone-nxdomain", "DNS05 | DNS12 | ~DNS05! DNS12 DNS36 DNS41", None, ("CNAME .",)), ("policy-zone-sinkhole", "DNS12 | DNS14 | ~DNS12 DNS14 IP29", None, ("A 0.0.0.0",)), ("policy-zone-drop", "DNS02 | ~DNS02! DNS12 DNS01 DNS03 DNS11 DNS15 | DNS12", None, ("CNAME rpz-drop.",))], at=["client"])
def response_policy(w, act):
    """BIND with a response policy zone, as providers and companies have it."""
    rpz = write(w, "rpz", f"$TTL 60\n@ IN SOA localhost. root. 1 3600 600 86400 60\n@ IN NS localhost.\n{w.name} IN {act}\n")
    zone = write(w, "z1", f"$TTL 60\n@ IN SOA ns1 admin 7 3600 600 86400 60\n@ IN NS ns1\nns1 IN A {w.D}\n{w.host} IN A {w.S}\nother IN A {w.T}\n")
    named(w, f'zone "rpz.local" {{ type master; file "{rpz}"; }}; zone "{w.zone}" {{ type master; file "{zone}"; }};', options='recursion yes; allow-recursion { any; }; response-policy { zone "rpz.local"; } qname-wait-recurse no break-dnssec yes;')
    w.begin(); w.run("c", f"dig +tries=1 other.{w.zone} @{w.D}"); any_get(w, timeout=12)


@case("DNS43 | ~DNS43! DNS11 DNS02", at=["client"])
def rate_limited_by_bind(w):
    zone = write(w, "z1", f"$TTL 60\n@ IN SOA ns1 admin 7 3600 600 86400 60\n@ IN NS ns1\nns1 IN A {w.D}\n{w.host} IN A {w.S}\n")
    named(w, f'zone "{w.zone}" {{ type master; file "{zone}"; }};', options="recursion no; rate-limit { responses-per-second 2; slip 2; window 5; };")
    w.begin(); w.run("c", "for k in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do dig +tries=1 +timeout=1 +ignore {name} @{D} >/dev/null; done", timeout=30)


@many([(f"validation-fails-{kind}-{fault}", truth, None, (kind, fault)) for kind, fault, truth in
       [("named", "tampered", "DNS09 | DNS32 | ~DNS09 DNS32 DNS10 | ~DNS09 DNS10 DNS11"), ("kresd", "expired", "DNS09 | DNS27 | ~DNS09 DNS27 HST01 | ~DNS09 DNS10 DNS11"), ("named", "future", "DNS09 | DNS28 | ~DNS09 DNS28 HST01 | ~DNS09 DNS10 DNS11"), ("kresd", "tampered", "DNS09 | DNS32 | ~DNS09 DNS32 | ~DNS09 DNS10 DNS11")]], at=["client"])
def bogus(w, kind, fault):
    d = w.dir
    write(w, "db", f"$TTL 60\n@ IN SOA ns1 admin 7 3600 600 86400 60\n@ IN NS ns1\nns1 IN A {w.T}\n{w.host} IN A {w.S}\n")
    sh(f"cd {d} && dnssec-keygen -q -a ECDSAP256SHA256 -n ZONE {w.zone} && dnssec-keygen -q -a ECDSAP256SHA256 -f KSK -n ZONE {w.zone}")
    start, end = {"expired": ("now-8640000", "now-86400"), "future": ("now+86400", "now+8640000")}.get(fault, ("now-86400", "now+2592000"))
    sh(f"cd {d} && dnssec-signzone -q -P -S -s {start} -e {end} -o {w.zone} db")
    if fault == "tampered":
        text = open(f"{d}/db.signed").read().replace(f"A\t{w.S}", f"A\t{w.T}")
        open(f"{d}/db.signed", "w").write(text)
    named(w, f'zone "{w.zone}" {{ type master; file "{d}/db.signed"; }};', ns="t")
    ksk = [line.split() for name in os.listdir(d) if name.endswith(".key") for line in open(f"{d}/{name}") if "DNSKEY 257" in line][0]
    if kind == "named":
        # the keys' lines are: name IN DNSKEY 257 3 13 key, or with a time to live before IN
        at = ksk.index("DNSKEY")
        conf = f'trust-anchors {{ {w.zone}. static-key {ksk[at + 1]} {ksk[at + 2]} {ksk[at + 3]} "{"".join(ksk[at + 4:])}"; }}; zone "{w.zone}" {{ type static-stub; server-addresses {{ {w.T}; }}; }};'
        path = write(w, "named-d.conf", f'options {{ directory "{d}"; pid-file "{d}/named-d.pid"; session-keyfile "{d}/sk-d"; listen-on {{ any; }}; listen-on-v6 {{ none; }}; dnssec-validation yes; allow-query {{ any; }}; recursion yes; allow-recursion {{ any; }}; }};\ncontrols {{ }};\n{conf}')
        w.spawn("d", f"named -f -g -c {path}", udp=53)
    else:
        at = ksk.index("DNSKEY")
        O.kresd(w, f"{w.T}", how="FORWARD", more=f"trust_anchors.add('{w.zone}. DNSKEY {ksk[at + 1]} {ksk[at + 2]} {ksk[at + 3]} {''.join(ksk[at + 4:])}')")
        w.notes.append("kresd forwards")
    w.begin(); any_get(w, timeout=12); w.run("c", "dig +tries=1 +timeout=5 {name} @{D}; dig +tries=1 +timeout=5 +cd {name} @{D}")


@many([("dot-certificate-of-another", "TLS09 | DNS39 | ~TLS09 DNS39", "DNS39 | ~TLS09! TLS07 TLS08 TLS10 TLS11 TLS12 TLS13 TLS14 TLS15 TLS16 TLS17 TLS26 TLS27 TLS37 HST01 DNS39 | ? | healthy", ("other",)), ("dot-certificate-expired", "TLS07 | DNS39 | ~TLS07 DNS39", "DNS39 | ~TLS07! TLS08 TLS09 TLS10 TLS11 TLS12 TLS13 TLS14 TLS15 TLS16 TLS17 TLS26 TLS27 TLS37 HST01 DNS39 | ? | healthy", ("expired",))], at=["client"], keep_keys=True)
def dot_certificate(w, kind):
    w.pki(kind, name="dns." + w.zone); unbound(w, f'  interface: 0.0.0.0@853\n  tls-service-key: "{w.cert}.key"\n  tls-service-pem: "{w.cert}.pem"\n  local-data: "{w.name}. 60 IN A {w.S}"\n'); w.begin()
    w.run("c", f"kdig +tls-ca={{ca}} +tls-hostname=dns.{w.zone} +retry=0 +timeout=4 {{name}} @{{D}}", timeout=12)


@case("DNS39 | ~DNS39! FW01 FW04 TCP01 FW02 Q01 FW03 TCP03 IP05 TCP06 IP07", at=["client"], twists=False)
def doh_blocked_plain_works(w):
    w.pki(name="dns." + w.zone); O.behind(w); O.dnsdist(w, f"addDOHLocal('0.0.0.0:443', '{w.cert}.pem', '{w.cert}.key')"); site(w, kind="nginx")
    w.nft("i", f"ip daddr {w.D} tcp dport 443 " + w.rng.choice(["drop", "reject with tcp reset"])); w.begin()
    w.run("c", "kdig +https +retry=0 +timeout=4 {name} @{D}", timeout=10); get(w, "/small")


@case("DNS02 | ~DNS02! DNS01 DNS03 IP05 FW01 DNS11 | DNS01", at=CLIENT, twists=False)
def resolver_dies(w):
    """It answered at first; then its process is stopped."""
    child = O.knot(w); site(w, kind="nginx"); w.begin(); get(w, "/small", client="curl"); os.killpg(child.pid, signal.SIGSTOP); any_get(w, timeout=13); os.killpg(child.pid, signal.SIGCONT)


@case("DNS01 | ~DNS01! DNS02 FW03", at=CLIENT, twists=False)
def resolver_killed(w):
    child = O.nsd(w); site(w, kind="nginx"); w.begin(); get(w, "/small", client="curl"); w.stop(child, signal.SIGTERM); any_get(w, timeout=13)


@case("DNS16 | ~DNS16! DNS15 DNS02 DNS08", at=["client"])
def answers_are_noise(w):
    w.python("d", "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 53)); print('READY', flush=True)\nwhile True:\n  d, p = s.recvfrom(999); s.sendto(d[:2] + b'\\x81\\x80\\0\\1\\0\\5\\0\\0\\0\\0' + d[12:] + os.urandom(30), p)", udp=53); w.begin(); any_get(w, timeout=12)


@case("DNS26 | ~DNS26! DNS10 DNS11 DNS09", at=CLIENT)
def alias_of_itself(w):
    w.python("d", f"names({{}}, alias={{{w.name!r}: {w.name!r}}})", udp=53); w.begin(); any_get(w, timeout=8)


@case("healthy", at=["client"])
def ok_lost_question_repeated(w):
    """One question was lost and asked again: the page came a little late."""
    w.truth = "healthy | ~DNS02 DNS18 DNS45 DNS11 IP19"
    resolver(w, kind="python"); site(w, kind="nginx"); w.nft("i", "udp dport 53 numgen inc mod 50 == 0 drop"); w.begin(); get(w, "/small", client=w.rng.choice(["curl", "wget"]))


@case("DNS41 | DNS05 | ~DNS05! DNS41 DNS12 DNS36", at=["client"])
def internal_name_asked_outside(w):
    O.pdns(w, zone=w.zone); w.begin(); any_get(w, host=f"{w.rng.choice(['wiki', 'git', 'intranet'])}.corp.{w.zone}")


@case("DNS22 | ?", at=["client"])
def two_authorities_differ(w):
    O.knot(w)
    O.nsd(w, ns="t", address=w.T, rows=""); sh(f"sed -i 's/ 7 3600/ 5 3600/' {w.dir}/zonefile"); w.begin()
    w.run("c", "for s in {D} {T}; do dig +norec {zone} SOA @$s; dig +norec {name} @$s; done")
