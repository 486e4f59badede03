//! `thru impair` on loopback: a client library of Toxiproxy's that we did not write, and datagrams.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

/// A running `thru impair`; ended when dropped.
struct Impair {
    child: Child,
    talk: BufReader<ChildStderr>,
}

impl Impair {
    fn start(words: &[&str]) -> Impair {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thru"));
        let mut child = command.arg("impair").args(words).stderr(Stdio::piped()).spawn().expect("it runs");
        let talk = BufReader::new(child.stderr.take().expect("piped"));
        Impair { child, talk }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.talk.read_line(&mut line).expect("it talks");
        line
    }

    /// Interrupts it; what it said last.
    fn end(self) -> String {
        self.end_by("-INT")
    }

    fn end_by(mut self, signal: &str) -> String {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args([signal, &id]).status().expect("kill is everywhere");
        assert!(killed.success() && self.child.wait().expect("it ends").success());
        let mut said = String::new();
        self.talk.read_to_string(&mut said).expect("it talks");
        said
    }
}

impl Drop for Impair {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives back what it gets.
fn echo() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let accepting = listener.try_clone().expect("a copy");
    std::thread::spawn(move || {
        for stream in accepting.incoming().flatten() {
            std::thread::spawn(move || {
                let (mut from, mut to) = (stream.try_clone().expect("a copy"), stream);
                let _ = std::io::copy(&mut from, &mut to);
            });
        }
    });
    listener
}

fn round_trip(address: &str) -> Duration {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let begun = Instant::now();
    stream.write_all(b"hello").expect("written");
    stream.read_exact(&mut [0; 5]).expect("read");
    begun.elapsed()
}

#[test]
fn a_proxy_delays_both_ways() {
    let server = echo();
    let to = server.local_addr().unwrap().to_string();
    let mut impair = Impair::start(&["--listen", "127.0.0.1:0", "--to", &to, "--delay", "30ms/50ms"]);
    let said = impair.line();
    let listen = said.split(' ').next().unwrap_or_default().to_owned();
    assert!(said.contains("goes on to"), "{said}");
    assert!(round_trip(&listen) >= Duration::from_millis(80));
    impair.end();
}

/// With a connection that is still open: its figures are told, and the port is free again.
#[test]
fn a_signal_ends_it_with_its_figures() {
    for signal in ["-INT", "-TERM"] {
        let server = echo();
        let to = server.local_addr().unwrap().to_string();
        let mut impair = Impair::start(&["--listen", "127.0.0.1:0", "--to", &to, "--delay", "1ms"]);
        let said = impair.line();
        let listen = said.split(' ').next().unwrap_or_default().to_owned();
        let mut stream = TcpStream::connect(&listen).expect("it listens");
        stream.write_all(b"hello").expect("written");
        stream.read_exact(&mut [0; 5]).expect("read");
        let told = impair.end_by(signal);
        assert_eq!(told, "1 connection, 5 bytes to the server, 5 bytes to the client\n", "after {signal}");
        assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)), "the connection went with it");
        TcpListener::bind(&listen).expect("nobody listens there any more");
    }
}

