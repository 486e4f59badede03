"""Real servers, resolvers and clients, each with the least configuration that it needs."""
import os, sys
from ground import CLIENTS, PYTHON, TOOLS

SIZES = {"small": 900, "page": 30_000, "big": 1_500_000, "huge": 12_000_000}


def files(w):
    root = f"{w.dir}/www"
    if not os.path.isdir(root):
        os.makedirs(root)
        for name, size in SIZES.items():
            open(f"{root}/{name}", "wb").write(os.urandom(size // 2) + b"t" * (size - size // 2))
        open(f"{root}/index.html", "w").write("<html><title>Field</title>" + "hello " * 300 + "</html>")
        os.chmod(root, 0o755)
    return root


def write(w, name, text):
    path = f"{w.dir}/{name}"
    open(path, "w").write(text)
    return path


def nginx(w, inside="", server="", port=80, tls=False, ns="s", name="nginx", listen="", ready=None, protocols=""):
    root = files(w)
    tls_lines = f"ssl_certificate {w.cert}.pem; ssl_certificate_key {w.cert}.key; {protocols}" if tls else ""
    mark = (" ssl" if tls else "") + listen
    conf = write(w, f"{name}.conf", f"""
pid {w.dir}/{name}.pid; error_log {w.dir}/{name}.err; user root; daemon off; worker_processes 1;
events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {w.dir}/nb; proxy_temp_path {w.dir}/np; fastcgi_temp_path {w.dir}/nf; uwsgi_temp_path {w.dir}/nu; scgi_temp_path {w.dir}/ns;
{inside}
server {{ listen {port}{mark}; listen [::]:{port}{mark}; server_name {w.name}; root {root}; {tls_lines} {server} }} }}""")
    return w.spawn(ns, f"nginx -c {conf} -p {w.dir}", port=ready or port)


def apache(w, server="", port=80, tls=False, ns="s", name="apache", modules=(), protocols=""):
    root = files(w)
    where = "/usr/lib/apache2/modules"
    load = ["mpm_event", "authz_core", "dir", "mime", "headers", "alias", "rewrite", "reqtimeout"] + list(modules) + (["ssl", "socache_shmcb"] if tls else [])
    lines = "\n".join(f"LoadModule {m}_module {where}/mod_{m}.so" for m in dict.fromkeys(load))
    tls_lines = f"SSLEngine on\nSSLCertificateFile {w.cert}.pem\nSSLCertificateKeyFile {w.cert}.key\n{protocols}" if tls else ""
    conf = write(w, f"{name}.conf", f"""
ServerRoot {w.dir}
DefaultRuntimeDir {w.dir}
PidFile {w.dir}/{name}.pid
ErrorLog {w.dir}/{name}.err
ServerName {w.name}
Listen {port}
{lines}
TypesConfig /etc/mime.types
DocumentRoot {root}
<Directory {root}>
Require all granted
</Directory>
{server if not tls else ''}
{f'<VirtualHost *:{port}>' + chr(10) + tls_lines + chr(10) + server + chr(10) + '</VirtualHost>' if tls else ''}
""")
    return w.spawn(ns, f"apache2 -f {conf} -D FOREGROUND", port=port)


def haproxy(w, text, port=80, ns="s", name="haproxy"):
    conf = write(w, f"{name}.cfg", f"""
global
  log stderr local0
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 3s
  timeout client 30s
  timeout server 30s
  timeout http-request 20s
{text.format(**vars(w)) if '{' in text else text}
""")
    return w.spawn(ns, f"haproxy -f {conf} -db", port=port)


def lighttpd(w, extra="", port=80, tls=False, ns="s"):
    root = files(w)
    tls_lines = f'server.modules += ("mod_openssl")\n$SERVER["socket"] == ":{port}" {{ }}\nssl.engine = "enable"\nssl.pemfile = "{w.cert}.both"' if tls else ""
    conf = write(w, "lighttpd.conf", f"""
server.document-root = "{root}"
server.port = {port}
server.errorlog = "{w.dir}/lighttpd.err"
index-file.names = ("index.html")
server.modules = ("mod_redirect", "mod_access", "mod_proxy", "mod_setenv")
{tls_lines}
{extra}
""")
    return w.spawn(ns, f"lighttpd -D -f {conf}", port=port)


def caddy(w, body="", port=443, tls=True, ns="s"):
    root = files(w)
    scheme = "https" if tls else "http"
    line = f"tls {w.cert}.pem {w.cert}.key" if tls else ""
    conf = write(w, "Caddyfile", f"""{{
  auto_https off
  admin off
  storage file_system {w.dir}/caddy
}}
{scheme}://{w.name}:{port} {{
  {line}
  {body or f"root * {root}{chr(10)}  file_server"}
}}
""")
    return w.spawn(ns, f"caddy run --config {conf} --adapter caddyfile", port=port)


def node(w, port=80, tls=False, body="", ns="s"):
    body = body or "s.setHeader('Content-Type','text/plain'); s.end('x'.repeat(r.url==='/'?2400:{'/small':900,'/page':30000,'/big':1500000}[r.url]||5000))"
    base = getattr(w, "cert", "")
    path = write(w, "server.js", (f"const m=require('https');const fs=require('fs');const o={{key:fs.readFileSync('{base}.key'),cert:fs.readFileSync('{base}.pem')}};"
                                  if tls else "const m=require('http');const o={};") +
                 f"m.createServer(o,(r,s)=>{{ {body} }}).listen({port},'::');")
    return w.spawn(ns, f"node {path}", port=port)


def ruby(w, port=80, tls=False, ns="s"):
    root = files(w)
    return w.spawn(ns, [sys.executable, "-u", "-m", "http.server", str(port), "--bind", "::", "--directory", root], port=port)


KINDS = {"nginx": nginx, "apache": apache, "lighttpd": lighttpd, "node": node, "caddy": caddy}


def site(w, tls=False, port=None, kind=None, ns="s"):
    """A healthy site of any kind."""
    kind = kind or w.rng.choice([k for k in KINDS if not (tls and k == "lighttpd")])
    w.notes.append(f"site {kind}")
    port = port or (443 if tls else 80)
    return KINDS[kind](w, tls=tls, port=port, ns=ns)


# ---- resolvers ----

def resolver(w, kind=None, zone=None, ns="d", **how):
    zone = zone or w.zone_data
    w.zone_data = zone
    kind = "python" if how else kind or w.rng.choice(["dnsmasq", "unbound", "named", "python"])
    w.notes.append(f"resolver {kind}")
    if kind == "python":
        return w.python(ns, f"names({zone!r}, **{how!r})", udp=53)
    if kind == "dnsmasq":
        hosts = write(w, "dns-hosts", "".join(f"{a} {n}\n" for n, all in zone.items() for a in all))
        zones = "".join(f" --local=/{z}/" for z in {".".join(n.split(".")[-2:]) for n in zone})
        return w.spawn(ns, f"dnsmasq -k -C /dev/null --no-resolv --no-hosts --addn-hosts={hosts}{zones} --user=root --pid-file={w.dir}/dm.pid", udp=53)
    if kind == "unbound":
        zones = {".".join(n.split(".")[-2:]) for n in zone}
        data = "".join(f'  local-zone: "{z}." static\n' for z in zones)
        data += "".join(f'  local-data: "{n}. 60 IN {"AAAA" if ":" in a else "A"} {a}"\n' for n, all in zone.items() for a in all)
        return unbound(w, data, ns)
    zones = {".".join(n.split(".")[-2:]) for n in zone}
    lines = ""
    for z in zones:
        rows = "".join(f"{n}. 60 IN {'AAAA' if ':' in a else 'A'} {a}\n" for n, all in zone.items() if n.endswith(z) for a in all)
        path = write(w, f"zone-{z}", f"$TTL 60\n@ IN SOA ns1 admin 7 3600 600 86400 60\n@ IN NS ns1\nns1 IN A {w.D}\n{rows}")
        lines += f'zone "{z}" {{ type master; file "{path}"; }};\n'
    return named(w, lines, ns)


def unbound(w, lines, ns="d", more=""):
    conf = write(w, f"unbound-{ns}.conf", f"""server:
  interface: 0.0.0.0
  interface: ::0
  access-control: 0.0.0.0/0 allow
  access-control: ::0/0 allow
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{w.dir}"
  pidfile: "{w.dir}/unbound-{ns}.pid"
  use-syslog: no
  logfile: "{w.dir}/unbound-{ns}.log"
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "test." nodefault
{lines}
remote-control:
  control-enable: no
{more}""")
    return w.spawn(ns, f"unbound -d -c {conf}", udp=53)


def named(w, lines, ns="d", options="recursion no;"):
    conf = write(w, f"named-{ns}.conf", f"""options {{ directory "{w.dir}"; pid-file "{w.dir}/named-{ns}.pid"; session-keyfile "{w.dir}/sk-{ns}"; listen-on {{ any; }}; listen-on-v6 {{ any; }};
dnssec-validation no; allow-query {{ any; }}; {options} }};
controls {{ }};
{lines}""")
    return w.spawn(ns, f"named -f -g -c {conf}", udp=53)


# ---- clients ----

def get(w, path="/", tls=False, port=None, client=None, host=None, timeout=10, insecure=False, options="", wait=True, count=1, family=""):
    """One request by some client; says what it printed."""
    kinds = ["curl", "wget", "python", "node", "go"] if not (options or insecure or family) else ["curl"]
    client = client or w.rng.choice(kinds)
    port = f":{port}" if port else ""
    ca = w.ca if tls and not insecure else "-"
    url = f"http{'s' if tls else ''}://{host or w.name}{port}{path}"
    keys = w.out + ".keys"
    line = {
        "curl": f"curl -sS {family} -m {timeout} -o /dev/null -w '%{{http_code}} %{{time_total}}' {'-k' if insecure else ''} {f'--cacert {ca}' if tls and not insecure else ''} {options} '{url}'",
        "wget": f"wget -nv -O /dev/null -T {timeout} -t 1 {f'--ca-certificate={ca}' if tls else ''} '{url}'",
        "python": f"{PYTHON} {CLIENTS}/get.py '{url}' {ca} {timeout}",
        "httpx": f"{PYTHON} {CLIENTS}/httpx_get.py '{url}' {ca} {timeout}",
        "node": f"node --tls-keylog={keys} {CLIENTS}/get.js '{url}' {ca} {timeout} {count}",
        "go": f"{TOOLS}/bin/goget '{url}' {ca} {timeout}",
        "gnutls": f"sh -c \"(printf 'GET {path} HTTP/1.1\\r\\nHost: {host or w.name}\\r\\nConnection: close\\r\\n\\r\\n'; sleep 1) | timeout {timeout} gnutls-cli --x509cafile {ca} -p {port[1:] or 443} {host or w.name}\"",
        "openssl": f"sh -c \"(printf 'GET {path} HTTP/1.0\\r\\nHost: {host or w.name}\\r\\n\\r\\n'; sleep 1) | timeout {timeout} openssl s_client -connect {host or w.name}:{port[1:] or 443} -servername {host or w.name} -CAfile {ca} -verify_return_error -keylogfile {keys} -ign_eof\"",
    }[client]
    w.notes.append(f"client {client}")
    return w.run("c", line.replace("{", "{{").replace("}", "}}"), timeout=timeout + 8, wait=wait)


def h3(w, count=1, wait=8, host=None, port=443, address=None, path="/", more="", blocking=True):
    return w.python("c", f"h3_get({(host or w.name)!r}, {(address or w.S)!r}, {port}, path={path!r}, ca={w.ca!r}, count={count}, wait={wait}{more})", wait=blocking, timeout=wait + 10)
