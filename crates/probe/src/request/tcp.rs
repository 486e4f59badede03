//! HTTP/1.1 and HTTP/2 by hyper.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use thru_net::Network;
use thru_net::http::TokioExecutor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::{Limits, Problem, Progress, failure, no_answer, stalled};
use crate::secure::{Meter, Metered};

/// The largest head of an answer, bytes.
const HEAD_MAX: usize = 64 * 1024;

/// A client on one stream.
#[derive(Debug)]
pub struct TcpClient {
    network: Network,
    sender: Sender,
    /// On the plaintext side of TLS.
    meter: Meter,
    /// Anything was ever read.
    heard: bool,
    /// Moves the bytes; `None` for clones, which leave it to the original.
    driver: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl TcpClient {
    pub(super) async fn new<S>(network: &Network, stream: S, http2: bool) -> Result<TcpClient, Problem>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (stream, meter) = Metered::new(network, stream);
        let io = TokioIo::new(stream);
        let (sender, driver) = if http2 {
            let (sender, connection) = http2::Builder::new(TokioExecutor)
                .max_header_list_size(HEAD_MAX as u32)
                // As large as a browser's: the window must not be what limits a transfer.
                .initial_stream_window_size(6 << 20)
                .initial_connection_window_size(15 << 20)
                .handshake(io)
                .await
                .map_err(|error| failure::of_hyper(&error, false))?;
            let driver = network.spawn(async move {
                // Whoever waits for an answer hears of it too.
                let _ = connection.await;
            });
            (Sender::Http2(sender), driver)
        } else {
            let (sender, connection) = http1::Builder::new()
                .max_buf_size(HEAD_MAX)
                .handshake(io)
                .await
                .map_err(|error| failure::of_hyper(&error, false))?;
            let driver = network.spawn(async move {
                let _ = connection.await;
            });
            (Sender::Http1(sender), driver)
        };
        Ok(TcpClient { network: network.clone(), sender, meter, heard: false, driver: Some(driver) })
    }

    pub(super) fn version(&self) -> &'static str {
        match self.sender {
            Sender::Http1(_) => "HTTP/1.1",
            Sender::Http2(_) => "HTTP/2",
        }
    }

    /// A second handle for requests at the same time; `None` for HTTP/1.1, which does one after the other.
    pub(super) fn share(&self) -> Option<TcpClient> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => Some(TcpClient {
                network: self.network.clone(),
                sender: Sender::Http2(sender.clone()),
                meter: self.meter.clone(),
                heard: self.heard,
                driver: None,
            }),
        }
    }

    pub(super) async fn send(
        &mut self,
        message: http::Request<Bytes>,
        limits: &Limits,
        progress: &mut Progress,
    ) -> Result<(), Problem> {
        let network = self.network.clone();
        let result = network.timeout(limits.total, self.send_unbounded(message, limits, progress)).await;
        result.unwrap_or_else(|| progress.time_is_up(network.now(), limits))
    }

    async fn send_unbounded(
        &mut self,
        message: http::Request<Bytes>,
        limits: &Limits,
        progress: &mut Progress,
    ) -> Result<(), Problem> {
        let network = self.network.clone();
        let http1 = matches!(self.sender, Sender::Http1(_));
        let (bodiless, method) = (message.body().is_empty(), message.method().clone());
        // What came before: over HTTP/2 the server's settings.
        self.heard |= self.meter.read().bytes_read > 0;
        self.meter.mark();
        let answer = network.timeout(limits.wait, self.answer(message.map(Full::new))).await;
        let counts = self.meter.read();
        // Over HTTP/2 later writes are about the connection, not the request.
        progress.sent = if bodiless { counts.first_write } else { counts.last_write };
        let began = http1 && counts.bytes_read > 0;
        let response = match answer {
            Some(Ok(response)) => response,
            Some(Err(error)) => {
                progress.first_byte = counts.first_read.filter(|_| began);
                let problem = failure::of_hyper(&error, began);
                return Err(failure::with_head(problem, &counts.head, !http1));
            }
            None if began => {
                progress.first_byte = counts.first_read;
                return Err(Problem::new("http.stalled", "the answer stopped in the middle of its head"));
            }
            // Over HTTP/2 a server that lives says so with its settings, before any answer.
            None => return Err(no_answer(limits).with("http.silent", !self.heard && counts.bytes_read == 0)),
        };
        progress.first_byte = counts.first_read.filter(|_| http1).or_else(|| Some(network.now()));
        let (head, mut body) = response.into_parts();
        progress.head = Some((head.status, head.headers));
        loop {
            if progress.is_enough(limits) {
                progress.end = Some(network.now());
                return Ok(());
            }
            match network.timeout(limits.stall, body.frame()).await {
                Some(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        progress.data(data, network.now(), limits);
                    }
                }
                Some(Some(Err(error))) => return Err(failure::of_hyper(&error, true)),
                Some(None) => break,
                None => return Err(stalled(limits, progress.bytes)),
            }
        }
        progress.end = Some(network.now());
        if http1 {
            progress.note_excess(&self.meter.read());
        }
        progress.check_length(&method)?;
        progress.check_coding()
    }

    async fn answer(
        &mut self,
        request: http::Request<Full<Bytes>>,
    ) -> hyper::Result<http::Response<Incoming>> {
        match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }

    pub(super) async fn close(mut self) {
        let Some(mut driver) = self.driver.take() else { return };
        let network = self.network.clone();
        // Without anyone who could ask, hyper closes the connection: close_notify, then FIN.
        drop(self);
        if network.timeout(Duration::from_secs(1), &mut driver).await.is_none() {
            driver.abort();
        }
    }
}

impl Drop for TcpClient {
    fn drop(&mut self) {
        if let Some(driver) = &self.driver {
            driver.abort();
        }
    }
}
