"""The cases: what is broken (or not), who asks, and what a fair expert may say of the capture."""
import os, random, signal, socket, sys, time
from ground import PYTHON, TOOLS, sh
import programs as P
from programs import get, h3, nginx, apache, haproxy, lighttpd, caddy, node, site, resolver, unbound, named, write, files

CASES = {}
CLIENT, SIDES, ALL = ["client", "client", "any"], ["client", "server", "middle"], ["client", "client", "server", "middle", "any"]
SILENT = "~>=2 FW01! IP05 TCP03 TCP06 IP07"
ISSUER = "TLS11 | TLS15 TLS11 | TLS11 TLS15 | TLS12 TLS11 | TLS11 TLS12 | ~TLS11! TLS12 TLS15 TLS10"
SEALED = "TLS07 TLS08 TLS09 TLS10 TLS11 TLS12 TLS13 TLS14 TLS15 TLS16 TLS17 TLS26 TLS27 TLS37 HST01"


class Case:
    def __init__(self, body, truth, sealed, at, link, nat, snaps, keep_keys, world, twists):
        self.body, self.truth, self.sealed, self.at, self.link = body, truth, sealed, at, link
        self.nat, self.snaps, self.keep_keys, self.world, self.twists = nat, snaps, keep_keys, world, twists


def case(truth, sealed=None, at=CLIENT, link="any", nat=False, snaps=(0,), keep_keys=False, world=None, name=None, twists=True):
    def take(body):
        label = (name or body.__name__).replace("_", "-")
        assert label not in CASES, label
        CASES[label] = made = Case(body, truth, sealed, list(at), link, nat, list(snaps), keep_keys or bool(sealed), world or {}, twists)
        made.batch = body.__module__
        return body
    return take


def many(rows, **common):
    """One body, many cases: rows of (name, truth, sealed?, arguments)."""
    def take(body):
        for label, truth, sealed, arguments in rows:
            one = lambda w, a=arguments: body(w, *a)
            one.__module__ = body.__module__
            case(truth, sealed, name=label, **common)(one)
        return body
    return take


def delay(low=0.005, high=0.08, **more):
    return lambda rng: {"delay": rng.uniform(low, high) / 2, **{k: (v(rng) if callable(v) else v) for k, v in more.items()}}


def uni(low, high):
    return lambda rng: rng.uniform(low, high)


def banner(port, line):
    """A program that greets first, as those of other protocols do, and does not understand what it is told."""
    return f"def h(c):\n  c.sendall(b'{line}\\r\\n')\n  head(c); time.sleep(0.2); c.sendall(b'Invalid command\\r\\n')\nserve({port}, h)"


def background(w, seconds=6):
    """Healthy traffic beside the case: another server, pings, questions."""
    nginx(w, ns="t", name="bg", port=8088)
    w.run("c", f"timeout {seconds} sh -c 'while :; do curl -s -o /dev/null http://{w.T}:8088/page; ping -c1 -W1 {w.T} >/dev/null; sleep 0.7; done'", wait=False)


# what a drawn case may have besides: an impairment of the way that is not what the user suffers from
TWISTS = {
    "slight-loss": lambda rng, link: {**(link or {}), "delay": (link or {}).get("delay", 0.012), "loss": (link or {}).get("loss") or 0.006},
    "reordered": lambda rng, link: {**(link or {}), "delay": (link or {}).get("delay", 0.02), "reorder": 0.02, "reorder_by": 0.003},
    "far": lambda rng, link: {**(link or {}), "delay": 0.14},
    "noise": lambda rng, link: link,
    "jittery": lambda rng, link: {**(link or {}), "delay": (link or {}).get("delay", 0.015), "jitter": 0.02},
}


# ================= healthy and harmless =================

@case("healthy", at=ALL, snaps=(0, 0, 128), nat=True)
def ok_plain_site(w):
    resolver(w); site(w); w.begin()
    get(w, w.rng.choice(["/", "/small", "/page"]))


@case("healthy", "healthy | ?", at=ALL, keep_keys=True, nat=True)
def ok_tls_site(w):
    w.pki(); resolver(w); site(w, tls=True); w.begin()
    get(w, w.rng.choice(["/", "/small", "/page"]), tls=True, client=w.rng.choice(["curl", "wget", "python", "httpx", "node", "go", "openssl"]))


@case("healthy", "healthy | ?", at=ALL, keep_keys=True)
def ok_http3_caddy(w):
    w.pki(); resolver(w); caddy(w); w.begin()
    h3(w, count=3)


@case("healthy", "healthy | ?", at=SIDES, keep_keys=True)
def ok_tls12_haproxy_cipher(w):
    w.pki(key="2048"); resolver(w); P.nginx(w, port=8080)
    haproxy(w, "frontend f\n  bind :443 ssl crt {cert}.both ssl-max-ver TLSv1.2 alpn h2,http/1.1\n  default_backend b\nbackend b\n  server a 127.0.0.1:8080\n", port=443)
    w.begin(); get(w, "/page", tls=True)


@case("healthy | APP10", link=lambda rng: {"delay": rng.uniform(0.04, 0.12)}, at=SIDES)
def ok_big_far(w):
    resolver(w); site(w, kind=w.rng.choice(["nginx", "apache", "lighttpd"])); w.begin()
    get(w, "/big", timeout=40)


@case("healthy | APP10 | IP18 | ~APP10 IP18", link=lambda rng: {"delay": 0.01, "rate": rng.choice([4e6, 8e6, 20e6]), "queue": 60}, at=["client", "server"])
def ok_big_on_a_dsl_line(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", timeout=40)


@case("healthy | APP10", link=None, at=SIDES, snaps=(96, 200))
def ok_huge_with_offloads(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/huge", timeout=40)


@case("healthy", at=SIDES)
def ok_keepalive_closed_by_server(w):
    resolver(w); site(w, kind="nginx") if False else nginx(w, inside="keepalive_timeout 2;"); w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 80)); c.sendall(b'GET /small HTTP/1.1\\r\\nHost: {w.name}\\r\\n\\r\\n'); "
             "time.sleep(0.3); c.recv(99999); c.recv(9999); c.close()", wait=True, timeout=12)


@case("healthy | TCP25", at=SIDES)
def ok_keepalive_reset_after_fin(w):
    resolver(w); nginx(w, inside="keepalive_timeout 1;"); w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 80)); c.sendall(b'GET /small HTTP/1.1\\r\\nHost: {w.name}\\r\\n\\r\\n'); "
             "time.sleep(0.3); c.recv(99999); time.sleep(1.5); reset(c)", wait=True, timeout=12)


@case("healthy", at=CLIENT, link=delay(0.02, 0.08))
def ok_user_aborts_download(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    child = get(w, "/huge", client=w.rng.choice(["curl", "wget"]), wait=False, timeout=60)
    time.sleep(1.2)
    os.killpg(child.pid, signal.SIGKILL)


@case("healthy", "healthy | ?", at=CLIENT, link=delay(0.02, 0.08), keep_keys=True)
def ok_user_aborts_download_tls(w):
    w.pki(); resolver(w); site(w, kind="caddy", tls=True); w.begin()
    child = get(w, "/huge", tls=True, client="curl", wait=False, timeout=60)
    time.sleep(1.4)
    os.killpg(child.pid, signal.SIGKILL)


@case("healthy", at=SIDES)
def ok_close_with_unread_data(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 80)); c.sendall(b'GET /page HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n'); "
             "c.recv(300); time.sleep(0.5); c.close()", wait=True, timeout=12)


@case("healthy", at=CLIENT)
def ok_304(w):
    resolver(w); kind = w.rng.choice(["nginx", "apache", "caddy"])
    site(w, kind=kind); w.begin()
    w.run("c", "curl -sS -o /dev/null -D {dir}/h http://{name}/page; curl -sS -o /dev/null -H \"If-None-Match: $(grep -i ^etag {dir}/h | cut -d' ' -f2- | tr -d '\\r')\" http://{name}/page")


@case("healthy", at=CLIENT)
def ok_range_head_post(w):
    resolver(w); nginx(w, server="location /up { client_max_body_size 9m; proxy_pass http://127.0.0.1:8099; }\n", inside="client_max_body_size 20m; server { listen 8099; location / { return 200 ok; } }"); w.begin()
    w.run("c", "curl -sS -o /dev/null -r 100-900 http://{name}/page; curl -sSI http://{name}/page; head -c 200000 /dev/zero | curl -sS -o /dev/null --data-binary @- http://{name}/up")


@case("healthy", at=CLIENT, link=delay(0.01, 0.05))
def ok_happy_eyeballs_loser_reset(w):
    """IPv6 answers a little late: IPv4 wins, the loser is reset."""
    w.zone_data = {w.name: [w.S, w.S6]}
    resolver(w); nginx(w)
    w.spawn("c", f"sh -c 'echo x; exec sleep 100'", ready="x")
    w.begin()
    w.python("c", f"""
a, b = socket.socket(socket.AF_INET6), socket.socket()
a.setblocking(False)
try: a.connect(({w.S6!r}, 80))
except BlockingIOError: pass
b.connect(({w.S!r}, 80))
time.sleep(0.3)
reset(a)
b.sendall(b'GET /page HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n')
while b.recv(65536): pass
b.close()""", wait=True, timeout=12)


@case("healthy", at=SIDES)
def ok_v4_only_site(w):
    resolver(w); site(w); w.begin()
    for client in w.rng.sample(["curl", "wget", "node", "go", "python"], 2):
        get(w, "/small", client=client)


@case("healthy", at=SIDES)
def ok_v6_site(w):
    w.zone_data = {w.name: [w.S6]}
    resolver(w); site(w, kind=w.rng.choice(["nginx", "apache"])); w.begin()
    get(w, "/page")


@case("healthy | IP19 | TCP18", link=delay(0.02, 0.06, down=lambda rng: {"drop_numbers": [rng.randrange(20, 300)]}), at=["client", "server"])
def ok_single_segment_lost(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", timeout=30)


@case("healthy | IP21", link=delay(0.02, 0.06, down=lambda rng: {"reorder": 0.002, "reorder_by": 0.002}), at=["client", "server"])
def ok_slight_reordering(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", timeout=30)


@case("healthy", at=CLIENT, world={})
def ok_roaming(w):
    """The client gets another address between two requests."""
    resolver(w); site(w, kind="nginx"); w.begin(at="client")
    get(w, "/page")
    new = w.C.rsplit(".", 1)[0] + f".{251}"
    w.ip("c", "addr flush dev eth0 scope global", f"addr add {new}/24 dev eth0", "route add default via {G}")
    time.sleep(0.5)
    get(w, "/page", client="curl")


@case("healthy", at=CLIENT)
def ok_ping_fails_service_fine(w):
    w.nft("s", "ip protocol icmp icmp type echo-request drop", hook="input")
    resolver(w); site(w); w.begin()
    w.run("c", "ping -c 3 -i 0.3 -W 1 {S}")
    get(w, "/page")


@case("healthy", at=CLIENT, link=None)
def ok_working_pmtud(w):
    w.ip("i", "link set srv mtu 1400"); w.ip("s", "link set eth0 mtu 1500")
    w.ip("g", "link set wan mtu 1380"); w.ip("i", "link set cust mtu 1380")
    resolver(w); nginx(w, server="location /up { client_max_body_size 9m; proxy_pass http://127.0.0.1:8099; }\n", inside="client_max_body_size 20m; server { listen 8099; location / { return 200 ok; } }"); w.begin()
    w.run("c", "head -c 300000 /dev/zero | curl -sS -o /dev/null --data-binary @- http://{name}/up; curl -sS -o /dev/null http://{name}/page")


@case("healthy", at=["client"], link=delay(0.02, 0.06))
def ok_capture_started_late(w):
    resolver(w); site(w, kind="nginx")
    child = get(w, "/big", client="curl", options="--limit-rate 600k", wait=False, timeout=30)
    time.sleep(0.7)
    w.begin()
    child.wait(20)


@case("healthy", at=["client"], link=delay(0.01, 0.03))
def ok_ssh_like_session(w):
    resolver(w)
    w.spawn("s", f"socat TCP-LISTEN:2222,fork,reuseaddr EXEC:cat", port=2222)
    w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 2222))\nfor k in range(12):\n  c.sendall(b'k'); c.recv(9); time.sleep(0.25)\nc.close()", wait=True, timeout=20)


@case("healthy", at=["client", "server"])
def ok_tcp_keepalive_probes(w):
    w.spawn("s", "socat TCP-LISTEN:7000,fork,reuseaddr EXEC:cat", port=7000); w.begin()
    w.python("c", f"""c = socket.create_connection(({w.S!r}, 7000)); c.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
c.setsockopt(6, 4, 1); c.setsockopt(6, 5, 1); c.sendall(b'hello'); c.recv(9); time.sleep(5); c.sendall(b'again'); c.recv(9); c.close()""", wait=True, timeout=20)


@case("healthy", "healthy | ?", at=SIDES, keep_keys=True)
def ok_tls_resumption(w):
    w.pki(); resolver(w); nginx(w, tls=True, port=443, inside="ssl_session_cache shared:a:1m;"); w.begin()
    w.run("c", "openssl s_client -connect {S}:443 -servername {name} -keylogfile {out}.keys -sess_out {dir}/sess -ign_eof </dev/null >/dev/null 2>&1 & sleep 1; kill $!; "
          "(printf 'GET /small HTTP/1.0\\r\\nHost: {name}\\r\\n\\r\\n'; sleep 1) | timeout 4 openssl s_client -connect {S}:443 -servername {name} -keylogfile {out}.keys -sess_in {dir}/sess -ign_eof >/dev/null 2>&1")


@case("healthy | TLS05", "healthy | TLS05 | ?", at=SIDES, keep_keys=True, link=delay(0.02, 0.05))
def ok_hello_retry(w):
    w.pki(); resolver(w); nginx(w, tls=True, port=443, protocols="ssl_ecdh_curve secp384r1;"); w.begin()
    get(w, "/page", tls=True, client=w.rng.choice(["curl", "go", "node"]))


@case("healthy", "healthy | ?", at=SIDES, keep_keys=True)
def ok_h2_many_streams(w):
    w.pki(); resolver(w); files(w)
    w.spawn("s", f"nghttpd -d {w.dir}/www 443 {w.cert}.key {w.cert}.pem", port=443); w.begin()
    w.run("c", "nghttp -n -m 12 --no-verify-peer https://{name}/page https://{name}/small" if False else "curl -sS --parallel --http2 --cacert {ca} -o /dev/null https://{name}/page -o /dev/null https://{name}/small -o /dev/null https://{name}/page")


@case("healthy", at=["client"])
def ok_redirect_then_page(w):
    resolver(w); nginx(w, server="location = /old { return 301 /page; } location = /old2 { return 307 http://$host/old; }"); w.begin()
    w.run("c", "curl -sSL -o /dev/null http://{name}/old2")


@case("healthy", at=["client"])
def ok_favicon_missing(w):
    """A page that is there and a 206, then the usual 204 of a beacon."""
    resolver(w); nginx(w, server="location = /beacon { return 204; }"); w.begin()
    w.run("c", "curl -sS -o /dev/null http://{name}/page http://{name}/beacon -o /dev/null")


