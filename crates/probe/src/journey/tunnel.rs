//! The way through a proxy: HTTP's CONNECT (RFC 9110 9.3.6) or SOCKS 5 (RFC 1928), with names resolved by the proxy.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use thru_net::{ConnectOptions, TcpStream};
use thru_trace::{Layer, SpanId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::{Host, Url};

use super::JourneyOptions;
use crate::Recorder;
use crate::connect::{self, Connected};
use crate::resolve;

/// How long a proxy may take to reach the target: longer than it waits itself, as a rule.
const PATIENCE: Duration = Duration::from_secs(15);
/// Largest head of its answer, bytes.
const HEAD_MAX: usize = 16 * 1024;

/// Who passes a request on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// How it is asked.
    pub kind: ProxyKind,
    /// Its name or address.
    pub host: Host<String>,
    /// Its port.
    pub port: u16,
}

/// How a proxy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// HTTP, with CONNECT.
    Http,
    /// SOCKS 5, without a login.
    Socks5,
}

impl Proxy {
    /// Reads `http://proxy.office.lab:3128`, `socks5h://10.0.0.1:1080`, or `HOST:PORT`, which means HTTP. The error is a
    /// sentence.
    pub fn parse(text: &str) -> Result<Proxy, String> {
        let bare = !text.contains("://");
        let full = if bare { format!("http://{text}") } else { text.to_owned() };
        let url = Url::parse(&full).map_err(|error| format!("`{text}` is no proxy: {error}"))?;
        // Any word could be a host's name: one that says neither how nor where it is asked is a slip.
        let port = text.rsplit_once(':').and_then(|(_, port)| port.trim_end_matches('/').parse::<u16>().ok());
        if bare && port.is_none() {
            return Err(format!("`{text}` says no port: write http://{text}:PORT or socks5h://{text}:PORT"));
        }
        let (kind, usual) = match url.scheme() {
            "http" => (ProxyKind::Http, 80),
            "socks5" | "socks5h" => (ProxyKind::Socks5, 1080),
            other => {
                return Err(format!("`{other}` is no kind of proxy that is known here: http or socks5h"));
            }
        };
        let host = match url.host() {
            Some(Host::Domain(name)) => match name.parse::<IpAddr>() {
                Ok(IpAddr::V4(address)) => Host::Ipv4(address),
                Ok(IpAddr::V6(address)) => Host::Ipv6(address),
                Err(_) => Host::Domain(name.to_owned()),
            },
            Some(Host::Ipv4(address)) => Host::Ipv4(address),
            Some(Host::Ipv6(address)) => Host::Ipv6(address),
            None => return Err(format!("`{text}` names no proxy")),
        };
        Ok(Proxy { kind, host, port: url.port().unwrap_or(usual) })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why there is no way through the proxy.
struct Refusal {
    code: String,
    text: String,
}

fn refusal(code: impl Into<String>, text: impl Into<String>) -> Refusal {
    Refusal { code: code.into(), text: text.into() }
}

/// Finds the proxy, connects to it, and has it connect to `host` and `port`. One `tunnel` span tells of it; what it took
/// stands below. `Err` holds that span.
pub async fn open(
    recorder: &Recorder,
    parent: Option<SpanId>,
    options: &JourneyOptions,
    proxy: &Proxy,
    (host, port): (&str, u16),
) -> Result<Connected, SpanId> {
    let span = recorder.open(parent, Layer::Proxy, "tunnel", format!("through the proxy {proxy}"));
    recorder.set(span, "proxy.name", proxy.to_string());
    recorder.set(span, "proxy.target", format!("{host}:{port}"));
    let result = async {
        let addresses = addresses(recorder, options, proxy, span).await?;
        let wishes =
            ConnectOptions { limit: Some(options.connect_limit), nodelay: true, ..ConnectOptions::default() };
        let mut connected =
            connect::race(recorder, Some(span), &addresses, wishes).await.map_err(|attempts| {
                let code = attempts.first().and_then(|attempt| recorder.code(*attempt));
                let code = code.unwrap_or_else(|| "tcp.timeout".to_owned());
                refusal(format!("proxy.{code}"), format!("the proxy {proxy} takes no connection"))
            })?;
        recorder.set(span, "tcp.remote", connected.remote.to_string());
        ask(recorder, span, proxy.kind, &mut connected.stream, host, port).await?;
        Ok(connected)
    };
    match result.await {
        Ok(connected) => {
            recorder.ok(span);
            Ok(connected)
        }
        Err(Refusal { code, text }) => {
            recorder.fail(span, code, text);
            Err(span)
        }
    }
}

async fn addresses(
    recorder: &Recorder,
    options: &JourneyOptions,
    proxy: &Proxy,
    span: SpanId,
) -> Result<Vec<SocketAddr>, Refusal> {
    let addresses = match &proxy.host {
        Host::Ipv4(address) => vec![IpAddr::V4(*address)],
        Host::Ipv6(address) => vec![IpAddr::V6(*address)],
        Host::Domain(name) => {
            let found = resolve::resolve(recorder, Some(span), name, &options.resolve_options()).await;
            found.map_err(|failure| refusal(format!("proxy.{}", failure.code), failure.text))?.addresses
        }
    };
    Ok(addresses.into_iter().map(|address| SocketAddr::new(address, proxy.port)).collect())
}

async fn ask(
    recorder: &Recorder,
    span: SpanId,
    kind: ProxyKind,
    stream: &mut TcpStream,
    host: &str,
    port: u16,
) -> Result<(), Refusal> {
    let network = recorder.network().clone();
    let asking = async {
        match kind {
            ProxyKind::Http => connect_method(recorder, span, stream, host, port).await,
            ProxyKind::Socks5 => socks(recorder, span, stream, host, port).await,
        }
    };
    match network.timeout(PATIENCE, asking).await {
        Some(result) => result,
        None => Err(refusal("proxy.timeout", format!("the proxy did not answer within {PATIENCE:?}"))),
    }
}

fn broken(error: &std::io::Error) -> Refusal {
    match error.kind() {
        std::io::ErrorKind::ConnectionReset => refusal("proxy.reset", "the proxy cut the connection"),
        std::io::ErrorKind::UnexpectedEof => {
            refusal("proxy.closed", "the proxy closed the connection without an answer")
        }
        _ => refusal("proxy.closed", format!("the connection to the proxy failed: {error}")),
    }
}

async fn connect_method(
    recorder: &Recorder,
    span: SpanId,
    stream: &mut TcpStream,
    host: &str,
    port: u16,
) -> Result<(), Refusal> {
    let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| broken(&error))?;
    let mut head = Vec::new();
    // Byte by byte: what follows the head belongs to the target.
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= HEAD_MAX {
            return Err(refusal("proxy.protocol", "the proxy's answer has no end"));
        }
        head.push(stream.read_u8().await.map_err(|error| broken(&error))?);
    }
    let first: String =
        head.iter().take_while(|byte| **byte != b'\r').map(|byte| char::from(*byte)).collect();
    let status = first
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u16>().ok())
        .ok_or_else(|| refusal("proxy.protocol", "what answers there is no HTTP proxy"))?;
    recorder.set(span, "proxy.status", i64::from(status));
    match status {
        200..=299 => Ok(()),
        _ => Err(refusal(format!("proxy.status.{status}"), format!("the proxy answered {first}"))),
    }
}

