//! HTTP both ways, over both families and each kind of device: nginx serves us, and curl asks us.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use thru_net::iface::Iface;
use thru_net::{ConnectOptions, Network};
use thru_stack::tcp::TcpConfig;
use thru_wire::MacAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::place::{KERNEL, OURS, Place, ours, socket, with_mac};
use crate::program::{Folder, Server};
use crate::transfer::{SPURIOUS, pattern, run};

const PORT: u16 = 8_080;
const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 7]);

/// 20 MB that tell their place.
fn page() -> Vec<u8> {
    pattern().into_iter().cycle().take(20_000_000).collect()
}

/// nginx at the kernel's addresses.
fn nginx(place: &Place, program: &Path, folder: &Folder) -> Server {
    let path = folder.0.display();
    let listen: String = KERNEL.iter().map(|kernel| format!("listen {}; ", socket(kernel, PORT))).collect();
    let text = format!(
        "daemon off; user root; pid {path}/pid; error_log stderr notice;\nevents {{}}\nhttp {{\naccess_log off;\n\
         client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;\n\
         uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;\nserver {{ {listen} root {path}; }}\n}}\n"
    );
    let file = folder.0.join("nginx.conf");
    fs::write(&file, text).expect("the configuration");
    let file = file.display().to_string();
    Server::start(place, program, &["-e", "stderr", "-c", &file], "start worker process")
}

/// What a server answers to GET, without the headers.
async fn get(network: &Network, from: SocketAddr) -> Vec<u8> {
    let mut stream = network.connect_tcp(from, ConnectOptions::default()).await.expect("nginx listens");
    stream.write_all(b"GET /page HTTP/1.0\r\n\r\n").await.expect("the connection lives");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("a clean end");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..100]));
    assert_eq!(stream.info().expect("known").retransmissions, 0);
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("headers end");
    answer.split_off(end + 4)
}

/// Answers one request for anything with `page`; how many segments were sent again.
async fn serve(network: &Network, at: SocketAddr, page: &[u8]) -> u64 {
    let listener = network.listen_tcp(at, 4).await.expect("our port is free");
    let (mut stream, _) = listener.accept().await.expect("curl connects");
    let mut request = Vec::new();
    while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        assert!(stream.read_buf(&mut request).await.expect("the connection lives") > 0, "a whole request");
    }
    let header = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", page.len());
    stream.write_all(header.as_bytes()).await.expect("the connection lives");
    stream.write_all(page).await.expect("the connection lives");
    stream.shutdown().await.expect("the connection lives");
    assert_eq!(stream.read(&mut [0]).await.expect("a clean end"), 0);
    stream.info().expect("known").retransmissions
}

/// Both ways over both families; nobody resets, and nothing is sent again but by an overloaded machine.
fn both_ways(test: &str, place: &Place, host: impl FnOnce() -> Iface) {
    let Some(program) = thru_peers::peer(test, "nginx", "nginx-light") else { return };
    let Some(curl) = thru_peers::peer(test, "curl", "curl") else { return };
    let folder = Folder::new(&test.replace(':', "-"));
    let page = page();
    fs::write(folder.0.join("page"), &page).expect("a file");
    let _server = nginx(place, &program, &folder);
    run(async {
        let iface = host();
        let network = iface.network();
        for (kernel, own) in KERNEL.into_iter().zip(OURS) {
            assert!(get(&network, socket(kernel, PORT)).await == page, "nginx's page differs");
            let at = socket(own, PORT);
            let mut command = Command::new(&curl);
            command.args(["--silent", "--show-error", "--max-time", "15", &format!("http://{at}/")]);
            let place = place.clone();
            let asked = tokio::task::spawn_blocking(move || place.within(|| command.output()));
            let again = serve(&network, at, &page).await;
            let output = asked.await.expect("no panic").expect("curl runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(output.stdout == page, "what curl got differs");
            assert!(again <= SPURIOUS, "{again} segments were sent again");
        }
        assert_eq!(iface.stats().dropped, 0);
    });
    assert!(place.retransmissions() <= SPURIOUS);
    assert_eq!(place.resets_sent(), 0);
}

#[test]
fn over_tap() {
    let test = "http::over_tap";
    let Some(place) = Place::new(test) else { return };
    let Some(tap) = place.tun(test, true, true) else { return };
    both_ways(test, &place, || ours(tap, TcpConfig::default()));
}

#[test]
fn over_af_packet() {
    let test = "http::over_af_packet";
    let Some(place) = Place::new(test) else { return };
    let device = place.packet_socket(false);
    both_ways(test, &place, || ours(device, TcpConfig::default()));
}

#[test]
fn over_af_xdp() {
    let test = "http::over_af_xdp";
    let Some(place) = Place::new(test) else { return };
    let Some(device) = place.xdp(test, MAC) else { return };
    both_ways(test, &place, || with_mac(device, TcpConfig::default(), Some(MAC)));
}
