"""Healthy and harmless, by programs and in ways that no rule was made with: of none of these may anything be said."""
import os, signal, time
from ground import PYTHON, TOOLS, sh
from cases import ALL, CLIENT, SIDES, case, delay, many
from others import SSH
import others as O
import programs as P
from programs import get, nginx, node, site, resolver, unbound, named, write, haproxy, caddy, files

LAX = "healthy | ?"
OTHERS = ["java", "aria2", "lynx", "lftp", "requests", "aiohttp", "ab", "siege", "chromium"]


def ask(w, path="/page", tls=False, client=None, port=None, host=None, timeout=12, wait=True, more=""):
    """A request by a client that the first recorder did not have."""
    client = client or w.rng.choice(["java", "aria2", "lynx", "requests", "aiohttp"] + ([] if tls else ["lftp", "ab"]))
    url = f"http{'s' if tls else ''}://{host or w.name}{f':{port}' if port else ''}{path}"
    ca = getattr(w, "ca", "-") if tls else "-"
    w.notes.append(f"client {client}")
    line = {
        "java": f"java -XX:TieredStopAtLevel=1 -cp {TOOLS}/java Get '{url}' {ca} {timeout}",
        "aria2": f"aria2c -q --no-conf --async-dns=false --file-allocation=none -t {timeout} -m 1 --allow-overwrite -d {w.dir} -o got-{w.rng.randrange(9999)} {f'--ca-certificate={ca}' if tls else ''} {more} '{url}'",
        "lynx": f"env SSL_CERT_FILE={ca} lynx -dump -nopause -noredir -connect_timeout={timeout} -read_timeout={timeout} '{url}'" + ("" if more else " | head -c 100"),
        "lftp": f"timeout {timeout} lftp -c 'set net:max-retries 1; set net:timeout 6; set xfer:clobber yes; get {url} -o {w.dir}/lftp.out'",
        "requests": f"{PYTHON} -c \"import requests; r = requests.get('{url}', timeout={timeout}, verify={repr(ca) if tls else True}); print(r.status_code, len(r.content))\"",
        "aiohttp": f"{PYTHON} -c \"import asyncio, aiohttp, ssl\nasync def main():\n  async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout({timeout})) as s:\n    async with s.get('{url}', ssl=ssl.create_default_context(cafile='{ca}') if {tls} else True) as r: print(r.status, len(await r.read()))\nasyncio.run(main())\"",
        "ab": f"ab -q -n 12 -c 3 {w.rng.choice(['-k', ''])} -s {timeout} '{url}'",
        "siege": f"siege -q -b -c 3 -r 3 '{url}'",
        "chromium": f"timeout {timeout + 6} chromium --headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run --disable-extensions "
                    f"--disable-default-apps --disable-domain-reliability --no-pings --user-data-dir={w.dir}/chrome --ignore-certificate-errors {more} --dump-dom '{url}'",
    }[client]
    return w.run("c", line.replace("{", "{{").replace("}", "}}"), timeout=timeout + 12, wait=wait)


@case("healthy", at=ALL, nat=True)
def ok_varnish(w):
    resolver(w); nginx(w, port=8080, name="origin"); O.varnish(w); w.begin()
    ask(w, "/page"); get(w, "/page", client="curl"); ask(w, "/small", client="aria2")


@case("healthy", at=SIDES)
def ok_load_by_wrk(w):
    resolver(w); site(w, kind=w.rng.choice(["nginx", "apache", "lighttpd"])); w.begin(snap=128)
    w.run("c", "wrk -t1 -c6 -d1 http://{name}/small", timeout=15)


@case("healthy | APP09", at=SIDES)
def ok_load_by_ab(w):
    resolver(w); site(w, kind=w.rng.choice(["nginx", "node", "caddy"])); w.begin()
    ask(w, "/small", client=w.rng.choice(["ab", "siege"]))


@case("healthy", at=ALL)
def ok_parallel_ranges(w):
    resolver(w); nginx(w); w.begin(snap=200)
    ask(w, "/big", client="aria2", more="-x4 -s4 --min-split-size=1M", timeout=30)


