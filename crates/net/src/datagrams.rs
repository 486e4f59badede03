//! UDP for servers, over any network: many datagrams at a time where the kernel carries them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use thru_os::batch::BatchSocket;
pub use thru_os::batch::{Inbox, Outbox, Peer};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::network::{Kind, Network};
use crate::udp::UdpSocket;

/// Of the datagrams that come by [`Late`], how many go in one batch.
const LATE_AT_ONCE: usize = 64;
/// How long a batch waits for room in a full socket; what still finds none is lost, as datagrams are.
const ROOM_LIMIT: Duration = Duration::from_millis(100);

/// Datagrams that could not be sent at once, and where they go.
pub type Late = mpsc::Receiver<(Peer, Vec<u8>)>;

/// A server's UDP socket.
#[derive(Debug)]
pub struct Datagrams {
    socket: Socket,
    local: SocketAddr,
}

#[derive(Debug)]
enum Socket {
    Kernel(Arc<BatchSocket>),
    Own(UdpSocket),
}

impl Datagrams {
    /// Binds to an address; port 0 means any. On the wildcard of the host's network answers leave from the address
    /// that was asked; our own stack chooses one by its routes. With `shared`, several sockets may have that address on the host's
    /// network, and the kernel deals the clients out among them.
    pub async fn bind(network: &Network, local: SocketAddr, shared: bool) -> io::Result<Datagrams> {
        match &network.0 {
            Kind::Kernel => {
                let socket = BatchSocket::bind(local, shared)?;
                let local = socket.local_addr()?;
                Ok(Datagrams { socket: Socket::Kernel(Arc::new(socket)), local })
            }
            Kind::Own(_) => {
                let socket = network.bind_udp(local).await?;
                Ok(Datagrams { local: socket.local_addr(), socket: Socket::Own(socket) })
            }
        }
    }

    /// The address bound to, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serves until dropped: `answer` reads the inbox, and what it puts into the outbox is sent; so is what comes by
    /// `late`. What can't be sent is lost, as datagrams are. Returns when the socket fails.
    ///
    /// On the host's network `answer` runs on a thread of its own, which belongs to the runtime like all others: what
    /// it spawns runs there.
    pub async fn serve<A>(self, late: Late, answer: A) -> io::Result<()>
    where
        A: FnMut(&Inbox, &mut Outbox) + Send + 'static,
    {
        match self.socket {
            Socket::Kernel(socket) => on_kernel(socket, late, answer).await,
            Socket::Own(socket) => on_own(&socket, late, answer).await,
        }
    }
}

async fn on_kernel<A>(socket: Arc<BatchSocket>, mut late: Late, answer: A) -> io::Result<()>
where
    A: FnMut(&Inbox, &mut Outbox) + Send + 'static,
{
    let (said, mut ended) = oneshot::channel();
    let _thread = Answering::begin(Arc::clone(&socket), answer, said)?;
    let mut outbox = Outbox::default();
    loop {
        tokio::select! {
            biased;
            result = &mut ended => {
                return result.unwrap_or_else(|_| Err(io::Error::other("the thread that answers has ended")));
            }
            Some(first) = late.recv() => {
                gather(&mut outbox, first, &mut late);
                // Waiting for room is for the thread that has time for it.
                send(&socket, &mut outbox, Duration::ZERO);
            }
        }
    }
}

async fn on_own<A>(socket: &UdpSocket, mut late: Late, mut answer: A) -> io::Result<()>
where
    A: FnMut(&Inbox, &mut Outbox) + Send + 'static,
{
    let (mut inbox, mut outbox) = (Inbox::default(), Outbox::default());
    loop {
        tokio::select! {
            biased;
            Some(first) = late.recv() => gather(&mut outbox, first, &mut late),
            received = socket.receive() => {
                let received = received?;
                inbox.only(received.from, &received.payload);
                answer(&inbox, &mut outbox);
            }
        }
        for (to, payload) in outbox.iter() {
            // Its receiver's business: no way there, or too large.
            let _ = socket.send_to(payload, to.address).await;
        }
        outbox.clear();
    }
}

/// Puts what is late into the outbox, as much as one batch takes.
fn gather(outbox: &mut Outbox, first: (Peer, Vec<u8>), late: &mut Late) {
    let more = std::iter::from_fn(|| late.try_recv().ok()).take(LATE_AT_ONCE - 1);
    for (to, payload) in std::iter::once(first).chain(more) {
        outbox.octets.extend_from_slice(&payload);
        outbox.seal(to);
    }
}

/// Sends what is in the outbox and empties it.
fn send(socket: &BatchSocket, outbox: &mut Outbox, limit: Duration) {
    let (mut sent, mut waited) = (0, false);
    while sent < outbox.len() {
        match socket.send(outbox, sent) {
            Ok(to) => (sent, waited) = (to, false),
            Err(_) if !waited && !limit.is_zero() => {
                socket.wait_for_room(limit);
                waited = true;
            }
            Err(_) => break,
        }
    }
    outbox.clear();
}

/// The thread that waits in the kernel; it ends with this.
#[derive(Debug)]
struct Answering {
    socket: Arc<BatchSocket>,
    dropped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Answering {
    fn begin<A>(
        socket: Arc<BatchSocket>,
        mut answer: A,
        said: oneshot::Sender<io::Result<()>>,
    ) -> io::Result<Answering>
    where
        A: FnMut(&Inbox, &mut Outbox) + Send + 'static,
    {
        let dropped = Arc::new(AtomicBool::new(false));
        let (runtime, waiting, stop) = (Handle::current(), Arc::clone(&socket), Arc::clone(&dropped));
        let thread = std::thread::Builder::new().name("datagrams".to_owned()).spawn(move || {
            let _inside = runtime.enter();
            let (mut inbox, mut outbox) = (Inbox::default(), Outbox::default());
            while !stop.load(Ordering::Relaxed) {
                match waiting.wait(&mut inbox) {
                    Ok(true) => {
                        answer(&inbox, &mut outbox);
                        send(&waiting, &mut outbox, ROOM_LIMIT);
                    }
                    Ok(false) => break,
                    Err(error) => {
                        // If nobody listens any more, nobody needs to know.
                        let _ = said.send(Err(error));
                        return;
                    }
                }
            }
        })?;
        Ok(Answering { socket, dropped, thread: Some(thread) })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
        self.socket.end();
        if let Some(thread) = self.thread.take() {
            // Its panic has been told already.
            let _ = thread.join();
        }
    }
}