@case("healthy | APP01 | APP05", at=["client", "server"])
def ok_server_sent_events(w):
    resolver(w); node(w, body="s.writeHead(200,{'Content-Type':'text/event-stream'}); let n=0; const t=setInterval(()=>{s.write('data: '+n+'\\n\\n'); if(++n==8){clearInterval(t); s.end()}},500)"); w.begin()
    get(w, "/events", client=w.rng.choice(["curl", "node"]), timeout=15)


@case("healthy", at=["client"])
def ok_websocket(w):
    resolver(w)
    w.spawn("s", [PYTHON, "-u", "-c", "import asyncio, websockets\nasync def h(ws):\n  async for m in ws: await ws.send(m)\nasync def main():\n  async with websockets.serve(h, '0.0.0.0', 80):\n    print('READY', flush=True); await asyncio.Event().wait()\nasyncio.run(main())"], port=80)
    w.begin()
    w.run("c", [PYTHON, "-c", f"import asyncio, websockets\nasync def main():\n  async with websockets.connect('ws://{w.name}/chat') as ws:\n    for k in range(6):\n      await ws.send('hi'); await ws.recv(); await asyncio.sleep(0.4)\nasyncio.run(main())"], timeout=12)


@case("healthy", at=["client", "any"])
def ok_traceroute_and_page(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    w.run("c", "traceroute -n -w 1 -q 1 {S}; traceroute -n -T -p 80 -w 1 -q 1 {S}", timeout=20)
    get(w, "/page")


@case("healthy", at=["client", "resolver"])
def ok_large_txt_over_tcp(w):
    zone = w.zone
    path = write(w, "z", f"$TTL 60\n@ IN SOA ns1 admin 7 3600 600 86400 60\n@ IN NS ns1\nns1 IN A {w.D}\n" + "".join(f'big IN TXT "{k:04d}{"v" * 180}"\n' for k in range(30)))
    named(w, f'zone "{zone}" {{ type master; file "{path}"; }};'); w.begin()
    w.run("c", "dig +bufsize=1232 big.{zone} TXT @{D}")


@case("healthy", at=["resolver"], link=delay(0.01, 0.04))
def ok_recursion_seen_at_resolver(w):
    w.ip("t", f"addr add {w.T6[:-1]}53/64 dev eth0") if False else None
    path = write(w, "z", f"$TTL 60\n@ IN SOA ns1 admin 7 3600 600 86400 60\n@ IN NS ns1\nns1 IN A {w.T}\n{w.host} IN A {w.S}\n")
    named(w, f'zone "{w.zone}" {{ type master; file "{path}"; }};', ns="t")
    unbound(w, "", more=f'stub-zone:\n  name: "{w.zone}"\n  stub-addr: {w.T}\n'); w.begin()
    w.run("c", "dig {name} @{D}; dig {name} AAAA @{D}; dig {name} @{D}")


@case("healthy", at=["client"])
def ok_dhcp_lease(w):
    conf = write(w, "udhcpd.conf", f"start {w.lan}.120\nend {w.lan}.130\ninterface lan\nlease_file {w.dir}/leases\npidfile {w.dir}/up\nopt dns {w.D}\nopt subnet 255.255.255.0\nopt router {w.G}\nopt lease 600\n")
    open(f"{w.dir}/leases", "w").close()
    w.spawn("g", f"udhcpd -f {conf}", ready="started"); w.begin(at="client")
    w.run("c", "udhcpc -i eth0 -n -q -t 4 -T 1 -s /bin/true", timeout=15)


@case("healthy", at=["client"])
def ok_neighbour_noise(w):
    """ARP for hosts that are off, mDNS and SSDP: the usual noise of a LAN, and one good request."""
    resolver(w); site(w, kind="nginx"); w.begin(at="client")
    w.python("c", f"""
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for k in range(4):
    s.sendto(b'M-SEARCH * HTTP/1.1\\r\\nHOST:239.255.255.250:1900\\r\\nST: ssdp:all\\r\\n\\r\\n', ('239.255.255.250', 1900))
    s.sendto(b'\\0\\0\\0\\0\\0\\1\\0\\0\\0\\0\\0\\0\\x09_services\\x07_dns-sd\\x04_udp\\x05local\\0\\0\\x0c\\0\\1', ('224.0.0.251', 5353))
    s.sendto(b'x', ('255.255.255.255' if False else {w.lan!r} + '.%d' % (240 + k), 9))
    time.sleep(0.5)""", wait=True)
    get(w, "/page")


@case("healthy", "healthy | ?", at=["client"], keep_keys=True)
def ok_https_with_ocsp_fetch(w):
    """The client fetches something over plain HTTP from elsewhere in the middle: usual."""
    w.zone_data = {w.name: [w.S], "ocsp.authority.example": [w.T]}
    w.pki(); resolver(w); nginx(w, tls=True, port=443); nginx(w, ns="t", name="ocsp"); w.begin()
    w.run("c", "curl -sS -o /dev/null http://ocsp.authority.example/small; curl -sS --cacert {ca} -o /dev/null https://{name}/page")


@case("healthy", at=["gateway-any"], nat=False)
def ok_every_packet_twice_at_the_gateway(w):
    w.nft("g", "oifname wan masquerade", hook="postrouting")
    w.ip("i", "route del {lan}.0/24 via {W}")
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/page")


@case("healthy", at=["client"])
def ok_port_reused(w):
    resolver(w); nginx(w, inside="keepalive_timeout 0;"); w.begin()
    w.python("c", f"""
for k in range(3):
    c = socket.socket(); c.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); c.bind(('0.0.0.0', 40001)); c.connect(({w.S!r}, 80))
    c.sendall(b'GET /small HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n')
    while c.recv(65536): pass
    c.close(); time.sleep(0.6)""", wait=True)


@case("healthy | APP01", at=["client", "server"])
def ok_long_poll(w):
    resolver(w); node(w, body="setTimeout(()=>s.end('none'), 2600)"); w.begin()
    get(w, "/poll?timeout=25", client="curl")


@case("healthy", at=["client"])
def ok_ftp_session(w):
    files(w)
    conf = write(w, "ftp.conf", f"listen=YES\nanonymous_enable=YES\nanon_root={w.dir}/www\nrun_as_launching_user=YES\nbackground=NO\nno_anon_password=YES\nsecure_chroot_dir={w.dir}\n")
    w.spawn("s", f"vsftpd {conf}", port=21); w.begin()
    w.run("c", "curl -sS -o /dev/null ftp://{S}/page", timeout=15)


@case("healthy", at=["client"])
def ok_redis_and_dns_over_tcp(w):
    resolver(w, kind="unbound")
    w.spawn("s", "redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --save ''", port=6379); w.begin()
    w.run("c", "dig +tcp {name} @{D}; for k in 1 2 3; do printf 'SET a %s\\r\\nGET a\\r\\nQUIT\\r\\n' $k | timeout 3 socat - TCP:{S}:6379; done")


@case("healthy | DNS37", at=["client"])
def ok_search_suffix_once(w):
    w.resolvers(w.D, options="search corp.example\noptions ndots:1 timeout:2"); w.zone_data = {w.name: [w.S], "intranet.corp.example": [w.S]}
    resolver(w, kind="unbound"); site(w, kind="nginx"); w.begin()
    get(w, "/small", host="intranet", client="curl")


@case("healthy | IP19", link=delay(0.02, 0.05), at=["client"])
def ok_capture_with_drops(w):
    """The capture lost packets, not the network: every 40th record is taken out afterwards."""
    resolver(w); site(w, kind="nginx"); w.begin(how="tcpdump", at="client")
    get(w, "/big", timeout=30)
    w.finish()
    data = open(w.file, "rb").read()
    out, at, n = data[:24], 24, 0
    while at + 16 <= len(data):
        size = int.from_bytes(data[at + 8:at + 12], "little")
        n += 1
        if n % 40 or n < 20:
            out += data[at:at + 16 + size]
        at += 16 + size
    open(w.file, "wb").write(out)


@case("healthy", at=["client"])
def ok_h1_pipelined_keepalive(w):
    resolver(w); site(w, kind=w.rng.choice(["nginx", "apache", "lighttpd"])); w.begin()
    get(w, "/small", client="node", count=6)


# ================= link and local net =================

@case("LNK04", at=CLIENT, link=None, twists=False)
def gateway_gone(w):
    w.ip("g", "link set lan arp off"); w.begin(at="client")
    w.run("c", "curl -sS -m 8 http://{S}/", timeout=12)


@case("LNK04", at=["client"], link=None, twists=False)
def gateway_gone_v6(w):
    w.nft("g", "icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} drop", hook="input"); w.begin(at="client")
    w.run("c", "curl -sS -m 8 http://[{S6}]/", timeout=12)


@case("LNK05", at=CLIENT, twists=False)
def last_hop_finds_no_server(w):
    w.begin()
    w.run("c", "curl -sS -m 12 http://{S2}/", timeout=15)


@case("LNK05", at=["client", "middle"], twists=False)
def last_hop_finds_no_server_v6(w):
    other = w.S6.rsplit(":", 1)[0] + ":dead"
    w.begin()
    w.run("c", f"curl -sS -m 12 http://[{other}]:8080/", timeout=15)


@case("LNK06 | ~LNK06! TCP01 TCP09 TCP10 FW02 IP31", at=["client"], link=None, twists=False)
def two_hosts_one_address(w):
    """On the client's own LAN two machines say they are the file server."""
    peer = f"{w.lan}.200"
    w.ip("g", "addr add {lan}.200/24 dev lan")
    w.nft("c", "accept", hook="input")
    sh(f"ip link add eth1 netns {w.ns('c')} type veth peer name eth9 netns {w.ns('t')}")
    # a bridge on the client's side joins both machines to its LAN
    w.ip("c", "addr flush dev eth0", "link add br0 type bridge", "link set eth0 master br0", "link set eth1 master br0", "link set eth1 up", "link set br0 up",
         "addr add {C}/24 dev br0", "route add default via {G}")
    w.ip("t", "link set eth9 up", "addr add {lan}.200/24 dev eth9")
    nginx(w, ns="g", name="a", port=80); nginx(w, ns="t", name="b", port=8080)
    w.file = w.out + ".pcap"
    w.at = "client"
    w.catcher = w.spawn("c", f"tcpdump -Z root --immediate-mode -U -n -i br0 -w {w.file}", ready="listening on")
    for k in range(4):
        w.run("c", f"ip neigh flush all; curl -sS -m 3 -o /dev/null http://{peer}:80/small; sleep 0.4")


@case("LNK02", at=["client"], link=None, twists=False)
def dhcp_nobody_answers(w):
    w.begin(at="client")
    w.run("c", "udhcpc -i eth0 -n -q -t 4 -T 2 -s /bin/true", timeout=15)


@case("LNK03", at=["client"], link=None, twists=False)
def dhcp_refused(w):
    w.python("g", f"dhcp_server('nak', {w.lan + '.77'!r}, {w.G!r}, 'lan')"); w.begin(at="client")
    w.run("c", "timeout 12 udhcpc -i eth0 -n -q -t 3 -T 2 -s /bin/true", timeout=15)


@case("LNK03 | LNK02 LNK03 | LNK03 LNK02", at=["client"], link=None, twists=False)
def dhcp_offer_then_silence(w):
    w.python("g", f"dhcp_server('offer-only', {w.lan + '.77'!r}, {w.G!r}, 'lan')"); w.begin(at="client")
    w.run("c", "timeout 14 udhcpc -i eth0 -n -q -t 3 -T 2 -s /bin/true", timeout=18)


@case("LNK13 | ?", at=["client"], link=None, twists=False)
def rogue_dhcp(w):
    """Two servers offer, with different gateways."""
    w.python("g", f"dhcp_server('ok', {w.lan + '.77'!r}, {w.G!r}, 'lan')")
    sh(f"ip link add lan2 netns {w.ns('g')} type macvlan 2>/dev/null || true", check=False)
    w.ip("g", "link add lan2 link lan type macvlan mode bridge", "link set lan2 up", "addr add {lan}.66/24 dev lan2")
    w.python("g", f"dhcp_server('ok', {w.lan + '.150'!r}, {w.lan + '.66'!r}, 'lan2')"); w.begin(at="client")
    w.run("c", "timeout 12 udhcpc -i eth0 -n -q -t 3 -T 2 -s /bin/true", timeout=15)


@case("LNK10 | LNK04 | ~LNK10 LNK04 LNK02", at=["client"], link=None, twists=False)
def wrong_vlan(w):
    """Nobody answers: neither the gateway nor the name server on the LAN nor DHCP."""
    w.ip("g", "link set lan arp off"); w.resolvers(f"{w.lan}.2", f"{w.lan}.3"); w.begin(at="client")
    w.run("c", "udhcpc -i eth0 -n -q -t 2 -T 1 -s /bin/true; curl -sS -m 4 http://{name}/; curl -sS -m 4 http://{S}/; ping -c 2 -W 1 {lan}.9", timeout=25)


@case("LNK11 | ~LNK11! LNK06 IP22", at=["client"], link=None, twists=False)
def switch_loop(w):
    """Two cables between two switches without spanning tree; slow cables, so that the storm stays small."""
    c = w.ns("g")
    sh(f"ip link add x1 netns {c} type veth peer name y1 netns {w.ns('t')}; ip link add x2 netns {c} type veth peer name y2 netns {w.ns('t')}")
    w.ip("g", "addr flush dev lan", "link add brA type bridge", "link set lan master brA", "link set x1 master brA", "link set x2 master brA",
         "link set brA up", "addr add {G}/24 dev brA", "link set x1 up", "link set x2 up")
    w.ip("t", "link add brB type bridge", "link set y1 master brB", "link set y2 master brB", "link set brB up", "link set y1 up", "link set y2 up")
    for ns, dev in [("g", "x1"), ("g", "x2"), ("t", "y1"), ("t", "y2")]:
        sh(f"ip netns exec {w.ns(ns)} tc qdisc add dev {dev} root tbf rate 200kbit burst 2kb latency 50ms")
    w.begin(at="client", how="tcpdump")
    w.run("c", "timeout 3 ping -c 3 -W 1 {lan}.99; timeout 3 curl -sS -m 3 http://{S}/", timeout=10)


@case("HST01 | TLS07 HST01 | HST01 TLS07 | TLS08 HST01 | HST01 TLS08", f"~HST01! {SEALED} | ~TLS07! {SEALED} | ~TLS08! {SEALED} | ?", at=CLIENT, keep_keys=True)
def clock_of_the_client_wrong(w):
    w.pki(); resolver(w); nginx(w, tls=True, port=443, protocols=w.rng.choice(["ssl_protocols TLSv1.2;", ""])); w.begin()
    w.run("c", f"faketime '{w.rng.choice(['-3 years', '+2 years'])}' curl -sS -m 8 --cacert {{ca}} -o /dev/null https://{{name}}/page")


@case(f"HST05 | ~HST05! FW01 IP05 TCP03 TCP06 IP07 | {SILENT}", at=["client", "middle"], twists=False)
def source_of_another_net(w):
    w.ip("c", "addr add 10.77.66.55/32 dev lo"); site(w, kind="nginx"); w.begin()
    w.run("c", "curl -sS -m 6 --interface 10.77.66.55 http://{S}/", timeout=10)


# ================= routes, path, MTU =================

@many([("router-no-route", "IP04", None, ("i", "unreachable {S}/32", 4)), ("router-no-route-v6", "IP04", None, ("i", "unreachable {S6}/128", 6)),
       ("gateway-no-route", "IP04", None, ("g", "unreachable {S}/32", 4)),
       ("router-prohibits", "FW03", None, ("i", "prohibit {S}/32", 4)), ("router-prohibits-v6", "FW03", None, ("i", "prohibit {S6}/128", 6))], at=CLIENT, nat=True, twists=False)
def at_router(w, where, route, family):
    w.zone_data = {w.name: [w.S if family == 4 else w.S6]}
    resolver(w); site(w, kind="nginx"); w.ip(where, f"-{family} route add {route}"); w.begin()
    get(w, "/", client=w.rng.choice(["curl", "wget", "python", "go"]), timeout=6)


@case(SILENT + " | IP05", at=["client", "any"], nat=True, twists=False)
def null_route(w):
    resolver(w); site(w, kind="nginx"); w.ip("i", "route add blackhole {S}/32"); w.begin()
    get(w, "/", timeout=9)


@case("IP06", at=CLIENT, link=delay(0.002, 0.01))
def routing_loop(w):
    w.ip("i", "route add {S}/32 via {W}"); w.begin()
    w.run("c", "curl -sS -m 6 http://{S}/", timeout=9)


@case("IP06", at=["client", "middle"], link=delay(0.002, 0.01))
def routing_loop_v6(w):
    w.ip("i", "-6 route add {S6}/128 via {W6}"); w.zone_data = {w.name: [w.S6]}; resolver(w); w.begin()
    get(w, "/", timeout=6)


@case("IP07 | ~IP07! FW01 IP05 | ~FW01! IP05 IP07", at=["server"], twists=False)
def answers_do_not_return(w):
    """Seen at the server: its SYN-ACKs are never acknowledged."""
    w.nft("i", "ip saddr {S} tcp flags syn,ack / syn,ack drop"); resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/", client="curl", timeout=9)


@case("IP08 | ~FW07 FW16 TCP03 IP08 HST07 FW01 IP19 TCP07 APP12 IP31", at=["client"], twists=False)
def one_of_two_paths_bad(w):
    w.nft("i", "tcp dport 80 jhash ip saddr . tcp sport mod 2 seed 0x2 0 drop"); resolver(w); site(w, kind="nginx"); w.begin()
    w.python("c", f"""
def one(k):
    c = socket.socket(); c.settimeout(7)
    try:
        c.connect(({w.S!r}, 80)); c.sendall(b'GET /small HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n')
        while c.recv(65536): pass
    except OSError: pass
    c.close()
all = [threading.Thread(target=one, args=(k,)) for k in range(10)]
[t.start() for t in all]; [t.join() for t in all]""", wait=True, timeout=20)


@many([("mtu-hole-down", "IP09 | IP09 APP05 | APP05 IP09", None, (False, 4)), ("mtu-hole-down-v6", "IP09 | IP12 | ~IP09 IP12 APP05", None, (False, 6)),
       ("mtu-hole-down-tls", "IP11 | IP09 | ~IP09 IP11 TLS23 APP05", "IP11 | IP09 | ~IP09 IP11 TLS23 APP05", (True, 4))], at=["client", "server"], link=None, keep_keys=True, twists=False)
def mtu_hole_down(w, tls, family):
    w.ip("g", "link set wan mtu 1320"); w.ip("i", "link set cust mtu 1320")
    w.nft("i", "icmp type destination-unreachable drop", "icmpv6 type packet-too-big drop", hook="output")
    if tls:
        w.pki("big")
    w.zone_data = {w.name: [w.S if family == 4 else w.S6]}
    resolver(w); site(w, tls=tls, kind="nginx"); w.begin()
    get(w, "/page", tls=tls, client=w.rng.choice(["curl", "wget", "go"]), timeout=w.rng.choice([6, 14]))


@many([("mtu-hole-up", "IP10 | ~IP10! TCP11 FW12 TLS21", None, (4,)), ("mtu-hole-up-v6", "IP10 | IP12 | ~IP10! IP12 TCP11 FW12 TLS21", None, (6,))], at=["client", "any"], link=None, twists=False)
def mtu_hole_up(w, family):
    """The hole is behind the gateway, in a tunnel that drops without a word."""
    w.nft("i", "iifname cust meta length > 1372 drop", hook="prerouting", priority=-300, kind="filter")
    w.zone_data = {w.name: [w.S if family == 4 else w.S6]}
    resolver(w); nginx(w, server="location /up { client_max_body_size 9m; proxy_pass http://127.0.0.1:8099; }\n", inside="client_max_body_size 20m; server { listen 8099; location / { return 200 ok; } }")
    sh(f"ip netns exec {w.ns('c')} ethtool -K eth0 tso off gso off", check=False)
    sh(f"ip netns exec {w.ns('g')} ethtool -K lan gro off", check=False)
    w.begin(at="client")
    w.run("c", "head -c 60000 /dev/zero | curl -sS -m 12 -o /dev/null -H 'Expect:' --data-binary @- http://{name}/up", timeout=15)


@case("IP13 | ~IP13! LNK05 TCP07 FW01", at=CLIENT, twists=False)
def v6_broken_falls_back(w):
    w.zone_data = {w.name: [w.S, w.S6]}; resolver(w); site(w, kind="nginx")
    w.nft("i", w.rng.choice(["ip6 daddr {S6} tcp dport 80 drop", "ip6 daddr {S6} drop"])); w.begin()
    get(w, "/page", client="curl")


@case("IP13 | ~IP13! IP04", at=CLIENT, twists=False)
def v6_unreachable_falls_back(w):
    w.zone_data = {w.name: [w.S, w.S6]}; resolver(w); site(w, kind="nginx"); w.ip("i", "-6 route add unreachable {S6}/128"); w.begin()
    get(w, "/page", client=w.rng.choice(["curl", "go", "python"]))


@case("IP14 | ~IP14! FW01", at=CLIENT, twists=False)
def v4_broken_v6_works(w):
    w.zone_data = {w.name: [w.S, w.S6]}; resolver(w); site(w, kind="nginx"); w.nft("i", "ip daddr {S} tcp dport 80 drop"); w.begin()
    w.python("c", f"""
a = socket.socket(); a.settimeout(3)
socket.getaddrinfo({w.name!r}, 80)
try: a.connect(({w.S!r}, 80))
except OSError: pass
b = socket.create_connection(({w.S6!r}, 80)); b.sendall(b'GET /page HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n')
while b.recv(65536): pass""", wait=True, timeout=12)


@case("IP15 | ~IP15! IP09 | IP09 | IP09 APP05", at=["client", "server"], link=None, twists=False)
def jumbo_frames_on_one_lan(w):
    """Both ends say MSS 8960; the switch between them carries 1500."""
    sh(f"ip link add eth1 netns {w.ns('c')} type veth peer name p1 netns {w.ns('t')}; ip link add eth1 netns {w.ns('s')} type veth peer name p2 netns {w.ns('t')}")
    w.ip("t", "link add br0 type bridge", "link set p1 master br0", "link set p2 master br0", "link set p1 up", "link set p2 up mtu 9000", "link set p1 mtu 9000", "link set br0 up")
    w.ip("c", "link set eth1 up mtu 9000", "addr add 10.99.0.1/24 dev eth1"); w.ip("s", "link set eth1 up mtu 9000", "addr add 10.99.0.2/24 dev eth1")
    sh(f"ip netns exec {w.ns('t')} nft 'add table bridge t; add chain bridge t f {{ type filter hook forward priority 0; }}; add rule bridge t f meta length > 1500 drop'")
    for ns in "cs":
        sh(f"ip netns exec {w.ns(ns)} ethtool -K eth1 tso off gso off gro off")
    site(w, kind="nginx")
    ns = "c" if w.rng.random() < 0.6 else "s"
    w.file, w.at = w.out + ".pcap", "client" if ns == "c" else "server"
    w.catcher = w.spawn(ns, f"tcpdump -Z root --immediate-mode -U -n -i eth1 -w {w.file}", ready="listening on")
    w.run("c", "curl -sS -m 7 -o /dev/null http://10.99.0.2/page", timeout=10)


@case("IP16 | DNS17 | ~DNS17 IP16 DNS02 DNS03", at=["client"], link=None, twists=False)
def fragments_lost(w):
    w.nft("i", "ip frag-off & 0x1fff != 0 drop", hook="prerouting", priority=-450, kind="filter")
    w.python("d", f"names({w.zone_data!r}, text=14, most=65000, tcp=False)", udp=53); w.begin(at="client")
    w.run("c", "dig +bufsize=4096 +ignore +tries=2 +timeout=3 big.{name} TXT @{D}; dig +bufsize=4096 +tries=2 +timeout=3 {name} TXT @{D}; dig {name} @{D}", timeout=40)


@case("IP17 | ~IP17! IP19 FW11", link=lambda rng: {"delay": 0.015, "down": {"police": (rng.choice([2e6, 4e6, 8e6]), 20000)}}, at=["client", "server"], twists=False)
def policed(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", client="curl", timeout=30)


@case("IP18 | IP18 APP10 | APP10 IP18 | ~IP18! IP24 APP10", link=lambda rng: {"delay": 0.01, "rate": rng.choice([1.5e6, 3e6]), "queue": 900}, at=["client", "server"], twists=False)
def bufferbloat(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", client="curl", timeout=30)


@many([("loss-down-2", "IP19 | IP19 TCP18", None, ()), ("loss-down-5", "IP19 | IP19 TCP18", None, ()), ("loss-down-10", "IP19 | ~IP19! TCP18 IP20", None, ())],
      link=lambda rng: {"delay": rng.uniform(0.008, 0.04), "down": {"loss": rng.choice([0.02, 0.05, 0.1])}}, at=["client", "server", "middle"], twists=False)
def loss_down(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", client="curl", timeout=45)


@case("IP19 | IP19 TCP18", link=lambda rng: {"delay": 0.02, "up": {"loss": 0.04}}, at=["client", "server"], twists=False)
def loss_up_upload(w):
    resolver(w); nginx(w, server="location /up { client_max_body_size 9m; proxy_pass http://127.0.0.1:8099; }\n", inside="client_max_body_size 20m; server { listen 8099; location / { return 200 ok; } }"); w.begin()
    w.run("c", "head -c 1500000 /dev/zero | curl -sS -m 30 -o /dev/null -H 'Expect:' --data-binary @- http://{name}/up", timeout=35)


@case("IP19 | IP20 | ~IP19 IP20 TCP18", link=lambda rng: {"delay": 0.02, "down": {"burst": (0.006, 0.25)}}, at=["client", "server"], twists=False)
def loss_in_bursts(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", client="curl", timeout=45)


@case("IP20 | ~IP20! IP19 TCP18", link=lambda rng: {"delay": 0.02, "rate": 6e6, "queue": 80, "outages": [(0.8, 0.8 + rng.uniform(1.5, 3.5))]}, at=["client", "server"], twists=False)
def outage(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", client="curl", timeout=40)


@case("IP21", link=lambda rng: {"delay": 0.015, "down": {"reorder": rng.choice([0.05, 0.15]), "reorder_by": rng.choice([0.003, 0.008])}}, at=["client"], twists=False)
def reordering(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", client="curl", timeout=40)


@case("IP22", link=lambda rng: {"delay": 0.015, "duplicate": rng.choice([0.05, 0.2]), "duplicate_by": rng.choice([0.0004, 0.004])}, at=["client"], twists=False)
def duplication(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", client="curl", timeout=40)


@case("IP23", link=lambda rng: {"delay": 0.015, "down": {"corrupt": rng.choice([0.02, 0.06])}}, at=["client"], twists=False)
def corruption_at_receiver(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", client="curl", timeout=40)


@case("IP19 | IP23 | ~IP19 IP23", link=lambda rng: {"delay": 0.015, "down": {"corrupt": 0.05}}, at=["server"], twists=False)
def corruption_at_sender(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", client="curl", timeout=40)


@case("IP25 | ~IP25! IP19 IP20 IP21 | IP20 | IP19", link=lambda rng: {"delay": 0.02, "rate": 5e6, "queue": 90, "box": "Duplex", "with": {"period": 0.7, "gap": 0.12}}, at=["client"], twists=False)
def route_flaps(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", client="curl", timeout=40)


@case("IP28 | TCP07 | ~IP28 TCP07", at=["client"], twists=False)
def ecn_black_hole(w):
    w.sysctl("c", "net.ipv4.tcp_ecn=1"); resolver(w); site(w, kind="nginx")
    w.nft("i", "tcp flags & (syn|ecn|cwr) == syn|ecn|cwr drop"); w.begin()
    w.python("c", f"s = socket.create_connection(({w.S!r}, 80), 12); s.sendall(b'GET /small HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n')\nwhile s.recv(9999): pass", wait=True, timeout=20)


@case("IP31 | ~IP31! FW01 TCP01 TCP07 FW02", at=CLIENT, twists=False)
def one_address_of_three_dead(w):
    w.ip("s", "addr add {S2}/24 dev eth0"); w.zone_data = {w.name: [w.S, w.S2]}; resolver(w, kind="python"); site(w, kind="nginx")
    w.nft("i", w.rng.choice(["ip daddr {S} tcp dport 80 drop", "ip daddr {S} tcp dport 80 reject with tcp reset"])); w.begin()
    w.python("c", f"""
for a in [x[4] for x in socket.getaddrinfo({w.name!r}, 80, socket.AF_INET, socket.SOCK_STREAM)]:
    try:
        s = socket.create_connection(a[:2], 4)
    except OSError:
        continue
    s.sendall(b'GET /page HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n')
    while s.recv(65536): pass
    if a[0] == {w.S2!r}: break""", wait=True, timeout=20)


# ================= names =================

@case("DNS01 | ~DNS01! DNS02 FW03", at=CLIENT)
def no_resolver_listens(w):
    w.begin(); get(w, "/", timeout=8)


@case("DNS02 | ~DNS02! DNS01 DNS03 IP05 FW01 DNS11", at=CLIENT, nat=True, twists=False)
def resolver_silent(w):
    w.nft("d", "udp dport 53 drop", hook="input"); resolver(w); w.begin()
    get(w, "/", timeout=12)


@case("DNS02 | ~DNS02! DNS01 DNS03 IP05 FW01 DNS11 LNK05", at=CLIENT, twists=False)
def both_resolvers_silent(w):
    w.resolvers(w.D, w.T); w.nft("i", "udp dport 53 drop"); w.begin()
    get(w, "/", timeout=14, client=w.rng.choice(["curl", "python", "go"]))


@case("DNS03 | ~DNS03! DNS02 FW15", at=["client"], twists=False)
def udp_53_blocked_tcp_open(w):
    w.nft("i", "udp dport 53 drop"); resolver(w, kind="unbound"); w.begin()
    w.run("c", "dig +tries=2 +timeout=2 {name} @{D}; dig +tcp {name} @{D}", timeout=12)


@many([("truncated-tcp-53-silent", "DNS04 | ~DNS04! DNS17 FW01", None, ("drop",)), ("truncated-tcp-53-refused", "DNS04 | ~DNS04! DNS17 TCP01 FW02", None, ("reject with tcp reset",))], at=["client"], twists=False)
def tcp_53(w, act):
    w.nft("i", "tcp dport 53 " + act)
    path = write(w, "z", f"$TTL 60\n@ IN SOA ns1 admin 7 3600 600 86400 60\n@ IN NS ns1\nns1 IN A {w.D}\n" + "".join(f'big IN TXT "{k:04d}{"v" * 180}"\n' for k in range(30)))
    named(w, f'zone "{w.zone}" {{ type master; file "{path}"; }};'); w.begin()
    w.run("c", "dig +bufsize=1232 +tries=1 +timeout=4 big.{zone} TXT @{D}", timeout=20)


@case("DNS05 | ~DNS05! DNS12 DNS36 DNS41", at=CLIENT)
def no_such_name(w):
    resolver(w); w.begin()
    get(w, "/", host=f"wwww.{w.zone}")


@case("DNS06", at=CLIENT)
def name_without_address(w):
    path = write(w, "z", f"$TTL 60\n@ IN SOA ns1 admin 7 3600 600 86400 60\n@ IN NS ns1\nns1 IN A {w.D}\n{w.host} IN MX 10 ns1\n")
    named(w, f'zone "{w.zone}" {{ type master; file "{path}"; }};'); w.begin()
    get(w, "/", client=w.rng.choice(["curl", "wget", "node", "python"]))


@many([("refused-by-unbound", "DNS07", None, ("unbound",)), ("refused-by-named", "DNS07", None, ("named",))], at=CLIENT)
def dns_refused(w, kind):
    if kind == "unbound":
        unbound(w, "  access-control: 0.0.0.0/0 refuse\n")
    else:
        named(w, f'zone "other.example" {{ type master; file "{write(w, "z", "$TTL 60" + chr(10) + "@ IN SOA a b 1 2 3 4 5" + chr(10) + "@ IN NS a.b." + chr(10))}"; }};')
    w.begin(); get(w, "/", timeout=8)


@case("DNS08 | ~DNS08! DNS16", at=["client"])
def formerr_to_edns(w):
    w.python("d", f"names({w.zone_data!r}, no_edns={w.rng.choice([1, 4])})", udp=53); w.begin()
    w.run("c", "dig {name} @{D} || true; dig +noedns {name} @{D}")


def signed_zone(w, days=None, tamper=False):
    """A zone signed with BIND's tools, served by BIND at `t`; unbound at `d` validates it."""
    d = w.dir
    write(w, "db", f"$TTL 60\n@ IN SOA ns1 admin 7 3600 600 86400 60\n@ IN NS ns1\nns1 IN A {w.T}\n{w.host} IN A {w.S}\n")
    sh(f"cd {d} && dnssec-keygen -q -a ECDSAP256SHA256 -n ZONE {w.zone} && dnssec-keygen -q -a ECDSAP256SHA256 -f KSK -n ZONE {w.zone}")
    start, end = days or ("now-86400", "now+2592000")
    sh(f"cd {d} && dnssec-signzone -q -P -S -s {start} -e {end} -o {w.zone} db")
    if tamper:
        text = open(f"{d}/db.signed").read().replace(f"A\t{w.S}", f"A\t{w.T}")
        open(f"{d}/db.signed", "w").write(text)
    named(w, f'zone "{w.zone}" {{ type master; file "{d}/db.signed"; }};', ns="t")
    anchor = "\n".join(line for name in os.listdir(d) if name.endswith(".key") for line in open(f"{d}/{name}") if "DNSKEY 257" in line)
    write(w, "anchor", anchor)
    unbound(w, f'  module-config: "validator iterator"\n  trust-anchor-file: "{d}/anchor"\n  ede: yes\n  val-log-level: 2\n', more=f'stub-zone:\n  name: "{w.zone}"\n  stub-addr: {w.T}\n')


@many([("dnssec-tampered", "DNS09 | DNS32 | ~DNS09 DNS32", None, (None, True)), ("dnssec-expired", "DNS27 | DNS09 | ~DNS09 DNS27 HST01", None, (("now-8640000", "now-864000"), False))], at=["client"])
def dnssec(w, days, tamper):
    signed_zone(w, days, tamper); w.begin()
    get(w, "/", client=w.rng.choice(["curl", "python"]), timeout=12)
    w.run("c", "dig {name} @{D}; dig +cd {name} @{D}")


@case("~DNS02! DNS01 DNS03 IP05 FW01 DNS11 DNS10 | DNS10 | ~DNS10! DNS09 DNS11 DNS23", at=["client"])
def authority_unreachable(w):
    unbound(w, "  ede: yes\n", more=f'stub-zone:\n  name: "{w.zone}"\n  stub-addr: {w.T}\n'); w.nft("t", "udp dport 53 drop", hook="input"); w.begin()
    w.run("c", "dig +tries=1 +timeout=25 {name} @{D}", timeout=32)


@case("DNS10 | DNS23 | ~DNS10 DNS09 DNS11 DNS23", at=["client"])
def authority_refuses(w):
    unbound(w, "  ede: yes\n", more=f'stub-zone:\n  name: "{w.zone}"\n  stub-addr: {w.T}\n')
    named(w, f'zone "other.example" {{ type master; file "{write(w, "z", "$TTL 60" + chr(10) + "@ IN SOA a b 1 2 3 4 5" + chr(10) + "@ IN NS a.b." + chr(10))}"; }};', ns="t"); w.begin()
    get(w, "/", timeout=12)


@case("DNS23 | ~DNS23! DNS10 DNS07 | DNS07", at=["resolver"])
def lame_delegation_seen_at_resolver(w):
    CASES["authority-refuses"].body(w)


@case("DNS11 | ~DNS11! DNS10 DNS02 DNS09 | DNS10 | ~DNS10! DNS09 DNS11", at=["client"])
def resolver_answers_now_and_then(w):
    w.python("d", f"names({w.zone_data!r}, rcode=lambda n: 2 if n % 3 else 0)", udp=53); site(w, kind="nginx"); w.begin()
    for _ in range(5):
        w.run("c", "dig +tries=1 +timeout=2 {name} @{D}")


@many([("filtered-ede-15", "DNS12", None, (15,)), ("filtered-ede-16", "DNS12", None, (16,)), ("filtered-ede-17", "DNS12", None, (17,))], at=["client"])
def dns_filtered(w, code):
    w.python("d", f"names({w.zone_data!r}, rcode={w.rng.choice([3, 5])}, ede={code}, ede_text={w.rng.choice(['', 'blocked by policy'])!r})", udp=53); w.begin()
    w.run("c", "dig {name} @{D}")


@case("DNS12 | DNS14 | ~DNS12 DNS14 IP29", at=CLIENT)
def filtered_by_pihole(w):
    w.spawn("d", f"dnsmasq -k -C /dev/null --no-resolv --no-hosts --address=/{w.zone}/0.0.0.0 --user=root --pid-file={w.dir}/dm.pid", udp=53); w.begin()
    get(w, "/", client=w.rng.choice(["curl", "wget"]), timeout=5)


@case("DNS13", at=["client", "middle"], link=lambda rng: {"delay": 0.03, "box": "Injector", "with": {"word": "HOST"}}, twists=False)
def forged_answer(w):
    resolver(w, kind="unbound"); site(w, kind="nginx"); w.begin()
    get(w, "/", client="curl", timeout=6)


@case("DNS14 | IP29 | ~DNS14 IP29 DNS12 DNS20", at=CLIENT)
def bogus_address(w):
    bad = w.rng.choice(["127.0.0.1", "240.1.2.3", "169.254.7.7", "0.0.0.0"])
    resolver(w, zone={w.name: [bad]}); w.begin()
    get(w, "/", client=w.rng.choice(["curl", "python"]), timeout=5)


@many([("wrong-id", "DNS15 | ~DNS15! DNS02", None, ("wrong_id=1",)), ("wrong-port", "DNS15 | ~DNS15! DNS02", None, ("other_port=5353",)),
       ("cut-answer", "DNS16", None, ("cut=19",)), ("servfail-always", "~DNS10! DNS09 DNS11 | ~DNS09 DNS10 DNS11", None, ("rcode=2",)), ("notimp", "DNS08 | DNS07 | ~DNS07 DNS08 DNS16 | ?", None, ("rcode=4",))], at=["client"])
def odd_resolver(w, how):
    w.python("d", f"names({w.zone_data!r}, {how})", udp=53); w.begin()
    get(w, "/", timeout=12, client=w.rng.choice(["curl", "python"]))


@case("DNS15 | ~DNS15! DNS02", at=["client"], twists=False)
def answer_from_another_address(w):
    """The resolver has two addresses and answers from the wrong one."""
    w.python("d", f"names({w.zone_data!r})", udp=53)
    other = w.D.rsplit(".", 1)[0] + ".252"
    w.ip("d", f"addr add {other}/24 dev eth0")
    w.nft("i", f"udp sport 53 ip saddr set {other}", hook="forward", priority=-350)
    w.begin(); get(w, "/", timeout=12, client="curl")


@case("DNS17 | ~DNS17! IP16 DNS02", at=["client"], twists=False)
def large_udp_answers_lost(w):
    w.nft("i", "udp sport 53 meta length > 1000 drop", hook="forward"); w.python("d", f"names({w.zone_data!r}, text=6)", udp=53); w.begin(at="client")
    w.run("c", "dig +bufsize=4096 +tries=2 +timeout=2 {name} TXT @{D}; dig +tcp {name} TXT @{D}; dig {name} @{D}", timeout=25)


@case("DNS18 | ~DNS18! DNS45 DNS02", at=["resolver"], twists=False)
def one_name_server_dead(w):
    zone = f"$TTL 1\n@ IN SOA ns1 admin 7 3600 600 86400 1\n@ IN NS ns1\n@ IN NS ns2\nns1 IN A {w.T}\nns2 IN A {w.S}\n" + "".join(f"h{k} 1 IN A {w.S}\n" for k in range(9))
    named(w, f'zone "{w.zone}" {{ type master; file "{write(w, "z", zone)}"; }};', ns="t"); w.nft("s", "udp dport 53 drop", hook="input")
    unbound(w, "", more=f'stub-zone:\n  name: "{w.zone}"\n  stub-addr: {w.T}\n  stub-addr: {w.S}\n'); w.begin()
    for k in range(6):
        w.run("c", f"dig +tries=1 +timeout=6 h{k}.{w.zone} @{w.D}")


@case("~DNS02! DNS18 DNS45 | DNS18 | ~DNS18! DNS45 DNS02", at=CLIENT, twists=False)
def first_of_two_resolvers_silent(w):
    w.resolvers(w.T, w.D); w.nft("t", "udp dport 53 drop", hook="input"); resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/small", client=w.rng.choice(["curl", "python", "wget"]), timeout=15)


@case("DNS20 | DNS14 | ~DNS20 FW22 DNS12 DNS14 IP29 DNS19", at=["client"])
def hotel_names(w):
    """Every name leads to the login page of the network."""
    w.spawn("d", f"dnsmasq -k -C /dev/null --no-resolv --no-hosts --address=/#/{w.G} --user=root --pid-file={w.dir}/dm.pid", udp=53)
    nginx(w, ns="g", name="portal", server=f"location / {{ return 302 http://login.hotel.example/?from=$host; }} location /login {{ return 200 ok; }}"); w.begin()
    w.run("c", "curl -sS -o /dev/null http://{name}/; curl -sS -o /dev/null http://detect.browser.example/success.txt; dig +short anything.example @{D}")


@case("DNS22 | ?", at=["client"])
def secondaries_differ(w):
    w.python("d", f"names({w.zone_data!r}, serial=2026010107, aa=1)", udp=53); w.python("t", f"names({ {w.name: [w.T]} !r}, serial=2026010101, aa=1)", udp=53); w.begin()
    w.run("c", "for s in {D} {T}; do dig +norec {zone} SOA @$s; dig +norec {name} @$s; done")


@case("DNS26", at=CLIENT)
def alias_loop(w):
    w.python("d", f"names({{}}, alias={{{w.name!r}: 'a.{w.zone}', 'a.{w.zone}': 'b.{w.zone}', 'b.{w.zone}': {w.name!r}}})", udp=53); w.begin()
    get(w, "/", timeout=6)


@case("DNS37 | healthy", at=["client"])
def four_suffixes_first(w):
    w.resolvers(w.D, options="search a.corp.example b.corp.example c.corp.example corp.example\noptions ndots:5 timeout:2")
    resolver(w, kind="unbound"); site(w, kind="nginx"); w.begin()
    get(w, "/small", client="curl")


@case("DNS38 | ~DNS38! DNS02", at=CLIENT, twists=False)
def aaaa_swallowed(w):
    w.nft("i", "udp dport 53 @th,0,16 0 accept", hook="forward") if False else None
    w.python("d", f"names({w.zone_data!r}, silent=('AAAA',))", udp=53); site(w, kind="nginx"); w.begin()
    get(w, "/small", client=w.rng.choice(["curl", "wget", "python"]), timeout=15)


@case("DNS39 | ~DNS39! FW01 FW04 TCP01 FW02", at=["client"], twists=False)
def dot_blocked(w):
    resolver(w, kind="unbound"); w.nft("i", w.rng.choice(["tcp dport 853 drop", "tcp dport 853 reject with tcp reset"])); site(w, kind="nginx"); w.begin()
    w.run("c", "kdig +tls +retry=1 +timeout=3 {name} @{D}; dig {name} @{D}; curl -sS -o /dev/null http://{name}/small", timeout=20)


@case("DNS45 | ~DNS45! DNS18", at=CLIENT, twists=False)
def slow_names(w):
    w.python("d", f"names({w.zone_data!r}, delay={w.rng.uniform(0.9, 1.7)})", udp=53); site(w, kind="nginx"); w.begin()
    get(w, "/small")


# ================= TCP =================

@many([("port-closed", "TCP01 | ~TCP01! FW02", None, (False, 4)), ("port-closed-pinged", "TCP01", None, (True, 4)), ("port-closed-v6", "TCP01 | ~TCP01! FW02", None, (False, 6))], at=ALL, nat=True)
def port_closed(w, ping, family):
    w.zone_data = {w.name: [w.S if family == 4 else w.S6]}; resolver(w); w.begin()
    if ping:
        w.run("c", "ping -c 2 -i 0.2 {S}")
    get(w, "/", timeout=6)


@case("TCP03 | ~>=2 TCP03! FW01 IP05 TCP06 IP07", at=["client", "server"], twists=False)
def backlog_full(w):
    w.python("s", "l = listener(80, backlog=1)\nprint('READY', flush=True)\ntime.sleep(100)", port=80); w.begin()
    w.python("c", f"""
all = []
def one(k):
    c = socket.socket(); c.settimeout(7)
    try: c.connect(({w.S!r}, 80)); c.sendall(b'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); time.sleep(5)
    except OSError: pass
    all.append(c)
t = [threading.Thread(target=one, args=(k,)) for k in range(5)]
for x in t: x.start(); time.sleep(0.1)
[x.join() for x in t]""", wait=True, timeout=20)


@case("TCP08 | ~TCP08! TCP03 FW08 FW12 | ~TCP08! TCP09", at=ALL)
def overflow_with_resets(w):
    """The queue is full and the kernel is told to say so with a reset."""
    w.sysctl("s", "net.ipv4.tcp_abort_on_overflow=1")
    w.python("s", "def h(c): reset(c)\nserve(80, h)", port=80); w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 80)); time.sleep(0.5)\ntry: c.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n')\nexcept OSError: pass", wait=True, timeout=12)


@many([("syn-lost-once", "TCP07 | ~TCP07! IP19", None, ()), ("syn-lost-twice", "TCP07 | ~TCP07! IP19", None, ())], link=lambda rng: {"delay": 0.02, "up": {"drop_syns": rng.choice([1, 2])}}, at=["client"], twists=False)
def syn_lost(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/small", client=w.rng.choice(["curl", "wget", "python"]), timeout=15)


@many([("reset-after-request", "~TCP08 TCP09 FW12 FW09 H112", None, (b"",)), ("reset-in-body", "TCP09 | ~TCP09! FW09 H110", None, (b"x" * 3000,))], at=["client", "server", "any"])
def server_resets(w, some):
    w.python("s", f"def h(c):\n  head(c)\n  if {bool(some)}: c.sendall(page(b'x' * 50000)[:9000]); time.sleep(0.2)\n  reset(c)\nserve(80, h)", port=80); resolver(w); w.begin()
    get(w, "/", timeout=6)


@case("TCP09 | ~TCP09! FW09 H110", "TCP09 | ~TCP09! FW09 H110", at=["client", "server"], keep_keys=True)
def server_killed_in_body(w):
    w.pki(); resolver(w); files(w)
    server = nginx(w, tls=True, port=443, server="sendfile off; limit_rate 200k;"); w.begin()
    child = get(w, "/big", tls=True, client=w.rng.choice(["curl", "go", "node"]), wait=False, timeout=12)
    time.sleep(1.5)
    w.nft("s", "tcp sport 443 drop", hook="output")  # a crash takes the FIN with it
    w.stop(server, signal.SIGKILL); w.run("s", "ss -K sport = 443")
    w.unfilter("s")
    child.wait(16)


@case("TCP10 | ~TCP10! FW06", at=["client"], twists=False)
def half_open_after_reboot(w):
    server = w.spawn("s", "socat TCP-LISTEN:7000,fork,reuseaddr EXEC:cat", port=7000); w.begin()
    child = w.python("c", f"c = socket.create_connection(({w.S!r}, 7000)); c.sendall(b'one'); c.recv(9); print('READY', flush=True); time.sleep(2.5)\n"
                     "try: c.sendall(b'two'); time.sleep(0.5); c.recv(9)\nexcept OSError as e: print(e)")
    w.nft("s", "tcp sport 7000 drop", hook="output")
    w.stop(server, signal.SIGKILL); w.run("s", "ss -K sport = 7000"); time.sleep(0.4); w.unfilter("s")
    w.spawn("s", "socat TCP-LISTEN:7000,fork,reuseaddr EXEC:cat", port=7000)
    child.wait(12)


@many([("vanishes-mid-session", "~TCP11! FW05 IP05 IP09 IP20 | ~TCP11 FW05", None, (False,)), ("keepalive-unanswered", "~TCP11! FW05 IP05 IP20 | ~TCP11 FW05", None, (True,))], at=["client", "any"], twists=False)
def vanishes(w, idle):
    w.spawn("s", "socat TCP-LISTEN:7000,fork,reuseaddr EXEC:cat", port=7000); w.begin()
    child = w.python("c", f"""c = socket.create_connection(({w.S!r}, 7000)); c.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
c.setsockopt(6, 4, 1); c.setsockopt(6, 5, 1); c.setsockopt(6, 6, 4)
c.sendall(b'one'); c.recv(9); print('READY', flush=True); time.sleep(1)
try:
    if not {idle}: c.sendall(b'two')
    c.settimeout(9); c.recv(9)
except OSError as e: print(e)""")
    w.ip("s", "link set eth0 down")
    w.nft("i", "ip daddr {S} drop")
    child.wait(20)


@case("APP08 | TCP12 | ~APP08 TCP12", at=["client", "server"], link=delay(0.005, 0.02))
def client_stops_reading(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    w.python("c", f"""c = socket.socket(); c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 30000); c.connect(({w.S!r}, 80))
c.sendall(b'GET /big HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n'); time.sleep(3.5)
while c.recv(65536): pass""", wait=True, timeout=25)


@case("TCP12 | ~TCP12! APP05 APP04", at=["client", "server"], link=delay(0.005, 0.02))
def server_stops_reading(w):
    """An upload to a server program that does not read on."""
    w.python("s", "def h(c):\n  c.recv(900); time.sleep(5)\n  while True:\n    d = c.recv(65536)\n    if not d or b'END' in d: break\n  c.sendall(page(b'ok'))\nserve(80, h)", port=80); resolver(w); w.begin()
    w.run("c", "(head -c 9000000 /dev/zero; printf END) | curl -sS -m 20 -o /dev/null -H 'Expect:' --data-binary @- http://{name}/up", timeout=25)


@case("TCP13 | ~TCP13! APP08", link=delay(0.12, 0.2), at=["client", "server"], twists=False)
def small_receive_window(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    w.python("c", f"""c = socket.socket(); c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 6000); c.connect(({w.S!r}, 80))
c.sendall(b'GET /big HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n'); n = 0; end = time.time() + 10
while time.time() < end and c.recv(65536): pass
c.close()""", wait=True, timeout=25)


@case("TCP14 | TCP13 | ~TCP14 TCP13 | healthy", link=delay(0.1, 0.16), at=["client"], twists=False)
def window_scale_stripped(w):
    sh(f"ip netns exec {w.ns('i')} iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,ACK SYN,ACK -j TCPOPTSTRIP --strip-options wscale")
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", client="curl", timeout=40)


@case("TCP17 | healthy", link=delay(0.01, 0.02), at=["client", "server"], twists=False)
def nagle_and_delayed_ack(w):
    w.python("s", "def h(c):\n  for _ in range(25):\n    n = 0\n    while n < 1400:\n      d = c.recv(4096)\n      if not d: return\n      n += len(d)\n    c.sendall(b'ok')\nserve(7000, h)", port=7000); w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 7000))\nfor _ in range(20):\n  c.sendall(b'h' * 700); c.sendall(b'b' * 700); c.recv(9)\nc.close()", wait=True, timeout=20)


@case("TCP18 | ~TCP18! IP19 | IP19", link=lambda rng: {"delay": 0.02, "box": "Tail", "with": {"times": 2}}, at=["client", "server"], twists=False)
def last_segment_lost(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/page", client="curl")


@case("TCP19 | ~TCP19! IP20 IP18 | IP20 | healthy | IP18", link=lambda rng: {"delay": 0.02, "rate": 5e6, "queue": 200, "down": {"spikes": [(0.8, 0.85, 0.9), (1.9, 1.95, 0.8)]}}, at=["server", "client"], twists=False)
def delay_spikes(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", client="curl", timeout=30)


@case("TCP20 | ~TCP20! IP19 | IP19", link=lambda rng: {"delay": 0.02, "box": "Scrambler", "with": {"loss": 0.02}}, at=["server"], twists=False)
def sack_out_of_range(w):
    resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", client="curl", timeout=40)


@case("TCP21 | ?", at=["client", "server"], twists=False)
def tiny_segments(w):
    w.ip("c", "route change default via {G} advmss 88"); resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/page", client="curl")


@case("TCP22 | TCP07 | ~TCP22 TCP07", at=["client"], twists=False)
def fast_open_black_hole(w):
    for ns in "cs":
        w.sysctl(ns, "net.ipv4.tcp_fastopen=3")
    w.python("s", "l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); l.setsockopt(6, 23, 16); l.bind(('0.0.0.0', 80)); l.listen(9)\nprint('READY', flush=True)\nwhile True:\n  c, _ = l.accept(); head(c); c.sendall(page(b'ok')); c.close()", port=80)
    ask = f"b'GET / HTTP/1.1\\r\\nHost: {w.name}\\r\\n\\r\\n'"
    w.python("c", f"c = socket.socket(); c.sendto({ask}, 0x20000000, ({w.S!r}, 80)); c.recv(999); c.close()", wait=True)
    w.nft("i", "tcp flags & (syn|ack) == syn meta length > 90 drop"); w.begin()
    w.python("c", f"c = socket.socket(); c.settimeout(9); c.sendto({ask}, 0x20000000, ({w.S!r}, 80)); c.recv(999); c.close()", wait=True, timeout=15)


@many([("ssh-on-http-port", "TCP26 | H115 | ~TCP26 H115", None, ("s",)), ("redis-on-http-port", "TCP26 | H115 | ~TCP26 H115", None, ("r",))], at=["client", "any"])
def other_service(w, kind):
    resolver(w)
    if kind == "s":
        w.python("s", banner(80, "SSH-2.0-OpenSSH_9.2p1 Debian-2"), port=80)
    else:
        w.python("s", "def h(c):\n  head(c); c.sendall(b\"-ERR unknown command 'GET'\\r\\n\"); time.sleep(0.2)\nserve(80, h)", port=80)
    w.begin(); get(w, "/", client=w.rng.choice(["curl", "python", "node"]), timeout=5)


@case("TCP29 | ~TCP29! TCP09", at=["client"], twists=False)
def all_reset_at_once(w):
    server = w.python("s", "def h(c):\n  while True:\n    d = c.recv(999)\n    if not d: return\n    c.sendall(d)\nserve(7000, h)", port=7000); w.begin()
    child = w.python("c", f"""
all = [socket.create_connection(({w.S!r}, 7000)) for _ in range(7)]
for c in all: c.sendall(b'x'); c.recv(9)
print('READY', flush=True)
for c in all:
    try: c.recv(9)
    except OSError: pass""")
    time.sleep(1.5)
    for c in range(1):
        w.run("s", "ss -K sport = 7000", timeout=5)
    child.wait(10)


@case("H113 | ~H113! TCP09 TCP10 TCP25 H112", at=["client"], link=delay(0.1, 0.14), twists=False)
def keepalive_race(w):
    w.python("s", "def h(c):\n  head(c); c.sendall(page(b'ok')); time.sleep(2); c.close()\nserve(80, h)", port=80); w.begin()
    w.python("c", f"""c = socket.create_connection(({w.S!r}, 80)); ask = b'GET / HTTP/1.1\\r\\nHost: {w.name}\\r\\n\\r\\n'
begun = time.monotonic(); c.sendall(ask); c.recv(9999); time.sleep(max(0, begun + {2 + w.link['delay'] * 2} - time.monotonic() - 0.02))
try: c.sendall(ask); time.sleep(0.6); c.recv(99)
except OSError as e: print(e)""", wait=True, timeout=15)


# ================= firewalls =================

@case(SILENT, at=CLIENT, nat=True, twists=False)
def port_dropped(w):
    resolver(w); site(w, kind="nginx"); w.nft(w.rng.choice("is"), "tcp dport 443 drop", hook="forward"); w.nft("s", "tcp dport 443 drop", hook="input"); w.begin()
    get(w, "/", port=443, timeout=8, client="curl")


@case("~>=1 FW01! TCP03 IP07 IP05 TCP06", at=["client"], twists=False)
def port_dropped_other_port_works(w):
    resolver(w); site(w, kind="nginx"); w.nft("s", "tcp dport 8443 drop", hook="input"); w.begin()
    get(w, "/small", client="curl"); get(w, "/", port=8443, timeout=8, client="curl")


@case("FW02 | FW02 TCP01", at=["client"], link=delay(0.03, 0.06))
def reset_by_gateway(w):
    resolver(w); site(w, kind="nginx"); w.nft("g", "tcp dport 8080 reject with tcp reset"); w.begin(at="client")
    w.run("c", "ping -c 2 -i 0.3 {S}"); get(w, "/", port=8080, timeout=5, client="curl")


ICMP = [("net-prohibited", "icmpx", "FW03"), ("icmp type net-prohibited", "", "FW03")]


@many([(f"icmp-{code}", truth, None, (f"reject with icmp type {code}", 4)) for code, truth in
       [("net-prohibited", "FW03"), ("host-prohibited", "FW03"), ("admin-prohibited", "FW03"), ("port-unreachable", "FW03 | ~FW03! TCP01"),
        ("prot-unreachable", "FW03 | ~FW03! IP04 TCP01"), ("net-unreachable", "IP04 | ~IP04 FW03"), ("host-unreachable", "IP04 | ~IP04 FW03 LNK05")]] +
      [(f"icmp6-{code}", truth, None, (f"reject with icmpv6 type {code}", 6)) for code, truth in
       [("admin-prohibited", "FW03"), ("port-unreachable", "FW03 | ~FW03! TCP01"), ("no-route", "IP04 | ~IP04 FW03"), ("addr-unreachable", "IP04 | ~IP04 FW03 LNK05"),
        ("policy-fail", "FW03 | ~FW03 HST05 IP27"), ("reject-route", "FW03 | ~FW03 IP04")]], at=CLIENT, nat=True)
def icmp_code(w, rule, family):
    w.zone_data = {w.name: [w.S if family == 4 else w.S6]}; resolver(w); site(w, kind="nginx")
    w.nft(w.rng.choice("ig"), "tcp dport 80 " + rule); w.begin()
    get(w, "/", timeout=6, client=w.rng.choice(["curl", "wget", "go", "python"]))


@case("FW03 | TCP01 | ~FW03 TCP01", at=CLIENT)
def host_rejects_with_port_unreachable(w):
    resolver(w); w.nft("s", "tcp dport 80 reject with icmp type port-unreachable", hook="input"); w.begin()
    get(w, "/", timeout=6)


@case("FW04 | ~FW04! FW01 TCP03 IP05 TCP06 IP07 | " + SILENT + " | ~FW01! TCP03 IP07", at=["client"], twists=False)
def only_web_ports_out(w):
    w.zone_data = {w.name: [w.S], f"files.{w.zone}": [w.T]}
    resolver(w); nginx(w); nginx(w, ns="t", name="t"); w.nft("g", "tcp dport {{ 80, 443, 53 }} accept", "udp dport 53 accept", "iifname lan meta l4proto tcp drop"); w.begin()
    w.run("c", f"curl -sS -m 4 -o /dev/null http://{w.name}/small; curl -sS -m 4 http://{w.name}:8080/; curl -sS -m 4 http://files.{w.zone}:8443/; curl -sS -m 3 http://{w.T}:2222/; curl -sS -m 4 -o /dev/null http://files.{w.zone}/small", timeout=30)


@many([("idle-forgotten-drop", "FW05 | ~FW05! TCP11 IP05 | ~TCP11! FW05", None, ("drop",)), ("idle-forgotten-reset", "FW06 | ~FW06! TCP10 | ~TCP10! FW06", None, ("reset",))], at=["client"], twists=False)
def idle(w, act):
    w.spawn("s", "socat TCP-LISTEN:7000,fork,reuseaddr EXEC:cat", port=7000); w.begin()
    child = w.python("c", f"""c = socket.create_connection(({w.S!r}, 7000)); c.sendall(b'one'); c.recv(9); print('READY', flush=True); time.sleep(6)
try: c.sendall(b'two'); c.settimeout(6); c.recv(9)
except OSError as e: print(e)
d = socket.create_connection(({w.S!r}, 7000)); d.sendall(b'new'); d.recv(9); d.close()""")
    time.sleep(3)
    # the firewall's table forgot the connection: only new ones pass
    w.nft("g", "ct state new tcp flags & (syn|ack) == syn ct mark set 1", "ct mark 1 accept", "tcp dport 7000 " + ("drop" if act == "drop" else "reject with tcp reset"), "tcp sport 7000 drop")
    child.wait(20)


NAMES = lambda act, **more: (lambda rng: {"delay": rng.uniform(0.01, 0.03), "box": "NameFilter", "with": {"word": "HOST", "act": act, **more}})


@case("FW08 | ~FW08! TLS24", "FW08 | ~FW08! TLS24", at=["client", "middle"], link=NAMES("reset"), keep_keys=True, twists=False)
def sni_reset(w):
    w.pki(); resolver(w); site(w, tls=True, kind="nginx"); w.begin(at="client")
    get(w, "/", tls=True, client=w.rng.choice(["curl", "go", "node", "python"]), timeout=5)


@case("FW08 | ~FW08! TLS24", "FW08 | ~FW08! TLS24", at=["client"], link=NAMES("reset-both", times=3, stride=1460, ttl=117), keep_keys=True, twists=False)
def sni_reset_three_times(w):
    w.pki(); resolver(w); site(w, tls=True, kind="nginx"); w.begin(at="client")
    get(w, "/", tls=True, client="curl", timeout=5)


@case("FW10 | ~FW10! TLS21 IP10", "FW10 | ~FW10! TLS21 IP10", at=["client"], link=NAMES("drop"), keep_keys=True, twists=False)
def sni_drop(w):
    w.pki(); resolver(w); site(w, tls=True, kind="nginx"); w.begin(at="client")
    get(w, "/", tls=True, client=w.rng.choice(["curl", "go"]), timeout=7)


@case("FW12 | ~FW12! TCP08 TCP09 FW09 | ~TCP08 TCP09 FW12 FW09", at=["client"], link=NAMES("reset", ttl=240), twists=False)
def word_reset(w):
    resolver(w); site(w, kind="nginx"); w.begin(at="client")
    get(w, "/", client="curl", timeout=5)


@case("FW12 | FW21 | ~FW12 FW21 H101", at=["client"], link=NAMES("page", ttl=240), twists=False)
def word_block_page(w):
    resolver(w); site(w, kind="nginx"); w.begin(at="client")
    get(w, "/", client="curl", timeout=5)


@case("FW09 | ~FW09! TCP09", at=["client"], link=lambda rng: {"delay": 0.03, "rate": 8e6, "queue": 100, "box": "MidReset", "with": {"after": 60000, "times": rng.choice([1, 3])}}, twists=False)
def forged_reset_in_body(w):
    resolver(w); site(w, kind="nginx"); w.begin(at="client")
    get(w, "/big", client="curl", timeout=8)


@case("Q01 | FW15 | ~Q01! FW15", "Q01 | FW15 | ~Q01! FW15", at=["client"], keep_keys=True, twists=False)
def udp_443_dropped_then_tcp(w):
    w.pki(); resolver(w); caddy(w); w.nft("g", "udp dport 443 drop"); w.begin()
    h3(w, wait=4); get(w, "/page", tls=True, client="curl")


@case("FW15 | Q01 | ~Q01 FW15 FW01 FW03", "FW15 | Q01 | ~Q01 FW15 FW01 FW03", at=["client"], keep_keys=True, twists=False)
def udp_443_rejected(w):
    w.pki(); resolver(w); caddy(w); w.nft("g", "udp dport 443 reject with icmp type admin-prohibited"); w.begin()
    h3(w, wait=3); get(w, "/page", tls=True, client="curl")


@case("FW22 | ~FW22! H101 H108 DNS20", at=["client"])
def hotel_portal(w):
    resolver(w); nginx(w); w.nft("g", "tcp dport 80 dnat ip to {G}:8081", hook="prerouting", priority=-100, kind="nat")
    kind = w.rng.choice(["302 http://portal.hotel.example/login?orig=http://$host$request_uri", "511"])
    nginx(w, ns="g", name="portal", port=8081, server=f"location / {{ return {kind}; }}"); w.begin()
    w.run("c", "curl -sS -o /dev/null http://{name}/generate_204; curl -sS -o /dev/null http://{name}/")


@case("FW21 | ~FW21! H101 | H101", at=["client"])
def edge_says_403(w):
    resolver(w); nginx(w, server="add_header cf-ray 8a1b2c3d4e5f-FRA always; add_header cf-mitigated challenge always; location / { return 403 '<title>Attention Required! | Cloudflare</title>'; }"); w.begin()
    get(w, "/")


# ================= TLS =================

@many([("plain-nginx-on-443", "TLS01", None, ("nginx",)), ("plain-apache-on-443", "TLS01", None, ("apache",)), ("plain-haproxy-on-443", "TLS01", None, ("haproxy",)), ("ssh-on-443", "TLS01 | TCP26 | ~TLS01 TCP26", None, ("ssh",))], at=ALL)
def no_tls_there(w, kind):
    w.pki(); resolver(w)
    if kind == "haproxy":
        haproxy(w, "frontend f\n  bind :443\n  http-request return status 200\n", port=443)
    elif kind == "ssh":
        w.python("s", banner(443, "SSH-2.0-OpenSSH_9.2p1"), port=443)
    else:
        P.KINDS[kind](w, port=443)
    w.begin(); get(w, "/", tls=True, timeout=6)


@many([("http-to-nginx-tls", "TLS02 | ~TLS02! H101", None, ("nginx",)), ("http-to-apache-tls", "TLS02 | ~TLS02! H101", None, ("apache",)), ("http-to-s-server", "TLS02 | ~TLS02! H112", None, ("openssl",)),
       ("http-to-haproxy-tls", "TLS02 | ~TLS02! H112 TCP09 TCP08", None, ("haproxy",)), ("http-to-go-tls", "TLS02 | ~TLS02! H101", None, ("caddy",)), ("http-to-node-tls", "TLS02 | H112 | ~TLS02 H112 TCP09 TCP08", None, ("node",))], at=CLIENT)
def http_to_tls(w, kind):
    w.pki(); resolver(w)
    if kind == "openssl":
        w.spawn("s", "openssl s_server -accept 443 -cert {cert}.pem -key {cert}.key -www", port=443)
    elif kind == "haproxy":
        haproxy(w, "frontend f\n  bind :443 ssl crt {cert}.both\n  http-request return status 200\n", port=443)
    else:
        site(w, tls=True, kind=kind)
    w.begin(); get(w, "/", port=443, client=w.rng.choice(["curl", "wget", "python"]), timeout=6)


@many([("version-old-client", "TLS03 | TLS03 TLS04 | TLS04 TLS03", None, ("nginx", "ssl_protocols TLSv1.3;", "--tls-max 1.2")), ("version-old-server", "TLS03 | TLS03 TLS04 | TLS04 TLS03", None, ("nginx", "ssl_protocols TLSv1.2;", "--tlsv1.3")),
       ("cipher-mismatch", "TLS04", None, ("nginx", "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384;", "--tls-max 1.2 --ciphers ECDHE-RSA-AES128-GCM-SHA256")),
       ("cipher-mismatch-13", "TLS04", None, ("nginx", "ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;", "--tls13-ciphers TLS_AES_128_GCM_SHA256")),
       ("group-mismatch", "TLS04", None, ("nginx", "ssl_protocols TLSv1.3; ssl_ecdh_curve secp521r1;", "--curves X25519"))], at=ALL, snaps=(0, 0, 400))
def tls_offer(w, kind, server, client):
    w.pki(); resolver(w); nginx(w, tls=True, port=443, protocols=server); w.begin()
    get(w, "/", tls=True, client="curl", options=client, timeout=6)


@case("TLS03 | TLS03 TLS04", at=["client"])
def version_gnutls_against_apache(w):
    w.pki(); resolver(w); apache(w, tls=True, port=443, protocols="SSLProtocol TLSv1.3"); w.begin()
    w.run("c", "echo | timeout 5 gnutls-cli --no-ca-verification --priority NORMAL:-VERS-ALL:+VERS-TLS1.2 -p 443 {name}")


@many([("name-unknown-haproxy", "TLS06 | ~TLS06! TLS04", None, ("haproxy",)), ("name-unknown-nginx", "TLS06", None, ("nginx",)), ("name-unknown-caddy", "TLS06 | ~TLS06! TLS04 TLS24 TLS30 | ?", None, ("caddy",))], at=CLIENT)
def unknown_name(w, kind):
    other = f"nowhere.{w.zone}"
    w.pki(); w.zone_data = {other: [w.S], w.name: [w.S]}; resolver(w)
    if kind == "haproxy":
        haproxy(w, "frontend f\n  bind :443 ssl crt {cert}.both strict-sni\n  http-request return status 200\n", port=443)
    elif kind == "nginx":
        nginx(w, tls=True, port=443, inside="server { listen 443 ssl default_server; ssl_reject_handshake on; }")
    else:
        caddy(w)
    w.begin(); get(w, "/", tls=True, host=other, client=w.rng.choice(["curl", "go", "node"]), timeout=6)


CERTS = {"expired": ("TLS07", "TLS07"), "early": ("TLS08 | TLS08 HST01 | HST01 TLS08", "TLS08"), "other": ("TLS09", "TLS09"), "bare": ("TLS09", "TLS09"), "self": ("TLS10", "TLS10"),
         "rogue": (ISSUER, "TLS11"), "no-middle": ("TLS12 | ~TLS12! TLS11 TLS15", "TLS12"), "expired-middle": ("TLS14 | ~TLS14! TLS07", "TLS14"), "usage": ("TLS27 | ~TLS27! TLS11 TLS18", "TLS27")}
CLIENTS = {"curl": ["expired", "other", "rogue"], "go": ["early", "self", "bare"], "node": ["no-middle", "expired", "other"], "python": ["rogue", "expired-middle", "self"],
           "wget": ["expired", "bare", "no-middle"], "gnutls": ["expired", "rogue"], "openssl": ["usage", "early", "expired-middle"]}


def sealed_certificate(code):
    return f"~{code}! {SEALED} | ~TLS11 TLS10 TLS12 TLS15 | ?" if code in ("TLS10", "TLS11", "TLS12", "TLS15") else f"~{code}! {SEALED} | ?"


@many([(f"cert-{kind}-{client}", CERTS[kind][0], sealed_certificate(CERTS[kind][1]), (kind, client, "13")) for client, kinds in CLIENTS.items() for kind in kinds], at=ALL, keep_keys=True)
def certificate(w, kind, client, version):
    w.pki(kind, key=w.rng.choice(["ec", "2048"])); resolver(w); P.KINDS[w.rng.choice(["nginx", "apache", "node"])](w, tls=True, port=443); w.begin()
    get(w, "/", tls=True, client=client, timeout=6)


@many([(f"cert12-{kind}-{client}", CERTS[kind][0], None, (kind, client)) for kind, client in
       [("expired", "go"), ("other", "python"), ("self", "wget"), ("rogue", "node"), ("no-middle", "curl"), ("early", "gnutls"), ("usage", "curl"), ("expired-middle", "openssl")]], at=ALL)
def certificate12(w, kind, client):
    w.pki(kind, key=w.rng.choice(["ec", "2048"])); resolver(w); nginx(w, tls=True, port=443, protocols="ssl_protocols TLSv1.2;"); w.begin()
    get(w, "/", tls=True, client=client, timeout=6)


@case("TLS26 | ~TLS26! TLS11 TLS04", f"~TLS26! {SEALED} TLS04 | ?", at=["client"], keep_keys=True)
def weak_key(w):
    w.pki("good", key="1024"); resolver(w); w.python("s", f"def h(c):\n  head(c); c.sendall(page())\nx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); x.set_ciphers('DEFAULT@SECLEVEL=0'); x.load_cert_chain({w.cert!r} + '.pem', {w.cert!r} + '.key')\n{w.rng.choice(['', 'x.maximum_version = ssl.TLSVersion.TLSv1_2'])}\nserve(443, h, x)", port=443); w.begin()
    get(w, "/", tls=True, client="curl", timeout=6)


@many([("ocsp-missing", "TLS17", f"TLS17 | ~TLS17! {SEALED} | ?", (False,)), ("ocsp-revoked", "TLS16", f"TLS16 | ~TLS16! {SEALED} | ?", (True,))], at=["client"], keep_keys=True)
def stapling(w, revoked):
    w.pki("staple" if not revoked else "good"); resolver(w)
    staple = ""
    if revoked:
        sh(f"""cd {w.dir} && sed -n '/BEGIN/,/END/p;/END/q' {w.cert}.pem > leaf.pem && serial=$(openssl x509 -in leaf.pem -noout -serial | cut -d= -f2) &&
printf 'R\\t301231235959Z\\t261101000000Z,keyCompromise\\t%s\\tunknown\\t/CN={w.name}\\n' $serial > index.txt && openssl ocsp -issuer mid.pem -cert leaf.pem -reqout req.der >/dev/null 2>&1 &&
openssl ocsp -index index.txt -CA mid.pem -rsigner mid.pem -rkey mid.key -reqin req.der -respout staple.der -ndays 5 >/dev/null 2>&1""")
        staple = f"ssl_stapling on; ssl_stapling_file {w.dir}/staple.der;"
    nginx(w, tls=True, port=443, server=staple, protocols=w.rng.choice(["ssl_protocols TLSv1.2;", ""])); w.begin()
    get(w, "/", tls=True, client="curl", options="--cert-status", timeout=6)


@many([("client-cert-needed-nginx", "TLS18", "TLS18 | H101 | ?", ("nginx", "")), ("client-cert-needed-apache-13", "TLS18", "TLS18 | ~TLS18! TLS19 | ?", ("apache", "")), ("client-cert-needed-apache-12", "TLS18", "TLS18 | ~TLS18! TLS04", ("apache", "SSLProtocol TLSv1.2")),
       ("client-cert-needed-haproxy", "TLS18", "TLS18 | ~TLS18! TLS19 | ?", ("haproxy", ""))], at=CLIENT, keep_keys=True)
def client_cert(w, kind, more):
    w.pki(); w.client_certificate(); resolver(w)
    if kind == "nginx":
        nginx(w, tls=True, port=443, protocols=f"ssl_client_certificate {w.dir}/staff.pem; ssl_verify_client on;")
    elif kind == "apache":
        apache(w, tls=True, port=443, protocols=f"SSLVerifyClient require\nSSLCACertificateFile {w.dir}/staff.pem\n{more}")
    else:
        haproxy(w, "frontend f\n  bind :443 ssl crt {cert}.both ca-file {dir}/staff.pem verify required\n  http-request return status 200\n", port=443)
    w.begin(); get(w, "/", tls=True, client=w.rng.choice(["curl", "python", "go"]), timeout=6)


@many([("client-cert-of-other-ca", "TLS19", "TLS19 | ~TLS19! TLS18 | ?", (False, (-10, 50))), ("client-cert-expired", "TLS19", "TLS19 | ~TLS19! TLS18 | ?", (True, (-100, -4)))], at=["client"], keep_keys=True)
def client_cert_bad(w, trusted, days):
    w.pki(); w.client_certificate(trusted, days); resolver(w)
    haproxy(w, "frontend f\n  bind :443 ssl crt {cert}.both ca-file {dir}/staff.pem verify required\n  http-request return status 200\n", port=443) if w.rng.random() < 0.5 else \
        apache(w, tls=True, port=443, protocols=f"SSLVerifyClient require\nSSLCACertificateFile {w.dir}/staff.pem")
    w.begin(); get(w, "/", tls=True, client="curl", options=f"--cert {w.dir}/me.pem --key {w.dir}/me.key", timeout=6)


@case("TLS20", at=["client"])
def alpn_nothing_common(w):
    w.pki(); resolver(w)
    caddy(w); w.begin()
    w.run("c", w.rng.choice(["echo | timeout 4 openssl s_client -connect {S}:443 -servername {name} -alpn spdy/3,ftp", "echo | timeout 4 gnutls-cli --no-ca-verification --alpn=irc --alpn=imap -p 443 {name}"]))


@case("TLS23 | ~TLS23! APP05", at=["client", "server"])
def hello_unanswered(w):
    w.pki(); resolver(w)
    server = w.spawn("s", "openssl s_server -accept 443 -cert {cert}.pem -key {cert}.key -www", port=443)
    os.killpg(server.pid, signal.SIGSTOP)
    w.begin(); get(w, "/", tls=True, timeout=7)
    os.killpg(server.pid, signal.SIGCONT)


@many([("hello-then-fin", "TLS24 | ~TLS24! FW08", None, ("c.close()",)), ("hello-then-reset", "TLS24 | ~TLS24! FW08", None, ("reset(c)",))], at=["client", "server"])
def hello_closed(w, act):
    w.pki(); resolver(w); w.python("s", f"def h(c):\n  c.recv(4096); time.sleep(0.05); {act}\nserve(443, h)", port=443); w.begin()
    get(w, "/", tls=True, timeout=6)


@case("TLS30", "TLS30 | ?", at=["client"], link=lambda rng: {"delay": 0.01, "box": "Spoiler", "with": {"after": rng.choice([0, 1])}}, keep_keys=True, twists=False)
def record_damaged(w):
    w.pki(); resolver(w); nginx(w, tls=True, port=443, protocols=w.rng.choice(["ssl_protocols TLSv1.2;", ""])); w.begin()
    get(w, "/page", tls=True, client=w.rng.choice(["curl", "go"]), timeout=6)


@case("TLS31 | healthy", "TLS31 | healthy | ?", at=["client"], keep_keys=True)
def closed_without_goodbye(w):
    w.pki(); resolver(w)
    w.python("s", f"def h(c):\n  head(c); c.sendall(b'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n' + b'z' * 4000); socket.socket.shutdown(c, 1); time.sleep(0.3)\nserve(443, h, context({w.cert!r}))", port=443); w.begin()
    get(w, "/", tls=True, client="curl", timeout=6)


@case("TLS33 | healthy", "TLS33 | healthy | ?", at=["client"], link=delay(0.2, 0.3), keep_keys=True, twists=False)
def huge_chain(w):
    w.pki("big"); resolver(w); nginx(w, tls=True, port=443); w.begin()
    get(w, "/small", tls=True, client="curl", timeout=12)


@case("TLS34", "TLS34", at=["client", "server"], keep_keys=True)
def slow_hello(w):
    w.pki(); resolver(w); nginx(w, tls=True, port=8443)
    pause = w.rng.uniform(1.2, 2.5)
    w.python("s", f"def h(c):\n  d = c.recv(9999); time.sleep({pause}); b = socket.create_connection(('127.0.0.1', 8443)); b.sendall(d)\n  threading.Thread(target=lambda: [c.sendall(x) for x in iter(lambda: b.recv(65536), b'')], daemon=True).start()\n"
             "  for x in iter(lambda: c.recv(65536), b''): b.sendall(x)\nserve(443, h)", port=443); w.begin()
    get(w, "/small", tls=True, client=w.rng.choice(["curl", "go", "node"]), timeout=12)


# ================= HTTP =================

STATUS = {400: "H101", 403: "H101 | FW21 | ~H101 FW21", 404: "H101", 405: "H101", 410: "H101", 422: "H101", 429: "H106", 431: "H116 | H101", 451: "FW21 | ~FW21 H101 DNS12", 500: "H105", 501: "H105 | H101", 503: "H103", 507: "H105 | H103"}


@many([(f"status-{code}", truth, None, (code,)) for code, truth in STATUS.items()], at=ALL, nat=True)
def status(w, code):
    resolver(w)
    kind = w.rng.choice(["nginx", "haproxy", "caddy", "node", "lighttpd"] if code in (403, 404) else ["nginx", "haproxy", "caddy", "node"])
    if kind == "nginx":
        nginx(w, server=f"location / {{ return {code}; }}")
    elif kind == "haproxy":
        haproxy(w, f"frontend f\n  bind :80\n  http-request return status {code} content-type text/plain string sorry\n")
    elif kind == "caddy":
        caddy(w, body=f"respond sorry {code}", port=80, tls=False)
    elif kind == "lighttpd":
        lighttpd(w, extra='url.access-deny = ("page")' if code == 403 else "")
    else:
        node(w, body=f"s.statusCode={code}; s.end('sorry')")
    w.begin(); get(w, "/page" if code == 403 else "/nothing-here")


@many([(f"tls-status-{code}", truth, "? | healthy | " + truth.split(" |")[0], (code,)) for code, truth in [(404, "H101"), (500, "H105"), (502, "H102"), (503, "H103")]], at=["client", "middle", "server"], keep_keys=True)
def tls_status(w, code):
    w.pki(); resolver(w)
    if w.rng.random() < 0.5:
        nginx(w, tls=True, port=443, listen=" http2", server=f"location / {{ return {code}; }}")
    else:
        caddy(w, body=f"respond sorry {code}")
    w.begin(); get(w, "/", tls=True, client=w.rng.choice(["curl", "httpx", "go", "node"]))


@many([("gateway-dead-nginx", "H102 | ~H102! H104", None, ("nginx",)), ("gateway-dead-haproxy", "H103 | H102", None, ("haproxy",)), ("gateway-dead-apache", "H103 | H102", None, ("apache",)), ("gateway-dead-caddy", "H102", None, ("caddy",))], at=["client", "client", "server"])
def gateway_dead(w, kind):
    resolver(w)
    {"nginx": lambda: nginx(w, server=f"location / {{ proxy_pass http://{w.T}:9000; }}"),
     "haproxy": lambda: haproxy(w, f"frontend f\n  bind :80\n  default_backend b\nbackend b\n  server a {w.T}:9000\n"),
     "apache": lambda: apache(w, modules=("proxy", "proxy_http"), server=f"ProxyPass / http://{w.T}:9000/"),
     "caddy": lambda: caddy(w, body=f"reverse_proxy {w.T}:9000", port=80, tls=False)}[kind]()
    w.begin(); get(w, "/")


@many([("gateway-timeout-nginx", "H104", None, ("nginx",)), ("gateway-timeout-haproxy", "H104", None, ("haproxy",))], at=["client", "client", "server"])
def gateway_timeout(w, kind):
    resolver(w); node(w, port=9000, ns="t", body="setTimeout(()=>s.end('late'), 30000)")
    if kind == "nginx":
        nginx(w, server=f"location / {{ proxy_pass http://{w.T}:9000; proxy_read_timeout 3s; }}")
    else:
        haproxy(w, f"frontend f\n  bind :80\n  default_backend b\nbackend b\n  timeout server 3s\n  server a {w.T}:9000\n")
    w.begin(); get(w, "/", timeout=12)


@case("H107 | ~H107! PX11", at=CLIENT)
def redirect_loop(w):
    resolver(w); nginx(w, server="location /a { return 302 /b; } location /b { return 302 /a; }"); w.begin()
    w.run("c", "curl -sSL --max-redirs 12 -o /dev/null http://{name}/a")


@case("~H107 PX11 | H108 | ~H108 H107 PX11", "? | healthy | ~H107 PX11", at=["client"], keep_keys=True)
def redirect_between_http_and_https(w):
    w.pki(); resolver(w); nginx(w, server="return 301 https://$host$request_uri;"); nginx(w, tls=True, port=443, name="tls", server="return 301 http://$host$request_uri;"); w.begin()
    w.run("c", "curl -sSL --max-redirs 6 --cacert {ca} -o /dev/null http://{name}/shop")


@case("H108 | ~H108! H107", at=["client"])
def redirect_to_nonsense(w):
    resolver(w); node(w, body=f"s.writeHead(302, {{Location: {w.rng.choice(['http://', 'https:///oops', 'http://[broken/'])!r}}}); s.end()"); w.begin()
    w.run("c", "curl -sSL -m 5 -o /dev/null http://{name}/")


@many([("body-too-short", "H110", None, ("'Content-Length': 50000", "s.write('x'.repeat(9000)); setTimeout(()=>r.socket.end(), 100)")), ("chunks-unfinished", "H111", None, ("'X-A': 1", "s.write('x'.repeat(9000)); setTimeout(()=>r.socket.end(), 100)")),
       ("body-too-short-reset", "TCP09 | H110 | ~TCP09 H110 FW09", None, ("'Content-Length': 50000", "s.write('x'.repeat(9000)); setTimeout(()=>r.socket.resetAndDestroy(), 100)"))], at=["client", "server", "any"])
def body_short(w, header, act):
    resolver(w); node(w, body=f"s.writeHead(200, {{ {header} }}); {act}"); w.begin()
    get(w, "/", client=w.rng.choice(["curl", "python", "go", "node"]))


@case("H110 | H111 | ~H110 H111 TLS31", "? | ~H110 H111 TLS31 | healthy", at=["client"], keep_keys=True)
def upstream_dies_in_body(w):
    """nginx passes on a body whose origin dies in the middle."""
    w.pki(); resolver(w); node(w, port=9000, ns="t", body="s.writeHead(200, {'Content-Length': 90000}); s.write('x'.repeat(20000)); setTimeout(()=>r.socket.destroy(), 200)")
    nginx(w, tls=True, port=443, server=f"location / {{ proxy_pass http://{w.T}:9000; proxy_buffering off; }}"); w.begin()
    get(w, "/", tls=True, client=w.rng.choice(["curl", "go"]))


@case("H112 | ~H112! H113", at=["client", "server", "any"])
def empty_reply(w):
    resolver(w)
    nginx(w, server="location / { return 444; }") if w.rng.random() < 0.6 else haproxy(w, "frontend f\n  bind :80\n  http-request silent-drop\n" if False else "frontend f\n  mode tcp\n  bind :80\n  default_backend b\nbackend b\n  mode tcp\n  server a 127.0.0.1:9\n")
    w.begin(); get(w, "/", timeout=8, client=w.rng.choice(["curl", "python", "go"]))


@many([("two-lengths", "H114", None, (r"b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\nhello'",)), ("length-and-chunked", "H114", None, (r"b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'",)),
       ("not-http", "H115 | ~H115! TCP26", None, (r"b'<html>hello there</html>\r\n'",)), ("bad-status-line", "H115 | ~H115! TCP26", None, (r"b'HTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'",)),
       ("not-gzip", "H118", None, (r"b'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 30\r\n\r\n' + b'plain text, not compressed !!!'",)), ("excess-data", "H123 | healthy", None, (r"b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and then some more that nobody announced'",))], at=["client", "any"])
def strange_answer(w, answer):
    resolver(w); w.python("s", f"def h(c):\n  head(c); c.sendall({answer}); time.sleep(0.2)\nserve(80, h)", port=80); w.begin()
    get(w, "/", client="curl", options="--compressed", timeout=5)


@case("H116 | H101 | ~H116 H101", at=CLIENT)
def headers_too_large(w):
    resolver(w); P.KINDS[w.rng.choice(["nginx", "apache", "node"])](w, port=80); w.begin()
    w.run("c", "curl -sS -o /dev/null -H \"Cookie: a=$(head -c 20000 /dev/zero | tr '\\0' x)\" http://{name}/")


@case("H117 | healthy", at=["client"])
def expect_ignored(w):
    resolver(w); w.python("s", "def h(c):\n  d = head(c)\n  n = 0\n  while n < 2000000:\n    m = c.recv(65536)\n    if not m: return\n    n += len(m)\n  c.sendall(page(b'ok'))\nserve(80, h)", port=80); w.begin()
    w.run("c", "head -c 2000000 /dev/zero | curl -sS -m 9 -o /dev/null -H 'Expect: 100-continue' --data-binary @- http://{name}/up")


@case("H119 | H101 | ~H119 H101 TCP09", at=["client"])
def upload_refused(w):
    resolver(w); nginx(w, inside="client_max_body_size 10k; lingering_close off;"); w.begin()
    w.run("c", "head -c 3000000 /dev/zero | curl -sS -m 9 -o /dev/null -H 'Expect:' --data-binary @- http://{name}/up")


@case("H120 | H101 | ~H120 H101", at=["client"])
def websocket_refused(w):
    resolver(w); nginx(w, server="location /chat { return 426; }"); w.begin()
    w.run("c", "curl -sS -m 5 -o /dev/null -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: SGVsbG8sIHdvcmxkIQ==' http://{name}/chat")


@case("H109 | H101 | ~H109 H101", "? | healthy | H109", at=["client"], keep_keys=True)
def misdirected(w):
    w.pki(); resolver(w); apache(w, tls=True, port=443, server="RewriteEngine on\nRewriteRule ^ - [R=421,L]") if w.rng.random() < 0.5 else caddy(w, body="respond 421"); w.begin()
    get(w, "/", tls=True, client="curl")


@many([(f"h2-{act}", truth, sealed, (act,)) for act, truth, sealed in
       [("refuse", "H203", "? | H203 | healthy"), ("internal", "H203", "? | H203 | healthy"), ("calm", "H202", "? | healthy | H202"), ("drain", "H201", "? | healthy | H201"), ("http11", "H207", "? | healthy | H207"),
        ("inadequate", "H207", "? | healthy | H207"), ("compression", "H209", "? | healthy | H209"), ("http1", "H208", "? | healthy | H208"), ("silent", "APP05 | H206", "APP05 | ? | ~APP05 IP09 H206"), ("no-settings", "H206 | APP05", "H206 | APP05 | ? | ~APP05 IP09 H206"),
        ("half", "H203 | H110", "? | H203 | healthy"), ("503", "H103", "? | healthy"), ("404", "H101", "? | healthy"), ("slow", "APP01", "APP01 | ? | healthy")]], at=["client", "middle"], keep_keys=True)
def http2(w, act):
    w.pki(); resolver(w); w.python("s", f"h2_server(443, {w.cert!r}, {act!r})", port=443); w.begin()
    get(w, "/", tls=True, client=w.rng.choice(["curl", "httpx", "go"]), timeout=7)


@case("H204", "H204 | TCP12 | APP05 | ? | ~H204 APP05 APP08", at=["client"], keep_keys=True)
def h2_window_never_opened(w):
    w.pki(); resolver(w); w.python("s", f"h2_server(443, {w.cert!r}, 'upload-window')", port=443); w.begin()
    w.run("c", "head -c 400000 /dev/zero | curl -sS -m 8 --http2 --cacert {ca} -o /dev/null -H 'Expect:' --data-binary @- https://{name}/up", timeout=12)


# ================= QUIC =================

@case("Q12 | ~Q12! FW15 TCP01", "Q12 | ~Q12! FW15 TCP01", at=["client"], keep_keys=True, twists=False)
def h3_port_closed(w):
    w.pki(); resolver(w); nginx(w, tls=True, port=443); w.begin()
    h3(w, wait=4); get(w, "/small", tls=True, client="curl")


@case("Q08 | TLS20 | ~Q08 TLS20 Q12", "Q08 | TLS20 | ~Q08 TLS20 Q12", at=["client", "server"], keep_keys=True)
def quic_alpn_mismatch(w):
    w.pki(); resolver(w); w.python("s", f"h3_server(443, {w.cert!r}, alpn=('hq-interop',))", udp=443); w.begin()
    h3(w, wait=4)


@many([(f"quic-cert-{kind}", f"{truth} | Q08 | ~Q08 {truth.split(' ')[0]}", f"Q08 | ~Q08 {SEALED} | ?", (kind,)) for kind, truth in [("expired", "TLS07"), ("other", "TLS09"), ("self", "TLS10")]], at=["client"], keep_keys=True)
def quic_certificate(w, kind):
    w.pki(kind); resolver(w); w.python("s", f"h3_server(443, {w.cert!r})", udp=443); w.begin()
    h3(w, wait=4)


@case("Q03 | ~Q03! Q01", at=["client"])
def quic_version(w):
    w.pki(); resolver(w); caddy(w); w.begin()
    h3(w, wait=4, more=", versions=[0x1a2a3a4a]")


@case("Q17 | Q09 | ~Q17 Q09 IP20 TCP11 FW05", "Q17 | Q09 | ~Q17 Q09 IP20 FW05 | ?", at=["client"], link=lambda rng: {"delay": 0.02, "box": "Swallow", "with": {"rule": "p.udp and 443 in (p.sport, p.dport) and now > 0.8"}}, keep_keys=True, twists=False)
def quic_goes_dark(w):
    w.pki(); resolver(w); w.python("s", f"h3_server(443, {w.cert!r})", udp=443); w.begin()
    h3(w, count=4, pause=0.5, wait=7) if False else h3(w, count=4, wait=7, more=", pause=0.5")


@case("IP19 | Q02 | ~IP19 Q02", "IP19 | Q02 | ~IP19 Q02 | ? | healthy", at=["client"], link=lambda rng: {"delay": 0.02, "down": {"loss": 0.06}}, keep_keys=True, twists=False)
def quic_with_loss(w):
    w.pki(); resolver(w); caddy(w); w.begin()
    h3(w, count=2, path="/big", wait=30)


@many([("h3-status-500", "H105", "? | healthy", ("500",)), ("h3-close", "Q14 | ~Q14! Q13 H202", "? | Q13 | Q14 | ~Q13 Q14", ("close",))], at=["client"], keep_keys=True)
def http3_bad(w, act):
    w.pki(); resolver(w); w.python("s", f"h3_server(443, {w.cert!r}, act={act!r})", udp=443); w.begin()
    h3(w, wait=4)


# ================= proxies =================

def squid(w, lines, port=3128):
    os.chmod(w.dir, 0o777)
    conf = write(w, "squid.conf", f"http_port {port}\npid_filename none\ncache deny all\naccess_log none\ncache_log {w.dir}/squid.log\ncache_effective_user proxy\nlogfile_rotate 0\nshutdown_lifetime 0 seconds\nconnect_timeout 4 seconds\ndns_nameservers {w.D}\nvisible_hostname gw.corp.example\ncoredump_dir {w.dir}\npinger_enable off\n{lines}\n")
    return w.spawn("t", f"squid -N -f {conf}", port=port, within=20)


@case("PX01 | ~PX01! DNS05", at=["client"])
def proxy_name_unknown(w):
    resolver(w); w.begin()
    w.run("c", f"curl -sS -m 6 -x http://proxy.{w.zone}:3128 http://{{name}}/")


@many([("proxy-port-closed", "PX02 | TCP01 | ~PX02 TCP01 FW02", None, ("",)), ("proxy-silent", "PX02 | ~PX02! FW01 TCP03 TCP06 IP05 IP07 | " + SILENT, None, ("tcp dport 3128 drop",))], at=["client"], twists=False)
def proxy_dead(w, rule):
    if rule:
        w.nft("i", rule)
    w.begin(); w.run("c", "curl -sS -m 7 -x http://{T}:3128 http://{name}/", timeout=10)


@case("PX03", at=CLIENT)
def proxy_wants_login(w):
    write(w, "pw", "u:x\n")
    resolver(w); squid(w, f"auth_param basic program /usr/lib/squid/basic_ncsa_auth {w.dir}/pw\nacl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all"); w.begin()
    w.run("c", w.rng.choice(["curl -sS -m 6 -x http://{T}:3128 http://{name}/", "curl -sS -m 6 -x http://{T}:3128 https://{name}/"]))


@case("PX04", at=CLIENT)
def proxy_forbids_connect(w):
    resolver(w); squid(w, "acl ok port 443\nhttp_access deny CONNECT !ok\nhttp_access allow all"); w.begin()
    w.run("c", "curl -sS -m 6 -x http://{T}:3128 https://{name}:8443/")


@many([("proxy-cannot-reach-squid", "PX05 | ~PX05! H103 H102", None, ("squid",)), ("proxy-cannot-reach-tinyproxy", "PX05 | ~PX05! H102 H105", None, ("tiny",)), ("proxy-cannot-resolve", "PX05 | ~PX05! H103 H102", None, ("name",))], at=["client"])
def proxy_target_dead(w, kind):
    resolver(w)
    if kind == "tiny":
        conf = write(w, "tiny.conf", f"Port 3128\nTimeout 20\nPidFile \"{w.dir}/tp.pid\"\nLogFile \"{w.dir}/tp.log\"\nAllow 0.0.0.0/0\n")
        w.spawn("t", f"tinyproxy -d -c {conf}", port=3128)
    else:
        squid(w, "http_access allow all")
    w.begin()
    w.run("c", f"curl -sS -m 12 -x http://{w.T}:3128 https://{w.S if kind != 'name' else 'nope.' + w.zone}:{443}/", timeout=16)


@many([("socks-refused", "PX08", None, ("refused",)), ("socks-blocked", "PX08", None, ("blocked",))], at=["client"])
def socks(w, kind):
    rule = "block" if kind == "blocked" else "pass"
    conf = write(w, "danted.conf", f"logoutput: {w.dir}/d.log\ninternal: eth0 port=1080\nexternal: eth0\nclientmethod: none\nsocksmethod: none\nuser.privileged: root\nuser.unprivileged: root\nclient pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\nsocks {rule} {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\n")
    w.spawn("t", f"danted -f {conf}", port=1080); w.begin()
    w.run("c", "curl -sS -m 8 --socks5 {T}:1080 http://{S}/", timeout=12)


@many([("proxy-protocol-missing", "PX10 | H112 | ~PX10 H112 TCP08 TCP09 H101", None, ("haproxy",)), ("proxy-protocol-unexpected", "PX10 | H101 | ~PX10 H101", None, ("client",))], at=["client"])
def proxy_protocol(w, kind):
    resolver(w)
    if kind == "haproxy":
        haproxy(w, "frontend f\n  bind :80 accept-proxy\n  http-request return status 200\n"); w.begin(); get(w, "/", client="curl", timeout=6)
    else:
        nginx(w); w.begin(); w.run("c", "curl -sS -m 6 --haproxy-protocol -o /dev/null http://{name}/small")


@case("healthy", at=["client"])
def ok_through_squid(w):
    resolver(w); nginx(w); squid(w, "http_access allow all"); w.begin()
    w.run("c", "curl -sS -m 8 -o /dev/null -x http://{T}:3128 http://{name}/page")


# ================= the application =================

@many([("thinks-then-answers", "APP01 | ~APP01! APP03 APP11", None, ("",)), ("backend-named", "APP03 | ~APP03! APP01", None, ("s.setHeader('Server-Timing','db;dur=2400');",))], at=["client", "server", "any"], link=delay(0.005, 0.03))
def slow_program(w, header):
    resolver(w); node(w, body=f"{header} setTimeout(()=>s.end('x'.repeat(3000)), {w.rng.randrange(2300, 4200)})"); w.begin()
    get(w, "/", client=w.rng.choice(["curl", "python", "go", "wget"]))


@case("APP01 | ~APP01! APP03", "APP01 | ? | healthy", at=["client", "server"], keep_keys=True, link=delay(0.005, 0.03))
def slow_program_tls(w):
    w.pki(); resolver(w); node(w, port=9000, ns="t", body="setTimeout(()=>s.end('x'.repeat(3000)), 3000)"); nginx(w, tls=True, port=443, server=f"location / {{ proxy_pass http://{w.T}:9000; }}"); w.begin()
    get(w, "/", tls=True, client=w.rng.choice(["curl", "go", "node"]))


@case("APP01 | ~APP01! APP03 APP12", at=["server"])
def slow_upstream_seen_at_the_proxy(w):
    """Captured at nginx, both legs: the client's and that to the slow origin."""
    resolver(w); node(w, port=9000, ns="t", body="setTimeout(()=>s.end('x'.repeat(3000)), 2800)"); nginx(w, server=f"location / {{ proxy_pass http://{w.T}:9000; }}"); w.begin()
    get(w, "/", client="curl")


@case("H102 | TCP01 | ~H102! TCP01 FW02 | H103", at=["server"])
def dead_upstream_seen_at_the_proxy(w):
    resolver(w); nginx(w, server=f"location / {{ proxy_pass http://{w.T}:9000; }}"); w.begin()
    get(w, "/", client="curl")


@many([("hangs", "APP05 | ~APP05! IP09 APP04", None, (False,)), ("hangs-in-tls", "APP05 | ~APP05! IP09 APP04", "APP05 | ~APP05! IP09 APP04 | ?", (True,))], at=["client", "server"], keep_keys=True)
def hangs(w, tls):
    if tls:
        w.pki()
    resolver(w); node(w, port=443 if tls else 80, tls=tls, body="0"); w.begin()
    get(w, "/", tls=tls, client=w.rng.choice(["curl", "go", "python"]), timeout=8)


@case("APP05 | APP07 | ~APP05 APP07 H110 H111 IP09", at=["client", "server"])
def hangs_in_the_body(w):
    resolver(w); node(w, body="s.writeHead(200, {'Content-Length': 60000}); s.write('x'.repeat(12000))"); w.begin()
    get(w, "/", client="curl", timeout=8)


@case("APP06 | ~APP06! APP07", at=["client", "server"])
def drips(w):
    resolver(w); node(w, body="s.writeHead(200, {'Content-Length': 2400}); let n=0; const t=setInterval(()=>{s.write('x'.repeat(100)); if(++n==24){clearInterval(t); s.end()}}, 250)"); w.begin()
    get(w, "/", client="curl", timeout=15)


@case("APP07 | ~APP07! APP13 TCP15 APP06", at=["client", "server"])
def bursts(w):
    resolver(w); node(w, body="s.writeHead(200, {'Content-Length': 480000}); let n=0; const t=setInterval(()=>{s.write('x'.repeat(60000)); if(++n==8){clearInterval(t); s.end()}}, 900)"); w.begin()
    get(w, "/", client="curl", timeout=15)


@case("APP13 | APP07 | ~APP13 APP07 TCP15 IP20", at=["client", "server"], link=lambda rng: {"delay": 0.01, "rate": 4e6, "queue": 50}, twists=False)
def pauses_every_second(w):
    resolver(w); server = nginx(w, server="sendfile off; output_buffers 1 8k;"); w.begin()
    child = get(w, "/big", client="curl", wait=False, timeout=30)
    for _ in range(5):
        time.sleep(0.5); w.run("s", "pkill -STOP -P $(cat {dir}/nginx.pid)"); time.sleep(0.8); w.run("s", "pkill -CONT -P $(cat {dir}/nginx.pid)")
    child.wait(30)


@case("APP04 | APP05 | APP01 | ~APP04 APP05 APP01 TCP03", at=["client"])
def only_one_worker(w):
    """A server that serves one connection at a time; another client holds it for five seconds."""
    w.python("s", "l = listener(80)\nprint('READY', flush=True)\nwhile True:\n  c, _ = l.accept()\n  if b'slow' in head(c): time.sleep(5)\n  c.sendall(page(b'ok')); c.close()", port=80); resolver(w); w.begin()
    w.run("c", "curl -sS -o /dev/null http://{name}/slow & sleep 0.5; curl -sS -o /dev/null http://{name}/quick; wait", timeout=20)


@case("APP09 | healthy", at=["client"], link=delay(0.12, 0.2), twists=False)
def one_after_the_other(w):
    resolver(w); nginx(w, inside="keepalive_timeout 0;"); w.begin()
    w.run("c", "for k in 1 2 3 4 5 6 7 8 9 10; do curl -sS -o /dev/null http://{name}/small; done", timeout=30)


@case("APP10 | healthy | ~APP10 IP18", at=["client"], link=lambda rng: {"delay": 0.015, "rate": 2e6, "queue": 25}, twists=False)
def big_page_thin_line(w):
    resolver(w); nginx(w); w.begin()
    get(w, "/big", client="curl", timeout=40)


@case("TCP26 | H115 | ~TCP26 H115 TLS01", at=["client"])
def smtp_banner_on_web_port(w):
    resolver(w); w.python("s", banner(8025, "220 mx.example ESMTP ready"), port=8025); w.begin()
    get(w, "/", port=8025, client="curl", timeout=5)


# ================= two faults, or a fault among other traffic =================

@case("H103", at=["client", "any"])
def busy_503_among_others(w):
    resolver(w); background(w, 5); nginx(w, server="location / { return 503; }"); w.begin(); time.sleep(1.5)
    get(w, "/", client="curl"); time.sleep(2)


@case("TCP01 | ~TCP01! FW02", at=["client"])
def busy_closed_port_among_others(w):
    resolver(w); background(w, 5); w.begin(); time.sleep(1.5)
    get(w, "/", port=8081, client="curl"); time.sleep(1)


@case(SILENT + " | ~FW01! TCP03 IP07", at=["client"], twists=False)
def busy_silent_port_among_others(w):
    resolver(w); background(w, 10); w.nft("i", "tcp dport 8081 drop"); w.begin(); time.sleep(1.2)
    get(w, "/", port=8081, client="curl", timeout=7)


@case("DNS45 | ~DNS45! DNS18 | H103", at=["client"], twists=False)
def slow_names_and_503(w):
    w.truth = "H103 | ~H103 DNS45"
    w.python("d", f"names({w.zone_data!r}, delay=1.4)", udp=53); nginx(w, server="location / { return 503; }"); w.begin()
    get(w, "/", client="curl")


@case("TLS07", f"~TLS07! {SEALED} | ? | IP19", at=["client"], link=lambda rng: {"delay": 0.02, "loss": 0.04}, keep_keys=True, twists=False)
def loss_and_expired_certificate(w):
    w.pki("expired"); resolver(w); nginx(w, tls=True, port=443); w.begin()
    get(w, "/", tls=True, client="curl", timeout=9)