@case("healthy", LAX, at=ALL, keep_keys=True)
def ok_h2load(w):
    w.pki(); resolver(w); O.h2o(w); w.begin()
    w.run("c", "h2load -n 20 -c 2 -m 5 https://{name}/small", timeout=20)


@case("healthy", at=CLIENT)
def ok_browser_page(w):
    """A page with parts, one of them missing (the icon), as browsers meet everywhere."""
    resolver(w); files(w)
    write(w, "www/page.html", "<html><head><title>t</title><link rel=stylesheet href=/s.css></head><body><img src=/a.png><img src=/b.png><script src=/x.js></script></body></html>")
    for name in ("s.css", "a.png", "b.png", "x.js", "favicon.ico"):
        write(w, f"www/{name}", "/* nothing */" * 300)
    nginx(w); w.begin(); ask(w, "/page.html", client="chromium", timeout=20)


@case("healthy", LAX, at=CLIENT, keep_keys=True)
def ok_browser_page_tls(w):
    w.pki(); resolver(w); files(w)
    write(w, "www/page.html", "<html><title>t</title><img src=/small></html>")
    caddy(w) if w.rng.random() < 0.5 else nginx(w, tls=True, port=443, listen=" http2")
    w.begin(); ask(w, "/page.html", tls=True, client="chromium", timeout=20)


@many([(f"ok-{kind}-tls-{client}", "healthy", LAX, (kind, client)) for kind, client in [("h2o", "java"), ("hitch", "requests"), ("stunnel", "aria2"), ("aiohttp", "lynx"), ("h2o", "aiohttp")]], at=ALL, keep_keys=True, nat=True)
def ok_tls(w, kind, client):
    w.pki(key=w.rng.choice(["ec", "2048"])); resolver(w)
    if kind == "h2o":
        O.h2o(w)
    elif kind == "aiohttp":
        O.aiohttp(w, "return web.Response(text='hello ' * 900)", port=443, tls=True)
    else:
        nginx(w, port=8080)
        (O.hitch if kind == "hitch" else O.stunnel)(w)
    w.begin(); ask(w, "/page", tls=True, client=client)


@case("healthy", at=SIDES)
def ok_postgres(w):
    O.postgres(w); w.begin()
    w.run("c", "psql -h {S} -U app -d postgres -c 'select 1' -c 'select generate_series(1, 900)' -c 'select pg_sleep(0.3)' -c 'select now()' >/dev/null", timeout=15)


@case("healthy", at=SIDES)
def ok_mysql(w):
    O.mysql(w); w.begin()
    w.run("c", "mysql -h {S} -u root --skip-ssl -e 'select 1; show databases; select sleep(0.2); select repeat(1, 9000)' >/dev/null", timeout=15)


@case("healthy", at=SIDES)
def ok_memcached(w):
    w.spawn("s", "memcached -u nobody -l 0.0.0.0 -p 11211", port=11211); w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 11211))\nfor k in range(9):\n  c.sendall(b'set a%d 0 0 500\\r\\n' % k + b'x' * 500 + b'\\r\\n'); c.recv(99); c.sendall(b'get a%d\\r\\n' % k); c.recv(999); time.sleep(0.1)\nc.close()", wait=True, timeout=12)


@case("healthy", at=SIDES)
def ok_mqtt(w):
    write(w, "mq.conf", "listener 1883 0.0.0.0\nallow_anonymous true\nuser root\n")
    w.spawn("s", "mosquitto -c {dir}/mq.conf", port=1883); w.begin()
    child = w.run("c", "timeout 6 mosquitto_sub -h {S} -t a/# -k 5", wait=False); time.sleep(0.6)
    w.run("c", "for k in 1 2 3; do mosquitto_pub -h {S} -t a/b -m hello$k -q 1; sleep 0.5; done"); child.wait(12)


@case("healthy", at=SIDES)
def ok_ssh(w):
    O.sshd(w); w.begin()
    w.run("c", f"ssh {SSH} root@{{S}} 'echo hi; sleep 1; head -c 40000 /dev/zero' >/dev/null", timeout=15)


