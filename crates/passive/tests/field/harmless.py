"""A third hundred of harmless kinds: what clients, servers, boxes and capturing programs do all day without a fault."""
import os, random, signal, struct, time
from ground import PYTHON, TOOLS, sh
from cases import ALL, CLIENT, SIDES, case, delay, many
from more_healthy import ask
import others as O
import programs as P
from programs import get, h3, nginx, apache, node, site, resolver, unbound, named, write, haproxy, caddy, files

LAX = "healthy | ?"
NEAR = delay(0.002, 0.03)


# ---- what is done to a file after it was captured ----

def packets(path):
    data = open(path, "rb").read()
    assert data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"), data[:4]
    rows, at = [], 24
    while at + 16 <= len(data):
        sec, sub, size, whole = struct.unpack_from("<IIII", data, at)
        rows.append([sec, sub, whole, data[at + 16:at + 16 + size]])
        at += 16 + size
    return data[:24], rows, 1_000_000 if data[0] == 0xd4 else 1_000_000_000


def rewrite(w, change):
    w.finish()
    top, rows, unit = packets(w.file)
    rows = change(rows, unit)
    open(w.file, "wb").write(top + b"".join(struct.pack("<IIII", s, u, len(d), whole) + d for s, u, whole, d in rows))


def tagged(rows, tag):
    return [[s, u, whole + len(tag), d[:12] + tag + d[12:]] for s, u, whole, d in rows]


