"""Faults of TLS, by servers and clients that the first recorder did not have: H2O, Hitch, stunnel, aiohttp; Java, aria2, lynx, requests."""
import os, signal, time
from ground import PYTHON, TOOLS, sh
from cases import ALL, CLIENT, ISSUER, SEALED, SIDES, SILENT, case, delay, many, sealed_certificate, CERTS
from more_healthy import ask
import others as O
import programs as P
from programs import get, h3, nginx, apache, node, site, resolver, unbound, named, write, haproxy, caddy, files


def serve(w, kind, more=""):
    if kind == "h2o":
        return O.h2o(w, more=more)
    if kind == "aiohttp":
        return O.aiohttp(w, "return web.Response(text='hello ' * 900)", port=443, tls=True)
    if kind == "lighttpd":
        return P.lighttpd(w, tls=True, port=443)
    if kind == "haproxy":
        return haproxy(w, f"frontend f\n  bind :443 ssl crt {w.cert}.both alpn h2,http/1.1\n  http-request return status 200 content-type text/plain string hello\n", port=443)
    nginx(w, port=8080)
    return (O.hitch if kind == "hitch" else O.stunnel)(w, more=more)


ROWS = [("expired", "java", "h2o"), ("expired", "requests", "hitch"), ("other", "aria2", "stunnel"), ("other", "java", "haproxy"), ("self", "requests", "h2o"), ("self", "lynx", "stunnel"), ("rogue", "java", "hitch"), ("rogue", "aiohttp", "aiohttp"),
        ("early", "requests", "stunnel"), ("early", "aria2", "h2o"), ("no-middle", "java", "stunnel"), ("no-middle", "requests", "haproxy"), ("expired-middle", "aria2", "h2o"), ("bare", "aiohttp", "h2o"), ("usage", "java", "h2o"), ("usage", "requests", "hitch")]


@many([(f"cert-{kind}-{server}-{client}", CERTS[kind][0], sealed_certificate(CERTS[kind][1]), (kind, client, server)) for kind, client, server in ROWS], at=ALL, keep_keys=True, nat=True)
def certificate(w, kind, client, server):
    w.pki(kind, key=w.rng.choice(["ec", "2048"])); resolver(w); serve(w, server); w.begin(); ask(w, "/page", tls=True, client=client, timeout=9)


@many([(f"cert12-{kind}-{server}-{client}", CERTS[kind][0], None, (kind, client, server)) for kind, client, server in [("expired", "aria2", "hitch"), ("other", "lynx", "stunnel"), ("self", "java", "hitch"), ("rogue", "requests", "stunnel"), ("no-middle", "aria2", "stunnel")]], at=ALL)
def certificate12(w, kind, client, server):
    w.pki(kind, key=w.rng.choice(["ec", "2048"])); resolver(w); serve(w, server, more={"hitch": "tls-protos = TLSv1.2", "stunnel": "sslVersionMax = TLSv1.2"}[server]); w.begin(); ask(w, "/page", tls=True, client=client, timeout=9)


@case("TLS09", f"~TLS09! {SEALED} | ?", at=CLIENT, keep_keys=True)
def asked_by_address(w):
    """The user typed the address: the certificate is for the name."""
    w.pki(); serve(w, w.rng.choice(["h2o", "haproxy", "hitch"])); w.begin(); w.rng.choice([lambda: get(w, "/", tls=True, host=w.S, client="curl", timeout=6), lambda: ask(w, "/", tls=True, host=w.S, client="requests", timeout=6)])()


@case("TLS27 | ~TLS27! TLS11 TLS15", f"~TLS27! {SEALED} | ?", at=CLIENT, keep_keys=True)
def issuer_is_no_authority(w):
    """The certificate was signed with another site's certificate, which is none of an authority."""
    from cryptography.hazmat.primitives import serialization as s
    w.pki(); mid, mid_key = w.issuer
    leaf_key, own_key = w.key(), w.key()
    leaf = w.certificate("shop.example", leaf_key, (mid, mid_key), names=["shop.example"])
    own = w.certificate(w.name, own_key, (leaf, leaf_key), names=[w.name])
    pem = lambda c: c.public_bytes(s.Encoding.PEM)
    private = own_key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    open(f"{w.cert}.pem", "wb").write(pem(own) + pem(leaf) + pem(mid)); open(f"{w.cert}.key", "wb").write(private); open(f"{w.cert}.both", "wb").write(pem(own) + pem(leaf) + pem(mid) + private)
    resolver(w); serve(w, w.rng.choice(["h2o", "stunnel", "hitch"])); w.begin(); get(w, "/", tls=True, client=w.rng.choice(["curl", "go", "python", "wget"]), timeout=6)


