"""Namespaces, a lossy wire and small servers: the ground on which `record.py` makes its captures.

Client `c`, router `r`, server `s` and name server `d` are namespaces of their own, joined by veth pairs with all
offloads that the kernel gives them. Where a way needs delay, loss or another impairment, a program of ours stands
between router and server as a pair of TAP devices (this kernel may lack netem).
"""
import ctypes, fcntl, heapq, os, random, select, shutil, signal, socket, struct, subprocess, sys, time

HERE = os.path.abspath(os.path.dirname(__file__))
LIBC = ctypes.CDLL(None, use_errno=True)


def sh(command, check=True):
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
    return done.stdout


class Net:
    """One network, made for one capture and taken away afterwards."""

    def __init__(self, number, out, seed, wire=None, mtu=1500):
        self.id, self.out, self.running = f"kd{number}", out, []
        rng = random.Random(seed)
        lan = f"192.168.{rng.randrange(1, 250)}" if rng.random() < 0.5 else f"10.{rng.randrange(256)}.{rng.randrange(256)}"
        far = f"{rng.choice(['198.51.100', '203.0.113', '192.0.2', '100.64.7'])}"
        names = f"172.{rng.randrange(16, 32)}.{rng.randrange(256)}"
        self.C, self.G = f"{lan}.{rng.randrange(20, 200)}", f"{lan}.1"
        self.S, self.D = f"{far}.{rng.randrange(20, 200)}", f"{names}.53"
        self.FAR, self.NAMES = f"{far}.1", f"{names}.1"
        self.C6, self.G6 = "2001:db8:1::c", "2001:db8:1::1"
        self.S6, self.FAR6 = "2001:db8:2::5", "2001:db8:2::1"
        self.name = rng.choice(["www.shop.test", "api.bank.example", "files.site.test", "mail.corp.example"])
        for ns in "crsd":
            sh(f"ip netns add {self.ns(ns)} && ip -n {self.ns(ns)} link set lo up")
            sh(f"ip netns exec {self.ns(ns)} sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0 "
               "net.ipv4.icmp_ratelimit=0 net.ipv4.tcp_no_metrics_save=1")
        self.veth("c", "c0", "r", "rc")
        self.veth("d", "d0", "r", "rd")
        if wire is None:
            self.veth("s", "s0", "r", "rs")
        else:
            self.spawn("r", [sys.executable, __file__, "wire", self.ns("r"), self.ns("s"), repr(wire)], ready="ready")
        r = self.ns("r")
        sh(f"ip netns exec {r} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0")
        for ns, dev, addrs in [("c", "c0", [self.C + "/24", self.C6 + "/64"]), ("d", "d0", [self.D + "/24"]),
                               ("s", "s0", [self.S + "/24", self.S6 + "/64"]),
                               ("r", "rc", [self.G + "/24", self.G6 + "/64"]), ("r", "rd", [self.NAMES + "/24"]),
                               ("r", "rs", [self.FAR + "/24", self.FAR6 + "/64"])]:
            for address in addrs:
                sh(f"ip -n {self.ns(ns)} addr add {address} dev {dev} {'nodad' if ':' in address else ''}")
            sh(f"ip -n {self.ns(ns)} link set {dev} up mtu {mtu if ns != 'r' else 1500}")
        for ns, via, via6 in [("c", self.G, self.G6), ("s", self.FAR, self.FAR6), ("d", self.NAMES, None)]:
            sh(f"ip -n {self.ns(ns)} route add default via {via}")
            if via6:
                sh(f"ip -n {self.ns(ns)} -6 route add default via {via6}")
        self.resolvers(self.D)

    def ns(self, letter):
        return f"{self.id}{letter}"

    def veth(self, a, dev_a, b, dev_b):
        sh(f"ip link add {dev_a} netns {self.ns(a)} type veth peer name {dev_b} netns {self.ns(b)}")

    def resolvers(self, *addresses, options="timeout:2 attempts:2"):
        folder = f"/etc/netns/{self.ns('c')}"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/resolv.conf", "w") as file:
            file.writelines(f"nameserver {address}\n" for address in addresses)
            file.write(f"options {options}\n" if "search" not in options else options)
        with open(f"{folder}/hosts", "w") as file:
            file.write("127.0.0.1 localhost\n")

    def run(self, ns, command, timeout=60, check=False):
        """Runs a shell line in a namespace to its end."""
        line = command.format(**vars(self))
        env = {**os.environ, "SSLKEYLOGFILE": self.out + ".keys"} if ns == "c" else os.environ
        try:
            return subprocess.run(["ip", "netns", "exec", self.ns(ns), "sh", "-c", line], capture_output=True,
                                  text=True, timeout=timeout, check=check, env=env)
        except subprocess.TimeoutExpired:
            return None

    def spawn(self, ns, command, ready=None):
        """Starts a program in a namespace; `ready`: what it says when it can be used."""
        if isinstance(command, str):
            command = ["sh", "-c", "exec " + command.format(**vars(self))]
        child = subprocess.Popen(["ip", "netns", "exec", self.ns(ns), *command], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, start_new_session=True)
        self.running.append(child)
        while ready:
            line = child.stdout.readline().decode(errors="replace")
            if not line:
                raise RuntimeError(f"{command} ended: {child.poll()}")
            if ready in line:
                break
        return child

    def stop(self, child, how=signal.SIGTERM):
        if child in self.running:
            self.running.remove(child)
            os.killpg(child.pid, how)
            child.wait()

    def serve(self, code, ns="s"):
        """Starts a server in Python: it says READY when it listens, or a thread of it does."""
        code = "import sys; sys.path.insert(0, %r)\nfrom network import *\n" % HERE + code.format(**vars(self))
        return self.spawn(ns, [sys.executable, "-u", "-c", code], ready="READY")

    def dns(self, ns="d", **how):
        how.setdefault("zone", {self.name: [self.S]})
        return self.serve("name_server(%s)" % repr(how).replace("{", "{{").replace("}", "}}"), ns=ns)

    def capture(self, at="c:c0", snap=None, suffix="", also=""):
        ns, device = at.split(":")
        size = f"-s {snap}" if snap else ""
        return self.spawn(ns, f"tcpdump --immediate-mode -B 8192 -U -n {size} -i {device} {also} -w {self.out}{suffix}.pcap",
                          ready="listening on")

    def nft(self, ns, *rules, hook="forward", family="inet"):
        """Rules of a router's or a host's firewall, in a chain of their own."""
        run = lambda line: sh(f"ip netns exec {self.ns(ns)} nft '{line.format(**vars(self))}'")
        run(f"add table {family} t")
        run(f"add chain {family} t {hook} {{{{ type {'nat' if hook in ('postrouting', 'prerouting') else 'filter'} hook {hook} priority 0; }}}}")
        for rule in rules:
            run(f"add rule {family} t {hook} {rule}")

    def unfilter(self, ns):
        sh(f"ip netns exec {self.ns(ns)} nft flush ruleset")

    def close(self):
        for child in reversed(self.running):
            try:
                os.killpg(child.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
            try:
                child.wait(2)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        for ns in "crsd":
            sh(f"ip netns del {self.ns(ns)}", check=False)
        shutil.rmtree(f"/etc/netns/{self.ns('c')}", ignore_errors=True)


# ---- the wire ----

def tap(namespace, name):
    with open(f"/run/netns/{namespace}") as file:
        if LIBC.setns(file.fileno(), 0x4000_0000):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x4004_54CA, struct.pack("16sH22x", name.encode(), 0x1002))
    sh(f"ip link set {name} txqueuelen 2000")
    return fd


