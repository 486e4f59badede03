//! Proxies: HTTP's CONNECT (RFC 9110 9.3.6) and SOCKS 5 (RFC 1928), well or badly behaved.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use thru_net::{ConnectOptions, Network, TcpListener, TcpStream};
use thru_probe::Recorder;
use thru_probe::connect;
use thru_probe::resolve::{ResolveOptions, resolve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

/// How long it waits for the target.
const PATIENCE: Duration = Duration::from_secs(8);
/// Largest head of a request, bytes.
const HEAD_MAX: usize = 16 * 1024;
/// Connections waiting to be taken.
const BACKLOG: usize = 64;

/// How it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// With CONNECT.
    #[default]
    Http,
    /// With SOCKS 5, without a login.
    Socks5,
}

/// How it treats whoever asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// It connects, and passes on.
    #[default]
    Relay,
    /// It answers everybody with this status (HTTP) or reply code (SOCKS).
    Answer(u16),
    /// It takes connections and says nothing.
    Silent,
}

/// Takes the port on every one of these addresses.
pub async fn bind(network: &Network, addresses: &[IpAddr], port: u16) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        listeners.push(network.listen_tcp(SocketAddr::new(*address, port), BACKLOG).await?);
    }
    Ok(listeners)
}

/// Serves until dropped. Names are looked up with the network's own resolvers.
pub async fn serve(network: Network, listeners: Vec<TcpListener>, kind: Kind, behaviour: Behaviour) {
    let mut all = JoinSet::new();
    for listener in listeners {
        let network = network.clone();
        all.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let network = network.clone();
                connections.spawn(async move {
                    // Whoever goes away in the middle ends it.
                    let _ = connection(&network, stream, kind, behaviour).await;
                });
            }
        });
    }
    while all.join_next().await.is_some() {}
}

async fn connection(
    network: &Network,
    mut stream: TcpStream,
    kind: Kind,
    behaviour: Behaviour,
) -> io::Result<()> {
    if behaviour == Behaviour::Silent {
        return std::future::pending().await;
    }
    let wanted = match kind {
        Kind::Http => read_connect(&mut stream).await?,
        Kind::Socks5 => read_socks(&mut stream).await?,
    };
    let (code, upstream) = match (behaviour, wanted) {
        (Behaviour::Answer(code), _) => (code, None),
        (_, None) => (if kind == Kind::Http { 405 } else { 7 }, None),
        (_, Some((host, port))) => match reach(network, &host, port).await {
            Ok(upstream) => (if kind == Kind::Http { 200 } else { 0 }, Some(upstream)),
            Err(why) => (why.code(kind), None),
        },
    };
    match kind {
        Kind::Http => stream.write_all(http_answer(code).as_bytes()).await?,
        Kind::Socks5 => stream.write_all(&[5, code.min(255) as u8, 0, 1, 0, 0, 0, 0, 0, 0]).await?,
    }
    match upstream {
        Some(mut upstream) => {
            tokio::io::copy_bidirectional(&mut stream, &mut upstream).await?;
        }
        None => {
            stream.shutdown().await?;
            // What still comes must not be answered with a reset, which would overtake the answer.
            while stream.read(&mut [0; 1024]).await? > 0 {}
        }
    }
    Ok(())
}

/// Why the target was not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unreached {
    Name,
    Refused,
    Silent,
}

impl Unreached {
    fn code(self, kind: Kind) -> u16 {
        match (kind, self) {
            (Kind::Http, Unreached::Silent) => 504,
            (Kind::Http, _) => 502,
            (Kind::Socks5, Unreached::Name) => 4,
            (Kind::Socks5, Unreached::Refused) => 5,
            (Kind::Socks5, Unreached::Silent) => 4,
        }
    }
}

async fn reach(network: &Network, host: &str, port: u16) -> Result<TcpStream, Unreached> {
    let recorder = Recorder::new(network.clone());
    let found = resolve(&recorder, None, host, &ResolveOptions::default()).await;
    let addresses: Vec<SocketAddr> = found
        .map_err(|_| Unreached::Name)?
        .addresses
        .into_iter()
        .map(|address| SocketAddr::new(address, port))
        .collect();
    let wishes = ConnectOptions { limit: Some(PATIENCE), nodelay: true, ..ConnectOptions::default() };
    match connect::race(&recorder, None, &addresses, wishes).await {
        Ok(connected) => Ok(connected.stream),
        Err(attempts) => {
            let silent = attempts.iter().any(|span| recorder.code(*span).as_deref() == Some("tcp.timeout"));
            Err(if silent { Unreached::Silent } else { Unreached::Refused })
        }
    }
}

/// Reads a request; the target, if it is a CONNECT.
async fn read_connect(stream: &mut TcpStream) -> io::Result<Option<(String, u16)>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_MAX {
        head.push(stream.read_u8().await?);
    }
    Ok(connect_target(&head))
}

fn connect_target(head: &[u8]) -> Option<(String, u16)> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let target = line.strip_prefix("CONNECT ")?.split(' ').next()?;
    let (host, port) = target.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    Some((host.to_owned(), port.parse().ok()?))
}

async fn read_socks(stream: &mut TcpStream) -> io::Result<Option<(String, u16)>> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await?;
    stream.read_exact(&mut vec![0; usize::from(head[1])]).await?;
    stream.write_all(&[5, 0]).await?;
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let host = match request[3] {
        1 => {
            let mut address = [0; 4];
            stream.read_exact(&mut address).await?;
            Ipv4Addr::from(address).to_string()
        }
        4 => {
            let mut address = [0; 16];
            stream.read_exact(&mut address).await?;
            Ipv6Addr::from(address).to_string()
        }
        _ => {
            let mut name = vec![0; usize::from(stream.read_u8().await?)];
            stream.read_exact(&mut name).await?;
            String::from_utf8_lossy(&name).into_owned()
        }
    };
    let port = stream.read_u16().await?;
    // 1 is CONNECT.
    Ok((request[0] == 5 && request[1] == 1).then_some((host, port)))
}

fn http_answer(code: u16) -> String {
    let reason =
        http::StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason()).unwrap_or("");
    match code {
        200..=299 => format!("HTTP/1.1 {code} Connection established\r\n\r\n"),
        407 => format!(
            "HTTP/1.1 407 {reason}\r\nProxy-Authenticate: Basic realm=\"proxy\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ),
        _ => format!("HTTP/1.1 {code} {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_from_the_first_line() {
        let target = |head: &str| connect_target(head.as_bytes());
        assert_eq!(
            target("CONNECT www.shop.lab:443 HTTP/1.1\r\n\r\n"),
            Some(("www.shop.lab".to_owned(), 443))
        );
        assert_eq!(
            target("CONNECT [2001:db8::1]:8443 HTTP/1.1\r\n\r\n"),
            Some(("2001:db8::1".to_owned(), 8443))
        );
        for other in [
            "GET / HTTP/1.1\r\n\r\n",
            "CONNECT www.shop.lab HTTP/1.1\r\n\r\n",
            "CONNECT a:70000 x\r\n\r\n",
            "",
        ] {
            assert_eq!(target(other), None, "{other}");
        }
    }
}
