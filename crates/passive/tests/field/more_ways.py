"""Faults of the way: rate limits and shapers of the kernel, MTU without a word, tables that forget or are full, neighbours, DHCP, filters by content."""
import os, signal, time
from ground import PYTHON, TOOLS, sh
from cases import ALL, CLIENT, SIDES, SILENT, banner, case, delay, many
from more_healthy import ask
from others import SSH
import others as O
import programs as P
from programs import get, h3, nginx, node, site, resolver, unbound, named, write, haproxy, caddy, files

UPLOAD = dict(server="location /up { client_max_body_size 9m; proxy_pass http://127.0.0.1:8099; }\n", inside="client_max_body_size 20m; server { listen 8099; location / { return 200 ok; } }")


def iptables(w, ns, rule):
    sh(f"ip netns exec {w.ns(ns)} iptables {rule.format(**vars(w))}")


def echo(w, port=7000):
    w.spawn("s", f"socat TCP-LISTEN:{port},fork,reuseaddr EXEC:cat", port=port)


def put(w, size=400000, host=None, timeout=14):
    w.run("c", f"head -c {size} /dev/urandom | curl -sS -m {timeout} -o /dev/null -H 'Expect:' --data-binary @- http://{host or w.name}/up", timeout=timeout + 4)


# ---- rates ----

@many([("nft-limits-bytes", "IP17 | ~IP17! IP19 FW11", None, ("nft",)), ("hashlimit-drops", "IP17 | ~IP17! IP19 FW11", None, ("hash",))], link=delay(0.01, 0.04), at=["client", "server"], twists=False)
def kernel_polices(w, how):
    resolver(w); site(w, kind=w.rng.choice(["nginx", "apache", "caddy"]))
    rate = w.rng.choice([200, 400, 700])
    sh(f"ip netns exec {w.ns('s')} ethtool -K eth0 tso off gso off; ip netns exec {w.ns('i')} ethtool -K srv gro off")
    if how == "nft":
        w.nft("i", f"ip saddr {{S}} tcp sport 80 limit rate over {rate} kbytes/second burst {w.rng.choice([20, 40])} kbytes drop")
    else:
        iptables(w, "i", f"-A FORWARD -s {{S}} -p tcp --sport 80 -m hashlimit --hashlimit-name x --hashlimit-above {rate}kb/s --hashlimit-burst {rate}kb -j DROP")
    w.begin(); get(w, "/big", client="curl", timeout=40)


@case("IP18 | ~IP18! APP10 IP24", link=None, at=["client", "server"], twists=False)
def tbf_with_a_long_queue(w):
    w.zone_data = {w.name: [w.S]}; resolver(w); site(w, kind=w.rng.choice(["nginx", "apache"]))
    sh(f"ip netns exec {w.ns('i')} ethtool -K cust tso off gso off; tc -n {w.ns('i')} qdisc add dev cust root tbf rate {w.rng.choice([2, 3])}mbit burst 8kb latency {w.rng.choice([900, 1500])}ms"); w.ip("s", "route change default via {SR} congctl cubic"); w.begin()
    get(w, "/big", client="curl", timeout=40)


@case("healthy | APP10 | IP18 | IP17 | IP19 | ~APP10 IP17 IP18 IP19", link=None, at=["client", "server"], twists=False)
def ok_tbf_with_a_short_queue(w):
    """A thin line that is used up, with losses as TCP needs them: nothing is broken."""
    resolver(w); site(w, kind="nginx")
    sh(f"ip netns exec {w.ns('i')} ethtool -K cust tso off gso off; tc -n {w.ns('i')} qdisc add dev cust root tbf rate {w.rng.choice([4, 8])}mbit burst 16kb latency 60ms"); w.begin()
    get(w, "/big", client="curl", timeout=40)


@many([("statistic-random", "IP19 | ~IP19! TCP18", None, ("random --probability {p}",)), ("statistic-every-nth", "IP19 | ~IP19! TCP18 IP17", None, ("nth --every {n} --packet 0",))], link=delay(0.01, 0.05), at=["client", "server", "middle"], twists=False)
def statistic(w, how):
    resolver(w); site(w, kind=w.rng.choice(["nginx", "apache", "lighttpd", "caddy"]))
    sh(f"ip netns exec {w.ns('s')} ethtool -K eth0 tso off gso off; ip netns exec {w.ns('i')} ethtool -K srv gro off")
    iptables(w, "i", f"-A FORWARD -s {{S}} -p tcp -m statistic --mode {how.replace('{p}', str(w.rng.choice([0.02, 0.04, 0.08]))).replace('{n}', str(w.rng.choice([14, 30, 45])))} -j DROP")
    w.begin(); get(w, "/big", timeout=40, client=w.rng.choice(["curl", "wget", "go"]))


