"""Kinds that were written after the rules had been mended by the others: what they say of the rules is at first sight."""
import os, signal, time
from ground import PYTHON, TOOLS, sh
from cases import ALL, CLIENT, ISSUER, SEALED, SIDES, SILENT, case, delay, many
from more_healthy import ask
from more_ways import UPLOAD, iptables
from more_web import privoxy, visit
from others import SSH
import others as O
import programs as P
from programs import get, h3, nginx, apache, node, site, resolver, unbound, named, write, haproxy, caddy, files

LAX = "healthy | ?"


# ---- healthy ----

@case("healthy | APP10", at=SIDES, link=delay(0.005, 0.03))
def ok_bulk_both_ways(w):
    w.spawn("s", "iperf3 -s -p 5201 -1", port=5201); w.begin(snap=128)
    w.run("c", f"iperf3 -c {{S}} -p 5201 -t 1 {w.rng.choice(['', '-R'])} -b 12M >/dev/null", timeout=15)


@case("healthy", at=SIDES)
def ok_mirror_of_a_site(w):
    """wget fetches a site page by page, and asks for robots.txt first, which is not there."""
    resolver(w); files(w); write(w, "www/index.html", "<a href=small>a</a> <a href=page>b</a> <img src=small>"); site(w, kind=w.rng.choice(["nginx", "apache", "lighttpd"])); w.begin()
    w.run("c", "wget -q -r -l 1 -nH -P {dir}/mirror http://{name}/", timeout=15)


@case("healthy", at=SIDES)
def ok_pipelined(w):
    resolver(w); site(w, kind=w.rng.choice(["nginx", "apache"])); w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 80)); c.sendall((b'GET /small HTTP/1.1\\r\\nHost: {w.name}\\r\\n\\r\\n') * 3 + b'GET /page HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n')\nwhile c.recv(65536): pass\nc.close()", wait=True, timeout=12)


@case("healthy", at=["client"])
def ok_log_and_datagrams(w):
    """Log lines go one way, an echo service answers, a page is read."""
    resolver(w); site(w); w.spawn("s", "socat UDP-LISTEN:7007,fork,reuseaddr EXEC:cat", udp=7007); w.begin()
    w.python("c", f"s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nfor k in range(6): s.sendto(b'<13>app: line', ({w.T!r}, 514)); s.sendto(b'hi', ({w.S!r}, 7007)); s.recv(99); time.sleep(0.3)", wait=True, timeout=12); get(w, "/page")


@case("healthy", LAX, at=SIDES, keep_keys=True)
def ok_many_requests_one_session(w):
    w.pki(); resolver(w); haproxy(w, f"frontend f\n  bind :443 ssl crt {w.cert}.both alpn h2,http/1.1\n  http-request return status 200 content-type text/plain string hello\n", port=443); w.begin()
    w.run("c", [PYTHON, "-c", f"import requests\ns = requests.Session(); s.verify = {w.ca!r}\nfor k in range(6): s.get('https://{w.name}/item/%d' % k)"], timeout=15)


@case("healthy", LAX, at=SIDES)
def ok_database_with_tls(w):
    w.pki(); sh(f"chmod 644 {w.cert}.key")
    O.mysql(w); w.begin(); w.run("c", "mysql -h {S} -u root -e 'select 1' >/dev/null", timeout=12)


@case("healthy", at=["client"])
def ok_ssh_idle_with_keepalives(w):
    O.sshd(w); w.begin(); w.run("c", f"ssh {SSH} -o ServerAliveInterval=1 root@{{S}} 'sleep 5; echo done' >/dev/null", timeout=15)


@case("healthy", at=["client"])
def ok_file_cut_in_the_middle(w):
    """The capture's last record is incomplete, as when tcpdump is killed."""
    resolver(w); site(w); w.begin(how="tcpdump", at="client"); get(w, "/page"); w.finish(); data = open(w.file, "rb").read(); open(w.file, "wb").write(data[:-7])