async fn socks(
    recorder: &Recorder,
    span: SpanId,
    stream: &mut TcpStream,
    host: &str,
    port: u16,
) -> Result<(), Refusal> {
    stream.write_all(&[5, 1, 0]).await.map_err(|error| broken(&error))?;
    let mut choice = [0; 2];
    stream.read_exact(&mut choice).await.map_err(|error| broken(&error))?;
    match choice {
        [5, 0] => {}
        [5, _] => return Err(refusal("proxy.socks.login", "the proxy wants a login")),
        _ => return Err(refusal("proxy.protocol", "what answers there is no SOCKS 5 proxy")),
    }
    let mut request = vec![5, 1, 0];
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend(address.octets());
        }
        Err(_) => {
            let length = u8::try_from(host.len())
                .map_err(|_| refusal("proxy.protocol", "the name is too long for SOCKS 5"))?;
            request.extend([3, length]);
            request.extend(host.as_bytes());
        }
    }
    request.extend(port.to_be_bytes());
    stream.write_all(&request).await.map_err(|error| broken(&error))?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.map_err(|error| broken(&error))?;
    recorder.set(span, "proxy.reply", i64::from(head[1]));
    if head[1] != 0 {
        return Err(refusal(
            format!("proxy.socks.{}", head[1]),
            format!("the proxy answered: {}", reply(head[1])),
        ));
    }
    let rest = match head[3] {
        1 => 4 + 2,
        4 => 16 + 2,
        _ => usize::from(stream.read_u8().await.map_err(|error| broken(&error))?) + 2,
    };
    stream.read_exact(&mut vec![0; rest]).await.map_err(|error| broken(&error))?;
    Ok(())
}

/// What a SOCKS 5 reply says (RFC 1928 6).
fn reply(code: u8) -> &'static str {
    match code {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "an unknown error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_named_as_curl_names_them() {
        let proxy = |text: &str| Proxy::parse(text).map(|proxy| (proxy.kind, proxy.to_string()));
        assert_eq!(proxy("http://proxy.lab:3128"), Ok((ProxyKind::Http, "proxy.lab:3128".to_owned())));
        assert_eq!(proxy("10.0.0.1:8080"), Ok((ProxyKind::Http, "10.0.0.1:8080".to_owned())));
        assert_eq!(proxy("socks5h://proxy.lab"), Ok((ProxyKind::Socks5, "proxy.lab:1080".to_owned())));
        assert!(proxy("ftp://proxy.lab").unwrap_err().contains("ftp"));
        assert!(proxy("").is_err());
        assert!(proxy("nonsense").unwrap_err().contains("port"));
        assert!(proxy("proxy.lab:80").is_ok() && proxy("[2001:db8::1]:3128").is_ok());
    }
}
