//! HTTP/3 by h3 over quinn.

use bytes::{Buf, Bytes};
use h3::client::SendRequest;
use h3_quinn::OpenStreams;
use thru_net::Network;
use tokio::task::JoinHandle;

use super::{Limits, Problem, Progress, failure, no_answer, stalled};
use crate::Recorder;
use crate::secure::quic::QuicConnection;

/// The largest head of an answer, bytes.
const HEAD_MAX: u64 = 64 * 1024;

/// A client on one QUIC connection.
pub struct QuicClient {
    network: Network,
    session: Session,
    /// Clones leave the connection to the original.
    quic: Option<QuicConnection>,
    /// Early data was refused and HTTP/3 has begun anew.
    renewed: bool,
}

impl std::fmt::Debug for QuicClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuicClient").field("quic", &self.quic).finish_non_exhaustive()
    }
}

/// HTTP/3's own state on a connection.
struct Session {
    sender: SendRequest<OpenStreams, Bytes>,
    driver: Driver,
}

type Control = h3::client::Connection<h3_quinn::Connection, Bytes>;

/// What reads the server's control streams.
enum Driver {
    /// Until it is known whether the server took the early data, nobody may take the streams it opens: if it did
    /// not, they belong to the session that begins anew, and giving them up would close them.
    Waiting(Box<Control>),
    Running(JoinHandle<()>),
    /// The original of a clone has it.
    Elsewhere,
}

impl Session {
    async fn new(connection: &quinn::Connection) -> Result<Session, Problem> {
        let (control, sender) = h3::client::builder()
            .send_grease(false)
            .max_field_section_size(HEAD_MAX)
            .build(h3_quinn::Connection::new(connection.clone()))
            .await
            .map_err(|error| failure::of_http3_connection(&error, false))?;
        Ok(Session { sender, driver: Driver::Waiting(Box::new(control)) })
    }

    /// From now on the server's control streams are read.
    fn run(&mut self, network: &Network) {
        let driver = std::mem::replace(&mut self.driver, Driver::Elsewhere);
        self.driver = match driver {
            Driver::Waiting(mut control) => Driver::Running(network.spawn(async move {
                // Whoever waits for an answer hears of the end too.
                let _ = control.wait_idle().await;
            })),
            other => other,
        };
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Driver::Running(driver) = &self.driver {
            driver.abort();
        }
    }
}

impl QuicClient {
    pub(super) async fn new(network: &Network, quic: QuicConnection) -> Result<QuicClient, Problem> {
        let mut session = Session::new(&quic.connection).await?;
        if !quic.is_early() {
            session.run(network);
        }
        Ok(QuicClient { network: network.clone(), session, quic: Some(quic), renewed: false })
    }

    /// A second handle for requests at the same time.
    pub(super) fn share(&self) -> QuicClient {
        let session = Session { sender: self.session.sender.clone(), driver: Driver::Elsewhere };
        QuicClient { network: self.network.clone(), session, quic: None, renewed: false }
    }

    /// Waits for a handshake that 0-RTT left behind, so that its span is complete.
    pub(super) async fn finish(&mut self, recorder: &Recorder) {
        if let Some(quic) = &mut self.quic {
            // A failure is in the span `handshake`; the exchange failed by itself then.
            if quic.finish(recorder).await.is_ok() {
                self.session.run(&self.network);
            }
        }
    }

    pub(super) async fn send(
        &mut self,
        message: http::Request<Bytes>,
        limits: &Limits,
        progress: &mut Progress,
    ) -> Result<(), Problem> {
        let network = self.network.clone();
        let bounded = network.timeout(limits.total, self.send_or_resend(message, limits, progress)).await;
        bounded.unwrap_or_else(|| progress.time_is_up(network.now(), limits))
    }

    /// Sends again what a server did not take as early data.
    async fn send_or_resend(
        &mut self,
        message: http::Request<Bytes>,
        limits: &Limits,
        progress: &mut Progress,
    ) -> Result<(), Problem> {
        // RFC 8470 4: early data can be replayed by anyone on the way, so only what changes nothing goes early.
        if !message.method().is_safe() {
            self.renew_if_refused().await?;
        }
        let start = progress.start;
        match self.send_unbounded(message.clone(), limits, progress).await {
            Err(_) if self.renew_if_refused().await? => {
                *progress = Progress::new(start);
                self.send_unbounded(message, limits, progress).await
            }
            result => result,
        }
    }

    /// If early data was sent and refused, HTTP/3 has to begin anew on the same connection; tells whether it did.
    async fn renew_if_refused(&mut self) -> Result<bool, Problem> {
        let Some(quic) = self.quic.as_mut().filter(|_| !self.renewed) else { return Ok(false) };
        if !matches!(quic.settle().await, Some(Ok(false))) {
            self.session.run(&self.network);
            return Ok(false);
        }
        self.renewed = true;
        self.session = Session::new(&quic.connection).await?;
        self.session.run(&self.network);
        Ok(true)
    }

    async fn send_unbounded(
        &mut self,
        message: http::Request<Bytes>,
        limits: &Limits,
        progress: &mut Progress,
    ) -> Result<(), Problem> {
        let network = self.network.clone();
        let method = message.method().clone();
        let (head, body) = message.into_parts();
        let head = http::Request::from_parts(head, ());
        let sender = &mut self.session.sender;
        let opening = async {
            let mut stream = sender.send_request(head).await?;
            if !body.is_empty() {
                stream.send_data(body).await?;
            }
            stream.finish().await?;
            Ok(stream)
        };
        let before = |error| failure::of_http3(&error, false);
        let mut stream =
            network.timeout(limits.wait, opening).await.ok_or_else(|| no_answer(limits))?.map_err(before)?;
        progress.sent = Some(network.now());
        let head = network.timeout(limits.wait, stream.recv_response()).await;
        let (head, ()) = head.ok_or_else(|| no_answer(limits))?.map_err(before)?.into_parts();
        progress.first_byte = Some(network.now());
        progress.head = Some((head.status, head.headers));
        loop {
            if progress.is_enough(limits) {
                progress.end = Some(network.now());
                return Ok(());
            }
            match network.timeout(limits.stall, stream.recv_data()).await {
                Some(Ok(Some(mut data))) => {
                    while data.has_remaining() {
                        let piece = data.chunk();
                        progress.data(piece, network.now(), limits);
                        let length = piece.len();
                        data.advance(length);
                    }
                }
                Some(Ok(None)) => break,
                Some(Err(error)) => return Err(failure::of_http3(&error, true)),
                None => return Err(stalled(limits, progress.bytes)),
            }
        }
        progress.end = Some(network.now());
        progress.check_length(&method)
    }

    pub(super) async fn close(self) {
        let QuicClient { network: _, session, quic, renewed: _ } = self;
        drop(session);
        if let Some(quic) = quic {
            quic.close().await;
        }
    }
}
