#!/usr/bin/env python3
"""Records captures of real kernels and programs, each with a truth that the doctor does not see.

    record.py OUT [NAME...]        makes OUT/NAME.pcap, .keys and OUT/truth.txt; needs root, tcpdump, nginx, curl, dig,
                                   openssl, nft and python3
    record.py --judge THRU OUT     lets `THRU doctor FILE --json` judge them, and counts
    record.py --keep OUT FOLDER    copies those that are small, for the repository

A truth is a set of causes (`TCP01 FW02`), `healthy`, or several of these between `|` where a capture leaves more than
one answer right; the first is the best. `?` among them: nothing can be said. Sealed truths (without the key log) stand
behind `//`.
"""
import json, os, random, signal, subprocess, sys, time
from concurrent.futures import ThreadPoolExecutor
from network import Net, sh, HERE

CASES = {}
SILENT = "FW01 IP05 TCP03 TCP06 IP07"
HIDDEN = "TLS07 TLS08 TLS09 TLS10 TLS11 TLS12 TLS14 TLS15 HST01"
CERTS = "/tmp/thru-kernel-certs"


def case(name, truth, **how):
    def add(act):
        CASES[name] = (truth, how, act)
    return add


def certificates():
    """A certificate authority and leaves for the names that networks draw, good ones and bad ones."""
    os.makedirs(CERTS, exist_ok=True)
    if os.path.exists(f"{CERTS}/done"):
        return
    names = ",".join(f"DNS:{name}" for name in ["www.shop.test", "api.bank.example", "files.site.test", "mail.corp.example"])
    ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    sh(f"cd {CERTS} && openssl req -x509 {ec} -keyout ca.key -out ca.crt -days 3650 -subj '/CN=Test Root' "
       "-addext basicConstraints=critical,CA:TRUE")
    sh(f"cd {CERTS} && openssl req {ec} -keyout mid.key -out mid.csr -subj '/CN=Test Intermediate' && "
       "printf 'basicConstraints=critical,CA:TRUE\n' > mid.ext && "
       "openssl x509 -req -in mid.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 900 -extfile mid.ext -out mid.crt")
    open(f"{CERTS}/ca.cnf", "w").write(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nrand_serial=yes\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n"
        "unique_subject=no\ncopy_extensions=copy\n[p]\ncommonName=supplied\n")

    def leaf(name, start, end, alt=names, ca="ca"):
        sh(f"cd {CERTS} && touch index && "
           f"openssl req {ec} -keyout {name}.key -out {name}.csr -subj /CN=site -addext subjectAltName={alt} && "
           f"openssl ca -batch -notext -config ca.cnf -cert {ca}.crt -keyfile {ca}.key -startdate {start} -enddate {end} "
           f"-in {name}.csr -out {name}.crt && cp {name}.crt {name}.pem")
    year = time.gmtime().tm_year
    leaf("good", f"{year - 1}0101000000Z", f"{year + 2}0101000000Z")
    leaf("expired", f"{year - 2}0101000000Z", f"{year - 1}0101000000Z")
    leaf("early", f"{year + 1}0101000000Z", f"{year + 3}0101000000Z")
    leaf("other", f"{year - 1}0101000000Z", f"{year + 2}0101000000Z", alt="DNS:somebody.else.test")
    leaf("chained", f"{year - 1}0101000000Z", f"{year + 2}0101000000Z", ca="mid")
    sh(f"cd {CERTS} && openssl req -x509 {ec} -keyout self.key -out self.pem -days 900 -subj /CN=site -addext subjectAltName={names}")
    sh(f"cd {CERTS} && openssl req -x509 {ec} -keyout rogue.key -out rogue.crt -days 900 -subj '/CN=Rogue Root' "
       "-addext basicConstraints=critical,CA:TRUE")
    leaf("rogue-leaf", f"{year - 1}0101000000Z", f"{year + 2}0101000000Z", ca="rogue")
    sh(f"chmod a+r {CERTS}/*; touch {CERTS}/done")


CURL = f"curl -s -o /dev/null -m 12 --cacert {CERTS}/ca.crt "


def get(n, path="", options="", scheme="http", port=None, name=None):
    at = f":{port}" if port else ""
    return n.run("c", f"{CURL} {options} {scheme}://{name or n.name}{at}/{path}")


def plain(n, handler="answer()", port=80):
    n.serve(f"serve({port}, {handler})")


def secure(n, certificate="good", handler="answer()", more="", port=443):
    n.serve(f"import ssl\nserve({port}, {handler}, tls('{CERTS}/{certificate}'{more}))")