#[test]
fn toxiproxys_python_client_drives_it() {
    let test = "toxiproxys_python_client_drives_it";
    let Some(library) = client(test) else { return };
    let server = echo();
    let mut impair = Impair::start(&["--api", "127.0.0.1:0"]);
    let said = impair.line();
    let port = said.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned();
    let script = r#"
import socket, sys, time
sys.path.insert(0, sys.argv[1])
from toxiproxy import Toxiproxy
server = Toxiproxy()
server.update_api_consumer("127.0.0.1", int(sys.argv[2]))
assert server.running() and b'"version"' in server.version()
proxy = server.create(name="shop", upstream=sys.argv[3])
host, port = proxy.listen.split(":")
def round_trip():
    begun = time.monotonic()
    with socket.create_connection((host, int(port)), 5) as stream:
        stream.sendall(b"hello")
        got = b""
        while len(got) < 5:
            piece = stream.recv(5)
            if not piece:
                break
            got += piece
    return got, time.monotonic() - begun
assert round_trip()[0] == b"hello"
proxy.add_toxic(name="late", type="latency", attributes={"latency": 150, "jitter": 0})
proxy.add_toxic(type="latency", stream="upstream", attributes={"latency": 100})
got, took = round_trip()
assert got == b"hello" and took >= 0.25, took
toxic = proxy.get_toxic("late")
assert toxic.attributes["latency"] == 150 and toxic.toxicity == 1.0, vars(toxic)
assert sorted(proxy.toxics()) == ["late", "latency_upstream"]
proxy.destroy_toxic("late")
assert sorted(proxy.toxics()) == ["latency_upstream"]
# On a connection that is open: a toxic that comes and goes is felt by what comes next.
with socket.create_connection((host, int(port)), 5) as stream:
    def pong():
        begun = time.monotonic()
        stream.sendall(b"hello")
        got = b""
        while len(got) < 5:
            got += stream.recv(5)
        return time.monotonic() - begun
    assert pong() >= 0.1
    proxy.add_toxic(name="more", type="latency", attributes={"latency": 300})
    assert pong() >= 0.4
    proxy.destroy_toxic("more")
    proxy.destroy_toxic("latency_upstream")
    assert pong() < 0.3
proxy.add_toxic(type="limit_data", attributes={"bytes": 3})
assert round_trip()[0] == b"hel"
with proxy.down():
    try:
        socket.create_connection((host, int(port)), 5)
        raise SystemExit("it listens although it is down")
    except ConnectionRefusedError:
        pass
assert server.reset()
assert proxy.toxics() == {} and round_trip()[0] == b"hello"
made = server.populate([{"name": "shop", "upstream": sys.argv[3], "listen": proxy.listen}, {"name": "other", "upstream": sys.argv[3], "listen": "127.0.0.1:0"}])
assert [one.name for one in made] == ["other"] and sorted(server.proxies()) == ["other", "shop"]
try:
    proxy.add_toxic(type="nosuch")
    raise SystemExit("there is no such toxic")
except Exception as error:
    assert "invalid toxic type" in str(error), error
server.destroy_all()
assert server.proxies() == {}
"#;
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(&library)
        .args([&port, &server.local_addr().unwrap().to_string()])
        .output()
        .expect("python runs");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    impair.end();
}

/// The client of Toxiproxy's own authors for Node: it changes toxics, too, while a connection is open.
#[test]
fn toxiproxys_node_client_drives_it() {
    let test = "toxiproxys_node_client_drives_it";
    let Some(folder) = node_client(test) else { return };
    let server = echo();
    let mut impair = Impair::start(&["--api", "127.0.0.1:0"]);
    let said = impair.line();
    let api = said.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let script = r#"
const { Toxiproxy } = require("toxiproxy-node-client");
const net = require("net"), assert = require("assert");
const [api, upstream] = process.argv.slice(1);
(async () => {
    const toxiproxy = new Toxiproxy("http://" + api);
    const proxy = await toxiproxy.createProxy({ name: "shop", listen: "127.0.0.1:0", upstream });
    const [host, port] = proxy.listen.split(":");
    const stream = net.connect(Number(port), host);
    const pong = () => new Promise((done, failed) => {
        const begun = process.hrtime.bigint();
        stream.once("data", (data) => {
            assert.strictEqual(data.toString(), "hello");
            done(Number(process.hrtime.bigint() - begun) / 1e6);
        });
        stream.once("error", failed);
        stream.write("hello");
    });
    await pong();
    const toxic = await proxy.addToxic({
        name: "late", type: "latency", stream: "downstream", toxicity: 1, attributes: { latency: 150, jitter: 0 },
    });
    assert(await pong() >= 150);
    await toxic.update({ attributes: { latency: 400 } });
    assert.strictEqual((await proxy.getToxic("late")).attributes.latency, 400);
    assert(await pong() >= 400);
    await toxic.remove();
    assert(await pong() < 400);
    const all = await toxiproxy.getAll();
    assert.deepStrictEqual(Object.keys(all), ["shop"]);
    stream.destroy();
    await proxy.remove();
    assert.deepStrictEqual(Object.keys(await toxiproxy.getAll()), []);
})().catch((error) => { console.error(error); process.exit(1); });
"#;
    let output = Command::new("node")
        .args(["-e", script, api, &server.local_addr().unwrap().to_string()])
        .env("NODE_PATH", folder.join("node_modules"))
        .output()
        .expect("node runs");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    impair.end();
}