@case("healthy", at=["client"])
def ok_both_families(w):
    w.zone_data = {w.name: [w.S, w.S6]}; resolver(w); files(w); write(w, "www/p.html", "<title>x</title><img src=/small>"); nginx(w); w.begin(); ask(w, "/p.html", client=w.rng.choice(["chromium", "aria2", "java"]), timeout=16); get(w, "/small", client="go")


@case("healthy", LAX, at=["client", "middle"], keep_keys=True)
def ok_one_request_each_h2(w):
    """The server says goodbye after each request, as it is told to."""
    w.pki(); resolver(w); nginx(w, tls=True, port=443, listen=" http2", inside="keepalive_requests 1;"); w.begin(); get(w, "/page", tls=True, client="curl"); get(w, "/small", tls=True, client=w.rng.choice(["httpx", "go"]))


@case("healthy", at=["client"])
def ok_no_options_at_all(w):
    w.sysctl("c", "net.ipv4.tcp_timestamps=0", "net.ipv4.tcp_sack=0", "net.ipv4.tcp_window_scaling=0"); resolver(w); site(w); w.begin(); get(w, "/page"); get(w, "/small")


@case("healthy", at=["client", "resolver"])
def ok_names_filtered_aaaa(w):
    """A resolver that takes IPv6 addresses out: answers without records."""
    hosts = write(w, "dns-hosts", f"{w.S} {w.name}\n{w.S6} {w.name}\n")
    O.behind(w, zone={w.name: [w.S]}); O.dnsdist(w, "addAction(QTypeRule(DNSQType.AAAA), RCodeAction(DNSRCode.NOERROR))"); site(w, kind="nginx"); w.begin(); get(w, "/page")


@case("healthy | DNS37", at=["client"])
def ok_ndots_two_suffixes(w):
    w.resolvers(w.D, options="search svc.cluster.example cluster.example\noptions ndots:3 timeout:2"); O.knot(w); site(w, kind="nginx"); w.begin(); get(w, "/small", client=w.rng.choice(["curl", "python"]))


@case("healthy | ~DNS01 DNS02 DNS18 DNS45", at=["client"], twists=False)
def ok_second_resolver_at_once(w):
    """The first resolver's port is closed, which the host says at once; the second answers."""
    w.resolvers(w.T, w.D); resolver(w); site(w); w.begin(); get(w, "/small", client=w.rng.choice(["curl", "wget", "python"]))


@case("healthy", LAX, at=["client"], keep_keys=True)
def ok_upload_over_tls(w):
    w.pki(); resolver(w); O.aiohttp(w, "n = len(await request.read()); return web.Response(text=str(n))", port=443, tls=True); w.begin(); w.run("c", "head -c 700000 /dev/urandom | curl -sS --cacert {ca} -o /dev/null -H 'Expect:' --data-binary @- https://{name}/up")


# ---- faults ----

@case("TLS03 | TLS03 TLS04 | TLS04 TLS03", at=CLIENT)
def old_java(w):
    w.pki(key="2048"); resolver(w); O.h2o(w, more="minimum-version: TLSv1.3") if w.rng.random() < 0.5 else nginx(w, tls=True, port=443, protocols="ssl_protocols TLSv1.3;"); w.begin()
    w.run("c", f"java -Djdk.tls.client.protocols=TLSv1.2 -XX:TieredStopAtLevel=1 -cp {TOOLS}/java Get https://{w.name}/ {w.ca} 6", timeout=14)


@case("~TCP08 H112 TCP09 FW12 | TCP08 | H112", at=["client", "server"])
def haproxy_rejects(w):
    resolver(w); haproxy(w, "frontend f\n  bind :80\n  tcp-request connection reject\n  http-request return status 200\n"); w.begin(); visit(w, timeout=5)