def nginx(n, server, top=""):
    """nginx with one server block's inside, on ports 80 and 443."""
    root = n.out + ".root"
    os.makedirs(root, exist_ok=True)
    for name, size in [("index.html", 3_000), ("big", 6_000_000), ("middle", 300_000)]:
        with open(f"{root}/{name}", "wb") as file:
            file.write(os.urandom(size))
    conf = (f"daemon off; worker_processes 1; pid {root}/pid; error_log stderr; user root; events {{}} "
            f"http {{ access_log off; sendfile on; {top} client_body_temp_path {root}/b; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f; uwsgi_temp_path "
            f"{root}/u; scgi_temp_path {root}/s; server {{ listen 80; listen [::]:80; listen 443 ssl http2; listen [::]:443 ssl http2; "
            f"ssl_certificate {CERTS}/good.pem; ssl_certificate_key {CERTS}/good.key; root {root}; {server} }} }}")
    open(f"{root}/conf", "w").write(conf)
    child = n.spawn("s", ["nginx", "-c", f"{root}/conf"])
    for _ in range(100):
        if n.run("s", "ss -ltn").stdout.count(":443 "):
            return child
        time.sleep(0.05)
    raise RuntimeError("nginx does not listen")


# ---- the way to the port ----

@case("closed-port", "TCP01 FW02 | TCP01")
def _(n):
    n.dns(); n.capture(); get(n, port=8080)

@case("closed-port-known-host", "TCP01")
def _(n):
    n.dns(); plain(n); n.capture(); get(n); get(n, port=8443, scheme="https")

@case("closed-port-far", "TCP01 FW02 | TCP01", wire=dict(delay=0.03))
def _(n):
    n.dns(); n.capture(); get(n, scheme="https")

@case("silent-port", SILENT + " | FW01 TCP03")
def _(n):
    n.dns(); n.nft("r", "tcp dport 443 drop"); n.capture(); get(n, scheme="https")

@case("silent-port-other-open", "FW01 TCP03 | FW01 TCP03 IP07 | " + SILENT)
def _(n):
    n.dns(); plain(n); n.nft("r", "tcp dport 8443 drop"); n.capture(); get(n); get(n, scheme="https", port=8443)

@case("reset-by-firewall", "FW02 | FW02 TCP01", wire=dict(delay=0.02))
def _(n):
    n.dns(); plain(n); n.nft("r", "tcp dport 8080 reject with tcp reset"); n.capture(); get(n); get(n, port=8080)

@case("reject-by-firewall", "FW03")
def _(n):
    n.dns(); n.nft("r", "tcp dport 80 reject with icmpx admin-prohibited"); n.capture(); get(n)

@case("reject-on-host", "FW03 | TCP01 FW03")
def _(n):
    n.dns(); n.nft("s", "tcp dport 80 reject with icmpx port-unreachable", hook="input"); n.capture(); get(n)

@case("no-route-at-router", "IP04")
def _(n):
    n.dns(); n.run("r", "ip route add unreachable {S}/32"); n.capture(); get(n)

@case("prohibited-route", "FW03")
def _(n):
    n.dns(); n.run("r", "ip route add prohibit {S}/32"); n.capture(); get(n)

@case("blackhole", SILENT + " | IP05 TCP06 FW01 IP07 TCP03 | IP02 IP05")
def _(n):
    n.dns(); n.run("r", "ip route add blackhole {S}/32"); n.capture(); get(n)

@case("host-down", "LNK05")
def _(n):
    n.dns(); n.run("s", "ip addr del {S}/24 dev s0"); n.capture(); get(n)

@case("gateway-down", "LNK04")
def _(n):
    n.run("r", "ip addr del {G}/24 dev rc"); n.capture(); n.run("c", "curl -s -m 8 http://{S}/"); n.run("c", "curl -s -m 8 http://{S}/")

@case("routing-loop", "IP06")
def _(n):
    n.dns()
    n.run("d", "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.d0.send_redirects=0 net.ipv4.conf.all.rp_filter=0")
    n.run("r", "sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.rd.send_redirects=0; ip route add {S}/32 via {D}")
    n.capture(); get(n)

@case("backlog-full", "TCP03 | " + SILENT + " | FW01 TCP03 | FW01 TCP03 IP07")
def _(n):
    n.dns()
    n.serve("x = listen(80, backlog=0)\nprint('READY')\ntime.sleep(60)")
    n.capture()
    one = n.spawn("c", ["python3", "-c", f"import socket,time\na=[socket.create_connection(('{n.S}',80)) for _ in range(1)]\nprint('up',flush=True)\ntime.sleep(20)"], ready="up")
    two = n.spawn("c", ["sleep", "1"])
    get(n); get(n)

@case("syn-lost-once", "TCP07")
def _(n):
    n.dns(); plain(n)
    n.nft("r", "tcp dport 80 tcp flags & (syn|ack) == syn numgen inc mod 1000 < 1 drop"); n.capture(); get(n)

@case("address-not-there-v6", "IP13 | IP13 TCP07 | IP13 LNK05 | LNK05")
def _(n):
    n.dns(zone={n.name: [n.S6, n.S]}); plain(n)
    n.nft("r", "meta nfproto ipv6 tcp dport 80 drop"); n.capture(); get(n)

@case("v4-broken", "IP14")
def _(n):
    n.dns(zone={n.name: [n.S6, n.S]}); nginx(n, "")
    n.nft("r", "meta nfproto ipv4 tcp dport 80 drop"); n.capture()
    get(n, options="-4 -m 4"); get(n, options="-6")