def shifted(row, by, unit):
    total = row[0] * unit + row[1] + by
    return [total // unit, total % unit, row[2], row[3]]


def some_traffic(w, tls):
    if tls:
        w.pki()
    resolver(w); site(w, tls=tls, kind="nginx" if tls else None); w.begin(how="tcpdump")
    get(w, "/page", tls=tls); get(w, "/big" if w.rng.random() < 0.5 else "/small", tls=tls, timeout=30)


CHANGES = {
    "vlan": lambda rng: lambda rows, unit: tagged(rows, b"\x81\x00" + struct.pack("!H", rng.randrange(2, 4000))),
    "qinq": lambda rng: lambda rows, unit: tagged(tagged(rows, b"\x81\x00\x00\x07"), b"\x88\xa8" + struct.pack("!H", rng.randrange(2, 4000))),
    "some-lost-by-the-capture": lambda rng: lambda rows, unit: [r for r in rows if rng.random() > 0.02],
    "many-lost-by-the-capture": lambda rng: lambda rows, unit: [r for r in rows if rng.random() > 0.15],
    "first-tenth-missing": lambda rng: lambda rows, unit: rows[len(rows) // 10:],
    "last-tenth-missing": lambda rng: lambda rows, unit: rows[:len(rows) * 9 // 10],
    "only-the-middle": lambda rng: lambda rows, unit: rows[len(rows) // 3:len(rows) * 2 // 3],
    "a-gap-in-the-middle": lambda rng: lambda rows, unit: rows[:len(rows) // 2] + rows[len(rows) * 6 // 10:],
    "written-out-of-order": lambda rng: lambda rows, unit: [r for _, r in sorted((k + rng.random() * 2.5, r) for k, r in enumerate(rows))],
    "stamped-out-of-order": lambda rng: lambda rows, unit: [shifted(r, -rng.randrange(unit // 20000), unit) for r in rows],
    "clock-stepped-back": lambda rng: lambda rows, unit: [shifted(r, -unit // 2 if k > len(rows) // 2 else 0, unit) for k, r in enumerate(rows)],
    "clock-stepped-ahead": lambda rng: lambda rows, unit: [shifted(r, 3 * unit if k > len(rows) // 2 else 0, unit) for k, r in enumerate(rows)],
    "stamps-of-a-millisecond": lambda rng: lambda rows, unit: [[r[0], r[1] // (unit // 1000) * (unit // 1000), r[2], r[3]] for r in rows],
    "stamps-of-ten-milliseconds": lambda rng: lambda rows, unit: [[r[0], r[1] // (unit // 100) * (unit // 100), r[2], r[3]] for r in rows],
    "no-stamps-at-all": lambda rng: lambda rows, unit: [[0, 0, r[2], r[3]] for r in rows],
    "all-twice": lambda rng: lambda rows, unit: [x for r in rows for x in (r, shifted(r, rng.randrange(unit // 100000, unit // 5000), unit))],
    "some-twice": lambda rng: lambda rows, unit: [x for r in rows for x in ([r, shifted(r, 30 * unit // 1000000, unit)] if rng.random() < 0.3 else [r])],
    "twice-behind-a-router": lambda rng: lambda rows, unit: [x for r in rows for x in (r, shifted([r[0], r[1], r[2], behind(r[3])], unit // 20000, unit))],
    "cut-at-60": lambda rng: lambda rows, unit: [[s, u, whole, d[:60]] for s, u, whole, d in rows],
    "cut-at-96": lambda rng: lambda rows, unit: [[s, u, whole, d[:96]] for s, u, whole, d in rows],
    "one-way-up": lambda rng: lambda rows, unit: [r for r in rows if rows and r[3][:6] == rows[0][3][:6]],
    "one-way-down": lambda rng: lambda rows, unit: [r for r in rows if rows and r[3][6:12] == rows[0][3][:6]],
    "padded-frames": lambda rng: lambda rows, unit: [[s, u, max(whole, 60), d + bytes(max(0, 60 - len(d)))] for s, u, whole, d in rows],
    "with-frame-check": lambda rng: lambda rows, unit: [[s, u, max(whole, 60) + 4, d + bytes(max(0, 60 - len(d))) + rng.randbytes(4)] for s, u, whole, d in rows],
}


def behind(frame):
    """The same packet one hop further."""
    from ground import checksum
    if frame[12:14] == b"\x08\x06" or frame[12:14] == b"\x86\xdd" and frame[20] == 58:
        return frame
    f = bytearray(frame)
    f[0:12] = b"\x02\0\0\0\0\x09\x02\0\0\0\0\x0a"
    if f[12:14] == b"\x08\x00":
        f[22] -= 1; f[24:26] = b"\0\0"; f[24:26] = struct.pack("!H", checksum(bytes(f[14:34])))
    elif f[12:14] == b"\x86\xdd":
        f[21] -= 1
    return bytes(f)


@many([(f"ok-file-{kind}{'-tls' if tls else ''}", LAX if any(x in kind for x in ("lost", "missing", "middle", "gap", "way", "cut", "no-", "ten-")) else "healthy", LAX, (kind, tls)) for kind in CHANGES for tls in (False, True)],
      at=SIDES, keep_keys=True, link=NEAR, twists=False)
def ok_file(w, kind, tls):
    some_traffic(w, tls)
    rewrite(w, CHANGES[kind](w.rng))


@many([("ok-two-captures-merged", LAX, LAX, (False,)), ("ok-two-captures-merged-tls", LAX, LAX, (True,))], at=["client"], keep_keys=True, link=NEAR, twists=False)
def ok_two_captures_merged(w, tls):
    """The client's and the server's captures in one file: each packet twice, one way apart."""
    if tls:
        w.pki()
    resolver(w); site(w, tls=tls, kind="nginx"); w.begin(at="client", how="tcpdump")
    other = w.spawn("s", f"tcpdump -Z root --immediate-mode -U -n -i eth0 -w {w.dir}/other.pcap", ready="listening on")
    get(w, "/page", tls=tls); w.finish(); w.stop(other, signal.SIGINT)
    sh(f"mergecap -w {w.dir}/m.pcapng {w.file} {w.dir}/other.pcap && mv {w.dir}/m.pcapng {w.file}")


# ---- clients ----

PARALLEL = """
import threading
def fetch(k):
  c = socket.create_connection((HOST, 80)); c.settimeout(8)
  for n in range(5):
    c.sendall(b'GET /' + [b'small', b'page', b'index.html'][(k + n) % 3] + b' HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
    data = b''
    while b'\\r\\n\\r\\n' not in data: data += c.recv(65536)
    top, _, body = data.partition(b'\\r\\n\\r\\n')
    size = int([l for l in top.lower().split(b'\\r\\n') if l.startswith(b'content-length')][0].split(b':')[1])
    while len(body) < size: body += c.recv(65536)
    time.sleep(0.05 * k)
  (reset(c) if k == 5 else c.close())
all = [threading.Thread(target=fetch, args=(k,)) for k in range(6)]
[t.start() for t in all]; [t.join() for t in all]
"""


@case("healthy", at=ALL, link=NEAR, nat=True)
def ok_six_at_once(w):
    resolver(w); nginx(w); w.begin(); w.python("c", f"HOST = {w.S!r}" + PARALLEL, wait=True, timeout=20)


@case("healthy | APP01 | APP03", at=["client", "middle"])
def ok_poll_held_and_asked_again(w):
    resolver(w); node(w, body="setTimeout(()=>{s.statusCode=204;s.end()}, 900)"); w.begin()
    w.run("c", "for k in 1 2 3 4; do echo http://{name}/poll; done | xargs curl -sS -m 20", timeout=25)


@case("healthy", LAX, at=SIDES, keep_keys=True)
def ok_used_again_after_a_rest(w):
    w.pki(); resolver(w); nginx(w, tls=True, port=443); w.begin()
    w.run("c", [PYTHON, "-c", f"import requests, time\ns = requests.Session(); s.verify = {w.ca!r}\nfor k in range(3): s.get('https://{w.name}/small'); time.sleep(2.2)"], timeout=20)


@case("healthy", at=SIDES, link=NEAR)
def ok_head_of_a_download(w):
    """`curl | head`: enough was read, the pipe closes, so does the client."""
    resolver(w); site(w, kind=w.rng.choice(["nginx", "apache", "lighttpd", "node"])); w.begin(); w.run("c", "curl -s http://{name}/big | head -c 4000 >/dev/null; wget -q -O - http://{name}/big | head -c 9000 >/dev/null", timeout=12)


@case("healthy", at=SIDES, link=delay(0.01, 0.04))
def ok_download_resumed(w):
    resolver(w); nginx(w, server="limit_rate 900k;"); w.begin()
    w.run("c", "timeout -s KILL 0.8 curl -s -o {dir}/part http://{name}/big; curl -s -C - -o {dir}/part http://{name}/big", timeout=20)


@case("healthy", at=["client"], link=lambda rng: {"delay": 0.01, "box": "Later", "with": {"rule": "p.v6 and p.tcp", "by": rng.choice([0.26, 0.4, 0.7])}}, twists=False)
def ok_v6_loses_the_race(w):
    """IPv6 works but is slower: curl has asked over IPv4 by then."""
    w.zone_data = {w.name: [w.S, w.S6]}; resolver(w); nginx(w); w.begin(); get(w, "/page", client="curl"); get(w, "/small", client=w.rng.choice(["curl", "go", "node"]))


@case("healthy", at=CLIENT, keep_keys=True, sealed=LAX, link=NEAR)
def ok_h2_stream_reset_by_user(w):
    w.pki(); resolver(w); nginx(w, tls=True, port=443, listen=" http2"); w.begin()
    w.run("c", [PYTHON, "-c", f"import asyncio, httpx, ssl\nasync def main():\n  async with httpx.AsyncClient(http2=True, verify=ssl.create_default_context(cafile={w.ca!r})) as c:\n    async def part(k):\n      async with c.stream('GET', 'https://{w.name}/big') as r:\n        async for x in r.aiter_bytes():\n          if k % 2: break\n    await asyncio.gather(*[part(k) for k in range(4)])\n    await c.get('https://{w.name}/small')\nasyncio.run(main())"], timeout=20)


@case("healthy", at=SIDES)
def ok_client_closes_first_http10(w):
    resolver(w); w.python("s", "def h(c):\n  head(c); c.sendall(b'HTTP/1.0 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\n' + b'y' * 20000)\nserve(80, h)", port=80); w.begin()
    w.run("c", "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 3 ncat {S} 80 >/dev/null; curl -sS -0 -o /dev/null http://{name}/", timeout=10)


@case("healthy", at=SIDES)
def ok_http09(w):
    w.python("s", "def h(c):\n  c.recv(999); c.sendall(b'<html>hello</html>')\nserve(80, h)", port=80); w.begin(); w.run("c", "printf 'GET /\\r\\n' | ncat {S} 80 >/dev/null; curl -s --http0.9 -o /dev/null http://{S}/", timeout=8)


@case("healthy", at=SIDES, link=NEAR)
def ok_small_window_that_suffices(w):
    resolver(w); nginx(w); w.begin()
    w.python("c", f"c = socket.socket(); c.setsockopt(1, 8, 8192); c.connect(({w.S!r}, 80)); c.sendall(b'GET /page HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n')\nwhile c.recv(65536): pass\nc.close()", wait=True, timeout=12)


@case("healthy | APP08 | TCP13 | ~APP08 TCP13 TCP14", at=SIDES, link=NEAR)
def ok_player_reads_at_its_pace(w):
    """A player fills its buffer and then reads as fast as it plays: its window shuts again and again."""
    resolver(w); nginx(w); w.begin(snap=128)
    w.python("c", f"c = socket.socket(); c.setsockopt(1, 8, 40000); c.connect(({w.S!r}, 80)); c.sendall(b'GET /big HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n')\nn = 0\nwhile True:\n  d = c.recv(30000)\n  if not d: break\n  n += len(d)\n  if n > 400000: time.sleep(0.06)\nc.close()", wait=True, timeout=25)


@case("healthy", at=SIDES, link=NEAR)
def ok_reader_pauses_briefly(w):
    resolver(w); nginx(w); w.begin()
    w.python("c", f"c = socket.socket(); c.setsockopt(1, 8, 30000); c.connect(({w.S!r}, 80)); c.sendall(b'GET /big HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n'); c.recv(20000); time.sleep(0.5)\nwhile c.recv(65536): pass\nc.close()", wait=True, timeout=20)


def lined(label, how, truth):
    @case(truth, f"{truth} | ?", at=SIDES, keep_keys=True, name=label, twists=False, link=lambda rng: {"delay": rng.uniform(0.004, 0.03), "down": dict(how)})
    def body(w):
        tls = w.rng.random() < 0.5
        if tls:
            w.pki()
        resolver(w); site(w, tls=tls, kind=w.rng.choice(["nginx", "apache", "caddy"])); w.begin(); get(w, "/big", tls=tls, timeout=30); get(w, "/page", tls=tls)


lined("ok-loss-of-one-in-a-thousand", {"loss": 0.001}, "healthy | IP19 | TCP18")
lined("ok-two-lost", {"drop_numbers": [9, 60]}, "healthy | IP19 | TCP18")
lined("ok-some-overtake", {"reorder": 0.004, "reorder_by": 0.0015}, "healthy | IP21")
lined("ok-some-twice-on-the-way", {"duplicate": 0.004}, "healthy | IP22")
lined("ok-a-little-jitter", {"jitter": 0.008}, "healthy | IP24 | IP21")


@case("healthy", at=ALL)
def ok_ecn_marked_now_and_then(w):
    w.sysctl("c", "net.ipv4.tcp_ecn=1"); w.sysctl("s", "net.ipv4.tcp_ecn=1"); w.nft("i", "ip ecn != not-ect numgen random mod 100 < 2 ip ecn set ce", hook="forward"); resolver(w); site(w, kind="nginx"); w.begin(); get(w, "/big", timeout=20)


@case("healthy", at=SIDES)
def ok_fast_open(w):
    w.sysctl("c", "net.ipv4.tcp_fastopen=3"); w.sysctl("s", "net.ipv4.tcp_fastopen=3"); resolver(w); nginx(w, listen=" fastopen=16" if False else ""); w.begin()
    w.run("c", "curl -sS --tcp-fastopen -o /dev/null http://{name}/small; curl -sS --tcp-fastopen -o /dev/null http://{name}/page", timeout=10)


@case("healthy", at=SIDES, link=NEAR)
def ok_fast_open_taken(w):
    w.sysctl("c", "net.ipv4.tcp_fastopen=3"); w.sysctl("s", "net.ipv4.tcp_fastopen=3"); resolver(w)
    w.python("s", "l = socket.socket(); l.setsockopt(1, 2, 1); l.bind(('0.0.0.0', 80)); l.setsockopt(6, 23, 16); l.listen(9); print('READY', flush=True)\nwhile True:\n  c, _ = l.accept(); head(c); c.sendall(page()); c.close()", port=80); w.begin()
    w.run("c", "for k in 1 2 3; do curl -sS --tcp-fastopen -o /dev/null http://{name}/; done", timeout=10)


@case("healthy | TCP07 | TCP05", at=SIDES, link=NEAR)
def ok_accept_deferred(w):
    """The server's kernel waits for data before it wakes the program; a client that says nothing for a while sees SYN-ACKs again."""
    w.python("s", "l = socket.socket(); l.setsockopt(1, 2, 1); l.bind(('0.0.0.0', 80)); l.setsockopt(6, 9, 5); l.listen(9); print('READY', flush=True)\nwhile True:\n  c, _ = l.accept(); head(c); c.sendall(page()); c.close()", port=80); w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 80)); time.sleep(2.5); c.sendall(b'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\nwhile c.recv(9999): pass\nc.close()", wait=True, timeout=12)


@case("healthy", at=["server", "client"])
def ok_health_checks(w):
    """A balancer looks every half second whether the port is open, and hangs up with a reset; a page goes through it."""
    resolver(w, zone={w.name: [w.T]}); nginx(w); haproxy(w, f"frontend f\n  bind :80\n  default_backend b\nbackend b\n  {w.rng.choice(['', 'option httpchk GET /small', 'option tcp-check'])}\n  server a {w.S}:80 check inter 500ms\n", ns="t"); w.begin(); time.sleep(2); get(w, "/page"); time.sleep(1)


@case("healthy", at=SIDES)
def ok_scraped(w):
    resolver(w); nginx(w, server="location = /healthz { return 200 ok; }"); w.begin(); w.run("c", "for k in 1 2 3 4 5; do curl -sS -o /dev/null -A kube-probe/1.29 -H 'Connection: close' http://{S}/healthz; sleep 0.5; done", timeout=12)


@case("healthy | H108 | H101", at=SIDES)
def ok_preconnect_told_408(w):
    """A browser's spare connection is never used; the server says 408 and closes; the page is there."""
    resolver(w); haproxy(w, "defaults\n  mode http\n  timeout http-request 2s\n  timeout client 9s\n  timeout server 9s\n  timeout connect 3s\nfrontend f\n  bind :80\n  http-request return status 200 content-type text/plain string hello\n"); w.begin()
    w.python("c", f"d = socket.create_connection(({w.S!r}, 80)); c = socket.create_connection(({w.S!r}, 80)); c.sendall(b'GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n')\nwhile c.recv(9999): pass\nc.close(); time.sleep(3); d.recv(999); d.close()", wait=True, timeout=12)


@case("healthy", LAX, at=SIDES, keep_keys=True)
def ok_tickets_unread(w):
    """TLS 1.3 sends tickets that a client in a hurry never reads: its kernel resets the closed connection."""
    w.pki(); resolver(w); nginx(w, tls=True, port=443); w.begin()
    w.python("c", f"x = ssl.create_default_context(cafile={w.ca!r}); x.keylog_filename = {w.out + '.keys'!r}\nfor k in range(3):\n  c = x.wrap_socket(socket.create_connection(({w.S!r}, 443)), server_hostname={w.name!r}); c.sendall(b'GET /small HTTP/1.1\\r\\nHost: {w.name}\\r\\n\\r\\n'); c.recv(300); time.sleep(0.1); c.close()", wait=True, timeout=12)


@case("healthy", LAX, at=SIDES, keep_keys=True)
def ok_no_close_notify(w):
    w.pki(); resolver(w); w.python("s", f"def h(c):\n  head(c); c.sendall(page()); s = socket.socket(fileno=c.detach()); s.shutdown(1); time.sleep(0.2); s.close()\nserve(443, h, context({w.cert!r}))", port=443); w.begin(); get(w, "/", tls=True, client=w.rng.choice(["curl", "go", "wget"]))


@many([("ok-client-certificate-shown", "healthy", LAX, ())], at=SIDES, keep_keys=True)
def ok_client_certificate(w):
    w.pki(); resolver(w); nginx(w, tls=True, port=443, server=f"ssl_client_certificate {w.ca}; ssl_verify_client optional_no_ca;"); w.begin()
    w.run("c", "openssl req -x509 -newkey rsa:2048 -nodes -keyout {dir}/k.pem -out {dir}/c.pem -subj /CN=me 2>/dev/null; curl -sS --cert {dir}/c.pem --key {dir}/k.pem --cacert {ca} -o /dev/null https://{name}/page; curl -sS --cacert {ca} -o /dev/null https://{name}/small", timeout=15)


@case("healthy", LAX, at=SIDES, keep_keys=True)
def ok_tls12_tickets(w):
    w.pki(key="2048"); resolver(w); nginx(w, tls=True, port=443, protocols="ssl_protocols TLSv1.2;"); w.begin()
    w.python("c", f"x = ssl.create_default_context(cafile={w.ca!r}); x.keylog_filename = {w.out + '.keys'!r}; old = None\nfor k in range(3):\n  c = x.wrap_socket(socket.create_connection(({w.S!r}, 443)), server_hostname={w.name!r}, session=old); c.sendall(b'GET /small HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n')\n  while c.recv(9999): pass\n  old = c.session; c.close()", wait=True, timeout=12)


# ---- QUIC ----

@many([(f"ok-quic-{kind}", "healthy", LAX, (kind,)) for kind in ["retry", "rebinding", "key-update", "idle-then-more", "closed-by-user"]], at=SIDES, keep_keys=True, link=NEAR)
def ok_quic(w, kind):
    w.pki(); resolver(w); files(w)
    server = f"""
import asyncio, sys
from aioquic.asyncio import serve
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection, H3_ALPN
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
class P(QuicConnectionProtocol):
    h = None
    def quic_event_received(self, e):
        self.h = self.h or H3Connection(self._quic)
        for x in self.h.handle_event(e):
            if isinstance(x, HeadersReceived):
                self.h.send_headers(x.stream_id, [(b':status', b'200')]); self.h.send_data(x.stream_id, b'z' * 40000, True); self.transmit()
async def main():
    c = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN); c.load_cert_chain({w.cert!r} + '.pem', {w.cert!r} + '.key')
    await serve('0.0.0.0', 443, configuration=c, create_protocol=P, retry={kind == 'retry'}); print('READY', flush=True); await asyncio.Event().wait()
asyncio.run(main())"""
    w.spawn("s", [PYTHON, "-u", "-c", server], ready="READY"); w.begin()
    middle = {"retry": "", "rebinding": "c._transport.close(); _, _ = await asyncio.get_event_loop().create_datagram_endpoint(lambda: c, local_addr=('0.0.0.0', 0))", "key-update": "c._quic.request_key_update()", "idle-then-more": "await asyncio.sleep(3)", "closed-by-user": ""}[kind]
    client = f"""
import asyncio
from aioquic.asyncio import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection, H3_ALPN
from aioquic.h3.events import DataReceived
from aioquic.quic.configuration import QuicConfiguration
class P(QuicConnectionProtocol):
    h = None; done = None
    def quic_event_received(self, e):
        self.h = self.h or H3Connection(self._quic)
        for x in self.h.handle_event(e):
            if isinstance(x, DataReceived) and x.stream_ended and self.done: self.done.set()
    async def get(self):
        self.h = self.h or H3Connection(self._quic); self.done = asyncio.Event()
        s = self._quic.get_next_available_stream_id(); self.h.send_headers(s, [(b':method', b'GET'), (b':scheme', b'https'), (b':authority', {w.name!r}.encode()), (b':path', b'/')], True); self.transmit()
        await asyncio.wait_for(self.done.wait(), 8)
async def main():
    cf = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name={w.name!r}, secrets_log_file=open({w.out + '.keys'!r}, 'a')); cf.load_verify_locations({w.ca!r})
    async with connect({w.S!r}, 443, configuration=cf, create_protocol=P, wait_connected=True) as c:
        await c.get()
        {middle}
        {"c.done = None; s = c._quic.get_next_available_stream_id(); c.h.send_headers(s, [(b':method', b'GET'), (b':scheme', b'https'), (b':authority', b'x'), (b':path', b'/')], True); c.transmit(); await asyncio.sleep(0.02)" if kind == "closed-by-user" else "await c.get()"}
asyncio.run(main())"""
    w.run("c", [PYTHON, "-c", client], timeout=20)


@case("healthy | Q01 | Q02 | Q03 | ~Q01 Q02 Q03 FW01", "healthy | Q01 | Q02 | Q03 | ~Q01 Q02 Q03 FW01 | ?", at=["client"], keep_keys=True, twists=False)
def ok_http3_not_there_then_http2(w):
    """QUIC is asked beside TCP, as browsers do, and the server has none: nobody waits for it."""
    w.pki(); resolver(w); nginx(w, tls=True, port=443, listen=" http2"); w.begin(); h3(w, wait=1, blocking=False); get(w, "/page", tls=True, client="curl"); get(w, "/small", tls=True, client="go"); time.sleep(1)


# ---- names ----

@case("healthy | DNS37", at=["client", "resolver", "any"])
def ok_four_suffixes(w):
    w.resolvers(w.D, options="search ns1.svc.local svc.local corp.example lan\noptions ndots:5 timeout:2"); named(w, f'zone "{w.zone}" {{ type master; file "{O.zone_file(w)}"; }};' + "".join(f'zone "{z}" {{ type master; file "{write(w, z, chr(36) + "TTL 60" + chr(10) + "@ IN SOA n a 1 1 1 1 1" + chr(10) + "@ IN NS n" + chr(10) + "n IN A 10.0.0.1" + chr(10))}"; }};' for z in ["local", "corp.example", "lan"])); site(w, kind="nginx"); w.begin(); get(w, "/small", client="curl")


@case("healthy", at=["client", "resolver"])
def ok_many_kinds_of_questions(w):
    w.zone_data = {w.name: [w.S]}; resolver(w, kind=w.rng.choice(["unbound", "named", "dnsmasq"])); site(w); w.begin()
    w.run("c", "for t in A AAAA HTTPS SVCB MX TXT SRV CAA; do dig +tries=1 +time=2 {name} $t @{D} >/dev/null; done; dig +tries=1 +time=2 -x {S} @{D} >/dev/null", timeout=25); get(w, "/small")


@case("healthy", at=["client", "resolver"])
def ok_cookie_wanted(w):
    named(w, f'zone "{w.zone}" {{ type master; file "{O.zone_file(w)}"; }};', options="recursion no; require-server-cookie yes; answer-cookie yes;"); w.begin(); w.run("c", "dig {name} @{D} >/dev/null; dig +cookie {name} AAAA @{D} >/dev/null", timeout=8)


@case("healthy", at=["client", "resolver"])
def ok_large_answer_in_fragments(w):
    zone = write(w, "z", f"$TTL 60\n@ IN SOA ns1 admin 7 3600 600 86400 60\n@ IN NS ns1\nns1 IN A {w.D}\n" + "".join(f'big IN TXT "{k:04d}{"v" * 180}"\n' for k in range(14)))
    named(w, f'zone "{w.zone}" {{ type master; file "{zone}"; }};', options="recursion no; max-udp-size 4096;"); w.begin(); w.run("c", "dig +bufsize=4096 +ignore big.{zone} TXT @{D} >/dev/null; dig +bufsize=4096 big.{zone} TXT @{D} >/dev/null", timeout=8)


@case("healthy", at=["client", "any"])
def ok_far_resolver(w):
    w.python("d", f"names({w.zone_data!r}, delay={w.rng.uniform(0.1, 0.3)!r})", udp=53); site(w); w.begin(); get(w, "/small")


@case("healthy", at=["client"])
def ok_advertisements_are_not_there(w):
    """One of several names does not exist, as block lists have it; the page is read."""
    w.zone_data = {w.name: [w.S]}; resolver(w, kind="unbound"); site(w); w.truth = "healthy | DNS05"; w.begin(); w.run("c", f"dig +short ads.{w.zone} @{{D}}; dig +short ads.{w.zone} AAAA @{{D}}", timeout=6); get(w, "/page")


@case("healthy", at=["client", "middle"])
def ok_reverse_lookups_nowhere(w):
    resolver(w, kind=w.rng.choice(["dnsmasq", "unbound"])); site(w); w.begin(); w.run("c", "for k in 1 2 3 4; do dig +tries=1 +time=2 -x 10.1.2.$k @{D} >/dev/null; done", timeout=12); get(w, "/page", client="curl")


# ---- noise of a LAN ----

NOISE = """
import random
def raw(frame):
  s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0)); s.send(frame); s.close()
def udp(group, port, data, family=socket.AF_INET):
  s = socket.socket(family, socket.SOCK_DGRAM)
  s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
  try: s.sendto(data, (group, port) if family == socket.AF_INET else (group, port, 0, socket.if_nametoindex('eth0')))
  except OSError as e: print(e)
  s.close()
q = b'\\0\\0\\0\\0\\0\\1\\0\\0\\0\\0\\0\\0\\x0b_googlecast\\x04_tcp\\x05local\\0\\0\\x0c\\0\\1'
for k in range(ROUNDS):
  udp('224.0.0.251', 5353, q); udp('ff02::fb', 5353, q, socket.AF_INET6)
  udp('224.0.0.252', 5355, b'\\x12\\x34\\0\\0\\0\\1\\0\\0\\0\\0\\0\\0\\x04wpad\\0\\0\\1\\0\\1')
  udp('239.255.255.250', 1900, b'M-SEARCH * HTTP/1.1\\r\\nHOST: 239.255.255.250:1900\\r\\nMAN: "ssdp:discover"\\r\\nMX: 2\\r\\nST: ssdp:all\\r\\n\\r\\n')
  udp('255.255.255.255', 137, b'\\x80\\x01\\x01\\x10\\0\\1\\0\\0\\0\\0\\0\\0 FHFAEBEECACACACACACACACACACACAAA\\0\\0 \\0\\1')
  udp('255.255.255.255', 17500, b'{"host_int": 1, "version": [2, 0]}')
  raw(bytes.fromhex('0180c2000000') + b'\\x02\\0\\0\\0\\0\\7' + b'\\0\\x26\\x42\\x42\\x03' + bytes(35))
  raw(bytes.fromhex('0180c200000e') + b'\\x02\\0\\0\\0\\0\\7\\x88\\xcc' + bytes.fromhex('0207040200000000070403020007060200780000'))
  raw(bytes.fromhex('01005e000012') + b'\\x02\\0\\0\\0\\0\\7\\x08\\0' + bytes.fromhex('45000028000000 00ff70 0000'.replace(' ', '')) + socket.inet_aton('192.168.7.2') + socket.inet_aton('224.0.0.18') + bytes.fromhex('2101640100010000c0a80701') + bytes(8))
  for n in range(SWEEP): arp('eth0', 1, OWN, LAN + '.%d' % random.randrange(2, 254))
  time.sleep(0.25)
"""


@many([("ok-noisy-lan", "healthy", None, (8, 2, True)), ("ok-sweep-of-the-lan", "healthy", None, (3, 40, True)), ("ok-nothing-but-noise", LAX, None, (8, 3, False))], at=["client", "gateway", "any"], twists=False)
def ok_noise(w, rounds, sweep, page):
    resolver(w); site(w); w.begin()
    w.python("c", f"OWN, LAN, ROUNDS, SWEEP = {w.C!r}, {w.lan!r}, {rounds}, {sweep}" + NOISE, wait=True, timeout=25)
    if page:
        get(w, "/page")


@many([("ok-only-arp", LAX, None, ("arp",)), ("ok-only-pings", "healthy", None, ("icmp",)), ("ok-only-names", "healthy", None, ("udp port 53",)), ("ok-only-syns", LAX, None, ("tcp[tcpflags] & tcp-syn != 0",)), ("ok-only-fins-and-resets", LAX, None, ("tcp[tcpflags] & (tcp-fin|tcp-rst) != 0",)), ("ok-only-data", LAX, None, ("tcp[tcpflags] & tcp-push != 0",))], at=["client", "server"], twists=False)
def ok_filtered(w, what):
    resolver(w); site(w); w.sysctl("c", "net.ipv4.neigh.eth0.base_reachable_time_ms=400", "net.ipv4.neigh.eth0.delay_first_probe_time=1"); w.begin(filter=f"'{what}'", how="tcpdump")
    for _ in range(3):
        get(w, "/page"); w.run("c", "ping -c 1 -W 1 {S}"); time.sleep(0.8)


@case("healthy", at=["client", "any"])
def ok_time_is_asked(w):
    w.python("s", "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('0.0.0.0', 123)); print('READY', flush=True)\nwhile True:\n  d, p = u.recvfrom(99); u.sendto(b'\\x24\\x02' + d[2:24] + d[40:48] + d[40:48] + d[40:48], p)", udp=123); resolver(w); site(w); w.begin()
    w.python("c", f"u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nfor k in range(4): u.sendto(b'\\x23' + bytes(39) + os.urandom(8), ({w.S!r}, 123)); u.recv(99); time.sleep(0.4)", wait=True, timeout=8); get(w, "/page")


@case("healthy", at=["client"])
def ok_lease_given_back_and_taken(w):
    w.spawn("g", f"dnsmasq -k -C /dev/null --port=0 --interface=lan --bind-interfaces --dhcp-authoritative --dhcp-range={w.lan}.120,{w.lan}.130,600 --dhcp-leasefile={w.dir}/leases --user=root --pid-file={w.dir}/dm2.pid", udp=67); w.begin(at="client")
    w.run("c", "udhcpc -q -n -f -i eth0 -s /bin/true -t 3 -T 1; udhcpc -q -n -f -i eth0 -s /bin/true -t 3 -T 1 -r {lan}.125; udhcpc -f -n -q -R -i eth0 -s /bin/true -t 2 -T 1", timeout=15)


# ---- other protocols ----

@case("healthy", at=SIDES)
def ok_starttls_mail(w):
    w.pki(name="mx." + w.zone); O.smtp(w, port=587, starttls=True); w.begin(); w.run("c", "swaks --server {S} --port 587 --tls --to a@b.example --from me@b.example --timeout 5 >/dev/null; swaks --server {S} --port 587 --quit-after EHLO --timeout 5 >/dev/null", timeout=15)


@case("healthy", at=SIDES)
def ok_tftp(w):
    files(w); w.spawn("s", f"dnsmasq -k -C /dev/null --port=0 --enable-tftp --tftp-root={w.dir}/www --user=root --pid-file={w.dir}/dm3.pid", udp=69); w.begin(); w.run("c", "curl -sS -o /dev/null tftp://{S}/page", timeout=8)


@case("healthy", at=SIDES)
def ok_postgres_with_errors(w):
    """A program asks for a table that is not there, and goes on: the database's business. TLS is asked for and not offered."""
    O.postgres(w); w.begin(); w.run("c", "psql 'host={S} user=app dbname=postgres sslmode=prefer' -c 'select 1' -c 'select * from nothere' -c 'select generate_series(1, 2000)' >/dev/null", timeout=15)


@case("healthy", at=SIDES)
def ok_listen_and_notify(w):
    w.spawn("s", "redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --save ''", port=6379); w.begin()
    child = w.run("c", "timeout 5 redis-cli -h {S} SUBSCRIBE news", wait=False); time.sleep(0.8)
    w.run("c", "for k in 1 2 3; do redis-cli -h {S} PUBLISH news hello; sleep 0.9; done; redis-cli -h {S} GET nothing; redis-cli -h {S} LPUSH x", timeout=12); child.wait(9)


@case("healthy", at=SIDES)
def ok_broker_with_a_killed_reader(w):
    write(w, "mq.conf", "listener 1883 0.0.0.0\nallow_anonymous true\nuser root\n"); w.spawn("s", "mosquitto -c {dir}/mq.conf", port=1883); w.begin()
    child = w.run("c", "mosquitto_sub -h {S} -t a/# -k 5", wait=False); time.sleep(0.8); w.run("c", "for k in 1 2 3; do mosquitto_pub -h {S} -t a/b -m $k -q 1; sleep 0.5; done", timeout=8); w.stop(child, signal.SIGKILL); time.sleep(0.5)


@case("healthy", at=SIDES)
def ok_chat(w):
    """Lines now and then, from both sides, with no pattern of question and answer."""
    w.python("s", "import random\ndef h(c):\n  c.settimeout(0.1)\n  for k in range(20):\n    c.sendall(b':srv PRIVMSG #x :hello %d\\r\\n' % k)\n    try: c.recv(999)\n    except OSError: pass\n    time.sleep(random.random() * 0.5)\nserve(6667, h)", port=6667); w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 6667)); c.sendall(b'NICK me\\r\\nUSER me 0 * :me\\r\\n')\nfor k in range(6): c.recv(999); time.sleep(0.4)\nc.sendall(b'QUIT\\r\\n'); c.close()", wait=True, timeout=15)


@case("healthy", at=SIDES, link=NEAR)
def ok_calls_voice(w):
    """Fifty datagrams a second each way, a few of them lost, which nobody hears."""
    w.python("s", "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('0.0.0.0', 16384)); print('READY', flush=True)\nwhile True:\n  d, p = u.recvfrom(999); u.sendto(d, p)", udp=16384); w.begin()
    w.python("c", f"u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('0.0.0.0', 16386))\nfor k in range(150):\n  u.sendto(b'\\x80\\0' + struct.pack('!HII', k, k * 160, 7) + os.urandom(160), ({w.S!r}, 16384)); time.sleep(0.02)", wait=True, timeout=12)


@case("healthy", LAX, at=SIDES, keep_keys=True)
def ok_dribbled_by_design(w):
    """A log that is followed: a chunk every 400 ms, over TLS."""
    w.pki(); resolver(w); O.aiohttp(w, "r = web.StreamResponse(); r.enable_chunked_encoding(); await r.prepare(request)\nfor k in range(8):\n  await r.write(b'line %d\\n' % k); await asyncio.sleep(0.4)\nawait r.write_eof(); return r", port=443, tls=True); w.begin(); get(w, "/log", tls=True, client="curl")


@case("healthy", LAX, at=SIDES, keep_keys=True)
def ok_h2_calls_with_trailers(w):
    """Streams of small messages that end with trailers, as gRPC has them."""
    w.pki(); resolver(w)
    w.spawn("s", f"nghttpd --trailer 'grpc-status: 0' -d {files(w)} 443 {w.cert}.key {w.cert}.pem", port=443); w.begin()
    w.run("c", "curl -sS --http2 --cacert {ca} -H 'content-type: application/grpc' -H 'te: trailers' --data-binary xxxxx -o /dev/null https://{name}/small https://{name}/page -o /dev/null", timeout=12)


@case("healthy", at=SIDES)
def ok_web_socket_closed_by_page(w):
    resolver(w); w.spawn("s", [PYTHON, "-u", "-c", "import asyncio, websockets\nasync def h(ws):\n  for k in range(9):\n    await ws.send('tick'); await asyncio.sleep(0.3)\nasync def main():\n  async with websockets.serve(h, '0.0.0.0', 80):\n    print('READY', flush=True); await asyncio.Event().wait()\nasyncio.run(main())"], port=80); w.begin()
    w.run("c", [PYTHON, "-c", f"import asyncio, websockets, os\nasync def main():\n  ws = await websockets.connect('ws://{w.name}/feed')\n  for k in range(4): await ws.recv()\n  os._exit(0)\nasyncio.run(main())"], timeout=12)


@many([("ok-through-socks5-names", "healthy", None, ("socks5h",)), ("ok-through-old-socks", "healthy", None, ("socks4",))], at=["client", "other"])
def ok_through_socks(w, how):
    resolver(w); site(w, kind="nginx"); write(w, "danted.conf", f"logoutput: stderr\ninternal: eth0 port = 1080\nexternal: eth0\nsocksmethod: none\nclientmethod: none\nuser.privileged: root\nuser.unprivileged: root\nclient pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\nsocks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\n")
    w.spawn("t", "danted -f {dir}/danted.conf", port=1080); w.begin(); w.run("c", f"curl -sS -m 8 -x {how}://{{T}}:1080 -o /dev/null http://{{S}}/page", timeout=12)


# ---- topologies ----

@case("healthy", LAX, at=["client", "gateway", "middle"], keep_keys=True, world={"mtu": 1280}, nat=True)
def ok_mtu_1280(w):
    w.pki(); resolver(w); site(w, tls=True); w.begin(); get(w, "/page", tls=True); get(w, "/big", tls=True, client="curl", timeout=20)


@case("healthy", at=["client", "any"])
def ok_v6_only(w):
    w.resolvers(w.D6); w.zone_data = {w.name: [w.S6]}; w.ip("c", "-4 addr flush dev eth0"); resolver(w); site(w, kind=w.rng.choice(["nginx", "apache", "caddy"]) if False else "nginx"); w.begin(); get(w, "/page", client=w.rng.choice(["curl", "wget", "go"])); get(w, "/small", client="python")


@case("healthy", at=["gateway-any", "gateway", "middle"], link=NEAR)
def ok_translated_seen_on_both_sides(w):
    w.nft("g", "oifname wan masquerade", hook="postrouting"); resolver(w); site(w); w.begin(); get(w, "/page"); get(w, "/small")


@case("healthy", at=["server", "gateway", "middle"], link=NEAR)
def ok_several_clients(w):
    resolver(w); nginx(w); extra = [f"{w.lan}.{k}" for k in (21, 22, 23)]
    for a in extra:
        w.ip("c", f"addr add {a}/24 dev eth0")
    w.begin(); w.run("c", " & ".join(f"curl -sS --interface {a} -o /dev/null http://{{S}}/{p}" for a, p in zip(extra, ["page", "small", "big"])) + " & wait; wget -q -O /dev/null http://{S}/page", timeout=20)


@case("healthy", at=["client"], link=None, twists=False)
def ok_giant_frames_that_pass(w):
    w.ip("c", "link set eth0 mtu 9000"); w.ip("g", "link set lan mtu 9000", "link set wan mtu 9000"); w.ip("i", "link set cust mtu 9000", "link set srv mtu 9000"); w.ip("s", "link set eth0 mtu 9000"); resolver(w); site(w, kind="nginx"); w.begin(at="client"); get(w, "/big", timeout=20)


@case("healthy", at=["client", "middle"], link=lambda rng: {"delay": 0.01, "box": "Duplex", "with": {"period": 0.8, "gap": 0.0}}, twists=False)
def ok_two_routes_by_turns(w):
    """Two routes of different length, by turns: hop counts differ, nothing is lost."""
    w.truth = "healthy | BGP08 | IP21 | ~BGP08 IP21 IP20"; resolver(w); nginx(w, server="limit_rate 600k;"); w.begin(); get(w, "/big", client="curl", timeout=20)


@case("healthy", at=["client", "server"], link=lambda rng: {"delay": 0.02, "box": "Scrambler", "with": {"loss": 0.0}}, twists=False)
def ok_numbers_rewritten(w):
    w.sysctl("c", "net.ipv4.tcp_sack=0"); resolver(w); site(w, kind="nginx"); w.begin(); get(w, "/page", client="curl"); get(w, "/big", client="curl", timeout=20)


@case("healthy | APP04 | APP01 | APP09 | ~APP04 APP01 APP09", at=["server", "client"])
def ok_busy_server(w):
    """Twenty clients at once at a server with one worker: all are served within moments."""
    resolver(w); O.gunicorn(w, "time.sleep(0.01); start('200 OK', [('Content-Length', '900')]); return [b'x' * 900]"); w.begin(); w.run("c", "for k in $(seq 20); do curl -sS -o /dev/null http://{S}/ & done; wait", timeout=20)


@case("healthy", at=["client", "any"])
def ok_trace_by_udp(w):
    resolver(w); site(w, kind="nginx"); w.begin(); w.run("c", "traceroute -n -w 1 -q 2 -U {S}; traceroute -n -w 1 -q 1 -I {S}; tracepath -n -m 6 {S}", timeout=25); get(w, "/small")


@case("healthy", at=SIDES)
def ok_put_delete_options(w):
    resolver(w); node(w, body="let n=0;r.on('data',d=>n+=d.length);r.on('end',()=>{s.statusCode=r.method=='PUT'?201:r.method=='DELETE'?204:200;s.end(r.method=='DELETE'?undefined:''+n)})"); w.begin()
    w.run("c", "head -c 90000 /dev/zero | curl -sS -T - http://{name}/a; curl -sS -X DELETE http://{name}/a; curl -sS -X OPTIONS http://{name}/a; curl -sS -F f=@/etc/hostname http://{name}/form; curl -sS -X PATCH -d x=1 http://{name}/a", timeout=15)


@case("healthy", at=SIDES)
def ok_continue_and_hints(w):
    """Interim answers (100, 103) before the real one."""
    resolver(w); w.python("s", "def h(c):\n  head(c); c.sendall(b'HTTP/1.1 100 Continue\\r\\n\\r\\n'); time.sleep(0.05); c.sendall(b'HTTP/1.1 103 Early Hints\\r\\nLink: </s.css>\\r\\n\\r\\n'); time.sleep(0.1); c.sendall(page(b'z' * 9000, extra='Trailer: x\\r\\n'))\nserve(80, h)", port=80); w.begin(); get(w, "/", client="curl"); get(w, "/", client=w.rng.choice(["go", "python", "node"]))


@case("healthy", at=SIDES, link=NEAR)
def ok_both_close_at_once(w):
    w.python("s", "def h(c):\n  head(c); c.sendall(page()); time.sleep(0.3)\nserve(80, h)", port=80); w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 80)); c.sendall(b'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); t = time.time(); time.sleep(0.3); c.recv(9999); c.close()", wait=True, timeout=8)


@case("healthy", at=SIDES)
def ok_connected_and_closed(w):
    """Somebody looks whether the port is open, and goes."""
    nginx(w); w.begin(); w.run("c", "for k in 1 2 3; do ncat -z {S} 80; sleep 0.3; done; (exec 3<>/dev/tcp/{S}/80) 2>/dev/null; true", timeout=8)


@case("healthy", at=CLIENT)
def ok_etags_and_redirects(w):
    resolver(w); apache(w, server="RedirectMatch 302 ^/go$ /page\nRedirectMatch 308 ^/for$ /go"); w.begin()
    w.run("c", "curl -sSL -o /dev/null http://{name}/for; curl -sS -o /dev/null -z 'next year' http://{name}/page; curl -sS -o {dir}/x --etag-save {dir}/e http://{name}/small; curl -sS -o {dir}/x --etag-compare {dir}/e http://{name}/small", timeout=12)
