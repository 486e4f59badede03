"""The ground of the field recordings: a small internet of namespaces, a link with a mind of its own, real programs.

    c -- g == i -- s      c client, g its gateway, i the provider's router, s server
              |-- t       t a second server, d the name server
              `-- d

`==` is a veth pair, or (where a case wants delay, loss or a middlebox) the program `link` of this file between two TAPs.
"""
import ctypes, datetime, fcntl, heapq, ipaddress, os, random, select, shutil, signal, socket, struct, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
# Where `prepare.sh` puts what has to be built or fetched.
TOOLS = os.environ.get("FIELD_TOOLS", "/tmp/thru-field")
CLIENTS = os.path.join(HERE, "clients")
PYTHON = os.path.join(TOOLS, "venv/bin/python")
LIBC = ctypes.CDLL(None, use_errno=True)


def sh(command, check=True):
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
    return done.stdout


class World:
    def __init__(self, number, out, seed, link=None, nat=False, mtu=1500):
        self.id, self.out, self.running, self.rng = f"jf{number}", out, [], random.Random(seed)
        self.notes, self.link = [], link
        rng = self.rng
        self.dir = f"{TOOLS}/work/{os.path.basename(out)}-{number}"
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        os.chmod(self.dir, 0o755)
        lan = rng.choice([f"192.168.{rng.randrange(250)}", f"10.{rng.randrange(250)}.{rng.randrange(250)}",
                          f"172.{rng.randrange(16, 31)}.{rng.randrange(250)}"])
        nets = rng.sample(["93.184.216", "151.101.65", "104.16.132", "185.199.108", "52.85.132", "198.51.100"], 3)
        self.lan = lan
        self.C, self.G = f"{lan}.{rng.randrange(10, 250)}", f"{lan}.1"
        self.S, self.SR = f"{nets[0]}.{rng.randrange(10, 250)}", f"{nets[0]}.1"
        self.T, self.TR = f"{nets[1]}.{rng.randrange(10, 250)}", f"{nets[1]}.1"
        self.D, self.DR = f"{nets[2]}.{rng.randrange(10, 250)}", f"{nets[2]}.1"
        self.S2 = f"{nets[0]}.{rng.randrange(251, 254)}"
        self.W, self.I = "100.64.0.2", "100.64.0.1"
        p6 = [f"2a0{rng.randrange(10)}:{rng.randrange(0x1000, 0xffff):x}:{k}" for k in range(5)]
        self.C6, self.G6 = f"{p6[0]}::{rng.randrange(0x10, 0xffff):x}", f"{p6[0]}::1"
        self.S6, self.SR6 = f"{p6[1]}::{rng.randrange(0x10, 0xffff):x}", f"{p6[1]}::1"
        self.T6, self.TR6 = f"{p6[2]}::{rng.randrange(0x10, 0xffff):x}", f"{p6[2]}::1"
        self.D6, self.DR6 = f"{p6[3]}::{rng.randrange(0x10, 0xffff):x}", f"{p6[3]}::1"
        self.W6, self.I6 = f"{p6[4]}::2", f"{p6[4]}::1"
        self.host = rng.choice(["www", "api", "cdn", "app", "img", "login"])
        self.zone = rng.choice(["orchard.example", "kestrel.test", "northwind.example", "halfmoon.test", "bluebird.example"])
        self.name = f"{self.host}.{self.zone}"
        for ns in "cgistd":
            sh(f"ip netns add {self.ns(ns)} && ip -n {self.ns(ns)} link set lo up && ip netns exec {self.ns(ns)} sysctl -qw "
               "net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0 net.ipv4.icmp_ratelimit=0 "
               "net.ipv6.icmp.ratelimit=0 net.ipv4.tcp_no_metrics_save=1 net.ipv4.ping_group_range='0 9999' "
               "net.ipv4.ip_unprivileged_port_start=0 net.ipv4.ip_nonlocal_bind=1 net.ipv6.ip_nonlocal_bind=1")
        for a, da, b, db in [("c", "eth0", "g", "lan"), ("i", "srv", "s", "eth0"), ("i", "oth", "t", "eth0"), ("i", "dns", "d", "eth0")]:
            sh(f"ip link add {da} netns {self.ns(a)} type veth peer name {db} netns {self.ns(b)}")
        if link is None:
            sh(f"ip link add wan netns {self.ns('g')} type veth peer name cust netns {self.ns('i')}")
        else:
            if link.get("with", {}).get("word") == "HOST":
                link = {**link, "with": {**link["with"], "word": self.name}}
            self.spawn("g", [sys.executable, os.path.join(HERE, "ground.py"), "link", self.ns("g"), self.ns("i"),
                             repr({**link, "seed": rng.randrange(1 << 30)})], ready="ready")
        for ns in "gi":
            sh(f"ip netns exec {self.ns(ns)} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
               "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0")
        for ns, dev, v4, v6 in [("c", "eth0", self.C + "/24", self.C6 + "/64"), ("g", "lan", self.G + "/24", self.G6 + "/64"),
                                ("g", "wan", self.W + "/30", self.W6 + "/64"), ("i", "cust", self.I + "/30", self.I6 + "/64"),
                                ("i", "srv", self.SR + "/24", self.SR6 + "/64"), ("s", "eth0", self.S + "/24", self.S6 + "/64"),
                                ("i", "oth", self.TR + "/24", self.TR6 + "/64"), ("t", "eth0", self.T + "/24", self.T6 + "/64"),
                                ("i", "dns", self.DR + "/24", self.DR6 + "/64"), ("d", "eth0", self.D + "/24", self.D6 + "/64")]:
            sh(f"ip -n {self.ns(ns)} addr add {v4} dev {dev} && ip -n {self.ns(ns)} addr add {v6} dev {dev} nodad && "
               f"ip -n {self.ns(ns)} link set {dev} up" + (f" mtu {mtu}" if dev in ("eth0", "lan") and ns in "cg" else ""))
        for ns, v4, v6 in [("c", self.G, self.G6), ("g", self.I, self.I6), ("s", self.SR, self.SR6), ("t", self.TR, self.TR6), ("d", self.DR, self.DR6)]:
            sh(f"ip -n {self.ns(ns)} route add default via {v4}; ip -n {self.ns(ns)} -6 route add default via {v6}")
        if nat:
            self.nft("g", "oifname wan masquerade", hook="postrouting")
        else:
            sh(f"ip -n {self.ns('i')} route add {lan}.0/24 via {self.W}; ip -n {self.ns('i')} -6 route add {p6[0]}::/64 via {self.W6}")
        self.resolvers(self.D)
        self.zone_data = {self.name: [self.S]}

    def ns(self, letter):
        return self.id + letter

    def ip(self, ns, *lines):
        for line in lines:
            sh(f"ip -n {self.ns(ns)} " + line.format(**vars(self)))

    def sysctl(self, ns, *settings):
        for one in settings:
            sh(f"ip netns exec {self.ns(ns)} sysctl -qw '{one}'")

    def resolvers(self, *addresses, options="options timeout:2 attempts:2", hosts=()):
        folder = f"/etc/netns/{self.ns('c')}"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/resolv.conf", "w") as file:
            file.writelines(f"nameserver {address}\n" for address in addresses)
            file.write(options + "\n")
        with open(f"{folder}/hosts", "w") as file:
            file.write("127.0.0.1 localhost\n" + "".join(f"{a} {n}\n" for a, n in hosts))
        with open(f"{folder}/nsswitch.conf", "w") as file:
            file.write("hosts: files dns\n")

    # ---- programs ----

    def env(self, ns):
        env = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and not k.startswith("GIT")}
        env["HOME"] = self.dir
        env["PATH"] = "/usr/sbin:/sbin:" + env["PATH"]
        if ns == "c":
            env["SSLKEYLOGFILE"] = self.out + ".keys"
        return env

    def run(self, ns, command, timeout=60, wait=True):
        """Runs a shell line in a namespace to its end (or until it takes too long)."""
        line = command.format(**vars(self)) if isinstance(command, str) else command
        argv = ["sh", "-c", line] if isinstance(line, str) else line
        child = subprocess.Popen(["ip", "netns", "exec", self.ns(ns), *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 env=self.env(ns), start_new_session=True, cwd=self.dir)
        self.running.append(child)
        if not wait:
            return child
        try:
            text = child.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            text = child.communicate()[0] + b" [killed]"
        self.running.remove(child)
        said = text.decode(errors="replace").strip()
        self.notes.append(f"{ns}$ {line if isinstance(line, str) else ' '.join(line)}"[:160] + f" -> {child.returncode} {said[-300:]}")
        return said

    def spawn(self, ns, command, ready=None, port=None, udp=None, within=12):
        """Starts a server in a namespace; waits for what it says or for the port it opens."""
        argv = ["sh", "-c", "exec " + command.format(**vars(self))] if isinstance(command, str) else command
        log = open(f"{self.dir}/log-{ns}-{len(self.running)}-{time.monotonic_ns()}", "w+b")
        child = subprocess.Popen(["ip", "netns", "exec", self.ns(ns), *argv], stdout=log, stderr=subprocess.STDOUT,
                                 env=self.env(ns), start_new_session=True, cwd=self.dir)
        child.log = log.name
        self.running.append(child)
        until = time.monotonic() + within
        while ready or port or udp:
            text = open(log.name, errors="replace").read()
            if ready and ready in text or port and self.listens(ns, port, "tcp") or udp and self.listens(ns, udp, "udp"):
                break
            if child.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{argv[-1][:200]} is not ready: {child.poll()} {text[-500:]}")
            time.sleep(0.03)
        return child

    def listens(self, ns, port, kind):
        text = sh(f"ip netns exec {self.ns(ns)} cat /proc/net/{kind} /proc/net/{kind}6")
        rows = [line.split() for line in text.splitlines() if ":" in line]
        return any(row[1].endswith(f":{port:04X}") and row[3] == ("0A" if kind == "tcp" else "07") for row in rows if len(row) > 3)

    def stop(self, child, how=signal.SIGTERM):
        if child in self.running:
            self.running.remove(child)
        try:
            os.killpg(child.pid, how)
            child.wait(5)
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()

    def python(self, ns, code, port=None, udp=None, wait=False, timeout=60):
        """A program in Python in a namespace, with what `serve.py` offers."""
        code = f"import sys; sys.path.insert(0, {HERE!r})\nfrom serve import *\n" + code
        if wait:
            return self.run(ns, [PYTHON, "-c", code], timeout=timeout)
        return self.spawn(ns, [PYTHON, "-u", "-c", code], port=port, udp=udp, ready=None if port or udp else "READY")

    def nft(self, ns, *rules, hook="forward", family="inet", priority=0, kind=None):
        kind = kind or ("nat" if hook in ("postrouting", "prerouting") and priority == 0 else "filter")
        chain = f"{hook}{abs(priority)}"
        lines = [f"add table {family} t", f"add chain {family} t {chain} {{ type {kind} hook {hook} priority {priority}; }}"]
        lines += [f"add rule {family} t {chain} " + rule.format(**vars(self)) for rule in rules]
        done = subprocess.run(["ip", "netns", "exec", self.ns(ns), "nft", "-f", "-"], input="\n".join(lines) + "\n", text=True, capture_output=True)
        if done.returncode:
            raise RuntimeError(done.stderr)

    def unfilter(self, ns):
        sh(f"ip netns exec {self.ns(ns)} nft flush ruleset")

    # ---- capture ----

    def capture(self, at="client", how="tcpdump", snap=0, filter=""):
        ns, device = {"client": "c:eth0", "server": "s:eth0", "middle": "i:cust", "gateway": "g:lan", "any": "c:any",
                      "server-any": "s:any", "resolver": "d:eth0", "other": "t:eth0", "gateway-any": "g:any"}[at].split(":")
        self.file = self.out + (".pcapng" if how in ("dumpcap", "two") else ".pcap")
        size = f"-s {snap} " if snap else ""
        kind = {"sll": "-y LINUX_SLL ", "nano": "--time-stamp-precision=nano "}.get(how, "")
        if how in ("dumpcap", "two"):
            device += " -i lo" if how == "two" and device != "any" else ""
            self.catcher = self.spawn(ns, f"dumpcap -q {size}-f '{filter}' -i {device} -w {self.file}", ready="File:")
            time.sleep(0.3)
        else:
            self.catcher = self.spawn(ns, f"tcpdump -Z root --immediate-mode -B 16384 -U -n {size}{kind}-i {device} -w {self.file} {filter}", ready="listening on")
        self.at = at

    def finish(self, rest=0.4):
        time.sleep(rest)
        self.stop(self.catcher, signal.SIGINT)

    def close(self):
        for child in reversed(self.running[:]):
            self.stop(child)
        for ns in "cgistd":
            for pid in sh(f"ip netns pids {self.ns(ns)}", check=False).split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            sh(f"ip netns del {self.ns(ns)}", check=False)
        for ns in "ct":
            shutil.rmtree(f"/etc/netns/{self.ns(ns)}", ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- certificates ----

    def key(self, kind="ec"):
        from cryptography.hazmat.primitives.asymmetric import ec, rsa
        return ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, int(kind))

    def certificate(self, subject, key, issuer=None, days=(-30, 90), names=(), ca=False, usage=None, status_request=False, extra=0, ocsp=None):
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.x509.oid import NameOID, ExtendedKeyUsageOID
        person = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        by, by_key = issuer if issuer else (None, key)
        now = datetime.datetime.now(datetime.timezone.utc)
        made = (x509.CertificateBuilder().subject_name(person(subject)).issuer_name(by.subject if by else person(subject))
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now + datetime.timedelta(days=days[0])).not_valid_after(now + datetime.timedelta(days=days[1]))
                .add_extension(x509.BasicConstraints(ca, None), True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False))
        if by:
            made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by_key.public_key()), False)
        if ca:
            made = made.add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), True)
        if names:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names] ), False)
        if not ca:
            kind = {None: ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}[usage]
            made = made.add_extension(x509.ExtendedKeyUsage([kind]), False)
        if status_request:
            made = made.add_extension(x509.TLSFeature([x509.TLSFeatureType.status_request]), False)
        if ocsp:
            made = made.add_extension(x509.AuthorityInformationAccess([x509.AccessDescription(x509.oid.AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp))]), False)
        if extra:
            made = made.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), os.urandom(extra)), False)
        return made.sign(by_key, hashes.SHA256())

    def pki(self, kind="good", name=None, key="ec"):
        """Writes `cert.pem` (the chain as sent), `cert.key`, `ca.pem` (what the client trusts); says where."""
        from cryptography.hazmat.primitives import serialization as s
        pem = lambda c: c.public_bytes(s.Encoding.PEM)
        name = name or self.name
        root_key, mid_key, leaf_key = self.key(), self.key(), self.key(key)
        root = self.certificate("Field Root R1", root_key, ca=True, days=(-900, 900))
        mid_days = (-800, -3) if kind == "expired-middle" else (-300, 300)
        mid = self.certificate("Field Issuing CA 7", mid_key, (root, root_key), ca=True, days=mid_days)
        days = {"expired": (-120, -self.rng.choice([1, 4, 40])), "early": (self.rng.choice([1, 5]), 90)}.get(kind, (-30, 60))
        names = {"other": [f"www.{self.rng.choice(['elsewhere', 'parking', 'default'])}.example"], "bare": [self.zone]}.get(kind, [name])
        if kind == "self":
            chain = [self.certificate(name, leaf_key, days=days, names=names)]
        elif kind == "rogue":
            other_key = self.key()
            other = self.certificate("Gateway Inspection CA", other_key, ca=True)
            chain = [self.certificate(name, leaf_key, (other, other_key), days, names)]
        else:
            leaf = self.certificate(name, leaf_key, (mid, mid_key), days, names, usage="client" if kind == "usage" else None,
                                    status_request=kind == "staple", extra=24000 if kind == "big" else 0, ocsp=getattr(self, "ocsp", None))
            chain = [leaf] if kind == "no-middle" else [leaf, root, mid] if kind == "order" else [leaf, mid]
        base = f"{self.dir}/{kind}-{name}"
        open(base + ".pem", "wb").write(b"".join(map(pem, chain)))
        private = leaf_key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
        open(base + ".key", "wb").write(private)
        open(base + ".both", "wb").write(b"".join(map(pem, chain)) + private)
        open(f"{self.dir}/ca.pem", "wb").write(pem(root))
        self.cert, self.ca, self.issuer = base, f"{self.dir}/ca.pem", (mid, mid_key)
        open(f"{self.dir}/mid.pem", "wb").write(pem(mid))
        open(f"{self.dir}/mid.key", "wb").write(mid_key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()))
        return base

    def client_certificate(self, trusted=True, days=(-10, 50)):
        """A certificate for the client, and the authority that the server is told to trust."""
        from cryptography.hazmat.primitives import serialization as s
        pem = lambda c: c.public_bytes(s.Encoding.PEM)
        ca_key, other_key, key = self.key(), self.key(), self.key()
        ca = self.certificate("Staff CA", ca_key, ca=True)
        other = self.certificate("Former Staff CA", other_key, ca=True)
        mine = self.certificate("alice", key, (ca, ca_key) if trusted else (other, other_key), days, usage="client")
        open(f"{self.dir}/me.pem", "wb").write(pem(mine))
        open(f"{self.dir}/me.key", "wb").write(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()))
        open(f"{self.dir}/staff.pem", "wb").write(pem(ca))