@case("H112 | ~H112! H113 TLS24 TCP09", "? | H112 | healthy | ~H112! TLS24 TCP09 TLS31 TLS18", at=["client"], keep_keys=True)
def nothing_over_tls(w):
    w.pki(); resolver(w); nginx(w, tls=True, port=443, server="location / { return 444; }"); w.begin(); get(w, "/", tls=True, client=w.rng.choice(["curl", "wget", "go"]), timeout=5)


@case("TLS24 | PX10 | ~TLS24! PX10 FW08 TCP08", at=CLIENT)
def proxy_protocol_before_tls(w):
    w.pki(); resolver(w); nginx(w, tls=True, port=443, listen=" proxy_protocol"); w.begin(); get(w, "/", tls=True, timeout=5)


@case("FW03 | ~FW03! TCP11 IP20 FW09", link=delay(0.005, 0.03), at=["client"], twists=False)
def forbidden_in_the_middle(w):
    """A firewall's rule comes while a download is under way, and it says so."""
    resolver(w); nginx(w, **UPLOAD); w.begin()
    child = w.run("c", "head -c 3000000 /dev/urandom | curl -sS -m 9 --limit-rate 300k -o /dev/null -H 'Expect:' --data-binary @- http://{name}/up", wait=False)
    time.sleep(1.5); w.nft("i", "tcp dport 80 reject with icmpx type admin-prohibited"); child.wait(16)


@many([("zone-refused", "DNS07 | DNS12 | ~DNS07 DNS12", None, ("always_refuse",)), ("zone-nxdomain", "DNS05 | ~DNS05! DNS12 DNS36 DNS41", None, ("always_nxdomain",)), ("zone-null", "DNS12 | DNS14 | ~DNS12 DNS14 IP29", None, ("always_null",)), ("zone-denied", "DNS02 | ~DNS02! DNS12 DNS01 DNS03 DNS11 IP05 | DNS12 | ~DNS12! DNS10 DNS02", None, ("always_deny",)), ("zone-nodata", "DNS06 | ~DNS06! IP30 DNS12", None, ("always_nodata",))], at=["client", "any"])
def unbound_zone(w, act):
    unbound(w, f'  local-zone: "{w.zone}" {act}\n'); w.begin(); (get(w, "/", timeout=12) if w.rng.random() < 0.5 else ask(w, "/", timeout=12, client=w.rng.choice(["java", "requests", "lynx"])))


@many([("name-leads-to-closed-port", "TCP01 | ~TCP01! FW02", None, ("closed",)), ("name-leads-nowhere", "LNK05", None, ("nobody",))], at=CLIENT, twists=False)
def wrong_address(w, kind):
    w.zone_data = {w.name: [w.T if kind == "closed" else w.S2]}; resolver(w); w.begin(); visit(w, timeout=8)


@case("TCP01 | ~TCP01! FW02", at=["client", "server"])
def served_once_then_gone(w):
    """A program that takes one connection and ends."""
    w.python("s", "l = listener(80)\nprint('READY', flush=True)\nc, _ = l.accept(); l.close(); head(c); c.sendall(page(b'x' * 5000)); c.close(); time.sleep(60)", port=80); resolver(w); w.begin(); get(w, "/", client="curl"); time.sleep(0.6); get(w, "/", client=w.rng.choice(["curl", "wget", "python"]), timeout=5)


@case("APP04 | APP01 | APP02 | ~APP04 APP01 APP02 APP05", at=["client", "server"], link=delay(0.005, 0.03))
def one_job_blocks_all(w):
    resolver(w); O.aiohttp(w, "if request.path == '/job': time.sleep(3)\nreturn web.Response(text='x' * 3000)"); w.begin(); w.run("c", "curl -sS -o /dev/null http://{name}/job & sleep 0.5; curl -sS -o /dev/null http://{name}/quick; wait", timeout=20)


