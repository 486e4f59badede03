"""Faults of HTTP, of applications and of proxies, by programs that the first recorder did not have."""
import os, signal, time
from ground import PYTHON, TOOLS, sh
from cases import ALL, CLIENT, SIDES, SILENT, background, case, delay, many
from more_healthy import ask
import others as O
import programs as P
from programs import get, h3, nginx, apache, node, site, resolver, unbound, named, write, haproxy, caddy, files


def visit(w, path="/", timeout=9, tls=False, port=None):
    if w.rng.random() < 0.5:
        return ask(w, path, timeout=timeout, tls=tls, port=port, client=w.rng.choice(["java", "requests", "aiohttp", "lynx"]))
    return get(w, path, timeout=timeout, tls=tls, port=port, client=w.rng.choice(["curl", "wget", "go", "python", "node"]))


STATUS = {402: "H101", 406: "H101", 409: "H101", 413: "H101 | H119 | ~H101 H119", 414: "H101 | H116 | ~H101 H116", 415: "H101", 416: "H101", 418: "H101", 429: "H106", 451: "FW21 | ~FW21 H101 DNS12", 500: "H105", 503: "H103", 504: "H104", 502: "H102", 508: "H105 | H103 | ~H105 H107", 511: "FW22"}


@many([(f"app-status-{code}", truth, None, (code,)) for code, truth in STATUS.items()], at=ALL, nat=True)
def status(w, code):
    resolver(w); kind = w.rng.choice(["gunicorn", "aiohttp", "varnish", "h2o"])
    if kind == "gunicorn":
        O.gunicorn(w, f"start('{code} Nope', [('Content-Type', 'text/plain')])\nreturn [b'sorry']")
    elif kind == "aiohttp":
        O.aiohttp(w, f"return web.Response(status={code}, text='sorry')")
    elif kind == "varnish":
        nginx(w, port=8080); O.varnish(w, vcl=f"sub vcl_recv {{ return (synth({code}, \"Nope\")); }}")
    else:
        O.aiohttp(w, f"return web.Response(status={code}, text='sorry')", port=8080); O.h2o(w, port=80, tls=False, path="proxy.reverse.url: http://127.0.0.1:8080/")
    w.notes.append(kind); w.begin(); visit(w, f"/{w.rng.choice(['api/v1/items', 'cart', 'user/7'])}")


@many([("varnish-origin-dead", "H103 | H102 | ~H103 H102", None, ("varnish",)), ("h2o-origin-dead", "H102", None, ("h2o",)), ("apache-origin-dead", "H103 | H102", None, ("apache",)), ("lighttpd-origin-dead", "H103 | H102 | H105", None, ("lighttpd",))], at=["client", "client", "server"])
def origin_dead(w, kind):
    resolver(w)
    {"varnish": lambda: O.varnish(w, backend=f"{w.T}:9000"), "h2o": lambda: O.h2o(w, port=80, tls=False, path=f"proxy.reverse.url: http://{w.T}:9000/"),
     "apache": lambda: apache(w, modules=("proxy", "proxy_http"), server=f"ProxyPass / http://{w.T}:9000/"),
     "lighttpd": lambda: P.lighttpd(w, extra=f'proxy.server = ( "" => (( "host" => "{w.T}", "port" => 9000 )) )')}[kind]()
    w.begin(); visit(w)


@many([("varnish-origin-slow", "H103 | H104 | ~H103 H104", None, ("varnish",)), ("apache-origin-slow", "H104 | H102", None, ("apache",)), ("caddy-origin-slow", "H104 | H102", None, ("caddy",)), ("h2o-origin-slow", "H102 | H104 | ~H102 H104", None, ("h2o",))], at=["client", "client", "server"])
def origin_slow(w, kind):
    resolver(w); node(w, port=9000, ns="t", body="setTimeout(()=>s.end('late'), 30000)")
    {"varnish": lambda: O.varnish(w, backend=f"{w.T}:9000"), "h2o": lambda: O.h2o(w, port=80, tls=False, path=f"proxy.reverse.url: http://{w.T}:9000/\n        proxy.timeout.io: 3000"),
     "apache": lambda: apache(w, modules=("proxy", "proxy_http"), server=f"ProxyTimeout 3\nProxyPass / http://{w.T}:9000/"),
     "caddy": lambda: caddy(w, body=f"reverse_proxy {w.T}:9000 {{\n transport http {{\n response_header_timeout 3s\n }}\n }}", port=80, tls=False)}[kind]()
    w.begin(); visit(w, timeout=14)