@many([("server-only-old", "TLS03 | TLS03 TLS04 | TLS04 TLS03", None, ("stunnel", "sslVersionMax = TLSv1.2", "--tlsv1.3")), ("server-only-new", "TLS03 | TLS03 TLS04 | TLS04 TLS03", None, ("hitch", "tls-protos = TLSv1.3", "--tls-max 1.2")),
       ("no-common-cipher", "TLS04", None, ("hitch", "tls-protos = TLSv1.2\nciphers = \"ECDHE-ECDSA-AES256-GCM-SHA384\"", "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256")), ("no-common-cipher-stunnel", "TLS04", None, ("stunnel", "sslVersionMax = TLSv1.2\nciphers = AES256-GCM-SHA384", "--tls-max 1.2 --ciphers AES128-GCM-SHA256"))], at=ALL)
def offers(w, kind, more, options):
    w.pki(key="2048" if kind == "stunnel" else "ec"); resolver(w); serve(w, kind, more); w.begin(); get(w, "/", tls=True, client="curl", options=options, timeout=6)


@case("TLS04 | TLS03 | ~TLS03 TLS04", at=CLIENT)
def certificate_of_a_kind_not_offered(w):
    """The client takes only RSA signatures, the server has none."""
    w.pki(key="ec"); resolver(w); serve(w, w.rng.choice(["h2o", "hitch", "haproxy"])); w.begin()
    w.run("c", "(sleep 1) | timeout 4 openssl s_client -connect {S}:443 -servername {name} -sigalgs RSA+SHA256:RSA-PSS+SHA256", timeout=8)


@many([("client-cert-h2o", "TLS18 | H101 | ~TLS18 H101", "TLS18 | ? | healthy", ("nginx-opt",)), ("client-cert-stunnel", "TLS18", "TLS18 | ~TLS18! TLS19 | ?", ("stunnel",)), ("client-cert-hitch", "TLS18", "TLS18 | ~TLS18! TLS19 | ?", ("hitch",)), ("client-cert-s-server", "TLS18", "TLS18 | ~TLS18! TLS19 | ?", ("openssl",))], at=CLIENT, keep_keys=True)
def client_certificate(w, kind):
    w.pki(); w.client_certificate(); resolver(w)
    if kind == "openssl":
        w.spawn("s", "openssl s_server -accept 443 -cert {cert}.pem -key {cert}.key -CAfile {dir}/staff.pem -Verify 2 -verify_return_error -www", port=443)
    elif kind == "stunnel":
        nginx(w, port=8080); O.stunnel(w, more=f"verifyChain = yes\nCAfile = {w.dir}/staff.pem")
    elif kind == "hitch":
        nginx(w, port=8080); O.hitch(w, more=f'client-verify = required\nclient-verify-ca = "{w.dir}/staff.pem"')
    else:
        nginx(w, tls=True, port=443, protocols=f"ssl_client_certificate {w.dir}/staff.pem; ssl_verify_client optional;", server="if ($ssl_client_verify != SUCCESS) { return 403; }")
    w.begin(); w.rng.choice([lambda: get(w, "/", tls=True, client=w.rng.choice(["curl", "go", "wget"]), timeout=6), lambda: ask(w, "/", tls=True, client=w.rng.choice(["java", "requests"]), timeout=8)])()


@many([("client-cert-wrong-ca-stunnel", "TLS19", "TLS19 | ~TLS19! TLS18 | ?", (False, (-10, 50), "stunnel")), ("client-cert-out-of-date-hitch", "TLS19", "TLS19 | ~TLS19! TLS18 | ?", (True, (-100, -4), "hitch"))], at=["client"], keep_keys=True)
def client_certificate_bad(w, trusted, days, kind):
    w.pki(); w.client_certificate(trusted, days); resolver(w); nginx(w, port=8080)
    O.stunnel(w, more=f"verifyChain = yes\nCAfile = {w.dir}/staff.pem") if kind == "stunnel" else O.hitch(w, more=f'client-verify = required\nclient-verify-ca = "{w.dir}/staff.pem"')
    w.begin(); get(w, "/", tls=True, client="curl", options=f"--cert {w.dir}/me.pem --key {w.dir}/me.key", timeout=6)


