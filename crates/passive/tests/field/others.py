"""More real programs: caches, accelerators, application servers, databases, resolvers, proxies, tunnels, routers' daemons."""
import os, shutil, sys, time
from ground import CLIENTS, HERE, PYTHON, TOOLS, sh
from programs import files, write


def varnish(w, backend="127.0.0.1:8080", port=80, ns="s", vcl=""):
    host, at = backend.rsplit(":", 1)
    conf = write(w, "cache.vcl", f'vcl 4.1;\nbackend default {{ .host = "{host}"; .port = "{at}"; .connect_timeout = 2s; .first_byte_timeout = 3s; }}\n{vcl}\n')
    os.makedirs(f"{w.dir}/varnish", exist_ok=True)
    os.chmod(w.dir, 0o777)
    os.chmod(f"{w.dir}/varnish", 0o777)
    return w.spawn(ns, f"varnishd -F -j none -a :{port} -f {conf} -n {w.dir}/varnish -s malloc,16m -T none", port=port, within=25)


def h2o(w, port=443, tls=True, ns="s", path="", more=""):
    root = files(w)
    ssl = f"\n  ssl:\n    certificate-file: {w.cert}.pem\n    key-file: {w.cert}.key\n    {more}" if tls else ""
    conf = write(w, "h2o.conf", f"""user: root
num-threads: 1
pid-file: {w.dir}/h2o.pid
listen:
  port: {port}{ssl}
hosts:
  "default":
    paths:
      /:
        {path or f'file.dir: {root}'}
""")
    return w.spawn(ns, f"h2o -c {conf}", port=port)


def hitch(w, backend=8080, port=443, ns="s", more=""):
    conf = write(w, "hitch.conf", f"""frontend = "[*]:{port}"
backend = "[127.0.0.1]:{backend}"
pem-file = "{w.cert}.both"
workers = 1
daemon = off
user = "nobody"
{more}
""")
    os.chmod(w.dir, 0o755)
    os.chmod(f"{w.cert}.both", 0o644)
    return w.spawn(ns, f"hitch --config={conf}", port=port)


def stunnel(w, backend=8080, port=443, ns="s", more=""):
    conf = write(w, "stunnel.conf", f"foreground = yes\npid =\n[web]\naccept = {port}\nconnect = 127.0.0.1:{backend}\ncert = {w.cert}.both\n{more}\n")
    return w.spawn(ns, f"stunnel {conf}", port=port)


def gunicorn(w, code, port=80, ns="s", more="", workers=1):
    """A WSGI application: `code` is the body of `app(environ, start)`."""
    write(w, "wsgiapp.py", "import os, signal, time\ndef app(environ, start):\n" + "".join(f"    {line}\n" for line in code.splitlines()))
    return w.spawn(ns, f"{TOOLS}/venv/bin/gunicorn -w {workers} -b 0.0.0.0:{port} --chdir {w.dir} {more} wsgiapp:app", port=port, within=20)


def aiohttp(w, code, port=80, ns="s", tls=False):
    """`code` is the body of `async def handle(request)`."""
    ssl_line = f"c = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH); c.load_cert_chain({w.cert!r}+'.pem', {w.cert!r}+'.key')" if tls else "c = None"
    path = write(w, "aio.py", "import asyncio, os, signal, ssl, time\nfrom aiohttp import web\nasync def handle(request):\n" + "".join(f"    {line}\n" for line in code.splitlines()) +
                 f"\napp = web.Application()\napp.router.add_route('*', '/{{tail:.*}}', handle)\n{ssl_line}\nweb.run_app(app, host='0.0.0.0', port={port}, ssl_context=c, print=None)\n")
    return w.spawn(ns, [PYTHON, "-u", path], port=port, within=15)


# ---- names ----

def zone_file(w, rows="", address=None, ns_address=None):
    lines = f"{w.host} IN A {address or w.S}\n" if address != "" else ""
    return write(w, "zonefile", f"$ORIGIN {w.zone}.\n$TTL 60\n@ IN SOA ns1 admin 7 3600 600 86400 60\n@ IN NS ns1\nns1 IN A {ns_address or w.D}\n{lines}{rows}\n")