@case("IP19 | ~IP19! TCP18 IP20", link=delay(0.01, 0.05), at=["client", "server"], twists=False)
def upload_with_loss(w):
    resolver(w); nginx(w, **UPLOAD)
    sh(f"ip netns exec {w.ns('c')} ethtool -K eth0 tso off gso off; ip netns exec {w.ns('g')} ethtool -K lan gro off")
    iptables(w, "g", f"-A FORWARD -s {{C}} -p tcp --dport 80 -m statistic --mode random --probability {w.rng.choice([0.03, 0.06])} -j DROP")
    w.begin(); put(w, 900000, timeout=30)


@case("IP19 | ~IP19! IP20", link=None, at=["client"], twists=False)
def pings_lost(w):
    """Nothing but pings, a third of them unanswered."""
    iptables(w, "i", "-A FORWARD -p icmp -d {S} -m statistic --mode nth --every 3 --packet 1 -j DROP"); w.begin(at="client")
    w.run("c", "ping -c 24 -i 0.2 -W 1 {S}", timeout=20)


@case("IP20 | ~IP20! IP19 TCP18", link=None, at=["client", "server"], twists=False)
def cable_pulled_for_a_while(w):
    resolver(w); nginx(w, server="limit_rate 300k;"); w.begin()
    child = get(w, "/big", client=w.rng.choice(["curl", "wget"]), wait=False, timeout=40)
    time.sleep(1.2); w.ip("i", "link set srv down"); time.sleep(w.rng.uniform(1.5, 3)); w.ip("i", "link set srv up"); child.wait(40)


@case("~IP20 TCP11 IP04 IP05 FW05 | IP20 | TCP11", link=delay(0.005, 0.03), at=["client"], twists=False)
def download_goes_dark_for_good(w):
    resolver(w); nginx(w, server="limit_rate 200k;"); w.begin()
    child = get(w, "/big", client="curl", options="--speed-time 5 --speed-limit 1", wait=False, timeout=12)
    time.sleep(1.5); w.nft("i", w.rng.choice(["ip saddr {S} drop", "ip daddr {S} drop", "tcp sport 80 drop"])); child.wait(20)


@case("IP04 | ~IP04! TCP11 IP20", link=delay(0.005, 0.03), at=["client", "any"], twists=False)
def route_withdrawn_during_upload(w):
    resolver(w); nginx(w, **UPLOAD); w.begin()
    child = w.run("c", "head -c 3000000 /dev/urandom | curl -sS -m 9 --limit-rate 300k -o /dev/null -H 'Expect:' --data-binary @- http://{name}/up", wait=False)
    time.sleep(1.5); w.ip("g", "route add unreachable {S}/32"); child.wait(16)


# ---- MTU ----

@case("IP10 | ~IP10! TCP11 FW12 TLS21 | ~IP10! IP12", link=None, at=["client", "middle"], twists=False)
def mtu_differs_at_the_two_ends_up(w):
    """One end of a cable takes 1300 bytes, the other sends 1500: what is larger is gone without a word."""
    v6 = w.rng.random() < 0.4
    w.ip("i", f"link set cust mtu {w.rng.choice([1300, 1400])}"); w.zone_data = {w.name: [w.S6 if v6 else w.S]}
    resolver(w); nginx(w, **UPLOAD)
    sh(f"ip netns exec {w.ns('c')} ethtool -K eth0 tso off gso off; ip netns exec {w.ns('g')} ethtool -K lan gro off; ip netns exec {w.ns('g')} ethtool -K wan tso off gso off")
    w.begin(at="client"); put(w, 60000)


@case("IP09 | IP09 APP05 | ~IP09! IP12 APP05 | APP05 IP09", link=None, at=["client", "server"], twists=False)
def mtu_differs_at_the_two_ends_down(w):
    v6 = w.rng.random() < 0.4
    w.ip("g", f"link set wan mtu {w.rng.choice([1280, 1400])}"); w.zone_data = {w.name: [w.S6 if v6 else w.S]}
    resolver(w); site(w, kind=w.rng.choice(["apache", "lighttpd", "caddy", "nginx"]))
    sh(f"ip netns exec {w.ns('s')} ethtool -K eth0 tso off gso off; ip netns exec {w.ns('i')} ethtool -K srv gro off; ip netns exec {w.ns('i')} ethtool -K cust tso off gso off")
    w.begin(); ask(w, "/page", timeout=8, client=w.rng.choice(["java", "requests", "lynx"]))


