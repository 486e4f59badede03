"""Middleboxes that stand in the link: each sees a packet and says what is sent on (frame, upwards?, how much later)."""
import struct


class Box:
    def __init__(self, how, rng):
        self.how, self.rng, self.flows = how, rng, {}

    def key(self, p, up):
        a, b = (p.src, p.sport), (p.dst, p.dport)
        return (a, b) if up else (b, a)

    def see(self, p, up, now):
        return [(p.frame, up, 0.0)]

    def on(self, p, up):
        return [(p.frame, up, 0.0)]


class NameFilter(Box):
    """Acts on a TLS hello or a request that says a word: `act` is reset, reset-both, drop, fin."""

    def see(self, p, up, now):
        word, act = self.how["word"].encode(), self.how["act"]
        if not p.tcp:
            return self.on(p, up)
        flow = self.flows.setdefault(self.key(p, up), {"hit": False})
        if up and p.payload and word in p.payload:
            flow["hit"] = True
            ttl = self.how.get("ttl", 51)
            after = p.seq + len(p.payload)
            if act == "drop":
                return []
            if act == "page":
                body = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<h1>This site is blocked</h1>"
                return [(p.forge(body, 0x19, p.ack, after, back=True, ttl=ttl, window=8192), False, 0.0)]
            flags = 0x11 if act == "fin" else 0x14
            out = [(p.forge(b"", flags, p.ack + k * self.how.get("stride", 0), after, back=True, ttl=ttl, ident=self.rng.randrange(65536)), False, 0.0)
                   for k in range(self.how.get("times", 1))]
            if act == "reset-both":
                out += [(p.frame, True, 0.0), (p.forge(b"", 0x04, after, 0, ttl=ttl), True, 0.0)]
            return out
        if flow["hit"] and act in ("drop", "reset", "fin", "page"):
            return [] if up or act != "drop" else self.on(p, up)
        return self.on(p, up)


class Injector(Box):
    """Forges an answer to each question for a name, faster than the true one."""

    def see(self, p, up, now):
        word = self.how["word"].split(".")[0].encode()
        if up and p.udp and p.dport == 53 and word in p.payload.lower() and p.payload[-4:-2] != b"\0\x1c":
            q = p.payload
            at = 12
            while q[at]:
                at += 1 + q[at]
            question, kind = q[12:at + 5], q[at + 1:at + 3]
            data = bytes(self.how.get("address", (203, 0, 113, 99)))
            answer = b"\xc0\x0c" + kind + b"\0\1" + struct.pack("!IH", 300, 4) + data if kind == b"\0\1" else b""
            reply = q[:2] + b"\x81\x80\0\1" + (b"\0\1" if answer else b"\0\0") + b"\0\0\0\0" + question + answer
            return [(p.frame, True, 0.0), (p.forge(reply, back=True, ttl=117), False, 0.0)]
        return self.on(p, up)


class MidReset(Box):
    """Forges a reset towards the client (and perhaps the server) after so many bytes of the answer."""

    def see(self, p, up, now):
        if p.tcp and not up and p.payload:
            flow = self.flows.setdefault(self.key(p, up), {"seen": 0, "done": False})
            flow["seen"] += len(p.payload)
            if flow["seen"] > self.how["after"] and not flow["done"]:
                flow["done"] = True
                out = [(p.frame, False, 0.0)]
                for k in range(self.how.get("times", 1)):
                    out.append((p.forge(b"", 0x14, p.seq + len(p.payload) + k * 1460, p.ack, ttl=self.how.get("ttl", 200), ident=7), False, 0.0))
                return out
        return self.on(p, up)


class Tail(Box):
    """Loses the last packet of the answer (that with PSH, shorter than full), once or a few times."""

    def see(self, p, up, now):
        if p.tcp and not up and p.payload and p.flags & 8 and len(p.payload) < 1200:
            flow = self.flows.setdefault(self.key(p, up), {"left": self.how.get("times", 1)})
            if flow["left"] > 0:
                flow["left"] -= 1
                return []
        return self.on(p, up)


class Spoiler(Box):
    """Changes a byte in an encrypted record, and makes the checksum right again."""

    def see(self, p, up, now):
        from ground import mend
        if p.tcp and not up and p.payload[:1] == b"\x17" and len(p.payload) > 400 and not self.flows.get("done"):
            self.flows["seen"] = self.flows.get("seen", 0) + 1
            if self.flows["seen"] > self.how.get("after", 1):
                self.flows["done"] = True
                frame = bytearray(p.frame)
                frame[-100] ^= 0x10
                return [(mend(bytes(frame)), up, 0.0)]
        return self.on(p, up)


class Swallow(Box):
    """Loses what a rule in Python says: `p`, `up`, `flow` (a dict for each flow) and `n` (its packets so far)."""

    def __init__(self, how, rng):
        super().__init__(how, rng)
        self.rule = compile(how["rule"], "rule", "eval")

    def see(self, p, up, now):
        flow = self.flows.setdefault(self.key(p, up) if p.tcp or p.udp else None, {"n": 0, "up": 0, "down": 0, "bytes": 0, "lost": 0, "begun": now})
        flow["n"] += 1
        flow["up" if up else "down"] += 1
        if p.payload and not up:
            flow["bytes"] += len(p.payload)
        if eval(self.rule, {"p": p, "up": up, "flow": flow, "rng": self.rng, "now": now - flow["begun"], "len": len}):
            flow["lost"] += 1
            return []
        return self.on(p, up)


class Scrambler(Box):
    """A firewall that randomises sequence numbers and forgets the SACK blocks."""

    def see(self, p, up, now):
        from ground import mend
        if not p.tcp:
            return self.on(p, up)
        flow = self.flows.setdefault(self.key(p, up), {"shift": self.rng.randrange(1 << 20, 1 << 31)})
        frame, shift = bytearray(p.frame), flow["shift"]
        if up:
            frame[p.at + 8:p.at + 12] = struct.pack("!I", (p.ack - shift) & 0xFFFFFFFF) if p.flags & 16 else frame[p.at + 8:p.at + 12]
        else:
            frame[p.at + 4:p.at + 8] = struct.pack("!I", (p.seq + shift) & 0xFFFFFFFF)
        if not up and p.payload and self.rng.random() < self.how.get("loss", 0):
            return []
        return [(mend(bytes(frame)), up, 0.0)]


class Duplex(Box):
    """Carries, but changes the time to live of what goes down, back and forth (two routes), with a gap at each change."""

    def see(self, p, up, now):
        period, gap = self.how.get("period", 1.0), self.how.get("gap", 0.1)
        begun = self.flows.setdefault("begun", now)
        since = (now - begun) % period
        if since < gap and now - begun > period:
            return []
        if not up and not p.v6 and p.protocol and int((now - begun) / period) % 2:
            from ground import checksum
            frame = bytearray(p.frame)
            frame[22] -= 3
            frame[24:26] = b"\0\0"
            frame[24:26] = struct.pack("!H", checksum(bytes(frame[14:34])))
            return [(bytes(frame), up, 0.015)]
        return self.on(p, up)


class Later(Box):
    """Carries what a rule in Python (of `p` and `up`) says later than the rest."""

    def __init__(self, how, rng):
        super().__init__(how, rng)
        self.rule = compile(how["rule"], "rule", "eval")

    def see(self, p, up, now):
        late = eval(self.rule, {"p": p, "up": up})
        return [(p.frame, up, self.how["by"] if late else 0.0)]