def knot(w, ns="d", rows="", zone=None, address=None, more=""):
    path = zone_file(w, rows, address)
    os.makedirs(f"{w.dir}/knot", exist_ok=True)
    conf = write(w, "knot.conf", f"""server:
  rundir: {w.dir}/knot
  listen: [ 0.0.0.0@53, ::@53 ]
{more}
database:
  storage: "{w.dir}/knot"
zone:
  - domain: {zone or w.zone}
    file: {path}
    storage: {w.dir}
""")
    return w.spawn(ns, f"knotd -c {conf}", udp=53, within=15)


def nsd(w, ns="d", rows="", zone=None, address=None, more="", secondary=None):
    path = zone_file(w, rows, address)
    body = f"zonefile: {path}" if not secondary else f"zonefile: {w.dir}/none\n  request-xfr: {secondary} NOKEY\n  allow-notify: {secondary} NOKEY"
    conf = write(w, "nsd.conf", f"""server:
  username: ""
  chroot: ""
  ip-address: 0.0.0.0
  zonesdir: "{w.dir}"
  xfrd-reload-timeout: 1
  database: ""
  pidfile: "{w.dir}/nsd.pid"
  xfrdfile: "{w.dir}/xfrd"
  zonelistfile: "{w.dir}/zl"
  server-count: 1
{more}
remote-control:
  control-enable: no
zone:
  name: {zone or w.zone}
  {body}
""")
    return w.spawn(ns, f"nsd -d -c {conf}", udp=53, within=15)


def pdns(w, ns="d", rows="", zone=None, address=None, more=""):
    path = zone_file(w, rows, address)
    bind = write(w, "pdns.named", f'zone "{zone or w.zone}" {{ type master; file "{path}"; }};\n')
    os.makedirs(f"{w.dir}/pdns", exist_ok=True)
    return w.spawn(ns, f"pdns_server --config-dir={w.dir}/pdns --launch=bind --bind-config={bind} --daemon=no --guardian=no --socket-dir={w.dir}/pdns --local-address=0.0.0.0 --disable-syslog --security-poll-suffix= --setuid=root --setgid=root {more}", udp=53, within=20)


def recursor(w, forward=None, ns="d", more=""):
    os.makedirs(f"{w.dir}/rec", exist_ok=True)
    zones = f"--forward-zones={w.zone}={forward}" if forward else ""
    return w.spawn(ns, f"pdns_recursor --config-dir={w.dir}/rec --daemon=no --socket-dir={w.dir}/rec --local-address=0.0.0.0 --disable-syslog --allow-from=0.0.0.0/0 --security-poll-suffix= --dnssec=off --threads=1 --dont-query= --hint-file=no --setuid=root --setgid=root {zones} {more}", udp=53, within=20)


def dnsdist(w, rules, backend="127.0.0.1:5353", ns="d", more=""):
    conf = write(w, "dnsdist.lua", f"setLocal('0.0.0.0:53')\nsetACL('0.0.0.0/0')\nnewServer{{address='{backend}', healthCheckMode='up'}}\nsetSecurityPollSuffix('')\n{rules}\n")
    return w.spawn(ns, f"dnsdist --supervised -C {conf} {more}", udp=53, within=20)


def behind(w, ns="d", port=5353, zone=None):
    """A resolver on another port, for what stands before it."""
    return w.python(ns, f"names({(zone or w.zone_data)!r}, port={port})", udp=port)


def kresd(w, forward, ns="d", more="", how="STUB"):
    os.makedirs(f"{w.dir}/kres", exist_ok=True)
    conf = write(w, "kresd.conf", f"net.listen('0.0.0.0', 53)\ntrust_anchors.remove('.')\npolicy.add(policy.all(policy.{how}('{forward}')))\ncache.size = 10*MB\n{more}\n")
    return w.spawn(ns, f"kresd -n -c {conf} {w.dir}/kres", udp=53, within=20)


# ---- others' protocols ----

def mysql(w, port=3306, ns="s"):
    data = f"{w.dir}/mysql"
    os.chmod(w.dir, 0o777)
    sh(f"mysql_install_db --no-defaults --user=root --datadir={data} --auth-root-authentication-method=normal --skip-test-db >/dev/null 2>&1")
    return w.spawn(ns, f"mysqld --no-defaults --user=root --datadir={data} --socket={data}/s.sock --port={port} --bind-address=0.0.0.0 --skip-grant-tables --skip-networking=0 --innodb-buffer-pool-size=8M --pid-file={data}/pid", port=port, within=40)


