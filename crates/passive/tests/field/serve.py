"""Small servers and clients in Python for what no ordinary program does on purpose; everything else is done by real ones."""
import os, select, signal, socket, ssl, struct, sys, threading, time


def listener(port, address="::", backlog=64):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.socket(family)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, port))
    server.listen(backlog)
    return server


def serve(port, handle, context=None, address="::", backlog=64):
    server = listener(port, address, backlog)
    print("READY", flush=True)

    def one(connection):
        try:
            if context:
                connection = context.wrap_socket(connection, server_side=True)
            handle(connection)
        except OSError:
            pass
        finally:
            try:
                connection.close()
            except OSError:
                pass

    while True:
        connection, _ = server.accept()
        threading.Thread(target=one, args=(connection,), daemon=True).start()


def head(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return data
        data += more
    return data


def page(body=b"x" * 3000, status="200 OK", extra="", server="Field"):
    if isinstance(body, str):
        body = body.encode()
    return f"HTTP/1.1 {status}\r\nServer: {server}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def context(base, low=None, high=None, alpn=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(base + ".pem", base + ".key")
    if low:
        made.minimum_version = low
    if high:
        made.maximum_version = high
    if alpn:
        made.set_alpn_protocols(alpn)
    return made


# ---- frames ----

def arp(device, kind, of, whom="0.0.0.0", to=None, mac=None):
    """One ARP frame: the device (or `mac`) has `of`, to everybody or to one."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((device, 0))
    own = s.getsockname()[4]
    mac = bytes.fromhex(mac.replace(":", "")) if mac else own
    to = bytes.fromhex(to.replace(":", "")) if to else b"\xff" * 6
    s.send(to + mac + b"\x08\x06\0\1\x08\0\6\4" + struct.pack("!H", kind) + mac + socket.inet_aton(of) + (to if kind == 2 else b"\0" * 6) + socket.inet_aton(whom))
    s.close()


# ---- names ----

def names(zone, port=53, ns6=True, **how):
    """A resolver that knows `zone` (name -> addresses), or fails in one way."""
    from dnslib import DNSRecord, RR, QTYPE, A, AAAA, CNAME, SOA, TXT, MX, EDNS0, EDNSOption
    state = {"asked": 0}

    def reply(data, tcp=False):
        state["asked"] += 1
        q = DNSRecord.parse(data)
        name, kind = str(q.q.qname).rstrip("."), QTYPE[q.q.qtype]
        low = name.lower()
        opt = any(r.rtype == 41 for r in q.ar)
        if kind in how.get("silent", ()) or how.get("silent_all") or low in how.get("silent_names", ()):
            return None
        if how.get("sometimes") and state["asked"] % how["sometimes"] == 1:
            return None
        time.sleep(how.get("delay", 0))
        r = q.reply(ra=1, aa=how.get("aa", 0))
        if opt and how.get("no_edns"):
            r.header.rcode = how["no_edns"]
            return r.pack()[:12] + data[12:12 + 5 + len(name) + 1] if False else r.pack()
        rcode = how.get("rcode", 0)
        if callable(rcode):
            rcode = rcode(state["asked"])
        if isinstance(rcode, dict):
            rcode = rcode.get(low, 0)
        chain, here = how.get("alias", {}), low
        for _ in range(9):
            if here in chain and not rcode:
                r.add_answer(RR(here, QTYPE.CNAME, ttl=60, rdata=CNAME(chain[here])))
                here = chain[here]
        if not rcode and here not in zone and here not in chain and here not in how.get("other", ()):
            rcode = 3
        for address in zone.get(here, []) if not rcode else []:
            if kind == "A" and ":" not in address:
                r.add_answer(RR(here, QTYPE.A, ttl=how.get("ttl", 60), rdata=A(address)))
            if kind == "AAAA" and ":" in address:
                r.add_answer(RR(here, QTYPE.AAAA, ttl=how.get("ttl", 60), rdata=AAAA(address)))
        if kind == "TXT" and how.get("text"):
            for k in range(how["text"]):
                r.add_answer(RR(here, QTYPE.TXT, ttl=60, rdata=TXT([f"{k:03d}" + "v" * 200])))
        if not r.rr and rcode in (0, 3):
            zone_name = ".".join(low.split(".")[-2:])
            r.add_auth(RR(zone_name, QTYPE.SOA, ttl=60, rdata=SOA("ns1." + zone_name, "admin." + zone_name, (how.get("serial", 7), 3600, 600, 86400, 60))))
        if kind == "SOA" and how.get("serial"):
            zone_name = low
            r.auth = []
            r.header.rcode = rcode = 0
            r.add_answer(RR(zone_name, QTYPE.SOA, ttl=60, rdata=SOA("ns1." + zone_name, "admin." + zone_name, (how["serial"], 3600, 600, 86400, 60))))
        r.header.rcode = rcode
        size = 512
        for one in q.ar:
            if one.rtype == 41:
                size = one.rclass
        if opt or how.get("ede"):
            options = [EDNSOption(15, struct.pack("!H", how["ede"]) + how.get("ede_text", "").encode())] if "ede" in how and (rcode or how.get("ede_always")) else []
            r.add_ar(EDNS0(udp_len=1232, opts=options))
        out = r.pack()
        if not tcp and len(out) > min(size, how.get("most", 65000)) or how.get("truncate") and not tcp:
            r.rr, r.header.tc = [], 1
            out = r.pack()
        if how.get("wrong_id"):
            out = bytes([out[0] ^ 0x5A]) + out[1:]
        if how.get("cut"):
            out = out[:how["cut"]]
        if how.get("lower"):
            out = out[:12] + out[12:].replace(data[12:13 + len(name)], data[12:13 + len(name)].lower())
        return out

    udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IPV6, 49, 1)
    udp.bind(("::", port))

    def over_tcp():
        server = listener(port)
        while True:
            connection, _ = server.accept()
            try:
                size = struct.unpack("!H", connection.recv(2))[0]
                out = reply(connection.recv(size), True)
                if out:
                    connection.sendall(struct.pack("!H", len(out)) + out)
                    connection.recv(1)
            except (OSError, struct.error):
                pass
            connection.close()

    if how.get("tcp", True):
        threading.Thread(target=over_tcp, daemon=True).start()
        time.sleep(0.05)
    print("READY", flush=True)
    other = None
    if how.get("other_port"):
        other = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        other.bind(("::", how["other_port"]))

    def one(data, peer):
        try:
            out = reply(data)
        except Exception as error:
            print(error, flush=True)
            return
        if out:
            (other or udp).sendto(out, peer)
            if how.get("twice"):
                udp.sendto(out, peer)

    while True:
        data, peer = udp.recvfrom(4096)
        threading.Thread(target=one, args=(data, peer), daemon=True).start()


def dhcp_server(mode, address, gateway, device="eth0"):
    """Offers an address and then refuses it (`nak`), or never answers the request (`offer-only`)."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.setsockopt(socket.SOL_SOCKET, 25, device.encode())
    s.bind(("0.0.0.0", 67))
    print("READY", flush=True)
    while True:
        data, _ = s.recvfrom(2000)
        at, kind = 240, 0
        while at < len(data) and data[at] != 255:
            if data[at] == 0:
                at += 1
                continue
            if data[at] == 53:
                kind = data[at + 2]
            at += 2 + data[at + 1]
        if kind == 3 and mode == "offer-only":
            continue
        answer = 2 if kind == 1 else 6 if mode == "nak" else 5
        mine = socket.inet_aton(gateway)
        options = bytes([53, 1, answer, 54, 4]) + mine
        if answer != 6:
            options += bytes([51, 4, 0, 0, 14, 16, 1, 4, 255, 255, 255, 0, 3, 4]) + mine + bytes([6, 4]) + mine
        out = b"\x02\x01\x06\0" + data[4:8] + b"\0\0\x80\0" + b"\0" * 4 + (socket.inet_aton(address) if answer != 6 else b"\0" * 4) + mine + b"\0" * 4
        out += data[28:44] + b"\0" * 192 + b"\x63\x82\x53\x63" + options + b"\xff"
        s.sendto(out.ljust(300, b"\0"), ("255.255.255.255", 68))


# ---- HTTP/2 ----

def h2_server(port, base, act):
    """An HTTP/2 server on TLS that does one thing wrong."""
    import h2.connection, h2.config, h2.events, h2.settings
    from h2.errors import ErrorCodes

    def handle(connection):
        made = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, validate_outbound_headers=False))
        if act == "http1":
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            time.sleep(0.2)
            return
        if act == "no-settings":
            while connection.recv(65536):
                pass
            return
        made.initiate_connection()
        connection.sendall(made.data_to_send())
        count = 0
        while True:
            data = connection.recv(65536)
            if not data:
                return
            for event in made.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    count += 1
                    n = event.stream_id
                    if act in ("refuse", "internal", "cancel", "protocol"):
                        made.reset_stream(n, {"refuse": 7, "internal": 2, "cancel": 8, "protocol": 1}[act])
                    elif act == "http11":
                        made.reset_stream(n, 13)
                    elif act in ("calm", "drain", "inadequate"):
                        made.close_connection({"calm": 11, "drain": 0, "inadequate": 12}[act], last_stream_id=0)
                        connection.sendall(made.data_to_send())
                        time.sleep(0.3)
                        return
                    elif act == "compression":
                        connection.sendall(made.data_to_send() + b"\0\0\4\1\4" + struct.pack("!I", n) + b"\xff\xff\xff\xff")
                    elif act == "silent":
                        pass
                    elif act == "half":
                        made.send_headers(n, [(":status", "200"), ("server", "field"), ("content-length", "90000")])
                        made.send_data(n, b"x" * 8000)
                        connection.sendall(made.data_to_send())
                        time.sleep(0.5)
                        made.reset_stream(n, 2)
                    elif act.isdigit():
                        made.send_headers(n, [(":status", act), ("server", "field"), ("content-length", "5")])
                        made.send_data(n, b"sorry", end_stream=True)
                    elif act == "slow":
                        connection.sendall(made.data_to_send())
                        time.sleep(4)
                        made.send_headers(n, [(":status", "200"), ("server", "field"), ("content-length", "2")])
                        made.send_data(n, b"ok", end_stream=True)
                    elif act == "upload-window":
                        made.send_headers(n, [(":status", "200"), ("server", "field")]) if False else None
                elif isinstance(event, h2.events.DataReceived) and act not in ("upload-window",):
                    made.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            connection.sendall(made.data_to_send())

    serve(port, handle, context(base, alpn=["h2", "http/1.1"] if act != "http11-only" else ["http/1.1"]))