@case("IP09 | IP16 | ~IP09 IP16 APP05 | APP05 IP09", at=["client"], link=None, twists=False)
def mtu_hole_in_a_vpn(w):
    """Inside the tunnel: the packets are larger than what the way below carries, and fragments are dropped."""
    O.openvpn(w, mtu="--tun-mtu 1500 --mssfix 0"); w.nft("i", "meta length > 1440 drop", "ip frag-off & 0x3fff != 0 drop", hook="prerouting", priority=-450, kind="filter"); site(w, kind="nginx")
    w.file, w.at = w.out + ".pcap", "client"
    w.catcher = w.spawn("c", f"tcpdump -Z root --immediate-mode -U -n -i tun0 -w {w.file}", ready="listening on")
    time.sleep(0.5); w.run("c", "ping -c 2 -i 0.2 -W 1 10.8.0.1; curl -sS -m 9 -o /dev/null http://10.8.0.1/page", timeout=14)


# ---- tables ----

@many([("conntrack-forgets-drop", "FW05 | ~FW05! TCP11 IP05 | ~TCP11! FW05", None, ("drop",)), ("conntrack-forgets-reset", "FW06 | ~FW06! TCP10 | ~TCP10! FW06", None, ("reject with tcp reset",))], at=["client"], twists=False)
def conntrack_forgets(w, act):
    """The kernel's own connection tracking with a short timeout, and a rule against what it does not know."""
    w.sysctl("g", "net.netfilter.nf_conntrack_tcp_timeout_established=2", "net.netfilter.nf_conntrack_tcp_loose=0")
    w.nft("g", f"ct state invalid meta l4proto tcp {act}", "ct state new tcp flags & (syn|ack) != syn " + act, hook="forward")
    kind = w.rng.choice(["echo", "redis", "ssh"])
    if kind == "redis":
        w.spawn("s", "redis-server --port 7000 --bind 0.0.0.0 --protected-mode no --save ''", port=7000)
    else:
        echo(w)
    w.begin()
    w.python("c", f"""c = socket.create_connection(({w.S!r}, 7000)); c.sendall(b'PING\\r\\n'); c.recv(9); time.sleep(5)
try: c.sendall(b'PING\\r\\n'); c.settimeout(7); c.recv(9)
except OSError as e: print(e)
d = socket.create_connection(({w.S!r}, 7000)); d.sendall(b'PING\\r\\n'); d.recv(9); d.close()""", wait=True, timeout=25)


@many([("too-many-connections-gateway", "~FW07 FW16 HST07 TCP03 FW01 IP08 TCP07 FW13 IP31 APP12", None, ("count",)), ("nat-out-of-ports", "~FW07 FW16 HST07 TCP03 FW01 IP08 TCP07 FW13 IP31 APP12", None, ("ports",))], at=["client"], twists=False)
def table_full(w, how):
    resolver(w); nginx(w, server="limit_rate 10k;")
    if how == "count":
        w.nft("g", "tcp dport 80 tcp flags & (syn|ack) == syn ct count over 5 drop")
    else:
        sh(f"ip -n {w.ns('i')} route del {w.lan}.0/24 via {w.W}")
        w.nft("g", "oifname wan meta l4proto tcp masquerade to :41000-41004", "oifname wan masquerade", hook="postrouting")
    w.begin()
    w.python("c", f"""
def one(k):
    c = socket.socket(); c.settimeout(6)
    try:
        c.connect(({w.S!r}, 80)); c.sendall(b'GET /page HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n')
        while c.recv(65536): pass
    except OSError: pass
    c.close()
all = [threading.Thread(target=one, args=(k,)) for k in range(10)]
for t in all: t.start(); time.sleep(0.05)
[t.join() for t in all]""", wait=True, timeout=30)


@case("~TCP11 FW05 IP05 IP20 IP09 FW12 APP05 FW11 FW13 | TCP11 | IP20", link=delay(0.005, 0.03), at=["client"], twists=False)
def cut_off_after_some_bytes(w):
    """A middlebox drops a connection silently once so many bytes went through."""
    resolver(w); nginx(w, server="limit_rate 120k;"); iptables(w, "i", "-A FORWARD -p tcp --sport 80 -m connbytes --connbytes 150000: --connbytes-dir both --connbytes-mode bytes -j DROP"); iptables(w, "i", "-A FORWARD -p tcp --dport 80 -m connbytes --connbytes 150000: --connbytes-dir both --connbytes-mode bytes -j DROP")
    w.sysctl("i", "net.netfilter.nf_conntrack_acct=1"); w.begin(); get(w, "/big", client="curl", options="--speed-time 6 --speed-limit 1", timeout=14)