/// Where it is, installed on the spot if it can be.
fn node_client(test: &str) -> Option<PathBuf> {
    thru_peers::peer(test, "node", "nodejs")?;
    thru_peers::peer(test, "npm", "npm")?;
    let folder = std::env::temp_dir().join("thru-toxiproxy-node");
    if !folder.join("node_modules/toxiproxy-node-client").is_dir() {
        let installed = Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
            .arg(&folder)
            .arg("toxiproxy-node-client@4.1.0")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !installed.is_ok_and(|status| status.success()) {
            thru_peers::not_run(test, "`npm install toxiproxy-node-client` does not work here");
            return None;
        }
    }
    Some(folder)
}

/// Where the client library is, installed on the spot if it can be.
fn client(test: &str) -> Option<PathBuf> {
    thru_peers::peer(test, "pip3", "python3-pip")?;
    let folder = std::env::temp_dir().join("thru-toxiproxy-python");
    if !folder.join("toxiproxy").is_dir() {
        let installed = Command::new("pip3")
            .args(["install", "--quiet", "--disable-pip-version-check", "--target"])
            .arg(&folder)
            .arg("toxiproxy-python==0.1.1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !installed.is_ok_and(|status| status.success()) {
            thru_peers::not_run(test, "`pip3 install toxiproxy-python` does not work here");
            return None;
        }
    }
    Some(folder)
}

#[test]
fn what_makes_no_sense_is_told() {
    let tell = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_thru")).args(words).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (words, said) in [
        (&["impair", "--listen", "x", "--to", "127.0.0.1:1"][..], "`x` is no address with a port"),
        (&["impair", "--listen", "127.0.0.1:0"], "`thru impair --help` shows how it is used"),
        (&["bridge"], "not provided: <A>, <B>"),
        (&["bridge", "lo", "lo"], "`lo` cannot be joined with itself"),
    ] {
        let (code, told) = tell(words);
        assert!(code == Some(2) && told.contains(said) && told.lines().count() == 2, "{words:?}: {told}");
    }
}

#[test]
fn datagrams_pass_the_whole_wire() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let to = server.local_addr().unwrap().to_string();
    let mut impair = Impair::start(&[
        "--udp",
        "--listen",
        "127.0.0.1:0",
        "--to",
        &to,
        "--delay",
        "20ms",
        "--duplicate",
        "0%/100%",
    ]);
    let said = impair.line();
    let listen = said.split(' ').next().unwrap_or_default().to_owned();
    assert!(said.contains("by UDP"), "{said}");
    let client = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let begun = Instant::now();
    client.send_to(b"question", &listen).expect("sent");
    let mut buffer = [0; 100];
    // Every datagram to the server arrives twice, none to the client does.
    let mut from = None;
    for _ in 0..2 {
        let (length, address) = server.recv_from(&mut buffer).expect("it arrives");
        assert_eq!(&buffer[..length], b"question");
        from = Some(address);
    }
    server.send_to(b"answer", from.expect("it came from somewhere")).expect("sent");
    let (length, address) = client.recv_from(&mut buffer).expect("it arrives");
    assert_eq!((&buffer[..length], address.to_string()), (&b"answer"[..], listen));
    assert!(begun.elapsed() >= Duration::from_millis(40));
    let told = impair.end();
    assert!(told.contains("client to server: 1 frames, 2 delivered"), "{told}");
    assert!(told.contains("server to client: 1 frames, 1 delivered"), "{told}");
}