@many([("rewrite-loop-apache", "H107 | ~H107! PX11 H108", None, ("apache",)), ("redirect-loop-python", "H107 | ~H107! PX11 H108", None, ("gunicorn",)), ("redirect-loop-cookie", "H107 | ~H107! PX11 H108", None, ("cookie",))], at=CLIENT)
def redirects(w, kind):
    resolver(w)
    if kind == "apache":
        apache(w, server="RewriteEngine on\nRewriteRule ^/(.*)$ /$1/ [R=302,L]")
    elif kind == "gunicorn":
        O.gunicorn(w, "p = environ['PATH_INFO']\nstart('302 Found', [('Location', '/login' if p != '/login' else '/home')])\nreturn [b'']")
    else:
        O.aiohttp(w, "r = web.HTTPFound('/session')\nr.set_cookie('try', 'x')\nraise r")
    w.begin(); w.rng.choice([lambda: w.run("c", "curl -sSL --max-redirs 15 -o /dev/null http://{name}/"), lambda: w.run("c", "wget -q -O /dev/null --max-redirect 12 http://{name}/"), lambda: ask(w, "/", client="requests"), lambda: ask(w, "/", client="chromium", timeout=14)])()


@case("H108 | ~H108! DNS05 | DNS05 | ~DNS05! DNS12 DNS36 DNS41 H108", at=CLIENT)
def redirect_to_a_name_that_is_not(w):
    resolver(w); nginx(w, server=f"location / {{ return 301 http://old.{w.zone}/new; }}"); w.begin(); w.run("c", w.rng.choice(["curl -sSL -m 6 -o /dev/null http://{name}/", "wget -q -t 1 -T 6 -O /dev/null http://{name}/"]))


@many([("worker-killed-in-chunks", "H111 | TCP09 | ~H111 TCP09 H110", None, ("gunicorn-chunk",)), ("worker-killed-in-body", "H110 | TCP09 | ~H110 TCP09", None, ("gunicorn-length",)), ("program-killed-in-chunks", "H111 | TCP09 | ~H111 TCP09 H110", None, ("aiohttp",)), ("exception-in-body", "H111 | TCP09 | ~H111 TCP09 H110", None, ("exception",)),
       ("killed-before-answer", "H112 | TCP09 | TCP08 | ~H112 TCP09 TCP08 H113", None, ("early",))], at=["client", "server", "any"])
def killed(w, kind):
    """The program dies (SIGKILL) in the middle of its answer; the kernel closes for it."""
    resolver(w)
    if kind == "gunicorn-chunk":
        O.gunicorn(w, "start('200 OK', [('Content-Type', 'text/plain')])\ndef parts():\n    yield b'x' * 9000\n    time.sleep(0.4)\n    os.kill(os.getpid(), signal.SIGKILL)\nreturn parts()")
    elif kind == "gunicorn-length":
        O.gunicorn(w, "start('200 OK', [('Content-Length', '90000')])\ndef parts():\n    yield b'x' * 20000\n    time.sleep(0.4)\n    os.kill(os.getpid(), signal.SIGKILL)\nreturn parts()")
    elif kind == "early":
        O.gunicorn(w, "time.sleep(0.3)\nos.kill(os.getpid(), signal.SIGKILL)\nreturn []")
    else:
        O.aiohttp(w, "r = web.StreamResponse()\nr.enable_chunked_encoding()\nawait r.prepare(request)\nawait r.write(b'x' * 9000)\nawait asyncio.sleep(0.4)\n" + ("os.kill(os.getpid(), signal.SIGKILL)" if kind == "aiohttp" else "raise RuntimeError('oops')"))
    w.begin(); visit(w, timeout=7)


