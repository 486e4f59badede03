//! HTTP/2, HTTP/3 and QUIC.

use super::{Fault, fault};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "H201",
        "server is draining",
        "The server finishes what it has and wants new requests on a new connection.",
    ),
    fault("H202", "server asks to calm down", "The server closes because it sees too much of something."),
    fault(
        "H203",
        "single request refused",
        "The server refused or cancelled one request on a shared connection.",
    ),
    fault(
        "H204",
        "flow control stall",
        "The receiver did not allow more data on a shared connection, so it stands still.",
    ),
    fault(
        "H205",
        "too many requests at once",
        "The server's limit of simultaneous requests is reached, so the client waits.",
    ),
    fault(
        "H206",
        "connection does not answer its control messages",
        "The other side does not answer the protocol's own messages.",
    ),
    fault(
        "H207",
        "server wants better encryption or HTTP/1.1",
        "The server refuses HTTP/2 under these conditions.",
    ),
    fault("H208", "HTTP/2 agreed, HTTP/1 spoken", "The server agreed to HTTP/2 and then speaks HTTP/1.1."),
    fault(
        "H209",
        "header compression broken",
        "The two sides no longer agree on the state of header compression.",
    ),
    fault(
        "H210",
        "one lost packet stalls all requests",
        "All requests share one TCP connection, so one lost packet holds up all of them.",
    ),
    fault(
        "H211",
        "connection reused for the wrong site",
        "The client reused a connection for a site that server does not serve.",
    ),
    fault(
        "Q01",
        "UDP blocked, so no HTTP/3",
        "The packets of HTTP/3 do not get through, while older HTTP over TCP does.",
    ),
    fault(
        "Q02",
        "UDP slowed down",
        "HTTP/3 is much slower than HTTP/2 because its packets are held back on the way.",
    ),
    fault("Q03", "no common QUIC version", "Client and server know no version of QUIC in common."),
    fault("Q04", "address check fails", "The server's check of the client's address does not succeed."),
    fault(
        "Q05",
        "first QUIC packets dropped by shape",
        "The first packets have a size or form that something on the way drops.",
    ),
    fault(
        "Q06",
        "server may not send more yet",
        "The server has to wait for the client before it may send the rest of its certificates.",
    ),
    fault("Q07", "QUIC packets too large for the path", "Small QUIC packets pass, larger ones are lost."),
    fault("Q08", "TLS failure inside QUIC", "The encryption handshake inside QUIC failed."),
    fault(
        "Q09",
        "QUIC connection idled out",
        "Nothing was sent for so long that the connection ended silently.",
    ),
    fault(
        "Q10",
        "connection did not survive an address change",
        "The client's address changed and the connection could not follow.",
    ),
    fault(
        "Q11",
        "server forgot the QUIC connection",
        "The server no longer knows the connection and says so.",
    ),
    fault("Q12", "HTTP/3 offered but not served", "The site announces HTTP/3, but nobody answers there."),
    fault(
        "Q13",
        "QUIC protocol error",
        "One side ended the connection because the other broke a rule of QUIC.",
    ),
    fault("Q14", "HTTP/3 protocol error", "One side ended the request because of an error in HTTP/3."),
    fault(
        "Q15",
        "headers wait for the compression table",
        "A request waits for the stream that carries its header table.",
    ),
    fault("Q16", "host disturbs QUIC", "This machine's own settings lose or alter QUIC packets."),
    fault(
        "Q17",
        "silence after the QUIC handshake",
        "The QUIC handshake succeeded and then nothing more arrives.",
    ),
];