class Direction:
    """One direction of the wire: what happens to a frame in it."""

    def __init__(self, how, rng):
        self.how, self.rng, self.free, self.queued, self.tokens, self.last = how, rng, 0.0, [], None, 0.0
        self.begun = None

    def take(self, frame, now):
        """Times at which copies of the frame arrive."""
        how, rng = self.how, self.rng
        ip = frame[12:14] in (b"\x08\x00", b"\x86\xdd")
        if not ip:
            return [(now + how.get("delay", 0), frame)]
        if frame[23] == 6:
            self.begun = self.begun or now
        if len(frame) - 14 > how.get("mtu", 99999):
            return []
        out = how.get("outage")
        if out and self.begun and out[0] <= now - self.begun < out[1]:
            return []
        if rng.random() < how.get("loss", 0):
            return []
        police = how.get("police")
        if police:
            rate, burst = police
            self.tokens = min(burst, (burst if self.tokens is None else self.tokens) + (now - self.last) * rate / 8)
            self.last = now
            if self.tokens < len(frame):
                return []
            self.tokens -= len(frame)
        arrive = now + how.get("delay", 0) + rng.random() * how.get("jitter", 0)
        if rng.random() < how.get("reorder", 0):
            arrive += how.get("reorder_by", 0.004)
        if "rate" in how:
            self.queued = [done for done in self.queued if done > now]
            if len(self.queued) >= how.get("queue", 1000):
                return []
            self.free = max(self.free, now) + len(frame) * 8 / how["rate"]
            self.queued.append(self.free)
            arrive += self.free - now
        if rng.random() < how.get("corrupt", 0) and len(frame) > 60:
            bad = bytearray(frame)
            bad[rng.randrange(54, len(frame))] ^= 1 << rng.randrange(8)
            frame = bytes(bad)
        copies = [(arrive, frame)]
        if rng.random() < how.get("duplicate", 0):
            copies.append((arrive + 0.0004, frame))
        return copies


def wire(router, server, how):
    rng = random.Random(how.get("seed", 1))
    up, down = tap(router, "rs"), tap(server, "s0")
    ways = {up: (down, Direction({**how, **how.get("up", {})}, rng)), down: (up, Direction({**how, **how.get("down", {})}, rng))}
    print("ready", flush=True)
    due, count = [], 0
    while True:
        now = time.monotonic()
        while due and due[0][0] <= now:
            _, _, fd, frame = heapq.heappop(due)
            try:
                os.write(fd, frame)
            except OSError:
                pass
        wait = max(0, due[0][0] - now) if due else 1
        for fd in select.select([up, down], [], [], min(wait, 1))[0]:
            for _ in range(64):
                try:
                    frame = os.read(fd, 70_000)
                except BlockingIOError:
                    break
                to, direction = ways[fd]
                for arrive, copy in direction.take(frame, time.monotonic()):
                    count += 1
                    heapq.heappush(due, (arrive, count, to, copy))


