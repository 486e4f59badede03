//! Updates (RFC 2136) that nodes send at their times: zones change while they are served.

use std::net::SocketAddr;
use std::time::Duration;

use thru_names::authority::update::ask;
use thru_names::message::Peek;
use thru_names::text::parse_name;

use super::Internet;

/// How long an answer is waited for, each time.
const PATIENCE: Duration = Duration::from_secs(3);
/// Times that an update is sent.
const TRIES: usize = 3;

impl Internet {
    /// Sends an update from a node to a name server until it is answered, as nsupdate does. Who gets no answer gives up: that
    /// may be what the lab is about.
    pub(super) async fn send_update(&self, node: usize, to: usize, zone: &str, lines: &[String]) {
        let network = self.network_of(node);
        let server = self.addresses(self.scenario().services[to].on).into_iter().next();
        let Some(server) = server.map(|address| SocketAddr::new(address, 53)) else { return };
        let id = u16::from_be_bytes(network.random("update")[..2].try_into().expect("two octets"));
        let origin = parse_name(zone).expect("checked when the file was read");
        let message = ask::message(id, &origin, lines.iter().map(String::as_str))
            .expect("checked when the file was read");
        let any = if server.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
        let Ok(socket) = network.bind_udp(any.parse().expect("an address")).await else { return };
        for _ in 0..TRIES {
            // A way that is cut is another reason to try again.
            let _ = socket.send_to(&message, server).await;
            let patience = network.now() + PATIENCE;
            loop {
                tokio::select! {
                    biased;
                    received = socket.receive() => {
                        let Ok(received) = received else { break };
                        if Peek::at(&received.payload).is_some_and(|peek| peek.is_response && peek.id == id) {
                            return;
                        }
                    }
                    () = network.sleep_until(patience) => break,
                }
            }
        }
    }
}
