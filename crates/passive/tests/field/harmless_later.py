"""Harmless kinds that captures by others made necessary, and some that nothing made necessary: looks without questions,
goodbyes of all kinds, captures that follow only the beginnings of connections, bystanders on a LAN."""
import os, random, signal, struct, time
from ground import PYTHON, TOOLS, sh
from cases import ALL, CLIENT, SIDES, case, delay, many
from harmless import LAX, NEAR, packets, rewrite, some_traffic
from more_healthy import ask
import others as O
import programs as P
from programs import get, h3, nginx, apache, node, site, resolver, unbound, named, write, haproxy, caddy, files


@many([(f"ok-looked-and-left-{version}", LAX, LAX, (version,)) for version in ["1_2", "1_3"]], at=SIDES, keep_keys=True)
def ok_looked(w, version):
    """Somebody looks whether the certificate is well, asks for nothing, and goes after a moment or at once."""
    w.pki(key="2048"); resolver(w); nginx(w, tls=True, port=443); w.begin()
    w.run("c", f"for n in 0 1.5; do (sleep $n) | openssl s_client -tls{version} -connect {{S}}:443 -servername {{name}} -CAfile {{ca}} >/dev/null 2>&1; done", timeout=12)


@case("healthy", at=SIDES, link=NEAR)
def ok_goodbye_answered_by_a_reset(w):
    """A conversation in which the server cuts the connection when it is told goodbye, as directories do."""
    w.python("s", "def h(c):\n  while True:\n    d = c.recv(999)\n    if d[:3] in (b'BYE', b''): return reset(c)\n    c.sendall(b'0123456789' * 90)\nserve(389, h)", port=389); w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 389))\nfor k in range(4): c.sendall(b'SEARCH %d' % k); c.recv(9999); time.sleep(0.1)\nc.sendall(b'BYE')\ntry: c.recv(9)\nexcept OSError: pass\nc.close()", wait=True, timeout=8)


@case("healthy", LAX, at=SIDES, keep_keys=True, link=NEAR)
def ok_conversation_over_tls(w):
    """Small words back and forth over TLS, whenever somebody types."""
    w.pki(name="mail." + w.zone); w.python("s", f"def h(c):\n  while True:\n    d = c.recv(999)\n    if not d: return\n    c.sendall(b'+OK ' + d * 9)\nserve(995, h, context({w.cert!r}))", port=995); w.begin()
    w.python("c", f"x = ssl.create_default_context(cafile={w.ca!r}); x.keylog_filename = {w.out + '.keys'!r}; c = x.wrap_socket(socket.create_connection(({w.S!r}, 995)), server_hostname='mail.{w.zone}')\nfor k in range(14): c.sendall(b'TOP %d\\r\\n' % k); c.recv(999); time.sleep(0.4)\nc.close()", wait=True, timeout=16)


@many([(f"ok-only-the-first-packets{'-tls' if tls else ''}", LAX, LAX, (tls,)) for tls in (False, True)], at=["client", "middle"], keep_keys=True, link=NEAR, twists=False)
def ok_first_packets(w, tls):
    """A capturing program that keeps the first packets of each connection; something else goes on for a while."""
    if tls:
        w.pki()
    resolver(w); site(w, tls=tls, kind="nginx"); w.begin(how="tcpdump"); get(w, "/big", tls=tls, client="curl", timeout=20); get(w, "/page", tls=tls); w.run("c", "for k in 1 2 3 4 5 6 7; do ping -c 1 -W 1 {S}; sleep 1; done", timeout=20)
    keep, seen = w.rng.choice([8, 11, 14]), {}

    def change(rows, unit):
        out = []
        for row in rows:
            f = row[3]
            key = tuple(sorted([f[26:30] + f[34:36], f[30:34] + f[36:38]])) if f[12:14] == b"\x08\x00" and f[23] == 6 else None
            seen[key] = seen.get(key, 0) + 1
            if key is None or seen[key] <= keep:
                out.append(row)
        return out
    rewrite(w, change)


@case("healthy", at=["client", "server"], link=NEAR, twists=False)
def ok_contents_changed_by_hand(w):
    """Somebody has blanked words in the file before he gave it away, and left the sums as they were."""
    w.python("s", "def h(c):\n  while True:\n    d = c.recv(999)\n    if not d: return\n    c.sendall(b'secret ' * 60)\nserve(6667, h)", port=6667); w.begin(how="tcpdump")
    w.python("c", f"c = socket.create_connection(({w.S!r}, 6667))\nfor k in range(9): c.sendall(b'NICK %d\\r\\n' % k); c.recv(9999); time.sleep(0.1)\nc.close()", wait=True, timeout=8)
    rewrite(w, lambda rows, unit: [[s, u, n, d.replace(b"secret", b"XXXXXX")] for s, u, n, d in rows])


@case(LAX, at=["client"], twists=False)
def ok_bystander(w):
    """Others of the LAN look for machines and addresses; their answers do not come here."""
    w.begin(at="client", how="tcpdump")
    w.python("c", f"for k in range(6):\n  for n in (31, 32, 33): arp('eth0', 1, '{w.lan}.%d' % n, '{w.lan}.%d' % (n + 50), mac='02:00:00:00:01:%02x' % n)\n  time.sleep(0.5)", wait=True, timeout=12)