# ---- servers ----

def listen(port, address="::", backlog=64):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.socket(family)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(backlog)
    return server


def serve(port, handle, context=None, address="::"):
    """Calls `handle` with each connection; TLS is done before, if there is a context."""
    import threading
    server = listen(port, address)
    print("READY", flush=True)

    def one(connection):
        try:
            if context:
                connection = context.wrap_socket(connection, server_side=True)
            handle(connection)
        except OSError:
            pass
        finally:
            connection.close()

    while True:
        connection, _ = server.accept()
        threading.Thread(target=one, args=(connection,), daemon=True).start()


def request(connection):
    """The head of a request, and as much of its body as came with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return data
        data += more
    return data


def swallow(connection, count):
    """Reads so much of a body at least."""
    while count > 0:
        more = connection.recv(65536)
        if not more:
            return
        count -= len(more)


def page(body, status="200 OK", extra=""):
    if isinstance(body, str):
        body = body.encode()
    return f"HTTP/1.1 {status}\r\nServer: test\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


def answer(status="200 OK", size=2000, extra="", after=0.0):
    def handle(connection):
        while request(connection):
            time.sleep(after)
            connection.sendall(page(b"x" * size, status, extra))
    return handle


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def tls(certificate, low=None, high=None, ciphers=None, alpn=None, client_ca=None):
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate + ".pem", certificate + ".key")
    context.minimum_version = low or ssl.TLSVersion.TLSv1_2
    if high:
        context.maximum_version = high
    if ciphers:
        context.set_ciphers(ciphers)
    if alpn:
        context.set_alpn_protocols(alpn)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


def name_server(how):
    """A name server that knows a zone, or fails in one way: see the keys read here."""
    import threading
    zone, cnames = how.get("zone", {}), how.get("cnames", {})
    kinds = {1: socket.AF_INET, 28: socket.AF_INET6}

    def encode(name):
        return b"".join(bytes([len(label)]) + label.encode() for label in name.strip(".").split(".")) + b"\0"

    def reply(query, udp=True):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, (kind, _) = ".".join(labels).lower(), struct.unpack("!HH", query[at + 1:at + 5])
        question = query[12:at + 5]
        if how.get("silent") or kind in how.get("silent_kinds", []) or name in how.get("silent_names", []):
            return None
        time.sleep(how.get("delay", 0))
        rcode, answers, flags = how.get("rcode", 0), [], 0x8180
        known, seen = name, 0
        while known in cnames and seen < 10:
            answers.append(encode(known) + struct.pack("!HHIH", 5, 1, 60, len(encode(cnames[known]))) + encode(cnames[known]))
            known, seen = cnames[known], seen + 1
        if not rcode and known not in zone and known not in cnames:
            rcode = 3
        for address in zone.get(known, []):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            if kinds.get(kind) == family and not rcode:
                data = socket.inet_pton(family, address)
                answers.append(encode(known) + struct.pack("!HHIH", kind, 1, 60, len(data)) + data)
        if udp and how.get("truncate"):
            flags, answers = flags | 0x0200, []
        extra, soa = b"", b""
        if not answers and rcode in (0, 3):
            root = encode(".".join(name.split(".")[-2:]))
            data = encode("ns.invalid") + encode("admin.invalid") + struct.pack("!5I", 1, 3600, 600, 86400, 60)
            soa = root + struct.pack("!HHIH", 6, 1, 60, len(data)) + data
        if "ede" in how:
            option = struct.pack("!HHH", 15, 2, how["ede"])
            extra = b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(option)) + option
        number = query[:2] if not how.get("wrong_id") else bytes([query[0] ^ 1, query[1]])
        counts = struct.pack("!4H", 1, len(answers), 1 if soa else 0, 1 if extra else 0)
        message = number + struct.pack("!H", flags | rcode) + counts + question + b"".join(answers) + soa + extra
        return message[:20] if how.get("malformed") else message

    def over_tcp():
        server = listen(53, "0.0.0.0")
        while True:
            connection, _ = server.accept()
            try:
                head = connection.recv(2)
                query = connection.recv(struct.unpack("!H", head)[0])
                message = reply(query, udp=False)
                connection.sendall(struct.pack("!H", len(message)) + message)
            except (OSError, struct.error, TypeError):
                pass
            connection.close()

    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", 53))
    if how.get("tcp", True):
        threading.Thread(target=over_tcp, daemon=True).start()
    print("READY", flush=True)

    def one(query, peer):
        message = reply(query)
        if message:
            server.sendto(message, peer)

    while True:
        query, peer = server.recvfrom(4096)
        threading.Thread(target=one, args=(query, peer), daemon=True).start()


if __name__ == "__main__" and sys.argv[1:2] == ["wire"]:
    wire(sys.argv[2], sys.argv[3], eval(sys.argv[4]))