@case("APP05 | APP07 | ~APP05 APP07 H110 H111 IP09 TCP15", at=["client", "server"])
def length_larger_than_the_body(w):
    """The header promises more than ever comes; the connection stays open."""
    resolver(w); O.aiohttp(w, "r = web.StreamResponse(headers={'Content-Length': '50000'})\nawait r.prepare(request)\nawait r.write(b'x' * 30000)\nawait asyncio.sleep(60)"); w.begin(); get(w, "/", client=w.rng.choice(["curl", "wget", "python"]), timeout=8)


@case("H110 | ~H110! H111 TCP09", at=["client", "any"])
def cache_truncates(w):
    """A cache passes on what its origin began and did not end."""
    resolver(w); node(w, port=9000, ns="t", body="s.writeHead(200, {'Content-Length': 90000}); s.write('x'.repeat(40000)); setTimeout(()=>r.socket.destroy(), 300)"); kind = w.rng.choice(["varnish", "haproxy", "h2o"]); w.notes.append(kind)
    {"varnish": lambda: O.varnish(w, backend=f"{w.T}:9000"), "haproxy": lambda: haproxy(w, f"frontend f\n  bind :80\n  default_backend b\nbackend b\n  server a {w.T}:9000\n"), "h2o": lambda: O.h2o(w, port=80, tls=False, path=f"proxy.reverse.url: http://{w.T}:9000/")}[kind]()
    w.truth = "H110 | TCP09 | H111 | H103 | ~H110 H111 TCP09 H103"; w.begin(); get(w, "/", client=w.rng.choice(["curl", "wget"]), timeout=8)


@many([("not-brotli", "H118", None, ("br",)), ("not-deflate", "H118", None, ("deflate",)), ("gzip-cut-off", "H118 | H110 | ~H118 H110", None, ("cut",))], at=["client", "any"])
def decoding(w, kind):
    import zlib
    resolver(w)
    if kind == "cut":
        O.aiohttp(w, "import gzip\nb = gzip.compress(os.urandom(9000))\nreturn web.Response(body=b[:-2500], headers={'Content-Encoding': 'gzip'})")
    else:
        O.aiohttp(w, f"return web.Response(body=b'this was never packed at all' * 9, headers={{'Content-Encoding': '{kind}'}})")
    w.begin(); get(w, "/", client="curl", options="--compressed", timeout=6)


@case("H109 | H101 | ~H109 H101", "? | healthy | H109", at=["client"], keep_keys=True)
def misdirected_by_apache(w):
    """The name in TLS and the name in the request belong to two sites of one server."""
    w.pki(); other = f"intern.{w.zone}"; resolver(w)
    apache(w, tls=True, port=443, server=f"ServerName {w.name}\nSSLProtocol TLSv1.2\n</VirtualHost>\n<VirtualHost *:443>\nServerName {other}\nSSLEngine on\nSSLCertificateFile {w.cert}.pem\nSSLCertificateKeyFile {w.cert}.key\nSSLVerifyClient require\nSSLCACertificateFile {w.ca}\nSSLProtocol TLSv1.3"); w.begin()
    w.run("c", f"curl -sS -m 6 --cacert {{ca}} -o /dev/null -H 'Host: {other}' https://{{name}}/")


@case("H120 | H101 | ~H120! H101 H105", at=["client"])
def websocket_through_a_plain_proxy(w):
    """A proxy that does not pass on the upgrade."""
    resolver(w)
    w.spawn("s", [PYTHON, "-u", "-c", "import asyncio, websockets\nasync def h(ws):\n  async for m in ws: await ws.send(m)\nasync def main():\n  async with websockets.serve(h, '127.0.0.1', 9001):\n    print('READY', flush=True); await asyncio.Event().wait()\nasyncio.run(main())"], port=9001)
    nginx(w, server="location / { proxy_pass http://127.0.0.1:9001; }"); w.begin()
    w.run("c", [PYTHON, "-c", f"import asyncio, websockets\nasync def main():\n  async with websockets.connect('ws://{w.name}/chat') as ws:\n    await ws.send('hi')\nasyncio.run(main())"], timeout=12)


