//! DNS over HTTPS (RFC 8484): GET with the query in base64url, POST with it as the body; HTTP/1.1, HTTP/2, HTTP/3.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use thru_names::message::HEADER_LEN;
use thru_names::packed::lowest_ttl;
use thru_net::http::{Timer, TokioExecutor};
use thru_net::{Network, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{Engine, Transport, quic};

/// Where queries are taken.
pub const PATH: &str = "/dns-query";
/// The media type of messages.
const MEDIA: &str = "application/dns-message";
/// The largest head of a request, bytes.
const HEAD_MAX: usize = 16 * 1024;
/// How long the handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Serves one connection: TLS, and then the HTTP that was agreed on.
pub(super) async fn connection(
    network: Network,
    stream: TcpStream,
    from: SocketAddr,
    tls: Arc<ServerConfig>,
    engine: Engine,
) {
    stream.set_nodelay(true);
    let accepting = TlsAcceptor::from(tls).accept(stream);
    let Some(Ok(stream)) = network.timeout(HANDSHAKE, accepting).await else { return };
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(move |request: Request<Incoming>| {
        let engine = engine.clone();
        async move { Ok::<_, Infallible>(respond(request, from, &engine).await) }
    });
    let stream = TokioIo::new(stream);
    // What ends a connection early is the client's business.
    if http2 {
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor)
            .timer(Timer::new(&network))
            .auto_date_header(false)
            .keep_alive_interval(HANDSHAKE)
            .max_concurrent_streams(128)
            .max_header_list_size(HEAD_MAX as u32)
            .serve_connection(stream, service)
            .await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new()
            .timer(Timer::new(&network))
            .header_read_timeout(HANDSHAKE)
            .auto_date_header(false)
            .half_close(true)
            .max_buf_size(HEAD_MAX)
            .serve_connection(stream, service)
            .await;
    }
}

async fn respond(request: Request<Incoming>, from: SocketAddr, engine: &Engine) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = if head.method == Method::POST {
        let body = Limited::new(body, usize::from(u16::MAX)).collect();
        match engine.network().timeout(HANDSHAKE, body).await {
            None => return plain(StatusCode::REQUEST_TIMEOUT, "the message did not come in time\n"),
            Some(Ok(body)) => body.to_bytes(),
            Some(Err(_)) => {
                return plain(StatusCode::PAYLOAD_TOO_LARGE, "a message has at most 65535 octets\n");
            }
        }
    } else {
        Bytes::new()
    };
    reply(&head, &body, from, engine).await
}

/// Serves HTTP/3 on an endpoint until it is closed.
pub(super) async fn http3(network: Network, endpoint: quinn::Endpoint, engine: Engine) -> io::Result<()> {
    quic::accept(endpoint, move |connecting| {
        let (network, engine) = (network.clone(), engine.clone());
        async move {
            let Some(Ok(connection)) = network.timeout(HANDSHAKE, connecting).await else { return };
            let from = connection.remote_address();
            let built = h3::server::builder()
                .send_grease(false)
                .max_field_section_size(HEAD_MAX as u64)
                .build(h3_quinn::Connection::new(connection))
                .await;
            let Ok(mut http3) = built else { return };
            let mut requests = tokio::task::JoinSet::new();
            // Bounded by the number of streams that the transport allows.
            while let Ok(Some(resolver)) = http3.accept().await {
                while requests.try_join_next().is_some() {}
                requests.spawn(http3_request(resolver, from, engine.clone()));
            }
        }
    })
    .await;
    Ok(())
}

async fn http3_request(
    resolver: h3::server::RequestResolver<h3_quinn::Connection, Bytes>,
    from: SocketAddr,
    engine: Engine,
) {
    let network = engine.network();
    let resolving = network.timeout(HANDSHAKE, resolver.resolve_request());
    let Some(Ok((request, mut stream))) = resolving.await else { return };
    let (head, ()) = request.into_parts();
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(mut data)) = stream.recv_data().await {
            if body.len() + data.remaining() > usize::from(u16::MAX) {
                return false;
            }
            while data.has_remaining() {
                let piece = data.chunk();
                body.extend_from_slice(piece);
                let length = piece.len();
                data.advance(length);
            }
        }
        true
    };
    if network.timeout(HANDSHAKE, reading).await != Some(true) {
        return stream.stop_stream(h3::error::Code::H3_EXCESSIVE_LOAD);
    }
    let (head, body) = reply(&head, &body, from, &engine).await.into_parts();
    if stream.send_response(Response::from_parts(head, ())).await.is_ok() {
        let Ok(body) = body.collect().await;
        let _ = stream.send_data(body.to_bytes()).await;
        let _ = stream.finish().await;
    }
}

/// The response to a request with this head and body.
async fn reply(
    head: &http::request::Parts,
    body: &[u8],
    from: SocketAddr,
    engine: &Engine,
) -> Response<Full<Bytes>> {
    if head.uri.path() != PATH {
        return plain(StatusCode::NOT_FOUND, "queries are taken at /dns-query\n");
    }
    let query = match head.method {
        Method::GET | Method::HEAD => {
            let text = head
                .uri
                .query()
                .and_then(|query| query.split('&').find_map(|field| field.strip_prefix("dns=")));
            match text.and_then(base64url) {
                Some(query) => query,
                None => return plain(StatusCode::BAD_REQUEST, "there is no query in ?dns=\n"),
            }
        }
        Method::POST => {
            let media = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            if media.is_none_or(|media| !media.trim().eq_ignore_ascii_case(MEDIA)) {
                return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a query is application/dns-message\n");
            }
            body.to_vec()
        }
        _ => return plain(StatusCode::METHOD_NOT_ALLOWED, "GET and POST are understood\n"),
    };
    let messages =
        if query.len() < HEADER_LEN { Vec::new() } else { engine.ask(from, Transport::Https, &query).await };
    let Some(message) = messages.into_iter().next() else {
        return plain(StatusCode::BAD_REQUEST, "this is no query\n");
    };
    let fresh = lowest_ttl(&message).unwrap_or(0);
    let mut response = Response::new(Full::new(Bytes::from(message)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA));
    // RFC 8484 section 5.1: not kept for longer than the records.
    if let Ok(value) = HeaderValue::from_str(&format!("max-age={fresh}")) {
        headers.insert(header::CACHE_CONTROL, value);
    }
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// Base64url without padding (RFC 4648 section 5).
fn base64url(text: &str) -> Option<Vec<u8>> {
    let plain: String = text
        .chars()
        .map(|c| match c {
            '-' => Some('+'),
            '_' => Some('/'),
            '+' | '/' | '=' => None,
            other => Some(other),
        })
        .collect::<Option<_>>()?;
    thru_names::rdata::base64(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_rfc_8484() {
        let text = "AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";
        let query = base64url(text).expect("section 4.1.1");
        assert_eq!((query.len(), &query[12..16]), (33, &b"\x03www"[..]));
        assert_eq!(base64url("-_8"), Some(vec![0xfb, 0xff]));
        for wrong in ["+/8", "AA=", "A A", "\u{e4}"] {
            assert_eq!(base64url(wrong), None, "{wrong}");
        }
    }
}