@case("healthy", at=SIDES)
def ok_sftp_and_scp(w):
    O.sshd(w); files(w); w.begin()
    w.run("c", f"scp -q {SSH} root@{{S}}:{w.dir}/www/page {w.dir}/got; echo 'ls {w.dir}/www' | sftp -q {SSH} root@{{S}} >/dev/null", timeout=20)


@case("healthy", at=SIDES)
def ok_git_clone(w):
    sh(f"mkdir -p {w.dir}/repo && cd {w.dir}/repo && git init -q . && git config user.email a@b.c && git config user.name a && head -c 90000 /dev/urandom > f && git add f && git commit -qm x && git clone -q --bare . {w.dir}/repo.git && touch {w.dir}/repo.git/git-daemon-export-ok && git -C {w.dir}/repo.git update-server-info")
    if w.rng.random() < 0.5:
        w.spawn("s", f"git -c safe.directory='*' daemon --reuseaddr --base-path={w.dir} --export-all", port=9418); w.begin()
        w.run("c", "git clone -q git://{S}/repo.git {dir}/clone", timeout=15)
    else:
        resolver(w); files(w); sh(f"cp -r {w.dir}/repo.git {w.dir}/www/repo.git"); nginx(w); w.begin()
        w.run("c", "git clone -q http://{name}/repo.git {dir}/clone", timeout=15)


@case("healthy", at=SIDES)
def ok_rsync(w):
    files(w); write(w, "rs.conf", f"uid = root\ngid = root\nuse chroot = no\n[d]\npath = {w.dir}/www\nread only = yes\n")
    w.spawn("s", f"rsync --daemon --no-detach --port 873 --config {w.dir}/rs.conf", port=873); w.begin()
    w.run("c", "rsync -a rsync://{S}/d/page {dir}/got1; rsync -a rsync://{S}/d/page {dir}/got1", timeout=15)


@case("healthy", at=SIDES)
def ok_mail(w):
    w.pki(name="mx." + w.zone)
    tls = w.rng.random() < 0.5
    O.smtp(w, starttls=tls); w.begin()
    w.run("c", f"swaks --server {{S}} --to a@b.example --from c@d.example {'-tls' if tls else ''} --body hello --timeout 8", timeout=15)


@case("healthy", at=CLIENT)
def ok_nats(w):
    w.spawn("s", "nats-server -a 0.0.0.0 -p 4222", port=4222); w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 4222)); c.recv(999); c.sendall(b'CONNECT {{\"verbose\":false}}\\r\\nSUB a 1\\r\\nPING\\r\\n'); c.recv(99)\nfor k in range(5):\n  c.sendall(b'PUB a 2\\r\\nhi\\r\\n'); c.recv(99); time.sleep(0.2)\nc.close()", wait=True, timeout=12)


@case("healthy", LAX, at=SIDES, keep_keys=True)
def ok_preconnect_unused(w):
    """A browser opens two connections and needs one: the other is closed without a word."""
    w.pki(); resolver(w); nginx(w, tls=True, port=443); w.begin()
    end = w.rng.choice(["b.close()", "time.sleep(1); b.unwrap(); b.close()", "reset(b)"])
    w.python("c", f"""x = ssl.create_default_context(cafile={w.ca!r}); x.keylog_filename = {w.out + '.keys'!r}
socket.getaddrinfo({w.name!r}, 443)
def one(): return x.wrap_socket(socket.create_connection(({w.S!r}, 443)), server_hostname={w.name!r})
a, b = one(), one()
a.sendall(b'GET /page HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n')
while a.recv(65536): pass
a.close(); time.sleep(0.8)
{end}""", wait=True, timeout=12)


@case("healthy", at=SIDES)
def ok_preconnect_unused_plain(w):
    resolver(w); site(w, kind=w.rng.choice(["nginx", "apache", "lighttpd", "node"])); w.begin()
    w.python("c", f"""a, b = [socket.create_connection(({w.S!r}, 80)) for _ in range(2)]
a.sendall(b'GET /page HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n')
while a.recv(65536): pass
a.close(); time.sleep(1.2); b.close()""", wait=True, timeout=12)