@many([(f"http-to-{kind}", "TCP26 | H115 | ~TCP26 H115 H112 TCP08 TCP09", None, (kind,)) for kind in ["sshd", "mysql", "smtp", "ftp", "memcached", "redis", "mqtt", "postgres"]], at=["client", "any", "server"])
def http_to_other_service(w, kind):
    """A web client at the port of another service, by its real program."""
    resolver(w); files(w)
    {"sshd": lambda: O.sshd(w, port=80), "mysql": lambda: O.mysql(w, port=80), "smtp": lambda: O.smtp(w, port=80), "redis": lambda: w.spawn("s", "redis-server --port 80 --bind 0.0.0.0 --protected-mode no --save ''", port=80),
     "memcached": lambda: w.spawn("s", "memcached -u nobody -l 0.0.0.0 -p 80", port=80), "postgres": lambda: O.postgres(w, port=8080),
     "mqtt": lambda: (write(w, "mq.conf", "listener 80 0.0.0.0\nallow_anonymous true\nuser root\n"), w.spawn("s", "mosquitto -c {dir}/mq.conf", port=80)),
     "ftp": lambda: w.spawn("s", "vsftpd " + write(w, "ftp.conf", f"listen=YES\nlisten_port=80\nanonymous_enable=YES\nanon_root={w.dir}/www\nrun_as_launching_user=YES\nbackground=NO\nsecure_chroot_dir={w.dir}\n"), port=80)}[kind]()
    if kind in ("redis", "mqtt", "postgres"):
        w.truth = "H112 | TCP09 | TCP08 | TCP26 | H115 | ~H112 TCP09 TCP08 TCP26 H115 FW12"
    w.begin(); get(w, "/", port=8080 if kind == "postgres" else None, client=w.rng.choice(["curl", "wget", "python", "go"]), timeout=6)


# ---- slowness ----

@many([("python-thinks", "APP01 | ~APP01! APP03 APP11", None, ("gunicorn",)), ("python-thinks-async", "APP01 | ~APP01! APP03 APP11", None, ("aiohttp",)), ("cache-miss-is-slow", "APP01 | ~APP01! APP03 APP11 | APP11", None, ("varnish",))], at=["client", "server", "any"], link=delay(0.005, 0.05))
def thinks(w, kind):
    resolver(w); pause = w.rng.uniform(1.8, 2.8)
    if kind == "gunicorn":
        O.gunicorn(w, f"time.sleep({pause})\nstart('200 OK', [('Content-Type', 'text/html')])\nreturn [b'x' * 5000]")
    else:
        O.aiohttp(w, f"await asyncio.sleep({pause})\nreturn web.Response(text='x' * 5000)", port=8080 if kind == "varnish" else 80)
        if kind == "varnish":
            O.varnish(w)
    w.begin(); visit(w, "/report", timeout=12)
    if kind == "varnish":
        get(w, "/report", client="curl")


@case("~APP04 APP02 APP01 APP05 APP11 | APP04 | APP02 | APP01", at=["client", "server"], link=delay(0.005, 0.05))
def one_worker_many_visitors(w):
    resolver(w); O.gunicorn(w, "time.sleep(1.2)\nstart('200 OK', [])\nreturn [b'x' * 3000]"); w.begin()
    w.run("c", "for k in 1 2 3 4; do curl -sS -m 20 -o /dev/null http://{name}/job$k & done; wait", timeout=30)


@many([("database-thinks-postgres", "APP01 | ~APP01! APP03 | healthy", None, ("postgres",)), ("database-thinks-mysql", "APP01 | ~APP01! APP03 | healthy", None, ("mysql",))], at=["client", "server"], link=delay(0.005, 0.03))
def database_thinks(w, kind):
    """A query of three seconds. To who sees only packets that may be as it should."""
    getattr(O, kind)(w); w.begin()
    w.run("c", "psql -h {S} -U app -d postgres -c 'select pg_sleep(3)' >/dev/null" if kind == "postgres" else "mysql -h {S} -u root --skip-ssl -e 'select sleep(3)' >/dev/null", timeout=15)