# ---- filters by content ----

@many([("string-match-drop-tls", "FW10 | ~FW10! TLS21 IP10", None, ("DROP", True)), ("string-match-reset-tls", "FW08 | ~FW08! TLS24", None, ("REJECT --reject-with tcp-reset", True)),
       ("string-match-drop-http", "FW12 | ~FW12! IP10 TCP11 FW10", None, ("DROP", False)), ("string-match-reset-http", "FW12 | ~FW12! TCP08 TCP09 FW09 | ~TCP08 TCP09 FW12 FW09", None, ("REJECT --reject-with tcp-reset", False))], link=delay(0.01, 0.05), at=["client"], twists=False)
def kernel_filters_by_content(w, act, tls):
    """The kernel's own string match, as cheap filters use it. Another site at the same address passes."""
    other = f"www.{w.rng.choice(['meadow', 'harbour'])}.example"
    w.zone_data = {w.name: [w.S], other: [w.S]}
    if tls:
        w.pki()
    resolver(w); site(w, tls=tls, kind="nginx"); iptables(w, w.rng.choice("gi"), f"-I FORWARD -p tcp --dport {443 if tls else 80} -m string --algo bm --string {{name}} -j {act}"); w.begin(at="client")
    if w.rng.random() < 0.6:
        get(w, "/small", tls=tls, host=other, client="curl", insecure=tls)
    (ask(w, "/", tls=tls, client=w.rng.choice(["java", "requests", "aria2"]), timeout=7) if w.rng.random() < 0.5 else get(w, "/", tls=tls, client=w.rng.choice(["curl", "wget", "python"]), timeout=7))


@case("~DNS02 DNS12 DNS15 DNS13 DNS44 DNS03 DNS16", at=["client"], twists=False)
def names_dropped_by_string(w):
    """Questions for one name vanish; those for others are answered."""
    other = "www.meadow.example"
    label = w.name.split(".")[1]
    w.zone_data = {w.name: [w.S], other: [w.T]}; resolver(w, kind="python"); iptables(w, "i", f"-I FORWARD -p udp --dport 53 -m string --algo bm --string {label} -j DROP"); w.begin(at="client")
    w.run("c", f"dig +tries=1 +timeout=2 {other} @{w.D}"); get(w, "/", client=w.rng.choice(["curl", "python"]), timeout=12); w.run("c", f"dig +tries=1 +timeout=2 {other} AAAA @{w.D}")


@case("FW14 | TCP08 | TCP09 | ~FW14 TCP08 TCP09 TCP01 FW02", at=["client"], link=delay(0.01, 0.04), twists=False)
def answers_for_every_port(w):
    """A SYN proxy in front of a host on which the ports are closed."""
    w.sysctl("i", "net.netfilter.nf_conntrack_tcp_loose=0")
    w.nft("i", "meta l4proto tcp ip daddr {S} tcp flags syn notrack", hook="prerouting", priority=-300, kind="filter")
    w.nft("i", "meta l4proto tcp ip daddr {S} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm", "ct state invalid drop", hook="forward")
    w.begin(at="client"); w.run("c", "curl -sS -m 3 http://{S}:8080/; curl -sS -m 3 http://{S}:2222/; curl -sS -m 3 http://{S}:9999/", timeout=14)


@case("TCP14 | TCP13 | ~TCP14 TCP13 | healthy", link=delay(0.09, 0.16), at=["client", "server"], twists=False)
def window_scaling_taken_out(w):
    w.nft(w.rng.choice("gi"), "tcp flags syn reset tcp option window", hook="forward"); resolver(w); site(w, kind=w.rng.choice(["nginx", "caddy"])); w.begin()
    get(w, "/big", client="curl", timeout=40)


@case("TCP21 | ?", link=delay(0.005, 0.02), at=["client", "server"], twists=False)
def segments_clamped_to_nothing(w):
    w.nft("g", f"tcp flags syn tcp option maxseg size set {w.rng.choice([96, 160, 216])}", hook="forward"); resolver(w); site(w, kind="nginx"); w.begin(); get(w, "/page")


