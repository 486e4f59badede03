//! HTTP/1.1 and HTTP/2 by hyper; [`reply_to`] is what HTTP/3 shares with them.

use std::fmt;
use std::sync::Arc;

use http::header::{self, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use thru_net::http::TokioExecutor;
use thru_net::{TcpInspector, TcpStream};
use tokio::io::{AsyncRead, AsyncWrite};

use super::body::{BrokenOff, PageBody};
use super::idle::Idle;
use super::pages::{self, Via};
use super::{Announced, Answer, Behaviour, Delivery, Door, Shared, raw};

/// The largest head of a request, bytes.
const HEAD_MAX: usize = 32 * 1024;

/// Serves one connection of the plain port.
pub(super) async fn plain(shared: Arc<Shared>, stream: TcpStream) {
    stream.set_nodelay(true);
    match shared.door() {
        Door::CloseOnAccept => return,
        Door::ResetOnAccept => return stream.inspector().reset(),
        Door::Silent => return std::future::pending().await,
        Door::Greet(greeting) => {
            let greeting = Arc::clone(greeting);
            return raw::greet(&shared.network, stream, &greeting).await;
        }
        Door::Open
        | Door::PlainOnTlsPort
        | Door::CloseAfterHello
        | Door::SilentAfterHello
        | Door::ResetAfterHello
        | Door::Alert(_)
        | Door::Full => {}
    }
    let connection = stream.inspector();
    let idle = Idle::new(&shared.network, stream, shared.options.idle);
    http1(shared, 0, Via::Plain, connection, idle).await;
}

/// HTTP/1.1 on a stream; `site` answers when `Host` names no other.
pub(super) async fn http1<S>(
    shared: Arc<Shared>,
    site: usize,
    via: Via,
    connection: TcpInspector,
    mut stream: S,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if let Answer::Bytes { bytes, goodbye } = &shared.site(site).behaviour.answer
        && (via == Via::Tls || shared.site(site).certificate.is_none())
    {
        return raw::answer(&shared.network, &mut stream, bytes, *goodbye, raw::Head::Http1).await;
    }
    let service =
        service_fn(move |request| respond(Arc::clone(&shared), site, via, connection.clone(), request));
    // What ends a connection early is the client's business, or ours on purpose.
    let _ = hyper::server::conn::http1::Builder::new()
        .auto_date_header(false)
        .half_close(true)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// HTTP/2 on a stream.
pub(super) async fn http2<S>(shared: Arc<Shared>, site: usize, connection: TcpInspector, mut stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if let Answer::Bytes { bytes, goodbye } = &shared.site(site).behaviour.answer {
        return raw::answer(&shared.network, &mut stream, bytes, *goodbye, raw::Head::Http2).await;
    }
    let service =
        service_fn(move |request| respond(Arc::clone(&shared), site, Via::Tls, connection.clone(), request));
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor)
        .auto_date_header(false)
        .max_concurrent_streams(128)
        .max_header_list_size(HEAD_MAX as u32)
        .max_send_buf_size(256 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Answers one request.
async fn respond(
    shared: Arc<Shared>,
    site: usize,
    via: Via,
    connection: TcpInspector,
    request: Request<Incoming>,
) -> Result<Response<PageBody>, BrokenOff> {
    let (head, mut body) = request.into_parts();
    let mut uploaded = 0;
    if !body.is_end_stream() {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Err(BrokenOff) };
            uploaded += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
    }
    reply_to(&shared, site, via, &head, uploaded, Some(connection)).await
}

/// Waits as the site does and makes its answer; an error means that the connection or stream is to be closed.
pub(super) async fn reply_to(
    shared: &Shared,
    site: usize,
    via: Via,
    head: &http::request::Parts,
    uploaded: u64,
    connection: Option<TcpInspector>,
) -> Result<Response<PageBody>, BrokenOff> {
    let network = &shared.network;
    let authority = head
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| head.uri.authority().map(http::uri::Authority::as_str));
    let host = authority.map(without_port);
    let site = shared.site(shared.site_for(host, site));
    let Behaviour { think, cold, answer, delivery, headers, .. } = &site.behaviour;
    let mut think = *think;
    if !shared.warm.swap(true, std::sync::atomic::Ordering::Relaxed) {
        think += *cold;
    }
    if !think.is_zero() {
        network.sleep(think).await;
    }
    match answer {
        Answer::Never => std::future::pending().await,
        Answer::Close => return Err(BrokenOff),
        Answer::Page | Answer::Status { .. } | Answer::Redirect(_) | Answer::Bytes { .. } => {}
    }
    let path = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let reply = pages::answer(site, via, &head.method, host, path, uploaded);
    let body = if head.method == Method::HEAD || reply.content.length() == 0 {
        PageBody::empty(network)
    } else {
        PageBody::new(network, reply.content, *delivery, connection)
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response.headers_mut().insert(header::DATE, pages::http_date(network.unix_time()));
    if reply.status == http::StatusCode::NO_CONTENT || reply.status == http::StatusCode::NOT_MODIFIED {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    if let Delivery::Break { announced: Announced::Chunks, .. } = delivery {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    for (name, value) in headers {
        // Checked when the site was made: names and values that cannot be sent are left out.
        let Ok(name) = header::HeaderName::from_bytes(name.as_bytes()) else { continue };
        match HeaderValue::from_str(value) {
            Ok(value) if !value.is_empty() => response.headers_mut().insert(name, value),
            _ => response.headers_mut().remove(name),
        };
    }
    if let Delivery::Break { .. } = delivery
        && via != Via::Quic
        && head.version == http::Version::HTTP_11
    {
        // The connection ends with this answer anyway; saying so keeps the head true.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// `www.shop.lab:8443` and `[2001:db8::1]:443` without their ports.
fn without_port(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.split(':').next().unwrap_or(authority)
}

impl fmt::Debug for PageBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageBody").finish_non_exhaustive()
    }
}
