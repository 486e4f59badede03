//! HTTP/3 by quinn and h3.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use h3::error::Code;
use h3::server::RequestResolver;
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::pages::Via;
use super::{Answer, Door, QuicDoor, Shared, http};

type QuicConnection = h3_quinn::Connection;

/// Accepts QUIC connections and serves each in a task of its own.
pub(super) async fn accept(shared: Arc<Shared>, endpoint: quinn::Endpoint) {
    let places = Arc::new(Semaphore::new(shared.options.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Some(incoming) = endpoint.accept().await else { return };
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            connection(shared, incoming).await;
            drop(place);
        });
    }
}

async fn connection(shared: Arc<Shared>, incoming: quinn::Incoming) {
    match shared.door() {
        Door::Silent => return incoming.ignore(),
        Door::CloseOnAccept => return incoming.refuse(),
        _ if shared.site(0).behaviour.quic == QuicDoor::Refuse => return incoming.refuse(),
        _ => {}
    }
    let Ok(connecting) = incoming.accept() else { return };
    // Answers may leave before the client has finished its handshake: that is what makes 0-RTT worth while.
    let connection = match connecting.into_0rtt() {
        Ok((connection, _)) => connection,
        Err(connecting) => match connecting.await {
            Ok(connection) => connection,
            Err(_) => return,
        },
    };
    let _ = requests(&shared, connection).await;
}

async fn requests(
    shared: &Arc<Shared>,
    connection: quinn::Connection,
) -> Result<(), h3::error::ConnectionError> {
    let site = server_name_site(shared, &connection);
    let mut http3: h3::server::Connection<QuicConnection, Bytes> = h3::server::builder()
        .send_grease(false)
        .max_field_section_size(32 * 1024)
        .build(QuicConnection::new(connection))
        .await?;
    // Bounded by the number of streams the transport allows.
    let mut requests = JoinSet::new();
    while let Some(resolver) = http3.accept().await? {
        while requests.try_join_next().is_some() {}
        requests.spawn(request(Arc::clone(shared), site, resolver));
    }
    while requests.join_next().await.is_some() {}
    Ok(())
}

/// The site whose certificate was shown.
fn server_name_site(shared: &Shared, connection: &quinn::Connection) -> usize {
    let name = connection
        .handshake_data()
        .and_then(|data| data.downcast::<quinn::crypto::rustls::HandshakeData>().ok())
        .and_then(|data| data.server_name);
    let first = shared.sites.iter().position(|site| site.site.speaks_http3()).unwrap_or(0);
    shared.site_for(name.as_deref(), first)
}

async fn request(shared: Arc<Shared>, site: usize, resolver: RequestResolver<QuicConnection, Bytes>) {
    let Ok((request, mut stream)) = resolver.resolve_request().await else { return };
    let (head, ()) = request.into_parts();
    let mut uploaded = 0;
    loop {
        match stream.recv_data().await {
            Ok(Some(data)) => uploaded += data.remaining() as u64,
            Ok(None) => break,
            Err(_) => return,
        }
    }
    let Ok(response) = http::reply_to(&shared, site, Via::Quic, &head, uploaded, None).await else {
        let rejected = shared.site(site).behaviour.answer == Answer::Close;
        stream.stop_stream(if rejected { Code::H3_REQUEST_REJECTED } else { Code::H3_REQUEST_CANCELLED });
        return;
    };
    let (head, mut body) = response.into_parts();
    if stream.send_response(::http::Response::from_parts(head, ())).await.is_err() {
        return;
    }
    while let Some(frame) = body.frame().await {
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => {
                if stream.send_data(data).await.is_err() {
                    return;
                }
            }
            Ok(Err(_)) => {}
            Err(_broken_off) => {
                stream.stop_stream(Code::H3_INTERNAL_ERROR);
                return;
            }
        }
    }
    let _ = stream.finish().await;
}