@case("IP19 | TCP20 | ~IP19! TCP20 TCP18", link=delay(0.02, 0.04), at=["client", "server"], twists=False)
def losses_without_sack(w):
    """A middlebox forbids SACK, and packets are lost."""
    w.nft("g", "tcp flags syn reset tcp option sack-perm", hook="forward"); sh(f"ip netns exec {w.ns('s')} ethtool -K eth0 tso off gso off; ip netns exec {w.ns('i')} ethtool -K srv gro off")
    iptables(w, "i", "-A FORWARD -s {S} -p tcp --sport 80 -m statistic --mode random --probability 0.03 -j DROP"); resolver(w); site(w, kind="nginx"); w.begin()
    get(w, "/big", client="curl", timeout=45)


# ---- silence, refusal, messages ----

@case(SILENT, at=["client", "any"], nat=True, twists=False)
def port_of_another_service_silent(w):
    port = w.rng.choice([22, 25, 3306, 5432, 6379, 1883])
    w.nft(w.rng.choice("is"), f"tcp dport {port} drop", hook="forward"); w.nft("s", f"tcp dport {port} drop", hook="input"); w.begin()
    w.run("c", {22: f"ssh {SSH} root@{{S}} true", 25: "swaks --server {S} --to a@b.example --timeout 8", 3306: "mysql -h {S} -u root --connect-timeout=8", 5432: "timeout 8 psql -h {S} -U a -d b",
                6379: "timeout 8 redis-cli -h {S} PING", 1883: "timeout 8 mosquitto_pub -h {S} -t a -m b"}[port], timeout=16)


@case("TCP01 | ~TCP01! FW02", at=ALL, nat=True)
def port_of_another_service_closed(w):
    w.begin()
    w.run("c", w.rng.choice([f"ssh {SSH} root@{{S}} true", "swaks --server {S} --to a@b.example --timeout 8", "mysql -h {S} -u root --connect-timeout=8", "psql -h {S} -U a -d b", "redis-cli -h {S} PING", "mosquitto_pub -h {S} -t a -m b",
                             "git clone -q git://{S}/x.git {dir}/x", "rsync rsync://{S}/x", "ftp -n {S} </dev/null", "kdig +tcp +retry=0 a.example @{S}"]), timeout=14)


@case("FW03 | ~FW03! TCP01 IP04", at=CLIENT, nat=True)
def other_service_rejected(w):
    w.nft("i", f"meta l4proto tcp reject with icmpx type {w.rng.choice(['admin-prohibited', 'port-unreachable'])}"); w.begin()
    w.run("c", w.rng.choice([f"ssh {SSH} root@{{S}} true", "mysql -h {S} -u root --connect-timeout=5", "timeout 6 psql -h {S} -U a -d b", "timeout 6 redis-cli -h {S} PING"]), timeout=14)


@case("~>=1 IP05! FW01! TCP06 IP07 | ~>=2 FW01 IP05 TCP06 IP07 TCP03", at=["client"], twists=False)
def host_down_pings_and_ports(w):
    w.nft("i", "ip daddr {S} drop"); w.begin(); w.run("c", "ping -c 3 -i 0.4 -W 1 {S}; curl -sS -m 5 http://{S}/; curl -sS -m 4 http://{S}:8080/", timeout=20)


@case("~>=1 FW01! TCP03 IP07 IP05 TCP06", at=["client"], twists=False)
def port_silent_host_pings(w):
    w.nft("s", "tcp dport 8443 drop", hook="input"); w.begin(); w.run("c", "ping -c 3 -i 0.4 -W 1 {S}; curl -sS -m 7 http://{S}:8443/", timeout=20)


@case("IP28 | TCP07 | ~IP28 TCP07 | ~IP28! FW01", at=["client"], twists=False)
def ecn_syn_dropped_by_kernel(w):
    w.sysctl("c", "net.ipv4.tcp_ecn=1"); resolver(w); site(w); iptables(w, "i", "-A FORWARD -p tcp --syn -m ecn --ecn-tcp-cwr --ecn-tcp-ece -j DROP"); w.begin()
    get(w, "/small", client=w.rng.choice(["curl", "wget"]), timeout=14)


@case("IP08 | ~FW07 FW16 TCP03 IP08 HST07 FW01 IP19 TCP07 APP12 IP31", at=["client"], twists=False)
def half_of_the_ports_fail(w):
    w.nft("g", "tcp dport 80 tcp sport & 1 == 0 drop"); resolver(w); site(w, kind="nginx"); w.begin()
    w.python("c", f"""
def one(k):
    c = socket.socket(); c.settimeout(6); c.bind(('0.0.0.0', 42000 + k))
    try:
        c.connect(({w.S!r}, 80)); c.sendall(b'GET /small HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n')
        while c.recv(65536): pass
    except OSError: pass
    c.close()
all = [threading.Thread(target=one, args=(k,)) for k in range(12)]
[t.start() for t in all]; [t.join() for t in all]""", wait=True, timeout=20)