@case("APP05 | ~APP05! IP09 APP04 | APP04", at=["client", "server"])
def program_frozen(w):
    """SIGSTOP: the kernel accepts and acknowledges, the program says nothing."""
    resolver(w); kind = w.rng.choice(["gunicorn", "lighttpd", "h2o", "aiohttp"])
    child = {"gunicorn": lambda: O.gunicorn(w, "start('200 OK', [])\nreturn [b'x']"), "lighttpd": lambda: P.lighttpd(w), "h2o": lambda: O.h2o(w, port=80, tls=False), "aiohttp": lambda: O.aiohttp(w, "return web.Response(text='x')")}[kind]()
    w.notes.append(kind); w.begin(); os.killpg(child.pid, signal.SIGSTOP); visit(w, timeout=7); os.killpg(child.pid, signal.SIGCONT)


@many([("limited-by-nginx", "~APP06 APP07 APP10 TCP15 FW11 APP13 | APP06 | APP07", None, ("nginx",)), ("limited-by-apache", "~APP06 APP07 APP10 TCP15 FW11 APP13 | APP06 | APP07", None, ("apache",))], at=["client", "server"], link=delay(0.005, 0.03))
def limited_rate(w, kind):
    """The server is told to send slowly."""
    resolver(w)
    nginx(w, server=f"limit_rate {w.rng.choice([3, 6])}k;") if kind == "nginx" else apache(w, modules=("ratelimit",), server="<Location />\nSetOutputFilter RATE_LIMIT\nSetEnv rate-limit 4\n</Location>")
    w.begin(); get(w, "/page", client="curl", timeout=25)


@case("APP07 | ~APP07! APP13 TCP15 APP06", at=["client", "server"], link=delay(0.005, 0.03))
def slow_disk(w):
    """An application that reads in pieces from something slow."""
    resolver(w); O.aiohttp(w, f"r = web.StreamResponse(headers={{'Content-Length': '600000'}})\nawait r.prepare(request)\nfor k in range(6):\n  await asyncio.sleep({w.rng.choice([0.8, 1.1])})\n  await r.write(b'x' * 100000)\nreturn r"); w.begin(); get(w, "/", client=w.rng.choice(["curl", "wget", "python"]), timeout=20)


# ---- proxies ----

def squid(w, lines):
    from cases import squid as made
    return made(w, lines)


def privoxy(w, more="", port=3128):
    write(w, "user.action", "{ +block{ads} }\n/.*banned\n")
    conf = write(w, "privoxy.conf", f"user-manual /usr/share/doc/privoxy\nconfdir {w.dir}\nlogdir {w.dir}\nlisten-address 0.0.0.0:{port}\n{more}\n")
    sh(f"cp -r /etc/privoxy/templates {w.dir}/ 2>/dev/null || true")
    return w.spawn("t", f"privoxy --no-daemon {conf}", port=port)


@many([("privoxy-target-refuses", "PX05 | ~PX05! H102 H103", None, ("refuse",)), ("privoxy-target-unknown", "PX05 | ~PX05! H102 H103 H101", None, ("name",)), ("apache-proxy-target-refuses", "PX05 | ~PX05! H102 H103", None, ("apache",)), ("tinyproxy-target-unknown", "PX05 | ~PX05! H102 H105", None, ("tiny",))], at=["client"])
def proxy_target(w, kind):
    resolver(w); w.resolvers(w.D)
    sh(f"mkdir -p /etc/netns/{w.ns('t')} && cp /etc/netns/{w.ns('c')}/* /etc/netns/{w.ns('t')}/")
    target = f"https://nope.{w.zone}/" if kind in ("name", "tiny") else f"https://{w.S}:8443/"
    if kind == "apache":
        apache(w, ns="t", port=3128, modules=("proxy", "proxy_connect", "proxy_http"), server="ProxyRequests On\nAllowCONNECT 443 8443\n<Proxy *>\nRequire all granted\n</Proxy>")
    elif kind == "tiny":
        conf = write(w, "tiny.conf", f"Port 3128\nTimeout 20\nPidFile \"{w.dir}/tp.pid\"\nLogFile \"{w.dir}/tp.log\"\nAllow 0.0.0.0/0\n"); w.spawn("t", f"tinyproxy -d -c {conf}", port=3128)
    else:
        privoxy(w)
    w.begin(); w.run("c", f"curl -sS -m 12 -x http://{w.T}:3128 {target}", timeout=16)