@case("one-address-dead", "IP31 | LNK05 | IP31 LNK05")
def _(n):
    dead = n.FAR.rsplit(".", 1)[0] + ".250"
    n.dns(zone={n.name: [dead, n.S]}); plain(n); n.nft("r", f"ip daddr {dead} drop"); n.capture(); get(n, options="-m 30")

@case("private-address", "DNS14 | IP29 | DNS14 IP29")
def _(n):
    n.dns(zone={n.name: ["127.0.0.1"]}); n.capture("c:any"); get(n)

# ---- connections ----

@case("reset-after-accept", "TCP08 | TCP08 FW12")
def _(n):
    n.dns(); plain(n, "reset"); n.capture(); get(n)

@case("reset-after-request", "TCP08 FW12 | TCP08 | TCP09 | FW12 | TCP09 FW09")
def _(n):
    n.dns(); plain(n, "lambda x: (request(x), reset(x))"); n.capture(); get(n)

@case("reset-mid-transfer", "TCP09 | TCP09 FW09")
def _(n):
    n.dns(); plain(n, "lambda x: (request(x), x.sendall(page('x' * 90000)[:40000]), time.sleep(0.5), reset(x))"); n.capture(); get(n)

@case("empty-reply", "H112")
def _(n):
    n.dns(); plain(n, "lambda x: request(x)"); n.capture(); get(n)

@case("half-open-after-restart", "TCP10 | TCP10 FW06 | FW06 TCP10")
def _(n):
    n.dns()
    server = n.serve("serve(80, answer())")
    n.capture()
    client = n.spawn("c", ["python3", "-u", "-c", f"import socket,time\nx=socket.create_connection(('{n.S}',80))\nx.sendall(b'GET / HTTP/1.1\\r\\nHost: {n.name}\\r\\n\\r\\n')\nx.recv(9999)\nprint('got',flush=True)\ntime.sleep(4)\nx.sendall(b'GET /again HTTP/1.1\\r\\nHost: {n.name}\\r\\n\\r\\n')\ntime.sleep(1)"], ready="got")
    n.nft("s", "tcp sport 80 drop", hook="output")
    n.stop(server, signal.SIGKILL)
    time.sleep(0.5)
    n.run("s", "ss -K sport = :80")
    n.unfilter("s")
    time.sleep(5)

@case("peer-vanishes", "FW05 TCP11 | TCP11 | TCP11 FW05 | IP09 TCP11 IP05 | FW05 TCP11 IP05")
def _(n):
    n.dns(); plain(n, "answer()"); n.capture()
    n.spawn("c", ["python3", "-u", "-c", f"import socket,time\nx=socket.create_connection(('{n.S}',80))\nx.sendall(b'GET / HTTP/1.1\\r\\nHost: {n.name}\\r\\n\\r\\n')\nx.recv(9999)\nprint('got',flush=True)\ntime.sleep(2)\nx.sendall(b'GET /again HTTP/1.1\\r\\nHost: {n.name}\\r\\n\\r\\n')\ntime.sleep(14)"], ready="got")
    n.nft("r", "ip saddr {S} drop", "ip daddr {S} drop"); time.sleep(15)

@case("nat-forgets-drop", "FW05 | FW05 TCP11")
def _(n):
    n.dns(); plain(n, "answer()"); n.capture()
    n.spawn("c", ["python3", "-u", "-c", f"import socket,time\nx=socket.create_connection(('{n.S}',80))\nx.sendall(b'GET / HTTP/1.1\\r\\nHost: {n.name}\\r\\n\\r\\n')\nx.recv(9999)\nprint('got',flush=True)\ntime.sleep(6)\nx.sendall(b'GET /again HTTP/1.1\\r\\nHost: {n.name}\\r\\n\\r\\n')\ntime.sleep(14)"], ready="got")
    port = n.run("c", "ss -tnH state established dport = :80").stdout.split()[2].rsplit(":", 1)[1]
    n.nft("r", f"tcp sport {port} drop", f"tcp dport {port} drop")
    time.sleep(12)
    get(n); time.sleep(1)

@case("nat-forgets-reset", "FW06 | FW06 TCP10 | TCP10 FW06", wire=dict(delay=0.02))
def _(n):
    n.dns(); plain(n, "answer()"); n.capture()
    n.spawn("c", ["python3", "-u", "-c", f"import socket,time\nx=socket.create_connection(('{n.S}',80))\nx.sendall(b'GET / HTTP/1.1\\r\\nHost: {n.name}\\r\\n\\r\\n')\nx.recv(9999)\nprint('got',flush=True)\ntime.sleep(4)\nx.sendall(b'GET /again HTTP/1.1\\r\\nHost: {n.name}\\r\\n\\r\\n')\ntime.sleep(2)"], ready="got")
    time.sleep(1); n.nft("r", "tcp dport 80 reject with tcp reset"); time.sleep(5)

