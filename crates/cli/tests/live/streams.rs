//! Other programs that speak HTTP: nghttp2's server and client, ngtcp2's for HTTP/3, WebSocket.

use std::process::Command;

use crate::certificates::certificates;
use crate::links::ip;
use crate::place::{NotHere, Place, command, words};
use crate::program::Ready;
use crate::scene::Scene;

pub(crate) fn scenes() -> Vec<Scene> {
    let h2_needs = &[("nghttpd", "nghttp2-server"), ("nghttp", "nghttp2-client")];
    let h3_needs = &[("gtlsserver", "ngtcp2-server"), ("gtlsclient", "ngtcp2-client")];
    vec![
        Scene::new("nghttp", h2_needs, nghttp).told(&["-d", "tcp.port==8082,http2"]),
        Scene::new("http3", h3_needs, http3),
        Scene::new("websocket", &[], websocket),
    ]
}

/// Files for servers to give.
fn served(place: &Place) -> String {
    place.file("www/index.html", "<html><script src=\"/code.js\"></script><p>words</html>\n".repeat(30));
    place.file("www/code.js", "let words = 1;\n".repeat(100));
    place.file("www/large.bin", [7; 100_000]);
    place.path("www")
}

fn nghttp(place: &Place) -> Result<(), NotHere> {
    let names = certificates(place);
    let root = served(place);
    let clear = format!(
        "--no-tls -a 192.0.2.2 -d {root} -p/index.html=/code.js --trailer checked:yes --padding=20 8082"
    );
    place.serve(&mut command("nghttpd", words(&clear)), Ready::Tcp(8082));
    let sealed =
        format!("-a 192.0.2.2 -d {root} -p/index.html=/code.js 443 {} {}", names.server_key, names.server);
    place.serve(&mut place.keyed("nghttpd", words(&sealed)), Ready::Tcp(443));
    let body = place.path("www/code.js");
    for line in [
        "-n http://192.0.2.2:8082/index.html",
        "-n -u http://192.0.2.2:8082/index.html",
        "-na http://192.0.2.2:8082/index.html http://192.0.2.2:8082/large.bin",
        "-n -d BODY -b 30 --trailer end:yes -H content-type:text/plain --expect-continue http://192.0.2.2:8082/taken",
        "-n -p 200 -m 3 -w 20 -W 18 --hexdump http://192.0.2.2:8082/large.bin",
        "-n --no-push --no-dep http://192.0.2.2:8082/nothing",
        "-n -a https://192.0.2.2/index.html",
        "-n -m 4 https://192.0.2.2/code.js",
    ] {
        place.near.tries(&mut place.keyed("nghttp", words(&line.replace("BODY", &body))));
    }
    Ok(())
}

fn http3(place: &Place) -> Result<(), NotHere> {
    // Otherwise many datagrams would pass as a large one, as no other wire carries them.
    for host in [&place.near, &place.far] {
        ip(host, "link set eth0 gso_max_segs 1")?;
    }
    let names = certificates(place);
    let root = served(place);
    for (port, besides) in [("4433", ""), ("4434", "-V")] {
        let line = format!("{besides} -q -d {root} 192.0.2.2 {port} {} {}", names.server_key, names.server);
        place.serve(&mut place.keyed("gtlsserver", words(&line)), Ready::Udp(port.parse().expect("a port")));
    }
    let session = place.path("session");
    let parameters = place.path("parameters");
    for line in [
        "192.0.2.2 4433 https://www.example/index.html",
        "-n 3 192.0.2.2 4433 https://www.example/large.bin",
        "192.0.2.2 4434 https://www.example/code.js",
        "--session-file SESSION --tp-file PARAMETERS --wait-for-ticket 192.0.2.2 4433 https://www.example/code.js",
        "--session-file SESSION --tp-file PARAMETERS 192.0.2.2 4433 https://www.example/code.js",
        "--key-update=1ms 192.0.2.2 4433 https://www.example/large.bin",
        "-v 0x6b3343cf 192.0.2.2 4433 https://www.example/code.js",
    ] {
        let line = line.replace("SESSION", &session).replace("PARAMETERS", &parameters);
        let line = format!("-q --exit-on-all-streams-close --timeout=5s {line}");
        place.near.tries(&mut place.keyed("gtlsclient", words(&line)));
    }
    Ok(())
}

const SERVER: &str = "
import asyncio, websockets
async def serve(socket, path=None):
    async for words in socket:
        await socket.send(words if len(words) < 2000 else len(words).to_bytes(4, 'big'))
        if words == 'go': await socket.close(4000, 'gone as asked')
async def main():
    async with websockets.serve(serve, '192.0.2.2', 80, subprotocols=['echo']):
        async with websockets.serve(serve, '192.0.2.2', 81, compression=None):
            await asyncio.Future()
asyncio.run(main())
";

const CLIENT: &str = "
import asyncio, websockets
async def talk(address, **options):
    async with websockets.connect(address, **options) as socket:
        for words in ['words', 'ä'*100, b'\\x00\\x01'*70, b'long'*20000, 'go']:
            await socket.send(words)
            await socket.ping()
            try: await socket.recv()
            except websockets.ConnectionClosed: return
asyncio.run(talk('ws://192.0.2.2/path?query=1', subprotocols=['echo']))
asyncio.run(talk('ws://192.0.2.2:81/', compression=None))
";

fn websocket(place: &Place) -> Result<(), NotHere> {
    let python = |text: &str| match thru_peers::python("live: websocket", "websockets", "websockets") {
        Some(mut command) => Ok({
            command.args(["-c", text]);
            command
        }),
        None => Err(NotHere(String::new())),
    };
    let mut server: Command = python(SERVER)?;
    place.serve(&mut server, Ready::Tcp(81));
    place.near.runs(&mut python(CLIENT)?);
    Ok(())
}