@many([("proxy-forbids-port-apache", "PX04", None, ("apache",)), ("proxy-forbids-port-tinyproxy", "PX04", None, ("tiny",)), ("proxy-forbids-site-tinyproxy", "PX04", None, ("filter",)), ("proxy-forbids-us-tinyproxy", "PX04 | ~PX04! PX02 H101", None, ("allow",))], at=CLIENT)
def proxy_forbids(w, kind):
    resolver(w)
    if kind == "apache":
        apache(w, ns="t", port=3128, modules=("proxy", "proxy_connect", "proxy_http"), server="ProxyRequests On\nAllowCONNECT 443\n<Proxy *>\nRequire all granted\n</Proxy>")
    else:
        write(w, "flt", f"{w.zone}\n")
        more = {"tiny": "ConnectPort 443\nAllow 0.0.0.0/0", "filter": f"Filter \"{w.dir}/flt\"\nAllow 0.0.0.0/0", "allow": "Allow 10.250.250.1"}[kind]
        conf = write(w, "tiny.conf", f"Port 3128\nTimeout 20\nPidFile \"{w.dir}/tp.pid\"\nLogFile \"{w.dir}/tp.log\"\n{more}\n"); w.spawn("t", f"tinyproxy -d -c {conf}", port=3128)
    w.begin(); w.run("c", "curl -sS -m 6 -x http://{T}:3128 https://{name}:8443/", timeout=10)


@case("PX03", at=CLIENT)
def proxy_login_tinyproxy(w):
    conf = write(w, "tiny.conf", f"Port 3128\nTimeout 20\nPidFile \"{w.dir}/tp.pid\"\nLogFile \"{w.dir}/tp.log\"\nAllow 0.0.0.0/0\nBasicAuth u secret\n"); resolver(w); w.spawn("t", f"tinyproxy -d -c {conf}", port=3128); w.begin()
    w.run("c", w.rng.choice(["curl -sS -m 6 -x http://{T}:3128 https://{name}/", "env https_proxy=http://{T}:3128 wget -q -t 1 -T 6 -O /dev/null https://{name}/", "env http_proxy=http://{T}:3128 wget -q -t 1 -T 6 -O /dev/null http://{name}/"]), timeout=12)


@case("healthy", at=CLIENT)
def ok_proxy_login_given(w):
    """A 407, and then the password: how proxies ask."""
    w.pki(); conf = write(w, "tiny.conf", f"Port 3128\nTimeout 20\nPidFile \"{w.dir}/tp.pid\"\nLogFile \"{w.dir}/tp.log\"\nAllow 0.0.0.0/0\nBasicAuth u secret\n"); resolver(w); nginx(w); w.spawn("t", f"tinyproxy -d -c {conf}", port=3128); w.begin()
    w.run("c", "curl -sS -m 6 --proxy-anyauth -x http://u:secret@{T}:3128 -o /dev/null http://{S}/page", timeout=12)