@case("zero-window-upload", "TCP12 | TCP12 APP05")
def _(n):
    n.dns(); plain(n, "lambda x: time.sleep(30)"); n.capture()
    n.run("c", f"head -c 20000000 /dev/zero | {CURL} -T - http://{{name}}/up")

@case("client-reads-slowly", "APP08 | TCP12 | APP08 TCP12 | TCP12 APP08")
def _(n):
    n.dns(); nginx(n, ""); n.run("c", "sysctl -qw net.ipv4.tcp_rmem='4096 65536 65536'"); n.capture()
    n.run("c", "python3 -c \"import socket,time\nx=socket.create_connection(('{S}',80))\nx.sendall(b'GET /middle HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n')\nwhile x.recv(20000): time.sleep(0.5)\"")

@case("mtu-hole-down", "IP09 | IP09 APP05", wire=dict(delay=0.01, down=dict(mtu=1400)))
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "middle")

@case("mtu-hole-up", "IP10 | IP10 TCP11 FW12 | IP10 TCP11", wire=dict(delay=0.01, up=dict(mtu=1400)))
def _(n):
    n.dns(); plain(n, "lambda x: (request(x), swallow(x, 150000), x.sendall(page('ok')))"); n.capture()
    n.run("c", f"head -c 200000 /dev/urandom > {n.out}.up; {CURL} -T {n.out}.up -H 'Expect:' http://{{name}}/up; rm {n.out}.up")

@case("loss-3", "IP19 | IP19 IP17", wire=dict(delay=0.015, loss=0.03))
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "big", "-m 25")

@case("loss-10", "IP19 | IP19 IP17", wire=dict(delay=0.01, loss=0.10))
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "middle", "-m 25"); get(n, "middle", "-m 25")

@case("loss-up", "IP19 | IP19 IP17", wire=dict(delay=0.015, up=dict(loss=0.04)))
def _(n):
    n.dns(); plain(n, "lambda x: (request(x), swallow(x, 2900000), x.sendall(page('ok')), time.sleep(0.3))"); n.capture()
    n.run("c", f"head -c 3000000 /dev/urandom > {n.out}.up; {CURL} -m 25 -T {n.out}.up -H 'Expect:' http://{{name}}/up; rm {n.out}.up")

@case("loss-at-server", "IP19 | IP19 IP17", wire=dict(delay=0.015, loss=0.03))
def _(n):
    n.dns(); nginx(n, ""); n.capture("s:s0"); get(n, "big", "-m 25")

@case("reordering", "IP21", wire=dict(delay=0.01, down=dict(reorder=0.05, reorder_by=0.006)))
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "big", "-m 25")

@case("duplicates", "IP22", wire=dict(delay=0.01, duplicate=0.08))
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "big", "-m 25")

@case("corruption", "IP23", wire=dict(delay=0.01, down=dict(corrupt=0.04)))
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "big", "-m 25")

@case("bufferbloat", "IP18 | IP18 APP06", wire=dict(delay=0.01, down=dict(rate=1.5e6, queue=600)))
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "middle", "-m 25"); get(n, "middle", "-m 25"); get(n, "middle", "-m 25")

@case("policer", "IP17 | IP19 IP17 | IP17 IP19 IP21", wire=dict(delay=0.01, down=dict(police=(8e6, 60000))))
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "big", "-m 15")

@case("outage", "IP20", wire=dict(delay=0.01, rate=12e6, queue=60, outage=(1.5, 4.5)))
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "big", "-m 25")

# ---- names ----

@case("nxdomain", "DNS05 | DNS05 DNS12 DNS36")
def _(n):
    n.dns(); n.capture(); get(n, name="nosuch." + n.name.split(".", 1)[1])

@case("no-address", "DNS06")
def _(n):
    n.dns(zone={n.name: []}); n.capture(); get(n)

@case("servfail", "DNS10 | DNS09 DNS10 | DNS10 DNS09 | DNS11 DNS10 | DNS09 DNS10 DNS11 | DNS10 DNS09 DNS11")
def _(n):
    n.dns(rcode=2); n.capture(); get(n)

@case("servfail-bogus", "DNS09 | DNS27 DNS09")
def _(n):
    n.dns(rcode=2, ede=7); n.capture(); n.run("c", "dig +tries=1 {name} @{D}; dig +tries=1 {name} AAAA @{D}")

@case("refused", "DNS07")
def _(n):
    n.dns(rcode=5); n.capture(); get(n)

@case("silent-name-server", "DNS02 | DNS02 DNS03 IP05 | DNS02 DNS03 | DNS02 DNS01")
def _(n):
    n.dns(silent=True); n.capture(); get(n, options="-m 20")

@case("no-name-server-there", "DNS01")
def _(n):
    n.capture(); get(n, options="-m 20")

@case("first-name-server-silent", "DNS02 | DNS18 | DNS45 DNS18 | DNS18 DNS02")
def _(n):
    n.dns(silent=True); n.resolvers(n.D, n.S); n.dns("s"); plain(n); n.capture(); get(n, options="-m 20")

