//! One SYN with a TTL of our choice, and what answers it: by the kernel's own handshake, without privilege.

use std::io;
use std::net::SocketAddr;

use thru_os::knock::{Knock, Outcome};
use thru_stack::icmp::IcmpReport;
use thru_wire::Instant;
use tokio::io::Interest;

use crate::kernel::udp::report;
use crate::network::{Kind, Network};

/// What came of it.
#[derive(Clone, Debug)]
pub enum KnockOutcome {
    /// SYN and ACK: somebody listens. The connection is reset at once.
    Open,
    /// RST: nobody listens.
    Closed,
    /// An ICMP error.
    Icmp(IcmpReport),
    /// Nothing, as long as the kernel tried.
    Silent,
}

impl Network {
    /// Tries to open a connection to `remote` with packets of this TTL; what came back, and when. Needs Linux 5.8 to
    /// tell who sent an ICMP error. On the host's network only; our own stack sends whole packets instead.
    pub async fn knock(&self, remote: SocketAddr, ttl: Option<u8>) -> io::Result<(KnockOutcome, Instant)> {
        let Kind::Kernel = &self.0 else { return Err(io::ErrorKind::Unsupported.into()) };
        let knock = thru_os::knock::register(Knock::start(remote, ttl)?)?;
        let either = Interest::WRITABLE | Interest::ERROR;
        let outcome = knock.async_io(either, Knock::outcome).await?;
        let at = thru_os::clock::now();
        Ok(match outcome {
            Outcome::Open => (KnockOutcome::Open, at),
            Outcome::Closed => (KnockOutcome::Closed, at),
            Outcome::Icmp(error) => (KnockOutcome::Icmp(report(&error, 0)), at),
            Outcome::Silent => (KnockOutcome::Silent, at),
        })
    }
}