@many([("ok-through-privoxy", "healthy", None, ("privoxy",)), ("ok-through-socks", "healthy", None, ("socks",)), ("ok-through-ssh-forward", "healthy", None, ("ssh",)), ("ok-through-connect", "healthy", "healthy | ?", ("connect",))], at=["client"], keep_keys=True)
def ok_through(w, kind):
    resolver(w); sh(f"mkdir -p /etc/netns/{w.ns('t')} && cp /etc/netns/{w.ns('c')}/* /etc/netns/{w.ns('t')}/")
    if kind == "connect":
        w.pki(); nginx(w, tls=True, port=443); conf = write(w, "tiny.conf", f"Port 3128\nTimeout 20\nPidFile \"{w.dir}/tp.pid\"\nLogFile \"{w.dir}/tp.log\"\nAllow 0.0.0.0/0\n"); w.spawn("t", f"tinyproxy -d -c {conf}", port=3128); w.begin()
        w.run("c", "curl -sS -m 8 -x http://{T}:3128 --cacert {ca} -o /dev/null https://{name}/page")
    elif kind == "privoxy":
        nginx(w); privoxy(w); w.begin(); w.run("c", "curl -sS -m 8 -x http://{T}:3128 -o /dev/null http://{name}/page")
    elif kind == "socks":
        nginx(w); w.spawn("t", "microsocks -p 1080", port=1080); w.begin(); w.run("c", "curl -sS -m 8 --socks5-hostname {T}:1080 -o /dev/null http://{name}/page")
    else:
        nginx(w); O.sshd(w, ns="t"); w.begin(); w.run("c", f"ssh {O.SSH} -f -N -L 127.0.0.1:8080:{{S}}:80 root@{{T}}; sleep 0.5; curl -sS -m 8 -o /dev/null http://127.0.0.1:8080/page", timeout=15)


@many([("socks-wants-login", "PX08", None, ("auth",)), ("socks-target-refuses", "PX08", None, ("refused",)), ("socks-name-unknown", "PX08", None, ("name",)), ("socks-host-unreachable", "PX08", None, ("unreach",))], at=["client"])
def socks(w, kind):
    resolver(w); sh(f"mkdir -p /etc/netns/{w.ns('t')} && cp /etc/netns/{w.ns('c')}/* /etc/netns/{w.ns('t')}/")
    w.spawn("t", "microsocks -p 1080" + (" -u a -P b" if kind == "auth" else ""), port=1080)
    if kind == "unreach":
        w.ip("t", "route add unreachable {S}/32")
    w.begin(); w.run("c", f"curl -sS -m 8 --socks5-hostname {w.T}:1080 http://{'nope.' + w.zone if kind == 'name' else w.S}/", timeout=12)


@case("PX02 | APP05 | ~PX02 APP05 APP04", at=["client"])
def proxy_frozen(w):
    conf = write(w, "tiny.conf", f"Port 3128\nTimeout 20\nPidFile \"{w.dir}/tp.pid\"\nLogFile \"{w.dir}/tp.log\"\nAllow 0.0.0.0/0\n"); resolver(w); child = w.spawn("t", f"tinyproxy -d -c {conf}", port=3128); w.begin(); os.killpg(child.pid, signal.SIGSTOP)
    w.run("c", "curl -sS -m 7 -x http://{T}:3128 https://{name}/", timeout=10); os.killpg(child.pid, signal.SIGCONT)


@case("TLS07", "~TLS07! TLS08 TLS09 TLS10 TLS11 TLS12 TLS13 TLS14 TLS15 TLS16 TLS17 TLS26 TLS27 TLS37 HST01 | ?", at=["client"], keep_keys=True)
def expired_behind_a_proxy(w):
    w.pki("expired"); resolver(w); sh(f"mkdir -p /etc/netns/{w.ns('t')} && cp /etc/netns/{w.ns('c')}/* /etc/netns/{w.ns('t')}/"); nginx(w, tls=True, port=443); conf = write(w, "tiny.conf", f"Port 3128\nTimeout 20\nPidFile \"{w.dir}/tp.pid\"\nLogFile \"{w.dir}/tp.log\"\nAllow 0.0.0.0/0\n"); w.spawn("t", f"tinyproxy -d -c {conf}", port=3128); w.begin()
    w.run("c", "curl -sS -m 8 -x http://{T}:3128 --cacert {ca} -o /dev/null https://{name}/page")