@case("H101 | H119 | ~H101 H119 TCP09", at=["client", "server"])
def upload_too_large_for_python(w):
    resolver(w); O.aiohttp(w, "b = await request.read(); return web.Response(text='ok')"); w.begin(); w.run("c", "head -c 3000000 /dev/zero | curl -sS -m 9 -o /dev/null -H 'Expect:' --data-binary @- http://{name}/up")


@case("H101", at=["client", "any"])
def git_repository_not_there(w):
    resolver(w); site(w, kind=w.rng.choice(["nginx", "apache", "lighttpd"])); w.begin(); w.run("c", "git clone -q http://{name}/nothing.git {dir}/clone", timeout=12)


@case("H101", at=["client", "server", "any"])
def login_wanted_and_not_given(w):
    resolver(w); write(w, "pw", "u:{PLAIN}x\n"); nginx(w, server=f'auth_basic "staff"; auth_basic_user_file {w.dir}/pw;'); w.begin(); visit(w, "/page")


@case("FW04 | FW01 | ~FW01! TCP03 IP07 FW04 IP05 TCP06 | ~FW04! FW01 TCP03 IP05 TCP06 IP07 | " + SILENT, at=["client"], twists=False)
def mail_port_blocked(w):
    w.pki(); O.smtp(w, port=587); w.nft("g", "tcp dport 25 drop"); w.begin(); w.run("c", "swaks --server {S} --port 587 --to a@b.example --from a@b.example --timeout 5 >/dev/null; swaks --server {S} --port 25 --to a@b.example --from a@b.example --timeout 7", timeout=20)


@many([("squid-denies-a-page", "PX04 | H101 | FW21 | ~PX04 H101 FW21", None, ("deny",)), ("squid-target-silent", "PX05 | ~PX05! H103 H104", None, ("silent",)), ("squid-target-name", "PX05 | ~PX05! H103 H102", None, ("name",))], at=["client"], twists=False)
def squid_says(w, kind):
    from cases import squid
    w.zone_data = {w.name: [w.S]}; resolver(w, kind="unbound")
    squid(w, "http_access deny all" if kind == "deny" else "http_access allow all")
    if kind == "silent":
        w.nft("s", "tcp dport 443 drop", hook="input")
    w.begin(); w.run("c", {"deny": "curl -sS -m 6 -x http://{T}:3128 http://{name}/", "silent": "curl -sS -m 12 -x http://{T}:3128 https://{S}/", "name": f"curl -sS -m 8 -x http://{{T}}:3128 https://nix.{w.zone}/"}[kind], timeout=16)


@case("PX02 | IP04 | FW03 | ~PX02 IP04 FW03", at=["client"], twists=False)
def proxy_unreachable(w):
    w.nft("i", "ip daddr {T} " + w.rng.choice(["reject with icmp type host-unreachable", "reject with icmp type admin-prohibited"])); w.begin(); w.run("c", "curl -sS -m 6 -x http://{T}:3128 https://{name}/", timeout=10)


@case("IP19 | ~IP19! TCP18", "IP19 | ~IP19! TCP18 | ?", link=lambda rng: {"delay": rng.uniform(0.01, 0.03), "down": {"loss": rng.choice([0.03, 0.06])}}, at=["client", "server"], keep_keys=True, twists=False)
def tls_download_with_loss(w):
    w.pki(); resolver(w); O.h2o(w) if w.rng.random() < 0.5 else nginx(w, tls=True, port=443, listen=" http2"); w.begin(); get(w, "/big", tls=True, client=w.rng.choice(["curl", "go"]), timeout=40)


@case("TCP09 | ~TCP09! FW09 H110", at=["client", "any"], link=delay(0.01, 0.03))
def connection_killed_by_the_administrator(w):
    resolver(w); nginx(w, server="limit_rate 200k;"); w.begin(); child = get(w, "/big", client=w.rng.choice(["curl", "wget"]), wait=False, timeout=12); time.sleep(1.3); w.run("s", "ss -K sport = 80"); child.wait(14)


