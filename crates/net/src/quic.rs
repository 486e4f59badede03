//! quinn over a [`Network`].

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant as StdInstant;

use quinn::udp::{EcnCodepoint, RecvMeta, Transmit};
use quinn::{AsyncTimer, AsyncUdpSocket, EndpointConfig, Runtime, UdpPoller};

use crate::network::{Kind, Network};
use crate::sleep::Sleep;
use crate::udp::{SendOptions, UdpEvent, UdpSocket};

/// A quinn endpoint on `network`, bound to `local`; with `server` it accepts connections too. In a lab, quinn's own
/// choices come from the lab's entropy.
pub async fn endpoint(
    network: &Network,
    local: SocketAddr,
    server: Option<quinn::ServerConfig>,
) -> io::Result<quinn::Endpoint> {
    let mut config = EndpointConfig::default();
    match &network.0 {
        Kind::Kernel => {
            let socket = std::net::UdpSocket::bind(local)?;
            quinn::Endpoint::new(config, server, socket, Arc::new(quinn::TokioRuntime))
        }
        Kind::Own(_) => {
            config.rng_seed(Some(network.random("quic endpoint")));
            let socket = Arc::new(Socket(network.bind_udp(local).await?));
            let runtime = Arc::new(NetworkRuntime(network.clone()));
            quinn::Endpoint::new_with_abstract_socket(config, server, socket, runtime)
        }
    }
}

#[derive(Debug)]
struct NetworkRuntime(Network);

impl Runtime for NetworkRuntime {
    fn new_timer(&self, at: StdInstant) -> Pin<Box<dyn AsyncTimer>> {
        let sleep = self.0.sleep_until(self.0.from_std(at));
        Box::pin(Timer { network: self.0.clone(), sleep })
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(future);
    }

    fn wrap_udp_socket(&self, _: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "a kernel socket does not belong in a lab"))
    }

    fn now(&self) -> StdInstant {
        self.0.to_std(self.0.now())
    }
}

#[derive(Debug)]
struct Timer {
    network: Network,
    sleep: Sleep,
}

impl AsyncTimer for Timer {
    fn reset(mut self: Pin<&mut Self>, at: StdInstant) {
        let at = self.network.from_std(at);
        self.sleep.reset(at);
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.sleep).poll(cx)
    }
}

/// Our UDP socket as quinn's.
struct Socket(UdpSocket);

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let own = self.0.own().ok_or(io::ErrorKind::Unsupported)?;
        let ecn = transmit.ecn.map_or(0, |ecn| ecn as u8);
        // QUIC must not be fragmented (RFC 9000 14).
        let options = SendOptions { ttl: None, ecn, dont_fragment: true };
        for payload in
            transmit.contents.chunks(transmit.segment_size.unwrap_or(transmit.contents.len()).max(1))
        {
            match own.send(payload, transmit.destination, options) {
                // As on kernel sockets: what does not fit, or has no way, is lost, and path MTU discovery learns it.
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let Some(own) = self.0.own() else {
            return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
        };
        let mut count = 0;
        for (buffer, meta) in buffers.iter_mut().zip(meta.iter_mut()) {
            let received = loop {
                match own.poll_event(cx) {
                    Poll::Ready(Ok(UdpEvent::Datagram(received))) => break received,
                    // quinn learns of unreachable peers by its own timers.
                    Poll::Ready(Ok(UdpEvent::Icmp(_))) => {}
                    Poll::Ready(Err(error)) if count == 0 => return Poll::Ready(Err(error)),
                    Poll::Pending if count == 0 => return Poll::Pending,
                    Poll::Ready(Err(_)) | Poll::Pending => return Poll::Ready(Ok(count)),
                }
            };
            let len = received.payload.len().min(buffer.len());
            buffer[..len].copy_from_slice(&received.payload[..len]);
            *meta = RecvMeta {
                addr: received.from,
                len,
                stride: len,
                ecn: EcnCodepoint::from_bits(received.ecn),
                dst_ip: Some(self.0.local_addr().ip()).filter(|ip| !ip.is_unspecified()),
            };
            count += 1;
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.local_addr())
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Our stack takes every datagram at once.
#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