@case("healthy", at=["client"], twists=False)
def ok_one_neighbour_is_off(w):
    """A machine of the LAN is off that somebody looks for; everything else works."""
    resolver(w); site(w); w.begin(at="client"); child = w.run("c", f"ping -c 6 -i 0.5 -W 1 {w.lan}.77", wait=False, timeout=10); w.run("c", "ping -c 3 -i 0.4 {G}"); get(w, "/page"); child.wait(12)


@case("healthy", LAX, at=SIDES, keep_keys=True, link=NEAR)
def ok_goodbye_after_the_servers(w):
    """The server closes after a small answer; the client's last words of TLS come later and meet a reset."""
    w.pki(); resolver(w); w.python("s", f"def h(c):\n  head(c); c.sendall(page('ok')); c.close()\nserve(443, h, context({w.cert!r}, high=ssl.TLSVersion.TLSv1_2))", port=443); w.begin(); get(w, "/", tls=True, client="curl"); get(w, "/", tls=True, client=w.rng.choice(["curl", "python", "node"]))


@case("healthy", at=SIDES, link=NEAR)
def ok_times_asked_by_pause(w):
    """One connection, a request every second for a small thing: no drop by drop."""
    resolver(w); nginx(w); w.begin(); w.run("c", [PYTHON, "-c", f"import requests, time\ns = requests.Session()\nfor k in range(8): s.get('http://{w.name}/small'); time.sleep(0.7)"], timeout=16)


@case("healthy", at=CLIENT)
def ok_own_name_for_loopback(w):
    w.zone_data = {w.name: ["127.0.0.1"]}; w.truth = "healthy | DNS14 | ~DNS14 DNS12"; resolver(w); nginx(w, ns="c"); w.begin(at="any"); get(w, "/page", client="curl")


@case("healthy", at=SIDES)
def ok_refused_until_it_runs(w):
    """A program is started a moment after its first client asks, who tries again."""
    w.truth = "healthy | TCP01 | ~TCP01 FW02 | TCP02"; resolver(w); w.begin(); child = w.run("c", "curl -sS --retry 6 --retry-connrefused --retry-delay 1 -o /dev/null http://{name}/page", wait=False); time.sleep(1.2); nginx(w); child.wait(12)


@case("healthy", at=SIDES, link=NEAR)
def ok_data_channel_closed_by_receiver(w):
    """Records pushed one way over TLS, which nobody answers."""
    w.truth = LAX; w.pki(name="log." + w.zone); w.python("s", f"def h(c):\n  while c.recv(9999): pass\nserve(6514, h, context({w.cert!r}))", port=6514); w.begin()
    w.python("c", f"x = ssl.create_default_context(cafile={w.ca!r}); c = x.wrap_socket(socket.create_connection(({w.S!r}, 6514)), server_hostname='log.{w.zone}')\nfor k in range(12): c.sendall(b'<13>a line of a log'); time.sleep(0.15)\nc.close()", wait=True, timeout=10)


@case("healthy", at=ALL, link=NEAR, nat=True)
def ok_hundred_small_fetches(w):
    resolver(w); site(w, kind=w.rng.choice(["nginx", "lighttpd", "apache"])); w.begin(); w.run("c", "seq 40 | xargs -P 8 -I_ curl -sS -o /dev/null http://{name}/small", timeout=25)


@case("healthy", LAX, at=ALL, keep_keys=True, link=NEAR)
def ok_hundred_small_fetches_tls(w):
    w.pki(); resolver(w); site(w, tls=True, kind=w.rng.choice(["nginx", "caddy"])); w.begin(); w.run("c", "seq 16 | xargs -P 4 -I_ curl -sS --cacert {ca} -o /dev/null https://{name}/small", timeout=25)


@case("healthy", at=["client", "server"], link=delay(0.01, 0.05))
def ok_upload_paused_by_user(w):
    """An upload that is fed by hand: the client says nothing for seconds, and goes on."""
    resolver(w); node(w, body="let n=0;r.on('data',d=>n+=d.length);r.on('end',()=>s.end(''+n))"); w.begin(); w.run("c", "(head -c 20000 /dev/zero; sleep 2.5; head -c 20000 /dev/zero) | curl -sS -T - -H 'Expect:' -o /dev/null http://{name}/slow", timeout=14)


@case("healthy", at=["client", "any"])
def ok_name_without_v6_and_with_alias(w):
    w.python("d", f"names({{'edge.cdn.example': [{w.S!r}]}}, alias={{{w.name!r}: 'edge.cdn.example'}})", udp=53); nginx(w); w.begin(); get(w, "/page"); get(w, "/small", client="curl")


@case("healthy", at=SIDES, link=NEAR)
def ok_server_says_nothing_first(w):
    """A line protocol in which the server greets after a second, as mail servers do to slow spammers down."""
    w.truth = "healthy | APP01"; w.python("s", "def h(c):\n  time.sleep(1.2); c.sendall(b'220 mx ESMTP\\r\\n')\n  while True:\n    d = c.recv(999)\n    if not d or d[:4] == b'QUIT': c.sendall(b'221 bye\\r\\n'); return\n    c.sendall(b'250 ok\\r\\n')\nserve(25, h)", port=25); w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 25)); c.recv(999)\nfor l in (b'EHLO me', b'MAIL FROM:<a@b.example>', b'RCPT TO:<c@d.example>', b'QUIT'): c.sendall(l + b'\\r\\n'); c.recv(999)\nc.close()", wait=True, timeout=9)