# ---- the link ----

def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Packet:
    """What a middlebox reads of a frame."""

    def __init__(self, frame):
        self.frame, self.tcp, self.udp, self.payload = frame, False, False, b""
        kind = frame[12:14]
        if kind == b"\x08\x00" and len(frame) >= 34:
            self.v6, at = False, 14 + (frame[14] & 15) * 4
            self.protocol, self.src, self.dst = frame[23], frame[26:30], frame[30:34]
            end = 14 + struct.unpack("!H", frame[16:18])[0]
            self.later = struct.unpack("!H", frame[20:22])[0] & 0x1FFF
        elif kind == b"\x86\xdd":
            self.v6, at = True, 54
            self.protocol, self.src, self.dst = frame[20], frame[22:38], frame[38:54]
            end, self.later = 54 + struct.unpack("!H", frame[18:20])[0], 0
        else:
            self.protocol, self.later, self.v6 = None, 0, False
            return
        self.size = end - 14
        if self.protocol == 6 and not self.later and len(frame) >= at + 20:
            self.tcp, self.at = True, at
            self.sport, self.dport, self.seq, self.ack = struct.unpack("!HHII", frame[at:at + 12])
            self.flags = frame[at + 13]
            self.payload = frame[at + (frame[at + 12] >> 4) * 4:end]
        elif self.protocol == 17 and not self.later:
            self.udp, self.at = True, at
            self.sport, self.dport = struct.unpack("!HH", frame[at:at + 4])
            self.payload = frame[at + 8:end]

    def forge(self, payload=b"", flags=None, seq=0, ack=0, back=False, ttl=64, window=0, ident=0):
        """A packet of the same flow (or back along it) that its sender never sent."""
        src, dst, sport, dport = (self.dst, self.src, self.dport, self.sport) if back else (self.src, self.dst, self.sport, self.dport)
        if flags is None:
            body = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
            where, protocol = 6, 17
        else:
            body = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, window, 0, 0) + payload
            where, protocol = 16, 6
        pseudo = src + dst + struct.pack("!II" if self.v6 else "!HH", *((len(body), protocol) if self.v6 else (protocol, len(body))))
        total = checksum(pseudo + body)
        body = body[:where] + struct.pack("!H", total or 0xFFFF) + body[where + 2:]
        ether = self.frame[6:12] + self.frame[:6] if back else self.frame[:12]
        if self.v6:
            head = struct.pack("!IHBB", 6 << 28, len(body), protocol, ttl) + src + dst
            return ether + b"\x86\xdd" + head + body
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), ident, 0, ttl, protocol, 0) + src + dst
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        return ether + b"\x08\x00" + head + body