@case("aaaa-swallowed", "DNS38")
def _(n):
    n.dns(silent_kinds=[28]); plain(n); n.capture(); get(n, options="-m 20")

@case("slow-names", "DNS45 | DNS45 DNS18")
def _(n):
    n.dns(delay=1.6); plain(n); n.capture(); get(n)

@case("bogon-answer", "DNS14 | DNS14 IP29")
def _(n):
    n.dns(zone={n.name: ["0.0.0.0"]}); n.capture(); n.run("c", "dig +tries=1 {name} @{D}; dig +tries=1 AAAA {name} @{D}")

@case("blocked-name", "DNS12 | DNS05 DNS12 DNS36")
def _(n):
    n.dns(rcode=3, ede=15); n.capture(); get(n)

@case("cut-answer-no-tcp", "DNS04", wire=dict(delay=0.005))
def _(n):
    n.dns(truncate=True, tcp=False); n.nft("r", "tcp dport 53 drop"); n.capture(); get(n, options="-m 20")

@case("wrong-number", "DNS15")
def _(n):
    n.dns(wrong_id=True); n.capture(); get(n, options="-m 20")

@case("malformed-answer", "DNS16")
def _(n):
    n.dns(malformed=True); n.capture(); get(n, options="-m 20")

@case("alias-loop", "DNS26")
def _(n):
    n.dns(zone={}, cnames={n.name: "a." + n.name, "a." + n.name: n.name}); n.capture(); get(n, options="-m 20")

# ---- TLS ----

for version in ["1.2", "1.3"]:
    only = f"--tlsv{version} --tls-max {version}"
    for certificate, truth in [("expired", "TLS07"), ("early", "TLS08 | TLS08 HST01"), ("other", "TLS09"), ("self", "TLS10"),
                               ("rogue-leaf", "TLS11 TLS15 TLS12 | TLS11 | TLS15 TLS11 | TLS11 TLS15 | TLS12 TLS11 | TLS11 TLS12"),
                               ("chained", "TLS12 | TLS11 TLS12 | TLS11 TLS12 TLS15")]:
        # OpenSSL sends its alert in the clear, for it has not changed its keys yet.
        blind = {"expired": "TLS07", "other": "?"}.get(certificate, "TLS11 TLS10 TLS12 TLS15")
        sealed = truth if version == "1.2" else f"{HIDDEN} | {blind}"
        @case(f"cert-{certificate}-tls{version[-1]}", f"{truth} // {sealed}")
        def _(n, certificate=certificate, only=only):
            n.dns(); secure(n, certificate); n.capture(); get(n, scheme="https", options=only)

@case("no-common-version", "TLS03")
def _(n):
    n.dns(); secure(n, more=", high=ssl.TLSVersion.TLSv1_2"); n.capture(); get(n, scheme="https", options="--tlsv1.3")

@case("no-common-cipher", "TLS04")
def _(n):
    n.dns(); secure(n, more=", high=ssl.TLSVersion.TLSv1_2, ciphers='ECDHE-ECDSA-AES256-GCM-SHA384'"); n.capture()
    get(n, scheme="https", options="--tls-max 1.2 --ciphers ECDHE-RSA-AES128-GCM-SHA256")

@case("plain-on-443", "TLS01")
def _(n):
    n.dns(); plain(n, "lambda x: (x.recv(999), x.sendall(page('bad', '400 Bad Request')))", 443); n.capture(); get(n, scheme="https")

@case("banner-on-443", "TLS01 | TCP26 | TLS01 TCP26")
def _(n):
    n.dns(); plain(n, "lambda x: (x.sendall(b'SSH-2.0-OpenSSH_9.6\\r\\n'), x.recv(999), time.sleep(1))", 443); n.capture(); get(n, scheme="https")

@case("http-to-tls-port", "TLS02 | H101 | TLS02 H101")
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, port=443)

@case("reset-on-hello", "TLS24 | TLS24 FW08 | FW08")
def _(n):
    n.dns(); plain(n, "lambda x: (x.recv(9999), reset(x))", 443); n.capture(); get(n, scheme="https")

@case("close-on-hello", "TLS24 | TLS24 FW08")
def _(n):
    n.dns(); plain(n, "lambda x: x.recv(9999)", 443); n.capture(); get(n, scheme="https")

@case("silent-on-hello", "TLS23")
def _(n):
    n.dns(); plain(n, "lambda x: (x.recv(9999), time.sleep(30))", 443); n.capture(); get(n, scheme="https")

@case("name-filter-drop", "FW10 | FW10 TLS21 IP10 | TLS21 FW10 IP10 | IP10 TLS21 FW10", wire=dict(delay=0.01))
def _(n):
    n.dns(); secure(n)
    n.run("r", f"iptables -A FORWARD -p tcp --dport 443 -m string --algo bm --string {n.name} -j DROP"); n.capture(); get(n, scheme="https")

@case("name-filter-reset", "FW08 | TLS24 FW08", wire=dict(delay=0.02))
def _(n):
    n.dns(); secure(n)
    n.run("r", f"iptables -A FORWARD -p tcp --dport 443 -m string --algo bm --string {n.name} -j REJECT --reject-with tcp-reset"); n.capture(); get(n, scheme="https")