@case("TLS26 | TLS04 | ~TLS26 TLS04", at=CLIENT)
def small_diffie_hellman(w):
    w.pki(key="2048"); resolver(w); sh(f"openssl dhparam -dsaparam -out {w.dir}/dh.pem 512 2>/dev/null")
    w.spawn("s", "openssl s_server -accept 443 -cert {cert}.pem -key {cert}.key -tls1_2 -cipher 'DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0' -dhparam {dir}/dh.pem -www", port=443); w.begin(); get(w, "/", tls=True, client="curl", timeout=6)


@many([(f"tls-to-{kind}", "TLS01 | TCP26 | ~TLS01 TCP26", None, (kind,)) for kind in ["sshd", "mysql", "smtp", "redis", "ftp", "memcached"]], at=ALL)
def tls_to_other_service(w, kind):
    """A TLS hello to a service that speaks something else, by its real program."""
    w.pki(); resolver(w); files(w)
    {"sshd": lambda: O.sshd(w, port=443), "mysql": lambda: O.mysql(w, port=443), "smtp": lambda: O.smtp(w, port=443), "redis": lambda: w.spawn("s", "redis-server --port 443 --bind 0.0.0.0 --protected-mode no --save ''", port=443),
     "memcached": lambda: w.spawn("s", "memcached -u nobody -l 0.0.0.0 -p 443", port=443),
     "ftp": lambda: w.spawn("s", "vsftpd " + write(w, "ftp.conf", f"listen=YES\nlisten_port=443\nanonymous_enable=YES\nanon_root={w.dir}/www\nrun_as_launching_user=YES\nbackground=NO\nsecure_chroot_dir={w.dir}\n"), port=443)}[kind]()
    if kind in ("memcached", "redis"):
        w.truth = "TLS01 | TCP26 | TLS24 | ~TLS01 TCP26 TLS24 TLS23"
    w.begin(); get(w, "/", tls=True, timeout=6, client=w.rng.choice(["curl", "wget", "go", "python"]))


@many([("plain-h2o-on-443", "TLS01", None, ("h2o",)), ("plain-varnish-on-443", "TLS01", None, ("varnish",)), ("plain-aiohttp-on-443", "TLS01", None, ("aiohttp",)), ("plain-gunicorn-on-443", "TLS01", None, ("gunicorn",))], at=ALL)
def plain_on_443(w, kind):
    w.pki(); resolver(w)
    {"h2o": lambda: O.h2o(w, tls=False), "varnish": lambda: (nginx(w, port=8080, name="o"), O.varnish(w, port=443)), "aiohttp": lambda: O.aiohttp(w, "return web.Response(text='hello')", port=443), "gunicorn": lambda: O.gunicorn(w, "start('200 OK', [])\nreturn [b'x']", port=443)}[kind]()
    w.begin(); w.rng.choice([lambda: get(w, "/", tls=True, client=w.rng.choice(["curl", "go", "wget"]), timeout=6), lambda: ask(w, "/", tls=True, client=w.rng.choice(["java", "requests"]), timeout=8)])()


@many([("http-to-h2o-tls", "TLS02 | ~TLS02! H112 H101 TCP08 TCP09", None, ("h2o",)), ("http-to-hitch", "TLS02 | ~TLS02! H112 TCP08 TCP09", None, ("hitch",)), ("http-to-stunnel", "TLS02 | ~TLS02! H112 TCP08 TCP09", None, ("stunnel",)), ("http-to-aiohttp-tls", "TLS02 | ~TLS02! H112 TCP08 TCP09", None, ("aiohttp",)), ("http-to-lighttpd-tls", "TLS02 | ~TLS02! H112 TCP08 TCP09 H101", None, ("lighttpd",))], at=CLIENT)
def http_to_tls(w, kind):
    w.pki(); resolver(w); serve(w, kind); w.begin(); w.rng.choice([lambda: get(w, "/", port=443, client=w.rng.choice(["curl", "wget", "go"]), timeout=6), lambda: ask(w, "/", port=443, client=w.rng.choice(["java", "requests"]), timeout=8)])()


@case("TLS36 | healthy | ?", at=CLIENT)
def mail_without_starttls(w):
    O.smtp(w); w.begin(); w.run("c", "swaks --server {S} --to a@b.example --from c@d.example -tls --timeout 6", timeout=12)