def mend(frame):
    """The same frame with its TCP checksum made right again."""
    p = Packet(frame)
    body = bytearray(frame[p.at:14 + p.size])
    body[16:18] = b"\0\0"
    pseudo = p.src + p.dst + struct.pack("!II" if p.v6 else "!HH", *((len(body), 6) if p.v6 else (6, len(body))))
    body[16:18] = struct.pack("!H", checksum(pseudo + bytes(body)))
    return frame[:p.at] + bytes(body)


class Way:
    """One direction of the link."""

    def __init__(self, how, rng):
        self.how, self.rng, self.free, self.queued, self.tokens, self.last, self.burst = how, rng, 0.0, [], None, 0.0, False
        self.begun, self.count, self.floor = None, 0, 0.0

    def take(self, frame, now):
        how, rng, p = self.how, self.rng, Packet(frame)
        if p.protocol is None or p.protocol == 58 and frame[54] in (133, 134, 135, 136):
            return [(now + how.get("delay", 0), frame)]
        if p.tcp or p.udp and 53 not in (p.sport, p.dport):
            self.begun = self.begun or now
            self.count += 1
        since = now - self.begun if self.begun else -1
        if len(frame) - 14 > how.get("mtu", 1 << 30):
            return []
        if any(a <= since < b for a, b in how.get("outages", [])):
            return []
        if how.get("drop_syns", 0) > 0 and p.tcp and p.flags & 0x12 == 2:
            how["drop_syns"] -= 1
            return []
        if self.count in how.get("drop_numbers", ()) and p.tcp:
            how["drop_numbers"] = [n for n in how["drop_numbers"] if n != self.count]
            return []
        if rng.random() < how.get("loss", 0):
            return []
        if "burst" in how:  # Gilbert: enters and leaves the bad state, where all is lost
            enter, leave = how["burst"]
            self.burst = rng.random() >= leave if self.burst else rng.random() < enter
            if self.burst:
                return []
        if "police" in how:
            rate, burst = how["police"]
            self.tokens = min(burst, (burst if self.tokens is None else self.tokens) + (now - self.last) * rate / 8)
            self.last = now
            if self.tokens < len(frame):
                return []
            self.tokens -= len(frame)
        arrive = now + how.get("delay", 0) + rng.random() * how.get("jitter", 0)
        if how.get("jitter") and not how.get("may_pass"):
            arrive = self.floor = max(self.floor, arrive)
        for at, until, more in how.get("spikes", []):
            if at <= since < until:
                arrive = self.floor = max(self.floor, now + more + how.get("delay", 0))
        if rng.random() < how.get("reorder", 0):
            arrive += how.get("reorder_by", 0.004)
        if "rate" in how:
            self.queued = [done for done in self.queued if done > now]
            if len(self.queued) >= how.get("queue", 1000):
                return []
            self.free = max(self.free, now) + len(frame) * 8 / how["rate"]
            self.queued.append(self.free)
            arrive += self.free - now
        if rng.random() < how.get("corrupt", 0) and len(frame) > 100:
            bad = bytearray(frame)
            bad[rng.randrange(70, len(frame))] ^= 1 << rng.randrange(8)
            frame = bytes(bad)
        copies = [(arrive, frame)]
        if rng.random() < how.get("duplicate", 0):
            copies.append((arrive + how.get("duplicate_by", 0.0005), frame))
        return copies