@case("client-certificate-needed-tls2", "TLS18")
def _(n):
    n.dns(); secure(n, more=f", high=ssl.TLSVersion.TLSv1_2, client_ca='{CERTS}/ca.crt'"); n.capture(); get(n, scheme="https")

@case("client-certificate-needed-tls3", "TLS18 // TLS18 H112 | TLS18 | ?")
def _(n):
    n.dns(); secure(n, more=f", client_ca='{CERTS}/ca.crt'"); n.capture(); get(n, scheme="https")

@case("slow-handshake", "TLS34 | TLS34 TLS33", wire=dict(delay=0.01))
def _(n):
    n.dns(); n.serve(f"c = tls('{CERTS}/good')\nserve(443, lambda x: (time.sleep(1.8), answer()(c.wrap_socket(x, server_side=True))))"); n.capture(); get(n, scheme="https")

# ---- HTTP and the application ----

for status, truth in [("404 Not Found", "H101"), ("403 Forbidden", "H101 | H101 FW21 | FW21"), ("500 Internal Server Error", "H105"),
                      ("502 Bad Gateway", "H102"), ("503 Service Unavailable", "H103"), ("504 Gateway Timeout", "H104"),
                      ("429 Too Many Requests", "H106"), ("401 Unauthorized", "H101"), ("421 Misdirected Request", "H109 | H101"),
                      ("431 Request Header Fields Too Large", "H116"), ("407 Proxy Authentication Required", "PX03"),
                      ("511 Network Authentication Required", "FW22"), ("451 Unavailable For Legal Reasons", "FW21 | H101 FW21 | H101")]:
    @case(f"status-{status[:3]}", truth)
    def _(n, status=status):
        n.dns(); plain(n, f"answer('{status}')"); n.capture(); get(n)

@case("status-503-tls", "H103 // ? | healthy")
def _(n):
    n.dns(); nginx(n, "return 503;"); n.capture(); get(n, scheme="https")

@case("redirect-loop", "H107")
def _(n):
    n.dns(); nginx(n, "return 302 http://$host/;"); n.capture(); get(n, options="-L --max-redirs 8")

@case("truncated-body", "H110")
def _(n):
    n.dns(); plain(n, "lambda x: (request(x), x.sendall(page('x' * 9000)[:5000]))"); n.capture(); get(n)

@case("unfinished-chunks", "H111")
def _(n):
    n.dns(); plain(n, "lambda x: (request(x), x.sendall(b'HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n400\\r\\n' + b'x' * 1024 + b'\\r\\n'))"); n.capture(); get(n)

@case("no-http", "H115 | TCP26 | H115 TCP26")
def _(n):
    n.dns(); plain(n, "lambda x: (request(x), x.sendall(b'220 mail ready\\r\\n'))"); n.capture(); get(n)

@case("hangs", "APP05 | APP05 IP09 | IP09 APP05")
def _(n):
    n.dns(); plain(n, "lambda x: (request(x), time.sleep(30))"); n.capture(); get(n)

@case("hangs-tls", "APP05 // APP05 | ? | APP05 IP09")
def _(n):
    n.dns(); secure(n, handler="lambda x: (request(x), time.sleep(30))"); n.capture(); get(n, scheme="https")

@case("stops-mid-body", "APP05 | APP07 | APP06 | TCP15 | APP05 APP07 | ?")
def _(n):
    n.dns(); plain(n, "lambda x: (request(x), x.sendall(page('x' * 90000)[:30000]), time.sleep(30))"); n.capture(); get(n)

@case("thinks-long", "APP01")
def _(n):
    n.dns(); plain(n, "answer(after=2.5)"); n.capture(); get(n)

@case("thinks-long-tls", "APP01", wire=dict(delay=0.01))
def _(n):
    n.dns(); secure(n, handler="answer(after=2.5)"); n.capture(); get(n, scheme="https")

@case("drips", "APP06", wire=dict(delay=0.01))
def _(n):
    n.dns(); plain(n, "lambda x: (request(x), x.sendall(page('x' * 40)[:-40]), [(x.sendall(b'x'), time.sleep(0.25)) for _ in range(40)])"); n.capture(); get(n, options="-m 20")

# ---- healthy ----

@case("ok-http", "healthy")
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n)

@case("ok-tls2", "healthy")
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, scheme="https", options="--tls-max 1.2")

@case("ok-tls3-h2", "healthy", wire=dict(delay=0.02))
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "middle", scheme="https")

@case("ok-keepalive-idle", "healthy")
def _(n):
    n.dns(); plain(n, "answer()"); n.capture()
    n.run("c", f"python3 -c \"import socket,time\nx=socket.create_connection(('{n.S}',80))\nx.setsockopt(1,9,1)\nx.setsockopt(6,4,2)\nx.setsockopt(6,5,2)\nfor t in (0,7,1):\n time.sleep(t)\n x.sendall(b'GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n')\n x.recv(99999)\nx.close()\"")