@case("healthy", at=["client", "server"])
def ok_idle_preconnect_closed_by_server(w):
    """The server ends an idle connection by itself (some say 408 as they do)."""
    resolver(w); haproxy(w, "  timeout http-request 2s\n  timeout http-keep-alive 2s\nfrontend f\n  bind :80\n  http-request return status 200 content-type text/plain string hello\n"); w.begin()
    get(w, "/", client="curl")
    w.python("c", f"b = socket.create_connection(({w.S!r}, 80)); time.sleep(3); b.recv(999); b.close()", wait=True, timeout=12)


@case("healthy", LAX, at=SIDES, keep_keys=True)
def ok_early_data(w):
    w.pki(); resolver(w); nginx(w, tls=True, port=443, server="ssl_early_data on;", inside="ssl_session_tickets on;"); w.begin()
    write(w, "early", f"GET /small HTTP/1.1\r\nHost: {w.name}\r\nConnection: close\r\n\r\n")
    w.run("c", "(sleep 1) | openssl s_client -connect {S}:443 -servername {name} -keylogfile {out}.keys -sess_out {dir}/sess -ign_eof >/dev/null 2>&1 & sleep 1.2; kill $!; "
          "(sleep 1) | timeout 4 openssl s_client -connect {S}:443 -servername {name} -keylogfile {out}.keys -sess_in {dir}/sess -early_data {dir}/early -ign_eof >/dev/null 2>&1", timeout=12)


@case("healthy", at=SIDES)
def ok_head_204_options(w):
    resolver(w); nginx(w, server="location = /beacon { return 204; } location /api { if ($request_method = OPTIONS) { add_header Access-Control-Allow-Origin *; return 204; } return 200 '{}'; }"); w.begin()
    w.run("c", "curl -sSI http://{name}/page >/dev/null; curl -sS -X OPTIONS -o /dev/null http://{name}/api; curl -sS -d a=1 -o /dev/null http://{name}/api http://{name}/beacon -o /dev/null")


@case("healthy", at=SIDES)
def ok_expect_honoured(w):
    resolver(w); O.aiohttp(w, "n = len(await request.read()); return web.Response(text=str(n))", port=80)
    w.begin(); w.run("c", "head -c 900000 /dev/urandom | curl -sS -o /dev/null -H 'Expect: 100-continue' --data-binary @- http://{name}/up")


@case("healthy", at=SIDES)
def ok_compressed_and_chunked(w):
    resolver(w); O.aiohttp(w, "r = web.StreamResponse(); r.enable_compression(); r.enable_chunked_encoding(); await r.prepare(request)\nfor k in range(9):\n  await r.write(b'hello ' * 900)\nawait r.write_eof(); return r"); w.begin()
    get(w, "/", client="curl", options="--compressed"); ask(w, "/", client=w.rng.choice(["requests", "java"]))


@case("healthy", at=SIDES)
def ok_half_closed_request(w):
    """The client ends its direction with the request, as netcat does; the answer comes all the same."""
    resolver(w); site(w, kind=w.rng.choice(["apache", "lighttpd", "caddy"])); w.begin()
    w.run("c", "printf 'GET /page HTTP/1.0\\r\\nHost: {name}\\r\\n\\r\\n' | " + w.rng.choice(["ncat {S} 80", "socat - TCP:{S}:80"]) + " >/dev/null", timeout=12)


@case("healthy", at=SIDES)
def ok_reset_after_whole_answer(w):
    """All of the answer is there; then one side closes with a reset to save itself the waiting."""
    resolver(w)
    if w.rng.random() < 0.5:
        w.python("s", "def h(c):\n  head(c); c.sendall(page()); time.sleep(0.4); reset(c)\nserve(80, h)", port=80); w.begin()
        get(w, "/", client="curl")
    else:
        nginx(w); w.begin()
        w.python("c", f"c = socket.create_connection(({w.S!r}, 80)); c.sendall(b'GET /small HTTP/1.1\\r\\nHost: {w.name}\\r\\n\\r\\n'); time.sleep(0.5); c.recv(99999); reset(c)", wait=True, timeout=12)