# ---- QUIC ----

def h3_server(port, base, alpn=("h3",), act="page", retry=False, idle=60, address="::"):
    import asyncio
    from aioquic.asyncio import serve as listen, QuicConnectionProtocol
    from aioquic.quic.configuration import QuicConfiguration
    from aioquic.quic.events import ProtocolNegotiated
    from aioquic.h3.connection import H3Connection
    from aioquic.h3.events import HeadersReceived

    class Server(QuicConnectionProtocol):
        http = None

        def quic_event_received(self, event):
            if isinstance(event, ProtocolNegotiated):
                self.http = H3Connection(self._quic)
            if not self.http:
                return
            for one in self.http.handle_event(event):
                if isinstance(one, HeadersReceived):
                    if act == "page":
                        self.http.send_headers(one.stream_id, [(b":status", b"200"), (b"server", b"field")])
                        self.http.send_data(one.stream_id, b"x" * 20000, True)
                    elif act == "reset":
                        self._quic.reset_stream(one.stream_id, 0x10b)
                    elif act == "close":
                        self._quic.close(0x107, reason_phrase="too much")
                    elif act.isdigit():
                        self.http.send_headers(one.stream_id, [(b":status", act.encode()), (b"server", b"field")], True)
                    self.transmit()

    async def main():
        made = QuicConfiguration(is_client=False, alpn_protocols=list(alpn), idle_timeout=idle)
        made.load_cert_chain(base + ".pem", base + ".key")
        await listen(address, port, configuration=made, create_protocol=Server, retry=retry)
        print("READY", flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())