@case("ok-offload-download", "healthy")
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "big")

@case("ok-offload-at-server", "healthy")
def _(n):
    n.dns(); nginx(n, ""); n.capture("s:s0"); get(n, "big", scheme="https")

@case("ok-gro-download", "healthy", wire=dict(delay=0.005))
def _(n):
    n.dns(); nginx(n, ""); sh(f"ip netns exec {n.ns('c')} ethtool -K c0 gro on"); n.capture(); get(n, "big", scheme="https")

@case("ok-upload", "healthy")
def _(n):
    n.dns(); plain(n, "lambda x: (request(x), swallow(x, 90000), x.sendall(page('ok')), time.sleep(0.3))"); n.capture()
    n.run("c", f"head -c 100000 /dev/urandom > {n.out}.up; {CURL} -T {n.out}.up -H 'Expect:' http://{{name}}/up; rm {n.out}.up")

@case("ok-snaplen", "healthy | ?")
def _(n):
    n.dns(); nginx(n, ""); n.capture(snap=96); get(n, "big"); get(n, scheme="https")

@case("ok-start-missing", "healthy | ?", wire=dict(delay=0.01, down=dict(rate=20e6)))
def _(n):
    n.dns(); nginx(n, ""); c = n.spawn("c", f"{CURL} http://{{name}}/big"); time.sleep(0.8); n.capture(); c.wait(); time.sleep(0.2)

@case("ok-end-missing", "healthy | ?", wire=dict(delay=0.01, down=dict(rate=20e6)))
def _(n):
    n.dns(); nginx(n, ""); t = n.capture(); c = n.spawn("c", f"{CURL} https://{{name}}/big"); time.sleep(1.2); n.stop(t); c.wait()

@case("ok-loss-tenth-percent", "healthy", wire=dict(delay=0.01, loss=0.001))
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "big", scheme="https")

@case("ok-any", "healthy")
def _(n):
    n.dns(); nginx(n, ""); n.capture("c:any"); get(n, "middle"); get(n, scheme="https")

@case("ok-any-router-nat", "healthy")
def _(n):
    n.dns(); nginx(n, ""); n.nft("r", "oifname rs masquerade", hook="postrouting", family="ip"); n.capture("r:any"); get(n, "middle"); get(n, scheme="https")

@case("ok-any-sll1", "healthy")
def _(n):
    n.dns(); nginx(n, ""); n.capture("c:any", also="-y LINUX_SLL"); get(n, "middle"); get(n, scheme="https")

@case("ok-one-direction", "healthy | ?")
def _(n):
    n.dns(); nginx(n, ""); n.capture(also="-Q in"); get(n, "middle"); get(n, scheme="https")

@case("ok-many-flows", "healthy")
def _(n):
    n.dns(zone={f"h{i}.{n.name}": [n.S] for i in range(20)}); nginx(n, ""); n.capture()
    n.run("c", " & ".join(f"curl -sko /dev/null {'http' if i % 2 else 'https'}://h{i}.{n.name}/middle" for i in range(20)) + " & wait")

@case("ok-v6", "healthy")
def _(n):
    n.dns(zone={n.name: [n.S6, n.S]}); nginx(n, ""); n.capture(); get(n, "middle", scheme="https")

@case("ok-small-mtu", "healthy", mtu=1280)
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "middle", scheme="https")

@case("ok-path-mtu-found", "healthy | H101")
def _(n):
    n.dns(); nginx(n, ""); n.run("r", "ip link set rs mtu 1300"); n.run("s", "ip link set s0 mtu 1300"); n.capture()
    n.run("c", f"{CURL} -d x={'y' * 9000} http://{{name}}/index.html"); get(n, "middle")

@case("ok-redirect", "healthy")
def _(n):
    n.dns(); nginx(n, "location = /old { return 301 /index.html; }"); n.capture(); get(n, "old", "-L")

@case("ok-not-modified", "healthy")
def _(n):
    n.dns(); plain(n, "lambda x: (request(x), x.sendall(b'HTTP/1.1 304 Not Modified\\r\\n\\r\\n'))"); n.capture(); get(n)

@case("ok-head", "healthy")
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "middle", "-I")

@case("ok-client-aborts", "healthy | ?")
def _(n):
    n.dns(); nginx(n, ""); n.capture(); n.run("c", "curl -s -m 1 http://{name}/big | head -c 3000 >/dev/null")

@case("ok-dig", "healthy")
def _(n):
    n.dns(); n.capture(); n.run("c", "dig {name} @{D}; dig +tcp {name} @{D}; dig AAAA {name} @{D}; dig TXT {name} @{D}")

@case("ok-search-list", "healthy")
def _(n):
    n.dns(); nginx(n, ""); n.resolvers(n.D, options="search corp.lan\noptions ndots:5\n"); n.capture(); get(n)

@case("ok-long-path", "healthy", wire=dict(delay=0.15))
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "middle", scheme="https")