@case("healthy", at=["client", "middle"])
def ok_nginx_resets_timed_out(w):
    """`reset_timedout_connection`: an idle kept connection ends with a reset long after its answer."""
    resolver(w); nginx(w, inside="reset_timedout_connection on; keepalive_timeout 2;"); w.begin()
    w.python("c", f"c = socket.create_connection(({w.S!r}, 80)); c.sendall(b'GET /small HTTP/1.1\\r\\nHost: {w.name}\\r\\n\\r\\n'); time.sleep(0.3); c.recv(9999); time.sleep(3.2)\ntry: c.recv(9)\nexcept OSError: pass\nc.close()", wait=True, timeout=12)


@case("healthy", at=SIDES, link=None)
def ok_pmtud_v6(w):
    w.ip("g", "link set wan mtu 1400"); w.ip("i", "link set cust mtu 1400"); w.zone_data = {w.name: [w.S6]}
    resolver(w); nginx(w, server="location /up { client_max_body_size 9m; proxy_pass http://127.0.0.1:8099; }\n", inside="client_max_body_size 20m; server { listen 8099; location / { return 200 ok; } }"); w.begin()
    w.run("c", "head -c 200000 /dev/zero | curl -sS -o /dev/null --data-binary @- http://{name}/up; curl -sS -o /dev/null http://{name}/page")


@many([("ok-dns-over-tls", "healthy", LAX, ("tls",)), ("ok-dns-over-https", "healthy", LAX, ("https",)), ("ok-dns-over-tcp", "healthy", None, ("tcp",))], at=["client", "resolver"], keep_keys=True)
def ok_kdig(w, how):
    w.pki(name="dns." + w.zone)
    if how == "https":
        O.behind(w); O.dnsdist(w, f"addDOHLocal('0.0.0.0:443', '{w.cert}.pem', '{w.cert}.key')")
    elif how == "tls":
        unbound(w, f'  interface: 0.0.0.0@853\n  tls-service-key: "{w.cert}.key"\n  tls-service-pem: "{w.cert}.pem"\n  local-zone: "{w.zone}." static\n  local-data: "{w.name}. 60 IN A {w.S}"\n')
    else:
        O.pdns(w)
    w.begin()
    w.run("c", f"kdig +{how} +retry=1 +timeout=4 {{name}} @{{D}}; kdig +{how} +retry=1 +timeout=4 {{name}} A @{{D}}", timeout=15)


@many([(f"ok-names-{kind}", "healthy", None, (kind,)) for kind in ["knot", "nsd", "pdns", "recursor", "kresd", "dnsdist"]], at=ALL, nat=True)
def ok_names(w, kind):
    site(w, kind=w.rng.choice(["nginx", "lighttpd"]))
    if kind == "recursor":
        O.behind(w, ns="t", port=5353); O.recursor(w, forward=f"{w.T}:5353")
    elif kind == "kresd":
        O.behind(w, ns="t", port=5353); O.kresd(w, f"{w.T}@5353")
    elif kind == "dnsdist":
        O.behind(w); O.dnsdist(w, "")
    else:
        {"knot": O.knot, "nsd": O.nsd, "pdns": O.pdns}[kind](w)
    w.begin(); get(w, "/small"); ask(w, "/page")


@case("healthy", at=["client", "resolver"])
def ok_zone_transfer(w):
    named(w, f'zone "{w.zone}" {{ type master; file "{O.zone_file(w, "".join(f"h{k} IN A {w.S}" + chr(10) for k in range(900)))}"; allow-transfer {{ any; }}; }};')
    w.begin(); w.run("c", "dig +noall +answer {zone} AXFR @{D} | tail -1; dig {zone} SOA @{D} >/dev/null")


@case("healthy", at=["client"])
def ok_multipath(w):
    w.python("s", "l = socket.socket(2, 1, 262); l.setsockopt(1, 2, 1); l.bind(('0.0.0.0', 80)); l.listen(9); print('READY', flush=True)\nwhile True:\n  c, _ = l.accept(); head(c); c.sendall(page(b'x' * 90000)); c.close()", port=80); w.begin()
    w.python("c", f"c = socket.socket(2, 1, 262); c.connect(({w.S!r}, 80)); c.sendall(b'GET / HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n')\nwhile c.recv(65536): pass\nc.close()", wait=True, timeout=12)