def h3_get(host, address, port, path="/", ca=None, count=1, wait=8, alpn=("h3",), pause=0, idle=20, versions=None):
    import asyncio
    from aioquic.asyncio.client import connect
    from aioquic.asyncio import QuicConnectionProtocol
    from aioquic.quic.configuration import QuicConfiguration
    from aioquic.h3.connection import H3Connection
    from aioquic.h3.events import HeadersReceived, DataReceived

    class Client(QuicConnectionProtocol):
        def __init__(self, *a, **k):
            super().__init__(*a, **k)
            self.http, self.waiting = None, {}

        async def get(self):
            self.http = self.http or H3Connection(self._quic)
            n = self._quic.get_next_available_stream_id()
            self.waiting[n] = asyncio.get_running_loop().create_future()
            self.http.send_headers(n, [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", host.encode()), (b":path", path.encode())], True)
            self.transmit()
            return await self.waiting[n]

        def quic_event_received(self, event):
            if self.http:
                for one in self.http.handle_event(event):
                    if isinstance(one, (HeadersReceived, DataReceived)) and one.stream_ended and not self.waiting[one.stream_id].done():
                        self.waiting[one.stream_id].set_result(True)

    async def main():
        made = QuicConfiguration(is_client=True, alpn_protocols=list(alpn), server_name=host, idle_timeout=idle)
        if ca:
            made.load_verify_locations(ca)
        keys = os.environ.get("SSLKEYLOGFILE")
        if keys:
            made.secrets_log_file = open(keys, "a")
        if versions:
            made.supported_versions = versions
            made.original_version = versions[0]
        async with connect(address, port, configuration=made, create_protocol=Client, wait_connected=True) as client:
            for _ in range(count):
                await asyncio.wait_for(client.get(), wait)
                await asyncio.sleep(pause)

    try:
        asyncio.run(asyncio.wait_for(main(), wait + 4))
        print("got it")
    except BaseException as error:
        print("failed", type(error).__name__, error)