@case("TLS09 | ~TLS09! TLS10 TLS11", f"~TLS09! {SEALED} | ?", at=CLIENT, keep_keys=True)
def mail_certificate_of_another(w):
    w.pki("other"); w.zone_data = {w.name: [w.S]}; resolver(w); O.smtp(w, port=587, starttls=True); w.begin()
    w.run("c", "(sleep 1) | timeout 5 openssl s_client -starttls smtp -connect {name}:587 -servername {name} -verify_hostname {name} -CAfile {ca} -verify_return_error -keylogfile {out}.keys", timeout=10)


@case("TLS23 | ~TLS23! APP05", at=["client", "server"])
def frozen_accelerator(w):
    w.pki(); resolver(w); nginx(w, port=8080); child = O.hitch(w) if w.rng.random() < 0.5 else O.h2o(w); w.begin()
    os.killpg(child.pid, signal.SIGSTOP); w.rng.choice([lambda: get(w, "/", tls=True, client=w.rng.choice(["curl", "wget"]), timeout=7), lambda: ask(w, "/", tls=True, client="requests", timeout=7)])(); os.killpg(child.pid, signal.SIGCONT)


@case("~TLS24! H112 TCP09 FW08 | H112 | ~H112 TCP09", "? | ~TLS24! H112 TCP09 FW08 | H112 | ~H112 TCP09 | healthy | TLS31", at=["client"], keep_keys=True)
def backend_of_the_accelerator_is_gone(w):
    """TLS is agreed; behind it nothing listens, and the accelerator closes."""
    w.pki(); resolver(w); O.stunnel(w, backend=9) if w.rng.random() < 0.5 else O.hitch(w, backend=9); w.begin(); get(w, "/", tls=True, client=w.rng.choice(["curl", "wget"]), timeout=6)


@case("TLS07", f"~TLS07! {SEALED} | ?", at=CLIENT, keep_keys=True)
def expired_among_healthy_sites(w):
    """Three sites in one capture, one with an old certificate."""
    good = f"www.{w.zone}" if w.host != "www" else f"api.{w.zone}"
    w.zone_data = {w.name: [w.S], good: [w.T]}; resolver(w); nginx(w, ns="t", name="plain"); w.pki("expired"); ca = w.ca; O.h2o(w); w.begin()
    get(w, "/small", host=good, client="curl"); get(w, "/", tls=True, client=w.rng.choice(["curl", "go"]), timeout=6); get(w, "/page", host=good, client="wget")


@case("IP11 | IP09 | ~IP09 IP11 TLS23 APP05", "IP11 | IP09 | ~IP09 IP11 TLS23 APP05", at=["client", "server"], link=None, keep_keys=True, twists=False)
def large_flight_lost(w):
    """The certificates do not fit through a tunnel that says nothing."""
    w.ip("g", "link set wan mtu 1280"); w.pki("big", key="2048"); resolver(w); serve(w, w.rng.choice(["h2o", "hitch"]))
    sh(f"ip netns exec {w.ns('s')} ethtool -K eth0 tso off gso off; ip netns exec {w.ns('i')} ethtool -K srv gro off; ip netns exec {w.ns('i')} ethtool -K cust tso off gso off"); w.begin()
    get(w, "/", tls=True, client=w.rng.choice(["curl", "go", "wget"]), timeout=8)


@case("Q01 | FW15 | ~Q01! FW15 | healthy", "Q01 | FW15 | ~Q01! FW15 | healthy | ?", at=["client"], keep_keys=True, twists=False)
def browser_without_udp(w):
    """Chromium is told to use QUIC; UDP is blocked; it comes over TCP."""
    w.pki(); resolver(w); caddy(w); w.nft("g", "udp dport 443 drop"); w.begin(); ask(w, "/small", tls=True, client="chromium", more=f"--origin-to-force-quic-on={w.name}:443 --virtual-time-budget=8000", timeout=16)


@case("TLS11 | TLS15 | " + ISSUER, f"~TLS11! {SEALED} | ~TLS15! {SEALED} | ?", at=["client"], keep_keys=True)
def everything_intercepted(w):
    """A box of the company answers for two sites with certificates of its own."""
    second = f"mail.{w.zone}x"
    w.zone_data = {w.name: [w.S], second: [w.T]}; w.pki("rogue"); resolver(w); O.h2o(w)
    w.pki("rogue", name=second); nginx(w, ns="t", name="second", tls=True, port=443); w.truth = "TLS15 | TLS11 | " + ISSUER; w.begin()
    get(w, "/", tls=True, client="curl", timeout=6); get(w, "/", tls=True, host=second, client="curl", timeout=6)