def tap(namespace, name, mtu):
    with open(f"/run/netns/{namespace}") as file:
        if LIBC.setns(file.fileno(), 0x4000_0000):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x4004_54CA, struct.pack("16sH22x", name.encode(), 0x1002))
    sh(f"ip link set {name} txqueuelen 3000 mtu {mtu}")
    return fd


def link(near, far, how):
    """Carries frames between `wan` of the gateway (up) and `cust` of the router (down), with what `how` asks for."""
    import boxes
    rng = random.Random(how["seed"])
    wan, cust = tap(near, "wan", how.get("link_mtu", 1500)), tap(far, "cust", how.get("link_mtu", 1500))
    up = Way({**how, **how.get("up", {})}, rng)
    down = Way({**how, **how.get("down", {})}, rng)
    box = getattr(boxes, how["box"])(how.get("with", {}), rng) if "box" in how else None
    print("ready", flush=True)
    due, number = [], 0
    ends = {wan: (cust, up, True), cust: (wan, down, False)}
    while True:
        now = time.monotonic()
        while due and due[0][0] <= now:
            _, _, fd, frame = heapq.heappop(due)
            try:
                os.write(fd, frame)
            except OSError:
                pass
        for fd in select.select([wan, cust], [], [], min(max(0, due[0][0] - now), 1) if due else 1)[0]:
            for _ in range(64):
                try:
                    frame = os.read(fd, 70_000)
                except BlockingIOError:
                    break
                to, way, going_up = ends[fd]
                sent = [(frame, going_up, 0.0)]
                if box:
                    sent = box.see(Packet(frame), going_up, time.monotonic())
                for one, upwards, later in sent:
                    out, along = (cust, up) if upwards else (wan, down)
                    for arrive, copy in along.take(one, time.monotonic()):
                        number += 1
                        heapq.heappush(due, (arrive + later, number, out, copy))


if __name__ == "__main__" and sys.argv[1:2] == ["link"]:
    link(sys.argv[2], sys.argv[3], eval(sys.argv[4]))