def postgres(w, port=5432, ns="s"):
    data = f"{w.dir}/pg"
    os.chmod(w.dir, 0o777)
    here = "/usr/lib/postgresql/15/bin"
    sh(f"mkdir -p {data} && chown nobody {data} && setpriv --reuid=nobody --clear-groups {here}/initdb -D {data} -U app -A trust --no-sync >/dev/null 2>&1")
    sh(f"printf 'host all all 0.0.0.0/0 trust\\n' >> {data}/pg_hba.conf")
    return w.spawn(ns, f"setpriv --reuid=nobody --clear-groups {here}/postgres -D {data} -p {port} -h 0.0.0.0 -k {data}", port=port, within=30)


def sshd(w, port=22, ns="s", more=""):
    sh(f"ssh-keygen -q -t ed25519 -N '' -f {w.dir}/hostkey; ssh-keygen -q -t ed25519 -N '' -f {w.dir}/id; cp {w.dir}/id.pub {w.dir}/authorized_keys; mkdir -p /run/sshd")
    conf = write(w, "sshd.conf", f"Port {port}\nHostKey {w.dir}/hostkey\nAuthorizedKeysFile {w.dir}/authorized_keys\nStrictModes no\nUsePAM no\nPidFile {w.dir}/sshd.pid\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n{more}\n")
    return w.spawn(ns, f"/usr/sbin/sshd -D -e -f {conf}", port=port)


SSH = "-F none -i {dir}/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o ConnectTimeout=6 -o LogLevel=ERROR"


def smtp(w, port=25, ns="s", starttls=False):
    line = f", tls_context=c, require_starttls=False" if starttls else ""
    make = f"c = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH); c.load_cert_chain({getattr(w, 'cert', '')!r}+'.pem', {getattr(w, 'cert', '')!r}+'.key')\n" if starttls else ""
    code = f"import ssl, time\nfrom aiosmtpd.controller import Controller\nfrom aiosmtpd.handlers import Sink\n{make}k = Controller(Sink(), hostname='0.0.0.0', port={port}{line}, server_hostname='mx.{w.zone}')\nk.start(); print('READY', flush=True); time.sleep(300)"
    return w.spawn(ns, [PYTHON, "-u", "-c", code], port=port, within=15)


# ---- tunnels ----

def openvpn(w, mtu="", port=1194, server=True):
    """A tunnel between `c` (10.8.0.2) and `s` (10.8.0.1) over UDP, with a key that both know."""
    sh(f"openvpn --genkey secret {w.dir}/ovpn.key")
    common = f"--dev tun0 --proto udp --port {port} --secret {w.dir}/ovpn.key --cipher AES-256-CBC --persist-tun {mtu}"
    if server:
        w.spawn("s", f"openvpn {common} --ifconfig 10.8.0.1 10.8.0.2 --float", ready="UDPv4 link remote")
    return w.spawn("c", f"openvpn {common} --ifconfig 10.8.0.2 10.8.0.1 --remote {w.S} --nobind", ready="UDPv4 link remote")


def wireguard(w, ns, name, own, peer, key, peer_key, port=None, endpoint=None):
    """A tunnel made by a program in user space."""
    sock = f"/var/run/wireguard/{name}.sock"
    child = w.spawn(ns, f"env WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 wireguard-go -f {name}")
    until = time.time() + 6
    while not os.path.exists(sock) and time.time() < until:
        time.sleep(0.05)
    write(w, f"{name}.key", key)
    sh(f"ip netns exec {w.ns(ns)} wg set {name} private-key {w.dir}/{name}.key {f'listen-port {port}' if port else ''} peer {peer_key} allowed-ips {peer}/32 {f'endpoint {endpoint}' if endpoint else ''}")
    w.ip(ns, f"addr add {own}/24 dev {name}", f"link set {name} up")
    return child


def wireguard_keys():
    key = sh("wg genkey").strip()
    return key, sh(f"echo {key} | wg pubkey").strip()


# ---- routers' daemons ----

def gobgp(w, ns, asn, router, neighbours, more="", port=179, family=""):
    text = f"[global.config]\n  as = {asn}\n  router-id = \"{router}\"\n  port = {port}\n{more}\n"
    for address, remote, extra in neighbours:
        text += f"[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"{address}\"\n    peer-as = {remote}\n{extra}\n"
    conf = write(w, f"gobgp-{ns}.toml", text)
    return w.spawn(ns, f"gobgpd -t toml -f {conf} --api-hosts 127.0.0.1:50051", ready="Add a peer configuration" if neighbours else None, within=15)