@case("healthy | TCP28", at=["client", "server"])
def ok_multipath_not_there(w):
    nginx(w); w.begin()
    w.python("c", f"c = socket.socket(2, 1, 262); c.connect(({w.S!r}, 80)); c.sendall(b'GET /page HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n')\nwhile c.recv(65536): pass\nc.close()", wait=True, timeout=12)


@case("healthy", at=["server"])
def ok_bgp_session(w):
    O.gobgp(w, "s", 65001, w.S, [(w.T, 65002, "  [neighbors.ebgp-multihop.config]\n    enabled = true\n  [neighbors.timers.config]\n    connect-retry = 2\n    hold-time = 9\n    keepalive-interval = 3\n")])
    w.begin()
    O.gobgp(w, "t", 65002, w.T, [(w.S, 65001, "  [neighbors.ebgp-multihop.config]\n    enabled = true\n  [neighbors.timers.config]\n    connect-retry = 2\n    hold-time = 9\n    keepalive-interval = 3\n")])
    time.sleep(8); w.run("t", "gobgp global rib add 198.51.100.0/24; gobgp global rib add 203.0.113.0/24"); time.sleep(3)


@case("healthy", at=["client"], link=delay(0.25, 0.32), twists=False)
def ok_satellite(w):
    resolver(w); site(w, kind=w.rng.choice(["nginx", "caddy", "apache"])); w.begin()
    get(w, "/page", timeout=20); get(w, "/small", timeout=20)


@case("healthy | TCP05", at=SIDES)
def ok_syn_cookies(w):
    w.sysctl("s", "net.ipv4.tcp_syncookies=2"); resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/page"); get(w, "/small", client="curl")


@case("healthy | FW14", at=["client"])
def ok_syn_proxy(w):
    """A firewall that answers the handshake in the server's place, as against floods."""
    w.sysctl("i", "net.netfilter.nf_conntrack_tcp_loose=0", "net.ipv4.tcp_timestamps=1")
    w.nft("i", "tcp dport 80 tcp flags syn notrack", hook="prerouting", priority=-300, kind="filter")
    w.nft("i", "tcp dport 80 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm", "ct state invalid drop", hook="forward")
    resolver(w); site(w, kind="nginx"); w.begin(at="client"); get(w, "/page", client="curl")


@case("healthy", at=ALL)
def ok_ecn_bleached(w):
    w.sysctl("c", "net.ipv4.tcp_ecn=1"); w.sysctl("s", "net.ipv4.tcp_ecn=1"); w.nft("i", "ip ecn set not-ect", hook="forward"); resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/page")


@case("healthy", at=ALL)
def ok_options_stripped(w):
    """A middlebox takes SACK and timestamps out: nobody suffers on a good line."""
    w.nft("g", "tcp flags syn reset tcp option sack-perm", "tcp flags syn reset tcp option timestamp", hook="forward"); resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/page")


@case("healthy", at=CLIENT)
def ok_login_after_401(w):
    """A 401 that asks for the password, which the client then gives: how HTTP says it, not a fault."""
    resolver(w); write(w, "pw", "u:{PLAIN}x\n"); nginx(w, server=f'auth_basic "staff"; auth_basic_user_file {w.dir}/pw;'); w.begin()
    w.run("c", w.rng.choice(["curl -sS --anyauth -u u:x -o /dev/null http://{name}/page", "wget -q --user u --password x -O /dev/null http://{name}/page"]))


@case("healthy", LAX, at=CLIENT, keep_keys=True)
def ok_redirect_to_https(w):
    w.pki(); resolver(w); nginx(w, tls=True, port=443, inside="server { listen 80; return 301 https://$host$request_uri; }"); w.begin()
    w.run("c", "curl -sSL --cacert {ca} -o /dev/null http://{name}/page")


@case("healthy", at=CLIENT)
def ok_capture_stopped_early(w):
    resolver(w); nginx(w, server="limit_rate 150k;"); w.begin()
    child = get(w, "/big", client="curl", wait=False, timeout=20); time.sleep(2.2)
    w.finish(0); w.stop(child, signal.SIGKILL)


@case(LAX, at=["client"], twists=False)
def ok_one_direction_only(w):
    """Only what the server sends (or only what the client sends) was captured."""
    resolver(w); site(w, kind=w.rng.choice(["nginx", "apache"])); w.begin(at="client", filter=w.rng.choice([f"src host {w.S}", f"src host {w.C}"]), how="tcpdump")
    get(w, "/page", client="curl")


