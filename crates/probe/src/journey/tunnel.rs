//! The way through a proxy: HTTP's CONNECT (RFC 9110 9.3.6) or SOCKS 5 (RFC 1928), with names resolved by the proxy; with a
//! login, if it has one (RFC 7617, RFC 1929).

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
use crate::login::{Login, hidden};
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
    /// What it is shown, if it wants one.
    pub login: Option<Login>,
}

/// How a proxy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// HTTP, with CONNECT.
    Http,
    /// SOCKS 5.
    Socks5,
}

impl Proxy {
    /// Reads `http://proxy.office.lab:3128`, `socks5h://10.0.0.1:1080`, or `HOST:PORT`, which means HTTP; before the host may
    /// stand a login, `USER:PASSWORD@`. The error is a sentence.
    pub fn parse(text: &str) -> Result<Proxy, String> {
        let bare = !text.contains("://");
        let full = if bare { format!("http://{text}") } else { text.to_owned() };
        let shown = hidden(text);
        let mut url = Url::parse(&full).map_err(|error| format!("`{shown}` is no proxy: {error}"))?;
        let login = Login::take(&mut url);
        // Any word could be a host's name: one that says neither how nor where it is asked is a slip.
        let port = text.rsplit_once(':').and_then(|(_, port)| port.trim_end_matches('/').parse::<u16>().ok());
        if bare && port.is_none() {
            return Err(format!(
                "`{shown}` says no port: write http://{shown}:PORT or socks5h://{shown}:PORT"
            ));
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
            None => return Err(format!("`{shown}` names no proxy")),
        };
        if kind == ProxyKind::Socks5 && login.as_ref().is_some_and(|login| login.socks().is_none()) {
            return Err("a login for SOCKS 5 needs a name and a password, of 255 octets at most".to_owned());
        }
        Ok(Proxy { kind, host, port: url.port().unwrap_or(usual), login })
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
    let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    recorder.set(span, "proxy.target", target.clone());
    if proxy.login.is_some() {
        recorder.set(span, "proxy.login", true);
    }
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
        let asking = async {
            match proxy.kind {
                ProxyKind::Http => {
                    connect_method(recorder, span, proxy, &mut connected.stream, &target).await
                }
                ProxyKind::Socks5 => socks(recorder, span, proxy, &mut connected.stream, host, port).await,
            }
        };
        let asked = recorder.network().timeout(PATIENCE, asking).await;
        asked.unwrap_or_else(|| {
            Err(refusal("proxy.timeout", format!("the proxy did not answer within {PATIENCE:?}")))
        })?;
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
    proxy: &Proxy,
    stream: &mut TcpStream,
    target: &str,
) -> Result<(), Refusal> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(login) = &proxy.login {
        request.extend([b"Proxy-Authorization: ", login.basic().as_bytes(), b"\r\n"].concat());
    }
    request.extend(b"\r\n");
    stream.write_all(&request).await.map_err(|error| broken(&error))?;
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
    proxy: &Proxy,
    stream: &mut TcpStream,
    host: &str,
    port: u16,
) -> Result<(), Refusal> {
    greet(proxy, stream).await?;
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

/// Agrees on how to log in (RFC 1928 3), and does so.
async fn greet(proxy: &Proxy, stream: &mut TcpStream) -> Result<(), Refusal> {
    let login = proxy.login.as_ref().and_then(Login::socks);
    // 0: without a login; 2: with name and password.
    let ways: &[u8] = if login.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
    stream.write_all(ways).await.map_err(|error| broken(&error))?;
    let mut choice = [0; 2];
    stream.read_exact(&mut choice).await.map_err(|error| broken(&error))?;
    match (choice, login) {
        ([5, 0], _) => Ok(()),
        ([5, 2], Some(login)) => {
            stream.write_all(&login).await.map_err(|error| broken(&error))?;
            let mut answer = [0; 2];
            stream.read_exact(&mut answer).await.map_err(|error| broken(&error))?;
            match answer[1] {
                0 => Ok(()),
                _ => Err(refusal("proxy.socks.login", "the proxy refuses the login")),
            }
        }
        ([5, _], _) => Err(refusal("proxy.socks.login", "the proxy wants a login")),
        _ => Err(refusal("proxy.protocol", "what answers there is no SOCKS 5 proxy")),
    }
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
mod tests;