@case("IP31 | ~IP31! TCP01 FW02 FW01 TCP07 IP04 LNK05", at=CLIENT, twists=False)
def second_address_dead_by_other_clients(w):
    w.ip("s", "addr add {S2}/24 dev eth0"); w.zone_data = {w.name: [w.S, w.S2]}; resolver(w, kind=w.rng.choice(["unbound", "named"])); nginx(w)
    a = w.rng.choice(["{S}", "{S2}"])
    w.nft("i", f"ip daddr {a} tcp dport 80 " + w.rng.choice(["reject with tcp reset", "reject with icmp type host-unreachable"]))
    w.begin()
    for _ in range(4):
        get(w, "/small", client=w.rng.choice(["curl", "wget", "go"]), timeout=8)


@case("IP13 | ~IP13! IP04 LNK05 FW01 TCP07 FW03 TCP01", at=CLIENT, twists=False)
def v6_dead_other_clients(w):
    w.zone_data = {w.name: [w.S, w.S6]}; resolver(w); nginx(w)
    w.nft("i", "ip6 daddr {S6} " + w.rng.choice(["drop", "reject with icmpv6 type no-route", "reject with icmpv6 type addr-unreachable", "tcp dport 80 reject with tcp reset"])); w.begin()
    w.rng.choice([lambda: ask(w, "/page", client="chromium", timeout=20), lambda: get(w, "/page", client="wget", timeout=9), lambda: ask(w, "/page", client="aria2", timeout=12), lambda: get(w, "/page", client="curl")])()


@case("IP13 | ~IP13! IP09 IP12 APP05 | IP12 | ~IP12! IP09 APP05 | IP09 | ~IP09! APP05", at=["client"], link=None, twists=False)
def v6_large_packets_lost(w):
    """IPv6 connects, but its large packets are lost; the client comes back over IPv4."""
    w.zone_data = {w.name: [w.S, w.S6]}; resolver(w); nginx(w); w.nft("i", "meta nfproto ipv6 meta length > 1300 drop"); sh(f"ip netns exec {w.ns('s')} ethtool -K eth0 tso off gso off; ip netns exec {w.ns('i')} ethtool -K srv gro off"); w.begin()
    w.run("c", "curl -sS -6 -m 6 -o /dev/null http://{name}/page; curl -sS -4 -m 6 -o /dev/null http://{name}/page", timeout=16)


# ---- neighbours, DHCP, routers ----

@case("LNK04", at=["client"], link=None, twists=False)
def gateway_dies_in_the_middle(w):
    resolver(w); nginx(w, server="limit_rate 100k;"); w.sysctl("c", "net.ipv4.neigh.eth0.base_reachable_time_ms=1000", "net.ipv4.neigh.eth0.delay_first_probe_time=1"); w.begin(at="client")
    child = get(w, "/big", client="curl", options="--speed-time 8 --speed-limit 1", wait=False, timeout=16); time.sleep(1.5)
    w.ip("g", "link set lan down"); time.sleep(0.2); w.run("c", "sleep 1; curl -sS -m 7 http://{T}/", timeout=12); child.wait(20)


@case("LNK06 | ~LNK06! IP31 TCP01 TCP09 TCP10 FW02 LNK13", at=["client"], link=None, twists=False)
def stranger_claims_the_gateway(w):
    """A second machine on the LAN answers for the gateway's address, too."""
    resolver(w); site(w, kind="nginx")
    w.begin(at="client"); get(w, "/small", client="curl")
    w.python("g", "for k in range(3):\n  arp('lan', 2, %r, %r, to=%r, mac='02:de:ad:be:ef:01'); time.sleep(0.5)" % (w.G, w.C, sh(f"ip netns exec {w.ns('c')} cat /sys/class/net/eth0/address").strip()), wait=True, timeout=10)
    w.run("c", "curl -sS -m 5 http://{S}/", timeout=9)


@case("LNK02 | ~LNK02! LNK03 LNK10", at=["client"], link=None, twists=False)
def dhclient_unanswered(w):
    w.begin(at="client"); w.run("c", f"timeout 16 dhclient -1 -d -sf /bin/true -lf {w.dir}/dhl -pf {w.dir}/dhp eth0", timeout=20)