@case("healthy", at=["client"], twists=False)
def ok_only_one_port_kept(w):
    """A capture filter: nothing but the web port, so no names, and an idle connection from before."""
    resolver(w); site(w, kind="nginx"); w.begin(at="client", filter="tcp port 80", how="tcpdump")
    get(w, "/page"); get(w, "/small")


@case("healthy", at=["client"], nat=False)
def ok_in_a_tunnel(w):
    """The capture is of the wire below a VXLAN."""
    w.ip("c", "link add vx type vxlan id 42 remote {S} dstport 4789 dev eth0", "addr add 10.44.0.1/24 dev vx", "link set vx mtu 1400 up")
    w.ip("s", "link add vx type vxlan id 42 remote {C} dstport 4789 dev eth0", "addr add 10.44.0.2/24 dev vx", "link set vx mtu 1400 up")
    site(w, kind="nginx"); w.begin(at="client"); w.run("c", "curl -sS -m 6 -o /dev/null http://10.44.0.2/page")


@case("healthy", at=["client"], twists=False)
def ok_vpn_seen_inside(w):
    O.openvpn(w); site(w, kind="nginx")
    w.file, w.at = w.out + ".pcap", "client"
    w.catcher = w.spawn("c", f"tcpdump -Z root --immediate-mode -U -n -i tun0 -w {w.file}", ready="listening on")
    time.sleep(0.5); w.run("c", "ping -c 2 -i 0.2 -W 1 10.8.0.1; curl -sS -m 6 -o /dev/null http://10.8.0.1/page")


@case("healthy", at=["client", "server"], twists=False)
def ok_vpn_seen_outside(w):
    if w.rng.random() < 0.5:
        O.openvpn(w); inside = "10.8.0.1"
    else:
        (a, A), (b, B) = O.wireguard_keys(), O.wireguard_keys()
        O.wireguard(w, "s", f"w{w.id[1:]}s", "10.9.0.1", "10.9.0.2", b, A, port=51820); O.wireguard(w, "c", f"w{w.id[1:]}c", "10.9.0.2", "10.9.0.1", a, B, endpoint=f"{w.S}:51820")
        w.ip("c", f"route add 10.9.0.1/32 dev w{w.id[1:]}c"); w.ip("s", f"route add 10.9.0.2/32 dev w{w.id[1:]}s"); inside = "10.9.0.1"
    site(w, kind="nginx"); w.begin(); w.run("c", f"curl -sS -m 6 -o /dev/null http://{inside}/page")


@case("healthy", at=["client"])
def ok_dhclient_lease(w):
    w.spawn("g", f"dnsmasq -k -C /dev/null --port=0 --interface=lan --bind-interfaces --dhcp-range={w.lan}.120,{w.lan}.130,600 --dhcp-leasefile={w.dir}/leases --user=root --pid-file={w.dir}/dm2.pid {'--dhcp-authoritative' if w.rng.random() < 0.5 else ''}", udp=67); w.begin(at="client")
    w.run("c", f"timeout 12 dhclient -1 -d -v -sf /bin/true -lf {w.dir}/dhl -pf {w.dir}/dhp eth0", timeout=15)


@case("healthy", at=["client"])
def ok_router_advertisements(w):
    write(w, "radvd.conf", f"interface lan {{ AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; prefix {w.C6.split('::')[0]}::/64 {{ AdvOnLink on; AdvAutonomous on; }}; }};\n")
    w.spawn("g", f"radvd -n -C {w.dir}/radvd.conf -p {w.dir}/radvd.pid -m stderr -u root"); w.zone_data = {w.name: [w.S6]}
    resolver(w); site(w, kind="nginx"); w.begin(at="client"); time.sleep(4); get(w, "/small", client="curl")