# ---- HTTP/2 by real programs ----

@many([("h2-server-stops", "H201 | TCP09 | ~H201 TCP09 H203 H110 TLS31 APP05", "? | healthy | TCP09 | H110 | ~TCP09 H110 TLS31 H201", ("nghttpd",)), ("h2-upstream-reset", "H203 | ~H203! H110", "? | healthy | H203", ("nginx",)), ("h2-status-502", "H102", "? | healthy", ("h2o",))], at=["client"], keep_keys=True)
def http2(w, kind):
    w.pki(); resolver(w); files(w)
    if kind == "nghttpd":
        child = w.spawn("s", f"nghttpd -d {w.dir}/www 443 {w.cert}.key {w.cert}.pem", port=443); w.begin()
        got = get(w, "/huge", tls=True, client="curl", options="--http2 --limit-rate 300k", wait=False, timeout=9); time.sleep(1.5); w.stop(child, signal.SIGKILL); got.wait(14)
    elif kind == "nginx":
        node(w, port=9000, ns="t", body="s.writeHead(200, {'Content-Length': 90000}); s.write('x'.repeat(20000)); setTimeout(()=>r.socket.destroy(), 300)")
        nginx(w, tls=True, port=443, listen=" http2", server=f"location / {{ proxy_pass http://{w.T}:9000; proxy_buffering off; }}"); w.begin(); get(w, "/", tls=True, client=w.rng.choice(["curl", "httpx", "go"]), timeout=7)
    else:
        O.h2o(w, path=f"proxy.reverse.url: http://{w.T}:9000/"); w.begin(); get(w, "/", tls=True, client=w.rng.choice(["curl", "go", "httpx"]), timeout=7)


# ---- routers' sessions ----

SESSION = "  [neighbors.ebgp-multihop.config]\n    enabled = true\n  [neighbors.timers.config]\n    connect-retry = 2\n    hold-time = 9\n    keepalive-interval = 3\n"


@many([("bgp-wrong-as", "BGP12", None, ("as",)), ("bgp-hold-timer", "BGP10 | ~BGP10! TCP11 IP20 FW05", None, ("hold",)), ("bgp-shutdown", "BGP13", None, ("shut",)), ("bgp-max-prefix", "BGP13", None, ("max",)), ("bgp-password", "BGP14 | ~BGP14! FW01 IP05 TCP03 TCP06 IP07", None, ("md5",)), ("bgp-one-hop", "BGP15 | IP06 | ~BGP15! IP06 FW01", None, ("ttl",)), ("bgp-refused", "TCP01 | ~TCP01! FW02", None, ("closed",))], at=["server"], twists=False)
def bgp(w, kind):
    password = "\n    auth-password = \"one\"" if kind == "md5" else ""
    far = "\n    auth-password = \"two\"" if kind == "md5" else ""
    session = "  [neighbors.timers.config]\n    connect-retry = 2\n" if kind == "ttl" else SESSION
    limit = "  [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n      afi-safi-name = \"ipv4-unicast\"\n    [neighbors.afi-safis.prefix-limit.config]\n      max-prefixes = 1\n" if kind == "max" else ""
    w.begin()
    O.gobgp(w, "s", 65001, w.S, [(w.T, 65002, password.lstrip("\n") and "    " + password.strip() + "\n" + session or session + limit)])
    if kind != "closed":
        O.gobgp(w, "t", 65009 if kind == "as" else 65002, w.T, [(w.S, 65001, ("    " + far.strip() + "\n" if far else "") + session)])
    time.sleep(9)
    if kind == "hold":
        w.nft("i", "tcp dport 179 drop", "tcp sport 179 drop"); time.sleep(12); w.unfilter("i"); time.sleep(2)
    if kind == "shut":
        w.run("t", "gobgp neighbor {S} shutdown 'maintenance until noon'"); time.sleep(2)
    if kind == "max":
        w.run("t", "for k in 1 2 3 4; do gobgp global rib add 198.51.$k.0/24; done"); time.sleep(3)