@case("ok-jitter", "healthy", wire=dict(delay=0.03, down=dict(rate=30e6, queue=100)))
def _(n):
    n.dns(); nginx(n, ""); n.capture(); get(n, "big", scheme="https")

@case("ok-pipelined-post", "healthy")
def _(n):
    n.dns(); nginx(n, "location /up { return 200 fine; }"); n.capture()
    n.run("c", f"{CURL} -d a=1 http://{{name}}/up -d b=2; {CURL} http://{{name}}/")

@case("ok-hello-retry", "healthy")
def _(n):
    n.dns(); nginx(n, "ssl_ecdh_curve prime256v1;"); n.capture(); get(n, scheme="https", options="--curves X25519:P-256")

@case("ok-long-poll-ended", "healthy | APP01", wire=dict(delay=0.01))
def _(n):
    n.dns(); plain(n, "answer(after=0.6)"); n.capture(); get(n)

@case("ok-ping", "healthy")
def _(n):
    n.capture(); n.run("c", "ping -c 5 -i 0.2 {S}")

# ----


def record(item):
    number, name, out = item
    truth, how, act = CASES[name]
    n = None
    try:
        n = Net(number, f"{out}/{name}", name, **how)
        act(n)
        time.sleep(0.3)
        print("made", name, flush=True)
    except Exception as error:
        print("FAILED", name, error, flush=True)
    finally:
        if n:
            n.close()
        subprocess.run(["rm", "-rf", f"{out}/{name}.root"])


def parse(truth):
    clear, _, sealed = truth.partition("//")
    sets = lambda text: [frozenset(one.split()) for one in text.split("|")]
    return sets(clear), sets(sealed) if sealed.strip() else sets(clear)


def verdict_of(thru, path, keys=None):
    command = [thru, "doctor", path, "--json"] + (["--keylog", keys] if keys else [])
    lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    return next(json.loads(line) for line in reversed(lines) if '"capture"' in line)["verdict"]


def outcome(wanted, verdict):
    named, status = frozenset(verdict["causes"]), verdict["status"]
    said = frozenset(["healthy"]) if status == "healthy" else frozenset(["?"]) if not named else named
    if said in wanted:
        return "right"
    if wanted[0] == {"healthy"}:
        return "abstained" if said == {"?"} else "FALSE-ALARM"
    if said == {"?"}:
        return "abstained"
    if said == {"healthy"}:
        return "missed"
    return "near" if any(said & one for one in wanted) else "WRONG"


def judge(thru, out):
    counts = {}
    for name in [name for name in CASES if os.path.exists(f"{out}/{name}.pcap")]:
        clear, sealed = parse(CASES[name][0])
        keys = f"{out}/{name}.keys"
        for how, wanted, key in [("keys", clear, keys if os.path.exists(keys) else None), ("sealed", sealed, None)]:
            if how == "keys" and not key and sealed != clear:
                continue
            verdict = verdict_of(thru, f"{out}/{name}.pcap", key)
            result = outcome(wanted, verdict)
            counts.setdefault(how, {}).setdefault(result, []).append(name)
            if result != "right":
                print(f"{result:12}{how:7}{name:32}{verdict['status']:10}{' '.join(verdict['causes']):28}{verdict['confidence']:.2f}  {verdict['summary'][:150]}")
    for how, by in counts.items():
        print(how, {key: len(names) for key, names in sorted(by.items())}, "of", sum(map(len, by.values())))


def keep(out, folder):
    """Small captures, with key logs where they have one; of others the headers alone, if that makes them small."""
    os.makedirs(folder, exist_ok=True)
    kept = []
    for name in [name for name in CASES if os.path.exists(f"{out}/{name}.pcap")]:
        source, target = f"{out}/{name}.pcap", f"{folder}/{name}.pcap"
        if os.path.getsize(source) < 6_000:
            sh(f"cp {source} {target}")
        elif os.path.getsize(source) < 500_000 and name in HEADERS_WILL_DO:
            sh(f"editcap -F pcap -s 128 {source} {target}")
        if os.path.exists(target):
            kept.append(f"{name}: {CASES[name][0]}\n")
            keys = f"{out}/{name}.keys"
            if os.path.exists(keys) and os.path.getsize(keys):
                sh(f"cp {keys} {folder}/{name}.keys")
    with open(f"{folder}/truth.txt", "w") as file:
        file.writelines(kept)


HEADERS_WILL_DO = ["loss-10", "client-reads-slowly", "mtu-hole-down", "mtu-hole-up"]


def main():
    if sys.argv[1] == "--keep":
        return keep(sys.argv[2], sys.argv[3])
    if sys.argv[1] == "--judge":
        return judge(sys.argv[2], sys.argv[3])
    out, names = os.path.abspath(sys.argv[1]), sys.argv[2:] or list(CASES)
    os.makedirs(out, exist_ok=True)
    certificates()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(record, [(number, name, out) for number, name in enumerate(names)]))
    with open(f"{out}/truth.txt", "w") as file:
        file.writelines(f"{name}: {CASES[name][0]}\n" for name in CASES if os.path.exists(f"{out}/{name}.pcap"))


main()