@case("healthy", at=["client"])
def ok_new_address_announced(w):
    """A machine joins the LAN: it probes for its address and announces it."""
    w.sysctl("c", "net.ipv4.conf.eth0.arp_notify=1"); w.ip("c", "link set eth0 down"); w.ip("c", "link set eth0 up"); resolver(w); site(w, kind="nginx"); w.begin(at="client")
    w.python("c", f"""
for k in range(3): arp('eth0', 1, '0.0.0.0', '{w.lan}.88'); time.sleep(0.3)
for k in range(2): arp('eth0', 1, '{w.lan}.88', '{w.lan}.88'); time.sleep(0.5)""", wait=True, timeout=20)
    w.ip("c", "route replace default via {G}"); get(w, "/page", client="curl")


@case("healthy", at=["client"])
def ok_web_socket_idle(w):
    resolver(w)
    w.spawn("s", [PYTHON, "-u", "-c", "import asyncio, websockets\nasync def h(ws):\n  await ws.recv(); await asyncio.sleep(5); await ws.send('late')\nasync def main():\n  async with websockets.serve(h, '0.0.0.0', 80, ping_interval=2):\n    print('READY', flush=True); await asyncio.Event().wait()\nasyncio.run(main())"], port=80)
    w.begin()
    w.run("c", [PYTHON, "-c", f"import asyncio, websockets\nasync def main():\n  async with websockets.connect('ws://{w.name}/feed', ping_interval=1) as ws:\n    await ws.send('hi'); await ws.recv()\nasyncio.run(main())"], timeout=12)


@case("healthy", at=["client"])
def ok_blocking_pop(w):
    w.spawn("s", "redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --save ''", port=6379); w.begin()
    w.run("c", "timeout 8 redis-cli -h {S} BLPOP jobs 4; redis-cli -h {S} PING", timeout=15)


@case("healthy", LAX, at=["client"], keep_keys=True)
def ok_stream_cancelled(w):
    """The user stops one of two HTTP/2 streams in the middle."""
    w.pki(); resolver(w); nginx(w, tls=True, port=443, listen=" http2", server="limit_rate 300k;"); w.begin()
    w.run("c", [PYTHON, "-c", f"import asyncio, httpx, ssl\nasync def main():\n  async with httpx.AsyncClient(http2=True, verify=ssl.create_default_context(cafile={w.ca!r})) as c:\n    await c.get('https://{w.name}/small')\n    async with c.stream('GET', 'https://{w.name}/big') as r:\n      async for part in r.aiter_bytes():\n        break\n    await c.get('https://{w.name}/small')\nasyncio.run(main())"], timeout=15)


@case("healthy", at=["client"])
def ok_active_ftp(w):
    files(w)
    conf = write(w, "ftp.conf", f"listen=YES\nanonymous_enable=YES\nanon_root={w.dir}/www\nrun_as_launching_user=YES\nbackground=NO\nno_anon_password=YES\nsecure_chroot_dir={w.dir}\nport_enable=YES\n")
    w.spawn("s", f"vsftpd {conf}", port=21); w.begin()
    w.run("c", "curl -sS -P - -o /dev/null ftp://{S}/page; curl -sS --list-only ftp://{S}/ >/dev/null", timeout=15)


@case("healthy", at=["client", "server"], nat=False)
def ok_ping_and_mtu_probe(w):
    w.begin(); w.run("c", "ping -c 4 -i 0.3 {S}; ping -c 2 -i 0.3 -s 1400 -M do {S}; ping -6 -c 2 -i 0.3 {S6}", timeout=10)


@case("healthy", at=["client"], link=delay(0.01, 0.03))
def ok_two_pages(w):
    """Two pages, one after the other."""
    resolver(w); site(w, kind="nginx"); w.begin(); get(w, "/page"); get(w, "/page", client="curl")


@case("healthy", at=["client"])
def ok_two_sites_one_slow(w):
    """Several sites at once; one answers after most of a second, as programs do."""
    w.zone_data = {w.name: [w.S], f"ads.{w.zone}": [w.T]}
    resolver(w); nginx(w); node(w, ns="t", body="setTimeout(()=>s.end('x'.repeat(900)), 600)"); w.begin()
    w.run("c", f"curl -sS -o /dev/null http://{w.name}/page & curl -sS -o /dev/null http://ads.{w.zone}/ & curl -sS -o /dev/null http://{w.name}/small & wait", timeout=12)