@case("LNK03 | LNK02 | ~LNK02 LNK03", at=["client"], link=None, twists=False)
def dhcp_pool_used_up(w):
    """The only address of the pool is given to somebody else."""
    open(f"{w.dir}/leases", "w").write(f"{int(time.time()) + 9000} 02:11:22:33:44:55 {w.lan}.120 other *\n")
    w.spawn("g", f"dnsmasq -k -C /dev/null --port=0 --interface=lan --bind-interfaces --dhcp-range={w.lan}.120,{w.lan}.120,600 --dhcp-leasefile={w.dir}/leases --user=root --pid-file={w.dir}/dm2.pid", udp=67); w.begin(at="client")
    w.run("c", "udhcpc -i eth0 -n -q -t 4 -T 1 -s /bin/true", timeout=15)


@case("healthy | LNK03", at=["client"], link=None, twists=False)
def ok_dhcp_nak_then_lease(w):
    """The address of another net is refused, a new one is given: the usual after a move."""
    w.spawn("g", f"dnsmasq -k -C /dev/null --port=0 --interface=lan --bind-interfaces --dhcp-authoritative --dhcp-range={w.lan}.120,{w.lan}.130,600 --dhcp-leasefile={w.dir}/leases --user=root --pid-file={w.dir}/dm2.pid", udp=67)
    write(w, "dhl", 'lease {\n  interface "eth0";\n  fixed-address 10.66.1.9;\n  option subnet-mask 255.255.255.0;\n  option dhcp-lease-time 90000;\n  option dhcp-server-identifier 10.66.1.1;\n  renew 4 2036/01/01 00:00:00;\n  rebind 4 2036/01/01 00:00:00;\n  expire 4 2036/01/01 00:00:00;\n}\n')
    w.begin(at="client"); w.run("c", f"timeout 12 dhclient -1 -d -sf /bin/true -lf {w.dir}/dhl -pf {w.dir}/dhp eth0", timeout=15)


@case("LNK13 | ?", at=["client"], link=None, twists=False)
def two_dhcp_servers(w):
    w.ip("g", "link add lan2 link lan type macvlan mode bridge", "link set lan2 up", "addr add {lan}.66/24 dev lan2")
    for dev, low, gw in [("lan", 100, w.G), ("lan2", 200, f"{w.lan}.66")]:
        w.spawn("g", f"dnsmasq -k -C /dev/null --port=0 --interface={dev} --bind-interfaces --except-interface=lo --dhcp-range={w.lan}.{low},{w.lan}.{low + 9},600 --dhcp-option=3,{gw} --dhcp-leasefile={w.dir}/leases-{dev} --user=root --pid-file={w.dir}/{dev}.pid", udp=67)
    time.sleep(0.3); w.begin(at="client"); w.run("c", f"timeout 12 dhclient -1 -d -sf /bin/true -lf {w.dir}/dhl -pf {w.dir}/dhp eth0; udhcpc -i eth0 -n -q -t 3 -T 2 -s /bin/true", timeout=25)


@case("LNK13 | ?", at=["client"], link=None, twists=False)
def two_routers_advertise(w):
    """A stranger on the LAN says that it is the router, with another prefix and a high preference."""
    w.ip("g", "link add lan2 link lan type macvlan mode bridge", "link set lan2 up")
    text = lambda dev, prefix, more: f"interface {dev} {{ AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; {more} prefix {prefix}::/64 {{ AdvOnLink on; AdvAutonomous on; }}; }};\n"
    write(w, "r1", text("lan", w.C6.split("::")[0], "")); write(w, "r2", text("lan2", "fd66:6:6", "AdvDefaultPreference high;"))
    w.begin(at="client"); w.spawn("g", f"radvd -n -C {w.dir}/r1 -p {w.dir}/r1.pid -m stderr -u root"); w.spawn("g", f"radvd -n -C {w.dir}/r2 -p {w.dir}/r2.pid -m stderr -u root"); time.sleep(7)


# ---- tunnels ----

@case("FW23 | ~FW23! FW15 FW01 IP05 | ~FW15! FW01 IP05", at=["client"], twists=False)
def wireguard_unanswered(w):
    (a, A), (b, B) = O.wireguard_keys(), O.wireguard_keys()
    w.nft("i", "udp dport 51820 drop"); name = f"w{w.id[1:]}c"
    O.wireguard(w, "c", name, "10.9.0.2", "10.9.0.1", a, B, endpoint=f"{w.S}:51820"); w.ip("c", f"route add 10.9.0.1/32 dev {name}"); w.begin(at="client"); w.run("c", "curl -sS -m 13 http://10.9.0.1/", timeout=18)