@case("BGP11 | BGP10 | ~BGP11 BGP10 IP10 TCP11", at=["server"], twists=False)
def bgp_large_updates_lost(w):
    from more_web import SESSION
    O.gobgp(w, "s", 65001, w.S, [(w.T, 65002, SESSION)]); w.begin(); O.gobgp(w, "t", 65002, w.T, [(w.S, 65001, SESSION)]); time.sleep(4)
    sh(f"ip netns exec {w.ns('s')} ethtool -K eth0 tso off gso off; ip netns exec {w.ns('i')} ethtool -K srv gro off")
    w.nft("i", "meta length > 600 drop"); w.run("s", "for k in $(seq 1 120); do for j in 1 2; do echo global rib add 100.$k.$j.0/24; done; done | xargs -n 4 gobgp", timeout=30); time.sleep(13)


@case("TCP11 | ~TCP11! FW05 IP20 IP05", at=["client"], twists=False)
def broker_vanishes(w):
    """An MQTT broker's machine is gone; the client's pings are not answered."""
    write(w, "mq.conf", "listener 1883 0.0.0.0\nallow_anonymous true\nuser root\n"); w.spawn("s", "mosquitto -c {dir}/mq.conf", port=1883); w.begin()
    child = w.run("c", "timeout 14 mosquitto_sub -h {S} -t a/# -k 5", wait=False); time.sleep(1.5); w.nft("i", "ip daddr {S} drop", "ip saddr {S} drop"); child.wait(18)


@case("APP01 | ~APP01! APP03 APP11", "APP01 | ~APP01! APP03 APP11 | ? | healthy", at=["client", "server"], link=delay(0.005, 0.04), keep_keys=True)
def accelerator_waits_for_its_backend(w):
    w.pki(); resolver(w); O.aiohttp(w, f"await asyncio.sleep({w.rng.uniform(1.6, 2.6)})\nreturn web.Response(text='x' * 5000)", port=8080); O.hitch(w); w.begin(); get(w, "/", tls=True, client=w.rng.choice(["curl", "go", "python"]))


@case("LNK04 | ~LNK04! LNK10", at=["client"], link=None, twists=False)
def resolver_on_the_lan_is_off(w):
    """The name server is a machine of the LAN that is switched off: nobody answers who has its address."""
    w.truth = "LNK04 | ~LNK04! LNK10 DNS02 DNS01 | DNS01 | DNS02 | ~DNS01 DNS02 LNK04"
    w.resolvers(f"{w.lan}.253"); site(w, kind="nginx"); w.begin(at="client"); get(w, "/", timeout=9, client=w.rng.choice(["curl", "wget"]))


@case("FW02 | ~FW02! TCP01", at=["client"], link=delay(0.03, 0.06))
def gateway_resets_other_service(w):
    """Outgoing mail is refused by the gateway in the server's name; the server itself answers pings."""
    w.nft("g", "tcp dport { 25, 587 } reject with tcp reset".replace("{", "{{").replace("}", "}}")); w.begin(at="client"); w.run("c", "ping -c 2 -i 0.3 {S}; swaks --server {S} --port 587 --to a@b.example --timeout 5", timeout=12)


@case("TLS09", f"~TLS09! {SEALED} | ?", at=CLIENT, keep_keys=True)
def default_site_answers(w):
    """The virtual host is not there: the server's first one answers, with its own certificate."""
    w.pki("other"); other = f"new.{w.zone}"; w.zone_data = {other: [w.S], w.name: [w.S]}; resolver(w); w.rng.choice([lambda: O.h2o(w), lambda: apache(w, tls=True, port=443), lambda: haproxy(w, f"frontend f\n  bind :443 ssl crt {w.cert}.both\n  http-request return status 200\n", port=443)])(); w.begin(); get(w, "/", tls=True, host=other, client=w.rng.choice(["curl", "go", "python", "wget"]), timeout=6)