@case("FW23 | ~FW23! FW15 FW01 IP05 FW03 TCP01 | ~FW15! FW01 IP05", at=["client"], twists=False)
def openvpn_unanswered(w):
    """A VPN that starts and finds no server."""
    w.pki(); w.client_certificate(); w.nft("i", "udp dport 1194 drop"); w.begin(at="client")
    w.run("c", "timeout 14 openvpn --client --dev tun9 --proto udp --remote {S} 1194 --ca {dir}/ca.pem --cert {dir}/me.pem --key {dir}/me.key --nobind --connect-retry 1", timeout=20)


# ---- the server's side ----

@case("TCP03 | ~>=2 TCP03! FW01 IP05 TCP06 IP07 | ~TCP03! APP04 APP05", at=["client", "server"], twists=False)
def gunicorn_queue_full(w):
    """One worker that is busy, a queue of one, and more visitors."""
    O.gunicorn(w, "time.sleep(30)\nstart('200 OK', [])\nreturn [b'x']", more="--backlog 1 -t 60"); w.begin()
    w.python("c", f"""
def one(k):
    c = socket.socket(); c.settimeout(7)
    try: c.connect(({w.S!r}, 80)); c.sendall(b'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); time.sleep(5)
    except OSError: pass
    c.close()
t = [threading.Thread(target=one, args=(k,)) for k in range(7)]
for x in t: x.start(); time.sleep(0.1)
[x.join() for x in t]""", wait=True, timeout=25)


@case("APP08 | ~APP08! TCP12 TCP13", at=["client", "server"], link=delay(0.005, 0.02), twists=False)
def client_reads_slowly(w):
    resolver(w); site(w, kind=w.rng.choice(["nginx", "apache"])); w.begin()
    w.python("c", f"""c = socket.socket(); c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20000); c.connect(({w.S!r}, 80))
c.sendall(b'GET /big HTTP/1.1\\r\\nHost: {w.name}\\r\\nConnection: close\\r\\n\\r\\n'); end = time.time() + 7
while time.time() < end and c.recv(8000): time.sleep(0.25)
c.close()""", wait=True, timeout=25)


@case("TCP12 | ~TCP12! APP05 APP04 APP08", at=["client", "server"], link=delay(0.005, 0.02), twists=False)
def upload_to_a_frozen_program(w):
    resolver(w); server = O.aiohttp(w, "n = 0\nasync for part in request.content.iter_chunked(65536): n += len(part)\nreturn web.Response(text=str(n))"); w.begin()
    child = w.run("c", "head -c 40000000 /dev/zero | curl -sS -m 12 --limit-rate 4M -o /dev/null -H 'Expect:' --data-binary @- http://{name}/up", wait=False); time.sleep(0.9)
    os.killpg(server.pid, signal.SIGSTOP); time.sleep(5); os.killpg(server.pid, signal.SIGCONT); child.wait(20)


@case("~TCP11! IP20 FW05 IP05 IP09 | IP20 | TCP11 | ~TCP11 IP20 FW05 IP05", at=["client"], twists=False)
def server_loses_its_power(w):
    """In the middle of a session, with nothing left to say goodbye."""
    kind = w.rng.choice(["ssh", "mqtt"])
    if kind == "ssh":
        O.sshd(w); w.begin(); child = w.run("c", f"ssh {SSH} -o ServerAliveInterval=1 -o ServerAliveCountMax=3 root@{{S}} 'while :; do date; sleep 0.3; done' >/dev/null", wait=False)
    else:
        write(w, "mq.conf", "listener 1883 0.0.0.0\nallow_anonymous true\nuser root\n"); w.spawn("s", "mosquitto -c {dir}/mq.conf", port=1883); w.begin()
        child = w.run("c", "timeout 12 mosquitto_sub -h {S} -t a/# -k 5", wait=False); w.run("c", "mosquitto_pub -h {S} -t a/b -m hello")
    time.sleep(2); w.nft("i", "ip saddr {S} drop", "ip daddr {S} drop"); time.sleep(8); w.stop(child, signal.SIGKILL)


@case("TCP10 | ~TCP10! FW06", at=["client"], twists=False)
def server_restarts_in_a_session(w):
    """The server's host comes back without memory: the next packet of the old session is answered with a reset."""
    w.spawn("s", "redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --save ''", port=6379); w.begin()
    child = w.python("c", f"c = socket.create_connection(({w.S!r}, 6379)); c.sendall(b'PING\\r\\n'); c.recv(9); print('READY', flush=True); time.sleep(3)\ntry: c.sendall(b'PING\\r\\n'); time.sleep(0.5); c.recv(9)\nexcept OSError as e: print(e)")
    w.nft("s", "tcp sport 6379 drop", hook="output"); w.run("s", "ss -K sport = 6379"); time.sleep(1); w.unfilter("s"); child.wait(12)
